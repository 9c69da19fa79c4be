//! `cupel pca`: components computed once, exactly, saved, and applied.

mod apply;
mod fit;
mod input;

pub use input::modes;
mod validate;

use anyhow::Result;
use clap::Subcommand;

use crate::Call;

/// Principal components along one axis: computed once and exactly, saved, and taken out of data
#[derive(Subcommand)]
pub enum Commands {
    Fit(Box<fit::Arguments>),
    Apply(Box<apply::Arguments>),
    Validate(Box<validate::Arguments>),
}

impl Commands {
    /// Runs the subcommand.
    pub fn run(self, call: Call<'_>) -> Result<()> {
        match self {
            Self::Fit(command) => call.run(*command),
            Self::Apply(command) => call.run(*command),
            Self::Validate(command) => call.run(*command),
        }
    }
}
