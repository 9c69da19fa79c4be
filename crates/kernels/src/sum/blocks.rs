//! Sums of slices in blocks of a fixed size; see the [module above](super).

use crate::vectorized::vectorized;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Values that one task adds: a quarter of a megabyte of f32, well above the cost of starting it.
const BLOCK: usize = 1 << 16;
/// Sums that are kept side by side within a block, a few registers of any processor.
const LANES: usize = 64;
/// Additions in the dtype of the values before a lane goes on in f64.
const STEPS: usize = 16;
/// Values along the summed dimension that one task adds.
const RUN: usize = 256;
/// Columns whose f64 sums stay in the first level cache.
const TILE: usize = 1024;

/// A number that is added here.
pub(crate) trait Summand: Copy + Send + Sync + Default + std::ops::AddAssign + Into<f64> {
    /// Rounds.
    fn narrow(sum: f64) -> Self;

    /// The sums of the lanes of whole rows of [`LANES`] values.
    fn add_rows<S: Simd>(simd: S, rows: &[Self]) -> [Self; LANES];
}

impl Summand for f32 {
    fn narrow(sum: f64) -> Self {
        sum as f32
    }

    #[inline(always)]
    fn add_rows<S: Simd>(simd: S, rows: &[f32]) -> [f32; LANES] {
        let mut lanes = [0.0; LANES];
        let zero = simd.splat_f32s(0.0);
        add_rows(
            #[inline(always)]
            |x, y| simd.add_f32s(x, y),
            zero,
            S::as_simd_f32s(rows).0,
            S::as_mut_simd_f32s(&mut lanes).0,
        );
        lanes
    }
}

impl Summand for f64 {
    fn narrow(sum: f64) -> Self {
        sum
    }

    #[inline(always)]
    fn add_rows<S: Simd>(simd: S, rows: &[f64]) -> [f64; LANES] {
        let mut lanes = [0.0; LANES];
        let zero = simd.splat_f64s(0.0);
        add_rows(
            #[inline(always)]
            |x, y| simd.add_f64s(x, y),
            zero,
            S::as_simd_f64s(rows).0,
            S::as_mut_simd_f64s(&mut lanes).0,
        );
        lanes
    }
}

/// Adds rows of as many vectors as `lanes` has, eight columns of vectors at a time where there are so many: those stay in registers, and
/// eight additions in flight hide how long one takes.
#[inline(always)]
fn add_rows<V: Copy>(add: impl Fn(V, V) -> V, zero: V, rows: &[V], lanes: &mut [V]) {
    if lanes.len().is_multiple_of(8) {
        add_columns::<V, 8>(add, zero, rows, lanes);
    } else {
        add_columns::<V, 4>(add, zero, rows, lanes);
    }
}

#[inline(always)]
fn add_columns<V: Copy, const N: usize>(add: impl Fn(V, V) -> V, zero: V, rows: &[V], lanes: &mut [V]) {
    let width = lanes.len();
    let (lanes, _) = lanes.as_chunks_mut::<N>();
    for (column, lanes) in lanes.iter_mut().enumerate() {
        let mut sums = [zero; N];
        for row in rows.chunks_exact(width) {
            let (row, _) = row.as_chunks::<N>();
            for (sum, &value) in sums.iter_mut().zip(&row[column]) {
                *sum = add(*sum, value);
            }
        }
        *lanes = sums;
    }
}

/// The sum of the squares of `values`.
pub(crate) fn squares(values: &[f32]) -> f64 {
    let of_block = |block: &[f32]| {
        vectorized(
            #[inline(always)]
            || block.chunks(LANES * STEPS).map(squares_of_lanes).sum::<f64>(),
        )
    };
    let sums: Vec<f64> = values.par_chunks(BLOCK).map(of_block).collect();
    sums.into_iter().sum()
}

