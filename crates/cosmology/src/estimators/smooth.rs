//! Covariances smoothed over rings: neighbouring multipoles have nearly the same correlations over frequency, and together more modes to learn
//! them from.
//!
//! The signal is averaged as correlations, each ring keeping its own variances. The rest is averaged over its trace: other scales would turn the
//! few spectra that foregrounds are made of. Where skies that were left out do better with it, the signal is taken as stationary along frequency.

use faer::Mat;
use rayon::prelude::*;

use super::{Multipoles, linear::Ring, matrix::symmetric, stationary, sums::RingSums};
use crate::{Error, Result};

/// Widths of the kernel in `ln l` that are tried; 0 is none.
const WIDTHS: [f64; 8] = [0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2];
/// Degrees of the logarithm of the strength over frequency that are tried.
const DEGREES: [usize; 5] = [0, 1, 2, 3, 5];

/// An error so many times the best ends a search.
const WORSE: f64 = 1.2;

/// What is taken of the covariance of the signal that was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Structure {
    /// All of it.
    Measured,
    /// Correlations by the distance of channels, and a strength whose logarithm is a polynomial over them.
    Stationary { degree: usize },
}

/// Widths of the kernels in `ln l`, of the signal and of the rest, and the structure of the signal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Smoothing {
    pub(super) signal: f64,
    pub(super) structure: Structure,
    pub(super) rest: f64,
}

impl std::fmt::Display for Smoothing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "smoothed over ln l: the signal by {}, the rest by {}", self.signal, self.rest)?;
        match self.structure {
            Structure::Measured => Ok(()),
            Structure::Stationary { degree } => {
                write!(f, "; the signal is stationary along frequency, with a strength of degree {degree}")
            }
        }
    }
}

/// The best filters of means over rings, with `floor` added to the variances of the rest.
pub(super) fn filters(
    means: &[RingSums],
    multipoles: &Multipoles,
    smoothing: Smoothing,
    floor: &[f64],
) -> Result<Vec<Ring>> {
    let signals = signals(means, multipoles, smoothing.signal, smoothing.structure)?;
    let rests = rests(means, multipoles, smoothing.rest, floor);
    let pairs: Vec<(Mat<f64>, Mat<f64>)> = signals.into_iter().zip(rests).collect();
    pairs.into_par_iter().enumerate().map(|(number, (signal, rest))| Ring::wiener(signal, rest, number)).collect()
}

/// The covariance of the signal in each ring.
fn signals(means: &[RingSums], multipoles: &Multipoles, width: f64, structure: Structure) -> Result<Vec<Mat<f64>>> {
    let size = means[0].signal.nrows();
    let variances = |mean: &RingSums| (0..size).map(|i| mean.signal[(i, i)]).collect::<Vec<_>>();
    let scaled = |correlation: &Mat<f64>, own: &[f64]| {
        symmetric(&Mat::from_fn(size, size, |i, j| correlation[(i, j)] * (own[i] * own[j]).sqrt()))
    };
    match structure {
        Structure::Measured => {
            let correlation = |mean: &RingSums| {
                let own = variances(mean);
                let over = |i: usize, j: usize| (own[i] * own[j]).sqrt();
                Mat::from_fn(size, size, |i, j| if over(i, j) > 0.0 { mean.signal[(i, j)] / over(i, j) } else { 0.0 })
            };
            let correlations: Vec<Mat<f64>> = means.iter().map(correlation).collect();
            let ring = |number: usize| {
                let mut signal = Mat::<f64>::zeros(size, size);
                for (other, weight) in kernel(means, multipoles, number, width) {
                    signal += faer::Scale(weight) * &correlations[other];
                }
                scaled(&signal, &variances(&means[number]))
            };
            Ok((0..means.len()).into_par_iter().map(ring).collect())
        }
        Structure::Stationary { degree } => {
            let lags: Vec<Vec<f64>> = means.iter().map(|mean| stationary::lags(&mean.signal)).collect();
            let ring = |number: usize| {
                let mut own = vec![0.0; size];
                for (other, weight) in kernel(means, multipoles, number, width) {
                    own.iter_mut().zip(&lags[other]).for_each(|(own, lag)| *own += weight * lag);
                }
                let problem = || "the correlation of the signal has no eigenvalues".into();
                let correlation = stationary::correlation(&own)
                    .ok_or_else(|| Error::Covariance { ring: number, problem: problem() })?;
                let own = variances(&means[number]);
                let strength = stationary::strength(&own, degree).unwrap_or(own);
                Ok(scaled(&correlation, &strength))
            };
            (0..means.len()).into_par_iter().map(ring).collect()
        }
    }
}

