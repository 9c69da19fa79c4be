//! `cupel pgx`: what a drug does in a genotype.

mod audit;
mod encode;
mod evaluate;
mod predict;
mod table;
mod train;
mod tune;

use anyhow::Result;
use clap::Subcommand;

use crate::Ending;

/// Predict what a drug does in a genotype, with the odds, the evidence and an honest "unknown"
#[derive(Subcommand)]
pub enum Command {
    Audit(audit::Arguments),
    Train(train::Arguments),
    Tune(tune::Arguments),
    Evaluate(evaluate::Arguments),
    Predict(predict::Arguments),
    Encode(encode::Arguments),
}

impl Command {
    /// Runs the subcommand.
    pub fn run(self) -> Result<Ending> {
        match self {
            Self::Audit(arguments) => arguments.run(),
            Self::Train(arguments) => arguments.run(),
            Self::Tune(arguments) => arguments.run(),
            Self::Evaluate(arguments) => arguments.run(),
            Self::Predict(arguments) => arguments.run(),
            Self::Encode(arguments) => arguments.run(),
        }
    }
}
