//! Products of small matrices in f64, whose blocks are summed in registers.

use pulp::Simd;

/// `target[row, column] = sum over i of left[row, i] right[i, column]`, or less that.
pub(crate) struct Product<'a> {
    pub left: &'a [f64],
    /// From row to row and from `i` to `i` of `left`.
    pub left_strides: [usize; 2],
    /// `[i][right_stride]`
    pub right: &'a [f64],
    pub right_stride: usize,
    /// How many `i` there are.
    pub depth: usize,
    pub rows: usize,
    /// Whole [`GRAIN`](Self::GRAIN)s.
    pub columns: usize,
    /// `[row][target_stride]`
    pub target: &'a mut [f64],
    pub target_stride: usize,
    /// Take the product from what `target` holds.
    pub subtract: bool,
}

impl Product<'_> {
    /// Columns come in multiples of this: a vector of any instruction set.
    pub(crate) const GRAIN: usize = 8;

    #[inline(always)]
    pub(crate) fn run<S: Simd>(self, simd: S) {
        // Sums, vectors of the right factor and a broadcast fit the registers: 32 of 8 lanes, 16 of 4.
        match S::F64_LANES {
            8 => self.panels::<S, 8, 8>(simd),
            4 => self.panels::<S, 6, 12>(simd),
            _ => self.panels::<S, 3, 6>(simd),
        }
    }

    /// Two vectors of columns at once, and the last one, if it is odd, for twice as many rows.
    #[inline(always)]
    fn panels<S: Simd, const ROWS: usize, const SINGLE_ROWS: usize>(mut self, simd: S) {
        if self.rows == 0 || self.columns == 0 {
            return;
        }
        assert!(self.columns.is_multiple_of(Self::GRAIN), "whole vectors of columns");
        if let Some(last) = self.depth.checked_sub(1) {
            let [row, step] = self.left_strides;
            assert!((self.rows - 1) * row + last * step < self.left.len(), "rows of the left factor are missing");
            assert!(last * self.right_stride + self.columns <= self.right.len(), "the right factor is too short");
        }
        let mut column = 0;
        while column + 2 * S::F64_LANES <= self.columns {
            self.panel::<S, ROWS, 2>(simd, column);
            column += 2 * S::F64_LANES;
        }
        while column < self.columns {
            self.panel::<S, SINGLE_ROWS, 1>(simd, column);
            column += S::F64_LANES;
        }
    }

    /// All rows of some vectors. The factors must hold them.
    #[inline(always)]
    fn panel<S: Simd, const ROWS: usize, const VECTORS: usize>(&mut self, simd: S, column: usize) {
        let [row_stride, step] = self.left_strides;
        for first in (0..self.rows).step_by(ROWS) {
            // A short last block repeats its last row and does not store it.
            let mut starts = [0; ROWS];
            for (row, start) in starts.iter_mut().enumerate() {
                *start = (first + row).min(self.rows - 1) * row_stride;
            }
            let mut sums = [[simd.splat_f64s(0.0); VECTORS]; ROWS];
            for i in 0..self.depth {
                // SAFETY: the extents of both factors were checked for the last row, the last column and the last i.
                unsafe {
                    let right = self.right.as_ptr().add(i * self.right_stride + column).cast::<S::f64s>();
                    let left = self.left.as_ptr().add(i * step);
                    let mut vectors = [simd.splat_f64s(0.0); VECTORS];
                    for (v, vector) in vectors.iter_mut().enumerate() {
                        *vector = right.add(v).read_unaligned();
                    }
                    for (sums, start) in sums.iter_mut().zip(starts) {
                        let value = simd.splat_f64s(*left.add(start));
                        for (sum, vector) in sums.iter_mut().zip(vectors) {
                            *sum = simd.mul_add_e_f64s(value, vector, *sum);
                        }
                    }
                }
            }
            // By a known count, so that the sums stay in registers.
            for (row, sums) in sums.into_iter().enumerate() {
                if first + row >= self.rows {
                    break;
                }
                let at = (first + row) * self.target_stride + column;
                let (target, _) = S::as_mut_simd_f64s(&mut self.target[at..at + VECTORS * S::F64_LANES]);
                for (target, sum) in target.iter_mut().zip(sums) {
                    *target = if self.subtract { simd.sub_f64s(*target, sum) } else { sum };
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pulp::{Arch, Scalar, WithSimd};

    struct Run<'a>(Product<'a>);

    impl WithSimd for Run<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            self.0.run(simd);
        }
    }

    /// Small whole numbers, which f64 adds without rounding.
    fn values(len: usize, seed: usize) -> Vec<f64> {
        (0..len).map(|i| ((i * 7 + seed * 13) % 11) as f64 - 5.0).collect()
    }

    /// On the processor's instructions and on none: one vector, two and three, whole and short blocks of rows, either order of the left factor.
    #[test]
    fn products_are_what_they_are_defined_as() {
        for (rows, depth, columns) in [(1, 1, 8), (7, 128, 72), (33, 5, 24), (16, 0, 16), (0, 3, 8)] {
            for (left_strides, subtract) in [([depth + 2, 1], false), ([1, rows + 1], true)] {
                let left = values((rows + 2) * (depth + 2), 1);
                let (right_stride, target_stride) = (columns + 3, columns + 1);
                let right = values(depth * right_stride, 2);
                let before = values(rows * target_stride, 3);
                let mut targets = [before.clone(), before.clone()];
                let [native, plain] = &mut targets;
                let product = |target| {
                    let (left, right) = (&left, &right);
                    let [target_stride, right_stride] = [target_stride, right_stride];
                    Run(Product {
                        left,
                        left_strides,
                        right,
                        right_stride,
                        depth,
                        rows,
                        columns,
                        target,
                        target_stride,
                        subtract,
                    })
                };
                Arch::new().dispatch(product(native));
                product(plain).with_simd(Scalar);
                let mut expected = before;
                for row in 0..rows {
                    for column in 0..columns {
                        let term =
                            |i| left[row * left_strides[0] + i * left_strides[1]] * right[i * right_stride + column];
                        let sum = (0..depth).map(term).sum::<f64>();
                        let cell = &mut expected[row * target_stride + column];
                        *cell = if subtract { *cell - sum } else { sum };
                    }
                }
                assert_eq!(targets[0], expected, "{rows} x {depth} x {columns}");
                assert_eq!(targets[1], expected, "{rows} x {depth} x {columns} without vectors");
            }
        }
    }
}
