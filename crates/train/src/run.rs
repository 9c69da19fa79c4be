//! The folder of one run.
//!
//! | file | content |
//! |---|---|
//! | `config.toml` | the command and its resolved settings |
//! | `inputs.json` | the data by their hashes |
//! | `environment.json` | versions, machine, device, seed, command line; of earlier starts too |
//! | `metrics.jsonl`, `metrics.csv` | the log, see [`Metrics`](crate::Metrics) |
//! | `tensorboard/` | the same for TensorBoard |
//! | `metrics.json` | the summary, where nothing else writes one |
//! | `profile/` | where the time went, see [`Run::set_monitor`] |
//! | `checkpoints/` | complete sets, a folder for each piece of work |
//! | `files.txt` | what else was written here |
//! | `run.lock` | held by the process that works here, with its number |
//! | `finished.json` | written last: its presence says that everything else is complete |
//!
//! A domain adds its own files beside them. Nothing is written outside the folder.

use crate::{
    Casting, Change, Computing, Description, Environment, Error, PerformanceMonitor, Result, Selected,
    description::Difference,
    environment::utc,
    folder::{
        self, CONFIG, ENVIRONMENT, FINISHED, INPUTS, PROFILE, Written, check_is_run, read, save, save_json, unused,
    },
    lock::Lock,
    metrics::MetricLog,
};
use serde::Serialize;
use serde_json::{Value, json};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant, SystemTime},
};

const SUMS: &str = "sums.json";
const METRICS: &str = "metrics.json";
/// Far longer than another process needs to join.
const JOINING: Duration = Duration::from_secs(10);

/// What to do with the folder of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// Start; the folder must be new or empty.
    Create,
    /// Start; an earlier run is removed from the folder, and what it did not write stays.
    Replace,
    /// Go on with the run that is there; start where there is none.
    Resume {
        /// Whether damaged checkpoints and settings that changed in any way are errors.
        strict: bool,
    },
}

/// What was opened.
#[derive(Debug)]
pub enum Opened {
    /// A run with work to do.
    Run(Box<Run>),
    /// The summary of a run that was finished before.
    Finished(Value),
}

impl Opened {
    /// The run, unless it was finished before.
    pub fn run(self) -> Option<Run> {
        match self {
            Self::Run(run) => Some(*run),
            Self::Finished(_) => None,
        }
    }
}

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
    /// Settings that ask for more than the run was started for.
    pub(crate) grown: Vec<Change>,
    /// The configuration of a run that is resumed, until it is known that its work can go on so.
    config: Option<String>,
    /// The configuration it had before.
    before: Option<String>,
    /// What to say when work begins.
    remark: Option<String>,
    written: Written,
    _lock: Lock,
}

impl Run {
    /// Opens the folder of the run that `is` describes: creates it, replaces another run, or goes on with this one.
    ///
    /// A run is resumed with the command, settings and data it was started with; what [may differ](Description::neutral) is
    /// noted in `environment.json`. A finished run is [`Opened::Finished`], unless settings that [grow](Description::growing)
    /// ask for more. A refusal changes nothing.
    ///
    /// # Errors
    /// [`Error::RunExists`] where there is a run to be created, [`Error::NotARun`] where the folder holds anything else,
    /// [`Error::Locked`] where a process works in it, [`Error::OtherCommand`], [`Error::SettingsChanged`] and
    /// [`Error::OtherData`] where it holds another run than the one to be resumed, [`Error::Io`].
    pub fn open(dir: &Path, is: &Description, how: Opening) -> Result<Opened> {
        if let Opening::Resume { strict } = how
            && let Some(summary) = finished(dir, is, strict)?
        {
            return Ok(Opened::Finished(summary));
        }
        let Identified { lock, environment, difference, warning } = identify(dir, is, how, Lock::acquire)?;
        folder::remove_leftovers(dir)?;
        let resumed = difference.is_some();
        let anew = !resumed && matches!(how, Opening::Resume { .. });
        let folder = Folder {
            dir: dir.to_path_buf(),
            log: MetricLog::open(dir)?,
            environment,
            grown: difference.unwrap_or_default().grown,
            config: resumed.then(|| is.config().to_string()),
            before: resumed.then(|| read(&dir.join(CONFIG))).transpose()?,
            remark: anew.then(|| format!("{}: nothing to resume, the run starts at the beginning", dir.display())),
            written: Written::watch(dir)?,
            _lock: lock,
        };
        let mut run = Self::with_folder(Some(folder), false);
        run.strict = how == Opening::Resume { strict: true };
        warning.into_iter().for_each(|text| run.warn(text));
        Ok(Opened::Run(Box::new(run)))
    }

