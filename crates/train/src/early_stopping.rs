//! Which epoch was the best, and when to stop waiting for a better one.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// What counts as better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Goal {
    /// A lower number.
    #[default]
    Lowest,
    /// A higher number.
    Highest,
}

/// The number that decides which weights are the best.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    /// Name of a number that [`Fit::evaluate`](crate::Fit::evaluate) gives, or `loss` for the training loss.
    pub metric: String,
    /// What counts as better.
    pub goal: Goal,
}

impl Default for Watch {
    fn default() -> Self {
        Self { metric: "loss".into(), goal: Goal::Lowest }
    }
}

/// When to stop for lack of improvement.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlyStopping {
    /// Epochs without improvement after which the stage is over, at least 1.
    pub patience: u64,
    /// Differences up to this are no improvement, at least 0.
    #[serde(default)]
    pub minimum_delta: f64,
}

/// The best number seen and how long ago.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Best {
    pub(crate) value: Option<f64>,
    /// Epochs since it was reached, by the measure of [`EarlyStopping::minimum_delta`].
    pub(crate) waited: u64,
    /// The number from which a difference counts.
    reference: Option<f64>,
}

/// What a new number means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// It is the best so far, by however little.
    pub(crate) best: bool,
}

impl Best {
    /// Takes a number into account.
    ///
    /// # Errors
    /// [`Error::WatchNotFinite`] for a number that is not finite: it is neither an improvement nor the lack of one.
    pub(crate) fn see(&mut self, watch: &Watch, value: f64, minimum_delta: f64) -> Result<Verdict> {
        if !value.is_finite() {
            return Err(Error::WatchNotFinite { metric: watch.metric.clone(), value });
        }
        let gain = |from: Option<f64>| match (from, watch.goal) {
            (None, _) => f64::INFINITY,
            (Some(from), Goal::Lowest) => from - value,
            (Some(from), Goal::Highest) => value - from,
        };
        let best = gain(self.value) > 0.0;
        if best {
            self.value = Some(value);
        }
        if gain(self.reference) > minimum_delta {
            self.reference = Some(value);
            self.waited = 0;
        } else {
            self.waited += 1;
        }
        Ok(Verdict { best })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(goal: Goal) -> Watch {
        Watch { metric: "validation_loss".into(), goal }
    }

    fn waits(goal: Goal, delta: f64, values: &[f64]) -> Vec<(bool, u64)> {
        let mut best = Best::default();
        values.iter().map(|v| (best.see(&watch(goal), *v, delta).unwrap().best, best.waited)).collect()
    }

    #[test]
    fn patience_counts_the_epochs_since_the_best() {
        let seen = waits(Goal::Lowest, 0.0, &[3.0, 2.0, 2.0, 2.5, 1.0]);
        assert_eq!(seen, [(true, 0), (true, 0), (false, 1), (false, 2), (true, 0)]);
        let seen = waits(Goal::Highest, 0.0, &[0.1, 0.3, 0.2]);
        assert_eq!(seen, [(true, 0), (true, 0), (false, 1)]);
    }

    #[test]
    fn small_gains_keep_the_weights_but_not_the_patience() {
        // three gains of .04 are none by themselves, but together more than the delta
        let seen = waits(Goal::Lowest, 0.1, &[1.0, 0.96, 0.92, 0.88]);
        assert_eq!(seen, [(true, 0), (true, 1), (true, 2), (true, 0)]);
    }

    #[test]
    fn a_number_that_is_none_is_an_error() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let error = Best::default().see(&watch(Goal::Lowest), value, 0.0).unwrap_err().to_string();
            assert!(error.contains("validation_loss"), "{error}");
        }
    }
}
