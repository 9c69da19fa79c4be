//! The projection on flex.

use super::{
    Plan, ProjectGradients, ProjectOps, Transform,
    noise::Normals,
    tiles::{self, Projection},
};
use crate::{
    flex::{tensor, with_values},
    sum::SumOps,
};
use burn::backend::{Flex, TensorMetadata, flex::FlexTensor, ops::FloatTensorOps, tensor::FloatTensor};

impl ProjectOps for Flex {
    fn project_out(
        x: FloatTensor<Self>,
        complement: FloatTensor<Self>,
        offset: FloatTensor<Self>,
        plan: Plan,
    ) -> FloatTensor<Self> {
        project(&x, &complement, Some(&offset), &plan)
    }
}

impl ProjectGradients for Flex {
    fn project_out_gradients(
        [x, complement, offset]: [FloatTensor<Self>; 3],
        gradient: FloatTensor<Self>,
        plan: &Plan,
        wanted: [bool; 3],
    ) -> [Option<FloatTensor<Self>>; 3] {
        let Plan { axis, ref order, scale, noise, .. } = *plan;
        let (linear, place) = (Transform::Linear, |axis| plan.place(axis));
        let [inputs, outputs] = complement.shape().dims();
        // lines of the output's gradient, in the order of the output's other axes
        let others: Vec<usize> = order.iter().copied().filter(|other| *other != axis).collect();
        let lines = |outputs_last: &FlexTensor, width: usize| {
            let count = outputs_last.shape().num_elements() / width;
            outputs_last.reshape([count, width].into())
        };
        let gradient_lines = || {
            let mut last: Vec<usize> = (0..order.len()).filter(|other| *other != place(axis)).collect();
            last.push(place(axis));
            lines(&gradient.permute(&last).to_contiguous(), outputs)
        };
        let of_x = || {
            let order = (0..order.len()).map(place).collect();
            let back = Plan { axis: place(axis), order, scale, transform: linear, noise: None };
            project(&gradient, &complement.transpose(0, 1), None, &back)
        };
        let of_complement = || {
            let identity =
                tensor((0..inputs * inputs).map(|i| f32::from(i % (inputs + 1) == 0)).collect(), [inputs, inputs]);
            let order = others.iter().copied().chain([axis]).collect();
            let last = Plan { axis, order, scale, transform: linear, noise };
            let centred = lines(&project(&x, &identity, Some(&offset), &last), inputs);
            Self::float_matmul(centred.transpose(0, 1), gradient_lines())
        };
        let of_offset = || {
            let sum = Self::sum_dim_over(gradient_lines(), 0, 1.0);
            let sum = Self::float_matmul(sum, complement.transpose(0, 1));
            Self::float_mul_scalar(sum, (-scale).into()).reshape([inputs].into())
        };
        [wanted[0].then(of_x), wanted[1].then(of_complement), wanted[2].then(of_offset)]
    }
}

fn project(x: &FlexTensor, complement: &FlexTensor, offset: Option<&FlexTensor>, plan: &Plan) -> FlexTensor {
    let dims = x.shape();
    let mut out: Vec<usize> = plan.order.iter().map(|axis| dims[*axis]).collect();
    for (length, axis) in out.iter_mut().zip(&plan.order) {
        if *axis == plan.axis {
            *length = complement.shape()[1];
        }
    }
    let normals = plan.noise.map(Normals::from);
    let fill = |first: usize, out: &mut [f32]| normals.iter().for_each(|normals| normals.fill(first, out));
    let noise = plan.noise.is_some().then_some(&fill as tiles::Noise<'_>);
    let apply = |offset: Option<&[f32]>| {
        with_values(x, |x| {
            with_values(complement, |complement| {
                let Plan { axis, ref order, scale, transform, .. } = *plan;
                let dims = &dims[..];
                Projection { x, dims, axis, order, complement, offset, scale: scale as f32, transform, noise }.apply()
            })
        })
    };
    let values = match offset {
        Some(offset) => with_values(offset, |offset| apply(Some(offset))),
        None => apply(None),
    };
    tensor(values, out)
}
