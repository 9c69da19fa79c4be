//! Modes taken out of the lines of an array with sums in f64, wherever the lines lie and wherever the result belongs, in one pass.
//!
//! A tile of lines is gathered in f64, less the offset and with its noise: `[line][channel]` where the channels of a line lie together in memory, else
//! `[channel][line]`. The coefficients are one small matrix product and their part is another. What is left is scaled and rounded, and goes from the
//! nearest cache to where the output wants it, in runs along whatever axis is the last one there.

use super::{
    cells::{Cells, filled, prefetch},
    product::Product,
};
use crate::project::{
    noise::Normals,
    transform::{Transform, arcsinh},
    walk::{Walk, strides},
};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use std::ops::Range;

/// Lines behind each other in memory that are gathered at once; their noise is whole blocks of the cipher.
const RUN: usize = 64;
/// From channel to channel of gathered lines: not a power of two, whose columns would share few places of the cache.
const PITCH: usize = RUN + Product::GRAIN;
/// Lines of a tile whose channels lie together.
const ROWS: usize = 16;
/// Lines beside each other in the output, if those are not the ones behind each other in the input: a line of the cache.
const BESIDE: usize = 16;
/// Values of a tile, about: with the gathered lines they stay in the cache of a core.
const TILE: usize = 1 << 18;
/// Columns that are written at once, each somewhere else.
const COLUMNS: usize = 16;

/// A low-rank projection of an array.
pub(crate) struct Lines<'a> {
    /// Row-major.
    pub x: &'a [f32],
    pub dims: &'a [usize],
    /// The axis that is projected.
    pub axis: usize,
    /// Whether each of its channels is a pair of values along the last axis.
    pub paired: bool,
    /// Axis of the input at each place of the output.
    pub order: &'a [usize],
    /// Orthonormal, `[mode][value]` with one or two values for each channel.
    pub basis: &'a [f64],
    /// Taken off first, `[value]`.
    pub offset: &'a [f64],
    pub scale: f64,
    pub transform: Transform,
    pub noise: Option<Normals>,
}

impl Lines<'_> {
    /// The projected array, row-major in the order of the output.
    pub(crate) fn project(self) -> Vec<f32> {
        let rank = self.dims.len();
        assert_eq!(self.x.len(), self.dims.iter().product::<usize>(), "the values fill the array");
        assert!(self.order.len() == rank && (0..rank).all(|axis| self.order.contains(&axis)), "an order of all axes");
        if self.x.is_empty() {
            return Vec::new();
        }
        let shared = Shared::new(&self);
        let tiles = shared.lines.div_ceil(shared.tile[0]) * shared.behind.div_ceil(shared.tile[1]);
        let arch = Arch::new();
        // SAFETY: the order is one of all axes, so that each pair of a line and a channel has its own place in the output; every line belongs to
        // one tile, and a tile writes all channels of its lines.
        unsafe {
            filled(self.x.len(), |cells| {
                (0..tiles).into_par_iter().for_each_init(Scratch::default, |scratch, tile| {
                    arch.dispatch(Tile { shared: &shared, cells, scratch, tile });
                });
            })
        }
    }
}

/// What all tiles share. A line is one of `lines` that begin before the projected axis, and one of `behind`, which lie behind each other.
struct Shared<'a> {
    array: &'a Lines<'a>,
    /// Values of a line.
    values: usize,
    modes: usize,
    /// Values of a channel that lie side by side.
    parts: usize,
    /// From channel to channel in the input.
    stride: usize,
    /// Of the values of a line in the output.
    places: Places,
    lines: usize,
    /// Where the lines are in input and output.
    starts: [Walk; 2],
    behind: usize,
    /// Where the ones behind are in the output.
    ends: Walk,
    /// Lines of a tile, and how many of those behind.
    tile: [usize; 2],
    /// Whether the last axis of the output is one before the projected one in the input.
    across: bool,
    /// `[mode][value]`, with zeros up to whole vectors.
    basis: Vec<f64>,
    /// `[value][mode]`, with zeros up to whole vectors.
    transposed: Vec<f64>,
}

