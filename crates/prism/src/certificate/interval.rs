//! Intervals around each amplitude: what noise does to it, and what the exposures leave open.
//!
//! **Noise** moves what was measured: frames drawn anew around those that the object found says, and fitted as these were, differ from it as it differs
//! from the truth (B. Efron, R. J. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 6.5).
//!
//! **Frequencies that no exposure shows** are the prior's alone, and no noise tells of its errors. How far it goes astray is measured where it can be: it
//! has to foretell the outermost exposures from the others, and its errors at frequencies that the others do not show are taken for those at frequencies
//! that none shows: as dense, and where the object without these exposures differs. That the power of an object falls with the frequency is no reason
//! for fewer errors there: what a prior of edges cannot foretell is fine grain, whose power does not fall.
//!
//! Errors crowd at edges, so that their standard deviation says little of most places: the interval is the size that 90 % of the errors around a place
//! stay below. No constant of it was fitted.

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
/// Places on each side whose errors count: a handful of draws says little of one place.
const REACH: usize = 3;
/// The share of the errors that an interval holds.
const HELD: f64 = 0.9;
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
    let mut draws = Vec::new();
    if exposures.noise != Noise::None {
        for draw in 0..refits.draws() {
            draws.push(refits.again(&drawn(search, found, Stream::new(seed, "frames drawn anew").child(draw))?)?);
        }
    }
    let here = object.amplitude();
    let error = |other: &Plane| -> Vec<f64> { other.amplitude().iter().zip(&here).map(|(o, h)| o - h).collect() };
    let mut errors: Vec<Vec<f64>> = draws.iter().map(error).collect();
    if let Some(astray) = astray(exposures, refits, &draws)? {
        // of either sign, beside the errors by noise
        let noise = if errors.is_empty() { vec![vec![0.0; here.len()]] } else { errors };
        let with = |sign: f64, noise: &[f64]| noise.iter().zip(&astray).map(|(n, a)| n + sign * a).collect();
        errors = noise.iter().flat_map(|noise| [with(1.0, noise), with(-1.0, noise)]).collect();
    }
    Ok(Some(held(search, &errors, [object.rows(), object.columns()])))
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

/// Errors of the amplitudes by frequencies that no exposure shows, of unknown sign.
fn astray(exposures: &Exposures, refits: &Refits<'_>, draws: &[Plane]) -> Result<Option<Vec<f64>>> {
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
    let foretold: Vec<usize> =
        (0..measured.len()).filter(|place| measured[*place] > 0.0 && seen_by_inner[*place] == 0.0).collect();
    if foretold.is_empty() {
        return Ok(None);
    }
    let without = refits.explaining(exposures, &inner)?;
    let whole = fourier::spectrum(object);
    let power = |other: &Plane| -> f64 {
        let other = fourier::spectrum(other);
        // no exposure shows the phase that the whole of a complex object has
        let product: Complex<f64> = whole.values().iter().zip(other.values()).map(|(w, o)| w * o.conj()).sum();
        let phase = if product.norm() > 0.0 { product / product.norm() } else { Complex::new(1.0, 0.0) };
        foretold.iter().map(|place| (phase * other.values()[*place] - whole.values()[*place]).norm_sqr()).sum()
    };
    // what was foretold is compared with what was found, which noise moves too
    let noise = draws.iter().map(power).sum::<f64>() / draws.len().max(1) as f64;
    // half of a complex error lies along the amplitude
    let along = if exposures.known.real { 1.0 } else { 0.5 };
    let power = along * (power(&without) + noise) * unseen as f64 / foretold.len() as f64;
    let apart: Vec<f64> =
        without.amplitude().iter().zip(object.amplitude()).map(|(other, here)| other - here).collect();
    let all: f64 = apart.iter().map(|value| value * value).sum();
    let factor = (power / all.max(f64::MIN_POSITIVE)).sqrt();
    Ok(Some(apart.into_iter().map(|value| factor * value).collect()))
}

/// The size that a share of [`HELD`] of the errors around each place of the support stays below; nought outside, and where nothing errs.
fn held(search: &Search, errors: &[Vec<f64>], [rows, columns]: [usize; 2]) -> Vec<f64> {
    let ([top, left], [high, wide]) = search.all.support();
    let mut out = vec![0.0; rows * columns];
    if errors.is_empty() {
        return out;
    }
    out.par_chunks_mut(columns).enumerate().skip(top).take(high).for_each(|(row, out)| {
        let down = row.saturating_sub(REACH).max(top)..(row + REACH + 1).min(top + high);
        let mut around = Vec::new();
        for (column, out) in out.iter_mut().enumerate().skip(left).take(wide) {
            let across = column.saturating_sub(REACH).max(left)..(column + REACH + 1).min(left + wide);
            around.clear();
            for errors in errors {
                let rows = down.clone().flat_map(|row| &errors[row * columns..][across.clone()]);
                around.extend(rows.map(|error| error.abs()));
            }
            let place = ((HELD * around.len() as f64).ceil() as usize).clamp(1, around.len()) - 1;
            *out = *around.select_nth_unstable_by(place, f64::total_cmp).1;
        }
    });
    out
}
