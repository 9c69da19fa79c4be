//! The gradients of a linear layer, which keeps its input and its weight.

use super::{LinearGradients, LinearOps};
use crate::gradient::{Gradient, record};
use burn::{
    backend::{
        Autodiff, Backend, TensorMetadata, autodiff::checkpoint::strategy::CheckpointStrategy, tensor::FloatTensor,
    },
    tensor::Shape,
};

#[derive(Clone, Debug)]
struct Linear<B: Backend> {
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
}

impl<B: LinearGradients> Gradient<B, 3, 1> for Linear<B> {
    fn gradients(self, [dy]: [Option<FloatTensor<B>>; 1], wanted: [bool; 3]) -> [Option<FloatTensor<B>>; 3] {
        let Some(dy) = dy else { return [const { None }; 3] };
        let outputs = dy.shape()[1];
        let sum = |dy| B::float_reshape(B::float_sum_dim(dy, 0), Shape::from([outputs]));
        let bias = wanted[2].then(|| sum(dy.clone()));
        let weight = wanted[1].then(|| B::linear_weight(self.x, dy.clone()));
        [wanted[0].then(|| B::linear_input(dy, self.weight)), weight, bias]
    }
}

impl<B: LinearOps + LinearGradients, C: CheckpointStrategy> LinearOps for Autodiff<B, C> {
    fn linear_layer(x: FloatTensor<Self>, weight: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self> {
        let ((x, of_x), (weight, of_weight), (bias, of_bias)) =
            (x.into_parts(), weight.into_parts(), bias.into_parts());
        let kept = Linear::<B> { x: x.clone(), weight: weight.clone() };
        let [y] = record::<B, C, _, 3, 1>([of_x, of_weight, of_bias], kept, [B::linear_layer(x, weight, bias)]);
        y
    }
}
