//! [`Moments`]: mean and scatter of real rows, and how two of them are added or taken apart.
//!
//! Chan, Golub & LeVeque (1979): with `n = a + b` and `delta = mean_b - mean_a`,
//! `mean = mean_a + delta b / n` and `S = S_a + S_b + delta delta^T a b / n`.
//!
//! With a weight for each value every pair of channels has its own sums, about one mean per channel:
//! `W_ij = sum w_i w_j`, `A_ij = sum w_i w_j d_i`, `S_ij = sum w_i w_j d_i d_j`. They move to another mean, `d' = d + delta`,
//! as `S' = S + delta_j A_ij + delta_i A_ji + delta_i delta_j W_ij`, `A' = A + delta_i W_ij`; then they add.

use faer::{Accum, Mat, MatRef, Par, linalg::matmul::matmul};

/// Samples per block: small enough to stay in cache in f64, large enough for an efficient product.
pub(crate) const BLOCK_SAMPLES: usize = 512;

/// Moments of rows of `mean.len()` real numbers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Moments {
    pub(crate) samples: u64,
    pub(crate) mean: Vec<f64>,
    /// Sum of outer products of (weighted) deviations from the mean, row-major.
    pub(crate) scatter: Vec<f64>,
    /// `None` as long as every weight was 1.
    pub(crate) weights: Option<Weights>,
}

/// What the weights add to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Weights {
    /// `sum w_i` per channel.
    pub(crate) channel: Vec<f64>,
    /// `sum w_i w_j`, row-major.
    pub(crate) pair: Vec<f64>,
    /// `sum w_i w_j d_i`, row-major.
    pub(crate) first: Vec<f64>,
}

impl Moments {
    pub(crate) fn new(width: usize) -> Self {
        Self { samples: 0, mean: vec![0.0; width], scatter: vec![0.0; width * width], weights: None }
    }

    /// Moments of one block of rows, by two passes over it; `rows` are its deviations afterwards.
    pub(crate) fn of_block(rows: &mut [f64], width: usize) -> Self {
        let samples = rows.len() / width;
        let mut mean = vec![0.0; width];
        for row in rows.chunks_exact(width) {
            mean.iter_mut().zip(row).for_each(|(m, &v)| *m += v);
        }
        mean.iter_mut().for_each(|m| *m /= samples as f64);
        for row in rows.chunks_exact_mut(width) {
            row.iter_mut().zip(&mean).for_each(|(v, m)| *v -= m);
        }
        let scatter = outer(rows, rows, width);
        Self { samples: samples as u64, mean, scatter, weights: None }
    }

    /// The same where every value has a weight; what a value of weight 0 is does not matter.
    pub(crate) fn of_weighted_block(rows: &mut [f64], weights: &[f64], width: usize) -> Self {
        if weights.iter().all(|&weight| weight == 1.0) {
            return Self::of_block(rows, width);
        }
        let (mut sum, mut channel) = (vec![0.0; width], vec![0.0; width]);
        let mut samples = 0;
        for (row, weight) in rows.chunks_exact_mut(width).zip(weights.chunks_exact(width)) {
            for (((value, &w), sum), channel) in row.iter_mut().zip(weight).zip(&mut sum).zip(&mut channel) {
                // NaN times 0 would be NaN
                *value = if w == 0.0 { 0.0 } else { *value };
                *sum += w * *value;
                *channel += w;
            }
            samples += u64::from(weight.iter().any(|&w| w > 0.0));
        }
        let mean: Vec<f64> = sum.iter().zip(&channel).map(|(sum, &w)| if w > 0.0 { sum / w } else { 0.0 }).collect();
        for (row, weight) in rows.chunks_exact_mut(width).zip(weights.chunks_exact(width)) {
            for ((value, &w), mean) in row.iter_mut().zip(weight).zip(&mean) {
                *value = w * (*value - mean);
            }
        }
        let pair = outer(weights, weights, width);
        let first = outer(rows, weights, width);
        let scatter = outer(rows, rows, width);
        Self { samples, mean, scatter, weights: Some(Weights { channel, pair, first }) }
    }

    /// Adds the samples of `other`.
    pub(crate) fn absorb(&mut self, other: &Self) {
        if other.samples == 0 {
            return;
        }
        if self.weights.is_some() || other.weights.is_some() {
            return self.combine_weighted(other.clone(), 1.0);
        }
        let (own, added) = (self.samples as f64, other.samples as f64);
        let total = own + added;
        let shift: Vec<f64> = other.mean.iter().zip(&self.mean).map(|(b, a)| b - a).collect();
        let weight = own * added / total;
        let width = self.mean.len();
        for (row, &shift_row) in shift.iter().enumerate() {
            let range = row * width..(row + 1) * width;
            for ((own, added), &shift_column) in
                self.scatter[range.clone()].iter_mut().zip(&other.scatter[range]).zip(&shift)
            {
                *own += added + weight * shift_row * shift_column;
            }
        }
        self.mean.iter_mut().zip(&shift).for_each(|(mean, shift)| *mean += shift * added / total);
        self.samples += other.samples;
    }

