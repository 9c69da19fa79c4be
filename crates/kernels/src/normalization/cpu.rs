//! Normalisation and activation in one pass over slices: `y = f(u)`, `u = gamma (z - mean) / sd + beta`.
//!
//! Values are cut into blocks of fixed length; a block's sums are made in one order whatever the number of threads, and are added up in
//! the order of the blocks. Sums are in `f64`. The backward pass keeps nothing but `z`: with `g = dy f'(u)` and
//! `v = (z - mean) / sd`, and `m1`, `m2` the means of `gamma g` and `gamma g v` over the values that share a mean,
//! `dz = (gamma g - m1 - v m2) / sd` (Ioffe and Szegedy 2015, arXiv:1502.03167).

use rayon::prelude::*;

use super::Share;
use crate::{
    activation::{
        Activation,
        curve::{Curve, WithCurve},
    },
    vectorized::vectorized,
};

/// Values that one task handles: large against the cost of a task, small against a second-level cache.
const BLOCK: usize = 1 << 15;

/// Independent sums in flight, so that additions need not wait for each other.
const LANES: usize = 16;

/// The extents of a tensor `[batch, channels, ..]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Planes {
    /// Samples.
    pub batch: usize,
    /// Channels.
    pub channels: usize,
    /// Values of one channel of one sample.
    pub len: usize,
}

impl Planes {
    fn count(self) -> usize {
        self.batch * self.channels
    }

    fn blocks(self) -> usize {
        self.len.div_ceil(BLOCK)
    }
}

/// A tensor whose planes are each contiguous, though not necessarily one behind the other: a slice of another along the channels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    /// All values of the storage.
    pub data: &'a [f32],
    /// Where the first plane begins.
    pub start: usize,
    /// From a sample to the next.
    pub sample_stride: usize,
    /// From a channel to the next.
    pub channel_stride: usize,
}

impl<'a> View<'a> {
    /// A tensor without gaps.
    pub(crate) fn whole(data: &'a [f32], planes: Planes) -> Self {
        Self { data, start: 0, sample_stride: planes.channels * planes.len, channel_stride: planes.len }
    }

    fn block(&self, planes: Planes, plane: usize, block: usize) -> &'a [f32] {
        let (sample, channel) = (plane / planes.channels, plane % planes.channels);
        let start = self.start + sample * self.sample_stride + channel * self.channel_stride;
        &self.data[start + block * BLOCK..start + planes.len.min((block + 1) * BLOCK)]
    }
}

/// Mean and variance (divided by the count) of each cell: the values that share them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Moments {
    pub mean: Vec<f32>,
    pub variance: Vec<f32>,
}

/// The cell of `plane`.
fn cell(planes: Planes, share: Share, plane: usize) -> usize {
    let (sample, channel) = (plane / planes.channels, plane % planes.channels);
    match share {
        Share::Batch => channel,
        Share::Group(groups) => sample * groups + channel / (planes.channels / groups),
    }
}

/// How many cells there are, and how many values each has.
pub(crate) fn cells(planes: Planes, share: Share) -> (usize, usize) {
    match share {
        Share::Batch => (planes.channels, planes.batch * planes.len),
        Share::Group(groups) => (planes.batch * groups, planes.channels / groups * planes.len),
    }
}

/// Sums of `f(values of a block)` over the blocks of each plane: two numbers per plane.
fn plane_sums(planes: Planes, f: impl Fn(usize, usize) -> [f64; 2] + Sync) -> Vec<[f64; 2]> {
    let blocks = planes.blocks();
    let sums: Vec<[f64; 2]> =
        (0..planes.count() * blocks).into_par_iter().map(|task| f(task / blocks, task % blocks)).collect();
    sums.chunks(blocks.max(1)).map(|sums| sums.iter().fold([0.0; 2], |[a, b], [c, d]| [a + c, b + d])).collect()
}

