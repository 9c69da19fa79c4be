//! [`Training`]: from examples to a model that answers, in a run that stops, saves and resumes; the one door to training.

use crate::{
    classifier::{Member, MemberConfig},
    effect_fit::EffectFit,
    encoder::Encoder,
    error::Result,
    evaluation::{Evaluation, EvaluationConfig},
    evidence::Evidence,
    examples::Examples,
    fitting::Fitting,
    leakage::Leakage,
    model_folder::{Model, Origin},
    network::{Network, NetworkConfig},
    outputs::{model_card, save_report},
    splits::Parts,
    train_config::TrainConfig,
};
use burn::tensor::Device;
use cupel_settings::{Problem, Settings};
use cupel_train::{Casting, Policy, Run, Trainer};
use serde::Serialize;
use std::fmt;

/// Updates of a range test.
const RANGE_UPDATES: u64 = 100;

/// What is to be trained on what; nothing is fitted yet.
///
/// # Example
/// A model from a table in memory; with a run in a folder it is written there with its card and report.
/// ```
/// use cupel_pharmacogenomics::{ModelKind, Parts, SplitConfig, TrainConfig, Training, planted, question};
/// use cupel_train::{Run, device};
///
/// let examples = planted(600, 1)?.examples;
/// let split = SplitConfig::default();
/// let parts = split.parts(&examples)?;
/// let config = TrainConfig::of([ModelKind::Majority, ModelKind::Counts]);
/// let device = device::select("cpu")?.device;
/// let trained = Training::new(&config, &examples, &parts, split.name(), &device)?.run(&mut Run::in_memory())?;
/// let asked = question(examples.schema(), &[("drug".into(), "drug01".into())])?;
/// assert_eq!(trained.model.answer(&asked, &[0])?.len(), 1);
/// # Ok::<(), cupel_pharmacogenomics::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Training<'a> {
    config: &'a TrainConfig,
    examples: &'a Examples,
    parts: &'a Parts,
    split: String,
    device: Device,
    casting: Casting,
    others: Vec<Device>,
}

impl<'a> Training<'a> {
    /// Training of `config` on the parts of the examples, which the split of this name made.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a setting out of its range or one that no model has; two networks; a part whose rows
    /// all weigh nothing.
    pub fn new(
        config: &'a TrainConfig,
        examples: &'a Examples,
        parts: &'a Parts,
        split: impl Into<String>,
        device: &Device,
    ) -> Result<Self> {
        config.check()?;
        for (name, rows) in parts.parts() {
            examples.check_weights(name, rows)?;
        }
        let networks = config.members().into_iter().filter(|member| matches!(member, MemberConfig::Network(_))).count();
        if networks > 1 {
            return Err(
                Problem::value("models", format!("{networks} networks"), "one, which is trained at a time").into()
            );
        }
        let (split, device) = (split.into(), device.clone());
        Ok(Self { config, examples, parts, split, device, casting: Casting::f32(), others: Vec::new() })
    }

    /// The numbers that the network computes with.
    #[must_use]
    pub fn with_casting(self, casting: Casting) -> Self {
        Self { casting, ..self }
    }

    /// Further devices that share the batches of the network's updates: an update of n devices takes n batches.
    #[must_use]
    pub fn with_devices(self, others: Vec<Device>) -> Self {
        Self { others, ..self }
    }

    /// Trains the network, then the other models and the folds, and measures the whole on the validation part. A run in a folder gets the model, its
    /// card, tables, figures and report.
    ///
    /// # Errors
    /// Parts and targets that the models refuse; a stop by a signal after the state was saved; files that cannot be written.
    pub fn run(&self, run: &mut Run) -> Result<Trained> {
        let leakage = Leakage::of(self.examples, self.parts, &[])?;
        let (mut fitting, network) = self.prepare()?;
        if let Some((index, config, mut trainer)) = network {
            run.drive(&mut trainer, &Policy::default())?;
            let network = Network::of_trainer(&config, trainer, self.examples, self.parts, &self.device)?;
            fitting = fitting.with_fitted(index, Member::Network(Box::new(network)));
        }
        run.drive(&mut fitting, &Policy::default())?;
        let (examples, parts, seed) = (self.examples, self.parts, self.config.seed);
        let predictor = fitting.finish()?;
        let config = EvaluationConfig { bootstrap: 0, seed, ..EvaluationConfig::default() };
        let evaluation = Evaluation::of(&predictor, examples, &parts.validation, &config)?;
        let origin = Origin {
            table: examples.source().to_owned(),
            table_hash: examples.hash().to_owned(),
            split: self.split.clone(),
            rows: [parts.train.len(), parts.validation.len()],
            leaky: leakage.leaky,
            seed,
        };
        let (encoder, evidence) = (Encoder::fit(examples, &parts.train)?, Evidence::of(examples, &parts.train)?);
        let model = Model { predictor, encoder, evidence, origin };
        let run_dir = run.dir().map(|dir| dir.display().to_string());
        if let Some(dir) = run.dir() {
            let members = Evaluation::of_members(&model.predictor, examples, &parts.validation, &config)?;
            model.save(dir, &model_card(&model.predictor, &model.origin, &evaluation))?;
            save_report(dir, &model, &evaluation, &members)?;
        }
        Ok(Trained { run_dir, part: "val", leakage, evaluation, model })
    }

