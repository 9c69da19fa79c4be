//! [`Number`]: what samples are made of.

use num_complex::Complex;

/// A real or complex number of a cube that an analysis takes.
pub trait Number: Copy + Send + Sync + sealed::Sealed + 'static {
    /// Whether it has an imaginary part.
    const COMPLEX: bool;

    /// Real and imaginary part.
    fn parts(self) -> [f64; 2];

    /// Of these parts, rounded to this type; the imaginary part is lost where there is no place for it.
    fn from_parts(parts: [f64; 2]) -> Self;

    /// Whether no part is NaN or infinite.
    fn finite(self) -> bool {
        self.parts().iter().all(|part| part.is_finite())
    }
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! numbers {
    ($($float:ty),*) => {$(
        impl sealed::Sealed for $float {}
        impl sealed::Sealed for Complex<$float> {}

        impl Number for $float {
            const COMPLEX: bool = false;

            fn parts(self) -> [f64; 2] {
                [f64::from(self), 0.0]
            }

            fn from_parts([re, _]: [f64; 2]) -> Self {
                re as $float
            }
        }

        impl Number for Complex<$float> {
            const COMPLEX: bool = true;

            fn parts(self) -> [f64; 2] {
                [f64::from(self.re), f64::from(self.im)]
            }

            fn from_parts([re, im]: [f64; 2]) -> Self {
                Self::new(re as $float, im as $float)
            }
        }
    )*};
}
numbers!(f32, f64);
