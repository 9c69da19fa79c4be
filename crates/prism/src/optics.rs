//! [`Optics`]: how exposures come from an object.

use crate::{Error, Plane, Result};

/// What the windows are cut from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Geometry {
    /// The object's spectrum: frames are images (an array of apertures, of LEDs). The transform is orthonormal, the frequency nought lies
    /// at place `N / 2`.
    Spectrum,
    /// The object: frames are diffraction patterns behind a probe, their frequency nought at place `D / 2`.
    Object,
}

/// How exposures come from an object: windows of a plane, each times the pupil, transformed, seen as intensity.
///
/// With [`Geometry::Spectrum`] of an object `a` in a field of `N x N`, and a detector of `D` pixels,
/// ```text
/// z_i = (D / N) IFFT_D( P(u) S(c_i + u) ),   S = FFT_N(a),   both orthonormal,   I_i = sum over modes |z_i|^2
/// ```
/// so that a detector of `D = N` shows the object's own values; with [`Geometry::Object`] `z_i = FFT_D( P(u) a(c_i + u) )`, orthonormal.
/// Sources: Zheng, Horstmeyer, Yang, Nature Photonics 7, 739 (2013); Rodenburg and Faulkner, Appl. Phys. Lett. 85, 4795 (2004).
#[derive(Clone, Debug, PartialEq)]
pub struct Optics {
    /// What the windows are cut from.
    pub geometry: Geometry,
    /// Rows and columns of the plane that they are cut from, that of the object's field.
    pub size: [usize; 2],
    /// The pupil or the probe, one plane for each mode, all of one shape, that of the windows.
    pub pupils: Vec<Plane>,
    /// Rows, and columns, of a frame; at least those of a window.
    pub detector: usize,
    /// Metres from one pixel of the object to the next, where known.
    pub pixel_size: Option<f64>,
    /// Metres, where known.
    pub wavelength: Option<f64>,
}

impl Optics {
    /// # Errors
    /// [`Error::Optics`] for what cannot make an image.
    pub fn check(&self) -> Result<()> {
        let Some(first) = self.pupils.first() else {
            return Err(wrong("modes of the pupil", 0, "at least one"));
        };
        let window = [first.rows(), first.columns()];
        if self.pupils.iter().any(|pupil| [pupil.rows(), pupil.columns()] != window) {
            return Err(wrong("modes of the pupil", "different shapes", "one shape"));
        }
        for axis in 0..2 {
            if window[axis] == 0 || window[axis] > self.size[axis].min(self.detector) {
                let expected =
                    format!("at most the field's {:?} and the detector's {}, and not empty", self.size, self.detector);
                return Err(wrong("window", format!("{window:?}"), expected));
            }
        }
        if self.pupils.iter().all(|pupil| pupil.values().iter().all(|value| value.norm_sqr() == 0.0)) {
            return Err(wrong("pupil", "nought everywhere", "a pupil that lets light pass"));
        }
        Ok(())
    }

    /// Rows and columns of a window.
    pub fn window(&self) -> [usize; 2] {
        self.pupils.first().map_or([0, 0], |pupil| [pupil.rows(), pupil.columns()])
    }
}

fn wrong(what: &'static str, got: impl ToString, expected: impl Into<String>) -> Error {
    Error::Optics { what, got: got.to_string(), expected: expected.into() }
}
