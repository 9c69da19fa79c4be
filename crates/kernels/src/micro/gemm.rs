//! The two micro-kernels that all convolutions and layers of the CPU are made of, on channel-last tiles.
//!
//! [`gather`] multiplies rows of channels, found by their offsets, with panels of weights; [`outer`] sums outer products of
//! channels over positions. Both keep a block of the result in registers, load one operand as vectors of
//! [`PANEL`] channels and broadcast the other (Goto & van de Geijn, 2008, doi:10.1145/1356052.1356053; Georganas et al.,
//! 2018, doi:10.1109/SC.2018.00069, for the offsets in place of a patch matrix).

use pulp::{Simd, WithSimd};

/// Channels in a panel: as many vectors as that is, on any instruction set.
pub(crate) const PANEL: usize = 16;

/// Half of one.
const HALF: usize = PANEL / 2;

/// `target[row, panel of 16] (+)= sum over offsets and channels of source[base[row] + offset + channel] * weights[..]`.
pub(crate) struct Gather<'a> {
    /// Channel-last values.
    pub source: &'a [f32],
    /// Where the rows begin in `source`.
    pub bases: &'a [usize],
    /// What is added to every base, one for each block of `channels` weights.
    pub offsets: &'a [usize],
    pub channels: usize,
    /// For each panel, `panel_stride` apart, `[offset][channel][PANEL]`.
    pub weights: &'a [f32],
    pub panel_stride: usize,
    pub filters: usize,
    /// `[row][target_stride]`, of which at least the first `filters` are written.
    pub target: &'a mut [f32],
    pub target_stride: usize,
    /// Add to what `target` holds.
    pub accumulate: bool,
}

impl WithSimd for Gather<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // Accumulators, one panel row and a broadcast fit the registers: 16 of 8 lanes, 32 of 16 lanes.
        match S::F32_LANES {
            16 => self.panels::<S, 12, 1, 12, 1>(simd),
            8 => self.panels::<S, 6, 2, 12, 1>(simd),
            4 => self.panels::<S, 3, 4, 6, 2>(simd),
            _ => self.panels::<S, 1, PANEL, 2, HALF>(simd),
        }
    }
}

impl Gather<'_> {
    /// Panel by panel, so that its weights stay in the cache nearest to the core while the rows go by. Of a panel that is at
    /// most half full, half is computed, for twice as many rows at once.
    #[inline(always)]
    fn panels<S: Simd, const ROWS: usize, const VECTORS: usize, const HALF_ROWS: usize, const HALF_VECTORS: usize>(
        mut self,
        simd: S,
    ) {
        let (Some(&last_base), Some(&last_offset)) = (self.bases.iter().max(), self.offsets.iter().max()) else {
            return;
        };
        assert!(last_base + last_offset + self.channels <= self.source.len(), "a row lies outside of the source");
        for panel in 0..self.filters.div_ceil(PANEL) {
            if HALF_VECTORS < VECTORS && self.filters - panel * PANEL <= HALF {
                self.panel::<S, HALF_ROWS, HALF_VECTORS>(simd, panel);
            } else {
                self.panel::<S, ROWS, VECTORS>(simd, panel);
            }
        }
    }

    /// One panel, of which the first `VECTORS` vectors are computed. The source must hold all rows.
    #[inline(always)]
    fn panel<S: Simd, const ROWS: usize, const VECTORS: usize>(&mut self, simd: S, panel: usize) {
        let channels = self.channels;
        let weights = &self.weights[panel * self.panel_stride..][..self.offsets.len() * channels * PANEL];
        let (weights, _) = S::as_simd_f32s(weights);
        let vectors_in_panel = PANEL / S::F32_LANES;
        for (block, bases) in self.bases.chunks(ROWS).enumerate() {
            // A short last block repeats its last row and does not store it.
            let mut starts = [0; ROWS];
            for (row, start) in starts.iter_mut().enumerate() {
                *start = bases[row.min(bases.len() - 1)];
            }
            let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
            let mut weight = weights.as_ptr();
            for &offset in self.offsets {
                // SAFETY: base + offset + channels was checked for the largest of each against the source, and the
                // weights, of which every turn goes on by a panel, hold a panel for every turn.
                unsafe {
                    let mut rows = [self.source.as_ptr(); ROWS];
                    for (row, start) in rows.iter_mut().zip(starts) {
                        *row = row.add(start + offset);
                    }
                    for channel in 0..channels {
                        for (sums, row) in sums.iter_mut().zip(rows) {
                            let value = simd.splat_f32s(*row.add(channel));
                            for (vector, sum) in sums.iter_mut().enumerate() {
                                *sum = simd.mul_add_e_f32s(value, *weight.add(vector), *sum);
                            }
                        }
                        weight = weight.add(vectors_in_panel);
                    }
                }
            }
            for (row, sums) in sums.iter().enumerate().take(bases.len()) {
                let at = (block * ROWS + row) * self.target_stride + panel * PANEL;
                let (target, _) = S::as_mut_simd_f32s(&mut self.target[at..at + PANEL]);
                for (target, &sum) in target.iter_mut().zip(sums.iter()) {
                    *target = if self.accumulate { simd.add_f32s(*target, sum) } else { sum };
                }
            }
        }
    }
}

