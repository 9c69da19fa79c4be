//! Normalisation and activation on flex.

use super::{
    Normalization, NormalizationGradients, NormalizationOps,
    cpu::{self, Affine, Moments, Planes, View},
    rows,
};
use crate::{
    activation::{Activation, cpu as curve},
    flex::{compact, is_compact, tensor, with_values, zeros},
};
use burn::backend::{Flex, TensorMetadata, flex::FlexTensor, tensor::FloatTensor};

impl NormalizationOps for Flex {
    fn normalization(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        how: Normalization,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let planes = planes(&x);
        let moments = match how.is_by_rows(planes.len) {
            true => with_values(&x, |z| rows::moments(z, planes.channels)),
            false => with_view(&x, planes, |z| cpu::moments(z, planes, how.share)),
        };
        let y = output(&x, &moments, [&gamma, &beta], how);
        let cells = moments.mean.len();
        (tensor(y, x.shape()), tensor(moments.mean, [cells]), tensor(moments.variance, [cells]))
    }

    fn activation(x: FloatTensor<Self>, kind: Activation) -> FloatTensor<Self> {
        let mut y = compact(x);
        curve::forward(y.storage_mut(), kind);
        y
    }
}

impl NormalizationGradients for Flex {
    fn normalized(
        x: FloatTensor<Self>,
        moments: [FloatTensor<Self>; 2],
        [gamma, beta]: [FloatTensor<Self>; 2],
        how: Normalization,
    ) -> FloatTensor<Self> {
        let y = output(&x, &own(&moments), [&gamma, &beta], how);
        tensor(y, x.shape())
    }

    fn normalization_gradient(
        [x, dy]: [FloatTensor<Self>; 2],
        moments: [FloatTensor<Self>; 2],
        [gamma, beta]: [FloatTensor<Self>; 2],
        how: Normalization,
    ) -> [FloatTensor<Self>; 3] {
        let planes = planes(&x);
        let moments = own(&moments);
        let rule = (how.epsilon as f32, how.activation);
        let channels = planes.channels;
        if how.is_by_rows(planes.len) {
            let mut dz = compact(dy);
            let gradients = with_values(&x, |z| {
                with_affine(&gamma, &beta, |affine| rows::backward(z, dz.storage_mut(), &moments, affine, rule))
            });
            return [dz, tensor(gradients.gamma, [channels]), tensor(gradients.beta, [channels])];
        }
        let run = |dy: Option<View<'_>>, dz: &mut [f32]| {
            with_view(&x, planes, |z| {
                with_affine(&gamma, &beta, |affine| {
                    cpu::backward(z, (dy, dz), planes, how.share, &moments, affine, rule)
                })
            })
        };
        let (dz, gradients) = if dy.is_unique() && is_compact(&dy) {
            let mut dz = dy; // nobody else needs the gradient for y: that for x takes its place
            let gradients = run(None, dz.storage_mut());
            (dz, gradients)
        } else {
            let mut dz = zeros(x.shape().num_elements());
            let gradients = with_view(&dy, planes, |dy| run(Some(dy), &mut dz));
            (tensor(dz, x.shape()), gradients)
        };
        [dz, tensor(gradients.gamma, [channels]), tensor(gradients.beta, [channels])]
    }

    fn activation_gradient(x: FloatTensor<Self>, dy: FloatTensor<Self>, kind: Activation) -> FloatTensor<Self> {
        let mut dx = compact(dy);
        with_values(&x, |x: &[f32]| curve::backward(x, dx.storage_mut(), kind));
        dx
    }
}

/// `y`, given the moments.
fn output(x: &FlexTensor, moments: &Moments, [gamma, beta]: [&FlexTensor; 2], how: Normalization) -> Vec<f32> {
    let (planes, rule) = (planes(x), (how.epsilon as f32, how.activation));
    let mut y = zeros(x.shape().num_elements());
    if how.is_by_rows(planes.len) {
        with_values(x, |z| with_affine(gamma, beta, |affine| rows::forward(z, moments, affine, rule, &mut y)));
        return y;
    }
    with_view(x, planes, |z| {
        with_affine(gamma, beta, |affine| cpu::forward(z, planes, how.share, moments, affine, rule, &mut y));
    });
    y
}

fn own([mean, variance]: &[FlexTensor; 2]) -> Moments {
    Moments { mean: with_values(mean, <[f32]>::to_vec), variance: with_values(variance, <[f32]>::to_vec) }
}

fn planes(x: &FlexTensor) -> Planes {
    let shape = x.shape();
    Planes { batch: shape[0], channels: shape[1], len: shape[2..].iter().product() }
}

/// Calls `f` with the planes of `x`, which are copied only where they are not contiguous themselves: a slice along batch or channels
/// is read where it stands.
fn with_view<R>(x: &FlexTensor, planes: Planes, f: impl FnOnce(View<'_>) -> R) -> R {
    let (shape, strides) = (x.shape(), x.layout().strides());
    let mut expected = 1;
    let inner_contiguous = (2..shape.num_dims()).rev().all(|axis| {
        let fits = shape[axis] == 1 || strides[axis] == expected;
        expected *= shape[axis].cast_signed();
        fits
    });
    match (inner_contiguous, usize::try_from(strides[0]), usize::try_from(strides[1])) {
        (true, Ok(sample_stride), Ok(channel_stride)) => {
            let start = x.layout().start_offset();
            f(View { data: x.storage(), start, sample_stride, channel_stride })
        }
        _ => with_values(x, |x| f(View::whole(x, planes))),
    }
}

fn with_affine<R>(gamma: &FlexTensor, beta: &FlexTensor, f: impl FnOnce(Affine<'_>) -> R) -> R {
    with_values(gamma, |gamma| with_values(beta, |beta| f(Affine { gamma, beta })))
}
