//! Gradients of normalisation and activation: both keep their input, and recompute what came of it.
//!
//! The result of a normalisation is not kept for whoever reads it, mostly the next convolution, whose gradient for the weight needs it:
//! it is made again from the input, to the same bits (Chen, Xu, Zhang and Guestrin 2016, arXiv:1604.06174). One pass over memory more,
//! and one tensor of two less in memory.

use super::{Normalization, NormalizationGradients, NormalizationOps};
use crate::activation::Activation;
use burn::backend::{
    Autodiff, BackendTypes,
    autodiff::{
        NodeId,
        checkpoint::{
            base::Checkpointer,
            retro_forward::RetroForward,
            state::BackwardStates,
            strategy::{BalancedCheckpointing, CheckpointStrategy},
        },
        grads::Gradients,
        ops::{Backward, Ops, OpsKind, unary},
    },
    tensor::FloatTensor,
};

#[derive(Debug)]
struct Normalize;

/// What the backward pass of a normalisation needs: the place of the input, the moments, and what followed them.
#[derive(Clone, Debug)]
struct Kept<B: BackendTypes> {
    x: NodeId,
    moments: [FloatTensor<B>; 2],
    affine: [FloatTensor<B>; 2],
    how: Normalization,
}

impl<B: NormalizationGradients> Backward<B, 3> for Normalize {
    type State = Kept<B>;

    fn backward(self, ops: Ops<Kept<B>, 3>, grads: &mut Gradients, checkpointer: &mut Checkpointer) {
        let dy = grads.consume::<B>(&ops.node);
        let Kept { x, moments, affine, how } = ops.state;
        let x = checkpointer.retrieve_node_output::<FloatTensor<B>>(x);
        let gradients = B::normalization_gradient([x, dy], moments, affine, how);
        for (parent, gradient) in ops.parents.into_iter().zip(gradients) {
            if let Some(parent) = parent {
                grads.register::<B>(parent.id, gradient);
            }
        }
    }
}

/// How the result is made again.
#[derive(Debug)]
struct Again<B: BackendTypes> {
    /// The places of the input, the scales and the shifts.
    inputs: [NodeId; 3],
    moments: [FloatTensor<B>; 2],
    how: Normalization,
}

impl<B: NormalizationGradients> RetroForward for Again<B> {
    fn forward(&self, states: &mut BackwardStates, out_node: NodeId) {
        let [x, gamma, beta] = self.inputs.map(|input| states.get_state::<FloatTensor<B>>(&input));
        states.save(out_node, B::normalized(x, self.moments.clone(), [gamma, beta], self.how));
    }
}

#[derive(Debug)]
struct Activate;

impl<B: NormalizationGradients> Backward<B, 1> for Activate {
    type State = (NodeId, Activation);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, checkpointer: &mut Checkpointer) {
        let (x, kind) = ops.state;
        let x = checkpointer.retrieve_node_output::<FloatTensor<B>>(x);
        unary::<B, _>(ops.parents, ops.node, grads, |dy| B::activation_gradient(x, dy, kind));
    }
}

impl<B: NormalizationGradients, C: CheckpointStrategy> NormalizationOps for Autodiff<B, C> {
    fn normalization(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        how: Normalization,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let nodes = [x.node(), gamma.node(), beta.node()];
        let inputs = nodes.each_ref().map(|node| node.id());
        let affine = [gamma.clone().into_primitive(), beta.clone().into_primitive()];
        let (y, mean, variance) =
            B::normalization(x.clone().into_primitive(), affine[0].clone(), affine[1].clone(), how);
        let moments = [mean.clone(), variance.clone()];
        // Made again whatever the strategy of the graph says: see the head of this file.
        let prepared = Backward::<B, 3>::prepare::<BalancedCheckpointing>(Normalize, nodes)
            .memory_bound()
            .retro_forward(Again::<B> { inputs, moments: moments.clone(), how })
            .parents([&x, &gamma, &beta]);
        let y = match prepared.stateful() {
            OpsKind::Tracked(mut prep) => {
                let x = prep.checkpoint(&x);
                prep.finish(Kept { x, moments, affine, how }, y)
            }
            OpsKind::UnTracked(prep) => prep.finish(y),
        };
        (y, <FloatTensor<Self>>::new(mean), <FloatTensor<Self>>::new(variance))
    }

    fn activation(x: FloatTensor<Self>, kind: Activation) -> FloatTensor<Self> {
        match Backward::<B, 1>::prepare::<C>(Activate, [x.node()]).compute_bound().stateful() {
            OpsKind::Tracked(mut prep) => {
                let kept = prep.checkpoint(&x);
                prep.finish((kept, kind), B::activation(x.into_primitive(), kind))
            }
            OpsKind::UnTracked(prep) => prep.finish(B::activation(x.into_primitive(), kind)),
        }
    }
}
