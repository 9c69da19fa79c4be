//! Noise, projection, scale and layout in one pass over slices of f32; see the [module above](super).
//!
//! A tile of positions is gathered once, with its noise, less the offset, into the panels of a small matrix product; the
//! product is written where the output wants it. Tiles are parts of the output, so that each belongs to one task.

use super::{
    Transform,
    transform::arcsinh,
    walk::{Walk, strides},
};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Positions of a tile, a multiple of all panel widths.
const TILE: usize = 96;
/// Rows of the left factor in registers.
const ROWS: usize = 6;
/// Vectors of the right factor in registers.
const VECTORS: usize = 2;

/// Positions together in the input below which they are gathered one by one.
const SHORTEST_RUN: usize = 4;

/// Writes the noise of the values from `first` on, by their place in the input.
pub(crate) type Noise<'a> = &'a (dyn Fn(usize, &mut [f32]) + Sync);

/// A projection along one axis of an array.
#[derive(Clone, Copy)]
pub(crate) struct Projection<'a> {
    /// Row-major.
    pub(crate) x: &'a [f32],
    pub(crate) dims: &'a [usize],
    /// The axis that is projected.
    pub(crate) axis: usize,
    /// Axis of the input at each place of the output.
    pub(crate) order: &'a [usize],
    /// `[input, output]`.
    pub(crate) complement: &'a [f32],
    /// Taken off before the product.
    pub(crate) offset: Option<&'a [f32]>,
    pub(crate) scale: f32,
    pub(crate) transform: Transform,
    pub(crate) noise: Option<Noise<'a>>,
}

impl Projection<'_> {
    /// The projected array, row-major in the order of the output.
    pub(crate) fn apply(self) -> Vec<f32> {
        Arch::new().dispatch(Apply(self))
    }
}

struct Apply<'a>(Projection<'a>);

impl WithSimd for Apply<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Vec<f32> {
        self.0.with_lanes(S::F32_LANES)
    }
}

impl Projection<'_> {
    fn with_lanes(self, lanes: usize) -> Vec<f32> {
        let inputs = self.dims[self.axis];
        let outputs = self.complement.len() / inputs;
        let strides = strides(self.dims);
        let place = self.order.iter().position(|axis| *axis == self.axis).unwrap_or(0);
        let walk = |axes: &[usize]| Walk(axes.iter().map(|axis| (self.dims[*axis], strides[*axis])).collect());
        let (before, after) = (walk(&self.order[..place]), walk(&self.order[place + 1..]));
        let mut out = vec![0.0; before.count() * outputs * after.count()];
        if out.is_empty() || inputs == 0 {
            return out;
        }
        let columns = VECTORS * lanes;
        // The right factor holds vectors: outputs where they lie together in the output, positions where those do.
        let last = after.count() == 1;
        let shared = Shared {
            projection: self,
            stride: strides[self.axis],
            inputs,
            outputs,
            last,
            positions_width: if last { ROWS } else { columns },
            complement: pack_complement(self.complement, outputs, self.scale, if last { columns } else { ROWS }),
        };
        let arch = Arch::new();
        if last {
            out.par_chunks_mut(TILE * outputs).enumerate().for_each(|(tile, out)| {
                let count = out.len() / outputs;
                let places = before.offsets(tile * TILE, count);
                arch.dispatch(Tile { shared: &shared, places, rows: out.chunks_exact_mut(outputs).collect() });
            });
        } else {
            let plane = outputs * after.count();
            out.par_chunks_mut(plane).enumerate().for_each(|(index, plane)| {
                let base = before.offsets(index, 1)[0];
                let tiles = after.count().div_ceil(TILE);
                let mut rows: Vec<Vec<&mut [f32]>> = (0..tiles).map(|_| Vec::with_capacity(outputs)).collect();
                for row in plane.chunks_exact_mut(after.count()) {
                    row.chunks_mut(TILE).zip(&mut rows).for_each(|(piece, rows)| rows.push(piece));
                }
                rows.into_par_iter().enumerate().for_each(|(tile, rows)| {
                    let mut places = after.offsets(tile * TILE, rows[0].len());
                    places.iter_mut().for_each(|place| *place += base);
                    arch.dispatch(Tile { shared: &shared, places, rows });
                });
            });
        }
        out
    }
}

