//! [`ModelTraining`]: from skies in a folder to a [`Model`], beside the methods that it has to beat.

use std::{collections::BTreeMap, time::Instant};

use burn::tensor::Device;
use cupel_data::Cube;
use cupel_report::Report;
use cupel_settings::{Range, Settings, settings};
use cupel_train::{Casting, Policy, Run, stop};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{About, Cleaned, Estimator, EstimatorKind, Model, Scores, VERSION};
use crate::{
    Background, Result, Sky, TrainingSkies,
    estimators::{
        Gathering, GaussianProcess, GaussianProcessConfig, LinearEstimator, Method, Pair, SignalEstimator, Training,
    },
    evaluate,
    network::{NetworkRehearsal, NetworkTrainConfig, NetworkTraining, Pairs, Score, SkyCounts},
    power::{Estimator as PowerEstimator, PowerConfig, Volume},
};

/// Most components that are tried.
const MOST_COMPONENTS: usize = 16;
/// Draws for the power of the example.
const DRAWS: usize = 20;
/// Validation skies from which on a part of them calibrates.
const TO_CALIBRATE: usize = 6;

/// What is tried with a network before it is trained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rehearsal {
    /// So many updates on one batch, whose loss should fall.
    OneBatch(u64),
    /// Learning rates from the first to the second.
    LearningRates([f64; 2]),
}

settings! {
    /// What is trained.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub struct ModelConfig in "model" {
        /// What finds the signal
        pub estimator: EstimatorKind = EstimatorKind::Filter;
        /// Components that are taken off; chosen on skies that are left out unless given
        pub modes: Option<usize> = None, in Range::at_least(1.0).at_most(65536.0), "K";
        /// Share of the skies that no fit sees, where none are given for validation
        pub validation_fraction: f64 = 0.1, in Range::above(0.0).below(1.0), "SHARE";
    }
    needs {
        ["modes"] |own| matches!(own.estimator, EstimatorKind::Pca | EstimatorKind::PcaGain) => "the estimator takes off no components";
    }
}

/// The training of a [`Model`] on skies.
pub struct ModelTraining {
    config: ModelConfig,
    process: GaussianProcessConfig,
    network: NetworkTrainConfig,
    skies: TrainingSkies,
    validation: TrainingSkies,
    seed: u64,
}

/// Where networks are trained, and in what numbers.
#[derive(Clone, Debug)]
pub struct Place {
    /// The device.
    pub device: Device,
    /// Further ones that share the batches.
    pub others: Vec<Device>,
    /// The numbers.
    pub casting: Casting,
}

/// A sky that no fit has seen, and what the model says of it.
#[derive(Debug)]
pub struct Example {
    sky: Sky,
    signal: Cube<f32>,
    cleaned: Cleaned,
}

/// What came of a training.
#[derive(Debug)]
pub struct Trained {
    /// The model.
    pub model: Model,
    /// What training chose, in words.
    pub chosen: Vec<String>,
    /// The first validation sky.
    pub example: Example,
    /// Seconds that it took.
    pub seconds: f64,
}

impl ModelTraining {
    /// Prepares the training on skies, with validation skies beside them or a share of them drawn by the seed.
    ///
    /// # Errors
    /// Settings out of their range, too few skies, and a sky that both would see.
    pub fn new(
        config: ModelConfig,
        process: GaussianProcessConfig,
        network: NetworkTrainConfig,
        skies: TrainingSkies,
        validation: Option<TrainingSkies>,
        seed: u64,
    ) -> Result<Self> {
        config.check()?;
        let (skies, validation) = match validation {
            Some(validation) => (skies, validation),
            None => {
                let [skies, validation] = skies.split(config.validation_fraction, seed)?;
                (skies, validation)
            }
        };
        skies.check_apart(&validation)?;
        Ok(Self { config, process, network, skies, validation, seed })
    }

    /// Skies for training and for validation.
    pub fn counts(&self) -> [usize; 2] {
        [self.skies.len(), self.validation.len()]
    }

    /// Values of the largest tensor of a step of a network.
    ///
    /// # Errors
    /// What reading a sky reports.
    pub fn elements(&self) -> Result<usize> {
        let sky = self.skies.pair(0)?.observed;
        let shape = sky.cube().shape();
        let side = |pixels: usize| self.network.fit.patch.unwrap_or(pixels / self.network.coarsening);
        Ok(self.network.network.filters
            * self.network.fit.patches_per_batch
            * shape[0]
            * side(shape[1])
            * side(shape[2]))
    }

    /// A training sky, then a validation sky. A stop by a signal ends the reading.
    fn pair(&self, number: usize) -> Result<Pair> {
        stop::check()?;
        match number.checked_sub(self.skies.len()) {
            None => self.skies.pair(number),
            Some(number) => self.validation.pair(number),
        }
    }

