//! Work that is interrupted in every way ends in the same bits as work that is left alone.

use cupel_data::Stream;
use cupel_train::{
    Advance, Description, Error, Metrics, Opening, Policy, Position, Progress, Result, Run, SetReader, SetWriter,
    fingerprint, stop,
};
use serde::{Deserialize, Serialize};
use std::{
    env, fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// A chaotic map under noise: any bit that is lost, and any random number drawn twice, changes everything after it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Settings {
    seed: u64,
    steps: u64,
    pause_milliseconds: u64,
}

impl Settings {
    fn new(steps: u64) -> Self {
        Self { seed: 7, steps, pause_milliseconds: 0 }
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Map {
    values: Vec<f64>,
}

struct Chaos {
    settings: Settings,
    name: String,
    map: Map,
    /// The update at which to fail, as an out-of-memory kill in the middle of a step would.
    fails_at: Option<u64>,
    advances: u64,
}

impl Chaos {
    fn new(settings: &Settings) -> Self {
        let values = (0..32).map(|index| (f64::from(index) + 0.5) / 32.0).collect();
        let name = "chaos".to_string();
        Self { settings: settings.clone(), name, map: Map { values }, fails_at: None, advances: 0 }
    }

    fn failing_at(settings: &Settings, update: u64) -> Self {
        Self { fails_at: Some(update), ..Self::new(settings) }
    }

    /// What `steps` advances without any interruption lead to.
    fn uninterrupted(settings: &Settings) -> Map {
        let mut work = Self::new(settings);
        let driven = Run::in_memory().drive(&mut work, &Policy::default()).unwrap();
        assert_eq!((driven.reason.as_str(), driven.updates), ("all steps made", settings.steps));
        work.map
    }
}

impl Advance for Chaos {
    fn advance(&mut self, at: Position) -> Result<Progress> {
        std::thread::sleep(Duration::from_millis(self.settings.pause_milliseconds));
        let stream = Stream::new(self.settings.seed, "chaos").at(at.epoch, at.step);
        for (index, value) in (0..).zip(&mut self.map.values) {
            let noise = stream.u64(index) as f64 / u64::MAX as f64;
            *value = (3.9 * *value * (1.0 - *value) + 1e-3 * noise).fract();
            if self.fails_at == Some(at.update) && index == 20 {
                return Err(Error::work("the machine went away"));
            }
        }
        self.advances += 1;
        let mean = self.map.values.iter().sum::<f64>() / self.map.values.len() as f64;
        let done = (at.update + 1 == self.settings.steps).then_some("all steps made");
        Ok(Progress { metrics: Metrics::from([("mean", mean)]), done })
    }

    fn save(&self, set: &mut SetWriter) -> Result<()> {
        let bytes: Vec<u8> = self.map.values.iter().flat_map(|value| value.to_le_bytes()).collect();
        set.bytes("values.bin", &bytes)?;
        set.json("first.json", &self.map.values[0])
    }

    fn load(&mut self, set: &SetReader) -> Result<()> {
        let bytes = set.bytes("values.bin")?;
        let (values, _) = bytes.as_chunks::<8>();
        self.map.values = values.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect();
        assert_eq!(set.json::<f64>("first.json")?.to_bits(), self.map.values[0].to_bits());
        Ok(())
    }

    fn fingerprint(&self) -> Result<[u8; 32]> {
        fingerprint(&self.settings)
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn total(&self) -> Option<u64> {
        Some(self.settings.steps)
    }

    fn next(&self, at: Position) -> Position {
        // Epochs of 4 steps.
        match at.following() {
            next if next.step == 4 => Position { epoch: next.epoch + 1, step: 0, ..next },
            next => next,
        }
    }
}

const EVERY: Policy = Policy { save_every: Some(1), keep: 2 };

const RESUME: Opening = Opening::Resume { strict: false };
const STRICT: Opening = Opening::Resume { strict: true };

fn open(dir: &Path, settings: &Settings, how: Opening) -> Result<Run> {
    let is = Description::new("chaos").settings(settings)?.growing(&["steps"]).neutral(&["pause_milliseconds"]);
    let mut run = Run::open(dir, &is, how)?.run().unwrap();
    run.set_quiet(true);
    Ok(run)
}

fn opened(dir: &Path, settings: &Settings, how: Opening) -> Run {
    open(dir, settings, how).unwrap()
}

/// (step, mean) of every record of the log, in the order of the file.
fn logged(dir: &Path) -> Vec<(u64, u64)> {
    let lines = fs::read_to_string(dir.join("metrics.jsonl")).unwrap();
    let record = |line| -> serde_json::Value { serde_json::from_str(line).unwrap() };
    lines
        .lines()
        .map(record)
        .map(|record| {
            let mean = record["metrics"]["mean"].as_f64().unwrap();
            (record["step"].as_u64().unwrap(), mean.to_bits())
        })
        .collect()
}

fn checkpoints(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir.join("checkpoints/chaos")).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn interrupted_at_every_step_ends_in_the_same_bits() {
    let settings = Settings::new(13);
    let expected = Chaos::uninterrupted(&settings);
    let reference = tempfile::tempdir().unwrap();
    let mut work = Chaos::new(&settings);
    let mut run = opened(reference.path(), &settings, Opening::Create);
    run.drive(&mut work, &Policy::default()).unwrap();
    assert_eq!(work.map, expected, "saving changes nothing");

    for save_every in [1, 3, 100] {
        for interrupted_at in 0..settings.steps {
            let folder = tempfile::tempdir().unwrap();
            let policy = Policy { save_every: Some(save_every), keep: 2 };
            let mut run = opened(folder.path(), &settings, Opening::Create);
            let mut work = Chaos::failing_at(&settings, interrupted_at);
            let error = run.drive(&mut work, &policy).unwrap_err();
            assert_eq!(error.to_string(), "the machine went away");
            drop(run);

            let mut run = opened(folder.path(), &settings, STRICT);
            let mut work = Chaos::new(&settings);
            let driven = run.drive(&mut work, &policy).unwrap();
            assert_eq!((driven.reason.as_str(), driven.updates), ("all steps made", settings.steps));
            assert_eq!(work.map, expected, "interrupted at {interrupted_at}");
            let saved = interrupted_at / save_every * save_every;
            assert_eq!(work.advances, settings.steps - saved, "goes on from the checkpoint");
            assert_eq!(logged(folder.path()), logged(reference.path()));
        }
    }
}

#[test]
fn finished_work_is_not_done_again() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings::new(5);
    let mut run = opened(folder.path(), &settings, Opening::Create);
    let first = run.drive(&mut Chaos::new(&settings), &EVERY).unwrap();
    let mut again = Chaos::new(&settings);
    assert_eq!(run.drive(&mut again, &Policy::default()).unwrap(), first);
    assert_eq!((again.advances, again.map), (0, Chaos::uninterrupted(&settings)));
    assert_eq!(checkpoints(folder.path()), ["000000000004", "000000000005"]);
}

#[test]
fn several_pieces_of_work_share_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [Settings::new(3), Settings { seed: 8, ..Settings::new(3) }];
    let mut run = opened(folder.path(), &settings[0], Opening::Create);
    for settings in &settings {
        let mut work = Chaos { name: format!("seed-{}", settings.seed), ..Chaos::new(settings) };
        run.drive(&mut work, &Policy { save_every: Some(2), keep: 1 }).unwrap();
        assert_eq!(work.map, Chaos::uninterrupted(settings));
    }
    for work in ["seed-7", "seed-8"] {
        assert!(folder.path().join("checkpoints").join(work).join("000000000003").is_dir());
    }
}

#[test]
fn work_that_is_other_though_the_settings_are_not_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings::new(5);
    let mut run = opened(folder.path(), &settings, Opening::Create);
    run.drive(&mut Chaos::failing_at(&settings, 3), &EVERY).unwrap_err();
    drop(run);
    let other = Settings { seed: 8, ..settings.clone() };
    let mut run = opened(folder.path(), &settings, RESUME);
    let error = run.drive(&mut Chaos::new(&other), &EVERY).unwrap_err();
    assert!(matches!(error, Error::OtherWork { .. }), "{error}");
    assert!(error.to_string().contains("the version of the program or its code differ"), "{error}");
    drop(run);
    // the settings say what differs where they do
    let text = open(folder.path(), &other, RESUME).unwrap_err().to_string();
    assert!(text.contains("seed: 7 -> 8"), "{text}");
    // work whose fingerprint holds the number of steps cannot take more of them
    let longer = Settings { steps: 9, ..settings.clone() };
    let mut run = opened(folder.path(), &longer, RESUME);
    let mut before = Chaos { name: "before".into(), ..Chaos::new(&settings) };
    run.drive(&mut before, &EVERY).unwrap();
    let text = run.drive(&mut Chaos::new(&longer), &EVERY).unwrap_err().to_string();
    assert!(text.contains("`chaos` cannot go on with steps: 5 -> 9"), "{text}");
    drop(run);
    let mut run = opened(folder.path(), &settings, STRICT);
    run.drive(&mut Chaos::new(&settings), &EVERY).unwrap();
}

