//! Between the channel-first tensors of Burn and the channel-last tiles the kernels work on.
//!
//! A tile is a piece of one depth slice, small enough for the second cache; its borders are filled by the padding rule, so
//! that no padded copy of the tensor is ever made.

use super::super::Pad;
use super::correlation::Correlation;
use super::transpose::{SIDE, Transpose};
use pulp::{Simd, WithSimd};

/// A rectangle of one depth slice of the source, as it is read: it may reach over the borders.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    pub depth: isize,
    pub row: isize,
    pub column: isize,
    pub rows: usize,
    pub columns: usize,
}

/// Copies a window of `channels` channels into `[row][column][channel]`.
pub(super) struct Pack<'a> {
    /// From the first of the channels on, each of `extents`.
    pub source: &'a [f32],
    pub extents: [usize; 3],
    pub mode: [Pad; 3],
    pub channels: usize,
    pub window: Window,
    pub tile: &'a mut [f32],
}

impl<'a> Pack<'a> {
    /// A window of the source of `c`.
    pub fn of(c: &Correlation, source: &'a [f32], window: Window, tile: &'a mut [f32]) -> Self {
        Pack { source, extents: c.source, mode: c.mode, channels: c.channels, window, tile }
    }
}

impl WithSimd for Pack<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Pack { source, extents, mode, channels, window, tile } = self;
        let [_, height, width] = extents;
        let volume = extents.iter().product::<usize>();
        let tile = &mut tile[..window.rows * window.columns * channels];
        let Some(depth) = locate(mode[0], extents[0], window.depth) else {
            tile.fill(0.0);
            return;
        };
        let transpose = Transpose::new(simd);
        // The columns that lie inside are copied in one piece, the others one by one.
        let inside_from = (-window.column).clamp(0, window.columns as isize) as usize;
        let inside_to = (width as isize - window.column).clamp(inside_from as isize, window.columns as isize) as usize;
        let len = inside_to - inside_from;
        for (row, line) in tile.chunks_exact_mut(window.columns * channels).enumerate() {
            let Some(y) = locate(mode[1], height, window.row + row as isize) else {
                line.fill(0.0);
                continue;
            };
            let start = (depth * height + y) * width;
            for column in (0..inside_from).chain(inside_to..window.columns) {
                let cell = &mut line[column * channels..][..channels];
                match locate(mode[2], width, window.column + column as isize) {
                    None => cell.fill(0.0),
                    Some(x) => {
                        for (channel, value) in cell.iter_mut().enumerate() {
                            *value = source[channel * volume + start + x];
                        }
                    }
                }
            }
            if len == 0 {
                continue;
            }
            let start = start + (window.column + inside_from as isize) as usize;
            let line = &mut line[inside_from * channels..inside_to * channels];
            let whole = if len >= SIDE { channels / SIDE * SIDE } else { 0 };
            for channel in (0..whole).step_by(SIDE) {
                let mut rows: [&[f32]; SIDE] = [&[]; SIDE];
                for (k, row) in rows.iter_mut().enumerate() {
                    *row = &source[(channel + k) * volume + start..][..len];
                }
                let mut at = 0;
                while at < len {
                    at = at.min(len - SIDE); // the last square overlaps the one before it
                    let mut square = [&[0.0; SIDE]; SIDE];
                    for (values, row) in square.iter_mut().zip(rows) {
                        if let Some(chunk) = row[at..].first_chunk() {
                            *values = chunk;
                        }
                    }
                    for (i, cell) in transpose.apply(square).iter().enumerate() {
                        line[(at + i) * channels + channel..][..SIDE].copy_from_slice(cell);
                    }
                    at += SIDE;
                }
            }
            for channel in whole..channels {
                let row = &source[channel * volume + start..][..len];
                for (cell, &value) in line[channel..].iter_mut().step_by(channels).zip(row) {
                    *cell = value;
                }
            }
        }
    }
}

/// The value that stands at `position`, which tiles may take beyond the padding: nothing is read from there that counts. A circle has no end: the
/// gradient of one with a stride goes round it by more than its own few values.
pub(super) fn locate(mode: Pad, extent: usize, position: isize) -> Option<usize> {
    let limit = match mode {
        Pad::Circular => usize::MAX,
        mode => mode.limit(extent),
    };
    let limit = limit.min(isize::MAX as usize / 2) as isize;
    (-limit..extent as isize + limit).contains(&position).then(|| mode.source(position, extent)).flatten()
}

