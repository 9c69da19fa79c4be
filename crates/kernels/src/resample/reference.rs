//! Resampling as one product with a dense matrix per axis, on any backend.

use super::{Plan, averaging, blurring, upsampling};
use crate::{Pad, own};
use burn::tensor::{Tensor, TensorData};

/// See [`upsample3d`](crate::upsample3d).
///
/// # Panics
/// With the texts of [`upsample3d`](crate::upsample3d).
pub fn upsample3d(x: Tensor<5>, factor: [usize; 3]) -> Tensor<5> {
    apply(x, upsampling("upsample3d", factor))
}

/// See [`blur_pool3d`](crate::blur_pool3d).
///
/// # Panics
/// With the texts of [`blur_pool3d`](crate::blur_pool3d).
pub fn blur_pool3d(x: Tensor<5>, stride: [usize; 3], mode: [Pad; 3]) -> Tensor<5> {
    apply(x, blurring("blur_pool3d", stride, mode))
}

/// See [`average_pool3d`](crate::average_pool3d).
///
/// # Panics
/// With the texts of [`average_pool3d`](crate::average_pool3d).
pub fn average_pool3d(x: Tensor<5>, size: [usize; 3]) -> Tensor<5> {
    apply(x, averaging("average_pool3d", size))
}

fn apply(x: Tensor<5>, plan: impl Fn([usize; 3]) -> Plan) -> Tensor<5> {
    let [_, _, extents @ ..] = x.dims();
    own::at_least_f32(x, |x| resample(x, &plan(extents)))
}

pub(super) fn resample(mut x: Tensor<5>, plan: &Plan) -> Tensor<5> {
    for (axis, matrix) in plan.0.iter().enumerate() {
        let Some(matrix) = matrix else { continue };
        let (inputs, outputs) = (matrix.inputs, matrix.outputs());
        let mut dense = vec![0.0; inputs * outputs];
        for output in 0..outputs {
            // taps of an edge may fall on one value
            matrix.row(output).iter().for_each(|(input, weight)| dense[input * outputs + output] += weight);
        }
        let dense = TensorData::new(dense, [inputs, outputs]);
        let dense = Tensor::<2>::from_data(dense, (&x.device(), x.dtype()));
        let last = x.swap_dims(axis + 2, 4);
        let mut shape = last.dims();
        let rows = shape[..4].iter().product::<usize>();
        shape[4] = outputs;
        x = last.reshape([rows, inputs]).matmul(dense).reshape(shape).swap_dims(axis + 2, 4);
    }
    x
}
