//! [`Prepared`]: exposures as a likelihood takes them, on a device.

use std::ops::Range;

use burn::tensor::{DType, Device, Tensor};
use cupel_kernels::{Direction, Likelihood, Measured, SubApertures};

use crate::{
    Error, Exposures, Geometry, Noise, Result,
    frame_reader::{Block, FrameReader},
};

/// Least variance of the read-out in squared counts: the logarithm of a shifted Poisson distribution needs one.
const LEAST_VARIANCE: f64 = 1e-2;
/// Share of the mean intensity below which an amplitude has no slope.
pub(crate) const DARK: f64 = 1e-10;

/// Some of the exposures with their likelihood, on a device.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    pub(crate) reader: FrameReader,
    pub(crate) likelihood: Likelihood,
    /// Data are intensities times this.
    pub(crate) photons: f64,
    /// The mean intensity.
    pub(crate) mean: f64,
    chunks: Vec<(Range<usize>, Option<Block>)>,
}

impl Prepared {
    /// Reads and checks the exposures `which`; `window` is the side of the largest window with its margin.
    pub(crate) fn new(exposures: &Exposures, which: Vec<usize>, window: usize, on: (&Device, DType)) -> Result<Self> {
        let (likelihood, photons) = match exposures.noise {
            Noise::Counts { photons, read } => {
                (Likelihood::Poisson { variance: (read * read).max(LEAST_VARIANCE) }, photons)
            }
            Noise::None | Noise::Unknown => (Likelihood::Amplitude { epsilon: 0.0 }, 1.0),
        };
        let reader = FrameReader::new(exposures, which, window, photons, on)?;
        let (count, pixels) = (reader.which.len(), reader.detector * reader.detector);
        let mut prepared = Self { likelihood, photons, mean: 0.0, chunks: Vec::new(), reader };
        let mut sum = 0.0;
        for first in (0..count).step_by(prepared.reader.at_once()) {
            let range = first..(first + prepared.reader.at_once()).min(count);
            let block = prepared.reader.read(range.clone())?;
            sum += block.sum;
            prepared.chunks.push((range, prepared.reader.fits().then_some(block)));
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

    /// Parts of the exposures that are computed with at once.
    pub(crate) fn parts(&self) -> usize {
        self.chunks.len()
    }

    /// The exposures of one part, by their place in what is read.
    pub(crate) fn range(&self, part: usize) -> Range<usize> {
        self.chunks[part].0.clone()
    }

    /// Data of one part, without automatic differentiation.
    pub(crate) fn block(&self, part: usize) -> Result<Block> {
        let (range, block) = &self.chunks[part];
        match block {
            Some(block) => Ok(block.clone()),
            None => self.reader.read(range.clone()),
        }
    }

    /// The same for the likelihood, differentiated where `track` says so.
    pub(crate) fn measured(&self, part: usize, modes: usize, track: bool) -> Result<Measured> {
        let tracked = |tensor: Tensor<3>| if track { Tensor::from_inner(tensor) } else { tensor };
        let Block { data, weight, .. } = self.block(part)?;
        Ok(Measured { data: tracked(data), weight: weight.map(tracked), modes })
    }

    /// The windows of one part around whole places, `places[exposure]`.
    pub(crate) fn apertures(&self, part: usize, places: &[[isize; 2]]) -> SubApertures {
        let optics = &self.reader.exposures.optics;
        let range = self.range(part);
        let of_range = self.reader.which[range].iter().map(|index| places[*index]);
        let [rows, columns] = optics.size;
        let detector = self.reader.detector;
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
