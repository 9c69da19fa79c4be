//! Convolution with kernels of 3 x 3 by Winograd's minimal filtering F(2 x 2, 3 x 3).
//!
//! Two by two outputs come from 4 x 4 inputs with 16 products in place of 36: `Y = A' [(G g G') * (B' d B)] A` (Lavin & Gray, 2016,
//! doi:10.1109/CVPR.2016.435, equation 8; `'` transposes). A third axis stays as it is: its taps add up between the
//! transforms. Larger tiles would save more, and lose a digit.

use super::correlation::{Axis, Correlation};
use super::direct::{Slices, window};
use super::micro::{Collect, POINTS, Spread};
use super::micro::{Gather, PANEL};
use super::strips::{Strip, padded};
use super::tile::{Pack, Unpack, Window};
use pulp::Arch;

/// Transformed values, of source and target, that are held at once: half of a second cache of 1 MiB.
const HELD: usize = 128 << 10;

/// The fewest and the most tiles that go through the kernels together.
const TILES: std::ops::RangeInclusive<usize> = 24..=192;

/// The most tiles side by side.
const ACROSS: usize = 16;

/// Whether a phase can go this way, and gains by it.
pub(super) fn suits(c: &Correlation, phase: &[Axis; 3]) -> bool {
    let plane = |axis: usize| {
        phase[axis].is_run_of(3) && phase[axis].count >= 2 && c.step[axis] == 1 && c.target_step[axis] == 1
    };
    plane(1) && plane(2) && !phase[0].taps.is_empty() && c.channels >= 8 && c.filters >= 8
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
    /// `[point][panel][depth tap][channel][PANEL]`.
    weights: Vec<f32>,
    tiles: [usize; 2],
}

impl Plan {
    pub fn new(c: &Correlation, phase: &[Axis; 3], weights: &[f32]) -> Self {
        let [depth, height, width] = phase;
        let point_len = padded(c.filters) * depth.taps.len() * c.channels;
        let mut packed = vec![0.0; POINTS * point_len];
        for filter in 0..c.filters {
            for (tap, &d) in depth.taps.iter().enumerate() {
                for channel in 0..c.channels {
                    let kernel: [[f64; 3]; 3] = std::array::from_fn(|h| {
                        std::array::from_fn(|w| {
                            f64::from(weights[c.weight_index(filter, channel, [d, height.taps[h], width.taps[w]])])
                        })
                    });
                    let at =
                        ((filter / PANEL * depth.taps.len() + tap) * c.channels + channel) * PANEL + filter % PANEL;
                    for (point, value) in spread(kernel).into_iter().flatten().enumerate() {
                        packed[point * point_len + at] = value as f32;
                    }
                }
            }
        }
        Plan { weights: packed, tiles: tiles(c, phase) }
    }

    /// Rows of positions that the tiles cover.
    pub fn tile_rows(&self) -> usize {
        2 * self.tiles[0]
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
        let stride = padded(c.filters);
        let panel_stride = depth.taps.len() * c.channels * PANEL;
        let point_weights = self.weights.len() / POINTS;
        let mut scene = Scene::default();
        let (mut products, mut block, mut bases) = (Vec::new(), Vec::new(), Vec::new());
        let rows = strip.rows.start..strip.rows.end.min(height.count);
        for first_row in rows.clone().step_by(2 * self.tiles[0]) {
            for first_column in (0..width.count).step_by(2 * self.tiles[1]) {
                let tile_rows = (2 * self.tiles[0]).min(rows.end - first_row);
                let columns = (2 * self.tiles[1]).min(width.count - first_column);
                let tiles = [tile_rows.div_ceil(2), columns.div_ceil(2)];
                let count = tiles[0] * tiles[1];
                scene.restart(c, phase, [first_row, first_column], tiles);
                bases.clear();
                bases.extend((0..count).map(|tile| tile * c.channels));
                products.resize(POINTS * count * stride, 0.0);
                block.resize(4 * count * stride, 0.0);
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
                            weights: &self.weights[point * point_weights..][..point_weights],
                            panel_stride,
                            target: &mut products[point * count * stride..][..count * stride],
                            target_stride: stride,
                            accumulate: false,
                        });
                    }
                    arch.dispatch(Collect { products: &products, tiles, stride, block: &mut block });
                    let slice = (position - strip.depth.start) * c.target_step[0] + depth.first;
                    arch.dispatch(Unpack {
                        block: &block,
                        bias,
                        strips: &mut strip.target[slice * c.filters..][..c.filters],
                        rows: tile_rows,
                        columns,
                        line: 2 * tiles[1],
                        stride,
                        row: first_row - strip.rows.start + height.first,
                        column: first_column + width.first,
                        step: [1, 1],
                        width: c.target[2],
                    });
                }
            }
        }
    }
}

/// The transformed source under a rectangle of tiles: a ring of depth slices, each `[point][tile][channel]`.
#[derive(Default)]
pub(super) struct Scene {
    pub slices: Slices,
    values: Vec<f32>,
    window: Option<Window>,
    tiles: [usize; 2],
}

impl Scene {
    /// Goes to the tiles whose first position is `first`.
    pub fn restart(&mut self, c: &Correlation, phase: &[Axis; 3], first: [usize; 2], tiles: [usize; 2]) {
        let window = window(c, phase, first[0], first[1], 2 * tiles[0], 2 * tiles[1]);
        self.slices.restart(phase[0].span(), POINTS * tiles[0] * tiles[1] * c.channels);
        self.values.resize(window.rows * window.columns * c.channels, 0.0);
        self.window = Some(window);
        self.tiles = tiles;
    }

    /// Where the transform of a depth slice of `source` begins in [`Scene::slices`].
    pub fn slice(&mut self, arch: Arch, c: &Correlation, source: &[f32], depth: isize) -> usize {
        let Some(window) = self.window else { return 0 };
        self.slices.get(depth, |transformed| {
            arch.dispatch(Pack::of(c, source, Window { depth, ..window }, &mut self.values));
            arch.dispatch(Spread {
                values: &self.values,
                line: window.columns,
                channels: c.channels,
                tiles: self.tiles,
                transformed,
            });
        })
    }
}

/// `G g G'`.
fn spread(kernel: [[f64; 3]; 3]) -> [[f64; 4]; 4] {
    let along = |g: [f64; 3]| [g[0], (g[0] + g[1] + g[2]) / 2.0, (g[0] - g[1] + g[2]) / 2.0, g[2]];
    let rows = kernel.map(along);
    let columns: [[f64; 4]; 4] = std::array::from_fn(|w| along([rows[0][w], rows[1][w], rows[2][w]]));
    std::array::from_fn(|h| std::array::from_fn(|w| columns[w][h]))
}

/// `G' u G`: the adjoint of [`spread`].
pub(super) fn gathered(points: [[f64; 4]; 4]) -> [[f64; 3]; 3] {
    let along = |u: [f64; 4]| [u[0] + (u[1] + u[2]) / 2.0, (u[1] - u[2]) / 2.0, (u[1] + u[2]) / 2.0 + u[3]];
    let rows = points.map(along);
    let columns: [[f64; 3]; 3] = std::array::from_fn(|w| along([rows[0][w], rows[1][w], rows[2][w], rows[3][w]]));
    std::array::from_fn(|h| std::array::from_fn(|w| columns[w][h]))
}
