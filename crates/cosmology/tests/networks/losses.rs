//! Losses: their values by definition, and their gradients by finite differences in f64.

use burn::tensor::{DType, Device, Tensor, TensorData};
use cupel_cosmology::network::{
    DelayLoss, LOG_VARIANCE_BOUND, bounded_log_variance, gaussian_nll, log_cosh, log_mse, mse,
};
use cupel_data::Stream;
use cupel_train::device;

const SHAPE: [usize; 5] = [2, 2, 3, 4, 6];
const STEP: f64 = 1e-5;
const TOLERANCE: f64 = 1e-7;

fn cpu() -> Device {
    device::select("cpu").unwrap().device
}

fn normal(name: &'static str, scale: f64) -> Vec<f64> {
    let mut values = vec![0.0; SHAPE.iter().product()];
    Stream::new(4, name).fill_normal_f64(&mut values);
    values.iter_mut().for_each(|value| *value *= scale);
    values
}

fn tensor(values: &[f64], device: &Device, dtype: DType) -> Tensor<5> {
    Tensor::<5>::from_data(TensorData::new(values.to_vec(), SHAPE), (device, DType::F64)).cast(dtype)
}

/// The value of a loss and its gradient, which is its derivative.
fn value(what: &str, inputs: &[Vec<f64>], loss: impl Fn(&[Tensor<5>]) -> Tensor<1>) -> f64 {
    let at = |inputs: &[Vec<f64>]| {
        let tensors: Vec<_> = inputs.iter().map(|input| tensor(input, &cpu(), DType::F64)).collect();
        loss(&tensors).into_scalar::<f64>()
    };
    let device = cpu().autodiff();
    let leaves: Vec<_> = inputs.iter().map(|input| tensor(input, &device, DType::F64).require_grad()).collect();
    let gradients = loss(&leaves).backward();
    for (i, leaf) in leaves.iter().enumerate() {
        let Some(gradient) = leaf.grad(&gradients) else { continue };
        let gradient: Vec<f64> = gradient.into_data().iter::<f64>().collect();
        let scale = gradient.iter().fold(0.0f64, |scale, g| scale.max(g.abs()));
        for entry in (0..gradient.len()).step_by(7) {
            let moved = |by: f64| {
                let mut inputs = inputs.to_vec();
                inputs[i][entry] += by;
                at(&inputs)
            };
            let difference = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
            let error = (difference - gradient[entry]).abs();
            assert!(
                error <= TOLERANCE * scale.max(1.0),
                "{what}: input {i} at {entry}: {difference} {}",
                gradient[entry]
            );
        }
    }
    // in bf16 the arithmetic is f32
    let low: Vec<_> = inputs.iter().map(|input| tensor(input, &cpu(), DType::BF16)).collect();
    let rounded: Vec<_> = low.iter().map(|x| x.clone().cast(DType::F64)).collect();
    let (low, exact) = (loss(&low), loss(&rounded).into_scalar::<f64>());
    assert_eq!(low.dtype(), DType::F32);
    assert!((low.into_scalar::<f64>() - exact).abs() <= 1e-4 * exact.abs().max(1.0), "{what} in bf16");
    at(inputs)
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    values.sum::<f64>() / SHAPE.iter().product::<usize>() as f64
}

fn same(what: &str, got: f64, expected: f64) {
    assert!((got - expected).abs() <= 1e-12 * expected.abs().max(1.0), "{what}: {got}, expected {expected}");
}

#[test]
fn squares_and_hyperbolic_cosines_are_their_definitions() {
    let (p, y) = (normal("p", 2.0), normal("y", 1.0));
    let both = [p.clone(), y.clone()];
    let square = mean(p.iter().zip(&y).map(|(p, y)| (p - y).powi(2)));
    same("mse", value("mse", &both, |x| mse(x[0].clone(), x[1].clone())), square);
    same("log-mse", value("log-mse", &both, |x| log_mse(x[0].clone(), x[1].clone())), square.ln());
    let cosh = mean(p.iter().zip(&y).map(|(p, y)| (p - y).cosh().ln()));
    same("log-cosh", value("log-cosh", &both, |x| log_cosh(x[0].clone(), x[1].clone())), cosh);
    // where the cosine itself would overflow
    let far = log_cosh(tensor(&p, &cpu(), DType::F32).add_scalar(1e4), tensor(&p, &cpu(), DType::F32));
    let expected = 1e4 - std::f64::consts::LN_2;
    assert!((far.into_scalar::<f64>() - expected).abs() < 0.01, "{expected}");
}

