//! `cupel pgx tune`: settings searched in a study that stops, goes on, and that Optuna reads.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, bail};
use clap::{Args, Command, FromArgMatches};
use cupel::{
    burn::tensor::Device,
    data::nearest_name,
    pharmacogenomics::{Examples, Parts, Predictor, TargetKind, TrainConfig},
    train::device,
    tune::{Distribution, Objective, Outcome, Parameter, Space, Study, StudyConfig, Value},
};
use serde::Serialize;

use super::{table::TableArguments, train::ModelArguments};
use crate::{Ending, options::Options, output::Output};

/// Search the settings of the models on the validation part, or over folds of the training part
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    table: TableArguments,

    #[command(flatten)]
    models: ModelArguments,

    /// Trials in the study, those of other processes included
    #[arg(long, value_name = "N", default_value_t = 20)]
    trials: usize,

    /// Folds of the training part to judge a trial by, instead of the validation part
    #[arg(long, value_name = "K")]
    folds: Option<usize>,

    /// TOML file with the search space, each parameter named as a flag of the models [default: what matters most for each of the models]
    #[arg(long, value_name = "FILE")]
    space: Option<PathBuf>,

    #[command(flatten)]
    options: Options,
}

/// What `tune` prints.
#[derive(Serialize)]
struct Printed {
    study: PathBuf,
    trials: usize,
    best_value: f64,
    best: BTreeMap<String, Value>,
}

impl Arguments {
    /// Searches.
    ///
    /// # Errors
    /// Bad input; a study that cannot be opened.
    pub fn run(self) -> Result<Ending> {
        self.options.apply()?;
        let output = Output::new(&self.options);
        let loaded = self.table.load(&self.table.schema()?, &[])?;
        let device = device::select(&self.options.device)?.device;
        let space = match &self.space {
            Some(path) => {
                let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
                toml::from_str(&text).with_context(|| format!("reading {}", path.display()))?
            }
            None => default_space(&self.models.models)?,
        };
        for parameter in space.parameters() {
            with(&self.models, &BTreeMap::from([(parameter.name.clone(), a_value(parameter))]))?;
        }
        let folds = match self.folds {
            Some(folds) => Parts::folds(&loaded.examples, &loaded.parts.train, folds, self.table.split_seed)?,
            None => vec![loaded.parts.clone()],
        };
        let Some(dir) = self.options.out.clone() else { bail!("tune keeps its study in a folder: --out DIR") };
        if self.options.dry_run {
            output.note(format_args!(
                "{} trials on {} splits; the study would go to {}",
                self.trials,
                folds.len(),
                dir.display()
            ));
            return Ok(Ending::Done);
        }
        std::fs::create_dir_all(&dir).with_context(|| format!("creating {}", dir.display()))?;
        let journal = dir.join("study.journal");
        if journal.exists() && !self.options.resume {
            bail!("{} is there already; go on with --resume", journal.display());
        }
        let study = Study::open(&journal, StudyConfig::new("pgx", [Objective::minimize("validation_loss")]))?;
        study.optimize(&space, self.trials, |trial| {
            let models = match with(&self.models, &trial.values()) {
                Ok(models) => models,
                Err(error) => return Ok(Outcome::Failed(format!("{error:#}"))),
            };
            match loss(&models, self.table.table.as_deref(), &loaded.examples, &folds, self.options.seed, &device) {
                Ok(loss) => {
                    output.note(format_args!("trial {}: {loss:.5}", trial.number()));
                    Ok(Outcome::from(loss))
                }
                Err(error) => Ok(Outcome::Failed(format!("{error:#}"))),
            }
        })?;
        let best = study.best()?;
        let best_value =
            best.values.as_ref().and_then(|values| values.first().copied()).context("no trial was completed")?;
        let trials = study.record()?.trials.len();
        let best = best.parameters.iter().map(|(name, setting)| (name.clone(), setting.value())).collect();
        output.result(&Printed { study: journal, trials, best_value, best })?;
        Ok(Ending::Done)
    }
}

