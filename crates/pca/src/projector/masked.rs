//! What is flagged, or was never measured, has no say.
//!
//! With weights `w` per channel (0: flagged, 1: as good as the data that the components came from) the amplitudes of
//! the modes are those of weighted least squares, sample by sample,
//! ```text
//! a = (V^H W V + diag(1 / share - 1))^-1 V^H W (x - mu),   y = x - mu - V a,
//! ```
//! which without flags is the plain projection: the diagonal is the prior of a mode of variance `lambda = t share / (1
//! - share)` under noise `t` (Wiener), nothing for a hard cut. Values under a weight of 0 are never read into a sum.

use cupel_data::{Axis, Cube};
use faer::{Mat, MatMut, Side, linalg::solvers::Llt, prelude::Solve};
use rayon::prelude::*;

use super::{BLOCK, Directions, Projector, not_finite};
use crate::{Error, Number, Result};

/// A pivot below this share of the largest one: the channels that are left do not determine the modes.
const SINGULAR: f64 = 1e-10;

/// Data without their components, and what of them is left to use.
#[derive(Clone, Debug)]
pub struct Cleaned<T> {
    /// The cleaned values; NaN where the weight is 0.
    pub values: Cube<T>,
    /// The weights, 0 also for samples with too few channels to determine the modes.
    pub weights: Cube<f32>,
    /// How many samples those are.
    pub undetermined: usize,
}

impl Projector {
    /// The data without the components, amplitudes from what has weight only.
    ///
    /// # Errors
    /// As [`apply`](Self::apply); weights of other axes, below 0 or not finite; [`Error::AllFlagged`] when all are 0; a
    /// value that is not finite and has weight.
    pub fn apply_masked<T: Number>(&self, data: &Cube<T>, weights: &Cube<f32>) -> Result<Cleaned<T>> {
        let same = |(a, b): (&Axis, &Axis)| a.kind() == b.kind() && a.len() == b.len();
        if data.axes().rank() != weights.axes().rank() || !data.axes().iter().zip(weights.axes()).all(same) {
            return Err(Error::WeightShape { expected: axes(data), got: axes(weights) });
        }
        if weights.values().iter().all(|weight| *weight == 0.0) {
            return Err(Error::AllFlagged);
        }
        let (mut sorted, ranges) = self.sorted(data)?;
        let channels = self.axis.len();
        let moved = weights.permuted(&sorted.axes.kinds())?;
        if let Some(at) = moved.values().iter().position(|weight| !(weight.is_finite() && *weight >= 0.0)) {
            return Err(Error::Weight { sample: at / channels, channel: at % channels, value: moved.values()[at] });
        }
        let read = |(value, weight): (&T, &f32)| *weight > 0.0 && !value.finite();
        if let Some(at) = sorted.values.iter().zip(moved.values()).position(read) {
            return Err(not_finite(&sorted.values, at, channels));
        }
        let axes = moved.axes().clone();
        let mut left = moved.into_values();
        let mut undetermined = 0;
        for (directions, range) in &ranges {
            let rows = sorted.values[range.clone()].par_chunks_mut((BLOCK * channels).max(1));
            let weights = left[range.clone()].par_chunks_mut((BLOCK * channels).max(1));
            undetermined += rows.zip(weights).map(|(rows, weights)| directions.masked(rows, weights)).sum::<usize>();
        }
        let weights = Cube::new(left, axes)?.permuted(&data.axes().kinds())?;
        Ok(Cleaned { values: sorted.back(data)?, weights, undetermined })
    }
}

impl Directions {
    /// Cleans rows and says how many are not determined; their weights become 0.
    fn masked<T: Number>(&self, rows: &mut [T], weights: &mut [f32]) -> usize {
        let channels = self.mean.len() / self.parts;
        let mut undetermined = 0;
        let mut solver: Option<(Vec<f32>, Option<Llt<f64>>)> = None;
        for (row, weights) in rows.chunks_exact_mut(channels).zip(weights.chunks_exact_mut(channels)) {
            if solver.as_ref().is_none_or(|(of, _)| of != weights) {
                solver = Some((weights.to_vec(), self.normal(weights)));
            }
            let factor = solver.as_ref().and_then(|(_, factor)| factor.as_ref());
            let flagged = T::from_parts([f64::NAN; 2]);
            let Some(factor) = factor else {
                undetermined += 1;
                row.fill(flagged);
                weights.fill(0.0);
                continue;
            };
            for (value, weight) in row.iter_mut().zip(&*weights) {
                if *weight == 0.0 {
                    *value = T::from_parts([0.0; 2]);
                }
            }
            let mut block = self.gather(row);
            self.centre(&mut block);
            let length = self.mean.len();
            let samples = block.len() / length;
            let weighted = Mat::from_fn(length, samples, |at, sample| {
                f64::from(weights[at % channels]) * block[sample * length + at]
            });
            let amplitudes = factor.solve(&self.modes * &weighted);
            let mut columns = MatMut::from_column_major_slice_mut(&mut block, length, samples);
            columns -= self.modes.transpose() * &amplitudes;
            self.scatter(&block, row);
            for (value, weight) in row.iter_mut().zip(&*weights) {
                if *weight == 0.0 {
                    *value = flagged;
                }
            }
        }
        undetermined
    }

    /// The factor of `V^T W V + diag(1 / share - 1)`; `None` where it is singular, or nothing has weight.
    fn normal(&self, weights: &[f32]) -> Option<Llt<f64>> {
        if weights.iter().all(|weight| *weight == 0.0) {
            return None;
        }
        let channels = weights.len();
        let (modes, length) = (self.modes.nrows(), self.modes.ncols());
        let weighted =
            Mat::from_fn(modes, length, |mode, at| f64::from(weights[at % channels]) * self.modes[(mode, at)]);
        let mut normal = &weighted * self.modes.transpose();
        for (mode, share) in self.shares.iter().enumerate() {
            normal[(mode, mode)] += 1.0 / share - 1.0;
        }
        let factor = Llt::new(normal.as_ref(), Side::Lower).ok()?;
        let pivots = (0..modes).map(|mode| factor.L()[(mode, mode)].powi(2));
        let (least, most) = pivots.fold((f64::INFINITY, 0.0_f64), |(least, most), p| (least.min(p), most.max(p)));
        (modes == 0 || least > SINGULAR * most).then_some(factor)
    }
}

fn axes<T>(cube: &Cube<T>) -> String {
    let named: Vec<String> = cube.axes().iter().map(|axis| format!("{} {}", axis.kind(), axis.len())).collect();
    format!("[{}]", named.join(", "))
}
