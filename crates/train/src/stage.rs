//! The settings of one stage of a training.

use crate::{EarlyStopping, Error, Optimizer, Result, Schedule};
use serde::{Deserialize, Serialize};

/// How gradients are limited before an update.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Clip {
    /// Not at all.
    #[default]
    None,
    /// Their joint Euclidean norm over all parameters.
    GlobalNorm(f64),
    /// Every value.
    Value(f64),
}

/// The settings of one stage of a training; everything here starts anew with the stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StageConfig {
    /// The optimiser. Default AdamW.
    pub optimizer: Optimizer,
    /// Learning rate, on which the schedule is a factor. Default 1e-3.
    pub learning_rate: f64,
    /// Course of the learning rate. Default constant.
    pub schedule: Schedule,
    /// Updates over which the learning rate rises to its start. Default 0.
    pub warm_up: u64,
    /// Most epochs of the stage, at least 1. Default 100.
    pub epochs: u64,
    /// Batches whose gradients make one update, at least 1; the last update of an epoch may have fewer. Default 1.
    pub accumulation: u64,
    /// Limit of the gradients. Default none.
    pub clip: Clip,
    /// Decay of the moving average of the weights, in (0, 1); evaluation then uses the average. Default none.
    pub weight_average: Option<f64>,
    /// When to stop for lack of improvement. Default never.
    pub early_stopping: Option<EarlyStopping>,
}

impl Default for StageConfig {
    fn default() -> Self {
        Self {
            optimizer: Optimizer::default(),
            learning_rate: 1e-3,
            schedule: Schedule::Constant,
            warm_up: 0,
            epochs: 100,
            accumulation: 1,
            clip: Clip::None,
            weight_average: None,
            early_stopping: None,
        }
    }
}

impl StageConfig {
    /// # Errors
    /// [`Error::Setting`] for a number out of its range.
    pub fn check(&self) -> Result<()> {
        let wrong = |name, got: String, expected| Err(Error::Setting { name, got, expected });
        let positive = |value: f64| value > 0.0 && value.is_finite();
        if !positive(self.learning_rate) {
            return wrong("learning_rate", self.learning_rate.to_string(), "a number above 0");
        }
        if self.epochs == 0 {
            return wrong("epochs", "0".into(), "a number of at least 1");
        }
        if self.accumulation == 0 {
            return wrong("accumulation", "0".into(), "a number of at least 1");
        }
        if let Clip::GlobalNorm(most) | Clip::Value(most) = self.clip
            && !positive(most)
        {
            return wrong("clip", most.to_string(), "a number above 0");
        }
        if let Some(decay) = self.weight_average
            && !(decay > 0.0 && decay < 1.0)
        {
            return wrong("weight_average", decay.to_string(), "a number between 0 and 1");
        }
        if let Some(stopping) = self.early_stopping {
            if stopping.patience == 0 {
                return wrong("early_stopping.patience", "0".into(), "a number of at least 1");
            }
            if !(stopping.minimum_delta >= 0.0 && stopping.minimum_delta.is_finite()) {
                let got = stopping.minimum_delta.to_string();
                return wrong("early_stopping.minimum_delta", got, "a number of at least 0");
            }
        }
        self.schedule.check()?;
        self.optimizer.check()
    }
}
