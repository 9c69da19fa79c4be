//! What a journal says: [`StudyRecord`] and [`TrialRecord`], with the numbers of Optuna's format.

use crate::{Distribution, Error, Result, Value, pareto};
use serde::{Deserialize, Serialize};
use std::{cmp::Ordering, collections::BTreeMap};

/// Attributes of a trial or a study: any JSON by name.
pub type Attributes = serde_json::Map<String, serde_json::Value>;

/// Name of the study attribute with the names of the objectives (Optuna's).
pub(crate) const METRIC_NAMES: &str = "study:metric_names";
/// Name of the trial attribute with values that somebody wants tried (Optuna's).
pub(crate) const FIXED_PARAMS: &str = "fixed_params";
/// Name of the trial attribute with the number of the first trial that this one repeats (Optuna's).
pub(crate) const FAILED_TRIAL: &str = "failed_trial";
/// Name of the trial attribute with the numbers of all trials that this one repeats (Optuna's).
pub(crate) const RETRY_HISTORY: &str = "retry_history";
/// Name of the study attribute with what is searched (ours).
pub(crate) const DESCRIPTION: &str = "cupel:description";
/// Name of the trial attribute with the reason of a failure (ours).
pub(crate) const FAILURE: &str = "cupel:failure";

/// Which end of an objective is the good one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Less is better.
    Minimize,
    /// More is better.
    Maximize,
}

impl Direction {
    pub(crate) fn code(self) -> u64 {
        match self {
            Self::Minimize => 1,
            Self::Maximize => 2,
        }
    }

    /// The value as a loss: less is better.
    pub(crate) fn loss(self, value: f64) -> f64 {
        match self {
            Self::Minimize => value,
            Self::Maximize => -value,
        }
    }
}

/// Something to minimise or maximise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Objective {
    /// Its name.
    pub name: String,
    /// Its good end.
    pub direction: Direction,
}

impl Objective {
    /// Less is better.
    pub fn minimize(name: impl Into<String>) -> Self {
        Self { name: name.into(), direction: Direction::Minimize }
    }

    /// More is better.
    pub fn maximize(name: impl Into<String>) -> Self {
        Self { name: name.into(), direction: Direction::Maximize }
    }
}

/// How far a trial is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// A worker has it.
    Running,
    /// Finished, with a value for each objective.
    Complete,
    /// Stopped early by a pruner.
    Pruned,
    /// Its objective failed, or its worker died.
    Failed,
    /// In the queue.
    Waiting,
}

impl State {
    pub(crate) const ALL: [Self; 5] = [Self::Running, Self::Complete, Self::Pruned, Self::Failed, Self::Waiting];

    pub(crate) fn code(self) -> u64 {
        Self::ALL.iter().position(|&state| state == self).unwrap_or(0) as u64
    }

    /// Whether nothing can change any more.
    pub fn is_finished(self) -> bool {
        !matches!(self, Self::Running | Self::Waiting)
    }

    /// As a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Complete => "complete",
            Self::Pruned => "pruned",
            Self::Failed => "failed",
            Self::Waiting => "waiting",
        }
    }
}

/// The value of a parameter in a trial, with the distribution it was drawn from.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// What it might have been.
    pub distribution: Distribution,
    /// The number, or the index of the choice.
    pub internal: f64,
}

impl Setting {
    /// The value as the objective sees it.
    pub fn value(&self) -> Value {
        self.distribution.external(self.internal)
    }
}

/// A trial as the journal has it.
#[derive(Clone, Debug, PartialEq)]
pub struct TrialRecord {
    /// Its number within the study, from 0.
    pub number: usize,
    /// Its number within the journal, from 0.
    pub id: usize,
    /// How far it is.
    pub state: State,
    /// A value for each objective; a pruned trial of a study with one objective has its last intermediate value.
    pub values: Option<Vec<f64>>,
    /// The parameters that are there.
    pub parameters: BTreeMap<String, Setting>,
    /// Reported values by step.
    pub intermediate: BTreeMap<u64, f64>,
    /// Attributes for people.
    pub user_attributes: Attributes,
    /// Attributes for programs.
    pub system_attributes: Attributes,
    /// When it began, in the form of ISO 8601.
    pub started: Option<String>,
    /// When it was finished.
    pub finished: Option<String>,
    /// The worker that has it or had it, as the journal names it.
    pub worker: String,
}

impl TrialRecord {
    /// The last step with a reported value.
    pub fn last(&self) -> Option<(u64, f64)> {
        self.intermediate.last_key_value().map(|(&step, &value)| (step, value))
    }

    /// The values of the parameters.
    pub fn values_by_name(&self) -> BTreeMap<String, Value> {
        self.parameters.iter().map(|(name, setting)| (name.clone(), setting.value())).collect()
    }

    /// The numbers of the trials that this one repeats because their workers died, in order.
    pub fn retry_history(&self) -> Vec<usize> {
        let history = self.system_attributes.get(RETRY_HISTORY).and_then(|history| history.as_array());
        history.into_iter().flatten().filter_map(|number| number.as_u64()).map(|number| number as usize).collect()
    }

    /// Why it failed, if it did and somebody said so.
    pub fn failure(&self) -> Option<&str> {
        self.system_attributes.get(FAILURE).and_then(|reason| reason.as_str())
    }
}

/// A trial that failed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Failure {
    /// Its number.
    pub number: usize,
    /// The values of its parameters.
    pub parameters: BTreeMap<String, Value>,
    /// Why, as far as somebody said so.
    pub reason: String,
}

