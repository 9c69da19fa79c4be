//! [`Fitting`]: the models of a [`Predictor`] fitted one after the other, in a run that stops, saves and resumes.
//!
//! Then each is fitted again, fold by fold, to the training rows outside the fold; of these only what they say of the rows of the fold is kept.

use crate::{
    calibration::Calibration,
    classifier::{Classifier, Member, MemberConfig},
    encoder::Encoder,
    error::{Error, Result},
    examples::Examples,
    predictions::Predictions,
    predictor::{ENOUGH_ROWS, Predictor},
    schema::TargetKind,
    splits::Parts,
    targets::{Classes, Labels},
    train_config::{EnsembleConfig, TrainConfig},
};
use burn::tensor::Device;
use cupel_settings::Settings as _;
use cupel_train::{Advance, Metrics, Position, Progress, SetReader, SetWriter, fingerprint};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// Fits one model per advance: those that answer, then those that speak for each fold.
#[derive(Debug)]
pub struct Fitting<'a> {
    config: EnsembleConfig,
    settings: Vec<MemberConfig>,
    seed: u64,
    examples: &'a Examples,
    parts: &'a Parts,
    classes: Vec<Classes>,
    labels: Vec<Labels>,
    members: Vec<Member>,
    fitted: BTreeMap<usize, Member>,
    /// The parts of the training part.
    folds: Vec<Parts>,
    /// What the models of the folds say of the rows held out of them: fold by fold, model by model, target by target.
    held_out: Vec<Vec<Predictions>>,
    device: Device,
}

impl<'a> Fitting<'a> {
    /// Prepares the training; nothing is fitted yet.
    ///
    /// # Errors
    /// What [`Predictor::train`] refuses.
    pub fn new(config: &TrainConfig, examples: &'a Examples, parts: &'a Parts, device: &Device) -> Result<Self> {
        config.check_values()?;
        config.fits(parts)?;
        let fit = |target| Classes::fit(examples, target, &parts.train);
        let classes: Vec<Classes> = examples.schema().targets.iter().map(fit).collect::<Result<_>>()?;
        let labels: Vec<Labels> = classes.iter().map(|classes| classes.labels(examples)).collect::<Result<_>>()?;
        let folds = folds(config, examples, parts, &labels)?;
        let (settings, seed) = (config.members(), config.seed);
        let (config, device) = (config.ensemble.clone(), device.clone());
        let (members, fitted, held_out) = (Vec::new(), BTreeMap::new(), Vec::new());
        Ok(Self { config, settings, seed, examples, parts, classes, labels, members, fitted, folds, held_out, device })
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

    /// The predictor of the models, blended and calibrated on the validation part and on what was held out of the folds.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) when the examples lack a field.
    ///
    /// # Panics
    /// Before every model is fitted: "1 of 3 models are fitted".
    pub fn finish(self) -> Result<Predictor> {
        let (fitted, all) = (self.done(), self.all());
        assert!(fitted == all, "{fitted} of {all} models are fitted");
        let mut calibration = Calibration::of_validation(&self.members, self.examples, self.parts)?;
        for (fold, said) in self.folds.iter().zip(self.held_out.chunks(self.settings.len())) {
            calibration.join(&fold.validation, said);
        }
        let (coverage, seed) = (self.config.coverage, self.seed);
        let targets = self.labels.iter().enumerate();
        let answering = targets.map(|(target, labels)| calibration.answering(target, labels, coverage, seed));
        let answering = answering.collect::<Result<_>>()?;
        let schema = self.examples.schema().clone();
        let encoder = Encoder::fit(self.examples, &self.parts.train)?;
        let predictor = Predictor { schema, classes: self.classes, members: self.members, answering, encoder };
        predictor.with_joint(self.examples, self.parts)?.with_hidden(self.examples, self.parts, seed)
    }

    /// Models fitted so far.
    fn done(&self) -> usize {
        self.members.len() + self.held_out.len()
    }

    /// Models to fit.
    fn all(&self) -> usize {
        self.settings.len() * (1 + self.folds.len())
    }

    fn step(&mut self) -> Result<Metrics> {
        let (count, done) = (self.settings.len(), self.done());
        let index = done % count;
        let parts = if done < count { self.parts } else { &self.folds[done / count - 1] };
        let fitted = if done < count { self.fitted.remove(&index) } else { None };
        let member = match fitted {
            Some(member) => member,
            None => {
                let (settings, known) = (&self.settings[index], (&self.classes[..], &self.labels[..]));
                match self.members.get(index) {
                    Some(like) => settings.fit_like(like, self.examples, parts, known, self.seed, &self.device)?,
                    None => settings.fit(self.examples, parts, known.0, known.1, self.seed, &self.device)?,
                }
            }
        };
        let said = member.probabilities(self.examples, &parts.validation)?;
        let mut metrics = Metrics::new();
        for ((classes, labels), said) in self.classes.iter().zip(&self.labels).zip(&said) {
            if let Some(loss) = said.log_loss(labels, &parts.validation) {
                metrics.push(format!("{}_log_loss", classes.target), loss);
            }
        }
        if done < count {
            self.members.push(member);
        } else {
            // as they are saved, so that a resumed run goes on from the same bits
            let rounded = |said: &Predictions| of_f32(said.kind(), said.width(), &said.to_f32());
            self.held_out.push(said.iter().map(rounded).collect());
        }
        Ok(metrics)
    }
}

impl Advance for Fitting<'_> {
    fn advance(&mut self, _: Position) -> cupel_train::Result<Progress> {
        let metrics = self.step().map_err(cupel_train::Error::work)?;
        let done = (self.done() == self.all()).then_some("all models are fitted");
        Ok(Progress { metrics, done })
    }

