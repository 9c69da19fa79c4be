//! [`Cache`]: measurements that were made, as many as bytes allow; the one not asked for longest goes first.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use serde::Serialize;

/// All that a measurement depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// Number and version of the image.
    pub(super) image: [u64; 2],
    /// Number of the instrument's settings within the system.
    pub(super) instrument: u64,
    /// Bits of row and column.
    pub(super) centre: [u64; 2],
    /// Seed and number of the exposure.
    pub(super) noise: [u64; 2],
}

/// How often measurements were known, and what is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct CacheStats {
    /// Measurements that were known.
    pub hits: u64,
    /// Measurements that were made.
    pub misses: u64,
    /// Share of those that were known; nought where none was asked for.
    pub hit_rate: f64,
    /// Measurements that are kept.
    pub cache_size: usize,
    /// Their bytes, keys and bookkeeping included.
    pub bytes: usize,
    /// Measurements that went for others.
    pub evictions: u64,
}

/// Bytes of an entry beside its values: the key twice, two places in tables and the count of owners.
const BESIDE: usize = 2 * size_of::<Key>() + 64;

#[derive(Debug)]
struct Entry {
    values: Arc<[f32]>,
    used: u64,
}

#[derive(Debug)]
pub(super) struct Cache {
    most_bytes: usize,
    entries: HashMap<Key, Entry>,
    /// Keys by when they were last asked for.
    order: BTreeMap<u64, Key>,
    clock: u64,
    stats: CacheStats,
}

impl Cache {
    pub(super) fn new(most_bytes: usize) -> Self {
        Self { most_bytes, entries: HashMap::new(), order: BTreeMap::new(), clock: 0, stats: CacheStats::default() }
    }

    pub(super) fn get(&mut self, key: &Key) -> Option<Arc<[f32]>> {
        let Some(entry) = self.entries.get_mut(key) else {
            self.stats.misses += 1;
            return None;
        };
        self.stats.hits += 1;
        self.clock += 1;
        self.order.remove(&entry.used);
        self.order.insert(self.clock, *key);
        entry.used = self.clock;
        Some(entry.values.clone())
    }

    pub(super) fn insert(&mut self, key: Key, values: Arc<[f32]>) {
        let bytes = bytes(&values);
        if bytes > self.most_bytes {
            return;
        }
        self.clock += 1;
        if let Some(old) = self.entries.insert(key, Entry { values, used: self.clock }) {
            self.order.remove(&old.used);
            self.stats.bytes -= self::bytes(&old.values);
        }
        self.order.insert(self.clock, key);
        self.stats.bytes += bytes;
        while self.stats.bytes > self.most_bytes {
            let Some((_, oldest)) = self.order.pop_first() else { break };
            if let Some(entry) = self.entries.remove(&oldest) {
                self.stats.bytes -= self::bytes(&entry.values);
                self.stats.evictions += 1;
            }
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new(self.most_bytes);
    }

    pub(super) fn stats(&self) -> CacheStats {
        let asked = self.stats.hits + self.stats.misses;
        CacheStats {
            hit_rate: if asked > 0 { self.stats.hits as f64 / asked as f64 } else { 0.0 },
            cache_size: self.entries.len(),
            ..self.stats
        }
    }
}

fn bytes(values: &[f32]) -> usize {
    size_of_val(values) + BESIDE
}