/// Mean and variance of each cell of `z`.
pub(crate) fn moments(z: View<'_>, planes: Planes, share: Share) -> Moments {
    let sums = plane_sums(planes, |plane, block| {
        let z = z.block(planes, plane, block);
        vectorized(
            #[inline(always)]
            || sums_of(z, |z| [f64::from(z), f64::from(z) * f64::from(z)]),
        )
    });
    let (cells, count) = cells(planes, share);
    let mut total = vec![[0.0; 2]; cells];
    for (plane, [sum, squares]) in sums.into_iter().enumerate() {
        let total = &mut total[cell(planes, share, plane)];
        *total = [total[0] + sum, total[1] + squares];
    }
    let count = count as f64;
    let mean: Vec<f32> = total.iter().map(|[sum, _]| (sum / count) as f32).collect();
    let variance = total
        .iter()
        .map(|[sum, squares]| {
            let mean = sum / count;
            (squares / count - mean * mean).max(0.0) as f32
        })
        .collect();
    Moments { mean, variance }
}

/// The sums of both numbers that `f` makes of each value, in a fixed order.
#[inline(always)]
pub(super) fn sums_of(values: &[f32], f: impl Fn(f32) -> [f64; 2]) -> [f64; 2] {
    let (mut first, mut second) = ([0.0; LANES], [0.0; LANES]);
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            let [a, b] = f(chunk[lane]);
            first[lane] += a;
            second[lane] += b;
        }
    }
    let mut sums = [first.iter().sum::<f64>(), second.iter().sum::<f64>()];
    for &value in rest {
        let [a, b] = f(value);
        sums = [sums[0] + a, sums[1] + b];
    }
    sums
}

/// What turns a plane's values into `u`: `u = (z - mean) factor + shift`.
#[derive(Clone, Copy)]
struct Line {
    mean: f32,
    factor: f32,
    shift: f32,
}

impl Line {
    #[inline(always)]
    fn at(self, z: f32) -> f32 {
        (z - self.mean) * self.factor + self.shift
    }
}

/// One over the standard deviation.
pub(super) fn inverse_deviation(variance: f32, epsilon: f32) -> f32 {
    1.0 / (variance + epsilon).sqrt()
}

/// Scale and shift per channel, of length `channels` each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Affine<'a> {
    pub gamma: &'a [f32],
    pub beta: &'a [f32],
}

fn lines(planes: Planes, share: Share, moments: &Moments, affine: Affine<'_>, epsilon: f32) -> Vec<Line> {
    (0..planes.count())
        .map(|plane| {
            let (cell, channel) = (cell(planes, share, plane), plane % planes.channels);
            Line {
                mean: moments.mean[cell],
                factor: inverse_deviation(moments.variance[cell], epsilon) * affine.gamma[channel],
                shift: affine.beta[channel],
            }
        })
        .collect()
}

/// Blocks of `values` with the plane and the block they are.
fn blocks_mut(values: &mut [f32], planes: Planes) -> impl IndexedParallelIterator<Item = (usize, usize, &mut [f32])> {
    // Blocks do not cross planes: a list of them, since the last of each plane is shorter.
    let mut list = Vec::with_capacity(planes.count() * planes.blocks());
    for (plane, values) in values.chunks_mut(planes.len.max(1)).enumerate() {
        for (block, values) in values.chunks_mut(BLOCK).enumerate() {
            list.push((plane, block, values));
        }
    }
    list.into_par_iter()
}

struct Forward<'a> {
    z: View<'a>,
    planes: Planes,
    lines: Vec<Line>,
    y: &'a mut [f32],
}

impl WithCurve for Forward<'_> {
    type Output = ();

    fn with<C: Curve>(self, curve: C) {
        blocks_mut(self.y, self.planes).for_each(|(plane, block, y)| {
            let (z, line) = (self.z.block(self.planes, plane, block), self.lines[plane]);
            vectorized(
                #[inline(always)]
                || y.iter_mut().zip(z).for_each(|(y, &z)| *y = curve.value(line.at(z))),
            );
        });
    }
}

/// `y` of the module's equation, given the moments.
pub(crate) fn forward(
    z: View<'_>,
    planes: Planes,
    share: Share,
    moments: &Moments,
    affine: Affine<'_>,
    (epsilon, activation): (f32, Activation),
    y: &mut [f32],
) {
    let lines = lines(planes, share, moments, affine, epsilon);
    activation.with_curve(Forward { z, planes, lines, y });
}

/// Gradients of one normalisation with activation for its parameters; that for `z` replaces the one for `y`.
#[derive(Debug)]
pub(crate) struct Gradients {
    pub gamma: Vec<f32>,
    pub beta: Vec<f32>,
}

