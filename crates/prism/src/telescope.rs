//! [`Telescope`]: coherent light from a distant object, seen through a small aperture that is moved.
//!
//! The object's light arrives at the plane of the apertures as its spectrum where the object is far (Fraunhofer), and as the spectrum of
//! the object times a curved phase where it is nearer (Fresnel). An aperture lets a window of it pass, a lens behind it makes an image. J.
//! Holloway, M. S. Asif, M. K. Sharma, N. Matsuda, R. Horstmeyer, O. Cossairt, A. Veeraraghavan, "Toward long-distance subdiffraction imaging using
//! coherent camera arrays", IEEE Transactions on Computational Imaging 2, 251 (2016), doi:10.1109/TCI.2016.2557067.
//!
//! The object must be lit coherently, as by a laser: a scene that shines by itself looks alike through an aperture wherever it is, which
//! [`Incoherent`](crate::Incoherent) describes.

use cupel_settings::{Range, Settings, choices, settings};
use num_complex::Complex;
use serde::{Deserialize, Serialize};

use crate::{
    Aperture, Error, Geometry, Optics, Plane, Propagator, Result,
    fourier::{self, Plans},
    propagation,
    zernike::Aberration,
};

/// Sides of a field; larger ones are mistakes, and a spectrum of this size is 16 GiB.
const LARGEST_FIELD: f64 = 32768.0;
/// Share by which two statements of one length may differ.
const ALIKE: f64 = 0.01;

choices! {
    /// The shape of an aperture.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum ApertureType {
        /// A disc
        Circular = "circular" | "circle",
        /// A regular hexagon
        Hexagonal = "hexagonal" | "hexagon",
        /// A disc with the shadow of a secondary mirror
        Obscured = "obscured",
    }
}

choices! {
    /// How light gets from the object to the apertures.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum Propagation {
        /// By the Fresnel number and the sampling, where a distance is given; else as fraunhofer
        Auto = "auto",
        /// As the object's spectrum
        Fraunhofer = "fraunhofer",
        /// As the spectrum of the object times a curved phase
        Fresnel = "fresnel",
        /// Plane wave by plane wave, near the object
        AngularSpectrum = "angular-spectrum" | "asm",
    }
}

settings! {
    /// A telescope: its field, its aperture and its light.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    pub struct TelescopeConfig in "telescope" {
        /// Pixels along each side of the field
        pub n_pixels: usize = 1024, in Range::at_least(2.0).at_most(LARGEST_FIELD), "N";
        /// Radius of the aperture, in places of the spectrum (of the field near an object)
        pub aperture_radius_pixels: f64 as "aperture-radius" = 10.0, in Range::above(0.0).at_most(LARGEST_FIELD), "R";
        /// Wavelength in metres
        pub wavelength: f64 = 550e-9, in Range::above(0.0), "M";
        /// Metres from one pixel of the detector to the next; of the object, unless distance and focal length are given
        pub pixel_size: f64 = 6.5e-6, in Range::above(0.0), "M";
        /// Diameter of the aperture in metres
        pub aperture_diameter: Option<f64> = None, in Range::above(0.0), "M";
        /// Focal length in metres
        pub focal_length: Option<f64> = None, in Range::above(0.0), "M";
        /// Metres from the object to the apertures
        pub distance: Option<f64> = None, in Range::above(0.0), "M";
        /// Shape of the aperture
        pub aperture_type: ApertureType = ApertureType::Circular;
        /// Radius of the shadow in the middle, as a share of the aperture's
        pub obscuration: f64 = 0.25, in Range::at_least(0.0).below(1.0);
        /// Vanes that hold the secondary mirror
        pub spiders: usize = 0, in Range::at_least(0.0).at_most(64.0), "N";
        /// Width of a vane, as a share of the aperture's radius
        pub spider_width: f64 = 0.02, in Range::at_least(0.0).below(2.0);
        /// How light gets to the apertures
        pub propagation: Propagation = Propagation::Auto;
        /// Pixels along each side of a frame; of commands the whole field, else the least power of two that loses nothing, unless given
        pub detector: Option<usize> = None, in Range::at_least(1.0).at_most(LARGEST_FIELD), "D";
    }
    beside {
        /// Noise in decibels: photons of one unit of intensity are `10^(snr / 10)`; a scan's own noise settings win.
        pub snr: Option<f64> = None;
        /// Phases of the pupil.
        pub aberration: Aberration = Aberration::default();
    }
    needs {
        ["obscuration", "spiders", "spider-width"] |own| own.aperture_type == ApertureType::Obscured
            => "only an obscured aperture has shadows";
    }
}

/// A telescope whose settings were found possible.
#[derive(Clone, Debug, PartialEq)]
pub struct Telescope {
    config: TelescopeConfig,
    aperture: Aperture,
    detector: usize,
}

