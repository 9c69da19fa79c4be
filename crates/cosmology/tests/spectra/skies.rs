//! Skies of a known power, by a Fourier synthesis of this test's own.

use std::f64::consts::TAU;

use cupel_cosmology::power::Volume;
use cupel_data::{Axes, Axis, AxisKind, Cube, Stream};
use num_complex::Complex;
use rustfft::FftPlanner;

pub const KINDS: [AxisKind; 3] = [AxisKind::Frequency, AxisKind::Row, AxisKind::Column];

/// A cube of [frequency, row, column].
pub fn cube(values: Vec<f32>, shape: [usize; 3]) -> Cube<f32> {
    let axes = KINDS.iter().zip(shape).map(|(kind, len)| Axis::new(*kind, len)).collect();
    Cube::new(values, Axes::new(axes).unwrap()).unwrap()
}

pub fn in_double(values: Vec<f64>, shape: [usize; 3]) -> Cube<f64> {
    let axes = KINDS.iter().zip(shape).map(|(kind, len)| Axis::new(*kind, len)).collect();
    Cube::new(values, Axes::new(axes).unwrap()).unwrap()
}

pub fn white(shape: [usize; 3], seed: u64) -> Vec<f64> {
    let mut values = vec![0.0; shape.iter().product()];
    Stream::new(seed, "white sky").fill_normal_f64(&mut values);
    values
}

/// The size of the wave vector of every cell, as (k_perp, k_par).
pub fn wave_numbers(volume: &Volume) -> Vec<[f64; 2]> {
    let (shape, lengths) = (volume.shape(), volume.lengths());
    let k = |axis: usize, i: usize| TAU / lengths[axis] * i.min(shape[axis] - i) as f64;
    let [channels, rows, columns] = shape;
    (0..channels * rows * columns)
        .map(|cell| {
            let (z, y, x) = (cell / (rows * columns), cell / columns % rows, cell % columns);
            [k(1, y).hypot(k(2, x)), k(0, z)]
        })
        .collect()
}

/// A Gaussian sky of power `P(k_perp, k_par)`.
pub fn gaussian(volume: &Volume, seed: u64, power: impl Fn([f64; 2]) -> f64) -> Vec<f64> {
    let shape = volume.shape();
    let mut modes: Vec<Complex<f64>> = white(shape, seed).into_iter().map(Complex::from).collect();
    transform(&mut modes, shape, false);
    // white values of variance 1 have the power V / n
    let per_cell = volume.size() / volume.len() as f64;
    for (mode, k) in modes.iter_mut().zip(wave_numbers(volume)) {
        *mode *= if k == [0.0; 2] { 0.0 } else { (power(k) / per_cell).sqrt() };
    }
    transform(&mut modes, shape, true);
    modes.iter().map(|mode| mode.re / volume.len() as f64).collect()
}

/// The same as single numbers.
pub fn gaussian_cube(volume: &Volume, seed: u64, power: impl Fn([f64; 2]) -> f64) -> Cube<f32> {
    let values = gaussian(volume, seed, power);
    cube(values.iter().map(|value| *value as f32).collect(), volume.shape())
}

/// An unnormalised transform along all axes.
pub fn transform(values: &mut [Complex<f64>], shape: [usize; 3], inverse: bool) {
    let mut planner = FftPlanner::new();
    for axis in 0..3 {
        let (length, inner) = (shape[axis], shape[axis + 1..].iter().product::<usize>());
        let plan = if inverse { planner.plan_fft_inverse(length) } else { planner.plan_fft_forward(length) };
        let mut line = vec![Complex::default(); length];
        for start in (0..values.len()).filter(|cell| cell / inner % length == 0) {
            line.iter_mut().enumerate().for_each(|(i, value)| *value = values[start + i * inner]);
            plan.process(&mut line);
            line.iter().enumerate().for_each(|(i, value)| values[start + i * inner] = *value);
        }
    }
}

/// The same values without the mean of each channel.
pub fn centred(values: &[f64], [_, rows, columns]: [usize; 3]) -> Vec<f64> {
    let mean = |plane: &[f64]| plane.iter().sum::<f64>() / plane.len() as f64;
    values.chunks(rows * columns).flat_map(|plane| plane.iter().map(move |value| value - mean(plane))).collect()
}

pub fn variance(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>() / values.len() as f64
}

#[track_caller]
pub fn near(got: f64, expected: f64, relative: f64, what: &str) {
    assert!((got - expected).abs() <= relative * expected.abs(), "{what}: {got} instead of {expected}");
}
