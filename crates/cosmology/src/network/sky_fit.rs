//! [`SkyFit`]: the training of a [`Residual`] on patches of prepared skies.

use std::sync::Arc;

use burn::tensor::{Device, FloatDType, Tensor};
use cupel_data::Stream;
use cupel_settings::{Problem, Range, Settings, settings};
use cupel_train::{Casting, Context, Fit, Loss, Metrics, fingerprint};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    agreement::Agreement,
    losses::{DelayLoss, LossKind, gaussian_nll, log_cosh, log_mse, mse},
    patches::{Patches, View, Views, batch},
    prepared_sky::PreparedSky,
    residual::{Estimate, Residual, ResidualConfig},
};
use crate::{Error, Result};

/// Most patches of a batch and of a sky, and longest side of a patch.
const MOST: f64 = 65536.0;
/// The frequency is the last of the three axes of a flat sky.
const FREQUENCY_AXIS: usize = 2;

settings! {
    /// What a network is trained on, and by what.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub struct SkyFitConfig in "network training" {
        /// What a prediction is compared with the truth by
        pub loss: LossKind = LossKind::LogMse;
        /// Weight of the loss of delay powers beside it
        pub lambda_delay: f64 = 0.0, in Range::at_least(0.0).at_most(1e6), "WEIGHT";
        /// White noise in the unit of the target, below which delay powers count for little
        pub delay_noise: Option<f64> = None, in Range::above(0.0), "SIGMA";
        /// Side of a patch in the plane of the sky; the whole sky unless given
        pub patch: Option<usize> = None, in Range::at_least(1.0).at_most(MOST), "N";
        /// Patches in a batch
        pub patches_per_batch: usize = 4, in Range::at_least(1.0).at_most(MOST), "N";
        /// Patches of each sky in an epoch
        pub patches_per_sky: usize = 1, in Range::at_least(1.0).at_most(MOST), "N";
        /// Let patches begin anywhere, because the edges of the sky meet, as those of a simulated flat sky do
        pub sky_shifts: bool = true;
        /// Mirror and transpose patches at random
        pub sky_flips: bool = true;
    }
    needs {
        ["delay-noise"] |own| own.lambda_delay > 0.0 => "there is no lambda-delay";
    }
}

/// Skies that a [`Residual`] is trained and validated on; copies share them.
#[derive(Clone, Debug)]
pub struct SkyFit {
    training: Arc<[PreparedSky]>,
    validation: Arc<[PreparedSky]>,
    views: Views,
    config: SkyFitConfig,
    seed: u64,
    /// Of the training skies, then of the validation skies.
    hashes: [Vec<[u8; 32]>; 2],
}

/// What a network says of one sky.
#[derive(Clone, Debug, PartialEq)]
pub struct Predicted {
    /// `[output, x, y, frequency]`.
    pub mean: Vec<f32>,
    /// Standard deviations, where the network predicts a variance.
    pub sigma: Option<Vec<f32>>,
}

impl SkyFit {
    /// Prepares the training on `training` skies, with numbers after each epoch from `validation` skies, of which there may be none.
    ///
    /// # Errors
    /// [`Error::Settings`] for settings out of their range, a likelihood without a variance, or extents that do not go through the network;
    /// [`Error::Prepared`] for skies of different shapes, or none.
    pub fn new(
        training: Vec<PreparedSky>,
        validation: Vec<PreparedSky>,
        model: &ResidualConfig,
        config: SkyFitConfig,
        seed: u64,
    ) -> Result<Self> {
        config.check()?;
        let first = training.first().ok_or_else(|| Error::Prepared {
            what: "training skies",
            problem: "there are none".to_owned(),
            fix: "give at least one",
        })?;
        let (extents, channels) = (first.extents(), first.channels());
        for sky in training.iter().chain(&validation) {
            if sky.extents() != extents || sky.channels() != channels {
                let problem = format!("{:?} of {:?} channels", sky.extents(), sky.channels());
                let problem = format!("{problem} beside {extents:?} of {channels:?} channels");
                return Err(Error::Prepared { what: "skies", problem, fix: "give skies of one shape" });
            }
        }
        if channels != [model.inputs, model.outputs] {
            let problem = format!("{channels:?} channels for a network of {:?}", [model.inputs, model.outputs]);
            return Err(Error::Prepared { what: "skies", problem, fix: "make the network for these channels" });
        }
        if (config.loss == LossKind::Nll) != model.variance {
            let expected = if model.variance { "nll, which a predicted variance needs" } else { "no nll" };
            return Err(Problem::value("loss", config.loss, format!("{expected}: the network decides")).into());
        }
        let [rows, columns, frequencies] = extents;
        let patch = config.patch.map_or([rows, columns], |side| [side; 2]);
        if patch[0] > rows || patch[1] > columns {
            let expected = format!("at most the sides of the sky, {rows} and {columns}");
            return Err(Problem::value("patch", patch[0], expected).into());
        }
        model.network.check_extents([patch[0], patch[1], frequencies])?;
        model.network.check_extents(extents)?;
        let views = Views { sky: [rows, columns], patch, shifts: config.sky_shifts, flips: config.sky_flips };
        let hashes = [&training, &validation].map(|skies| skies.par_iter().map(PreparedSky::hash).collect());
        Ok(Self { training: training.into(), validation: validation.into(), views, config, seed, hashes })
    }

    /// The same skies in another order, with other patches.
    #[must_use]
    pub(super) fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Applies a model in inference mode to a whole sky.
    ///
    /// # Errors
    /// [`cupel_train::Error::Device`] where the device cannot be read.
    pub fn predict(model: &Residual, sky: &PreparedSky, casting: &Casting, device: &Device) -> Result<Predicted> {
        Ok(Predicted::read(&whole(model, sky, casting, device).0)?)
    }

