//! [`Named`]: work under another name.

use cupel_train::{Advance, Computing, Position, Progress, SetReader, SetWriter};

/// Work under another name: a run keeps checkpoints by name, and work that is made twice is work of its own.
pub(crate) struct Named<'a, A> {
    pub(crate) work: &'a mut A,
    pub(crate) name: String,
}

impl<A: Advance> Advance for Named<'_, A> {
    fn advance(&mut self, at: Position) -> cupel_train::Result<Progress> {
        self.work.advance(at)
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
