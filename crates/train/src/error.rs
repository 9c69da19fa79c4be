//! What can go wrong with devices, run folders, checkpoints and the loop.

use crate::Change;
use std::{
    io,
    path::{Path, PathBuf},
};

/// `std::result::Result` with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Every failure of this crate; the text says what was being done, where, what was expected and how to fix it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    #[error("could not {action} {}: {source}", path.display())]
    Io {
        /// What was being done, as in "could not *read* manifest.json".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
    /// Files, arrays or random streams failed.
    #[error(transparent)]
    Data(#[from] cupel_data::Error),
    /// The work that was being driven failed; wrap its error with [`Error::work`].
    #[error(transparent)]
    Work(Box<dyn std::error::Error + Send + Sync>),
    /// A value has no JSON or TOML form, or a file has none.
    #[error("could not {action} {what}: {source}")]
    Encoding {
        /// What was being done.
        action: &'static str,
        /// The value or file.
        what: String,
        /// What the encoder found.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// A signal ended the work after its state was saved.
    #[error("stopped by signal {signal}{}", saved_in(dir.as_deref()))]
    Stopped {
        /// Its number.
        signal: i32,
        /// Where the run can be resumed; `None` for work that is in no folder.
        dir: Option<PathBuf>,
    },

    /// A device request that is none of the known forms.
    #[error(
        "unknown device `{request}`; expected auto, cpu, flex, ndarray, cuda[:N], wgpu[:N], vulkan[:N] or remote:ws://HOST:PORT"
    )]
    UnknownDevice {
        /// What was asked for.
        request: String,
    },
    /// The backend of the device asked for is not in this build.
    #[error(
        "device `{request}`: this build has no {kind} backend (it has: {compiled}); rebuild with --features {kind}, or choose a device that is there"
    )]
    NotCompiled {
        /// What was asked for.
        request: String,
        /// The backend, which is also the name of the feature.
        kind: &'static str,
        /// The backends that are there.
        compiled: String,
    },
    /// The device asked for is not on this machine, or does not compute.
    #[error(
        "device `{request}` does not work: {reason} (found: {found}); use the device auto or cpu, or repair the driver"
    )]
    DeviceAbsent {
        /// What was asked for.
        request: String,
        /// What happened.
        reason: String,
        /// The devices of this kind that are there.
        found: String,
    },
    /// The build has no backend that can compute.
    #[error(
        "no device: this build has no backend; rebuild with --features flex (pure Rust, CPU), or with cuda, wgpu, vulkan or ndarray"
    )]
    NoBackend,
    /// No compiled device computes.
    #[error("no device works: {reasons}")]
    NoDevice {
        /// Each device with what happened.
        reasons: String,
    },

    /// The folder holds something already.
    #[error("{}: this folder already holds a run; resume it, replace it, or choose another folder", dir.display())]
    RunExists {
        /// The folder.
        dir: PathBuf,
    },
    /// The folder is not empty and no run, so that nothing in it may be replaced.
    #[error(
        "{}: this folder is not empty and not a run of cupel (no {missing}), so that it is neither replaced nor resumed; choose another folder, or empty it yourself",
        dir.display()
    )]
    NotARun {
        /// The folder.
        dir: PathBuf,
        /// The file that a run would have.
        missing: &'static str,
    },
    /// Another process works in the folder.
    #[error("{}: process {pid} is working in this folder; wait for it, stop it, or choose another folder", dir.display())]
    Locked {
        /// The folder.
        dir: PathBuf,
        /// The process that holds the lock, as it wrote itself down.
        pid: String,
    },
    /// The run in the folder is one of another command.
    #[error(
        "{}: this folder holds a run of `{found}`, not of `{expected}`; choose another folder, or replace the run",
        dir.display()
    )]
    OtherCommand {
        /// The folder.
        dir: PathBuf,
        /// The command that the run was started by.
        found: String,
        /// The command at hand.
        expected: String,
    },
    /// The run in the folder was started with other settings.
    #[error(
        "{}: the run was started with other settings: {}; resume it with those, replace it, or choose another folder",
        dir.display(),
        listed(changes)
    )]
    SettingsChanged {
        /// The folder.
        dir: PathBuf,
        /// The settings that differ.
        changes: Vec<Change>,
    },
    /// The run in the folder was started with other data.
    #[error(
        "{}: the data of `{input}` ({after}) are not those the run was started with ({before}): their content differs; resume it with its own data, replace it, or choose another folder",
        dir.display()
    )]
    OtherData {
        /// The folder.
        dir: PathBuf,
        /// Name of the data.
        input: String,
        /// Where the data of the run were.
        before: String,
        /// Where those at hand are.
        after: String,
    },
    /// More is asked for than the work can add to what is done.
    #[error(
        "{}: `{work}` cannot go on with {}, because what is done depends on it; resume the run as it was, replace it, or choose another folder",
        dir.display(),
        listed(changes)
    )]
    CannotGrow {
        /// The folder.
        dir: PathBuf,
        /// Name of the work.
        work: String,
        /// The settings that ask for more.
        changes: Vec<Change>,
    },

    /// A checkpoint cannot be trusted.
    #[error("checkpoint {}: {problem}", dir.display())]
    Damaged {
        /// The folder of the set.
        dir: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// There are checkpoints, but none can be trusted.
    #[error(
        "{}: none of the {count} checkpoints is intact, the newest: {newest}; replace the run, or restore the files",
        root.display()
    )]
    AllDamaged {
        /// The folder of the sets.
        root: PathBuf,
        /// How many there are.
        count: usize,
        /// What is wrong with the newest.
        newest: String,
    },
    /// The checkpoint belongs to other work, though settings and data are those of the run.
    #[error(
        "checkpoint {}: the settings and data of `{work}` are those the run was started with, and still it is other work: the version of the program or its code differ; go on with the version in environment.json, replace the run, or choose another folder",
        dir.display()
    )]
    OtherWork {
        /// The folder of the set.
        dir: PathBuf,
        /// Name of the work.
        work: String,
    },
    /// A set has no entry of this name.
    #[error("checkpoint {} has no entry `{name}` (it has: {have})", dir.display())]
    MissingEntry {
        /// The folder of the set.
        dir: PathBuf,
        /// The name asked for.
        name: String,
        /// The names that are there.
        have: String,
    },
    /// A name that cannot be a file name on every system, or is taken.
    #[error(
        "`{name}` cannot name {what}: {problem}; use letters, digits, `-`, `_` and `.`, at most 100, not starting with `.`"
    )]
    Name {
        /// What should get the name.
        what: &'static str,
        /// The name.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Weights that Burn could not write or read.
    #[error("could not {action} {what}: {source}")]
    Record {
        /// What was being done.
        action: &'static str,
        /// The entry or file.
        what: String,
        /// What Burn found.
        source: burn::store::RecordError,
    },
    /// Weights that belong to another model.
    #[error("{what} does not fit this model; {problem}; use the model settings it was made with, or start again")]
    OtherModel {
        /// The checkpoint or file.
        what: String,
        /// What differs, parameter by parameter.
        problem: String,
    },
    /// The device failed while it computed.
    #[error("could not {action}: {problem}")]
    Device {
        /// What was being done.
        action: &'static str,
        /// What the device said.
        problem: String,
    },
    /// A precision that the device does not compute with.
    #[error("precision {asked}: this device does not compute with it (it has: {there}); use one of those, or auto")]
    PrecisionAbsent {
        /// What was asked for.
        asked: &'static str,
        /// What the device has.
        there: String,
    },
    /// A device whose products of f32 may be rounded to TF32.
    #[error(
        "matmul precision highest: on {device} Burn may take products with TF32 and has no switch against it; use high, or a device of another kind"
    )]
    MatmulPrecisionAbsent {
        /// The device chosen.
        device: String,
    },
    /// A loss or gradient is not finite.
    #[error(
        "update {update} (epoch {epoch}, step {step}): the loss is {loss}, the first parameter with a gradient that is not finite: {first}, the last, where the backward pass met it first: {origin}; learning rate {learning_rate}, last losses: {losses}; lower the learning rate, clip the gradients, or look at the input of that step ({skipped} updates were left out before)"
    )]
    NotFinite {
        /// The update, counted from 1.
        update: u64,
        /// Its epoch within the stage, counted from 0.
        epoch: u64,
        /// Its first step within the epoch, counted from 0.
        step: u64,
        /// The loss.
        loss: f64,
        /// Path of the first parameter, in the order of the model, with such a gradient.
        first: String,
        /// Path of the last one.
        origin: String,
        /// Learning rate of the update.
        learning_rate: f64,
        /// Losses before, newest first.
        losses: String,
        /// Updates left out before by policy.
        skipped: u64,
    },
    /// A weight is not finite, found before it was saved.
    #[error(
        "`{parameter}` is not finite, so that nothing was saved; resume from the last checkpoint with a lower learning rate or clipped gradients"
    )]
    WeightsNotFinite {
        /// Path of the first such parameter.
        parameter: String,
    },
    /// No scale of the loss keeps the gradients finite.
    #[error(
        "{overflows} updates in a row overflowed half floats, the last at loss scale {scale}; use the precision bf16 or f32, or lower the learning rate"
    )]
    ScalerGaveUp {
        /// Updates in a row that overflowed.
        overflows: u32,
        /// The scale by then.
        scale: f64,
    },
    /// The number that decides about the best weights is none.
    #[error("`{metric}` is {value}: it cannot decide which weights are the best; look at what it is computed from")]
    WatchNotFinite {
        /// Its name.
        metric: String,
        /// Its value.
        value: f64,
    },
    /// The number that decides about the best weights is not given.
    #[error("no number `{metric}` to decide which weights are the best (there are: {have}); set `watch.metric` to one")]
    WatchMissing {
        /// The name asked for.
        metric: String,
        /// The numbers that are there.
        have: String,
    },
    /// A setting that cannot be.
    #[error("{name} = {got}: expected {expected}")]
    Setting {
        /// Name of the setting.
        name: &'static str,
        /// What was given.
        got: String,
        /// What would be right.
        expected: &'static str,
    },
}

