//! What becomes of scaled values: nothing, or the inverse hyperbolic sine, which is linear about zero and a logarithm far from it.

use burn::{
    backend::{Backend, tensor::FloatTensor},
    tensor::Tensor,
};

/// A function of every value of a [`Projection`](crate::Projection).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transform {
    /// None.
    #[default]
    Linear,
    /// `arcsinh(v)`.
    Arcsinh,
}

impl Transform {
    /// The function of every value.
    pub fn apply<const D: usize>(self, values: Tensor<D>) -> Tensor<D> {
        match self {
            Transform::Linear => values,
            Transform::Arcsinh => values.asinh(),
        }
    }

    /// The values whose function this is: `sinh(v)` takes an inverse hyperbolic sine back.
    pub fn invert<const D: usize>(self, values: Tensor<D>) -> Tensor<D> {
        match self {
            Transform::Linear => values,
            Transform::Arcsinh => values.sinh(),
        }
    }

    /// What [`gradient`] needs of the output.
    pub(crate) fn kept<B: Backend>(self, output: &FloatTensor<B>) -> Option<FloatTensor<B>> {
        (self == Transform::Arcsinh).then(|| output.clone())
    }
}

/// The gradient before the transform from that behind it: with `y = arcsinh(v)`,
/// `dy/dv = 1 / sqrt(1 + v^2) = 1 / cosh(y)`.
pub(crate) fn gradient<B: Backend>(gradient: FloatTensor<B>, output: Option<FloatTensor<B>>) -> FloatTensor<B> {
    match output {
        Some(output) => B::float_div(gradient, B::float_cosh(output)),
        None => gradient,
    }
}

/// `ln(|v| + sqrt(v^2 + 1))` with the sign of `v`, in the precision of f32 from the smallest value to the largest: as `ln(1 + w)` with
/// `w = |v| + v^2 / (1 + sqrt(v^2 + 1))`, from 4096 on as `ln(2 |v|)`. Without branches, so that loops over it compile to vectors.
#[cfg(feature = "flex")]
#[inline(always)]
pub(crate) fn arcsinh(v: f32) -> f32 {
    /// Up to here `arcsinh(v)` is `v` in f32.
    const SMALL: f32 = 1e-4;
    /// From here on `sqrt(v^2 + 1)` is `|v|` in f32.
    const LARGE: f32 = 4096.0;
    /// The bits of sqrt(1/2).
    const ROOT: u32 = 0x3f35_04f3;
    let size = v.abs();
    let large = size >= LARGE;
    let small = if large { 0.0 } else { size };
    let square = small * small;
    let w = small + square / (1.0 + (1.0 + square).sqrt());
    // 1 + w = u + rest, where u is rounded; u = 2^exponent (1 + x) with 1 + x between sqrt(1/2) and sqrt(2)
    let sum = 1.0 + w;
    let rest = if w < 1.0 { w - (sum - 1.0) } else { 1.0 - (sum - w) };
    let (u, rest) = if large { (size, 0.0) } else { (sum, rest) };
    let offset = u.to_bits().wrapping_sub(ROOT);
    let exponent = (offset as i32) >> 23;
    let mantissa = f32::from_bits((offset & 0x007f_ffff).wrapping_add(ROOT));
    let x = (mantissa - 1.0) + rest * f32::from_bits(((127 - exponent.min(127)) as u32) << 23);
    let exponent = exponent + i32::from(large);
    let logarithm = exponent as f32 * std::f32::consts::LN_2 + super::noise::log_of_one_and(x);
    // what is not finite stays so
    let changed = (size > SMALL) & (size < f32::INFINITY);
    (if changed { logarithm } else { size }).copysign(v)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::arcsinh;

    /// Every 9973rd f32: all sizes, both signs, what is not finite.
    #[test]
    fn arcsinh_is_exact_to_a_few_units_of_f32() {
        for bits in (0..=u32::MAX).step_by(9973) {
            let v = f32::from_bits(bits);
            let (got, expected) = (arcsinh(v), f64::from(v).asinh());
            if v.is_nan() {
                assert!(got.is_nan(), "{v}");
                continue;
            }
            let error = (f64::from(got) - expected).abs();
            assert!(
                got.is_infinite() && v.is_infinite() || error <= 4e-7 * expected.abs(),
                "{v}: {got}, not {expected}"
            );
        }
        assert_eq!(arcsinh(0.0).to_bits(), 0.0f32.to_bits());
        assert_eq!(arcsinh(-0.0).to_bits(), (-0.0f32).to_bits());
        assert_eq!([f32::INFINITY, f32::NEG_INFINITY].map(arcsinh), [f32::INFINITY, f32::NEG_INFINITY]);
    }
}
