//! `cupel pgx train`: models fitted, blended and calibrated in a run folder that is the model's folder too.

use std::{fmt, path::Path};

use anyhow::{Result, bail};
use clap::Args;
use cupel::{
    pharmacogenomics::{Examples, Leakage, Parts, Rehearsal, STRATA, TrainConfig, Trained, Training},
    train::{Casting, Work, device},
};
use serde::Serialize;

use super::table::{Models, Source};
use crate::{
    Command, Session,
    shared::{Computation, Shared},
};

/// Values of the largest tensor of a step from which on a GPU repays half precision.
const LARGE_WORK: usize = 1 << 22;

/// Fit models to a table, calibrate them on its validation part, and save them
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    source: Source,

    #[command(flatten)]
    models: Models,

    /// Train the network on one batch alone, say how the loss falls, and save nothing
    #[arg(long, value_name = "UPDATES", num_args = 0..=1, default_missing_value = "200", help_heading = "Training")]
    overfit_one_batch: Option<u64>,

    /// Try learning rates from low to high on the network, name a good one, and save nothing
    #[arg(long, value_name = "LOW,HIGH", value_delimiter = ',', num_args = 0..=1, default_missing_values = ["1e-5", "1"], conflicts_with = "overfit_one_batch", help_heading = "Training")]
    learning_rate_range: Option<Vec<f64>>,

    /// Devices that share the batches of the network's updates with --device
    #[arg(long, value_name = "DEVICES", value_delimiter = ',', help_heading = "Training")]
    devices: Vec<String>,

    #[command(flatten)]
    computation: Computation,
}

/// What is trained on what.
#[derive(Serialize)]
pub struct Plan {
    models: Vec<String>,
    train: usize,
    validation: usize,
    leaky: bool,
    /// Of one batch, where that was tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    loss: Option<f64>,
    #[serde(skip)]
    loaded: Box<Loaded>,
}

struct Loaded {
    config: TrainConfig,
    examples: Examples,
    parts: Parts,
    casting: Casting,
}

/// What came of it.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Outcome {
    Trained(Box<Trained>),
    Rehearsed(Rehearsal),
}

impl Arguments {
    /// Whether the network is only tried, so that nothing is written.
    fn rehearses(&self) -> bool {
        self.overfit_one_batch.is_some() || self.learning_rate_range.is_some()
    }

    /// The training of what was loaded, with everything that the user said of it.
    fn training<'a>(&self, loaded: &'a Loaded, session: &Session) -> Result<Training<'a>> {
        let devices: Vec<_> =
            self.devices.iter().map(|name| Ok(device::select(name)?.device)).collect::<Result<_>>()?;
        let (split, device) = (self.source.split.settings.name(), &session.device()?.device);
        let training = Training::new(&loaded.config, &loaded.examples, &loaded.parts, split, device)?;
        Ok(training.with_casting(loaded.casting.clone()).with_devices(devices))
    }
}

impl Command for Arguments {
    type Plan = Plan;
    type Outcome = Outcome;

    fn shared(&self) -> Shared<'_> {
        let all = self.computation.shared();
        if self.rehearses() { Shared { out: None, run: None, ..all } } else { all }
    }

    fn unused(&self) -> Vec<(String, String)> {
        self.models.unused(&self.source.split.settings)
    }

    fn stem(&self) -> String {
        let table = self.source.rows.table.as_deref().unwrap_or(Path::new("demo"));
        table.file_stem().unwrap_or_default().to_string_lossy().into_owned()
    }

    fn plan(&self, session: &Session) -> Result<Plan> {
        let config = self.models.config(self.source.rows.table.as_deref(), session)?;
        let (examples, parts) = self.source.load(&[STRATA])?;
        let leakage = Leakage::of(&examples, &parts, &[])?;
        if let Err(refusal) = leakage.refuse() {
            session.note(format_args!("warning: {refusal}"));
        }
        let models = config.ensemble.models.iter().map(ToString::to_string).collect();
        let (train, validation) = (parts.train.len(), parts.validation.len());
        let elements = config.network.effect.batch * config.network.net.hidden;
        let casting = session.casting(Work { elements, reduced_precision_pays_from: LARGE_WORK })?;
        let loaded = Box::new(Loaded { config, examples, parts, casting });
        let dry = self.computation.run.out.writing.dry_run;
        let training = self.training(&loaded, session)?;
        let loss = if dry { training.dry_run()? } else { None };
        Ok(Plan { models, train, validation, leaky: leakage.leaky, loss, loaded })
    }

    fn work(self, plan: Plan, session: &mut Session) -> Result<Outcome> {
        let training = self.training(&plan.loaded, session)?;
        let (device, seed) = (session.device()?.clone(), session.seed());
        session.run().describe(&device, &plan.loaded.casting, seed)?;
        if let Some(updates) = self.overfit_one_batch {
            return Ok(Outcome::Rehearsed(training.overfit_one_batch(updates)?));
        }
        match self.learning_rate_range.as_deref() {
            None => Ok(Outcome::Trained(Box::new(training.run(session.run())?))),
            Some([low, high]) => Ok(Outcome::Rehearsed(training.learning_rate_range(*low, *high)?)),
            Some(_) => bail!("--learning-rate-range takes two rates, such as 1e-5,1"),
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(loss) = self.loss {
            writeln!(f, "one batch went through the network: loss {loss:.4}")?;
        }
        write!(f, "{} rows would train {}, {} calibrate them", self.train, self.models.join(", "), self.validation)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trained(trained) => trained.fmt(f),
            Self::Rehearsed(rehearsal) => rehearsal.fmt(f),
        }
    }
}
