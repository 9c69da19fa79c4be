//! How well a fitted model explains the second moments of a sky, where they matter to the estimate.
//!
//! Whitened by the model, `E = L^-1 C L^-T` is the identity but for the scatter of `n` modes. Foregrounds are so bright that the smallest fault of
//! their model shows there; it gets into the estimate only where the filter lets something through. In the directions `U` of the ratios `lambda`
//! of signal to all, `L^-1 S L^-T = U diag(lambda) U^T`, the estimate has the moments `sqrt(lambda) U^T E U sqrt(lambda)`, and
//! ```text
//! T = n / 2 |sqrt(lambda) U^T (E - 1) U sqrt(lambda)|^2
//! ```
//! is the `chi^2` of these, each direction by what it counts. What it is where the model is true follows from draws of white noise.

use cupel_data::Stream;
use faer::{Mat, Side};
use rayon::prelude::*;

use super::{
    super::matrix::{part, symmetric},
    evidence::{Band, Bands, turned, whitening},
    fit::Fit,
};

/// Draws of white noise.
const DRAWS: usize = 32;
/// Standard deviations beyond what is expected that are let pass.
const MOST: f64 = 5.0;

/// How far a sky is from the model.
#[derive(Clone, Debug)]
pub(super) struct Goodness {
    /// Standard deviations beyond what is expected, over the most that is let pass.
    pub(super) score: f64,
    /// The same ring by ring, in standard deviations.
    pub(super) deviations: Vec<f64>,
}

impl Goodness {
    pub(super) fn of(fit: &Fit, bands: &Bands) -> Option<Self> {
        let shared = fit.model.shared(&fit.parameters);
        let of_band = |(number, band): (usize, &Band)| -> Option<(f64, Vec<f64>)> {
            let parts = fit.model.parts(&fit.parameters, &shared, band.multipole, false);
            let (inverse, _) = whitening(&part(&parts.total, &bands.seen, &bands.seen))?;
            let signal = symmetric(&turned(&inverse, &part(&parts.signal, &bands.seen, &bands.seen)));
            let decomposition = signal.self_adjoint_eigen(Side::Lower).ok()?;
            let roots: Vec<f64> = decomposition.S().column_vector().iter().map(|own| own.max(0.0).sqrt()).collect();
            let size = roots.len();
            let measure = |moments: &Mat<f64>| {
                let entry = |i: usize, j: usize| roots[i] * roots[j] * (moments[(i, j)] - f64::from(u8::from(i == j)));
                0.5 * band.count * (0..size * size).map(|at| entry(at / size, at % size).powi(2)).sum::<f64>()
            };
            let into = decomposition.U().transpose() * inverse;
            let found = measure(&turned(&into, &band.covariance));
            let count = band.count as usize;
            let expected = (0..DRAWS).map(|draw| {
                let mut white = vec![0.0; count * size];
                let stream = Stream::new(draw as u64, "what a Gaussian process expects").child(number as u64);
                stream.fill_normal_f64(&mut white);
                let white = Mat::from_fn(size, count, |i, j| white[i * count + j] / band.count.sqrt());
                measure(&(&white * white.transpose()))
            });
            Some((found, expected.collect()))
        };
        let all = bands.bands.par_iter().enumerate().map(of_band).collect::<Option<Vec<_>>>()?;
        let distance = |found: f64, expected: &[f64]| {
            let mean = expected.iter().sum::<f64>() / DRAWS as f64;
            let sd = (expected.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (DRAWS as f64 - 1.0)).sqrt();
            (found - mean) / sd
        };
        let deviations = all.iter().map(|(found, expected)| distance(*found, expected)).collect();
        let sum = |draw: usize| all.iter().map(|(_, expected)| expected[draw]).sum::<f64>();
        let sums: Vec<f64> = (0..DRAWS).map(sum).collect();
        let score = distance(all.iter().map(|(found, _)| found).sum(), &sums).max(0.0) / MOST;
        Some(Self { score, deviations })
    }
}
