//! The gradients of the interactions.

use super::{InteractionGradients, InteractionOps};
use burn::backend::{
    Autodiff,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind, unary},
    },
    tensor::FloatTensor,
};

#[derive(Debug)]
struct GramPairs;

impl<B: InteractionGradients> Backward<B, 1> for GramPairs {
    /// The embeddings.
    type State = FloatTensor<B>;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let x = ops.state;
        unary::<B, _>(ops.parents, ops.node, grads, |gradient| B::gram_pairs_gradient(x, gradient));
    }
}

#[derive(Debug)]
struct BiInteraction;

impl<B: InteractionGradients> Backward<B, 1> for BiInteraction {
    /// The embeddings.
    type State = FloatTensor<B>;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let x = ops.state;
        unary::<B, _>(ops.parents, ops.node, grads, |gradient| B::bi_interaction_gradient(x, gradient));
    }
}

impl<B: InteractionOps + InteractionGradients, C: CheckpointStrategy> InteractionOps for Autodiff<B, C> {
    fn gram_pairs(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        match GramPairs.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(x.clone(), B::gram_pairs(x)),
            OpsKind::UnTracked(prep) => prep.finish(B::gram_pairs(x)),
        }
    }

    fn bi_interaction(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        match BiInteraction.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(x.clone(), B::bi_interaction(x)),
            OpsKind::UnTracked(prep) => prep.finish(B::bi_interaction(x)),
        }
    }
}
