//! [`Exposures`]: what was measured, with all that is known of how.

use std::{fmt, sync::Arc};

use crate::{Error, Optics, Result, cache::CacheStats};

/// Bytes of frames that are kept in memory unless it is said otherwise.
pub const FRAME_BYTES: usize = 2 << 30;

/// Frames that are read as they are needed: a stack may be larger than memory.
pub trait Frames: Send + Sync + fmt::Debug {
    /// How many there are.
    fn count(&self) -> usize;

    /// Intensities of one frame, row by row, `detector * detector` values; infinite where the pixel does not count in this exposure, as where it was
    /// saturated.
    ///
    /// # Errors
    /// What keeps it from being read.
    fn frame(&self, index: usize) -> Result<Vec<f32>>;

    /// Whether all of them are in memory.
    fn in_memory(&self) -> bool {
        false
    }

    /// Bytes of frames that may be kept in memory; of more they are read again whenever they are needed.
    fn memory(&self) -> usize {
        FRAME_BYTES
    }

    /// How often frames were known, where that is [counted](Exposures::cached).
    fn cache(&self) -> Option<CacheStats> {
        None
    }
}

/// Frames in memory, one after the other.
#[derive(Clone, Debug, PartialEq)]
pub struct InMemory {
    /// Pixels of a frame.
    pub pixels: usize,
    /// All values.
    pub values: Vec<f32>,
}

impl Frames for InMemory {
    fn count(&self) -> usize {
        self.values.len().checked_div(self.pixels).unwrap_or(0)
    }

    fn frame(&self, index: usize) -> Result<Vec<f32>> {
        Ok(self.values[index * self.pixels..(index + 1) * self.pixels].to_vec())
    }

    fn in_memory(&self) -> bool {
        true
    }
}

/// How a frame differs from its mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Noise {
    /// Not at all: a calculation.
    None,
    /// In an unknown way: errors of amplitudes are taken to be alike, as those of photons are.
    Unknown,
    /// Photons and the read-out of the detector.
    Counts {
        /// Photons of one unit of intensity.
        photons: f64,
        /// Standard deviation of the read-out, in electrons, each of one photon.
        read: f64,
    },
}

/// What is known of the object before it is seen.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Knowledge {
    /// Rows and columns in the middle of the field outside which it is nought.
    pub support: Option<[usize; 2]>,
    /// It has no phase.
    pub real: bool,
    /// Least and largest value of a real object.
    pub bounds: Option<[f64; 2]>,
}

/// Frames, the places of their windows, the optics that made them and what is known of noise and object.
#[derive(Clone, Debug)]
pub struct Exposures {
    /// How frames come from an object.
    pub optics: Optics,
    /// Row and column of the centre of each window, in places from the centre of the plane (place `N / 2`); between two places where the
    /// pupil is moved.
    pub centres: Vec<[f64; 2]>,
    /// Intensities.
    pub frames: Arc<dyn Frames>,
    /// How they differ from their means.
    pub noise: Noise,
    /// Pixels of the detector that count; all where there is none.
    pub good: Option<Vec<bool>>,
    /// What is known of the object.
    pub known: Knowledge,
}

/// Some of the frames of others.
#[derive(Debug)]
struct Chosen {
    which: Vec<usize>,
    frames: Arc<dyn Frames>,
}

impl Frames for Chosen {
    fn count(&self) -> usize {
        self.which.len()
    }

    fn frame(&self, index: usize) -> Result<Vec<f32>> {
        self.frames.frame(self.which[index])
    }

    fn in_memory(&self) -> bool {
        self.frames.in_memory()
    }

    fn memory(&self) -> usize {
        self.frames.memory()
    }

    fn cache(&self) -> Option<CacheStats> {
        self.frames.cache()
    }
}

impl Exposures {
    /// The exposures `which` alone.
    pub(crate) fn only(&self, which: &[usize]) -> Self {
        Self {
            centres: which.iter().map(|index| self.centres[*index]).collect(),
            frames: Arc::new(Chosen { which: which.to_vec(), frames: self.frames.clone() }),
            ..self.clone()
        }
    }

    /// # Errors
    /// As [`Optics::check`]; [`Error::Measurement`] where numbers do not belong together, the first that does not is named.
    pub fn check(&self) -> Result<()> {
        self.optics.check()?;
        let frames = self.frames.count();
        if frames == 0 || frames != self.centres.len() {
            return Err(Error::Measurement {
                what: "number of frames".into(),
                got: frames.to_string(),
                expected: format!("one for each of the {} positions, and at least one", self.centres.len()),
            });
        }
        if let Some(index) = self.centres.iter().position(|centre| centre.iter().any(|c| !c.is_finite())) {
            return Err(Error::Measurement {
                what: format!("position {index}"),
                got: format!("{:?}", self.centres[index]),
                expected: "finite numbers".into(),
            });
        }
        let pixels = self.optics.detector * self.optics.detector;
        if let Some(good) = &self.good
            && good.len() != pixels
        {
            return Err(Error::Shape { what: "mask of the detector", got: good.len(), wanted: pixels });
        }
        Ok(())
    }
}
