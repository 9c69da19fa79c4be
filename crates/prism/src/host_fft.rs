//! Transforms of planes on the host, for instruments and calibration.

use std::sync::Arc;

use num_complex::Complex;
use rustfft::{Fft, FftNum, FftPlanner};

/// Orthonormal transforms of `side x side` values, the frequency and the place nought first; plans are made once.
pub(crate) struct SquareFft<T: FftNum> {
    side: usize,
    forward: Arc<dyn Fft<T>>,
    inverse: Arc<dyn Fft<T>>,
}

/// Values that a transform works on besides its own.
pub(crate) struct Work<T> {
    turned: Vec<Complex<T>>,
    scratch: Vec<Complex<T>>,
}

impl<T: FftNum> SquareFft<T> {
    pub(crate) fn new(side: usize) -> Self {
        let mut planner = FftPlanner::new();
        Self { side, forward: planner.plan_fft_forward(side), inverse: planner.plan_fft_inverse(side) }
    }

    pub(crate) fn work(&self) -> Work<T> {
        let zero = Complex::new(T::zero(), T::zero());
        let scratch = self.forward.get_inplace_scratch_len().max(self.inverse.get_inplace_scratch_len());
        Work { turned: vec![zero; self.side * self.side], scratch: vec![zero; scratch] }
    }

    /// The transform of `values` in their place, row by row.
    pub(crate) fn forward(&self, values: &mut [Complex<T>], work: &mut Work<T>) {
        self.both_ways(&*self.forward, values, work);
    }

    /// The inverse of [`forward`](Self::forward).
    pub(crate) fn inverse(&self, values: &mut [Complex<T>], work: &mut Work<T>) {
        self.both_ways(&*self.inverse, values, work);
    }

    fn both_ways(&self, fft: &dyn Fft<T>, values: &mut [Complex<T>], work: &mut Work<T>) {
        let side = self.side;
        fft.process_with_scratch(values, &mut work.scratch);
        turn(values, &mut work.turned, side);
        fft.process_with_scratch(&mut work.turned, &mut work.scratch);
        turn(&work.turned, values, side);
        let scale = T::from_f64(1.0 / side as f64).unwrap_or_else(T::one);
        values.iter_mut().for_each(|value| *value = *value * scale);
    }
}

/// Rows become columns, in blocks that stay in the cache.
fn turn<T: Copy>(from: &[T], to: &mut [T], side: usize) {
    const BLOCK: usize = 16;
    for top in (0..side).step_by(BLOCK) {
        for left in (0..side).step_by(BLOCK) {
            for row in top..side.min(top + BLOCK) {
                for column in left..side.min(left + BLOCK) {
                    to[column * side + row] = from[row * side + column];
                }
            }
        }
    }
}

/// Moves the place nought of `side x side` values from the first corner to the middle, `side / 2`.
pub(crate) fn to_middle<T: Copy>(values: &[T], side: usize) -> Vec<T> {
    roll(values, side, side / 2)
}

/// The inverse of [`to_middle`].
pub(crate) fn to_corner<T: Copy>(values: &[T], side: usize) -> Vec<T> {
    roll(values, side, side - side / 2)
}

fn roll<T: Copy>(values: &[T], side: usize, by: usize) -> Vec<T> {
    let from = |place: usize| (place + side - by % side) % side;
    (0..side * side).map(|place| values[from(place / side) * side + from(place % side)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transform_and_its_inverse_keep_values_and_power() {
        for side in [7, 16, 30] {
            let fft = SquareFft::<f64>::new(side);
            let mut work = fft.work();
            let values: Vec<_> =
                (0..side * side).map(|i| Complex::new((i * i % 17) as f64, (i % 5) as f64 - 2.0)).collect();
            let mut there = values.clone();
            fft.forward(&mut there, &mut work);
            let power = |values: &[Complex<f64>]| values.iter().map(Complex::norm_sqr).sum::<f64>();
            assert!((power(&there) / power(&values) - 1.0).abs() < 1e-12);
            fft.inverse(&mut there, &mut work);
            assert!(there.iter().zip(&values).all(|(a, b)| (a - b).norm() < 1e-10));
            assert_eq!(to_corner(&to_middle(&values, side), side), values);
            assert_eq!(to_middle(&values, side)[side / 2 * side + side / 2], values[0]);
        }
    }
}
