//! The mixture model by stochastic variational inference, on any device.
//!
//! ```text
//! w_g ~ Dirichlet(1), a_1 ~ LogNormal(ln K, 1/2), alpha = a_1 w_g        sigma ~ LogNormal(-4, 1)
//! W_n ~ Dirichlet(alpha),  ln phi_n ~ N(m, tau^2),  y_n ~ N(phi_n W_n C, sigma^2)
//! ```
//! A Dirichlet variable is a set of independent Gamma(alpha_k) variables over their sum, so that `W = softmax(z)` with
//! `z_k = ln g_k` of density `exp(alpha_k z_k - e^z_k) / Gamma(alpha_k)`. Under a normal guide `z_k ~ N(m_k, s_k^2)` everything
//! but the likelihood is then in closed form, without a special function of anything but the `K` concentrations:
//! ```text
//! KL_n = sum_k ln Gamma(alpha_k) - alpha_k m_k + exp(m_k + s_k^2/2) - ln s_k - 1/2 ln(2 pi e)
//! ```
//! The likelihood takes one draw a step, by the fused operation of `cupel_kernels`. A minibatch of `B` of `N` pixels carries `N/B` on
//! the likelihood and on `KL_n` alike. Endmembers are `exp(theta)` with a normal guide; concentrations, noise and light are maximised.

use burn::{
    module::{Module, Param},
    nn::{Linear, LinearConfig},
    tensor::{Device, Int, Tensor, TensorData, activation},
};
use cupel_kernels::{Activation, activate, mixture_log_likelihood, philox_normal, sum_fixed};
use cupel_train::{
    Context, Fit, History, Loss, Metrics, Next, Optimizer, SetReader, SetWriter, StageConfig, TrainerConfig,
    fingerprint,
};
use rayon::prelude::*;

use super::{Guide, NoiseModel, Posterior, Regime, VariationalConfig};
use crate::{Abundances, Endmembers, Error, Pixels, Result};

/// Steps of one window of the convergence rule, which is an epoch of the trainer.
const WINDOW: u64 = 50;
/// The windows agree when their means differ by less, relative to the larger.
const WINDOWS_AGREE: f64 = 1e-4;
/// Least loss a pixel that counts as one, per band: where the loss crosses nought no ratio means anything.
const LEAST_LOSS: f64 = 1e-6;
/// And when no endmember turned by more within the window.
const TURN_RAD: f64 = 1e-3;
/// Decay of the average of the iterates.
const AVERAGE: f64 = 0.98;
/// Widths of the hidden layers of the amortised guide, and the slope of their activation.
const HIDDEN: [usize; 2] = [64, 32];
const SLOPE: f64 = 0.02;
/// Abundances begin at least this far from nought, where a logit is finite.
const LEAST_SHARE: f64 = 1e-3;
/// Endmembers begin at least this far from nought, relative to their largest value.
const LEAST_REFLECTANCE: f64 = 1e-4;
/// Standard deviations of the guide begin within these.
const FIRST_DEVIATIONS: [f64; 2] = [0.02, 1.0];
/// Amortised guides begin and stay within these logarithms of standard deviations.
const LN_DEVIATIONS: [f64; 2] = [-6.0, 0.5];
/// Where the logarithm of the gamma function follows Stirling's series to f32 rounding.
const STIRLING_FROM: usize = 7;
/// Rank of what correlates the endmembers in the low-rank guide, and of what correlates the bands in low-rank noise.
const GUIDE_RANK: usize = 4;
const NOISE_RANK: usize = 3;
/// Most endmembers times bands that a full covariance is kept of: 64 MiB, and three times that for Adam.
const MOST_GLOBALS: usize = 4096;
/// Pixels of one task when posteriors are sampled.
const BLOCK_PIXELS: usize = 256;

/// The mixture model as a fit, and what it begins at.
#[derive(Clone, Debug)]
pub struct Variational {
    pixels: Pixels,
    config: VariationalConfig,
    start: Start,
    resident: Option<Resident>,
    /// Endmembers at the end of the last window.
    before: Option<Vec<f64>>,
}

