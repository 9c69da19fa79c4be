//! The same convolutions by Burn's own operations, on any backend: padding as tensors, then Burn's convolution.

use burn::tensor::{
    Tensor, module,
    ops::{ConvOptions, ConvTransposeOptions},
};

use super::{ConvSpec, ConvTransposeSpec, Geometry, Pad};

/// Two-dimensional convolution, see [`conv2d`](crate::conv2d).
///
/// # Panics
/// With the texts of [`conv2d`](crate::conv2d).
pub fn conv2d(x: Tensor<4>, weight: Tensor<4>, bias: Option<Tensor<1>>, spec: ConvSpec<2>) -> Tensor<4> {
    super::check("conv2d", &x, &weight, bias.as_ref(), &spec);
    let (x, padding) = padded(x, &spec);
    module::conv2d(x, weight, bias, ConvOptions::new(spec.stride, padding, [1; 2], spec.groups))
}

/// Three-dimensional convolution, see [`conv3d`](crate::conv3d).
///
/// # Panics
/// With the texts of [`conv3d`](crate::conv3d).
pub fn conv3d(x: Tensor<5>, weight: Tensor<5>, bias: Option<Tensor<1>>, spec: ConvSpec<3>) -> Tensor<5> {
    super::check("conv3d", &x, &weight, bias.as_ref(), &spec);
    let (x, padding) = padded(x, &spec);
    module::conv3d(x, weight, bias, ConvOptions::new(spec.stride, padding, [1; 3], spec.groups))
}

/// Two-dimensional transposed convolution, see [`conv_transpose2d`](crate::conv_transpose2d).
///
/// # Panics
/// With the texts of [`conv_transpose2d`](crate::conv_transpose2d).
pub fn conv_transpose2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    spec: ConvTransposeSpec<2>,
) -> Tensor<4> {
    let geometry = super::check_transposed("conv_transpose2d", &x, &weight, bias.as_ref(), &spec);
    transposed(&geometry, &spec, bias, |bias, padding, longer| {
        let options = ConvTransposeOptions::new(spec.stride, padding, longer, [1; 2], spec.groups);
        module::conv_transpose2d(x, weight, bias, options)
    })
}

/// Three-dimensional transposed convolution, see [`conv_transpose3d`](crate::conv_transpose3d).
///
/// # Panics
/// With the texts of [`conv_transpose3d`](crate::conv_transpose3d).
pub fn conv_transpose3d(
    x: Tensor<5>,
    weight: Tensor<5>,
    bias: Option<Tensor<1>>,
    spec: ConvTransposeSpec<3>,
) -> Tensor<5> {
    let geometry = super::check_transposed("conv_transpose3d", &x, &weight, bias.as_ref(), &spec);
    transposed(&geometry, &spec, bias, |bias, padding, longer| {
        let options = ConvTransposeOptions::new(spec.stride, padding, longer, [1; 3], spec.groups);
        module::conv_transpose3d(x, weight, bias, options)
    })
}

/// The padding that Burn's convolutions cannot do as a tensor, and the symmetric zeros that they can do.
fn padded<const D: usize, const N: usize>(mut x: Tensor<D>, spec: &ConvSpec<N>) -> (Tensor<D>, [usize; N]) {
    let mut left = [0; N];
    for (axis, left) in left.iter_mut().enumerate() {
        let [before, behind] = spec.padding[axis];
        if spec.mode[axis] == Pad::Zero && before == behind {
            *left = before;
        } else {
            x = pad_axis(x, axis + 2, [before, behind], spec.mode[axis]);
        }
    }
    (x, left)
}

/// `x` with `padding` before and behind along `axis`.
pub(crate) fn pad_axis<const D: usize>(x: Tensor<D>, axis: usize, padding: [usize; 2], mode: Pad) -> Tensor<D> {
    let (extent, [before, behind]) = (x.dims()[axis], padding);
    let part = |start: usize, len: usize| x.clone().narrow(axis, start, len);
    let zeros = |len: usize| {
        let mut shape = x.dims();
        shape[axis] = len;
        Tensor::zeros(shape, (&x.device(), x.dtype()))
    };
    let mut parts = Vec::with_capacity(3);
    if before > 0 {
        parts.push(match mode {
            Pad::Zero => zeros(before),
            Pad::Circular => part(extent - before, before),
            Pad::Reflect => part(1, before).flip([axis]),
            Pad::Replicate => part(0, 1).repeat_dim(axis, before),
        });
    }
    parts.push(x.clone());
    if behind > 0 {
        parts.push(match mode {
            Pad::Zero => zeros(behind),
            Pad::Circular => part(0, behind),
            Pad::Reflect => part(extent - 1 - behind, behind).flip([axis]),
            Pad::Replicate => part(extent - 1, 1).repeat_dim(axis, behind),
        });
    }
    if parts.len() == 1 { x } else { Tensor::cat(parts, axis) }
}

/// A transposed convolution: `burn(bias, padding, output padding)` with what Burn can do, the rest as the adjoint of
/// [`pad_axis`].
fn transposed<const D: usize, const N: usize>(
    geometry: &Geometry,
    spec: &ConvTransposeSpec<N>,
    bias: Option<Tensor<1>>,
    burn: impl FnOnce(Option<Tensor<1>>, [usize; N], [usize; N]) -> Tensor<D>,
) -> Tensor<D> {
    let in_burn = |axis: usize| spec.mode[axis] == Pad::Zero && spec.padding[axis][0] == spec.padding[axis][1];
    if (0..N).all(in_burn) {
        return burn(bias, spec.padding.map(|[before, _]| before), spec.output_padding);
    }
    // Folding adds values up, so that the bias comes last.
    let mut y = burn(None, [0; N], spec.output_padding);
    for axis in 0..N {
        y = fold_axis(y, axis + 2, geometry.input[axis + 3 - N], spec.padding[axis], spec.mode[axis]);
    }
    match bias {
        Some(bias) => {
            let mut shape = [1; D];
            shape[1] = bias.dims()[0];
            y + bias.reshape(shape)
        }
        None => y,
    }
}

/// The adjoint of [`pad_axis`] for an axis of `extent` values: what stands beyond the edge is added where it was read.
fn fold_axis<const D: usize>(
    x: Tensor<D>,
    axis: usize,
    extent: usize,
    [before, behind]: [usize; 2],
    mode: Pad,
) -> Tensor<D> {
    let part = |start: usize, len: usize| x.clone().narrow(axis, start, len);
    // A part of the axis amid zeros.
    let placed = |part: Tensor<D>, start: usize| {
        let len = part.dims()[axis];
        pad_axis(part, axis, [start, extent - start - len], Pad::Zero)
    };
    let mut y = part(before, extent);
    if mode == Pad::Zero {
        return y;
    }
    if before > 0 {
        let beyond = part(0, before);
        y = y + match mode {
            Pad::Reflect => placed(beyond.flip([axis]), 1),
            Pad::Replicate => placed(beyond.sum_dim(axis), 0),
            Pad::Circular | Pad::Zero => placed(beyond, extent - before),
        };
    }
    if behind > 0 {
        let beyond = part(before + extent, behind);
        y = y + match mode {
            Pad::Reflect => placed(beyond.flip([axis]), extent - 1 - behind),
            Pad::Replicate => placed(beyond.sum_dim(axis), extent - 1),
            Pad::Circular | Pad::Zero => placed(beyond, 0),
        };
    }
    y
}
