//! Stacks of square planes, and their filtering in Fourier space on the flat sky.
//!
//! A plane of `N x N` pixels and side `theta` has the multipoles `l = 2 pi n / theta`, `n = -N/2 .. N/2`; its ends
//! meet. Two-dimensional transforms are rows, a transposition, rows: a transform lies as [column wave number, row wave
//! number]. Each plane is one task, so that nothing depends on the number of threads.

use std::{f64::consts::TAU, sync::Arc};

use num_complex::Complex;
use rayon::prelude::*;
use rustfft::{Fft, FftPlanner};

/// What one size of plane needs.
pub(crate) struct Planes {
    size: usize,
    side_rad: f64,
    forward: Arc<dyn Fft<f64>>,
    inverse: Arc<dyn Fft<f64>>,
}

impl Planes {
    /// Planes of `size x size` pixels, `side_rad` wide.
    pub(crate) fn new(size: usize, side_rad: f64) -> Self {
        let mut planner = FftPlanner::new();
        Self { size, side_rad, forward: planner.plan_fft_forward(size), inverse: planner.plan_fft_inverse(size) }
    }

    /// Pixels on a side.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Pixels of a plane.
    pub(crate) fn pixels(&self) -> usize {
        self.size * self.size
    }

    /// Side of a plane in radians.
    pub(crate) fn side_rad(&self) -> f64 {
        self.side_rad
    }

    /// Side of a pixel in radians.
    pub(crate) fn pixel_rad(&self) -> f64 {
        self.side_rad / self.size as f64
    }

    /// Offset of a row or column from the middle of the plane in radians.
    pub(crate) fn offset_rad(&self, index: usize) -> f64 {
        (index as f64 + 0.5 - self.size as f64 / 2.0) * self.pixel_rad()
    }

    /// `|l|` at each place of a transform.
    pub(crate) fn multipoles(&self) -> Vec<f64> {
        let along: Vec<f64> = (0..self.size).map(|i| wave_number(i, self.size, self.side_rad)).collect();
        along.iter().flat_map(|a| along.iter().map(|b| a.hypot(*b))).collect()
    }

    /// Multiplies the transform of each plane by `gain(plane, place)`, which is real and the same for `l` and `-l`, so
    /// that planes stay real.
    pub(crate) fn filter(&self, planes: &mut [f64], gain: impl Fn(usize, usize) -> f64 + Sync) {
        let normalisation = 1.0 / self.pixels() as f64;
        planes.par_chunks_mut(self.pixels()).enumerate().for_each_init(
            || Scratch::new(self),
            |scratch, (index, plane)| {
                let mut transform: Vec<Complex<f64>> = plane.iter().map(|v| Complex::new(*v, 0.0)).collect();
                self.transform(&mut transform, &*self.forward, scratch);
                transform.iter_mut().enumerate().for_each(|(place, v)| *v *= gain(index, place) * normalisation);
                self.transform(&mut transform, &*self.inverse, scratch);
                plane.iter_mut().zip(&transform).for_each(|(own, v)| *own = v.re);
            },
        );
    }

    /// Transforms of the planes, unnormalised.
    pub(crate) fn forward(&self, planes: &[f64]) -> Vec<Complex<f64>> {
        let mut values: Vec<Complex<f64>> = planes.iter().map(|v| Complex::new(*v, 0.0)).collect();
        self.each(&mut values, &*self.forward);
        values
    }

    /// Real parts of the planes of these transforms, unnormalised.
    pub(crate) fn inverse(&self, mut transforms: Vec<Complex<f64>>) -> Vec<f64> {
        self.each(&mut transforms, &*self.inverse);
        transforms.into_iter().map(|v| v.re).collect()
    }

    fn each(&self, values: &mut [Complex<f64>], fft: &dyn Fft<f64>) {
        values
            .par_chunks_mut(self.pixels())
            .for_each_init(|| Scratch::new(self), |scratch, plane| self.transform(plane, fft, scratch));
    }

    fn transform(&self, plane: &mut [Complex<f64>], fft: &dyn Fft<f64>, scratch: &mut Scratch) {
        fft.process_with_scratch(plane, &mut scratch.fft);
        for (row, values) in plane.chunks_exact(self.size).enumerate() {
            values.iter().enumerate().for_each(|(column, v)| scratch.turned[column * self.size + row] = *v);
        }
        fft.process_with_scratch(&mut scratch.turned, &mut scratch.fft);
        plane.copy_from_slice(&scratch.turned);
    }
}

struct Scratch {
    fft: Vec<Complex<f64>>,
    turned: Vec<Complex<f64>>,
}

impl Scratch {
    fn new(planes: &Planes) -> Self {
        let length = planes.forward.get_inplace_scratch_len().max(planes.inverse.get_inplace_scratch_len());
        let zeros = |length| vec![Complex::new(0.0, 0.0); length];
        Self { fft: zeros(length), turned: zeros(planes.pixels()) }
    }
}

/// `2 pi n / length` of the place `index` of a transform of `count` values.
pub(crate) fn wave_number(index: usize, count: usize, length: f64) -> f64 {
    let signed = if index < count.div_ceil(2) { index as f64 } else { index as f64 - count as f64 };
    TAU * signed / length
}

#[cfg(test)]
mod tests {
    use super::*;
    use cupel_data::Stream;

    #[test]
    fn a_wave_is_multiplied_by_the_gain_at_its_own_multipole() {
        for size in [16, 15] {
            let planes = Planes::new(size, 0.3);
            let multipoles = planes.multipoles();
            let (rows, columns) = (2.0, 5.0);
            let wave = |row: usize, column: usize| {
                (TAU * (rows * row as f64 + columns * column as f64) / size as f64 + 0.4).cos()
            };
            let before: Vec<f64> = (0..2 * size * size).map(|i| wave(i / size % size, i % size)).collect();
            let mut after = before.clone();
            planes.filter(&mut after, |plane, place| (1.0 + plane as f64) * multipoles[place].powi(2));
            let gain = (TAU / 0.3 * f64::hypot(rows, columns)).powi(2);
            for (i, (a, b)) in after.iter().zip(&before).enumerate() {
                let wanted = gain * b * (1 + i / (size * size)) as f64;
                assert!((a - wanted).abs() < 1e-10 * gain, "{size} {i}: {a} {wanted}");
            }
        }
    }

    #[test]
    fn there_and_back_is_the_number_of_pixels_and_power_is_kept() {
        let planes = Planes::new(12, 1.0);
        let mut values = vec![0.0; 3 * 144];
        Stream::new(1, "planes").fill_normal_f64(&mut values);
        let transforms = planes.forward(&values);
        let power: f64 = transforms.iter().map(|v| v.norm_sqr()).sum::<f64>() / 144.0;
        assert!((power / values.iter().map(|v| v * v).sum::<f64>() - 1.0).abs() < 1e-12, "Parseval");
        for (back, value) in planes.inverse(transforms).iter().zip(&values) {
            assert!((back / 144.0 - value).abs() < 1e-13);
        }
    }
}
