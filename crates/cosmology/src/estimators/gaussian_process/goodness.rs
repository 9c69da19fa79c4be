//! How well a fitted model explains the second moments of a sky, where they matter to the estimate.
//!
//! Whitened by the model, `E = L^-1 C L^-T` is the identity but for the scatter of `n` modes. Foregrounds are so bright that the smallest fault of
//! their model shows there; it gets into the estimate only where the filter lets something through. In the directions `U` of the ratios `lambda`
//! of signal to all, `L^-1 S L^-T = U diag(lambda) U^T`, the estimate has the moments `sqrt(lambda) U^T E U sqrt(lambda)`, and
//! ```text
//! T = n / 2 |sqrt(lambda) U^T (E - 1) U sqrt(lambda)|^2
//! ```
//! is the `chi^2` of these, each direction by what it counts. Of Gaussian modes the entries of `E - 1` have the variances 1 / n, 2 / n on the diagonal, so
//! that with the sums `s_m` of `lambda^m` the mean is `(s_1^2 + s_2) / 2`; the variance is `s_2^2 + s_4` of many modes, and the scatter of `|x|^2` of
//! few adds `2 s_1^2 s_2 / n`.

use faer::Side;
use rayon::prelude::*;

use super::{
    super::matrix::{part, symmetric},
    evidence::{Band, Bands, turned, whitening},
    fit::Fit,
};

/// Standard deviations beyond what is expected that are let pass.
const MOST: f64 = 5.0;

/// How far a sky is from the model.
#[derive(Clone, Debug)]
pub(super) struct Goodness {
    /// Standard deviations beyond what is expected, over the most that is let pass; 0 of a sky that is nearer than expected.
    pub(super) score: f64,
    /// Standard deviations ring by ring.
    pub(super) deviations: Vec<f64>,
}

/// `T` of a ring, its mean and its variance.
struct Moment {
    found: f64,
    mean: f64,
    variance: f64,
}

impl Goodness {
    pub(super) fn of(fit: &Fit, bands: &Bands) -> Option<Self> {
        let shared = fit.model.shared(&fit.parameters);
        let of_band = |band: &Band| -> Option<Moment> {
            let parts = fit.model.parts(&fit.parameters, &shared, band.multipole, false);
            let (inverse, _) = whitening(&part(&parts.total, &bands.seen, &bands.seen))?;
            let signal = symmetric(&turned(&inverse, &part(&parts.signal, &bands.seen, &bands.seen)));
            let decomposition = signal.self_adjoint_eigen(Side::Lower).ok()?;
            let ratios: Vec<f64> = decomposition.S().column_vector().iter().map(|own| own.max(0.0)).collect();
            let moments = turned(&(decomposition.U().transpose() * inverse), &band.covariance);
            let size = ratios.len();
            let square = |i: usize, j: usize| {
                let off = moments[(i, j)] - f64::from(u8::from(i == j));
                ratios[i] * ratios[j] * off * off
            };
            let found = (0..size * size).map(|at| square(at / size, at % size)).sum::<f64>() * band.count / 2.0;
            let sum = |power: i32| ratios.iter().map(|ratio| ratio.powi(power)).sum::<f64>();
            let (first, second) = (sum(1), sum(2));
            let mean = (first * first + second) / 2.0;
            Some(Moment { found, mean, variance: second * second + sum(4) + 2.0 * first * first * second / band.count })
        };
        let all = bands.bands.par_iter().map(of_band).collect::<Option<Vec<_>>>()?;
        let deviations = all.iter().map(|own| (own.found - own.mean) / own.variance.sqrt()).collect();
        let sum = |of: &dyn Fn(&Moment) -> f64| all.iter().map(of).sum::<f64>();
        let far = sum(&|own| own.found - own.mean) / sum(&|own| own.variance).sqrt();
        Some(Self { score: far.max(0.0) / MOST, deviations })
    }
}
