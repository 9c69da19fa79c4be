//! Rows of a table, with a gradient that is added up in the order of the rows asked for, at any number of threads.

mod autodiff;
#[cfg(feature = "flex")]
mod flex;
pub(crate) mod reference;

use crate::own;
use burn::{
    backend::{Backend, Dispatch, backend_extension, tensor::FloatTensor},
    tensor::{DType, Int, Tensor},
};
use std::sync::Arc;

/// Samples below which Burn's own lookup is faster.
const LEAST_SAMPLES: usize = 8;

#[backend_extension(Flex: cfg(feature = "flex"), Autodiff)]
pub(crate) trait EmbeddingOps: Backend {
    /// `[row, component]` of the table to `[sample, field, component]`.
    fn lookup(table: FloatTensor<Self>, ids: Arc<Vec<usize>>, shape: [usize; 2]) -> FloatTensor<Self>;
}

/// The gradient of [`EmbeddingOps`] for a table of `rows`.
pub(crate) trait EmbeddingGradients: Backend {
    fn lookup_gradient(gradient: FloatTensor<Self>, ids: &[usize], rows: usize) -> FloatTensor<Self>;
}

/// The rows `ids` of `table`.
///
/// # Shapes
/// - `table`: `[row, component]`
/// - `ids`: `[sample, field]`
/// - result: `[sample, field, component]`
///
/// # Panics
/// "embedding: row 7 of a table of 5"; other backends have words of their own, or none.
pub fn embedding(table: Tensor<2>, ids: Tensor<2, Int>) -> Tensor<3> {
    let ([rows, _], shape) = (table.dims(), ids.dims());
    if !own::takes(&table, &[DType::F32]) || shape[0] < LEAST_SAMPLES {
        return reference::embedding(table, ids);
    }
    let ids = ids.into_data().convert::<i64>().try_into_vec::<i64>().unwrap_or_default();
    let ids: Vec<usize> = ids.into_iter().map(|id| usize::try_from(id).unwrap_or(usize::MAX)).collect();
    if let Some(id) = ids.iter().find(|id| **id >= rows) {
        panic!("embedding: row {id} of a table of {rows}");
    }
    Tensor::from_dispatch(Dispatch::lookup(table.into_dispatch(), Arc::new(ids), shape))
}
