//! Products of matrices in `f32`, of which the right one is packed.
//!
//! Rows of the result are dealt out to threads; each value is the sum of its terms in order, in blocks of [`DEPTH`], so that threads
//! change no bit.

use crate::micro::{Gather, PANEL};
use pulp::Arch;
use rayon::prelude::*;

/// Terms that are summed before the next panel has its turn: its weights then stay in the nearest cache while rows go by.
const DEPTH: usize = 256;
/// Rows of the result that one thread computes at a time.
const ROWS: usize = 96;
/// Values from which on packing is worth several threads.
const LARGE: usize = 1 << 16;

/// Every value of `column` times every one of `row`.
pub(crate) fn outer(column: &[f32], row: &[f32]) -> Vec<f32> {
    let mut values = Vec::with_capacity(column.len() * row.len());
    column.iter().for_each(|left| values.extend(row.iter().map(|right| left * right)));
    values
}

/// A matrix as the micro-kernel reads it: 16 columns next to each other, row after row, `[panel][row][lane]`; the last panel is filled
/// up with noughts.
pub(crate) struct Panels {
    values: Vec<f32>,
    inputs: usize,
    outputs: usize,
}

impl Panels {
    /// A matrix of `[input][output]`.
    pub fn of_rows(matrix: &[f32], [inputs, outputs]: [usize; 2]) -> Self {
        Self::packed([inputs, outputs], |first, panel| {
            let width = PANEL.min(outputs - first);
            for (row, lanes) in matrix.chunks_exact(outputs).zip(panel.chunks_exact_mut(PANEL)) {
                lanes[..width].copy_from_slice(&row[first..first + width]);
            }
        })
    }

    /// The transpose of a matrix of `[output][input]`: of `[rows, columns]` of the matrix itself.
    pub fn of_columns(matrix: &[f32], [rows, columns]: [usize; 2]) -> Self {
        Self::packed([columns, rows], |first, panel| {
            let strip = &matrix[first * columns..(first + PANEL).min(rows) * columns];
            for (lane, row) in strip.chunks_exact(columns).enumerate() {
                for (value, lanes) in row.iter().zip(panel.chunks_exact_mut(PANEL)) {
                    lanes[lane] = *value;
                }
            }
        })
    }

    /// `pack` gets the first output of a panel and its room.
    fn packed([inputs, outputs]: [usize; 2], pack: impl Fn(usize, &mut [f32]) + Sync) -> Self {
        let mut values = vec![0.0; outputs.div_ceil(PANEL) * inputs * PANEL];
        let pack = |(panel, room): (usize, &mut [f32])| pack(panel * PANEL, room);
        if values.len() < LARGE {
            values.chunks_exact_mut(inputs * PANEL).enumerate().for_each(pack);
        } else {
            values.par_chunks_exact_mut(inputs * PANEL).enumerate().for_each(pack);
        }
        Self { values, inputs, outputs }
    }

    /// `[row][input]` to `[row][output]`, to which `bias` is added unless it is empty.
    pub fn multiply(&self, source: &[f32], bias: &[f32]) -> Vec<f32> {
        let (inputs, outputs) = (self.inputs, self.outputs);
        let (rows, stride) = (source.len() / inputs, outputs.next_multiple_of(PANEL));
        let mut target = vec![0.0; rows * stride];
        let bases: Vec<usize> = (0..ROWS.min(rows)).map(|row| row * inputs).collect();
        let arch = Arch::new();
        target.par_chunks_mut(ROWS * stride).zip(source.par_chunks(ROWS * inputs)).for_each(|(target, source)| {
            if !bias.is_empty() {
                target.chunks_exact_mut(stride).for_each(|row| row[..outputs].copy_from_slice(bias));
            }
            for first in (0..inputs).step_by(DEPTH) {
                arch.dispatch(Gather {
                    source,
                    bases: &bases[..source.len() / inputs],
                    offsets: &[first],
                    channels: DEPTH.min(inputs - first),
                    weights: &self.values[first * PANEL..],
                    panel_stride: inputs * PANEL,
                    filters: outputs,
                    target,
                    target_stride: stride,
                    accumulate: true,
                });
            }
        });
        if stride > outputs {
            for row in 1..rows {
                target.copy_within(row * stride..row * stride + outputs, row * outputs);
            }
            target.truncate(rows * outputs);
        }
        target
    }
}

/// `[row][column]` to `[column][row]`.
pub(crate) fn transpose(matrix: &[f32], [rows, columns]: [usize; 2]) -> Vec<f32> {
    let mut turned = vec![0.0; matrix.len()];
    // strips of rows, each of which fills whole lines of the cache
    for (strip, first) in matrix.chunks(PANEL * columns).zip((0..rows).step_by(PANEL)) {
        for (column, line) in turned.chunks_exact_mut(rows).enumerate() {
            let own = strip[column..].iter().step_by(columns);
            line[first..].iter_mut().zip(own).for_each(|(value, source)| *value = *source);
        }
    }
    turned
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Small whole numbers, which f32 adds without rounding.
    fn values(len: usize, seed: usize) -> Vec<f32> {
        (0..len).map(|i| ((i * 7 + seed * 13) % 11) as f32 - 5.0).collect()
    }

    /// Fewer and more columns than panels have, rows than a thread takes, terms than a block sums.
    #[test]
    fn products_are_as_they_are_defined() {
        for [rows, inputs, outputs] in [[1, 1, 1], [7, 5, 16], [97, 300, 34], [200, 16, 17], [13, 513, 48]] {
            let (x, w, bias) = (values(rows * inputs, 1), values(inputs * outputs, 2), values(outputs, 3));
            let turned = transpose(&w, [inputs, outputs]);
            let mut expected = Vec::new();
            for row in 0..rows {
                for output in 0..outputs {
                    assert_eq!(turned[output * inputs], w[output]);
                    let terms = (0..inputs).map(|k| x[row * inputs + k] * w[k * outputs + output]);
                    expected.push(bias[output] + terms.sum::<f32>());
                }
            }
            assert_eq!(
                Panels::of_rows(&w, [inputs, outputs]).multiply(&x, &bias),
                expected,
                "{rows} {inputs} {outputs}"
            );
            let panels = Panels::of_columns(&turned, [outputs, inputs]);
            assert_eq!(panels.multiply(&x, &bias), expected, "{rows} {inputs} {outputs}");
        }
    }
}
