//! Gradients of normalisation and activation: both keep their input, and recompute what came of it.

use super::{Normalization, NormalizationGradients, NormalizationOps};
use crate::activation::Activation;
use burn::backend::{
    Autodiff, BackendTypes,
    autodiff::{
        NodeId,
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
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
        match Backward::<B, 3>::prepare::<C>(Normalize, nodes).compute_bound().stateful() {
            OpsKind::Tracked(mut prep) => {
                let kept = prep.checkpoint(&x);
                let affine = [gamma.into_primitive(), beta.into_primitive()];
                let (y, mean, variance) =
                    B::normalization(x.into_primitive(), affine[0].clone(), affine[1].clone(), how);
                let kept = Kept { x: kept, moments: [mean.clone(), variance.clone()], affine, how };
                (prep.finish(kept, y), <FloatTensor<Self>>::new(mean), <FloatTensor<Self>>::new(variance))
            }
            OpsKind::UnTracked(prep) => {
                let (y, mean, variance) =
                    B::normalization(x.into_primitive(), gamma.into_primitive(), beta.into_primitive(), how);
                (prep.finish(y), <FloatTensor<Self>>::new(mean), <FloatTensor<Self>>::new(variance))
            }
        }
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
