//! [`simulate_lights`]: frames of an array of lights that is not quite as it is said to be, with the truth.
//!
//! Each light cuts its window of the object's spectrum where it really stands, between two places too: the pupil is moved by what lies between, which
//! is exact for an object that goes on periodically. Sources as for [`LedArray`].

use std::sync::Arc;

use cupel_data::Stream;
use cupel_settings::{Problem, Range, Settings, settings};
use num_complex::Complex;
use serde::{Deserialize, Serialize};

use crate::{
    Exposures, Geometry, InMemory, Knowledge, LedArray, Lights, Noise, Optics, Plane, Pose, Result,
    calibration::{Forward, narrow},
    ptychography::scan_object,
    read::pupil,
    spectrum_of, spiral,
};

settings! {
    /// A simulated array of lights under a microscope.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct LightsSceneConfig in "lights-scene" {
        /// Number of lights, on a square spiral
        pub lights: usize = 121, in Range::at_least(1.0).at_most(1e5), "N";
        /// Pixels of the object along a side
        pub size: usize = 256, in Range::at_least(16.0).at_most(8192.0), "PIXELS";
        /// Pixels of a frame along a side
        pub detector: usize = 64, in Range::at_least(8.0).at_most(8192.0), "PIXELS";
        /// Numerical aperture
        pub na: f64 = 0.1, in Range::above(0.0).at_most(1.0), "NA";
        /// Millimetres from one light to the next
        pub pitch_mm: f64 = 4.0, in Range::above(0.0).at_most(1e3), "MM";
        /// Millimetres from the lights to the object
        pub distance_mm: f64 = 90.0, in Range::above(0.0).at_most(1e4), "MM";
        /// Degrees that the array is turned, and is not said to be
        pub rotation_deg: f64 = 0.0, in Range::at_least(-45.0).at_most(45.0), "DEG";
        /// Millimetres along x and y that it is moved, and is not said to be
        pub shift_mm: Vec<f64> = Vec::new(), in Range::at_least(-100.0).at_most(100.0), "X,Y";
        /// Millimetres that it is farther away than is said
        pub farther_mm: f64 = 0.0, in Range::at_least(-1e3).at_most(1e3), "MM";
        /// Micrometres that the object is out of focus, and is not said to be
        pub defocus_um: f64 = 0.0, in Range::at_least(-1e3).at_most(1e3), "UM";
        /// Standard deviation of the brightness of the lights, relative to their mean
        pub brightness_error: f64 = 0.0, in Range::at_least(0.0).at_most(1.0), "SHARE";
        /// Light on all pixels of all frames, as a share of the mean of the frame of the first light
        pub background: f64 = 0.0, in Range::at_least(0.0).at_most(1.0), "SHARE";
        /// Standard deviation of the errors of amplitudes, as a share of the root of that mean
        pub noise: f64 = 0.01, in Range::at_least(0.0).at_most(1.0), "SHARE";
    }
    needs {
        ["shift-mm"] |own| matches!(own.shift_mm.len(), 0 | 2) => "a shift is two numbers, along x and y";
    }
}

/// Simulated exposures, and what they are of.
#[derive(Clone, Debug)]
pub struct LightsScene {
    /// Frames, with the array and the pupil that are said of them.
    pub exposures: Exposures,
    /// The object.
    pub object: Plane,
    /// How the array lies.
    pub pose: Pose,
    /// Brightness and background of each exposure.
    pub brightness: Vec<[f64; 2]>,
}

/// Places around the pupil that its window has.
const MARGIN: usize = 2;
/// Metres.
const WAVELENGTH: f64 = 532e-9;
const PIXEL: f64 = 0.5e-6;

/// Simulates an array of lights: green ones, on an object of half a micrometre a pixel, through a slide of a millimetre.
///
/// # Errors
/// [`Error::Setting`](crate::Error::Setting) for settings out of range; [`Error::Optics`](crate::Error::Optics) for a pupil wider than the frames.
pub fn simulate_lights(config: &LightsSceneConfig, seed: u64) -> Result<LightsScene> {
    config.check()?;
    let (size, detector) = (config.size, config.detector);
    let object = scan_object([size, size], seed);
    let places = spiral(config.lights).into_iter();
    let array = LedArray {
        lights: places.map(|step| step.map(|step| 1e-3 * config.pitch_mm * f64::from(step))).collect(),
        distance: 1e-3 * config.distance_mm,
        glass_thickness: 1e-3,
        glass_index: 1.52,
        wavelength: WAVELENGTH,
        pixel_size: PIXEL,
        size,
        mirrored: true,
    };
    array.check()?;
    let shift = [0, 1].map(|axis| 1e-3 * config.shift_mm.get(axis).copied().unwrap_or(0.0));
    let pose = Pose { rotation: config.rotation_deg.to_radians(), shift, distance: 1e-3 * config.farther_mm };
    let width = size as f64 * PIXEL;
    let radius = config.na / WAVELENGTH * width;
    let window = 2 * (radius.ceil() as usize + MARGIN) + 1;
    let of = |by: [f64; 2], defocus_um: f64| pupil(window, radius, by, 1e-6 * defocus_um, WAVELENGTH, width);
    let optics = Optics {
        geometry: Geometry::Spectrum,
        size: [size, size],
        pupils: vec![of([0.0; 2], 0.0)],
        detector,
        pixel_size: Some(PIXEL),
        wavelength: Some(WAVELENGTH),
    };
    optics.check()?;
    let centres = array.centres(pose);
    let most = (size - window) as f64 / 2.0;
    if let Some(far) = centres.iter().flatten().find(|c| c.abs() > most) {
        let expected = format!(
            "lights that show frequencies within {most} places, and not {far:.1}: fewer lights, or a larger object"
        );
        return Err(Problem::value("lights", config.lights, expected).into());
    }

    let mut forward = Forward::new(&optics)?;
    forward.values = narrow(&spectrum_of(&object)?);
    let pixels = detector * detector;
    let mut values: Vec<f32> = Vec::with_capacity(config.lights * pixels);
    for centre in &centres {
        let whole = centre.map(f64::round);
        forward.window = narrow(&of([centre[0] - whole[0], centre[1] - whole[1]], config.defocus_um));
        forward.look(whole);
        values.extend(forward.field.iter().map(Complex::norm_sqr));
    }
    let mean = values.iter().take(pixels).sum::<f32>() / pixels as f32;
    let mut normal = vec![0.0; config.lights];
    Stream::new(seed, "brightness of lights").fill_normal_f64(&mut normal);
    let background = config.background * f64::from(mean);
    let brightness: Vec<[f64; 2]> =
        normal.iter().map(|normal| [(config.brightness_error * normal).exp(), background]).collect();
    let mut noise = vec![0.0; values.len()];
    Stream::new(seed, "noise of lights").fill_normal(&mut noise);
    let deviation = config.noise as f32 * mean.sqrt();
    for (place, (value, noise)) in values.iter_mut().zip(&noise).enumerate() {
        let [flux, background] = brightness[place / pixels].map(|own| own as f32);
        *value = ((flux * *value + background).sqrt() + deviation * noise).max(0.0).powi(2);
    }
    let exposures = Exposures {
        centres: array.centres(Pose::default()),
        optics,
        frames: Arc::new(InMemory { pixels, values }),
        noise: Noise::Unknown,
        good: None,
        known: Knowledge::default(),
        lights: Some(Lights { array, pose: Pose::default(), found: None, brightness: Vec::new() }),
    };
    exposures.check()?;
    Ok(LightsScene { exposures, object, pose, brightness })
}
