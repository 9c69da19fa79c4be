//! Fourier transforms.

use crate::checks::{Operation, close, cpu, normal, own_kernels_stay, panics, tensor, values};
use burn::tensor::{DType, Tensor};
use cupel_data::Stream;
use cupel_kernels::{fft, fft2, ifft, ifft2, irfft, irfft2, reference, rfft, rfft2};

type Pair<const D: usize> = (Tensor<D>, Tensor<D>);

fn flat<const D: usize>((re, im): Pair<D>) -> Vec<Tensor<1>> {
    [re, im].map(|x| x.flatten::<1>(0, D - 1)).into()
}

/// A transform of pairs of `shape` to pairs.
fn of_pairs<const D: usize>(
    name: &str,
    shape: [usize; D],
    own: impl Fn(Tensor<D>, Tensor<D>) -> Pair<D> + Send + Sync + 'static,
    reference: impl Fn(Tensor<D>, Tensor<D>) -> Pair<D> + Send + Sync + 'static,
) -> Operation {
    let parts = move |x: &[Tensor<1>]| (x[0].clone().reshape(shape), x[1].clone().reshape(shape));
    Operation::new(
        format!("{name} of {shape:?}"),
        &[shape.iter().product::<usize>(); 2],
        move |x| flat(own(parts(x).0, parts(x).1)),
        move |x| flat(reference(parts(x).0, parts(x).1)),
    )
}

fn of_real<const D: usize>(
    name: &str,
    shape: [usize; D],
    own: impl Fn(Tensor<D>) -> Pair<D> + Send + Sync + 'static,
    reference: impl Fn(Tensor<D>) -> Pair<D> + Send + Sync + 'static,
) -> Operation {
    Operation::new(
        format!("{name} of {shape:?}"),
        &[shape.iter().product()],
        move |x| flat(own(x[0].clone().reshape(shape))),
        move |x| flat(reference(x[0].clone().reshape(shape))),
    )
}

fn to_real<const D: usize>(
    name: &str,
    shape: [usize; D],
    own: impl Fn(Tensor<D>, Tensor<D>) -> Tensor<D> + Send + Sync + 'static,
    reference: impl Fn(Tensor<D>, Tensor<D>) -> Tensor<D> + Send + Sync + 'static,
) -> Operation {
    let parts = move |x: &[Tensor<1>]| (x[0].clone().reshape(shape), x[1].clone().reshape(shape));
    Operation::new(
        format!("{name} of {shape:?}"),
        &[shape.iter().product::<usize>(); 2],
        move |x| vec![own(parts(x).0, parts(x).1).flatten(0, D - 1)],
        move |x| vec![reference(parts(x).0, parts(x).1).flatten(0, D - 1)],
    )
}

fn operations() -> Vec<Operation> {
    let mut all = Vec::new();
    for shape in [[3, 1], [2, 2], [5, 12], [1, 31], [20, 100], [2, 97]] {
        all.push(of_pairs("fft", shape, |re, im| fft(re, im, 1), |re, im| reference::fft(re, im, 1)));
        all.push(of_pairs("ifft", shape, |re, im| ifft(re, im, 1), |re, im| reference::ifft(re, im, 1)));
        all.push(of_real("rfft", shape, |x| rfft(x, 1), |x| reference::rfft(x, 1)));
    }
    for (length, half) in [(1, 1), (2, 2), (9, 5), (64, 33), (75, 38)] {
        let (own, plain) = (move |re, im| irfft(re, im, length, 1), move |re, im| reference::irfft(re, im, length, 1));
        all.push(to_real(&format!("irfft to {length}"), [3, half], own, plain));
    }
    all.push(of_pairs("fft along 0", [18, 2, 3], |re, im| fft(re, im, 0), |re, im| reference::fft(re, im, 0)));
    all.push(of_real("rfft along 1", [2, 10, 3], |x| rfft(x, 1), |x| reference::rfft(x, 1)));
    all.push(to_real("irfft along 0", [6, 4], |re, im| irfft(re, im, 10, 0), |re, im| reference::irfft(re, im, 10, 0)));
    for shape in [[1, 1, 1], [2, 3, 5], [1, 16, 16], [3, 17, 20], [1, 33, 45], [1, 130, 128]] {
        all.push(of_pairs("fft2", shape, fft2, reference::fft2));
        all.push(of_pairs("ifft2", shape, ifft2, reference::ifft2));
        all.push(of_real("rfft2", shape, rfft2, reference::rfft2));
    }
    for (cols, shape) in [(1, [1, 1, 1]), (4, [2, 5, 3]), (7, [1, 40, 4]), (256, [2, 36, 129])] {
        let (own, plain) = (move |re, im| irfft2(re, im, cols), move |re, im| reference::irfft2(re, im, cols));
        all.push(to_real(&format!("irfft2 to {cols}"), shape, own, plain));
    }
    all
}

#[test]
fn transforms_pass_every_check() {
    operations().iter().for_each(Operation::passes);
}

#[test]
fn transforms_are_their_reference_when_off() {
    operations().iter().for_each(Operation::is_its_reference_when_off);
}

fn random<const D: usize>(seed: u64, shape: [usize; D]) -> Tensor<D> {
    let values = normal(Stream::new(seed, "transform"), shape.iter().product());
    tensor(&values, &cpu(), DType::F64).reshape(shape)
}

