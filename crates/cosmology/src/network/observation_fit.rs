//! [`ObservationFit`]: the training of a [`Network`] on observations of an interferometer.
//!
//! A batch is made of skies with a foreground each, noise is added, components are taken out and the values scaled in one pass on the
//! device. The network maps what is left to the signal, or to what the components leave wrong. All random choices follow from the position of the
//! batch. Numbers after an epoch are of the signal in the unit of the files, beside those of the components alone.

use std::sync::Arc;

use burn::tensor::{Device, FloatDType, Tensor};
use cupel_data::{Cube, Loader, Source, Stream};
use cupel_settings::Problem;
use cupel_train::{Casting, Context, Fit, Loss, Metrics, fingerprint};
use serde::Serialize;

use super::{
    agreement::Agreement,
    losses::{DelayLoss, LossKind, log_cosh, log_mse, mse},
    network_training::Score,
    residual::Network,
};
use crate::{Error, ObservationBatch, Observations, ObservationsConfig, Prepared, Preprocess, Result};

/// Real and imaginary part: the channels of the network.
pub(crate) const PARTS: [usize; 2] = [2, 2];

/// What a network on visibilities is trained by.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ObservationLossConfig {
    /// What a prediction is compared with the target by.
    pub loss: LossKind,
    /// Weight of the loss of delay powers beside it; 0 for none.
    pub lambda_delay: f64,
    /// White noise of each part in the unit of the files, below which delay powers count for little.
    pub delay_noise: Option<f64>,
}

/// Observations that a network is trained and validated on.
pub struct ObservationFit {
    training: Loader<Observations>,
    validation: Arc<Observations>,
    /// So many of the validation skies, from the first, are looked at after an epoch.
    watched: usize,
    preprocess: Preprocess,
    losses: ObservationLossConfig,
    delay: Option<DelayLoss>,
    /// Whether activations are computed again in place of being kept.
    checkpointing: bool,
    seed: u64,
    /// Of components and files.
    hash: String,
}

/// A validation sky on the device, and its signal.
pub(crate) struct Looked {
    pub(crate) prepared: Prepared<5>,
    /// `[chunk, part, right ascension, baseline, frequency]` in the unit of the files.
    pub(crate) truth: Vec<f32>,
    shape: Vec<usize>,
}

impl ObservationFit {
    /// Prepares the training; the first `watched` of the validation skies decide which weights are kept. `hash` stands for files and components.
    ///
    /// # Errors
    /// A likelihood, which needs a variance that no network on visibilities predicts; too few rows for a loader.
    pub fn new(
        training: Observations,
        validation: Arc<Observations>,
        watched: usize,
        preprocess: Preprocess,
        losses: ObservationLossConfig,
        config: &ObservationsConfig,
        hash: String,
    ) -> Result<Self> {
        if losses.loss == LossKind::Nll {
            let expected = "logmse, logcosh or mse: networks on visibilities predict no variance";
            return Err(Problem::value("loss", losses.loss, expected).into());
        }
        let delay = (losses.lambda_delay > 0.0).then(|| {
            let order = preprocess.config().layout.order();
            // the frequency is the last axis of a chunk
            let frequency_axis = order.iter().position(|axis| *axis == 4).unwrap_or(4) - 2;
            DelayLoss { frequency_axis, complex: true, noise: losses.delay_noise }
        });
        let stream = Stream::new(config.seed, "observations");
        let training = Loader::new(Arc::new(training), config.training_loader(), stream)?;
        Ok(Self {
            training,
            validation,
            watched,
            preprocess,
            losses,
            delay,
            checkpointing: false,
            seed: config.seed,
            hash,
        })
    }

    /// Computes activations again on the way back in place of keeping them: less memory, more time, the same gradients. The model has to be
    /// on a device with gradient checkpointing.
    #[must_use]
    pub fn with_checkpointing(self) -> Self {
        Self { checkpointing: true, ..self }
    }

    /// What happens to a batch before the network.
    pub fn preprocess(&self) -> &Preprocess {
        &self.preprocess
    }

    /// A validation sky, always with the same foreground and the same noise.
    pub(crate) fn look(&self, row: usize, device: &Device) -> Result<Looked> {
        let noise = Stream::new(self.seed, "validation noise").child(row as u64);
        let batch = self.validation.load(&[row], Stream::new(self.seed, "validation"))?;
        let truth = batch.y.values().to_vec();
        let shape = batch.y.shape();
        Ok(Looked { prepared: prepare(&self.preprocess, batch, noise, device)?, truth, shape })
    }

