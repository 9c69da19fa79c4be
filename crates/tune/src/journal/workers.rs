//! [`Workers`]: a folder beside the journal in which every worker shows that it is alive.
//!
//! Optuna's journal has no heartbeat, so each worker of this library keeps a file `JOURNAL.workers/NAME` that it
//! rewrites at an interval. A worker is dead when its file is gone, when its process is known to be gone, or when the
//! file is older than the grace period. Ages are differences of two modification times in that folder, both of which
//! the file system set: clocks of machines need not agree.

use super::process::Process;
use crate::{Error, Result};
use std::{
    collections::hash_map::RandomState,
    ffi::OsString,
    fs::{self, OpenOptions},
    hash::{BuildHasher, Hasher},
    io::Write,
    path::{Path, PathBuf},
    process,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Locked by whoever takes away the journal's lock.
pub(super) const BREAKER: &str = "breaker";
/// How the names of this library's workers begin; others have no heartbeat.
const PREFIX: &str = "cupel-";

/// This worker, alive until dropped, and its view of the others.
#[derive(Debug)]
pub(crate) struct Workers {
    folder: PathBuf,
    grace: Duration,
    own: String,
    stop: Arc<(Mutex<bool>, Condvar)>,
    beating: Option<JoinHandle<()>>,
}

impl Workers {
    /// The folder beside a journal.
    pub(super) fn folder(journal: &Path) -> PathBuf {
        let mut folder = OsString::from(journal);
        folder.push(".workers");
        folder.into()
    }

    /// Joins the workers of a journal under a new name.
    pub(super) fn join(journal: &Path, interval: Duration, grace: Duration) -> Result<Self> {
        let folder = Self::folder(journal);
        fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
        let own = name();
        let path = folder.join(&own);
        beat(&path).map_err(|error| {
            let _ = fs::remove_file(&path);
            Error::io("write", &path)(error)
        })?;
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let beating = thread::Builder::new()
            .name("heartbeat".into())
            .spawn({
                let (path, stop) = (path.clone(), stop.clone());
                move || {
                    let (stopped, bell) = &*stop;
                    let mut stopped = unpoisoned(stopped);
                    loop {
                        // `_while`: whoever stopped before this thread waits for the first time rang the bell in vain
                        let waited = bell.wait_timeout_while(stopped, interval, |stopped| !*stopped);
                        stopped = waited.unwrap_or_else(PoisonError::into_inner).0;
                        if *stopped {
                            return;
                        }
                        // A beat that fails is a beat that others miss; the next one may succeed.
                        let _ = beat(&path);
                    }
                }
            })
            .map_err(Error::io("start the heartbeat of", &path))?;
        Ok(Self { folder, grace, own, stop, beating: Some(beating) })
    }

    /// The name of this worker.
    pub(crate) fn own(&self) -> &str {
        &self.own
    }

    /// Whether the worker of this name certainly has stopped; never for this one and those of other programs.
    pub(crate) fn is_dead(&self, name: &str) -> bool {
        if !self.has_heartbeat(name) {
            return false;
        }
        let path = self.folder.join(name);
        let Ok(data) = fs::metadata(&path) else { return true };
        let process = fs::read_to_string(&path).ok().and_then(|text| Process::parse(&text));
        if process.is_some_and(|process| process.is_gone()) {
            return true;
        }
        // The time by the clock that stamped the other file.
        let own = self.folder.join(&self.own);
        let now = beat(&own).and_then(|()| fs::metadata(&own)).and_then(|data| data.modified());
        let age = now.and_then(|now| data.modified().map(|then| now.duration_since(then).unwrap_or_default()));
        age.is_ok_and(|age| age > self.grace)
    }

    /// Whether it is the name of another worker of this library, dead or alive.
    pub(crate) fn has_heartbeat(&self, name: &str) -> bool {
        name != self.own && is_ours(name)
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        let (stopped, bell) = &*self.stop;
        *unpoisoned(stopped) = true;
        bell.notify_all();
        if let Some(beating) = self.beating.take() {
            let _ = beating.join();
        }
        let _ = fs::remove_file(self.folder.join(&self.own));
    }
}

fn is_ours(name: &str) -> bool {
    // The rest keeps the name within the folder.
    name.strip_prefix(PREFIX).is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-'))
}

/// A name that no other worker has: two hashes under the random keys of this process, of its number, the time and a
/// count of the names.
fn name() -> String {
    let hash = |salt: u8| {
        let mut hasher = RandomState::new().build_hasher();
        hasher.write_u8(salt);
        hasher.write_u32(process::id());
        hasher.write_u128(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos());
        hasher.finish()
    };
    format!("{PREFIX}{:016x}{:016x}-{}", hash(0), hash(1), process::id())
}

/// Writes the file anew, which renews its time; the content is always the same, and in its place a full disk has room for it.
fn beat(path: &Path) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
    file.write_all(format!("{}\n", Process::current()).as_bytes())
}

fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_leaves_at_once_does_not_wait_for_its_next_beat() {
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join("journal");
        let start = std::time::Instant::now();
        for _ in 0..200 {
            drop(Workers::join(&journal, Duration::from_secs(60), Duration::from_secs(120)).unwrap());
        }
        assert!(start.elapsed() < Duration::from_secs(50), "{:?}", start.elapsed());
    }

    #[test]
    fn a_worker_is_dead_when_it_left_or_fell_silent() {
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join("journal");
        let join = || Workers::join(&journal, Duration::from_millis(20), Duration::from_millis(400)).unwrap();
        let (one, two) = (join(), join());
        assert_ne!(one.own(), two.own());
        thread::sleep(Duration::from_millis(600));
        assert!(!one.is_dead(two.own()) && one.has_heartbeat(two.own()));
        let left = two.own().to_string();
        drop(two);
        assert!(one.is_dead(&left));

        // Of another machine, and silent.
        let silent = format!("{PREFIX}0123");
        fs::write(one.folder.join(&silent), "elsewhere 1 1\n").unwrap();
        assert!(!one.is_dead(&silent));
        thread::sleep(Duration::from_millis(600));
        assert!(one.is_dead(&silent));

        assert!(!one.is_dead("3f2a-140234"), "Optuna's workers have no heartbeat");
        assert!(!one.is_dead("cupel-../../journal"));
    }
}
