//! [`Pruner`]: when a trial that reports on its way is not worth going on.
//!
//! A trial reports values of one objective, the *pruned* one. A study with one objective has no choice; one with several
//! names it, and its trials still finish with a value for each.

mod halving;
mod percentile;

pub(crate) use halving::RUNG;

use crate::{
    Error, Objective, Result,
    record::{Direction, StudyRecord, TrialRecord},
};
use serde::{Deserialize, Serialize};

/// When a trial is not worth going on.
///
/// | setting | default | legal |
/// |---|---|---|
/// | `startup_trials` | 5 | any |
/// | `warmup_steps` | 0 | any |
/// | `interval_steps` | 1 | at least 1 |
/// | `percentile` | | 0 to 100 |
/// | `min_resource` | 1 | at least 1 |
/// | `max_resource` | | at least `min_resource` |
/// | `reduction` | 4, Hyperband 3 | at least 2 |
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "lowercase", deny_unknown_fields)]
pub enum Pruner {
    /// Never.
    #[default]
    None,
    /// When its best value so far is worse than the median of complete trials at the same step (Golovin et al. 2017,
    /// "Google Vizier", doi:10.1145/3097983.3098043).
    Median {
        /// So many trials have to be complete first.
        #[serde(default = "startup_trials")]
        startup_trials: usize,
        /// Never before this step.
        #[serde(default)]
        warmup_steps: u64,
        /// Only at the first report within each so many steps.
        #[serde(default = "one")]
        interval_steps: u64,
        /// Name of the objective that trials report.
        #[serde(default)]
        objective: Option<String>,
    },
    /// When its best value so far is not within the best so many percent of complete trials at the same step.
    Percentile {
        /// Percent of the trials that may go on: 25 keeps the best quarter.
        percentile: f64,
        /// So many trials have to be complete first.
        #[serde(default = "startup_trials")]
        startup_trials: usize,
        /// Never before this step.
        #[serde(default)]
        warmup_steps: u64,
        /// Only at the first report within each so many steps.
        #[serde(default = "one")]
        interval_steps: u64,
        /// Name of the objective that trials report.
        #[serde(default)]
        objective: Option<String>,
    },
    /// When it is not among the best 1 / `reduction` of those that reached the same rung, the steps `min_resource`
    /// times powers of `reduction` (asynchronous successive halving: Li et al. 2020, "A system for massively parallel
    /// hyperparameter tuning", arXiv:1810.05934, in the form that stops trials and never resumes them).
    Asha {
        /// The first rung.
        #[serde(default = "one")]
        min_resource: u64,
        /// The share that goes on is one of so many.
        #[serde(default = "asha_reduction")]
        reduction: u64,
        /// Name of the objective that trials report.
        #[serde(default)]
        objective: Option<String>,
    },
    /// Successive halving in several brackets, which begin with a later first rung each (Li et al. 2018, "Hyperband",
    /// JMLR 18 (185), arXiv:1603.06560).
    Hyperband {
        /// The first rung of the first bracket.
        #[serde(default = "one")]
        min_resource: u64,
        /// The last step of a trial that is not pruned.
        max_resource: u64,
        /// The share that goes on is one of so many.
        #[serde(default = "hyperband_reduction")]
        reduction: u64,
        /// Name of the objective that trials report.
        #[serde(default)]
        objective: Option<String>,
    },
}

fn startup_trials() -> usize {
    5
}

fn one() -> u64 {
    1
}

fn asha_reduction() -> u64 {
    4
}

fn hyperband_reduction() -> u64 {
    3
}

/// What a pruner says of a trial.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) prune: bool,
    /// Rungs that the trial has newly reached, with its value there; to be written down.
    pub(crate) rungs: Vec<(String, f64)>,
}

impl Pruner {
    /// The median rule with its defaults.
    pub fn median() -> Self {
        Self::Median { startup_trials: startup_trials(), warmup_steps: 0, interval_steps: 1, objective: None }
    }

    /// Successive halving with its defaults.
    pub fn asha() -> Self {
        Self::Asha { min_resource: 1, reduction: asha_reduction(), objective: None }
    }

    /// Hyperband for trials of so many steps, with its defaults.
    pub fn hyperband(max_resource: u64) -> Self {
        Self::Hyperband { min_resource: 1, max_resource, reduction: hyperband_reduction(), objective: None }
    }

    /// The same rule on the objective of this name.
    pub fn on(mut self, name: impl Into<String>) -> Self {
        match &mut self {
            Self::None => {}
            Self::Median { objective, .. }
            | Self::Percentile { objective, .. }
            | Self::Asha { objective, .. }
            | Self::Hyperband { objective, .. } => *objective = Some(name.into()),
        }
        self
    }

