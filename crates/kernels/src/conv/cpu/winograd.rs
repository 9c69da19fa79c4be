//! Convolution with kernels of 3 x 3 by Winograd's minimal filtering F(2 x 2, 3 x 3).
//!
//! Two by two outputs come from 4 x 4 inputs with 16 products in place of 36: `Y = A' [(G g G') * (B' d B)] A` (Lavin & Gray, 2016,
//! doi:10.1109/CVPR.2016.435, equation 8; `'` transposes). A third axis stays as it is: its taps add up between the
//! transforms. Larger tiles would save more, and lose a digit.

use super::correlation::{Axis, Correlation};
use super::direct::{Reach, Slices};
use super::micro::{Collect, POINTS, Spread};
use super::micro::{Gather, PANEL};
use super::scratch::Scratch;
use super::strips::{Strip, padded};
use super::tile::{Pack, Unpack, Window};
use pulp::Arch;
use rayon::prelude::*;

/// Transformed values, of source and target, that are held at once: half of a second cache of 1 MiB.
const HELD: usize = 128 << 10;

/// The fewest and the most tiles that go through the kernels together.
const TILES: std::ops::RangeInclusive<usize> = 24..=192;

/// The most tiles side by side.
const ACROSS: usize = 32;

/// The only phase of a correlation that can go this way, and gains by it.
pub(super) fn suited(c: &Correlation) -> Option<&[Axis; 3]> {
    let [phase] = &c.phases[..] else { return None };
    let plane = |axis: usize| {
        phase[axis].is_run_of(3) && phase[axis].count >= 2 && c.step[axis] == 1 && c.target_step[axis] == 1
    };
    (plane(1) && plane(2) && c.channels >= 8 && c.filters >= 8).then_some(phase)
}

/// How many tiles are worked on at once, down and across.
pub(super) fn tiles(c: &Correlation, phase: &[Axis; 3]) -> [usize; 2] {
    let [depth, height, width] = phase;
    let each = POINTS * (c.channels * depth.span() + padded(c.filters));
    let count = (HELD / each).clamp(*TILES.start(), *TILES.end());
    let across = width.count.div_ceil(2).min(ACROSS);
    let parts = width.count.div_ceil(2).div_ceil(across);
    let across = width.count.div_ceil(2).div_ceil(parts);
    [(count / across).clamp(1, height.count.div_ceil(2)), across]
}

/// Transformed weights of one phase.
pub(super) struct Plan {
    /// `[panel][point][depth tap][channel][PANEL]`.
    weights: Vec<f32>,
    tiles: [usize; 2],
}

impl Plan {
    pub fn new(c: &Correlation, phase: &[Axis; 3], weights: &[f32]) -> Self {
        let [depth, height, width] = phase;
        let point_len = depth.taps.len() * c.channels * PANEL;
        let mut packed = vec![0.0; padded(c.filters) / PANEL * POINTS * point_len];
        packed.par_chunks_exact_mut(POINTS * point_len).enumerate().for_each(|(panel, packed)| {
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
                    for (point, lanes) in spread(&kernel).iter().flatten().enumerate() {
                        packed[point * point_len + at..][..PANEL].copy_from_slice(lanes);
                    }
                }
            }
        });
        Plan { weights: packed, tiles: tiles(c, phase) }
    }

    /// Computes the positions of one phase that lie in the strip.
    pub fn run(&self, arch: Arch, c: &Correlation, source: &[f32], bias: Option<&[f32]>, strip: &mut Strip<'_>) {
        let [depth, height, width] = &c.phases[0];
        let stride = padded(c.filters);
        let point_len = depth.taps.len() * c.channels * PANEL;
        let mut scene = Scene::new();
        let (mut products, mut block, mut bases) = (Scratch::new(), Scratch::new(), Vec::new());
        let rows = strip.rows.start..strip.rows.end.min(height.count);
        for first_row in rows.clone().step_by(2 * self.tiles[0]) {
            for first_column in (0..width.count).step_by(2 * self.tiles[1]) {
                let tile_rows = (2 * self.tiles[0]).min(rows.end - first_row);
                let columns = (2 * self.tiles[1]).min(width.count - first_column);
                let tiles = [tile_rows.div_ceil(2), columns.div_ceil(2)];
                let count = tiles[0] * tiles[1];
                scene.restart(c, [first_row, first_column], tiles);
                bases.clear();
                bases.extend((0..count).map(|tile| tile * c.channels));
                let products = products.room(POINTS * count * stride);
                let block = block.room(4 * count * stride);
                for position in strip.depth.start..strip.depth.end.min(depth.count) {
                    let starts: Vec<usize> = depth
                        .taps
                        .iter()
                        .map(|tap| scene.slice(arch, c, source, (position * c.step[0]) as isize + tap.offset))
                        .collect();
                    for point in 0..POINTS {
                        let offsets: Vec<usize> =
                            starts.iter().map(|start| start + point * count * c.channels).collect();
                        arch.dispatch(Gather {
                            source: scene.slices.values(),
                            bases: &bases,
                            offsets: &offsets,
                            channels: c.channels,
                            weights: &self.weights[point * point_len..],
                            panel_stride: POINTS * point_len,
                            panels: stride / PANEL,
                            target: &mut products[point * count * stride..][..count * stride],
                            target_stride: stride,
                            accumulate: false,
                        });
                    }
                    arch.dispatch(Collect { products, tiles, stride, block });
                    let slice = (position - strip.depth.start) * c.target_step[0] + depth.first;
                    arch.dispatch(Unpack {
                        block,
                        bias,
                        strips: &mut strip.target[slice * c.filters..][..c.filters],
                        rows: tile_rows,
                        columns,
                        line: 2 * tiles[1],
                        stride,
                        row: first_row - strip.rows.start + height.first,
                        column: first_column + width.first,
                        step: 1,
                        width: c.target[2],
                    });
                }
            }
        }
    }
}

