//! What keeps the values of a decoder's image where they can be.

use burn::tensor::{FloatDType, Tensor};
use cupel_kernels::{Activation, activate};
use cupel_settings::choices;

/// How far [`OutputActivation::ScaleSigmoid`] reaches beyond 0 and 1; the original's value.
const REACH: f64 = 0.01;

choices! {
    /// The last function of a decoder.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum OutputActivation {
        /// Between 0 and 1, which it never reaches
        Sigmoid = "sigmoid",
        /// Any value
        None = "none",
        /// Between -1 and 1
        Tanh = "tanh",
        /// Not negative
        Relu = "relu",
        /// A line kept within 0 and 1
        HardSigmoid = "hardsigmoid" | "hard-sigmoid",
        /// A sigmoid that reaches a hundredth beyond 0 and 1
        ScaleSigmoid = "scalesigmoid" | "scale-sigmoid" | "scaled-sigmoid",
    }
}

impl OutputActivation {
    /// Applies it in f32, whatever the type of `x`.
    pub(crate) fn apply(self, x: Tensor<4>) -> Tensor<4> {
        let kind = match self {
            Self::Sigmoid => Activation::Sigmoid,
            Self::None => Activation::Identity,
            Self::Tanh => Activation::Tanh,
            Self::Relu => Activation::Relu,
            Self::HardSigmoid => Activation::HardSigmoid,
            Self::ScaleSigmoid => Activation::ScaledSigmoid(REACH),
        };
        let x = if matches!(x.dtype(), burn::tensor::DType::F64) { x } else { x.cast(FloatDType::F32) };
        activate(x, kind)
    }
}