/// The definition, of one row.
#[test]
fn a_transform_is_the_sum_that_defines_it() {
    let _on = own_kernels_stay();
    let n = 14;
    let (re, im) = (random(0, [n]), random(1, [n]));
    let (x, y) = (values(&re), values(&im));
    let defined = |k: usize| {
        let terms = (0..n).map(|j| {
            let (sin, cos) = (-std::f64::consts::TAU * (j * k) as f64 / n as f64).sin_cos();
            (x[j] * cos - y[j] * sin, x[j] * sin + y[j] * cos)
        });
        terms.fold((0.0, 0.0), |sum, term| (sum.0 + term.0, sum.1 + term.1))
    };
    let (expected_re, expected_im): (Vec<_>, Vec<_>) = (0..n).map(defined).unzip();
    let (got_re, got_im) = fft(re, im, 0);
    close("real part", &values(&got_re), &expected_re, 1e-13);
    close("imaginary part", &values(&got_im), &expected_im, 1e-13);
}

#[test]
fn inverses_invert_and_energy_is_kept() {
    let _on = own_kernels_stay();
    for (rows, cols) in [(6, 9), (25, 32), (64, 48)] {
        let (re, im) = (random(0, [2, rows, cols]), random(1, [2, rows, cols]));
        let (f, g) = fft2(re.clone(), im.clone());
        let (x, y) = ifft2(f.clone(), g.clone());
        close("fft2, real part", &values(&x), &values(&re), 1e-13);
        close("fft2, imaginary part", &values(&y), &values(&im), 1e-13);
        let energy = |a: &Tensor<3>, b: &Tensor<3>| values(a).iter().chain(&values(b)).map(|x| x * x).sum::<f64>();
        close("Parseval", &[energy(&f, &g) / (rows * cols) as f64], &[energy(&re, &im)], 1e-13);
        let (f, g) = rfft2(re.clone());
        close("rfft2", &values(&irfft2(f, g, cols)), &values(&re), 1e-13);
        let (f, g) = rfft(re.clone(), 2);
        close("rfft", &values(&irfft(f, g, cols, 2)), &values(&re), 1e-13);
        let (f, g) = rfft(re.clone(), 1);
        close("rfft of columns", &values(&irfft(f, g, rows, 1)), &values(&re), 1e-13);
    }
}

/// Burn's transform of powers of two is another implementation, whose f64 has the precision of f32.
#[test]
fn burn_agrees_where_it_has_the_transform() {
    let _on = own_kernels_stay();
    let x = random(0, [3, 64]);
    let (expected_re, expected_im) = burn::signal::rfft(x.clone(), 1, None);
    let (re, im) = rfft(x, 1);
    close("real part", &values(&re), &values(&expected_re), 1e-6);
    close("imaginary part", &values(&im), &values(&expected_im), 1e-6);
}

/// Only one of the two results is used, and then only the other.
#[test]
fn a_part_that_is_not_used_has_no_gradient() {
    let _on = own_kernels_stay();
    let device = cpu().autodiff();
    let gradient = |part: fn(Pair<2>) -> Tensor<2>| {
        let x = tensor(&normal(Stream::new(0, "parts"), 24), &device, DType::F64).require_grad();
        let gradients = part(rfft2(x.clone().reshape([4, 6]))).powi_scalar(2).sum().backward();
        values(&x.grad(&gradients).unwrap())
    };
    let (re, im, both) = (gradient(|x| x.0), gradient(|x| x.1), gradient(|x| x.0.clone().powi_scalar(2) + x.1 * 0.0));
    assert!(re.iter().any(|x| *x != 0.0) && im.iter().any(|x| *x != 0.0) && both.len() == 24);
    let sum: Vec<f64> = re.iter().zip(&im).map(|(re, im)| re + im).collect();
    let x = tensor(&normal(Stream::new(0, "parts"), 24), &device, DType::F64).require_grad();
    let (f, g) = rfft2(x.clone().reshape([4, 6]));
    let gradients = (f.powi_scalar(2) + g.powi_scalar(2)).sum().backward();
    close("sum of parts", &sum, &values(&x.grad(&gradients).unwrap()), 1e-13);
}

#[test]
fn an_empty_batch_stays_empty() {
    let _on = own_kernels_stay();
    let x = Tensor::<3>::zeros([0, 4, 6], &cpu());
    let (re, im) = rfft2(x);
    assert_eq!(re.dims(), [0, 4, 4]);
    assert_eq!(irfft2(re, im, 6).dims(), [0, 4, 6]);
}

#[test]
fn arguments_are_checked() {
    let zeros = |shape: [usize; 2]| Tensor::<2>::zeros(shape, (&cpu(), DType::F32));
    panics("fft: a real part of [2, 3] F32 and an imaginary part of [2, 4] F32", || {
        fft(zeros([2, 3]), zeros([2, 4]), 1)
    });
    panics("fft2: a real part of [2, 3] F32 and an imaginary part of [2, 3] F64", || {
        fft2(zeros([2, 3]), zeros([2, 3]).cast(DType::F64))
    });
    panics("ifft: dimension 2 of a tensor of rank 2", || ifft(zeros([2, 3]), zeros([2, 3]), 2));
    panics("rfft: no values along dimension 1", || rfft(zeros([2, 0]), 1));
    panics("irfft: 8 values have a spectrum of 5, got 4", || irfft(zeros([2, 4]), zeros([2, 4]), 8, 1));
    panics("irfft2: 0 values have a spectrum of 1, got 1", || irfft2(zeros([2, 1]), zeros([2, 1]), 0));
    panics("rfft2: a tensor of rank 1 has no two dimensions", || rfft2(Tensor::<1>::zeros([4], &cpu())));
}
