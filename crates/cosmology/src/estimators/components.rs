//! Principal components as a linear estimator: a projection over channels, the same in all rings, and a gain on what it leaves.

use std::f64::consts::TAU;

use faer::{Mat, Side};

use super::{linear::Ring, matrix::symmetric, sums::RingSums};
use crate::{Error, Result};

/// The rings of a projection on all but the first `modes` components of what is seen, with a gain for each wave number along frequency where
/// `gain` is wanted.
pub(super) fn rings(means: &[RingSums], modes: usize, gain: bool, floor: &[f64]) -> Result<Vec<Ring>> {
    let size = floor.len();
    let mut all = Mat::<f64>::zeros(size, size);
    for mean in means {
        all += faer::Scale(mean.modes) * observed(mean);
    }
    let decomposition = symmetric(&all)
        .self_adjoint_eigen(Side::Lower)
        .map_err(|_| Error::Covariance { ring: 0, problem: "the sum over rings has no eigenvectors".into() })?;
    // eigenvalues ascend
    let vectors = decomposition.U().subcols(size - modes, modes).to_owned();
    let projection = Mat::<f64>::identity(size, size) - &vectors * vectors.transpose();
    let ring = |mean: &RingSums| {
        let filter = if gain { gains(mean, &projection) * &projection } else { projection.clone() };
        let mut rest = mean.rest.clone();
        (0..size).for_each(|i| rest[(i, i)] += floor[i]);
        Ring::filtered(filter, mean.signal.clone(), rest, &mean.common)
    };
    Ok(means.iter().map(ring).collect())
}

/// The covariance of signal and rest together.
fn observed(mean: &RingSums) -> Mat<f64> {
    &mean.signal + &mean.rest + &mean.common + mean.common.transpose()
}

/// `<s_k e_k*> / <|e_k|^2>` of each wave number along frequency, as a matrix over channels.
fn gains(mean: &RingSums, projection: &Mat<f64>) -> Mat<f64> {
    let size = projection.nrows();
    let cross = (&mean.signal + &mean.common) * projection.transpose();
    let own = projection * observed(mean) * projection.transpose();
    // a wave number sees the sums over diagonals
    let diagonals = |matrix: &Mat<f64>| -> Vec<f64> {
        let mut sums = vec![0.0; size];
        for (i, j) in (0..size).flat_map(|i| (0..size).map(move |j| (i, j))) {
            sums[i.abs_diff(j)] += matrix[(i, j)];
        }
        sums
    };
    let (cross, own) = (diagonals(&cross), diagonals(&own));
    let cosine = |k: usize, d: usize| (TAU * (k * d % size) as f64 / size as f64).cos();
    let power = |sums: &[f64], k: usize| sums.iter().enumerate().map(|(d, sum)| sum * cosine(k, d)).sum::<f64>();
    let gain = |k: usize| {
        let own = power(&own, k);
        if own > 0.0 { power(&cross, k) / own } else { 0.0 }
    };
    let gains: Vec<f64> = (0..size).map(gain).collect();
    let kernel: Vec<f64> = (0..size)
        .map(|d| gains.iter().enumerate().map(|(k, gain)| gain * cosine(k, d)).sum::<f64>() / size as f64)
        .collect();
    Mat::from_fn(size, size, |i, j| kernel[i.abs_diff(j)])
}
