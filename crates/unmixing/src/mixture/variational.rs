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
//! the likelihood and on `KL_n` alike. Endmembers are `exp(theta)` with a normal guide and the prior of [`EndmemberPrior`]; concentrations,
//! noise and light are maximised.

mod endmembers;
mod guide;
mod likelihood;
mod model;
mod prior;

pub use guide::Batch;
pub use model::VariationalModel;

use burn::tensor::{Device, Int, Tensor, TensorData};
use cupel_kernels::philox_normal;
use cupel_train::{
    Context, Fit, History, Loss, Metrics, Next, Optimizer, SetReader, SetWriter, StageConfig, TrainerConfig,
    fingerprint,
};
use rayon::prelude::*;

use self::{
    endmembers::EndmemberPrior,
    guide::{Drawn, Guided, softmax},
};
use super::{Guide, Posterior, Regime, VariationalConfig};
use crate::{Abundances, Endmembers, Error, Pixels, Result, error::same, networks::values};

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
/// Abundances begin at least this far from nought, where a logit is finite.
const LEAST_SHARE: f64 = 1e-3;
/// Rank of what correlates the endmembers in the low-rank guide.
const GUIDE_RANK: usize = 4;
/// Most endmembers times bands that a full covariance is kept of: 64 MiB, and three times that for Adam.
const MOST_GLOBALS: usize = 4096;

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
    /// Standard error of each endmember in each band, which ties it to where it begins unless endmembers are free; none where it is not
    /// known, which leaves them free too.
    pub errors: Option<Vec<f64>>,
    /// Centre of each band, where it is known: endmembers need not be smooth across gaps.
    pub wavelengths: Option<Vec<f64>>,
    /// Abundances of all pixels.
    pub abundances: Abundances,
    /// Standard deviations of the abundances.
    pub deviations: Vec<f64>,
    /// Brightness of all pixels; none where light is the same everywhere.
    pub brightness: Option<Vec<f64>>,
    /// Standard deviation of the noise.
    pub noise: f64,
}

impl Start {
    /// Whether nothing ties the endmembers to where they begin.
    fn are_free(&self, config: &VariationalConfig) -> bool {
        config.free_endmembers || self.errors.is_none()
    }
}

#[derive(Clone, Debug)]
struct Resident {
    spectra: Tensor<2>,
    /// Logarithm of the norm of each spectrum.
    ln_norms: Tensor<1>,
    prior: EndmemberPrior,
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

impl Variational {
    /// Prepares the fit.
    ///
    /// # Errors
    /// [`Error::Setting`] for a number out of its range; [`Error::Shape`] where the start does not fit the pixels.
    pub fn new(pixels: &Pixels, config: VariationalConfig, start: Start) -> Result<Self> {
        config.check(pixels.count())?;
        let globals = start.endmembers.values().len();
        if config.guide == Guide::FullGlobals && globals > MOST_GLOBALS {
            let got = format!("full-globals with {globals} endmembers times bands");
            return Err(Error::setting("guide", got, "at most 4096 of them, or the guide low-rank"));
        }
        let got = (start.abundances.count(), start.endmembers.bands(), start.abundances.endmembers());
        let expected = (pixels.count(), pixels.bands(), start.endmembers.count());
        same("(pixels, bands, endmembers) that a variational fit begins at", expected, got)?;
        let got = (
            start.errors.as_ref().map_or(globals, Vec::len),
            start.wavelengths.as_ref().map_or(pixels.bands(), Vec::len),
        );
        same("(errors, wavelengths) that a variational fit begins at", (globals, pixels.bands()), got)?;
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
        TrainerConfig { name, seed, stage, log_every: 1, ..TrainerConfig::default() }
    }

    /// The model where it begins, on `device`, which has automatic differentiation.
    pub fn model(&self, device: &Device) -> VariationalModel {
        VariationalModel::new(&self.start, &self.config, device)
    }

    /// Pixels of one step.
    fn pixels_per_step(&self) -> usize {
        self.config.batch_pixels.unwrap_or(usize::MAX).min(self.pixels.count())
    }

    fn resident(&mut self, device: &Device) -> &Resident {
        let (count, bands) = (self.pixels.count(), self.pixels.bands());
        let Self { pixels, start, config, resident, .. } = self;
        resident.get_or_insert_with(|| {
            let plain = device.clone().inner();
            let ln_norms: Vec<f32> = pixels
                .spectra()
                .map(|s| s.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt().max(1e-12).ln() as f32)
                .collect();
            Resident {
                spectra: Tensor::from_data(TensorData::new(pixels.values().to_vec(), [count, bands]), &plain),
                ln_norms: Tensor::from_data(TensorData::new(ln_norms, [count]), &plain),
                prior: EndmemberPrior::new(start, config, &plain),
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
            Batch { spectra: resident.spectra.clone(), ln_norms: resident.ln_norms.clone(), chosen: None, prior: None };
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
                centres: abundances.values().to_vec(),
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
        let guided = model.guide(&Batch { spectra, ln_norms, chosen: None, prior: None });
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
        let prior = Some(resident.prior.clone().map(|tensor| constant(tensor, ctx)));
        let chosen = chosen.map(|chosen| chosen.to_device(ctx.device));
        Ok(Batch { spectra: constant(spectra, ctx), ln_norms: constant(ln_norms, ctx), chosen, prior })
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
        let light_varies = self.start.brightness.is_some();
        let guided = if light_varies {
            guided
        } else {
            // light that is the same everywhere is one, and not fitted
            Guided { ln_brightness: guided.ln_brightness.zeros_like(), ..guided }
        };
        let (key, counter) = ctx.stream.child(3).philox();
        let shared = philox_normal([1, GUIDE_RANK], key, counter, ctx.device);
        let VariationalConfig { guide, noise, minimum_volume: volume, .. } = self.config;
        let drawn = [
            guided.means.clone() + guided.ln_deviations.clone().exp() * logits,
            model.ln_endmembers(guide, &endmembers, shared).exp(),
        ];
        let likelihood = model.likelihood(noise, &batch, drawn, guided.ln_brightness.clone());
        let divergence = model.divergence(guided, light_varies);
        let mut mean = (divergence - likelihood.clone()) / pixels as f64;
        if let Some(prior) = batch.prior {
            mean = mean + model.shared_divergence(guide, prior) / all;
        }
        if volume > 0.0 && self.start.are_free(&self.config) {
            mean = mean + model.ln_volume(light_varies).mul_scalar(volume);
        }
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