impl<'a> Shared<'a> {
    fn new(array: &'a Lines<'a>) -> Self {
        let Lines { dims, axis, order, basis, offset, paired, .. } = *array;
        let (rank, parts) = (dims.len(), 1 + usize::from(paired));
        let last = rank - usize::from(paired);
        let inputs = strides(dims);
        let ordered: Vec<usize> = order.iter().map(|axis| dims[*axis]).collect();
        let mut outputs = vec![0; rank];
        order.iter().zip(strides(&ordered)).for_each(|(axis, stride)| outputs[*axis] = stride);
        let values = dims[axis] * parts;
        assert!(offset.len() == values && basis.len().is_multiple_of(values), "modes of the channels");
        let modes = basis.len() / values;
        // lines that are neighbours in the output come after each other
        let nearest = order.iter().rev().copied().find(|axis| dims[*axis] > 1).unwrap_or(axis);
        let across = nearest < axis;
        let mut before: Vec<usize> = (0..axis).filter(|axis| *axis != nearest).collect();
        before.extend(across.then_some(nearest));
        let walk =
            |axes: &[usize], strides: &[usize]| Walk(axes.iter().map(|axis| (dims[*axis], strides[*axis])).collect());
        let after: Vec<usize> = (axis + 1..last).collect();
        let (starts, ends) = ([walk(&before, &inputs), walk(&before, &outputs)], walk(&after, &outputs));
        let (lines, behind) = (starts[0].count(), ends.count());
        let tile = if behind == 1 {
            [ROWS, 1]
        } else {
            let run = behind.min(RUN);
            let together = RUN / run;
            let wanted = if across { (TILE / (values * run)).clamp(SMALLEST_ACROSS, BESIDE) } else { 1 };
            [wanted.next_multiple_of(together), run]
        };
        let [whole_values, whole_modes] = [values, modes].map(|count| count.next_multiple_of(Product::GRAIN));
        let mut padded = vec![0.0; modes * whole_values];
        let mut transposed = vec![0.0; values * whole_modes];
        for (m, mode) in basis.chunks_exact(values).enumerate() {
            padded[m * whole_values..][..values].copy_from_slice(mode);
            mode.iter().enumerate().for_each(|(k, value)| transposed[k * whole_modes + m] = *value);
        }
        Self {
            array,
            values,
            modes,
            parts,
            stride: inputs[axis],
            places: Places::new(
                (0..values).map(|k| k / parts * outputs[axis] + k % parts * outputs[rank - 1]).collect(),
            ),
            lines,
            starts,
            behind,
            ends,
            tile,
            across,
            basis: padded,
            transposed,
        }
    }
}

/// Fewest lines beside each other in the output, of lines that are long.
const SMALLEST_ACROSS: usize = 4;

/// Memory that a task uses for one tile after another.
#[derive(Default)]
struct Scratch {
    gathered: Vec<f64>,
    coefficients: Vec<f64>,
    left: Vec<f32>,
    numbers: Vec<f32>,
}

struct Tile<'a> {
    shared: &'a Shared<'a>,
    cells: &'a Cells<'a>,
    scratch: &'a mut Scratch,
    tile: usize,
}

impl WithSimd for Tile<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Shared { tile: [lines, run], behind, .. } = *self.shared;
        let across = behind.div_ceil(run);
        let (first_line, first_behind) = (self.tile / across * lines, self.tile % across * run);
        let lines = first_line..self.shared.lines.min(first_line + lines);
        if behind == 1 {
            self.along_rows(simd, lines);
        } else {
            self.along_columns(simd, lines, first_behind..behind.min(first_behind + run));
        }
    }
}

