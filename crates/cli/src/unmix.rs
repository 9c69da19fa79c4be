//! `cupel unmix`: materials and abundances of hyperspectral scenes.

mod compare;
mod evaluate;
mod prove;
mod run;
mod scene;
mod simulate;

use anyhow::Result;
use clap::Subcommand;

use crate::Call;

/// Unmix hyperspectral scenes: which materials there are, and how much of each is in every pixel
#[derive(Subcommand)]
pub enum Commands {
    Run(Box<run::Arguments>),
    Compare(Box<compare::Arguments>),
    Evaluate(evaluate::Arguments),
    Prove(prove::Arguments),
    Simulate(simulate::Arguments),
}

impl Commands {
    /// Runs the subcommand.
    pub fn run(self, call: Call<'_>) -> Result<()> {
        match self {
            Self::Run(command) => call.run(*command),
            Self::Compare(command) => call.run(*command),
            Self::Evaluate(command) => call.run(command),
            Self::Prove(command) => call.run(command),
            Self::Simulate(command) => call.run(command),
        }
    }
}