    /// Checks the settings; gives the index of the pruned objective, none where nothing is pruned.
    pub(crate) fn check(&self, objectives: &[Objective]) -> Result<Option<usize>> {
        let (interval_steps, percentile, resources, name) = match self {
            Self::None => return Ok((objectives.len() == 1).then_some(0)),
            Self::Median { interval_steps, objective, .. } => (*interval_steps, 50.0, (1, 1, 2), objective),
            Self::Percentile { percentile, interval_steps, objective, .. } => {
                (*interval_steps, *percentile, (1, 1, 2), objective)
            }
            Self::Asha { min_resource, reduction, objective } => {
                (1, 50.0, (*min_resource, *min_resource, *reduction), objective)
            }
            Self::Hyperband { min_resource, max_resource, reduction, objective } => {
                (1, 50.0, (*min_resource, *max_resource, *reduction), objective)
            }
        };
        if interval_steps == 0 {
            return Err(Error::setting("interval_steps", 0, "at least 1"));
        }
        if !(0.0..=100.0).contains(&percentile) {
            return Err(Error::setting("percentile", percentile, "0 to 100"));
        }
        let (least, most, reduction) = resources;
        if least == 0 {
            return Err(Error::setting("min_resource", 0, "at least 1"));
        }
        if most < least {
            return Err(Error::setting("max_resource", most, format!("at least min_resource, {least}")));
        }
        if reduction < 2 {
            return Err(Error::setting("reduction", reduction, "at least 2"));
        }
        let names = || objectives.iter().map(|objective| objective.name.as_str()).collect::<Vec<_>>().join(", ");
        match name {
            None if objectives.len() == 1 => Ok(Some(0)),
            None => Err(Error::setting("objective of the pruner", "not given", format!("one of {}", names()))),
            Some(name) => {
                let index = objectives.iter().position(|objective| objective.name == *name);
                let wrong = || Error::setting("objective of the pruner", name, format!("one of {}", names()));
                index.map(Some).ok_or_else(wrong)
            }
        }
    }

    /// Whether the trial, which is part of the record, should end.
    pub(crate) fn judge(&self, record: &StudyRecord, trial: &TrialRecord, direction: Direction) -> Verdict {
        match self {
            Self::None => Verdict::default(),
            Self::Median { startup_trials, warmup_steps, interval_steps, .. } => percentile::Rule {
                percentile: 50.0,
                startup_trials: *startup_trials,
                warmup_steps: *warmup_steps,
                interval_steps: *interval_steps,
            }
            .judge(record, trial, direction),
            Self::Percentile { percentile, startup_trials, warmup_steps, interval_steps, .. } => percentile::Rule {
                percentile: *percentile,
                startup_trials: *startup_trials,
                warmup_steps: *warmup_steps,
                interval_steps: *interval_steps,
            }
            .judge(record, trial, direction),
            Self::Asha { min_resource, reduction, .. } => {
                halving::judge(&record.trials, trial, direction, *min_resource, *reduction)
            }
            Self::Hyperband { min_resource, max_resource, reduction, .. } => {
                let brackets = halving::Brackets::new(&record.name, *min_resource, *max_resource, *reduction);
                let bracket = brackets.of(trial.number);
                let rivals = record.trials.iter().filter(|other| brackets.of(other.number) == bracket);
                let first = min_resource.saturating_mul(reduction.saturating_pow(bracket));
                halving::judge(rivals, trial, direction, first, *reduction)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_several_objectives_the_pruner_names_one() {
        let objectives = [Objective::minimize("loss"), Objective::maximize("f1")];
        assert_eq!(Pruner::median().check(&objectives[..1]).unwrap(), Some(0));
        assert_eq!(Pruner::None.check(&objectives).unwrap(), None);
        assert_eq!(Pruner::asha().on("f1").check(&objectives).unwrap(), Some(1));
        let fail = |pruner: Pruner| pruner.check(&objectives).unwrap_err().to_string();
        assert_eq!(fail(Pruner::median()), "setting `objective of the pruner` is not given; expected one of loss, f1");
        assert!(fail(Pruner::hyperband(9).on("auc")).contains("is auc; expected one of loss, f1"));
        assert!(fail(Pruner::hyperband(0).on("f1")).contains("max_resource"));
        assert!(fail(Pruner::Asha { min_resource: 1, reduction: 1, objective: None }).contains("reduction"));
    }

    #[test]
    fn settings_have_defaults() {
        let read = |text: &str| toml::from_str::<Pruner>(text);
        assert_eq!(read("rule = 'median'").unwrap(), Pruner::median());
        assert_eq!(read("rule = 'asha'\nobjective = 'f1'").unwrap(), Pruner::asha().on("f1"));
        assert_eq!(read("rule = 'hyperband'\nmax_resource = 81").unwrap(), Pruner::hyperband(81));
        assert_eq!(read("rule = 'none'").unwrap(), Pruner::None);
        assert!(read("rule = 'hyperband'").is_err() && read("rule = 'median'\nreduction = 2").is_err());
    }
}
