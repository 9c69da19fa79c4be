//! [`Named`]: work on exposures under another name, which also tells how often frames were known.

use cupel_train::{Advance, Computing, Position, Progress, SetReader, SetWriter};

use crate::Frames;

/// Work under another name: a run keeps checkpoints by name, and work that is made twice is work of its own.
pub(crate) struct Named<'a, A> {
    pub(crate) work: &'a mut A,
    pub(crate) name: String,
    pub(crate) frames: &'a dyn Frames,
}

impl<A: Advance> Advance for Named<'_, A> {
    fn advance(&mut self, at: Position) -> cupel_train::Result<Progress> {
        let mut progress = self.work.advance(at)?;
        if let Some(stats) = self.frames.cache() {
            progress.metrics.push("Cache/HitRate", stats.hit_rate);
            progress.metrics.push("Cache/Size", stats.cache_size as f64);
        }
        Ok(progress)
    }

    fn save(&self, set: &mut SetWriter) -> cupel_train::Result<()> {
        self.work.save(set)
    }

    fn load(&mut self, set: &SetReader) -> cupel_train::Result<()> {
        self.work.load(set)
    }

    fn fingerprint(&self) -> cupel_train::Result<[u8; 32]> {
        self.work.fingerprint()
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn total(&self) -> Option<u64> {
        self.work.total()
    }

    fn computing(&self) -> Option<Computing> {
        self.work.computing()
    }

    fn has_more(&self) -> bool {
        self.work.has_more()
    }

    fn next(&self, at: Position) -> Position {
        self.work.next(at)
    }
}
