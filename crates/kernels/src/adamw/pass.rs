//! The step on slices.

use super::AdamWStep;
use crate::vectorized::vectorized;
use rayon::prelude::*;

/// Values that one task handles, or one row if that is longer.
const BLOCK: usize = 1 << 14;

/// The numbers of a step as every value needs them.
#[derive(Clone, Copy)]
struct Factors {
    kept: f32,
    rate: f32,
    correction: f32,
    epsilon: f32,
    /// What stays of the moments and what the gradient gives.
    first: [f32; 2],
    second: [f32; 2],
}

/// Updates weights and moments, which consist of rows of `row` values.
pub(super) fn run([x, first, second]: [&mut [f32]; 3], gradient: &[f32], row: usize, step: &AdamWStep) {
    let [kept, rate, correction] = step.factors().map(|factor| factor as f32);
    let shares = |beta: f64| [beta as f32, (1.0 - beta) as f32];
    let [b1, b2] = step.betas;
    let factors =
        Factors { kept, rate, correction, epsilon: step.epsilon as f32, first: shares(b1), second: shares(b2) };
    let row = row.max(1);
    let block = (BLOCK / row).max(1) * row;
    let blocks = x.par_chunks_mut(block).zip(first.par_chunks_mut(block)).zip(second.par_chunks_mut(block));
    blocks.zip(gradient.par_chunks(block)).for_each(|(((x, first), second), gradient)| {
        let all = |[x, first, second]: [&mut [f32]; 3], gradient: &[f32]| {
            vectorized(
                #[inline(always)]
                || update([x, first, second], gradient, factors),
            );
        };
        if !step.by_rows {
            return all([x, first, second], gradient);
        }
        let rows = x.chunks_mut(row).zip(first.chunks_mut(row)).zip(second.chunks_mut(row));
        for (((x, first), second), gradient) in rows.zip(gradient.chunks(row)) {
            if gradient.iter().any(|g| *g != 0.0) {
                all([x, first, second], gradient);
            }
        }
    });
}

#[inline(always)]
fn update([x, first, second]: [&mut [f32]; 3], gradient: &[f32], by: Factors) {
    for (((x, m), v), g) in x.iter_mut().zip(first).zip(second).zip(gradient) {
        *m = by.first[0] * *m + by.first[1] * g;
        *v = by.second[0] * *v + by.second[1] * (g * g);
        *x = by.kept * *x - by.rate * *m / ((*v * by.correction).sqrt() + by.epsilon);
    }
}
