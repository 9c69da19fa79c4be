//! Trilinear upsampling, blur-pooling and average pooling.

use crate::checks::{Operation, close, cpu, normal, own_kernels_stay, panics, tensor, values};
use burn::tensor::{DType, Tensor};
use cupel_data::Stream;
use cupel_kernels::{Pad, average_pool3d, blur_pool3d, reference, upsample3d};

type Resampling = fn(Tensor<5>, [usize; 3]) -> Tensor<5>;

const REPLICATE: [Pad; 3] = [Pad::Replicate; 3];
const MIXED: [Pad; 3] = [Pad::Circular, Pad::Reflect, Pad::Zero];

fn of(name: &str, shape: [usize; 5], factor: [usize; 3], own: Resampling, reference: Resampling) -> Operation {
    let flat = move |f: Resampling| {
        move |x: &[Tensor<1>]| {
            let y = f(x[0].clone().reshape(shape), factor);
            let values = y.dims().iter().product::<usize>();
            vec![y.reshape([values])]
        }
    };
    let name = format!("{name} of {shape:?} by {factor:?}");
    Operation::new(name, &[shape.iter().product()], flat(own), flat(reference))
}

fn operations() -> Vec<Operation> {
    let mut operations = Vec::new();
    for (shape, factor) in [([2, 3, 4, 6, 5], [2, 2, 2]), ([1, 1, 1, 5, 4], [3, 1, 2]), ([1, 2, 3, 2, 7], [1, 4, 1])] {
        operations.push(of("upsample3d", shape, factor, upsample3d, reference::upsample3d));
    }
    for (shape, stride) in [([2, 3, 4, 6, 5], [2, 2, 2]), ([1, 1, 7, 5, 4], [3, 1, 2]), ([1, 2, 3, 2, 9], [1, 1, 2])] {
        let (own, other): (Resampling, Resampling) =
            (|x, s| blur_pool3d(x, s, REPLICATE), |x, s| reference::blur_pool3d(x, s, REPLICATE));
        operations.push(of("blur_pool3d", shape, stride, own, other));
        let (own, other): (Resampling, Resampling) =
            (|x, s| blur_pool3d(x, s, MIXED), |x, s| reference::blur_pool3d(x, s, MIXED));
        operations.push(of("blur_pool3d, mixed edges,", shape, stride, own, other));
        operations.push(of("average_pool3d", shape, stride, average_pool3d, reference::average_pool3d));
    }
    operations
}

#[test]
fn resampling_passes_every_check() {
    operations().iter().for_each(Operation::passes);
}

#[test]
fn resampling_is_its_reference_when_off() {
    operations().iter().for_each(Operation::is_its_reference_when_off);
}

fn line(values: &[f64]) -> Tensor<5> {
    tensor(values, &cpu(), DType::F64).reshape([1, 1, 1, values.len(), 1])
}

/// The numbers of PyTorch's `interpolate(mode="trilinear", align_corners=False)` and of a padded convolution.
#[test]
fn values_are_those_of_the_definitions() {
    let _on = own_kernels_stay();
    let along_y = |factor| [1, factor, 1];
    let x = [1.0, 2.0, 4.0, 8.0];
    let doubled = [1.0, 1.25, 1.75, 2.5, 3.5, 5.0, 7.0, 8.0];
    close("doubled", &values(&upsample3d(line(&x), along_y(2))), &doubled, 1e-15);
    let third = 1.0 / 3.0;
    let tripled = [1.0, 1.0, 1.0 + third, 2.0 - third, 2.0, 2.0];
    close("tripled", &values(&upsample3d(line(&x[..2]), along_y(3))), &tripled, 1e-15);
    close("blurred", &values(&blur_pool3d(line(&x), along_y(2), REPLICATE)), &[1.25, 4.5], 1e-15);
    let circle = [Pad::Circular; 3];
    close("on a circle", &values(&blur_pool3d(line(&x), along_y(2), circle)), &[3.0, 4.5], 1e-15);
    close("averaged", &values(&average_pool3d(line(&x), along_y(2))), &[1.5, 6.0], 1e-15);
    close("the rest left out", &values(&average_pool3d(line(&x), along_y(3))), &[7.0 / 3.0], 1e-15);
    for same in [upsample3d(line(&x), [1; 3]), blur_pool3d(line(&x), [1; 3], REPLICATE)] {
        assert_eq!(values(&same), x);
    }
}

/// `<M x, y> = <x, M^T y>`, with the backward pass as the adjoint.
#[test]
fn the_backward_pass_is_the_adjoint() {
    let _on = own_kernels_stay();
    let device = cpu().autodiff();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let resamplings: [(Resampling, [usize; 3]); 3] =
        [(upsample3d, [2, 1, 3]), (|x, stride| blur_pool3d(x, stride, MIXED), [2, 2, 1]), (average_pool3d, [2, 3, 1])];
    for (i, (resample, factor)) in resamplings.into_iter().enumerate() {
        let x = normal(Stream::new(0, "x"), 2 * 4 * 6 * 5);
        let leaf = tensor(&x, &device, DType::F64).reshape([1, 2, 4, 6, 5]).require_grad();
        let there = resample(leaf.clone(), factor);
        let count = there.dims().iter().product::<usize>();
        let y = normal(Stream::new(0, "y"), count);
        let forth = dot(&values(&there), &y);
        let gradients = (there.reshape([count]) * tensor(&y, &device, DType::F64)).sum().backward();
        let back = dot(&x, &values(&leaf.grad(&gradients).unwrap()));
        assert!((forth - back).abs() < 1e-12 * forth.abs().max(1.0), "{i}: {forth} {back}");
    }
}

#[test]
fn what_cannot_be_resampled_is_named() {
    let x = || line(&[1.0, 2.0, 3.0]);
    panics("upsample3d: the factor [2, 0, 2] has a zero", || upsample3d(x(), [2, 0, 2]));
    panics("blur_pool3d: the stride [0, 1, 1] has a zero", || blur_pool3d(x(), [0, 1, 1], REPLICATE));
    panics("average_pool3d: the size [1, 0, 1] has a zero", || average_pool3d(x(), [1, 0, 1]));
    panics("average_pool3d: axis 1: a block of 4 does not fit 3 values", || average_pool3d(x(), [1, 4, 1]));
    let text = "blur_pool3d: axis 0: reflect padding of 1 is too much for 1 values";
    panics(text, || blur_pool3d(x(), [2, 1, 1], [Pad::Reflect; 3]));
    let empty = || Tensor::<5>::zeros([1, 1, 2, 0, 2], &cpu());
    panics("upsample3d: axis 1 is empty", || upsample3d(empty(), [2; 3]));
    panics("blur_pool3d: axis 1 is empty", || blur_pool3d(empty(), [2; 3], REPLICATE));
}
