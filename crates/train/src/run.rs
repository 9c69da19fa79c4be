//! The folder of one run.
//!
//! | file | content |
//! |---|---|
//! | `config.toml` | the resolved configuration |
//! | `environment.json` | versions, machine, device, seed, command; of earlier starts too |
//! | `metrics.jsonl`, `metrics.csv` | the log, see [`Metrics`](crate::Metrics) |
//! | `checkpoints/` | complete sets, a folder for each piece of work |
//! | `run.lock` | held by the process that works here, with its number |
//! | `finished.json` | written last: its presence says that everything else is complete |
//!
//! A domain adds its own files beside them. Nothing is written outside the folder.

use crate::{
    Environment, Error, Result, Selected,
    environment::utc,
    lock::{LOCK, Lock},
    metrics::MetricLog,
};
use serde::Serialize;
use serde_json::{Value, json};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    time::SystemTime,
};

const CONFIG: &str = "config.toml";
const ENVIRONMENT: &str = "environment.json";
const FINISHED: &str = "finished.json";

/// One run: its folder, or none for work that stays in memory.
#[derive(Debug)]
pub struct Run {
    pub(crate) folder: Option<Folder>,
    pub(crate) quiet: bool,
    /// Whether damaged checkpoints are errors.
    pub(crate) strict: bool,
    warnings: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct Folder {
    pub(crate) dir: PathBuf,
    pub(crate) log: MetricLog,
    environment: Environment,
    _lock: Lock,
}

impl Run {
    /// Starts a run in `dir`, which must be new, empty or, with `force`, the folder of an earlier run; that one is then
    /// removed.
    ///
    /// # Errors
    /// [`Error::RunExists`] without `force`, [`Error::NotARun`] where the folder holds anything else, [`Error::Locked`]
    /// where a process works in it, [`Error::Encoding`] where the configuration has no TOML form, [`Error::Io`].
    pub fn create(dir: &Path, config: &impl Serialize, force: bool) -> Result<Self> {
        let config = encode(config)?;
        check_replaceable(dir, force)?;
        fs::create_dir_all(dir).map_err(Error::io("create the folder", dir))?;
        let lock = Lock::acquire(dir)?;
        // Another process may have been faster between the check and the lock.
        if !force && !unused(dir)? {
            return Err(Error::RunExists {
                dir: dir.to_path_buf(),
            });
        }
        clear(dir)?;
        let environment = Environment::collect();
        // In this order: a folder with nothing but the environment is known as a start that was killed.
        save_json(&dir.join(ENVIRONMENT), &environment)?;
        save(&dir.join(CONFIG), config.as_bytes())?;
        Self::open(dir, environment, lock)
    }

    /// Goes on with the run in `dir`.
    ///
    /// The configuration may differ from the one the run was started with where the work allows it: what the state
    /// depends on is guarded by [`Advance::fingerprint`](crate::Advance::fingerprint), and every change is noted in
    /// `environment.json`. With `strict`, a changed configuration and a damaged checkpoint are errors.
    ///
    /// # Errors
    /// [`Error::NothingToResume`], [`Error::NotARun`], [`Error::Locked`], [`Error::ConfigChanged`],
    /// [`Error::Encoding`], [`Error::Io`].
    pub fn resume(dir: &Path, config: &impl Serialize, strict: bool) -> Result<Self> {
        let config = encode(config)?;
        if unused(dir)? {
            return Err(Error::NothingToResume {
                dir: dir.to_path_buf(),
            });
        }
        check_is_run(dir)?;
        let lock = Lock::acquire(dir)?;
        let mut environment = Environment::collect();
        environment.config_changes = changes(&read(&dir.join(CONFIG))?, &config);
        if strict && !environment.config_changes.is_empty() {
            let changes = environment.config_changes.join("; ");
            return Err(Error::ConfigChanged {
                dir: dir.to_path_buf(),
                changes,
            });
        }
        let before = serde_json::from_str::<Value>(&read(&dir.join(ENVIRONMENT))?);
        let warning = before.as_ref().err().map(|source| {
            format!(
                "{ENVIRONMENT} cannot be read ({source}); what it said of earlier starts is lost"
            )
        });
        if let Ok(before) = before {
            environment.follow(before);
        }
        remove(&dir.join(FINISHED))?;
        save_json(&dir.join(ENVIRONMENT), &environment)?;
        save(&dir.join(CONFIG), config.as_bytes())?;
        let mut run = Self {
            strict,
            ..Self::open(dir, environment, lock)?
        };
        warning.into_iter().for_each(|text| run.warn(text));
        Ok(run)
    }