/// What the fit begins at, and what endmembers are tied to.
#[derive(Clone, Debug)]
pub struct Start {
    /// In the scale of the scene.
    pub endmembers: Endmembers,
    /// Standard deviation that ties each endmember in each band to where it begins; none where endmembers are free.
    pub tied: Option<Vec<f64>>,
    /// Abundances of all pixels.
    pub abundances: Abundances,
    /// Standard deviations of the abundances.
    pub deviations: Vec<f64>,
    /// Brightness of all pixels; none where light is the same everywhere.
    pub brightness: Option<Vec<f64>>,
    /// Standard deviation of the noise.
    pub noise: f64,
}

#[derive(Clone, Debug)]
struct Resident {
    spectra: Tensor<2>,
    /// Logarithm of the norm of each spectrum.
    ln_norms: Tensor<1>,
    tied: Option<(Tensor<2>, Tensor<2>)>,
}

/// Everything that is fitted.
#[derive(Module, Debug)]
pub struct VariationalModel {
    /// Mean of the logarithm of the endmembers, `[endmember, band]`.
    ln_endmembers: Param<Tensor<2>>,
    /// Logarithm of its standard deviation.
    ln_deviations: Param<Tensor<2>>,
    /// `ln alpha`, `[endmember]`.
    ln_concentrations: Param<Tensor<1>>,
    /// `ln sigma`, `[1]` or `[band]`.
    ln_noise: Param<Tensor<1>>,
    /// What correlates the endmembers' guide: `[rank, endmember x band]`, or a square below whose diagonal it lies.
    factors: Option<Param<Tensor<2>>>,
    /// What correlates the noise: `[rank, band]`, or what lies below the diagonal of the inverse Cholesky factor.
    noise_factors: Option<Param<Tensor<2>>>,
    /// Mean and logarithm of the standard deviation of `ln phi`.
    light: Param<Tensor<1>>,
    local: Option<Local>,
    encoder: Option<Encoder>,
}

/// A guide with numbers of its own for every pixel.
#[derive(Module, Debug)]
pub struct Local {
    /// `[pixel, endmember]`.
    means: Param<Tensor<2>>,
    ln_deviations: Param<Tensor<2>>,
    /// `[pixel]`.
    ln_brightness: Param<Tensor<1>>,
}

/// A guide that is a function of the spectrum.
#[derive(Module, Debug)]
pub struct Encoder {
    layers: Vec<Linear>,
}

/// The guide of some pixels.
struct Guided {
    means: Tensor<2>,
    ln_deviations: Tensor<2>,
    ln_brightness: Tensor<1>,
}

/// Pixels of a step.
#[derive(Clone, Debug)]
pub struct Batch {
    spectra: Tensor<2>,
    ln_norms: Tensor<1>,
    chosen: Option<Tensor<1, Int>>,
    tied: Option<(Tensor<2>, Tensor<2>)>,
}

impl Variational {
    /// Prepares the fit.
    ///
    /// # Errors
    /// [`Error::Setting`] for a number out of its range; [`Error::Shape`] where the start does not fit the pixels.
    pub fn new(pixels: &Pixels, config: VariationalConfig, start: Start) -> Result<Self> {
        config.check(pixels.count())?;
        let globals = start.endmembers.values().len();
        if config.guide == Guide::FullGlobals && globals > MOST_GLOBALS {
            return Err(Error::Setting {
                name: "guide",
                got: format!("full-globals with {globals} endmembers times bands"),
                expected: "at most 4096 of them, or the guide low-rank",
            });
        }
        let got = (start.abundances.count(), start.endmembers.bands(), start.abundances.endmembers());
        let expected = (pixels.count(), pixels.bands(), start.endmembers.count());
        if got != expected {
            return Err(Error::Shape {
                what: "(pixels, bands, endmembers) that a variational fit begins at",
                expected: format!("{expected:?}"),
                got: format!("{got:?}"),
            });
        }
        Ok(Self { pixels: pixels.clone(), config, start, resident: None, before: None })
    }

    /// The training that fits.
    pub fn training(&self, name: String, seed: u64) -> TrainerConfig {
        let stage = StageConfig {
            optimizer: Optimizer::adam(),
            learning_rate: self.config.learning_rate,
            epochs: self.config.steps.div_ceil(WINDOW).max(1),
            weight_average: Some(AVERAGE),
            ..StageConfig::default()
        };
        TrainerConfig { name, seed, stage, log_every: 10, ..TrainerConfig::default() }
    }

