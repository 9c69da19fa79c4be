//! The `cupel` binary: arguments in, calls of the library, exit codes out.

mod config;
mod config_file;
mod data;
mod demo;
mod doctor;
mod folder;
mod options;
mod output;
mod pgx;
mod report;
#[cfg(feature = "remote")]
mod serve;
mod unmix;

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    env,
    error::Error,
    panic::{self, PanicHookInfo},
    path::PathBuf,
    process::ExitCode,
    sync::Mutex,
};

use anyhow::Result;
use clap::{CommandFactory, Parser, Subcommand};

/// Tensors come and go in large blocks, which are used again.
#[global_allocator]
static MEMORY: cupel::kernels::Recycling = cupel::kernels::Recycling::new();

/// Parts a wanted signal from what hides it: deep learning and the classical methods it must beat.
#[derive(Parser)]
#[command(name = "cupel", version, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    #[command(subcommand)]
    Data(data::Command),
    Demo(demo::Arguments),
    Doctor(doctor::Arguments),
    #[command(subcommand)]
    Pgx(Box<pgx::Command>),
    Report(report::Arguments),
    #[cfg(feature = "remote")]
    Serve(serve::Arguments),
    #[command(subcommand)]
    Unmix(unmix::Command),
}

impl Command {
    fn run(self) -> Result<Ending> {
        match self {
            Self::Data(command) => command.run(),
            Self::Demo(arguments) => arguments.run(),
            Self::Doctor(arguments) => arguments.run(),
            Self::Pgx(command) => command.run(),
            Self::Report(arguments) => arguments.run(),
            #[cfg(feature = "remote")]
            Self::Serve(arguments) => arguments.run(),
            Self::Unmix(command) => command.run(),
        }
    }
}

/// How a command that did not fail came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Everything asked for is done.
    Done,
}

const FAILED: u8 = 1;
const USAGE: u8 = 2;
/// A process stopped by a signal reports this plus the signal's number.
const STOPPED: i32 = 128;

/// Where and why the last panic happened, kept until it is known whether anything caught it.
static PANIC: Mutex<Option<String>> = Mutex::new(None);

fn main() -> ExitCode {
    panic::set_hook(Box::new(remember));
    match panic::catch_unwind(run) {
        Ok(Ok(code)) => code,
        Ok(Err(error)) if output::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Ok(Err(error)) if let Some((signal, dir)) = stopped(&error) => {
            if let Some(dir) = dir {
                output::complain(format_args!("stopped and saved; go on with --resume --out {}", dir.display()));
            }
            u8::try_from(STOPPED + signal).map_or(ExitCode::FAILURE, ExitCode::from)
        }
        Ok(Err(error)) => {
            output::complain(format_args!("error: {}", sentence(&error)));
            ExitCode::from(FAILED)
        }
        Err(_) => {
            let place = PANIC.lock().ok().and_then(|mut place| place.take()).unwrap_or_default();
            output::complain(format_args!(
                "error: a fault in cupel itself, {place}\nPlease report it with the command and this message: {}/issues",
                env!("CARGO_PKG_REPOSITORY")
            ));
            ExitCode::from(FAILED)
        }
    }
}

fn run() -> Result<ExitCode> {
    let arguments = config::layer(&mut Cli::command(), env::args_os().collect())?;
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print(); // a closed stream leaves nobody to tell
            return Ok(if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS });
        }
    };
    let Ending::Done = cli.command.run()?;
    Ok(ExitCode::SUCCESS)
}

/// The signal that ended a command, and the folder of the run.
fn stopped(error: &anyhow::Error) -> Option<(i32, Option<PathBuf>)> {
    error.chain().find_map(|cause| match cause.downcast_ref()? {
        cupel::train::Error::Stopped { signal, dir } => Some((*signal, dir.clone())),
        _ => None,
    })
}

/// The chain of causes on one line, up to an error of the library: its message names its own causes.
fn sentence(error: &anyhow::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in error.chain() {
        parts.push(cause.to_string().trim_end().to_owned());
        if is_whole(cause) {
            break;
        }
    }
    parts.join(": ")
}

fn is_whole(error: &(dyn Error + 'static)) -> bool {
    error.is::<cupel::data::Error>()
        || error.is::<cupel::pharmacogenomics::Error>()
        || error.is::<cupel::report::Error>()
        || error.is::<cupel::train::Error>()
        || error.is::<cupel::unmixing::Error>()
}

/// A panic that is caught, as in a device probe, must not be heard; one that is not is told by `main`.
fn remember(info: &PanicHookInfo<'_>) {
    let mut text = info.to_string();
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        text = format!("{text}\n{backtrace}");
    }
    if let Ok(mut place) = PANIC.lock() {
        *place = Some(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn causes_are_said_up_to_an_error_of_the_library() {
        let missing = || std::io::Error::from(std::io::ErrorKind::NotFound);
        let error = anyhow::Error::from(missing()).context("reading a.toml");
        assert_eq!(sentence(&error), "reading a.toml: entity not found");

        let error = cupel::data::open("no such file").expect_err("there is none");
        let message = error.to_string();
        assert!(error.source().is_some());
        assert_eq!(sentence(&anyhow::Error::from(error).context("opening")), format!("opening: {message}"));
    }
}
