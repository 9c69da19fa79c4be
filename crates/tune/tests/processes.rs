//! Several processes on one study, one of them killed, one without room on its disk, one before a lock that stays: no trial is
//! lost, and none is done twice.

use cupel_tune::{Objective, Outcome, Parameter, Space, State, Study, StudyConfig, read_studies};
use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    io::{BufRead, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

const FOLDER: &str = "CUPEL_TUNE_FOLDER";
const WORKER: &str = "CUPEL_TUNE_WORKER";
const TRIALS: usize = 60;
/// The worker that stops in the middle of a trial and is killed there.
const VICTIM: usize = 2;

fn space() -> Space {
    Space::new([Parameter::float("x", -5.0, 5.0), Parameter::categorical("kind", ["a", "b"])]).unwrap()
}

fn open(folder: &Path) -> Study {
    // So rare that a sign of life that a test removes stays away: only the end of a process tells.
    let config =
        StudyConfig { heartbeat_s: 600.0, grace_s: 1200.0, ..StudyConfig::new("study", [Objective::minimize("y")]) };
    Study::open(folder.join("journal"), config).unwrap()
}

/// One of the four processes; nothing when the tests run.
#[test]
fn worker() {
    let (Ok(folder), Ok(worker)) = (env::var(FOLDER), env::var(WORKER)) else { return };
    let (folder, worker): (PathBuf, usize) = (folder.into(), worker.parse().unwrap());
    let mut done = fs::File::create(folder.join(format!("done-{worker}"))).unwrap();
    let mut count = 0;
    let study = open(&folder);
    study
        .optimize(&space(), TRIALS, |trial| -> Result<_, Box<dyn std::error::Error>> {
            count += 1;
            if worker == VICTIM && count == 3 {
                fs::write(folder.join("stuck"), trial.number().to_string())?;
                thread::sleep(Duration::from_secs(600));
            }
            // Nobody runs away with all the trials before.
            while worker != VICTIM && count == 4 && !folder.join("stuck").exists() {
                thread::sleep(Duration::from_millis(5));
            }
            let y = trial.float("x")?.powi(2);
            trial.report(0, y)?;
            thread::sleep(Duration::from_millis(5));
            writeln!(done, "{}", trial.number())?;
            Ok(Outcome::from(y))
        })
        .unwrap();
}

fn start(folder: &Path, worker: usize) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["worker", "--exact"])
        .envs([(FOLDER, folder.as_os_str()), (WORKER, worker.to_string().as_ref())])
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn four_processes_of_which_one_is_killed() {
    if env::var(FOLDER).is_ok() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut children: Vec<Child> = (0..4).map(|worker| start(folder.path(), worker)).collect();
    let deadline = Instant::now() + Duration::from_secs(120);
    let stuck = folder.path().join("stuck");
    while !fs::read_to_string(&stuck).is_ok_and(|text| !text.is_empty()) {
        assert!(Instant::now() < deadline, "the victim never came to its third trial");
        thread::sleep(Duration::from_millis(10));
    }
    let lost: usize = fs::read_to_string(&stuck).unwrap().parse().unwrap();
    children[VICTIM].kill().unwrap(); // SIGKILL on Unix; it stays a zombie until the end
    for (worker, child) in children.iter_mut().enumerate().filter(|(worker, _)| *worker != VICTIM) {
        assert!(child.wait().unwrap().success(), "worker {worker}");
    }
    children[VICTIM].wait().unwrap();

    let record = read_studies(folder.path().join("journal")).unwrap().remove(0);
    assert_eq!(record.count(State::Complete), TRIALS);
    assert_eq!(record.trials.len(), TRIALS + 1, "one trial more than asked for: the retry");
    assert_eq!((record.trials[lost].state, record.trials[lost].failure()), (State::Failed, Some("its worker died")));
    let retries: Vec<_> = record.trials.iter().filter(|trial| !trial.retry_history().is_empty()).collect();
    assert_eq!(retries.len(), 1);
    assert_eq!(retries[0].retry_history(), [lost]);
    assert_eq!(retries[0].parameters, record.trials[lost].parameters);
    assert_eq!(retries[0].system_attributes["failed_trial"], lost);

    // What the processes say they did is what the journal says, each once.
    let mut done: BTreeMap<usize, usize> = BTreeMap::new();
    for worker in 0..4 {
        for line in fs::read_to_string(folder.path().join(format!("done-{worker}"))).unwrap().lines() {
            *done.entry(line.parse().unwrap()).or_default() += 1;
        }
    }
    assert!(done.values().all(|&times| times == 1), "{done:?}");
    let complete: BTreeSet<usize> = record.complete().map(|trial| trial.number).collect();
    assert_eq!(done.into_keys().collect::<BTreeSet<_>>(), complete);
    assert!(!folder.path().join("journal.lock").exists());
}

/// Another process that searches; nothing when the tests run.
#[test]
fn searcher() {
    let (Ok(folder), Err(_)) = (env::var(FOLDER), env::var(WORKER)) else { return };
    let result = open(Path::new(&folder))
        .optimize(&space(), TRIALS, |trial| -> cupel_tune::Result<_> { Ok(Outcome::from(trial.float("x")?.powi(2))) });
    if let Err(error) = result {
        eprintln!("error: {error}");
    }
}

