//! Components of data with gaps, better than the covariance of pairs gives them.
//!
//! The covariance of pairs of channels is not positive where flags are many, and its modes leave up to half more of real
//! visibilities than these do. Expectation and maximisation (Srebro & Jaakkola 2003; Roweis 1998) start from it: each sample's amplitudes
//! `a = (V^H W V + sigma^2 / lambda)^-1 V^H W (x - mu)` fill what is missing, `w x + (1 - w) (mu + V a)`, the filled samples are decomposed
//! again, until the variance beside the modes stays. Weights count relative to the largest.

use cupel_data::{Axes, Axis, AxisKind, Cube};
use faer::{Mat, MatRef, Side, linalg::solvers::Llt, prelude::Solve};
use num_complex::Complex;
use rayon::prelude::*;

use crate::{Basis, Components, Covariance, Modes, Number, Result, eigen::Entry};

/// Rounds at most, and the change of the variance beside the modes that ends them sooner.
const ROUNDS: usize = 50;
const SETTLED: f64 = 1e-6;
/// Keeps the equations of a sample solvable that has fewer values than there are modes.
const LEAST_PRIOR: f64 = 1e-12;

/// Samples that were centred nowhere, row after row, with their weights.
pub(crate) struct Gaps<E> {
    rows: Vec<E>,
    weights: Vec<f64>,
    channels: usize,
}

impl<E: Entry + Number> Gaps<E> {
    /// Rows of which some value has weight.
    pub(crate) fn new(rows: Vec<E>, weights: &[f64], channels: usize) -> Self {
        let largest = weights.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        let kept: Vec<bool> = weights.chunks(channels).map(|row| row.iter().any(|&weight| weight > 0.0)).collect();
        let keep = |at: &usize| kept[at / channels];
        let chosen: Vec<usize> = (0..rows.len()).filter(keep).collect();
        Self {
            rows: chosen.iter().map(|&at| rows[at]).collect(),
            weights: chosen.iter().map(|&at| weights[at] / largest).collect(),
            channels,
        }
    }

    /// Components as many as those of `start`, from which the rounds begin.
    pub(crate) fn refine(&self, start: Components) -> Result<Components> {
        let (rule, mut found) = (start.rule.clone(), start);
        if found.count() == 0 || self.weights.iter().all(|&weight| weight == 1.0) {
            return Ok(found);
        }
        for _ in 0..ROUNDS {
            let before = found.noise_variance();
            let filled = self.filled(&found);
            let samples = Axis::new(AxisKind::Sample, self.rows.len() / self.channels);
            let channels = Axis::new(AxisKind::Dimension(0), self.channels);
            let filled = Cube::new(filled, Axes::new(vec![samples, channels.clone()])?)?;
            let mut covariance =
                if found.basis.is_hermitian() { Covariance::hermitian(&channels) } else { Covariance::new(&channels) };
            covariance.update(&filled)?;
            let next = covariance.components(Modes::Count(found.count()))?;
            found = Components { axis: found.axis, rule: rule.clone(), ..next };
            if (found.noise_variance() - before).abs() <= SETTLED * before {
                break;
            }
        }
        Ok(found)
    }

    fn filled(&self, found: &Components) -> Vec<E> {
        let (channels, modes) = (self.channels, found.count());
        let vectors: Vec<E> = match &found.basis {
            Basis::Real(vectors) => vectors.iter().flatten().map(|&v| <E as Number>::from_parts([v, 0.0])).collect(),
            Basis::Hermitian(vectors) => {
                vectors.iter().flatten().map(|v| <E as Number>::from_parts([v.re, v.im])).collect()
            }
        };
        let mean: Vec<E> = match found.basis.is_hermitian() {
            true => found.complex_mean().iter().map(|mean| <E as Number>::from_parts([mean.re, mean.im])).collect(),
            false => found.mean.iter().map(|&mean| <E as Number>::from_parts([mean, 0.0])).collect(),
        };
        let basis = MatRef::from_column_major_slice(&vectors, channels, modes);
        let noise = found.noise_variance();
        let prior: Vec<f64> = found
            .variances()
            .iter()
            .map(|value| (noise / value.max(f64::MIN_POSITIVE)).clamp(LEAST_PRIOR, 1.0))
            .collect();
        let mut filled = self.rows.clone();
        filled.par_chunks_mut(channels).zip(self.weights.par_chunks(channels)).with_min_len(16).for_each(
            |(row, weights)| {
                if weights.iter().all(|&weight| weight == 1.0) {
                    return;
                }
                let weight = |at: usize| E::of([weights[at], 0.0]);
                let weighted = Mat::from_fn(channels, modes, |at, mode| weight(at) * basis[(at, mode)]);
                let mut normal = basis.adjoint() * &weighted;
                for (mode, &prior) in prior.iter().enumerate() {
                    normal[(mode, mode)] += E::of([prior, 0.0]);
                }
                let seen =
                    |at: usize| if weights[at] > 0.0 { weight(at) * (row[at] - mean[at]) } else { E::of([0.0; 2]) };
                let right = basis.adjoint() * Mat::from_fn(channels, 1, |at, _| seen(at));
                // positive by its prior, so that only a value beyond f64 can fail
                let Ok(factor) = Llt::new(normal.as_ref(), Side::Lower) else { return };
                let model = basis * factor.solve(&right);
                for (at, value) in row.iter_mut().enumerate() {
                    let own = if weights[at] > 0.0 { weight(at) * *value } else { E::of([0.0; 2]) };
                    *value = own + E::of([1.0 - weights[at], 0.0]) * (mean[at] + model[(at, 0)]);
                }
            },
        );
        filled
    }
}

/// Rows of real numbers: of complex ones the imaginary parts follow the real ones.
pub(crate) fn real_gaps(values: Vec<f64>, weights: &[f64], channels: usize) -> Gaps<f64> {
    Gaps::new(values, weights, channels)
}

/// Rows of complex numbers.
pub(crate) fn complex_gaps<T: Number>(values: &[T], weights: &[f32], channels: usize) -> Gaps<Complex<f64>> {
    let values = values.iter().map(|value| {
        let [re, im] = value.parts();
        Complex::new(re, im)
    });
    let weights: Vec<f64> = weights.iter().map(|&weight| f64::from(weight)).collect();
    Gaps::new(values.collect(), &weights, channels)
}
