//! An allocator that uses large blocks again.
//!
//! Results of tensor operations are blocks of many megabytes that live for a moment. The system's allocator gives each back to the
//! kernel, which hands out the next one page by page, cleared: in the training of a convolutional network that is a quarter of the time.
//! [`Recycling`] keeps freed blocks of a megabyte or more for the next request of about their size. Blocks in use and blocks kept never
//! exceed together what was in use at once before by more than 32 MB: a program needs hardly more memory than without it, and a small one
//! keeps what it uses.
//!
//! Every block is asked for and given back with the same layout, the rounded one of the caller's layout, so that the contract of the
//! system's allocator is the contract of the caller. That is all that the `unsafe` here rests on.
#![allow(unsafe_code)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    ptr,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Blocks from this size on are kept: smaller ones the system's allocator keeps itself.
const LARGE: usize = 1 << 20;
/// Sizes are rounded up to one of so many per power of two, so that nearly equal requests share blocks.
const SIZES: usize = 8;
/// Bytes that may be kept beyond what was in use at once: sizes alternate within a step, and without room for all of them each
/// pushes another one out.
const SPARE: usize = 32 << 20;
/// Blocks that can be kept at once.
const SLOTS: usize = 64;

/// An allocator that keeps freed blocks of a megabyte or more for the next request of their size.
///
/// A program that trains networks on the CPU makes it its own:
/// ```
/// #[global_allocator]
/// static MEMORY: cupel_kernels::Recycling = cupel_kernels::Recycling::new();
/// # fn main() {}
/// ```
#[derive(Debug, Default)]
pub struct Recycling {
    blocks: Mutex<Blocks>,
}

impl Recycling {
    /// An allocator that keeps nothing yet.
    pub const fn new() -> Self {
        Self { blocks: Mutex::new(Blocks::NONE) }
    }

    /// The blocks. Nothing that is done with them allocates or panics, so they are never left half-changed.
    fn blocks(&self) -> MutexGuard<'_, Blocks> {
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A kept block of this rounded layout, or a fresh one from `system`.
    fn take(&self, rounded: Layout, system: impl FnOnce() -> *mut u8) -> Taken {
        let mut blocks = self.blocks();
        if let Some(block) = blocks.take(rounded) {
            return Taken::Kept(block);
        }
        blocks.exchange(0, rounded.size());
        drop(blocks);
        let fresh = system();
        if fresh.is_null() {
            self.blocks().exchange(rounded.size(), 0);
        }
        Taken::Fresh(fresh)
    }
}

enum Taken {
    Kept(*mut u8),
    Fresh(*mut u8),
}

