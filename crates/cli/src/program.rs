//! The program around the commands: arguments in, exit codes out.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    env,
    error::Error,
    ffi::OsString,
    panic::{self, AssertUnwindSafe, PanicHookInfo},
    process::ExitCode,
    sync::Mutex,
};

use anyhow::Result;
use clap::{ArgMatches, Command, Subcommand, error::ErrorKind};
use cupel::{settings::Problem, train};

use crate::{
    command::Call,
    config::{self, Alias, Condition, key},
    flags, output,
};

const FAILED: u8 = 1;
const USAGE: u8 = 2;
/// A process stopped by a signal reports this plus the signal's number.
const STOPPED: i32 = 128;

/// The commands of a program.
pub trait Commands: Subcommand {
    /// Keys of older settings files of these sciences, `network.use_amp`, and the flags that they stand for.
    fn aliases() -> Vec<Alias> {
        Vec::new()
    }

    /// Flags that settings files of others have whatever else they say, and that mean something only where another flag has a value: flag, other flag,
    /// value. Elsewhere they are passed over with a word.
    fn conditions() -> Vec<Condition> {
        Vec::new()
    }

    /// Whether a setting out of its range is bad input of the command of this name, as it is in a settings file, with exit code 1; else it is wrong
    /// usage, with 2.
    fn settings_are_input(_: &str) -> bool {
        false
    }

    /// Runs the one that was called, by [`Call::run`].
    ///
    /// # Errors
    /// What the command returns.
    fn run(self, call: Call<'_>) -> Result<()>;
}

/// Where and why the last panic happened, kept until it is known whether anything caught it.
static PANIC: Mutex<Option<String>> = Mutex::new(None);

/// The whole of `main`: `program` with the commands `C`.
pub fn start<C: Commands>(program: Command) -> ExitCode {
    panic::set_hook(Box::new(remember));
    output::show_warnings();
    let program = C::augment_subcommands(program.arg_required_else_help(true).subcommand_required(true));
    match panic::catch_unwind(AssertUnwindSafe(|| run::<C>(program))) {
        Ok(code) => code,
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

fn run<C: Commands>(program: Command) -> ExitCode {
    let mut program = program.mut_subcommands(numbers_may_be_negative);
    let ended = config::layer(&mut program, env::args_os().collect(), &C::aliases(), &C::conditions())
        .and_then(|words| parse::<C>(program.clone(), words));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if output::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let code = tell(&error, &program);
            let unfit = code == USAGE && error.downcast_ref::<clap::Error>().is_some_and(flags::is_unfit);
            let words: Vec<OsString> = env::args_os().collect();
            let input = unfit && C::settings_are_input(&config::leaf(&program, &words).name);
            ExitCode::from(if input { FAILED } else { code })
        }
    }
}

fn parse<C: Commands>(program: Command, words: Vec<OsString>) -> Result<()> {
    let mut program = program;
    let matches = program.try_get_matches_from_mut(&words)?;
    let commands = C::from_arg_matches(&matches).map_err(|error| error.format(&mut program))?;
    let config::Leaf { name, command, .. } = config::leaf(&program, &words);
    commands.run(Call { name: &name, command, matches: innermost(&matches) })
}

fn innermost(matches: &ArgMatches) -> &ArgMatches {
    matches.subcommand().map_or(matches, |(_, inner)| innermost(inner))
}

/// Where a flag takes a value, `-5` is a number and no flag: what is wrong with it is then said of the number.
fn numbers_may_be_negative(command: Command) -> Command {
    command
        .mut_args(|argument| {
            let takes = argument.get_action().takes_values() && argument.get_long().is_some();
            argument.allow_negative_numbers(takes)
        })
        .mut_subcommands(numbers_may_be_negative)
}

/// An error of usage, as the parser of `command` words its own.
pub(crate) fn usage(command: &Command, problem: &str) -> anyhow::Error {
    clap::Error::raw(ErrorKind::ArgumentConflict, format!("{problem}\n")).with_cmd(command).into()
}

/// The signal that ended the work, where one did.
pub(crate) fn stopped(error: &anyhow::Error) -> Option<i32> {
    error.chain().find_map(|cause| cause.downcast_ref::<train::Error>()).and_then(train::Error::stopped)
}

/// Says what went wrong, and gives the exit code for it.
fn tell(error: &anyhow::Error, program: &Command) -> u8 {
    if let Some(error) = error.downcast_ref::<clap::Error>() {
        let _ = error.print(); // a closed stream leaves nobody to tell
        return if error.use_stderr() { USAGE } else { 0 };
    }
    if let Some(signal) = stopped(error) {
        output::complain(sentence(error));
        return u8::try_from(STOPPED + signal).unwrap_or(FAILED);
    }
    let hint = hint(error, program).map_or_else(String::new, |hint| format!(" ({hint})"));
    output::complain(format_args!("error: {}{hint}", sentence(error)));
    FAILED
}

/// The flags that mend what the library, which knows no flags, complains of.
fn hint(error: &anyhow::Error, program: &Command) -> Option<String> {
    error.chain().find_map(|cause| {
        if let Some(problem) = cause.downcast_ref::<Problem>() {
            let flag = all_flags(program).into_iter().find(|flag| flag == problem.name())?;
            return Some(format!("--{flag}"));
        }
        let flags = match cause.downcast_ref::<train::Error>()? {
            train::Error::RunExists { .. } => {
                "--resume goes on with it, --force replaces it, --out names another folder"
            }
            train::Error::OtherCommand { .. }
            | train::Error::SettingsChanged { .. }
            | train::Error::OtherData { .. }
            | train::Error::OtherWork { .. }
            | train::Error::CannotGrow { .. } => "--out names another folder, --force replaces the run",
            train::Error::NotARun { .. } | train::Error::Locked { .. } => "--out names another folder",
            train::Error::AllDamaged { .. } => "--force starts again",
            train::Error::UnknownDevice { .. } | train::Error::DeviceAbsent { .. } => "--device",
            train::Error::PrecisionAbsent { .. } => "--precision",
            train::Error::MatmulPrecisionAbsent { .. } => "--matmul-precision",
            _ => return None,
        };
        Some(flags.to_owned())
    })
}

/// The names of all flags of all commands.
fn all_flags(command: &Command) -> Vec<String> {
    command.get_arguments().map(key).chain(command.get_subcommands().flat_map(all_flags)).collect()
}

/// The chain of causes on one line, up to an error of the library: its message names its own causes.
fn sentence(error: &anyhow::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in error.chain() {
        let part = cause.to_string().trim_end().to_owned();
        // an error that only passes another one on says the same
        if parts.last() != Some(&part) {
            parts.push(part);
        }
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
        || error.is::<train::Error>()
        || error.is::<cupel::tune::Error>()
        || error.is::<cupel::unmixing::Error>()
}

/// A panic that is caught, as in a device probe, must not be heard; one that is not is told by `start`.
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
