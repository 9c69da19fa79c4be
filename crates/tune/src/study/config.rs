//! [`StudyConfig`]: what a study is, and how this worker searches.

use crate::{Direction, Error, Objective, Pruner, Result, Sampler, StudyRecord, record::METRIC_NAMES};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a study is, and how this worker searches.
///
/// | setting | default | legal |
/// |---|---|---|
/// | `sampler` | multivariate TPE | |
/// | `pruner` | none | |
/// | `seed` | 0 | |
/// | `heartbeat_s` | 5 | above 0 |
/// | `grace_s` | 60 | above `heartbeat_s` |
/// | `max_retries` | 3 | |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StudyConfig {
    /// Its name within the journal.
    pub name: String,
    /// What to minimise or maximise; all workers say the same.
    pub objectives: Vec<Objective>,
    /// How trials are chosen.
    #[serde(default)]
    pub sampler: Sampler,
    /// When trials end early.
    #[serde(default)]
    pub pruner: Pruner,
    /// Of all random numbers. In one process alone, the same seed gives the same trials.
    #[serde(default)]
    pub seed: u64,
    /// Seconds between signs of life.
    #[serde(default = "heartbeat_s")]
    pub heartbeat_s: f64,
    /// A worker is dead after so many seconds without a sign; one whose process is known to be gone, at once.
    #[serde(default = "grace_s")]
    pub grace_s: f64,
    /// How often the trial of a dead worker is tried again; one that kills its workers should not go on for ever.
    #[serde(default = "max_retries")]
    pub max_retries: usize,
}

fn heartbeat_s() -> f64 {
    5.0
}

fn grace_s() -> f64 {
    60.0
}

fn max_retries() -> usize {
    3
}

impl StudyConfig {
    /// A study with defaults for all the rest.
    pub fn new(name: impl Into<String>, objectives: impl Into<Vec<Objective>>) -> Self {
        Self {
            name: name.into(),
            objectives: objectives.into(),
            sampler: Sampler::default(),
            pruner: Pruner::default(),
            seed: 0,
            heartbeat_s: heartbeat_s(),
            grace_s: grace_s(),
            max_retries: max_retries(),
        }
    }

    pub(super) fn check(&self) -> Result<Checked> {
        self.sampler.check()?;
        let pruning = self.pruner.check(&self.objectives)?;
        if self.objectives.is_empty() {
            return Err(Error::setting("objectives", "empty", "at least one"));
        }
        for (i, objective) in self.objectives.iter().enumerate() {
            if self.objectives[..i].iter().any(|other| other.name == objective.name) {
                return Err(Error::setting("objectives", format!("`{}` twice", objective.name), "different names"));
            }
        }
        let seconds = |name, value: f64, least: f64| {
            let duration = Duration::try_from_secs_f64(value).ok().filter(|_| value > least);
            duration.ok_or_else(|| Error::setting(name, value, format!("more than {least}")))
        };
        let interval = seconds("heartbeat_s", self.heartbeat_s, 0.0)?;
        let grace = seconds("grace_s", self.grace_s, self.heartbeat_s)?;
        Ok(Checked { pruning, interval, grace })
    }
}

/// What follows from settings that are in range.
pub(super) struct Checked {
    /// Index of the objective that trials report.
    pub(super) pruning: Option<usize>,
    pub(super) interval: Duration,
    pub(super) grace: Duration,
}

/// Whether the directions are the same, and the names unless the journal has none.
pub(super) fn same_objectives(record: &StudyRecord, wanted: &[Objective]) -> bool {
    let named = record.system_attributes.contains_key(METRIC_NAMES);
    record.objectives.len() == wanted.len()
        && record.objectives.iter().zip(wanted).all(|(a, b)| a.direction == b.direction && (!named || a.name == b.name))
}

pub(super) fn list(objectives: &[Objective]) -> String {
    let word = |objective: &Objective| match objective.direction {
        Direction::Minimize => format!("minimize {}", objective.name),
        Direction::Maximize => format!("maximize {}", objective.name),
    };
    objectives.iter().map(word).collect::<Vec<_>>().join(", ")
}
