//! [`Training`]: the models of a [`Predictor`] fitted one after the other, in a run that stops, saves and resumes.

use crate::{
    classifier::{Classifier, Member},
    error::Result,
    examples::Examples,
    predictor::{Predictor, TrainConfig},
    splits::Parts,
    targets::{Classes, Labels},
};
use burn::tensor::Device;
use cupel_train::{Advance, Metrics, Position, Progress, SetReader, SetWriter, fingerprint};
use std::{collections::BTreeMap, path::Path};

/// Fits one model per advance.
#[derive(Debug)]
pub struct Training<'a> {
    config: TrainConfig,
    examples: &'a Examples,
    parts: &'a Parts,
    classes: Vec<Classes>,
    labels: Vec<Labels>,
    members: Vec<Member>,
    fitted: BTreeMap<usize, Member>,
    device: Device,
}

impl<'a> Training<'a> {
    /// Prepares the training; nothing is fitted yet.
    ///
    /// # Errors
    /// What [`Predictor::train`] refuses.
    pub fn new(config: &TrainConfig, examples: &'a Examples, parts: &'a Parts, device: &Device) -> Result<Self> {
        config.check(parts)?;
        let fit = |target| Classes::fit(examples, target, &parts.train);
        let classes: Vec<Classes> = examples.schema().targets.iter().map(fit).collect::<Result<_>>()?;
        let labels: Vec<Labels> = classes.iter().map(|classes| classes.labels(examples)).collect::<Result<_>>()?;
        let (config, device) = (config.clone(), device.clone());
        Ok(Self { config, examples, parts, classes, labels, members: Vec::new(), fitted: BTreeMap::new(), device })
    }

    /// Takes a model that was fitted elsewhere for the one at `index` of the settings.
    #[must_use]
    pub fn with_fitted(mut self, index: usize, member: Member) -> Self {
        self.fitted.insert(index, member);
        self
    }

    /// The classes of each target.
    pub fn classes(&self) -> &[Classes] {
        &self.classes
    }

    /// The targets of every row.
    pub fn labels(&self) -> &[Labels] {
        &self.labels
    }

    /// The predictor of the models, blended and calibrated on the validation part.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) when the examples lack a field.
    ///
    /// # Panics
    /// Before every model is fitted: "1 of 3 models are fitted".
    pub fn finish(self) -> Result<Predictor> {
        let (fitted, all) = (self.members.len(), self.config.members.len());
        assert!(fitted == all, "{fitted} of {all} models are fitted");
        Predictor::assemble(&self.config, self.examples, self.parts, self.classes, &self.labels, self.members)
    }

    fn step(&mut self) -> Result<Metrics> {
        let index = self.members.len();
        let settings = &self.config.members[index];
        let member = match self.fitted.remove(&index) {
            Some(member) => member,
            None => {
                let seed = self.config.seed;
                settings.fit(self.examples, self.parts, &self.classes, &self.labels, seed, &self.device)?
            }
        };
        let said = member.probabilities(self.examples, &self.parts.validation)?;
        let mut metrics = Metrics::new();
        for ((classes, labels), said) in self.classes.iter().zip(&self.labels).zip(said) {
            if let Some(loss) = said.log_loss(labels, &self.parts.validation) {
                metrics.push(format!("{}_log_loss", classes.target), loss);
            }
        }
        self.members.push(member);
        Ok(metrics)
    }
}

impl Advance for Training<'_> {
    fn advance(&mut self, _: Position) -> cupel_train::Result<Progress> {
        let metrics = self.step().map_err(cupel_train::Error::work)?;
        let done = (self.members.len() == self.config.members.len()).then_some("all models are fitted");
        Ok(Progress { metrics, done })
    }

    fn save(&self, set: &mut SetWriter) -> cupel_train::Result<()> {
        set.json("members.json", &self.members.len())?;
        for (index, member) in self.members.iter().enumerate() {
            let bytes = member.to_bytes(&self.classes).map_err(cupel_train::Error::work)?;
            set.bytes(&format!("member-{index}.safetensors"), &bytes)?;
        }
        Ok(())
    }

    fn load(&mut self, set: &SetReader) -> cupel_train::Result<()> {
        let count: usize = set.json("members.json")?;
        self.members.clear();
        for index in 0..count.min(self.config.members.len()) {
            let name = format!("member-{index}.safetensors");
            let member = Member::from_bytes(&set.bytes(&name)?, Path::new(&name), &self.device);
            let member = member.map_err(cupel_train::Error::work)?;
            self.members.push(member);
        }
        Ok(())
    }

    fn fingerprint(&self) -> cupel_train::Result<[u8; 32]> {
        let parts = (&self.parts.train, &self.parts.validation);
        fingerprint(&(&self.config, self.examples.schema(), self.examples.hash(), parts))
    }

    fn name(&self) -> &str {
        "models"
    }

    fn total(&self) -> Option<u64> {
        Some(self.config.members.len() as u64)
    }
}
