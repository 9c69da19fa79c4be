//! The similarity as tensor operations.

use super::{Similarity, WINDOW_SIZE, multiscale, window};
use burn::tensor::Tensor;

/// See [`ssim_map`](crate::ssim_map).
pub fn ssim_map(x: Tensor<4>, y: Tensor<4>, data_range: f64) -> Tensor<4> {
    similarity_map(x, y, Similarity::new(data_range, true))
}

/// See [`ssim`](crate::ssim).
pub fn ssim(x: Tensor<4>, y: Tensor<4>, data_range: f64) -> Tensor<2> {
    similarity_mean(x, y, Similarity::new(data_range, true))
}

/// See [`ms_ssim`](crate::ms_ssim).
pub fn ms_ssim(x: Tensor<4>, y: Tensor<4>, data_range: f64) -> Tensor<2> {
    multiscale::over_scales(x, y, data_range, similarity_mean)
}

pub(crate) fn similarity_mean(x: Tensor<4>, y: Tensor<4>, similarity: Similarity) -> Tensor<2> {
    let [batch, channels, ..] = x.dims();
    similarity_map(x, y, similarity).mean_dim(3).mean_dim(2).reshape([batch, channels])
}

pub(crate) fn similarity_map(x: Tensor<4>, y: Tensor<4>, similarity: Similarity) -> Tensor<4> {
    // Variances do not change when a constant is taken off an image, and lose fewer digits.
    let (shift_x, shift_y) = (plane_mean(x.clone()), plane_mean(y.clone()));
    let (x, y) = (x - shift_x.clone(), y - shift_y.clone());
    let xx = filter(x.clone() * x.clone());
    let yy = filter(y.clone() * y.clone());
    let xy = filter(x.clone() * y.clone());
    let (x, y) = (filter(x), filter(y));
    let variances = (xx - x.clone() * x.clone()) + (yy - y.clone() * y.clone());
    let covariance = xy - x.clone() * y.clone();
    let structure = (covariance * 2.0 + similarity.c2) / (variances + similarity.c2);
    if !similarity.luminance {
        return structure;
    }
    let (x, y) = (x + shift_x, y + shift_y);
    let luminance = (x.clone() * y.clone() * 2.0 + similarity.c1) / (x.clone() * x + y.clone() * y + similarity.c1);
    luminance * structure
}

fn plane_mean(x: Tensor<4>) -> Tensor<4> {
    x.detach().mean_dim(3).mean_dim(2)
}

/// Mean under the window, along columns and then along rows.
fn filter(x: Tensor<4>) -> Tensor<4> {
    [3, 2].into_iter().fold(x, |x, dim| {
        let length = x.dims()[dim] + 1 - WINDOW_SIZE;
        let sum = x.clone().narrow(dim, 0, length).zeros_like();
        let taps = window().into_iter().enumerate();
        taps.fold(sum, |sum, (k, tap)| sum + x.clone().narrow(dim, k, length) * tap)
    })
}