impl Tile<'_> {
    /// Lines whose values lie together.
    #[inline(always)]
    fn along_rows<S: Simd>(self, simd: S, lines: Range<usize>) {
        let Shared { array, values, modes, ref places, ref starts, ref basis, ref transposed, .. } = *self.shared;
        let Scratch { gathered, coefficients, left, numbers } = self.scratch;
        let [width, modes_width] = [values, modes].map(|count| count.next_multiple_of(Product::GRAIN));
        let [sources, targets] = [&starts[0], &starts[1]].map(|walk| walk.offsets(lines.start, lines.len()));
        let rows = lines.len();
        gathered.resize(ROWS * width, 0.0);
        coefficients.resize(ROWS * modes_width, 0.0);
        numbers.resize(values, 0.0);
        let together = places.runs.len() == 1;
        for ((source, target), row) in sources.iter().zip(&targets).zip(gathered.chunks_exact_mut(width)) {
            let row = &mut row[..values];
            // the line at the same place of the next tile, as long as lines follow each other
            prefetch(array.x, source + ROWS * values, values);
            if together {
                self.cells.prefetch(target + places.offsets[0], values);
            }
            for ((cell, x), offset) in row.iter_mut().zip(&array.x[*source..][..values]).zip(array.offset) {
                *cell = f64::from(*x) - offset;
            }
            if let Some(noise) = &array.noise {
                noise.fill(*source, numbers);
                row.iter_mut().zip(&*numbers).for_each(|(cell, number)| *cell += f64::from(*number));
            }
        }
        if modes > 0 {
            Product {
                left: gathered,
                left_strides: [width, 1],
                right: transposed,
                right_stride: modes_width,
                depth: values,
                rows,
                columns: modes_width,
                target: coefficients,
                target_stride: modes_width,
                subtract: false,
            }
            .run(simd);
            Product {
                left: coefficients,
                left_strides: [modes_width, 1],
                right: basis,
                right_stride: width,
                depth: modes,
                rows,
                columns: width,
                target: gathered,
                target_stride: width,
                subtract: true,
            }
            .run(simd);
        }
        if together {
            for (target, row) in targets.iter().zip(gathered.chunks_exact(width)) {
                self.cells.finish(array, target + places.offsets[0], &row[..values]);
            }
            return;
        }
        left.resize(rows * values, 0.0);
        for (left, row) in left.chunks_exact_mut(values).zip(gathered.chunks_exact(width)) {
            array.finish(&row[..values], left);
        }
        self.cells.put(0, left, values, &Places::new(targets), places);
    }

    /// Lines of which some lie behind each other.
    #[inline(always)]
    fn along_columns<S: Simd>(self, simd: S, lines: Range<usize>, behind: Range<usize>) {
        let Shared { array, values, modes, parts, stride, across, ref places, ref starts, ref basis, .. } =
            *self.shared;
        let Scratch { gathered, coefficients, left, numbers } = self.scratch;
        let width = values.next_multiple_of(Product::GRAIN);
        let [sources, targets] = [&starts[0], &starts[1]].map(|walk| walk.offsets(lines.start, lines.len()));
        let ends = self.shared.ends.offsets(behind.start, behind.len());
        let run = behind.len();
        let pitch = lines.len() * run;
        gathered.resize(values * PITCH, 0.0);
        coefficients.resize(modes * PITCH, 0.0);
        left.resize(values * pitch, 0.0);
        numbers.resize(RUN * parts, 0.0);
        let together = RUN / run;
        // the next line's, then those further behind of the first one
        let next_of = |index: usize| match sources.get(index + 1) {
            Some(next) => next + behind.start * parts,
            None => sources[0] + behind.end * parts,
        };
        for (group, sources) in sources.chunks(together).enumerate() {
            for (slot, source) in sources.iter().enumerate() {
                let start = source + behind.start * parts;
                let at = slot * run;
                let next = next_of(group * together + slot);
                for (k, rows) in gathered.chunks_exact_mut(parts * PITCH).enumerate() {
                    prefetch(array.x, next + k * stride, run * parts);
                    let x = &array.x[start + k * stride..][..run * parts];
                    let offset = &array.offset[k * parts..][..parts];
                    deal(x, rows, at, parts, |cell, x, part| *cell = f64::from(x) - offset[part]);
                }
                let Some(noise) = &array.noise else { continue };
                let numbers = &mut numbers[..run * parts];
                for (k, rows) in gathered.chunks_exact_mut(parts * PITCH).enumerate() {
                    noise.fill(start + k * stride, numbers);
                    deal(numbers, rows, at, parts, |cell, number, _| *cell += f64::from(number));
                }
            }
            let used = sources.len() * run;
            let columns = used.next_multiple_of(Product::GRAIN);
            if modes > 0 {
                Product {
                    left: basis,
                    left_strides: [width, 1],
                    right: gathered,
                    right_stride: PITCH,
                    depth: values,
                    rows: modes,
                    columns,
                    target: coefficients,
                    target_stride: PITCH,
                    subtract: false,
                }
                .run(simd);
                Product {
                    left: basis,
                    left_strides: [1, width],
                    right: coefficients,
                    right_stride: PITCH,
                    depth: modes,
                    rows: values,
                    columns,
                    target: gathered,
                    target_stride: PITCH,
                    subtract: true,
                }
                .run(simd);
            }
            let first = group * together * run;
            for (left, row) in left.chunks_exact_mut(pitch).zip(gathered.chunks_exact(PITCH)) {
                array.finish(&row[..used], &mut left[first..][..used]);
            }
        }
        let targets = Places::new(targets);
        for (first, ends) in (0..run).step_by(COLUMNS).zip(ends.chunks(COLUMNS)) {
            let ends = Places::new(ends.to_vec());
            if across {
                for (left, place) in left.chunks_exact(pitch).zip(&places.offsets) {
                    self.cells.put(*place, &left[first..], run, &targets, &ends);
                }
            } else {
                for (line, target) in targets.offsets.iter().enumerate() {
                    self.cells.put(*target, &left[line * run + first..], pitch, places, &ends);
                }
            }
        }
    }
}