    /// The model where it begins, on `device`, which has automatic differentiation.
    pub fn model(&self, device: &Device) -> VariationalModel {
        let (count, bands, pixels) = (self.start.endmembers.count(), self.pixels.bands(), self.pixels.count());
        let largest = self.start.endmembers.values().iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        let positive = |v: &f64| v.max(LEAST_REFLECTANCE * largest);
        let endmembers = self.start.endmembers.values();
        let relative = |at: usize| match &self.start.tied {
            Some(tied) => (tied[at] / positive(&endmembers[at])).clamp(1e-4, 0.1),
            None => 0.05,
        };
        let noises = if self.config.noise == NoiseModel::Scalar { 1 } else { bands };
        let first_noise = self.start.noise.max(1e-8);
        let light = match &self.start.brightness {
            Some(brightness) => {
                let logs: Vec<f64> = brightness.iter().map(|b| b.max(1e-6).ln()).collect();
                let mean = logs.iter().sum::<f64>() / logs.len() as f64;
                let variance = logs.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / logs.len() as f64;
                vec![mean, variance.sqrt().max(1e-3).ln()]
            }
            None => vec![0.0, 0.0],
        };
        let (mut local, mut encoder) = (None, None);
        match self.config.guide {
            Guide::Diagonal | Guide::LowRank | Guide::FullGlobals => {
                let (mut means, mut deviations) = (Vec::new(), Vec::new());
                for (row, sd) in self.start.abundances.rows().zip(self.start.deviations.chunks_exact(count)) {
                    for (share, sd) in row.iter().zip(sd) {
                        let share = share.max(LEAST_SHARE);
                        means.push((share * count as f64).ln());
                        deviations.push((sd / share).clamp(FIRST_DEVIATIONS[0], FIRST_DEVIATIONS[1]).ln());
                    }
                }
                let brightness = self.start.brightness.as_ref();
                let ln_brightness = (0..pixels).map(|n| brightness.map_or(0.0, |b| b[n].max(1e-6).ln())).collect();
                local = Some(Local {
                    means: parameter(means, [pixels, count], device),
                    ln_deviations: parameter(deviations, [pixels, count], device),
                    ln_brightness: parameter(ln_brightness, [pixels], device),
                });
            }
            Guide::Amortised => {
                let widths = [bands, HIDDEN[0], HIDDEN[1], 2 * count + 1];
                let layers = widths.windows(2).map(|pair| LinearConfig::new(pair[0], pair[1]).init(device)).collect();
                encoder = Some(Encoder { layers });
            }
        }
        VariationalModel {
            ln_endmembers: parameter(endmembers.iter().map(|v| positive(v).ln()).collect(), [count, bands], device),
            ln_deviations: parameter((0..count * bands).map(|at| relative(at).ln()).collect(), [count, bands], device),
            ln_concentrations: parameter(vec![0.0; count], [count], device),
            ln_noise: parameter(vec![first_noise.ln(); noises], [noises], device),
            factors: match self.config.guide {
                Guide::LowRank => Some((GUIDE_RANK, count * bands)),
                Guide::FullGlobals => Some((count * bands, count * bands)),
                Guide::Diagonal | Guide::Amortised => None,
            }
            .map(|(rows, columns)| parameter(vec![0.0; rows * columns], [rows, columns], device)),
            noise_factors: match self.config.noise {
                // nought would be a saddle: slow waves across the bands are not
                NoiseModel::LowRank => {
                    let wave = |at: usize| {
                        let (row, band) = (at / bands, at % bands);
                        let phase = std::f64::consts::PI * (row + 1) as f64 * (band as f64 + 0.5) / bands as f64;
                        0.3 * first_noise * phase.cos()
                    };
                    Some(parameter((0..NOISE_RANK * bands).map(wave).collect(), [NOISE_RANK, bands], device))
                }
                NoiseModel::Full => Some(parameter(vec![0.0; bands * bands], [bands, bands], device)),
                NoiseModel::Scalar | NoiseModel::Band => None,
            },
            light: parameter(light, [2], device),
            local,
            encoder,
        }
    }

