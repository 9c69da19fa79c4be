//! The gradient of the weights: outer products of source and target gradient, summed over all positions.
//!
//! For kernels of 3 x 3 the sums are taken between Winograd's transforms, as the adjoint of the forward way:
//! `dg = G' [sum over tiles of (B' d B) * (A dy A')] G`.

mod channel_first;

use super::correlation::{Axis, Correlation};
use super::direct::{self, Reach, Slices};
use super::planes;
use super::rows;
use super::scratch::Scratch;
use super::strips::{LEAST_DEPTH, padded};
use super::tile::{Pack, Window};
use super::winograd::{self, Scene, Tiling};
use crate::micro::{Disperse, Outer, PANEL, POINTS};
use channel_first::{across_planes, along_rows};
use pulp::Arch;
use rayon::prelude::*;

/// Partial sums, at most: enough for the cores of a large machine. Their number follows from the extents alone.
const PARTS: usize = 32;

/// Regions in a partial sum, at least: adding it up should cost less than making it.
const REGIONS: usize = 4;

/// Tasks that are wanted where there are few regions: then the filters are divided as well.
const TASKS: usize = 8;

/// Values that the partial sums of one division of the filters may hold: 32 MiB.
const MEMORY: usize = 8 << 20;

/// Filters and channels from which vectors of filters are better than those along the width.
const LEAST: usize = 8;

/// How the positions are cut, and which blocks of `[panel][channel][PANEL]` are summed.
#[derive(Clone, Copy)]
enum Way {
    /// One block for each tap.
    Plain { tile: [usize; 2] },
    /// One block for each point and depth tap.
    Transformed(Tiling),
    /// One block for each point and width tap, of the volumes that [`planes`] can take.
    Planes { tiles: usize, columns: usize },
    /// One block for each tap, of the planes that [`rows`] can take.
    Rows { rows: usize, columns: usize },
}

impl Way {
    fn of(c: &Correlation) -> Self {
        // With vectors along the width every sum ends in one across a vector: that pays where the filters or channels would leave vectors empty.
        if c.filters.min(c.channels) < LEAST
            && let Some(tiles) = planes::suited(c)
        {
            return Way::Planes { tiles, columns: c.counts()[2] };
        }
        if let Some(rows) = rows::suited(c) {
            return Way::Rows { rows, columns: c.counts()[2] };
        }
        winograd::suited(c).map_or_else(|| Way::Plain { tile: direct::tile(c).into() }, Way::Transformed)
    }

    fn tile(self) -> [usize; 2] {
        match self {
            Way::Plain { tile } => tile,
            Way::Transformed(tiling) => [tiling.rows(), tiling.columns()],
            Way::Planes { tiles, columns } => [tiles * planes::OUTPUTS, columns],
            Way::Rows { rows, columns } => [rows, columns],
        }
    }

    fn blocks(self, phase: &[Axis; 3]) -> usize {
        let taps = phase.iter().map(|axis| axis.taps.len());
        match self {
            Way::Plain { .. } | Way::Rows { .. } => taps.product(),
            Way::Transformed(_) => POINTS * phase[0].taps.len(),
            Way::Planes { .. } => POINTS * phase[2].taps.len(),
        }
    }
}

/// A rectangle of positions over a run of depth slices of one sample.
struct Region {
    sample: usize,
    depth: std::ops::Range<usize>,
    first: [usize; 2],
    extents: [usize; 2],
}

