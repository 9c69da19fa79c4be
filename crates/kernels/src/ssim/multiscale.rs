//! Structural similarity over five scales.

use super::{Similarity, WINDOW_SIZE, check, mean};
use crate::own;
use burn::tensor::{Tensor, module::avg_pool2d, ops::AvgPoolOptions};

/// Exponents of the scales from fine to coarse; table of the paper, whose sum is one.
pub(crate) const WEIGHTS: [f64; 5] = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333];
/// Shortest side: the window must fit into the coarsest scale.
pub(crate) const SMALLEST: usize = WINDOW_SIZE << (WEIGHTS.len() - 1);
/// A power of nothing has no derivative: below this, a similarity counts as nought.
const FLOOR: f64 = 1e-30;

/// Mean structural similarity over five scales of every pair of planes, in f32 or wider.
///
/// `cs` of scales 1 to 4 and `l cs` of scale 5, each averaged over its map, to the powers of the paper; a scale whose mean is
/// negative makes the result nought, and its gradient too. Each scale is the one before averaged over 2 x 2 pixels; an odd
/// last row or column is left out.
///
/// # Shapes
/// `x` and `y` are `[batch, channel, row, column]`; the result is `[batch, channel]`.
///
/// # Panics
/// When the shapes differ, a side is shorter than 176 (the window at the coarsest scale), or `data_range` is not positive
/// and finite.
pub fn ms_ssim(x: Tensor<4>, y: Tensor<4>, data_range: f64) -> Tensor<2> {
    check("ms_ssim", &x, &y, data_range, SMALLEST);
    own::at_least_f32(x, |x| over_scales(x.clone(), y.cast(x.dtype()), data_range, mean))
}

/// The product over scales of the powers of `mean`.
pub(crate) fn over_scales(
    mut x: Tensor<4>,
    mut y: Tensor<4>,
    data_range: f64,
    mean: impl Fn(Tensor<4>, Tensor<4>, Similarity) -> Tensor<2>,
) -> Tensor<2> {
    let [batch, channels, ..] = x.dims();
    let mut product = Tensor::ones([batch, channels], (&x.device(), x.dtype()));
    for (scale, weight) in WEIGHTS.into_iter().enumerate() {
        if scale > 0 {
            (x, y) = (halve(x), halve(y));
        }
        let last = scale + 1 == WEIGHTS.len();
        let mean = mean(x.clone(), y.clone(), Similarity::new(data_range, last));
        let positive = mean.clone().greater_elem(0.0).float().cast(mean.dtype());
        product = product * positive * mean.clamp_min(FLOOR).powf_scalar(weight);
    }
    product
}

fn halve(x: Tensor<4>) -> Tensor<4> {
    avg_pool2d(x, AvgPoolOptions::new([2, 2]))
}
