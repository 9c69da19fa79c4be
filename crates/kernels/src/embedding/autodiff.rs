//! The gradient of rows of a table, which keeps which they are.

use super::{EmbeddingGradients, EmbeddingOps};
use crate::gradient::{Gradient, record};
use burn::backend::{
    Autodiff, Backend, TensorMetadata, autodiff::checkpoint::strategy::CheckpointStrategy, tensor::FloatTensor,
};
use std::sync::Arc;

#[derive(Clone, Debug)]
struct Lookup {
    ids: Arc<Vec<usize>>,
    rows: usize,
}

impl<B: EmbeddingGradients> Gradient<B, 1, 1> for Lookup {
    fn gradients(self, [gradient]: [Option<FloatTensor<B>>; 1], _: [bool; 1]) -> [Option<FloatTensor<B>>; 1] {
        [gradient.map(|gradient| B::lookup_gradient(gradient, &self.ids, self.rows))]
    }
}

impl<B: Backend + EmbeddingOps + EmbeddingGradients, C: CheckpointStrategy> EmbeddingOps for Autodiff<B, C> {
    fn lookup(table: FloatTensor<Self>, ids: Arc<Vec<usize>>, shape: [usize; 2]) -> FloatTensor<Self> {
        let (table, node) = table.into_parts();
        let kept = Lookup { ids: ids.clone(), rows: table.shape()[0] };
        let [found] = record::<B, C, _, 1, 1>([node], kept, [B::lookup(table, ids, shape)]);
        found
    }
}
