//! The log likelihood of mixed pixels.

use crate::checks::{Operation, cpu, normal, own_kernels_stay, panics, values};
use burn::tensor::Tensor;
use cupel_data::Stream;
use cupel_kernels::{mixture_log_likelihood, reference};

type Likelihood = fn(Tensor<2>, Tensor<2>, Tensor<2>, Option<Tensor<1>>, Tensor<1>) -> Tensor<1>;

fn mixture(pixels: usize, bands: usize, components: usize, brightness: bool, noises: usize) -> Operation {
    let evaluate = move |likelihood: Likelihood, x: &[Tensor<1>]| {
        let brightness = brightness.then(|| x[4].clone());
        vec![likelihood(
            x[0].clone().reshape([pixels, bands]),
            x[1].clone().reshape([pixels, components]),
            x[2].clone().reshape([components, bands]),
            brightness,
            x[3].clone(),
        )]
    };
    let mut lengths = vec![pixels * bands, pixels * components, components * bands, noises];
    if brightness {
        lengths.push(pixels);
    }
    let name =
        format!("mixture of {pixels} pixels, {bands} bands, {components} endmembers, {noises} noises, {brightness}");
    let noise = normal(Stream::new(4, &name), noises).iter().map(|value| 0.3 * value).collect();
    Operation::new(
        name,
        &lengths,
        move |x| evaluate(mixture_log_likelihood, x),
        move |x| evaluate(reference::mixture_log_likelihood, x),
    )
    .with_input(3, noise)
}

fn operations() -> Vec<Operation> {
    vec![
        mixture(1, 1, 1, true, 1),
        mixture(5, 7, 3, true, 1),
        mixture(19, 33, 5, true, 33),
        mixture(13, 16, 2, false, 16),
        mixture(8, 48, 9, false, 1),
        mixture(300, 20, 4, true, 20), // several blocks
    ]
}

#[test]
fn mixtures_pass_every_check() {
    operations().iter().for_each(Operation::passes);
}

#[test]
fn mixtures_are_their_reference_when_off() {
    operations().iter().for_each(Operation::is_its_reference_when_off);
}

/// A logit of 1000 is a pure pixel, not infinity over infinity.
#[test]
fn large_logits_are_pure_pixels() {
    let _on = own_kernels_stay();
    let device = cpu().autodiff();
    let logits = Tensor::<2>::from_floats([[1000.0, 0.0]], &device).require_grad();
    let endmembers = Tensor::<2>::from_floats([[1.0, 2.0], [5.0, 5.0]], &device);
    let observations = Tensor::<2>::from_floats([[1.0, 2.0]], &device);
    let sum = mixture_log_likelihood(observations, logits.clone(), endmembers, None, Tensor::zeros([1], &device));
    assert!((values(&sum)[0] + std::f64::consts::TAU.ln()).abs() < 1e-6);
    assert_eq!(values(&logits.grad(&sum.backward()).unwrap()), [0.0, 0.0]);
}

#[test]
fn shapes_that_do_not_fit_are_named() {
    let device = cpu();
    let zeros = |rows: usize, columns: usize| Tensor::<2>::zeros([rows, columns], &device);
    let noise = |length: usize| Tensor::<1>::zeros([length], &device);
    panics("mixture_log_likelihood: endmembers of [2, 4], but the others need [2, 3]", || {
        mixture_log_likelihood(zeros(5, 3), zeros(5, 2), zeros(2, 4), None, noise(1))
    });
    panics("mixture_log_likelihood: logits of [4, 2], but the others need [5, 2]", || {
        mixture_log_likelihood(zeros(5, 3), zeros(4, 2), zeros(2, 3), None, noise(1))
    });
    panics("mixture_log_likelihood: brightness of [2], but the others need [5]", || {
        mixture_log_likelihood(zeros(5, 3), zeros(5, 2), zeros(2, 3), Some(noise(2)), noise(1))
    });
    panics("mixture_log_likelihood: log_noise of [2], but the others need [1] or [3]", || {
        mixture_log_likelihood(zeros(5, 3), zeros(5, 2), zeros(2, 3), None, noise(2))
    });
    panics("mixture_log_likelihood: 0 endmembers of 3 bands", || {
        mixture_log_likelihood(zeros(5, 3), zeros(5, 0), zeros(0, 3), None, noise(1))
    });
}