/// How a row of places is read, with what lies beyond the ends of the source.
pub(super) struct Line {
    /// Distance in the source.
    step: usize,
    /// Places that lie inside, and the column of the first of them.
    inside: std::ops::Range<usize>,
    first: usize,
    /// The others, and which column each repeats.
    beyond: Vec<(usize, Option<usize>)>,
}

impl Line {
    /// `length` places from the column `first` on, `step` apart.
    pub fn new(c: &Correlation, first: isize, step: usize, length: usize) -> Self {
        let columns = c.source[2];
        let reaching = |column: isize| ((column - first).max(0) as usize).div_ceil(step).min(length);
        let inside = reaching(0)..reaching(columns as isize);
        let column = |place: usize| first + (place * step) as isize;
        let outside = (0..inside.start).chain(inside.end..length);
        let beyond = outside.map(|place| (place, locate(c.mode[2], columns, column(place)))).collect();
        let first = (column(inside.start).max(0) as usize).min(columns);
        Self { step, inside, first, beyond }
    }

    /// Fills `line` from a plane of the source at `row`, which may lie beyond it.
    pub fn fill(&self, c: &Correlation, plane: &[f32], row: isize, line: &mut [f32]) {
        let [_, rows, columns] = c.source;
        let Some(row) = locate(c.mode[1], rows, row) else {
            line.fill(0.0);
            return;
        };
        let row = &plane[row * columns..][..columns];
        let inside = &mut line[self.inside.clone()];
        match self.step {
            1 => inside.copy_from_slice(&row[self.first..][..inside.len()]),
            step => inside.iter_mut().zip(row[self.first..].iter().step_by(step)).for_each(|(to, from)| *to = *from),
        }
        for &(place, from) in &self.beyond {
            line[place] = from.map_or(0.0, |from| row[from]);
        }
    }
}

/// Writes a channel-last block `[row][column][stride]`, `bias` added to each channel, to the channel-first rows of a strip.
pub(super) struct Unpack<'a, 'b> {
    pub block: &'a [f32],
    pub rows: usize,
    pub columns: usize,
    /// Columns that the block has room for.
    pub line: usize,
    /// Channels that the block has room for, a multiple of [`SIDE`].
    pub stride: usize,
    pub bias: &'a [f32],
    /// One for each channel.
    pub strips: &'a mut [&'b mut [f32]],
    /// Length of a row of the strips.
    pub width: usize,
    /// Where the first value goes, and how far apart the rows do.
    pub row: usize,
    pub column: usize,
    pub step: usize,
}

impl WithSimd for Unpack<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let transpose = Transpose::new(simd);
        let whole = self.columns >= SIDE;
        for row in 0..self.rows {
            let line = &self.block[row * self.line * self.stride..][..self.columns * self.stride];
            let start = (self.row + row * self.step) * self.width + self.column;
            for (group, strips) in self.strips.chunks_mut(SIDE).enumerate() {
                let first = group * SIDE;
                let mut shift = [0.0; SIDE];
                shift[..strips.len()].copy_from_slice(&self.bias[first..][..strips.len()]);
                let mut at = 0;
                while whole && at < self.columns {
                    at = at.min(self.columns - SIDE); // the last square overlaps the one before it
                    let mut square = [&[0.0; SIDE]; SIDE];
                    for (i, cell) in square.iter_mut().enumerate() {
                        if let Some(values) = line[(at + i) * self.stride + first..].first_chunk() {
                            *cell = values;
                        }
                    }
                    let columns = transpose.apply(square);
                    for ((strip, values), shift) in strips.iter_mut().zip(&columns).zip(shift) {
                        for (cell, value) in strip[start + at..][..SIDE].iter_mut().zip(values) {
                            *cell = value + shift;
                        }
                    }
                    at += SIDE;
                }
                for (k, (strip, shift)) in strips.iter_mut().zip(shift).enumerate() {
                    for column in at..self.columns {
                        strip[start + column] = line[column * self.stride + first + k] + shift;
                    }
                }
            }
        }
    }
}
