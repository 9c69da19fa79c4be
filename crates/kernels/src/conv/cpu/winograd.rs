//! Convolution with kernels of 3 x 3 and 2 x 2 (in the last two axes) by Winograd's minimal filtering with tiles of 4 x 4.
//!
//! `Y = A' [(G g G') * (B' d B)] A` (Lavin & Gray, 2016, doi:10.1109/CVPR.2016.435, equation 8; `'` transposes): 16 products in
//! place of 36, for 2 x 2 outputs of a kernel of 3 x 3 as for 3 x 3 outputs of one of 2 x 2, which is what each phase of a
//! transposed convolution with a kernel of 4 x 4 and stride 2 has. A third axis stays as it is: its taps add up between the
//! transforms. Larger tiles would save more, and lose a digit.

use super::correlation::{Axis, Correlation};
use super::direct::{Reach, Slices};
use super::scratch::Scratch;
use super::strips::{Patch, Strip, padded};
use super::tile::{Pack, Window};
use crate::{
    micro::{Collect, Gather, PANEL, POINTS, Spread},
    vectorized::vectorized,
};
use pulp::Arch;
use rayon::prelude::*;

/// Transformed values, of source and target, that are held at once: half of a second cache of 1 MiB.
const HELD: usize = 128 << 10;

/// The fewest and the most tiles that go through the kernels together.
const TILES: std::ops::RangeInclusive<usize> = 24..=192;

/// The most tiles side by side.
const ACROSS: usize = 32;

/// Products that a weight has to save, at least: its own transform takes about as long.
const SAVED: usize = 256;

/// How the positions are covered with tiles.
#[derive(Clone, Copy)]
pub(super) struct Tiling {
    /// Outputs of a tile, along each axis.
    pub outputs: usize,
    /// Tiles that are worked on at once, down and across.
    pub tiles: [usize; 2],
}

impl Tiling {
    /// Rows of positions that the tiles cover.
    pub fn rows(&self) -> usize {
        self.tiles[0] * self.outputs
    }

    /// Columns of positions that the tiles cover.
    pub fn columns(&self) -> usize {
        self.tiles[1] * self.outputs
    }
}

/// The tiling of a correlation that can go this way, and gains by it.
pub(super) fn suited(c: &Correlation) -> Option<Tiling> {
    let taps = c.phases.first()?[1].taps.len();
    let suits =
        |phase: &[Axis; 3], axis: usize| phase[axis].is_run_of(taps) && phase[axis].count >= 2 && c.step[axis] == 1;
    let all = c.phases.iter().all(|phase| suits(phase, 1) && suits(phase, 2) && !phase[0].taps.is_empty());
    if !(all && matches!(taps, 2 | 3) && c.channels >= 8 && c.filters >= 8) {
        return None;
    }
    let outputs = 5 - taps;
    let [slices, height, width] = c.counts();
    let [rows, columns] = [height, width].map(|count| count.div_ceil(outputs));
    let products = c.batch * slices * height * width * taps * taps;
    if products < c.batch * slices * rows * columns * POINTS + SAVED {
        return None;
    }
    let each = POINTS * (c.channels * Reach::of(c).span[0] * views(c).len() + padded(c.filters));
    let count = (HELD / each).clamp(*TILES.start(), *TILES.end());
    let across = columns.div_ceil(columns.div_ceil(ACROSS));
    Some(Tiling { outputs, tiles: [(count / across).clamp(1, rows), across] })
}

/// The places, in rows and columns, from which the phases read: phases that read from the same share a transform.
fn views(c: &Correlation) -> Vec<[isize; 2]> {
    let mut views: Vec<_> = c.phases.iter().map(|[_, height, width]| [height.lowest(), width.lowest()]).collect();
    views.sort_unstable();
    views.dedup();
    views
}

/// Transformed weights of one phase.
pub(super) struct Plan {
    /// `[panel][point][depth tap][channel][PANEL]`.
    weights: Vec<f32>,
}

impl Plan {
    pub fn new(c: &Correlation, phase: &[Axis; 3], weights: &[f32]) -> Self {
        let panel_len = POINTS * phase[0].taps.len() * c.channels * PANEL;
        let mut packed = vec![0.0; padded(c.filters) / PANEL * panel_len];
        packed.par_chunks_exact_mut(panel_len).enumerate().for_each(|(panel, packed)| {
            vectorized(
                #[inline(always)]
                || pack(c, phase, weights, panel, packed),
            );
        });
        Plan { weights: packed }
    }
}

