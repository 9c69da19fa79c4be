//! The probe: one gradient step on a device, against the closed form, at a safe distance.
//!
//! A driver that is missing or broken may fail in any way: by an error, a panic, wrong numbers, or no answer at all. Each
//! becomes a sentence that says why the device was not taken.

use burn::tensor::{DType, Device, Tensor, TensorData};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc,
    thread,
    time::Duration,
};

/// Enough for a driver to start and for the first kernels to be compiled and tuned.
const LIMIT: Duration = Duration::from_secs(120);
/// Compilers of kernels recurse deeply.
const STACK_BYTES: usize = 16 << 20;
/// The probe's numbers are short binary fractions: even a device that multiplies in reduced precision gets them right.
const TOLERANCE: f64 = 1e-5;

/// One step down the gradient of a linear regression, against the closed form.
pub(crate) fn gradient_step(device: &Device) -> Result<(), String> {
    const SAMPLES: usize = 4;
    const INPUTS: [[f32; 2]; SAMPLES] = [[1.0, 2.0], [2.0, -1.0], [-1.0, 0.5], [0.5, 1.0]];
    const TARGETS: [f32; SAMPLES] = [1.0, 0.0, -1.0, 2.0];
    const WEIGHTS: [f32; 2] = [0.5, -0.5];
    const RATE: f32 = 0.25;

    // mean (X w - y)^2 has the gradient 2/n X^T (X w - y).
    let mut expected = WEIGHTS.map(f64::from);
    for (input, target) in INPUTS.iter().zip(TARGETS) {
        let product: f64 = input.iter().zip(WEIGHTS).map(|(x, w)| f64::from(x * w)).sum();
        let residual = product - f64::from(target);
        for (weight, x) in expected.iter_mut().zip(input) {
            *weight -= f64::from(RATE) * 2.0 / SAMPLES as f64 * f64::from(*x) * residual;
        }
    }

    let device = device.clone().autodiff();
    let tensor = |values: Vec<f32>, shape: [usize; 2]| {
        Tensor::<2>::from_data(TensorData::new(values, shape), (&device, DType::F32))
    };
    let inputs = tensor(INPUTS.concat(), [SAMPLES, 2]);
    let targets = tensor(TARGETS.to_vec(), [SAMPLES, 1]);
    let weights = tensor(WEIGHTS.to_vec(), [2, 1]).require_grad();
    let residuals = inputs.matmul(weights.clone()) - targets;
    let gradients = (residuals.clone() * residuals).mean().backward();
    let gradient = weights.grad(&gradients).ok_or("it computed no gradient")?;
    let stepped = weights.inner() - gradient.mul_scalar(RATE);
    let got = stepped.into_data().try_to_vec::<f32>().map_err(|error| error.to_string())?;
    compare(&got, &expected)
}

fn compare(got: &[f32], expected: &[f64]) -> Result<(), String> {
    let close = |(got, expected): (&f32, &f64)| {
        // A comparison that is false for values that are not numbers.
        (f64::from(*got) - expected).abs() <= TOLERANCE
    };
    if got.len() == expected.len() && got.iter().zip(expected).all(close) {
        return Ok(());
    }
    Err(format!("it computes wrong numbers: a gradient step gave {got:?}, expected {expected:?}"))
}

/// Runs what a broken driver may crash or hang on a thread of its own.
///
/// A thread that hangs is left behind: nothing can end it, and it holds up nobody.
pub(crate) fn guarded<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> Result<T, String> {
    guarded_for(LIMIT, job)
}

fn guarded_for<T: Send + 'static>(limit: Duration, job: impl FnOnce() -> T + Send + 'static) -> Result<T, String> {
    let (sender, receiver) = mpsc::channel();
    let run = move || {
        let result = catch_unwind(AssertUnwindSafe(job)).map_err(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            let text = text.unwrap_or("without a message").lines().next().unwrap_or_default();
            format!("it failed: {text}")
        });
        // Nobody listens any more once the limit has passed.
        let _ = sender.send(result);
    };
    thread::Builder::new()
        .name("device probe".to_string())
        .stack_size(STACK_BYTES)
        .spawn(run)
        .map_err(|error| format!("no thread to probe it: {error}"))?;
    receiver.recv_timeout(limit).unwrap_or_else(|_| Err(format!("it did not answer within {} s", limit.as_secs_f64())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_numbers_do_not_pass() {
        compare(&[0.5, 1.0], &[0.5, 1.0]).unwrap();
        for wrong in [&[0.5, 1.001][..], &[0.5, f32::NAN], &[0.5], &[]] {
            assert!(compare(wrong, &[0.5, 1.0]).unwrap_err().contains("wrong numbers"));
        }
    }

    #[test]
    fn a_driver_that_panics_or_hangs_is_survived() {
        let panics = guarded(|| panic!("no libcuda\nbacktrace"));
        assert_eq!(panics, Err::<(), _>("it failed: no libcuda".to_string()));
        let (_keep, never) = mpsc::channel::<()>();
        let hangs = guarded_for(Duration::from_millis(20), move || never.recv().is_ok());
        assert!(hangs.unwrap_err().contains("did not answer within 0.02 s"));
    }
}