/// A study as the journal has it.
#[derive(Clone, Debug, PartialEq)]
pub struct StudyRecord {
    /// Its name.
    pub name: String,
    /// Its number within the journal.
    pub id: usize,
    /// What it minimises or maximises; without names in the journal they are `value`, or `value 0`, `value 1`, ...
    pub objectives: Vec<Objective>,
    /// Its trials by number.
    pub trials: Vec<TrialRecord>,
    /// Attributes for people.
    pub user_attributes: Attributes,
    /// Attributes for programs.
    pub system_attributes: Attributes,
}

impl StudyRecord {
    /// The best complete trial; the first one of equals, none of which has a value that is not a number.
    ///
    /// # Errors
    /// [`Error::WrongObjectives`] when there are several objectives, [`Error::TooFewTrials`] when no trial is complete.
    pub fn best(&self) -> Result<&TrialRecord> {
        let [objective] = self.objectives.as_slice() else {
            return Err(Error::WrongObjectives {
                what: "the best trial",
                expected: "1 objective (with several, ask for the Pareto front)".into(),
                got: self.objectives.len().to_string(),
            });
        };
        let loss = |trial: &TrialRecord| {
            trial.values.as_ref().and_then(|values| values.first()).map_or(f64::NAN, |&v| objective.direction.loss(v))
        };
        self.complete()
            .filter(|trial| !loss(trial).is_nan())
            .min_by(|a, b| loss(a).partial_cmp(&loss(b)).unwrap_or(Ordering::Equal))
            .ok_or_else(|| self.too_few("complete trials", 0, 1))
    }

    /// The complete trials than which no other is better in one objective and as good in all, by number.
    pub fn pareto_front(&self) -> Vec<&TrialRecord> {
        let trials: Vec<&TrialRecord> = self.complete().collect();
        let losses: Vec<Vec<f64>> = trials.iter().map(|trial| self.losses(trial)).collect();
        let ranks = pareto::ranks(&losses);
        trials.into_iter().zip(ranks).filter(|(_, rank)| *rank == 0).map(|(trial, _)| trial).collect()
    }

    /// The complete trials.
    pub fn complete(&self) -> impl Iterator<Item = &TrialRecord> {
        self.trials.iter().filter(|trial| trial.state == State::Complete)
    }

    /// The trials that failed and that no other one repeats.
    pub fn failures(&self) -> Vec<Failure> {
        let repeated: Vec<usize> = self.trials.iter().flat_map(TrialRecord::retry_history).collect();
        let failed =
            self.trials.iter().filter(|trial| trial.state == State::Failed && !repeated.contains(&trial.number));
        let failure = |trial: &TrialRecord| Failure {
            number: trial.number,
            parameters: trial.values_by_name(),
            reason: trial.failure().unwrap_or("no reason is known").into(),
        };
        failed.map(failure).collect()
    }

    /// How many trials are in this state.
    pub fn count(&self, state: State) -> usize {
        self.trials.iter().filter(|trial| trial.state == state).count()
    }

    /// The values with signs that make less better; what is missing or not a number is the worst.
    pub(crate) fn losses(&self, trial: &TrialRecord) -> Vec<f64> {
        let values = trial.values.as_deref().unwrap_or(&[]);
        let loss = |(i, objective): (usize, &Objective)| {
            let loss = values.get(i).map_or(f64::NAN, |&value| objective.direction.loss(value));
            if loss.is_nan() { f64::INFINITY } else { loss }
        };
        self.objectives.iter().enumerate().map(loss).collect()
    }

    pub(crate) fn too_few(&self, what: &'static str, found: usize, expected: usize) -> Error {
        Error::TooFewTrials { name: self.name.clone(), found, what, expected, failure: self.failures().pop() }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn study(objectives: impl Into<Vec<Objective>>) -> StudyRecord {
        StudyRecord {
            name: "study".into(),
            id: 0,
            objectives: objectives.into(),
            trials: Vec::new(),
            user_attributes: Attributes::new(),
            system_attributes: Attributes::new(),
        }
    }

    impl StudyRecord {
        pub(crate) fn push(&mut self, state: State, intermediate: &[(u64, f64)], values: Option<Vec<f64>>) {
            let number = self.trials.len();
            self.trials.push(TrialRecord {
                number,
                id: number,
                state,
                values,
                parameters: BTreeMap::new(),
                intermediate: intermediate.iter().copied().collect(),
                user_attributes: Attributes::new(),
                system_attributes: Attributes::new(),
                started: None,
                finished: None,
                worker: String::new(),
            });
        }
    }

    #[test]
    fn the_best_trial_and_the_front_by_hand() {
        let mut one = study([Objective::maximize("f1")]);
        assert!(one.best().unwrap_err().to_string().contains("0 complete trials"));
        for value in [0.3, f64::NAN, 0.9, 0.9] {
            one.push(State::Complete, &[], Some(vec![value]));
        }
        one.push(State::Pruned, &[(0, 2.0)], Some(vec![2.0]));
        assert_eq!(one.best().unwrap().number, 2);

        let mut two = study([Objective::minimize("loss"), Objective::maximize("f1")]);
        for values in [[1.0, 0.5], [2.0, 0.9], [1.5, 0.4], [1.0, 0.5], [f64::NAN, 1.0], [0.5, 0.1]] {
            two.push(State::Complete, &[], Some(values.into()));
        }
        let front: Vec<usize> = two.pareto_front().iter().map(|trial| trial.number).collect();
        assert_eq!(front, [0, 1, 3, 4, 5]);
        assert!(two.best().unwrap_err().to_string().contains("ask for the Pareto front"));
    }
}
