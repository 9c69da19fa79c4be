//! The losses of many steps, summed on the device and read back together.

use crate::{Error, Loss, Metrics, Result};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Sums over the steps since the last look and over the epoch.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    terms: Vec<Term>,
    /// Steps of the update at hand, which may yet be left out.
    pending: Vec<Pending>,
    reads: u64,
    recent: VecDeque<f64>,
    /// The mean of the last look of the last epoch.
    last: Option<f64>,
}

#[derive(Debug)]
struct Term {
    name: String,
    /// Weighted sum since the last look, on the device, and its weight.
    sum: Option<Tensor<1>>,
    weight: f64,
    /// Weighted sum and weight of the epoch before that.
    epoch_sum: f64,
    epoch_weight: f64,
}

#[derive(Debug)]
struct Pending {
    name: &'static str,
    value: Tensor<1>,
    weight: f64,
}

/// What of the sums goes into a checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SavedLosses {
    terms: Vec<SavedTerm>,
    recent: Vec<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedTerm {
    name: String,
    sum: Option<f32>,
    weight: f64,
    epoch_sum: f64,
    epoch_weight: f64,
}

impl Losses {
    /// Adds a step of the update at hand; `device` is where all are summed.
    pub(crate) fn add(&mut self, loss: &Loss, device: &Device) {
        let values = std::iter::once(("loss", &loss.mean)).chain(loss.terms.iter().map(|(name, value)| (*name, value)));
        for (name, value) in values {
            self.pending.push(Pending { name, value: value.clone().inner().to_device(device), weight: loss.weight });
        }
    }

    /// Whether the update at hand, or one of its epoch before it, has a number of this name.
    pub(crate) fn measures(&self, name: &str) -> bool {
        self.pending.iter().any(|pending| pending.name == name) || self.terms.iter().any(|term| term.name == name)
    }

    /// Counts the steps of the update at hand.
    pub(crate) fn keep(&mut self) {
        for Pending { name, value, weight } in self.pending.drain(..) {
            let at = self.terms.iter().position(|term| term.name == name).unwrap_or_else(|| {
                self.terms.push(Term { name: name.into(), sum: None, weight: 0.0, epoch_sum: 0.0, epoch_weight: 0.0 });
                self.terms.len() - 1
            });
            let term = &mut self.terms[at];
            let weighted = value.mul_scalar(weight);
            term.sum = Some(match term.sum.take() {
                None => weighted,
                Some(sum) => sum + weighted,
            });
            term.weight += weight;
        }
    }

    /// Forgets the steps of the update at hand, because it was left out.
    pub(crate) fn take_back(&mut self) {
        self.pending.clear();
    }

    /// Means since the last look, read back in one transfer.
    pub(crate) fn read(&mut self) -> Result<Metrics> {
        let sums: Vec<Tensor<1>> = self.terms.iter_mut().filter_map(|term| term.sum.take()).collect();
        if sums.is_empty() {
            return Ok(Metrics::new());
        }
        self.reads += 1;
        let data = Tensor::cat(sums, 0).try_into_data().map_err(Error::device("read the losses"))?;
        let mut metrics = Metrics::new();
        for (term, sum) in self.terms.iter_mut().filter(|term| term.weight > 0.0).zip(data.iter::<f64>()) {
            metrics.push(term.name.clone(), sum / term.weight);
            term.epoch_sum += sum;
            term.epoch_weight += term.weight;
            term.weight = 0.0;
        }
        if let Some(loss) = metrics.get("loss") {
            self.recent.truncate(31);
            self.recent.push_front(loss);
        }
        Ok(metrics)
    }

    /// Means over the epoch, which ends.
    pub(crate) fn end_epoch(&mut self) -> Result<Metrics> {
        self.keep();
        self.last = self.read()?.get("loss");
        let metrics = self
            .terms
            .iter()
            .filter(|term| term.epoch_weight > 0.0)
            .map(|term| (term.name.clone(), term.epoch_sum / term.epoch_weight))
            .collect();
        self.terms.clear();
        Ok(metrics)
    }

    /// The mean loss of the updates since the last look before the end of the epoch; none where all were left out.
    pub(crate) fn last(&self) -> Option<f64> {
        self.last
    }

    /// How often the device was asked.
    pub(crate) fn reads(&self) -> u64 {
        self.reads
    }

    /// The last losses read, newest first.
    pub(crate) fn shown(&self, most: usize) -> String {
        let shown: Vec<String> = self.recent.iter().take(most).map(|loss| format!("{loss:.4}")).collect();
        if shown.is_empty() { "none".into() } else { shown.join(", ") }
    }

    pub(crate) fn save(&self) -> Result<SavedLosses> {
        let terms = self
            .terms
            .iter()
            .map(|term| {
                let data = term.sum.clone().map(Tensor::try_into_data).transpose();
                let data = data.map_err(Error::device("read the losses"))?;
                Ok(SavedTerm {
                    name: term.name.clone(),
                    sum: data.and_then(|data| data.iter::<f32>().next()),
                    weight: term.weight,
                    epoch_sum: term.epoch_sum,
                    epoch_weight: term.epoch_weight,
                })
            })
            .collect::<Result<_>>()?;
        Ok(SavedLosses { terms, recent: self.recent.iter().copied().collect() })
    }

    pub(crate) fn restore(&mut self, saved: SavedLosses, device: &Device) {
        self.pending.clear();
        self.recent = saved.recent.into();
        self.terms = saved
            .terms
            .into_iter()
            .map(|term| Term {
                name: term.name,
                sum: term.sum.map(|sum| Tensor::from_floats([sum], device)),
                weight: term.weight,
                epoch_sum: term.epoch_sum,
                epoch_weight: term.epoch_weight,
            })
            .collect();
    }
}
