//! The gradient of the low-rank projection: the same projection of the gradient, in the layout of the input.

use super::{LowRank, LowRankOps};
use crate::{
    gradient::{Gradient, record},
    project::{
        Plan,
        transform::{self, Transform},
    },
};
use burn::backend::{Autodiff, Backend, autodiff::checkpoint::strategy::CheckpointStrategy, tensor::FloatTensor};

#[derive(Clone, Debug)]
struct ProjectLowRank<B: Backend> {
    low_rank: LowRank,
    plan: Plan,
    /// Of a transform that is not linear.
    output: Option<FloatTensor<B>>,
}

impl<B: LowRankOps> Gradient<B, 1, 1> for ProjectLowRank<B> {
    fn gradients(self, [out]: [Option<FloatTensor<B>>; 1], _: [bool; 1]) -> [Option<FloatTensor<B>>; 1] {
        let Self { low_rank, plan, output } = self;
        let rank = plan.order.len();
        let places: Vec<usize> = (0..rank).map(|axis| plan.place(axis)).collect();
        let back = Plan { order: (0..rank).collect(), transform: Transform::Linear, noise: None, ..plan };
        // P* = P: the projection is its own adjoint
        [out.map(|out| {
            let linear = transform::gradient::<B>(out, output);
            B::project_low_rank(B::float_permute(linear, &places), low_rank.about_zero(), back)
        })]
    }
}

impl<B: LowRankOps, C: CheckpointStrategy> LowRankOps for Autodiff<B, C> {
    fn project_low_rank(x: FloatTensor<Self>, low_rank: LowRank, plan: Plan) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let out = B::project_low_rank(x, low_rank.clone(), plan.clone());
        let output = plan.transform.kept::<B>(&out);
        let [out] = record::<B, C, _, 1, 1>([node], ProjectLowRank::<B> { low_rank, plan, output }, [out]);
        out
    }
}