/// `target[panel][row][PANEL] += sum over positions of source[bases[position] + row] * right[position * right_stride + panel * PANEL + lane]`.
pub(crate) struct Outer<'a> {
    /// Channel-last values, of which a row of `rows` is taken at every base.
    pub source: &'a [f32],
    pub bases: &'a [usize],
    pub rows: usize,
    /// Channel-last values, one row for each base.
    pub right: &'a [f32],
    pub right_stride: usize,
    pub filters: usize,
    /// `[panel][panel_stride]`, of which the first `rows * PANEL` are written.
    pub target: &'a mut [f32],
    pub panel_stride: usize,
}

impl WithSimd for Outer<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::F32_LANES {
            16 => self.panels::<S, 16, 1, 16, 1>(simd),
            8 => self.panels::<S, 6, 2, 12, 1>(simd),
            4 => self.panels::<S, 3, 4, 6, 2>(simd),
            _ => self.panels::<S, 1, PANEL, 2, HALF>(simd),
        }
    }
}

impl Outer<'_> {
    #[inline(always)]
    fn panels<S: Simd, const ROWS: usize, const VECTORS: usize, const HALF_ROWS: usize, const HALF_VECTORS: usize>(
        mut self,
        simd: S,
    ) {
        for panel in 0..self.filters.div_ceil(PANEL) {
            if HALF_VECTORS < VECTORS && self.filters - panel * PANEL <= HALF {
                self.panel::<S, HALF_ROWS, HALF_VECTORS>(simd, panel);
            } else {
                self.panel::<S, ROWS, VECTORS>(simd, panel);
            }
        }
    }

    #[inline(always)]
    fn panel<S: Simd, const ROWS: usize, const VECTORS: usize>(&mut self, simd: S, panel: usize) {
        let mut row = 0;
        while row + ROWS <= self.rows {
            self.block::<S, ROWS, VECTORS>(simd, panel, row);
            row += ROWS;
        }
        // What is left, in blocks as high as can be: a low one has too few sums in flight to hide the latency of an addition.
        while row + 4 <= self.rows {
            self.block::<S, 4, VECTORS>(simd, panel, row);
            row += 4;
        }
        while row + 2 <= self.rows {
            self.block::<S, 2, VECTORS>(simd, panel, row);
            row += 2;
        }
        if row < self.rows {
            self.block::<S, 1, VECTORS>(simd, panel, row);
        }
    }

    #[inline(always)]
    fn block<S: Simd, const ROWS: usize, const VECTORS: usize>(&mut self, simd: S, panel: usize, first: usize) {
        let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
        for (&base, right) in self.bases.iter().zip(self.right.chunks_exact(self.right_stride)) {
            let left: &[f32; ROWS] = match self.source[base + first..].first_chunk() {
                Some(left) => left,
                None => return, // a base outside of the source: excluded by the caller
            };
            let (right, _) = S::as_simd_f32s(&right[panel * PANEL..][..PANEL]);
            let right = &right[..VECTORS];
            for (sums, &value) in sums.iter_mut().zip(left) {
                let value = simd.splat_f32s(value);
                for (sum, &right) in sums.iter_mut().zip(right) {
                    *sum = simd.mul_add_e_f32s(value, right, *sum);
                }
            }
        }
        for (row, sums) in sums.iter().enumerate() {
            let at = panel * self.panel_stride + (first + row) * PANEL;
            let (target, _) = S::as_mut_simd_f32s(&mut self.target[at..at + PANEL]);
            for (target, &sum) in target.iter_mut().zip(sums) {
                *target = simd.add_f32s(*target, sum);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pulp::{Arch, Scalar};

    /// Small whole numbers, which f32 adds without rounding.
    fn values(len: usize, seed: usize) -> Vec<f32> {
        (0..len).map(|i| ((i * 7 + seed * 13) % 11) as f32 - 5.0).collect()
    }

    /// On the processor's instructions and on none: full and half panels, whole and short blocks of rows, odd channels.
    #[test]
    fn rows_are_gathered_as_they_are_defined() {
        for (rows, channels, filters) in [(1usize, 1usize, 1usize), (12, 4, 8), (13, 5, 16), (25, 3, 20), (7, 8, 33)] {
            let (bases, offsets): (Vec<usize>, _) = ((0..rows).map(|row| row * channels).collect(), [0, 2 * channels]);
            let source = values((rows + 2) * channels, 1);
            let panels = filters.div_ceil(PANEL);
            let panel_stride = offsets.len() * channels * PANEL;
            let weights = values(panels * panel_stride, 2);
            let before = values(rows * panels * PANEL, 3);
            for accumulate in [false, true] {
                let mut native = before.clone();
                let mut plain = before.clone();
                let gather = |target| Gather {
                    source: &source,
                    bases: &bases,
                    offsets: &offsets,
                    channels,
                    weights: &weights,
                    panel_stride,
                    filters,
                    target,
                    target_stride: panels * PANEL,
                    accumulate,
                };
                Arch::new().dispatch(gather(&mut native));
                gather(&mut plain).with_simd(Scalar);
                for row in 0..rows {
                    for filter in 0..filters {
                        let at = row * panels * PANEL + filter;
                        let mut sum = if accumulate { before[at] } else { 0.0 };
                        for (block, offset) in offsets.iter().enumerate() {
                            for channel in 0..channels {
                                let weight = filter / PANEL * panel_stride
                                    + (block * channels + channel) * PANEL
                                    + filter % PANEL;
                                sum += source[bases[row] + offset + channel] * weights[weight];
                            }
                        }
                        assert_eq!([native[at], plain[at]], [sum; 2], "row {row}, filter {filter} of {filters}");
                    }
                }
            }
        }
    }

    #[test]
    fn outer_products_are_summed_as_they_are_defined() {
        for (positions, rows, filters) in [(1usize, 1usize, 1usize), (5, 12, 8), (6, 13, 16), (9, 27, 20)] {
            let bases: Vec<usize> = (0..positions).map(|position| 3 * position).collect();
            let source = values(3 * positions + rows, 1);
            let right_stride = filters.next_multiple_of(PANEL);
            let right = values(positions * right_stride, 2);
            let mut native = values(right_stride * rows, 3);
            let (mut plain, before) = (native.clone(), native.clone());
            let outer = |target| Outer {
                source: &source,
                bases: &bases,
                rows,
                right: &right,
                right_stride,
                filters,
                target,
                panel_stride: rows * PANEL,
            };
            Arch::new().dispatch(outer(&mut native));
            outer(&mut plain).with_simd(Scalar);
            for row in 0..rows {
                for filter in 0..filters {
                    let at = (filter / PANEL * rows + row) * PANEL + filter % PANEL;
                    let products = (0..positions).map(|p| source[bases[p] + row] * right[p * right_stride + filter]);
                    assert_eq!([native[at], plain[at]], [before[at] + products.sum::<f32>(); 2], "{row}, {filter}");
                }
            }
        }
    }
}
