//! [`Lock`]: one writer at a time, Optuna's workers included.
//!
//! Optuna's two file locks, one a symbolic link and one a file, are both the exclusive creation of `JOURNAL.lock`, so
//! whoever creates it has the lock in the eyes of all. Ours is a file that names its process: when that is gone, the
//! lock is taken away at once. Of other holders nothing is known; theirs is taken away, as Optuna does, when it has
//! stood without a change for a grace period. Standard error tells of a lock that is waited for or was taken away.
//!
//! Two who take away at the same time could remove a lock that a third one created in between, so among workers of
//! this library one at a time may do it, under a lock of the operating system.

use super::{process::Process, workers};
use crate::{Error, Result};
use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant, SystemTime},
};

/// How long a lock may stand without a change before it counts as left behind; Optuna's default.
const GRACE: Duration = Duration::from_secs(30);
/// How long a lock may stand before it is told of and its age asked for: longer than any write takes.
const SILENCE: Duration = Duration::from_secs(1);
/// How long to wait while others come and go: far longer than any write takes, far shorter than a training.
const PATIENCE: Duration = Duration::from_secs(600);
/// First and longest pause between attempts.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(20));

/// The lock of a journal, to be taken.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    /// Locked by whoever takes a lock away.
    breaker: PathBuf,
    grace: Duration,
}

/// The lock, taken until dropped.
#[derive(Debug)]
pub(super) struct Held<'a> {
    lock: &'a Lock,
    token: String,
}

/// A lock of others that is waited for.
struct Stand {
    sight: Sight,
    since: Instant,
    told: bool,
}

/// What tells one taking of the lock from another.
#[derive(Clone, Debug, PartialEq)]
struct Sight {
    content: String,
    changed: Option<SystemTime>,
}

impl Sight {
    fn holder(&self) -> String {
        Process::parse(&self.content).map_or("another program, like Optuna".into(), |process| process.describe())
    }
}

