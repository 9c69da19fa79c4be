//! The command line of cupel: the runner of commands, and the commands of its sciences.
//!
//! A science brings a type of arguments for each of its commands, which implements [`Command`]; [`start`] does the rest. See
//! `examples/toy.rs` for a whole program, and CONTRIBUTING.md for the steps.

mod command;
mod config;
mod config_file;
mod cosmology;
mod data;
mod demo;
mod doctor;
mod flags;
mod output;
mod pca;
mod pgx;
mod prism;
mod program;
mod report;
mod resolved;
#[cfg(feature = "remote")]
mod serve;
mod session;
pub mod shared;
mod unmix;

pub use command::{Call, Command};
pub use config::{Alias, Condition};
pub use flags::{Flags, choice, number};
pub use program::{Commands, start};
pub use session::Session;

use anyhow::Result;
use clap::Subcommand;

/// The program `cupel` without its commands.
pub fn program() -> clap::Command {
    clap::Command::new("cupel")
        .version(env!("CARGO_PKG_VERSION"))
        .propagate_version(true)
        .about("Parts a wanted signal from what hides it: deep learning and the classical methods it must beat")
}

/// The commands of `cupel`.
#[derive(Subcommand)]
pub enum Cupel {
    #[command(subcommand)]
    #[allow(missing_docs, reason = "the text is that of the commands, for --help")]
    Cosmology(cosmology::Commands),
    #[command(subcommand)]
    #[allow(missing_docs)]
    Data(data::Commands),
    #[allow(missing_docs)]
    Demo(demo::Arguments),
    #[allow(missing_docs)]
    Doctor(doctor::Arguments),
    #[command(subcommand)]
    #[allow(missing_docs)]
    Pca(pca::Commands),
    #[command(subcommand)]
    #[allow(missing_docs)]
    Pgx(pgx::Commands),
    #[command(subcommand)]
    #[allow(missing_docs)]
    Prism(prism::Commands),
    #[allow(missing_docs)]
    Report(report::Arguments),
    #[cfg(feature = "remote")]
    #[allow(missing_docs)]
    Serve(serve::Arguments),
    #[command(subcommand)]
    #[allow(missing_docs)]
    Unmix(unmix::Commands),
}

impl Commands for Cupel {
    fn aliases() -> Vec<Alias> {
        let own = [("network.use_amp", Some("use-amp")), ("use_mixed_precision", Some("use-amp"))];
        own.into_iter().chain(cosmology::aliases()).chain(prism::aliases()).collect()
    }

    fn conditions() -> Vec<Condition> {
        prism::conditions().collect()
    }

    fn settings_are_input(name: &str) -> bool {
        name.starts_with("prism ")
    }

    fn run(self, call: Call<'_>) -> Result<()> {
        match self {
            Self::Cosmology(command) => command.run(call),
            Self::Data(command) => command.run(call),
            Self::Demo(command) => call.run(command),
            Self::Doctor(command) => call.run(command),
            Self::Pca(command) => command.run(call),
            Self::Pgx(command) => command.run(call),
            Self::Prism(command) => command.run(call),
            Self::Report(command) => call.run(command),
            #[cfg(feature = "remote")]
            Self::Serve(command) => call.run(command),
            Self::Unmix(command) => command.run(call),
        }
    }
}
