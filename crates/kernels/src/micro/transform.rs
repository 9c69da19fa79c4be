//! The transforms of Winograd's minimal filtering with tiles of 4 x 4 on channel-last values: `B' d B` of the source, `A' m A`
//! of the products, and the adjoint of the latter. A tile gives 2 x 2 outputs of a kernel of 3 x 3, or 3 x 3 of one of 2 x 2.

use pulp::{Simd, WithSimd};

/// Products of a tile.
pub(crate) const POINTS: usize = 16;

/// `B' d B` for every tile: `[row][column][channel]` becomes `[point][tile][channel]`. Tiles begin `outputs` apart.
pub(crate) struct Spread<'a> {
    pub values: &'a [f32],
    /// Columns of `values`.
    pub line: usize,
    pub channels: usize,
    pub tiles: [usize; 2],
    pub outputs: usize,
    pub transformed: &'a mut [f32],
}

impl WithSimd for Spread<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let [rows, columns] = self.tiles;
        let point_len = rows * columns * self.channels;
        let last = [(rows - 1) * self.outputs + 3, (columns - 1) * self.outputs + 3];
        assert!(last[1] < self.line && (last[0] * self.line + last[1] + 1) * self.channels <= self.values.len());
        assert!(POINTS * point_len <= self.transformed.len(), "no room for the transform");
        for row in 0..rows {
            for column in 0..columns {
                let from = (row * self.line + column) * self.outputs * self.channels;
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
                            let column = enter(simd, square.map(|line| line[w]));
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
                        let column = enter(pulp::Scalar, square.map(|line| line[w]));
                        for (h, value) in column.into_iter().enumerate() {
                            self.transformed[(h * 4 + w) * point_len + to + channel] = value;
                        }
                    }
                }
            }
        }
    }
}

/// `A' m A` for every tile: `[point][tile][stride]` becomes `[row][column][cell]`, of which `stride` values are written. The
/// stride is whole panels.
pub(crate) struct Collect<'a> {
    pub products: &'a [f32],
    pub tiles: [usize; 2],
    /// 2 or 3, along each axis.
    pub outputs: usize,
    pub stride: usize,
    pub cell: usize,
    pub block: &'a mut [f32],
}

impl WithSimd for Collect<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.outputs {
            2 => self.tiles_of::<S, 2>(simd),
            _ => self.tiles_of::<S, 3>(simd),
        }
    }
}

