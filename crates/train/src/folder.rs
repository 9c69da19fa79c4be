//! What of a folder belongs to the run in it.
//!
//! `files.txt` lists what the program wrote below the folder beside its [own files](OWN), a path a line, noted before each
//! file is written; so it holds after a kill, too. Whatever is in neither list is somebody else's and stays.

use crate::{
    Error, Result,
    checkpoint::{entries, remove_partial},
    lock::LOCK,
};
use serde::Serialize;
use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write},
    path::{Component, Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

pub(crate) const CONFIG: &str = "config.toml";
pub(crate) const ENVIRONMENT: &str = "environment.json";
pub(crate) const INPUTS: &str = "inputs.json";
pub(crate) const FINISHED: &str = "finished.json";
pub(crate) const PROFILE: &str = "profile";
pub(crate) const CHECKPOINTS: &str = "checkpoints";
const WRITTEN: &str = "files.txt";
/// Files and folders that are always the run's. The first three make the folder a run, and are replaced rather than
/// removed; the list goes last.
const OWN: [&str; 10] = [
    CONFIG,
    ENVIRONMENT,
    INPUTS,
    FINISHED,
    "metrics.jsonl",
    "metrics.csv",
    "tensorboard",
    PROFILE,
    CHECKPOINTS,
    WRITTEN,
];

/// The list of what the program writes below a folder, kept as long as this lives.
#[derive(Debug)]
pub(crate) struct Written {
    noted: Arc<Mutex<(File, BTreeSet<PathBuf>)>>,
    _watching: cupel_data::Watching,
}

impl Written {
    pub(crate) fn watch(dir: &Path) -> Result<Self> {
        let path = dir.join(WRITTEN);
        let file = OpenOptions::new().create(true).append(true).open(&path).map_err(Error::io("open", path))?;
        let noted = Arc::new(Mutex::new((file, BTreeSet::new())));
        let list = Arc::clone(&noted);
        let watching = cupel_data::watch_writes(dir, move |path| {
            let own = path.iter().next().is_some_and(|first| OWN.iter().any(|own| first == *own));
            let mut noted = list.lock().unwrap_or_else(PoisonError::into_inner);
            if !own && noted.1.insert(path.to_path_buf()) {
                // Without its line the file stays where everything is replaced, which is no harm.
                let _ = noted.0.write_all(format!("{}\n", path.display()).as_bytes());
            }
        })?;
        Ok(Self { noted, _watching: watching })
    }

    /// Whether this process wrote the file.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).1.contains(Path::new(path))
    }
}

/// The files of the list that lie below `dir`, links followed or not.
fn written(dir: &Path) -> Vec<PathBuf> {
    let text = fs::read_to_string(dir.join(WRITTEN)).unwrap_or_default();
    let plain = |path: &&Path| path.components().all(|part| matches!(part, Component::Normal(_)));
    let root = fs::canonicalize(dir).ok();
    let below = |path: &PathBuf| {
        path.parent()
            .and_then(|parent| fs::canonicalize(parent).ok())
            .zip(root.as_ref())
            .is_some_and(|(p, r)| p.starts_with(r))
    };
    text.lines().map(Path::new).filter(plain).map(|path| dir.join(path)).filter(below).collect()
}

/// Whether the folder is not there, empty, or left by a start that was killed before it wrote its configuration.
pub(crate) fn unused(dir: &Path) -> Result<bool> {
    if !dir.try_exists().map_err(Error::io("find", dir))? {
        return Ok(true);
    }
    let entries = entries(dir)?;
    let mut names = entries.iter().filter_map(|path| path.file_name());
    let started = |name: &OsStr| [LOCK, ENVIRONMENT, INPUTS].iter().any(|known| name == *known) || is_temporary(name);
    Ok(entries.is_empty() || names.clone().all(started) && names.any(|name| name == LOCK))
}

/// # Errors
/// [`Error::NotARun`] where the files are not there that make a folder a run.
pub(crate) fn check_is_run(dir: &Path) -> Result<()> {
    match [CONFIG, ENVIRONMENT].into_iter().find(|name| !dir.join(name).is_file()) {
        Some(missing) => Err(Error::NotARun { dir: dir.to_path_buf(), missing }),
        None => Ok(()),
    }
}

