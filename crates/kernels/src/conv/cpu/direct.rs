//! Convolution as it is defined, on channel-last tiles.

use super::correlation::{Axis, Correlation, Tap};
use super::scratch::Scratch;
use super::strips::{Patch, Strip, padded};
use super::tile::{Pack, Window};
use crate::micro::{Gather, PANEL};
use pulp::Arch;
use rayon::prelude::*;

/// Values of the source that a tile may hold, over all depth slices it needs: a quarter of a second cache of 1 MiB.
const TILE: usize = 64 << 10;

/// Weights that stay in the nearest cache while all rows of a tile pass by.
const BLOCK: usize = 4 << 10;

/// Columns of a tile, if it is that wide.
const COLUMNS: usize = 64;

/// Packed weights of one phase.
pub(super) struct Plan {
    /// `[panel][tap][channel][PANEL]`.
    weights: Vec<f32>,
    panel_stride: usize,
}

impl Plan {
    pub fn new(c: &Correlation, phase: &[Axis; 3], weights: &[f32]) -> Self {
        let taps = taps(phase);
        let panel_stride = taps.len() * c.channels * PANEL;
        let mut packed = vec![0.0; padded(c.filters) / PANEL * panel_stride];
        packed.par_chunks_exact_mut(panel_stride.max(1)).enumerate().for_each(|(panel, packed)| {
            let filters = (c.filters - panel * PANEL).min(PANEL);
            for channel in 0..c.channels {
                // the taps of a weight lie together
                for (&taps, packed) in taps.iter().zip(packed.chunks_exact_mut(c.channels * PANEL)) {
                    let lanes = &mut packed[channel * PANEL..][..filters];
                    for (lane, packed) in lanes.iter_mut().enumerate() {
                        *packed = weights[c.weight_index(panel * PANEL + lane, channel, taps)];
                    }
                }
            }
        });
        Plan { weights: packed, panel_stride }
    }
}

/// Computes a strip: at every tile all phases, which read nearly the same values of the source.
pub(super) fn run(arch: Arch, c: &Correlation, plans: &[Plan], source: &[f32], bias: &[f32], strip: &mut Strip<'_>) {
    let stride = padded(c.filters);
    let taps_in_block = (BLOCK / (c.channels * PANEL)).max(1);
    let (reach, count) = (Reach::of(c), c.counts());
    // Phases that differ along the width only are written side by side.
    let across = c.target_step[2];
    let (tile_rows, tile_columns) = tile(c);
    let mut slices = Slices::new();
    let (mut room, mut bases, mut offsets) = (Scratch::new(), Vec::new(), Vec::new());
    for first_row in strip.rows.clone().step_by(tile_rows) {
        for first_column in (0..count[2]).step_by(tile_columns) {
            let rows = tile_rows.min(strip.rows.end - first_row);
            let columns = tile_columns.min(count[2] - first_column);
            let window = reach.window(c, [first_row, first_column], [rows, columns]);
            slices.restart(reach.span[0], window.rows * window.columns * c.channels);
            bases.clear();
            for row in 0..rows {
                let start = row * c.step[1] * window.columns;
                bases.extend((0..columns).map(|column| (start + column * c.step[2]) * c.channels));
            }
            let patch = Patch { depth: 0, first: [first_row, first_column], rows, columns, line: columns };
            let block = room.room(rows * columns * across * stride);
            for position in strip.depth.clone() {
                for (phases, plans) in c.phases.chunks(across).zip(plans.chunks(across)) {
                    for (side, (phase, plan)) in phases.iter().zip(plans).enumerate() {
                        offsets.clear();
                        for [d, h, w] in taps(phase) {
                            let slice = (position * c.step[0]) as isize + d.offset;
                            let start = slices.get(slice, |tile| {
                                arch.dispatch(Pack::of(c, source, Window { depth: slice, ..window }, tile));
                            });
                            let (row, column) = (h.offset - reach.lowest[1], w.offset - reach.lowest[2]);
                            offsets.push(start + (row as usize * window.columns + column as usize) * c.channels);
                        }
                        let target = &mut block[side * stride..];
                        if offsets.is_empty() {
                            for cell in target.chunks_mut(across * stride) {
                                // the last one is cut short behind its side
                                cell[..stride].fill(0.0);
                            }
                        }
                        for (index, offsets) in offsets.chunks(taps_in_block).enumerate() {
                            arch.dispatch(Gather {
                                source: slices.values(),
                                bases: &bases,
                                offsets,
                                channels: c.channels,
                                weights: &plan.weights[index * taps_in_block * c.channels * PANEL..],
                                panel_stride: plan.panel_stride,
                                filters: c.filters,
                                target,
                                target_stride: across * stride,
                                accumulate: index > 0,
                            });
                        }
                    }
                    strip.write(arch, c, &phases[0], Patch { depth: position, ..patch }, block, bias);
                }
            }
        }
    }
}