    /// Trains. It can be stopped, and goes on in the same run.
    ///
    /// # Errors
    /// As [`Training::gather`], [`Training::fit`] and [`NetworkTraining::run`]; a stop by a signal.
    pub fn run(&self, run: &mut Run, place: &Place) -> Result<Trained> {
        let start = Instant::now();
        let pair = |number: usize| self.pair(number);
        let first = pair(0)?.observed;
        let mut gathering = Gathering::new(self.skies.len(), &pair)?;
        run.drive(&mut gathering, &Policy::default())?;
        let training = gathering.training();
        let mut validation = Scores::new();
        let mut linear = BTreeMap::new();
        for kind in [EstimatorKind::Pca, EstimatorKind::PcaGain, EstimatorKind::Filter] {
            let estimator = training.fit(self.method(kind, &training)?, &pair)?;
            validation.insert(kind.to_string(), self.score(&estimator)?);
            linear.insert(kind.to_string(), estimator);
        }
        let kind = self.config.estimator;
        let of = |kind: EstimatorKind| linear.get(&kind.to_string()).cloned();
        let (estimator, chosen) = match of(kind) {
            Some(estimator) => {
                let chosen = estimator.chosen().to_vec();
                (Estimator::Linear(Box::new(estimator)), chosen)
            }
            None if kind == EstimatorKind::Gpr => {
                let frequencies_mhz = first.frequencies_mhz()?.to_vec();
                let process = GaussianProcess::new(self.process.clone(), frequencies_mhz, first.unit())?;
                validation.insert(kind.to_string(), self.score(&process)?);
                (Estimator::GaussianProcess(Box::new(process)), vec!["fitted to each sky by itself".to_owned()])
            }
            None => {
                let Some(base) = of(EstimatorKind::Filter) else { unreachable!("the filter was fitted") };
                let found = self.networks(base, place, &pair)?.run(run)?;
                validation.insert(kind.to_string(), self.score(&found.estimator)?);
                let chosen = found.estimator.chosen().to_vec();
                (Estimator::Network(Box::new(found.estimator)), chosen)
            }
        };
        let shape = first.cube().shape();
        let about = About {
            version: VERSION,
            estimator: kind,
            skies: self.skies.len(),
            shape: [shape[0], shape[1], shape[2]],
            side_deg: first.geometry()?.side_deg,
            unit: first.unit().to_string(),
            validation,
        };
        let model = Model { estimator, about };
        let Pair { observed, signal } = self.validation.pair(0)?;
        let cleaned = model.clean(&observed, DRAWS, 0)?;
        let example = Example { sky: observed, signal, cleaned };
        Ok(Trained { model, chosen, example, seconds: start.elapsed().as_secs_f64() })
    }

    /// Tries the network before a training: on one batch, or over a range of learning rates. The filter that it corrects is learned first.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn rehearse(&self, rehearsal: Rehearsal, place: &Place) -> Result<NetworkRehearsal> {
        let pair = |number: usize| self.pair(number);
        let base = Training::gather(self.skies.len(), &pair)?.fit(Method::Filter, &pair)?;
        let networks = self.networks(base, place, &pair)?;
        match rehearsal {
            Rehearsal::OneBatch(updates) => networks.overfit_one_batch(updates),
            Rehearsal::LearningRates([low, high]) => networks.learning_rate_range(low, high),
        }
    }

    /// The networks on top of a base. Where there are enough validation skies, the second half of them calibrates the errors.
    fn networks<'a>(&self, base: LinearEstimator, place: &Place, pair: Pairs<'a>) -> Result<NetworkTraining<'a>> {
        let all = self.validation.len();
        let calibration = if all >= TO_CALIBRATE { all / 2 } else { 0 };
        let counts = SkyCounts { training: self.skies.len(), validation: all - calibration, calibration };
        let networks = NetworkTraining::new(self.network.clone(), base, counts, pair, self.seed, &place.device)?;
        Ok(networks.with_casting(place.casting.clone()).with_devices(place.others.clone()))
    }

    fn method(&self, kind: EstimatorKind, training: &Training) -> Result<Method> {
        let components = |gain: bool| match self.config.modes.filter(|_| kind == self.config.estimator) {
            Some(modes) => Ok(modes),
            None => training.best_components(gain, MOST_COMPONENTS),
        };
        Ok(match kind {
            EstimatorKind::Filter | EstimatorKind::Gpr | EstimatorKind::Unet => Method::Filter,
            EstimatorKind::Pca => Method::Components(components(false)?),
            EstimatorKind::PcaGain => Method::ComponentsWithGain(components(true)?),
        })
    }

    /// How well an estimator does on the validation skies.
    fn score(&self, estimator: &dyn SignalEstimator) -> Result<Score> {
        let of_sky = |number: usize| -> Result<[f64; 2]> {
            stop::check()?;
            let Pair { observed, signal } = self.validation.pair(number)?;
            let estimate = estimator.estimate(&observed)?;
            let shape = observed.cube().shape();
            let volume = Volume::of(&observed.geometry()?, [shape[1], shape[2]], &Background::default())?;
            let config = PowerConfig::default();
            let found = evaluate(&signal, estimate.signal.cube(), None, &PowerEstimator::new(volume), &config)?;
            Ok([found.map.r, found.map.nmse])
        };
        let found = (0..self.validation.len()).into_par_iter().map(of_sky).collect::<Result<Vec<_>>>()?;
        let mean = |which: usize| found.iter().map(|found| found[which]).sum::<f64>() / found.len() as f64;
        Ok(Score { r: mean(0), residual_ratio: mean(1) })
    }
}

impl Trained {
    /// Adds what the model says of the first validation sky to a report.
    ///
    /// # Errors
    /// As [`Cleaned::show`].
    pub fn show<'a>(&'a self, report: &mut Report<'a>) -> Result<()> {
        let Example { sky, signal, cleaned } = &self.example;
        cleaned.show(sky, Some(signal), report)
    }
}