/// The sum of the squares of at most [`STEPS`] rows of lanes.
#[inline(always)]
fn squares_of_lanes(values: &[f32]) -> f64 {
    let mut lanes = [0.0_f32; LANES];
    for row in values.chunks(LANES) {
        lanes.iter_mut().zip(row).for_each(|(lane, value)| *lane += value * value);
    }
    lanes.into_iter().map(f64::from).sum()
}

/// The sum of `values`.
pub(crate) fn sum<T: Summand>(values: &[T]) -> f64 {
    if values.len() <= BLOCK {
        return block(values);
    }
    let blocks: Vec<f64> = values.par_chunks(BLOCK).map(block).collect();
    blocks.iter().sum()
}

/// The sums along the middle dimension of `values`, row-major in `[outer, n, inner]`.
pub(crate) fn sums<T: Summand>(values: &[T], [outer, n, inner]: [usize; 3]) -> Vec<f64> {
    if values.is_empty() {
        return vec![0.0; outer * inner];
    }
    if inner == 1 {
        let rows = (BLOCK / n).max(1);
        return values.par_chunks(rows * n).flat_map_iter(|rows| rows.chunks(n).map(sum)).collect();
    }
    // A task sums a run of rows in a tile of columns: [outer, run, inner] sums, of which the runs are then added in order.
    let runs = n.div_ceil(RUN);
    let mut partial = vec![0.0; outer * runs * inner];
    partial.par_chunks_mut(inner).enumerate().for_each(|(task, sums)| {
        let (outer, run) = (task / runs, task % runs);
        let rows = &values[(outer * n + run * RUN) * inner..(outer * n + (run * RUN + RUN).min(n)) * inner];
        sums.par_chunks_mut(TILE).enumerate().for_each(|(tile, sums)| columns(rows, inner, tile * TILE, sums));
    });
    if runs == 1 {
        return partial;
    }
    let mut sums = vec![0.0; outer * inner];
    sums.par_chunks_mut(inner).zip(partial.par_chunks(runs * inner)).for_each(|(sums, runs)| {
        for run in runs.chunks(inner) {
            sums.iter_mut().zip(run).for_each(|(sum, part)| *sum += part);
        }
    });
    sums
}

/// The sum of a block, by one thread.
fn block<T: Summand>(values: &[T]) -> f64 {
    Arch::new().dispatch(Block(values))
}

/// The sum of a block as an operation that runs compiled for the best instruction set of the machine.
struct Block<'a, T>(&'a [T]);

impl<T: Summand> WithSimd for Block<'_, T> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let mut total = [0.0f64; LANES];
        let (rows, rest) = self.0.split_at(self.0.len() / LANES * LANES);
        for rows in rows.chunks(LANES * STEPS) {
            for (total, lane) in total.iter_mut().zip(T::add_rows(simd, rows)) {
                *total += lane.into();
            }
        }
        for (total, &value) in total.iter_mut().zip(rest) {
            *total += value.into();
        }
        let mut width = LANES;
        while width > 1 {
            width /= 2;
            let (left, right) = total.split_at_mut(width);
            left.iter_mut().zip(right).for_each(|(left, right)| *left += *right);
        }
        total[0]
    }
}

/// Adds to `sums` the columns from `first` of `rows`, which are `width` long.
fn columns<T: Summand>(rows: &[T], width: usize, first: usize, sums: &mut [f64]) {
    vectorized(
        #[inline(always)]
        || {
            let mut lanes = [T::default(); TILE];
            let lanes = &mut lanes[..sums.len()];
            for steps in rows.chunks(STEPS * width) {
                lanes.fill(T::default());
                for row in steps.chunks_exact(width) {
                    let row = &row[first..first + lanes.len()];
                    lanes.iter_mut().zip(row).for_each(|(lane, &value)| *lane += value);
                }
                sums.iter_mut().zip(&*lanes).for_each(|(sum, &lane)| *sum += lane.into());
            }
        },
    );
}
