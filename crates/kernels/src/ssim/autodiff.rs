//! The gradient of the similarity.

use super::{Similarity, SsimGradients, SsimOps};
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
struct Map;

impl<B: SsimGradients> Backward<B, 2> for Map {
    /// The images.
    type State = ([FloatTensor<B>; 2], Similarity);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (images, similarity) = ops.state;
        let gradient = grads.consume::<B>(&ops.node);
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let gradients = B::ssim_map_gradients(images, gradient, similarity, wanted);
        for (parent, gradient) in ops.parents.into_iter().zip(gradients) {
            if let (Some(parent), Some(gradient)) = (parent, gradient) {
                grads.register::<B>(parent.id, gradient);
            }
        }
    }
}

#[derive(Debug)]
struct Mean;

impl<B: SsimGradients> Backward<B, 2> for Mean {
    /// The gradients of the mean, which the forward pass gave.
    type State = [Option<FloatTensor<B>>; 2];

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        for (parent, of_mean) in ops.parents.into_iter().zip(ops.state) {
            if let (Some(parent), Some(of_mean)) = (parent, of_mean) {
                let shape = of_mean.shape();
                let planes = Shape::new([shape[0], shape[1], 1, 1]);
                let factor = B::float_expand(B::float_reshape(gradient.clone(), planes), shape);
                grads.register::<B>(parent.id, B::float_mul(of_mean, factor));
            }
        }
    }
}

impl<B: SsimOps + SsimGradients, C: CheckpointStrategy> SsimOps for Autodiff<B, C> {
    fn ssim_map(x: FloatTensor<Self>, y: FloatTensor<Self>, similarity: Similarity) -> FloatTensor<Self> {
        let ((x, node_x), (y, node_y)) = (x.into_parts(), y.into_parts());
        let map = B::ssim_map(x.clone(), y.clone(), similarity);
        match Map.prepare::<C>([node_x, node_y]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(([x, y], similarity), map),
            OpsKind::UnTracked(prep) => prep.finish(map),
        }
    }

    fn ssim_mean(x: FloatTensor<Self>, y: FloatTensor<Self>, similarity: Similarity) -> FloatTensor<Self> {
        let wanted = [x.is_tracked(), y.is_tracked()];
        let ((x, node_x), (y, node_y)) = (x.into_parts(), y.into_parts());
        let (mean, gradients) = B::ssim_mean_and_gradients([x, y], similarity, wanted);
        match Mean.prepare::<C>([node_x, node_y]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(gradients, mean),
            OpsKind::UnTracked(prep) => prep.finish(mean),
        }
    }
}