#[test]
fn the_likelihood_is_its_definition_and_least_at_the_true_variance() {
    let [m, s, y] = [normal("m", 1.0), normal("s", 0.7), normal("y", 2.0)];
    let expected = mean((0..m.len()).map(|i| {
        let (square, variance) = ((y[i] - m[i]).powi(2), s[i].exp());
        0.5 * (square / variance + variance.ln() + (2.0 * std::f64::consts::PI).ln())
    }));
    let inputs = [m, s, y.clone()];
    same("nll", value("nll", &inputs, |x| gaussian_nll(x[0].clone(), x[1].clone(), x[2].clone())), expected);
    let square = mean(y.iter().map(|y| y * y));
    let at = |log: f64| {
        let y = tensor(&y, &cpu(), DType::F64);
        gaussian_nll(y.zeros_like(), y.zeros_like().add_scalar(log), y).into_scalar::<f64>()
    };
    assert!(at(square.ln()) < at(square.ln() + 0.1) && at(square.ln()) < at(square.ln() - 0.1));
}

#[test]
fn log_variances_keep_within_bounds_and_have_a_gradient_everywhere() {
    let raw = [normal("raw", 8.0)];
    let inside = |x: &[Tensor<5>]| {
        let bounded = bounded_log_variance(x[0].clone());
        mse(bounded.clone(), bounded.zeros_like())
    };
    value("bounded", &raw, inside);
    let of = |x: f64| bounded_log_variance(Tensor::<1>::from_floats([x as f32], &cpu())).into_scalar::<f64>();
    assert!(of(1e6) <= LOG_VARIANCE_BOUND && of(-1e6) >= -LOG_VARIANCE_BOUND && (of(0.1) - 0.1).abs() < 1e-4);
}

/// Powers by a plain Fourier sum.
fn delay_by_hand(p: &[f64], y: &[f64], complex: bool, noise: Option<f64>) -> f64 {
    let [batch, channels, a, b, n] = SHAPE;
    let x = |i: usize| 2.0 * std::f64::consts::PI * i as f64 / (n - 1) as f64;
    let window: Vec<f64> = (0..n)
        .map(|i| 0.35875 - 0.48829 * x(i).cos() + 0.14128 * (2.0 * x(i)).cos() - 0.01168 * (3.0 * x(i)).cos())
        .collect();
    let places = a * b;
    let powers = |values: &[f64]| {
        let mut powers = Vec::new();
        let spectra = if complex { channels / 2 } else { channels };
        for spectrum in 0..batch * spectra * places {
            let (sample, channel, place) =
                (spectrum / (spectra * places), spectrum / places % spectra, spectrum % places);
            let part = |part: usize, i: usize| {
                let channel = channel + part * channels / 2;
                values[((sample * channels + channel) * places + place) * n + i] * window[i]
            };
            for delay in 0..n {
                let (mut re, mut im) = (0.0, 0.0);
                for i in 0..n {
                    let (sin, cos) = (-2.0 * std::f64::consts::PI * (delay * i) as f64 / n as f64).sin_cos();
                    let (u, v) = (part(0, i), if complex { part(1, i) } else { 0.0 });
                    re += u * cos - v * sin;
                    im += u * sin + v * cos;
                }
                powers.push(re * re + im * im);
            }
        }
        powers
    };
    let (p, y) = (powers(p), powers(y));
    let square = window.iter().map(|w| w * w).sum::<f64>();
    let mean = y.iter().sum::<f64>() / y.len() as f64;
    let floor = noise.map_or(1e-6 * mean, |sigma| if complex { 2.0 } else { 1.0 } * sigma * sigma * square);
    p.iter().zip(&y).map(|(p, y)| ((p + floor).ln() - (y + floor).ln()).powi(2)).sum::<f64>() / p.len() as f64
}

#[test]
fn delay_powers_are_compared_in_physical_units() {
    // a truth that bf16 holds exactly
    let (p, y) = (normal("p", 1.5), tensor(&normal("y", 1.0), &cpu(), DType::BF16));
    let y: Vec<f64> = y.into_data().iter::<f64>().collect();
    for complex in [false, true] {
        for noise in [None, Some(0.5)] {
            let how = DelayLoss { frequency_axis: 2, complex, noise };
            let got = value("delay", std::slice::from_ref(&p), |x| {
                how.forward(x[0].clone(), tensor(&y, &x[0].device(), x[0].dtype()))
            });
            // the smallest f32 is added so that no logarithm is of zero
            let expected = delay_by_hand(&p, &y, complex, noise);
            assert!((got - expected).abs() < 1e-10 * expected, "{complex} {noise:?}: {got} {expected}");
        }
    }
    // of another unit the loss is the same, and of the truth itself it is 0
    let how = DelayLoss { frequency_axis: 2, complex: true, noise: None };
    let at = |p: &[f64], y: &[f64], unit: f64| {
        let of = |values: &[f64]| tensor(values, &cpu(), DType::F64).mul_scalar(unit);
        how.forward(of(p), of(y)).into_scalar::<f64>()
    };
    assert!((at(&p, &y, 1e3) / at(&p, &y, 1.0) - 1.0).abs() < 1e-9);
    assert_eq!(at(&y, &y, 1.0), 0.0);
    // noise above everything leaves nothing to compare
    let drowned = DelayLoss { noise: Some(1e4), ..how };
    let [p, y] = [&p, &y].map(|values| tensor(values, &cpu(), DType::F64));
    assert!(drowned.forward(p, y).into_scalar::<f64>() < 1e-10);
}
