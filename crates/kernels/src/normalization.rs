//! Normalisation with an activation behind it, in one pass, and the activation alone.
//!
//! `y = f(gamma (x - mean) / sqrt(variance + epsilon) + beta)`
//!
//! with mean and variance over the values that share them ([`Share`]): Ioffe and Szegedy 2015 (batch), arXiv:1502.03167; Wu and He
//! 2018 (groups; one group is a layer norm over channels and places, one channel per group an instance norm),
//! arXiv:1803.08494. The backward pass keeps `x` and the moments and recomputes the rest.
//!
//! Statistics are summed in f64 in a fixed order. f16 and bf16 are computed in f32, f64 by the reference.

mod autodiff;
#[cfg(feature = "flex")]
mod cpu;
#[cfg(feature = "flex")]
mod flex;
pub(crate) mod reference;
#[cfg(feature = "flex")]
mod rows;

use crate::{activation::Activation, own};
use burn::{
    backend::{Backend, Dispatch, backend_extension, tensor::FloatTensor},
    tensor::{DType, Tensor},
};

/// Which values of a tensor `[batch, channels, ..]` share mean and variance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// Those of a channel, over the batch and all places.
    Batch,
    /// Those of a group of neighbouring channels of one sample, over all places. The number is that of the groups.
    Group(usize),
}

/// How values are normalised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normalization {
    /// Which values share mean and variance.
    pub share: Share,
    /// Added to the variance.
    pub epsilon: f64,
    /// What follows.
    pub activation: Activation,
}

impl Normalization {
    /// Whether tensors with `places` values per channel and sample are rows, each normalised by itself.
    fn is_by_rows(&self, places: usize) -> bool {
        places == 1 && self.share == Share::Group(1)
    }
}

/// A normalised tensor with the moments that it was normalised by.
#[derive(Clone, Debug)]
pub struct Normalized<const D: usize> {
    /// The result, of the shape of the input.
    pub output: Tensor<D>,
    /// The means, one per channel ([`Share::Batch`]) or per sample and group; without gradient.
    pub mean: Tensor<1>,
    /// The variances, sums of squares divided by the count; without gradient.
    pub variance: Tensor<1>,
}

/// Normalisations and activations.
#[backend_extension(Flex: cfg(feature = "flex"), Autodiff)]
pub(crate) trait NormalizationOps: Backend {
    /// Result, mean and variance.
    fn normalization(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        how: Normalization,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    /// The activation of each value.
    fn activation(x: FloatTensor<Self>, kind: Activation) -> FloatTensor<Self>;
}

/// The gradients of the operations.
pub(crate) trait NormalizationGradients: NormalizationOps {
    /// The result, given the moments.
    fn normalized(
        x: FloatTensor<Self>,
        moments: [FloatTensor<Self>; 2],
        affine: [FloatTensor<Self>; 2],
        how: Normalization,
    ) -> FloatTensor<Self>;

    /// Gradients for `x`, `gamma` and `beta`, given `values`, which are `x` and the gradient for the result.
    fn normalization_gradient(
        values: [FloatTensor<Self>; 2],
        moments: [FloatTensor<Self>; 2],
        affine: [FloatTensor<Self>; 2],
        how: Normalization,
    ) -> [FloatTensor<Self>; 3];

    /// The gradient for `x`, given that for the activation.
    fn activation_gradient(x: FloatTensor<Self>, dy: FloatTensor<Self>, kind: Activation) -> FloatTensor<Self>;
}

/// Normalises `x` by its own moments and applies an activation.
///
/// # Shapes
/// - `x`: `[batch, channels, ..]`
/// - `gamma`, `beta`: `[channels]`
/// - output: that of `x`
///
/// # Panics
/// - "normalize: a tensor of rank 1 has no channels"
/// - "normalize: gamma has 3 and beta 4 values for 4 channels"
/// - "normalize: 3 groups do not divide 4 channels"
/// - "normalize: no values to take a mean of: [0, 4, 8]"
pub fn normalize<const D: usize>(x: Tensor<D>, gamma: Tensor<1>, beta: Tensor<1>, how: Normalization) -> Normalized<D> {
    check(&x, &gamma, &beta, how);
    if !own::takes(&x, &[DType::F32, DType::F16, DType::BF16]) {
        return reference::normalize(x, gamma, beta, how);
    }
    let dtype = x.dtype();
    let (output, mean, variance) =
        Dispatch::normalization(wide(x).into_dispatch(), wide(gamma).into_dispatch(), wide(beta).into_dispatch(), how);
    let output: Tensor<D> = Tensor::from_dispatch(output);
    Normalized {
        output: if dtype == DType::F32 { output } else { output.cast(dtype) },
        mean: Tensor::from_dispatch(mean),
        variance: Tensor::from_dispatch(variance),
    }
}

/// Applies `kind` to every value of `x`, in place where nobody else needs them.
pub fn activate<const D: usize>(x: Tensor<D>, kind: Activation) -> Tensor<D> {
    match kind {
        Activation::Identity => x,
        _ if own::takes(&x, &[DType::F32, DType::F16, DType::BF16]) => {
            own::at_least_f32(x, |x| Tensor::from_dispatch(Dispatch::activation(x.into_dispatch(), kind)))
        }
        _ => reference::activate(x, kind),
    }
}

fn wide<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if x.dtype() == DType::F32 { x } else { x.cast(DType::F32) }
}

fn check<const D: usize>(x: &Tensor<D>, gamma: &Tensor<1>, beta: &Tensor<1>, how: Normalization) {
    assert!(D > 1, "normalize: a tensor of rank {D} has no channels");
    let shape = x.dims();
    let (channels, [scales], [shifts]) = (shape[1], gamma.dims(), beta.dims());
    assert!(
        scales == channels && shifts == channels,
        "normalize: gamma has {scales} and beta {shifts} values for {channels} channels"
    );
    if let Share::Group(groups) = how.share {
        assert!(
            groups > 0 && channels.is_multiple_of(groups),
            "normalize: {groups} groups do not divide {channels} channels"
        );
    }
    assert!(!shape.contains(&0), "normalize: no values to take a mean of: {shape:?}");
}