    /// The loss of a prediction, with its parts.
    fn compare(&self, found: Estimate, target: Tensor<5>) -> (Tensor<1>, Vec<(&'static str, Tensor<1>)>) {
        let (mean, truth) = (found.mean.clone(), target.clone());
        let plain = match (self.config.loss, found.log_variance) {
            (LossKind::Nll, Some(log_variance)) => gaussian_nll(mean, log_variance, truth),
            (LossKind::LogCosh, _) => log_cosh(mean, truth),
            (LossKind::Mse, _) => mse(mean, truth),
            // that a likelihood has its variance was checked at the beginning
            (LossKind::LogMse | LossKind::Nll, _) => log_mse(mean, truth),
        };
        if self.config.lambda_delay == 0.0 {
            return (plain, Vec::new());
        }
        let how = DelayLoss { frequency_axis: FREQUENCY_AXIS, complex: false, noise: self.config.delay_noise };
        let delay = how.forward(found.mean, target);
        (plain.clone() + delay.clone().mul_scalar(self.config.lambda_delay), vec![("plain", plain), ("delay", delay)])
    }

    fn patches(&self) -> usize {
        self.training.len() * self.config.patches_per_sky
    }
}

/// What a model says of a whole sky, and what it should.
fn whole(model: &Residual, sky: &PreparedSky, casting: &Casting, device: &Device) -> (Estimate, Tensor<5>) {
    let [rows, columns, _] = sky.extents();
    let views = Views { sky: [rows, columns], patch: [rows, columns], shifts: false, flips: false };
    let Patches { inputs, estimate, target } = batch(&[(sky, View::default())], &views, device);
    (model.forward(casting.low(inputs), estimate), target)
}

impl Predicted {
    fn read(estimate: &Estimate) -> cupel_train::Result<Self> {
        let sigma = estimate.log_variance.clone().map(|log| read(log.mul_scalar(0.5).exp())).transpose()?;
        Ok(Self { mean: read(estimate.mean.clone())?, sigma })
    }
}

fn read<const D: usize>(tensor: Tensor<D>) -> cupel_train::Result<Vec<f32>> {
    let data = tensor
        .cast(FloatDType::F32)
        .try_into_data()
        .map_err(|error| cupel_train::Error::Device { action: "read a prediction", problem: format!("{error:?}") })?;
    Ok(data.iter::<f32>().collect())
}

impl Fit for SkyFit {
    type Model = Residual;
    type Batch = Patches;

    fn batch(&mut self, ctx: &Context<'_>) -> cupel_train::Result<Patches> {
        let order = Stream::new(self.seed, "patches").at(ctx.at.epoch, u64::from(ctx.at.stage));
        let order = order.permutation(self.patches());
        let size = self.config.patches_per_batch;
        let begin = ctx.at.step as usize * size;
        let chosen = &order[begin.min(order.len())..(begin + size).min(order.len())];
        let view = |(i, patch): (usize, &usize)| {
            (&self.training[patch % self.training.len()], self.views.draw(ctx.stream.child(i as u64)))
        };
        let skies: Vec<(&PreparedSky, View)> = chosen.iter().enumerate().map(view).collect();
        Ok(batch(&skies, &self.views, ctx.device))
    }

    fn loss(&self, model: &Residual, batch: Patches, ctx: &Context<'_>) -> Loss {
        let Patches { inputs, estimate, target } = batch;
        let weight = inputs.dims()[0] as f64;
        let (mean, terms) = self.compare(model.forward(ctx.casting.low(inputs), estimate), target);
        Loss { mean, weight, terms }
    }

    fn steps_per_epoch(&self) -> u64 {
        self.patches().div_ceil(self.config.patches_per_batch) as u64
    }

    /// Of the whole validation skies, means over them: `r`, the correlation of all values with the truth; `residual_ratio`, the mean square
    /// of what is left over that of the truth; `validation_loss`; with a variance `coverage68`, the share of values within one sigma.
    fn evaluate(&mut self, model: &Residual, ctx: &Context<'_>) -> cupel_train::Result<Metrics> {
        let mut sums = [0.0; 4];
        let mut with_sigma = false;
        for sky in &*self.validation {
            let (estimate, target) = whole(model, sky, ctx.casting, ctx.device);
            let (found, truth) = (Predicted::read(&estimate)?, sky.truth());
            let agreement = Agreement::of(&found.mean, truth, sky.extents()[FREQUENCY_AXIS]);
            sums[0] += agreement.correlation();
            sums[1] += agreement.residual_ratio();
            sums[2] += read(self.compare(estimate, target).0)?.first().map_or(0.0, |loss| f64::from(*loss));
            if let Some(sigma) = &found.sigma {
                with_sigma = true;
                let within = found.mean.iter().zip(truth).zip(sigma).filter(|((m, t), s)| (**m - **t).abs() <= **s);
                sums[3] += within.count() as f64 / truth.len() as f64;
            }
        }
        let mut metrics = Metrics::new();
        if !self.validation.is_empty() {
            let [r, ratio, loss, coverage] = sums.map(|sum| sum / self.validation.len() as f64);
            metrics.push("r", r);
            metrics.push("residual_ratio", ratio);
            metrics.push("validation_loss", loss);
            if with_sigma {
                metrics.push("coverage68", coverage);
            }
        }
        Ok(metrics)
    }

    fn fingerprint(&self) -> cupel_train::Result<[u8; 32]> {
        fingerprint(&(std::any::type_name::<Self>(), &self.config, self.seed, &self.hashes))
    }
}