    /// Checks that the folder belongs to the run that `is` describes, for work that several processes share and save
    /// themselves; the first one makes it. What this process writes there from now on counts as written by the run, which
    /// [`open`](Self::open) can replace while nobody works on it.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn join(dir: &Path, is: &Description, resume: bool, strict: bool) -> Result<()> {
        let how = if resume { Opening::Resume { strict } } else { Opening::Create };
        let started = Instant::now();
        // Others may be joining; a process that works here alone keeps the lock for longer.
        let patient = |dir: &Path| loop {
            match Lock::acquire(dir) {
                Err(Error::Locked { .. }) if started.elapsed() < JOINING => sleep(Duration::from_millis(10)),
                lock => return lock,
            }
        };
        let _joined = identify(dir, is, how, patient)?;
        save(&dir.join(CONFIG), is.config().as_bytes())?;
        std::mem::forget(Written::watch(dir)?);
        Ok(())
    }

    /// A run without a folder: nothing is saved, logged or shown.
    pub fn in_memory() -> Self {
        Self::with_folder(None, true)
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
        if let Some(folder) = &self.folder {
            self.monitor.take_up(&folder.dir.join(PROFILE).join(SUMS));
        }
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

    /// Leaves the sums of the monitor in the folder for the process that goes on.
    pub(crate) fn keep_profile(&self) -> Result<Option<PathBuf>> {
        let Some(folder) = self.folder.as_ref().filter(|_| self.monitor.is_on()) else { return Ok(None) };
        let profile = folder.dir.join(PROFILE);
        fs::create_dir_all(&profile).map_err(Error::io("create the folder", &profile))?;
        self.monitor.leave(&profile.join(SUMS))?;
        Ok(Some(profile))
    }

    /// Work begins, or is found done: the run is now what it was opened as.
    pub(crate) fn begin(&mut self, computing: Option<Computing>) -> Result<()> {
        let Some(folder) = &mut self.folder else { return Ok(()) };
        if let Some(remark) = folder.remark.take().filter(|_| !self.quiet) {
            // A closed standard error is no reason to stop.
            let _ = writeln!(std::io::stderr(), "{remark}");
        }
        if folder.environment.device.is_none()
            && let Some(computing) = computing
        {
            folder.environment.note(computing);
            save_json(&folder.dir.join(ENVIRONMENT), &folder.environment)?;
        }
        if let Some(config) = folder.config.take() {
            folder::remove(&folder.dir.join(FINISHED))?;
            save(&folder.dir.join(CONFIG), config.as_bytes())?;
        }
        Ok(())
    }

    /// Work cannot go on with what has grown: the run is again what it was.
    pub(crate) fn cannot_grow(&self, work: &str) -> Option<Error> {
        let Folder { dir, grown, before, .. } = self.folder.as_ref().filter(|folder| !folder.grown.is_empty())?;
        let restored = save(&dir.join(CONFIG), before.as_deref().unwrap_or_default().as_bytes());
        let refusal = Error::CannotGrow { dir: dir.clone(), work: work.to_string(), changes: grown.clone() };
        Some(restored.err().unwrap_or(refusal))
    }

    /// Marks the run as complete, after everything else is written; `summary` goes into `finished.json`, and into
    /// `metrics.json` where this process wrote none.
    ///
    /// # Errors
    /// [`Error::Encoding`] where the summary has no JSON form, [`Error::Io`] where the file cannot be written.
    pub fn finish(&mut self, summary: &impl Serialize) -> Result<()> {
        self.begin(None)?;
        let Some(folder) = &self.folder else { return Ok(()) };
        if self.monitor.is_on() {
            let profile = self.keep_profile()?.unwrap_or_default();
            self.monitor.write_chrome_trace(&profile.join("trace.json"))?;
            save(&profile.join("phases.txt"), self.monitor.log_summary().as_bytes())?;
        }
        let path = folder.dir.join(FINISHED);
        let summary = serde_json::to_value(summary).map_err(Error::encoding("encode", path.display().to_string()))?;
        if summary.is_object() && !folder.written.has(METRICS) {
            save_json(&folder.dir.join(METRICS), &summary)?;
        }
        let content = json!({
            "finished": utc(SystemTime::now()),
            "elapsed_seconds": folder.log.elapsed_seconds(),
            "warnings": self.warnings,
            "summary": summary,
        });
        save_json(&path, &content)
    }

    /// Takes a run that failed before any state of it was saved out of its folder again, which goes too where nothing else is in it: there is
    /// nothing to go on with, and bad input leaves nothing behind. A run with saved state stays.
    ///
    /// # Errors
    /// [`Error::Io`] for a file that cannot be removed.
    pub fn discard(self) -> Result<()> {
        let Some(dir) = self.dir().map(Path::to_path_buf) else { return Ok(()) };
        if folder::has_state(&dir) {
            return Ok(());
        }
        drop(self); // the log and the lock are let go first
        folder::discard(&dir)
    }
}

