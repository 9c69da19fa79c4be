//! Normalisations with an activation, and activations.

use crate::checks::{Operation, close, cpu, normal, own_kernels_stay, panics, tensor, values};
use burn::tensor::{DType, Tensor};
use cupel_data::Stream;
use cupel_kernels::{Activation, Normalization, Share, activate, normalize, reference};

const ACTIVATIONS: &[Activation] = &[
    Activation::Identity,
    Activation::Relu,
    Activation::LeakyRelu(0.1),
    Activation::SmoothLeaky,
    Activation::Silu,
    Activation::Gelu,
    Activation::Mish,
    Activation::Sigmoid,
    Activation::Tanh,
    Activation::HardSigmoid,
    Activation::ScaledSigmoid(0.01),
];

fn flat<const D: usize>(y: Tensor<D>) -> Vec<Tensor<1>> {
    let count = y.dims().iter().product::<usize>();
    vec![y.reshape([count])]
}

fn normalization<const D: usize>(shape: [usize; D], share: Share, activation: Activation) -> Operation {
    let how = Normalization { share, epsilon: 1e-5, activation };
    Operation::new(
        format!("normalize {shape:?} by {how:?}"),
        &[shape.iter().product(), shape[1], shape[1]],
        move |x| flat(normalize(x[0].clone().reshape(shape), x[1].clone(), x[2].clone(), how).output),
        move |x| flat(reference::normalize(x[0].clone().reshape(shape), x[1].clone(), x[2].clone(), how).output),
    )
}

fn operations() -> Vec<Operation> {
    let mut operations: Vec<_> = ACTIVATIONS
        .iter()
        .flat_map(|&kind| {
            [
                normalization([2, 4, 3, 5, 7], Share::Batch, kind),
                Operation::new(
                    format!("{kind:?}"),
                    &[1037],
                    move |x| vec![activate(x[0].clone(), kind)],
                    move |x| vec![reference::activate(x[0].clone(), kind)],
                ),
            ]
        })
        .collect();
    operations.extend([
        normalization([8, 3], Share::Batch, Activation::Identity),
        normalization([3, 5, 37], Share::Batch, Activation::Silu),
        normalization([2, 6, 9, 11], Share::Group(1), Activation::Silu),
        normalization([2, 6, 9, 11], Share::Group(3), Activation::SmoothLeaky),
        normalization([3, 6, 4, 2, 5], Share::Group(6), Activation::Relu),
        normalization([1, 3, 200, 190], Share::Batch, Activation::SmoothLeaky), // several blocks
        normalization([2, 2, 33_000], Share::Group(1), Activation::Tanh),
        normalization([1, 1], Share::Group(1), Activation::Identity),
        normalization([70, 37], Share::Group(1), Activation::Gelu), // rows, in several blocks
        normalization([3, 500, 1], Share::Group(1), Activation::Silu),
    ]);
    operations
}

#[test]
fn normalizations_and_activations_pass_every_check() {
    operations().iter().for_each(Operation::passes);
}

#[test]
fn normalizations_and_activations_are_their_reference_when_off() {
    operations().iter().for_each(Operation::is_its_reference_when_off);
}

/// Values far from zero: the variance must not drown in the squares.
#[test]
fn moments_are_exact_far_from_zero() {
    let _on = own_kernels_stay();
    let (shape, channels) = ([3, 4, 50, 60], 4);
    let noise = normal(Stream::new(0, "far"), shape.iter().product());
    let numbers: Vec<f64> = noise.iter().map(|value| f64::from((1e4 + value) as f32)).collect();
    let x = tensor(&numbers, &cpu(), DType::F32).reshape(shape);
    let ones = Tensor::ones([channels], &cpu());
    for (share, cells) in [(Share::Batch, 4), (Share::Group(2), 6), (Share::Group(1), 3)] {
        let how = Normalization { share, epsilon: 1e-5, activation: Activation::Identity };
        let own = normalize(x.clone(), ones.clone(), ones.clone() * 0.0, how);
        let members = |cell: usize| {
            numbers.iter().enumerate().filter_map(move |(index, value)| {
                let (sample, channel) = (index / 3000 / 4, index / 3000 % 4);
                let of = match share {
                    Share::Batch => channel,
                    Share::Group(groups) => sample * groups + channel / (4 / groups),
                };
                (of == cell).then_some(*value)
            })
        };
        let mean: Vec<f64> = (0..cells).map(|cell| members(cell).sum::<f64>() / members(cell).count() as f64).collect();
        let variance: Vec<f64> = (0..cells)
            .map(|cell| {
                members(cell).map(|value| (value - mean[cell]).powi(2)).sum::<f64>() / members(cell).count() as f64
            })
            .collect();
        close("mean", &values(&own.mean), &mean, 1e-7);
        close("variance", &values(&own.variance), &variance, 1e-6);
        // A mean in f32 is off by 5e-4 there, which shifts every value by as much.
        let output = values(&own.output);
        assert!(output.iter().sum::<f64>().abs() / output.len() as f64 <= 1e-3);
    }
}

