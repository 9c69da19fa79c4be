//! The transforms on slices: passes over memory, each cut into tasks that own what they write.
//!
//! A transform over two dimensions is three passes. The first transforms blocks of rows and lays them out with the columns of the block
//! one after the other; the second gathers and transforms columns; the third brings them back to rows. What one task
//! writes lies in one piece, so there is no lock and no order to keep, and no task depends on the number of threads.

use super::{Complex, Real, plans, plans::Planned};
use rayon::prelude::*;
use rustfft::{Fft, num_complex::Complex as Number, num_traits::Zero};
use std::sync::Arc;

/// Rows of a block, and the side of the squares in which memory is transposed: a row of such a square is two cache lines of complex f32.
const SIDE: usize = 16;
/// Columns that a task of the second pass transforms.
const GROUP: usize = 8;
/// Values below which starting another thread costs more than it brings.
const ALONE: usize = 1 << 13;

/// A batch of matrices.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    pub batch: usize,
    pub rows: usize,
    pub cols: usize,
}

impl Extent {
    fn len(self) -> usize {
        self.batch * self.rows * self.cols
    }

    /// Blocks of at most [`SIDE`] rows in one matrix.
    fn blocks(self) -> usize {
        self.rows.div_ceil(SIDE)
    }

    /// Matrix, first row and number of rows of a block.
    fn block(self, index: usize) -> (usize, usize, usize) {
        let (matrix, row) = (index / self.blocks(), index % self.blocks() * SIDE);
        (matrix, row, SIDE.min(self.rows - row))
    }
}

/// Transforms complex values along the rows, and along the columns where asked.
pub(crate) fn complex<T: Planned>(re: &[T], im: &[T], extent: Extent, transform: Complex) -> [Vec<T>; 2] {
    let Extent { cols, .. } = extent;
    let rows_plan = plans::complex::<T>(cols, transform.inverse);
    let factor = T::from_f64(transform.scale).unwrap_or_else(T::one);
    let scratch_len = rows_plan.get_inplace_scratch_len();
    let load = |scratch: &mut [Number<T>], row: usize, rows: &mut [Number<T>]| {
        let values = row * cols..row * cols + rows.len();
        for ((value, &re), &im) in rows.iter_mut().zip(&re[values.clone()]).zip(&im[values]) {
            *value = Number::new(re, im);
        }
        rows_plan.process_with_scratch(rows, scratch);
        if transform.scale != 1.0 {
            rows.iter_mut().for_each(|value| *value = value.scale(factor));
        }
    };
    if !transform.columns {
        return split(extent, |row, rows, scratch| {
            scratch.resize(scratch_len, Number::zero());
            load(scratch, row, rows);
        });
    }
    let by_block = columns_of_blocks(extent, scratch_len, load);
    let by_column = transform_columns(by_block, extent, transform.inverse);
    split_columns(by_column, extent)
}

/// Transforms real rows to half spectra, and forward along the columns where asked.
pub(crate) fn of_real<T: Planned>(x: &[T], extent: Extent, transform: Real) -> [Vec<T>; 2] {
    let Real { length, .. } = transform;
    let half = Extent { cols: length / 2 + 1, ..extent };
    let plan = plans::of_real::<T>(length);
    let counts = Counts::new(transform, transform.inner);
    let scratch_len = plan.get_scratch_len();
    let load = |scratch: &mut [Number<T>], real: &mut [T], row: usize, rows: &mut [Number<T>]| {
        for (row, spectrum) in (row..).zip(rows.chunks_exact_mut(half.cols)) {
            real.copy_from_slice(&x[row * length..(row + 1) * length]);
            if plan.process_with_scratch(real, spectrum, scratch).is_err() {
                unreachable!("the buffers have the lengths of the plan");
            }
            counts.apply(spectrum);
        }
    };
    if !transform.columns {
        return split(half, |row, rows, scratch| {
            scratch.resize(scratch_len, Number::zero());
            let mut real = vec![T::zero(); length];
            load(scratch, &mut real, row, rows);
        });
    }
    let by_block = columns_of_blocks(half, scratch_len, |scratch, row, rows| {
        let mut real = vec![T::zero(); length];
        load(scratch, &mut real, row, rows);
    });
    let by_column = transform_columns(by_block, half, false);
    split_columns(by_column, half)
}

