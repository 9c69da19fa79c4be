//! `cupel pgx tune`: settings searched in a study that stops, goes on, and that Optuna reads.

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use clap::Args;
use cupel::{
    pharmacogenomics::{Examples, Found, Parts, TrainConfig, check_space, search, search_space},
    settings::{Range, Settings},
    train::{Description, Opening, Run, stop},
    tune::{Objective, Space, Study, StudyConfig},
};
use serde::Serialize;

use super::table::{Models, Source};
use crate::{
    Command, Session, number,
    shared::{Device, Out, Output, Seed, Shared, Threads},
};

/// Search the settings of the models on the validation part, or over folds of the training part
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    source: Source,

    #[command(flatten)]
    models: Models,

    /// Trials in the study, those of other processes included
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = number::<usize>(Range::at_least(1.0)), help_heading = "Search")]
    trials: usize,

    /// Folds of the training part to judge a trial by, instead of the validation part
    #[arg(long, value_name = "K", help_heading = "Search")]
    folds: Option<usize>,

    /// TOML file with the search space, each parameter named as a flag of the models [default: what matters most for each of the models]
    #[arg(long, value_name = "FILE", help_heading = "Search")]
    space: Option<PathBuf>,

    /// Go on with the study in --out, also beside other processes
    #[arg(long, conflicts_with = "force", help_heading = "Results")]
    resume: bool,

    /// With --resume: what is damaged is an error, not a warning
    #[arg(long, requires = "resume", help_heading = "Results")]
    strict: bool,

    #[command(flatten)]
    device: Device,
    #[command(flatten)]
    seed: Seed,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    out: Out,
    #[command(flatten)]
    output: Output,
}

/// What is searched by what.
#[derive(Serialize)]
pub struct Plan {
    trials: usize,
    splits: usize,
    study: PathBuf,
    #[serde(skip)]
    loaded: Box<(TrainConfig, Examples, Vec<Parts>, Space, Description)>,
}

/// The best settings.
#[derive(Serialize)]
pub struct Tuned {
    study: PathBuf,
    #[serde(flatten)]
    found: Found,
}

impl Command for Arguments {
    type Plan = Plan;
    type Outcome = Tuned;

    fn shared(&self) -> Shared<'_> {
        Shared::new(&self.output).device(&self.device).seed(&self.seed).threads(&self.threads).out(&self.out)
    }

    fn unused(&self) -> Vec<(String, String)> {
        let of_answers =
            ["cross-fit", "coverage"].map(|name| (name.to_owned(), "settings are judged without".to_owned()));
        of_answers.into_iter().chain(self.models.unused(&self.source.split.settings)).collect()
    }

    fn plan(&self, session: &Session) -> Result<Plan> {
        let dir = session.out().context("tune keeps its study in a folder: --out DIR")?;
        let config = self.models.config(self.source.rows.table.as_deref(), session)?;
        let space = match &self.space {
            Some(path) => {
                let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
                toml::from_str(&text).with_context(|| format!("reading {}", path.display()))?
            }
            None => search_space(&config.ensemble.models)?,
        };
        check_space(&config, &space).context("the search space")?;
        let (examples, parts) = self.source.load(&[])?;
        let split = &self.source.split.settings;
        let splits = match self.folds {
            Some(folds) => Parts::folds(&examples, &parts.train, folds, split.split_seed)?,
            None => vec![parts],
        };
        let is = self.description(&config, &space, &examples)?;
        let loaded = Box::new((config, examples, splits, space, is));
        Ok(Plan { trials: self.trials, splits: loaded.2.len(), study: dir.join("study.journal"), loaded })
    }

    fn work(self, plan: Plan, session: &mut Session) -> Result<Tuned> {
        stop::listen();
        let (config, examples, splits, space, is) = *plan.loaded;
        let dir = plan.study.parent().unwrap_or(Path::new("."));
        if session.force() {
            drop(Run::open(dir, &is, Opening::Replace)?);
        }
        Run::join(dir, &is, self.resume || session.force(), self.strict)?;
        let study = Study::open(&plan.study, StudyConfig::new("pgx", [Objective::minimize("validation_loss")]))?;
        let data = (&examples, splits.as_slice());
        let found =
            search(&study, &space, self.trials, &config, data, &session.device()?.device, |trial, said| match said {
                Ok(loss) => session.note(format_args!("trial {trial}: {loss:.5}")),
                Err(reason) => session.note(format_args!("trial {trial} failed: {reason}")),
            })?;
        Ok(Tuned { study: plan.study, found })
    }
}

impl Arguments {
    /// What all trials of a study have in common.
    fn description(&self, config: &TrainConfig, space: &Space, examples: &Examples) -> Result<Description> {
        #[derive(Serialize)]
        struct Common {
            trials: usize,
            folds: Option<usize>,
            seed: u64,
            space: String,
            settings: BTreeMap<String, String>,
        }
        let settings = config.list().into_iter().chain(self.source.split.settings.list());
        let settings = settings.filter_map(|setting| Some((setting.name, setting.value?))).collect();
        let (space, seed) = (serde_json::to_string(space)?, config.seed);
        let common = Common { trials: self.trials, folds: self.folds, seed, space, settings };
        let is = Description::new("pgx tune").settings(&common)?.growing(&["trials"]);
        Ok(is.data("table", format!("{} {}", examples.hash(), serde_json::to_string(examples.schema())?)))
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} trials on {} splits; the study would go to {}", self.trials, self.splits, self.study.display())
    }
}

impl fmt::Display for Tuned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "best of {} trials: {:.5}", self.found.trials, self.found.best_value)?;
        for (name, value) in &self.found.best {
            let shown = serde_json::to_string(value).unwrap_or_default();
            writeln!(f, "  --{} {shown}", name.replace('_', "-"))?;
        }
        writeln!(f, "study: {}", self.study.display())
    }
}
