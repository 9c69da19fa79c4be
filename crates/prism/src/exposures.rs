//! [`Exposures`]: what was measured, with all that is known of how.

use std::{fmt, sync::Arc};

use crate::{Error, LedArray, Optics, Pose, Result, cache::CacheStats};

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

/// The array of lights behind exposures, each of which is of one light.
#[derive(Clone, Debug, PartialEq)]
pub struct Lights {
    /// Where its lights stand.
    pub array: LedArray,
    /// How it was said to lie.
    pub pose: Pose,
    /// How it lies, where that was found.
    pub found: Option<Pose>,
    /// Brightness of each exposure and intensity added to all its pixels, where they were found: one and nought where there are none.
    pub brightness: Vec<[f64; 2]>,
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
    /// The array of lights, where they are of one.
    pub lights: Option<Lights>,
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
    ///
    /// # Panics
    /// Where one is not there.
    #[must_use]
    pub fn only(&self, which: &[usize]) -> Self {
        let lights = self.lights.as_ref().map(|Lights { array, pose, found, brightness }| Lights {
            array: LedArray { lights: which.iter().map(|index| array.lights[*index]).collect(), ..array.clone() },
            pose: *pose,
            found: *found,
            brightness: which.iter().filter_map(|index| brightness.get(*index).copied()).collect(),
        });
        Self {
            centres: which.iter().map(|index| self.centres[*index]).collect(),
            frames: Arc::new(Chosen { which: which.to_vec(), frames: self.frames.clone() }),
            lights,
            ..self.clone()
        }
    }

    /// Brightness of an exposure, and the intensity added to all its pixels.
    pub(crate) fn brightness(&self, index: usize) -> [f64; 2] {
        let known = self.lights.as_ref().and_then(|lights| lights.brightness.get(index));
        known.copied().unwrap_or([1.0, 0.0])
    }

    /// Tells the frames `which` from others, not from forged ones (Fowler, Noll and Vo).
    pub(crate) fn identity(&self, which: &[usize]) -> Result<u64> {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for index in which {
            for value in self.frames.frame(*index)? {
                hash = (hash ^ u64::from(value.to_bits())).wrapping_mul(0x0000_0100_0000_01b3);
            }
        }
        Ok(hash)
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
        if let Some(lights) = self.lights.as_ref().filter(|lights| lights.array.lights.len() != frames) {
            return Err(Error::Measurement {
                what: "number of lights".into(),
                got: lights.array.lights.len().to_string(),
                expected: format!("one for each of the {frames} frames"),
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
