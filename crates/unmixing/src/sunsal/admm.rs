//! Non-negative l1 regression of many pixels on one library, by alternating directions (ADMM).
//!
//! With `x = u` split off and the scaled multiplier `d`, the algorithm SUnSAL of arXiv 1002.4527 repeats
//!
//! `x <- (A^T A + mu I)^-1 (A^T y + mu (u + d))`, `u <- max(0, x - d - lambda / mu)`, `d <- d - (x - u)`.
//!
//! `mu` follows the relative residuals (B. Wohlberg, "ADMM Penalty Parameter Selection by Residual Balancing", 2017, arXiv 1704.06209,
//! after section 3.4.1 of S. Boyd et al., 2011): the eigenvectors of `A^T A` make a new one cheap. All of it is f64, in blocks of pixels that
//! do not depend on the number of threads.

use std::ops::Range;

use cupel_pca::{Eigen, symmetric_eigen};
use faer::{Accum, Mat, MatRef, Par, linalg::matmul::matmul};
use rayon::prelude::*;

use crate::{Abundances, Endmembers, Error, Pixels, Result, error::same};

/// Pixels solved together: one `mu`, one stop.
const BLOCK_PIXELS: usize = 128;
/// Iterations between two looks at the residuals.
const LOOK_EVERY: usize = 10;
/// A residual this many times the other one moves `mu`.
const IMBALANCE: f64 = 10.0;
/// The first `mu` as a share of the mean eigenvalue of `A^T A`.
const FIRST_MU: f64 = 0.1;

/// Settings of [`sparse_regression`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SparseConfig {
    /// Weight of the l1 norm.
    pub lambda: f64,
    /// A block of pixels `Y` is solved where its weights are this near the conditions of optimality, relative to `|A| |Y|`.
    pub tolerance: f64,
    /// Most iterations of a block.
    pub iterations: usize,
}

impl SparseConfig {
    /// A tolerance of 1e-6 within 2000 iterations.
    pub fn new(lambda: f64) -> Self {
        Self { lambda, tolerance: 1e-6, iterations: 2000 }
    }
}

/// Weights of the spectra of `library` in every pixel: `min 1/2 |A x - y|^2 + lambda |x|_1` with `x >= 0`.
///
/// They do not sum to one; most are exactly zero.
///
/// # Errors
/// Bands that differ, a lambda or a tolerance out of range, an empty library.
pub fn sparse_regression(pixels: &Pixels, library: &Endmembers, config: SparseConfig) -> Result<Abundances> {
    same("bands of the library", pixels.bands(), library.bands())?;
    let solved = Prepared::new(library, config)?.solve(pixels, 0..pixels.count());
    Abundances::new(solved.weights, library.count())
}

/// A library with the eigenvectors of its Gram matrix.
pub(super) struct Prepared {
    library: Endmembers,
    eigen: Eigen,
    config: SparseConfig,
}

/// Weights of a range of pixels.
pub(super) struct Solved {
    /// `pixels x spectra`.
    pub(super) weights: Vec<f64>,
    /// Of the slowest block.
    pub(super) iterations: usize,
}

impl Prepared {
    pub(super) fn new(library: &Endmembers, config: SparseConfig) -> Result<Self> {
        use cupel_settings::Range as Allowed;
        let (lambda, tolerance) = (Allowed::at_least(0.0), Allowed::above(0.0));
        let numbers = [("lambda", config.lambda, lambda), ("tolerance", config.tolerance, tolerance)];
        if let Some((name, got, range)) = numbers.into_iter().find(|(_, number, range)| !range.holds(*number)) {
            return Err(Error::setting(name, got, range));
        }
        let eigen = symmetric_eigen(&library.gram(), library.count())?;
        Ok(Self { library: library.clone(), eigen, config })
    }

    pub(super) fn solve(&self, pixels: &Pixels, range: Range<usize>) -> Solved {
        let (bands, spectra) = (pixels.bands(), self.library.count());
        let mut weights = vec![0.0; range.len() * spectra];
        let iterations = weights
            .par_chunks_mut(BLOCK_PIXELS * spectra)
            .zip(pixels.values()[range.start * bands..range.end * bands].par_chunks(BLOCK_PIXELS * bands))
            .map(|(weights, values)| self.block(values, weights))
            .max()
            .unwrap_or(0);
        Solved { weights, iterations }
    }

