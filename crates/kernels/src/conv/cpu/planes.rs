//! Convolution of volumes with kernels of 3 x 3 in the first two axes by Winograd's minimal filtering across these, as in [`super::winograd`].
//!
//! The values stay channel-first and every vector lies along the last axis, whose taps add up between the transforms: nothing is transposed, and a
//! few channels cost no more than they should.

use super::correlation::{Axis, Correlation};
use super::direct::Slices;
use super::scratch::Scratch;
use super::strips::Strip;
use super::tile::{Line, locate};
use super::winograd::{Lanes, spread};
use crate::micro::{BLOCK, CollectRows, Finish, GRAIN, Mix, PANEL, POINTS, SIDE, SpreadRows, sources};
use pulp::Arch;
use rayon::prelude::*;

/// Outputs of a tile, along each axis.
pub(super) const OUTPUTS: usize = 2;

/// Transformed values, of source and target, and sums that are held at once: half of a second cache of 1 MiB.
const HELD: usize = 128 << 10;

/// The fewest and the most positions that go through the kernels together.
const POSITIONS: std::ops::RangeInclusive<usize> = 96..=512;

/// The fewest values of a row: what is computed between rows should not count.
const LEAST_WIDTH: usize = 8;

/// Tiles, one below the other, that are worked on at once, for a correlation that can go this way and gains by it.
pub(super) fn suited(c: &Correlation) -> Option<usize> {
    let [phase] = &c.phases[..] else { return None };
    let [depth, height, width] = phase;
    let tiled = |axis: &Axis| axis.is_run_of(3) && axis.count >= OUTPUTS;
    let runs = tiled(depth) && tiled(height) && !width.taps.is_empty() && width.is_run_of(width.taps.len());
    if !(runs && c.step == [1; 3] && c.target_step == [1; 3] && width.count >= LEAST_WIDTH) {
        return None;
    }
    let positions = (HELD / (SIDE * (c.channels + 2 * c.filters))).clamp(*POSITIONS.start(), *POSITIONS.end());
    let tiles = height.count.div_ceil(OUTPUTS);
    let most = (positions / line(width)).clamp(1, tiles);
    Some(tiles.div_ceil(tiles.div_ceil(most)))
}

/// Values of a row, with those that are read beyond its ends.
fn line(width: &Axis) -> usize {
    width.count + width.taps.len() - 1
}

/// Transformed weights.
pub(super) struct Plan {
    /// `[block][point][tap][channel][BLOCK]`.
    weights: Vec<f32>,
}

impl Plan {
    pub fn new(c: &Correlation, weights: &[f32]) -> Self {
        let [depth, height, width] = &c.phases[0];
        let point_len = width.taps.len() * c.channels * BLOCK;
        let mut packed = vec![0.0; c.filters.div_ceil(BLOCK) * POINTS * point_len];
        packed.par_chunks_exact_mut(POINTS * point_len).enumerate().for_each(|(block, packed)| {
            let filters = (c.filters - block * BLOCK).min(BLOCK);
            for (tap, &w) in width.taps.iter().enumerate() {
                for channel in 0..c.channels {
                    let mut kernel: [[Lanes; 3]; 3] = [[[0.0; PANEL]; 3]; 3];
                    for (row, &d) in kernel.iter_mut().zip(&depth.taps) {
                        for (lanes, &h) in row.iter_mut().zip(&height.taps) {
                            for (lane, value) in lanes.iter_mut().enumerate().take(filters) {
                                *value = weights[c.weight_index(block * BLOCK + lane, channel, [d, h, w])];
                            }
                        }
                    }
                    let at = (tap * c.channels + channel) * BLOCK;
                    for (point, lanes) in spread(&kernel, 3).iter().flatten().enumerate() {
                        packed[point * point_len + at..][..BLOCK].copy_from_slice(&lanes[..BLOCK]);
                    }
                }
            }
        });
        Plan { weights: packed }
    }
}

/// Computes a strip.
pub(super) fn run(arch: Arch, c: &Correlation, plan: &Plan, source: &[f32], bias: &[f32], strip: &mut Strip<'_>) {
    let width = &c.phases[0][2];
    let mut scene = Scene::new(c, strip.rows.start, strip.rows.len());
    let (length, taps) = (scene.length, Vec::from_iter(0..width.taps.len()));
    let blocks = c.filters.div_ceil(BLOCK);
    let point_len = taps.len() * c.channels * BLOCK;
    let stride = blocks * BLOCK * length + GRAIN;
    let (mut products, mut sums) = (Scratch::new(), Scratch::new());
    let (products, sums) = (products.room(SIDE * stride), sums.room(c.filters * 4 * length));
    for position in strip.depth.clone().step_by(OUTPUTS) {
        scene.go(c, source, position);
        for row in 0..SIDE {
            scene.spread(arch, c, row);
            for column in 0..SIDE {
                arch.dispatch(Mix {
                    source: scene.point(column),
                    pitch: scene.pitch,
                    channels: c.channels,
                    taps: &taps,
                    weights: &plan.weights[(row * SIDE + column) * point_len..],
                    block_stride: POINTS * point_len,
                    blocks,
                    length,
                    target: &mut products[column * stride..][..blocks * BLOCK * length],
                    target_pitch: length,
                });
            }
            for (filter, sums) in sums.chunks_exact_mut(4 * length).enumerate() {
                let products = &products[filter * length..];
                arch.dispatch(CollectRows { point: row, products, stride, length, sums });
            }
        }
        let first = position - strip.depth.start;
        for slice in first..(first + OUTPUTS).min(strip.depth.len()) {
            let side = (slice - first) * 2 * length;
            for (filter, target) in strip.target[slice * c.filters..][..c.filters].iter_mut().enumerate() {
                arch.dispatch(Finish {
                    sums: &sums[filter * 4 * length + side..],
                    odd: length,
                    line: scene.line,
                    bias: bias[filter],
                    target,
                    width: width.count,
                });
            }
        }
    }
}

