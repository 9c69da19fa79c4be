//! The standard normal distribution where its tails matter.

use std::f64::consts::{SQRT_2, TAU};

/// Below this the distribution function underflows soon, and its asymptotic series is exact to rounding.
const FAR: f64 = -30.0;

/// Logarithm of the distribution function.
pub(crate) fn ln_cdf(x: f64) -> f64 {
    if x > FAR {
        return (0.5 * libm::erfc(-x / SQRT_2)).ln();
    }
    // Mills' ratio (Abramowitz & Stegun 26.2.12)
    let square = 1.0 / (x * x);
    ln_density(x) - (-x).ln() + (-square + 3.0 * square * square).ln_1p()
}

/// Density over distribution function: the mean of a standard normal variable above `-x` is this.
pub(crate) fn hazard(x: f64) -> f64 {
    (ln_density(x) - ln_cdf(x)).exp()
}

fn ln_density(x: f64) -> f64 {
    -0.5 * (x * x + TAU.ln())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_tabulated_values_and_is_smooth_where_the_series_begins() {
        // Abramowitz & Stegun, table 26.1 and 26.2
        assert!((ln_cdf(0.0) + std::f64::consts::LN_2).abs() < 1e-15);
        assert!((ln_cdf(1.0) - 0.841_344_746_068_543_f64.ln()).abs() < 1e-13);
        assert!((ln_cdf(-5.0) - 2.866_515_718_791_939e-7_f64.ln()).abs() < 1e-9);
        assert!((hazard(0.0) - 0.797_884_560_802_865_4).abs() < 1e-13);
        let (above, below) = (ln_cdf(FAR + 1e-9), ln_cdf(FAR - 1e-9));
        assert!((above - below).abs() < 1e-6, "{above} {below}");
        assert!(ln_cdf(-1e4).is_finite() && (hazard(-1e4) - 1e4).abs() < 1.0);
    }
}
