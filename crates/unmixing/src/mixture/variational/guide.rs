//! The guide of variational inference: normal variables in place of the posterior, of which abundances are the softmax.

use burn::tensor::{Int, Tensor};
use cupel_kernels::{Activation, activate, sum_fixed};
use cupel_statistics::quantile;
use rayon::prelude::*;

use super::{
    GUIDE_RANK, LEAST_SHARE,
    endmembers::EndmemberPrior,
    likelihood::{eliminate, one_plus},
    model::VariationalModel,
};
use crate::mixture::Guide;

/// Slope of the activation of the amortised guide below nought.
const SLOPE: f64 = 0.02;
/// Amortised guides begin and stay within these logarithms of standard deviations.
const LN_DEVIATIONS: [f64; 2] = [-6.0, 0.5];
/// Pixels of one task when posteriors are sampled.
const BLOCK_PIXELS: usize = 256;

/// Pixels of a step.
#[derive(Clone, Debug)]
pub struct Batch {
    pub(super) spectra: Tensor<2>,
    pub(super) ln_norms: Tensor<1>,
    pub(super) chosen: Option<Tensor<1, Int>>,
    pub(super) prior: Option<EndmemberPrior>,
}

/// The guide of some pixels.
pub(super) struct Guided {
    pub(super) means: Tensor<2>,
    pub(super) ln_deviations: Tensor<2>,
    pub(super) ln_brightness: Tensor<1>,
}

impl VariationalModel {
    /// The guide of the pixels of a batch.
    pub(super) fn guide(&self, batch: &Batch) -> Guided {
        let some = |tensor: Tensor<2>| match &batch.chosen {
            Some(chosen) => tensor.select(0, chosen.clone()),
            None => tensor,
        };
        match (&self.local, &self.encoder) {
            (Some(local), _) => Guided {
                means: some(local.means.base()),
                ln_deviations: some(local.ln_deviations.base()),
                ln_brightness: match &batch.chosen {
                    Some(chosen) => local.ln_brightness.base().select(0, chosen.clone()),
                    None => local.ln_brightness.base(),
                },
            },
            (None, Some(encoder)) => {
                let norms = batch.ln_norms.clone().exp().unsqueeze_dim(1);
                let last = encoder.layers.len() - 1;
                let unit = batch.spectra.clone() / norms * (batch.spectra.dims()[1] as f64).sqrt();
                let code = encoder.layers.iter().enumerate().fold(unit, |h, (index, layer)| {
                    let h = layer.forward(h);
                    if index < last { activate(h, Activation::LeakyRelu(SLOPE)) } else { h }
                });
                // [pixel, 2 endmembers + 1]
                let [pixels, width] = code.dims();
                let count = width / 2;
                let ln_deviations = code.clone().slice([0..pixels, count..2 * count]) - 2.0;
                Guided {
                    means: code.clone().slice([0..pixels, 0..count]),
                    ln_deviations: ln_deviations.clamp(LN_DEVIATIONS[0], LN_DEVIATIONS[1]),
                    ln_brightness: code.slice([0..pixels, 2 * count..width]).reshape([pixels]) + batch.ln_norms.clone(),
                }
            }
            (None, None) => unreachable!("a guide is local or amortised"),
        }
    }

    /// A draw of the logarithm of the endmembers, from standard normal `own`, `[endmember, band]`, and `shared`, `[1, rank]`.
    pub(super) fn ln_endmembers(&self, guide: Guide, own: &Tensor<2>, shared: Tensor<2>) -> Tensor<2> {
        let [count, bands] = own.dims();
        let deviations = self.ln_deviations.base().exp();
        let independent = self.ln_endmembers.base() + deviations.clone() * own.clone();
        match (guide, &self.factors) {
            (Guide::LowRank, Some(factors)) => independent + shared.matmul(factors.base()).reshape([count, bands]),
            (Guide::FullGlobals, Some(factors)) => {
                // In units of the deviations, and of a size together that does not grow with their number: the optimiser's steps
                // have one length for all.
                let globals = count * bands;
                let below = factors.base().tril(-1).transpose();
                let others = own.clone().reshape([1, globals]).matmul(below).reshape([count, bands]);
                independent + deviations * others.mul_scalar(1.0 / (globals as f64).sqrt())
            }
            _ => independent,
        }
    }

    /// Entropy of the endmembers' guide, up to a constant.
    pub(super) fn entropy(&self, guide: Guide) -> Tensor<1> {
        let ln_deviations = self.ln_deviations.base();
        let independent = sum_fixed(ln_deviations.clone());
        match (guide, &self.factors) {
            (Guide::LowRank, Some(factors)) => {
                let [_, globals] = factors.dims();
                let scaled = factors.base() / ln_deviations.exp().reshape([1, globals]);
                let none = Tensor::zeros([1, GUIDE_RANK], &scaled.device());
                independent + eliminate(one_plus(scaled), none).0.mul_scalar(0.5)
            }
            _ => independent,
        }
    }
}

/// Moments and quantiles of the abundances over draws.
pub(super) struct Drawn {
    pub(super) means: Vec<f64>,
    pub(super) deviations: Vec<f64>,
    pub(super) lower: Vec<f64>,
    pub(super) upper: Vec<f64>,
}

impl Drawn {
    pub(super) fn new(means: &[f64], ln_deviations: &[f64], count: usize, samples: usize, seed: u64) -> Self {
        let stream = cupel_data::Stream::new(seed, "abundance posterior");
        let block = BLOCK_PIXELS * count;
        let parts: Vec<[Vec<f64>; 4]> = means
            .par_chunks(block)
            .zip(ln_deviations.par_chunks(block))
            .enumerate()
            .map(|(index, (means, ln_deviations))| {
                let mut normal = vec![0.0f32; samples * means.len()];
                stream.child(index as u64).fill_normal(&mut normal);
                let mut out: [Vec<f64>; 4] = Default::default();
                let mut draws = vec![vec![0.0; samples]; count];
                for (n, (mean, deviation)) in
                    means.chunks_exact(count).zip(ln_deviations.chunks_exact(count)).enumerate()
                {
                    for s in 0..samples {
                        let at = (s * means.len()) + n * count;
                        let z: Vec<f64> =
                            (0..count).map(|k| mean[k] + deviation[k].exp() * f64::from(normal[at + k])).collect();
                        softmax(&z).into_iter().zip(&mut draws).for_each(|(w, draws)| draws[s] = w);
                    }
                    for draws in &mut draws {
                        let average = draws.iter().sum::<f64>() / samples as f64;
                        let variance = draws.iter().map(|d| (d - average).powi(2)).sum::<f64>() / (samples - 1) as f64;
                        let row = [average, variance.sqrt(), quantile(draws, 0.05), quantile(draws, 0.95)];
                        out.iter_mut().zip(row).for_each(|(out, value)| out.push(value));
                    }
                }
                out
            })
            .collect();
        let column = |i: usize| parts.iter().flat_map(|part| part[i].iter().copied()).collect();
        // a share that no draw tells from nought is not excluded to be nought
        let lower: Vec<f64> = column(2);
        let lower = lower.into_iter().map(|l| if l < LEAST_SHARE { 0.0 } else { l }).collect();
        let upper: Vec<f64> = column(3);
        let upper = upper.into_iter().map(|u| if u > 1.0 - LEAST_SHARE { 1.0 } else { u }).collect();
        Self { means: column(0), deviations: column(1), lower, upper }
    }
}

pub(super) fn softmax(z: &[f64]) -> Vec<f64> {
    let largest = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = z.iter().map(|z| (z - largest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|p| p / sum).collect()
}
