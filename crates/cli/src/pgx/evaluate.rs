//! `cupel pgx evaluate`: what a model is worth on rows that it was not fitted to.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use anyhow::Result;
use clap::{Args, ValueEnum};
use cupel::{
    pharmacogenomics::{Evaluation, EvaluationConfig, Leakage, Model},
    train::device,
};
use serde::Serialize;

use super::table::TableArguments;
use crate::{Ending, options::Options, output::Output};

/// The column by whose values the coverage of sets is reported as well, where a table has it.
pub const STRATA: &str = "effect_group";

/// How weights are kept for prediction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Quantize {
    /// 8 bits, one scale for each matrix
    Int8,
}

/// Measure a model on one part of a table
#[derive(Args)]
pub struct Arguments {
    /// Folder of the model
    #[arg(long, value_name = "DIR")]
    model: PathBuf,

    #[command(flatten)]
    table: TableArguments,

    /// Rows to measure on
    #[arg(long, value_name = "PART", default_value = "val", value_parser = ["train", "val", "test"])]
    part: String,

    /// Resamples of the groups for 95 % intervals; 0 for none
    #[arg(long, value_name = "N", default_value_t = 200)]
    bootstrap: usize,

    /// Measure each of the models that answer together, too
    #[arg(long)]
    members: bool,

    /// Report on a split that leaks
    #[arg(long)]
    allow_leakage: bool,

    /// Keep the weights of networks in 8 bits
    #[arg(long, value_enum, value_name = "KIND")]
    quantize: Option<Quantize>,

    #[command(flatten)]
    options: Options,
}

/// What `evaluate` prints.
#[derive(Serialize)]
struct Printed {
    #[serde(flatten)]
    evaluation: Evaluation,
    part: String,
    leakage: Leakage,
    #[serde(skip_serializing_if = "Option::is_none")]
    network_bytes: Option<usize>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    members: BTreeMap<String, Evaluation>,
}

impl Arguments {
    /// Evaluates.
    ///
    /// # Errors
    /// A model or table that cannot be read; a split that leaks, unless that is allowed.
    pub fn run(self) -> Result<Ending> {
        self.options.apply()?;
        let output = Output::new(&self.options);
        let mut model = Model::open(&self.model, &device::select(&self.options.device)?.device)?;
        if self.quantize.is_some() {
            model.predictor = model.predictor.int8();
        }
        let loaded = self.table.load(model.predictor.schema(), &[STRATA])?;
        let leakage = Leakage::of(&loaded.examples, &loaded.parts, &[])?;
        if let Err(refusal) = leakage.refuse() {
            if !self.allow_leakage {
                return Err(refusal.into());
            }
            output.note(format_args!("warning: {refusal}"));
        }
        if model.origin.split != loaded.split && self.part != "train" {
            output.note(format_args!(
                "warning: the model was trained under the split {:?}, not {:?}, and may have seen these rows",
                model.origin.split, loaded.split
            ));
        }
        let rows = loaded.parts.part(&self.part)?;
        let strata = loaded.examples.table().column(STRATA).is_ok().then_some(STRATA);
        let config = EvaluationConfig { bootstrap: self.bootstrap, seed: self.options.seed, strata };
        let evaluation = Evaluation::of(&model.predictor, &loaded.examples, rows, &config)?;
        let members = match self.members {
            true => Evaluation::of_members(&model.predictor, &loaded.examples, rows, &config)?.into_iter().collect(),
            false => BTreeMap::new(),
        };
        let network_bytes = model.predictor.network_bytes();
        output.result(&Printed { evaluation, part: self.part, leakage, network_bytes, members })?;
        Ok(Ending::Done)
    }
}

/// An evaluation in words.
pub struct Shown<'a>(pub &'a Evaluation);

const MEASURES: [(&str, &str); 6] = [
    ("log_loss", "log-loss"),
    ("weighted_f1", "weighted F1"),
    ("macro_f1", "macro F1"),
    ("micro_f1", "micro F1"),
    ("auroc", "AUROC"),
    ("ece", "ECE"),
];

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, target) in &self.0.targets {
            writeln!(f, "{name}")?;
            for (key, shown) in MEASURES {
                let Some(value) = target.measures.get(key) else { continue };
                write!(f, "  {shown:<14}{value:.4}")?;
                match target.intervals.get(key) {
                    Some(interval) => writeln!(f, "  ({:.4} to {:.4})", interval.low, interval.high)?,
                    None => writeln!(f)?,
                }
            }
            let sets = &target.conformal;
            writeln!(
                f,
                "  sets          {:.1} % hold the truth ({:.0} % promised), {:.2} answers each",
                100.0 * sets.covered,
                100.0 * sets.promised,
                sets.size
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for Printed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} rows of the {} part", self.evaluation.rows, self.part)?;
        write!(f, "{}", Shown(&self.evaluation))?;
        for (name, evaluation) in &self.members {
            writeln!(f, "\n{name} alone")?;
            write!(f, "{}", Shown(evaluation))?;
        }
        Ok(())
    }
}
