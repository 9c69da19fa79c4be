//! [`Trial`]: one set of values, being tried by this worker.

use crate::{
    Error, Result, Setting, Value,
    journal::{Operation, number},
    study::Shared,
};
use std::{collections::BTreeMap, sync::Arc};

/// A trial of this worker, until it is told, pruned or failed.
///
/// One that is dropped before counts as failed.
#[derive(Debug)]
pub struct Trial {
    pub(crate) shared: Arc<Shared>,
    pub(crate) number: usize,
    pub(crate) id: usize,
    pub(crate) parameters: BTreeMap<String, Setting>,
    /// Whether the journal knows how it ended.
    pub(crate) told: bool,
}

impl Trial {
    /// Its number within the study, from 0.
    pub fn number(&self) -> usize {
        self.number
    }

    /// The value of a parameter, or nothing where its condition is not met.
    pub fn get(&self, name: &str) -> Option<Value> {
        self.parameters.get(name).map(Setting::value)
    }

    /// All values.
    pub fn values(&self) -> BTreeMap<String, Value> {
        self.parameters.iter().map(|(name, setting)| (name.clone(), setting.value())).collect()
    }

    /// The value of a numerical parameter.
    ///
    /// # Errors
    /// [`Error::Value`] when there is none of this name, or it is no number.
    pub fn float(&self, name: &str) -> Result<f64> {
        self.get(name).and_then(|value| value.as_f64()).ok_or_else(|| self.wrong(name, "a number"))
    }

    /// The value of a parameter of whole numbers.
    ///
    /// # Errors
    /// [`Error::Value`] when there is none of this name, or it is no whole number.
    pub fn int(&self, name: &str) -> Result<i64> {
        match self.get(name) {
            Some(Value::Int(value)) => Ok(value),
            _ => Err(self.wrong(name, "a whole number")),
        }
    }

    /// The value of a parameter of names.
    ///
    /// # Errors
    /// [`Error::Value`] when there is none of this name, or it is no text.
    pub fn text(&self, name: &str) -> Result<String> {
        match self.get(name) {
            Some(Value::Text(value)) => Ok(value),
            _ => Err(self.wrong(name, "a text")),
        }
    }

    /// The value of a parameter of yes and no.
    ///
    /// # Errors
    /// [`Error::Value`] when there is none of this name, or it is neither.
    pub fn bool(&self, name: &str) -> Result<bool> {
        match self.get(name) {
            Some(Value::Bool(value)) => Ok(value),
            _ => Err(self.wrong(name, "true or false")),
        }
    }

    /// Writes down the value of the pruned objective at a step; a second report of a step replaces the first.
    ///
    /// # Errors
    /// [`Error::TrialGone`] when others took this worker for dead; those of the journal.
    pub fn report(&self, step: u64, value: f64) -> Result<()> {
        self.append(|id| vec![Operation::intermediate(id, step, value)])
    }

    /// Whether the pruner of the study says that the trial should end, after the last report; then end it with
    /// [`Study::prune`](crate::Study::prune).
    ///
    /// # Errors
    /// [`Error::TrialGone`] when others took this worker for dead; those of the journal.
    pub fn should_prune(&self) -> Result<bool> {
        self.shared.transact(|record, _| {
            let trial = self.shared.running(record, self.number)?;
            let Some(pruning) = self.shared.pruning else { return Ok((Vec::new(), false)) };
            let verdict = self.shared.config.pruner.judge(record, trial, record.objectives[pruning].direction);
            let rung = |(key, value): &(String, f64)| Operation::system_attribute(self.id, key, number(*value));
            Ok((verdict.rungs.iter().map(rung).collect(), verdict.prune))
        })
    }

    /// Writes down anything about the trial, for people.
    ///
    /// # Errors
    /// [`Error::TrialGone`] when others took this worker for dead; those of the journal.
    pub fn set_attribute(&self, name: &str, value: impl Into<serde_json::Value>) -> Result<()> {
        let value = value.into();
        self.append(|id| vec![Operation::user_attribute(id, name, value)])
    }

    fn append(&self, operations: impl FnOnce(usize) -> Vec<Operation>) -> Result<()> {
        self.shared.transact(|record, _| {
            self.shared.running(record, self.number)?;
            Ok((operations(self.id), ()))
        })
    }

    fn wrong(&self, name: &str, wanted: &'static str) -> Error {
        let got = match self.get(name) {
            Some(value) => format!("{value}"),
            None => "not part of this trial".into(),
        };
        Error::Value { number: self.number, parameter: name.into(), wanted, got }
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        if !self.told {
            // Nobody is there to hear of a failure; others will find the trial without a worker.
            let _ = self.shared.fail(self.number, self.id, "dropped without a result");
        }
    }
}
