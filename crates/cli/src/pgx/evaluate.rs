//! `cupel pgx evaluate`: what a model is worth on rows that it was not fitted to.

use std::{fmt, path::PathBuf};

use anyhow::Result;
use clap::Args;
use cupel::{
    pharmacogenomics::{Evaluation, EvaluationConfig, Examples, Leakage, Measured, Model, Parts, STRATA, SplitConfig},
    settings::Settings,
};
use serde::Serialize;

use super::table::{Quantize, Table, load, open, refuse};
use crate::{
    Command, Flags, Session, choice,
    shared::{Device, Output, Seed, Shared, Threads},
};

/// Measure a model on one part of a table
#[derive(Args)]
pub struct Arguments {
    /// Folder of the model
    #[arg(long, value_name = "DIR")]
    model: PathBuf,

    #[command(flatten)]
    rows: Table,

    #[command(flatten)]
    split: Flags<SplitConfig>,

    /// Rows to measure on
    #[arg(long, value_name = "PART", default_value = "val", value_parser = Parts::NAMES, help_heading = "Evaluation")]
    part: String,

    #[command(flatten)]
    evaluation: Flags<EvaluationConfig>,

    /// Measure each of the models that answer together, too
    #[arg(long, help_heading = "Evaluation")]
    members: bool,

    /// Report on a split that leaks
    #[arg(long, help_heading = "Evaluation")]
    allow_leakage: bool,

    /// Keep the weights of networks in 8 bits
    #[arg(long, value_name = "KIND", value_parser = choice::<Quantize>(), help_heading = "Evaluation")]
    quantize: Option<Quantize>,

    #[command(flatten)]
    device: Device,
    #[command(flatten)]
    seed: Seed,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    output: Output,
}

/// The model and the rows.
#[derive(Serialize)]
pub struct Plan {
    part: String,
    #[serde(skip)]
    loaded: Box<(Model, Examples, Parts, Leakage)>,
}

impl Command for Arguments {
    type Plan = Plan;
    type Outcome = Measured;

    fn shared(&self) -> Shared<'_> {
        Shared::new(&self.output).device(&self.device).seed(&self.seed).threads(&self.threads)
    }

    fn unused(&self) -> Vec<(String, String)> {
        self.split.settings.unused()
    }

    fn plan(&self, session: &Session) -> Result<Plan> {
        let model = open(&self.model, self.quantize, session)?;
        let split = &self.split.settings;
        let (examples, parts) = load(self.rows.table.as_deref(), model.predictor.schema(), split, &[STRATA])?;
        let leakage = Leakage::of(&examples, &parts, &[])?;
        refuse(&leakage, self.allow_leakage)?;
        if let Err(refusal) = leakage.refuse() {
            session.note(format_args!("warning: {refusal}"));
        }
        if model.origin.split != split.name() && self.part != "train" {
            session.note(format_args!(
                "warning: the model was trained under the split {:?}, not {:?}, and may have seen these rows",
                model.origin.split,
                split.name()
            ));
        }
        Ok(Plan { part: self.part.clone(), loaded: Box::new((model, examples, parts, leakage)) })
    }

    fn work(self, plan: Plan, session: &mut Session) -> Result<Measured> {
        let (model, examples, parts, leakage) = *plan.loaded;
        let config = EvaluationConfig { seed: session.seed(), ..self.evaluation.settings };
        let part = (&parts, plan.part.as_str(), leakage);
        Ok(Evaluation::of_part(&model.predictor, &examples, part, self.members, &config)?)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} part would be measured", self.part)
    }
}
