//! Linear resampling of volumes: trilinear upsampling, blur-pooling and average pooling.
//!
//! Each is one sparse matrix `M` per axis, `y = (M_x ⊗ M_y ⊗ M_z) x`, and its adjoint has the transposed matrices; so forward and backward
//! pass are one body. A volume of one channel is resampled along all axes while it is in the cache.
//!
//! Upsampling by `s` reads `x` at `(i + 1/2) / s - 1/2`, held at the first and last value, as PyTorch's `interpolate` does with
//! `align_corners=False`. Blur-pooling by `s > 1` weighs neighbours 1/4, 1/2, 1/4 and keeps every `s`-th value: R. Zhang, "Making
//! convolutional networks shift-invariant again", ICML 2019, arXiv:1904.11486.

mod autodiff;
#[cfg(feature = "flex")]
mod flex;
pub(crate) mod reference;
#[cfg(feature = "flex")]
mod volume;

use crate::{Pad, own};
use burn::{
    backend::{Backend, Dispatch, backend_extension, tensor::FloatTensor},
    tensor::{DType, Tensor},
};
use std::sync::Arc;

#[backend_extension(Flex: cfg(feature = "flex"), Autodiff)]
pub(crate) trait ResampleOps: Backend {
    /// `x`, `[batch, channel, x, y, z]`, along its last three axes.
    fn resample(x: FloatTensor<Self>, plan: Arc<Plan>) -> FloatTensor<Self>;
}

const DTYPES: &[DType] = &[DType::F32, DType::F64];

/// A sparse matrix of one axis, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    /// Values of the axis before.
    pub(crate) inputs: usize,
    /// Where the taps of a row begin, and the end of the last row's.
    pub(crate) starts: Vec<usize>,
    /// Which value is read, and with which weight.
    pub(crate) taps: Vec<(usize, f64)>,
}

/// What is done along each of the three axes; nothing where there is no matrix.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan(pub(crate) [Option<Matrix>; 3]);

impl Matrix {
    fn of_rows(inputs: usize, rows: impl Iterator<Item = Vec<(usize, f64)>>) -> Self {
        let (mut starts, mut taps) = (vec![0], Vec::new());
        for row in rows {
            taps.extend(row);
            starts.push(taps.len());
        }
        Self { inputs, starts, taps }
    }

    fn upsampling(inputs: usize, factor: usize) -> Self {
        let row = |output: usize| {
            let at = ((output as f64 + 0.5) / factor as f64 - 0.5).max(0.0);
            let (lower, share) = ((at as usize).min(inputs - 1), at.fract());
            match lower + 1 < inputs && share > 0.0 {
                true => vec![(lower, 1.0 - share), (lower + 1, share)],
                false => vec![(lower, 1.0)],
            }
        };
        Self::of_rows(inputs, (0..inputs * factor).map(row))
    }

    fn blur(inputs: usize, stride: usize, mode: Pad) -> Self {
        let row = |output: usize| {
            let centre = (output * stride).cast_signed();
            let taps = [(-1, 0.25), (0, 0.5), (1, 0.25)];
            taps.into_iter().filter_map(|(by, weight)| Some((mode.source(centre + by, inputs)?, weight))).collect()
        };
        Self::of_rows(inputs, (0..(inputs - 1) / stride + 1).map(row))
    }

    fn average(inputs: usize, size: usize) -> Self {
        let weight = 1.0 / size as f64;
        let row = |output: usize| (output * size..(output + 1) * size).map(|input| (input, weight)).collect();
        Self::of_rows(inputs, (0..inputs / size).map(row))
    }

    pub(crate) fn outputs(&self) -> usize {
        self.starts.len() - 1
    }

    pub(crate) fn row(&self, output: usize) -> &[(usize, f64)] {
        &self.taps[self.starts[output]..self.starts[output + 1]]
    }

    fn transposed(&self) -> Self {
        let mut rows = vec![Vec::new(); self.inputs];
        for output in 0..self.outputs() {
            self.row(output).iter().for_each(|(input, weight)| rows[*input].push((output, *weight)));
        }
        Self::of_rows(self.outputs(), rows.into_iter())
    }
}

impl Plan {
    pub(crate) fn transposed(&self) -> Self {
        Self(self.0.each_ref().map(|matrix| matrix.as_ref().map(Matrix::transposed)))
    }

