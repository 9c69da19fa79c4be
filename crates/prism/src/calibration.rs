//! Instruments that are not quite as they were said to be: what is wrong with them is found with the object.
//!
//! Of arrays of lights (`lights`) that is how the array lies, the pupil, the brightness of each light and the background; of scans of a probe
//! (`scan`) the positions and the aberrations of the probe. What of it is looked for is decided by exposures that are held out
//! ([`Tiers`](crate::Tiers)).

mod bright_field;
mod brightness;
mod forward;
pub(crate) mod light_sweeps;
mod lights;
mod pose;
mod scan;

pub use lights::{LightsConfig, Sought, calibrate_lights};
pub use scan::{ScanFree, calibrate_scan, locate};

use num_complex::Complex;

use crate::{
    Error, Exposures, Geometry, InMemory, Plane, Pose, Result,
    host_fft::{SquareFft, to_corner, to_middle},
};
pub(crate) use bright_field::{bright_pose, left_by_bright_pose};
use forward::amplitudes;
pub(crate) use forward::{Forward, narrow};

/// What calibration found.
#[derive(Clone, Debug)]
pub struct Calibrated {
    /// The plane that windows are cut from: the spectrum of the object behind lights, the object itself under a probe.
    pub plane: Plane,
    /// The pupil or the probe.
    pub window: Plane,
    /// Positions of all exposures, used or not.
    pub centres: Vec<[f64; 2]>,
    /// How the array of lights lies.
    pub pose: Option<Pose>,
    /// Brightness and background of each exposure; one and nought where there are none.
    pub brightness: Vec<[f64; 2]>,
    /// Misfit in each step, while it ran.
    pub curve: Vec<f64>,
}

impl Calibrated {
    /// A model that is known.
    pub fn known(plane: Plane, window: Plane, centres: Vec<[f64; 2]>) -> Self {
        Self { plane, window, centres, pose: None, brightness: Vec::new(), curve: Vec::new() }
    }

    /// The object: the plane itself, or what the spectrum is of.
    ///
    /// # Errors
    /// [`Error::Optics`] for a spectrum that is not square.
    pub fn object(&self, geometry: Geometry) -> Result<Plane> {
        if geometry == Geometry::Object {
            return Ok(self.plane.clone());
        }
        let side = square(&self.plane)?;
        let mut values = to_corner(self.plane.values(), side);
        let fft = SquareFft::new(side);
        fft.inverse(&mut values, &mut fft.work());
        Plane::new(side, side, values)
    }

    fn centre(&self, frame: usize) -> Result<[f64; 2]> {
        self.centres.get(frame).copied().ok_or_else(|| Error::Measurement {
            what: "exposure".into(),
            got: frame.to_string(),
            expected: format!("one of the {} positions of the model", self.centres.len()),
        })
    }

    fn brightness(&self, frame: usize) -> [f64; 2] {
        self.brightness.get(frame).copied().unwrap_or([1.0, 0.0])
    }
}

/// How much of the amplitudes of some exposures a model leaves: the sum of differences over the sum of amplitudes.
///
/// # Errors
/// Frames that cannot be read, planes that do not fit.
pub fn r_factor(exposures: &Exposures, which: &[usize], model: &Calibrated) -> Result<f64> {
    let mut forward = Forward::of(&exposures.optics, model)?;
    let (mut left, mut all) = (0.0, 0.0);
    for &frame in which {
        let wanted = amplitudes(exposures, frame)?;
        forward.look(model.centre(frame)?);
        let (own, sum) = brightness::misfit(&forward.field, &wanted, model.brightness(frame), |_| true);
        left += own;
        all += sum;
    }
    Ok(if all > 0.0 { left / all } else { f64::NAN })
}

/// The intensities that a model gives, for simulations.
///
/// # Errors
/// Planes that do not fit.
pub fn predicted(exposures: &Exposures, model: &Calibrated) -> Result<InMemory> {
    let optics = &exposures.optics;
    let pixels = optics.detector * optics.detector;
    let mut forward = Forward::of(optics, model)?;
    let mut values = Vec::with_capacity(pixels * model.centres.len());
    for (frame, centre) in model.centres.iter().enumerate() {
        forward.look(*centre);
        let [flux, background] = model.brightness(frame).map(|value| value as f32);
        let intensity: Vec<f32> = forward.field.iter().map(|value| flux * value.norm_sqr() + background).collect();
        values.extend(match optics.geometry {
            Geometry::Spectrum => intensity,
            Geometry::Object => to_middle(&intensity, optics.detector),
        });
    }
    Ok(InMemory { pixels, values })
}

/// Fourier transform of an object, its frequency nought in the middle: the plane that lights see.
///
/// # Errors
/// [`Error::Optics`] for an object that is not square.
pub fn spectrum_of(object: &Plane) -> Result<Plane> {
    let side = square(object)?;
    let fft = SquareFft::new(side);
    let mut values: Vec<Complex<f64>> = object.values().to_vec();
    fft.forward(&mut values, &mut fft.work());
    Plane::new(side, side, to_middle(&values, side))
}

fn square(plane: &Plane) -> Result<usize> {
    if plane.rows() == plane.columns() {
        return Ok(plane.rows());
    }
    Err(Error::Optics {
        what: "spectrum",
        got: format!("{} x {}", plane.rows(), plane.columns()),
        expected: "as many rows as columns".into(),
    })
}
