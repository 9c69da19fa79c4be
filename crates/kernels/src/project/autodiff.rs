//! The gradient of the projection: the projection with the transposed matrix, in the layout of the input.

use super::{Plan, ProjectGradients, ProjectOps, transform};
use crate::gradient::{Gradient, record};
use burn::backend::{Autodiff, Backend, autodiff::checkpoint::strategy::CheckpointStrategy, tensor::FloatTensor};

#[derive(Clone, Debug)]
struct ProjectOut<B: Backend> {
    inputs: [FloatTensor<B>; 3],
    /// Of a transform that is not linear.
    output: Option<FloatTensor<B>>,
    plan: Plan,
}

impl<B: ProjectGradients> Gradient<B, 3, 1> for ProjectOut<B> {
    fn gradients(self, [out]: [Option<FloatTensor<B>>; 1], wanted: [bool; 3]) -> [Option<FloatTensor<B>>; 3] {
        match out {
            Some(out) => {
                let linear = transform::gradient::<B>(out, self.output);
                B::project_out_gradients(self.inputs, linear, &self.plan, wanted)
            }
            None => [None, None, None],
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
        let [(x, of_x), (complement, of_complement), (offset, of_offset)] =
            [x, complement, offset].map(|input| input.into_parts());
        let out = B::project_out(x.clone(), complement.clone(), offset.clone(), plan.clone());
        let output = plan.transform.kept::<B>(&out);
        let gradient = ProjectOut::<B> { inputs: [x, complement, offset], output, plan };
        let [out] = record::<B, C, _, 3, 1>([of_x, of_complement, of_offset], gradient, [out]);
        out
    }
}
