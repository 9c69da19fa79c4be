//! What the user sees: the result on standard output, everything else on standard error.

use std::{
    collections::BTreeSet,
    fmt::Display,
    io::{self, Write},
    sync::Mutex,
};

use anyhow::Result;
use serde::Serialize;

use crate::shared;

/// Where the words of a command go.
///
/// Nothing here panics when a stream is closed, as `println!` would.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    json: bool,
    quiet: bool,
}

impl Output {
    /// The streams as `--json` and `--quiet` want them.
    pub fn new(output: &shared::Output) -> Self {
        Self { json: output.json, quiet: output.quiet }
    }

    /// Whether nothing but errors is wanted.
    pub fn is_quiet(self) -> bool {
        self.quiet
    }

    /// A remark on standard error; `--quiet` silences it.
    pub fn note(self, message: impl Display) {
        if !self.quiet {
            complain(message);
        }
    }

    /// The result: its JSON form with `--json`, else its words.
    ///
    /// # Errors
    /// When standard output cannot be written; a closed pipe is found again by [`is_closed_pipe`].
    pub fn result<T: Display + Serialize>(self, result: &T) -> Result<()> {
        let text = match (self.json, self.quiet) {
            (true, _) => serde_json::to_string(result)?,
            (false, true) => return Ok(()),
            (false, false) => result.to_string(),
        };
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{}", text.trim_end())?;
        stdout.flush()?;
        Ok(())
    }
}

/// A line on standard error, whatever `--quiet` says.
pub fn complain(message: impl Display) {
    // A closed standard error leaves nobody to tell.
    let _ = writeln!(io::stderr(), "{message}");
}

/// What libraries warn of, each once, on standard error whatever `--quiet` says: a file that may be damaged is no remark.
struct Warnings(Mutex<BTreeSet<String>>);

static WARNINGS: Warnings = Warnings(Mutex::new(BTreeSet::new()));

impl log::Log for Warnings {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Warn && metadata.target().starts_with("cupel")
    }

    fn log(&self, record: &log::Record<'_>) {
        let text = record.args().to_string();
        if self.enabled(record.metadata()) && self.0.lock().is_ok_and(|mut told| told.insert(text.clone())) {
            complain(format_args!("warning: {text}"));
        }
    }

    fn flush(&self) {}
}

/// Shows the user what libraries warn of.
pub fn show_warnings() {
    // A program around this one may have its own way.
    if log::set_logger(&WARNINGS).is_ok() {
        log::set_max_level(log::LevelFilter::Warn);
    }
}

/// True when the reader of our output has gone (`cupel .. | head`): not a failure of ours.
pub fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        let json = cause.downcast_ref::<serde_json::Error>().and_then(serde_json::Error::io_error_kind);
        io.or(json) == Some(io::ErrorKind::BrokenPipe)
    })
}