impl Error {
    /// An error of the work being driven, kept as the source; a stop somewhere in its chain of sources stays a stop.
    pub fn work(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let source = source.into();
        match stopped(&*source) {
            Some(Self::Stopped { signal, dir }) => Self::Stopped { signal: *signal, dir: dir.clone() },
            _ => Self::Work(source),
        }
    }

    /// The signal, where this is a stop.
    pub fn stopped(&self) -> Option<i32> {
        match stopped(self) {
            Some(Self::Stopped { signal, .. }) => Some(*signal),
            _ => None,
        }
    }

    /// For `map_err` on file operations.
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }

    /// For `map_err` on Burn's records.
    pub(crate) fn record(
        action: &'static str,
        what: impl Into<String>,
    ) -> impl FnOnce(burn::store::RecordError) -> Self {
        let what = what.into();
        move |source| Self::Record { action, what, source }
    }

    /// For `map_err` on what a device computes.
    pub(crate) fn device<E: std::fmt::Display>(action: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Device { action, problem: source.to_string() }
    }

    /// For `map_err` on encoders and decoders.
    pub(crate) fn encoding<E: std::error::Error + Send + Sync + 'static>(
        action: &'static str,
        what: impl Into<String>,
    ) -> impl FnOnce(E) -> Self {
        let what = what.into();
        move |source| Self::Encoding { action, what, source: Box::new(source) }
    }
}

/// The stop in a chain of sources.
fn stopped<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Error> {
    std::iter::successors(Some(error), |error| error.source())
        .filter_map(|error| error.downcast_ref::<Error>())
        .find(|error| matches!(error, Error::Stopped { .. }))
}

fn listed(changes: &[Change]) -> String {
    changes.iter().map(Change::to_string).collect::<Vec<_>>().join("; ")
}

fn saved_in(dir: Option<&Path>) -> String {
    dir.map_or_else(String::new, |dir| format!(", saved in {}", dir.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Domain {
        #[error("{0}")]
        Train(#[from] Error),
    }

    #[test]
    fn a_stop_is_found_through_the_errors_of_a_domain() {
        let stop = || Error::Stopped { signal: 15, dir: Some("run".into()) };
        assert_eq!(stop().to_string(), "stopped by signal 15, saved in run");
        let within = Error::work(Domain::from(Error::work(Domain::from(stop()))));
        assert!(matches!(&within, Error::Stopped { signal: 15, dir: Some(_) }));
        assert_eq!(within.stopped(), Some(15));
        assert_eq!(Error::work("something else").stopped(), None);
    }
}