/// Gives numbers to the cells of their part, from `at` on in each row of a pitch; `parts` are one or two.
#[inline(always)]
fn deal(numbers: &[f32], rows: &mut [f64], at: usize, parts: usize, give: impl Fn(&mut f64, f32, usize)) {
    let (first, second) = rows.split_at_mut(PITCH);
    if parts == 1 {
        first[at..].iter_mut().zip(numbers).for_each(|(cell, number)| give(cell, *number, 0));
    } else {
        let cells = first[at..].iter_mut().zip(&mut second[at..]);
        for ((first, second), [re, im]) in cells.zip(numbers.as_chunks().0) {
            give(first, *re, 0);
            give(second, *im, 1);
        }
    }
}

impl Lines<'_> {
    /// Scaled, rounded and transformed.
    #[inline(always)]
    fn finish(&self, values: &[f64], left: &mut [f32]) {
        left.iter_mut().zip(values).for_each(|(left, value)| *left = (self.scale * value) as f32);
        if self.transform == Transform::Arcsinh {
            left.iter_mut().for_each(|value| *value = arcsinh(*value));
        }
    }
}

/// Offsets in the output and the runs of neighbours among them.
struct Places {
    offsets: Vec<usize>,
    runs: Vec<Range<usize>>,
}

impl Places {
    fn new(offsets: Vec<usize>) -> Self {
        let mut first = 0;
        let run = |run: &[usize]| {
            first += run.len();
            first - run.len()..first
        };
        let runs = offsets.chunk_by(|a, b| *b == a + 1).map(run).collect();
        Self { offsets, runs }
    }
}

impl Cells<'_> {
    /// Writes what becomes of `values` from `place` on.
    #[inline(always)]
    fn finish(&self, lines: &Lines, place: usize, values: &[f64]) {
        match lines.transform {
            Transform::Linear => self.write_each(place, values, |value| (lines.scale * value) as f32),
            Transform::Arcsinh => self.write_each(place, values, |value| arcsinh((lines.scale * value) as f32)),
        }
    }

    /// Writes `values`, `[row][stride]`, each to `place + rows[row] + columns[column]`, in the longest runs that there are.
    #[inline(always)]
    fn put(&self, place: usize, values: &[f32], stride: usize, rows: &Places, columns: &Places) {
        if rows.runs.len() * columns.offsets.len() < columns.runs.len() * rows.offsets.len() {
            for run in &rows.runs {
                let place = place + rows.offsets[run.start];
                self.write_columns(place, values, stride, run.clone(), &columns.offsets);
            }
            return;
        }
        for (row, offset) in rows.offsets.iter().enumerate() {
            for run in &columns.runs {
                let place = place + offset + columns.offsets[run.start];
                self.write(place, &values[row * stride..][run.clone()]);
            }
        }
    }
}
