//! Covariances smoothed over rings: neighbouring multipoles have nearly the same correlations over frequency, and together more modes to learn
//! them from.
//!
//! The signal is averaged as correlations, each ring keeping its own variances. The rest is averaged over its trace: other scales would turn the
//! few spectra that foregrounds are made of.

use faer::Mat;
use rayon::prelude::*;

use super::{Multipoles, linear::Ring, matrix::symmetric, sums::RingSums};
use crate::Result;

/// Widths of the kernel in `ln l` that are tried; 0 is none.
const WIDTHS: [f64; 8] = [0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2];

/// Widths of the kernels in `ln l`, of the signal and of the rest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Widths {
    pub(super) signal: f64,
    pub(super) rest: f64,
}

/// The best filters of means over rings, with `floor` added to the variances of the rest.
pub(super) fn filters(means: &[RingSums], multipoles: &Multipoles, widths: Widths, floor: &[f64]) -> Result<Vec<Ring>> {
    let size = floor.len();
    let variances = |mean: &RingSums| (0..size).map(|i| mean.signal[(i, i)]).collect::<Vec<_>>();
    let correlations: Vec<Mat<f64>> = means
        .iter()
        .map(|mean| {
            let own = variances(mean);
            let over = |i: usize, j: usize| (own[i] * own[j]).sqrt();
            Mat::from_fn(size, size, |i, j| if over(i, j) > 0.0 { mean.signal[(i, j)] / over(i, j) } else { 0.0 })
        })
        .collect();
    let traces: Vec<f64> = means.iter().map(|mean| (0..size).map(|i| mean.rest[(i, i)]).sum()).collect();
    let ring = |number: usize| {
        let own = variances(&means[number]);
        let weights = kernel(means, multipoles, number, widths.signal);
        let mut signal = Mat::<f64>::zeros(size, size);
        for (other, weight) in &weights {
            signal += faer::Scale(*weight) * &correlations[*other];
        }
        let signal = Mat::from_fn(size, size, |i, j| signal[(i, j)] * (own[i] * own[j]).sqrt());
        let mut rest = Mat::<f64>::zeros(size, size);
        for (other, weight) in kernel(means, multipoles, number, widths.rest) {
            let scale = if traces[other] > 0.0 { traces[number] / traces[other] } else { 0.0 };
            rest += faer::Scale(weight * scale) * &means[other].rest;
        }
        (0..size).for_each(|i| rest[(i, i)] += floor[i]);
        Ring::wiener(symmetric(&signal), symmetric(&rest), number)
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

/// The widths whose filters of the other folds do best on each fold.
pub(super) fn choose(
    folds: &[Vec<RingSums>],
    others: &[Vec<RingSums>],
    multipoles: &Multipoles,
    floor: &[f64],
) -> Result<Widths> {
    let error = |widths: Widths| -> Result<f64> {
        let mut sum = 0.0;
        for (fold, others) in folds.iter().zip(others) {
            let filters = filters(others, multipoles, widths, floor)?;
            sum += fold.iter().zip(&filters).map(|(sums, ring)| sums.error(&ring.filter)).sum::<f64>();
        }
        Ok(sum)
    };
    let best = |of: &dyn Fn(f64) -> Widths| -> Result<Widths> {
        let mut best = (f64::INFINITY, of(WIDTHS[0]));
        for width in WIDTHS {
            let found = error(of(width))?;
            if found < best.0 {
                best = (found, of(width));
            }
        }
        Ok(best.1)
    };
    let rest = best(&|rest| Widths { signal: 0.2, rest })?.rest;
    best(&|signal| Widths { signal, rest })
}