/// The summary of the finished run in `dir`, where it is the one described and there is no more to do.
fn finished(dir: &Path, is: &Description, strict: bool) -> Result<Option<Value>> {
    let path = dir.join(FINISHED);
    if !path.is_file() || check_is_run(dir).is_err() {
        return Ok(None);
    }
    if !compared(dir, is, strict)?.grown.is_empty() {
        return Ok(None);
    }
    let content: Value =
        serde_json::from_str(&read(&path)?).map_err(Error::encoding("decode", path.display().to_string()))?;
    Ok(Some(content["summary"].clone()))
}

fn compared(dir: &Path, is: &Description, strict: bool) -> Result<Difference> {
    let inputs = dir.join(INPUTS);
    let inputs = if inputs.exists() { read(&inputs)? } else { String::new() };
    let difference = is.compare(dir, &read(&dir.join(CONFIG))?, &inputs)?;
    if strict && !difference.changes.is_empty() {
        return Err(Error::SettingsChanged { dir: dir.to_path_buf(), changes: difference.changes });
    }
    Ok(difference)
}

/// A folder that is known to be that of the run.
struct Identified {
    lock: Lock,
    environment: Environment,
    /// From the run as it was, where that is gone on with.
    difference: Option<Difference>,
    warning: Option<String>,
}

