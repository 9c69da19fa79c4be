//! Convolutions in two and three dimensions and their transposes.
//!
//! `y[n, o, p] = b[o] + sum over i, q of w[o, i, q] x[n, i, p s + q - a]`
//!
//! with stride `s`, padding `a` before the axis, and `x` going on beyond its edges as [`Pad`] says, per axis. No padded copy of `x`
//! is made. (What networks call a convolution is a correlation: the kernel is not mirrored.) The transposed convolution is the
//! adjoint, which maps `y` to `x`.
//!
//! The results do not depend on the number of threads. f16 and bf16 are computed in f32, f64 by the reference.

mod autodiff;
#[cfg(feature = "flex")]
mod cpu;
#[cfg(feature = "flex")]
mod flex;
mod padding;
pub(crate) mod reference;
mod spec;

pub(crate) use spec::Geometry;
pub use {
    padding::Pad,
    spec::{ConvSpec, ConvTransposeSpec},
};

use crate::{activate, activation::Activation, own};
use burn::{
    backend::{Backend, Dispatch, backend_extension, tensor::FloatTensor},
    tensor::{DType, Tensor},
};

/// Convolutions of any rank: a geometry has three axes, the tensors those that they have.
#[backend_extension(Flex: cfg(feature = "flex"), Autodiff)]
pub(crate) trait ConvOps: Backend {
    /// The convolution of `x` with `w`, and what an activation makes of it.
    fn convolution(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        geometry: Geometry,
        then: Activation,
    ) -> FloatTensor<Self>;

    /// The adjoint of the convolution of `geometry` for its input, with a bias and an activation behind it.
    fn transposed_convolution(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        geometry: Geometry,
        then: Activation,
    ) -> FloatTensor<Self>;
}

/// What the gradients of convolutions are made of.
pub(crate) trait ConvGradients: ConvOps {
    /// The gradient of the convolution for its weight.
    fn weight_gradient(x: FloatTensor<Self>, dy: FloatTensor<Self>, geometry: Geometry) -> FloatTensor<Self>;

