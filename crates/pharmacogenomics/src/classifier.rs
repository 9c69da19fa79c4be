//! [`Classifier`]: what every model here is, the baselines and the networks alike; [`Member`] is one that can be saved.

use crate::{
    boosting::{Boosting, BoostingConfig},
    counts::{Counts, CountsConfig},
    error::Result,
    examples::Examples,
    linear::{Linear, LinearConfig},
    neighbours::{Neighbours, NeighboursConfig},
    network::{Network, NetworkConfig},
    predictions::{Predictions, prior},
    splits::Parts,
    targets::{Classes, Labels},
};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

/// A fitted model of all targets of a schema.
pub trait Classifier {
    /// What it is called in tables.
    fn name(&self) -> &'static str;

    /// The probabilities of `rows`, one entry per target in the order of the schema.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) when the examples lack a field.
    fn probabilities(&self, examples: &Examples, rows: &[usize]) -> Result<Vec<Predictions>>;
}

/// The share of each class in training, whatever the row says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Majority {
    priors: Vec<(Classes, Vec<f64>)>,
}

impl Majority {
    /// Counts the training `rows`.
    pub fn fit(rows: &[usize], classes: &[Classes], labels: &[Labels]) -> Self {
        let of_target = |(classes, labels): (&Classes, &Labels)| (classes.clone(), prior(classes, labels, rows));
        Self { priors: classes.iter().zip(labels).map(of_target).collect() }
    }
}

impl Classifier for Majority {
    fn name(&self) -> &'static str {
        "majority"
    }

    fn probabilities(&self, _: &Examples, rows: &[usize]) -> Result<Vec<Predictions>> {
        let repeated = |prior: &Vec<f64>| rows.iter().flat_map(|_| prior.iter().copied()).collect();
        let of_target =
            |(classes, prior): &(Classes, Vec<f64>)| Predictions::new(classes.kind, classes.len(), repeated(prior));
        Ok(self.priors.iter().map(of_target).collect())
    }
}

/// What a model is and how it is fitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "model")]
pub enum MemberConfig {
    /// [`Majority`].
    Majority,
    /// [`Counts`].
    Counts(CountsConfig),
    /// [`Linear`].
    Linear(LinearConfig),
    /// [`Neighbours`].
    Neighbours(NeighboursConfig),
    /// [`Boosting`].
    Boosting(BoostingConfig),
    /// [`Network`].
    Network(Box<NetworkConfig>),
}

impl MemberConfig {
    /// Fits the model to the train part; a network on `device`, and with the validation part to know when to stop.
    ///
    /// # Errors
    /// Settings and data that the model refuses.
    pub fn fit(
        &self,
        examples: &Examples,
        parts: &Parts,
        classes: &[Classes],
        labels: &[Labels],
        seed: u64,
        device: &Device,
    ) -> Result<Member> {
        let rows = &parts.train;
        Ok(match self {
            Self::Majority => Member::Majority(Majority::fit(rows, classes, labels)),
            Self::Counts(config) => Member::Counts(Counts::fit(config, examples, rows, classes, labels)?),
            Self::Linear(config) => {
                let config = config.for_split(examples, parts)?;
                Member::Linear(Box::new(Linear::fit(&config, examples, rows, classes, labels, seed)?))
            }
            Self::Neighbours(config) => {
                Member::Neighbours(Box::new(Neighbours::fit(config, examples, rows, classes, labels)?))
            }
            Self::Boosting(config) => {
                Member::Boosting(Box::new(Boosting::fit(config, examples, parts, classes, labels, seed)?))
            }
            Self::Network(config) => {
                let network = Network::fit(config, examples, parts, classes, labels, seed, device)?;
                Member::Network(Box::new(network))
            }
        })
    }
}

impl MemberConfig {
    /// Fits the model to rows of which `like` was fitted to all: what `like` found out about its own size is taken from it.
    pub(crate) fn fit_like(
        &self,
        like: &Member,
        examples: &Examples,
        parts: &Parts,
        (classes, labels): (&[Classes], &[Labels]),
        seed: u64,
        device: &Device,
    ) -> Result<Member> {
        match (self, like) {
            (Self::Boosting(config), Member::Boosting(like)) => {
                let boosting = Boosting::fit_like(Some(like), config, examples, parts, classes, labels, seed)?;
                Ok(Member::Boosting(Box::new(boosting)))
            }
            _ => self.fit(examples, parts, classes, labels, seed, device),
        }
    }
}

/// A fitted model that can be saved.
#[derive(Clone, Debug)]
pub enum Member {
    /// The share of each class.
    Majority(Majority),
    /// Counts with back-off.
    Counts(Counts),
    /// Logistic regression.
    Linear(Box<Linear>),
    /// The training rows that are most alike.
    Neighbours(Box<Neighbours>),
    /// Boosted trees.
    Boosting(Box<Boosting>),
    /// A network over fields.
    Network(Box<Network>),
}

impl Member {
    fn inner(&self) -> &dyn Classifier {
        match self {
            Self::Majority(model) => model,
            Self::Counts(model) => model,
            Self::Linear(model) => model.as_ref(),
            Self::Neighbours(model) => model.as_ref(),
            Self::Boosting(model) => model.as_ref(),
            Self::Network(model) => model.as_ref(),
        }
    }
}

impl Classifier for Member {
    fn name(&self) -> &'static str {
        self.inner().name()
    }

    fn probabilities(&self, examples: &Examples, rows: &[usize]) -> Result<Vec<Predictions>> {
        self.inner().probabilities(examples, rows)
    }
}
