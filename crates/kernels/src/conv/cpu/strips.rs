//! Runs a correlation in strips: a few rows of the target, over a run of depth slices, for one sample and group.

use super::After;
use super::correlation::{Axis, Correlation};
use super::tile::Unpack;
use super::{direct, planes, rows, winograd};
use crate::{activation, micro::PANEL};
use pulp::Arch;
use rayon::prelude::*;

/// Tasks that are wanted, if the target is large enough: several for each core of a large machine.
const TASKS: usize = 64;

/// The fewest depth slices of a task: its first ones are prepared twice.
pub(super) const LEAST_DEPTH: usize = 8;

/// A part of the target that one thread writes. Positions count from the start of the target, in units of its step.
pub(super) struct Strip<'a> {
    pub sample: usize,
    pub group: usize,
    pub depth: std::ops::Range<usize>,
    pub rows: std::ops::Range<usize>,
    /// `[target depth][filter]`, each the rows of the strip in one channel and depth slice.
    pub target: Vec<&'a mut [f32]>,
}

/// A rectangle of positions of one strip, and how the block that holds its values is laid out.
#[derive(Clone, Copy)]
pub(super) struct Patch {
    pub depth: usize,
    /// First row and column, in positions.
    pub first: [usize; 2],
    pub rows: usize,
    pub columns: usize,
    /// Columns that the block has room for; each holds the phases that differ along the width only, side by side.
    pub line: usize,
}

impl Strip<'_> {
    /// Writes `block`, `[row][column][phase][padded filters]`; `phase` is the first of those phases.
    pub fn write(&mut self, arch: Arch, c: &Correlation, phase: &[Axis; 3], patch: Patch, block: &[f32], bias: &[f32]) {
        let [depth, height, _] = phase;
        let across = c.target_step[2];
        let strips = ((patch.depth - self.depth.start) * c.target_step[0] + depth.first) * c.filters;
        if strips >= self.target.len() || patch.first[0] >= height.count {
            return; // the last slice or rows of another phase
        }
        arch.dispatch(Unpack {
            block,
            rows: patch.rows.min(height.count - patch.first[0]),
            columns: (patch.columns * across).min(c.target[2] - patch.first[1] * across),
            line: patch.line * across,
            stride: padded(c.filters),
            bias,
            strips: &mut self.target[strips..][..c.filters],
            width: c.target[2],
            row: (patch.first[0] - self.rows.start) * c.target_step[1] + height.first,
            column: patch.first[1] * across,
            step: c.target_step[1],
        });
    }
}

/// Weights of one group, packed for the way it is computed.
enum Plans {
    /// One for each phase.
    Direct(Vec<direct::Plan>),
    Winograd(Vec<winograd::Plan>),
    Planes(planes::Plan),
    Rows(Vec<rows::Plan>),
}

impl Plans {
    fn new(c: &Correlation, weights: &[f32]) -> Self {
        if planes::suited(c).is_some() {
            Plans::Planes(planes::Plan::new(c, weights))
        } else if rows::suited(c).is_some() {
            Plans::Rows(c.phases.iter().map(|phase| rows::Plan::new(c, phase, weights)).collect())
        } else if winograd::suited(c).is_some() {
            Plans::Winograd(c.phases.iter().map(|phase| winograd::Plan::new(c, phase, weights)).collect())
        } else {
            Plans::Direct(c.phases.iter().map(|phase| direct::Plan::new(c, phase, weights)).collect())
        }
    }
}

/// Computes all of `target`.
pub(super) fn run(c: &Correlation, source: &[f32], weights: &[f32], (bias, then): After<'_>, target: &mut [f32]) {
    if target.is_empty() {
        return;
    }
    let plans: Vec<Plans> =
        (0..c.groups).into_par_iter().map(|group| Plans::new(c, c.group_weights(weights, group))).collect();
    let rows = rows_at_once(c);
    let arch = Arch::new();
    split(c, rows, target).into_par_iter().for_each(|mut strip| {
        let volume = c.channels * c.source.iter().product::<usize>();
        let source = &source[(strip.sample * c.groups + strip.group) * volume..][..volume];
        let bias = &bias[strip.group * c.filters..][..c.filters];
        match &plans[strip.group] {
            Plans::Direct(plans) => direct::run(arch, c, plans, source, bias, &mut strip),
            Plans::Winograd(plans) => winograd::run(arch, c, plans, source, bias, &mut strip),
            Plans::Planes(plan) => planes::run(arch, c, plan, source, bias, &mut strip),
            Plans::Rows(plans) => rows::run(arch, c, plans, source, bias, &mut strip),
        }
        // while the strip is in the cache
        for rows in &mut strip.target {
            activation::cpu::forward_here(rows, then);
        }
    });
}

/// Rows of positions that are worked on at once.
fn rows_at_once(c: &Correlation) -> usize {
    if let Some(tiles) = planes::suited(c) {
        return tiles * planes::OUTPUTS;
    }
    if let Some(rows) = rows::suited(c) {
        return rows;
    }
    winograd::suited(c).map_or_else(|| direct::tile(c).0, |tiling| tiling.rows())
}

/// Cuts the target into strips of `rows` positions.
fn split<'a>(c: &Correlation, rows: usize, target: &'a mut [f32]) -> Vec<Strip<'a>> {
    let [depth, height, width] = c.target;
    if target.is_empty() {
        return Vec::new();
    }
    let positions = c.counts();
    let row_parts = positions[1].div_ceil(rows);
    let wanted = TASKS.div_ceil(c.batch * c.groups * row_parts);
    let slices = positions[0].div_ceil(wanted).max(LEAST_DEPTH).min(positions[0]);
    let depth_parts = positions[0].div_ceil(slices);
    let mut strips = Vec::with_capacity(c.batch * c.groups * depth_parts * row_parts);
    for sample in 0..c.batch {
        for group in 0..c.groups {
            for d in 0..depth_parts {
                for h in 0..row_parts {
                    let depth = d * slices..((d + 1) * slices).min(positions[0]);
                    let rows = h * rows..((h + 1) * rows).min(positions[1]);
                    strips.push(Strip { sample, group, depth, rows, target: Vec::new() });
                }
            }
        }
    }
    let strip_len = rows * c.target_step[1] * width;
    for (plane, values) in target.chunks_exact_mut(height * width).enumerate() {
        let part = plane % depth / (slices * c.target_step[0]);
        let sample_and_group = plane / depth / c.filters;
        for (h, values) in values.chunks_mut(strip_len).enumerate() {
            strips[(sample_and_group * depth_parts + part) * row_parts + h].target.push(values);
        }
    }
    // They came filter by filter; the writers want all filters of one slice side by side.
    for strip in &mut strips {
        let slices = strip.target.len() / c.filters;
        let mut slots: Vec<Option<&mut [f32]>> = strip.target.drain(..).map(Some).collect();
        for slice in 0..slices {
            for filter in 0..c.filters {
                strip.target.extend(slots[filter * slices + slice].take());
            }
        }
    }
    strips
}

/// Room for `filters`, in whole panels.
pub(super) fn padded(filters: usize) -> usize {
    filters.next_multiple_of(PANEL)
}
