//! The gradient of the log likelihood: what the forward pass gave, times the incoming gradient.

use super::{Each, MixtureGradients, MixtureOps};
use burn::{
    backend::{
        Autodiff, TensorMetadata,
        autodiff::{
            checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind},
        },
        tensor::FloatTensor,
    },
    tensor::Shape,
};

#[derive(Debug)]
struct Likelihood;

impl<B: MixtureGradients> Backward<B, 5> for Likelihood {
    /// The gradients of the log likelihood.
    type State = Each<Option<FloatTensor<B>>>;

    fn backward(self, ops: Ops<Self::State, 5>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        for (parent, of_sum) in ops.parents.into_iter().zip(ops.state) {
            if let (Some(parent), Some(of_sum)) = (parent, of_sum) {
                let shape = of_sum.shape();
                let one = Shape::from(vec![1; shape.num_dims()]);
                let factor = B::float_expand(B::float_reshape(gradient.clone(), one), shape);
                grads.register::<B>(parent.id, B::float_mul(of_sum, factor));
            }
        }
    }
}

impl<B: MixtureOps + MixtureGradients, C: CheckpointStrategy> MixtureOps for Autodiff<B, C> {
    fn mixture_log_likelihood(
        observations: FloatTensor<Self>,
        logits: FloatTensor<Self>,
        endmembers: FloatTensor<Self>,
        brightness: FloatTensor<Self>,
        log_noise: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let inputs = [observations, logits, endmembers, brightness, log_noise];
        let wanted = inputs.each_ref().map(|input| input.is_tracked());
        let [(a, node_a), (b, node_b), (c, node_c), (d, node_d), (e, node_e)] = inputs.map(|input| input.into_parts());
        let nodes = [node_a, node_b, node_c, node_d, node_e];
        let (sum, gradients) = B::mixture_and_gradients([a, b, c, d, e], wanted);
        match Likelihood.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(gradients, sum),
            OpsKind::UnTracked(prep) => prep.finish(sum),
        }
    }
}