/// What matters most for each of the models.
fn default_space(models: &[String]) -> Result<Space> {
    let has = |names: &[&str]| models.iter().any(|model| names.contains(&model.trim()));
    let mut parameters = Vec::new();
    if has(&["linear", "linear-crosses"]) {
        parameters.extend([
            Parameter::float("inverse_penalty", 0.03, 3.0).log(),
            Parameter::float("parts", 0.0, 1.0),
            Parameter::float("stems", 0.0, 1.0),
        ]);
    }
    if has(&["linear-crosses"]) {
        parameters.push(Parameter::float("crosses", 0.1, 1.0));
    }
    if has(&["counts", "sites", "boosting"]) {
        parameters.push(Parameter::float("strength", 0.5, 20.0).log());
    }
    if has(&["neighbours"]) {
        parameters.push(Parameter::float("sharpness", 0.05, 0.5).log());
        parameters.push(Parameter::float("belief", 1.0, 20.0).log());
    }
    if has(&["boosting"]) {
        parameters.push(Parameter::int("depth", 2, 7));
        parameters.push(Parameter::float("shrinkage", 0.03, 0.3).log());
    }
    if has(&["network"]) {
        parameters.extend([
            Parameter::float("learning_rate", 3e-4, 1e-2).log(),
            Parameter::float("weight_decay", 1e-4, 1e-1).log(),
            Parameter::float("dropout", 0.0, 0.7),
            Parameter::float("unknown_dropout", 0.0, 0.3),
            Parameter::float("smoothing", 0.0, 0.2),
            Parameter::int("embedding", 8, 64).step(8.0),
            Parameter::int("hidden", 64, 512).step(64.0),
            Parameter::int("layers", 0, 3),
            Parameter::categorical("interaction", ["pairs", "matrices", "bi", "none"]),
        ]);
    }
    if parameters.is_empty() {
        bail!("--models {}: they have nothing to search; name a space with --space", models.join(","));
    }
    Ok(Space::new(parameters)?)
}

/// A value that a parameter can have.
fn a_value(parameter: &Parameter) -> Value {
    match &parameter.distribution {
        Distribution::Int { low, .. } => Value::Int(*low),
        Distribution::Float { low, .. } => Value::Float(*low),
        Distribution::Categorical { choices } => choices.first().cloned().unwrap_or(Value::Null),
    }
}

/// The settings with those of a trial in the place of their own, checked as flags are.
fn with(models: &ModelArguments, values: &BTreeMap<String, Value>) -> Result<ModelArguments> {
    let serde_json::Value::Object(mut settings) = serde_json::to_value(models)? else {
        bail!("the settings of the models are no table");
    };
    for (name, value) in values {
        let key = name.replace('-', "_");
        if !settings.contains_key(&key) {
            let known: Vec<&str> = settings.keys().map(String::as_str).collect();
            let near = nearest_name(&key, known.iter().copied()).map(|name| format!("did you mean {name:?}? "));
            bail!(
                "the search space: there is no setting {name:?} of the models; {}there are {}",
                near.unwrap_or_default(),
                known.join(", ")
            );
        }
        settings.insert(key, serde_json::to_value(value)?);
    }
    let mut line = vec!["--space".to_owned()];
    for (key, value) in &settings {
        let flag = format!("--{}", key.replace('_', "-"));
        let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match value {
            serde_json::Value::Null | serde_json::Value::Bool(false) => {}
            serde_json::Value::Bool(true) => line.push(flag),
            serde_json::Value::Array(all) => {
                line.push(format!("{flag}={}", all.iter().map(text).collect::<Vec<_>>().join(",")));
            }
            other => line.push(format!("{flag}={}", text(other))),
        }
    }
    let command = ModelArguments::augment_args(Command::new("--space"));
    let matches = command.try_get_matches_from(line).map_err(|error| anyhow!("the search space: {error}"))?;
    Ok(ModelArguments::from_arg_matches(&matches)?)
}

/// The mean over targets and splits of the log-loss relative to that of guessing: of classes `ln C`, of a label `ln 2`.
fn loss(
    models: &ModelArguments,
    table: Option<&Path>,
    examples: &Examples,
    splits: &[Parts],
    seed: u64,
    device: &Device,
) -> Result<f64> {
    // settings are judged by the validation part, of which the models themselves speak
    let config = TrainConfig { cross_fit: 0, ..models.config(table, seed)? };
    let (mut sum, mut count) = (0.0, 0);
    for parts in splits {
        let predictor = Predictor::train(&config, examples, parts, device)?;
        for (classes, said) in predictor.classes().iter().zip(predictor.cross_fitted(examples, parts, seed)?) {
            let labels = classes.labels(examples)?;
            if let Some(loss) = said.log_loss(&labels, &parts.validation) {
                let of_guessing = match said.kind() {
                    TargetKind::Labels => std::f64::consts::LN_2,
                    _ => (classes.len() as f64).ln(),
                };
                sum += loss / of_guessing;
                count += 1;
            }
        }
    }
    Ok(sum / f64::from(count.max(1)))
}

impl fmt::Display for Printed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "best of {} trials: {:.5}", self.trials, self.best_value)?;
        for (name, value) in &self.best {
            let shown = serde_json::to_string(value).unwrap_or_default();
            writeln!(f, "  --{} {shown}", name.replace('_', "-"))?;
        }
        writeln!(f, "study: {}", self.study.display())
    }
}