/// One panel of a [`Plan`].
#[inline(always)]
fn pack(c: &Correlation, [depth, height, width]: &[Axis; 3], weights: &[f32], panel: usize, packed: &mut [f32]) {
    let point_len = packed.len() / POINTS;
    let filters = (c.filters - panel * PANEL).min(PANEL);
    for (tap, &d) in depth.taps.iter().enumerate() {
        for channel in 0..c.channels {
            let mut kernel = [[[0.0; PANEL]; 3]; 3];
            for (row, &h) in kernel.iter_mut().zip(&height.taps) {
                for (lanes, &w) in row.iter_mut().zip(&width.taps) {
                    for (lane, value) in lanes.iter_mut().enumerate().take(filters) {
                        *value = weights[c.weight_index(panel * PANEL + lane, channel, [d, h, w])];
                    }
                }
            }
            let at = (tap * c.channels + channel) * PANEL;
            for (point, lanes) in spread(&kernel, width.taps.len()).iter().flatten().enumerate() {
                packed[point * point_len + at..][..PANEL].copy_from_slice(lanes);
            }
        }
    }
}

/// Computes a strip.
pub(super) fn run(arch: Arch, c: &Correlation, plans: &[Plan], source: &[f32], bias: &[f32], strip: &mut Strip<'_>) {
    let Some(tiling) = suited(c) else { return };
    let (stride, across) = (padded(c.filters), c.target_step[2]);
    let columns = c.counts()[2];
    let mut scene = Scene::new(c, tiling.outputs);
    let (mut products, mut block, mut bases) = (Scratch::new(), Scratch::new(), Vec::new());
    for first_row in strip.rows.clone().step_by(tiling.rows()) {
        for first_column in (0..columns).step_by(tiling.columns()) {
            let first = [first_row, first_column];
            let rows = tiling.rows().min(strip.rows.end - first_row);
            let columns = tiling.columns().min(columns - first_column);
            let tiles = [rows, columns].map(|positions| positions.div_ceil(tiling.outputs));
            let count = tiles[0] * tiles[1];
            let patch = Patch { depth: 0, first, rows, columns, line: tiles[1] * tiling.outputs };
            scene.restart(c, first, tiles);
            bases.clear();
            bases.extend((0..count).map(|tile| tile * c.channels));
            let products = products.room(POINTS * count * stride);
            let block = block.room(tiling.outputs * tiling.outputs * count * across * stride);
            for position in strip.depth.clone() {
                for (phases, plans) in c.phases.chunks(across).zip(plans.chunks(across)) {
                    for (side, (phase, plan)) in phases.iter().zip(plans).enumerate() {
                        let taps = phase[0].taps.iter();
                        let starts: Vec<usize> = taps
                            .map(|tap| {
                                scene.start(arch, c, source, phase, (position * c.step[0]) as isize + tap.offset)
                            })
                            .collect();
                        let point_len = starts.len() * c.channels * PANEL;
                        for point in 0..POINTS {
                            let offsets: Vec<usize> =
                                starts.iter().map(|start| start + point * count * c.channels).collect();
                            arch.dispatch(Gather {
                                source: scene.values(),
                                bases: &bases,
                                offsets: &offsets,
                                channels: c.channels,
                                weights: &plan.weights[point * point_len..],
                                panel_stride: POINTS * point_len,
                                filters: c.filters,
                                target: &mut products[point * count * stride..][..count * stride],
                                target_stride: stride,
                                accumulate: false,
                            });
                        }
                        let cell = across * stride;
                        let block = &mut block[side * stride..];
                        arch.dispatch(Collect { products, tiles, outputs: tiling.outputs, stride, cell, block });
                    }
                    strip.write(arch, c, &phases[0], Patch { depth: position, ..patch }, block, bias);
                }
            }
        }
    }
}

/// The transformed source under a rectangle of tiles: a ring of depth slices, each `[view][point][tile][channel]`.
pub(super) struct Scene {
    outputs: usize,
    views: Vec<[isize; 2]>,
    reach: Reach,
    slices: Slices,
    packed: Scratch,
    window: Window,
    tiles: [usize; 2],
}

impl Scene {
    pub fn new(c: &Correlation, outputs: usize) -> Self {
        Scene {
            outputs,
            views: views(c),
            reach: Reach::of(c),
            slices: Slices::new(),
            packed: Scratch::new(),
            window: Window::default(),
            tiles: [0; 2],
        }
    }