/// The transformed source under tiles that lie one below the other.
pub(super) struct Scene {
    first_row: usize,
    rows: usize,
    pub line: usize,
    /// Positions of all tiles, rounded up.
    pub length: usize,
    /// From channel to channel of a point.
    pub pitch: usize,
    stride: usize,
    /// Values of one channel in a slice: even rows, then odd ones.
    half: usize,
    slices: Slices,
    starts: [usize; OUTPUTS + 2],
    points: Scratch,
}

impl Scene {
    /// For positions from the row `first_row` on.
    pub fn new(c: &Correlation, first_row: usize, rows: usize) -> Self {
        let width = &c.phases[0][2];
        let line = line(width);
        let tiles = rows.div_ceil(OUTPUTS);
        let length = (tiles * line).next_multiple_of(GRAIN);
        // A tap reads on from the end, and points should not fall on the same places of a cache.
        let pitch = length + (width.taps.len() - 1).next_multiple_of(GRAIN);
        let stride = c.channels * pitch + GRAIN;
        let half = line + length;
        let (mut slices, mut points) = (Slices::new(), Scratch::new());
        slices.restart(OUTPUTS + 2, c.channels * 2 * half);
        // What lies between rows and behind them is computed too, and a gradient multiplies it with zero: no leftovers.
        points.room(SIDE * stride).fill(0.0);
        let rows = OUTPUTS * (tiles + 1);
        Scene { first_row, rows, line, length, pitch, stride, half, slices, starts: [0; OUTPUTS + 2], points }
    }

    /// Goes to the positions from the depth `position` on.
    pub fn go(&mut self, c: &Correlation, source: &[f32], position: usize) {
        let lowest = c.phases[0][0].lowest();
        let (rows, line, half) = (self.first_row..self.first_row + self.rows, self.line, self.half);
        self.starts = std::array::from_fn(|slice| {
            let depth = position as isize + lowest + slice as isize;
            self.slices.get(depth, |values| fill(c, source, depth, rows.clone(), [line, half], values))
        });
    }

    /// Transforms the source to one row of points.
    pub fn spread(&mut self, arch: Arch, c: &Correlation, row: usize) {
        let values = self.slices.values();
        let points = self.points.room(SIDE * self.stride);
        let starts = sources(row).map(|slice| self.starts[slice]);
        for channel in 0..c.channels {
            arch.dispatch(SpreadRows {
                point: row,
                slices: starts.map(|start| &values[start + channel * 2 * self.half..][..2 * self.half]),
                odd: self.half,
                line: self.line,
                length: self.length,
                points: &mut points[channel * self.pitch..],
                stride: self.stride,
            });
        }
    }

    /// `[channel]`, [`Scene::pitch`] apart, of a point of that row.
    pub fn point(&self, column: usize) -> &[f32] {
        &self.points.values()[column * self.stride..][..self.stride]
    }
}

/// The rows of a slice at `depth` that positions in `rows` read: of each channel the even ones, and from `half` on the odd ones.
fn fill(
    c: &Correlation,
    source: &[f32],
    depth: isize,
    rows: std::ops::Range<usize>,
    [line, half]: [usize; 2],
    values: &mut [f32],
) {
    let [_, height, width] = &c.phases[0];
    let [extent, rows_there, columns] = c.source;
    let Some(depth) = locate(c.mode[0], extent, depth) else {
        values.fill(0.0);
        return;
    };
    let across = Line::new(c, width.lowest(), 1, line);
    for (channel, values) in values.chunks_exact_mut(2 * half).enumerate() {
        let plane = &source[(channel * extent + depth) * rows_there * columns..][..rows_there * columns];
        for (place, row) in rows.clone().enumerate() {
            let target = &mut values[place % 2 * half + place / 2 * line..][..line];
            across.fill(c, plane, row as isize + height.lowest(), target);
        }
        let used = rows.len() / 2 * line;
        values[used..half].fill(0.0);
        values[half + used..].fill(0.0);
    }
}
