//! The gradient of a resampling: the transposed matrices applied to the incoming gradient.

use super::{Plan, ResampleOps};
use crate::gradient::{Gradient, record};
use burn::backend::{Autodiff, Backend, autodiff::checkpoint::strategy::CheckpointStrategy, tensor::FloatTensor};
use std::sync::Arc;

#[derive(Clone, Debug)]
struct Adjoint(Arc<Plan>);

impl<B: Backend + ResampleOps> Gradient<B, 1, 1> for Adjoint {
    fn gradients(self, [gradient]: [Option<FloatTensor<B>>; 1], _: [bool; 1]) -> [Option<FloatTensor<B>>; 1] {
        [gradient.map(|gradient| B::resample(gradient, Arc::new(self.0.transposed())))]
    }
}

impl<B: Backend + ResampleOps, C: CheckpointStrategy> ResampleOps for Autodiff<B, C> {
    fn resample(x: FloatTensor<Self>, plan: Arc<Plan>) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let [resampled] = record::<B, C, _, 1, 1>([node], Adjoint(plan.clone()), [B::resample(x, plan)]);
        resampled
    }
}