    /// A run without a folder: nothing is saved, logged or shown, and signals keep their default action.
    pub fn in_memory() -> Self {
        Self {
            folder: None,
            quiet: true,
            strict: false,
            warnings: Vec::new(),
        }
    }

    fn open(dir: &Path, environment: Environment, lock: Lock) -> Result<Self> {
        let log = MetricLog::open(dir)?;
        let folder = Folder {
            dir: dir.to_path_buf(),
            log,
            environment,
            _lock: lock,
        };
        Ok(Self {
            folder: Some(folder),
            quiet: false,
            strict: false,
            warnings: Vec::new(),
        })
    }

    /// Whether to show no progress.
    pub fn set_quiet(&mut self, quiet: bool) {
        self.quiet = quiet;
    }

    /// The folder; `None` for a run in memory.
    pub fn dir(&self) -> Option<&Path> {
        self.folder.as_ref().map(|folder| folder.dir.as_path())
    }

    /// What the run was started with; `None` for a run in memory.
    pub fn environment(&self) -> Option<&Environment> {
        self.folder.as_ref().map(|folder| &folder.environment)
    }

    /// What went wrong without stopping the run.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Notes device, type of numbers and seed in `environment.json`.
    ///
    /// # Errors
    /// [`Error::Io`] where the file cannot be written.
    pub fn describe(&mut self, device: &Selected, dtype: &str, seed: u64) -> Result<()> {
        let Some(folder) = &mut self.folder else {
            return Ok(());
        };
        folder.environment.describe(device, dtype, seed);
        save_json(&folder.dir.join(ENVIRONMENT), &folder.environment)
    }

    /// Adds numbers to the log that belong to no step.
    ///
    /// # Errors
    /// [`Error::Io`] where the log cannot be written.
    pub fn log(&mut self, values: &[(&str, f64)]) -> Result<()> {
        let Some(folder) = &mut self.folder else {
            return Ok(());
        };
        folder.log.append(None, values.iter().copied())
    }

    /// Says on standard error, and remembers, that something is not as it should be.
    pub fn warn(&mut self, text: impl Into<String>) {
        let text = text.into();
        // A closed standard error is no reason to stop.
        let _ = writeln!(std::io::stderr(), "warning: {text}");
        self.warnings.push(text);
    }

    /// Marks the run as complete, after everything else is written; `summary` goes into `finished.json`.
    ///
    /// # Errors
    /// [`Error::Encoding`] where the summary has no JSON form, [`Error::Io`] where the file cannot be written.
    pub fn finish(&mut self, summary: &impl Serialize) -> Result<()> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        let path = folder.dir.join(FINISHED);
        let summary = serde_json::to_value(summary)
            .map_err(Error::encoding("encode", path.display().to_string()))?;
        let content = json!({
            "finished": utc(SystemTime::now()),
            "elapsed_seconds": folder.log.elapsed_seconds(),
            "warnings": self.warnings,
            "summary": summary,
        });
        save_json(&path, &content)
    }
}

/// Whether the folder is not there, empty, or left by a start that was killed before it wrote its configuration.
fn unused(dir: &Path) -> Result<bool> {
    let entries = match fs::read_dir(dir) {
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => return Ok(true),
        entries => entries.map_err(Error::io("list", dir))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry.map_err(Error::io("list", dir))?.file_name());
    }
    let only_started = names.iter().all(|name| name == LOCK || name == ENVIRONMENT);
    Ok(names.is_empty() || only_started && names.iter().any(|name| name == LOCK))
}

