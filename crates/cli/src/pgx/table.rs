//! The arguments that name a table, its schema, its split, and the models that learn from it.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use cupel::{
    pharmacogenomics::{Examples, FieldSet, Leakage, Model, Parts, Schema, SplitConfig, TrainConfig, atc_levels},
    settings::Settings,
};

use crate::{Flags, Session};

/// The rows.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Table")]
pub struct Table {
    /// Rows to learn from or to measure on: TSV, CSV or their kin, with a header
    #[arg(long, value_name = "FILE", required_unless_present = "demo_data", conflicts_with = "demo_data")]
    pub table: Option<PathBuf>,

    /// A simulated table with a known model instead of a file
    #[arg(long)]
    pub demo_data: bool,
}

/// What its columns mean.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Table")]
pub struct Columns {
    /// TOML file that says which columns are fields and targets [default: the columns of variant annotations]
    #[arg(long, value_name = "FILE")]
    pub schema: Option<PathBuf>,

    /// Fields of a table of variant annotations: extended (eight), brief (drug, genalle, gene, allele), or a list
    #[arg(long, value_name = "FIELDS", default_value = "extended")]
    pub fields: FieldSet,
}

impl Columns {
    /// The schema for a table, or for the simulated one.
    pub fn schema(&self, table: Option<&Path>) -> Result<Schema> {
        Ok(Schema::of_table(table, self.schema.as_deref(), &self.fields)?)
    }
}

/// A table, what its columns mean and how it is split.
#[derive(Args, Clone, Debug)]
pub struct Source {
    #[command(flatten)]
    pub rows: Table,
    #[command(flatten)]
    pub columns: Columns,
    #[command(flatten)]
    pub split: Flags<SplitConfig>,
}

impl Source {
    /// Reads and splits the table; the columns `also` are read where they are there.
    pub fn load(&self, also: &[&str]) -> Result<(Examples, Parts)> {
        let table = self.rows.table.as_deref();
        load(table, &self.columns.schema(table)?, &self.split.settings, also)
    }
}

/// The examples of a table under `schema`, and their split.
pub fn load(table: Option<&Path>, schema: &Schema, split: &SplitConfig, also: &[&str]) -> Result<(Examples, Parts)> {
    let examples = split.read(table, schema, also)?;
    let parts = split.parts(&examples)?;
    Ok((examples, parts))
}

/// Which models, and how they are fitted.
#[derive(Args, Clone, Debug)]
pub struct Models {
    #[command(flatten)]
    pub flags: Flags<TrainConfig>,

    /// Table with the columns Drug and ATC, whose classes of drugs logistic regressions and networks read; none for none
    /// [default: raw/pypgx_cpic-table.csv beside the table, where it is there]
    #[arg(long, value_name = "FILE", help_heading = "Models")]
    pub atc: Option<PathBuf>,
}

/// Where the classes of drugs are looked for, beside the table.
const DRUG_CLASSES: &str = "raw/pypgx_cpic-table.csv";

impl Models {
    /// The settings with the classes of drugs and the seed.
    pub fn config(&self, table: Option<&Path>, session: &Session) -> Result<TrainConfig> {
        let config = TrainConfig { seed: session.seed(), ..self.flags.settings.clone() };
        let file = match &self.atc {
            Some(path) => Some(path.clone()).filter(|path| path != Path::new("none")),
            None => table.map(|table| table.with_file_name(DRUG_CLASSES)).filter(|path| path.is_file()),
        };
        let Some(file) = file else { return Ok(config) };
        session.note(format_args!("classes of drugs from {}", file.display()));
        Ok(config.with_attributes(atc_levels(&file)?))
    }

    /// What the user set without effect, with the split's.
    pub fn unused(&self, split: &SplitConfig) -> Vec<(String, String)> {
        self.flags.settings.unused().into_iter().chain(split.unused()).collect()
    }
}

/// A model of a folder on the session's device, its networks in 8 bits where that is wanted.
pub fn open(folder: &Path, quantize: Option<Quantize>, session: &Session) -> Result<Model> {
    let mut model = Model::open(folder, &session.device()?.device)?;
    if quantize.is_some() {
        model.predictor = model.predictor.int8();
    }
    Ok(model)
}

cupel::settings::choices! {
    /// How weights are kept for prediction.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Quantize {
        /// 8 bits, one scale for each matrix
        Int8 = "int8",
    }
}

/// Refuses a split that leaks, unless that is allowed.
pub fn refuse(leakage: &Leakage, allowed: bool) -> Result<()> {
    match leakage.refuse() {
        Err(refusal) if !allowed => bail!("{refusal} (--allow-leakage)"),
        _ => Ok(()),
    }
}
