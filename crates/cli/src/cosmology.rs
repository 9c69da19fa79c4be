//! `cupel cosmology`: the 21-cm signal under foregrounds thousands of times brighter.

mod by_model;
mod clean;
mod evaluate;
mod input;
mod null;
mod power;
mod simulate;
mod train;

use anyhow::Result;
use clap::Subcommand;
use cupel::cosmology::KEYS;

use crate::{Alias, Call};

/// Simulate skies of the 21-cm line, take their foregrounds off, and measure what is left
#[derive(Subcommand)]
pub enum Commands {
    Simulate(Box<simulate::Arguments>),
    Train(Box<train::Arguments>),
    Clean(Box<clean::Arguments>),
    Power(Box<power::Arguments>),
    Evaluate(Box<evaluate::Arguments>),
    Null(Box<null::Arguments>),
}

impl Commands {
    /// Runs the subcommand.
    pub fn run(self, call: Call<'_>) -> Result<()> {
        match self {
            Self::Simulate(command) => call.run(*command),
            Self::Clean(command) => call.run(*command),
            Self::Power(command) => call.run(*command),
            Self::Evaluate(command) => call.run(*command),
            Self::Null(command) => call.run(*command),
            Self::Train(command) => call.run(*command),
        }
    }
}

/// The keys of the original's settings files, and the flags of today: the name that the setting has in the library, and that of `pca`.
pub fn aliases() -> impl Iterator<Item = Alias> {
    KEYS.iter().flat_map(|(key, setting)| {
        let of_pca = match *setting {
            Some("n-fg") => Some("modes"),
            Some("pca-components-path") => Some("components"),
            _ => None,
        };
        std::iter::once((*key, *setting)).chain(of_pca.map(|flag| (*key, Some(flag))))
    })
}