    /// Trains the network for so many updates on one batch alone, whose loss should then fall.
    ///
    /// # Errors
    /// Models without a network; what the training reports.
    pub fn overfit_one_batch(&self, updates: u64) -> Result<Rehearsal> {
        let losses = self.network()?.overfit_one_batch(updates)?;
        Ok(Rehearsal { losses, rates: Vec::new(), suggestion: None })
    }

    /// Tries learning rates from `low` to `high` on the network, and names a good one.
    ///
    /// # Errors
    /// Models without a network; rates that are none; what the training reports.
    pub fn learning_rate_range(&self, low: f64, high: f64) -> Result<Rehearsal> {
        let range = self.network()?.learning_rate_range(low, high, RANGE_UPDATES)?;
        let (rates, losses) = range.points.iter().map(|point| (point.learning_rate, point.loss)).unzip();
        Ok(Rehearsal { losses, rates, suggestion: Some(range.suggestion) })
    }

    /// Sends one batch through the network, and gives its loss; `None` without a network. What every model asks of the parts is checked.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn dry_run(&self) -> Result<Option<f64>> {
        let (_, network) = self.prepare()?;
        let Some((_, _, mut trainer)) = network else { return Ok(None) };
        Ok(trainer.dry_run()?.get("loss"))
    }

    fn network(&self) -> Result<Trainer<EffectFit>> {
        let (_, network) = self.prepare()?;
        let missing = || Problem::value("models", "none of them a network", "a network among them to try");
        Ok(network.map(|(_, _, trainer)| trainer).ok_or_else(missing)?)
    }

    /// The fitting of all models, and the training of the network with its place among them.
    #[expect(clippy::type_complexity, reason = "it is taken apart where it is made")]
    fn prepare(&self) -> Result<(Fitting<'a>, Option<(usize, NetworkConfig, Trainer<EffectFit>)>)> {
        let fitting = Fitting::new(self.config, self.examples, self.parts, &self.device)?;
        let of_network = |(index, member)| match member {
            MemberConfig::Network(network) => Some((index, *network)),
            _ => None,
        };
        let Some((index, config)) = self.config.members().into_iter().enumerate().find_map(of_network) else {
            return Ok((fitting, None));
        };
        let mut shared = config.clone();
        shared.stage.accumulation = 1 + self.others.len() as u64;
        let (classes, labels) = (fitting.classes(), fitting.labels());
        let (seed, casting) = (self.config.seed, self.casting.clone());
        let trainer =
            Network::trainer(&shared, self.examples, self.parts, classes, labels, seed, casting, &self.device)?;
        let trainer = if self.others.is_empty() { trainer } else { trainer.with_devices(&self.others) };
        Ok((fitting, Some((index, config, trainer))))
    }
}

/// A trained model with what it is worth on the part on which it was calibrated.
#[derive(Clone, Debug, Serialize)]
pub struct Trained {
    /// Where it was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_dir: Option<String>,
    /// The part measured on.
    pub part: &'static str,
    /// What the split gives away.
    pub leakage: Leakage,
    /// The measures.
    #[serde(flatten)]
    pub evaluation: Evaluation,
    /// The model.
    #[serde(skip)]
    pub model: Model,
}

impl fmt::Display for Trained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "on the {} part, on which thresholds and calibration were chosen:", self.part)?;
        write!(f, "{}", self.evaluation)?;
        self.run_dir.iter().try_for_each(|dir| writeln!(f, "model and report in {dir}"))
    }
}

/// What a trial of the network before its training found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rehearsal {
    /// The loss of each update.
    pub losses: Vec<f64>,
    /// The learning rate of each, where rates were tried.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rates: Vec<f64>,
    /// The rate at which the loss falls fastest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<f64>,
}

impl fmt::Display for Rehearsal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = (self.losses.first().copied(), self.losses.last().copied());
        match self.suggestion {
            Some(rate) => writeln!(f, "the loss falls fastest at a learning rate of {rate:.2e}"),
            None => writeln!(
                f,
                "on one batch the loss went from {:.4} to {:.4} in {} updates",
                first.unwrap_or(f64::NAN),
                last.unwrap_or(f64::NAN),
                self.losses.len()
            ),
        }
    }
}