/// Removes what an earlier run wrote, but for the lock that is held and the files by which the folder is known as a run if
/// this is interrupted.
pub(crate) fn clear(dir: &Path) -> Result<()> {
    remove_leftovers(dir)?;
    for path in written(dir) {
        remove(&path)?;
        // A folder that holds anything else stays.
        let folders = path.ancestors().skip(1).take_while(|folder| *folder != dir);
        folders.take_while(|folder| fs::remove_dir(folder).is_ok()).for_each(drop);
    }
    for path in OWN[3..].iter().map(|name| dir.join(name)) {
        // A link is removed as a link: what it leads to lies outside.
        if fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir()) {
            fs::remove_dir_all(&path).map_err(Error::io("remove", &path))?;
        } else {
            remove(&path)?;
        }
    }
    Ok(())
}

/// Whether any state was saved in the folder.
pub(crate) fn has_state(dir: &Path) -> bool {
    let works = entries(&dir.join(CHECKPOINTS)).unwrap_or_default();
    works.iter().any(|work| !entries(work).unwrap_or_default().is_empty())
}

/// Removes all that a run wrote, with what makes the folder a run, and the folder where nothing else is in it.
pub(crate) fn discard(dir: &Path) -> Result<()> {
    clear(dir)?;
    OWN[..3].iter().chain([&LOCK]).try_for_each(|name| remove(&dir.join(name)))?;
    let _ = fs::remove_dir(dir); // it stays where somebody else has files in it
    Ok(())
}

/// Removes what writes left that were interrupted: sets without a manifest, and files under a temporary name.
pub(crate) fn remove_leftovers(dir: &Path) -> Result<()> {
    let below = |folder: &Path| entries(folder).unwrap_or_default();
    for work in below(&dir.join(CHECKPOINTS)).iter().filter(|path| path.is_dir()) {
        remove_partial(work)?;
    }
    let parents = written(dir).into_iter().filter_map(|path| path.parent().map(Path::to_path_buf));
    let folders: BTreeSet<PathBuf> = parents.chain([dir.to_path_buf(), dir.join(PROFILE)]).collect();
    let files = folders.iter().flat_map(|folder| below(folder));
    files.filter(|path| path.file_name().is_some_and(is_temporary)).try_for_each(|path| remove(&path))
}

/// Whether [`cupel_data::write_atomic`] gives such names: `.NAME.PROCESS-COUNT.tmp`.
fn is_temporary(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let inner = name.strip_prefix('.').and_then(|name| name.strip_suffix(".tmp"));
    let numbers = inner.and_then(|inner| inner.rsplit_once('.')).and_then(|(_, numbers)| numbers.split_once('-'));
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    numbers.is_some_and(|(process, count)| all_digits(process) && all_digits(count))
}

pub(crate) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != ErrorKind::NotFound => {
            Err(Error::Io { action: "remove", path: path.to_path_buf(), source })
        }
        _ => Ok(()),
    }
}

pub(crate) fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(Error::io("read", path))
}

pub(crate) fn save_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let mut content =
        serde_json::to_vec_pretty(value).map_err(Error::encoding("encode", path.display().to_string()))?;
    content.push(b'\n');
    save(path, &content)
}

pub(crate) fn save(path: &Path, content: &[u8]) -> Result<()> {
    Ok(cupel_data::write_atomic(path, |file| file.write_all(content).map_err(cupel_data::Error::io("write", path)))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temporary_names_are_told_from_all_others() {
        assert!([".a.csv.12-0.tmp", ".report.html.1-22.tmp"].iter().all(|name| is_temporary(OsStr::new(name))));
        let others = ["a.12-0.tmp", ".a.12-.tmp", ".a.tmp", ".12-0.tmp", ".notes.v1-2.tmp", ".a.12-0.tmp2"];
        assert!(!others.iter().any(|name| is_temporary(OsStr::new(name))));
    }
}
