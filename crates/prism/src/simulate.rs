//! [`observe`], [`observe_moving`] and [`observe_adaptively`]: what a telescope sees of an object that is known.

use std::sync::Arc;

use cupel_data::Stream;
use num_complex::Complex;
use rayon::prelude::*;

use crate::{
    Error, Exposures, InMemory, Knowledge, Noise, NoiseConfig, Optics, Plane, Propagator, Result, Telescope, fourier,
    sampling::{self, Line},
};

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
    exposed(object, telescope, centres, (telescope.optics(), means), noise, seed)
}

/// [`observe`] through an aperture that moves by `way` rows and columns during each exposure, its middle at the centre, which is a whole place. Each
/// frame is the mean over its way; the optics have a mode for each place of it, so that every solver knows of the motion.
///
/// # Errors
/// As [`observe`]; [`Error::Measurement`] for a centre between places; [`Error::Optics`] where the window of the whole way is larger than the detector.
pub fn observe_moving(
    object: &Plane,
    telescope: &Telescope,
    centres: &[[f64; 2]],
    way: [f64; 2],
    noise: &NoiseConfig,
    seed: u64,
) -> Result<Exposures> {
    check_object(object)?;
    if let Some(index) = centres.iter().position(|centre| centre.iter().any(|c| c.fract() != 0.0)) {
        return Err(Error::Measurement {
            what: format!("centre {index} of a line"),
            got: format!("{:?}", centres[index]),
            expected: "whole places: all exposures have the same modes".into(),
        });
    }
    let optics = sampling::moving(telescope, way)?;
    let lines: Vec<Line> = centres.iter().map(|centre| Line::around(*centre, way)).collect();
    let ends: Vec<[f64; 2]> = lines.iter().flat_map(|line| [line.from, line.to]).collect();
    check_centres(telescope, &ends)?;
    let spectrum = fourier::spectrum(&telescope.effective_object(object)?);
    let means = lines.iter().map(|line| line.intensities(&spectrum, telescope)).collect();
    exposed(object, telescope, centres, (optics, means), noise, seed)
}

/// [`observe`] where most is to be learnt: `samples` of the places `candidates`, each chosen by [`scan`](sampling::scan) from the frames before it, with
/// their noise. `photons` are those of the brightest pixel of the first frame, that of the first candidate.
///
/// # Errors
/// As [`observe`] and [`scan`](sampling::scan).
pub fn observe_adaptively(
    object: &Plane,
    telescope: &Telescope,
    candidates: &[[f64; 2]],
    samples: usize,
    noise: &NoiseConfig,
    seed: u64,
    device: &burn::tensor::Device,
) -> Result<Exposures> {
    let mut noise = *noise;
    let measure = |centres: &[[f64; 2]]| {
        let exposures = observe(object, telescope, centres, &noise, seed)?;
        // later frames, brighter ones too, are exposed as the first
        if let Noise::Counts { photons, .. } = exposures.noise {
            noise = NoiseConfig { photons: None, snr: Some(10.0 * photons.log10()), ..noise };
        }
        Ok(exposures)
    };
    sampling::scan(measure, telescope.aperture(), candidates, samples, seed, device)
}

/// Frames of these means, with their noise.
fn exposed(
    object: &Plane,
    telescope: &Telescope,
    centres: &[[f64; 2]],
    (optics, means): (Optics, Vec<Vec<f64>>),
    noise: &NoiseConfig,
    seed: u64,
) -> Result<Exposures> {
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
        optics,
        centres: centres.to_vec(),
        frames: Arc::new(InMemory { pixels: telescope.detector() * telescope.detector(), values: frames.concat() }),
        noise: model,
        good: None,
        known: knowledge(object, telescope)?,
        lights: None,
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
