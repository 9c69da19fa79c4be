//! Files that were read and are kept.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use super::Part;

/// Files in memory, up to a number of bytes; with 0, none. A file that does not fit any more is not kept, and none is dropped for it: with
/// draws as random as these no choice is better than another one.
#[derive(Debug)]
pub(super) struct Cache {
    pub(super) most_bytes: u64,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) parts: HashMap<PathBuf, Arc<Part>>,
    pub(super) bytes: u64,
}

impl Cache {
    pub(super) fn new(megabytes: u64) -> Self {
        Self { most_bytes: megabytes.saturating_mul(1_000_000), kept: Mutex::default() }
    }

    /// A reader that panicked left nothing half done.
    pub(super) fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn keep(&self, path: &Path, part: &Arc<Part>) {
        let bytes = part.bytes();
        let mut kept = self.lock();
        // another thread may have read the same file meanwhile
        if kept.bytes + bytes <= self.most_bytes && kept.parts.insert(path.into(), part.clone()).is_none() {
            kept.bytes += bytes;
        }
    }
}
