//! [`Predictor`]: models put together, calibrated, with their decisions and sets; the front door.

use crate::{
    blend::Blend,
    calibration::Calibration,
    classifier::{Classifier, Member},
    conformal::Conformal,
    decision::Decision,
    encoder::Encoder,
    error::Result,
    examples::Examples,
    fitting::Fitting,
    hidden::Hidden,
    joint::Joint,
    predictions::Predictions,
    schema::{FieldKind, Schema},
    splits::Parts,
    targets::Classes,
    train_config::TrainConfig,
};
use burn::tensor::Device;
use cupel_train::{Policy, Run};
use serde::{Deserialize, Serialize};

/// Validation rows from which on they calibrate alone: more would change little, and cost as many trainings as there are folds.
pub const ENOUGH_ROWS: usize = 10_000;

/// What is done with the probabilities of one target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answering {
    /// How the models are put together.
    pub blend: Blend,
    /// How one answer is chosen.
    pub decision: Decision,
    /// How a set of answers is chosen.
    pub conformal: Conformal,
    /// How sure an answer has to be where a name was never seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<Hidden>,
    /// How its classes go with those of another target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joint: Option<Joint>,
}

/// Fitted models that answer together.
#[derive(Clone, Debug)]
pub struct Predictor {
    pub(crate) schema: Schema,
    pub(crate) classes: Vec<Classes>,
    pub(crate) members: Vec<Member>,
    pub(crate) answering: Vec<Answering>,
    /// The names that training saw.
    pub(crate) encoder: Encoder,
}

impl Predictor {
    /// Fits the models on the train part, networks on `device`; blends, calibrates and chooses thresholds on the validation part and on
    /// training rows that are held out of a second fit.
    ///
    /// # Errors
    /// [`Error::EmptyPart`](crate::Error::EmptyPart) without validation rows, [`Error::Setting`](crate::Error::Setting) for settings that a model refuses,
    /// [`Error::DegenerateTarget`](crate::Error::DegenerateTarget) for a target without two classes.
    pub fn train(config: &TrainConfig, examples: &Examples, parts: &Parts, device: &Device) -> Result<Self> {
        let mut fitting = Fitting::new(config, examples, parts, device)?;
        Run::in_memory().drive(&mut fitting, &Policy::default())?;
        fitting.finish()
    }

    /// The blended probabilities of the validation part, each row blended with weights that were fitted on other groups: what
    /// to judge settings by.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) when the examples lack a field.
    pub fn cross_fitted(&self, examples: &Examples, parts: &Parts, seed: u64) -> Result<Vec<Predictions>> {
        let calibration = Calibration::of_validation(&self.members, examples, parts)?;
        let of_target =
            |(target, classes): (usize, &Classes)| Ok(calibration.weighed(target, &classes.labels(examples)?, seed)?.1);
        self.classes.iter().enumerate().map(of_target).collect()
    }

    /// The fields of categories of a row whose name training never saw.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) when the examples lack a field.
    pub fn unknown_fields(&self, examples: &Examples, row: usize) -> Result<Vec<&str>> {
        let mut unknown = Vec::new();
        for (index, field) in self.schema.fields.iter().enumerate().filter(|(_, f)| f.kind == FieldKind::Category) {
            let Some(vocabulary) = self.encoder.vocabulary(index) else { continue };
            if examples.name(&field.name, row)?.is_some_and(|name| vocabulary.position(name).is_none()) {
                unknown.push(field.name.as_str());
            }
        }
        Ok(unknown)
    }

    /// What the columns mean.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The classes of each target.
    pub fn classes(&self) -> &[Classes] {
        &self.classes
    }

    /// What is done with the probabilities of each target.
    pub fn answering(&self) -> &[Answering] {
        &self.answering
    }

    /// The same models with the weights of networks in 8 bits, blended as before.
    #[must_use]
    pub fn int8(mut self) -> Self {
        let int8 = |member| match member {
            Member::Network(network) => Member::Network(Box::new(network.int8())),
            other => other,
        };
        self.members = self.members.into_iter().map(int8).collect();
        self
    }

    /// The bytes that the weights of networks take; `None` without a network.
    pub fn network_bytes(&self) -> Option<usize> {
        let bytes = |member: &Member| match member {
            Member::Network(network) => Some(network.weight_bytes()),
            _ => None,
        };
        self.members.iter().filter_map(bytes).reduce(|a, b| a + b)
    }

    /// The models.
    pub fn members(&self) -> &[Member] {
        &self.members
    }
}

impl Classifier for Predictor {
    fn name(&self) -> &'static str {
        "ensemble"
    }

    fn probabilities(&self, examples: &Examples, rows: &[usize]) -> Result<Vec<Predictions>> {
        let said = said(&self.members, examples, rows)?;
        let blended = |(target, answering): (usize, &Answering)| {
            let of_target: Vec<&Predictions> = said.iter().map(|member| &member[target]).collect();
            answering.blend.apply(&of_target)
        };
        Ok(self.answering.iter().enumerate().map(blended).collect())
    }
}

fn said(members: &[Member], examples: &Examples, rows: &[usize]) -> Result<Vec<Vec<Predictions>>> {
    members.iter().map(|member| member.probabilities(examples, rows)).collect()
}
