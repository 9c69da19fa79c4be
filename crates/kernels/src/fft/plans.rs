//! Plans of transforms, made once per length and kept for the life of the process.

use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use rustfft::{Fft, FftNum, FftPlanner};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// The plans of one kind of number.
pub(crate) struct Plans<T: FftNum> {
    complex: FftPlanner<T>,
    real: RealFftPlanner<T>,
}

impl<T: FftNum> Plans<T> {
    fn new() -> Mutex<Self> {
        Mutex::new(Self { complex: FftPlanner::new(), real: RealFftPlanner::new() })
    }
}

/// A number that is transformed here.
pub(crate) trait Planned: FftNum {
    fn plans() -> &'static Mutex<Plans<Self>>;
}

impl Planned for f32 {
    fn plans() -> &'static Mutex<Plans<f32>> {
        static PLANS: LazyLock<Mutex<Plans<f32>>> = LazyLock::new(Plans::new);
        &PLANS
    }
}

impl Planned for f64 {
    fn plans() -> &'static Mutex<Plans<f64>> {
        static PLANS: LazyLock<Mutex<Plans<f64>>> = LazyLock::new(Plans::new);
        &PLANS
    }
}

/// The transform of `length` complex values, not scaled.
pub(crate) fn complex<T: Planned>(length: usize, inverse: bool) -> Arc<dyn Fft<T>> {
    let mut plans = T::plans().lock().unwrap_or_else(PoisonError::into_inner);
    if inverse { plans.complex.plan_fft_inverse(length) } else { plans.complex.plan_fft_forward(length) }
}

/// The transform of `length` real values to half a spectrum.
pub(crate) fn of_real<T: Planned>(length: usize) -> Arc<dyn RealToComplex<T>> {
    T::plans().lock().unwrap_or_else(PoisonError::into_inner).real.plan_fft_forward(length)
}

/// The sum over a whole spectrum of which half is given, to `length` real values.
pub(crate) fn to_real<T: Planned>(length: usize) -> Arc<dyn ComplexToReal<T>> {
    T::plans().lock().unwrap_or_else(PoisonError::into_inner).real.plan_fft_inverse(length)
}