/// The gradient of the weights of `c`, a forward correlation, in the layout of the weights.
pub(super) fn gradient(c: &Correlation, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    let [phase] = &c.phases[..] else { return };
    let way = Way::of(c);
    let regions = regions(c, way.tile());
    let parts = PARTS.min(regions.len() / REGIONS).max(1);
    let by_tasks = (c.filters * parts).div_ceil(TASKS);
    let by_memory = MEMORY / (parts * way.blocks(phase) * c.channels);
    let filters = by_tasks.min(by_memory).next_multiple_of(PANEL).min(padded(c.filters));
    let group_filters = c.filters;
    let (volume, target_volume) = (c.source.iter().product::<usize>(), c.target.iter().product::<usize>());
    dw.par_chunks_mut(c.filters * c.filter_stride).enumerate().for_each(|(group, dw)| {
        dw.par_chunks_mut(filters * c.filter_stride).enumerate().for_each(|(division, dw)| {
            let c = &Correlation { filters: dw.len() / c.filter_stride, ..c.clone() };
            let sums = sum(&regions, parts, way.blocks(phase) * block_len(c), |arch, region, sums| {
                let place = region.sample * c.groups + group;
                let source = &x[place * c.channels * volume..][..c.channels * volume];
                let first = place * group_filters + division * filters;
                let gradient = &dy[first * target_volume..][..c.filters * target_volume];
                match way {
                    Way::Plain { .. } => plain(arch, c, region, source, gradient, sums),
                    Way::Transformed(tiling) => transformed(arch, c, tiling.outputs, region, source, gradient, sums),
                    Way::Planes { .. } => across_planes(arch, c, region, source, gradient, sums),
                    Way::Rows { .. } => along_rows(arch, c, region, source, gradient, sums),
                }
            });
            match way {
                Way::Plain { .. } | Way::Rows { .. } => unpack(c, phase, &sums, dw),
                Way::Transformed(_) => unpack_transformed(c, phase, [0, 1, 2], &sums, dw),
                Way::Planes { .. } => unpack_transformed(c, phase, [2, 0, 1], &sums, dw),
            }
        });
    });
}

/// Cuts all positions into regions of at most `tile` rows and columns.
fn regions(c: &Correlation, tile: [usize; 2]) -> Vec<Region> {
    let [depth, height, width] = c.counts();
    let wanted = (PARTS * REGIONS).div_ceil(c.batch * height.div_ceil(tile[0]) * width.div_ceil(tile[1]));
    let slices = depth.div_ceil(wanted).max(LEAST_DEPTH);
    let mut regions = Vec::new();
    for sample in 0..c.batch {
        for row in (0..height).step_by(tile[0]) {
            for column in (0..width).step_by(tile[1]) {
                let extents = [tile[0].min(height - row), tile[1].min(width - column)];
                for slice in (0..depth).step_by(slices) {
                    let depth = slice..(slice + slices).min(depth);
                    regions.push(Region { sample, depth, first: [row, column], extents });
                }
            }
        }
    }
    regions
}

/// What `add` makes of all regions: `parts` partial sums of `len` values, added up in their order.
fn sum(regions: &[Region], parts: usize, len: usize, add: impl Fn(Arch, &Region, &mut [f32]) + Sync) -> Vec<f32> {
    let arch = Arch::new();
    let mut partial: Vec<Vec<f32>> = regions
        .par_chunks(regions.len().div_ceil(parts).max(1))
        .map(|regions| {
            let mut sums = vec![0.0; len];
            for region in regions {
                add(arch, region, &mut sums);
            }
            sums
        })
        .collect();
    let rest = partial.split_off(1.min(partial.len()));
    let mut sums = partial.pop().unwrap_or_else(|| vec![0.0; len]);
    sums.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, sums)| {
        for partial in &rest {
            for (sum, &value) in sums.iter_mut().zip(&partial[chunk * CHUNK..]) {
                *sum += value;
            }
        }
    });
    sums
}

/// Values that are added up in one piece.
const CHUNK: usize = 16 << 10;

/// Values of one `[panel][channel][PANEL]` block.
fn block_len(c: &Correlation) -> usize {
    padded(c.filters) * c.channels
}

/// Where a pair stands in such a block.
fn entry(c: &Correlation, filter: usize, channel: usize) -> usize {
    (filter / PANEL * c.channels + channel) * PANEL + filter % PANEL
}