    /// Pixels of one step.
    fn pixels_per_step(&self) -> usize {
        self.config.batch_pixels.unwrap_or(usize::MAX).min(self.pixels.count())
    }

    fn resident(&mut self, device: &Device) -> &Resident {
        let (count, bands) = (self.pixels.count(), self.pixels.bands());
        let Self { pixels, start, resident, .. } = self;
        resident.get_or_insert_with(|| {
            let plain = device.clone().inner();
            let ln_norms: Vec<f32> = pixels
                .spectra()
                .map(|s| s.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt().max(1e-12).ln() as f32)
                .collect();
            let matrix = |values: &mut dyn Iterator<Item = f64>| {
                let values: Vec<f32> = values.map(|v| v as f32).collect();
                let rows = values.len() / bands;
                Tensor::<2>::from_data(TensorData::new(values, [rows, bands]), &plain)
            };
            let tied = start.tied.as_ref().map(|tied| {
                let endmembers = start.endmembers.values().iter().copied();
                (matrix(&mut endmembers.clone()), matrix(&mut tied.iter().map(|t| 1.0 / t.max(1e-12))))
            });
            Resident {
                spectra: Tensor::from_data(TensorData::new(pixels.values().to_vec(), [count, bands]), &plain),
                ln_norms: Tensor::from_data(TensorData::new(ln_norms, [count]), &plain),
                tied,
            }
        })
    }

    /// Endmembers, and the posterior of all pixels, of a fitted model in inference mode; `samples` draws stand for the posterior.
    ///
    /// # Errors
    /// A device that cannot be read, numbers that are not finite.
    pub fn finish(&mut self, model: &VariationalModel, device: &Device, samples: usize, seed: u64) -> Result<Fitted> {
        let (count, bands, pixels) = (self.start.endmembers.count(), self.pixels.bands(), self.pixels.count());
        let (ln_means, ln_deviations) = (values(model.ln_endmembers.base())?, values(model.ln_deviations.base())?);
        // mean and standard deviation of a log-normal variable
        let mut squares: Vec<f64> = ln_deviations.iter().map(|s| (2.0 * s).exp()).collect();
        if let Some(factors) = &model.factors {
            let ([rows, globals], factors) = (factors.dims(), values(factors.base())?);
            match self.config.guide {
                Guide::LowRank => squares.iter_mut().enumerate().for_each(|(at, square)| {
                    *square += (0..rows).map(|row| factors[row * globals + at].powi(2)).sum::<f64>();
                }),
                _ => squares.iter_mut().enumerate().for_each(|(at, square)| {
                    let others: f64 = factors[at * globals..at * globals + at].iter().map(|f| f * f).sum();
                    *square *= 1.0 + others / globals as f64;
                }),
            }
        }
        let endmembers: Vec<f64> = ln_means.iter().zip(&squares).map(|(m, s)| (m + 0.5 * s).exp()).collect();
        let errors = endmembers.iter().zip(&squares).map(|(e, s)| e * s.exp_m1().sqrt()).collect();
        let resident = self.resident(device);
        let all =
            Batch { spectra: resident.spectra.clone(), ln_norms: resident.ln_norms.clone(), chosen: None, tied: None };
        let guided = model.guide(&all);
        let (means, deviations) = (values(guided.means)?, values(guided.ln_deviations)?);
        let brightness: Vec<f64> = match self.start.brightness {
            Some(_) => values(guided.ln_brightness)?.iter().map(|b| b.exp()).collect(),
            None => vec![1.0; pixels],
        };
        let drawn = Drawn::new(&means, &deviations, count, samples.max(2), seed);
        let abundances = Abundances::new(drawn.means, count)?.closed();
        let plain = device.clone().inner();
        let tensor = |values: &[f64]| values.iter().map(|v| *v as f32).collect::<Vec<f32>>();
        let at = [
            Tensor::from_data(TensorData::new(tensor(&means), [pixels, count]), &plain),
            model.ln_endmembers.base().exp(),
        ];
        let ln_brightness: Vec<f64> = brightness.iter().map(|b| b.ln()).collect();
        let ln_brightness = Tensor::from_data(TensorData::new(tensor(&ln_brightness), [pixels]), &plain);
        let log_likelihood = values(model.likelihood(self.config.noise, &all, at, ln_brightness))?;
        Ok(Fitted {
            endmembers: Endmembers::new(endmembers, bands)?,
            brightness,
            posterior: Posterior {
                regime: if self.start.brightness.is_some() { Regime::Lit } else { Regime::Even },
                abundances,
                deviations: drawn.deviations,
                lower: drawn.lower,
                upper: drawn.upper,
                endmember_errors: errors,
                ln_evidence: log_likelihood.iter().sum::<f64>() / pixels as f64,
            },
        })
    }

