//! Micro-kernels with vectors along the last axis of channel-first values, for Winograd's tiles of 4 x 4 across the two axes before it.
//!
//! Rows of the last axis, with what is read beyond their ends, lie behind each other, so that a vector may hold the end of one row and the start of
//! the next: what it computes beyond an end is never used. Nothing is transposed on the way.

use super::transform::{enter, leave, leave_adjoint};
use pulp::{Simd, WithSimd};

/// Values behind each other that are computed at once, at least: lengths are multiples of it, on any instruction set.
pub(crate) const GRAIN: usize = 16;

/// Filters whose weights lie together.
pub(crate) const BLOCK: usize = 4;

/// Points of a tile that are worked on together: those in one row along the first axis.
pub(crate) const SIDE: usize = 4;

/// One row of the points of `B' d B` of one channel.
pub(crate) struct SpreadRows<'a> {
    /// Which row: its values are the first slice less the second in the rows 0, 2 and 3, and their sum in row 1; see [`sources`].
    pub point: usize,
    /// Each even rows and, from `odd` on, odd ones, `line` from row to row.
    pub slices: [&'a [f32]; 2],
    pub odd: usize,
    pub line: usize,
    /// Values of each point, a multiple of [`GRAIN`].
    pub length: usize,
    /// Point by point, `stride` apart.
    pub points: &'a mut [f32],
    pub stride: usize,
}

/// The two of four slices that a row of points is made of.
pub(crate) const fn sources(point: usize) -> [usize; 2] {
    match point {
        0 => [0, 2],
        1 => [1, 2],
        2 => [2, 1],
        _ => [1, 3],
    }
}

impl WithSimd for SpreadRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.point {
            1 => self.rows(simd, |a, b| simd.add_f32s(a, b)),
            _ => self.rows(simd, |a, b| simd.sub_f32s(a, b)),
        }
    }
}

impl SpreadRows<'_> {
    #[inline(always)]
    fn rows<S: Simd>(self, simd: S, join: impl Fn(S::f32s, S::f32s) -> S::f32s) {
        let Self { slices, odd, line, length, points, stride, .. } = self;
        assert!(slices.iter().all(|slice| odd + line + length <= slice.len()), "rows are missing");
        assert!((SIDE - 1) * stride + length <= points.len() && length.is_multiple_of(GRAIN), "room for the points");
        let [first, second] = slices.map(<[f32]>::as_ptr);
        for at in (0..length).step_by(S::F32_LANES) {
            // SAFETY: the asserts leave room for `length` values of each row and of each point.
            unsafe {
                let value = |row: usize| {
                    let load = |slice: *const f32| slice.add(row + at).cast::<S::f32s>().read_unaligned();
                    join(load(first), load(second))
                };
                let values = enter(simd, [value(0), value(odd), value(line), value(odd + line)]);
                for (h, value) in values.into_iter().enumerate() {
                    points.as_mut_ptr().add(h * stride + at).cast::<S::f32s>().write_unaligned(value);
                }
            }
        }
    }
}

/// What one row of points adds to `A' m A` of one filter: two slices of even and odd rows, each `length`.
pub(crate) struct CollectRows<'a> {
    /// Which row of points; the first one to come sets the sums.
    pub point: usize,
    /// Point by point, `stride` apart.
    pub products: &'a [f32],
    pub stride: usize,
    pub length: usize,
    pub sums: &'a mut [f32],
}

impl WithSimd for CollectRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { point, products, stride, length, sums } = self;
        assert!((SIDE - 1) * stride + length <= products.len() && length.is_multiple_of(GRAIN), "all products");
        assert!(4 * length <= sums.len(), "room for the sums");
        for at in (0..length).step_by(S::F32_LANES) {
            // SAFETY: the asserts leave room for `length` values of each point and of each of four sums.
            unsafe {
                let value = |h: usize| products.as_ptr().add(h * stride + at).cast::<S::f32s>().read_unaligned();
                let outputs: [S::f32s; 2] = leave(simd, [value(0), value(1), value(2), value(3)]);
                for (h, value) in outputs.into_iter().enumerate() {
                    let first = sums.as_mut_ptr().add(h * length + at).cast::<S::f32s>();
                    let second = sums.as_mut_ptr().add((2 + h) * length + at).cast::<S::f32s>();
                    match point {
                        0 => first.write_unaligned(value),
                        1 => {
                            first.write_unaligned(simd.add_f32s(first.read_unaligned(), value));
                            second.write_unaligned(value);
                        }
                        2 => {
                            first.write_unaligned(simd.add_f32s(first.read_unaligned(), value));
                            second.write_unaligned(simd.sub_f32s(second.read_unaligned(), value));
                        }
                        _ => second.write_unaligned(simd.sub_f32s(second.read_unaligned(), value)),
                    }
                }
            }
        }
    }
}

