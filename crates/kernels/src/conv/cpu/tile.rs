//! Between the channel-first tensors of Burn and the channel-last tiles the kernels work on.
//!
//! A tile is a piece of one depth slice, small enough for the second cache; its borders are filled by the padding rule, so
//! that no padded copy of the tensor is ever made.

use super::super::Pad;

/// Channels that are copied side by side.
const SIDE_BY_SIDE: usize = 8;

/// A rectangle of one depth slice of the source, as it is read: it may reach over the borders.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub depth: isize,
    pub row: isize,
    pub column: isize,
    pub rows: usize,
    pub columns: usize,
}

/// Copies a window of `channels` channels into `[row][column][channel]`.
///
/// `source` begins at the first of the channels, each of `extents`.
pub(super) fn gather(
    source: &[f32],
    extents: [usize; 3],
    mode: [Pad; 3],
    channels: usize,
    window: Window,
    tile: &mut [f32],
) {
    let [_, height, width] = extents;
    let volume = extents.iter().product::<usize>();
    let tile = &mut tile[..window.rows * window.columns * channels];
    let Some(depth) = locate(mode[0], extents[0], window.depth) else {
        tile.fill(0.0);
        return;
    };
    // The columns that lie inside are copied in one piece, the others one by one.
    let inside_from = (-window.column).clamp(0, window.columns as isize) as usize;
    let inside_to = (width as isize - window.column).clamp(inside_from as isize, window.columns as isize) as usize;
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
        let len = inside_to - inside_from;
        if len == 0 {
            continue;
        }
        let start = start + (window.column + inside_from as isize) as usize;
        let line = &mut line[inside_from * channels..inside_to * channels];
        let mut channel = 0;
        while channel + SIDE_BY_SIDE <= channels {
            let rows: [&[f32]; SIDE_BY_SIDE] =
                std::array::from_fn(|k| &source[(channel + k) * volume + start..][..len]);
            interleave(rows, &mut line[channel..], channels);
            channel += SIDE_BY_SIDE;
        }
        for channel in channel..channels {
            let row = &source[channel * volume + start..][..len];
            for (cell, &value) in line[channel..].iter_mut().step_by(channels).zip(row) {
                *cell = value;
            }
        }
    }
}

/// `target[i * stride + k] = rows[k][i]`.
#[inline(always)]
fn interleave(rows: [&[f32]; SIDE_BY_SIDE], target: &mut [f32], stride: usize) {
    let len = rows[0].len();
    let blocks = len / SIDE_BY_SIDE;
    for block in 0..blocks {
        let at = block * SIDE_BY_SIDE;
        let square: [[f32; SIDE_BY_SIDE]; SIDE_BY_SIDE] = std::array::from_fn(|k| chunk(&rows[k][at..]));
        for (i, cell) in transpose(square).into_iter().enumerate() {
            target[(at + i) * stride..][..SIDE_BY_SIDE].copy_from_slice(&cell);
        }
    }
    for i in blocks * SIDE_BY_SIDE..len {
        for (value, row) in target[i * stride..][..SIDE_BY_SIDE].iter_mut().zip(&rows) {
            *value = row[i];
        }
    }
}

#[inline(always)]
fn chunk(values: &[f32]) -> [f32; SIDE_BY_SIDE] {
    let mut chunk = [0.0; SIDE_BY_SIDE];
    chunk.copy_from_slice(&values[..SIDE_BY_SIDE]);
    chunk
}

/// Rows become columns, in three rounds of exchanging neighbours: a form that compilers turn into shuffles.
#[inline(always)]
fn transpose(square: [[f32; SIDE_BY_SIDE]; SIDE_BY_SIDE]) -> [[f32; SIDE_BY_SIDE]; SIDE_BY_SIDE] {
    let mut square = square;
    for distance in [1, 2, 4] {
        let mut next = square;
        for row in 0..SIDE_BY_SIDE {
            if row & distance == 0 {
                for column in 0..SIDE_BY_SIDE {
                    if column & distance == 0 {
                        next[row][column + distance] = square[row + distance][column];
                        next[row + distance][column] = square[row][column + distance];
                    }
                }
            }
        }
        square = next;
    }
    square
}

/// The value that stands at `position`, which tiles may take beyond the padding: nothing is read from there that counts.
fn locate(mode: Pad, extent: usize, position: isize) -> Option<usize> {
    let limit = mode.limit(extent).min(isize::MAX as usize / 2) as isize;
    (-limit..extent as isize + limit).contains(&position).then(|| mode.source(position, extent)).flatten()
}

/// Where the values of a channel-last block `[row][column][stride]` go in the channel-first rows of a strip.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub rows: usize,
    pub columns: usize,
    /// Columns that the block has room for.
    pub line: usize,
    /// Channels that the block has room for, a multiple of [`SIDE_BY_SIDE`].
    pub stride: usize,
    /// Where the first value goes, and how far apart its neighbours do.
    pub row: usize,
    pub column: usize,
    pub step: [usize; 2],
    /// Length of a row of the strip.
    pub width: usize,
}

impl Place {
    /// Writes the block, `bias` added to each channel.
    pub fn scatter<'a>(&self, block: &[f32], bias: Option<&[f32]>, strips: &mut [&'a mut [f32]]) {
        for row in 0..self.rows {
            let line = &block[row * self.line * self.stride..][..self.columns * self.stride];
            let start = (self.row + row * self.step[0]) * self.width + self.column;
            for (group, strips) in strips.chunks_mut(SIDE_BY_SIDE).enumerate() {
                let first = group * SIDE_BY_SIDE;
                let mut shift = [0.0; SIDE_BY_SIDE];
                if let Some(bias) = bias {
                    shift[..strips.len()].copy_from_slice(&bias[first..][..strips.len()]);
                }
                let whole = if self.step[1] == 1 { self.columns / SIDE_BY_SIDE * SIDE_BY_SIDE } else { 0 };
                for column in (0..whole).step_by(SIDE_BY_SIDE) {
                    let square: [[f32; SIDE_BY_SIDE]; SIDE_BY_SIDE] =
                        std::array::from_fn(|i| chunk(&line[(column + i) * self.stride + first..]));
                    for ((strip, values), shift) in strips.iter_mut().zip(transpose(square)).zip(shift) {
                        for (cell, value) in strip[start + column..][..SIDE_BY_SIDE].iter_mut().zip(values) {
                            *cell = value + shift;
                        }
                    }
                }
                for (k, (strip, shift)) in strips.iter_mut().zip(shift).enumerate() {
                    for column in whole..self.columns {
                        strip[start + column * self.step[1]] = line[column * self.stride + first + k] + shift;
                    }
                }
            }
        }
    }
}