impl Telescope {
    /// # Errors
    /// [`Error::Setting`] for settings that cannot be or have no effect; [`Error::Optics`] where they contradict one another, where the aperture
    /// is larger than the field, and where the detector cannot hold what the aperture passes.
    pub fn new(config: TelescopeConfig) -> Result<Self> {
        config.check()?;
        let radius = config.aperture_radius_pixels;
        let aperture = match config.aperture_type {
            ApertureType::Circular => Aperture::Circle { radius },
            ApertureType::Hexagonal => Aperture::Hexagon { side: radius },
            ApertureType::Obscured => Aperture::Obscured {
                radius,
                inner: config.obscuration * radius,
                spiders: config.spiders,
                spider_width: config.spider_width * radius,
            },
        };
        aperture.check()?;
        config.aberration.check()?;
        let (window, n) = (aperture.window(), config.n_pixels);
        if window > n {
            return Err(Error::Optics {
                what: "aperture-radius",
                got: format!("{radius}, a window of {window} places"),
                expected: format!("at most {}, for a window within the field of {n}", (n - 1) / 2),
            });
        }
        // All of the intensity behind a window of W is in 2 W - 1 frequencies.
        let least = (2 * window - 1).min(n);
        let detector = config.detector.unwrap_or_else(|| least.next_power_of_two().min(n));
        if detector < least || detector > n {
            return Err(Error::Optics {
                what: "detector",
                got: detector.to_string(),
                expected: format!("{least} to {n} pixels: 2 W - 1 for a window of W = {window}, or the whole field"),
            });
        }
        let telescope = Self { config, aperture, detector };
        telescope.check_lengths()?;
        Ok(telescope)
    }

    /// The settings.
    pub fn config(&self) -> &TelescopeConfig {
        &self.config
    }

    /// The opening.
    pub fn aperture(&self) -> &Aperture {
        &self.aperture
    }

    /// Rows, and columns, of a frame.
    pub fn detector(&self) -> usize {
        self.detector
    }

    /// Metres from one pixel of the object to the next: those of the detector times distance over focal length where both are known.
    pub fn object_pixel_size(&self) -> f64 {
        let scale =
            self.config.distance.zip(self.config.focal_length).map_or(1.0, |(distance, focal)| distance / focal);
        self.config.pixel_size * scale
    }

    /// Diameter of the aperture in metres: as given; as far as the distance says how large a place of the spectrum is; else that of the
    /// aperture's pixels on the detector.
    pub fn diameter(&self) -> f64 {
        let radius = self.config.aperture_radius_pixels;
        self.config
            .aperture_diameter
            .unwrap_or_else(|| 2.0 * radius * self.place_size().unwrap_or(self.config.pixel_size))
    }

    /// The least angle that the aperture alone resolves, `1.22 lambda / D`, in radians (Rayleigh).
    pub fn rayleigh_limit(&self) -> f64 {
        1.22 * self.config.wavelength / self.diameter()
    }

    /// Intensity of the image of a point, `[row, column]`, brightest pixel one, in the middle of the field; `|FFT(pupil)|^2`.
    pub fn psf(&self) -> Result<Plane> {
        let n = self.config.n_pixels;
        let field = fourier::centred(&self.pupil([0.0; 2]).padded(n, n)?, true);
        let brightest = field.values().iter().map(Complex::norm_sqr).fold(0.0, f64::max);
        Ok(Plane::from_fn(n, n, |row, column| (field.values()[row * n + column].norm_sqr() / brightest).into()))
    }

    /// The pupil in the window around the place nearest to an aperture's centre, `offset` from it.
    pub fn pupil(&self, offset: [f64; 2]) -> Plane {
        let mut pupil = self.aperture.mask(offset);
        self.config.aberration.apply(&mut pupil, self.aperture.radius(), offset);
        pupil
    }

    /// `w^2 / (lambda z)` for an object of so many pixels, `w` its half width; nought without a distance.
    pub fn fresnel_number(&self, object_pixels: usize) -> f64 {
        self.config.distance.map_or(0.0, |distance| {
            propagation::fresnel_number(
                object_pixels as f64 * self.object_pixel_size() / 2.0,
                self.config.wavelength,
                distance,
            )
        })
    }

    /// How light of an object of so many pixels gets to the apertures.
    ///
    /// # Errors
    /// [`Error::Optics`] for a propagation without a distance.
    pub fn propagator(&self, object_pixels: usize) -> Result<Propagator> {
        let TelescopeConfig { n_pixels, wavelength, .. } = self.config;
        let dx = self.object_pixel_size();
        match (self.config.propagation, self.config.distance) {
            (Propagation::Fraunhofer, _) | (Propagation::Auto, None) => Ok(Propagator::Fraunhofer),
            (Propagation::Auto, Some(distance)) => {
                Ok(Propagator::choose(n_pixels, dx, object_pixels as f64 * dx / 2.0, wavelength, distance))
            }
            (Propagation::Fresnel, Some(distance)) => Ok(Propagator::Fresnel { dx, wavelength, distance }),
            (Propagation::AngularSpectrum, Some(distance)) => {
                Ok(Propagator::AngularSpectrum { dx, wavelength, distance })
            }
            (kind, None) => Err(Error::Optics {
                what: "distance",
                got: "none".into(),
                expected: format!("metres to the object, which the propagation {kind} needs"),
            }),
        }
    }

