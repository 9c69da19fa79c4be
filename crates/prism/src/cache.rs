//! [`Cache`]: measurements that were made or read, as many as bytes allow; the one not asked for longest goes first.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
    sync::Arc,
};

use serde::Serialize;

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

impl CacheStats {
    /// With the rate that hits and misses say.
    pub(crate) fn rated(self) -> Self {
        let asked = self.hits + self.misses;
        Self { hit_rate: if asked > 0 { self.hits as f64 / asked as f64 } else { 0.0 }, ..self }
    }
}

/// Bytes of an entry beside its values and the key, which is there twice: two places in tables and the count of owners.
const BESIDE: usize = 64;

#[derive(Debug)]
struct Entry {
    values: Arc<[f32]>,
    used: u64,
}

/// Values by a key that says all they depend on.
#[derive(Debug)]
pub(crate) struct Cache<Key> {
    most_bytes: usize,
    entries: HashMap<Key, Entry>,
    /// Keys by when they were last asked for.
    order: BTreeMap<u64, Key>,
    clock: u64,
    stats: CacheStats,
}

impl<Key: Copy + Eq + Hash> Cache<Key> {
    pub(crate) fn new(most_bytes: usize) -> Self {
        Self { most_bytes, entries: HashMap::new(), order: BTreeMap::new(), clock: 0, stats: CacheStats::default() }
    }

    pub(crate) fn get(&mut self, key: &Key) -> Option<Arc<[f32]>> {
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

    pub(crate) fn insert(&mut self, key: Key, values: Arc<[f32]>) {
        let bytes = Self::bytes(&values);
        if bytes > self.most_bytes {
            return;
        }
        self.clock += 1;
        if let Some(old) = self.entries.insert(key, Entry { values, used: self.clock }) {
            self.order.remove(&old.used);
            self.stats.bytes -= Self::bytes(&old.values);
        }
        self.order.insert(self.clock, key);
        self.stats.bytes += bytes;
        while self.stats.bytes > self.most_bytes {
            let Some((_, oldest)) = self.order.pop_first() else { break };
            if let Some(entry) = self.entries.remove(&oldest) {
                self.stats.bytes -= Self::bytes(&entry.values);
                self.stats.evictions += 1;
            }
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.most_bytes);
    }

    pub(crate) fn stats(&self) -> CacheStats {
        CacheStats { cache_size: self.entries.len(), ..self.stats }.rated()
    }

    fn bytes(values: &[f32]) -> usize {
        size_of_val(values) + 2 * size_of::<Key>() + BESIDE
    }
}
