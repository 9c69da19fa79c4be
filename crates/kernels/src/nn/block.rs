//! Convolution, normalisation and activation as one block.
//!
//! In training the convolution pads without a copy, normalisation and activation are one pass over its result, and the backward pass keeps
//! that result alone: the gradient for it takes the memory of the gradient that comes in. In use a batch normalisation is merged into the
//! parameters of the convolution, and the activation works in place.

use super::{
    Conv2d, Conv2dConfig, Conv3d, Conv3dConfig, ConvTranspose2d, ConvTranspose2dConfig, ConvTranspose3d,
    ConvTranspose3dConfig, Norm, NormConfig,
};
use crate::{Activation, activate};
use burn::{
    module::Module,
    tensor::{Device, Tensor},
};

/// Defines a block and its configuration around a convolution.
macro_rules! block {
    ($block:ident, $config:ident, $conv:ident, $conv_config:ident, $rank:literal, $what:literal) => {
        #[doc = concat!("Settings of a block of ", $what, ", normalisation and activation.")]
        #[derive(Clone, Debug)]
        pub struct $config {
            /// The convolution.
            pub conv: $conv_config,
            /// What follows it.
            pub norm: NormConfig,
            /// What follows that.
            pub activation: Activation,
        }

        impl $config {
            /// The block with fresh parameters.
            ///
            /// # Panics
            #[doc = concat!("With the texts of [`", stringify!($conv_config), "::init`].")]
            pub fn init(&self, device: &Device) -> $block {
                $block {
                    conv: self.conv.init(device),
                    norm: self.norm.init(self.conv.channels[1], device),
                    activation: self.activation,
                }
            }
        }

        #[doc = concat!("A block of ", $what, ", normalisation and activation.")]
        #[derive(Module, Debug)]
        pub struct $block {
            /// The convolution.
            pub conv: $conv,
            /// What follows it.
            pub norm: Option<Norm>,
            #[module(skip)]
            activation: Activation,
        }

        impl $block {
            /// Applies all three to `x`, `[batch, channels, ..]`.
            pub fn forward(&self, x: Tensor<$rank>) -> Tensor<$rank> {
                match &self.norm {
                    None => activate(self.conv.forward(x), self.activation),
                    Some(Norm::Batch(norm)) if !norm.trains(&x) => {
                        self.conv.forward_scaled(x, norm.line(), self.activation)
                    }
                    Some(norm) => norm.forward(self.conv.forward(x), self.activation),
                }
            }
        }
    };
}

block!(ConvBlock2d, ConvBlock2dConfig, Conv2d, Conv2dConfig, 4, "two-dimensional convolution");
block!(ConvBlock3d, ConvBlock3dConfig, Conv3d, Conv3dConfig, 5, "three-dimensional convolution");
block!(
    ConvTransposeBlock2d,
    ConvTransposeBlock2dConfig,
    ConvTranspose2d,
    ConvTranspose2dConfig,
    4,
    "two-dimensional transposed convolution"
);
block!(
    ConvTransposeBlock3d,
    ConvTransposeBlock3dConfig,
    ConvTranspose3d,
    ConvTranspose3dConfig,
    5,
    "three-dimensional transposed convolution"
);
