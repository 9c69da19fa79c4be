//! Plans of transforms, made once per length, and memory between their passes: both are kept for the life of the process.
//!
//! Memory of some megabytes that is given back to the system comes again as pages that must each be cleared and mapped, which
//! takes longer than the transform.

use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use rustfft::{Fft, FftNum, FftPlanner, num_complex::Complex, num_traits::Zero};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// Buffers that are kept: two for each of two transforms at a time.
const BUFFERS: usize = 4;
/// Largest buffer that is kept, in values: 32 MB of complex f32.
const LARGEST: usize = 1 << 22;

/// The plans of one kind of number, and free memory.
pub(crate) struct Plans<T: FftNum> {
    complex: FftPlanner<T>,
    real: RealFftPlanner<T>,
    buffers: Vec<Vec<Complex<T>>>,
}

impl<T: FftNum> Plans<T> {
    fn new() -> Mutex<Self> {
        Mutex::new(Self { complex: FftPlanner::new(), real: RealFftPlanner::new(), buffers: Vec::new() })
    }
}

/// A number that is transformed here.
pub(crate) trait Planned: FftNum {
    fn plans() -> &'static Mutex<Plans<Self>>;

    /// A buffer of `length` values, which may be any.
    fn take(length: usize) -> Vec<Complex<Self>> {
        let mut plans = Self::plans().lock().unwrap_or_else(PoisonError::into_inner);
        let fits = plans.buffers.iter().position(|buffer| buffer.capacity() >= length);
        let mut buffer = fits.map(|index| plans.buffers.swap_remove(index)).unwrap_or_default();
        drop(plans);
        buffer.resize(length, Complex::zero());
        buffer
    }

    /// Keeps a buffer for the next transform.
    fn give_back(buffer: Vec<Complex<Self>>) {
        let mut plans = Self::plans().lock().unwrap_or_else(PoisonError::into_inner);
        if buffer.capacity() <= LARGEST {
            // The oldest makes room: lengths that are no longer used do not stay.
            if plans.buffers.len() == BUFFERS {
                plans.buffers.remove(0);
            }
            plans.buffers.push(buffer);
        }
    }
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
