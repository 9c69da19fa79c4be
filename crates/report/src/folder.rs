//! Reading what a run left in its folder, without trusting it: no file outside, no device, nothing too large.

use std::{
    fs::File,
    io::{ErrorKind, Read},
    path::{Component, Path, PathBuf},
};

use serde::de::DeserializeOwned;

use crate::{
    error::{Error, Result},
    facts::Value,
    story,
};

/// Largest file that is read: a figure of 300 dots per inch over a whole page is a tenth of it.
const LARGEST_FILE: u64 = 64 << 20;
/// Any of these makes a folder the folder of a run.
const SIGNS: [&str; 5] = ["environment.json", METRICS, FINISHED, LOG, story::FILE];
/// The final numbers of a run of cupel's own commands.
pub(crate) const METRICS: &str = "metrics.json";
/// The log of numbers over the steps of a run.
pub(crate) const LOG: &str = "metrics.csv";
/// What a run of a library user leaves at its end.
const FINISHED: &str = "finished.json";
/// Largest log that is read, a line at a time: some ten million numbers.
const LARGEST_LOG: u64 = 1 << 30;

/// The folder of a run, opened for reading.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        match std::fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => {
                return Err(Error::NotARun { path: path.to_path_buf() });
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(Error::NoFolder { path: path.to_path_buf() });
            }
            Err(error) => return Err(Error::io("open the run folder", path)(error)),
        }
        if !SIGNS.iter().any(|name| path.join(name).is_file()) {
            return Err(Error::NotARun { path: path.to_path_buf() });
        }
        Ok(Self { path: path.to_path_buf() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Name of the folder, also when it was given as `.`.
    pub(crate) fn name(&self) -> String {
        let path = self.path.canonicalize().unwrap_or_else(|_| self.path.clone());
        path.file_name().map_or_else(|| String::from("run"), |name| name.to_string_lossy().into_owned())
    }

    /// A file that is opened for reading; `None` where there is none.
    fn open_file(&self, file: &str) -> Result<Option<File>> {
        let path = inside(&self.path, file)?;
        let metadata = match std::fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("read", &path)(error)),
        };
        let real = path.canonicalize().map_err(Error::io("read", &path))?;
        let root = self.path.canonicalize().map_err(Error::io("read", &self.path))?;
        if !real.starts_with(root) {
            return Err(Error::OutsideRun { run: self.path.clone(), file: file.to_owned() });
        }
        if !metadata.is_file() {
            return Err(Error::Unfit { path, problem: String::from("it is not a file") });
        }
        File::open(&path).map(Some).map_err(Error::io("open", &path))
    }

    /// The bytes of a file; `None` where there is none.
    pub(crate) fn bytes(&self, file: &str) -> Result<Option<Vec<u8>>> {
        let Some(opened) = self.open_file(file)? else { return Ok(None) };
        let path = self.path.join(file);
        let mut bytes = Vec::new();
        // The size may change while it is read, so the reading is limited and no number believed.
        opened.take(LARGEST_FILE + 1).read_to_end(&mut bytes).map_err(Error::io("read", &path))?;
        if bytes.len() as u64 > LARGEST_FILE {
            return Err(Error::Unfit { path, problem: format!("it is larger than {} MiB", LARGEST_FILE >> 20) });
        }
        Ok(Some(bytes))
    }

    /// The log of the run, to be read a line at a time.
    pub(crate) fn log(&self) -> Result<Option<impl Read + use<>>> {
        Ok(self.open_file(LOG)?.map(|file| file.take(LARGEST_LOG)))
    }

    /// The final numbers of the run: `metrics.json`, else the summary in `finished.json`.
    pub(crate) fn numbers(&self) -> Result<Option<Value>> {
        if let Some(metrics) = self.json(METRICS)? {
            return Ok(Some(metrics));
        }
        let finished: Option<Value> = self.json(FINISHED)?;
        Ok(finished.and_then(|finished| finished.field("summary").cloned()))
    }

    /// A file as text.
    pub(crate) fn text(&self, file: &str) -> Result<Option<String>> {
        let Some(bytes) = self.bytes(file)? else {
            return Ok(None);
        };
        String::from_utf8(bytes).map(Some).map_err(|error| Error::Unfit {
            path: self.path.join(file),
            problem: format!("it is not UTF-8 text from byte {} on", error.utf8_error().valid_up_to()),
        })
    }

    /// A file as JSON.
    pub(crate) fn json<T: DeserializeOwned>(&self, file: &str) -> Result<Option<T>> {
        let Some(bytes) = self.bytes(file)? else {
            return Ok(None);
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|source| Error::Json { path: self.path.join(file), source })
    }
}

/// The path of a file that a story names: relative, plain, with forward slashes.
pub(crate) fn inside(run: &Path, file: &str) -> Result<PathBuf> {
    let plain = !file.is_empty()
        && !file.contains(['\\', ':', '\0'])
        && Path::new(file).components().all(|component| matches!(component, Component::Normal(_)));
    if plain { Ok(run.join(file)) } else { Err(Error::OutsideRun { run: run.to_path_buf(), file: file.to_owned() }) }
}
