//! The same by Burn's own operations, on any backend; statistics in f32 at least.

use super::{Normalization, Normalized, Share};
use crate::activation::{self, Activation};
use burn::tensor::{DType, Tensor};

/// See [`normalize`](crate::normalize).
///
/// # Panics
/// With the texts of [`normalize`](crate::normalize).
pub fn normalize<const D: usize>(x: Tensor<D>, gamma: Tensor<1>, beta: Tensor<1>, how: Normalization) -> Normalized<D> {
    super::check(&x, &gamma, &beta, how);
    let (dtype, shape) = (x.dtype(), x.dims());
    let wide = if dtype == DType::F64 { DType::F64 } else { DType::F32 };
    let (batch, channels) = (shape[0], shape[1]);
    let places: usize = shape[2..].iter().product();
    // [cells, values of a cell]
    let rows = match how.share {
        Share::Batch => {
            x.cast(wide).reshape([batch, channels, places]).swap_dims(0, 1).reshape([channels, batch * places])
        }
        Share::Group(groups) => x.cast(wide).reshape([batch * groups, channels / groups * places]),
    };
    let mean = rows.clone().mean_dim(1);
    let centred = rows - mean.clone();
    let variance = (centred.clone() * centred.clone()).mean_dim(1);
    let standard = centred / variance.clone().add_scalar(how.epsilon).sqrt();
    let standard = match how.share {
        Share::Batch => standard.reshape([channels, batch, places]).swap_dims(0, 1).reshape(shape),
        Share::Group(_) => standard.reshape(shape),
    };
    let mut per_channel = [1; D];
    per_channel[1] = channels;
    let u = standard * gamma.cast(wide).reshape(per_channel) + beta.cast(wide).reshape(per_channel);
    let cells = mean.dims()[0];
    Normalized {
        output: activation::reference(u, how.activation).cast(dtype),
        mean: mean.detach().reshape([cells]),
        variance: variance.detach().reshape([cells]),
    }
}

/// See [`activate`](crate::activate).
pub fn activate<const D: usize>(x: Tensor<D>, kind: Activation) -> Tensor<D> {
    activation::reference(x, kind)
}