fn check_is_run(dir: &Path) -> Result<()> {
    match [CONFIG, ENVIRONMENT]
        .into_iter()
        .find(|name| !dir.join(name).is_file())
    {
        Some(missing) => Err(Error::NotARun {
            dir: dir.to_path_buf(),
            missing,
        }),
        None => Ok(()),
    }
}

fn check_replaceable(dir: &Path, force: bool) -> Result<()> {
    if unused(dir)? {
        return Ok(());
    }
    check_is_run(dir)?;
    // A run at work is named as such, whatever was asked for; the lock is let go of at once.
    match Lock::acquire(dir) {
        Err(error) if force || matches!(error, Error::Locked { .. }) => Err(error),
        _ if force => Ok(()),
        _ => Err(Error::RunExists {
            dir: dir.to_path_buf(),
        }),
    }
}

/// Removes an earlier run, but for the lock that is held and the two files by which the folder is known as a run if this
/// is interrupted; they are replaced next.
fn clear(dir: &Path) -> Result<()> {
    for entry in fs::read_dir(dir).map_err(Error::io("list", dir))? {
        let entry = entry.map_err(Error::io("list", dir))?;
        let name = entry.file_name();
        if name == LOCK || name == CONFIG || name == ENVIRONMENT {
            continue;
        }
        let path = entry.path();
        // A link is removed as a link: what it leads to lies outside.
        if entry
            .file_type()
            .map_err(Error::io("read", &path))?
            .is_dir()
        {
            fs::remove_dir_all(&path).map_err(Error::io("remove", &path))?;
        } else {
            remove(&path)?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(Error::Io {
            action: "remove",
            path: path.to_path_buf(),
            source,
        }),
        _ => Ok(()),
    }
}

fn encode(config: &impl Serialize) -> Result<String> {
    toml::to_string_pretty(config).map_err(Error::encoding("encode", "the configuration as TOML"))
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(Error::io("read", path))
}

fn save_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let mut content = serde_json::to_vec_pretty(value)
        .map_err(Error::encoding("encode", path.display().to_string()))?;
    content.push(b'\n');
    save(path, &content)
}

fn save(path: &Path, content: &[u8]) -> Result<()> {
    Ok(cupel_data::write_atomic(path, |file| {
        file.write_all(content)
            .map_err(cupel_data::Error::io("write", path))
    })?)
}

/// The settings that differ, as `edaa.restarts: 10 -> 20`.
fn changes(before: &str, after: &str) -> Vec<String> {
    let settings = |text: &str| {
        let mut settings = Vec::new();
        // A configuration that no longer parses differs in every key.
        flatten(
            "",
            &toml::Value::Table(text.parse().unwrap_or_default()),
            &mut settings,
        );
        settings
    };
    let (before, after) = (settings(before), settings(after));
    let mut keys: Vec<&str> = before
        .iter()
        .chain(&after)
        .map(|(key, _)| key.as_str())
        .collect();
    keys.sort_unstable();
    keys.dedup();
    let value = |settings: &[(String, String)], key: &str| {
        let found = settings.iter().find(|(known, _)| known == key);
        found.map_or_else(|| "(none)".to_string(), |(_, value)| value.clone())
    };
    keys.into_iter()
        .map(|key| (key, value(&before, key), value(&after, key)))
        .filter(|(_, before, after)| before != after)
        .map(|(key, before, after)| format!("{key}: {before} -> {after}"))
        .collect()
}

fn flatten(key: &str, value: &toml::Value, settings: &mut Vec<(String, String)>) {
    match value {
        toml::Value::Table(table) => {
            for (name, value) in table {
                let key = if key.is_empty() {
                    name.clone()
                } else {
                    format!("{key}.{name}")
                };
                flatten(&key, value, settings);
            }
        }
        value => settings.push((key.to_string(), value.to_string())),
    }
}
