//! The folder of one run.
//!
//! | file | content |
//! |---|---|
//! | `config.toml` | the resolved configuration |
//! | `environment.json` | versions, machine, device, seed, command; of earlier starts too |
//! | `metrics.jsonl`, `metrics.csv` | the log, see [`Metrics`](crate::Metrics) |
//! | `tensorboard/` | the same for TensorBoard |
//! | `profile/` | where the time went, see [`Run::set_monitor`] |
//! | `checkpoints/` | complete sets, a folder for each piece of work |
//! | `run.lock` | held by the process that works here, with its number |
//! | `finished.json` | written last: its presence says that everything else is complete |
//!
//! A domain adds its own files beside them. Nothing is written outside the folder.

use crate::{
    Casting, Environment, Error, PerformanceMonitor, Result, Selected,
    config_changes::changes,
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
const PROFILE: &str = "profile";

/// One run: its folder, or none for work that stays in memory.
#[derive(Debug)]
pub struct Run {
    pub(crate) folder: Option<Folder>,
    pub(crate) quiet: bool,
    /// Whether damaged checkpoints are errors.
    pub(crate) strict: bool,
    /// Advances between two checkpoints of work whose policy does not say.
    pub(crate) save_every: Option<u64>,
    warnings: Vec<String>,
    monitor: PerformanceMonitor,
    #[cfg(feature = "tui")]
    pub(crate) dashboard: bool,
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
            return Err(Error::RunExists { dir: dir.to_path_buf() });
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
            return Err(Error::NothingToResume { dir: dir.to_path_buf() });
        }
        check_is_run(dir)?;
        let lock = Lock::acquire(dir)?;
        let mut environment = Environment::collect();
        environment.config_changes = changes(&read(&dir.join(CONFIG))?, &config);
        if strict && !environment.config_changes.is_empty() {
            let changes = environment.config_changes.join("; ");
            return Err(Error::ConfigChanged { dir: dir.to_path_buf(), changes });
        }
        let before = serde_json::from_str::<Value>(&read(&dir.join(ENVIRONMENT))?);
        let warning = before
            .as_ref()
            .err()
            .map(|source| format!("{ENVIRONMENT} cannot be read ({source}); what it said of earlier starts is lost"));
        if let Ok(before) = before {
            environment.follow(before);
        }
        remove(&dir.join(FINISHED))?;
        save_json(&dir.join(ENVIRONMENT), &environment)?;
        save(&dir.join(CONFIG), config.as_bytes())?;
        let mut run = Self { strict, ..Self::open(dir, environment, lock)? };
        warning.into_iter().for_each(|text| run.warn(text));
        Ok(run)
    }

    /// The summary of the finished run in `dir`; `None` where there is none, or where it had another configuration, so that
    /// there may be more to do.
    ///
    /// # Errors
    /// [`Error::Encoding`] and [`Error::Io`] where its files cannot be read.
    pub fn finished(dir: &Path, config: &impl Serialize) -> Result<Option<Value>> {
        let path = dir.join(FINISHED);
        if !path.is_file()
            || check_is_run(dir).is_err()
            || !changes(&read(&dir.join(CONFIG))?, &encode(config)?).is_empty()
        {
            return Ok(None);
        }
        let content: Value =
            serde_json::from_str(&read(&path)?).map_err(Error::encoding("decode", path.display().to_string()))?;
        Ok(Some(content["summary"].clone()))
    }

    /// A run without a folder: nothing is saved, logged or shown, and signals keep their default action.
    pub fn in_memory() -> Self {
        Self::with_folder(None, true)
    }

    fn open(dir: &Path, environment: Environment, lock: Lock) -> Result<Self> {
        let log = MetricLog::open(dir)?;
        let folder = Folder { dir: dir.to_path_buf(), log, environment, _lock: lock };
        Ok(Self::with_folder(Some(folder), false))
    }

    fn with_folder(folder: Option<Folder>, quiet: bool) -> Self {
        Self {
            folder,
            quiet,
            strict: false,
            save_every: None,
            warnings: Vec::new(),
            monitor: PerformanceMonitor::off(),
            #[cfg(feature = "tui")]
            dashboard: false,
        }
    }

    /// Whether to show no progress.
    pub fn set_quiet(&mut self, quiet: bool) {
        self.quiet = quiet;
    }

    /// Advances between two checkpoints of work whose [`Policy`](crate::Policy) does not say; `None` for by measured cost.
    pub fn set_save_every(&mut self, advances: Option<u64>) {
        self.save_every = advances;
    }

    /// Shows Burn's dashboard instead of the line of progress, on a terminal; a stop asked for there counts as Ctrl-C.
    #[cfg(feature = "tui")]
    pub fn set_dashboard(&mut self, dashboard: bool) {
        self.dashboard = dashboard;
    }

    /// Takes the time of the phases with `monitor`; [`finish`](Self::finish) then leaves them in `profile/`.
    pub fn set_monitor(&mut self, monitor: PerformanceMonitor) {
        self.monitor = monitor;
    }

    /// What takes the time of the phases.
    pub fn monitor(&self) -> &PerformanceMonitor {
        &self.monitor
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

    /// Notes device, precision and seed in `environment.json`.
    ///
    /// # Errors
    /// [`Error::Io`] where the file cannot be written.
    pub fn describe(&mut self, device: &Selected, casting: &Casting, seed: u64) -> Result<()> {
        let Some(folder) = &mut self.folder else {
            return Ok(());
        };
        folder.environment.describe(device, casting, seed);
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
        if self.monitor.is_on() {
            let profile = folder.dir.join(PROFILE);
            fs::create_dir_all(&profile).map_err(Error::io("create the folder", &profile))?;
            self.monitor.write_chrome_trace(&profile.join("trace.json"))?;
            save(&profile.join("phases.txt"), self.monitor.log_summary().as_bytes())?;
        }
        let path = folder.dir.join(FINISHED);
        let summary = serde_json::to_value(summary).map_err(Error::encoding("encode", path.display().to_string()))?;
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
    match [CONFIG, ENVIRONMENT].into_iter().find(|name| !dir.join(name).is_file()) {
        Some(missing) => Err(Error::NotARun { dir: dir.to_path_buf(), missing }),
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
        _ => Err(Error::RunExists { dir: dir.to_path_buf() }),
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
        if entry.file_type().map_err(Error::io("read", &path))?.is_dir() {
            fs::remove_dir_all(&path).map_err(Error::io("remove", &path))?;
        } else {
            remove(&path)?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::Io { action: "remove", path: path.to_path_buf(), source })
        }
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
    let mut content =
        serde_json::to_vec_pretty(value).map_err(Error::encoding("encode", path.display().to_string()))?;
    content.push(b'\n');
    save(path, &content)
}

fn save(path: &Path, content: &[u8]) -> Result<()> {
    Ok(cupel_data::write_atomic(path, |file| file.write_all(content).map_err(cupel_data::Error::io("write", path)))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::tempdir;

    #[derive(Serialize)]
    struct Config {
        restarts: u32,
        noise: Option<f64>,
        edaa: Edaa,
    }

    #[derive(Serialize)]
    struct Edaa {
        iterations: u32,
    }

    fn config(restarts: u32) -> Config {
        Config { restarts, noise: None, edaa: Edaa { iterations: 20 } }
    }

    fn json(path: &Path) -> Value {
        serde_json::from_str(&read(path).unwrap()).unwrap()
    }

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_run_has_its_files_and_nothing_beside_its_folder() {
        let outside = tempdir().unwrap();
        let dir = outside.path().join("two words é").join("run");
        let mut run = Run::create(&dir, &config(10), false).unwrap();
        assert_eq!(run.dir(), Some(dir.as_path()));
        run.log(&[("seconds", 1.0)]).unwrap();
        assert!(!dir.join(FINISHED).exists());
        run.finish(&json!({"mean_sad_rad": 0.02})).unwrap();
        let files = ["config.toml", "environment.json", "finished.json", "metrics.csv", "metrics.jsonl", "run.lock"];
        assert_eq!(names(&dir), files);
        assert_eq!(names(outside.path()), ["two words é"]);
        let config: toml::Table = read(&dir.join(CONFIG)).unwrap().parse().unwrap();
        assert_eq!(config["edaa"]["iterations"].as_integer(), Some(20));
        assert_eq!(json(&dir.join(FINISHED))["summary"]["mean_sad_rad"], 0.02);
        let environment = json(&dir.join(ENVIRONMENT));
        assert_eq!(environment["process"], std::process::id());
        assert_eq!(environment["cupel"], env!("CARGO_PKG_VERSION"));
    }

    #[cfg(any(feature = "flex", feature = "ndarray"))]
    #[test]
    fn the_environment_names_device_and_seed() {
        let folder = tempdir().unwrap();
        let mut run = Run::create(folder.path(), &config(1), false).unwrap();
        let device = crate::device::select("cpu").unwrap();
        run.describe(&device, &Casting::f32(), u64::MAX).unwrap();
        let environment = json(&folder.path().join(ENVIRONMENT));
        assert_eq!(environment["device"], device.name);
        assert_eq!(environment["device_reason"], device.reason);
        assert_eq!(environment["precision"], "f32");
        assert_eq!(environment["seed"], u64::MAX);
    }

    #[test]
    fn an_earlier_run_is_only_replaced_by_force() {
        let folder = tempdir().unwrap();
        drop(Run::create(folder.path(), &config(1), false).unwrap());
        fs::create_dir_all(folder.path().join("checkpoints/edaa/000000000001")).unwrap();
        fs::write(folder.path().join("report.html"), "old").unwrap();
        let text = Run::create(folder.path(), &config(2), false).unwrap_err().to_string();
        assert!(text.contains("--force") && text.contains("--resume"), "{text}");
        assert!(read(&folder.path().join(CONFIG)).unwrap().contains("restarts = 1"));
        assert!(folder.path().join("report.html").exists());
        drop(Run::create(folder.path(), &config(2), true).unwrap());
        assert!(read(&folder.path().join(CONFIG)).unwrap().contains("restarts = 2"));
        assert!(!folder.path().join("report.html").exists());
        assert!(!folder.path().join("checkpoints").exists());
    }

    #[test]
    fn a_folder_that_is_no_run_is_never_touched() {
        for content in ["thesis.tex", "config.toml", "environment.json", "run.lock2"] {
            let folder = tempdir().unwrap();
            fs::write(folder.path().join(content), "precious").unwrap();
            for result in [
                Run::create(folder.path(), &config(1), true),
                Run::create(folder.path(), &config(1), false),
                Run::resume(folder.path(), &config(1), false),
            ] {
                assert!(matches!(result, Err(Error::NotARun { .. })), "{content}");
            }
            assert_eq!(names(folder.path()), [content]);
            assert_eq!(read(&folder.path().join(content)).unwrap(), "precious");
        }
    }

    #[cfg(unix)]
    #[test]
    fn force_removes_a_link_and_not_what_it_leads_to() {
        let outside = tempdir().unwrap();
        fs::write(outside.path().join("scene.npy"), "precious").unwrap();
        let folder = tempdir().unwrap();
        drop(Run::create(folder.path(), &config(1), false).unwrap());
        std::os::unix::fs::symlink(outside.path(), folder.path().join("data")).unwrap();
        drop(Run::create(folder.path(), &config(1), true).unwrap());
        assert!(!folder.path().join("data").exists());
        assert_eq!(names(outside.path()), ["scene.npy"]);
    }

    #[test]
    fn a_start_that_was_killed_is_taken_over() {
        let folder = tempdir().unwrap();
        fs::write(folder.path().join(LOCK), "1\n").unwrap();
        fs::write(folder.path().join(ENVIRONMENT), "{").unwrap();
        let resumed = Run::resume(folder.path(), &config(1), false);
        assert!(matches!(resumed, Err(Error::NothingToResume { .. })));
        Run::create(folder.path(), &config(1), false).unwrap();
    }

    #[test]
    fn a_run_at_work_is_left_alone() {
        let folder = tempdir().unwrap();
        let _at_work = Run::create(folder.path(), &config(1), false).unwrap();
        for result in [
            Run::create(folder.path(), &config(1), true),
            Run::create(folder.path(), &config(1), false),
            Run::resume(folder.path(), &config(1), false),
        ] {
            let text = result.unwrap_err().to_string();
            assert!(text.contains(&format!("process {} is working", std::process::id())), "{text}");
        }
    }

    #[test]
    fn resuming_keeps_the_history_and_notes_what_changed() {
        let folder = tempdir().unwrap();
        let mut first = Run::create(folder.path(), &config(10), false).unwrap();
        first.finish(&()).unwrap();
        drop(first);
        let strict = Run::resume(folder.path(), &config(20), true).unwrap_err().to_string();
        assert!(strict.contains("restarts: 10 -> 20"), "{strict}");
        assert!(folder.path().join(FINISHED).exists(), "a refusal changes nothing");
        drop(Run::resume(folder.path(), &config(20), false).unwrap());
        assert!(!folder.path().join(FINISHED).exists());
        let third = Run::resume(folder.path(), &config(20), true).unwrap();
        let environment = json(&folder.path().join(ENVIRONMENT));
        assert_eq!(environment["config_changes"], json!([]));
        let earlier = environment["earlier"].as_array().unwrap();
        assert_eq!(earlier.len(), 2);
        assert_eq!(earlier[1]["config_changes"], json!(["restarts: 10 -> 20"]));
        assert!(third.warnings().is_empty());
    }

    #[test]
    fn an_unreadable_environment_is_a_warning() {
        let folder = tempdir().unwrap();
        drop(Run::create(folder.path(), &config(1), false).unwrap());
        fs::write(folder.path().join(ENVIRONMENT), "{\"cupel\":").unwrap();
        let run = Run::resume(folder.path(), &config(1), false).unwrap();
        assert!(run.warnings()[0].contains("environment.json cannot be read"));
    }

    #[test]
    fn nothing_to_resume_is_said() {
        let folder = tempdir().unwrap();
        for dir in [folder.path().to_path_buf(), folder.path().join("missing")] {
            let error = Run::resume(&dir, &config(1), false).unwrap_err();
            assert!(matches!(error, Error::NothingToResume { .. }), "{error}");
            assert!(names(folder.path()).is_empty(), "nothing is written");
        }
    }

    #[test]
    fn a_file_in_place_of_the_folder_is_an_error() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "content").unwrap();
        for force in [false, true] {
            assert!(matches!(Run::create(&path, &config(1), force), Err(Error::Io { .. })));
        }
        assert_eq!(read(&path).unwrap(), "content");
    }

    #[test]
    fn a_configuration_without_toml_form_is_refused_before_anything_is_written() {
        let folder = tempdir().unwrap();
        let dir = folder.path().join("run");
        assert!(matches!(Run::create(&dir, &"text", false), Err(Error::Encoding { .. })));
        assert!(!dir.exists());
    }

    #[test]
    fn a_run_in_memory_writes_nothing() {
        let mut run = Run::in_memory();
        run.log(&[("seconds", 1.0)]).unwrap();
        run.finish(&()).unwrap();
        assert!(run.dir().is_none() && run.environment().is_none());
    }
}