/// `complement` times `scale` in panels `[panel, input, width]`, with zeros beyond the last output.
fn pack_complement(complement: &[f32], outputs: usize, scale: f32, width: usize) -> Vec<f32> {
    let inputs = complement.len() / outputs;
    let mut packed = vec![0.0; outputs.div_ceil(width) * inputs * width];
    for (k, row) in complement.chunks_exact(outputs).enumerate() {
        for (j, value) in row.iter().enumerate() {
            packed[(j / width * inputs + k) * width + j % width] = scale * value;
        }
    }
    packed
}

/// What all tiles share.
struct Shared<'a> {
    projection: Projection<'a>,
    /// Of the projected axis in the input.
    stride: usize,
    inputs: usize,
    outputs: usize,
    /// Whether the projected axis is the last one of the output.
    last: bool,
    /// Width of the panels of positions.
    positions_width: usize,
    complement: Vec<f32>,
}

/// Some positions of the array, with what they give.
struct Tile<'a> {
    shared: &'a Shared<'a>,
    /// Offsets of the positions in the input.
    places: Vec<usize>,
    /// Of the output: one per position if the projected axis is last there, else one per output.
    rows: Vec<&'a mut [f32]>,
}

impl WithSimd for Tile<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let Shared { inputs, outputs, last, positions_width, .. } = *self.shared;
        let count = self.places.len();
        let mut positions = vec![0.0; count.div_ceil(positions_width) * positions_width * inputs];
        self.gather::<S>(&mut positions);
        let complement = &self.shared.complement;
        let (left, right, rows, columns) =
            if last { (&positions, complement, count, outputs) } else { (complement, &positions, outputs, count) };
        let width = VECTORS * S::F32_LANES;
        for (n, right) in right.chunks_exact(inputs * width).enumerate() {
            let first_column = n * width;
            let taken = width.min(columns - first_column);
            for (m, left) in left.chunks_exact(inputs * ROWS).enumerate() {
                let sums = product(simd, left, right);
                let first_row = m * ROWS;
                for (row, sums) in self.rows[first_row..(first_row + ROWS).min(rows)].iter_mut().zip(&sums) {
                    let out = &mut row[first_column..first_column + taken];
                    match S::as_mut_simd_f32s(out).0.as_chunks_mut() {
                        ([out], _) => *out = *sums,
                        _ => out
                            .chunks_mut(S::F32_LANES)
                            .zip(sums)
                            .for_each(|(out, sum)| simd.partial_store_f32s(out, *sum)),
                    }
                }
            }
        }
        if self.shared.projection.transform == Transform::Arcsinh {
            self.rows.iter_mut().for_each(|row| row.iter_mut().for_each(|value| *value = arcsinh(*value)));
        }
    }
}