/// Transforms inversely along the columns where asked, and half spectra to real rows; `extent` is that of the spectra.
pub(crate) fn to_real<T: Planned>(re: &[T], im: &[T], extent: Extent, transform: Real) -> Vec<T> {
    let (Extent { cols, .. }, Real { length, .. }) = (extent, transform);
    let plan = plans::to_real::<T>(length);
    // The plan counts inner entries twice.
    let counts = Counts::new(transform, transform.inner / 2.0);
    let by_column = transform.columns.then(|| {
        let pack = |_: &mut [Number<T>], row: usize, rows: &mut [Number<T>]| {
            let values = row * cols..row * cols + rows.len();
            for ((value, &re), &im) in rows.iter_mut().zip(&re[values.clone()]).zip(&im[values]) {
                *value = Number::new(re, im);
            }
        };
        transform_columns(columns_of_blocks(extent, 0, pack), extent, true)
    });
    let mut x = vec![T::zero(); extent.batch * extent.rows * length];
    let buffers = || (vec![Number::zero(); SIDE * cols], plan.make_scratch_vec());
    // Rows of one task lie in one matrix.
    let tasks = blocks_of_rows(&mut x, extent, length);
    each(tasks, extent.len(), buffers, |(spectra, scratch), (block, real)| {
        let (matrix, row, rows) = extent.block(block);
        let spectra = &mut spectra[..rows * cols];
        match &by_column {
            Some(by_column) => gather_rows(by_column, extent, matrix, row, spectra),
            None => {
                let values = (matrix * extent.rows + row) * cols..(matrix * extent.rows + row + rows) * cols;
                for ((value, &re), &im) in spectra.iter_mut().zip(&re[values.clone()]).zip(&im[values]) {
                    *value = Number::new(re, im);
                }
            }
        }
        for (spectrum, real) in spectra.chunks_exact_mut(cols).zip(real.chunks_exact_mut(length)) {
            counts.apply(spectrum);
            // No real signal has imaginary parts here, and the plan refuses them.
            spectrum[0].im = T::zero();
            if length.is_multiple_of(2) {
                spectrum[length / 2].im = T::zero();
            }
            if plan.process_with_scratch(spectrum, real, scratch).is_err() {
                unreachable!("the buffers have the lengths of the plan and the imaginary parts are 0");
            }
        }
    });
    by_column.into_iter().for_each(T::give_back);
    x
}

/// The factors of the entries of half a spectrum.
struct Counts<T> {
    length: usize,
    outer: T,
    inner: T,
}

impl<T: Planned> Counts<T> {
    fn new(transform: Real, inner: f64) -> Self {
        let number = |value: f64| T::from_f64(value).unwrap_or_else(T::one);
        Self { length: transform.length, outer: number(transform.scale), inner: number(transform.scale * inner) }
    }

    fn apply(&self, spectrum: &mut [Number<T>]) {
        if self.inner.is_one() && self.outer.is_one() {
            return;
        }
        let last = spectrum.len() - 1;
        let outer = |value: &mut Number<T>| *value = value.scale(self.outer);
        outer(&mut spectrum[0]);
        let end = if self.length.is_multiple_of(2) { last } else { last + 1 };
        spectrum[1..end.max(1)].iter_mut().for_each(|value| *value = value.scale(self.inner));
        if end == last && last > 0 {
            outer(&mut spectrum[last]);
        }
    }
}

/// Calls `work` for every task, on several threads if there are `values` enough.
fn each<I: Send, S>(
    tasks: Vec<I>,
    values: usize,
    state: impl Fn() -> S + Send + Sync,
    work: impl Fn(&mut S, I) + Send + Sync,
) {
    if values <= ALONE {
        let mut state = state();
        return tasks.into_iter().for_each(|task| work(&mut state, task));
    }
    let together = (ALONE * tasks.len() / values).max(1);
    tasks.into_par_iter().with_min_len(together).for_each_init(state, work);
}

/// The blocks of rows of `values` with their indices, for rows of `width`.
fn blocks_of_rows<T>(values: &mut [T], extent: Extent, width: usize) -> Vec<(usize, &mut [T])> {
    let matrices = values.chunks_mut((extent.rows * width).max(1));
    matrices.flat_map(|matrix| matrix.chunks_mut(SIDE * width)).enumerate().collect()
}