    /// The loss without that of delays, by this measure.
    fn plain(loss: LossKind, prediction: Tensor<5>, target: Tensor<5>) -> Tensor<1> {
        match loss {
            LossKind::LogCosh => log_cosh(prediction, target),
            LossKind::Mse => mse(prediction, target),
            // that there is no likelihood was checked at the beginning
            LossKind::LogMse | LossKind::Nll => log_mse(prediction, target),
        }
    }

    /// The loss of delay powers in the unit of the files, where it is asked for.
    fn delay(&self, prediction: &Tensor<5>, Prepared { x, y }: &Prepared<5>) -> Option<Tensor<1>> {
        let (how, y) = (self.delay?, y.as_ref()?);
        let restore = |own: &Tensor<5>| self.preprocess.config().restore(own.clone(), x.clone());
        Some(how.forward(restore(prediction), restore(y)))
    }
}

/// A batch of a loader on the device, ready for the network.
pub(crate) fn prepare(
    preprocess: &Preprocess,
    batch: ObservationBatch,
    stream: Stream,
    device: &Device,
) -> Result<Prepared<5>> {
    if let Some(weights) = &batch.weights {
        check_gaps(weights)?;
    }
    let tensor = |cube: &Cube<f32>| -> Result<Tensor<5>> { Ok(cube.to_field::<5>(device)?.into_parts().0) };
    preprocess.chunks(tensor(&batch.x)?, Some(tensor(&batch.y)?), stream)
}

/// Refuses values without weight: what components leave of a line of sight with gaps is no longer without foregrounds.
pub(crate) fn check_gaps(weights: &Cube<f32>) -> Result<()> {
    let lost = weights.values().iter().filter(|weight| **weight == 0.0).count();
    if lost == 0 {
        return Ok(());
    }
    let problem =
        format!("{lost} of {} values have weight 0, and foregrounds do not come off around gaps", weights.len());
    Err(Error::Prepared { what: "visibilities", problem, fix: "cut channels and times with gaps off, or fill them" })
}

/// What a network says of chunks, before it is restored, f32 at least.
pub(crate) fn predict(network: &Network, x: &Tensor<5>, casting: &Casting) -> Tensor<5> {
    network.forward(casting.low(x.clone())).cast(FloatDType::from(x.dtype()))
}

/// Values in the unit of the files on the host, `[chunk, part, right ascension, baseline, frequency]`.
pub(crate) fn on_the_host(values: Tensor<5>, preprocess: &Preprocess) -> cupel_train::Result<Vec<f32>> {
    let permuted = values.permute(preprocess.config().layout.order().map(|axis| axis as isize));
    let data = permuted
        .cast(FloatDType::F32)
        .try_into_data()
        .map_err(|error| cupel_train::Error::Device { action: "read a prediction", problem: format!("{error:?}") })?;
    Ok(data.iter::<f32>().collect())
}

impl Looked {
    /// Bins in right ascension of a chunk.
    pub(crate) fn bins(&self) -> usize {
        self.shape[2]
    }

    pub(crate) fn baselines(&self) -> usize {
        self.shape[3]
    }

    pub(crate) fn channels(&self) -> usize {
        self.shape[4]
    }

    /// How near values of its shape come to its signal.
    pub(crate) fn score(&self, found: &[f32]) -> Score {
        let agreement = Agreement::of(found, &self.truth, self.channels());
        Score { r: agreement.correlation(), residual_ratio: agreement.residual_ratio() }
    }

    /// What the components alone leave of it.
    pub(crate) fn cleaned(&self, preprocess: &Preprocess) -> cupel_train::Result<Vec<f32>> {
        on_the_host(preprocess.config().cleaned(self.prepared.x.clone()), preprocess)
    }

    /// What the network makes of it.
    pub(crate) fn restored(&self, prediction: Tensor<5>, preprocess: &Preprocess) -> cupel_train::Result<Vec<f32>> {
        on_the_host(preprocess.config().restore(prediction, self.prepared.x.clone()), preprocess)
    }
}

