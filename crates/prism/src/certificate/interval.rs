//! Intervals around each amplitude: what noise does to it, and what the exposures leave open.
//!
//! **Noise** moves what was measured: frames drawn anew around those that the object found says, and fitted as these were, differ from it as it differs
//! from the truth (B. Efron, R. J. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 6.5).
//!
//! **Frequencies that no exposure shows** are the prior's alone, and no noise tells of its errors. How far it goes astray is measured where it can be: it
//! has to foretell the outermost exposures from the others, and its errors at frequencies that the others do not show are taken for those at frequencies
//! that none shows: as dense, and at the same places. That the power of an object falls with the frequency is no reason for fewer errors there: what a
//! prior of edges cannot foretell is fine grain, whose power does not fall.
//!
//! The variance of an amplitude is the sum of both, and its interval the standard deviations of a normal distribution. No constant of it was fitted.

use cupel_data::Stream;
use num_complex::Complex;
use rand_distr::{Distribution, Poisson};
use rayon::prelude::*;
use std::sync::Arc;

use super::{refit::Refits, windows};
use crate::{Exposures, Geometry, InMemory, Noise, Plane, Result, Search, fourier, search::Found};

/// Share of the exposures that the others have to foretell.
const OUTER: f64 = 0.25;
/// Fewer exposures foretell none.
const FEWEST: usize = 8;
/// Places on each side over which variances are averaged: a handful of draws says little of one place.
const REACH: usize = 3;
/// Standard deviations that hold 90 % of a normal distribution.
const DEVIATIONS: f64 = 1.645;
/// Most bytes of frames that are drawn.
const MOST_BYTES: usize = 1 << 30;

/// Half widths over the field; `None` for stacks that are too large to be drawn.
pub(super) fn interval(search: &Search, refits: &Refits<'_>) -> Result<Option<Vec<f64>>> {
    let Refits { found, seed, .. } = *refits;
    let exposures = search.exposures();
    let detector = exposures.optics.detector;
    if exposures.centres.len().saturating_mul(4 * detector * detector) > MOST_BYTES.min(exposures.frames.memory()) {
        return Ok(None);
    }
    let object = &found.model.object;
    let (rows, columns) = (object.rows(), object.columns());
    let here = object.amplitude();
    let mut variance = vec![0.0; rows * columns];
    if exposures.noise != Noise::None {
        let draws = refits.draws();
        for draw in 0..draws {
            let drawn = drawn(search, found, Stream::new(seed, "frames drawn anew").child(draw))?;
            let other = refits.again(&drawn)?;
            for ((sum, other), here) in variance.iter_mut().zip(other.amplitude()).zip(&here) {
                *sum += (other - here).powi(2) / draws as f64;
            }
        }
    }
    if let Some(astray) = astray(exposures, refits)? {
        variance.iter_mut().zip(astray).for_each(|(sum, part)| *sum += part);
    }
    Ok(Some(averaged(search, &variance, columns).into_iter().map(|variance| DEVIATIONS * variance.sqrt()).collect()))
}

/// Frames as they might have been, around what the model says.
fn drawn(search: &Search, found: &Found, stream: Stream) -> Result<Exposures> {
    let exposures = search.exposures();
    let detector = exposures.optics.detector;
    let mut said: Vec<Vec<f64>> = Vec::new();
    // errors of amplitudes where the noise is not known
    let (mut squares, mut pixels) = (0.0, 0.0);
    search.all.each_frame(&found.model, |_, frame, measured| {
        for (said, measured) in frame.iter().zip(measured).filter(|(_, measured)| !measured.is_nan()) {
            squares += (measured.max(0.0).sqrt() - said.max(0.0).sqrt()).powi(2);
            pixels += 1.0;
        }
        // what does not count is not drawn
        let drawn = frame.iter().zip(measured).map(|(said, y)| if y.is_nan() { f64::INFINITY } else { *said });
        said.push(drawn.collect());
    })?;
    let deviation = (squares / pixels).sqrt();
    let noise = exposures.noise;
    let values: Vec<f32> = said
        .par_iter()
        .enumerate()
        .flat_map_iter(|(index, frame)| {
            let stream = stream.child(index as u64);
            let mut normal = vec![0.0; frame.len()];
            stream.child(0).fill_normal_f64(&mut normal);
            let mut rng = stream.child(1).rng();
            let draw = move |said: f64, normal: f64| match noise {
                _ if said == f64::INFINITY => said,
                Noise::Counts { photons, read } => {
                    let count = Poisson::new(said).map_or(0.0, |law| law.sample(&mut rng));
                    (count + read * normal) / photons
                }
                _ => (said.max(0.0).sqrt() + deviation * normal).powi(2),
            };
            let mut draw = draw;
            frame.iter().zip(normal).map(|(said, normal)| draw(*said, normal) as f32).collect::<Vec<_>>()
        })
        .collect();
    Ok(Exposures { frames: Arc::new(InMemory { pixels: detector * detector, values }), ..exposures.clone() })
}

/// Variance of the amplitudes by frequencies that no exposure shows.
fn astray(exposures: &Exposures, refits: &Refits<'_>) -> Result<Option<Vec<f64>>> {
    let count = exposures.centres.len();
    let (measured, _) = windows(exposures);
    let object = &refits.found.model.object;
    let unseen = measured.iter().filter(|light| **light == 0.0).count();
    if exposures.optics.geometry != Geometry::Spectrum || count < FEWEST || unseen == 0 {
        return Ok(None);
    }
    let mut order: Vec<usize> = (0..count).collect();
    let away = |index: &usize| exposures.centres[*index].iter().map(|c| c * c).sum::<f64>();
    order.sort_by(|a, b| away(a).total_cmp(&away(b)));
    let mut inner = order[..count - (OUTER * count as f64).ceil() as usize].to_vec();
    inner.sort_unstable();
    let of_inner =
        Exposures { centres: inner.iter().map(|index| exposures.centres[*index]).collect(), ..exposures.clone() };
    let (seen_by_inner, _) = windows(&of_inner);
    let without = fourier::spectrum(&refits.anew(exposures, &inner)?);
    let whole = fourier::spectrum(object);
    // how it went astray where that can be seen
    let mut foretold = 0;
    let mut part = vec![Complex::new(0.0, 0.0); measured.len()];
    for place in (0..measured.len()).filter(|place| measured[*place] > 0.0 && seen_by_inner[*place] == 0.0) {
        part[place] = without.values()[place] - whole.values()[place];
        foretold += 1;
    }
    if foretold == 0 {
        return Ok(None);
    }
    let part = fourier::object(&Plane::new(object.rows(), object.columns(), part)?);
    // half of a complex error lies along the amplitude
    let along = if exposures.known.real { 1.0 } else { 0.5 };
    let factor = along * unseen as f64 / f64::from(foretold);
    Ok(Some(part.values().iter().map(|value| factor * value.norm_sqr()).collect()))
}

/// Means over the neighbourhood of each place of the support; nought outside.
fn averaged(search: &Search, values: &[f64], columns: usize) -> Vec<f64> {
    let ([top, left], [high, wide]) = search.all.support();
    let mut out = vec![0.0; values.len()];
    for row in top..top + high {
        for column in left..left + wide {
            let down = row.saturating_sub(REACH).max(top)..(row + REACH + 1).min(top + high);
            let across = column.saturating_sub(REACH).max(left)..(column + REACH + 1).min(left + wide);
            let count = (down.len() * across.len()) as f64;
            let sum: f64 = down.flat_map(|row| across.clone().map(move |column| values[row * columns + column])).sum();
            out[row * columns + column] = sum / count;
        }
    }
    out
}
