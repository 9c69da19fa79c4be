//! The gradient of the weights: outer products of source and target gradient, summed over all positions.
//!
//! For kernels of 3 x 3 the sums are taken between Winograd's transforms, as the adjoint of the forward way:
//! `dg = G' [sum over tiles of (B' d B) * (A dy A')] G`.

use super::correlation::{Axis, Correlation};
use super::direct::{self, Reach, Slices};
use super::micro::{Disperse, POINTS};
use super::micro::{Outer, PANEL};
use super::scratch::Scratch;
use super::strips::{LEAST_DEPTH, padded};
use super::tile::{Pack, Window};
use super::winograd::{self, Scene};
use pulp::Arch;
use rayon::prelude::*;

/// Partial sums, at most: enough for the cores of a large machine. Their number follows from the extents alone.
const PARTS: usize = 32;

/// Regions in a partial sum, at least: adding it up should cost less than making it.
const REGIONS: usize = 4;

/// Values that all partial sums together may hold.
const MEMORY: usize = 64 << 20;

/// The gradient of the weights of `c`, a forward correlation, in the layout of the weights.
pub(super) fn gradient(c: &Correlation, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    let [phase] = &c.phases[..] else { return };
    let group_len = dw.len() / c.groups;
    for (group, dw) in dw.chunks_exact_mut(group_len).enumerate() {
        if let Some(tiling) = winograd::suited(c) {
            let tile = [tiling.rows(), tiling.columns()];
            let add =
                |arch: Arch, region: &Region<'_>, sums: &mut [f32]| transformed(arch, c, tiling.outputs, region, sums);
            let sums = sum(c, x, dy, group, tile, POINTS * phase[0].taps.len(), add);
            unpack_transformed(c, phase, &sums, dw);
        } else {
            let (rows, columns) = direct::tile(c);
            let taps = direct::taps(phase);
            let add = |arch: Arch, region: &Region<'_>, sums: &mut [f32]| plain(arch, c, region, sums);
            let sums = sum(c, x, dy, group, [rows, columns], taps.len(), add);
            for (taps, sums) in taps.iter().zip(sums.chunks_exact(block_len(c))) {
                for filter in 0..c.filters {
                    for channel in 0..c.channels {
                        dw[c.weight_index(filter, channel, *taps)] = sums[entry(c, filter, channel)];
                    }
                }
            }
        }
    }
}

/// Values of one `[panel][channel][PANEL]` block.
fn block_len(c: &Correlation) -> usize {
    padded(c.filters) * c.channels
}

/// Where a pair stands in such a block.
fn entry(c: &Correlation, filter: usize, channel: usize) -> usize {
    (filter / PANEL * c.channels + channel) * PANEL + filter % PANEL
}

/// A rectangle of positions over a run of depth slices of one sample.
struct Region<'a> {
    source: &'a [f32],
    gradient: &'a [f32],
    depth: std::ops::Range<usize>,
    first: [usize; 2],
    extents: [usize; 2],
}

