//! Modules on the operations of this crate: convolutions, normalisations, and blocks of convolution, normalisation and activation.
//!
//! Weights and biases begin as in Burn and PyTorch, uniform within `1 / sqrt(fan in)`, with the fan in of `in channels / groups` times
//! the kernel (of a transposed convolution: `out channels / groups`); scales of normalisations at 1, shifts at 0. Weights lie in
//! memory as in PyTorch.

mod block;
mod conv;
mod norm;
mod snake;

pub use block::{
    ConvBlock2d, ConvBlock2dConfig, ConvBlock3d, ConvBlock3dConfig, ConvTransposeBlock2d, ConvTransposeBlock2dConfig,
    ConvTransposeBlock3d, ConvTransposeBlock3dConfig,
};
pub use conv::{
    Conv2d, Conv2dConfig, Conv3d, Conv3dConfig, ConvTranspose2d, ConvTranspose2dConfig, ConvTranspose3d,
    ConvTranspose3dConfig,
};
pub use norm::{BatchNorm, BatchNormConfig, GroupNorm, GroupNormConfig, Norm, NormConfig};
pub use snake::{Snake, SnakeConfig};
