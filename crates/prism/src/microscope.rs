//! [`Microscope`]: a coherent microscope whose illumination is tilted, as by an array of LEDs.
//!
//! A plane wave from the side moves the object's spectrum behind the objective's fixed pupil, which is a window of the spectrum at another
//! place: G. Zheng, R. Horstmeyer, C. Yang, Nature Photonics 7, 739 (2013), doi:10.1038/nphoton.2013.187. The pupil's radius is the coherent
//! cut-off `NA / lambda`; the index of refraction is in `NA` already.

use std::f64::consts::TAU;

use cupel_settings::{Range, Settings, settings};
use num_complex::Complex;
use serde::{Deserialize, Serialize};

use crate::{Aperture, Error, Geometry, Optics, Result, zernike::Aberration};

settings! {
    /// An objective, its camera and the light.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    pub struct MicroscopeConfig in "microscope" {
        /// Numerical aperture of the objective, the index of refraction included
        pub numerical_aperture: f64 = 0.1, in Range::above(0.0).below(2.0);
        /// Wavelength in vacuum, in metres
        pub wavelength: f64 = 532e-9, in Range::above(0.0), "M";
        /// Metres from one pixel of the camera to the next
        pub camera_pixel: f64 = 3.69e-6, in Range::above(0.0), "M";
        /// Magnification
        pub magnification: f64 = 2.0, in Range::above(0.0);
        /// Pixels along each side of a frame
        pub detector: usize = 128, in Range::at_least(2.0).at_most(32768.0), "D";
        /// Pixels along each side of the image to be made; as many times those of a frame as it is finer
        pub n_pixels: usize = 512, in Range::at_least(2.0).at_most(32768.0), "N";
        /// Metres that the object lies behind the focus
        pub defocus: f64 = 0.0, "M";
    }
    beside {
        /// Phases of the pupil, beside those of the defocus.
        pub aberration: Aberration = Aberration::default();
    }
}

/// A microscope whose settings were found possible.
#[derive(Clone, Debug, PartialEq)]
pub struct Microscope {
    config: MicroscopeConfig,
    aperture: Aperture,
}

impl Microscope {
    /// # Errors
    /// [`Error::Setting`] for settings that cannot be; [`Error::Optics`] where the camera is too coarse for the objective: its frequencies
    /// must hold the pupil. Those of the intensity, up to `2 NA / lambda`, may fold: the model folds as the camera does.
    pub fn new(config: MicroscopeConfig) -> Result<Self> {
        config.check()?;
        config.aberration.check()?;
        let radius = config.numerical_aperture / config.wavelength * config.detector as f64 * config.camera_pixel
            / config.magnification;
        if config.n_pixels < config.detector {
            return Err(Error::Optics {
                what: "n-pixels",
                got: config.n_pixels.to_string(),
                expected: format!("at least the {} pixels of a frame", config.detector),
            });
        }
        let window = 2 * radius.ceil() as usize + 1;
        if window > config.detector {
            let finest = config.wavelength / (2.0 * config.numerical_aperture);
            return Err(Error::Optics {
                what: "pixel of the object, camera-pixel / magnification",
                got: format!("{:.4e} m", config.camera_pixel / config.magnification),
                expected: format!(
                    "at most lambda / (4 NA) = {finest:.4e} m: an intensity has frequencies up to 2 NA / lambda"
                ),
            });
        }
        if radius < 1.0 {
            return Err(Error::Optics {
                what: "radius of the pupil, in places of the spectrum",
                got: format!("{radius:.3}"),
                expected: "at least 1: more pixels in a frame".into(),
            });
        }
        Ok(Self { config, aperture: Aperture::Circle { radius } })
    }

    /// The settings.
    pub fn config(&self) -> &MicroscopeConfig {
        &self.config
    }

    /// Periods a metre that the objective passes of an amplitude, `NA / lambda`.
    pub fn cutoff(&self) -> f64 {
        self.config.numerical_aperture / self.config.wavelength
    }

    /// The same in places of the spectrum: the radius of the pupil.
    pub fn pupil_radius(&self) -> f64 {
        self.aperture.radius()
    }

    /// Periods a metre of one place of the spectrum, `1 / (D dx)`: that of a frame and that of the image, whose fields are one.
    pub fn place_size(&self) -> f64 {
        self.config.magnification / (self.config.detector as f64 * self.config.camera_pixel)
    }

    /// Least distance of two points, `0.61 lambda / NA` (Rayleigh), in metres.
    pub fn rayleigh_limit(&self) -> f64 {
        0.61 / self.cutoff()
    }

    /// Least period, `lambda / (2 NA)` (Abbe, with light from all of the objective's angles), in metres.
    pub fn abbe_limit(&self) -> f64 {
        0.5 / self.cutoff()
    }

    /// Where the window of a wave lies whose direction has these sines times the index of refraction, row and column: `sin / lambda`, in
    /// places.
    ///
    /// # Errors
    /// [`Error::Measurement`] where the window reaches beyond the field.
    pub fn centre(&self, tilt: [f64; 2]) -> Result<[f64; 2]> {
        let centre = tilt.map(|sine| sine / (self.config.wavelength * self.place_size()));
        let reach = (self.config.n_pixels / 2) as f64 - self.pupil_radius();
        if centre.iter().all(|c| c.abs() <= reach) {
            return Ok(centre);
        }
        Err(Error::Measurement {
            what: format!("illumination from {tilt:?}"),
            got: format!("a window at {centre:?}"),
            expected: format!("rows and columns of at most {reach:.2} places: a larger n-pixels"),
        })
    }

    /// How frames come from the object.
    pub fn optics(&self) -> Optics {
        let mut pupil = self.aperture.mask([0.0; 2]);
        self.config.aberration.apply(&mut pupil, self.pupil_radius(), [0.0; 2]);
        // The phase of a wave on its way out of focus, less that along the axis: z (sqrt(1/lambda^2 - k^2) - 1/lambda).
        let (columns, middle) = (pupil.columns(), (pupil.rows() / 2) as f64);
        let (place, inverse) = (self.place_size(), 1.0 / self.config.wavelength);
        for (at, value) in pupil.values_mut().iter_mut().enumerate() {
            let (ky, kx) = (((at / columns) as f64 - middle) * place, ((at % columns) as f64 - middle) * place);
            let across = ky * ky + kx * kx;
            let along = (inverse * inverse - across).max(0.0).sqrt();
            *value *= Complex::cis(-TAU * self.config.defocus * across / (inverse + along));
        }
        Optics {
            geometry: Geometry::Spectrum,
            size: [self.config.n_pixels; 2],
            pupils: vec![pupil],
            detector: self.config.detector,
            pixel_size: Some(1.0 / (self.config.n_pixels as f64 * self.place_size())),
            wavelength: Some(self.config.wavelength),
        }
    }
}