impl Collect<'_> {
    #[inline(always)]
    fn tiles_of<S: Simd, const OUTPUTS: usize>(self, simd: S) {
        let [rows, columns] = self.tiles;
        let point_len = rows * columns * self.stride;
        let line = OUTPUTS * columns * self.cell;
        assert!(POINTS * point_len <= self.products.len(), "products are missing");
        assert!(OUTPUTS * rows * line + self.stride <= self.block.len() + self.cell, "no room for the outputs");
        assert!(self.stride.is_multiple_of(S::F32_LANES), "the stride is whole vectors");
        for row in 0..rows {
            for column in 0..columns {
                let from = (row * columns + column) * self.stride;
                let to = OUTPUTS * (row * line + column * self.cell);
                for channel in (0..self.stride).step_by(S::F32_LANES) {
                    // SAFETY: the asserts leave room for all points of any tile and for its outputs.
                    unsafe {
                        let source = self.products.as_ptr().add(from + channel);
                        let target = self.block.as_mut_ptr().add(to + channel);
                        let mut square = [[simd.splat_f32s(0.0); OUTPUTS]; 4];
                        for (h, line) in square.iter_mut().enumerate() {
                            let mut products = [simd.splat_f32s(0.0); 4];
                            for (w, value) in products.iter_mut().enumerate() {
                                *value = source.add((h * 4 + w) * point_len).cast::<S::f32s>().read_unaligned();
                            }
                            *line = leave(simd, products);
                        }
                        for w in 0..OUTPUTS {
                            let column: [S::f32s; OUTPUTS] = leave(simd, square.map(|line| line[w]));
                            for (h, &value) in column.iter().enumerate() {
                                target.add(h * line + w * self.cell).cast::<S::f32s>().write_unaligned(value);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// `A y A'` for every tile, the adjoint of [`Collect`]: `[row][column][stride]` becomes `[point][tile][stride]`.
pub(crate) struct Disperse<'a> {
    pub block: &'a [f32],
    pub tiles: [usize; 2],
    /// 2 or 3, along each axis.
    pub outputs: usize,
    pub stride: usize,
    pub points: &'a mut [f32],
}

impl WithSimd for Disperse<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.outputs {
            2 => self.tiles_of::<S, 2>(simd),
            _ => self.tiles_of::<S, 3>(simd),
        }
    }
}

impl Disperse<'_> {
    #[inline(always)]
    fn tiles_of<S: Simd, const OUTPUTS: usize>(self, simd: S) {
        let [rows, columns] = self.tiles;
        let point_len = rows * columns * self.stride;
        let line = OUTPUTS * columns * self.stride;
        assert!(POINTS * point_len <= self.points.len(), "no room for the points");
        assert!(OUTPUTS * rows * line <= self.block.len(), "outputs are missing");
        assert!(self.stride.is_multiple_of(S::F32_LANES), "the stride is whole vectors");
        for row in 0..rows {
            for column in 0..columns {
                let from = OUTPUTS * (row * line + column * self.stride);
                let to = (row * columns + column) * self.stride;
                for channel in (0..self.stride).step_by(S::F32_LANES) {
                    // SAFETY: the asserts leave room for all points of any tile and for its outputs.
                    unsafe {
                        let source = self.block.as_ptr().add(from + channel);
                        let target = self.points.as_mut_ptr().add(to + channel);
                        let mut square = [[simd.splat_f32s(0.0); 4]; OUTPUTS];
                        for (h, points) in square.iter_mut().enumerate() {
                            let mut values = [simd.splat_f32s(0.0); OUTPUTS];
                            for (w, value) in values.iter_mut().enumerate() {
                                *value = source.add(h * line + w * self.stride).cast::<S::f32s>().read_unaligned();
                            }
                            *points = leave_adjoint(simd, values);
                        }
                        for w in 0..4 {
                            let mut column = [simd.splat_f32s(0.0); OUTPUTS];
                            for (value, points) in column.iter_mut().zip(&square) {
                                *value = points[w];
                            }
                            for (h, &value) in leave_adjoint(simd, column).iter().enumerate() {
                                target.add((h * 4 + w) * point_len).cast::<S::f32s>().write_unaligned(value);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// `B' d` of one column, for the points 0, 1, -1 and infinity.
#[inline(always)]
pub(super) fn enter<S: Simd>(simd: S, d: [S::f32s; 4]) -> [S::f32s; 4] {
    [simd.sub_f32s(d[0], d[2]), simd.add_f32s(d[1], d[2]), simd.sub_f32s(d[2], d[1]), simd.sub_f32s(d[1], d[3])]
}

/// `A' m` of one column: `m0 + m1 + m2`, `m1 - m2` and, with a third output, `m1 + m2`; `- m3` in the last.
#[inline(always)]
pub(super) fn leave<S: Simd, const OUTPUTS: usize>(simd: S, m: [S::f32s; 4]) -> [S::f32s; OUTPUTS] {
    let even = simd.add_f32s(m[1], m[2]);
    let mut outputs = [even; OUTPUTS];
    outputs[0] = simd.add_f32s(m[0], even);
    outputs[1] = simd.sub_f32s(m[1], m[2]);
    outputs[OUTPUTS - 1] = simd.sub_f32s(outputs[OUTPUTS - 1], m[3]);
    outputs
}

/// `A y` of one column.
#[inline(always)]
pub(super) fn leave_adjoint<S: Simd, const OUTPUTS: usize>(simd: S, y: [S::f32s; OUTPUTS]) -> [S::f32s; 4] {
    let mut even = y[0];
    if OUTPUTS == 3 {
        even = simd.add_f32s(even, y[2]);
    }
    [y[0], simd.add_f32s(even, y[1]), simd.sub_f32s(even, y[1]), simd.neg_f32s(y[OUTPUTS - 1])]
}

#[cfg(test)]
mod tests {
    use super::*;
    use pulp::{Arch, Scalar};

    fn values(len: usize, seed: usize) -> Vec<f32> {
        (0..len).map(|i| ((i * 7 + seed * 13) % 11) as f32 - 5.0).collect()
    }

    fn dot(a: &[f32], b: &[f32]) -> f32 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    /// The taps 1 .. have the points `g0`, `sum / 2`, `alternating sum / 2`, `last`: one row of tiles gives their convolution.
    #[test]
    fn outputs_are_convolutions_of_the_source() {
        for (outputs, taps) in [(2, vec![1.0, 2.0, 4.0]), (3, vec![1.0, 2.0])] {
            let (channels, stride, tiles) = (19, 32, [2, 3]);
            let (rows, line) = (outputs * tiles[0] + taps.len() - 1, outputs * tiles[1] + taps.len() - 1);
            let source = values(rows * line * channels, 1);
            let even: f32 = taps.iter().step_by(2).sum();
            let odd: f32 = taps.iter().skip(1).step_by(2).sum();
            let along = [taps[0], (even + odd) / 2.0, (even - odd) / 2.0, taps[taps.len() - 1]];
            let count = tiles[0] * tiles[1];
            let mut transformed = [vec![0.0; POINTS * count * channels], vec![0.0; POINTS * count * channels]];
            let [native, plain] = &mut transformed;
            let spread = |transformed| Spread { values: &source, line, channels, tiles, outputs, transformed };
            Arch::new().dispatch(spread(native));
            spread(plain).with_simd(Scalar);
            assert_eq!(native, plain);
            let mut products = vec![0.0; POINTS * count * stride];
            for point in 0..POINTS {
                for tile in 0..count {
                    for channel in 0..channels {
                        products[(point * count + tile) * stride + channel] =
                            along[point / 4] * along[point % 4] * native[(point * count + tile) * channels + channel];
                    }
                }
            }
            let mut block = vec![0.0; outputs * outputs * count * stride];
            Arch::new().dispatch(Collect {
                products: &products,
                tiles,
                outputs,
                stride,
                cell: stride,
                block: &mut block,
            });
            for row in 0..outputs * tiles[0] {
                for column in 0..outputs * tiles[1] {
                    for channel in 0..channels {
                        let mut sum = 0.0;
                        for (h, above) in taps.iter().enumerate() {
                            for (w, beside) in taps.iter().enumerate() {
                                sum += above * beside * source[((row + h) * line + column + w) * channels + channel];
                            }
                        }
                        let at = (row * outputs * tiles[1] + column) * stride + channel;
                        assert_eq!(block[at], sum, "{outputs} outputs: row {row}, column {column}");
                    }
                }
            }
        }
    }

    #[test]
    fn dispersing_is_the_adjoint_of_collecting() {
        for outputs in [2, 3] {
            let (stride, tiles) = (16, [2, 3]);
            let count = tiles[0] * tiles[1] * stride;
            let products = values(POINTS * count, 1);
            let gradient = values(outputs * outputs * count, 2);
            let mut block = vec![0.0; outputs * outputs * count];
            let mut points = vec![0.0; POINTS * count];
            Arch::new().dispatch(Collect {
                products: &products,
                tiles,
                outputs,
                stride,
                cell: stride,
                block: &mut block,
            });
            Arch::new().dispatch(Disperse { block: &gradient, tiles, outputs, stride, points: &mut points });
            assert_eq!(dot(&block, &gradient), dot(&products, &points), "{outputs} outputs");
        }
    }
}