/// One row of the points of `A y A'` of one filter, the adjoint of [`CollectRows`].
pub(crate) struct DisperseRows<'a> {
    /// Which row of points.
    pub point: usize,
    /// Two slices of even and odd rows, each `length`.
    pub rows: &'a [f32],
    pub length: usize,
    /// Point by point, `stride` apart.
    pub points: &'a mut [f32],
    pub stride: usize,
}

impl WithSimd for DisperseRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // The choice stands outside of the loop: inside, the closures are calls.
        match self.point {
            0 => self.rows(simd, |first, _| first),
            1 => self.rows(simd, |first, second| simd.add_f32s(first, second)),
            2 => self.rows(simd, |first, second| simd.sub_f32s(first, second)),
            _ => self.rows(simd, |_, second| simd.neg_f32s(second)),
        }
    }
}

impl DisperseRows<'_> {
    #[inline(always)]
    fn rows<S: Simd>(self, simd: S, join: impl Fn(S::f32s, S::f32s) -> S::f32s) {
        let Self { rows, length, points, stride, .. } = self;
        assert!(4 * length <= rows.len() && length.is_multiple_of(GRAIN), "all rows");
        assert!((SIDE - 1) * stride + length <= points.len(), "room for the points");
        let row = |slice: usize, h: usize| rows[(2 * slice + h) * length..][..length].as_ptr();
        let [[even, odd], [even_behind, odd_behind]] = [[row(0, 0), row(0, 1)], [row(1, 0), row(1, 1)]];
        let points = points.as_mut_ptr();
        for at in (0..length).step_by(S::F32_LANES) {
            // SAFETY: the asserts leave room for `length` values of each row and of each point.
            unsafe {
                let even = join(
                    even.add(at).cast::<S::f32s>().read_unaligned(),
                    even_behind.add(at).cast::<S::f32s>().read_unaligned(),
                );
                let odd = join(
                    odd.add(at).cast::<S::f32s>().read_unaligned(),
                    odd_behind.add(at).cast::<S::f32s>().read_unaligned(),
                );
                let values = leave_adjoint(simd, [even, odd]);
                points.add(at).cast::<S::f32s>().write_unaligned(values[0]);
                points.add(stride + at).cast::<S::f32s>().write_unaligned(values[1]);
                points.add(2 * stride + at).cast::<S::f32s>().write_unaligned(values[2]);
                points.add(3 * stride + at).cast::<S::f32s>().write_unaligned(values[3]);
            }
        }
    }
}

/// Copies rows out of sums, `bias` added.
pub(crate) struct Finish<'a> {
    /// Even rows and, from `odd` on, odd ones, `line` from row to row.
    pub sums: &'a [f32],
    pub odd: usize,
    pub line: usize,
    pub bias: f32,
    /// Rows behind each other, each `width` long.
    pub target: &'a mut [f32],
    pub width: usize,
}

impl WithSimd for Finish<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (row, target) in self.target.chunks_exact_mut(self.width).enumerate() {
            let sums = &self.sums[row % 2 * self.odd + row / 2 * self.line..][..self.width];
            for (value, sum) in target.iter_mut().zip(sums) {
                *value = sum + self.bias;
            }
        }
    }
}

/// `target[filter][at] = sum over taps and channels of weights[..] source[channel][at + tap]`; there is a tap.
pub(crate) struct Mix<'a> {
    /// `[channel]`, `pitch` apart.
    pub source: &'a [f32],
    pub pitch: usize,
    pub channels: usize,
    /// How far each shifts the source.
    pub taps: &'a [usize],
    /// `[block][tap][channel][BLOCK]`, blocks `block_stride` apart.
    pub weights: &'a [f32],
    pub block_stride: usize,
    /// Blocks of filters.
    pub blocks: usize,
    /// Values of each filter, a multiple of [`GRAIN`].
    pub length: usize,
    /// `[filter]`, `target_pitch` apart.
    pub target: &'a mut [f32],
    pub target_pitch: usize,
}