/// Real and imaginary parts of rows that `load` makes, given the first row, the rows and a buffer to work in.
fn split<T: Planned>(
    extent: Extent,
    load: impl Fn(usize, &mut [Number<T>], &mut Vec<Number<T>>) + Send + Sync,
) -> [Vec<T>; 2] {
    let Extent { cols, .. } = extent;
    let (mut re, mut im) = (vec![T::zero(); extent.len()], vec![T::zero(); extent.len()]);
    let rows = blocks_of_rows(&mut re, extent, cols).into_iter().zip(blocks_of_rows(&mut im, extent, cols));
    let buffers = || (vec![Number::zero(); SIDE * cols], Vec::new());
    each(rows.collect(), extent.len(), buffers, |(buffer, scratch), ((block, re), (_, im))| {
        let (matrix, row, rows) = extent.block(block);
        let buffer = &mut buffer[..rows * cols];
        load(matrix * extent.rows + row, buffer, scratch);
        for ((value, re), im) in buffer.iter().zip(re).zip(im) {
            (*re, *im) = (value.re, value.im);
        }
    });
    [re, im]
}

/// The first pass: blocks of rows that `load` makes, with the columns of each block one after the other and [`SIDE`] entries each.
fn columns_of_blocks<T: Planned>(
    extent: Extent,
    scratch_len: usize,
    load: impl Fn(&mut [Number<T>], usize, &mut [Number<T>]) + Send + Sync,
) -> Vec<Number<T>> {
    let Extent { cols, .. } = extent;
    let mut by_block = T::take(extent.batch * extent.blocks() * SIDE * cols);
    let tasks = by_block.chunks_exact_mut(SIDE * cols).enumerate().collect();
    let buffers = || (vec![Number::zero(); SIDE * cols], vec![Number::zero(); scratch_len]);
    each(tasks, extent.len(), buffers, |(buffer, scratch), (block, columns)| {
        let (matrix, row, rows) = extent.block(block);
        let buffer = &mut buffer[..rows * cols];
        load(scratch, matrix * extent.rows + row, buffer);
        let mut square = [[Number::zero(); SIDE]; SIDE];
        for (first, columns) in (0..cols).step_by(SIDE).zip(columns.chunks_mut(SIDE * SIDE)) {
            let width = SIDE.min(cols - first);
            for (row, values) in buffer.chunks_exact(cols).enumerate() {
                for (line, value) in square.iter_mut().zip(&values[first..first + width]) {
                    line[row] = *value;
                }
            }
            for (column, line) in columns.chunks_exact_mut(SIDE).zip(&square) {
                column.copy_from_slice(line);
            }
        }
    });
    by_block
}

/// The second pass: the transforms of all columns, one after the other.
fn transform_columns<T: Planned>(by_block: Vec<Number<T>>, extent: Extent, inverse: bool) -> Vec<Number<T>> {
    let Extent { rows, cols, .. } = extent;
    let plan: Arc<dyn Fft<T>> = plans::complex(rows, inverse);
    let mut by_column = T::take(extent.len());
    let tasks = by_column.chunks_mut((GROUP * rows).max(1)).enumerate().collect();
    let scratch = || vec![Number::zero(); plan.get_inplace_scratch_len()];
    each(tasks, extent.len(), scratch, |scratch, (group, columns)| {
        for (index, column) in (group * GROUP..).zip(columns.chunks_exact_mut(rows)) {
            let (matrix, col) = (index / cols, index % cols);
            for (block, part) in (matrix * extent.blocks()..).zip(column.chunks_mut(SIDE)) {
                let start = (block * cols + col) * SIDE;
                part.copy_from_slice(&by_block[start..start + part.len()]);
            }
        }
        plan.process_with_scratch(columns, scratch);
    });
    T::give_back(by_block);
    by_column
}

/// The third pass: real and imaginary parts of columns, in rows.
fn split_columns<T: Planned>(by_column: Vec<Number<T>>, extent: Extent) -> [Vec<T>; 2] {
    let parts = split(extent, |row, rows, _| {
        let (matrix, row) = (row / extent.rows, row % extent.rows);
        gather_rows(&by_column, extent, matrix, row, rows);
    });
    T::give_back(by_column);
    parts
}

/// Copies a block of rows, from `row` of `matrix`, out of columns.
fn gather_rows<T: Planned>(
    by_column: &[Number<T>],
    extent: Extent,
    matrix: usize,
    row: usize,
    block: &mut [Number<T>],
) {
    let Extent { rows, cols, .. } = extent;
    let height = block.len() / cols;
    let mut square = [[Number::zero(); SIDE]; SIDE];
    for first in (0..cols).step_by(SIDE) {
        let width = SIDE.min(cols - first);
        for (col, line) in square[..width].iter_mut().enumerate() {
            let start = (matrix * cols + first + col) * rows + row;
            line[..height].copy_from_slice(&by_column[start..start + height]);
        }
        for (row, values) in block.chunks_exact_mut(cols).enumerate() {
            for (value, line) in values[first..first + width].iter_mut().zip(&square) {
                *value = line[row];
            }
        }
    }
}
