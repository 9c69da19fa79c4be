//! Projection along one axis, with noise, offset, scale and change of layout, in one pass.
//!
//! Foregrounds are taken out of a cube by projecting every line of sight on the complement of their modes,
//! ```text
//! y = T(scale (x + noise - offset) P),   P = I - V V^T,
//! ```
//! and what a network then wants is scaled or its inverse hyperbolic sine ([`Transform`]) and has its axes in another order; a simulation gets the noise of the instrument first.
//! With `P` as one matrix no intermediate has the size of the foregrounds, and none of their digits is lost: for foregrounds 10^5 times the signal, one product in f32 is
//! three times as exact as two thin ones with `V` and `V^T`. [`project_low_rank`](crate::project_low_rank) sums the thin ones in f64 and is exact.

mod autodiff;
#[cfg(feature = "flex")]
mod flex;
#[cfg(feature = "flex")]
pub(crate) mod noise;
pub(crate) mod reference;
#[cfg(feature = "flex")]
mod tiles;
pub(crate) mod transform;
#[cfg(feature = "flex")]
pub(crate) mod walk;

pub use transform::Transform;

use crate::own;
use burn::{
    backend::{Backend, Dispatch, backend_extension, tensor::FloatTensor},
    tensor::{DType, Tensor},
};

/// How [`project_out`] and [`project_low_rank`](crate::project_low_rank) read and write.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Projection<const D: usize> {
    /// The axis of the input that is projected.
    pub axis: usize,
    /// Axis of the input at each place of the output.
    pub order: [usize; D],
    /// Factor of the output.
    pub scale: f64,
    /// What becomes of the scaled values.
    pub transform: Transform,
    /// Added to the input first.
    pub noise: Option<Noise>,
}

/// White noise: value `i` of a row-major array gets number `i` of [`philox_normal`](crate::philox_normal), whatever becomes
/// of the layout.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noise {
    /// Standard deviation, in the unit of the values.
    pub amplitude: f64,
    /// Key of the cipher.
    pub key: [u32; 2],
    /// Upper half of its counter.
    pub counter: [u32; 2],
}

impl<const D: usize> Projection<D> {
    /// Along `axis`, in the layout of the input, unscaled and without noise.
    pub fn along(axis: usize) -> Self {
        Self { axis, order: std::array::from_fn(|axis| axis), scale: 1.0, transform: Transform::Linear, noise: None }
    }

    /// Panics unless there is such an axis and the order is one of all axes.
    pub(crate) fn check(&self, name: &str) {
        let Projection { axis, order, .. } = self;
        assert!(*axis < D, "{name}: axis {axis} of a tensor of rank {D}");
        let mut seen = [false; D];
        order.iter().for_each(|axis| seen[(*axis).min(D - 1)] |= *axis < D);
        assert!(seen.iter().all(|seen| *seen), "{name}: {order:?} is no order of {D} axes");
    }

    pub(crate) fn plan(&self) -> Plan {
        let Projection { axis, order, scale, transform, noise } = *self;
        Plan { axis, order: order.to_vec(), scale, transform, noise }
    }
}

/// A [`Projection`] of any rank.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) axis: usize,
    pub(crate) order: Vec<usize>,
    pub(crate) scale: f64,
    pub(crate) transform: Transform,
    pub(crate) noise: Option<Noise>,
}

impl Plan {
    /// Place of the output at which an axis of the input is.
    pub(crate) fn place(&self, axis: usize) -> usize {
        self.order.iter().position(|other| *other == axis).unwrap_or(axis)
    }
}

#[backend_extension(Flex: cfg(feature = "flex"), Autodiff)]
pub(crate) trait ProjectOps: Backend {
    /// See [`project_out`].
    fn project_out(
        x: FloatTensor<Self>,
        complement: FloatTensor<Self>,
        offset: FloatTensor<Self>,
        plan: Plan,
    ) -> FloatTensor<Self>;
}

/// Gradients of [`ProjectOps`].
pub(crate) trait ProjectGradients: Backend {
    /// Of x, complement and offset, as far as they are wanted, from that of the output before the transform.
    fn project_out_gradients(
        inputs: [FloatTensor<Self>; 3],
        gradient: FloatTensor<Self>,
        plan: &Plan,
        wanted: [bool; 3],
    ) -> [Option<FloatTensor<Self>>; 3];
}

/// Dtypes with own bodies.
const DTYPES: &[DType] = &[DType::F32];

/// `T(scale (x + noise - offset) complement)` along one axis, with the axes in a new order, in f32 or wider.
///
/// Noise is f32, of any input; it has no gradient.
///
/// # Shapes
/// `complement` is `[input, output]` and `offset` `[input]`, with the length of the projected axis as input. The output has the
/// axes of `x` in the given order, and the projected one has the length of `output`.
///
/// # Panics
/// When there is no such axis, the order is none of all axes, or `complement` or `offset` do not fit.
///
/// # Example
/// ```
/// # #[cfg(feature = "flex")] {
/// use burn::tensor::{Device, Tensor};
/// use cupel_kernels::{Projection, project_out};
/// let device = Device::flex();
/// let x = Tensor::<2>::from_floats([[5.0, 1.0], [7.0, 3.0]], &device); // [channel, sample]
/// let half = Tensor::<2>::full([2, 2], -0.5, &device); // less the mean over channels
/// let complement = Tensor::eye(2, &device) + half;
/// let how = Projection { order: [1, 0], scale: 10.0, ..Projection::along(0) };
/// let y = project_out(x, complement, Tensor::zeros([2], &device), how);
/// assert_eq!(y.into_data().to_vec::<f32>().unwrap(), [-10.0, 10.0, -10.0, 10.0]); // [sample, channel]
/// # }
/// ```
pub fn project_out<const D: usize>(
    x: Tensor<D>,
    complement: Tensor<2>,
    offset: Tensor<1>,
    projection: Projection<D>,
) -> Tensor<D> {
    projection.check("project_out");
    let axis = projection.axis;
    let (length, [inputs, outputs], [offsets]) = (x.dims()[axis], complement.dims(), offset.dims());
    assert!(
        inputs == length && offsets == length,
        "project_out: axis {axis} has {length} values, the complement is {inputs} x {outputs}, the offset has {offsets}"
    );
    own::at_least_f32(x, |x| {
        let (complement, offset) = (complement.cast(x.dtype()), offset.cast(x.dtype()));
        if !own::takes(&x, DTYPES) {
            return reference::project_out(x, complement, offset, projection);
        }
        Tensor::from_dispatch(Dispatch::project_out(
            x.into_dispatch(),
            complement.into_dispatch(),
            offset.into_dispatch(),
            projection.plan(),
        ))
    })
}
