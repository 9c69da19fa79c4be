//! [`Fit`]: the parameters of a [`Model`] that make a sky likeliest, how sure they are, and how the model compares with others.
//!
//! The search is Fisher scoring: Newton steps with the expected curvature, damped as of Levenberg and Marquardt. Around the maximum the posterior is
//! taken for normal (Laplace), which gives the errors of the parameters and the evidence
//! ```text
//! ln Z = ln L + ln prior + p/2 ln(2 pi) - 1/2 ln det(F + prior precision)
//! ```
//! by which models are compared: a kernel must be worth its parameters. Rasmussen & Williams, Gaussian Processes for Machine Learning (2006), sections
//! 3.4 and 5.4.1.

use cupel_data::Stream;
use faer::Mat;

use super::{
    evidence::{Bands, Likelihood, likelihood, whitening},
    model::{Model, Parameter},
};

/// Most steps of one search.
const STEPS: usize = 40;
/// Most that a parameter changes in one step.
const LONGEST: f64 = 1.5;
/// Steps after which a search is given up that would have to gain so many times more than its next step to reach the best of others.
const PATIENCE: usize = 8;
const HOPE: f64 = 30.0;
/// A search has ended where the next step would gain less than this of the logarithm of the posterior.
const GAIN: f64 = 3e-2;

/// A model with the parameters that the data make likeliest.
#[derive(Clone, Debug)]
pub(super) struct Fit {
    pub(super) model: Model,
    pub(super) parameters: Vec<f64>,
    /// Their standard deviations; 0 of those that are held.
    pub(super) deviations: Vec<f64>,
    /// `A` of their covariance `A A^T`.
    root: Mat<f64>,
    /// Logarithm of the posterior there, and of the evidence.
    pub(super) log_posterior: f64,
    pub(super) log_evidence: f64,
}

impl Fit {
    /// The maximum that a search from `start` ends at, the middle of the priors for all parameters beyond; nothing where the covariance there is not
    /// positive, or where it cannot come near the logarithm of the posterior `other`.
    pub(super) fn search(model: &Model, bands: &Bands, start: &[f64], other: f64) -> Option<Self> {
        let priors = model.parameters();
        let mut at: Vec<f64> = priors.iter().map(|prior| prior.mean).collect();
        at[..start.len()].copy_from_slice(start);
        let free: Vec<usize> = (0..priors.len()).filter(|i| priors[*i].deviation > 0.0).collect();
        let prior = |at: &[f64]| -> f64 {
            free.iter().map(|i| -0.5 * ((at[*i] - priors[*i].mean) / priors[*i].deviation).powi(2)).sum()
        };
        let mut here = likelihood(model, &at, bands, true)?;
        let mut value = here.value + prior(&at);
        let (mut damping, mut steps) = (1e-3, 0);
        while steps < STEPS {
            steps += 1;
            let (gradient, mut curvature) = posterior(&here, &at, &priors, &free);
            (0..free.len()).for_each(|i| curvature[(i, i)] *= 1.0 + damping);
            let Some((inverse, _)) = whitening(&curvature) else {
                damping *= 10.0;
                continue;
            };
            let half = &inverse * gradient;
            let step = inverse.transpose() * &half;
            let longest = (0..free.len()).map(|i| step[(i, 0)].abs()).fold(0.0, f64::max);
            let factor = (LONGEST / longest).min(1.0);
            let gain = 0.5 * (0..free.len()).map(|i| half[(i, 0)].powi(2)).sum::<f64>();
            if steps > PATIENCE && value + HOPE * gain < other {
                return None;
            }
            let mut next = at.clone();
            free.iter().enumerate().for_each(|(i, which)| next[*which] += factor * step[(i, 0)]);
            let there = likelihood(model, &next, bands, true);
            match there.map(|there| (there.value + prior(&next), there)) {
                Some((found, there)) if found > value => {
                    (at, value, here) = (next, found, there);
                    damping = (damping * 0.2).max(1e-9);
                    if gain < GAIN {
                        break;
                    }
                }
                // no step is long enough to show above rounding
                _ if gain < GAIN || damping > 1e12 => break,
                _ => damping *= 6.0,
            }
        }
        let (_, curvature) = posterior(&here, &at, &priors, &free);
        let (inverse, determinant) = whitening(&curvature)?;
        let mut root = Mat::zeros(priors.len(), free.len());
        for (i, row) in free.iter().enumerate() {
            (0..free.len()).for_each(|j| root[(*row, j)] = inverse[(j, i)]);
        }
        let row = |i: usize| (0..free.len()).map(|j| root[(i, j)].powi(2)).sum::<f64>().sqrt();
        let deviations = (0..priors.len()).map(row).collect();
        // the prior's own volume counts: ln prior = -1/2 sum ((x - mean) / deviation)^2 - sum ln deviation - p/2 ln(2 pi)
        let volume: f64 = free.iter().map(|i| priors[*i].deviation.ln()).sum();
        let log_evidence = value - volume - 0.5 * determinant;
        Some(Self { model: model.clone(), parameters: at, deviations, root, log_posterior: value, log_evidence })
    }

    /// Parameters as they could be after all.
    pub(super) fn drawn(&self, stream: Stream) -> Vec<f64> {
        let mut normal = vec![0.0; self.root.ncols()];
        stream.fill_normal_f64(&mut normal);
        let off = |i: usize| (0..normal.len()).map(|j| self.root[(i, j)] * normal[j]).sum::<f64>();
        self.parameters.iter().enumerate().map(|(i, middle)| middle + off(i)).collect()
    }
}

/// Gradient and curvature of the posterior over the parameters that are free.
fn posterior(here: &Likelihood, at: &[f64], priors: &[&Parameter], free: &[usize]) -> (Mat<f64>, Mat<f64>) {
    let gradient = Mat::from_fn(free.len(), 1, |i, _| {
        let which = free[i];
        here.gradient[which] - (at[which] - priors[which].mean) / priors[which].deviation.powi(2)
    });
    let curvature = Mat::from_fn(free.len(), free.len(), |i, j| {
        let own = if i == j { priors[free[i]].deviation.powi(-2) } else { 0.0 };
        here.fisher[(free[i], free[j])] + own
    });
    (gradient, curvature)
}
