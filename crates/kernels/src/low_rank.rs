//! Few modes taken out of every line of sight, with sums in f64.
//!
//! With the modes `V`, orthonormal columns over the channels, and lines `D = x + noise - offset`,
//! ```text
//! y = T(scale (D - (D V*) V^T)),
//! ```
//! in the layout that the caller wants. What is left of foregrounds 10^4 times the signal is a difference of large numbers: in f32 it is
//! wrong by a thousandth of the signal even as one dense product ([`project_out`](crate::project_out)) and by half of it when the modes were fitted in f32 too. Here the
//! coefficients `D V*` are summed and their part is taken off in f64, and only the result is rounded. That costs no more: `2 modes` multiplications
//! for each value are fewer than the `channels` of the dense product.
//!
//! A complex line with Hermitian modes is a real line of twice the channels (real and imaginary parts) with twice the modes, `v` and `i v`. Modes that are real
//! need no complex line: real and imaginary parts are lines of their own.

mod autodiff;
#[cfg(feature = "flex")]
mod flex;
pub(crate) mod reference;

use crate::{Projection, own, project::Plan};
use burn::{
    backend::{Backend, Dispatch, backend_extension, tensor::FloatTensor},
    tensor::{DType, Tensor},
};
use num_complex::Complex;
use std::sync::Arc;

/// Modes over the channels of a line and what is taken off first, in f64 on the host. A clone shares the numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct LowRank {
    /// `[mode, value]`; values are channels, or the real and the imaginary parts of channels in turn.
    basis: Arc<[f64]>,
    /// `[value]`.
    offset: Arc<[f64]>,
    /// Values of a channel: 1, or 2 of a complex one.
    parts: usize,
}

impl LowRank {
    /// Real modes, `[mode][channel]` and orthonormal, and the offset of each channel. There may be no mode at all.
    ///
    /// # Panics
    /// When a mode has another number of channels than the offset.
    pub fn real(modes: &[Vec<f64>], offset: &[f64]) -> Self {
        let basis = modes.iter().enumerate().flat_map(|(i, mode)| checked(i, mode, offset)).copied().collect();
        Self { basis, offset: offset.into(), parts: 1 }
    }

    /// Complex modes, `[mode][channel]` and orthonormal, the columns `V` of the equation, and the offset of each channel.
    ///
    /// # Panics
    /// As [`real`](Self::real).
    pub fn hermitian(modes: &[Vec<Complex<f64>>], offset: &[Complex<f64>]) -> Self {
        let turned = |(i, mode)| {
            let mode = checked(i, mode, offset);
            let times = |factor: Complex<f64>| mode.iter().map(move |value| factor * value);
            times(Complex::ONE).chain(times(Complex::I))
        };
        let parts = |value: Complex<f64>| [value.re, value.im];
        let basis = modes.iter().map(Vec::as_slice).enumerate().flat_map(turned).flat_map(parts).collect();
        Self { basis, offset: offset.iter().copied().flat_map(parts).collect(), parts: 2 }
    }

    /// No modes and no offset, for the noise, the scale, the transform and the layout alone.
    pub fn none(channels: usize) -> Self {
        Self::real(&[], &vec![0.0; channels])
    }

    /// Channels of a line.
    pub fn channels(&self) -> usize {
        self.offset.len() / self.parts
    }

    /// Modes that are taken out.
    pub fn modes(&self) -> usize {
        self.basis.len() / self.offset.len().max(1) / self.parts
    }

    /// The same modes without an offset.
    fn about_zero(&self) -> Self {
        Self { offset: vec![0.0; self.offset.len()].into(), ..self.clone() }
    }

    /// The axes of a tensor of this rank that make up a line along `axis`.
    fn axes(&self, axis: usize, rank: usize) -> Vec<usize> {
        if self.parts == 1 { vec![axis] } else { vec![axis, rank - 1] }
    }
}

fn checked<'a, T>(index: usize, mode: &'a [T], offset: &[T]) -> &'a [T] {
    let (channels, offsets) = (mode.len(), offset.len());
    assert!(channels == offsets, "LowRank: mode {index} has {channels} channels, the offset has {offsets}");
    mode
}

#[backend_extension(Flex: cfg(feature = "flex"), Autodiff)]
pub(crate) trait LowRankOps: Backend {
    /// See [`project_low_rank`].
    fn project_low_rank(x: FloatTensor<Self>, low_rank: LowRank, plan: Plan) -> FloatTensor<Self>;
}

/// Dtypes with own bodies.
const DTYPES: &[DType] = &[DType::F32];

/// `T(scale (D - (D V*) V^T))` of the lines `D = x + noise - offset` along one axis, with the axes in a new order.
///
/// Input and output are f32 or f64, and what is between them f64, where the device has that. Where it has not, as WebGPU, the product is one of f32 with the dense
/// matrix `I - V* V^T`, whose error at foregrounds 10^4 times the signal is a thousandth of the signal; [`project_out`](crate::project_out) does the same. f16 and bf16 are
/// brought to f32. Noise has no gradient; `x` has one, modes and offset have none.
///
/// # Shapes
/// The projected axis has as many values as `low_rank` has channels. With Hermitian modes the last axis of `x` is the real and the imaginary part, 2 values.
///
/// # Panics
/// When there is no such axis, the order is none of all axes, or the modes do not fit.
///
/// # Example
/// ```
/// # #[cfg(feature = "flex")] {
/// use burn::tensor::{Device, Tensor};
/// use cupel_kernels::{LowRank, Projection, project_low_rank};
/// let x = Tensor::<2>::from_floats([[5.0, 1.0], [7.0, 3.0]], &Device::flex()); // [channel, sample]
/// let even = vec![0.5f64.sqrt(); 2];
/// let how = Projection { order: [1, 0], scale: 10.0, ..Projection::along(0) };
/// let y = project_low_rank(x, &LowRank::real(&[even], &[0.0, 0.0]), how);
/// assert_eq!(y.into_data().to_vec::<f32>().unwrap(), [-10.0, 10.0, -10.0, 10.0]); // [sample, channel]
/// # }
/// ```
pub fn project_low_rank<const D: usize>(x: Tensor<D>, low_rank: &LowRank, projection: Projection<D>) -> Tensor<D> {
    projection.check("project_low_rank");
    let (axis, dims, channels) = (projection.axis, x.dims(), low_rank.channels());
    let length = dims[axis];
    assert!(
        length == channels,
        "project_low_rank: axis {axis} has {length} values, the modes have {channels} channels"
    );
    assert!(
        low_rank.parts == 1 || (dims[D - 1] == 2 && axis != D - 1),
        "project_low_rank: Hermitian modes take real and imaginary parts along a last axis of 2 values, not {dims:?} \
         along axis {axis}"
    );
    own::at_least_f32(x, |x| {
        if !own::takes(&x, DTYPES) {
            return reference::project_low_rank(x, low_rank, projection);
        }
        Tensor::from_dispatch(Dispatch::project_low_rank(x.into_dispatch(), low_rank.clone(), projection.plan()))
    })
}