    /// What an image of the object is made of: the object's field times the curved phase of its distance. As wide as the field; its spectrum
    /// is the light at the apertures, up to a phase that the lens behind an aperture takes away.
    ///
    /// # Errors
    /// [`Error::Optics`] for an object larger than the field, and for one that is so near that no spectrum arrives.
    pub fn effective_object(&self, object: &Plane) -> Result<Plane> {
        let n = self.config.n_pixels;
        let padded = object.padded(n, n)?;
        match self.propagator(object.rows().max(object.columns()))? {
            Propagator::Fraunhofer => Ok(padded),
            Propagator::Fresnel { dx, wavelength, distance } => {
                Ok(propagation::curved(&padded, dx, wavelength, distance, 1.0))
            }
            near @ Propagator::AngularSpectrum { .. } => Err(Error::Optics {
                what: "propagation",
                got: format!("{near:?}"),
                expected: "fraunhofer or fresnel: this near to the object an aperture cuts no window of a spectrum. Simulate it by \
                           MeasurementSystem, or give a longer distance"
                    .into(),
            }),
        }
    }

    /// How exposures come from the [`effective_object`](Self::effective_object).
    pub fn optics(&self) -> Optics {
        Optics {
            geometry: Geometry::Spectrum,
            size: [self.config.n_pixels; 2],
            pupils: vec![self.pupil([0.0; 2])],
            detector: self.detector,
            pixel_size: Some(self.object_pixel_size()),
            wavelength: Some(self.config.wavelength),
        }
    }

    /// Complex images of a spectrum through the aperture at each centre, `detector x detector` pixels each, row by row.
    ///
    /// `spectrum` has the frequency nought at place `N / 2`, as [`Optics`] says.
    pub(crate) fn images<'a>(
        &'a self,
        spectrum: &'a Plane,
        centres: &'a [[f64; 2]],
    ) -> impl rayon::iter::IndexedParallelIterator<Item = Vec<Complex<f64>>> + 'a {
        use rayon::prelude::*;
        let plans = Plans::new(self.detector, self.detector, true);
        let whole = self.pupil([0.0; 2]);
        centres.par_iter().map(move |centre| {
            let (place, offset) = crate::aperture::split(*centre);
            let moved;
            let pupil = if offset == [0.0; 2] {
                &whole
            } else {
                moved = self.pupil(offset);
                &moved
            };
            let mut image = window(spectrum, pupil, place, self.detector);
            plans.apply(&mut image);
            let scale = self.detector as f64 / spectrum.rows() as f64;
            image.iter_mut().for_each(|value| *value *= scale);
            image
        })
    }

    /// Metres of a place of the spectrum in the plane of the apertures, `lambda z / (N dx)`, where the distance is known.
    fn place_size(&self) -> Option<f64> {
        let TelescopeConfig { n_pixels, wavelength, distance, .. } = self.config;
        distance.map(|distance| wavelength * distance / (n_pixels as f64 * self.object_pixel_size()))
    }

    fn check_lengths(&self) -> Result<()> {
        let radius = self.config.aperture_radius_pixels;
        if let (Some(diameter), Some(place)) = (self.config.aperture_diameter, self.place_size()) {
            let said = diameter / (2.0 * place);
            if (said / radius - 1.0).abs() > ALIKE {
                return Err(Error::Optics {
                    what: "aperture-radius",
                    got: radius.to_string(),
                    expected: format!(
                        "{said:.4}, the radius of {diameter} m at places of {place:.4e} m (wavelength x distance / field); or no \
                         aperture-diameter"
                    ),
                });
            }
        }
        Ok(())
    }
}

/// A window of the spectrum times the pupil, its middle brought to the first place of a field of `detector x detector`.
fn window(spectrum: &Plane, pupil: &Plane, place: [isize; 2], detector: usize) -> Vec<Complex<f64>> {
    let (rows, columns) = (spectrum.rows() as isize, spectrum.columns() as isize);
    let middle = [pupil.rows() as isize / 2, pupil.columns() as isize / 2];
    let mut field = vec![Complex::default(); detector * detector];
    for (at, passes) in pupil.values().iter().enumerate() {
        if passes.re == 0.0 && passes.im == 0.0 {
            continue;
        }
        let row = (at / pupil.columns()) as isize - middle[0];
        let column = (at % pupil.columns()) as isize - middle[1];
        let from =
            ((rows / 2 + place[0] + row).rem_euclid(rows), (columns / 2 + place[1] + column).rem_euclid(columns));
        let to = (row.rem_euclid(detector as isize), column.rem_euclid(detector as isize));
        field[to.0 as usize * detector + to.1 as usize] +=
            spectrum.values()[(from.0 * columns + from.1) as usize] * passes;
    }
    field
}