struct Backward<'a> {
    z: View<'a>,
    /// Where the gradient for `y` is read, unless it stands in `dz` already.
    dy: Option<View<'a>>,
    dz: &'a mut [f32],
    planes: Planes,
    share: Share,
    moments: &'a Moments,
    affine: Affine<'a>,
    epsilon: f32,
}

impl WithCurve for Backward<'_> {
    type Output = Gradients;

    fn with<C: Curve>(self, curve: C) -> Gradients {
        let Self { z, dy, dz, planes, share, moments, affine, epsilon } = self;
        let lines = lines(planes, share, moments, affine, epsilon);
        // Per plane: the sums of g and of g (z - mean).
        let source = dy.unwrap_or(View::whole(dz, planes));
        let sums = plane_sums(planes, |plane, block| {
            let (z, dy, line) = (z.block(planes, plane, block), source.block(planes, plane, block), lines[plane]);
            vectorized(
                #[inline(always)]
                || {
                    pair_sums(z, dy, |z, dy| {
                        let g = f64::from(dy * curve.slope(line.at(z)));
                        [g, g * f64::from(z - line.mean)]
                    })
                },
            )
        });
        let (cells, count) = cells(planes, share);
        let (mut gamma, mut beta) = (vec![0.0; planes.channels], vec![0.0; planes.channels]);
        let mut means = vec![[0.0; 2]; cells];
        let inverse = |cell: usize| f64::from(inverse_deviation(moments.variance[cell], epsilon));
        for (plane, [g, g_z]) in sums.into_iter().enumerate() {
            let (cell, channel) = (cell(planes, share, plane), plane % planes.channels);
            let g_v = g_z * inverse(cell);
            gamma[channel] += g_v;
            beta[channel] += g;
            let scale = f64::from(affine.gamma[channel]) / count as f64;
            means[cell] = [means[cell][0] + scale * g, means[cell][1] + scale * g_v];
        }
        blocks_mut(dz, planes).for_each(|(plane, block, dz)| {
            if let Some(dy) = dy {
                dz.copy_from_slice(dy.block(planes, plane, block));
            }
            let (z, line) = (z.block(planes, plane, block), lines[plane]);
            let cell = cell(planes, share, plane);
            let inverse = inverse(cell);
            let [m1, m2] = means[cell];
            let (constant, slope) = ((-m1 * inverse) as f32, (-m2 * inverse * inverse) as f32);
            vectorized(
                #[inline(always)]
                || {
                    dz.iter_mut().zip(z).for_each(|(dz, &z)| {
                        let g = *dz * curve.slope(line.at(z));
                        *dz = line.factor * g + (constant + slope * (z - line.mean));
                    });
                },
            );
        });
        let narrow = |values: Vec<f64>| values.into_iter().map(|value| value as f32).collect();
        Gradients { gamma: narrow(gamma), beta: narrow(beta) }
    }
}

/// As [`sums_of`], over pairs.
#[inline(always)]
pub(super) fn pair_sums(left: &[f32], right: &[f32], f: impl Fn(f32, f32) -> [f64; 2]) -> [f64; 2] {
    let (mut first, mut second) = ([0.0; LANES], [0.0; LANES]);
    let ((left, left_rest), (right, right_rest)) = (left.as_chunks::<LANES>(), right.as_chunks::<LANES>());
    for (left, right) in left.iter().zip(right) {
        for lane in 0..LANES {
            let [a, b] = f(left[lane], right[lane]);
            first[lane] += a;
            second[lane] += b;
        }
    }
    let mut sums = [first.iter().sum::<f64>(), second.iter().sum::<f64>()];
    for (&left, &right) in left_rest.iter().zip(right_rest) {
        let [a, b] = f(left, right);
        sums = [sums[0] + a, sums[1] + b];
    }
    sums
}

/// Gradients for `gamma` and `beta`, and in `dz` that for `z`, given that for `y` in `dy` or else in `dz`.
pub(crate) fn backward(
    z: View<'_>,
    (dy, dz): (Option<View<'_>>, &mut [f32]),
    planes: Planes,
    share: Share,
    moments: &Moments,
    affine: Affine<'_>,
    (epsilon, activation): (f32, Activation),
) -> Gradients {
    activation.with_curve(Backward { z, dy, dz, planes, share, moments, affine, epsilon })
}
