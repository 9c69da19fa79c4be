//! The gradient of dropout, which draws again instead of keeping what it drew.

use super::{Draws, DropoutOps};
use crate::gradient::{Gradient, record};
use burn::backend::{Autodiff, autodiff::checkpoint::strategy::CheckpointStrategy, tensor::FloatTensor};

impl<B: DropoutOps> Gradient<B, 1, 1> for Draws {
    fn gradients(self, [gradient]: [Option<FloatTensor<B>>; 1], _: [bool; 1]) -> [Option<FloatTensor<B>>; 1] {
        [gradient.map(|gradient| B::drop_out(gradient, self))]
    }
}

impl<B: DropoutOps, C: CheckpointStrategy> DropoutOps for Autodiff<B, C> {
    fn drop_out(x: FloatTensor<Self>, draws: Draws) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let [left] = record::<B, C, _, 1, 1>([node], draws, [B::drop_out(x, draws)]);
        left
    }
}
