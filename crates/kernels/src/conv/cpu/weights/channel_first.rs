//! The ways whose vectors lie along the width: each sum is one of products of rows, and ends in one across a vector.

use super::{
    super::{correlation::Correlation, planes, rows, scratch::Scratch},
    Region, block_len, entry,
};
use crate::micro::{DisperseRows, Dots, GRAIN, SIDE};
use pulp::Arch;

/// Adds a region to `[point][width tap]` blocks.
pub(super) fn across_planes(
    arch: Arch,
    c: &Correlation,
    region: &Region,
    source: &[f32],
    gradient: &[f32],
    sums: &mut [f32],
) {
    let taps = c.phases[0][2].taps.len();
    let [extent, height, width] = c.target;
    let mut scene = planes::Scene::new(c, region.first[0], region.extents[0]);
    let (length, stride) = (scene.length, c.filters * scene.length + GRAIN);
    let (mut rows, mut points) = (Scratch::new(), Scratch::new());
    // What lies between rows and beyond the region stays zero.
    let rows = rows.room(c.filters * 4 * length);
    rows.fill(0.0);
    let points = points.room(SIDE * stride);
    let lefts: Vec<usize> =
        (0..c.channels).flat_map(|channel| (0..taps).map(move |tap| channel * scene.pitch + tap)).collect();
    for position in region.depth.clone().step_by(planes::OUTPUTS) {
        scene.go(c, source, position);
        for (filter, rows) in rows.chunks_exact_mut(4 * length).enumerate() {
            for (slice, rows) in rows.chunks_exact_mut(2 * length).enumerate() {
                if position + slice >= region.depth.end {
                    rows.fill(0.0);
                    continue;
                }
                let from = ((filter * extent + position + slice) * height + region.first[0]) * width;
                let lines = gradient[from..][..region.extents[0] * width].chunks_exact(width);
                for (row, line) in lines.enumerate() {
                    rows[row % 2 * length + row / 2 * scene.line..][..width].copy_from_slice(line);
                }
            }
        }
        for (row, sums) in sums.chunks_exact_mut(SIDE * taps * block_len(c)).enumerate() {
            scene.spread(arch, c, row);
            for (filter, rows) in rows.chunks_exact(4 * length).enumerate() {
                arch.dispatch(DisperseRows {
                    point: row,
                    rows,
                    length,
                    points: &mut points[filter * length..],
                    stride,
                });
            }
            for (column, sums) in sums.chunks_exact_mut(taps * block_len(c)).enumerate() {
                arch.dispatch(Dots {
                    left: scene.point(column),
                    rows: &lefts,
                    right: &points[column * stride..][..c.filters * length],
                    pitch: length,
                    filters: c.filters,
                    length,
                    add: |row: usize, filter: usize, value: f32| {
                        sums[row % taps * block_len(c) + entry(c, filter, row / taps)] += value;
                    },
                });
            }
        }
    }
}

/// Adds a region of a plane to `[tap]` blocks.
pub(super) fn along_rows(
    arch: Arch,
    c: &Correlation,
    region: &Region,
    source: &[f32],
    gradient: &[f32],
    sums: &mut [f32],
) {
    let [_, height, width] = c.target;
    let rows = region.first[0]..region.first[0] + region.extents[0];
    let scene = rows::Scene::new(c, source, &rows);
    let (length, line) = (scene.length(), scene.line());
    let mut right = Scratch::new();
    let right = right.room(c.filters * length);
    for (filter, lines) in right.chunks_exact_mut(length).enumerate() {
        let from = &gradient[(filter * height + rows.start) * width..][..rows.len() * width];
        let (lines, rest) = lines.split_at_mut(rows.len() * line);
        for (line, from) in lines.chunks_exact_mut(line).zip(from.chunks_exact(width)) {
            let (line, between) = line.split_at_mut(width);
            line.copy_from_slice(from);
            between.fill(0.0);
        }
        rest.fill(0.0);
    }
    let lefts = scene.lefts(c, &c.phases[0]);
    let taps = lefts.len() / c.channels;
    arch.dispatch(Dots {
        left: scene.values(),
        rows: &lefts,
        right,
        pitch: length,
        filters: c.filters,
        length,
        add: |row: usize, filter: usize, value: f32| {
            sums[row % taps * block_len(c) + entry(c, filter, row / taps)] += value;
        },
    });
}
