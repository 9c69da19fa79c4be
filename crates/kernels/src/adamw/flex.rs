//! The step on flex.

use super::{AdamWOps, AdamWStep, pass};
use crate::flex::{compact, with_values};
use burn::backend::{Flex, TensorMetadata, tensor::FloatTensor};

impl AdamWOps for Flex {
    fn adamw(
        x: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        step: AdamWStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let row = x.shape()[1..].iter().product();
        let [mut x, mut first, mut second] = [x, first, second].map(compact);
        with_values(&gradient, |gradient| {
            pass::run([x.storage_mut(), first.storage_mut(), second.storage_mut()], gradient, row, &step);
        });
        (x, first, second)
    }
}
