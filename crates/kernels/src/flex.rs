//! Tensors of the backend flex as slices and back.

use burn::{
    backend::{TensorMetadata, flex::FlexTensor},
    tensor::{Element, Shape, TensorData},
};
use rayon::prelude::*;

/// A value that has own bodies.
pub(crate) trait Value: Element {
    /// The values of `x` in row-major order, if they lie so.
    fn slice(x: &FlexTensor) -> Option<&[Self]>;
}

impl Value for f32 {
    fn slice(x: &FlexTensor) -> Option<&[f32]> {
        x.as_slice()
    }
}

impl Value for f64 {
    fn slice(x: &FlexTensor) -> Option<&[f64]> {
        x.as_slice()
    }
}

/// Calls `f` with the values of `x` in row-major order; they are copied only where `x` is a view in another order.
///
/// # Panics
/// When `x` is not of the dtype of `T`: an operation asked for a dtype that it has no body for.
pub(crate) fn with_values<T: Value, R>(x: &FlexTensor, f: impl FnOnce(&[T]) -> R) -> R {
    if let Some(values) = T::slice(x) {
        return f(values);
    }
    let copy = x.to_contiguous();
    let Some(values) = T::slice(&copy) else {
        panic!("a tensor of {:?} where {:?} was expected", x.dtype(), T::dtype())
    };
    f(values)
}

/// A tensor that takes over `values`.
pub(crate) fn tensor<T: Value>(values: Vec<T>, shape: impl Into<Shape>) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

/// So many zeros, written by all threads: memory that is used again has to be cleared.
pub(crate) fn zeros(count: usize) -> Vec<f32> {
    const BLOCK: usize = 1 << 10;
    let blocks = (0..count.div_ceil(BLOCK)).into_par_iter().with_min_len(BLOCK).map(|_| [0.0; BLOCK]);
    let mut values = blocks.collect::<Vec<_>>().into_flattened();
    values.truncate(count);
    values
}

/// Whether the storage of `x` holds its values in row-major order and nothing else.
pub(crate) fn is_compact(x: &FlexTensor) -> bool {
    x.is_contiguous()
        && x.layout().start_offset() == 0
        && x.bytes().len() == x.shape().num_elements() * size_of::<f32>()
}

/// `x` with its values in row-major order and nothing else in its storage.
pub(crate) fn compact(x: FlexTensor) -> FlexTensor {
    if is_compact(&x) { x } else { x.to_contiguous() }
}
