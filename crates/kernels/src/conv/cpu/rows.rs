//! Convolution of planes with few channels, as it is defined.
//!
//! The values stay channel-first and every vector lies along a row. Rows with what is read beyond their ends lie behind each other, so that a tap is a
//! shift of all rows at once; of positions that are several places apart, the places between them make planes of their own. Nothing is
//! transposed, and no vector is filled up with channels that are not there.

use super::correlation::{Axis, Correlation};
use super::direct::{self, Reach};
use super::scratch::Scratch;
use super::strips::Strip;
use super::tile::Line;
use crate::micro::{BLOCK, GRAIN, Mix};
use pulp::Arch;

/// Channels or filters below which vectors of channels would be mostly empty, and the most of the others.
const FEW: usize = 8;
const MOST: usize = 32;

/// Values of source and target that are held at once: half of a second cache of 1 MiB.
const HELD: usize = 128 << 10;

/// The fewest and the most positions that go through the kernel together.
const POSITIONS: std::ops::RangeInclusive<usize> = 96..=4096;

/// The fewest positions of a row: what is computed between rows should not count.
const LEAST_WIDTH: usize = 8;

/// Rows of positions that are worked on at once, for a correlation that can go this way and gains by it.
pub(super) fn suited(c: &Correlation) -> Option<usize> {
    let flat = |phase: &[Axis; 3]| {
        let [depth, height, width] = phase;
        matches!(depth.taps[..], [tap] if tap.offset == 0) && !height.taps.is_empty() && !width.taps.is_empty()
    };
    let [slices, rows, columns] = c.counts();
    let few = c.channels.min(c.filters) < FEW && c.channels.max(c.filters) <= MOST;
    if !(few && slices == 1 && c.source[0] == 1 && columns >= LEAST_WIDTH && c.phases.iter().all(flat)) {
        return None;
    }
    let shape = Shape::of(c, 1);
    let each = shape.planes * c.channels + c.filters.next_multiple_of(BLOCK);
    let positions = (HELD / each).clamp(*POSITIONS.start(), *POSITIONS.end());
    let most = (positions / shape.line).clamp(1, rows);
    Some(rows.div_ceil(rows.div_ceil(most)))
}

/// How the places lie that some rows of positions read.
#[derive(Clone, Copy)]
struct Shape {
    reach: Reach,
    /// Places between two positions, down and across.
    step: [usize; 2],
    /// Planes of a channel: one for each place from one position to the next.
    planes: usize,
    /// Rows of a plane, and from row to row.
    lines: usize,
    line: usize,
    /// Positions, rounded up.
    length: usize,
    /// From plane to plane.
    plane: usize,
}

impl Shape {
    fn of(c: &Correlation, rows: usize) -> Self {
        let (reach, step) = (Reach::of(c), [c.step[1], c.step[2]]);
        let [below, beside] = [0, 1].map(|axis| (reach.span[axis + 1] - 1) / step[axis]);
        let (lines, line) = (rows + below, c.counts()[2] + beside);
        let length = (rows * line).next_multiple_of(GRAIN);
        // the last tap reads on from the end, and planes should not fall on the same places of a cache
        let plane = (below * line + beside + length).next_multiple_of(GRAIN) + GRAIN;
        Self { reach, step, planes: step[0] * step[1], lines, line, length, plane }
    }

    /// How far each tap shifts a channel.
    fn shifts(&self, phase: &[Axis; 3]) -> Vec<usize> {
        let shift = |axis: usize, offset: isize| {
            let from = (offset - self.reach.lowest[axis + 1]) as usize;
            (from % self.step[axis], from / self.step[axis])
        };
        let taps = direct::taps(phase).into_iter().map(|[_, h, w]| {
            let ((above, down), (before, across)) = (shift(0, h.offset), shift(1, w.offset));
            (above * self.step[1] + before) * self.plane + down * self.line + across
        });
        taps.collect()
    }
}

/// The source under some rows of positions, `[channel][plane]`.
pub(super) struct Scene {
    shape: Shape,
    values: Scratch,
}

