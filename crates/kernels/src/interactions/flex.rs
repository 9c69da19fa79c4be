//! The interactions on flex.

use super::{InteractionGradients, InteractionOps, pairs, rows::Embeddings};
use crate::flex::{tensor, with_values};
use burn::backend::{Flex, TensorMetadata, flex::FlexTensor, tensor::FloatTensor};

impl InteractionOps for Flex {
    fn gram_pairs(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let [samples, fields, _] = x.shape().dims();
        tensor(with_embeddings(&x, |x| x.gram_pairs()), [samples, pairs(fields)])
    }

    fn bi_interaction(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let [samples, _, dimension] = x.shape().dims();
        tensor(with_embeddings(&x, |x| x.bi_interaction()), [samples, dimension])
    }
}

impl InteractionGradients for Flex {
    fn gram_pairs_gradient(x: FloatTensor<Self>, gradient: FloatTensor<Self>) -> FloatTensor<Self> {
        let values = with_values(&gradient, |gradient| with_embeddings(&x, |x| x.gram_pairs_gradient(gradient)));
        tensor(values, x.shape())
    }

    fn bi_interaction_gradient(x: FloatTensor<Self>, gradient: FloatTensor<Self>) -> FloatTensor<Self> {
        let values = with_values(&gradient, |gradient| with_embeddings(&x, |x| x.bi_interaction_gradient(gradient)));
        tensor(values, x.shape())
    }
}

fn with_embeddings<R>(x: &FlexTensor, f: impl FnOnce(Embeddings<'_>) -> R) -> R {
    let [_, fields, dimension] = x.shape().dims();
    with_values(x, |values| f(Embeddings { values, fields, dimension }))
}