impl WithSimd for Mix<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let Some(&last) = self.taps.iter().max() else { return };
        assert!(self.channels > 0 && self.blocks > 0 && self.length.is_multiple_of(GRAIN));
        assert!((self.channels - 1) * self.pitch + last + self.length <= self.source.len(), "a row is missing");
        let weights = (self.blocks - 1) * self.block_stride + self.taps.len() * self.channels * BLOCK;
        assert!(weights <= self.weights.len(), "weights are missing");
        assert!((self.blocks * BLOCK - 1) * self.target_pitch + self.length <= self.target.len(), "room for the sums");
        // Sums and the values that they share fit the registers: 32 of 16 lanes, 16 else.
        let mut block = 0;
        if S::F32_LANES == 16 {
            while block + 2 <= self.blocks {
                self.rows::<S, 2>(simd, block);
                block += 2;
            }
        }
        while block < self.blocks {
            self.rows::<S, 1>(simd, block);
            block += 1;
        }
    }
}

impl Mix<'_> {
    #[inline(always)]
    fn rows<S: Simd, const BLOCKS: usize>(&mut self, simd: S, block: usize) {
        let mut at = 0;
        while at + 3 * S::F32_LANES <= self.length {
            self.sums::<S, BLOCKS, 3>(simd, block, at);
            at += 3 * S::F32_LANES;
        }
        while at + 2 * S::F32_LANES <= self.length {
            self.sums::<S, BLOCKS, 2>(simd, block, at);
            at += 2 * S::F32_LANES;
        }
        while at < self.length {
            self.sums::<S, BLOCKS, 1>(simd, block, at);
            at += S::F32_LANES;
        }
    }

    #[inline(always)]
    fn sums<S: Simd, const BLOCKS: usize, const VECTORS: usize>(&mut self, simd: S, block: usize, at: usize) {
        let mut sums = [[[simd.splat_f32s(0.0); VECTORS]; BLOCK]; BLOCKS];
        // SAFETY: the asserts on entry leave room for every row of the source from any tap on, for the weights of all blocks, and for `length`
        // values of each filter.
        unsafe {
            let mut weights = self.weights.as_ptr().add(block * self.block_stride);
            for tap in self.taps {
                let mut source = self.source.as_ptr().wrapping_add(at + tap);
                for _ in 0..self.channels {
                    let mut values = [simd.splat_f32s(0.0); VECTORS];
                    for (vector, value) in values.iter_mut().enumerate() {
                        *value = source.add(vector * S::F32_LANES).cast::<S::f32s>().read_unaligned();
                    }
                    for (b, sums) in sums.iter_mut().enumerate() {
                        for (filter, sums) in sums.iter_mut().enumerate() {
                            let weight = simd.splat_f32s(*weights.add(b * self.block_stride + filter));
                            for (sum, value) in sums.iter_mut().zip(values) {
                                *sum = simd.mul_add_e_f32s(weight, value, *sum);
                            }
                        }
                    }
                    weights = weights.add(BLOCK);
                    source = source.wrapping_add(self.pitch);
                }
            }
            for (b, sums) in sums.iter().enumerate() {
                for (filter, sums) in sums.iter().enumerate() {
                    let row = (block + b) * BLOCK + filter;
                    let target = self.target.as_mut_ptr().add(row * self.target_pitch + at);
                    for (vector, sum) in sums.iter().enumerate() {
                        target.add(vector * S::F32_LANES).cast::<S::f32s>().write_unaligned(*sum);
                    }
                }
            }
        }
    }
}

/// `add(row, filter, sum over at of left[rows[row] + at] right[filter][at])` for all rows and filters.
pub(crate) struct Dots<'a, F> {
    pub left: &'a [f32],
    /// Where each row begins.
    pub rows: &'a [usize],
    /// `[filter]`, `pitch` apart.
    pub right: &'a [f32],
    pub pitch: usize,
    pub filters: usize,
    /// Values of a sum, a multiple of [`GRAIN`].
    pub length: usize,
    pub add: F,
}

impl<F: FnMut(usize, usize, f32)> WithSimd for Dots<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let Some(&last) = self.rows.iter().max() else { return };
        assert!(self.filters > 0 && self.length.is_multiple_of(GRAIN));
        assert!(last + self.length <= self.left.len(), "a row is missing");
        assert!((self.filters - 1) * self.pitch + self.length <= self.right.len(), "a filter is missing");
        match S::F32_LANES {
            16 => self.blocks::<S, 6, 4>(simd),
            _ => self.blocks::<S, 3, 3>(simd),
        }
    }
}

