//! [`Uncertainty`]: whether the standard deviations that an estimate says of its values come true.
//!
//! With `z = (t - e) / sigma` and the normal distribution `Phi`: coverage is the share of `|z|` within the quantile of a probability, the probability
//! integral transform (PIT) is `Phi(z)`, uniform where errors are right; the continuous ranked probability score is
//! `sigma [z (2 Phi(z) - 1) + 2 phi(z) - 1 / sqrt(pi)]`: Gneiting & Raftery, JASA 102, 359 (2007), equation 21.

use std::{
    f64::consts::{FRAC_1_SQRT_2, PI, TAU},
    fmt,
};

use cupel_statistics::conformal::margin;
use serde::Serialize;

use super::same_length;
use crate::{Error, Result};

/// Probabilities whose intervals are counted, with `|z|` at their ends.
const LEVELS: [(f64, f64); 4] = [
    (0.50, 0.674_489_750_196_081_7),
    (0.68, 0.994_457_883_209_753_1),
    (0.90, 1.644_853_626_951_472_2),
    (0.95, 1.959_963_984_540_054),
];
/// Bins of the histogram of the PIT.
const PIT_BINS: usize = 20;
/// Values that are summed at a time, so that sums keep their digits.
const BLOCK: usize = 4096;

/// How well errors that were said describe those that were made.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Uncertainty {
    /// How many truths are within intervals.
    pub coverage: Vec<Coverage>,
    /// Share of values whose PIT is in each of 20 bins of equal width; all are 0.05 where errors are right.
    pub pit: Vec<f64>,
    /// Largest distance between the share of values whose PIT is below an edge of these bins and the edge.
    pub calibration_error: f64,
    /// Mean continuous ranked probability score, in the unit of the sky.
    pub crps: f64,
    /// Mean negative logarithm of the normal density at the truth.
    pub nll: f64,
    /// Mean standard deviation that was said.
    pub sharpness: f64,
    /// The factor on the standard deviations with which intervals of 68 % would hold 68 % of values that are exchangeable with these.
    pub factor_68: f64,
    /// Number of values.
    pub values: usize,
}

/// How many truths are within the interval of one probability.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Coverage {
    /// The probability.
    pub said: f64,
    /// The share.
    pub found: f64,
}

impl Uncertainty {
    /// Of values of one order; those of weight 0 are left out.
    pub(crate) fn new(truth: &[f64], estimate: &[f64], sigma: &[f64], weights: Option<&[f64]>) -> Result<Self> {
        same_length("standard deviations", sigma.len(), truth.len())?;
        let used: Vec<usize> = (0..truth.len()).filter(|i| weights.is_none_or(|weights| weights[*i] > 0.0)).collect();
        if let Some(i) = used.iter().find(|i| !(sigma[**i].is_finite() && sigma[**i] > 0.0)) {
            let expected = "standard deviations above zero";
            return Err(Error::Spectrum { expected, got: format!("{} at value {i}", sigma[*i]) });
        }
        let count = used.len() as f64;
        let z: Vec<f64> = used.iter().map(|i| (truth[*i] - estimate[*i]) / sigma[*i]).collect();
        let mut pit = vec![0.0; PIT_BINS];
        z.iter().for_each(|z| pit[((below(*z) * PIT_BINS as f64) as usize).min(PIT_BINS - 1)] += 1.0 / count);
        let share = |end: f64| z.iter().filter(|z| z.abs() <= end).count() as f64 / count;
        let coverage = LEVELS.iter().map(|(said, end)| Coverage { said: *said, found: share(*end) }).collect();
        let mut cumulative = 0.0;
        let off = pit.iter().enumerate().map(|(bin, share)| {
            cumulative += share;
            (cumulative - (bin + 1) as f64 / PIT_BINS as f64).abs()
        });
        let calibration_error = off.fold(0.0, f64::max);
        let pairs = || z.iter().zip(&used).map(|(z, i)| (*z, sigma[*i]));
        Ok(Self {
            coverage,
            pit,
            calibration_error,
            crps: mean(pairs().map(|(z, sigma)| sigma * crps(z))),
            nll: mean(pairs().map(|(z, sigma)| z * z / 2.0 + sigma.ln() + TAU.ln() / 2.0)),
            sharpness: mean(pairs().map(|(_, sigma)| sigma)),
            factor_68: margin(z.iter().map(|z| z.abs() / LEVELS[1].1), LEVELS[1].0),
            values: z.len(),
        })
    }
}

