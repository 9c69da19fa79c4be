//! [`NetworkEstimator`]: networks that correct a linear estimator, as an estimator.
//!
//! The estimate is the mean over networks of different seeds. The variance of a value is the mean of those that the networks predict, or that of the
//! linear estimator where they predict none, plus the scatter of the networks (Lakshminarayanan, Pritzel & Blundell 2017, arXiv:1612.01474);
//! all of it is scaled so that intervals held the truth on skies that no network was trained on.

use burn::tensor::Device;
use cupel_data::{Cube, Stream};
use cupel_train::Casting;
use serde::{Deserialize, Serialize};

use super::{
    looked::{Looked, NAME, Normalisation},
    residual::Residual,
    sky_fit::{Predicted, SkyFit},
    train_config::NetworkTrainConfig,
};
use crate::{
    Error, Result, Sky, Unit,
    estimators::{Detection, Estimate, LinearEstimator, Margin, Mismatch, SignalEstimator, centred},
};

/// Networks on top of a linear estimator; trained by [`NetworkTraining`](super::NetworkTraining), kept in a folder.
#[derive(Clone, Debug)]
pub struct NetworkEstimator {
    pub(super) base: LinearEstimator,
    pub(super) made: Made,
    /// Of f32 weights; none where no network was better than what it began with.
    pub(super) members: Vec<Residual>,
    pub(super) device: Device,
}

/// What is known beside base and weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Made {
    pub(super) config: NetworkTrainConfig,
    pub(super) normalisation: Normalisation,
    /// Sides of the pixels that the networks know.
    pub(super) pixel_deg: [f64; 2],
    /// In the standard deviations before calibration.
    pub(super) margins: Vec<Margin>,
    /// What the training found, in words.
    pub(super) chosen: Vec<String>,
}

/// What the networks make of a sky: planes of it, in its unit.
pub(super) struct Found {
    pub(super) mean: Vec<f64>,
    pub(super) sigma: Vec<f64>,
}

impl NetworkEstimator {
    /// What the networks correct, or stand beside.
    pub fn base(&self) -> &LinearEstimator {
        &self.base
    }

    /// How they were trained.
    pub fn config(&self) -> &NetworkTrainConfig {
        &self.made.config
    }

    /// How many networks there are; none where no network was better than what it began with.
    pub fn members(&self) -> usize {
        self.members.len()
    }

    /// How sure the intervals of other probabilities are, in the standard deviations that the networks predict.
    pub fn margins(&self) -> &[Margin] {
        &self.made.margins
    }

    /// What the training found, in words.
    pub fn chosen(&self) -> &[String] {
        &self.made.chosen
    }

    /// The estimate and its error before calibration, and what the linear estimator says.
    pub(super) fn find(&self, sky: &Sky) -> Result<(Found, Estimate)> {
        let looked = Looked::new(&self.made.config, &self.base, sky, Some(self.made.pixel_deg))?;
        let prepared = looked.prepared(&self.made.normalisation, None)?;
        let predict = |member| SkyFit::predict(member, &prepared, &Casting::f32(), &self.device);
        let predicted = self.members.iter().map(predict).collect::<Result<Vec<_>>>()?;
        let predicted: Vec<&Predicted> = predicted.iter().collect();
        let found = combined(&looked, prepared.estimate(), &predicted, self.made.normalisation.scale);
        Ok((found, looked.base))
    }

    /// By how much standard deviations are multiplied.
    fn stretch(&self) -> f64 {
        /// `|z|` at the ends of the interval of 68 % of a normal distribution.
        const NORMAL_68: f64 = 0.994_457_883_209_753_1;
        let margin = self.made.margins.iter().find(|margin| margin.coverage == 0.68);
        margin.map_or(1.0, |margin| margin.sigmas / NORMAL_68)
    }
}

