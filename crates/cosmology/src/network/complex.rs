//! Complex numbers in a network: channels come as all real parts, then all imaginary parts.
//!
//! `W z = (A + iB)(x + iy)` is a real convolution with the weight `[[A, -B], [B, A]]`, so that it commutes with a common phase of all
//! channels. Norms and activations act on moduli and keep the phase: a root of the mean square in place of mean and variance, and
//! `modReLU(z) = max(|z| + b, 0) z / |z|` with a learnt `b` (M. Arjovsky et al. 2016, arXiv:1511.06464). Without biases the whole network
//! turns by a phase when its input does: the gauge freedom of visibilities.

use burn::{
    module::{Initializer, Module, Param},
    tensor::{Device, FloatDType, Tensor, activation::relu},
};
use cupel_kernels::{ConvSpec, conv3d, mean_dim_fixed, nn::NormConfig};
use cupel_train::full;

/// Added to mean squares and to squared moduli.
const EPSILON: f64 = 1e-5;

/// A convolution of complex numbers.
#[derive(Module, Debug)]
pub(super) struct ComplexConv3d {
    /// `[out / 2, in / 2, kernel ..]`.
    re: Param<Tensor<5>>,
    im: Param<Tensor<5>>,
    #[module(skip)]
    spec: ConvSpec<3>,
}

impl ComplexConv3d {
    /// Halves of `channels` are real parts, so both are even.
    pub(super) fn new([input, output]: [usize; 2], kernel: [usize; 3], spec: ConvSpec<3>, device: &Device) -> Self {
        assert!(input % 2 == 0 && output % 2 == 0, "complex numbers need even channels, not {input} and {output}");
        let [a, b, c] = kernel;
        let shape = [output / 2, input / 2, a, b, c];
        // the fan in of the whole real weight
        let uniform = Initializer::KaimingUniform { gain: 1.0 / 3.0f64.sqrt(), fan_out_only: false };
        let of = || uniform.init_with(shape, Some(input * a * b * c), None, device);
        Self { re: of(), im: of(), spec }
    }

    pub(super) fn zeroed(mut self, device: &Device) -> Self {
        self.re = Initializer::Zeros.init(self.re.lazy_shape(), device);
        self.im = Initializer::Zeros.init(self.im.lazy_shape(), device);
        self
    }

    pub(super) fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        let (re, im) = (self.re.val(), self.im.val());
        let above = Tensor::cat(vec![re.clone(), im.clone().neg()], 1);
        let below = Tensor::cat(vec![im, re], 1);
        conv3d(x, Tensor::cat(vec![above, below], 0), None, self.spec)
    }
}

/// Moduli divided by the root of their mean square, times a learnt number, over groups of channels of a sample.
///
/// Its name ends in `Norm`, so that its numbers stay f32.
#[derive(Module, Debug)]
struct ModulusNorm {
    gamma: Param<Tensor<1>>,
    groups: usize,
}

/// A norm of moduli, if any, and the activation of moduli.
#[derive(Module, Debug)]
pub(super) struct ComplexNormActivation {
    norm: Option<ModulusNorm>,
    /// What is added to moduli.
    offset: Param<Tensor<1>>,
}

impl ComplexNormActivation {
    /// For `channels` that are twice as many as complex ones. A norm over the batch counts as one of each channel.
    pub(super) fn new(norm: NormConfig, channels: usize, device: &Device) -> Self {
        let channels = channels / 2;
        let groups = match norm {
            NormConfig::None => None,
            NormConfig::Layer => Some(1),
            NormConfig::Group(most) => (1..=most.clamp(1, channels)).rev().find(|n| channels.is_multiple_of(*n)),
            _ => Some(channels),
        };
        let gamma = || Initializer::Ones.init([channels], device);
        Self {
            norm: groups.map(|groups| ModulusNorm { gamma: gamma(), groups }),
            offset: Initializer::Zeros.init([channels], device),
        }
    }

    pub(super) fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        full(x, |x| {
            let [batch, channels, extents @ ..] = x.dims();
            let (channels, places) = (channels / 2, extents.iter().product::<usize>());
            let mut z = x.clone().reshape([batch, 2, channels, places]); // [batch, part, channel, place]
            if let Some(ModulusNorm { gamma, groups }) = &self.norm {
                let each = channels / groups * places;
                let grouped = z.reshape([batch, 2, *groups, each]);
                let power = (grouped.clone() * grouped.clone()).sum_dim(1);
                let mean = mean_dim_fixed(power, 3).add_scalar(EPSILON); // [batch, 1, group, 1]
                let gamma = gamma.val().cast(x.dtype()).reshape([1, 1, channels, 1]);
                z = (grouped / mean.sqrt()).reshape([batch, 2, channels, places]) * gamma;
            }
            let modulus = (z.clone() * z.clone()).sum_dim(1).add_scalar(EPSILON).sqrt(); // [batch, 1, channel, place]
            let offset = self.offset.val().cast(FloatDType::from(x.dtype())).reshape([1, 1, channels, 1]);
            let factor = relu(modulus.clone() + offset) / modulus;
            (z * factor).reshape(x.dims())
        })
    }
}