impl Scene {
    pub fn new(c: &Correlation, source: &[f32], rows: &std::ops::Range<usize>) -> Self {
        let shape = Shape::of(c, rows.len());
        let [_, height, width] = c.source;
        let [down, across] = shape.step;
        let beside: Vec<Line> = (0..across)
            .map(|before| Line::new(c, shape.reach.lowest[2] + before as isize, across, shape.line))
            .collect();
        let mut values = Scratch::new();
        let planes = values.room(c.channels * shape.planes * shape.plane).chunks_exact_mut(shape.plane);
        for (index, plane) in planes.enumerate() {
            let (channel, above) = (index / shape.planes, index % shape.planes / across);
            let source = &source[channel * height * width..][..height * width];
            let first = (rows.start * down + above) as isize + shape.reach.lowest[1];
            let (lines, rest) = plane.split_at_mut(shape.lines * shape.line);
            for (place, line) in lines.chunks_exact_mut(shape.line).enumerate() {
                beside[index % across].fill(c, source, first + (place * down) as isize, line);
            }
            // a gradient multiplies what lies behind with nought: no leftovers
            rest.fill(0.0);
        }
        Self { shape, values }
    }

    pub fn values(&self) -> &[f32] {
        self.values.values()
    }

    /// From row to row.
    pub fn line(&self) -> usize {
        self.shape.line
    }

    /// Positions, rounded up.
    pub fn length(&self) -> usize {
        self.shape.length
    }

    /// Where each tap of each channel begins to read, `[channel][tap]`.
    pub fn lefts(&self, c: &Correlation, phase: &[Axis; 3]) -> Vec<usize> {
        let shifts = self.shape.shifts(phase);
        (0..c.channels).flat_map(|channel| shifts.iter().map(move |shift| channel * self.pitch() + shift)).collect()
    }

    fn pitch(&self) -> usize {
        self.shape.planes * self.shape.plane
    }
}

/// Weights of one phase, `[block][tap][channel][BLOCK]`.
pub(super) struct Plan(Vec<f32>);

impl Plan {
    pub fn new(c: &Correlation, phase: &[Axis; 3], weights: &[f32]) -> Self {
        let taps = direct::taps(phase);
        let mut packed = Vec::with_capacity(c.filters.next_multiple_of(BLOCK) * taps.len() * c.channels);
        for block in (0..c.filters).step_by(BLOCK) {
            for &taps in &taps {
                for channel in 0..c.channels {
                    packed.extend((block..block + BLOCK).map(|filter| match filter < c.filters {
                        true => weights[c.weight_index(filter, channel, taps)],
                        false => 0.0,
                    }));
                }
            }
        }
        Self(packed)
    }
}

/// Computes a strip.
pub(super) fn run(arch: Arch, c: &Correlation, plans: &[Plan], source: &[f32], bias: &[f32], strip: &mut Strip<'_>) {
    let scene = Scene::new(c, source, &strip.rows);
    let (length, blocks) = (scene.length(), c.filters.div_ceil(BLOCK));
    let mut sums = Scratch::new();
    let sums = sums.room(blocks * BLOCK * length);
    for (phase, plan) in c.phases.iter().zip(plans) {
        let taps = scene.shape.shifts(phase);
        arch.dispatch(Mix {
            source: scene.values(),
            pitch: scene.pitch(),
            channels: c.channels,
            taps: &taps,
            weights: &plan.0,
            block_stride: taps.len() * c.channels * BLOCK,
            blocks,
            length,
            target: sums,
            target_pitch: length,
        });
        let [_, height, width] = phase;
        let (rows, [_, down, across]) =
            (strip.rows.end.min(height.count).saturating_sub(strip.rows.start), c.target_step);
        for ((target, sums), bias) in strip.target.iter_mut().zip(sums.chunks_exact(length)).zip(bias) {
            let lines = sums.chunks_exact(scene.line()).take(rows);
            let targets = target.chunks_exact_mut(c.target[2]).skip(height.first).step_by(down);
            for (target, sums) in targets.zip(lines) {
                let (target, sums) = (&mut target[width.first..], &sums[..width.count]);
                match across {
                    1 => target.iter_mut().zip(sums).for_each(|(value, sum)| *value = sum + bias),
                    _ => target.iter_mut().step_by(across).zip(sums).for_each(|(value, sum)| *value = sum + bias),
                }
            }
        }
    }
}
