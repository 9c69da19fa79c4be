//! What can go wrong with spaces, studies and their journals.

use crate::Failure;
use std::{io, path::PathBuf};

/// `std::result::Result` with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Every failure of this crate; the text says what was being done, where, what was expected and how to fix it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    #[error("could not {action} {}: {}", path.display(), reason(source))]
    Io {
        /// What was being done, as in "could not *read* study.journal".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
    /// A parameter of a space contradicts itself.
    #[error("parameter `{parameter}`: {problem}; {fix}")]
    Parameter {
        /// Its name.
        parameter: String,
        /// What is wrong.
        problem: String,
        /// How to put it right.
        fix: &'static str,
    },
    /// A setting of the sampler, the pruner or the study is out of its range.
    #[error("setting `{setting}` is {got}; expected {expected}")]
    Setting {
        /// Its name.
        setting: &'static str,
        /// The value given.
        got: String,
        /// What it may be.
        expected: String,
    },
    /// The space has more parameters than the Sobol table has dimensions.
    #[error("the space has {parameters} parameters, but Sobol points have at most {most} here; use random or tpe")]
    TooManyDimensions {
        /// Parameters of the space.
        parameters: usize,
        /// Dimensions of the table.
        most: usize,
    },
    /// The trial has no parameter of that name, or of another kind.
    #[error(
        "trial {number}: parameter `{parameter}` was asked for as {wanted}, but it is {got}; take the name and the kind from the space"
    )]
    Value {
        /// Number of the trial.
        number: usize,
        /// The name asked for.
        parameter: String,
        /// The kind asked for.
        wanted: &'static str,
        /// What is there.
        got: String,
    },
    /// A value that was enqueued is not one the space allows.
    #[error("cannot enqueue `{parameter}` = {value}: {problem}; enqueue values of the space")]
    Enqueue {
        /// Its name.
        parameter: String,
        /// The value.
        value: String,
        /// Why it does not fit.
        problem: &'static str,
    },
    /// A line of the journal is not what Optuna's format says.
    #[error("{}, line {line}: {problem}; the journal was damaged or written by another format: restore a copy, or start a new study file", path.display())]
    Journal {
        /// The journal.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// The journal lost lines that had been read from it.
    #[error(
        "{}: the journal shrank from {read} to {found} bytes while the study was open; journals only grow: restore it and open the study again",
        path.display()
    )]
    JournalShrank {
        /// The journal.
        path: PathBuf,
        /// Bytes read before.
        read: u64,
        /// Bytes that are there now.
        found: u64,
    },
    /// Others held the lock of the journal for too long, one after the other.
    #[error(
        "{}: the journal was locked by others for {waited_s} s, last by {holder}; if no process uses it, delete this file and try again",
        lock.display()
    )]
    LockBusy {
        /// The lock file.
        lock: PathBuf,
        /// Seconds waited.
        waited_s: u64,
        /// Who holds it.
        holder: String,
    },
    /// This process was stopped for so long that others took its lock away before it had written.
    #[error(
        "{}: this process was stopped while it had the lock, and others took it away; nothing was written: try again",
        lock.display()
    )]
    LockLost {
        /// The lock file.
        lock: PathBuf,
    },
    /// The journal holds no study of this name.
    #[error("{}: there is no study `{name}` here (there are: {found}); check the name", path.display())]
    NoStudy {
        /// The journal.
        path: PathBuf,
        /// The name asked for.
        name: String,
        /// The names that are there.
        found: String,
    },
    /// The study in the journal has other objectives.
    #[error(
        "study `{name}` has the objectives {found}, but {wanted} were asked for; ask for the same, or choose another name"
    )]
    Objectives {
        /// Name of the study.
        name: String,
        /// What the journal says.
        found: String,
        /// What was asked for.
        wanted: String,
    },
    /// The study searches something else.
    #[error(
        "study `{name}` searches something else: {}; go on with the same, or start another study",
        differences.join("; ")
    )]
    Described {
        /// Name of the study.
        name: String,
        /// What differs, with the value of the study and the one that was asked for.
        differences: Vec<String>,
    },
    /// The study has another kind of parameter under this name.
    #[error(
        "study `{name}`: parameter `{parameter}` is {found} in earlier trials, but {wanted} in this space; rename it, or start another study"
    )]
    Incompatible {
        /// Name of the study.
        name: String,
        /// Name of the parameter.
        parameter: String,
        /// Its distribution in the journal.
        found: String,
        /// Its distribution in the space.
        wanted: String,
    },
    /// Something was asked of a study that its number of objectives does not allow.
    #[error("{what}: expected {expected}, got {got}")]
    WrongObjectives {
        /// What was being done.
        what: &'static str,
        /// The number or name expected.
        expected: String,
        /// What was given.
        got: String,
    },
    /// The trial is no longer this worker's: others took it for dead and gave it away, or it was finished.
    #[error(
        "trial {number} of study `{name}` is already {state}; its worker was silent for longer than the grace period, or it was told twice: drop the result"
    )]
    TrialGone {
        /// Name of the study.
        name: String,
        /// Number of the trial.
        number: usize,
        /// The state that the journal says it has.
        state: &'static str,
    },
    /// There are too few finished trials for what was asked.
    #[error("study `{name}` has {found} {what}; expected at least {expected}: run more trials{}", after(failure))]
    TooFewTrials {
        /// Name of the study.
        name: String,
        /// How many there are.
        found: usize,
        /// Of which kind.
        what: &'static str,
        /// How many are needed.
        expected: usize,
        /// The last trial that failed.
        failure: Option<Failure>,
    },
}

/// A full disk in words that say how to go on; anything else as the system words it.
fn reason(source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::StorageFull => "no space left on the disk; free some and go on with the same study".into(),
        _ => source.to_string(),
    }
}

fn after(failure: &Option<Failure>) -> String {
    failure.as_ref().map_or_else(String::new, |last| format!("; trial {} failed: {}", last.number, last.reason))
}

impl Error {
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }

    pub(crate) fn setting(setting: &'static str, got: impl ToString, expected: impl ToString) -> Self {
        Self::Setting { setting, got: got.to_string(), expected: expected.to_string() }
    }
}
