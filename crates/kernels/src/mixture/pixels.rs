//! The log likelihood of mixed pixels as slices of f32, with its gradients in the same pass; see the [module above](super).
//!
//! With `r = y - phi W C` and `q = r / sigma^2`, a pixel gives
//! ```text
//! dL/dW_k       = phi h_k,  h_k = sum_l q_l C_kl
//! dL/dlogit_k   = phi W_k (h_k - sum_j W_j h_j)
//! dL/dphi       = sum_k W_k h_k
//! dL/dC_kl      = phi W_k q_l        summed over pixels
//! dL/dlog sigma = r_l q_l - 1        summed over pixels
//! dL/dy_l       = -q_l
//! ```
//! Pixels are taken eight at a time, so that their residuals never leave the first-level cache.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Pixels of one task.
const BLOCK: usize = 128;
/// Pixels that share one pass over the endmembers' gradient.
const GROUP: usize = 8;
/// Spectra are padded to whole multiples of this, the widest vector.
const LANES: usize = 16;
/// Endmembers that are multiplied with a residual side by side.
const SIDE_BY_SIDE: usize = 4;

/// What the likelihood depends on.
#[derive(Clone, Copy)]
pub(crate) struct Mixture<'a> {
    /// `[pixel, band]`.
    pub(crate) observations: &'a [f32],
    /// `[pixel, endmember]`.
    pub(crate) logits: &'a [f32],
    /// `[endmember, band]`.
    pub(crate) endmembers: &'a [f32],
    /// `[pixel]`.
    pub(crate) brightness: &'a [f32],
    /// `[band]`, or one value for all.
    pub(crate) log_noise: &'a [f32],
    pub(crate) bands: usize,
}

/// Gradients that are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Wanted {
    pub(crate) observations: bool,
    pub(crate) logits: bool,
    pub(crate) endmembers: bool,
    pub(crate) brightness: bool,
    pub(crate) log_noise: bool,
}

/// The sum over pixels and its gradients; those not wanted are empty.
pub(crate) struct Likelihood {
    pub(crate) sum: f64,
    pub(crate) observations: Vec<f32>,
    pub(crate) logits: Vec<f32>,
    pub(crate) endmembers: Vec<f32>,
    pub(crate) brightness: Vec<f32>,
    pub(crate) log_noise: Vec<f32>,
}

impl Mixture<'_> {
    pub(crate) fn log_likelihood(self, wanted: Wanted) -> Likelihood {
        let bands = self.bands;
        let pixels = self.observations.len() / bands;
        let components = self.endmembers.len() / bands;
        let padded = bands.next_multiple_of(LANES);
        let mut endmembers = vec![0.0; components * padded];
        for (padded, row) in endmembers.chunks_exact_mut(padded).zip(self.endmembers.chunks_exact(bands)) {
            padded[..bands].copy_from_slice(row);
        }
        let log_noise = |l: usize| self.log_noise[if self.log_noise.len() == 1 { 0 } else { l }];
        // nought beyond the last band, where the residual must not count
        let mut precision = vec![0.0f32; padded];
        precision[..bands].iter_mut().enumerate().for_each(|(l, p)| *p = (-2.0 * f64::from(log_noise(l))).exp() as f32);
        let prepared = Prepared { endmembers: &endmembers, precision: &precision, components, bands, padded, wanted };

        let mut observations = vec![0.0; if wanted.observations { pixels * bands } else { 0 }];
        let mut logits = vec![0.0; if wanted.logits { pixels * components } else { 0 }];
        let mut brightness = vec![0.0; if wanted.brightness { pixels } else { 0 }];
        let mut rest_observations: &mut [f32] = &mut observations;
        let mut rest_logits: &mut [f32] = &mut logits;
        let mut rest_brightness: &mut [f32] = &mut brightness;
        let mut blocks = Vec::with_capacity(pixels.div_ceil(BLOCK));
        for first in (0..pixels).step_by(BLOCK) {
            let last = (first + BLOCK).min(pixels);
            let own = |wanted: bool, width: usize| if wanted { (last - first) * width } else { 0 };
            blocks.push(Block {
                prepared,
                observations: &self.observations[first * bands..last * bands],
                logits: &self.logits[first * components..last * components],
                brightness: &self.brightness[first..last],
                observations_gradient: rest_observations
                    .split_off_mut(..own(wanted.observations, bands))
                    .unwrap_or_default(),
                logits_gradient: rest_logits.split_off_mut(..own(wanted.logits, components)).unwrap_or_default(),
                brightness_gradient: rest_brightness.split_off_mut(..own(wanted.brightness, 1)).unwrap_or_default(),
            });
        }
        let arch = Arch::new();
        let parts: Vec<Sums> = if blocks.len() < 2 {
            blocks.into_iter().map(|block| arch.dispatch(block)).collect()
        } else {
            blocks.into_par_iter().map(|block| arch.dispatch(block)).collect()
        };

        // in the order of the pixels
        let mut square = 0.0;
        let mut endmembers = vec![0.0f64; if wanted.endmembers { components * padded } else { 0 }];
        let mut squares = vec![0.0f64; if wanted.log_noise { padded } else { 0 }];
        for part in &parts {
            square += part.square;
            endmembers.iter_mut().zip(&part.endmembers).for_each(|(sum, part)| *sum += f64::from(*part));
            squares.iter_mut().zip(&part.squares).for_each(|(sum, part)| *sum += f64::from(*part));
        }
        let total: f64 = (0..bands).map(|l| f64::from(log_noise(l))).sum();
        let constant = 0.5 * bands as f64 * std::f64::consts::TAU.ln();
        let log_noise = match (wanted.log_noise, self.log_noise.len()) {
            (false, _) => Vec::new(),
            (true, 1) => vec![(squares[..bands].iter().sum::<f64>() - (pixels * bands) as f64) as f32],
            (true, _) => squares[..bands].iter().map(|square| (square - pixels as f64) as f32).collect(),
        };
        Likelihood {
            sum: -0.5 * square - pixels as f64 * (total + constant),
            observations,
            logits,
            endmembers: endmembers
                .chunks_exact(padded)
                .flat_map(|row| &row[..bands])
                .map(|value| *value as f32)
                .collect(),
            brightness,
            log_noise,
        }
    }
}