// SAFETY: small requests go to the system's allocator as they are. Large ones go there with their rounded layout, which is at least as large
// and equally aligned; a block that is handed out again was freed by its owner, is no longer kept, and has the same rounded layout.
unsafe impl GlobalAlloc for Recycling {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() < LARGE {
            // SAFETY: the caller's layout.
            return unsafe { System.alloc(layout) };
        }
        let Some(rounded) = rounded(layout) else { return ptr::null_mut() };
        // SAFETY: the layout is at least LARGE long.
        match self.take(rounded, || unsafe { System.alloc(rounded) }) {
            Taken::Kept(block) | Taken::Fresh(block) => block,
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if layout.size() < LARGE {
            // SAFETY: the caller's layout.
            return unsafe { System.alloc_zeroed(layout) };
        }
        let Some(rounded) = rounded(layout) else { return ptr::null_mut() };
        // SAFETY: the layout is at least LARGE long.
        match self.take(rounded, || unsafe { System.alloc_zeroed(rounded) }) {
            Taken::Fresh(block) => block,
            Taken::Kept(block) => {
                // SAFETY: the block belongs to nobody else and is at least as long as the layout.
                unsafe { block.write_bytes(0, layout.size()) };
                block
            }
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match rounded(layout) {
            Some(rounded) if layout.size() >= LARGE => self.blocks().keep(block, rounded),
            // SAFETY: the caller's block, which came from the system with this layout.
            _ => unsafe { System.dealloc(block, layout) },
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Ok(wanted) = Layout::from_size_align(size, layout.align()) else { return ptr::null_mut() };
        if layout.size() < LARGE && size < LARGE {
            // SAFETY: the caller's block, which came from the system with this layout.
            return unsafe { System.realloc(block, layout, size) };
        }
        if layout.size() >= LARGE && size >= LARGE {
            let (Some(before), Some(after)) = (rounded(layout), rounded(wanted)) else { return ptr::null_mut() };
            if before == after {
                return block;
            }
            // The system may move pages instead of copying them.
            self.blocks().exchange(before.size(), after.size());
            // SAFETY: the block came from the system with the layout `before`.
            let moved = unsafe { System.realloc(block, before, after.size()) };
            if moved.is_null() {
                self.blocks().exchange(after.size(), before.size());
            }
            return moved;
        }
        // SAFETY: both blocks are at least as long as the shorter of the layouts, and the new one is nobody else's.
        unsafe {
            let moved = self.alloc(wanted);
            if !moved.is_null() {
                moved.copy_from_nonoverlapping(block, layout.size().min(size));
                self.dealloc(block, layout);
            }
            moved
        }
    }
}

/// The layout that stands for all of about this size.
fn rounded(layout: Layout) -> Option<Layout> {
    let step = layout.size().checked_next_power_of_two()? / (2 * SIZES);
    let size = layout.size().checked_next_multiple_of(step.max(1))?;
    Layout::from_size_align(size, layout.align()).ok()
}

/// What is kept, and how much there is.
#[derive(Debug)]
struct Blocks {
    /// Blocks for use, in no order.
    kept: [Option<Block>; SLOTS],
    /// Counts the blocks that were ever kept, so that the oldest is known.
    age: u64,
    /// Bytes of large blocks in use.
    used: usize,
    /// Bytes of those kept.
    idle: usize,
    /// The most bytes of large blocks that were in use at once.
    peak: usize,
}

#[derive(Clone, Copy, Debug)]
struct Block {
    start: *mut u8,
    layout: Layout,
    age: u64,
}

// SAFETY: a kept block belongs to nobody but the list it is in.
unsafe impl Send for Block {}

impl Default for Blocks {
    fn default() -> Self {
        Self::NONE
    }
}

impl Blocks {
    const NONE: Self = Self { kept: [None; SLOTS], age: 0, used: 0, idle: 0, peak: 0 };

    /// Takes the block of this layout that was kept last.
    fn take(&mut self, layout: Layout) -> Option<*mut u8> {
        let fits = |slot: &&mut Option<Block>| slot.is_some_and(|block| block.layout == layout);
        let block = self.kept.iter_mut().filter(fits).max_by_key(|slot| slot.map(|block| block.age))?.take()?;
        self.idle -= layout.size();
        self.used += layout.size();
        Some(block.start)
    }

    /// Counts a block in use that becomes one of another size, and lets go of the oldest kept where there would be too much.
    fn exchange(&mut self, before: usize, after: usize) {
        self.used = self.used - before + after;
        self.peak = self.peak.max(self.used);
        while self.used + self.idle > self.peak + SPARE && self.release_oldest() {}
    }

    /// Keeps a block that was in use.
    fn keep(&mut self, start: *mut u8, layout: Layout) {
        if self.kept.iter().all(Option::is_some) {
            self.release_oldest();
        }
        self.used -= layout.size();
        self.idle += layout.size();
        self.age += 1;
        if let Some(slot) = self.kept.iter_mut().find(|slot| slot.is_none()) {
            *slot = Some(Block { start, layout, age: self.age });
        }
    }

    /// Gives the block that was kept first back to the system, if there is one.
    fn release_oldest(&mut self) -> bool {
        let oldest = self.kept.iter_mut().filter(|slot| slot.is_some()).min_by_key(|slot| slot.map(|block| block.age));
        let Some(block) = oldest.and_then(Option::take) else { return false };
        self.idle -= block.layout.size();
        // SAFETY: the block came from the system with this layout, and nobody has it any more.
        unsafe { System.dealloc(block.start, block.layout) };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    const MEGABYTE: usize = 1 << 20;

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 64).expect("a layout")
    }

    /// A block of `size` bytes that all hold `mark`.
    fn marked(memory: &Recycling, size: usize, mark: u8) -> *mut u8 {
        // SAFETY: the size is not zero, and the block is written within its length.
        unsafe {
            let block = memory.alloc(layout(size));
            assert!(!block.is_null());
            block.write_bytes(mark, size);
            block
        }
    }

    fn holds(block: *mut u8, size: usize, mark: u8) -> bool {
        // SAFETY: the tests pass blocks of this length that they have written.
        unsafe { std::slice::from_raw_parts(block, size) }.iter().all(|&byte| byte == mark)
    }

    fn free(memory: &Recycling, block: *mut u8, size: usize) {
        // SAFETY: the tests pass blocks with the sizes they asked for.
        unsafe { memory.dealloc(block, layout(size)) };
    }

    fn idle(memory: &Recycling) -> usize {
        memory.blocks().idle
    }

    #[test]
    fn a_freed_block_serves_the_next_request_of_about_its_size() {
        let memory = Recycling::new();
        let first = marked(&memory, 3 * MEGABYTE - 100, 7);
        free(&memory, first, 3 * MEGABYTE - 100);
        let second = marked(&memory, 3 * MEGABYTE, 8);
        assert_eq!(first, second);
        assert_eq!(idle(&memory), 0);
        let third = marked(&memory, 3 * MEGABYTE, 9);
        assert_ne!(second, third);
        assert!(holds(second, 3 * MEGABYTE, 8));
        free(&memory, second, 3 * MEGABYTE);
        free(&memory, third, 3 * MEGABYTE);
        assert_eq!(idle(&memory), 6 * MEGABYTE);
    }

    #[test]
    fn a_block_asked_for_as_zeros_is_zeros_although_it_was_used() {
        let memory = Recycling::new();
        let first = marked(&memory, 2 * MEGABYTE, 7);
        free(&memory, first, 2 * MEGABYTE);
        // SAFETY: the size is not zero.
        let second = unsafe { memory.alloc_zeroed(layout(2 * MEGABYTE)) };
        assert_eq!(first, second);
        assert!(holds(second, 2 * MEGABYTE, 0));
        free(&memory, second, 2 * MEGABYTE);
    }

    #[test]
    fn hardly_more_is_held_than_was_once_in_use() {
        let memory = Recycling::new();
        for size in [32, 40, 48, 56, 64, 80].map(|size| size * MEGABYTE) {
            let block = marked(&memory, size, 1);
            {
                let blocks = memory.blocks();
                assert!(blocks.used + blocks.idle <= size + SPARE, "{blocks:?}");
            }
            free(&memory, block, size);
        }
        assert_eq!(idle(&memory), 80 * MEGABYTE);
        let small = marked(&memory, 40 * MEGABYTE, 1);
        assert_eq!(idle(&memory), 0, "80 and 40 are more than 80 and what may be spared");
        free(&memory, small, 40 * MEGABYTE);
    }

    #[test]
    fn more_blocks_than_places_are_given_back() {
        let memory = Recycling::new();
        let blocks: Vec<_> = (0..SLOTS + 3).map(|_| marked(&memory, MEGABYTE, 1)).collect();
        for block in blocks {
            free(&memory, block, MEGABYTE);
        }
        assert_eq!(idle(&memory), SLOTS * MEGABYTE);
    }

    #[test]
    fn a_block_that_grows_and_shrinks_keeps_its_values() {
        let memory = Recycling::new();
        let (mut block, mut size) = (marked(&memory, 1000, 5), 1000);
        for next in [5000, MEGABYTE, 3 * MEGABYTE - 1, 3 * MEGABYTE, 20 * MEGABYTE, 2 * MEGABYTE, 700] {
            // SAFETY: the block has the layout of its size, and the next size is not zero.
            block = unsafe { memory.realloc(block, layout(size), next) };
            assert!(holds(block, size.min(next), 5), "{size} to {next}");
            // SAFETY: the block is so long.
            unsafe { block.write_bytes(5, next) };
            size = next;
        }
        free(&memory, block, size);
        assert_eq!(memory.blocks().used, 0);
    }

    #[test]
    fn what_cannot_be_had_is_refused_and_not_counted() {
        let memory = Recycling::new();
        let huge = Layout::from_size_align(isize::MAX as usize - 63, 64).expect("a layout");
        // SAFETY: the size is not zero.
        assert!(unsafe { memory.alloc(huge) }.is_null());
        assert_eq!(memory.blocks().used, 0);
    }

    #[test]
    fn threads_get_blocks_of_their_own() {
        let memory = Recycling::new();
        thread::scope(|scope| {
            for mark in 1..=4 {
                let memory = &memory;
                scope.spawn(move || {
                    for round in 0..if cfg!(miri) { 3 } else { 200 } {
                        let size = MEGABYTE + (round % 5) * MEGABYTE / 4;
                        let block = marked(memory, size, mark);
                        thread::yield_now();
                        assert!(holds(block, size, mark));
                        free(memory, block, size);
                    }
                });
            }
        });
        assert_eq!(memory.blocks().used, 0);
    }
}
