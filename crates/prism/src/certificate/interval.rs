//! Intervals around each amplitude: what noise does to it, and what the exposures leave open.
//!
//! **Noise** moves what was measured: frames drawn anew around those that the object found says, and fitted as these were, differ from it as it differs
//! from the truth (B. Efron, R. J. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 6.5).
//!
//! **Frequencies that no exposure shows** are the prior's alone, and no noise tells of its errors. How far it goes astray is measured where it can be: it
//! has to foretell the outermost exposures from the others, and its errors at frequencies that the others do not show, less what noise explains, are taken
//! for those at frequencies that none shows: as dense, but for a power law by which the object's own power falls there, and at the same places.
//!
//! The variance of an amplitude is the sum of both, and its interval a fixed number of standard deviations.

use cupel_data::Stream;
use num_complex::Complex;
use rand_distr::{Distribution, Poisson};
use rayon::prelude::*;
use std::sync::Arc;

use super::{
    refit::{self, Anew},
    windows,
};
use crate::{Exposures, Geometry, InMemory, Noise, Plane, Result, Search, fourier, search::Found};

/// Sets of frames drawn anew.
const DRAWS: u64 = 4;
/// Steps of each refit.
const STEPS: usize = 15;
/// Share of the exposures that the others have to foretell.
const OUTER: f64 = 0.25;
/// Fewer exposures foretell none.
const FEWEST: usize = 8;
/// Places on each side over which variances are averaged: a handful of draws says little of one place.
const REACH: usize = 3;
/// Standard deviations of an interval that holds 90 %: of a normal distribution they would be 1.645, but errors are heavier and fine grain that a prior
/// flattens is not in the variance. Chosen on ten generated objects (`examples/regimes.rs`, seeds 0 and 1) for a mean coverage of 90 %.
const DEVIATIONS: f64 = 1.97;
/// Rings over which the fall is measured, and where the first of them begins, relative to the last frequency.
const RINGS: usize = 6;
const INNER: f64 = 2.0 / 3.0;
/// Steepest fall of power with the frequency that is believed; of edges it is 3.
const STEEPEST: f64 = 6.0;
/// Most bytes of frames that are drawn.
const MOST_BYTES: usize = 1 << 30;

/// Half widths over the field; `None` for stacks that are too large to be drawn.
pub(super) fn interval(search: &Search, anew: &Anew<'_>) -> Result<Option<Vec<f64>>> {
    let Anew { found, seed, on, .. } = *anew;
    let exposures = search.exposures();
    let detector = exposures.optics.detector;
    if exposures.centres.len().saturating_mul(4 * detector * detector) > MOST_BYTES {
        return Ok(None);
    }
    let object = &found.model.object;
    let (rows, columns) = (object.rows(), object.columns());
    let here = object.amplitude();
    let mut variance = vec![0.0; rows * columns];
    let mut of_noise = Vec::new();
    if exposures.noise != Noise::None {
        for draw in 0..DRAWS {
            let drawn = drawn(search, found, Stream::new(seed, "frames drawn anew").child(draw))?;
            let other = refit::from_found(&drawn, found, STEPS, on)?;
            for ((sum, other), here) in variance.iter_mut().zip(other.amplitude()).zip(&here) {
                *sum += (other - here).powi(2) / DRAWS as f64;
            }
            of_noise.push(other);
        }
    }
    if let Some(astray) = astray(exposures, anew, &of_noise)? {
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
        said.push(frame.to_vec());
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
fn astray(exposures: &Exposures, anew: &Anew<'_>, of_noise: &[Plane]) -> Result<Option<Vec<f64>>> {
    let count = exposures.centres.len();
    let (measured, _) = windows(exposures);
    let object = &anew.found.model.object;
    if exposures.optics.geometry != Geometry::Spectrum || count < FEWEST || measured.iter().all(|light| *light > 0.0) {
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
    let spectrum = |object: &Plane| fourier::spectrum(object).values().to_vec();
    let without = spectrum(&anew.fit(exposures, &inner)?);
    let whole = spectrum(object);
    let noise: Vec<Vec<Complex<f64>>> = of_noise.iter().map(spectrum).collect();
    let (rows, columns) = (object.rows(), object.columns());
    let radius = |place: usize| {
        let [y, x] = [(place / columns) as f64 - (rows / 2) as f64, (place % columns) as f64 - (columns / 2) as f64];
        (y / rows as f64).hypot(x / columns as f64)
    };
    // how it went astray where that can be seen
    let foretold: Vec<usize> =
        (0..whole.len()).filter(|place| measured[*place] > 0.0 && seen_by_inner[*place] == 0.0).collect();
    let (mut missed, mut by_noise, mut middle) = (0.0, 0.0, 0.0);
    let mut part = vec![Complex::new(0.0, 0.0); rows * columns];
    for place in foretold.iter().copied() {
        let error = without[place] - whole[place];
        by_noise +=
            noise.iter().map(|draw| (draw[place] - whole[place]).norm_sqr()).sum::<f64>() / noise.len().max(1) as f64;
        missed += error.norm_sqr();
        middle += radius(place) / foretold.len() as f64;
        part[place] = error;
    }
    if missed == 0.0 {
        return Ok(None);
    }
    // and how much more or less there is where it cannot
    let fall = fall(&whole, &measured, radius);
    let unseen: f64 = (0..whole.len())
        .filter(|place| measured[*place] == 0.0)
        .map(|place| (radius(place) / middle).powf(-fall))
        .sum();
    let factor = (1.0 - by_noise / missed).max(0.0) * unseen / foretold.len() as f64;
    let part = fourier::object(&Plane::new(rows, columns, part)?);
    // half of a complex error lies along the amplitude
    let along = if exposures.known.real { 1.0 } else { 0.5 };
    Ok(Some(part.values().iter().map(|value| along * factor * value.norm_sqr()).collect()))
}

/// The power by which the object's power falls with the frequency, over the outer third of what was measured.
fn fall(whole: &[Complex<f64>], measured: &[f64], radius: impl Fn(usize) -> f64) -> f64 {
    let seen: Vec<(f64, f64)> = (0..whole.len())
        .filter(|place| measured[*place] > 0.0)
        .map(|place| (radius(place), whole[place].norm_sqr()))
        .collect();
    let last = seen.iter().map(|seen| seen.0).fold(0.0, f64::max);
    // mean powers of rings, whose logarithms are nearly normal; single ones are not
    let mut rings = [(0.0, 0.0, 0.0); RINGS];
    for (radius, power) in seen.into_iter().filter(|seen| seen.0 > INNER * last) {
        let ring = (((radius / last - INNER) / (1.0 - INNER) * RINGS as f64) as usize).min(RINGS - 1);
        rings[ring] = (rings[ring].0 + radius, rings[ring].1 + power, rings[ring].2 + 1.0);
    }
    let points = rings
        .into_iter()
        .filter(|ring| ring.1 > 0.0)
        .map(|(radius, power, count)| ((radius / count).ln(), (power / count).ln()));
    let points: Vec<(f64, f64)> = points.collect();
    let mean = |f: fn(&(f64, f64)) -> f64| points.iter().map(f).sum::<f64>() / points.len().max(1) as f64;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let along: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let across: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    if across > 0.0 { (-along / across).clamp(0.0, STEEPEST) } else { 0.0 }
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