    /// Draws of the abundances of all pixels from the guide, `samples x pixels x endmembers`.
    ///
    /// # Errors
    /// A device that cannot be read.
    pub fn draws(&mut self, model: &VariationalModel, device: &Device, samples: usize, seed: u64) -> Result<Vec<f32>> {
        let resident = self.resident(device);
        let (spectra, ln_norms) = (resident.spectra.clone(), resident.ln_norms.clone());
        let guided = model.guide(&Batch { spectra, ln_norms, chosen: None, tied: None });
        let (means, deviations) = (values(guided.means)?, values(guided.ln_deviations)?);
        let count = self.start.endmembers.count();
        let mut all = vec![0.0f32; samples * means.len()];
        all.par_chunks_mut(means.len()).enumerate().for_each(|(sample, out)| {
            cupel_data::Stream::new(seed, "abundance samples").child(sample as u64).fill_normal(out);
            for ((row, mean), deviation) in
                out.chunks_exact_mut(count).zip(means.chunks_exact(count)).zip(deviations.chunks_exact(count))
            {
                let draws: Vec<f64> =
                    row.iter().zip(mean).zip(deviation).map(|((z, m), s)| m + s.exp() * f64::from(*z)).collect();
                row.iter_mut().zip(softmax(&draws)).for_each(|(r, w)| *r = w as f32);
            }
        });
        Ok(all)
    }
}

/// What a variational fit gives.
#[derive(Clone, Debug)]
pub struct Fitted {
    /// Posterior mean, in the scale of the scene.
    pub endmembers: Endmembers,
    /// Brightness of each pixel.
    pub brightness: Vec<f64>,
    /// Everything else.
    pub posterior: Posterior,
}

/// Moments and quantiles of the abundances over draws.
struct Drawn {
    means: Vec<f64>,
    deviations: Vec<f64>,
    lower: Vec<f64>,
    upper: Vec<f64>,
}