#[test]
fn a_damaged_checkpoint_costs_its_steps_and_nothing_else() {
    let settings = Settings::new(9);
    let folder = tempfile::tempdir().unwrap();
    let mut run = opened(folder.path(), &settings, Opening::Create);
    run.drive(&mut Chaos::failing_at(&settings, 6), &EVERY).unwrap_err();
    drop(run);
    let path = folder.path().join("checkpoints/chaos/000000000006/values.bin");
    let mut bytes = fs::read(&path).unwrap();
    bytes[100] ^= 1;
    fs::write(&path, bytes).unwrap();

    let mut strict = opened(folder.path(), &settings, STRICT);
    let error = strict.drive(&mut Chaos::new(&settings), &Policy::default()).unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
    drop(strict);

    let mut run = opened(folder.path(), &settings, RESUME);
    let mut work = Chaos::new(&settings);
    run.drive(&mut work, &Policy::default()).unwrap();
    assert_eq!((work.advances, &work.map), (4, &Chaos::uninterrupted(&settings)));
    assert_eq!(run.warnings().len(), 1);
    assert!(run.warnings()[0].contains("`values.bin` was changed after it was written"));
    assert_eq!(logged(folder.path()).len(), 9);
}

#[test]
fn names_and_policies_that_cannot_be_are_refused() {
    let settings = Settings::new(2);
    let mut run = Run::in_memory();
    for name in ["", "../elsewhere", "a b", ".hidden"] {
        let mut work = Chaos { name: name.into(), ..Chaos::new(&settings) };
        let error = run.drive(&mut work, &Policy::default()).unwrap_err();
        assert!(matches!(error, Error::Name { .. }), "{name}");
    }
    for policy in [Policy { save_every: Some(0), keep: 1 }, Policy { save_every: Some(1), keep: 0 }] {
        let error = run.drive(&mut Chaos::new(&settings), &policy).unwrap_err();
        assert!(error.to_string().contains("expected a number of at least 1"), "{error}");
    }
}