/// The covariance of the rest in each ring.
fn rests(means: &[RingSums], multipoles: &Multipoles, width: f64, floor: &[f64]) -> Vec<Mat<f64>> {
    let size = floor.len();
    let traces: Vec<f64> = means.iter().map(|mean| (0..size).map(|i| mean.rest[(i, i)]).sum()).collect();
    let ring = |number: usize| {
        let mut rest = Mat::<f64>::zeros(size, size);
        for (other, weight) in kernel(means, multipoles, number, width) {
            let scale = if traces[other] > 0.0 { traces[number] / traces[other] } else { 0.0 };
            rest += faer::Scale(weight * scale) * &means[other].rest;
        }
        (0..size).for_each(|i| rest[(i, i)] += floor[i]);
        symmetric(&rest)
    };
    (0..means.len()).into_par_iter().map(ring).collect()
}

/// The rings that count for a ring, with weights that sum to one.
fn kernel(means: &[RingSums], multipoles: &Multipoles, ring: usize, width: f64) -> Vec<(usize, f64)> {
    /// Widths after which nothing counts.
    const FAR: f64 = 3.0;
    let distance = |other: usize| (multipoles.middle(other) / multipoles.middle(ring)).ln();
    let weight = |other: usize| match other == ring {
        true => means[other].modes,
        false if width > 0.0 && distance(other).abs() < FAR * width => {
            means[other].modes * (-0.5 * (distance(other) / width).powi(2)).exp()
        }
        false => 0.0,
    };
    let weights: Vec<f64> = (0..means.len()).map(weight).collect();
    let total: f64 = weights.iter().sum();
    weights.into_iter().enumerate().filter(|(_, weight)| *weight > 0.0).map(|(i, weight)| (i, weight / total)).collect()
}

/// What does best on each fold, of filters of the other folds.
///
/// One is chosen after another: the width of the rest, the width of the signal, its structure, and its width again where that has become another.
pub(super) fn choose(
    folds: &[Vec<RingSums>],
    others: &[Vec<RingSums>],
    multipoles: &Multipoles,
    frequencies_mhz: &[f64],
    floor: &[f64],
) -> Result<Smoothing> {
    let error = |smoothing: Smoothing| -> Result<f64> {
        let mut sum = 0.0;
        for (fold, others) in folds.iter().zip(others) {
            let filters = filters(others, multipoles, smoothing, floor)?;
            sum += fold.iter().zip(&filters).map(|(sums, ring)| sums.error(&ring.filter)).sum::<f64>();
        }
        Ok(sum)
    };
    // of an ascending list, until it has become much worse
    let better = |best: (f64, Smoothing), tried: &mut dyn Iterator<Item = Smoothing>| -> Result<(f64, Smoothing)> {
        let mut best = best;
        for smoothing in tried {
            let found = error(smoothing)?;
            if found < best.0 {
                best = (found, smoothing);
            } else if found > WORSE * best.0 {
                break;
            }
        }
        Ok(best)
    };
    let first = Smoothing { signal: 0.2, structure: Structure::Measured, rest: 0.0 };
    let mut best = better((f64::INFINITY, first), &mut WIDTHS.iter().map(|rest| Smoothing { rest: *rest, ..first }))?;
    let signals = |of: Smoothing| WIDTHS.into_iter().map(move |signal| Smoothing { signal, ..of });
    best = better(best, &mut signals(best.1))?;
    if evenly_spaced(frequencies_mhz) {
        // correlations by distance have less noise, and want a narrower kernel
        let of = best.1;
        let tried = DEGREES.map(|degree| Smoothing { structure: Structure::Stationary { degree }, signal: 0.2, ..of });
        let structured = better((f64::INFINITY, of), &mut tried.into_iter())?;
        let structured = better(structured, &mut signals(structured.1))?;
        if structured.0 < best.0 {
            best = structured;
            let rests = WIDTHS.into_iter().map(|rest| Smoothing { rest, ..structured.1 });
            best = better(best, &mut rests.into_iter())?;
        }
    }
    Ok(best.1)
}

/// Whether channels are as far from the next everywhere, so that numbers of channels are distances.
fn evenly_spaced(frequencies_mhz: &[f64]) -> bool {
    /// Largest departure, as a part of the width of a channel.
    const UNEVEN: f64 = 1e-3;
    let (Some(first), Some(last)) = (frequencies_mhz.first(), frequencies_mhz.last()) else { return false };
    let width = (last - first) / (frequencies_mhz.len().max(2) - 1) as f64;
    let even = |(i, frequency): (usize, &f64)| (frequency - first - i as f64 * width).abs() <= UNEVEN * width.abs();
    frequencies_mhz.iter().enumerate().all(even)
}