    fn save(&self, set: &mut SetWriter) -> cupel_train::Result<()> {
        set.json("members.json", &self.members.len())?;
        for (index, member) in self.members.iter().enumerate() {
            let bytes = member.to_bytes(&self.classes).map_err(cupel_train::Error::work)?;
            set.bytes(&format!("member-{index}.safetensors"), &bytes)?;
        }
        set.json("held-out.json", &self.held_out.len())?;
        for (index, said) in self.held_out.iter().enumerate() {
            let values = said.iter().flat_map(Predictions::to_f32);
            set.bytes(&format!("held-out-{index}.f32"), &values.flat_map(f32::to_le_bytes).collect::<Vec<u8>>())?;
        }
        Ok(())
    }

    fn load(&mut self, set: &SetReader) -> cupel_train::Result<()> {
        let count: usize = set.json("members.json")?;
        self.members.clear();
        for index in 0..count.min(self.settings.len()) {
            let name = format!("member-{index}.safetensors");
            let member = Member::from_bytes(&set.bytes(&name)?, Path::new(&name), &self.device);
            let member = member.map_err(cupel_train::Error::work)?;
            self.members.push(member);
        }
        let (count, fitted) = (self.settings.len(), set.json::<usize>("held-out.json")?);
        self.held_out.clear();
        for index in 0..fitted.min(self.all() - count) {
            let bytes = set.bytes(&format!("held-out-{index}.f32"))?;
            let rows = self.folds[index / count].validation.len();
            self.held_out.push(held_out(&bytes, rows, &self.classes).map_err(cupel_train::Error::work)?);
        }
        Ok(())
    }

    fn fingerprint(&self) -> cupel_train::Result<[u8; 32]> {
        let parts = (&self.parts.train, &self.parts.validation);
        let settings = (&self.settings, self.config.coverage, self.config.cross_fit, self.seed);
        fingerprint(&(settings, self.examples.schema(), self.examples.hash(), parts))
    }

    fn name(&self) -> &str {
        "models"
    }

