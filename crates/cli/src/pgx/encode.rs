//! `cupel pgx encode`: a table of any length as files of ids.

use std::{fmt, path::PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use cupel::pharmacogenomics::encode_file;
use serde::Serialize;

use super::table::TableArguments;
use crate::{Ending, options::Options, output::Output};

/// Encode a table of any length as NPY files of ids, in memory that depends on its names and not on its rows
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    table: TableArguments,

    #[command(flatten)]
    options: Options,
}

/// What `encode` prints.
#[derive(Serialize)]
struct Printed {
    rows: u64,
    names: Vec<(String, usize)>,
    out: PathBuf,
}

impl Arguments {
    /// Encodes.
    ///
    /// # Errors
    /// A table that cannot be read, a folder that cannot be written.
    pub fn run(self) -> Result<Ending> {
        self.options.apply()?;
        let path = self.table.table.as_deref().context("encode takes a table: --table FILE")?;
        let Some(out) = self.options.out.clone() else { bail!("encode writes a folder: --out DIR") };
        if out.exists() && !self.options.force {
            bail!("{} is there already; replace its files with --force", out.display());
        }
        let schema = self.table.schema()?;
        let (encoder, rows) = encode_file(path, &schema, self.table.split_column.as_deref(), &out)?;
        let named = |(field, settings): (usize, &cupel::pharmacogenomics::Field)| {
            Some((settings.name.clone(), encoder.vocabulary(field)?.len()))
        };
        let names = schema.fields.iter().enumerate().filter_map(named).collect();
        let fields: Vec<(&str, _)> =
            schema.fields.iter().map(|field| field.name.as_str()).zip(encoder.record()).collect();
        let text = serde_json::to_vec(&fields)?;
        let path = out.join("names.json");
        cupel::data::write_atomic(&path, |file| file.write_all(&text).map_err(cupel::data::Error::io("write", &path)))?;
        Output::new(&self.options).result(&Printed { rows, names, out })?;
        Ok(Ending::Done)
    }
}

impl fmt::Display for Printed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} rows in {}", self.rows, self.out.display())?;
        self.names.iter().try_for_each(|(field, count)| writeln!(f, "  {field:<24}{count} names"))
    }
}