    /// The extents after it.
    pub(crate) fn outputs(&self, extents: [usize; 3]) -> [usize; 3] {
        std::array::from_fn(|axis| self.0[axis].as_ref().map_or(extents[axis], Matrix::outputs))
    }
}

/// Trilinear upsampling by a whole factor per axis, with the corners of the volume aligned and not the centres of its corner cells.
///
/// # Shapes
/// `x` `[batch, channel, x, y, z]`; the result `[batch, channel, factor x, factor y, factor z]`.
///
/// # Panics
/// - "upsample3d: the factor [2, 0, 2] has a zero"
/// - "upsample3d: axis 1 is empty"
pub fn upsample3d(x: Tensor<5>, factor: [usize; 3]) -> Tensor<5> {
    apply(x, upsampling("upsample3d", factor))
}

/// Blurs along every axis of a stride above 1 by 1/4, 1/2, 1/4 and keeps every `stride`-th value, from the first.
///
/// # Shapes
/// `x` `[batch, channel, x, y, z]`; the result `[batch, channel, (x - 1) / stride + 1, ..]`, rounded down.
///
/// # Panics
/// - "blur_pool3d: the stride [2, 0, 2] has a zero"
/// - "blur_pool3d: axis 1 is empty"
/// - "blur_pool3d: axis 1: reflect padding of 1 is too much for 1 values"
pub fn blur_pool3d(x: Tensor<5>, stride: [usize; 3], mode: [Pad; 3]) -> Tensor<5> {
    apply(x, blurring("blur_pool3d", stride, mode))
}

/// The means of blocks of `size` values, which do not overlap; what is left at the end of an axis is left out.
///
/// # Shapes
/// `x` `[batch, channel, x, y, z]`; the result `[batch, channel, x / size, ..]`, rounded down.
///
/// # Panics
/// - "average_pool3d: the size [2, 0, 2] has a zero"
/// - "average_pool3d: axis 1: a block of 4 does not fit 3 values"
pub fn average_pool3d(x: Tensor<5>, size: [usize; 3]) -> Tensor<5> {
    apply(x, averaging("average_pool3d", size))
}

fn apply(x: Tensor<5>, plan: impl Fn([usize; 3]) -> Plan) -> Tensor<5> {
    let [_, _, extents @ ..] = x.dims();
    let plan = plan(extents);
    own::at_least_f32(x, |x| match own::takes(&x, DTYPES) {
        true => Tensor::from_dispatch(Dispatch::resample(x.into_dispatch(), Arc::new(plan))),
        false => reference::resample(x, &plan),
    })
}

fn upsampling(name: &'static str, factor: [usize; 3]) -> impl Fn([usize; 3]) -> Plan {
    assert!(!factor.contains(&0), "{name}: the factor {factor:?} has a zero");
    move |extents| {
        per_axis(factor, |axis, factor| {
            assert!(extents[axis] > 0, "{name}: axis {axis} is empty");
            Matrix::upsampling(extents[axis], factor)
        })
    }
}

fn blurring(name: &'static str, stride: [usize; 3], mode: [Pad; 3]) -> impl Fn([usize; 3]) -> Plan {
    assert!(!stride.contains(&0), "{name}: the stride {stride:?} has a zero");
    move |extents| {
        per_axis(stride, |axis, stride| {
            let (extent, mode) = (extents[axis], mode[axis]);
            assert!(extent > 0, "{name}: axis {axis} is empty");
            let fits = mode.limit(extent) >= 1;
            assert!(fits, "{name}: axis {axis}: {} padding of 1 is too much for {extent} values", mode.name());
            Matrix::blur(extent, stride, mode)
        })
    }
}

fn averaging(name: &'static str, size: [usize; 3]) -> impl Fn([usize; 3]) -> Plan {
    assert!(!size.contains(&0), "{name}: the size {size:?} has a zero");
    move |extents| {
        per_axis(size, |axis, size| {
            let extent = extents[axis];
            assert!(size <= extent, "{name}: axis {axis}: a block of {size} does not fit {extent} values");
            Matrix::average(extent, size)
        })
    }
}

/// A matrix where the factor of an axis is above 1.
fn per_axis(factor: [usize; 3], matrix: impl Fn(usize, usize) -> Matrix) -> Plan {
    Plan(std::array::from_fn(|axis| (factor[axis] > 1).then(|| matrix(axis, factor[axis]))))
}
