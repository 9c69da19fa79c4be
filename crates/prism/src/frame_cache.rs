//! [`FrameCache`]: frames that were read, so that solvers may ask for them again and again.
//!
//! A stack that lies in a file is read frame by frame as a sweep needs them; as many as bytes allow are kept, and the one not asked for longest goes
//! first. Of a stack in memory nothing is kept twice, it is only counted.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{
    CACHE_BYTES, Exposures, Frames, Result,
    cache::{Cache, CacheStats},
};

/// Frames behind a cache.
#[derive(Debug)]
struct FrameCache {
    frames: std::sync::Arc<dyn Frames>,
    kept: Mutex<Kept>,
    memory: usize,
}

#[derive(Debug)]
enum Kept {
    /// Copies of what was read.
    Copies(Cache<usize>),
    /// Which frames were asked for, where all are in memory anyway.
    Asked { asked: Vec<bool>, stats: CacheStats },
}

impl Exposures {
    /// The same with frames that are read once, as far as [`CACHE_BYTES`] allow, and counted: [`Frames::cache`].
    #[must_use]
    pub fn cached(&self) -> Self {
        self.cached_within(self.frames.memory())
    }

    /// The same where solvers may keep only so many bytes of frames: of more they read them again whenever they need them.
    #[must_use]
    pub fn cached_within(&self, memory: usize) -> Self {
        if self.frames.cache().is_some() {
            return self.clone();
        }
        let kept = match self.frames.in_memory() {
            true => Kept::Asked { asked: vec![false; self.frames.count()], stats: CacheStats::default() },
            false => Kept::Copies(Cache::new(CACHE_BYTES.min(memory))),
        };
        let frames = std::sync::Arc::new(FrameCache { frames: self.frames.clone(), kept: Mutex::new(kept), memory });
        Self { frames, ..self.clone() }
    }
}

impl FrameCache {
    /// Counts stay true whatever panicked beside them.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Frames for FrameCache {
    fn count(&self) -> usize {
        self.frames.count()
    }

    fn frame(&self, index: usize) -> Result<Vec<f32>> {
        if let Kept::Copies(cache) = &mut *self.kept()
            && let Some(values) = cache.get(&index)
        {
            return Ok(values.to_vec());
        }
        // not under the lock: others may read meanwhile
        let values = self.frames.frame(index)?;
        match &mut *self.kept() {
            Kept::Copies(cache) => cache.insert(index, values.as_slice().into()),
            Kept::Asked { asked, stats } => match asked.get_mut(index) {
                Some(true) => stats.hits += 1,
                Some(first) => {
                    *first = true;
                    stats.misses += 1;
                    stats.cache_size += 1;
                    stats.bytes += size_of_val(values.as_slice());
                }
                None => {}
            },
        }
        Ok(values)
    }

    fn in_memory(&self) -> bool {
        self.frames.in_memory()
    }

    fn memory(&self) -> usize {
        self.memory
    }

    fn cache(&self) -> Option<CacheStats> {
        Some(match &*self.kept() {
            Kept::Copies(cache) => cache.stats(),
            Kept::Asked { stats, .. } => stats.rated(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use super::*;
    use crate::{InMemory, Knowledge, Noise, Plane};

    /// Counts how often it is read.
    #[derive(Debug)]
    struct Counting(InMemory, AtomicUsize);

    impl Frames for Counting {
        fn count(&self) -> usize {
            self.0.count()
        }

        fn frame(&self, index: usize) -> Result<Vec<f32>> {
            self.1.fetch_add(1, Ordering::Relaxed);
            self.0.frame(index)
        }
    }

    fn of(frames: Arc<dyn Frames>) -> Exposures {
        let plane = Plane::from_fn(1, 1, |_, _| 1.0.into());
        let optics = crate::Optics {
            geometry: crate::Geometry::Spectrum,
            size: [2, 2],
            pupils: vec![plane],
            detector: 2,
            pixel_size: None,
            wavelength: None,
        };
        let (centres, known) = (vec![[0.0; 2]; frames.count()], Knowledge::default());
        Exposures { optics, centres, frames, noise: Noise::None, good: None, known, lights: None }
    }

    #[test]
    fn frames_are_read_once_and_counted() {
        let memory = InMemory { pixels: 4, values: (0..12u8).map(f32::from).collect() };
        let file = Arc::new(Counting(memory.clone(), AtomicUsize::new(0)));
        for exposures in [of(file.clone()), of(Arc::new(memory.clone()))] {
            let cached = exposures.cached().cached();
            for _ in 0..5 {
                for index in 0..3 {
                    assert_eq!(cached.frames.frame(index).unwrap(), memory.frame(index).unwrap());
                }
            }
            let stats = cached.frames.cache().unwrap();
            assert_eq!((stats.hits, stats.misses, stats.cache_size, stats.evictions), (12, 3, 3, 0));
            assert!((stats.hit_rate - 0.8).abs() < 1e-12 && stats.bytes >= 48);
        }
        assert_eq!(file.1.load(Ordering::Relaxed), 3);
    }
}