    /// One block, `spectra x pixels` in matrices; returns the iterations made.
    fn block(&self, values: &[f32], weights: &mut [f64]) -> usize {
        let (bands, spectra) = (self.library.bands(), self.library.count());
        let count = values.len() / bands;
        let pixels = Mat::from_fn(bands, count, |band, n| f64::from(values[n * bands + band]));
        let square = values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / count as f64;
        let mut correlation = Mat::zeros(spectra, count);
        let atoms = MatRef::from_row_major_slice(self.library.values(), spectra, bands);
        matmul(correlation.as_mut(), Accum::Replace, atoms, pixels.as_ref(), 1.0, Par::Seq);

        let mut mu = FIRST_MU * self.eigen.values.iter().sum::<f64>() / spectra as f64;
        let mut inverse = self.inverse(mu);
        let [mut x, mut u, mut d, mut right] = std::array::from_fn(|_| Mat::<f64>::zeros(spectra, count));
        // |A^T y| is at most the root of the largest eigenvalue times |y|
        let largest = self.eigen.values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        let limit = self.config.tolerance * (largest * square * count as f64).sqrt();
        let mut made = 0;
        while made < self.config.iterations {
            made += 1;
            for n in 0..count {
                for k in 0..spectra {
                    right[(k, n)] = correlation[(k, n)] + mu * (u[(k, n)] + d[(k, n)]);
                }
            }
            matmul(x.as_mut(), Accum::Replace, inverse.as_ref(), right.as_ref(), 1.0, Par::Seq);
            let (mut primal, mut dual, mut of_u, mut of_d) = (0.0, 0.0, 0.0, 0.0);
            for n in 0..count {
                for k in 0..spectra {
                    let shrunk = (x[(k, n)] - d[(k, n)] - self.config.lambda / mu).max(0.0);
                    let gap = x[(k, n)] - shrunk;
                    primal += gap * gap;
                    dual += (shrunk - u[(k, n)]).powi(2);
                    d[(k, n)] -= gap;
                    u[(k, n)] = shrunk;
                    of_u += shrunk * shrunk;
                    of_d += d[(k, n)].powi(2);
                }
            }
            // how far u is from the conditions of optimality: A^T A (u - x) + mu (u before - u)
            let (primal, dual) = (primal.sqrt(), dual.sqrt());
            if largest * primal + mu * dual <= limit {
                break;
            }
            // a mu that never rests need not converge
            if made.is_multiple_of(LOOK_EVERY) && made <= self.config.iterations / 2 {
                let primal = primal / of_u.sqrt().max(f64::MIN_POSITIVE);
                let dual = dual / of_d.sqrt().max(f64::MIN_POSITIVE);
                let factor = if primal > IMBALANCE * dual {
                    2.0
                } else if dual > IMBALANCE * primal {
                    0.5
                } else {
                    continue;
                };
                mu *= factor;
                inverse = self.inverse(mu);
                for n in 0..count {
                    (0..spectra).for_each(|k| d[(k, n)] /= factor);
                }
            }
        }
        for (n, weights) in weights.chunks_exact_mut(spectra).enumerate() {
            weights.iter_mut().enumerate().for_each(|(k, w)| *w = u[(k, n)]);
        }
        made
    }

    /// `(A^T A + mu I)^-1`.
    fn inverse(&self, mu: f64) -> Mat<f64> {
        let n = self.eigen.values.len();
        let vectors = Mat::from_fn(n, n, |row, i| self.eigen.vectors[i][row]);
        // rounding may leave an eigenvalue of zero below it
        let scaled = Mat::from_fn(n, n, |row, i| self.eigen.vectors[i][row] / (self.eigen.values[i].max(0.0) + mu));
        let mut inverse = Mat::zeros(n, n);
        matmul(inverse.as_mut(), Accum::Replace, scaled.as_ref(), vectors.transpose(), 1.0, Par::Seq);
        inverse
    }
}