/// Sums over all regions of at most `tile` rows and columns, in an order that follows from the extents alone.
fn sum(
    c: &Correlation,
    x: &[f32],
    dy: &[f32],
    group: usize,
    tile: [usize; 2],
    blocks: usize,
    add: impl Fn(Arch, &Region<'_>, &mut [f32]) + Sync,
) -> Vec<f32> {
    let [depth, height, width] = c.counts();
    let volume = c.channels * c.source.iter().product::<usize>();
    let gradient_volume = c.filters * c.target.iter().product::<usize>();
    let wanted = (PARTS * REGIONS).div_ceil(c.batch * height.div_ceil(tile[0]) * width.div_ceil(tile[1]));
    let slices = depth.div_ceil(wanted).max(LEAST_DEPTH);
    let mut regions = Vec::new();
    for sample in 0..c.batch {
        let place = sample * c.groups + group;
        for row in (0..height).step_by(tile[0]) {
            for column in (0..width).step_by(tile[1]) {
                for slice in (0..depth).step_by(slices) {
                    regions.push(Region {
                        source: &x[place * volume..][..volume],
                        gradient: &dy[place * gradient_volume..][..gradient_volume],
                        depth: slice..(slice + slices).min(depth),
                        first: [row, column],
                        extents: [tile[0].min(height - row), tile[1].min(width - column)],
                    });
                }
            }
        }
    }
    let len = blocks * block_len(c);
    let parts = PARTS.min(MEMORY / len.max(1)).min(regions.len() / REGIONS).max(1);
    let arch = Arch::new();
    let partial: Vec<Vec<f32>> = regions
        .par_chunks(regions.len().div_ceil(parts).max(1))
        .map(|regions| {
            let mut sums = vec![0.0; len];
            for region in regions {
                add(arch, region, &mut sums);
            }
            sums
        })
        .collect();
    let mut sums = vec![0.0; len];
    sums.par_chunks_mut(16 << 10).enumerate().for_each(|(chunk, sums)| {
        for partial in &partial {
            for (sum, &value) in sums.iter_mut().zip(&partial[chunk * (16 << 10)..]) {
                *sum += value;
            }
        }
    });
    sums
}

/// Adds a region to `[tap]` blocks.
fn plain(arch: Arch, c: &Correlation, region: &Region<'_>, sums: &mut [f32]) {
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
    let mut gradient = Gradient::new(c, region, [rows, columns]);
    for position in region.depth.clone() {
        gradient.load(arch, c, position);
        let mut blocks = sums.chunks_exact_mut(block_len(c));
        for d in &depth.taps {
            let slice = (position * c.step[0]) as isize + d.offset;
            let start = slices.get(slice, |tile| {
                arch.dispatch(Pack::of(c, region.source, Window { depth: slice, ..window }, tile));
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
fn transformed(arch: Arch, c: &Correlation, outputs: usize, region: &Region<'_>, sums: &mut [f32]) {
    let phase = &c.phases[0];
    let stride = padded(c.filters);
    let tiles = region.extents.map(|extent| extent.div_ceil(outputs));
    let count = tiles[0] * tiles[1];
    let mut scene = Scene::new(c, outputs);
    scene.restart(c, region.first, tiles);
    let bases: Vec<usize> = (0..count).map(|tile| tile * c.channels).collect();
    let mut gradient = Gradient::new(c, region, tiles.map(|tiles| outputs * tiles));
    let mut points = Scratch::new();
    let points = points.room(POINTS * count * stride);
    for position in region.depth.clone() {
        gradient.load(arch, c, position);
        arch.dispatch(Disperse { block: gradient.values(), tiles, outputs, stride, points });
        let taps = phase[0].taps.iter();
        let starts: Vec<usize> = taps
            .map(|tap| scene.start(arch, c, region.source, phase, (position * c.step[0]) as isize + tap.offset))
            .collect();
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

/// From `[point][depth tap]` blocks to the layout of the weights.
fn unpack_transformed(c: &Correlation, phase: &[Axis; 3], sums: &[f32], dw: &mut [f32]) {
    let [depth, height, width] = phase;
    let point_len = sums.len() / POINTS;
    // A forward correlation: the weights of a filter lie together.
    dw.par_chunks_mut(PANEL * c.filter_stride).enumerate().for_each(|(panel, dw)| {
        for (tap, &d) in depth.taps.iter().enumerate() {
            for channel in 0..c.channels {
                let at = tap * block_len(c) + entry(c, panel * PANEL, channel);
                let mut points = [[[0.0; PANEL]; 4]; 4];
                for (point, lanes) in points.iter_mut().flatten().enumerate() {
                    lanes.copy_from_slice(&sums[point * point_len + at..][..PANEL]);
                }
                for (row, &h) in winograd::gathered(&points, width.taps.len()).iter().zip(&height.taps) {
                    for (lanes, &w) in row.iter().zip(&width.taps) {
                        for (filter, &value) in lanes.iter().enumerate().take(dw.len() / c.filter_stride) {
                            dw[c.weight_index(filter, channel, [d, h, w])] = value;
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
    fn new(c: &Correlation, region: &Region<'a>, room: [usize; 2]) -> Self {
        let len = room[0] * room[1] * padded(c.filters);
        let mut values = Scratch::new();
        values.room(len).fill(0.0);
        Gradient {
            source: region.gradient,
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
