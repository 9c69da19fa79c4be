//! The gradient of the log likelihood: what the forward pass gave, times the incoming gradient.

use super::{Each, MixtureGradients, MixtureOps};
use crate::gradient::{Gradient, record};
use burn::{
    backend::{
        Autodiff, Backend, TensorMetadata, autodiff::checkpoint::strategy::CheckpointStrategy, tensor::FloatTensor,
    },
    tensor::Shape,
};

/// Keeps the gradients of the log likelihood, which came with it.
#[derive(Clone, Debug)]
struct Likelihood<B: Backend>(Each<Option<FloatTensor<B>>>);

impl<B: MixtureGradients> Gradient<B, 5, 1> for Likelihood<B> {
    fn gradients(self, [sum]: [Option<FloatTensor<B>>; 1], _: Each<bool>) -> Each<Option<FloatTensor<B>>> {
        let scaled = |of_sum: FloatTensor<B>, sum: FloatTensor<B>| {
            let shape = of_sum.shape();
            let one = Shape::from(vec![1; shape.num_dims()]);
            B::float_mul(of_sum, B::float_expand(B::float_reshape(sum, one), shape))
        };
        self.0.map(|of_sum| Some(scaled(of_sum?, sum.clone()?)))
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
        let [(a, of_a), (b, of_b), (c, of_c), (d, of_d), (e, of_e)] = inputs.map(|input| input.into_parts());
        let (sum, gradients) = B::mixture_and_gradients([a, b, c, d, e], wanted);
        let nodes = [of_a, of_b, of_c, of_d, of_e];
        let [sum] = record::<B, C, _, 5, 1>(nodes, Likelihood::<B>(gradients), [sum]);
        sum
    }
}
