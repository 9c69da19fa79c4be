//! Projection along an axis.

use crate::checks::{Operation, close, cpu, own_kernels_stay, panics, values};
use burn::tensor::{Tensor, TensorData};
use cupel_kernels::{Noise, Projection, Transform, philox_normal, project_out, reference};

fn projection<const D: usize>(
    shape: [usize; D],
    axis: usize,
    order: [usize; D],
    outputs: usize,
    noise: Option<Noise>,
) -> Operation {
    transformed(shape, axis, order, outputs, noise, Transform::Linear)
}

fn transformed<const D: usize>(
    shape: [usize; D],
    axis: usize,
    order: [usize; D],
    outputs: usize,
    noise: Option<Noise>,
    transform: Transform,
) -> Operation {
    let inputs = shape[axis];
    let count = shape.iter().product::<usize>() / inputs * outputs;
    let how = Projection { axis, order, scale: 2.5, transform, noise };
    type Project<const D: usize> = fn(Tensor<D>, Tensor<2>, Tensor<1>, Projection<D>) -> Tensor<D>;
    let evaluate = move |project: Project<D>, x: &[Tensor<1>]| {
        let complement = x[1].clone().reshape([inputs, outputs]);
        vec![project(x[0].clone().reshape(shape), complement, x[2].clone(), how).reshape([count])]
    };
    Operation::new(
        format!(
            "project_out of {shape:?} along {axis} to {outputs} in the order {order:?} with {noise:?}, {transform:?}"
        ),
        &[shape.iter().product(), inputs * outputs, inputs],
        move |x| evaluate(project_out, x),
        move |x| evaluate(reference::project_out, x),
    )
}

fn operations() -> Vec<Operation> {
    let noise = Some(Noise { amplitude: 0.3, key: [3, 1], counter: [4, 1] });
    vec![
        projection([4], 0, [0], 3, None),
        projection([3, 5, 7], 1, [0, 2, 1], 5, None),
        projection([2, 130, 3, 11], 3, [0, 2, 1, 3], 11, None),
        projection([4, 17, 101], 1, [0, 1, 2], 9, None),
        projection([4, 17, 101], 2, [2, 1, 0], 33, None),
        projection([6, 3, 5, 2], 2, [3, 0, 2, 1], 5, None),
        // a cube of visibilities in two chunks: [batch, baseline, frequency, chunk, right ascension]
        projection([1, 3, 20, 2, 16], 2, [0, 3, 1, 4, 2], 20, None),
        projection([3, 5, 7], 2, [0, 1, 2], 5, noise),
        projection([3, 20, 50], 1, [0, 2, 1], 20, noise),
        projection([6, 3, 5, 2], 1, [3, 0, 2, 1], 2, noise),
        transformed([3, 20, 50], 1, [0, 2, 1], 20, noise, Transform::Arcsinh),
        transformed([4, 17, 101], 2, [0, 1, 2], 33, None, Transform::Arcsinh),
    ]
}

#[test]
fn projections_pass_every_check() {
    operations().iter().for_each(Operation::passes);
}

#[test]
fn projections_are_their_reference_when_off() {
    operations().iter().for_each(Operation::is_its_reference_when_off);
}

/// `P P = P`, and what lies in the modes that are taken out is gone.
#[test]
fn taking_out_twice_is_taking_out_once() {
    let _on = own_kernels_stay();
    let device = cpu();
    let mode: Vec<f32> =
        (0..12).map(|k| (2.0 / 12.0f32).sqrt() * (k as f32 * std::f32::consts::TAU / 12.0).cos()).collect();
    let mode = Tensor::<2>::from_data(TensorData::new(mode, [12, 1]), &device);
    let complement = Tensor::eye(12, &device) - mode.clone().matmul(mode.clone().transpose());
    let numbers: Vec<f32> = (0..12 * 40).map(|i| (i as f32 * 1.3).sin()).collect();
    let x = Tensor::<2>::from_data(TensorData::new(numbers, [40, 12]), &device);
    let offset = Tensor::zeros([12], &device);
    let once = project_out(x.clone(), complement.clone(), offset.clone(), Projection::along(1));
    let twice = project_out(once.clone(), complement.clone(), offset.clone(), Projection::along(1));
    close("twice", &values(&twice), &values(&once), 1e-6);
    let foreground = x.matmul(mode.clone()).matmul(mode.transpose()) * 100.0;
    let gone = project_out(foreground, complement, offset, Projection::along(1));
    assert!(values(&gone).iter().all(|value| value.abs() < 1e-4));
}

#[test]
fn what_does_not_fit_is_named() {
    let device = cpu();
    let x = || Tensor::<2>::zeros([4, 3], &device);
    let (matrix, offset) =
        (|n: usize| Tensor::<2>::zeros([n, 2], &device), |n: usize| Tensor::<1>::zeros([n], &device));
    panics("project_out: axis 2 of a tensor of rank 2", || {
        project_out(x(), matrix(3), offset(3), Projection::along(2))
    });
    panics("project_out: [0, 0] is no order of 2 axes", || {
        project_out(x(), matrix(3), offset(3), Projection { axis: 1, order: [0, 0], ..Projection::along(1) })
    });
    panics("project_out: axis 1 has 3 values, the complement is 4 x 2, the offset has 3", || {
        project_out(x(), matrix(4), offset(3), Projection::along(1))
    });
    panics("project_out: axis 0 has 4 values, the complement is 4 x 2, the offset has 3", || {
        project_out(x(), matrix(4), offset(3), Projection::along(0))
    });
}

/// The numbers of the cipher, where they belong in the input, with the moments of noise.
#[test]
fn noise_is_that_of_the_cipher() {
    let _on = own_kernels_stay();
    let device = cpu();
    let noise = Noise { amplitude: 2.0, key: [7, 8], counter: [9, 10] };
    let how = Projection { order: [1, 0], noise: Some(noise), ..Projection::along(1) };
    let zeros = Tensor::<2>::zeros([1001, 33], &device);
    let got = project_out(zeros, Tensor::eye(33, &device), Tensor::zeros([33], &device), how);
    let expected = philox_normal([1001, 33], noise.key, noise.counter, &device) * 2.0;
    close("noise", &values(&got.clone().transpose()), &values(&expected), 1e-6);
    let numbers = values(&got);
    let variance = numbers.iter().map(|value| value * value).sum::<f64>() / numbers.len() as f64;
    assert!((variance - 4.0).abs() < 0.13, "{variance}"); // four standard errors
}