/// Adds a region to `[tap]` blocks.
fn plain(arch: Arch, c: &Correlation, region: &Region, source: &[f32], gradient: &[f32], sums: &mut [f32]) {
    let [depth, height, width] = &c.phases[0];
    let [rows, columns] = region.extents;
    let stride = padded(c.filters);
    let reach = Reach::of(c);
    let window = reach.window(c, region.first, region.extents);
    let mut slices = Slices::new();
    slices.restart(reach.span[0], window.rows * window.columns * c.channels);
    let mut bases = Vec::with_capacity(rows * columns);
    for row in 0..rows {
        let start = row * c.step[1] * window.columns;
        bases.extend((0..columns).map(|column| (start + column * c.step[2]) * c.channels));
    }
    let mut gradient = Gradient::new(c, region, gradient, [rows, columns]);
    for position in region.depth.clone() {
        gradient.load(arch, c, position);
        let mut blocks = sums.chunks_exact_mut(block_len(c));
        for d in &depth.taps {
            let slice = (position * c.step[0]) as isize + d.offset;
            let start = slices.get(slice, |tile| {
                arch.dispatch(Pack::of(c, source, Window { depth: slice, ..window }, tile));
            });
            for h in &height.taps {
                for w in &width.taps {
                    let (row, column) = (h.offset - reach.lowest[1], w.offset - reach.lowest[2]);
                    let offset = start + (row as usize * window.columns + column as usize) * c.channels;
                    let Some(target) = blocks.next() else { return };
                    arch.dispatch(Outer {
                        source: &slices.values()[offset..],
                        bases: &bases,
                        rows: c.channels,
                        right: gradient.values(),
                        right_stride: stride,
                        filters: c.filters,
                        target,
                        panel_stride: c.channels * PANEL,
                    });
                }
            }
        }
    }
}

/// Adds a region to `[point][depth tap]` blocks.
fn transformed(
    arch: Arch,
    c: &Correlation,
    outputs: usize,
    region: &Region,
    source: &[f32],
    gradient: &[f32],
    sums: &mut [f32],
) {
    let phase = &c.phases[0];
    let stride = padded(c.filters);
    let tiles = region.extents.map(|extent| extent.div_ceil(outputs));
    let count = tiles[0] * tiles[1];
    let mut scene = Scene::new(c, outputs);
    scene.restart(c, region.first, tiles);
    let bases: Vec<usize> = (0..count).map(|tile| tile * c.channels).collect();
    let mut gradient = Gradient::new(c, region, gradient, tiles.map(|tiles| outputs * tiles));
    let mut points = Scratch::new();
    let points = points.room(POINTS * count * stride);
    for position in region.depth.clone() {
        gradient.load(arch, c, position);
        arch.dispatch(Disperse { block: gradient.values(), tiles, outputs, stride, points });
        let taps = phase[0].taps.iter();
        let starts: Vec<usize> =
            taps.map(|tap| scene.start(arch, c, source, phase, (position * c.step[0]) as isize + tap.offset)).collect();
        let blocks = sums.chunks_exact_mut(starts.len() * block_len(c));
        for (point, (right, blocks)) in points.chunks_exact(count * stride).zip(blocks).enumerate() {
            for (start, target) in starts.iter().zip(blocks.chunks_exact_mut(block_len(c))) {
                arch.dispatch(Outer {
                    source: &scene.values()[start + point * count * c.channels..],
                    bases: &bases,
                    rows: c.channels,
                    right,
                    right_stride: stride,
                    filters: c.filters,
                    target,
                    panel_stride: c.channels * PANEL,
                });
            }
        }
    }
}

