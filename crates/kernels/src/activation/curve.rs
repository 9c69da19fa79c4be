//! Value and slope of each activation for one `f32`, written so that a loop over them becomes vector code.
//!
//! There is no branch and no call in them. Products and sums are rounded one by one, not fused, so that a machine with other vector
//! units gets the same bits.

use super::Activation;

/// An activation of one value.
pub(crate) trait Curve: Copy + Send + Sync {
    /// The function at `x`.
    fn value(self, x: f32) -> f32;
    /// Its derivative at `x`.
    fn slope(self, x: f32) -> f32;
}

/// What is done with a curve that is known at compile time.
pub(crate) trait WithCurve {
    /// What comes of it.
    type Output;
    /// Does it.
    fn with<C: Curve>(self, curve: C) -> Self::Output;
}

impl Activation {
    /// Gives the curve of this activation to `work`.
    pub(crate) fn with_curve<W: WithCurve>(self, work: W) -> W::Output {
        match self {
            Self::Identity => work.with(Identity),
            Self::Relu => work.with(Leaky(0.0)),
            Self::LeakyRelu(slope) => work.with(Leaky(slope as f32)),
            Self::SmoothLeaky => work.with(SmoothLeaky),
            Self::Silu => work.with(Silu),
            Self::Gelu => work.with(Gelu),
            Self::Mish => work.with(Mish),
            Self::Sigmoid => work.with(ScaledSigmoid(0.0)),
            Self::Tanh => work.with(Tanh),
            Self::HardSigmoid => work.with(HardSigmoid),
            Self::ScaledSigmoid(scale) => work.with(ScaledSigmoid(scale as f32)),
        }
    }
}

#[derive(Clone, Copy)]
struct Identity;

impl Curve for Identity {
    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        x
    }

    #[inline(always)]
    fn slope(self, _: f32) -> f32 {
        1.0
    }
}

#[derive(Clone, Copy)]
struct Leaky(f32);

impl Curve for Leaky {
    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        if x < 0.0 { self.0 * x } else { x }
    }

    #[inline(always)]
    fn slope(self, x: f32) -> f32 {
        if x > 0.0 { 1.0 } else { self.0 }
    }
}

#[derive(Clone, Copy)]
struct SmoothLeaky;

impl Curve for SmoothLeaky {
    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        let cubic = x * x * (1.0 - x.abs() * (1.0 / 3.0)) + 2.0 * x + 1.0 / 3.0;
        let line = if x < 0.0 { x } else { 3.0 * x };
        (if x.abs() < 1.0 { cubic } else { line }) * (1.0 / 3.5)
    }

    #[inline(always)]
    fn slope(self, x: f32) -> f32 {
        let inside = x.clamp(-1.0, 1.0);
        (2.0 + inside * (2.0 - inside.abs())) * (1.0 / 3.5)
    }
}

#[derive(Clone, Copy)]
struct Silu;

impl Curve for Silu {
    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        x * sigmoid(x)
    }

    #[inline(always)]
    fn slope(self, x: f32) -> f32 {
        let s = sigmoid(x);
        s * (1.0 + x * (1.0 - s))
    }
}

#[derive(Clone, Copy)]
struct Gelu;

impl Curve for Gelu {
    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        x * normal_distribution(x)
    }

    #[inline(always)]
    fn slope(self, x: f32) -> f32 {
        let density = exp(-0.5 * x * x) * 0.398_942_3; // 1 / sqrt(2 pi)
        normal_distribution(x) + x * density
    }
}

#[derive(Clone, Copy)]
struct Mish;

impl Mish {
    /// `tanh(ln(1 + exp(x)))`, without the logarithm: with `e = exp(x)` it is `e (e + 2) / (e (e + 2) + 2)`, and 1 for large `x`.
    #[inline(always)]
    fn gate(x: f32) -> f32 {
        let e = exp(x.clamp(f32::MIN, 20.0));
        let n = e * (e + 2.0);
        n / (n + 2.0)
    }
}

impl Curve for Mish {
    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        x * Self::gate(x)
    }

    #[inline(always)]
    fn slope(self, x: f32) -> f32 {
        let gate = Self::gate(x);
        gate + x * (1.0 - gate * gate) * sigmoid(x)
    }
}

#[derive(Clone, Copy)]
struct ScaledSigmoid(f32);

impl Curve for ScaledSigmoid {
    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        (1.0 + 2.0 * self.0) * sigmoid(x) - self.0
    }

    #[inline(always)]
    fn slope(self, x: f32) -> f32 {
        let s = sigmoid(x);
        (1.0 + 2.0 * self.0) * s * (1.0 - s)
    }
}

#[derive(Clone, Copy)]
struct Tanh;