/// What the tests below run as a process of its own: one run in the folder of `CUPEL_TEST_DIR`, resumed where there is
/// one to resume.
#[test]
#[ignore = "started as a process of its own by the tests that interrupt it"]
fn child() {
    let own = tempfile::tempdir().unwrap();
    let dir = env::var_os("CUPEL_TEST_DIR").map_or(own.path().to_path_buf(), PathBuf::from);
    let settings = env::var("CUPEL_TEST_SETTINGS").ok();
    let settings = settings.map_or(Settings::new(3), |text| serde_json::from_str(&text).unwrap());
    let is = Description::new("chaos").settings(&settings).unwrap();
    let mut run = Run::open(&dir, &is, STRICT).unwrap().run().unwrap();
    let mut work = Chaos::new(&settings);
    match run.drive(&mut work, &Policy { save_every: Some(2), keep: 2 }) {
        Ok(_) => {
            let bits: Vec<u64> = work.map.values.iter().map(|value| value.to_bits()).collect();
            run.finish(&bits).unwrap();
        }
        Err(error) => std::process::exit(128 + error.stopped().unwrap()),
    }
}

/// Another one: a process that listens and works on something that is no run with a folder.
#[test]
#[ignore = "started as a process of its own by the tests that interrupt it"]
fn listening() {
    let Some(what) = env::var_os("CUPEL_TEST_DIR") else { return };
    stop::listen();
    eprintln!("ready");
    let error = match what.to_str() {
        Some("memory") => {
            let settings = Settings { pause_milliseconds: 20, ..Settings::new(u64::MAX) };
            Run::in_memory().drive(&mut Chaos::new(&settings), &Policy::default()).unwrap_err()
        }
        Some("loop") => loop {
            std::thread::sleep(Duration::from_millis(300));
            if let Err(error) = stop::check() {
                break error;
            }
        },
        _ => loop {
            std::thread::sleep(Duration::from_secs(60));
        },
    };
    assert_eq!(stop::requested(), error.stopped());
    std::process::exit(128 + error.stopped().unwrap());
}

