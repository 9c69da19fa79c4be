//! The numbers of all epochs of a training.

use crate::Metrics;
use serde::{Deserialize, Serialize};

/// What is known after an epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Epoch {
    /// Its stage.
    pub stage: u32,
    /// Its number within the stage, from 0.
    pub epoch: u64,
    /// Updates made by its end, over all stages.
    pub update: u64,
    /// Training loss and its terms, what [`Fit::evaluate`](crate::Fit::evaluate) gave, and the learning rate.
    pub metrics: Metrics,
}

/// The numbers of all epochs, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    pub(crate) epochs: Vec<Epoch>,
    #[serde(skip)]
    pub(crate) stage_over: Option<&'static str>,
}

impl History {
    /// All epochs.
    pub fn epochs(&self) -> &[Epoch] {
        &self.epochs
    }

    /// The last epoch.
    pub fn last(&self) -> Option<&Epoch> {
        self.epochs.last()
    }

    /// The epochs of the stage at hand.
    pub fn stage(&self) -> &[Epoch] {
        let stage = self.last().map(|epoch| epoch.stage);
        let first = self.epochs.iter().position(|epoch| Some(epoch.stage) == stage).unwrap_or(0);
        &self.epochs[first..]
    }

    /// One number over the epochs of the stage at hand, where it was given.
    pub fn series(&self, metric: &str) -> Vec<f64> {
        self.stage().iter().filter_map(|epoch| epoch.metrics.get(metric)).collect()
    }

    /// Why the stage at hand is over: no epochs left, or no improvement; `None` while it goes on.
    pub fn stage_over(&self) -> Option<&'static str> {
        self.stage_over
    }
}