/// The transformed source under a rectangle of tiles: a ring of depth slices, each `[point][tile][channel]`.
pub(super) struct Scene {
    pub slices: Slices,
    values: Scratch,
    window: Option<Window>,
    tiles: [usize; 2],
}

impl Scene {
    pub fn new() -> Self {
        Scene { slices: Slices::new(), values: Scratch::new(), window: None, tiles: [0; 2] }
    }

    /// Goes to the tiles whose first position is `first`.
    pub fn restart(&mut self, c: &Correlation, first: [usize; 2], tiles: [usize; 2]) {
        let reach = Reach::of(c);
        let window = reach.window(c, first, tiles.map(|tiles| 2 * tiles));
        self.slices.restart(reach.span[0], POINTS * tiles[0] * tiles[1] * c.channels);
        self.window = Some(window);
        self.tiles = tiles;
    }

    /// Where the transform of a depth slice of `source` begins in [`Scene::slices`].
    pub fn slice(&mut self, arch: Arch, c: &Correlation, source: &[f32], depth: isize) -> usize {
        let Some(window) = self.window else { return 0 };
        self.slices.get(depth, |transformed| {
            let tile = self.values.room(window.rows * window.columns * c.channels);
            arch.dispatch(Pack::of(c, source, Window { depth, ..window }, tile));
            arch.dispatch(Spread {
                values: tile,
                line: window.columns,
                channels: c.channels,
                tiles: self.tiles,
                transformed,
            });
        })
    }
}

/// Weights of one element of the kernel, or of one point, for the filters of a panel.
pub(super) type Lanes = [f32; PANEL];

/// `G g G'`.
fn spread(kernel: &[[Lanes; 3]; 3]) -> [[Lanes; 4]; 4] {
    let mut rows = [[[0.0; PANEL]; 4]; 3];
    let mut points = [[[0.0; PANEL]; 4]; 4];
    for lane in 0..PANEL {
        for (row, g) in rows.iter_mut().zip(kernel) {
            let (even, odd) = (g[0][lane] + g[2][lane], g[1][lane]);
            let line = [g[0][lane], (even + odd) / 2.0, (even - odd) / 2.0, g[2][lane]];
            for (value, along) in row.iter_mut().zip(line) {
                value[lane] = along;
            }
        }
        for w in 0..4 {
            let g = [rows[0][w][lane], rows[1][w][lane], rows[2][w][lane]];
            let (even, odd) = (g[0] + g[2], g[1]);
            for (h, along) in [g[0], (even + odd) / 2.0, (even - odd) / 2.0, g[2]].into_iter().enumerate() {
                points[h][w][lane] = along;
            }
        }
    }
    points
}

/// `G' u G`: the adjoint of the transform of the weights.
pub(super) fn gathered(points: &[[Lanes; 4]; 4]) -> [[Lanes; 3]; 3] {
    let mut rows = [[[0.0; PANEL]; 3]; 4];
    let mut kernel = [[[0.0; PANEL]; 3]; 3];
    for lane in 0..PANEL {
        for (row, u) in rows.iter_mut().zip(points) {
            let (sum, difference) = ((u[1][lane] + u[2][lane]) / 2.0, (u[1][lane] - u[2][lane]) / 2.0);
            for (value, along) in row.iter_mut().zip([u[0][lane] + sum, difference, sum + u[3][lane]]) {
                value[lane] = along;
            }
        }
        for w in 0..3 {
            let u = [rows[0][w][lane], rows[1][w][lane], rows[2][w][lane], rows[3][w][lane]];
            let (sum, difference) = ((u[1] + u[2]) / 2.0, (u[1] - u[2]) / 2.0);
            for (h, along) in [u[0] + sum, difference, sum + u[3]].into_iter().enumerate() {
                kernel[h][w][lane] = along;
            }
        }
    }
    kernel
}