impl Lock {
    pub(super) fn new(journal: &Path, workers: &Path) -> Self {
        let mut path = OsString::from(journal);
        path.push(".lock");
        Self { path: path.into(), breaker: workers.join(workers::BREAKER), grace: GRACE }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for the lock.
    pub(super) fn take(&self) -> Result<Held<'_>> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let token = format!("{} {}\n", Process::current(), COUNT.fetch_add(1, Ordering::Relaxed));
        let start = Instant::now();
        let mut pause = PAUSES.0;
        let mut seen: Option<Stand> = None;
        loop {
            match OpenOptions::new().write(true).create_new(true).open(&self.path) {
                Ok(mut file) => {
                    let written = file.write_all(token.as_bytes());
                    return written.map(|()| Held { lock: self, token }).map_err(|error| {
                        let _ = fs::remove_file(&self.path);
                        Error::io("write", &self.path)(error)
                    });
                }
                // Windows says "denied" while the last holder's file is being removed.
                Err(error)
                    if error.kind() == ErrorKind::AlreadyExists
                        || cfg!(windows) && error.kind() == ErrorKind::PermissionDenied => {}
                Err(error) => return Err(Error::io("lock", &self.path)(error)),
            }
            if let Some(sight) = self.look() {
                let same = seen.take().filter(|stand| stand.sight == sight);
                let stand = seen.insert(same.unwrap_or_else(|| Stand { sight, since: Instant::now(), told: false }));
                let gone = Process::parse(&stand.sight.content).is_some_and(|process| process.is_gone());
                let first = !stand.told && (gone || stand.since.elapsed() > SILENCE);
                if first {
                    stand.told = true;
                    let now = Instant::now();
                    stand.since = stand.since.min(now.checked_sub(self.age(&stand.sight)).unwrap_or(now));
                }
                let held = stand.since.elapsed();
                if gone || held > self.grace {
                    if self.take_away(&stand.sight)? {
                        let why = if gone { "which has ended" } else { "which has not changed it since" };
                        self.tell(&stand.sight, held, &format!("{why}: taken away"));
                    }
                    continue;
                }
                if first {
                    let rest = (self.grace.saturating_sub(held)).as_secs();
                    let what =
                        format!("waiting for it, at most {rest} s without a change; delete it if no process uses it");
                    self.tell(&stand.sight, held, &what);
                }
            }
            if start.elapsed() > PATIENCE {
                let holder = seen.map_or_else(String::new, |stand| stand.sight.holder());
                return Err(Error::LockBusy { lock: self.path.clone(), waited_s: start.elapsed().as_secs(), holder });
            }
            thread::sleep(pause);
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// The lock as it stands; nothing if it was given back meanwhile.
    fn look(&self) -> Option<Sight> {
        let own = fs::symlink_metadata(&self.path).ok()?;
        // Optuna's link points to the journal, whose changes show that the holder is at work.
        let content = if own.is_symlink() { String::new() } else { fs::read_to_string(&self.path).unwrap_or_default() };
        let target = fs::metadata(&self.path).and_then(|data| data.modified());
        Some(Sight { content, changed: own.modified().into_iter().chain(target).max() })
    }

    /// How long ago the lock changed, by the clock of its file system: clocks of machines need not agree.
    fn age(&self, sight: &Sight) -> Duration {
        let now = fs::write(&self.breaker, "\n").and_then(|()| fs::metadata(&self.breaker)?.modified());
        let age = now.ok().zip(sight.changed).and_then(|(now, changed)| now.duration_since(changed).ok());
        age.unwrap_or_default()
    }

    fn tell(&self, sight: &Sight, held: Duration, what: &str) {
        let (lock, holder, held) = (self.path.display(), sight.holder(), held.as_secs());
        // Nobody may be listening.
        let _ = writeln!(std::io::stderr(), "{lock}: held for {held} s by {holder}, {what}");
    }

    /// Whether it stood there as it was seen.
    fn take_away(&self, sight: &Sight) -> Result<bool> {
        let breaker = File::create(&self.breaker).map_err(Error::io("create", &self.breaker))?;
        breaker.lock().map_err(Error::io("lock", &self.breaker))?;
        let same = self.look().as_ref() == Some(sight);
        if same {
            match fs::remove_file(&self.path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(Error::io("remove the lock left behind at", &self.path)(error));
                }
                _ => {}
            }
        }
        Ok(same) // closing the file lets go of it
    }
}

impl Held<'_> {
    /// Whether nobody took the lock away, which happens to a process that was stopped for longer than the grace period.
    pub(super) fn is_ours(&self) -> bool {
        fs::read_to_string(&self.lock.path).is_ok_and(|content| content == self.token)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if self.is_ours() {
            // Others take it away if this fails.
            let _ = fs::remove_file(&self.lock.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn lock(folder: &Path, grace: Duration) -> Lock {
        Lock { grace, ..Lock::new(&folder.join("journal"), folder) }
    }

    #[test]
    fn one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let counter = folder.path().join("counter");
        fs::write(&counter, "0").unwrap();
        let lock = Arc::new(lock(folder.path(), GRACE));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (lock, counter) = (lock.clone(), counter.clone());
                thread::spawn(move || {
                    for _ in 0..50 {
                        let held = lock.take().unwrap();
                        let count: u32 = fs::read_to_string(&counter).unwrap().parse().unwrap();
                        fs::write(&counter, (count + 1).to_string()).unwrap();
                        assert!(held.is_ours());
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(fs::read_to_string(&counter).unwrap(), "200");
        assert!(!lock.path.exists());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_lock_of_a_dead_process_is_taken_away_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let lock = lock(folder.path(), Duration::from_secs(3600));
        let own = Process::current().to_string();
        let machine = own.split(' ').next().unwrap();
        fs::write(&lock.path, format!("{machine} 4194304999 7 0\n")).unwrap();
        // That number does not fit, so nothing is known of the holder; this one fits and is not there.
        assert!(Process::parse(&fs::read_to_string(&lock.path).unwrap()).is_some());
        lock.take().unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_silent_lock_of_another_program_is_taken_away_after_the_grace_period() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("journal"), "").unwrap();
        let lock = lock(folder.path(), Duration::from_millis(200));
        std::os::unix::fs::symlink("journal", &lock.path).unwrap();
        let start = Instant::now();
        let held = lock.take().unwrap();
        assert!(start.elapsed() > Duration::from_millis(200));
        assert!(held.is_ours());
        // A lock that changed hands is neither removed nor taken away on an old sight.
        let sight = lock.look().unwrap();
        fs::remove_file(&lock.path).unwrap();
        fs::write(&lock.path, "another").unwrap();
        lock.take_away(&sight).unwrap();
        assert!(!held.is_ours());
        drop(held);
        assert_eq!(fs::read_to_string(&lock.path).unwrap(), "another");
    }
}