    /// Goes to the tiles whose first position is `first`.
    pub fn restart(&mut self, c: &Correlation, first: [usize; 2], tiles: [usize; 2]) {
        self.tiles = tiles;
        self.window = self.reach.window(c, first, tiles.map(|tiles| tiles * self.outputs));
        self.slices.restart(self.reach.span[0], self.views.len() * self.view_len(c));
    }

    /// Where the transform of a depth slice of `source`, as `phase` reads it, begins in [`Scene::values`].
    pub fn start(&mut self, arch: Arch, c: &Correlation, source: &[f32], phase: &[Axis; 3], depth: isize) -> usize {
        let view_len = self.view_len(c);
        let (window, reach) = (self.window, self.reach);
        let start = self.slices.get(depth, |transformed| {
            let tile = self.packed.room(window.rows * window.columns * c.channels);
            arch.dispatch(Pack::of(c, source, Window { depth, ..window }, tile));
            for (view, transformed) in self.views.iter().zip(transformed.chunks_exact_mut(view_len)) {
                let [row, column] = [view[0] - reach.lowest[1], view[1] - reach.lowest[2]];
                let from = (row as usize * window.columns + column as usize) * c.channels;
                arch.dispatch(Spread {
                    values: &tile[from..],
                    line: window.columns,
                    channels: c.channels,
                    tiles: self.tiles,
                    outputs: self.outputs,
                    transformed,
                });
            }
        });
        let view = self.views.iter().position(|&view| view == [phase[1].lowest(), phase[2].lowest()]);
        start + view.unwrap_or(0) * view_len
    }

    pub fn values(&self) -> &[f32] {
        self.slices.values()
    }

    fn view_len(&self, c: &Correlation) -> usize {
        POINTS * self.tiles[0] * self.tiles[1] * c.channels
    }
}

/// Weights of one element of the kernel, or of one point, for the filters of a panel.
pub(super) type Lanes = [f32; PANEL];

/// `G g G'` of a kernel of `taps` x `taps`; what lies beyond is zero.
#[inline(always)]
pub(super) fn spread(kernel: &[[Lanes; 3]; 3], taps: usize) -> [[Lanes; 4]; 4] {
    // `G g` of one column: g0, the sum of all, the sum with alternating signs, both halved, and the last.
    let along = |g: [f32; 3]| {
        let even = g[0] + g[2];
        [g[0], (even + g[1]) / 2.0, (even - g[1]) / 2.0, g[taps - 1]]
    };
    let mut rows = [[[0.0; PANEL]; 4]; 3];
    let mut points = [[[0.0; PANEL]; 4]; 4];
    for lane in 0..PANEL {
        for (row, g) in rows.iter_mut().zip(kernel) {
            for (value, along) in row.iter_mut().zip(along([g[0][lane], g[1][lane], g[2][lane]])) {
                value[lane] = along;
            }
        }
        for w in 0..4 {
            for (h, along) in along([rows[0][w][lane], rows[1][w][lane], rows[2][w][lane]]).into_iter().enumerate() {
                points[h][w][lane] = along;
            }
        }
    }
    points
}

/// `G' u G`, the adjoint of [`spread`].
#[inline(always)]
pub(super) fn gathered(points: &[[Lanes; 4]; 4], taps: usize) -> [[Lanes; 3]; 3] {
    let along = |u: [f32; 4]| {
        let even = (u[1] + u[2]) / 2.0;
        let mut g = [u[0] + even, (u[1] - u[2]) / 2.0, even];
        g[taps - 1] += u[3];
        g
    };
    let mut rows = [[[0.0; PANEL]; 3]; 4];
    let mut kernel = [[[0.0; PANEL]; 3]; 3];
    for lane in 0..PANEL {
        for (row, u) in rows.iter_mut().zip(points) {
            for (value, along) in row.iter_mut().zip(along([u[0][lane], u[1][lane], u[2][lane], u[3][lane]])) {
                value[lane] = along;
            }
        }
        for w in 0..3 {
            let u = [rows[0][w][lane], rows[1][w][lane], rows[2][w][lane], rows[3][w][lane]];
            for (h, along) in along(u).into_iter().enumerate() {
                kernel[h][w][lane] = along;
            }
        }
    }
    kernel
}
