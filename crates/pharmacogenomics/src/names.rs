//! [`Names`]: different texts and their positions, all in one string.
//!
//! A million names as `String`s in a `HashMap` take three times this memory, and a table of many names is what the
//! memory of encoding is spent on.

/// Slots are doubled when more than 7 of 8 are taken.
const FULL: (usize, usize) = (7, 8);
const EMPTY: u32 = u32::MAX;

/// Texts numbered in the order in which they were first seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    text: String,
    ends: Vec<usize>,
    /// Open addressing by hash: the position of a name or [`EMPTY`].
    slots: Vec<u32>,
}

impl Names {
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn get(&self, position: usize) -> &str {
        let start = if position == 0 { 0 } else { self.ends[position - 1] };
        &self.text[start..self.ends[position]]
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|position| self.get(position))
    }

    pub(crate) fn find(&self, name: &str) -> Option<u32> {
        if self.slots.is_empty() {
            return None;
        }
        match self.slots[self.slot(name)] {
            EMPTY => None,
            position => Some(position),
        }
    }

    /// The position of `name`, which is added where it is new; `None` when 2^32 - 1 names are there already.
    pub(crate) fn insert(&mut self, name: &str) -> Option<u32> {
        if (self.len() + 1) * FULL.1 > self.slots.len() * FULL.0 {
            self.grow();
        }
        let slot = self.slot(name);
        if self.slots[slot] != EMPTY {
            return Some(self.slots[slot]);
        }
        let position = u32::try_from(self.len()).ok().filter(|position| *position != EMPTY)?;
        self.text.push_str(name);
        self.ends.push(self.text.len());
        self.slots[slot] = position;
        Some(position)
    }

    /// The positions in the order of the names.
    pub(crate) fn sorted(&self) -> Vec<u32> {
        let mut order: Vec<u32> = (0..self.len() as u32).collect();
        order.sort_unstable_by(|a, b| self.get(*a as usize).cmp(self.get(*b as usize)));
        order
    }

    /// Where `name` is or would be.
    fn slot(&self, name: &str) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = hash(name.as_bytes()) as usize & mask;
        while self.slots[slot] != EMPTY && self.get(self.slots[slot] as usize) != name {
            slot = (slot + 1) & mask;
        }
        slot
    }

    fn grow(&mut self) {
        let size = (self.slots.len() * 2).max(16);
        self.slots = vec![EMPTY; size];
        for position in 0..self.len() {
            let mut slot = hash(self.get(position).as_bytes()) as usize & (size - 1);
            while self.slots[slot] != EMPTY {
                slot = (slot + 1) & (size - 1);
            }
            self.slots[slot] = position as u32;
        }
    }
}

impl<S: AsRef<str>> FromIterator<S> for Names {
    fn from_iter<I: IntoIterator<Item = S>>(names: I) -> Self {
        let mut all = Self::default();
        for name in names {
            all.insert(name.as_ref());
        }
        all
    }
}

/// 64 bits of a text, the same on every machine: words of eight bytes, each multiplied to 128 bits and folded.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    const ODD: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xd6e8_feb8_6659_fd93];
    let fold = |a: u64, b: u64| {
        let wide = u128::from(a) * u128::from(b);
        wide as u64 ^ (wide >> 64) as u64
    };
    let mut state = bytes.len() as u64 ^ ODD[1];
    let mut words = bytes.chunks_exact(8);
    for word in &mut words {
        let mut eight = [0; 8];
        eight.copy_from_slice(word);
        state = fold(state ^ u64::from_le_bytes(eight), ODD[0]);
    }
    let mut last = [0; 8];
    last[..words.remainder().len()].copy_from_slice(words.remainder());
    state = fold(state ^ u64::from_le_bytes(last), ODD[0]);
    fold(state ^ ODD[0], ODD[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_where_they_were_put() {
        let mut names = Names::default();
        assert_eq!(names.find(""), None);
        for i in 0..5000_u32 {
            assert_eq!(names.insert(&format!("rs{i}")), Some(i));
        }
        assert_eq!(names.insert("rs17"), Some(17));
        assert_eq!(names.insert(""), Some(5000));
        assert_eq!((names.find("rs4999"), names.find("rs5000"), names.find("")), (Some(4999), None, Some(5000)));
        assert_eq!(names.get(3), "rs3");
        assert_eq!(names.get(names.sorted()[0] as usize), "");
    }

    #[test]
    fn hashes_differ_where_texts_do() {
        let mut seen = std::collections::HashSet::new();
        for i in 0..20_000 {
            assert!(seen.insert(hash(format!("{i}").as_bytes())));
        }
        assert_ne!(hash(b"a"), hash(b"a\0"));
    }
}