impl<F: FnMut(usize, usize, f32)> Dots<'_, F> {
    #[inline(always)]
    fn blocks<S: Simd, const ROWS: usize, const FILTERS: usize>(&mut self, simd: S) {
        for (row_block, rows) in self.rows.chunks(ROWS).enumerate() {
            for filter_block in 0..self.filters.div_ceil(FILTERS) {
                let first = filter_block * FILTERS;
                // What a short block lacks is its last row or filter again, and is not used.
                let left: [usize; ROWS] = std::array::from_fn(|row| rows[row.min(rows.len() - 1)]);
                let right: [usize; FILTERS] =
                    std::array::from_fn(|filter| (first + filter).min(self.filters - 1) * self.pitch);
                let mut sums = [[simd.splat_f32s(0.0); FILTERS]; ROWS];
                for at in (0..self.length).step_by(S::F32_LANES) {
                    // SAFETY: the asserts on entry leave room for `length` values from every row and of every filter on.
                    unsafe {
                        let load = |values: &[f32], from: usize| {
                            values.as_ptr().add(from + at).cast::<S::f32s>().read_unaligned()
                        };
                        let right = right.map(|from| load(self.right, from));
                        for (sums, from) in sums.iter_mut().zip(left) {
                            let left = load(self.left, from);
                            for (sum, right) in sums.iter_mut().zip(right) {
                                *sum = simd.mul_add_e_f32s(left, right, *sum);
                            }
                        }
                    }
                }
                for (row, sums) in sums.iter().enumerate().take(rows.len()) {
                    for (filter, &sum) in sums.iter().enumerate().take(self.filters - first) {
                        (self.add)(row_block * ROWS + row, first + filter, simd.reduce_sum_f32s(sum));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pulp::{Arch, Scalar};

    /// Small whole numbers, which f32 adds without rounding.
    fn values(len: usize, seed: usize) -> Vec<f32> {
        (0..len).map(|i| ((i * 7 + seed * 13) % 11) as f32 - 5.0).collect()
    }

    fn dot(a: &[f32], b: &[f32]) -> f32 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    /// On the processor's instructions and on none: one and several blocks, every number of vectors that is left over.
    #[test]
    fn channels_are_mixed_as_they_are_defined() {
        for (channels, taps, blocks, grains) in [(1, 1, 1, 1), (2, 3, 2, 2), (3, 2, 3, 3), (5, 3, 4, 7)] {
            let length = grains * GRAIN;
            let pitch = length + GRAIN;
            let (source, block_stride) = (values(channels * pitch, 1), taps * channels * BLOCK + 3);
            let weights = values(blocks * block_stride, 2);
            let mut native = vec![0.0; blocks * BLOCK * pitch];
            let mut plain = native.clone();
            let shifts: Vec<usize> = (0..taps).rev().collect();
            let mix = |target| Mix {
                source: &source,
                pitch,
                channels,
                taps: &shifts,
                weights: &weights,
                block_stride,
                blocks,
                length,
                target,
                target_pitch: pitch,
            };
            Arch::new().dispatch(mix(&mut native));
            mix(&mut plain).with_simd(Scalar);
            assert_eq!(native, plain);
            for filter in 0..blocks * BLOCK {
                for at in 0..length {
                    let mut sum = 0.0;
                    for tap in 0..taps {
                        for channel in 0..channels {
                            let weight = filter / BLOCK * block_stride + (tap * channels + channel) * BLOCK;
                            sum += weights[weight + filter % BLOCK] * source[channel * pitch + at + shifts[tap]];
                        }
                    }
                    assert_eq!(native[filter * pitch + at], sum, "filter {filter} at {at}");
                }
            }
        }
    }

    #[test]
    fn products_of_rows_are_summed_as_they_are_defined() {
        for (rows, filters, grains) in [(1, 1, 1), (6, 4, 2), (7, 5, 3), (13, 9, 1)] {
            let length = grains * GRAIN;
            let bases: Vec<usize> = (0..rows).map(|row| row / 3 * length + row % 3).collect();
            let left = values(rows * length + GRAIN, 1);
            let right = values(filters * length, 2);
            let mut sums = [vec![f32::NAN; rows * filters], vec![f32::NAN; rows * filters]];
            let [native, plain] = &mut sums;
            fn dots<'a, F>(left: &'a [f32], rows: &'a [usize], right: &'a [f32], length: usize, add: F) -> Dots<'a, F> {
                Dots { left, rows, right, pitch: length, filters: right.len() / length, length, add }
            }
            Arch::new().dispatch(dots(&left, &bases, &right, length, |row: usize, filter: usize, sum| {
                native[row * filters + filter] = sum;
            }));
            dots(&left, &bases, &right, length, |row: usize, filter: usize, sum| plain[row * filters + filter] = sum)
                .with_simd(Scalar);
            for (row, base) in bases.iter().enumerate() {
                for filter in 0..filters {
                    let sum = dot(&left[*base..][..length], &right[filter * length..][..length]);
                    assert_eq!([native[row * filters + filter], plain[row * filters + filter]], [sum; 2]);
                }
            }
        }
    }

    /// Four rows of points, one after the other, are what the transforms of whole tiles make.
    #[test]
    fn rows_of_points_are_those_of_tiles() {
        use crate::micro::{Collect, POINTS, Spread};
        let (tiles, line, length) = (3, 5, GRAIN);
        let half = line + length;
        // [slice][row][column]
        let source = values(4 * 2 * (tiles + 1) * line, 1);
        let mut slices = vec![0.0; 4 * 2 * half];
        for (at, value) in source.iter().enumerate() {
            let [slice, row, column] = [at / (2 * (tiles + 1) * line), at / line % (2 * (tiles + 1)), at % line];
            slices[slice * 2 * half + row % 2 * half + row / 2 * line + column] = *value;
        }
        let mut sums = vec![f32::NAN; 4 * length];
        let mut all = Vec::new();
        for point in 0..SIDE {
            let mut points = vec![0.0; SIDE * length];
            Arch::new().dispatch(SpreadRows {
                point,
                slices: sources(point).map(|slice| &slices[slice * 2 * half..][..2 * half]),
                odd: half,
                line,
                length,
                points: &mut points,
                stride: length,
            });
            Arch::new().dispatch(CollectRows { point, products: &points, stride: length, length, sums: &mut sums });
            all.extend(points);
        }
        for tile in 0..tiles {
            for column in 0..line {
                // the same tile by the transforms of one channel, where slices are rows and rows are columns
                let square: Vec<f32> = (0..16)
                    .map(|at| source[((at / 4) * 2 * (tiles + 1) + 2 * tile + at % 4) * line + column])
                    .collect();
                let mut transformed = vec![0.0; POINTS];
                let spread = Spread {
                    values: &square,
                    line: 4,
                    channels: 1,
                    tiles: [1; 2],
                    outputs: 2,
                    transformed: &mut transformed,
                };
                Arch::new().dispatch(spread);
                let at = tile * line + column;
                let own: Vec<f32> = (0..POINTS).map(|point| all[point * length + at]).collect();
                assert_eq!(own, transformed, "tile {tile}, column {column}");
                let stride = GRAIN;
                let mut wide = vec![0.0; POINTS * stride];
                wide.iter_mut().step_by(stride).zip(&transformed).for_each(|(wide, value)| *wide = *value);
                let mut block = vec![0.0; 4 * stride];
                Arch::new().dispatch(Collect {
                    products: &wide,
                    tiles: [1; 2],
                    outputs: 2,
                    stride,
                    cell: stride,
                    block: &mut block,
                });
                let outputs: Vec<f32> = (0..4).map(|output| sums[output * length + at]).collect();
                assert_eq!(outputs, block.iter().step_by(stride).copied().collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn dispersing_rows_is_the_adjoint_of_collecting_them() {
        let length = 2 * GRAIN;
        let (products, gradient) = (values(16 * length, 1), values(4 * length, 2));
        let (mut sums, mut points) = (vec![f32::NAN; 4 * length], vec![0.0; 16 * length]);
        for point in 0..SIDE {
            let own = point * SIDE * length..(point + 1) * SIDE * length;
            let products = &products[own.clone()];
            Arch::new().dispatch(CollectRows { point, products, stride: length, length, sums: &mut sums });
            Arch::new().dispatch(DisperseRows {
                point,
                rows: &gradient,
                length,
                points: &mut points[own],
                stride: length,
            });
        }
        assert_eq!(dot(&sums, &gradient), dot(&products, &points));
    }
}
