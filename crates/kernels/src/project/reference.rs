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
    let y = along_lines(with_noise(x, projection.noise), &[projection.axis], projection.order, |lines| {
        (lines - offset.unsqueeze_dim(0)).matmul(complement) * projection.scale
    });
    projection.transform.apply(y)
}

pub(crate) fn with_noise<const D: usize>(x: Tensor<D>, noise: Option<Noise>) -> Tensor<D> {
    let Some(Noise { amplitude, key, counter }) = noise else { return x };
    let numbers = philox_normal(x.dims(), key, counter, &x.device());
    x.clone() + numbers.cast(x.dtype()) * amplitude
}

/// `f` of the lines along some axes, `[line, channel]`, with all axes in a new order. The last of several axes keeps its length.
pub(crate) fn along_lines<const D: usize>(
    x: Tensor<D>,
    axes: &[usize],
    order: [usize; D],
    f: impl FnOnce(Tensor<2>) -> Tensor<2>,
) -> Tensor<D> {
    let mut last: Vec<usize> = (0..D).filter(|axis| !axes.contains(axis)).collect();
    last.extend(axes);
    let lines = x.permute(std::array::from_fn::<isize, D, _>(|place| last[place] as isize));
    let mut dims = lines.dims();
    let first = D - axes.len();
    let channels = dims[first..].iter().product::<usize>();
    let lines = f(lines.reshape([dims[..first].iter().product::<usize>(), channels]));
    dims[first] = lines.dims()[1] * dims[first] / channels;
    let place = |axis: usize| last.iter().position(|other| *other == axis).unwrap_or(axis) as isize;
    lines.reshape(dims).permute(order.map(place))
}
