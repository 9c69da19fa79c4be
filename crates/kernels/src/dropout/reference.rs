//! Dropout by Burn's own operations.

use super::TILE;
use crate::{philox::LANES, philox_uniform};
use burn::tensor::Tensor;

/// See [`dropout`](crate::dropout).
pub fn dropout<const D: usize>(x: Tensor<D>, share: f64, key: [u32; 2], counter: [u32; 2]) -> Tensor<D> {
    let (shape, count) = (x.dims(), x.dims().iter().product::<usize>());
    if count == 0 {
        return x;
    }
    let tiles = count.div_ceil(TILE);
    let draws = philox_uniform([tiles, LANES, 4], key, counter, &x.device());
    let draws = draws.swap_dims(1, 2).reshape([tiles * TILE]).narrow(0, 0, count).reshape(shape);
    // Burn differentiates a division by a number in f32, whatever the dtype.
    x.mul_scalar(1.0 / (1.0 - share)).mask_fill(draws.lower_elem(share as f32), 0.0)
}