/// Interruption by real signals to real processes.
#[cfg(unix)]
mod process {
    use super::*;
    use std::{
        io::{BufRead, BufReader},
        os::unix::process::ExitStatusExt,
        process::{Child, Command, Stdio},
        thread::sleep,
        time::Instant,
    };

    const SIGINT: i32 = 2;
    const SIGKILL: i32 = 9;
    const SIGTERM: i32 = 15;

    fn start(dir: &Path, settings: &Settings) -> Child {
        start_as("child", dir, settings)
    }

    fn start_as(what: &str, dir: &Path, settings: &Settings) -> Child {
        Command::new(env::current_exe().unwrap())
            .args(["--exact", what, "--ignored", "--nocapture"])
            .env("CUPEL_TEST_DIR", dir)
            .env("CUPEL_TEST_SETTINGS", serde_json::to_string(settings).unwrap())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    fn send(signal: i32, child: &Child) {
        let kill = format!("kill -{signal} {}", child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
        let started = Instant::now();
        while !holds() {
            assert!(started.elapsed() < Duration::from_secs(60), "{what} did not happen");
            sleep(Duration::from_millis(2));
        }
    }

    fn wait_until_it_advances(dir: &Path) {
        let log = dir.join("metrics.jsonl");
        wait_for("an advance", || fs::metadata(&log).is_ok_and(|log| log.len() > 0));
    }

    /// The final state that the process wrote.
    fn result(dir: &Path) -> Map {
        let text = fs::read_to_string(dir.join("finished.json")).unwrap();
        let finished: serde_json::Value = serde_json::from_str(&text).unwrap();
        let bits: Vec<u64> = serde_json::from_value(finished["summary"].clone()).unwrap();
        Map { values: bits.into_iter().map(f64::from_bits).collect() }
    }

    #[test]
    fn killed_at_twenty_random_moments_ends_in_the_same_bits() {
        let settings = Settings { pause_milliseconds: 3, ..Settings::new(400) };
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("run");
        let moments = Stream::new(1, "moments of killing");
        let mut killed = 0;
        let mut reached = Vec::new();
        for moment in 0..20 {
            let mut child = start(&dir, &settings);
            // From before the folder is there to well within the work.
            sleep(Duration::from_micros(1_000 + moments.u64(moment) % 50_000));
            child.kill().unwrap();
            killed += u32::from(child.wait().unwrap().signal() == Some(SIGKILL));
            reached.push(fs::read_dir(dir.join("checkpoints/chaos")).map_or(0, Iterator::count));
        }
        assert_eq!(killed, 20, "every process was still at work");
        assert!(reached.iter().any(|count| *count > 0), "some kills came after a checkpoint");
        assert!(start(&dir, &settings).wait().unwrap().success());
        let without_pause = Settings::new(settings.steps);
        assert_eq!(result(&dir), Chaos::uninterrupted(&without_pause));
        let steps: Vec<_> = logged(&dir).into_iter().map(|(step, _)| step).collect();
        assert_eq!(steps, (1..=settings.steps).collect::<Vec<_>>());
    }

    #[test]
    fn a_stop_signal_finishes_the_step_and_saves() {
        let settings = Settings { pause_milliseconds: 2, ..Settings::new(150) };
        for (signal, code) in [(SIGINT, 130), (SIGTERM, 143)] {
            let folder = tempfile::tempdir().unwrap();
            let dir = folder.path().join("run");
            let mut child = start(&dir, &settings);
            wait_until_it_advances(&dir);
            send(signal, &child);
            assert_eq!(child.wait().unwrap().code(), Some(code));
            let last = logged(&dir).last().unwrap().0;
            assert_eq!(checkpoints(&dir).last(), Some(&format!("{last:012}")), "nothing is lost");
            assert!(!dir.join("finished.json").exists());
            assert!(start(&dir, &settings).wait().unwrap().success());
            assert_eq!(result(&dir), Chaos::uninterrupted(&Settings::new(settings.steps)));
        }
    }

    #[test]
    fn a_second_signal_ends_a_step_that_never_ends() {
        let settings = Settings { pause_milliseconds: 120_000, ..Settings::new(2) };
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("run");
        let mut child = start(&dir, &settings);
        // The log is opened before the handlers are there: only signals sent after that are told apart.
        wait_for("the log", || dir.join("metrics.csv").exists());
        sleep(Duration::from_millis(300));
        send(SIGINT, &child);
        sleep(Duration::from_millis(300));
        assert!(child.try_wait().unwrap().is_none(), "the first one waits for the step");
        let started = Instant::now();
        send(SIGINT, &child);
        assert_eq!(child.wait().unwrap().signal(), Some(SIGINT));
        assert!(started.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn a_listening_process_acknowledges_at_once_and_stops_where_it_looks() {
        for work in ["loop", "memory"] {
            // The quickest of three: other processes may have the processors for a while.
            let waited = (0..3).map(|_| {
                let mut child = start_as("listening", Path::new(work), &Settings::new(1));
                let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(|line| line.unwrap());
                assert_eq!(lines.next().unwrap(), "ready");
                let sent = Instant::now();
                send(SIGTERM, &child);
                assert_eq!(lines.next().unwrap(), "stopping after this step; once more ends at once");
                let waited = sent.elapsed();
                assert_eq!(child.wait().unwrap().code(), Some(143), "{work}");
                waited
            });
            let quickest = waited.min().unwrap();
            assert!(quickest < Duration::from_millis(100), "{work}: {quickest:?}");
        }
        let mut child = start_as("listening", Path::new("deaf"), &Settings::new(1));
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        lines.next();
        send(SIGINT, &child);
        lines.next();
        send(SIGINT, &child);
        assert_eq!(child.wait().unwrap().signal(), Some(SIGINT), "the second one does not wait");
    }

    #[test]
    fn times_are_those_of_all_processes() {
        let settings = Settings { pause_milliseconds: 5, ..Settings::new(30) };
        let folder = tempfile::tempdir().unwrap();
        let mut run = opened(folder.path(), &settings, RESUME);
        run.drive(&mut Chaos::failing_at(&settings, 20), &EVERY).unwrap_err();
        drop(run);
        let mut run = opened(folder.path(), &settings, RESUME);
        let driven = run.drive(&mut Chaos::new(&settings), &EVERY).unwrap();
        assert!(driven.updates == 30 && driven.seconds >= 0.15, "{driven:?}");
        assert_eq!(run.drive(&mut Chaos::new(&settings), &EVERY).unwrap(), driven);
    }

    #[test]
    fn two_processes_do_not_share_a_folder() {
        let settings = Settings { pause_milliseconds: 50, ..Settings::new(2_000) };
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("run");
        let mut child = start(&dir, &settings);
        wait_until_it_advances(&dir);
        for run in [open(&dir, &settings, Opening::Replace), open(&dir, &settings, RESUME)] {
            let text = run.unwrap_err().to_string();
            assert!(text.contains(&format!("process {} is working", child.id())), "{text}");
        }
        child.kill().unwrap();
        child.wait().unwrap();
        opened(&dir, &settings, STRICT);
    }

    #[test]
    fn a_closed_standard_error_does_not_stop_the_work() {
        let settings = Settings { pause_milliseconds: 1, ..Settings::new(20) };
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("run");
        let mut child = start(&dir, &settings);
        drop(child.stderr.take());
        assert!(child.wait().unwrap().success());
        assert_eq!(result(&dir), Chaos::uninterrupted(&Settings::new(20)));
    }

    #[test]
    fn progress_goes_to_standard_error_in_plain_lines() {
        let folder = tempfile::tempdir().unwrap();
        let child = start(&folder.path().join("run"), &Settings::new(20));
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(lines[0].ends_with("nothing to resume, the run starts at the beginning"), "{text}");
        assert!(lines[1].starts_with("chaos  1/20  5%"), "{text}");
        assert!(lines[2].starts_with("chaos  20/20  100%"), "{text}");
        assert!(lines[2].ends_with("finished: all steps made"), "{text}");
    }
}
