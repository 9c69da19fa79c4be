//! Convolutions with their parameters.

use crate::{Activation, ConvSpec, ConvTransposeSpec, conv, conv_transpose2d, conv_transpose3d, conv2d, conv3d};
use burn::{
    module::{Initializer, Module, Param},
    tensor::{Device, Tensor},
};

/// Uniform within `1 / sqrt(fan in)`.
fn initialized<const D: usize>(shape: [usize; D], fan_in: usize, device: &Device) -> Param<Tensor<D>> {
    let uniform = Initializer::KaimingUniform { gain: 1.0 / 3.0f64.sqrt(), fan_out_only: false };
    uniform.init_with(shape, Some(fan_in), None, device)
}

/// Defines a module and its configuration: names, rank of the kernel and of tensors, specification, function, and which channel of
/// `[in, out]` comes first in the weight.
macro_rules! convolution {
    ($module:ident, $config:ident, $axes:literal, $rank:literal, $spec:ident, $function:ident, $then:path, $first:literal, $what:literal) => {
        #[doc = concat!("Settings of ", $what, ".")]
        #[derive(Clone, Debug)]
        pub struct $config {
            /// Input and output channels.
            pub channels: [usize; 2],
            /// Extents of the kernel.
            pub kernel: [usize; $axes],
            /// Stride, padding and groups.
            pub spec: $spec<$axes>,
            /// Whether a number per output channel is added.
            pub bias: bool,
        }

        impl $config {
            /// Stride 1, no padding, one group, with a bias.
            pub fn new(channels: [usize; 2], kernel: [usize; $axes]) -> Self {
                Self { channels, kernel, spec: $spec::default(), bias: true }
            }

            /// With this stride, padding and groups.
            pub fn with_spec(mut self, spec: $spec<$axes>) -> Self {
                self.spec = spec;
                self
            }

            /// With or without a bias.
            pub fn with_bias(mut self, bias: bool) -> Self {
                self.bias = bias;
                self
            }

            /// The module with fresh parameters.
            ///
            /// # Panics
            /// "3 groups do not divide 4 and 6 channels".
            pub fn init(&self, device: &Device) -> $module {
                let ([input, output], groups) = (self.channels, self.spec.groups);
                assert!(
                    groups > 0 && input.is_multiple_of(groups) && output.is_multiple_of(groups),
                    "{groups} groups do not divide {input} and {output} channels"
                );
                let (first, second) = (self.channels[$first], self.channels[1 - $first] / groups);
                let mut shape = [first, second, 0, 0, 0];
                shape[2..$rank].copy_from_slice(&self.kernel);
                let shape: [usize; $rank] = std::array::from_fn(|axis| shape[axis]);
                let fan_in = shape[1..].iter().product();
                $module {
                    weight: initialized(shape, fan_in, device),
                    bias: self.bias.then(|| initialized([output], fan_in, device)),
                    spec: self.spec,
                }
            }
        }

        #[doc = concat!("A module of ", $what, ".")]
        #[derive(Module, Debug)]
        pub struct $module {
            #[doc = concat!("As the weight of [`", stringify!($function), "`](crate::", stringify!($function), ").")]
            pub weight: Param<Tensor<$rank>>,
            /// `[out channels]`.
            pub bias: Option<Param<Tensor<1>>>,
            #[module(skip)]
            spec: $spec<$axes>,
        }

        impl $module {
            #[doc = concat!("[`", stringify!($function), "`](crate::", stringify!($function), ") of `x` with the parameters.")]
            pub fn forward(&self, x: Tensor<$rank>) -> Tensor<$rank> {
                $function(x, self.weight.val(), self.bias.as_ref().map(Param::val), self.spec)
            }

            /// The convolution with its result times `scale` plus `shift`, of `[out channels]` each, which are merged into the
            /// parameters, and an activation behind it.
            pub(crate) fn forward_scaled(
                &self,
                x: Tensor<$rank>,
                (scale, shift): (Tensor<1>, Tensor<1>),
                activation: Activation,
            ) -> Tensor<$rank> {
                let weight = self.weight.val();
                let (dtype, mut shape) = (weight.dtype(), weight.dims());
                let groups = self.spec.groups;
                // The output channels are the first axis, or groups and second axis of a transposed convolution.
                let wide = weight.cast(scale.dtype());
                let weight = if $first == 1 {
                    let channels = shape[0];
                    shape = [1; $rank];
                    shape[0] = channels;
                    wide * scale.clone().reshape(shape)
                } else {
                    let [inputs, outputs] = [shape[0] / groups, shape[1]];
                    let kernel = shape[2..].iter().product::<usize>();
                    let scaled = wide.reshape([groups, inputs, outputs, kernel])
                        * scale.clone().reshape([groups, 1, outputs, 1]);
                    scaled.reshape(shape)
                };
                let bias = match &self.bias {
                    Some(bias) => bias.val().cast(scale.dtype()) * scale + shift,
                    None => shift,
                };
                $then(x, weight.cast(dtype), Some(bias.cast(dtype)), self.spec, activation)
            }
        }
    };
}

convolution!(Conv2d, Conv2dConfig, 2, 4, ConvSpec, conv2d, conv::conv2d_then, 1, "two-dimensional convolution");
convolution!(Conv3d, Conv3dConfig, 3, 5, ConvSpec, conv3d, conv::conv3d_then, 1, "three-dimensional convolution");
convolution!(
    ConvTranspose2d,
    ConvTranspose2dConfig,
    2,
    4,
    ConvTransposeSpec,
    conv_transpose2d,
    conv::conv_transpose2d_then,
    0,
    "two-dimensional transposed convolution"
);
convolution!(
    ConvTranspose3d,
    ConvTranspose3dConfig,
    3,
    5,
    ConvTransposeSpec,
    conv_transpose3d,
    conv::conv_transpose3d_then,
    0,
    "three-dimensional transposed convolution"
);