    fn total(&self) -> Option<u64> {
        Some(self.all() as u64)
    }
}

/// The folds of the training part that every target can be learned in; none where they are not wanted or the training part has too few groups.
fn folds(config: &TrainConfig, examples: &Examples, parts: &Parts, labels: &[Labels]) -> Result<Vec<Parts>> {
    let groups = examples.groups_or_rows();
    let groups = parts.train.iter().map(|row| groups[*row]).collect::<BTreeSet<u32>>().len();
    let count = config.ensemble.cross_fit;
    if count == 0 || count > groups || parts.validation.len() >= ENOUGH_ROWS {
        return Ok(Vec::new());
    }
    let mut folds = parts.folds_alike(examples, &parts.train, count, config.seed)?;
    folds.retain(|fold| labels.iter().all(|labels| fold.train.iter().any(|row| labels.is_known(*row))));
    Ok(folds)
}

/// What was saved of a fold, target by target.
fn held_out(bytes: &[u8], rows: usize, classes: &[Classes]) -> Result<Vec<Predictions>> {
    let wanted = 4 * rows * classes.iter().map(Classes::len).sum::<usize>();
    if bytes.len() != wanted {
        let (got, expected) = (format!("{} bytes", bytes.len()), format!("{wanted} bytes of {rows} rows"));
        return Err(Error::Shape { what: "held-out predictions", expected, got });
    }
    let values: Vec<f32> = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    let mut rest = values.as_slice();
    let of_target = |classes: &Classes| {
        let (own, others) = rest.split_at(rows * classes.len());
        rest = others;
        of_f32(classes.kind, classes.len(), own)
    };
    Ok(classes.iter().map(of_target).collect())
}

fn of_f32(kind: TargetKind, width: usize, values: &[f32]) -> Predictions {
    Predictions::new(kind, width, values.iter().map(|p| f64::from(*p)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{planted::planted, split_config::SplitKind, train_config::ModelKind};
    use cupel_data::Fractions;

    #[test]
    fn what_is_said_of_held_out_rows_does_not_know_their_group() {
        let examples = planted(900, 3).unwrap().examples;
        let shares = Fractions { train: 0.7, validation: 0.15, test: 0.15 };
        let parts = Parts::make(&examples, &SplitKind::Group, shares, 1).unwrap();
        let mut config = TrainConfig::of([ModelKind::Counts, ModelKind::Linear]);
        config.ensemble.cross_fit = 3;
        let train = |change: &dyn Fn(&mut [Labels])| {
            let mut training = Fitting::new(&config, &examples, &parts, &Device::flex()).unwrap();
            change(&mut training.labels);
            (0..8).for_each(|_| drop(training.step().unwrap()));
            (training.folds, training.held_out)
        };
        let (folds, before) = train(&|_| ());
        let groups = examples.groups().unwrap();
        let class = |row: usize| examples.table().category("effect_direction").unwrap().0[row];
        // two training rows of one group exchange their classes, which leaves every count of classes as it was
        let twins = parts.train.windows(2).map(|rows| [rows[0], rows[1]]);
        let [a, b] = twins.into_iter().find(|[a, b]| groups[*a] == groups[*b] && class(*a) != class(*b)).unwrap();
        let (_, after) = train(&|labels| {
            let Labels::Class(classes) = &mut labels[1] else { panic!("effect_direction is a class") };
            classes.swap(a, b);
        });
        let mut moved = 0;
        for (fold, (before, after)) in folds.iter().zip(before.chunks(2).zip(after.chunks(2))) {
            for (i, row) in fold.validation.iter().enumerate() {
                for (before, after) in before.iter().zip(after) {
                    let same = before[1].row(i) == after[1].row(i);
                    assert!(same || groups[*row] != groups[a], "row {row}");
                    moved += usize::from(!same);
                }
            }
        }
        assert!(moved > 0, "the classes of the two rows change nothing at all");
    }
}