    /// The gradient for a bias: the sum over all but the channels.
    fn bias_gradient(dy: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// Two-dimensional convolution.
///
/// # Shapes
/// - `x`: `[batch, in channels, rows, columns]`
/// - `weight`: `[out channels, in channels / groups, kernel rows, kernel columns]`
/// - `bias`: `[out channels]`
/// - output: `[batch, out channels, (rows + padding - kernel rows) / stride + 1, ..]`
///
/// # Panics
/// - "conv2d: 3 groups do not divide 4 channels"
/// - "conv2d: the stride [1, 0] has a zero"
/// - "conv2d: the input has 3 channels, the weight takes 1 groups of 4"
/// - "conv2d: the bias has 3 values for 4 channels"
/// - "conv2d: axis 0 is empty"
/// - "conv2d: axis 0: circular padding of 5 and 1 is too much for 4 values" (and reflect)
/// - "conv2d: axis 0: a kernel of 5 does not fit 4 values padded by 0 and 0"
pub fn conv2d(x: Tensor<4>, weight: Tensor<4>, bias: Option<Tensor<1>>, spec: ConvSpec<2>) -> Tensor<4> {
    conv2d_then(x, weight, bias, spec, Activation::Identity)
}

/// [`conv2d`] with an activation behind it, without another pass where no gradient is asked for.
pub(crate) fn conv2d_then(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    spec: ConvSpec<2>,
    then: Activation,
) -> Tensor<4> {
    let geometry = check("conv2d", &x, &weight, bias.as_ref(), &spec);
    match runs_own(&x) {
        true => {
            dispatch(x, weight, (bias, geometry.out_channels), |x, w, b| Dispatch::convolution(x, w, b, geometry, then))
        }
        false => activate(reference::conv2d(x, weight, bias, spec), then),
    }
}

/// Three-dimensional convolution.
///
/// # Shapes
/// - `x`: `[batch, in channels, depth, rows, columns]`
/// - `weight`: `[out channels, in channels / groups, kernel depth, kernel rows, kernel columns]`
/// - `bias`: `[out channels]`
/// - output: `[batch, out channels, (depth + padding - kernel depth) / stride + 1, ..]`
///
/// # Panics
/// As [`conv2d`], with "conv3d".
pub fn conv3d(x: Tensor<5>, weight: Tensor<5>, bias: Option<Tensor<1>>, spec: ConvSpec<3>) -> Tensor<5> {
    conv3d_then(x, weight, bias, spec, Activation::Identity)
}

/// [`conv3d`] with an activation behind it, without another pass where no gradient is asked for.
pub(crate) fn conv3d_then(
    x: Tensor<5>,
    weight: Tensor<5>,
    bias: Option<Tensor<1>>,
    spec: ConvSpec<3>,
    then: Activation,
) -> Tensor<5> {
    let geometry = check("conv3d", &x, &weight, bias.as_ref(), &spec);
    match runs_own(&x) {
        true => {
            dispatch(x, weight, (bias, geometry.out_channels), |x, w, b| Dispatch::convolution(x, w, b, geometry, then))
        }
        false => activate(reference::conv3d(x, weight, bias, spec), then),
    }
}

/// Two-dimensional transposed convolution: the adjoint of [`conv2d`] with the same stride, padding, modes and groups, plus a bias.
///
/// # Shapes
/// - `x`: `[batch, in channels, rows, columns]`
/// - `weight`: `[in channels, out channels / groups, kernel rows, kernel columns]`
/// - `bias`: `[out channels]`
/// - output: `[batch, out channels, (rows - 1) stride + kernel rows - padding + output padding, ..]`
///
/// # Panics
/// - "conv_transpose2d: 3 groups do not divide 4 channels"
/// - "conv_transpose2d: the stride [1, 0] has a zero"
/// - "conv_transpose2d: the input has 3 channels, the weight takes 4"
/// - "conv_transpose2d: the bias has 3 values for 4 channels"
/// - "conv_transpose2d: axis 0: the output padding 2 is not below the stride 2"
/// - "conv_transpose2d: axis 0 is empty"
/// - "conv_transpose2d: axis 0: nothing is left of 3 values after a padding of 2 and 2"
/// - "conv_transpose2d: axis 0: circular padding of 5 and 1 is too much for 4 values" (and reflect)
pub fn conv_transpose2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    spec: ConvTransposeSpec<2>,
) -> Tensor<4> {
    conv_transpose2d_then(x, weight, bias, spec, Activation::Identity)
}

/// [`conv_transpose2d`] with an activation behind it, without another pass where no gradient is asked for.
pub(crate) fn conv_transpose2d_then(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    spec: ConvTransposeSpec<2>,
    then: Activation,
) -> Tensor<4> {
    let geometry = check_transposed("conv_transpose2d", &x, &weight, bias.as_ref(), &spec);
    match runs_own(&x) {
        true => dispatch(x, weight, (bias, geometry.in_channels), |x, w, b| {
            Dispatch::transposed_convolution(x, w, b, geometry, then)
        }),
        false => activate(reference::conv_transpose2d(x, weight, bias, spec), then),
    }
}

/// Three-dimensional transposed convolution: the adjoint of [`conv3d`] with the same stride, padding, modes and groups, plus a bias.
///
/// # Shapes
/// - `x`: `[batch, in channels, depth, rows, columns]`
/// - `weight`: `[in channels, out channels / groups, kernel depth, kernel rows, kernel columns]`
/// - `bias`: `[out channels]`
/// - output: `[batch, out channels, (depth - 1) stride + kernel depth - padding + output padding, ..]`
///
/// # Panics
/// As [`conv_transpose2d`], with "conv_transpose3d".
pub fn conv_transpose3d(
    x: Tensor<5>,
    weight: Tensor<5>,
    bias: Option<Tensor<1>>,
    spec: ConvTransposeSpec<3>,
) -> Tensor<5> {
    conv_transpose3d_then(x, weight, bias, spec, Activation::Identity)
}

/// [`conv_transpose3d`] with an activation behind it, without another pass where no gradient is asked for.
pub(crate) fn conv_transpose3d_then(
    x: Tensor<5>,
    weight: Tensor<5>,
    bias: Option<Tensor<1>>,
    spec: ConvTransposeSpec<3>,
    then: Activation,
) -> Tensor<5> {
    let geometry = check_transposed("conv_transpose3d", &x, &weight, bias.as_ref(), &spec);
    match runs_own(&x) {
        true => dispatch(x, weight, (bias, geometry.in_channels), |x, w, b| {
            Dispatch::transposed_convolution(x, w, b, geometry, then)
        }),
        false => activate(reference::conv_transpose3d(x, weight, bias, spec), then),
    }
}

/// Whether a body of ours takes `x`: in f32, or in f16 and bf16 by way of it.
fn runs_own<const D: usize>(x: &Tensor<D>) -> bool {
    own::takes(x, &[DType::F32, DType::F16, DType::BF16])
}

/// Calls `f` in f32 and returns in the dtype of `x`.
fn dispatch<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<D>,
    (bias, channels): (Option<Tensor<1>>, usize),
    f: impl FnOnce(FloatTensor<Dispatch>, FloatTensor<Dispatch>, FloatTensor<Dispatch>) -> FloatTensor<Dispatch>,
) -> Tensor<D> {
    let wide = |dtype: DType| dtype == DType::F32;
    let weight = if wide(weight.dtype()) { weight } else { weight.cast(DType::F32) };
    // An operation of Burn takes no absent tensor: without a bias it is zero, and as no parameter it costs no gradient.
    let bias = match bias {
        Some(bias) if wide(bias.dtype()) => bias,
        Some(bias) => bias.cast(DType::F32),
        None => Tensor::zeros([channels], (&x.device(), DType::F32)),
    };
    own::at_least_f32(x, |x| Tensor::from_dispatch(f(x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch())))
}

fn check<const D: usize, const N: usize>(
    name: &str,
    x: &Tensor<D>,
    weight: &Tensor<D>,
    bias: Option<&Tensor<1>>,
    spec: &ConvSpec<N>,
) -> Geometry {
    let geometry = Geometry::of(name, &x.dims(), &weight.dims(), spec);
    check_bias(name, bias, geometry.out_channels);
    geometry
}

fn check_transposed<const D: usize, const N: usize>(
    name: &str,
    x: &Tensor<D>,
    weight: &Tensor<D>,
    bias: Option<&Tensor<1>>,
    spec: &ConvTransposeSpec<N>,
) -> Geometry {
    let geometry = Geometry::of_transposed(name, &x.dims(), &weight.dims(), spec);
    check_bias(name, bias, geometry.in_channels);
    geometry
}

fn check_bias(name: &str, bias: Option<&Tensor<1>>, channels: usize) {
    if let Some(bias) = bias {
        let [values] = bias.dims();
        assert!(values == channels, "{name}: the bias has {values} values for {channels} channels");
    }
}