/// The mean of what networks say, and its error: what they predict, or what the linear estimator does, and their scatter.
pub(super) fn combined(looked: &Looked, estimate: &[f32], members: &[&Predicted], scale: f64) -> Found {
    let count = members.len().max(1) as f64;
    let mut correction = vec![0.0f32; estimate.len()];
    // of what is predicted, and of what networks differ by
    let (mut own, mut scatter) = (vec![0.0f32; estimate.len()], vec![0.0f32; estimate.len()]);
    for at in 0..estimate.len() {
        let offs = || members.iter().map(|member| f64::from(member.mean[at]) - f64::from(estimate[at]));
        let mean = offs().sum::<f64>() / count;
        correction[at] = mean as f32;
        scatter[at] = (offs().map(|off| (off - mean).powi(2)).sum::<f64>() / count) as f32;
        let squares =
            members.iter().filter_map(|member| member.sigma.as_ref()).map(|sigma| f64::from(sigma[at]).powi(2));
        own[at] = (squares.sum::<f64>() / count) as f32;
    }
    let predicts = members.iter().any(|member| member.sigma.is_some());
    let correction = looked.planes(&correction, scale);
    let mean = looked.start.iter().zip(&correction).map(|(start, correction)| start + correction).collect();
    let own = match predicts {
        true => looked.variances(&own, scale),
        false => looked.base.sigma.values().iter().map(|sigma| f64::from(*sigma).powi(2)).collect(),
    };
    let scatter = looked.variances(&scatter, scale);
    let sigma = own.iter().zip(&scatter).map(|(own, scatter)| (own + scatter).sqrt()).collect();
    Found { mean, sigma }
}

impl SignalEstimator for NetworkEstimator {
    fn name(&self) -> &str {
        NAME
    }

    fn frequencies_mhz(&self) -> &[f64] {
        self.base.frequencies_mhz()
    }

    fn unit(&self) -> Unit {
        self.base.unit()
    }

    /// All values need their weight.
    fn estimate(&self, sky: &Sky) -> Result<Estimate> {
        let (found, _) = self.find(sky)?;
        let stretch = self.stretch();
        let axes = sky.cube().axes();
        let signal = Cube::new(found.mean.iter().map(|value| *value as f32).collect(), axes.clone())?;
        let sigma = Cube::new(found.sigma.iter().map(|sigma| (sigma * stretch) as f32).collect(), axes.clone())?;
        let margin = |margin: &Margin| Margin { sigmas: margin.sigmas / stretch, ..*margin };
        Ok(Estimate {
            signal: sky.with_cube(signal, sky.weights().cloned())?,
            sigma,
            margins: self.made.margins.iter().map(margin).collect(),
        })
    }

    /// Draws are those of the linear estimator, brought to the mean and the standard deviations of the networks, value by value: how errors hang
    /// together from place to place is as the linear estimator has it.
    fn draw(
        &self,
        sky: &Sky,
        count: usize,
        stream: Stream,
        each: &mut dyn FnMut(Cube<f32>) -> Result<()>,
    ) -> Result<()> {
        let (found, base) = self.find(sky)?;
        let stretch = self.stretch();
        let (before, sigma) = (base.signal.cube().values(), base.sigma.values());
        self.base.draw(sky, count, stream, &mut |draw| {
            let value = |(at, value): (usize, &f32)| {
                let off = f64::from(*value) - f64::from(before[at]);
                // where the linear estimator is sure, its draws do not differ
                let ratio = if sigma[at] > 0.0 { found.sigma[at] * stretch / f64::from(sigma[at]) } else { 0.0 };
                (found.mean[at] + ratio * off) as f32
            };
            let values = draw.values().iter().enumerate().map(value).collect();
            each(Cube::new(values, draw.axes().clone())?)
        })
    }

    /// That of the linear estimator: networks do not know what they have not seen.
    fn mismatch(&self, sky: &Sky) -> Result<Mismatch> {
        self.base.mismatch(sky)
    }

    /// That of the linear estimator, whose power without a signal is known.
    fn detect(&self, sky: &Sky) -> Result<Detection> {
        self.base.detect(sky)
    }
}

/// Standard deviations that hold each share of one sky.
pub(super) fn held(found: &Found, signal: &Cube<f32>) -> Result<[f64; 4]> {
    let values = centred(signal).into_iter().zip(&found.mean).zip(&found.sigma);
    let distances: Vec<f64> = values.map(|((truth, mean), sigma)| (truth - mean).abs() / sigma).collect();
    if distances.iter().any(|distance| distance.is_nan()) {
        let problem = "an error of 0 was predicted where there is one".to_owned();
        return Err(Error::Estimator { name: NAME.to_owned(), problem, fix: "train on skies with noise" });
    }
    Ok(Margin::held(distances))
}