fn searcher_of(folder: &Path) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["searcher", "--exact", "--nocapture"]).env(FOLDER, folder).env_remove(WORKER);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// The limit of a process on the size of its files stands in for a disk that is full after some lines and half of another.
#[cfg(unix)]
#[test]
fn a_full_disk_is_named_and_leaves_whole_lines() {
    if env::var(FOLDER).is_ok() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal");
    let searcher = searcher_of(folder.path());
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "trap '' XFSZ; ulimit -f 16; exec \"$@\"", "sh"])
        .arg(searcher.get_program())
        .args(searcher.get_args());
    let output = shell.env(FOLDER, folder.path()).env_remove(WORKER).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains(&format!("error: could not write {}: ", journal.display())), "{text}");
    let written = fs::read_to_string(&journal).unwrap();
    assert!(written.ends_with("}\n") && written.len() > 4000, "{}", written.len());
    assert!(!folder.path().join("journal.lock").exists());

    assert!(searcher_of(folder.path()).output().unwrap().status.success());
    let record = read_studies(&journal).unwrap().remove(0);
    assert_eq!(record.count(State::Complete), TRIALS);
    assert!(record.failures().is_empty(), "the trial for which there was no room is repeated");

    // A device that is always full, where there is one.
    #[cfg(target_os = "linux")]
    {
        let full = folder.path().join("full");
        std::os::unix::fs::symlink("/dev/full", &full).unwrap();
        let text = Study::open(&full, StudyConfig::new("study", [Objective::minimize("y")])).unwrap_err().to_string();
        assert!(text.contains("full: no space left on the disk; free some"), "{text}");
    }
}

#[test]
fn a_lock_that_stays_is_told_of_at_once_and_an_old_one_is_taken_away() {
    if env::var(FOLDER).is_ok() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let lock = folder.path().join("journal.lock");
    let first_line = |child: &mut Child| {
        let mut line = String::new();
        std::io::BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
        line
    };
    // Of somebody else, taken just now.
    fs::write(&lock, "").unwrap();
    let start = Instant::now();
    let mut child = searcher_of(folder.path()).spawn().unwrap();
    let line = first_line(&mut child);
    assert!(start.elapsed() < Duration::from_secs(20), "{line}");
    assert!(line.starts_with(&format!("{}: held for ", lock.display())), "{line}");
    assert!(line.contains("another program, like Optuna, waiting for it, at most"), "{line}");
    fs::remove_file(&lock).unwrap();
    assert!(child.wait().unwrap().success());

    // Left behind long ago.
    let file = fs::File::create(&lock).unwrap();
    file.set_modified(std::time::SystemTime::now() - Duration::from_secs(3600)).unwrap();
    let start = Instant::now();
    let mut child = searcher_of(folder.path()).spawn().unwrap();
    let line = first_line(&mut child);
    assert!(line.contains("held for 36") && line.contains("not changed it since: taken away"), "{line}");
    assert!(child.wait().unwrap().success() && start.elapsed() < Duration::from_secs(25));
    assert!(!lock.exists());
}

#[test]
fn a_worker_that_was_taken_for_dead_cannot_finish_its_trial() {
    if env::var(FOLDER).is_ok() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (slow, other) = (open(folder.path()), open(folder.path()));
    let trial = slow.ask(&space()).unwrap();
    // As after a long sleep of its machine: the sign of life is old and somebody has cleaned up.
    let sign = folder.path().join("journal.workers").join(slow.worker());
    fs::remove_file(&sign).unwrap();
    let again = other.ask(&space()).unwrap();
    assert_eq!(again.values(), trial.values());
    let text = slow.tell(trial, &[0.0]).unwrap_err().to_string();
    assert!(text.contains("trial 0 of study `study` is already failed"), "{text}");
    other.tell(again, &[1.0]).unwrap();
    let record = other.record().unwrap();
    assert_eq!((record.trials.len(), record.best().unwrap().number), (2, 1));
}

/// Whoever dies after queueing the retry and before failing the trial leaves both; the next one only fails it.
#[test]
fn a_trial_is_retried_once_and_not_for_ever() {
    if env::var(FOLDER).is_ok() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal");
    let mut lineage = Vec::new();
    for _ in 0..5 {
        let study = open(folder.path());
        let trial = study.ask(&space()).unwrap();
        lineage.push((trial.number(), trial.values()));
        // Killed: neither the trial nor the study can say goodbye.
        let sign = folder.path().join("journal.workers").join(study.worker());
        std::mem::forget(trial);
        std::mem::forget(study);
        fs::remove_file(sign).unwrap();
    }
    // Three retries are the default, so the fifth is a new trial.
    let record = read_studies(&journal).unwrap().remove(0);
    assert_eq!(record.trials.len(), 5);
    assert_eq!(record.trials[3].retry_history(), [0, 1, 2]);
    assert!(lineage[..4].iter().all(|(_, values)| *values == lineage[0].1) && lineage[4].1 != lineage[0].1);
    assert!(record.trials[4].retry_history().is_empty());

    // Cut the line with which the fifth trial's finder fails it.
    let study = open(folder.path());
    let retry = study.ask(&space()).unwrap();
    assert_eq!(retry.number(), 5);
    study.tell(retry, &[1.0]).unwrap();
    drop(study);
    let text = fs::read_to_string(&journal).unwrap();
    let failed =
        |line: &&str| line.contains("\"op_code\":6") && line.contains("\"trial_id\":4") && line.contains("\"state\":3");
    let cut: String = text.lines().filter(|line| !failed(line)).map(|line| format!("{line}\n")).collect();
    assert_eq!(cut.lines().count() + 1, text.lines().count());
    fs::write(&journal, cut).unwrap();
    let study = open(folder.path());
    assert_eq!(study.record().unwrap().trials[4].state, State::Running);
    let new = study.ask(&space()).unwrap();
    let record = study.record().unwrap();
    assert_eq!((new.number(), record.trials[4].state, record.trials.len()), (6, State::Failed, 7));
}