    /// Takes the samples of `other`, which were added before, out again.
    pub(crate) fn release(&mut self, other: &Self) {
        if other.samples == 0 {
            return;
        }
        if self.samples == other.samples {
            *self = Self::new(self.mean.len());
            return;
        }
        if self.weights.is_some() || other.weights.is_some() {
            return self.combine_weighted(other.clone(), -1.0);
        }
        let (total, taken) = (self.samples as f64, other.samples as f64);
        let left = total - taken;
        let shift: Vec<f64> = other.mean.iter().zip(&self.mean).map(|(b, all)| (b - all) * total / left).collect();
        let weight = left * taken / total;
        let width = self.mean.len();
        for (row, &shift_row) in shift.iter().enumerate() {
            let range = row * width..(row + 1) * width;
            for ((own, taken), &shift_column) in
                self.scatter[range.clone()].iter_mut().zip(&other.scatter[range]).zip(&shift)
            {
                *own -= taken + weight * shift_row * shift_column;
            }
        }
        self.mean.iter_mut().zip(&shift).for_each(|(mean, shift)| *mean -= shift * taken / total);
        self.samples -= other.samples;
    }

    /// Adds (`sign` 1) or takes away (-1) moments of which one at least has weights.
    fn combine_weighted(&mut self, mut other: Self, sign: f64) {
        let (own, added) = (self.weights(), other.weights());
        let channel: Vec<f64> = own.channel.iter().zip(&added.channel).map(|(a, b)| a + sign * b).collect();
        let mean: Vec<f64> = (0..channel.len())
            .map(|i| match channel[i] > REMAINDER * own.channel[i] {
                true => self.mean[i] + (other.mean[i] - self.mean[i]) * sign * added.channel[i] / channel[i],
                false => 0.0,
            })
            .collect();
        let (own, added) = (self.recentre(own, &mean), other.recentre(added, &mean));
        let combined = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a + sign * b).collect::<Vec<f64>>();
        self.scatter = combined(&self.scatter, &other.scatter);
        let (pair, first) = (combined(&own.pair, &added.pair), combined(&own.first, &added.first));
        self.weights = Some(Weights { channel, pair, first });
        self.samples = if sign > 0.0 { self.samples + other.samples } else { self.samples - other.samples };
        self.mean = mean;
    }

    /// Its weights, 1 for every value where there are none.
    fn weights(&self) -> Weights {
        self.weights.clone().unwrap_or_else(|| {
            let (width, samples) = (self.mean.len(), self.samples as f64);
            Weights {
                channel: vec![samples; width],
                pair: vec![samples; width * width],
                first: vec![0.0; width * width],
            }
        })
    }

    /// Moves the sums to another mean.
    fn recentre(&mut self, mut weights: Weights, mean: &[f64]) -> Weights {
        let width = mean.len();
        let shift: Vec<f64> = self.mean.iter().zip(mean).map(|(old, new)| old - new).collect();
        for i in 0..width {
            for j in 0..width {
                let (here, there) = (i * width + j, j * width + i);
                let (first, mirrored) = (weights.first[here], weights.first[there]);
                self.scatter[here] += shift[j] * first + shift[i] * mirrored + shift[i] * shift[j] * weights.pair[here];
            }
        }
        // only now: the loop above needs the sums about the old mean of both channels
        for (at, (first, pair)) in weights.first.iter_mut().zip(&weights.pair).enumerate() {
            *first += shift[at / width] * pair;
        }
        weights
    }

    /// The covariance (divided by n - 1), row-major; 0 for two channels that no sample has both of.
    pub(crate) fn covariance(&self) -> Vec<f64> {
        let samples = self.samples as f64;
        let degrees = samples - 1.0;
        match &self.weights {
            None => self.scatter.iter().map(|s| s / degrees).collect(),
            Some(weights) => {
                let unbiased = samples / degrees;
                let entry = |(s, w): (&f64, &f64)| if *w > 0.0 { s / w * unbiased } else { 0.0 };
                self.scatter.iter().zip(&weights.pair).map(entry).collect()
            }
        }
    }
}

/// Weight below this part of what there was is rounding of a difference.
const REMAINDER: f64 = 1e-12;

/// `sum left right^T` over rows, row-major.
fn outer(left: &[f64], right: &[f64], width: usize) -> Vec<f64> {
    let samples = left.len() / width;
    // one column per sample: a row of the block is contiguous
    let left = MatRef::from_column_major_slice(left, width, samples);
    let right = MatRef::from_column_major_slice(right, width, samples);
    let mut product = Mat::<f64>::zeros(width, width);
    matmul(product.as_mut(), Accum::Replace, left, right.transpose(), 1.0, Par::Seq);
    (0..width * width).map(|i| product[(i / width, i % width)]).collect()
}
