//! Room for tiles, kept by each thread from one task to the next: fresh memory costs the system a fault for every page.

use std::cell::RefCell;

/// Vectors that a thread keeps.
const KEPT: usize = 16;

/// Values of a line of the cache.
const LINE: usize = 16;

thread_local! {
    static POOL: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// Values of this thread, whatever stood there last.
pub(super) struct Scratch(Vec<f32>);

impl Scratch {
    pub fn new() -> Self {
        Scratch(POOL.try_with(|pool| pool.borrow_mut().pop()).ok().flatten().unwrap_or_default())
    }

    /// The first `len` values, which begin with a line of the cache: vectors that lie across two cost twice.
    pub fn room(&mut self, len: usize) -> &mut [f32] {
        if self.0.len() < len + LINE {
            self.0.resize(len + LINE, 0.0);
        }
        let first = self.first();
        &mut self.0[first..first + len]
    }

    pub fn values(&self) -> &[f32] {
        &self.0[self.first()..]
    }

    fn first(&self) -> usize {
        self.0.as_ptr().align_offset(LINE * size_of::<f32>()).min(self.0.len())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let values = std::mem::take(&mut self.0);
        // A thread that ends has no pool any more: then the memory is freed.
        let _ = POOL.try_with(|pool| {
            let mut pool = pool.borrow_mut();
            if pool.len() < KEPT {
                pool.push(values);
            }
        });
    }
}
