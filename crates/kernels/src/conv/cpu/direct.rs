//! Convolution as it is defined, on channel-last tiles.

use super::correlation::{Axis, Correlation, Tap};
use super::micro::{Gather, PANEL};
use super::strips::{Strip, padded};
use super::tile::{Pack, Unpack, Window};
use pulp::Arch;

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
    tile_rows: usize,
    tile_columns: usize,
}

impl Plan {
    pub fn new(c: &Correlation, phase: &[Axis; 3], weights: &[f32]) -> Self {
        let taps = taps(phase);
        let mut packed = vec![0.0; padded(c.filters) * taps.len() * c.channels];
        for (panel, packed) in packed.chunks_exact_mut((taps.len() * c.channels * PANEL).max(1)).enumerate() {
            let filters = (c.filters - panel * PANEL).min(PANEL);
            for (&taps, packed) in taps.iter().zip(packed.chunks_exact_mut(c.channels * PANEL)) {
                for (channel, packed) in packed.chunks_exact_mut(PANEL).enumerate() {
                    for (lane, packed) in packed.iter_mut().enumerate().take(filters) {
                        *packed = weights[c.weight_index(panel * PANEL + lane, channel, taps)];
                    }
                }
            }
        }
        let (tile_rows, tile_columns) = tile(c, phase);
        Plan { weights: packed, tile_rows, tile_columns }
    }

    /// Rows of positions that a tile covers.
    pub fn tile_rows(&self) -> usize {
        self.tile_rows
    }

    /// Computes the positions of one phase that lie in the strip.
    pub fn run(
        &self,
        arch: Arch,
        c: &Correlation,
        phase: &[Axis; 3],
        source: &[f32],
        bias: Option<&[f32]>,
        strip: &mut Strip<'_>,
    ) {
        let [depth, height, width] = phase;
        let rows = strip.rows.start..strip.rows.end.min(height.count);
        let stride = padded(c.filters);
        let taps = taps(phase);
        let panel_stride = taps.len() * c.channels * PANEL;
        let taps_in_block = (BLOCK / (c.channels * PANEL)).max(1);
        let mut slices = Slices::default();
        let mut block = Vec::new();
        let mut bases = Vec::new();
        for first_row in rows.clone().step_by(self.tile_rows) {
            for first_column in (0..width.count).step_by(self.tile_columns) {
                let tile_rows = self.tile_rows.min(rows.end - first_row);
                let columns = self.tile_columns.min(width.count - first_column);
                let window = window(c, phase, first_row, first_column, tile_rows, columns);
                slices.restart(depth.span(), window.rows * window.columns * c.channels);
                bases.clear();
                for row in 0..tile_rows {
                    let start = row * c.step[1] * window.columns;
                    bases.extend((0..columns).map(|column| (start + column * c.step[2]) * c.channels));
                }
                block.resize(tile_rows * columns * stride, 0.0);
                for position in strip.depth.start..strip.depth.end.min(depth.count) {
                    let offsets: Vec<usize> = taps
                        .iter()
                        .map(|[d, h, w]| {
                            let slice = (position * c.step[0]) as isize + d.offset;
                            let start = slices.get(slice, |tile| {
                                let window = Window { depth: slice, ..window };
                                arch.dispatch(Pack::of(c, source, window, tile));
                            });
                            let (row, column) = (h.offset - height.lowest(), w.offset - width.lowest());
                            start + (row as usize * window.columns + column as usize) * c.channels
                        })
                        .collect();
                    if taps.is_empty() {
                        block.fill(0.0);
                    }
                    for (index, offsets) in offsets.chunks(taps_in_block).enumerate() {
                        arch.dispatch(Gather {
                            source: slices.values(),
                            bases: &bases,
                            offsets,
                            channels: c.channels,
                            weights: &self.weights[index * taps_in_block * c.channels * PANEL..],
                            panel_stride,
                            target: &mut block,
                            target_stride: stride,
                            accumulate: index > 0,
                        });
                    }
                    let slice = (position - strip.depth.start) * c.target_step[0] + depth.first;
                    arch.dispatch(Unpack {
                        block: &block,
                        bias,
                        strips: &mut strip.target[slice * c.filters..][..c.filters],
                        rows: tile_rows,
                        columns,
                        line: columns,
                        stride,
                        row: (first_row - strip.rows.start) * c.target_step[1] + height.first,
                        column: first_column * c.target_step[2] + width.first,
                        step: [c.target_step[1], c.target_step[2]],
                        width: c.target[2],
                    });
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
pub(super) fn tile(c: &Correlation, phase: &[Axis; 3]) -> (usize, usize) {
    let [depth, height, width] = phase;
    let columns = width.count.clamp(1, COLUMNS);
    let row = ((columns - 1) * c.step[2] + width.span()) * c.channels * depth.span();
    let rows = (TILE / row).saturating_sub(height.span()) / c.step[1] + 1;
    (rows.clamp(1, height.count.max(1)).min(COLUMNS), columns)
}

/// The part of a slice that a tile of positions reads.
pub(super) fn window(
    c: &Correlation,
    phase: &[Axis; 3],
    row: usize,
    column: usize,
    rows: usize,
    columns: usize,
) -> Window {
    let [_, height, width] = phase;
    Window {
        depth: 0,
        row: (row * c.step[1]) as isize + height.lowest(),
        column: (column * c.step[2]) as isize + width.lowest(),
        rows: (rows - 1) * c.step[1] + height.span(),
        columns: (columns - 1) * c.step[2] + width.span(),
    }
}

/// The last few depth slices, prepared, in a ring.
#[derive(Default)]
pub(super) struct Slices {
    values: Vec<f32>,
    len: usize,
    held: Vec<Option<isize>>,
}

impl Slices {
    /// Forgets all; from now on, `count` slices of `len` values are held.
    pub fn restart(&mut self, count: usize, len: usize) {
        self.len = len;
        self.held.clear();
        self.held.resize(count, None);
        self.values.resize(count * len, 0.0);
    }

    /// Where slice `index` begins in [`Slices::values`]; `fill` makes it unless it is there.
    pub fn get(&mut self, index: isize, fill: impl FnOnce(&mut [f32])) -> usize {
        let place = index.rem_euclid(self.held.len() as isize) as usize;
        let start = place * self.len;
        if self.held[place] != Some(index) {
            fill(&mut self.values[start..][..self.len]);
            self.held[place] = Some(index);
        }
        start
    }

    pub fn values(&self) -> &[f32] {
        &self.values
    }
}
