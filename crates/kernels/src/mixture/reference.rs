//! The log likelihood as tensor operations.

use crate::sum::reference::sum_fixed;
use burn::tensor::{Tensor, activation::softmax};

/// See [`mixture_log_likelihood`](crate::mixture_log_likelihood).
pub fn mixture_log_likelihood(
    observations: Tensor<2>,
    logits: Tensor<2>,
    endmembers: Tensor<2>,
    brightness: Option<Tensor<1>>,
    log_noise: Tensor<1>,
) -> Tensor<1> {
    let [pixels, bands] = observations.dims();
    let [noises] = log_noise.dims();
    let mixed = softmax(logits, 1).matmul(endmembers);
    let expected = match brightness {
        Some(brightness) => mixed * brightness.unsqueeze_dim(1),
        None => mixed,
    };
    let residuals = (observations - expected) / log_noise.clone().exp().unsqueeze_dim(0);
    let constant = 0.5 * (pixels * bands) as f64 * std::f64::consts::TAU.ln();
    let log_noises = log_noise.sum() * (pixels * bands / noises) as f64;
    sum_fixed(residuals.clone() * residuals) * -0.5 - log_noises - constant
}
