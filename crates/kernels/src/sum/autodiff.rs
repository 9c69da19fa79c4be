//! The gradient of a sum: the incoming gradient, over the divisor, for every value; of squares times twice the value.

use super::SumOps;
use crate::gradient::{Gradient, record};
use burn::{
    backend::{
        Autodiff, Backend, TensorMetadata,
        autodiff::{
            checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind, unary},
        },
        tensor::FloatTensor,
    },
    tensor::Shape,
};

#[derive(Debug)]
struct Broadcast;

impl<B: Backend> Backward<B, 1> for Broadcast {
    /// Shape of the input and the divisor.
    type State = (Shape, f64);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (shape, divisor) = ops.state;
        unary::<B, _>(ops.parents, ops.node, grads, |gradient| {
            let gradient = if divisor == 1.0 { gradient } else { B::float_div_scalar(gradient, divisor.into()) };
            // The sum of everything has rank 1, and broadcasting needs the rank of the input.
            let gradient = match gradient.rank() == shape.num_dims() {
                true => gradient,
                false => B::float_reshape(gradient, Shape::from(vec![1; shape.num_dims()])),
            };
            B::float_expand(gradient, shape)
        });
    }
}

/// Keeps the values.
#[derive(Clone, Debug)]
struct Squares<B: Backend>(FloatTensor<B>);

impl<B: Backend> Gradient<B, 1, 1> for Squares<B> {
    fn gradients(self, [gradient]: [Option<FloatTensor<B>>; 1], _: [bool; 1]) -> [Option<FloatTensor<B>>; 1] {
        [gradient.map(|gradient| {
            let gradient = B::float_reshape(gradient, Shape::from(vec![1; self.0.rank()]));
            B::float_mul(self.0, B::float_mul_scalar(gradient, 2.0.into()))
        })]
    }
}

impl<B: SumOps, C: CheckpointStrategy> SumOps for Autodiff<B, C> {
    fn sum_over(x: FloatTensor<Self>, divisor: f64) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let state = (x.shape(), divisor);
        match Broadcast.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(state, B::sum_over(x, divisor)),
            OpsKind::UnTracked(prep) => prep.finish(B::sum_over(x, divisor)),
        }
    }

    fn sum_squares(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let [sum] = record::<B, C, _, 1, 1>([node], Squares::<B>(x.clone()), [B::sum_squares(x)]);
        sum
    }

    fn sum_dim_over(x: FloatTensor<Self>, dim: usize, divisor: f64) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let state = (x.shape(), divisor);
        match Broadcast.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(state, B::sum_dim_over(x, dim, divisor)),
            OpsKind::UnTracked(prep) => prep.finish(B::sum_dim_over(x, dim, divisor)),
        }
    }
}
