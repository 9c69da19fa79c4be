//! Settings of a training that hold over all its stages.

use crate::{Error, Result, StageConfig, Watch};
use serde::{Deserialize, Serialize};

/// What to do when a loss or a gradient is not finite.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotFinite {
    /// End with an error that names the place.
    #[default]
    Stop,
    /// Leave the update out and count it.
    Skip {
        /// More than this many are an error.
        most: u64,
    },
}

/// Settings of a training that hold over all its stages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainerConfig {
    /// Names the work in the run. Default `training`.
    pub name: String,
    /// Seed of the initial weights and of every draw. Default 0.
    pub seed: u64,
    /// The first stage.
    pub stage: StageConfig,
    /// What decides which epoch is the best. Default the training loss.
    pub watch: Watch,
    /// Updates between two records of the loss, at least 1. Default 10. With 1, the last update of an epoch has a record of its own,
    /// `update_loss`, beside the mean of the epoch.
    pub log_every: u64,
    /// What to do when a number is not finite. Default stop.
    pub not_finite: NotFinite,
}

impl Default for TrainerConfig {
    fn default() -> Self {
        Self {
            name: "training".into(),
            seed: 0,
            stage: StageConfig::default(),
            watch: Watch::default(),
            log_every: 10,
            not_finite: NotFinite::Stop,
        }
    }
}

impl TrainerConfig {
    /// # Errors
    /// [`Error::Setting`] for a number out of its range.
    pub fn check(&self) -> Result<()> {
        if self.log_every == 0 {
            return Err(Error::Setting { name: "log_every", got: "0".into(), expected: "a number of at least 1" });
        }
        self.stage.check()
    }
}
