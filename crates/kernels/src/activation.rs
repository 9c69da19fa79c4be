//! Activations: one list for the modules, the fused operations and the reference.
//!
//! The smooth leaky unit is the one of the cosmology network: `x` below -1, `3 x` above 1, between them the cubic that joins both
//! with a continuous slope, all divided by 3.5. Mish: Misra 2019, arXiv:1908.08681. GELU: Hendrycks and Gimpel 2016,
//! arXiv:1606.08415, in its exact form. SiLU: Elfwing et al. 2018, doi:10.1016/j.neunet.2017.12.012.

use burn::tensor::{Tensor, activation};

#[cfg(feature = "flex")]
pub(crate) mod cpu;
#[cfg(feature = "flex")]
pub(crate) mod curve;

/// A function of each value on its own.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Activation {
    /// `x`.
    #[default]
    Identity,
    /// `max(x, 0)`.
    Relu,
    /// `x`, and this many times `x` below 0.
    LeakyRelu(f64),
    /// `x / 3.5` below -1, `3 x / 3.5` above 1, `(-|x|^3 / 3 + x^2 + 2 x + 1/3) / 3.5` between.
    SmoothLeaky,
    /// `x / (1 + exp(-x))`.
    Silu,
    /// `x` times the normal distribution function of `x`.
    Gelu,
    /// `x tanh(ln(1 + exp(x)))`.
    Mish,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// `tanh(x)`.
    Tanh,
    /// `x / 6 + 1/2`, kept within 0 and 1.
    HardSigmoid,
    /// `(1 + 2 s) sigmoid(x) - s`: a sigmoid that reaches 0 and 1.
    ScaledSigmoid(f64),
}

/// The same by Burn's own operations, on any backend and in any dtype.
pub(crate) fn reference<const D: usize>(x: Tensor<D>, kind: Activation) -> Tensor<D> {
    match kind {
        Activation::Identity => x,
        Activation::Relu => activation::relu(x),
        Activation::LeakyRelu(slope) => activation::leaky_relu(x, slope),
        Activation::SmoothLeaky => {
            // Inside the cubic; outside the straight lines that continue it, so that no branch sees infinities.
            let inside = x.clone().clamp(-1.0, 1.0);
            let square = inside.clone() * inside.clone();
            let cubic = square.clone() * inside.clone().abs().mul_scalar(-1.0 / 3.0) + square + inside.mul_scalar(2.0);
            let above = activation::relu(x.clone().sub_scalar(1.0)).mul_scalar(3.0);
            let below = activation::relu(x.neg().sub_scalar(1.0));
            (cubic.add_scalar(1.0 / 3.0) + above - below).mul_scalar(1.0 / 3.5)
        }
        Activation::Silu => activation::silu(x),
        Activation::Gelu => {
            // Burn's own has the gradient of another formula on GPUs, which is off by 5e-4.
            let below = x.clone().mul_scalar(core::f64::consts::FRAC_1_SQRT_2).erf().add_scalar(1.0).mul_scalar(0.5);
            x * below
        }
        Activation::Mish => activation::mish(x),
        Activation::Sigmoid => activation::sigmoid(x),
        Activation::Tanh => activation::tanh(x),
        Activation::HardSigmoid => activation::hard_sigmoid(x, 1.0 / 6.0, 0.5),
        Activation::ScaledSigmoid(scale) => activation::sigmoid(x).mul_scalar(1.0 + 2.0 * scale).sub_scalar(scale),
    }
}
