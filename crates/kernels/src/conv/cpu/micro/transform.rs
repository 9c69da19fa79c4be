//! The transforms of Winograd's F(2 x 2, 3 x 3) on channel-last tiles: `B' d B` of the source, `A' m A` of the products, and
//! the adjoint of the latter.

use pulp::{Simd, WithSimd};

/// Products of a tile.
pub(in super::super) const POINTS: usize = 16;

/// `B' d B` for every tile: `[row][column][channel]` becomes `[point][tile][channel]`.
pub(in super::super) struct Spread<'a> {
    pub values: &'a [f32],
    /// Columns of `values`.
    pub line: usize,
    pub channels: usize,
    pub tiles: [usize; 2],
    pub transformed: &'a mut [f32],
}

impl WithSimd for Spread<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let [rows, columns] = self.tiles;
        let point_len = rows * columns * self.channels;
        assert!(columns * 2 + 2 <= self.line && (rows * 2 + 2) * self.line * self.channels <= self.values.len());
        assert!(POINTS * point_len <= self.transformed.len(), "no room for the transform");
        for row in 0..rows {
            for column in 0..columns {
                let from = (2 * row * self.line + 2 * column) * self.channels;
                let to = (row * columns + column) * self.channels;
                let mut channel = 0;
                while channel + S::F32_LANES <= self.channels {
                    // SAFETY: the asserts leave room for 4 x 4 cells from any tile on and for all points of any tile.
                    unsafe {
                        let source = self.values.as_ptr().add(from + channel);
                        let target = self.transformed.as_mut_ptr().add(to + channel);
                        let mut square = [[simd.splat_f32s(0.0); 4]; 4];
                        for (h, line) in square.iter_mut().enumerate() {
                            for (w, value) in line.iter_mut().enumerate() {
                                *value =
                                    source.add((h * self.line + w) * self.channels).cast::<S::f32s>().read_unaligned();
                            }
                            *line = enter(simd, *line);
                        }
                        for w in 0..4 {
                            let column = enter(simd, [square[0][w], square[1][w], square[2][w], square[3][w]]);
                            for (h, &value) in column.iter().enumerate() {
                                target.add((h * 4 + w) * point_len).cast::<S::f32s>().write_unaligned(value);
                            }
                        }
                    }
                    channel += S::F32_LANES;
                }
                for channel in channel..self.channels {
                    let mut square = [[0.0; 4]; 4];
                    for (h, line) in square.iter_mut().enumerate() {
                        for (w, value) in line.iter_mut().enumerate() {
                            *value = self.values[from + (h * self.line + w) * self.channels + channel];
                        }
                        *line = enter(pulp::Scalar, *line);
                    }
                    for w in 0..4 {
                        let column = enter(pulp::Scalar, [square[0][w], square[1][w], square[2][w], square[3][w]]);
                        for (h, value) in column.into_iter().enumerate() {
                            self.transformed[(h * 4 + w) * point_len + to + channel] = value;
                        }
                    }
                }
            }
        }
    }
}

/// `A' m A` for every tile: `[point][tile][stride]` becomes `[row][column][stride]`. The stride is whole panels.
pub(in super::super) struct Collect<'a> {
    pub products: &'a [f32],
    pub tiles: [usize; 2],
    pub stride: usize,
    pub block: &'a mut [f32],
}

impl WithSimd for Collect<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let [rows, columns] = self.tiles;
        let point_len = rows * columns * self.stride;
        let line = 2 * columns * self.stride;
        assert!(POINTS * point_len <= self.products.len() && 4 * point_len <= self.block.len());
        assert!(self.stride.is_multiple_of(S::F32_LANES), "the stride is whole vectors");
        for row in 0..rows {
            for column in 0..columns {
                let from = (row * columns + column) * self.stride;
                let to = 2 * row * line + 2 * column * self.stride;
                for channel in (0..self.stride).step_by(S::F32_LANES) {
                    // SAFETY: the asserts leave room for all points of any tile and for its 2 x 2 cells.
                    unsafe {
                        let source = self.products.as_ptr().add(from + channel);
                        let target = self.block.as_mut_ptr().add(to + channel);
                        let mut square = [[simd.splat_f32s(0.0); 2]; 4];
                        for (h, line) in square.iter_mut().enumerate() {
                            let mut products = [simd.splat_f32s(0.0); 4];
                            for (w, value) in products.iter_mut().enumerate() {
                                *value = source.add((h * 4 + w) * point_len).cast::<S::f32s>().read_unaligned();
                            }
                            *line = leave(simd, products);
                        }
                        for w in 0..2 {
                            let column = leave(simd, [square[0][w], square[1][w], square[2][w], square[3][w]]);
                            for (h, &value) in column.iter().enumerate() {
                                target.add(h * line + w * self.stride).cast::<S::f32s>().write_unaligned(value);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// `A y A'` for every tile, the adjoint of [`Collect`]: `[row][column][stride]` becomes `[point][tile][stride]`.
pub(in super::super) struct Disperse<'a> {
    pub block: &'a [f32],
    pub tiles: [usize; 2],
    pub stride: usize,
    pub points: &'a mut [f32],
}

impl WithSimd for Disperse<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let [rows, columns] = self.tiles;
        let point_len = rows * columns * self.stride;
        let line = 2 * columns * self.stride;
        assert!(POINTS * point_len <= self.points.len() && 4 * point_len <= self.block.len());
        assert!(self.stride.is_multiple_of(S::F32_LANES), "the stride is whole vectors");
        for row in 0..rows {
            for column in 0..columns {
                let from = 2 * row * line + 2 * column * self.stride;
                let to = (row * columns + column) * self.stride;
                for channel in (0..self.stride).step_by(S::F32_LANES) {
                    // SAFETY: the asserts leave room for all points of any tile and for its 2 x 2 cells.
                    unsafe {
                        let source = self.block.as_ptr().add(from + channel);
                        let target = self.points.as_mut_ptr().add(to + channel);
                        let mut square = [[simd.splat_f32s(0.0); 4]; 2];
                        for (h, points) in square.iter_mut().enumerate() {
                            let mut values = [simd.splat_f32s(0.0); 2];
                            for (w, value) in values.iter_mut().enumerate() {
                                *value = source.add(h * line + w * self.stride).cast::<S::f32s>().read_unaligned();
                            }
                            *points = leave_adjoint(simd, values);
                        }
                        for w in 0..4 {
                            for (h, &value) in leave_adjoint(simd, [square[0][w], square[1][w]]).iter().enumerate() {
                                target.add((h * 4 + w) * point_len).cast::<S::f32s>().write_unaligned(value);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// `B' d` of one column.
#[inline(always)]
fn enter<S: Simd>(simd: S, d: [S::f32s; 4]) -> [S::f32s; 4] {
    [simd.sub_f32s(d[0], d[2]), simd.add_f32s(d[1], d[2]), simd.sub_f32s(d[2], d[1]), simd.sub_f32s(d[1], d[3])]
}

/// `A' m` of one column.
#[inline(always)]
fn leave<S: Simd>(simd: S, m: [S::f32s; 4]) -> [S::f32s; 2] {
    [simd.add_f32s(simd.add_f32s(m[0], m[1]), m[2]), simd.sub_f32s(simd.sub_f32s(m[1], m[2]), m[3])]
}

/// `A y` of one column.
#[inline(always)]
fn leave_adjoint<S: Simd>(simd: S, y: [S::f32s; 2]) -> [S::f32s; 4] {
    [y[0], simd.add_f32s(y[0], y[1]), simd.sub_f32s(y[0], y[1]), simd.neg_f32s(y[1])]
}