/// Locks the folder and compares the run that is there with the one described; where none is there, or it is replaced, the
/// folder is made that of the run.
fn identify(dir: &Path, is: &Description, how: Opening, acquire: impl Fn(&Path) -> Result<Lock>) -> Result<Identified> {
    if !unused(dir)? {
        check_is_run(dir)?;
    }
    fs::create_dir_all(dir).map_err(Error::io("create the folder", dir))?;
    let lock = acquire(dir)?;
    let mut environment = Environment::collect();
    let path = dir.join(ENVIRONMENT);
    // Another process may have been faster between the look and the lock.
    let difference = match how {
        _ if unused(dir)? => None,
        Opening::Create => return Err(Error::RunExists { dir: dir.to_path_buf() }),
        Opening::Replace => None,
        Opening::Resume { strict } => Some(compared(dir, is, strict)?),
    };
    let mut warning = None;
    if let Some(difference) = &difference {
        environment.config_changes = difference.changes.iter().map(Change::to_string).collect();
        match serde_json::from_str::<Value>(&read(&path)?) {
            Ok(before) => environment.follow(before),
            Err(source) => {
                let text = format!("{ENVIRONMENT} cannot be read ({source}); what it said of earlier starts is lost");
                warning = Some(text);
            }
        }
        save_json(&path, &environment)?;
    } else {
        folder::clear(dir)?;
        // In this order: without the configuration a folder is known as a start that was killed.
        save_json(&path, &environment)?;
        save_json(&dir.join(INPUTS), is.inputs())?;
        save(&dir.join(CONFIG), is.config().as_bytes())?;
    }
    Ok(Identified { lock, environment, difference, warning })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use tempfile::tempdir;

    const RESUME: Opening = Opening::Resume { strict: false };
    const STRICT: Opening = Opening::Resume { strict: true };

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

    fn description(restarts: u32) -> Description {
        let config = Config { restarts, noise: None, edaa: Edaa { iterations: 20 } };
        Description::new("test").settings(&config).unwrap().growing(&["restarts"]).data("scene", "00")
    }

    fn opened(dir: &Path, is: &Description, how: Opening) -> Run {
        let mut run = Run::open(dir, is, how).unwrap().run().unwrap();
        run.set_quiet(true);
        run
    }

    fn refused(dir: &Path, is: &Description, how: Opening) -> Error {
        Run::open(dir, is, how).unwrap_err()
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
        let mut run = opened(&dir, &description(10), Opening::Create);
        assert_eq!(run.dir(), Some(dir.as_path()));
        run.log(&[("seconds", 1.0)]).unwrap();
        assert!(!dir.join(FINISHED).exists());
        run.finish(&json!({"mean_sad_rad": 0.02})).unwrap();
        let files = ["config.toml", "environment.json", "files.txt", "finished.json", "inputs.json", "metrics.csv"];
        assert_eq!(names(&dir), [&files[..], &["metrics.json", "metrics.jsonl", "run.lock"]].concat());
        assert_eq!(names(outside.path()), ["two words é"]);
        let text = read(&dir.join(CONFIG)).unwrap();
        assert!(text.starts_with("command = \"test\"\n"), "{text}");
        assert_eq!(text.parse::<toml::Table>().unwrap()["edaa"]["iterations"].as_integer(), Some(20));
        assert_eq!(json(&dir.join(FINISHED))["summary"]["mean_sad_rad"], 0.02);
        assert_eq!(json(&dir.join(METRICS))["mean_sad_rad"], 0.02);
        assert_eq!(json(&dir.join(INPUTS))["scene"]["blake3"], "00");
        let environment = json(&dir.join(ENVIRONMENT));
        assert_eq!(environment["process"], std::process::id());
        assert_eq!(environment["cupel"], env!("CARGO_PKG_VERSION"));
    }

    #[test]
    fn the_metrics_of_a_domain_stay_and_those_of_an_earlier_finish_do_not() {
        let folder = tempdir().unwrap();
        let mut run = opened(folder.path(), &description(1), Opening::Create);
        run.finish(&json!({"loss": 2})).unwrap();
        drop(run);
        let mut run = opened(folder.path(), &description(2), RESUME);
        run.finish(&json!({"loss": 1})).unwrap();
        assert_eq!(json(&folder.path().join(METRICS))["loss"], 1);
        save_json(&folder.path().join(METRICS), &json!({"own": 3})).unwrap();
        run.finish(&json!({"loss": 0})).unwrap();
        assert_eq!(json(&folder.path().join(METRICS)), json!({"own": 3}));
    }

    #[cfg(any(feature = "flex", feature = "ndarray"))]
    #[test]
    fn the_environment_names_device_and_seed() {
        let folder = tempdir().unwrap();
        let mut run = opened(folder.path(), &description(1), Opening::Create);
        let device = crate::device::select("cpu").unwrap();
        run.describe(&device, &Casting::f32(), u64::MAX).unwrap();
        let environment = json(&folder.path().join(ENVIRONMENT));
        assert_eq!(environment["device"], device.name);
        assert_eq!(environment["device_reason"], device.reason);
        assert_eq!(environment["precision"], "f32");
        assert_eq!(environment["seed"], u64::MAX);
    }

    /// A run that wrote files as a domain does, beside files of a user.
    fn with_files_of_both(dir: &Path) {
        let _run = opened(dir, &description(1), Opening::Create);
        for folder in ["checkpoints/edaa/000000000001", "figures", "tables", "mine"] {
            fs::create_dir_all(dir.join(folder)).unwrap();
        }
        for name in ["report.html", "figures/map.svg", "tables/a.csv", "checkpoints/edaa/state"] {
            save(&dir.join(name), b"old").unwrap();
        }
        for name in ["notes.md", "mine/photo.png", "tables/by-hand.csv"] {
            fs::write(dir.join(name), "precious").unwrap();
        }
        // killed here: the run was never finished
    }

    #[test]
    fn a_run_that_failed_before_it_saved_leaves_nothing_and_one_that_saved_stays() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("run");
        let open = || opened(&dir, &description(3), Opening::Create);
        open().discard().unwrap();
        assert!(!dir.exists());
        let run = open();
        fs::write(dir.join("notes.md"), "mine").unwrap();
        run.discard().unwrap();
        assert_eq!(names(&dir), ["notes.md"]);
        fs::remove_file(dir.join("notes.md")).unwrap();
        let run = open();
        fs::create_dir_all(dir.join("checkpoints/fit/00000001")).unwrap();
        run.discard().unwrap();
        assert!(dir.join("config.toml").is_file());
    }

    #[test]
    fn replacing_removes_what_the_run_wrote_and_nothing_else() {
        let folder = tempdir().unwrap();
        let dir = folder.path();
        with_files_of_both(dir);
        assert!(matches!(refused(dir, &description(2), Opening::Create), Error::RunExists { .. }));
        assert!(dir.join("report.html").exists());
        drop(opened(dir, &description(2), Opening::Replace));
        assert!(read(&dir.join(CONFIG)).unwrap().contains("restarts = 2"));
        for name in ["report.html", "figures", "checkpoints", "tables/a.csv"] {
            assert!(!dir.join(name).exists(), "{name}");
        }
        for name in ["notes.md", "mine/photo.png", "tables/by-hand.csv"] {
            assert_eq!(read(&dir.join(name)).unwrap(), "precious", "{name}");
        }
    }

    #[test]
    fn a_list_of_files_that_leads_outside_is_not_followed() {
        let outside = tempdir().unwrap();
        let dir = outside.path().join("run");
        drop(opened(&dir, &description(1), Opening::Create));
        fs::write(outside.path().join("thesis.tex"), "precious").unwrap();
        let lines = format!("../thesis.tex\n{}\n", outside.path().join("thesis.tex").display());
        fs::write(dir.join("files.txt"), lines).unwrap();
        drop(opened(&dir, &description(1), Opening::Replace));
        assert!(outside.path().join("thesis.tex").exists());
    }

    #[test]
    fn leftovers_of_interrupted_writes_go_when_the_run_is_opened() {
        for how in [RESUME, Opening::Replace] {
            let folder = tempdir().unwrap();
            let dir = folder.path();
            with_files_of_both(dir);
            fs::create_dir_all(dir.join("checkpoints/edaa/.partial-000000000002")).unwrap();
            let left = [".report.html.1-0.tmp", "figures/.map.svg.77-12.tmp", ".metrics.json.1-3.tmp"];
            let others = ["mine/.mine.1-0.tmp", ".hidden.tmp", ".partial-of-mine"];
            left.iter().chain(&others).for_each(|name| fs::write(dir.join(name), "").unwrap());
            drop(opened(dir, &description(1), how));
            assert!(!left.iter().any(|name| dir.join(name).exists()));
            assert!(!dir.join("checkpoints/edaa/.partial-000000000002").exists());
            assert!(others.iter().all(|name| dir.join(name).exists()));
        }
    }

    #[test]
    fn a_folder_that_is_no_run_is_never_touched() {
        for content in ["thesis.tex", "config.toml", "environment.json", "run.lock2"] {
            let folder = tempdir().unwrap();
            fs::write(folder.path().join(content), "precious").unwrap();
            for how in [Opening::Replace, Opening::Create, RESUME] {
                assert!(matches!(refused(folder.path(), &description(1), how), Error::NotARun { .. }), "{content}");
            }
            assert!(matches!(Run::join(folder.path(), &description(1), true, false), Err(Error::NotARun { .. })));
            assert_eq!(names(folder.path()), [content]);
            assert_eq!(read(&folder.path().join(content)).unwrap(), "precious");
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_a_link_leads_to_stays() {
        let outside = tempdir().unwrap();
        fs::write(outside.path().join("scene.npy"), "precious").unwrap();
        let folder = tempdir().unwrap();
        drop(opened(folder.path(), &description(1), Opening::Create));
        for name in ["data", "checkpoints"] {
            std::os::unix::fs::symlink(outside.path(), folder.path().join(name)).unwrap();
        }
        fs::write(folder.path().join("files.txt"), "data/scene.npy\n").unwrap();
        drop(opened(folder.path(), &description(1), Opening::Replace));
        assert!(folder.path().join("data").exists() && !folder.path().join("checkpoints").exists());
        assert_eq!(names(outside.path()), ["scene.npy"]);
    }

    #[test]
    fn a_start_that_was_killed_is_taken_over() {
        for how in [Opening::Create, RESUME] {
            let folder = tempdir().unwrap();
            fs::write(folder.path().join(crate::lock::LOCK), "1\n").unwrap();
            fs::write(folder.path().join(ENVIRONMENT), "{").unwrap();
            fs::write(folder.path().join(".config.toml.1-2.tmp"), "rest").unwrap();
            drop(opened(folder.path(), &description(1), how));
            assert!(!folder.path().join(".config.toml.1-2.tmp").exists());
        }
    }

    #[test]
    fn a_run_at_work_is_left_alone() {
        let folder = tempdir().unwrap();
        let _at_work = opened(folder.path(), &description(1), Opening::Create);
        for how in [Opening::Replace, Opening::Create, RESUME] {
            let started = Instant::now();
            let text = refused(folder.path(), &description(1), how).to_string();
            assert!(text.contains(&format!("process {} is working", std::process::id())), "{text}");
            assert!(started.elapsed() < Duration::from_secs(1), "said at once");
        }
    }

    #[test]
    fn a_finished_run_is_given_back_unless_there_is_more_to_do() {
        let folder = tempdir().unwrap();
        let mut first = opened(folder.path(), &description(10), Opening::Create);
        first.finish(&json!({"loss": 0.5})).unwrap();
        drop(first);
        for how in [RESUME, STRICT] {
            let again = Run::open(folder.path(), &description(10), how).unwrap();
            assert!(matches!(again, Opened::Finished(summary) if summary["loss"] == 0.5));
        }
        let text = refused(folder.path(), &description(9), RESUME).to_string();
        assert!(text.contains("restarts: 10 -> 9 (it may grow, and not shrink)"), "{text}");
        let strict = refused(folder.path(), &description(20), STRICT).to_string();
        assert!(strict.contains("restarts: 10 -> 20"), "{strict}");
        let mut more = opened(folder.path(), &description(20), RESUME);
        assert!(folder.path().join(FINISHED).exists(), "until work begins");
        more.begin(None).unwrap();
        assert!(!folder.path().join(FINISHED).exists());
        drop(more);
        let third = opened(folder.path(), &description(20), STRICT);
        let environment = json(&folder.path().join(ENVIRONMENT));
        assert_eq!(environment["config_changes"], json!([]));
        let earlier = environment["earlier"].as_array().unwrap();
        assert_eq!(earlier.len(), 2);
        assert_eq!(earlier[1]["config_changes"], json!(["restarts: 10 -> 20"]));
        assert!(third.warnings().is_empty());
    }

    #[test]
    fn a_folder_belongs_to_one_run() {
        let folder = tempdir().unwrap();
        drop(opened(folder.path(), &description(1), Opening::Create));
        let before: Vec<_> = [CONFIG, ENVIRONMENT, INPUTS].map(|name| read(&folder.path().join(name)).unwrap()).into();
        let settings = BTreeMap::from([("restarts", 1)]);
        let other = |command| Description::new(command).settings(&settings).unwrap();
        assert!(matches!(refused(folder.path(), &other("unmix run"), RESUME), Error::OtherCommand { .. }));
        let error = refused(folder.path(), &other("test"), RESUME);
        assert!(matches!(&error, Error::SettingsChanged { changes, .. } if changes[0].setting == "edaa.iterations"));
        let error = refused(folder.path(), &description(1).data("truth", "1"), RESUME);
        assert!(matches!(&error, Error::OtherData { input, .. } if input == "truth"), "{error}");
        let after = [CONFIG, ENVIRONMENT, INPUTS].map(|name| read(&folder.path().join(name)).unwrap());
        assert_eq!(before, after, "a refusal changes nothing");
        // a moved folder is the same run
        let moved = tempdir().unwrap();
        let moved = moved.path().join("moved");
        fs::rename(folder.path(), &moved).unwrap();
        drop(opened(&moved, &description(1), STRICT));
    }

    #[test]
    fn a_shared_folder_is_joined_by_those_of_the_same_run() {
        let folder = tempdir().unwrap();
        let dir = folder.path().join("study");
        Run::join(&dir, &description(5), true, false).unwrap();
        assert!(matches!(Run::join(&dir, &description(5), false, false), Err(Error::RunExists { .. })));
        let several = || {
            (0..4).map(|_| {
                std::thread::spawn({
                    let dir = dir.clone();
                    move || Run::join(&dir, &description(5), true, true)
                })
            })
        };
        several().collect::<Vec<_>>().into_iter().for_each(|joined| joined.join().unwrap().unwrap());
        Run::join(&dir, &description(7), true, false).unwrap();
        assert!(read(&dir.join(CONFIG)).unwrap().contains("restarts = 7"));
        assert!(matches!(Run::join(&dir, &description(5), true, false), Err(Error::SettingsChanged { .. })));
        assert!(matches!(Run::join(&dir, &Description::new("other"), true, false), Err(Error::OtherCommand { .. })));
        save(&dir.join("study.journal"), b"trials").unwrap();
        drop(opened(&dir, &description(1), Opening::Replace));
        assert!(!dir.join("study.journal").exists());
    }

    #[test]
    fn an_unreadable_environment_is_a_warning() {
        let folder = tempdir().unwrap();
        drop(opened(folder.path(), &description(1), Opening::Create));
        fs::write(folder.path().join(ENVIRONMENT), "{\"cupel\":").unwrap();
        let run = opened(folder.path(), &description(1), RESUME);
        assert!(run.warnings()[0].contains("environment.json cannot be read"));
    }

    #[test]
    fn resuming_nothing_starts_and_says_so() {
        let folder = tempdir().unwrap();
        for dir in [folder.path().to_path_buf(), folder.path().join("missing")] {
            let run = opened(&dir, &description(1), RESUME);
            assert!(run.folder.as_ref().unwrap().remark.as_ref().unwrap().contains("nothing to resume"));
        }
        assert!(opened(folder.path(), &description(1), RESUME).folder.unwrap().remark.is_none());
    }

    #[test]
    fn a_file_in_place_of_the_folder_is_an_error() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "content").unwrap();
        for how in [Opening::Create, Opening::Replace, RESUME] {
            assert!(matches!(refused(&path, &description(1), how), Error::Io { .. }));
        }
        assert_eq!(read(&path).unwrap(), "content");
    }

    #[test]
    fn settings_without_toml_form_are_refused() {
        assert!(matches!(Description::new("test").settings(&"text"), Err(Error::Encoding { .. })));
    }

    #[test]
    fn a_run_in_memory_writes_nothing() {
        let mut run = Run::in_memory();
        run.log(&[("seconds", 1.0)]).unwrap();
        run.finish(&()).unwrap();
        assert!(run.dir().is_none() && run.environment().is_none());
    }
}