/// The continuous ranked probability score of a standard normal distribution at `z`.
fn crps(z: f64) -> f64 {
    let density = (-z * z / 2.0).exp() / TAU.sqrt();
    z * (2.0 * below(z) - 1.0) + 2.0 * density - 1.0 / PI.sqrt()
}

/// The standard normal distribution function.
fn below(z: f64) -> f64 {
    libm::erfc(-z * FRAC_1_SQRT_2) / 2.0
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (mut total, mut block, mut count) = (0.0, 0.0, 0_usize);
    for value in values {
        block += value;
        count += 1;
        if count % BLOCK == 0 {
            total += block;
            block = 0.0;
        }
    }
    (total + block) / count as f64
}

impl fmt::Display for Uncertainty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("intervals hold")?;
        for Coverage { said, found } in &self.coverage {
            write!(f, " {:.1} % of {:.0} %,", 100.0 * found, 100.0 * said)?;
        }
        write!(f, " CRPS {:.4e}, NLL {:.4}, factor to hold 68 %: {:.4}", self.crps, self.nll, self.factor_68)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cupel_data::Stream;

    #[test]
    fn right_errors_are_found_right_and_wrong_ones_by_their_factor() {
        let mut draws = vec![0.0; 40_000];
        Stream::new(3, "uncertainty").fill_normal_f64(&mut draws);
        let sigma: Vec<f64> = (0..20_000).map(|i| 0.5 + (i % 7) as f64).collect();
        let truth: Vec<f64> = draws[20_000..].iter().map(|draw| 10.0 * draw).collect();
        let estimate: Vec<f64> = (0..20_000).map(|i| truth[i] + sigma[i] * draws[i]).collect();
        let right = Uncertainty::new(&truth, &estimate, &sigma, None).unwrap();
        for Coverage { said, found } in &right.coverage {
            assert!((said - found).abs() < 4.0 * (said * (1.0 - said) / 2e4).sqrt(), "{said} {found}");
        }
        assert!(right.calibration_error < 0.015 && (right.factor_68 - 1.0).abs() < 0.03, "{right}");
        assert!(
            (right.crps / right.sharpness * PI.sqrt() - 1.0).abs() < 0.03,
            "a right normal forecast has sigma / sqrt(pi)"
        );
        assert!((right.pit.iter().sum::<f64>() - 1.0).abs() < 1e-9);

        let half: Vec<f64> = sigma.iter().map(|sigma| sigma / 2.0).collect();
        let wrong = Uncertainty::new(&truth, &estimate, &half, None).unwrap();
        assert!((wrong.factor_68 / right.factor_68 - 2.0).abs() < 1e-9 && wrong.calibration_error > 0.1);
        assert!(wrong.nll > right.nll && wrong.crps > right.crps, "both scores are proper");
    }

    #[test]
    fn scores_are_the_integrals_that_define_them() {
        for z in [-2.5, -0.3, 0.0, 1.0, 4.0] {
            let step = 1e-3;
            let integral: f64 = (-12_000..12_000)
                .map(|i| {
                    let x = (f64::from(i) + 0.5) * step;
                    (below(x) - if x >= z { 1.0 } else { 0.0 }).powi(2) * step
                })
                .sum();
            assert!((crps(z) - integral).abs() < 1e-3, "{z}: {} {integral}", crps(z));
        }
        for (said, end) in LEVELS {
            assert!((2.0 * below(end) - 1.0 - said).abs() < 1e-12, "{said}");
        }
    }

    #[test]
    fn what_is_left_out_does_not_count_and_errors_are_above_zero() {
        let weights = [1.0, 0.0, 1.0];
        let some = Uncertainty::new(&[1.0, 9.0, 2.0], &[1.0, 0.0, 2.5], &[1.0, f64::NAN, 1.0], Some(&weights)).unwrap();
        assert!(some.values == 2 && some.coverage[0].found == 1.0);
        let refused = Uncertainty::new(&[1.0], &[1.0], &[0.0], None).unwrap_err();
        assert!(refused.to_string().contains("standard deviations above zero; got 0"), "{refused}");
        assert!(Uncertainty::new(&[1.0], &[1.0], &[1.0, 2.0], None).is_err());
    }
}