/// An error of this crate as one of the training.
fn work(error: Error) -> cupel_train::Error {
    match error {
        Error::Train(error) => error,
        Error::Data(error) => error.into(),
        error => cupel_train::Error::Work(Box::new(error)),
    }
}

fn number(loss: Tensor<1>) -> cupel_train::Result<f64> {
    let data = loss
        .try_into_data()
        .map_err(|error| cupel_train::Error::Device { action: "read a loss", problem: format!("{error:?}") })?;
    Ok(data.iter::<f64>().next().unwrap_or(f64::NAN))
}

impl Fit for ObservationFit {
    type Model = Network;
    type Batch = Prepared<5>;

    fn batch(&mut self, ctx: &Context<'_>) -> cupel_train::Result<Prepared<5>> {
        let batch = self.training.get(ctx.at.epoch, ctx.at.step)?;
        // nothing before the network is trained
        let Prepared { x, y } = ctx
            .monitor
            .phase("preprocessing", || {
                prepare(&self.preprocess, batch, ctx.stream.child(0), &ctx.device.clone().inner())
            })
            .map_err(work)?;
        let device = match (ctx.device.is_autodiff(), self.checkpointing) {
            (true, true) => ctx.device.clone().gradient_checkpointing(),
            _ => ctx.device.clone(),
        };
        let tracked = |own: Tensor<5>| own.to_device(&device);
        Ok(Prepared { x: tracked(x), y: y.map(tracked) })
    }

    fn loss(&self, model: &Network, batch: Prepared<5>, ctx: &Context<'_>) -> Loss {
        let prediction = predict(model, &batch.x, ctx.casting);
        let weight = batch.x.dims()[0] as f64;
        let target = batch.y.clone().unwrap_or_else(|| batch.x.clone());
        let plain = Self::plain(self.losses.loss, prediction.clone(), target);
        match self.delay(&prediction, &batch) {
            None => Loss { mean: plain, weight, terms: Vec::new() },
            Some(delay) => {
                let mean = plain.clone() + delay.clone().mul_scalar(self.losses.lambda_delay);
                Loss { mean, weight, terms: vec![("plain", plain), ("delay", delay)] }
            }
        }
    }

    fn steps_per_epoch(&self) -> u64 {
        self.training.steps()
    }

    /// Of the validation skies, means over them: `r`, the correlation of the signal with the truth, and `residual_ratio`, the mean square of what is
    /// left over that of the truth, both in the unit of the files; the same of the components alone, `pca_r` and `pca_residual_ratio`; and
    /// `validation_loss`, whose logarithm is taken of the mean over all skies.
    fn evaluate(&mut self, model: &Network, ctx: &Context<'_>) -> cupel_train::Result<Metrics> {
        let (mut sums, mut losses, mut delays) = ([0.0; 4], 0.0, 0.0);
        let logarithm = self.losses.loss == LossKind::LogMse;
        for row in 0..self.watched {
            let looked = self.look(row, ctx.device).map_err(work)?;
            let prediction = predict(model, &looked.prepared.x, ctx.casting);
            if let Some(target) = looked.prepared.y.clone() {
                let measure = if logarithm { LossKind::Mse } else { self.losses.loss };
                losses += number(Self::plain(measure, prediction.clone(), target))?;
            }
            if let Some(delay) = self.delay(&prediction, &looked.prepared) {
                delays += number(delay)?;
            }
            let own = looked.score(&looked.restored(prediction, &self.preprocess)?);
            let pca = looked.score(&looked.cleaned(&self.preprocess)?);
            for (sum, value) in sums.iter_mut().zip([own.r, own.residual_ratio, pca.r, pca.residual_ratio]) {
                *sum += value;
            }
        }
        let skies = self.watched.max(1) as f64;
        let mut metrics = Metrics::new();
        for (name, sum) in ["r", "residual_ratio", "pca_r", "pca_residual_ratio"].into_iter().zip(sums) {
            metrics.push(name, sum / skies);
        }
        let plain = if logarithm { (losses / skies).ln() } else { losses / skies };
        metrics.push("validation_loss", plain + self.losses.lambda_delay * delays / skies);
        Ok(metrics)
    }

    fn fingerprint(&self) -> cupel_train::Result<[u8; 32]> {
        let name = std::any::type_name::<Self>();
        fingerprint(&(name, &self.losses, self.preprocess.config(), self.seed, self.watched, &self.hash))
    }
}
