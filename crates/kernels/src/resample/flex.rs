//! Resampling on flex.

use super::{
    Plan, ResampleOps,
    volume::{Number, resample},
};
use crate::flex::{Value, tensor, with_values};
use burn::{
    backend::{Flex, TensorMetadata, flex::FlexTensor, tensor::FloatTensor},
    tensor::DType,
};
use std::sync::Arc;

impl ResampleOps for Flex {
    fn resample(x: FloatTensor<Self>, plan: Arc<Plan>) -> FloatTensor<Self> {
        match x.dtype() {
            DType::F64 => volumes::<f64>(&x, &plan),
            _ => volumes::<f32>(&x, &plan),
        }
    }
}

fn volumes<T: Value + Number>(x: &FlexTensor, plan: &Plan) -> FlexTensor {
    let [batch, channels, extents @ ..] = x.shape().dims::<5>();
    let [a, b, c] = plan.outputs(extents);
    tensor(with_values(x, |values: &[T]| resample(values, extents, plan)), [batch, channels, a, b, c])
}
