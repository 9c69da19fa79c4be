//! [`Prepared`]: exposures as a likelihood takes them, on a device.

use std::ops::Range;

use burn::tensor::{DType, Device, Tensor, TensorData};
use cupel_kernels::{Direction, Likelihood, Measured, SubApertures};

use crate::{Error, Exposures, Geometry, Noise, Result};

/// Most bytes of frames that stay on the device; of larger stacks frames are read whenever they are needed.
const KEPT_BYTES: usize = 2 << 30;
/// Bytes of the frames that are read at once.
const CHUNK_BYTES: usize = 256 << 20;
/// Least variance of the read-out in squared counts: the logarithm of a shifted Poisson distribution needs one.
const LEAST_VARIANCE: f64 = 1e-2;
/// Share of the mean intensity below which an amplitude has no slope.
pub(crate) const DARK: f64 = 1e-10;

/// Some of the exposures with their likelihood, on a device.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    pub(crate) exposures: Exposures,
    /// Which of them, in their order.
    pub(crate) which: Vec<usize>,
    /// Every so many pixels are taken.
    pub(crate) stride: usize,
    /// Rows, and columns, of what is taken.
    pub(crate) detector: usize,
    pub(crate) likelihood: Likelihood,
    /// Data are intensities times this.
    pub(crate) photons: f64,
    /// The mean intensity.
    pub(crate) mean: f64,
    pub(crate) device: Device,
    pub(crate) dtype: DType,
    chunks: Vec<(Range<usize>, Option<Tensor<3>>)>,
    weight: Option<Tensor<3>>,
}

impl Prepared {
    /// Reads and checks the exposures `which`; `window` is the side of the largest window with its margin.
    pub(crate) fn new(
        exposures: &Exposures,
        which: Vec<usize>,
        window: usize,
        (device, dtype): (&Device, DType),
    ) -> Result<Self> {
        exposures.check()?;
        let full = exposures.optics.detector;
        let stride = stride(exposures, window);
        let detector = full / stride;
        let pixels = detector * detector;
        let chunk = (CHUNK_BYTES / (4 * pixels)).max(1);
        let keep = which.len().saturating_mul(4 * pixels) <= KEPT_BYTES;
        let (likelihood, photons) = match exposures.noise {
            Noise::Counts { photons, read } => {
                (Likelihood::Poisson { variance: (read * read).max(LEAST_VARIANCE) }, photons)
            }
            Noise::None | Noise::Unknown => (Likelihood::Amplitude { epsilon: 0.0 }, 1.0),
        };
        let weight = exposures.good.as_ref().map(|good| {
            let values: Vec<f32> = good.iter().map(|good| f32::from(u8::from(*good))).collect();
            Tensor::from_data(TensorData::new(values, [1, full, full]), (device, dtype))
        });
        let mut prepared = Self {
            exposures: exposures.clone(),
            which,
            stride,
            detector,
            likelihood,
            photons,
            mean: 0.0,
            device: device.clone(),
            dtype,
            chunks: Vec::new(),
            weight,
        };
        let count = prepared.which.len();
        let mut sum = 0.0;
        for first in (0..count).step_by(chunk) {
            let range = first..(first + chunk).min(count);
            let values = prepared.read(range.clone())?;
            sum += values.iter().map(|value| f64::from(*value)).sum::<f64>();
            let data = keep.then(|| prepared.tensor(values));
            prepared.chunks.push((range, data));
        }
        prepared.mean = sum / (prepared.photons * (count * pixels) as f64);
        if prepared.mean <= 0.0 {
            return Err(Error::Measurement {
                what: "frames".into(),
                got: "a mean intensity that is not above nought".into(),
                expected: "frames with light; is the dark frame taken off twice, or the wrong field read?".into(),
            });
        }
        if let Likelihood::Amplitude { epsilon } = &mut prepared.likelihood {
            *epsilon = DARK * prepared.mean;
        }
        Ok(prepared)
    }

    /// Data of some of the exposures, one frame after the other.
    fn read(&self, range: Range<usize>) -> Result<Vec<f32>> {
        let full = self.exposures.optics.detector;
        let mut values = Vec::with_capacity(range.len() * self.detector * self.detector);
        let good = self.exposures.good.as_deref();
        let counted = matches!(self.exposures.noise, Noise::Counts { .. });
        for index in range {
            let index = self.which[index];
            let frame = self.exposures.frames.frame(index)?;
            if frame.len() != full * full {
                return Err(Error::Shape { what: "frame", got: frame.len(), wanted: full * full });
            }
            for row in (0..full).step_by(self.stride) {
                for place in (row * full..(row + 1) * full).step_by(self.stride) {
                    let value = frame[place];
                    let used = good.is_none_or(|good| good[place]);
                    // read-out noise makes counts negative, nothing does so with intensities
                    let wrong = !value.is_finite() || !counted && value < 0.0;
                    if used && wrong {
                        return Err(Error::Measurement {
                            what: format!("frame {index}, row {}, column {}", place / full, place % full),
                            got: value.to_string(),
                            expected: "a finite intensity of at least 0; mask the pixel where it is dead".into(),
                        });
                    }
                    values.push(if used { (f64::from(value) * self.photons) as f32 } else { 0.0 });
                }
            }
        }
        Ok(values)
    }

    fn tensor(&self, values: Vec<f32>) -> Tensor<3> {
        let shape = [values.len() / (self.detector * self.detector), self.detector, self.detector];
        Tensor::from_data(TensorData::new(values, shape), (&self.device, self.dtype))
    }

    /// Parts of the exposures that are computed with at once.
    pub(crate) fn parts(&self) -> usize {
        self.chunks.len()
    }

    /// The exposures of one part, by their place in [`which`](Self::which).
    pub(crate) fn range(&self, part: usize) -> Range<usize> {
        self.chunks[part].0.clone()
    }

    /// Data of one part, without automatic differentiation.
    pub(crate) fn data(&self, part: usize) -> Result<Tensor<3>> {
        let (range, data) = &self.chunks[part];
        match data {
            Some(data) => Ok(data.clone()),
            None => Ok(self.tensor(self.read(range.clone())?)),
        }
    }

    /// The same for the likelihood, differentiated where `track` says so.
    pub(crate) fn measured(&self, part: usize, modes: usize, track: bool) -> Result<Measured> {
        let tracked = |tensor: Tensor<3>| if track { Tensor::from_inner(tensor) } else { tensor };
        Ok(Measured { data: tracked(self.data(part)?), weight: self.weight.clone().map(tracked), modes })
    }

    /// The windows of one part around whole places, `places[exposure]`.
    pub(crate) fn apertures(&self, part: usize, places: &[[isize; 2]]) -> SubApertures {
        let optics = &self.exposures.optics;
        let range = self.range(part);
        let of_range = self.which[range].iter().map(|index| places[*index]);
        let [rows, columns] = optics.size;
        let detector = self.detector;
        match optics.geometry {
            // the spectrum has its frequency nought at the first place, as fft2 leaves it, and no scale
            Geometry::Spectrum => SubApertures {
                centres: of_range.map(|[y, x]| [y - (rows / 2) as isize, x - (columns / 2) as isize]).collect(),
                detector,
                scale: (detector * detector) as f64 / (rows * columns) as f64,
                transform: Direction::Inverse,
            },
            Geometry::Object => SubApertures {
                centres: of_range.collect(),
                detector,
                scale: 1.0 / detector as f64,
                transform: Direction::Forward,
            },
        }
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
