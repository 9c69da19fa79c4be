//! [`Recent`]: cells that were seen a moment ago, so that they need not be normalised again.

use crate::names::hash;

/// The number of a cell without a name.
pub(crate) const NAMELESS: u32 = u32::MAX;

/// Cells as they were written, with their numbers: what was seen a moment ago need not be normalised again.
#[derive(Default)]
pub(crate) struct Recent {
    cells: Vec<(String, u32)>,
    tries: u32,
    hits: u32,
    useless: bool,
}

/// Cells that are kept; a power of two.
const RECENT: usize = 1 << 13;
/// Tries after which a column whose cells hardly repeat is no longer looked up.
const TRIES: u32 = 1 << 16;

impl Recent {
    pub(crate) fn slot(&self, cell: &str) -> usize {
        if self.useless { 0 } else { hash(cell.as_bytes()) as usize & (RECENT - 1) }
    }

    pub(crate) fn find(&mut self, slot: usize, cell: &str) -> Option<u32> {
        if self.useless {
            return None;
        }
        if self.tries == TRIES {
            self.useless = self.hits < TRIES / 2;
            (self.tries, self.hits) = (0, 0);
        }
        self.tries += 1;
        let (text, number) = self.cells.get(slot)?;
        (text == cell && !text.is_empty()).then(|| {
            self.hits += 1;
            *number
        })
    }

    pub(crate) fn keep(&mut self, slot: usize, cell: &str, number: u32) {
        if self.useless {
            self.cells = Vec::new();
            return;
        }
        if self.cells.is_empty() {
            self.cells.resize(RECENT, (String::new(), NAMELESS));
        }
        let kept = &mut self.cells[slot];
        kept.0.clear();
        kept.0.push_str(cell);
        kept.1 = number;
    }
}