impl Drawn {
    fn new(means: &[f64], ln_deviations: &[f64], count: usize, samples: usize, seed: u64) -> Self {
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
                        let row = [
                            average,
                            variance.sqrt(),
                            crate::abundances::quantile(draws, 0.05),
                            crate::abundances::quantile(draws, 0.95),
                        ];
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

fn softmax(z: &[f64]) -> Vec<f64> {
    let largest = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = z.iter().map(|z| (z - largest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|p| p / sum).collect()
}

impl VariationalModel {
    /// The guide of the pixels of a batch.
    fn guide(&self, batch: &Batch) -> Guided {
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
    fn ln_endmembers(&self, guide: Guide, own: &Tensor<2>, shared: Tensor<2>) -> Tensor<2> {
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
    fn entropy(&self, guide: Guide) -> Tensor<1> {
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

    /// Log likelihood of the pixels of a batch with these logits, endmembers and light.
    fn likelihood(
        &self,
        noise: NoiseModel,
        batch: &Batch,
        [logits, endmembers]: [Tensor<2>; 2],
        ln_brightness: Tensor<1>,
    ) -> Tensor<1> {
        let (brightness, ln_noise) = (ln_brightness.exp(), self.ln_noise.base());
        let (NoiseModel::LowRank | NoiseModel::Full, Some(factors)) = (noise, &self.noise_factors) else {
            return mixture_log_likelihood(batch.spectra.clone(), logits, endmembers, Some(brightness), ln_noise);
        };
        let [pixels, bands] = batch.spectra.dims();
        let mixed = activation::softmax(logits, 1).matmul(endmembers) * brightness.unsqueeze_dim(1);
        let residuals = batch.spectra.clone() - mixed;
        let scale = ln_noise.clone().neg().exp().unsqueeze_dim::<2>(0);
        let constant = 0.5 * (pixels * bands) as f64 * std::f64::consts::TAU.ln();
        let ln_noises = ln_noise.sum() * pixels as f64;
        if noise == NoiseModel::Full {
            // the factor of the precision, so that nothing has to be solved: one product a step
            let white = residuals.clone() * scale + residuals.matmul(factors.base().tril(-1).transpose());
            return sum_fixed(white.clone() * white).mul_scalar(-0.5) - ln_noises - constant;
        }
        // Woodbury: (D + F^T F)^-1, and the determinant, by a system of as many unknowns as factors
        let (scaled, factors) = (residuals * scale.clone(), factors.base() * scale);
        let along = scaled.clone().matmul(factors.clone().transpose());
        let (ln_determinant, explained) = eliminate(one_plus(factors), along);
        (explained - sum_fixed(scaled.clone() * scaled)).mul_scalar(0.5)
            - ln_noises
            - ln_determinant.mul_scalar(0.5 * pixels as f64)
            - constant
    }
}

/// `1 + F F^T`.
fn one_plus(factors: Tensor<2>) -> Tensor<2> {
    let [rank, _] = factors.dims();
    let one = Tensor::eye(rank, &factors.device());
    factors.clone().matmul(factors.transpose()) + one
}

/// `ln |M|` and `sum_n u_n^T M^-1 u_n` for rows `u_n`, by elimination; `M` is symmetric, positive definite and small.
fn eliminate(mut matrix: Tensor<2>, mut rows: Tensor<2>) -> (Tensor<1>, Tensor<1>) {
    let ([size, _], [count, _]) = (matrix.dims(), rows.dims());
    let (mut ln_determinant, mut square) = (Tensor::zeros([1], &matrix.device()), Tensor::zeros([1], &matrix.device()));
    for i in 0..size {
        let pivot = matrix.clone().slice([i..i + 1, i..i + 1]);
        let column = matrix.clone().slice([0..size, i..i + 1]);
        let row = matrix.clone().slice([i..i + 1, 0..size]) / pivot.clone();
        let along = rows.clone().slice([0..count, i..i + 1]);
        ln_determinant = ln_determinant + pivot.clone().log().reshape([1]);
        square = square + sum_fixed(along.clone() * along.clone()) / pivot.reshape([1]);
        matrix = matrix - column * row.clone();
        rows = rows - along * row;
    }
    (ln_determinant, square)
}

impl Fit for Variational {
    type Model = VariationalModel;
    type Batch = Batch;

    fn batch(&mut self, ctx: &Context<'_>) -> cupel_train::Result<Batch> {
        let (number, all) = (self.pixels_per_step(), self.pixels.count());
        let resident = self.resident(ctx.device);
        let plain = resident.spectra.device();
        let chosen = (number < all).then(|| {
            let mut chosen: Vec<i64> = ctx.stream.child(0).sample(all, number).into_iter().map(|n| n as i64).collect();
            chosen.sort_unstable();
            Tensor::<1, Int>::from_data(TensorData::from(chosen.as_slice()), &plain)
        });
        let (spectra, ln_norms) = match &chosen {
            Some(chosen) => (
                resident.spectra.clone().select(0, chosen.clone()),
                resident.ln_norms.clone().select(0, chosen.clone()),
            ),
            None => (resident.spectra.clone(), resident.ln_norms.clone()),
        };
        let tied = resident.tied.clone().map(|(at, precision)| (constant(at, ctx), constant(precision, ctx)));
        let chosen = chosen.map(|chosen| chosen.to_device(ctx.device));
        Ok(Batch { spectra: constant(spectra, ctx), ln_norms: constant(ln_norms, ctx), chosen, tied })
    }

    fn loss(&self, model: &VariationalModel, batch: Batch, ctx: &Context<'_>) -> Loss {
        let [pixels, _] = batch.spectra.dims();
        let [count, bands] = model.ln_endmembers.dims();
        let all = self.pixels.count() as f64;
        let (key, counter) = ctx.stream.child(1).philox();
        let logits = philox_normal([pixels, count], key, counter, ctx.device);
        let (key, counter) = ctx.stream.child(2).philox();
        let endmembers = philox_normal([count, bands], key, counter, ctx.device);
        let guided = model.guide(&batch);
        let guided = if self.start.brightness.is_some() {
            guided
        } else {
            // light that is the same everywhere is one, and not fitted
            Guided { ln_brightness: guided.ln_brightness.zeros_like(), ..guided }
        };
        let (key, counter) = ctx.stream.child(3).philox();
        let shared = philox_normal([1, GUIDE_RANK], key, counter, ctx.device);
        let VariationalConfig { guide, noise, .. } = self.config;
        let drawn = [
            guided.means.clone() + guided.ln_deviations.clone().exp() * logits,
            model.ln_endmembers(guide, &endmembers, shared).exp(),
        ];
        let likelihood = model.likelihood(noise, &batch, drawn, guided.ln_brightness.clone());

        let Guided { means, ln_deviations, ln_brightness } = guided;
        let alpha = model.ln_concentrations.base().exp();
        let squares = ln_deviations.clone().mul_scalar(2.0).exp();
        let local =
            (means.clone() + squares.mul_scalar(0.5)).exp() - means * alpha.clone().unsqueeze_dim(0) - ln_deviations;
        let constant = 0.5 * (std::f64::consts::TAU * std::f64::consts::E).ln();
        let mut divergence =
            sum_fixed(local) + (ln_gamma(alpha.clone()).sum() - constant * count as f64) * pixels as f64;
        if self.start.brightness.is_some() {
            let light = model.light.base();
            let (mean, ln_tau) = (light.clone().narrow(0, 0, 1), light.narrow(0, 1, 1));
            let off = (ln_brightness - mean) / ln_tau.clone().exp();
            divergence = divergence + sum_fixed(off.clone() * off).mul_scalar(0.5) + ln_tau * pixels as f64;
        }

        // priors of what all pixels share, and the entropy of the endmembers' guide
        let ln_total = (alpha.sum().log() - (count as f64).ln()).mul_scalar(2.0);
        let noise = model.ln_noise.base() + 4.0;
        let ln_c = model.ln_endmembers.base();
        let mut shared = (ln_total.clone() * ln_total).mul_scalar(0.5) + (noise.clone() * noise).mean().mul_scalar(0.5)
            - model.entropy(self.config.guide);
        shared = shared
            + match batch.tied {
                Some((at, precision)) => {
                    let off = (ln_c.exp() - at) * precision;
                    sum_fixed(off.clone() * off).mul_scalar(0.5)
                }
                // half-normal of unit scale, with the volume of the logarithm
                None => sum_fixed(ln_c.clone().mul_scalar(2.0).exp().mul_scalar(0.5) - ln_c),
            };
        let mean = (divergence - likelihood.clone()) / pixels as f64 + shared / all;
        let terms = vec![("log_likelihood", likelihood / pixels as f64)];
        Loss { mean, weight: pixels as f64, terms }
    }

    fn next(&mut self, seen: &History) -> cupel_train::Result<Next> {
        let (losses, turns) = (seen.series("loss"), seen.series("turn_rad"));
        let agree = match losses[..] {
            [.., a, b] => {
                let scale = a.abs().max(b.abs()).max(LEAST_LOSS * self.pixels.bands() as f64);
                (a - b).abs() / scale < WINDOWS_AGREE
            }
            _ => false,
        };
        let still = turns.last().is_some_and(|turn| *turn < TURN_RAD);
        Ok(if agree && still { Next::Stop("the last two windows agree") } else { Next::Continue })
    }

    fn steps_per_epoch(&self) -> u64 {
        WINDOW.min(self.config.steps).max(1)
    }

    fn evaluate(&mut self, model: &VariationalModel, _: &Context<'_>) -> cupel_train::Result<Metrics> {
        let bands = self.pixels.bands();
        let now: Vec<f64> =
            values(model.ln_endmembers.base()).map_err(cupel_train::Error::work)?.into_iter().map(f64::exp).collect();
        let turn = self.before.as_ref().map_or(f64::INFINITY, |before| {
            let pairs = before.chunks_exact(bands).zip(now.chunks_exact(bands));
            pairs.map(|(a, b)| crate::spectral_angle(a, b)).fold(0.0, f64::max)
        });
        self.before = Some(now);
        Ok(if turn.is_finite() { Metrics::from([("turn_rad", turn)]) } else { Metrics::new() })
    }

    fn fingerprint(&self) -> cupel_train::Result<[u8; 32]> {
        fingerprint(&("variational mixture", &self.config, self.pixels.hash(), self.start.endmembers.values()))
    }

    fn save(&self, set: &mut SetWriter) -> cupel_train::Result<()> {
        set.json("endmembers_before", &self.before)
    }

    fn load(&mut self, set: &SetReader) -> cupel_train::Result<()> {
        self.before = set.json("endmembers_before")?;
        Ok(())
    }
}

/// A plain tensor as a constant of the step.
fn constant<const D: usize>(tensor: Tensor<D>, ctx: &Context<'_>) -> Tensor<D> {
    if ctx.device.is_autodiff() { Tensor::from_inner(tensor) } else { tensor }
}

fn parameter<const D: usize>(values: Vec<f64>, shape: [usize; D], device: &Device) -> Param<Tensor<D>> {
    let values: Vec<f32> = values.iter().map(|v| *v as f32).collect();
    Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), device))
}

fn values<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f64>> {
    let data = tensor.try_into_data().map_err(|error| Error::Device { problem: format!("{error:?}") })?;
    Ok(data.iter::<f64>().collect())
}

/// Logarithm of the gamma function of positive values: Stirling's series (Abramowitz & Stegun 6.1.41) after a shift by recurrence.
fn ln_gamma(x: Tensor<1>) -> Tensor<1> {
    let shifted = x.clone() + STIRLING_FROM as f64;
    let reciprocal = shifted.clone().recip();
    let square = reciprocal.clone() * reciprocal.clone();
    let series = (square.clone().mul_scalar(1.0 / 1260.0) - 1.0 / 360.0) * square + 1.0 / 12.0;
    let stirling = (shifted.clone() - 0.5) * shifted.clone().log() - shifted
        + 0.5 * std::f64::consts::TAU.ln()
        + series * reciprocal;
    (0..STIRLING_FROM).fold(stirling, |sum, i| sum - (x.clone() + i as f64).log())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elimination_gives_determinant_and_solution() {
        let device = Device::flex();
        let matrix = Tensor::<2>::from_floats([[4.0, 1.0, 0.5], [1.0, 3.0, -0.2], [0.5, -0.2, 2.0]], &device);
        let rows = Tensor::<2>::from_floats([[1.0, 2.0, 3.0], [-1.0, 0.5, 0.0]], &device);
        let (ln_determinant, square) = eliminate(matrix.clone(), rows.clone());
        let host: Vec<f64> = values(matrix).unwrap();
        let (inverse, expected) = super::super::faces::inverse(&host, 3);
        assert!((values(ln_determinant).unwrap()[0] - expected).abs() < 1e-6);
        let rows = values(rows).unwrap();
        let form = |u: &[f64]| (0..9).map(|at| u[at / 3] * inverse[at] * u[at % 3]).sum::<f64>();
        let expected: f64 = rows.chunks_exact(3).map(form).sum();
        assert!((values(square).unwrap()[0] - expected).abs() < 1e-5);
    }

    #[test]
    fn the_gamma_function_has_its_values_and_slope() {
        let device = Device::flex().autodiff();
        let x = Tensor::<1>::from_floats([0.05, 0.5, 1.0, 3.0, 10.5], &device).require_grad();
        let expected = [2.968_879_2, 0.572_364_94, 0.0, std::f64::consts::LN_2, 13.940_625];
        // digamma, Abramowitz & Stegun table 6.1 and 6.3.2
        let slopes = [-20.497_845, -1.963_510_03, -0.577_215_66, 0.922_784_34, 2.303_001_0];
        let result = ln_gamma(x.clone());
        for (got, expected) in values(result.clone().inner()).unwrap().iter().zip(expected) {
            assert!((got - expected).abs() < 3e-6 * (1.0 + expected.abs()), "{got} {expected}");
        }
        let gradients = result.sum().backward();
        for (got, expected) in values(x.grad(&gradients).unwrap()).unwrap().iter().zip(slopes) {
            assert!((got - expected).abs() < 1e-5 * (1.0 + expected.abs()), "{got} {expected}");
        }
    }
}