/// From `[tap]` blocks to the layout of the weights.
fn unpack(c: &Correlation, phase: &[Axis; 3], sums: &[f32], dw: &mut [f32]) {
    let taps = direct::taps(phase);
    for (panel, dw) in dw.chunks_mut(PANEL * c.filter_stride).enumerate() {
        for channel in 0..c.channels {
            // the taps of a weight lie together
            for (&taps, sums) in taps.iter().zip(sums.chunks_exact(block_len(c))) {
                let lanes = &sums[entry(c, panel * PANEL, channel)..][..dw.len() / c.filter_stride];
                for (filter, &value) in lanes.iter().enumerate() {
                    dw[c.weight_index(filter, channel, taps)] = value;
                }
            }
        }
    }
}

/// From `[point][tap]` blocks to the layout of the weights; `axes` are that of the taps and those of the tiles.
fn unpack_transformed(c: &Correlation, phase: &[Axis; 3], axes: [usize; 3], sums: &[f32], dw: &mut [f32]) {
    let [plain, down, across] = axes.map(|axis| &phase[axis].taps);
    let point_len = sums.len() / POINTS;
    // A forward correlation: the weights of a filter lie together.
    dw.par_chunks_mut(PANEL * c.filter_stride).enumerate().for_each(|(panel, dw)| {
        for (tap, &along) in plain.iter().enumerate() {
            for channel in 0..c.channels {
                let at = tap * block_len(c) + entry(c, panel * PANEL, channel);
                let mut points = [[[0.0; PANEL]; 4]; 4];
                for (point, lanes) in points.iter_mut().flatten().enumerate() {
                    lanes.copy_from_slice(&sums[point * point_len + at..][..PANEL]);
                }
                for (row, &first) in winograd::gathered(&points, across.len()).iter().zip(down) {
                    for (lanes, &second) in row.iter().zip(across) {
                        let mut taps = [along; 3];
                        (taps[axes[1]], taps[axes[2]]) = (first, second);
                        for (filter, &value) in lanes.iter().enumerate().take(dw.len() / c.filter_stride) {
                            dw[c.weight_index(filter, channel, taps)] = value;
                        }
                    }
                }
            }
        }
    });
}

/// The target gradient of a region in one depth slice, channel-last, zero beyond the region and the filters.
struct Gradient<'a> {
    source: &'a [f32],
    first: [usize; 2],
    extents: [usize; 2],
    line: usize,
    narrow: Scratch,
    values: Scratch,
    len: usize,
}

impl<'a> Gradient<'a> {
    fn new(c: &Correlation, region: &Region, gradient: &'a [f32], room: [usize; 2]) -> Self {
        let len = room[0] * room[1] * padded(c.filters);
        let mut values = Scratch::new();
        values.room(len).fill(0.0);
        Gradient {
            source: gradient,
            first: region.first,
            extents: region.extents,
            line: room[1],
            narrow: Scratch::new(),
            values,
            len,
        }
    }

    fn values(&self) -> &[f32] {
        &self.values.values()[..self.len]
    }

    fn load(&mut self, arch: Arch, c: &Correlation, position: usize) {
        let [rows, columns] = self.extents;
        let window = Window {
            depth: position as isize,
            row: self.first[0] as isize,
            column: self.first[1] as isize,
            rows,
            columns,
        };
        let stride = padded(c.filters);
        if stride == c.filters && self.line == columns {
            arch.dispatch(Pack {
                source: self.source,
                extents: c.target,
                mode: c.mode,
                channels: c.filters,
                window,
                tile: self.values.room(self.len),
            });
            return;
        }
        arch.dispatch(Pack {
            source: self.source,
            extents: c.target,
            mode: c.mode,
            channels: c.filters,
            window,
            tile: self.narrow.room(rows * columns * c.filters),
        });
        let values = self.values.room(self.len);
        let narrow = &self.narrow.values()[..rows * columns * c.filters];
        for (row, line) in narrow.chunks_exact(columns * c.filters).enumerate() {
            for (column, cell) in line.chunks_exact(c.filters).enumerate() {
                values[(row * self.line + column) * stride..][..c.filters].copy_from_slice(cell);
            }
        }
    }
}
