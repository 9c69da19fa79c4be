//! [`ModelTraining`]: from skies in a folder to a [`Model`], beside the methods that it has to beat.

use std::time::Instant;

use cupel_data::Cube;
use cupel_report::Report;
use cupel_settings::{Range, Settings, settings};
use cupel_train::{Policy, Run, stop};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{About, Cleaned, Estimator, EstimatorKind, Model, Score, Scores, VERSION};
use crate::{
    Background, Result, Sky, TrainingSkies,
    estimators::{Gathering, LinearEstimator, Method, Pair, SignalEstimator, Training},
    evaluate,
    power::{Estimator as PowerEstimator, PowerConfig, Volume},
};

/// Most components that are tried.
const MOST_COMPONENTS: usize = 16;
/// Draws for the power of the example.
const DRAWS: usize = 20;

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
        ["modes"] |own| own.estimator != EstimatorKind::Filter => "the filter takes off no components";
    }
}

/// The training of a [`Model`] on skies.
pub struct ModelTraining {
    config: ModelConfig,
    skies: TrainingSkies,
    validation: TrainingSkies,
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
        Ok(Self { config, skies, validation })
    }

    /// Skies for training and for validation.
    pub fn counts(&self) -> [usize; 2] {
        [self.skies.len(), self.validation.len()]
    }

    /// Trains. It can be stopped while it reads skies, and goes on in the same run.
    ///
    /// # Errors
    /// As [`Training::gather`] and [`Training::fit`]; a stop by a signal.
    pub fn run(&self, run: &mut Run) -> Result<Trained> {
        let start = Instant::now();
        let pair = |number: usize| -> Result<Pair> {
            stop::check()?;
            self.skies.pair(number)
        };
        let first = pair(0)?.observed;
        let geometry = first.geometry()?;
        let mut gathering = Gathering::new(self.skies.len(), &pair)?;
        run.drive(&mut gathering, &Policy::default())?;
        let training = gathering.training();
        let mut validation = Scores::new();
        let mut trained: Option<LinearEstimator> = None;
        for kind in [EstimatorKind::Pca, EstimatorKind::PcaGain, EstimatorKind::Filter] {
            let estimator = training.fit(self.method(kind, &training)?, &pair)?;
            validation.insert(kind.to_string(), self.score(&estimator)?);
            if kind == self.config.estimator {
                trained = Some(estimator);
            }
        }
        let Some(estimator) = trained else { unreachable!("every kind was fitted") };
        let shape = first.cube().shape();
        let about = About {
            version: VERSION,
            estimator: self.config.estimator,
            skies: self.skies.len(),
            shape: [shape[0], shape[1], shape[2]],
            side_deg: geometry.side_deg,
            unit: first.unit().to_string(),
            validation,
        };
        let chosen = estimator.chosen().to_vec();
        let model = Model { estimator: Estimator::Linear(Box::new(estimator)), about };
        let Pair { observed, signal } = self.validation.pair(0)?;
        let cleaned = model.clean(&observed, DRAWS, 0)?;
        let example = Example { sky: observed, signal, cleaned };
        Ok(Trained { model, chosen, example, seconds: start.elapsed().as_secs_f64() })
    }

    fn method(&self, kind: EstimatorKind, training: &Training) -> Result<Method> {
        let components = |gain: bool| match self.config.modes.filter(|_| kind == self.config.estimator) {
            Some(modes) => Ok(modes),
            None => training.best_components(gain, MOST_COMPONENTS),
        };
        Ok(match kind {
            EstimatorKind::Filter => Method::Filter,
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
