//! The arguments that name a table, its schema and its split.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use cupel::{
    data::Fractions,
    pharmacogenomics::{Examples, FieldSet, Parts, Purpose, Schema, SplitKind, column_names, planted},
};
use serde::Serialize;

/// Rows of the built-in simulated table.
const DEMO_ROWS: usize = 30_000;
/// Its seed: the table is the same whatever `--seed` says.
const DEMO_SEED: u64 = 0;

/// A table and how it is split.
#[derive(Args, Clone, Debug, Serialize)]
pub struct TableArguments {
    /// Rows to learn from or to measure on: TSV, CSV or their kin, with a header
    #[arg(long, value_name = "FILE", required_unless_present = "demo_data", conflicts_with = "demo_data")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<PathBuf>,

    /// A simulated table with a known model instead of a file
    #[arg(long)]
    pub demo_data: bool,

    /// TOML file that says which columns are fields and targets [default: the columns of variant annotations]
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<PathBuf>,

    /// Fields of a table of variant annotations: extended (eight), brief (drug, genalle, gene, allele), or a list
    #[arg(long, value_name = "FIELDS", default_value = "extended")]
    pub fields: String,

    /// Column that says train, val, test or drop
    #[arg(long, value_name = "COLUMN", conflicts_with = "split")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split_column: Option<String>,

    /// Split by: random, stratified, group, pair, drug, variant, gene, another field, time, stratified-group
    #[arg(long, value_name = "KIND", default_value = "stratified-group")]
    pub split: SplitKind,

    /// Shares of train, val and test
    #[arg(long, value_name = "SHARES", value_delimiter = ',', num_args = 1, default_values_t = [0.8, 0.1, 0.1])]
    pub fractions: Vec<f64>,

    /// Seed of the split
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub split_seed: u64,
}

/// A table that was read and split.
pub struct Loaded {
    pub examples: Examples,
    pub parts: Parts,
    /// The column or kind of the split.
    pub split: String,
}

impl TableArguments {
    /// The schema for the table: that of the file, else that of annotations.
    pub fn schema(&self) -> Result<Schema> {
        if let Some(path) = &self.schema {
            return Ok(Schema::open(path)?);
        }
        let Some(table) = &self.table else { return Ok(planted(1, DEMO_SEED)?.examples.schema().clone()) };
        let set = match self.fields.as_str() {
            "extended" => FieldSet::Extended,
            "brief" => FieldSet::Brief,
            list => FieldSet::Named(list.split(',').map(|name| name.trim().to_owned()).collect()),
        };
        let schema = Schema::annotations(&set);
        let columns = column_names(table)?;
        if let Some(missing) = schema.columns().iter().find(|name| !columns.contains(name)) {
            bail!(
                "{}: there is no column {missing:?}, so that this is no table of variant annotations as expected; \
                 say with --schema which columns are fields and targets",
                table.display()
            );
        }
        Ok(schema)
    }

    /// Reads and splits the table under `schema`; the columns `also` are read where they are there.
    ///
    /// # Errors
    /// A table that cannot be read or split.
    pub fn load(&self, schema: &Schema, also: &[&str]) -> Result<Loaded> {
        let examples = match &self.table {
            None => planted(DEMO_ROWS, DEMO_SEED)?.examples,
            Some(table) => {
                let columns = column_names(table)?;
                let also = also.iter().copied().filter(|name| columns.iter().any(|known| known == name));
                let also: Vec<&str> = self.split_column.as_deref().into_iter().chain(also).collect();
                Examples::read(table, schema, &also, Purpose::Learning)?
            }
        };
        let (parts, split) = match &self.split_column {
            Some(column) => (Parts::from_column(&examples, column)?, column.clone()),
            None => {
                let [train, validation, test] = self.fractions[..] else {
                    bail!("--fractions takes three shares, such as 0.8,0.1,0.1");
                };
                let fractions = Fractions { train, validation, test };
                (Parts::make(&examples, &self.split, fractions, self.split_seed)?, self.split.to_string())
            }
        };
        Ok(Loaded { examples, parts, split })
    }

    /// A name for folders.
    pub fn stem(&self) -> &Path {
        self.table.as_deref().unwrap_or_else(|| Path::new("demo"))
    }
}
