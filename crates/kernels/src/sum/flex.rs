//! Sums on flex.

use super::{
    SumOps,
    blocks::{self, Summand},
};
use crate::flex::{Value, tensor, with_values};
use burn::{
    backend::{Flex, TensorMetadata, flex::FlexTensor, tensor::FloatTensor},
    tensor::DType,
};

impl SumOps for Flex {
    fn sum_over(x: FloatTensor<Self>, divisor: f64) -> FloatTensor<Self> {
        match x.dtype() {
            DType::F64 => sum_over::<f64>(&x, divisor),
            _ => sum_over::<f32>(&x, divisor),
        }
    }

    fn sum_squares(x: FloatTensor<Self>) -> FloatTensor<Self> {
        tensor(vec![with_values(&x, blocks::squares) as f32], [1])
    }

    fn sum_dim_over(x: FloatTensor<Self>, dim: usize, divisor: f64) -> FloatTensor<Self> {
        match x.dtype() {
            DType::F64 => sum_dim_over::<f64>(&x, dim, divisor),
            _ => sum_dim_over::<f32>(&x, dim, divisor),
        }
    }
}

fn sum_over<T: Value + Summand>(x: &FlexTensor, divisor: f64) -> FlexTensor {
    tensor(vec![T::narrow(with_values(x, blocks::sum::<T>) / divisor)], [1])
}

fn sum_dim_over<T: Value + Summand>(x: &FlexTensor, dim: usize, divisor: f64) -> FlexTensor {
    let mut shape = x.shape();
    let (outer, inner) = (shape[..dim].iter().product(), shape[dim + 1..].iter().product());
    let sums = with_values(x, |values: &[T]| blocks::sums(values, [outer, shape[dim], inner]));
    shape[dim] = 1;
    tensor(sums.into_iter().map(|sum| T::narrow(sum / divisor)).collect(), shape)
}
