//! Convolutions of `f32` slices on the CPU.
//!
//! The tensors stay channel-first, and each task works on a strip of the target. Volumes whose kernel has 3 x 3 elements in its first two axes, with
//! stride 1, go through [`planes`], planes with few channels through [`rows`]; else a task turns strips of the source into channel-last tiles that fit the second cache, for [`winograd`] where
//! the kernel has 3 x 3 elements in its last two axes and stride 1, for [`direct`] in all other cases. The micro-kernels of [`crate::micro`] do the
//! rest. Which values are added in which order follows from the extents alone: the number of threads changes nothing.

mod correlation;
mod direct;
mod planes;
mod rows;
mod scratch;
mod strips;
mod tile;
mod transpose;
mod weights;
mod winograd;

use super::{Geometry, Pad};
use crate::activation::{self, Activation};
use correlation::Correlation;

/// What comes to a result: a number for each channel, and an activation.
pub(crate) type After<'a> = (&'a [f32], Activation);

/// `y`, `[batch, out channels, d', h', w']`, from `x`, `[batch, in channels, d, h, w]`, and `w`,
/// `[out channels, in channels / groups, kd, kh, kw]`.
pub(crate) fn forward(g: &Geometry, x: &[f32], w: &[f32], after: After<'_>, y: &mut [f32]) {
    strips::run(&Correlation::forward(g), x, w, after, y);
}

/// The gradient `dx` of `x` from `dy`: also the transposed convolution of `dy`.
pub(crate) fn input_gradient(g: &Geometry, w: &[f32], dy: &[f32], after: After<'_>, dx: &mut [f32]) {
    let folded: [bool; 3] = std::array::from_fn(|axis| Correlation::folds(g, axis));
    if folded == [false; 3] {
        strips::run(&Correlation::input_gradient(g), dy, w, after, dx);
        return;
    }
    // Along a folded axis the gradient of the padded input comes first, and then every position is added to the one it repeats.
    let mut padded = *g;
    for axis in (0..3).filter(|&axis| folded[axis]) {
        padded.input[axis] += padded.padding[axis][0] + padded.padding[axis][1];
        padded.padding[axis] = [0; 2];
        padded.mode[axis] = Pad::Zero;
    }
    let mut gradient = vec![0.0; g.batch * g.in_channels * padded.input.iter().product::<usize>()];
    let nothing = vec![0.0; g.in_channels];
    strips::run(&Correlation::input_gradient(&padded), dy, w, (&nothing, Activation::Identity), &mut gradient);
    fold(g, padded.input, &gradient, after, dx);
}

/// The gradient `dw` of `w`.
pub(crate) fn weight_gradient(g: &Geometry, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    weights::gradient(&Correlation::forward(g), x, dy, dw);
}

/// Adds each position of the padded extents to the one of the input that it repeats.
fn fold(g: &Geometry, padded: [usize; 3], gradient: &[f32], (bias, then): After<'_>, dx: &mut [f32]) {
    use rayon::prelude::*;
    let sources: [Vec<Option<usize>>; 3] = std::array::from_fn(|axis| {
        let before = if padded[axis] == g.input[axis] { 0 } else { g.padding[axis][0] };
        let source = |position: usize| g.mode[axis].source(position as isize - before as isize, g.input[axis]);
        (0..padded[axis]).map(source).collect()
    });
    let [_, height, width] = g.input;
    let channels = dx.par_chunks_mut(g.input.iter().product());
    channels.zip(gradient.par_chunks(padded.iter().product())).enumerate().for_each(|(plane, (dx, gradient))| {
        dx.fill(bias[plane % g.in_channels]);
        for (d, plane) in gradient.chunks_exact(padded[1] * padded[2]).enumerate() {
            for (h, row) in plane.chunks_exact(padded[2]).enumerate() {
                let (Some(d), Some(h)) = (sources[0][d], sources[1][h]) else { continue };
                let target = &mut dx[(d * height + h) * width..][..width];
                for (&value, source) in row.iter().zip(&sources[2]) {
                    if let Some(w) = *source {
                        target[w] += value;
                    }
                }
            }
        }
        activation::cpu::forward_here(dx, then);
    });
}