impl Curve for Tanh {
    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        let e = exp(-2.0 * x.abs());
        let large = ((1.0 - e) / (1.0 + e)).copysign(x);
        // Near zero the difference above loses its digits, and the series has them: up to x^9.
        let q = x * x;
        let small = x * (1.0 - q * (0.333_333_34 - q * (0.133_333_34 - q * (0.053_968_254 - q * 0.021_869_488))));
        if x.abs() < 0.2 { small } else { large }
    }

    #[inline(always)]
    fn slope(self, x: f32) -> f32 {
        let t = self.value(x);
        1.0 - t * t
    }
}

#[derive(Clone, Copy)]
struct HardSigmoid;

impl Curve for HardSigmoid {
    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        (x * (1.0 / 6.0) + 0.5).clamp(0.0, 1.0)
    }

    #[inline(always)]
    fn slope(self, x: f32) -> f32 {
        if x.abs() < 3.0 { 1.0 / 6.0 } else { 0.0 }
    }
}

/// `1 / (1 + exp(-x))`; the exponential is of a negative number and cannot overflow.
#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    let e = exp(-x.abs());
    let tail = 1.0 / (1.0 + e);
    if x < 0.0 { e * tail } else { tail }
}

/// The standard normal distribution function by the error function of Abramowitz and Stegun 1964, formula 7.1.26, with an error below
/// 8e-8, which is the spacing of `f32` near 1.
#[inline(always)]
fn normal_distribution(x: f32) -> f32 {
    let z = x.abs() * core::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let polynomial = t * (0.254_829_6 + t * (-0.284_496_74 + t * (1.421_413_7 + t * (-1.453_152 + t * 1.061_405_4))));
    let tail = 0.5 * polynomial * exp(-z * z);
    if x < 0.0 { tail } else { 1.0 - tail }
}

/// `exp(x)`, with a relative error below 2e-7; 0 or infinity where `f32` ends, NaN of NaN.
///
/// `x = n ln 2 + r` with a whole `n` and `|r| <= ln 2 / 2`; `exp(r)` by its series up to `r^7`, `2^n` through the exponent's bits.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // Adding this number rounds to a whole one, whose bits are then the lowest of the mantissa.
    const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23
    const LN_2_HIGH: f32 = 0.693_359_4; // 355 / 512, exact in few bits so that n times it is exact
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let inside = x.clamp(-87.3, 88.7);
    let shifted = inside * core::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = inside - n * LN_2_HIGH - n * LN_2_LOW;
    let series = 1.0
        + r * (1.0
            + r * (0.5
                + r * (1.666_666_7e-1
                    + r * (4.166_666_8e-2 + r * (8.333_334e-3 + r * (1.388_888_9e-3 + r * 1.984_127e-4))))));
    // Two halves of the exponent: 2^128 alone is beyond f32.
    let whole = shifted.to_bits().wrapping_sub(ROUND.to_bits()).cast_signed();
    let half = whole >> 1;
    let power = |n: i32| f32::from_bits(((n + 127) << 23).cast_unsigned());
    let y = series * power(half) * power(whole - half);
    let y = if x > 88.722_84 { f32::INFINITY } else { y };
    if x < -87.3 { 0.0 } else { y }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_right_to_two_units_in_the_last_place() {
        for step in -870_000..=887_000 {
            let x = step as f32 * 1e-4;
            let (ours, exact) = (f64::from(exp(x)), f64::from(x).exp());
            assert!((ours - exact).abs() <= 2.0e-7 * exact, "exp({x}) = {ours}, not {exact}");
        }
        assert_eq!(exp(-200.0), 0.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp(f32::INFINITY), f32::INFINITY);
        assert_eq!(exp(100.0), f32::INFINITY);
        assert!(exp(f32::NAN).is_nan());
    }

    struct SlopeIsDerivative(Activation);

    impl WithCurve for SlopeIsDerivative {
        type Output = ();

        fn with<C: Curve>(self, curve: C) {
            for step in -160..=160 {
                let x = step as f32 * 0.05 + 0.012_345; // off the kinks
                let h = 1e-2;
                let difference = (curve.value(x + h) - curve.value(x - h)) / (2.0 * h);
                let slope = curve.slope(x);
                assert!((difference - slope).abs() < 2e-4, "{:?} at {x}: {difference} against {slope}", self.0);
            }
            assert!(curve.value(f32::NAN).is_nan(), "{:?} hides NaN", self.0);
        }
    }

    #[test]
    fn the_slope_is_the_derivative() {
        for kind in [
            Activation::Identity,
            Activation::Relu,
            Activation::LeakyRelu(0.1),
            Activation::SmoothLeaky,
            Activation::Silu,
            Activation::Gelu,
            Activation::Mish,
            Activation::Sigmoid,
            Activation::Tanh,
            Activation::HardSigmoid,
            Activation::ScaledSigmoid(0.01),
        ] {
            kind.with_curve(SlopeIsDerivative(kind));
        }
    }
}
