//! Numbers that windows are looked at in.

use crate::{fft::plans::Planned, flex::Value};
use rustfft::num_traits::Float;

/// A number of the transforms.
pub(crate) trait Number: Value + Planned + Float {
    fn rounded(value: f64) -> Self;

    fn wide(self) -> f64;

    /// `d - ln r` of `r = 1 + d > 0`: what a count costs beyond its mean. No digits are lost where `r` is near one.
    fn excess(r: Self, d: Self) -> Self;
}

// With r = 2^k m and s = (m - 1) / (m + 1), ln r = k ln 2 + 2 s + 2 s^3 (1/3 + s^2/5 + ..). For k = 0, where d = m - 1,
// d - 2 s = s d: a product instead of a difference. m is between sqrt(1/2) and sqrt(2), so |s| is below 0.172.
macro_rules! number {
    ($float:ident, $bits:ident, $half:literal, $mantissa:literal, [$($odd:literal)*]) => {
        impl Number for $float {
            #[inline(always)]
            fn rounded(value: f64) -> Self {
                value as $float
            }

            #[inline(always)]
            fn wide(self) -> f64 {
                f64::from(self)
            }

            #[inline(always)]
            fn excess(r: Self, d: Self) -> Self {
                let bits = r.to_bits() as $bits;
                let exponent = (bits - $half) >> $mantissa;
                let m = $float::from_bits((bits - (exponent << $mantissa)) as _);
                let near = exponent == 0;
                let t = if near { d } else { m - 1.0 };
                let s = t / (2.0 + t);
                let square = s * s;
                let mut rest = 0.0;
                $(rest = rest * square + 2.0 / $odd;)*
                let first =
                    if near { s * d } else { d - exponent as $float * std::$float::consts::LN_2 - 2.0 * s };
                first - s * square * rest
            }
        }
    };
}

// the bits of sqrt(1/2), the bits of a mantissa, the odd numbers whose inverses make the series, the last first
number!(f32, i32, 0x3f35_04f3, 23, [11.0 9.0 7.0 5.0 3.0]);
number!(f64, i64, 0x3fe6_a09e_667f_3bcd, 52, [23.0 21.0 19.0 17.0 15.0 13.0 11.0 9.0 7.0 5.0 3.0]);

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the series of `d - ln(1 + d)`, and the logarithm where nothing cancels.
    #[test]
    fn what_a_count_costs_is_exact_near_its_mean_and_far_from_it() {
        for step in -6000..6000 {
            let d = f64::from(step) * 1e-4 + 3e-7;
            let series =
                || (2..60).map(|k| d.powi(k) * if k % 2 == 0 { 1.0 } else { -1.0 } / f64::from(k)).sum::<f64>();
            let expected = if d.abs() < 0.3 { series() } else { d - d.ln_1p() };
            let (wide, narrow) = (f64::excess(1.0 + d, d), f32::excess((1.0 + d) as f32, d as f32));
            assert!((wide - expected).abs() <= 4e-15 * expected.abs(), "{d}: {wide}, expected {expected}");
            let rounded = f64::from(d as f32);
            let expected = expected * (rounded / d).powi(2); // the rounding of d itself
            assert!(
                (f64::from(narrow) - expected).abs() <= 2e-6 * expected.abs(),
                "{d}: {narrow}, expected {expected}"
            );
        }
        for exponent in -40..60 {
            let r = 1.7 * 2f64.powi(exponent);
            let expected = (r - 1.0) - r.ln();
            assert!((f64::excess(r, r - 1.0) - expected).abs() <= 1e-15 * (expected.abs() + 50.0));
            assert!(
                (f64::from(f32::excess(r as f32, (r - 1.0) as f32)) - expected).abs() <= 1e-6 * (expected.abs() + 1.0)
            );
        }
    }
}
