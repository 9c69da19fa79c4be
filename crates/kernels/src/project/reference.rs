//! The projection as tensor operations.

use super::{Noise, Projection};
use crate::philox_normal;
use burn::tensor::Tensor;

/// See [`project_out`](crate::project_out).
pub fn project_out<const D: usize>(
    x: Tensor<D>,
    complement: Tensor<2>,
    offset: Tensor<1>,
    projection: Projection<D>,
) -> Tensor<D> {
    let Projection { axis, order, scale, noise } = projection;
    let x = match noise {
        Some(Noise { amplitude, key, counter }) => {
            let numbers = philox_normal(x.dims(), key, counter, &x.device());
            x.clone() + numbers.cast(x.dtype()) * amplitude
        }
        None => x,
    };
    let ([inputs, outputs], dims) = (complement.dims(), x.dims());
    // the projected axis last
    let mut last: [usize; D] = std::array::from_fn(|place| if place < axis { place } else { place + 1 });
    last[D - 1] = axis;
    let lines = x.permute(last.map(|axis| axis as isize));
    let mut projected = last.map(|axis| dims[axis]);
    projected[D - 1] = outputs;
    let count = projected[..D - 1].iter().product::<usize>();
    let lines = lines.reshape([count, inputs]) - offset.unsqueeze_dim(0);
    let lines = (lines.matmul(complement) * scale).reshape(projected);
    let place = |axis: usize| last.iter().position(|other| *other == axis).unwrap_or(axis) as isize;
    lines.permute(order.map(place))
}
