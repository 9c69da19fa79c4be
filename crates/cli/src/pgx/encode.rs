//! `cupel pgx encode`: a table of any length as files of ids.

use std::{fmt, path::PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use cupel::pharmacogenomics::{Schema, encode_file};
use serde::Serialize;

use super::table::Columns;
use crate::{
    Command, Session,
    shared::{Out, Output, Shared},
};

/// Encode a table of any length as NPY files of ids, in memory that depends on its names and not on its rows
#[derive(Args)]
pub struct Arguments {
    /// The table: TSV, CSV or their kin, with a header
    #[arg(long, value_name = "FILE", help_heading = "Table")]
    table: PathBuf,

    #[command(flatten)]
    columns: Columns,

    /// Column that says train, val, test or drop; names come from the rows that say train [default: from all rows]
    #[arg(long, value_name = "COLUMN", help_heading = "Table")]
    split_column: Option<String>,

    #[command(flatten)]
    out: Out,

    #[command(flatten)]
    output: Output,
}

/// What is read, and where its ids go.
#[derive(Serialize)]
pub struct Plan {
    table: PathBuf,
    out: PathBuf,
    #[serde(skip)]
    schema: Schema,
}

/// What was written.
#[derive(Serialize)]
pub struct Encoded {
    rows: u64,
    names: Vec<(String, usize)>,
    out: PathBuf,
}

impl Command for Arguments {
    type Plan = Plan;
    type Outcome = Encoded;

    fn shared(&self) -> Shared<'_> {
        Shared::new(&self.output).out(&self.out)
    }

    fn plan(&self, session: &Session) -> Result<Plan> {
        let out = session.out().context("encode writes a folder: --out DIR")?.to_path_buf();
        session.may_write(&out)?;
        Ok(Plan { schema: self.columns.schema(Some(&self.table))?, table: self.table.clone(), out })
    }

    fn work(self, Plan { table, out, schema }: Plan, _: &mut Session) -> Result<Encoded> {
        let (encoder, rows) = encode_file(&table, &schema, self.split_column.as_deref(), &out)?;
        let names = schema.fields.iter().enumerate();
        let names = names.filter_map(|(i, field)| Some((field.name.clone(), encoder.vocabulary(i)?.len()))).collect();
        let fields: Vec<_> = schema.fields.iter().map(|field| field.name.as_str()).zip(encoder.record()).collect();
        let text = serde_json::to_vec(&fields)?;
        let path = out.join("names.json");
        cupel::data::write_atomic(&path, |file| file.write_all(&text).map_err(cupel::data::Error::io("write", &path)))?;
        Ok(Encoded { rows, names, out })
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} would become files of ids in {}", self.table.display(), self.out.display())
    }
}

impl fmt::Display for Encoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} rows in {}", self.rows, self.out.display())?;
        self.names.iter().try_for_each(|(field, count)| writeln!(f, "  {field:<24}{count} names"))
    }
}
