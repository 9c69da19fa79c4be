//! [`observe`]: what a telescope sees of an object that is known.

use std::sync::Arc;

use cupel_data::Stream;
use num_complex::Complex;
use rayon::prelude::*;

use crate::{Error, Exposures, InMemory, Knowledge, Noise, NoiseConfig, Plane, Propagator, Result, Telescope, fourier};

/// Frames of an object through apertures at `centres`, in the object's units of intensity; with noise, `photons` are those of the brightest
/// pixel of all frames.
///
/// Settings of `noise` without photons and decibels leave the telescope's own `snr`, if it has one. What is known of the object is its
/// size; that it is real, where it is and arrives as its plain spectrum; and that a real one of 0 to 1 stays there, as what a passive
/// object reflects does.
///
/// Exposure `i` has the stream `(seed, "exposure")`, child `i`: the order of work changes nothing.
///
/// # Errors
/// [`Error::Optics`] for an object larger than the field or too near, [`Error::Measurement`] for centres outside the field,
/// [`Error::Setting`] for noise that cannot be.
pub fn observe(
    object: &Plane,
    telescope: &Telescope,
    centres: &[[f64; 2]],
    noise: &NoiseConfig,
    seed: u64,
) -> Result<Exposures> {
    check_object(object)?;
    check_centres(telescope, centres)?;
    let spectrum = fourier::spectrum(&telescope.effective_object(object)?);
    let means: Vec<Vec<f64>> = telescope.images(&spectrum, centres).map(|image| intensities(&image)).collect();
    let noise = match (noise.photons, noise.snr) {
        (None, None) => NoiseConfig { snr: telescope.config().snr, ..*noise },
        _ => *noise,
    };
    let brightest = means.iter().flatten().copied().fold(0.0, f64::max);
    let model = noise.of_brightest(brightest)?;
    let stream = Stream::new(seed, "exposure");
    let frames: Vec<Vec<f32>> = means
        .par_iter()
        .enumerate()
        .map(|(index, means)| match model {
            Noise::Counts { photons, .. } => noise.expose(means, photons, stream.child(index as u64)),
            _ => means.iter().map(|mean| *mean as f32).collect(),
        })
        .collect();
    let exposures = Exposures {
        optics: telescope.optics(),
        centres: centres.to_vec(),
        frames: Arc::new(InMemory { pixels: telescope.detector() * telescope.detector(), values: frames.concat() }),
        noise: model,
        good: None,
        known: knowledge(object, telescope)?,
    };
    exposures.check()?;
    Ok(exposures)
}

/// # Errors
/// [`Error::Measurement`] where a value is not finite.
pub(crate) fn check_object(object: &Plane) -> Result<()> {
    let Some(place) = object.values().iter().position(|value| !(value.re.is_finite() && value.im.is_finite())) else {
        return Ok(());
    };
    Err(Error::Measurement {
        what: format!("object at row {}, column {}", place / object.columns(), place % object.columns()),
        got: object.values()[place].to_string(),
        expected: "finite numbers".into(),
    })
}

/// # Errors
/// [`Error::Measurement`] for the first centre from which the aperture reaches beyond the field.
pub(crate) fn check_centres(telescope: &Telescope, centres: &[[f64; 2]]) -> Result<()> {
    let n = telescope.config().n_pixels;
    let reach = (n / 2) as f64 - telescope.aperture().radius();
    // Of an even number of places the last lies one before N / 2: a window that holds the edge's other side is the periodic one.
    let outside = |centre: &[f64; 2]| centre.iter().any(|c| !(0.0..=reach.max(0.0)).contains(&c.abs()));
    match centres.iter().position(outside) {
        None if !centres.is_empty() => Ok(()),
        None => Err(Error::Measurement { what: "centres".into(), got: "none".into(), expected: "at least one".into() }),
        Some(index) => Err(Error::Measurement {
            what: format!("centre {index}"),
            got: format!("{:?}", centres[index]),
            expected: format!(
                "rows and columns of at most {reach} from the middle, in places of the spectrum of {n} x {n}"
            ),
        }),
    }
}

pub(crate) fn intensities(image: &[Complex<f64>]) -> Vec<f64> {
    image.iter().map(Complex::norm_sqr).collect()
}

fn knowledge(object: &Plane, telescope: &Telescope) -> Result<Knowledge> {
    let size = [object.rows(), object.columns()];
    let plain = telescope.propagator(size[0].max(size[1]))? == Propagator::Fraunhofer;
    let real = plain && object.values().iter().all(|value| value.im == 0.0);
    let passive = object.values().iter().all(|value| (0.0..=1.0).contains(&value.re));
    Ok(Knowledge { support: Some(size), real, bounds: (real && passive).then_some([0.0, 1.0]) })
}
