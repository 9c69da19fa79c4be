//! [`Origin`]: which file, read as what; every error of a reader starts here.

use crate::error::{Error, Place, Result};
use std::{
    io,
    path::{Path, PathBuf},
};

/// A file and the format that it is read as.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) path: PathBuf,
    pub(crate) format: &'static str,
}

impl Origin {
    pub(crate) fn new(path: &Path, format: &'static str) -> Self {
        Self { path: path.to_path_buf(), format }
    }

    /// The content is not what the format promises.
    pub(crate) fn fault(&self, place: Place, problem: impl Into<String>) -> Error {
        self.fault_with(place, problem, "")
    }

    /// The same, with a hint.
    pub(crate) fn fault_with(&self, place: Place, problem: impl Into<String>, fix: impl Into<String>) -> Error {
        Error::Format { path: self.path.clone(), format: self.format, place, problem: problem.into(), fix: fix.into() }
    }

    /// Passes when `size` is not more than a limit, which comes with its name.
    pub(crate) fn within(
        &self,
        place: Place,
        what: &'static str,
        size: u64,
        (limit, name): (u64, &'static str),
    ) -> Result<()> {
        if size <= limit {
            return Ok(());
        }
        Err(Error::FileLimit { path: self.path.clone(), place, what, size, limit, name })
    }

    /// A read failed: data that end early or do not decompress are the file's fault, anything else the system's.
    pub(crate) fn read(&self, place: Place) -> impl FnOnce(io::Error) -> Error {
        move |source| match source.kind() {
            io::ErrorKind::UnexpectedEof => {
                self.fault_with(place, "the data end early", "the file is truncated or damaged; copy it again")
            }
            io::ErrorKind::InvalidData => {
                self.fault_with(place, source.to_string(), "the file is damaged; copy it again")
            }
            io::ErrorKind::OutOfMemory => {
                self.fault_with(place, "there is not enough memory for it", "read it on a larger machine")
            }
            _ => Error::io("read", &self.path)(source),
        }
    }

    /// The name for the only array of a format that does not name it.
    pub(crate) fn stem(&self) -> String {
        match self.path.file_stem() {
            Some(stem) => stem.to_string_lossy().into_owned(),
            None => "array".into(),
        }
    }
}