/// All taps, by ascending offsets.
pub(super) fn taps(phase: &[Axis; 3]) -> Vec<[Tap; 3]> {
    let [depth, height, width] = phase;
    let mut taps = Vec::with_capacity(depth.taps.len() * height.taps.len() * width.taps.len());
    for &d in &depth.taps {
        for &h in &height.taps {
            taps.extend(width.taps.iter().map(|&w| [d, h, w]));
        }
    }
    taps
}

/// Rows and columns of positions whose source values fit [`TILE`].
pub(super) fn tile(c: &Correlation) -> (usize, usize) {
    let (reach, count) = (Reach::of(c), c.counts());
    let columns = count[2].clamp(1, COLUMNS);
    let row = ((columns - 1) * c.step[2] + reach.span[2]) * c.channels * reach.span[0];
    let rows = (TILE / row).saturating_sub(reach.span[1]) / c.step[1] + 1;
    (rows.clamp(1, count[1].max(1)).min(COLUMNS), columns)
}

/// What all phases read around a position.
#[derive(Clone, Copy)]
pub(super) struct Reach {
    pub lowest: [isize; 3],
    pub span: [usize; 3],
}

impl Reach {
    pub fn of(c: &Correlation) -> Self {
        let offsets =
            |axis: usize| c.phases.iter().flat_map(move |phase| phase[axis].taps.iter().map(|tap| tap.offset));
        let lowest = std::array::from_fn(|axis| offsets(axis).min().unwrap_or(0));
        let span = std::array::from_fn(|axis| (offsets(axis).max().unwrap_or(0) - lowest[axis]) as usize + 1);
        Reach { lowest, span }
    }

    /// The part of a slice that positions from `first` on read.
    pub fn window(&self, c: &Correlation, first: [usize; 2], positions: [usize; 2]) -> Window {
        Window {
            depth: 0,
            row: (first[0] * c.step[1]) as isize + self.lowest[1],
            column: (first[1] * c.step[2]) as isize + self.lowest[2],
            rows: (positions[0] - 1) * c.step[1] + self.span[1],
            columns: (positions[1] - 1) * c.step[2] + self.span[2],
        }
    }
}

/// The last few depth slices, prepared, in a ring.
pub(super) struct Slices {
    values: Scratch,
    len: usize,
    held: Vec<Option<isize>>,
}

impl Slices {
    pub fn new() -> Self {
        Slices { values: Scratch::new(), len: 0, held: Vec::new() }
    }

    /// Forgets all; from now on, `count` slices of `len` values are held.
    pub fn restart(&mut self, count: usize, len: usize) {
        self.len = len;
        self.held.clear();
        self.held.resize(count, None);
        self.values.room(count * len);
    }

    /// Where slice `index` begins in [`Slices::values`]; `fill` makes it unless it is there.
    pub fn get(&mut self, index: isize, fill: impl FnOnce(&mut [f32])) -> usize {
        let place = index.rem_euclid(self.held.len() as isize) as usize;
        let start = place * self.len;
        if self.held[place] != Some(index) {
            fill(&mut self.values.room(start + self.len)[start..]);
            self.held[place] = Some(index);
        }
        start
    }

    pub fn values(&self) -> &[f32] {
        self.values.values()
    }
}
