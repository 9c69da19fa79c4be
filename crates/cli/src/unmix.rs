//! `cupel unmix`: materials and abundances of hyperspectral scenes.

mod compare;
mod evaluate;
mod large;
mod mixture;
mod run;
mod scene;
mod simulate;

use anyhow::Result;
use clap::Subcommand;

use crate::Ending;

pub use mixture::MixtureArguments;
pub use run::{Completed, Extractor, Printed, Settings, run_scene};
pub use scene::{Abundance, EndmemberCount, SceneArguments};

/// Unmix hyperspectral scenes: which materials there are, and how much of each is in every pixel
#[derive(Subcommand)]
pub enum Command {
    Run(run::Arguments),
    Compare(compare::Arguments),
    Evaluate(evaluate::Arguments),
    Simulate(simulate::Arguments),
}

impl Command {
    /// Runs the subcommand.
    pub fn run(self) -> Result<Ending> {
        match self {
            Self::Run(arguments) => arguments.run(),
            Self::Compare(arguments) => arguments.run(),
            Self::Evaluate(arguments) => arguments.run(),
            Self::Simulate(arguments) => arguments.run(),
        }
    }
}
