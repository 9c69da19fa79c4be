//! Sums and means that do not depend on the number of threads.
//!
//! A whole tensor is summed in blocks of 65536 values and a dimension in runs of 256, each by one thread in a fixed order;
//! the sums of blocks are added in order. Within a block every 16 values of one lane are added in the tensor's dtype and then
//! in f64, so that the error is at most 16 roundings of the absolute sum however long the tensor is. A plain f32 sum has up to
//! n of them, a pairwise one log2(n) (Higham, "The accuracy of floating point summation", SIAM J. Sci. Comput. 14, 1993,
//! doi:10.1137/0914050).
//!
//! Lanes are counted and not taken from the processor, so all processors give the same bits.

mod autodiff;
#[cfg(feature = "flex")]
mod blocks;
#[cfg(feature = "flex")]
mod flex;
pub(crate) mod reference;

use crate::own;
use burn::{
    backend::{Backend, Dispatch, backend_extension, tensor::FloatTensor},
    tensor::{DType, Tensor},
};

#[backend_extension(Flex: cfg(feature = "flex"), Autodiff)]
pub(crate) trait SumOps: Backend {
    /// The sum of all values divided by `divisor`, of shape `[1]`.
    fn sum_over(x: FloatTensor<Self>, divisor: f64) -> FloatTensor<Self>;

    /// The sum of the squares of all values, of shape `[1]`.
    fn sum_squares(x: FloatTensor<Self>) -> FloatTensor<Self>;

    /// The sums along `dim`, which becomes 1 long, divided by `divisor`.
    fn sum_dim_over(x: FloatTensor<Self>, dim: usize, divisor: f64) -> FloatTensor<Self>;
}

/// Dtypes that flex sums by a body of ours.
const DTYPES: &[DType] = &[DType::F32, DType::F64];

/// The sum of all values, the same bits at any number of threads.
///
/// f16 and bf16 are summed in f32. The sum of no values is 0.
pub fn sum_fixed<const D: usize>(x: Tensor<D>) -> Tensor<1> {
    own::at_least_f32(x, |x| match own::takes(&x, DTYPES) {
        true => Tensor::from_dispatch(Dispatch::sum_over(x.into_dispatch(), 1.0)),
        false => reference::sum_fixed(x),
    })
}

/// The sum of the squares of all values, the same bits at any number of threads, in f32 or wider: squares leave the range of f16.
pub fn sum_squares_fixed<const D: usize>(x: Tensor<D>) -> Tensor<1> {
    let x = if matches!(x.dtype(), DType::F16 | DType::BF16) { x.cast(DType::F32) } else { x };
    match own::takes(&x, &[DType::F32]) {
        true => Tensor::from_dispatch(Dispatch::sum_squares(x.into_dispatch())),
        false => reference::sum_squares_fixed(x),
    }
}

/// The mean of all values, the same bits at any number of threads.
///
/// f16 and bf16 are averaged in f32. The mean of no values is NaN.
pub fn mean_fixed<const D: usize>(x: Tensor<D>) -> Tensor<1> {
    own::at_least_f32(x, |x| match own::takes(&x, DTYPES) {
        true => {
            let count = x.dims().iter().product::<usize>();
            Tensor::from_dispatch(Dispatch::sum_over(x.into_dispatch(), count as f64))
        }
        false => reference::mean_fixed(x),
    })
}

/// The sums along `dim`, which becomes 1 long, the same bits at any number of threads.
///
/// f16 and bf16 are summed in f32. The sum of no values is 0.
///
/// # Panics
/// When there is no such dimension: "sum_dim_fixed: dimension 2 of a tensor of rank 2".
pub fn sum_dim_fixed<const D: usize>(x: Tensor<D>, dim: usize) -> Tensor<D> {
    assert!(dim < D, "sum_dim_fixed: dimension {dim} of a tensor of rank {D}");
    own::at_least_f32(x, |x| match own::takes(&x, DTYPES) {
        true => Tensor::from_dispatch(Dispatch::sum_dim_over(x.into_dispatch(), dim, 1.0)),
        false => reference::sum_dim_fixed(x, dim),
    })
}

/// The means along `dim`, which becomes 1 long, the same bits at any number of threads.
///
/// f16 and bf16 are averaged in f32. The mean of no values is NaN.
///
/// # Panics
/// When there is no such dimension: "mean_dim_fixed: dimension 2 of a tensor of rank 2".
pub fn mean_dim_fixed<const D: usize>(x: Tensor<D>, dim: usize) -> Tensor<D> {
    assert!(dim < D, "mean_dim_fixed: dimension {dim} of a tensor of rank {D}");
    own::at_least_f32(x, |x| match own::takes(&x, DTYPES) {
        true => {
            let count = x.dims()[dim];
            Tensor::from_dispatch(Dispatch::sum_dim_over(x.into_dispatch(), dim, count as f64))
        }
        false => reference::mean_dim_fixed(x, dim),
    })
}