#[test]
fn a_part_of_the_channels_is_normalized_where_it_stands() {
    let _on = own_kernels_stay();
    let whole = tensor(&normal(Stream::new(0, "whole"), 2 * 6 * 35), &cpu(), DType::F32).reshape([2, 6, 5, 7]);
    let how = Normalization { share: Share::Batch, epsilon: 1e-5, activation: Activation::Silu };
    let run = |x: Tensor<4>| values(&normalize(x, Tensor::ones([3], &cpu()), Tensor::zeros([3], &cpu()), how).output);
    let part = whole.clone().narrow(1, 2, 3);
    let copy = Tensor::<4>::from_data(part.clone().into_data(), &cpu());
    assert_eq!(run(part), run(copy));
    let turned = whole.narrow(1, 0, 3).swap_dims(2, 3);
    let copy = Tensor::<4>::from_data(turned.clone().into_data(), &cpu());
    assert_eq!(run(turned), run(copy));
}

/// The gradient arrives as a part of a larger one when the result was concatenated, and is needed by two when it was used twice.
#[test]
fn gradients_that_are_views_or_shared_are_left_alone() {
    let _on = own_kernels_stay();
    let how = Normalization { share: Share::Batch, epsilon: 1e-5, activation: Activation::SmoothLeaky };
    let gradient = |own: bool| {
        let device = cpu().autodiff();
        let numbers = normal(Stream::new(0, "shared"), 2 * 3 * 35);
        let x = tensor(&numbers, &device, DType::F32).reshape([2, 3, 35]).detach().require_grad();
        let (gamma, beta) = (Tensor::ones([3], &device), Tensor::zeros([3], &device));
        let y = match own {
            true => normalize(x.clone(), gamma, beta, how).output,
            false => reference::normalize(x.clone(), gamma, beta, how).output,
        };
        let weights = tensor(&normal(Stream::new(1, "shared"), 2 * 9 * 35), &device, DType::F32).reshape([2, 9, 35]);
        let activated =
            if own { activate(y.clone(), Activation::Silu) } else { reference::activate(y.clone(), Activation::Silu) };
        let joined = Tensor::cat(vec![y.clone(), activated, x.clone() + y], 1);
        values(&x.grad(&(joined * weights).sum().backward()).unwrap())
    };
    close("gradient", &gradient(true), &gradient(false), 1e-5);
}

#[test]
fn what_does_not_fit_is_named() {
    let ones = |count: usize| Tensor::<1>::ones([count], &cpu());
    let how = |share| Normalization { share, epsilon: 1e-5, activation: Activation::Identity };
    let x = Tensor::<3>::zeros([2, 4, 3], &cpu());
    panics("normalize: gamma has 3 and beta 4 values for 4 channels", || {
        normalize(x.clone(), ones(3), ones(4), how(Share::Batch))
    });
    panics("normalize: 3 groups do not divide 4 channels", || {
        normalize(x.clone(), ones(4), ones(4), how(Share::Group(3)))
    });
    panics("normalize: no values to take a mean of: [0, 4, 3]", || {
        normalize(Tensor::<3>::zeros([0, 4, 3], &cpu()), ones(4), ones(4), how(Share::Batch))
    });
    panics("normalize: a tensor of rank 1 has no channels", || {
        normalize(Tensor::<1>::zeros([4], &cpu()), ones(4), ones(4), how(Share::Batch))
    });
}
