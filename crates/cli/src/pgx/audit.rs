//! `cupel pgx audit`: what a split gives away.

use std::fmt;

use anyhow::Result;
use clap::Args;
use cupel::pharmacogenomics::{Leakage, Shared};
use serde::Serialize;

use super::table::TableArguments;
use crate::{Ending, options::Options, output::Output};

/// Measure how much of the held-out parts training has already seen, and refuse a split that leaks
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    table: TableArguments,

    /// Fields whose held-out values must not be known in training (for cold starts)
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    cold: Vec<String>,

    /// Report on a split that leaks, and exit with 0
    #[arg(long)]
    allow_leakage: bool,

    #[command(flatten)]
    options: Options,
}

/// What `audit` prints.
#[derive(Serialize)]
struct Printed {
    split: String,
    #[serde(flatten)]
    leakage: Leakage,
}

impl Arguments {
    /// Audits.
    ///
    /// # Errors
    /// A table that cannot be read; a split that leaks, unless that is allowed.
    pub fn run(self) -> Result<Ending> {
        self.options.apply()?;
        let cold: Vec<&str> = self.cold.iter().map(String::as_str).collect();
        let loaded = self.table.load(&self.table.schema()?, &cold)?;
        let leakage = Leakage::of(&loaded.examples, &loaded.parts, &self.cold)?;
        let refusal = leakage.refuse();
        Output::new(&self.options).result(&Printed { split: loaded.split, leakage })?;
        if !self.allow_leakage {
            refusal?;
        }
        Ok(Ending::Done)
    }
}

impl fmt::Display for Printed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [train, val, test, dropped] = self.leakage.rows;
        writeln!(f, "split {}: {train} train, {val} val, {test} test, {dropped} in no part", self.split)?;
        for (part, shared) in [("val", &self.leakage.val), ("test", &self.leakage.test)] {
            let Some(Shared { group, pair, all_fields, fields }) = shared else { continue };
            writeln!(f, "share of the {part} rows that train knows by")?;
            writeln!(f, "  {:<24}{group:.3}", self.leakage.unit)?;
            if let Some(pair) = pair {
                writeln!(f, "  {:<24}{pair:.3}", "drug and allele")?;
            }
            writeln!(f, "  {:<24}{all_fields:.3}", "all fields together")?;
            for (field, share) in fields {
                writeln!(f, "  {field:<24}{share:.3}")?;
            }
        }
        if self.leakage.test_in_val > 0.0 {
            let share = 100.0 * self.leakage.test_in_val;
            writeln!(f, "{share:.1} % of the test rows have a row of the same {} in val", self.leakage.unit)?;
        }
        writeln!(f, "{}", if self.leakage.leaky { "this split leaks" } else { "no leak" })
    }
}
