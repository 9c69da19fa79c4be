//! [`Comparison`]: an estimated sky beside the true one, scale by scale.

use serde::Serialize;

use super::{Binning, Estimator, Modes, estimator::real_product};
use crate::Result;

/// How an estimate does in one bin. Where there are no modes or the truth has no power, what is divided by it is NaN, in JSON `null`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Mean of what is binned, as in [`Band`](super::Band).
    pub k: f64,
    /// Number of modes; `k` and `-k` are two.
    pub modes: u64,
    /// Power of the truth.
    pub p_true: f64,
    /// Power of the estimate.
    pub p_est: f64,
    /// Their cross-power.
    pub p_cross: f64,
    /// Power of estimate less truth.
    pub p_residual: f64,
    /// Standard deviation of `p_est` over skies with Gaussian modes.
    pub sigma: f64,
    /// Transfer of amplitude, `sqrt(p_est / p_true)`.
    pub t: f64,
    /// Transfer of what is common, `p_cross / p_true`.
    pub t_cross: f64,
    /// Correlation, `p_cross / sqrt(p_true p_est)`.
    pub r: f64,
    /// `p_residual / p_true`, which is `t^2 + 1 - 2 t_cross`.
    pub residual_ratio: f64,
    /// The factor `p_cross / p_est` on the estimate that makes the residual least.
    pub best_gain: f64,
    /// The ratio that is then left: `1 - r^2`.
    pub least_residual_ratio: f64,
}

impl Comparison {
    /// Of powers.
    pub(crate) fn new(k: f64, modes: u64, [p_true, p_est, p_cross, p_residual]: [f64; 4], sigma: f64) -> Self {
        // rounding may exceed one
        let r = (p_cross / (p_true * p_est).sqrt()).clamp(-1.0, 1.0);
        let finite = |ratio: f64| if ratio.is_finite() { ratio } else { f64::NAN };
        Self {
            k,
            modes,
            p_true,
            p_est,
            p_cross,
            p_residual,
            sigma,
            t: finite((p_est / p_true).sqrt()),
            t_cross: finite(p_cross / p_true),
            r,
            residual_ratio: finite(p_residual / p_true),
            best_gain: finite(p_cross / p_est),
            least_residual_ratio: 1.0 - r * r,
        }
    }
}

impl Estimator {
    /// Compares the modes of an estimate with those of the truth.
    ///
    /// # Errors
    /// As [`power`](Self::power).
    pub fn compare(&self, truth: &Modes, estimate: &Modes, binning: &Binning) -> Result<Vec<Comparison>> {
        let (layout, sums) = self.sums(&[truth, estimate], binning, |place| {
            let (t, e) = (truth.values[place], estimate.values[place]);
            let power = e.norm_sqr();
            [t.norm_sqr(), power, real_product(t, e), (e - t).norm_sqr(), power * power]
        })?;
        let shares = self.shares(&layout);
        let norm = self.norm();
        let of_bin = |(sums, share): (&super::binning::Sums<5>, &f64)| {
            let [truth, estimate, cross, residual, square] = sums.values;
            let band = self.band(&layout, sums, *share, estimate, [estimate, estimate], square);
            let powers = [truth, estimate, cross, residual].map(|sum| norm * sums.mean(sum));
            Comparison::new(band.k, band.modes, powers, band.sigma)
        };
        Ok(sums.iter().zip(&shares).map(of_bin).collect())
    }
}
