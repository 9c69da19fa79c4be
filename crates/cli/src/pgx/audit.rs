//! `cupel pgx audit`: what a split gives away.

use std::fmt;

use anyhow::Result;
use clap::Args;
use cupel::{pharmacogenomics::Leakage, settings::Settings};
use serde::Serialize;

use super::table::{Source, refuse};
use crate::{
    Command, Session,
    shared::{Output, Shared},
};

/// Measure how much of the held-out parts training has already seen, and refuse a split that leaks
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    source: Source,

    /// Fields whose held-out values must not be known in training (for cold starts)
    #[arg(long, value_name = "FIELDS", value_delimiter = ',', help_heading = "Audit")]
    cold: Vec<String>,

    /// Report on a split that leaks, and exit with 0
    #[arg(long, help_heading = "Audit")]
    allow_leakage: bool,

    #[command(flatten)]
    output: Output,
}

/// A split and its leakage.
#[derive(Serialize)]
pub struct Audited {
    split: String,
    #[serde(flatten)]
    leakage: Leakage,
    #[serde(skip)]
    allowed: bool,
}

impl Command for Arguments {
    type Plan = Audited;
    type Outcome = Audited;

    fn shared(&self) -> Shared<'_> {
        Shared::new(&self.output)
    }

    fn unused(&self) -> Vec<(String, String)> {
        self.source.split.settings.unused()
    }

    fn plan(&self, _: &Session) -> Result<Audited> {
        let cold: Vec<&str> = self.cold.iter().map(String::as_str).collect();
        let (examples, parts) = self.source.load(&cold)?;
        let leakage = Leakage::of(&examples, &parts, &self.cold)?;
        Ok(Audited { split: self.source.split.settings.name(), leakage, allowed: self.allow_leakage })
    }

    fn work(self, plan: Audited, _: &mut Session) -> Result<Audited> {
        Ok(plan)
    }

    fn verdict(audited: &Audited) -> Result<()> {
        refuse(&audited.leakage, audited.allowed)
    }
}

impl fmt::Display for Audited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "split {}: {}", self.split, self.leakage)
    }
}
