//! The gradients of the interactions.

use super::{InteractionGradients, InteractionOps};
use crate::gradient::{Gradient, record};
use burn::backend::{Autodiff, Backend, autodiff::checkpoint::strategy::CheckpointStrategy, tensor::FloatTensor};

/// Keeps the embeddings.
#[derive(Clone, Debug)]
struct GramPairs<B: Backend>(FloatTensor<B>);

impl<B: InteractionGradients> Gradient<B, 1, 1> for GramPairs<B> {
    fn gradients(self, [pairs]: [Option<FloatTensor<B>>; 1], _: [bool; 1]) -> [Option<FloatTensor<B>>; 1] {
        [pairs.map(|pairs| B::gram_pairs_gradient(self.0, pairs))]
    }
}

/// Keeps the embeddings.
#[derive(Clone, Debug)]
struct BiInteraction<B: Backend>(FloatTensor<B>);

impl<B: InteractionGradients> Gradient<B, 1, 1> for BiInteraction<B> {
    fn gradients(self, [sums]: [Option<FloatTensor<B>>; 1], _: [bool; 1]) -> [Option<FloatTensor<B>>; 1] {
        [sums.map(|sums| B::bi_interaction_gradient(self.0, sums))]
    }
}

impl<B: InteractionOps + InteractionGradients, C: CheckpointStrategy> InteractionOps for Autodiff<B, C> {
    fn gram_pairs(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let [pairs] = record::<B, C, _, 1, 1>([node], GramPairs::<B>(x.clone()), [B::gram_pairs(x)]);
        pairs
    }

    fn bi_interaction(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let [sums] = record::<B, C, _, 1, 1>([node], BiInteraction::<B>(x.clone()), [B::bi_interaction(x)]);
        sums
    }
}
