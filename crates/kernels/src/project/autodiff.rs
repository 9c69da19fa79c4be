//! The gradient of the projection: the projection with the transposed matrix, in the layout of the input.

use super::{Plan, ProjectGradients, ProjectOps};
use burn::backend::{
    Autodiff,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    tensor::FloatTensor,
};

#[derive(Debug)]
struct ProjectOut;

impl<B: ProjectGradients> Backward<B, 3> for ProjectOut {
    type State = ([FloatTensor<B>; 3], Plan);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (inputs, plan) = ops.state;
        let gradient = grads.consume::<B>(&ops.node);
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let gradients = B::project_out_gradients(inputs, gradient, &plan, wanted);
        for (parent, gradient) in ops.parents.into_iter().zip(gradients) {
            if let (Some(parent), Some(gradient)) = (parent, gradient) {
                grads.register::<B>(parent.id, gradient);
            }
        }
    }
}

impl<B: ProjectOps + ProjectGradients, C: CheckpointStrategy> ProjectOps for Autodiff<B, C> {
    fn project_out(
        x: FloatTensor<Self>,
        complement: FloatTensor<Self>,
        offset: FloatTensor<Self>,
        plan: Plan,
    ) -> FloatTensor<Self> {
        let ((x, node_x), (complement, node_complement)) = (x.into_parts(), complement.into_parts());
        let (offset, node_offset) = offset.into_parts();
        let out = B::project_out(x.clone(), complement.clone(), offset.clone(), plan.clone());
        match ProjectOut.prepare::<C>([node_x, node_complement, node_offset]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(([x, complement, offset], plan), out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }
}
