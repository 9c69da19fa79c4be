//! Fourier transforms of planes on the host, in f64.
//!
//! All are orthonormal. [`spectrum`] is the transform of the library: origin of the object at its first place, frequency nought of the
//! spectrum at place `N / 2`. [`centred`] has both origins at place `N / 2`, as optics has them.

use std::sync::Arc;

use num_complex::Complex;
use rayon::prelude::*;
use rustfft::{Fft, FftPlanner};

use crate::Plane;

/// Columns that are transformed at once, so that each cache line of a row is used whole.
const COLUMNS: usize = 8;

/// Plans for rows and columns of one size and direction.
pub(crate) struct Plans {
    rows: Arc<dyn Fft<f64>>,
    columns: Arc<dyn Fft<f64>>,
    scale: f64,
}

impl Plans {
    /// Transforms of planes of `rows` x `columns`, forward or inverse.
    pub(crate) fn new(rows: usize, columns: usize, inverse: bool) -> Self {
        let mut planner = FftPlanner::new();
        let mut plan = |length| match inverse {
            true => planner.plan_fft_inverse(length),
            false => planner.plan_fft_forward(length),
        };
        Self { rows: plan(columns), columns: plan(rows), scale: 1.0 / ((rows * columns) as f64).sqrt() }
    }

    /// The transform, in place, of values row by row; one thread. Rows of noughts are passed over.
    pub(crate) fn apply(&self, values: &mut [Complex<f64>]) {
        let width = self.rows.len();
        let mut scratch = vec![Complex::default(); self.rows.get_inplace_scratch_len()];
        for row in values.chunks_exact_mut(width) {
            self.row(row, &mut scratch);
        }
        let first = 0..width.div_ceil(COLUMNS);
        for block in first {
            let gathered = self.column_block(values, block);
            scatter(values, width, block, &gathered);
        }
    }

    /// As [`apply`](Self::apply), by all threads; the same bits.
    pub(crate) fn apply_parallel(&self, values: &mut [Complex<f64>]) {
        let width = self.rows.len();
        values.par_chunks_exact_mut(width).for_each_init(
            || vec![Complex::default(); self.rows.get_inplace_scratch_len()],
            |scratch, row| self.row(row, scratch),
        );
        let whole: &[Complex<f64>] = values;
        let blocks: Vec<Vec<Complex<f64>>> =
            (0..width.div_ceil(COLUMNS)).into_par_iter().map(|block| self.column_block(whole, block)).collect();
        for (block, gathered) in blocks.iter().enumerate() {
            scatter(values, width, block, gathered);
        }
    }

    fn row(&self, row: &mut [Complex<f64>], scratch: &mut [Complex<f64>]) {
        if row.iter().any(|value| value.re != 0.0 || value.im != 0.0) {
            self.rows.process_with_scratch(row, scratch);
        }
    }

    /// The transformed, scaled columns of one block, column by column.
    fn column_block(&self, values: &[Complex<f64>], block: usize) -> Vec<Complex<f64>> {
        let (width, height) = (self.rows.len(), self.columns.len());
        let first = block * COLUMNS;
        let count = COLUMNS.min(width - first);
        let mut gathered = vec![Complex::default(); count * height];
        for (row, values) in values.chunks_exact(width).enumerate() {
            for (column, value) in values[first..first + count].iter().enumerate() {
                gathered[column * height + row] = value * self.scale;
            }
        }
        self.columns.process(&mut gathered);
        gathered
    }
}

fn scatter(values: &mut [Complex<f64>], width: usize, block: usize, gathered: &[Complex<f64>]) {
    let height = values.len() / width;
    let first = block * COLUMNS;
    for (column, transformed) in gathered.chunks_exact(height).enumerate() {
        for (row, value) in transformed.iter().enumerate() {
            values[row * width + first + column] = *value;
        }
    }
}

/// The plane moved by so many places, going on at the opposite edge.
pub(crate) fn rolled(plane: &Plane, rows: usize, columns: usize) -> Plane {
    let (height, width) = (plane.rows(), plane.columns());
    Plane::from_fn(height, width, |row, column| {
        plane.values()[(row + height - rows % height) % height * width + (column + width - columns % width) % width]
    })
}

/// The spectrum of an object whose origin is its first place; frequency nought at place `N / 2`.
pub(crate) fn spectrum(object: &Plane) -> Plane {
    let mut values = object.clone();
    Plans::new(object.rows(), object.columns(), false).apply_parallel(values.values_mut());
    rolled(&values, object.rows() / 2, object.columns() / 2)
}

/// The object that has this [`spectrum`].
pub(crate) fn object(spectrum: &Plane) -> Plane {
    let (rows, columns) = (spectrum.rows(), spectrum.columns());
    let mut values = rolled(spectrum, rows - rows / 2, columns - columns / 2);
    Plans::new(rows, columns, true).apply_parallel(values.values_mut());
    values
}

/// The transform with both origins at place `N / 2`, or its inverse.
pub(crate) fn centred(plane: &Plane, inverse: bool) -> Plane {
    let (rows, columns) = (plane.rows(), plane.columns());
    let mut values = rolled(plane, rows - rows / 2, columns - columns / 2);
    Plans::new(rows, columns, inverse).apply_parallel(values.values_mut());
    rolled(&values, rows / 2, columns / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plane(rows: usize, columns: usize) -> Plane {
        Plane::from_fn(rows, columns, |row, column| {
            Complex::new((row as f64 * 1.7 + column as f64).sin(), (row as f64 - 0.3 * column as f64).cos())
        })
    }

    #[test]
    fn transforms_are_sums_and_their_inverses_undo_them() {
        for (rows, columns) in [(4, 6), (5, 9), (8, 3), (1, 7)] {
            let plane = plane(rows, columns);
            let (own, centred) = (spectrum(&plane), centred(&plane, false));
            for (row, column) in [(0, 0), (rows - 1, columns / 2), (rows / 2, columns - 1)] {
                let sum = |origin: [f64; 2]| {
                    let (ky, kx) = (row as f64 - (rows / 2) as f64, column as f64 - (columns / 2) as f64);
                    let terms = plane.values().iter().enumerate().map(|(place, value)| {
                        let (y, x) = ((place / columns) as f64 - origin[0], (place % columns) as f64 - origin[1]);
                        value * Complex::cis(-std::f64::consts::TAU * (ky * y / rows as f64 + kx * x / columns as f64))
                    });
                    terms.sum::<Complex<f64>>() / ((rows * columns) as f64).sqrt()
                };
                let place = row * columns + column;
                assert!((own.values()[place] - sum([0.0; 2])).norm() < 1e-12, "{rows} x {columns}");
                let middle = [(rows / 2) as f64, (columns / 2) as f64];
                assert!((centred.values()[place] - sum(middle)).norm() < 1e-12, "{rows} x {columns}");
            }
            let back = object(&own);
            let again = super::centred(&centred, true);
            for ((value, back), again) in plane.values().iter().zip(back.values()).zip(again.values()) {
                assert!((value - back).norm() < 1e-12 && (value - again).norm() < 1e-12);
            }
        }
    }

    #[test]
    fn one_thread_and_many_have_the_same_bits() {
        let plane = plane(33, 20);
        let (mut one, mut many) = (plane.clone(), plane);
        Plans::new(33, 20, false).apply(one.values_mut());
        Plans::new(33, 20, false).apply_parallel(many.values_mut());
        assert_eq!(one, many);
    }
}
