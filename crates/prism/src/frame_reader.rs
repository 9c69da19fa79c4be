//! [`FrameReader`]: frames as solvers take them, read as they are needed.

use burn::tensor::{DType, Device, Tensor, TensorData};

use crate::{Error, Exposures, Geometry, Noise, Result};

/// Share of the memory for frames that is read at once where not all of them fit.
const PART: usize = 8;
/// Most bytes of frames that are read at once.
const MOST_PART: usize = 256 << 20;

/// Some frames on a device.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    /// `[exposure, row, column]`; nought where pixels do not count.
    pub(crate) data: Tensor<3>,
    /// One where pixels count, else nought, `[1 or exposure, row, column]`; none where all do.
    pub(crate) weight: Option<Tensor<3>>,
    /// Of the data.
    pub(crate) sum: f64,
}

/// Reads some of the exposures.
#[derive(Clone, Debug)]
pub(crate) struct FrameReader {
    pub(crate) exposures: Exposures,
    /// Which of them, in their order.
    pub(crate) which: Vec<usize>,
    /// Every so many pixels are taken.
    pub(crate) stride: usize,
    /// Rows, and columns, of what is taken.
    pub(crate) detector: usize,
    pub(crate) device: Device,
    pub(crate) dtype: DType,
    /// Data are intensities times this.
    factor: f64,
    /// Pixels that count in all exposures.
    good: Option<Tensor<3>>,
}

impl FrameReader {
    /// Of the exposures `which`; `window` is the side of the largest window with its margin.
    ///
    /// # Errors
    /// As [`Exposures::check`]; [`Error::Measurement`] for exposures that are not there.
    pub(crate) fn new(
        exposures: &Exposures,
        which: Vec<usize>,
        window: usize,
        factor: f64,
        (device, dtype): (&Device, DType),
    ) -> Result<Self> {
        exposures.check()?;
        let count = exposures.centres.len();
        if which.is_empty() || which.iter().any(|index| *index >= count) {
            return Err(Error::Measurement {
                what: "exposures to sweep".into(),
                got: format!("{which:?}"),
                expected: format!("at least one, each below {count}"),
            });
        }
        let full = exposures.optics.detector;
        let stride = stride(exposures, window);
        let good = exposures.good.as_ref().map(|good| {
            let values: Vec<f32> = good.iter().map(|good| f32::from(u8::from(*good))).collect();
            Tensor::from_data(TensorData::new(values, [1, full, full]), (device, dtype))
        });
        let exposures = exposures.clone();
        Ok(Self { exposures, which, stride, detector: full / stride, device: device.clone(), dtype, factor, good })
    }

    /// Whether all frames may stay in memory together.
    pub(crate) fn fits(&self) -> bool {
        self.which.len().saturating_mul(self.frame_bytes()) <= self.exposures.frames.memory()
    }

    /// Frames that are read at once: at least one.
    pub(crate) fn at_once(&self) -> usize {
        let bytes = if self.fits() { MOST_PART } else { MOST_PART.min(self.exposures.frames.memory() / PART) };
        (bytes / self.frame_bytes()).max(1)
    }

    fn frame_bytes(&self) -> usize {
        4 * self.detector * self.detector
    }

    /// Frames by their places in `which`.
    ///
    /// # Errors
    /// Frames that cannot be read; [`Error::Measurement`] for the first value that is no intensity.
    pub(crate) fn read(&self, some: impl IntoIterator<Item = usize>) -> Result<Block> {
        let full = self.exposures.optics.detector;
        let good = self.exposures.good.as_deref();
        let counted = matches!(self.exposures.noise, Noise::Counts { .. });
        let (mut values, mut left_out, mut sum) = (Vec::new(), Vec::new(), 0.0);
        for index in some {
            let index = self.which[index];
            let frame = self.exposures.frames.frame(index)?;
            if frame.len() != full * full {
                return Err(Error::Shape { what: "frame", got: frame.len(), wanted: full * full });
            }
            for row in (0..full).step_by(self.stride) {
                for place in (row * full..(row + 1) * full).step_by(self.stride) {
                    let value = frame[place];
                    let used = good.is_none_or(|good| good[place]);
                    if used && value == f32::INFINITY {
                        left_out.push(values.len());
                        values.push(0.0);
                        continue;
                    }
                    // read-out noise makes counts negative, nothing does so with intensities
                    let wrong = !value.is_finite() || !counted && value < 0.0;
                    if used && wrong {
                        return Err(Error::Measurement {
                            what: format!("frame {index}, row {}, column {}", place / full, place % full),
                            got: value.to_string(),
                            expected: "a finite intensity of at least 0; mask the pixel where it is dead".into(),
                        });
                    }
                    let value = if used { (f64::from(value) * self.factor) as f32 } else { 0.0 };
                    sum += f64::from(value);
                    values.push(value);
                }
            }
        }
        let shape = [values.len() / (self.detector * self.detector), self.detector, self.detector];
        let on = (&self.device, self.dtype);
        let weight = match (&self.good, left_out.is_empty()) {
            (good, true) => good.clone(),
            (good, false) => {
                let mut ones = vec![1.0f32; values.len()];
                left_out.into_iter().for_each(|place| ones[place] = 0.0);
                let own = Tensor::from_data(TensorData::new(ones, shape), on);
                Some(if let Some(good) = good { own * good.clone() } else { own })
            }
        };
        Ok(Block { data: Tensor::from_data(TensorData::new(values, shape), on), weight, sum })
    }
}

/// Every how many pixels of a frame hold all of it: where there is no noise and every pixel counts, frames are images, and the detector is
/// larger than the intensity's band, which is twice the window less one.
pub(crate) fn stride(exposures: &Exposures, window: usize) -> usize {
    let full = exposures.optics.detector;
    if exposures.noise != Noise::None || exposures.good.is_some() || exposures.optics.geometry != Geometry::Spectrum {
        return 1;
    }
    let least = 2 * window - 1;
    (1..=full).rev().find(|stride| full.is_multiple_of(*stride) && full / stride >= least).unwrap_or(1)
}
