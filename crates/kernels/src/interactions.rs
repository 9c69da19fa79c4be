//! Interactions between the fields of a sample, from the embeddings of what each field holds.
//!
//! * [`gram_pairs`] gives one inner product per pair of fields, `p_ij = <e_i, e_j>` for `i < j`: what a factorisation machine
//!   adds up (S. Rendle, "Factorization Machines", ICDM 2010, doi:10.1109/ICDM.2010.127, equation 1), each pair on its own, so
//!   that a layer behind it weighs pairs.
//! * [`bi_interaction`] keeps the dimensions and adds the pairs, `sum_{i<j} e_i * e_j` (X. He and T.-S. Chua, "Neural
//!   Factorization Machines for Sparse Predictive Analytics", SIGIR 2017, doi:10.1145/3077136.3080777, equation 3).
//!
//! The usual form of the second, `((sum e)^2 - sum e^2) / 2`, loses the digits of small fields beside a large one. With
//! `s_j` the sum of the fields before `j` it is also `sum_j s_j * e_j`, which takes as many operations and loses none; both
//! the own body and the reference use that. Sums are f32, or f64 for f64.

mod autodiff;
#[cfg(feature = "flex")]
mod flex;
pub(crate) mod reference;
#[cfg(feature = "flex")]
mod rows;

use crate::own;
use burn::{
    backend::{Backend, Dispatch, backend_extension, tensor::FloatTensor},
    tensor::{DType, Tensor},
};

#[backend_extension(Flex: cfg(feature = "flex"), Autodiff)]
pub(crate) trait InteractionOps: Backend {
    /// `[sample, field, dimension]` to `[sample, pair]`.
    fn gram_pairs(x: FloatTensor<Self>) -> FloatTensor<Self>;

    /// `[sample, field, dimension]` to `[sample, dimension]`.
    fn bi_interaction(x: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// Gradients of [`InteractionOps`] with respect to the embeddings.
pub(crate) trait InteractionGradients: Backend {
    fn gram_pairs_gradient(x: FloatTensor<Self>, gradient: FloatTensor<Self>) -> FloatTensor<Self>;
    fn bi_interaction_gradient(x: FloatTensor<Self>, gradient: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// Dtypes with own bodies.
const DTYPES: &[DType] = &[DType::F32];

/// Pairs of `fields`.
pub(crate) fn pairs(fields: usize) -> usize {
    fields * fields.saturating_sub(1) / 2
}

/// Inner products of all pairs of fields, in f32 or wider.
///
/// # Shapes
/// `x` is `[sample, field, dimension]`; the result is `[sample, pair]`, the pairs in the order (0, 1), (0, 2), ...,
/// (1, 2), ...
///
/// # Panics
/// With fewer than two fields.
///
/// # Example
/// ```
/// # #[cfg(feature = "flex")] {
/// use burn::tensor::{Device, Tensor};
/// let x = Tensor::<3>::from_floats([[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]], &Device::flex());
/// let pairs = cupel_kernels::gram_pairs(x).into_data();
/// assert_eq!(pairs.to_vec::<f32>().unwrap(), [11.0, 17.0, 39.0]);
/// # }
/// ```
pub fn gram_pairs(x: Tensor<3>) -> Tensor<2> {
    let [_, fields, _] = x.dims();
    assert!(fields >= 2, "gram_pairs: pairs need at least 2 fields, got {fields}");
    own::at_least_f32(x, |x| match own::takes(&x, DTYPES) {
        true => Tensor::from_dispatch(Dispatch::gram_pairs(x.into_dispatch())),
        false => reference::gram_pairs(x),
    })
}

/// Sum over all pairs of fields of their elementwise product, in f32 or wider.
///
/// Its sum over dimensions is the second-order term of a factorisation machine. One field has no pairs and gives nought.
///
/// # Shapes
/// `x` is `[sample, field, dimension]`; the result is `[sample, dimension]`.
///
/// # Panics
/// Without fields.
pub fn bi_interaction(x: Tensor<3>) -> Tensor<2> {
    let [_, fields, _] = x.dims();
    assert!(fields >= 1, "bi_interaction: no fields");
    own::at_least_f32(x, |x| match own::takes(&x, DTYPES) {
        true => Tensor::from_dispatch(Dispatch::bi_interaction(x.into_dispatch())),
        false => reference::bi_interaction(x),
    })
}
