//! Burn operations that are faster, or more exact, than the stock ones.
//!
//! Every operation is a free function on tensors. It runs a body of its own where it has one, which is on Burn's CPU backend
//! flex, in training too; everywhere else it is its [`mod@reference`]: the same function of tensor operations only. No operation
//! panics because a backend lacks it, and [`set_own_kernels`] turns all own bodies off.
//!
//! The crate knows nothing of the rest of cupel. How to add an operation is in `docs/kernels.md`.
//!
//! # Example
//! ```
//! # #[cfg(feature = "flex")] {
//! use burn::tensor::{Device, Tensor};
//! let x = Tensor::<1>::from_floats([1.0, 2.0, 4.0], &Device::flex());
//! assert_eq!(cupel_kernels::sum_fixed(x).into_scalar::<f32>(), 7.0);
//! # }
//! ```
// Without flex there are no own bodies, and nobody reads what they are given.
#![cfg_attr(not(feature = "flex"), allow(dead_code, unused_variables))]

mod activation;
mod adamw;
mod aperture;
mod conv;
mod dropout;
mod embedding;
mod fft;
#[cfg(feature = "flex")]
mod flex;
mod gradient;
mod interactions;
mod likelihood;
mod linear;
mod low_rank;
mod memory;
#[cfg(feature = "flex")]
mod micro;
mod mixture;
pub mod nn;
mod normalization;
mod own;
mod philox;
mod pie;
mod project;
mod resample;
mod ssim;
mod sum;
mod vectorized;

pub use activation::Activation;
pub use adamw::{AdamWStep, adamw};
pub use aperture::{Direction, SubApertures, sub_aperture_amplitudes, sub_apertures};
pub use conv::{ConvSpec, ConvTransposeSpec, Pad, conv_transpose2d, conv_transpose3d, conv2d, conv3d};
pub use dropout::dropout;
pub use embedding::embedding;
pub use fft::{fft, fft2, ifft, ifft2, irfft, irfft2, rfft, rfft2};
pub use interactions::{bi_interaction, gram_pairs};
pub use likelihood::{Likelihood, Measured, sub_aperture_likelihood};
pub use linear::linear;
pub use low_rank::{LowRank, project_low_rank};
pub use memory::Recycling;
pub use mixture::mixture_log_likelihood;
pub use normalization::{Normalization, Normalized, Share, activate, normalize};
pub use own::{own_kernels, set_own_kernels};
pub use philox::{philox_normal, philox_uniform};
pub use pie::{PieSweep, PieSwept, pie_sweep};
pub use project::{Noise, Projection, Transform, project_out};
pub use resample::{average_pool3d, blur_pool3d, upsample3d};
pub use ssim::{ms_ssim, ssim, ssim_map};
pub use sum::{mean_dim_fixed, mean_fixed, sum_dim_fixed, sum_fixed, sum_squares_fixed};

/// Every operation as tensor operations only: what the own bodies are tested against and replaced by.
pub mod reference {
    pub use crate::adamw::reference::adamw;
    pub use crate::aperture::reference::{sub_aperture_amplitudes, sub_apertures};
    pub use crate::conv::reference::{conv_transpose2d, conv_transpose3d, conv2d, conv3d};
    pub use crate::dropout::reference::dropout;
    pub use crate::embedding::reference::embedding;
    pub use crate::fft::reference::{fft, fft2, ifft, ifft2, irfft, irfft2, rfft, rfft2};
    pub use crate::interactions::reference::{bi_interaction, gram_pairs};
    pub use crate::likelihood::reference::sub_aperture_likelihood;
    pub use crate::linear::reference::linear;
    pub use crate::low_rank::reference::project_low_rank;
    pub use crate::mixture::reference::mixture_log_likelihood;
    pub use crate::normalization::reference::{activate, normalize};
    pub use crate::pie::reference::pie_sweep;
    pub use crate::project::reference::project_out;
    pub use crate::resample::reference::{average_pool3d, blur_pool3d, upsample3d};
    pub use crate::ssim::reference::{ms_ssim, ssim, ssim_map};
    pub use crate::sum::reference::{mean_dim_fixed, mean_fixed, sum_dim_fixed, sum_fixed, sum_squares_fixed};
}
