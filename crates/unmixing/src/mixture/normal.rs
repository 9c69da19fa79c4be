//! The standard normal distribution where its tails matter.

use std::f64::consts::{SQRT_2, TAU};

/// Below this the distribution function underflows soon, and its asymptotic series is exact to rounding.
const FAR: f64 = -30.0;

/// A normal variable with a border `at` standard deviations below its mean (above it where negative), and what is left above the border.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Above {
    at: f64,
    /// Probability to be above the border, where it does not underflow.
    probability: f64,
    /// Distance of the mean of what is left from the border, in standard deviations.
    pub(crate) distance: f64,
    /// Variance of what is left, in units of the variance.
    pub(crate) variance: f64,
}

impl Above {
    /// With Mills' ratio (Abramowitz & Stegun 26.2.12) where the difference of large numbers would lose digits.
    pub(crate) fn new(at: f64) -> Self {
        if at > FAR {
            let probability = 0.5 * libm::erfc(-at / SQRT_2);
            let hazard = (-0.5 * at * at).exp() / (TAU.sqrt() * probability);
            let distance = at + hazard;
            return Self { at, probability, distance, variance: (1.0 - hazard * distance).max(0.0) };
        }
        let square = 1.0 / (at * at);
        Self {
            at,
            probability: 0.0,
            distance: -(1.0 - square * (2.0 - square * (10.0 - 74.0 * square))) / at,
            variance: square * (1.0 - square * (6.0 - 50.0 * square)),
        }
    }

    /// Logarithm of the probability to be above the border.
    pub(crate) fn ln_probability(&self) -> f64 {
        if self.at > FAR { self.probability.ln() } else { self.ln_mills() - 0.5 * (self.at * self.at + TAU.ln()) }
    }

    /// Logarithm of Mills' ratio: the probability over the density at the border.
    pub(crate) fn ln_mills(&self) -> f64 {
        if self.at > FAR {
            self.probability.ln() + 0.5 * (self.at * self.at + TAU.ln())
        } else {
            let square = 1.0 / (self.at * self.at);
            -(-self.at).ln() + (-square * (1.0 - square * (3.0 - 15.0 * square))).ln_1p()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_tabulated_values_and_is_smooth_where_the_series_begins() {
        // Abramowitz & Stegun, table 26.1 and 26.2
        let ln_cdf = |x: f64| Above::new(x).ln_probability();
        assert!((ln_cdf(0.0) + std::f64::consts::LN_2).abs() < 1e-15);
        assert!((ln_cdf(1.0) - 0.841_344_746_068_543_f64.ln()).abs() < 1e-13);
        assert!((ln_cdf(-5.0) - 2.866_515_718_791_939e-7_f64.ln()).abs() < 1e-9);
        let half = Above::new(0.0);
        assert!((half.distance - 0.797_884_560_802_865_4).abs() < 1e-13);
        assert!((half.variance - (1.0 - std::f64::consts::FRAC_2_PI)).abs() < 1e-13);
        let (above, below) = (Above::new(FAR + 1e-9), Above::new(FAR - 1e-9));
        assert!((above.ln_probability() - below.ln_probability()).abs() < 1e-6, "{above:?} {below:?}");
        assert!((above.distance - below.distance).abs() < 1e-8 * above.distance, "{above:?} {below:?}");
        assert!((above.variance - below.variance).abs() < 1e-5 * above.variance, "{above:?} {below:?}");
        let far = Above::new(-1e9);
        assert!(far.ln_probability().is_finite() && (far.distance * 1e9 - 1.0).abs() < 1e-12);
        assert!((far.variance * 1e18 - 1.0).abs() < 1e-12);
    }
}
