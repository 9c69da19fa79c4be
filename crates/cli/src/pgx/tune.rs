//! `cupel pgx tune`: settings searched in a study that stops, goes on, and that Optuna reads.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use clap::Args;
use cupel::{
    burn::tensor::Device,
    pharmacogenomics::{Examples, Parts, Predictor, TargetKind},
    train::device,
    tune::{Objective, Outcome, Parameter, Space, Study, StudyConfig, Value},
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

    /// TOML file with the search space [default: the penalty, the values of parts, stems and crosses, the strength of counts]
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
            None => Space::new([
                Parameter::float("inverse_penalty", 0.03, 3.0).log(),
                Parameter::float("parts", 0.0, 1.0),
                Parameter::float("stems", 0.0, 1.0),
                Parameter::float("crosses", 0.1, 1.0),
                Parameter::float("strength", 0.5, 20.0).log(),
            ])?,
        };
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
            let mut models = self.models.clone();
            let set = |name: &str, slot: &mut f64| {
                if let Some(value) = trial.values().get(name).and_then(Value::as_f64) {
                    *slot = value;
                }
            };
            set("inverse_penalty", &mut models.inverse_penalty);
            set("parts", &mut models.parts);
            set("stems", &mut models.stems);
            set("crosses", &mut models.crosses);
            set("contrasts", &mut models.contrasts);
            set("hidden_names", &mut models.hidden_names);
            set("copies", &mut models.copies);
            set("strength", &mut models.strength);
            set("learning_rate", &mut models.learning_rate);
            set("weight_decay", &mut models.weight_decay);
            set("dropout", &mut models.dropout);
            set("unknown_dropout", &mut models.unknown_dropout);
            set("smoothing", &mut models.smoothing);
            let whole = |name: &str, slot: &mut usize| {
                if let Some(value) = trial.values().get(name).and_then(Value::as_f64) {
                    *slot = value as usize;
                }
            };
            whole("embedding", &mut models.embedding);
            whole("hidden", &mut models.hidden);
            whole("layers", &mut models.layers);
            whole("batch", &mut models.batch);
            whole("attention", &mut models.attention);
            whole("cross", &mut models.cross);
            whole("interacting", &mut models.interacting);
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

/// The mean over targets and splits of the log-loss relative to that of guessing: of classes `ln C`, of a label `ln 2`.
fn loss(
    models: &ModelArguments,
    table: Option<&Path>,
    examples: &Examples,
    splits: &[Parts],
    seed: u64,
    device: &Device,
) -> Result<f64> {
    let config = models.config(table, seed)?;
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
