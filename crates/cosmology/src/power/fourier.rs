//! The Fourier transform of a real cube, in f64 and in parallel: lines are independent, so that the bits do not depend on threads.

use num_complex::Complex;
use rayon::prelude::*;
use realfft::RealFftPlanner;
use rustfft::FftPlanner;

use super::Volume;

/// The modes of one sky, as an [`Estimator`](super::Estimator) made them.
#[derive(Clone, Debug)]
pub struct Modes {
    pub(crate) volume: Volume,
    /// In the order of [`transform`].
    pub(crate) values: Vec<Complex<f64>>,
}

/// The unnormalised transform `F(k) = sum_x f(x) exp(-i k x)` of values in the order [frequency, row, column], as
/// [column, row, frequency] with the columns 0 to half their number; the others are complex conjugates of these.
pub(crate) fn transform(values: &[f64], [channels, rows, columns]: [usize; 3]) -> Vec<Complex<f64>> {
    let half = columns / 2 + 1;
    let along_columns = RealFftPlanner::<f64>::new().plan_fft_forward(columns);
    let mut planner = FftPlanner::<f64>::new();
    let (along_rows, along_channels) = (planner.plan_fft_forward(rows), planner.plan_fft_forward(channels));
    let zero = Complex::new(0.0, 0.0);

    // Each channel as [column, row], so that the next transform finds its values side by side.
    let mut planes = vec![zero; channels * half * rows];
    let buffers = || {
        let scratch = along_columns.get_scratch_len().max(along_rows.get_inplace_scratch_len());
        (vec![0.0; columns], vec![zero; half], vec![zero; scratch])
    };
    let planes_of_values = planes.par_chunks_mut(half * rows).zip(values.par_chunks(rows * columns));
    planes_of_values.for_each_init(buffers, |(line, spectrum, scratch), (plane, values)| {
        for (row, values) in values.chunks_exact(columns).enumerate() {
            line.copy_from_slice(values);
            let scratch = &mut scratch[..along_columns.get_scratch_len()];
            if along_columns.process_with_scratch(line, spectrum, scratch).is_err() {
                unreachable!("the buffers have the lengths of the plan");
            }
            plane[row..].iter_mut().step_by(rows).zip(&*spectrum).for_each(|(to, from)| *to = *from);
        }
        along_rows.process_with_scratch(plane, &mut scratch[..along_rows.get_inplace_scratch_len()]);
    });

    let mut modes = vec![zero; half * rows * channels];
    let scratch = || vec![zero; along_channels.get_inplace_scratch_len()];
    modes.par_chunks_mut(rows * channels).enumerate().for_each_init(scratch, |scratch, (column, slab)| {
        for (channel, plane) in planes.chunks_exact(half * rows).enumerate() {
            let of_column = &plane[column * rows..(column + 1) * rows];
            slab[channel..].iter_mut().step_by(channels).zip(of_column).for_each(|(to, from)| *to = *from);
        }
        along_channels.process_with_scratch(slab, scratch);
    });
    modes
}

/// How often a column of the half transform stands in the whole one.
pub(crate) fn multiplicity(column: usize, columns: usize) -> f64 {
    if column == 0 || 2 * column == columns { 1.0 } else { 2.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    #[test]
    fn the_transform_is_the_sum_that_defines_it() {
        for shape in [[3, 4, 5], [4, 3, 6], [1, 2, 1], [5, 1, 2]] {
            let [channels, rows, columns] = shape;
            let values: Vec<f64> = (0..channels * rows * columns).map(|i| (i as f64 * 1.7).sin() + 0.1).collect();
            let modes = transform(&values, shape);
            let half = columns / 2 + 1;
            assert_eq!(modes.len(), half * rows * channels);
            for (position, mode) in modes.iter().enumerate() {
                let (x, y, z) = (position / (rows * channels), position / channels % rows, position % channels);
                let mut sum = Complex::new(0.0, 0.0);
                for (cell, value) in values.iter().enumerate() {
                    let (i, j, l) = (cell % columns, cell / columns % rows, cell / (columns * rows));
                    let turns = (x * i) as f64 / columns as f64
                        + (y * j) as f64 / rows as f64
                        + (z * l) as f64 / channels as f64;
                    sum += Complex::from_polar(*value, -TAU * turns);
                }
                assert!((mode - sum).norm() < 1e-12, "{shape:?} {position}");
            }
        }
    }
}
