//! Resampling of volumes in slices: each by one thread, axis after axis.

use super::{Matrix, Plan};
use crate::vectorized::vectorized;
use rayon::prelude::*;
use std::ops::{AddAssign, Mul};

/// A number that is resampled.
pub(super) trait Number: Copy + Default + Send + Sync + AddAssign + Mul<Output = Self> {
    fn narrow(weight: f64) -> Self;
}

impl Number for f32 {
    #[inline(always)]
    fn narrow(weight: f64) -> Self {
        weight as Self
    }
}

impl Number for f64 {
    #[inline(always)]
    fn narrow(weight: f64) -> Self {
        weight
    }
}

/// All volumes of `extents` in `values`, one behind the other.
pub(super) fn resample<T: Number>(values: &[T], extents: [usize; 3], plan: &Plan) -> Vec<T> {
    let outputs = plan.outputs(extents);
    let [from, to] = [extents, outputs].map(|extents| extents.iter().product::<usize>());
    if from == 0 || to == 0 {
        return vec![T::default(); values.len().checked_div(from).unwrap_or(0) * to];
    }
    // the axes that are read value by value first where they grow, last where they shrink: then there are fewer of those values
    let order = if to > from { [2, 1, 0] } else { [0, 1, 2] };
    let mut resampled = vec![T::default(); values.len() / from * to];
    resampled.par_chunks_mut(to).zip(values.par_chunks(from)).for_each_init(
        || [Vec::new(), Vec::new()],
        |[before, after], (resampled, volume)| {
            let mut extents = extents;
            before.clear();
            before.extend_from_slice(volume);
            for axis in order {
                let Some(matrix) = &plan.0[axis] else { continue };
                let outer = extents[..axis].iter().product::<usize>();
                let inner = extents[axis + 1..].iter().product::<usize>();
                after.clear();
                after.resize(outer * matrix.outputs() * inner, T::default());
                along(before, after, matrix, inner);
                extents[axis] = matrix.outputs();
                std::mem::swap(before, after);
            }
            resampled.copy_from_slice(before);
        },
    );
    resampled
}

/// `before`, `[outer, inputs, inner]`, to `after`, `[outer, outputs, inner]`, which is zero.
fn along<T: Number>(before: &[T], after: &mut [T], matrix: &Matrix, inner: usize) {
    let (inputs, outputs) = (matrix.inputs, matrix.outputs());
    let blocks = before.chunks_exact(inputs * inner).zip(after.chunks_exact_mut(outputs * inner));
    if inner == 1 {
        for (before, after) in blocks {
            for (output, after) in after.iter_mut().enumerate() {
                matrix.row(output).iter().for_each(|(input, weight)| *after += before[*input] * T::narrow(*weight));
            }
        }
        return;
    }
    for (before, after) in blocks {
        for (output, after) in after.chunks_exact_mut(inner).enumerate() {
            for (input, weight) in matrix.row(output) {
                let (before, weight) = (&before[input * inner..(input + 1) * inner], T::narrow(*weight));
                add(after, before, weight);
            }
        }
    }
}

fn add<T: Number>(after: &mut [T], before: &[T], weight: T) {
    vectorized(
        #[inline(always)]
        || after.iter_mut().zip(before).for_each(|(after, before)| *after += *before * weight),
    );
}