/// What all blocks share.
#[derive(Clone, Copy)]
struct Prepared<'a> {
    /// `[endmember, padded band]`.
    endmembers: &'a [f32],
    /// `1 / sigma^2` per padded band.
    precision: &'a [f32],
    components: usize,
    bands: usize,
    padded: usize,
    wanted: Wanted,
}

/// Some pixels.
struct Block<'a> {
    prepared: Prepared<'a>,
    observations: &'a [f32],
    logits: &'a [f32],
    brightness: &'a [f32],
    observations_gradient: &'a mut [f32],
    logits_gradient: &'a mut [f32],
    brightness_gradient: &'a mut [f32],
}

/// Sums over the pixels of a block.
struct Sums {
    /// Of the squared residuals over the variance.
    square: f64,
    /// Gradient of the endmembers.
    endmembers: Vec<f32>,
    /// Squared residuals over the variance, per band.
    squares: Vec<f32>,
}

impl WithSimd for Block<'_> {
    type Output = Sums;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Sums {
        let Prepared { endmembers, precision, components, bands, padded, wanted } = self.prepared;
        let row = |k: usize| S::as_simd_f32s(&endmembers[k * padded..(k + 1) * padded]).0;
        let precision = S::as_simd_f32s(precision).0;
        let vectors = precision.len();
        let mut square = 0.0f64;
        let mut endmembers_gradient = vec![0.0f32; if wanted.endmembers { components * padded } else { 0 }];
        let mut squares = vec![0.0f32; if wanted.log_noise { padded } else { 0 }];
        let mut weights = vec![0.0f32; GROUP * components];
        let mut weighted = vec![0.0f32; GROUP * padded];
        let mut products = vec![0.0f32; components];
        let pixels = self.observations.len() / bands;
        for first in (0..pixels).step_by(GROUP) {
            let group = GROUP.min(pixels - first);
            for n in 0..group {
                let pixel = first + n;
                let phi = self.brightness[pixel];
                let weights = &mut weights[n * components..(n + 1) * components];
                softmax(&self.logits[pixel * components..(pixel + 1) * components], weights);
                let observed = &self.observations[pixel * bands..(pixel + 1) * bands];
                let weighted = S::as_mut_simd_f32s(&mut weighted[n * padded..(n + 1) * padded]).0;
                let (whole, tail) = S::as_simd_f32s(observed);
                for (weighted, observed) in weighted.iter_mut().zip(whole) {
                    *weighted = *observed;
                }
                weighted[whole.len()..].fill(simd.splat_f32s(0.0));
                if !tail.is_empty() {
                    weighted[whole.len()] = simd.partial_load_f32s(tail);
                }
                // the residual, from endmember to endmember
                for (k, weight) in weights.iter().enumerate() {
                    let weight = simd.splat_f32s(-phi * weight);
                    for (residual, endmember) in weighted.iter_mut().zip(row(k)) {
                        *residual = simd.mul_add_e_f32s(weight, *endmember, *residual);
                    }
                }
                let mut sum = simd.splat_f32s(0.0);
                if wanted.log_noise {
                    let squares = S::as_mut_simd_f32s(&mut squares).0;
                    for ((residual, precision), square) in weighted.iter_mut().zip(precision).zip(squares) {
                        let q = simd.mul_f32s(*residual, *precision);
                        let part = simd.mul_f32s(*residual, q);
                        sum = simd.add_f32s(sum, part);
                        *square = simd.add_f32s(*square, part);
                        *residual = q;
                    }
                } else {
                    for (residual, precision) in weighted.iter_mut().zip(precision) {
                        let q = simd.mul_f32s(*residual, *precision);
                        sum = simd.mul_add_e_f32s(*residual, q, sum);
                        *residual = q;
                    }
                }
                square += f64::from(simd.reduce_sum_f32s(sum));

                if wanted.observations {
                    let gradient = &mut self.observations_gradient[pixel * bands..(pixel + 1) * bands];
                    for (gradient, q) in gradient.chunks_mut(S::F32_LANES).zip(&*weighted) {
                        simd.partial_store_f32s(gradient, simd.neg_f32s(*q));
                    }
                }
                if wanted.logits || wanted.brightness {
                    let q = &*weighted;
                    let mut k = 0;
                    while k + SIDE_BY_SIDE <= components {
                        let rows = [row(k), row(k + 1), row(k + 2), row(k + 3)];
                        products[k..k + SIDE_BY_SIDE].copy_from_slice(&inner_products(simd, q, rows));
                        k += SIDE_BY_SIDE;
                    }
                    while k < components {
                        products[k..k + 1].copy_from_slice(&inner_products(simd, q, [row(k)]));
                        k += 1;
                    }
                    let mean: f32 = weights.iter().zip(&products).map(|(w, h)| w * h).sum();
                    if wanted.brightness {
                        self.brightness_gradient[pixel] = mean;
                    }
                    if wanted.logits {
                        let gradient = &mut self.logits_gradient[pixel * components..(pixel + 1) * components];
                        for ((gradient, weight), product) in gradient.iter_mut().zip(&*weights).zip(&products) {
                            *gradient = phi * weight * (product - mean);
                        }
                    }
                }
                weights.iter_mut().for_each(|weight| *weight *= phi);
            }
            if wanted.endmembers {
                weighted[group * padded..].fill(0.0);
                weights[group * components..].fill(0.0);
                let all = S::as_simd_f32s(&weighted).0;
                let mut rows = [all; GROUP];
                for (n, row) in rows.iter_mut().enumerate() {
                    *row = &all[n * vectors..(n + 1) * vectors];
                }
                for (k, gradient) in endmembers_gradient.chunks_exact_mut(padded).enumerate() {
                    let mut factors = [simd.splat_f32s(0.0); GROUP];
                    for (n, factor) in factors.iter_mut().enumerate() {
                        *factor = simd.splat_f32s(weights[n * components + k]);
                    }
                    let gradient = &mut S::as_mut_simd_f32s(gradient).0[..vectors];
                    for v in 0..vectors {
                        let mut sum = gradient[v];
                        for n in 0..GROUP {
                            sum = simd.mul_add_e_f32s(factors[n], rows[n][v], sum);
                        }
                        gradient[v] = sum;
                    }
                }
            }
        }
        Sums { square, endmembers: endmembers_gradient, squares }
    }
}

/// Inner products of `x` with each of `rows`, all of the same length.
#[inline(always)]
fn inner_products<S: Simd, const N: usize>(simd: S, x: &[S::f32s], rows: [&[S::f32s]; N]) -> [f32; N] {
    let mut sums = [simd.splat_f32s(0.0); N];
    for (v, x) in x.iter().enumerate() {
        for n in 0..N {
            sums[n] = simd.mul_add_e_f32s(*x, rows[n][v], sums[n]);
        }
    }
    let mut products = [0.0; N];
    for n in 0..N {
        products[n] = simd.reduce_sum_f32s(sums[n]);
    }
    products
}

/// `exp(logits)` divided by its sum.
#[inline(always)]
fn softmax(logits: &[f32], weights: &mut [f32]) {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for (weight, logit) in weights.iter_mut().zip(logits) {
        *weight = (logit - largest).exp();
        sum += *weight;
    }
    weights.iter_mut().for_each(|weight| *weight /= sum);
}