impl Tile<'_> {
    /// Values with noise, less the offset, in panels `[panel, input, width]`.
    #[inline(always)]
    fn gather<S: Simd>(&self, panels: &mut [f32]) {
        let Shared { projection: Projection { x, offset, noise, .. }, stride, inputs, positions_width: width, .. } =
            *self.shared;
        let mut values = vec![0.0f32; inputs.max(TILE)];
        if stride == 1 {
            for (p, place) in self.places.iter().enumerate() {
                let values = &mut values[..inputs];
                fetch(x, noise, *place, values);
                if let Some(offset) = offset {
                    values.iter_mut().zip(offset).for_each(|(value, offset)| *value -= offset);
                }
                let panel = &mut panels[p / width * width * inputs..][..width * inputs];
                for (cells, value) in panel.chunks_exact_mut(width).zip(values) {
                    cells[p % width] = *value;
                }
            }
            return;
        }
        // runs of positions that lie together in the input
        let mut first = 0;
        while first < self.places.len() {
            let start = self.places[first];
            let length = self.places[first..].iter().zip(start..).take_while(|(place, next)| *place == next).count();
            if length < SHORTEST_RUN {
                self.gather_one(first, panels);
                first += 1;
                continue;
            }
            for k in 0..inputs {
                let values = &mut values[..length];
                fetch(x, noise, start + k * stride, values);
                if let Some(offset) = offset {
                    values.iter_mut().for_each(|value| *value -= offset[k]);
                }
                scatter::<S>(values, first, &mut panels[k * width..], inputs * width, width);
            }
            first += length;
        }
    }
}

impl Tile<'_> {
    /// The values at one position, which lie apart.
    #[inline(always)]
    fn gather_one(&self, p: usize, panels: &mut [f32]) {
        let Shared { projection: Projection { x, offset, noise, .. }, stride, inputs, positions_width: width, .. } =
            *self.shared;
        let panel = &mut panels[p / width * width * inputs..][..width * inputs];
        for (k, cells) in panel.chunks_exact_mut(width).enumerate() {
            let place = self.places[p] + k * stride;
            let mut value = [0.0];
            if let Some(noise) = noise {
                noise(place, &mut value);
            }
            cells[p % width] = x[place] + value[0] - offset.map_or(0.0, |offset| offset[k]);
        }
    }
}

/// Puts `values` into panels from place `first` on: place `p` is at `p / width * panel + p % width`.
///
/// Whole panels go as arrays: calls of `memmove` for a few values each would take as long as the product.
#[inline(always)]
fn scatter<S: Simd>(values: &[f32], first: usize, panels: &mut [f32], panel: usize, width: usize) {
    let mut p = first;
    let mut rest = values;
    while !rest.is_empty() {
        let (taken, others) = rest.split_at(rest.len().min(width - p % width));
        let cells = &mut panels[p / width * panel + p % width..][..taken.len()];
        if let (Ok(cells), Ok(taken)) = (<&mut [f32; ROWS]>::try_from(&mut *cells), <&[f32; ROWS]>::try_from(taken)) {
            *cells = *taken;
        } else if let (([cells], []), ([taken], [])) =
            (S::as_mut_simd_f32s(cells).0.as_chunks_mut::<VECTORS>(), S::as_simd_f32s(taken).0.as_chunks::<VECTORS>())
        {
            *cells = *taken;
        } else {
            cells.copy_from_slice(taken);
        }
        p += taken.len();
        rest = others;
    }
}

/// The values from `first` on, with their noise.
#[inline(always)]
fn fetch(x: &[f32], noise: Option<Noise<'_>>, first: usize, values: &mut [f32]) {
    let source = &x[first..first + values.len()];
    match noise {
        None => values.copy_from_slice(source),
        Some(noise) => {
            noise(first, values);
            values.iter_mut().zip(source).for_each(|(value, source)| *value += source);
        }
    }
}

/// Product of a panel of rows, `[input, ROWS]`, with a panel of vectors, `[input, VECTORS vectors]`.
#[inline(always)]
fn product<S: Simd>(simd: S, left: &[f32], right: &[f32]) -> [[S::f32s; VECTORS]; ROWS] {
    let left = left.as_chunks::<ROWS>().0;
    let right = S::as_simd_f32s(right).0.as_chunks::<VECTORS>().0;
    let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
    for (left, right) in left.iter().zip(right) {
        for r in 0..ROWS {
            let factor = simd.splat_f32s(left[r]);
            for v in 0..VECTORS {
                sums[r][v] = simd.mul_add_e_f32s(factor, right[v], sums[r][v]);
            }
        }
    }
    sums
}
