//! `cupel pgx`: what a drug does in a genotype.

mod audit;
mod encode;
mod evaluate;
mod predict;
mod report;
mod table;
mod train;
mod tune;

use anyhow::Result;
use clap::Subcommand;

use crate::Call;

/// Predict what a drug does in a genotype, with the odds, the evidence and an honest "unknown"
#[derive(Subcommand)]
pub enum Commands {
    Audit(audit::Arguments),
    Train(Box<train::Arguments>),
    Tune(Box<tune::Arguments>),
    Evaluate(evaluate::Arguments),
    Predict(predict::Arguments),
    Report(report::Arguments),
    Encode(encode::Arguments),
}

impl Commands {
    pub fn run(self, call: Call<'_>) -> Result<()> {
        match self {
            Self::Audit(command) => call.run(command),
            Self::Train(command) => call.run(*command),
            Self::Tune(command) => call.run(*command),
            Self::Evaluate(command) => call.run(command),
            Self::Predict(command) => call.run(command),
            Self::Report(command) => call.run(command),
            Self::Encode(command) => call.run(command),
        }
    }
}
