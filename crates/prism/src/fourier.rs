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

/// Moves the plane by so many places, going on at the opposite edge.
fn roll(plane: &mut Plane, rows: usize, columns: usize) {
    let width = plane.columns();
    let (rows, columns) = (rows % plane.rows().max(1), columns % width.max(1));
    let values = plane.values_mut();
    values.par_chunks_exact_mut(width).for_each(|row| row.rotate_right(columns));
    values.rotate_right(rows * width);
}

/// The spectrum of an object whose origin is its first place; frequency nought at place `N / 2`.
pub(crate) fn spectrum(object: &Plane) -> Plane {
    let mut values = object.clone();
    Plans::new(object.rows(), object.columns(), false).apply_parallel(values.values_mut());
    roll(&mut values, object.rows() / 2, object.columns() / 2);
    values
}

/// The object that has this [`spectrum`].
pub(crate) fn object(spectrum: &Plane) -> Plane {
    let (rows, columns) = (spectrum.rows(), spectrum.columns());
    let mut values = spectrum.clone();
    roll(&mut values, rows - rows / 2, columns - columns / 2);
    Plans::new(rows, columns, true).apply_parallel(values.values_mut());
    values
}

/// The transform with both origins at place `N / 2`, or its inverse.
pub(crate) fn centred(plane: &Plane, inverse: bool) -> Plane {
    let (rows, columns) = (plane.rows(), plane.columns());
    let mut values = plane.clone();
    roll(&mut values, rows - rows / 2, columns - columns / 2);
    Plans::new(rows, columns, inverse).apply_parallel(values.values_mut());
    roll(&mut values, rows / 2, columns / 2);
    values
}
