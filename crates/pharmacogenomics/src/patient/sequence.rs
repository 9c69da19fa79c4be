//! [`Edit`]: a change of bases as short and as far left as it can be written, and [`KnownBases`], the bases of the reference that the
//! definitions of alleles give away.
//!
//! A change in a repeat can be written at many places. Two spellings are one change when both are trimmed and moved left as far as the bases
//! before them allow (Tan et al., Bioinformatics 31, 2202, 2015). The whole reference is not at hand; the definitions say what it is at
//! each of their places, and their HGVS names what it is in the repeats that their insertions and deletions stand in.

use std::collections::HashMap;

/// A change: the bases from `position` that go, and those that come instead.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Edit {
    /// Of the first base that goes, or that an insertion stands before; counted from 1.
    pub(crate) position: u64,
    pub(crate) deleted: Vec<u8>,
    pub(crate) inserted: Vec<u8>,
}

impl Edit {
    /// The change from `reference` at `position` to `alternate`, without the bases that both begin or end with.
    pub(crate) fn new(mut position: u64, reference: &str, alternate: &str) -> Self {
        let (mut a, mut b) = (reference.as_bytes(), alternate.as_bytes());
        while let ([front @ .., x], [other @ .., y]) = (a, b)
            && x.eq_ignore_ascii_case(y)
        {
            (a, b) = (front, other);
        }
        while let ([x, rest @ ..], [y, other @ ..]) = (a, b)
            && x.eq_ignore_ascii_case(y)
        {
            (a, b, position) = (rest, other, position + 1);
        }
        Self { position, deleted: a.to_ascii_uppercase(), inserted: b.to_ascii_uppercase() }
    }

    /// Whether bases only come, or only go.
    pub(crate) fn is_length_change(&self) -> bool {
        self.deleted.is_empty() != self.inserted.is_empty()
    }

    /// The same change as far left as the bases before it are known.
    pub(crate) fn left_aligned(&self, base: impl Fn(u64) -> Option<u8>) -> Self {
        let mut edit = self.clone();
        if !edit.is_length_change() {
            return edit;
        }
        while let Some(before) = edit.position.checked_sub(1).and_then(&base) {
            let moving = if edit.deleted.is_empty() { &mut edit.inserted } else { &mut edit.deleted };
            if moving.last() != Some(&before) {
                break;
            }
            moving.rotate_right(1);
            edit.position -= 1;
        }
        edit
    }

    /// The bases that the change can be written at, as far as they are known: the first, and the one after the last.
    pub(crate) fn stretch(&self, base: impl Fn(u64) -> Option<u8>) -> (u64, u64) {
        let first = self.left_aligned(&base);
        let mut after = first.position + first.deleted.len() as u64;
        if first.is_length_change() {
            let unit = if first.deleted.is_empty() { &first.inserted } else { &first.deleted };
            let mut turn = unit.iter().cycle();
            while let (Some(next), Some(known)) = (turn.next(), base(after))
                && *next == known
            {
                after += 1;
            }
        }
        (first.position, after)
    }

    /// Whether two changes of length may be one that stands at two places of a repeat: the bases of one are those of the other, turned.
    pub(crate) fn may_be(&self, other: &Self) -> bool {
        let turned = |a: &[u8], b: &[u8]| {
            a.len() == b.len()
                && (a.is_empty() || (0..a.len()).any(|by| a[by..] == b[..a.len() - by] && a[..by] == b[a.len() - by..]))
        };
        self.is_length_change() && turned(&self.deleted, &other.deleted) && turned(&self.inserted, &other.inserted)
    }
}

/// The bases of the reference that are known, by chromosome and position.
#[derive(Clone, Debug, Default)]
pub(crate) struct KnownBases {
    of: HashMap<String, HashMap<u64, u8>>,
}

impl KnownBases {
    /// The base at a place.
    pub(crate) fn base(&self, chromosome: &str, position: u64) -> Option<u8> {
        self.of.get(chromosome)?.get(&position).copied()
    }

    /// The bases of one chromosome.
    pub(crate) fn chromosome(&self, chromosome: &str) -> Option<&HashMap<u64, u8>> {
        self.of.get(chromosome)
    }

    /// Adds the bases of a text that begins at `position`; one that is known stays.
    pub(crate) fn add(&mut self, chromosome: &str, position: u64, bases: &[u8]) {
        if !self.of.contains_key(chromosome) {
            self.of.insert(chromosome.to_string(), HashMap::new());
        }
        let Some(known) = self.of.get_mut(chromosome) else { return };
        for (position, base) in (position..).zip(bases) {
            known.entry(position).or_insert_with(|| base.to_ascii_uppercase());
        }
    }

    /// Adds what the HGVS name of an insertion or deletion says of the repeat that it stands in: `del` and `dup` name its last place where the
    /// definition has its first, `TA[7]` counts the units of what stands there after each of the changes.
    pub(crate) fn add_repeat(&mut self, chromosome: &str, hgvs: &str, edits: &[Edit], shift: i64) {
        let names: Vec<&str> = hgvs.split(';').map(|name| name.trim().trim_start_matches("g.")).collect();
        if let Some((start, unit, counts)) = repeats(&names) {
            let change = |edit: &Edit| (edit.inserted.len() as i64 - edit.deleted.len() as i64) / unit.len() as i64;
            let fits = |own: &i64| edits.iter().all(|edit| counts.contains(&(own + change(edit))));
            let Some(own) = (1..=64).find(fits) else { return };
            let Some(start) = start.checked_add_signed(shift) else { return };
            self.add(chromosome, start, &unit.as_bytes().repeat(own as usize));
            return;
        }
        let [edit] = edits else { return };
        let Some(last) =
            names.first().and_then(|name| last_place(name)).and_then(|last| last.checked_add_signed(shift))
        else {
            return;
        };
        // from the change's own place to the last place that it can stand at, the bases repeat with its length
        let unit = if edit.deleted.is_empty() { &edit.inserted } else { &edit.deleted };
        if !edit.is_length_change() || last < edit.position || last - edit.position > 1000 {
            return;
        }
        let length = (last - edit.position + 1) as usize;
        let run: Vec<u8> = unit.iter().cycle().take(length).copied().collect();
        self.add(chromosome, edit.position, &run);
    }
}

/// Place, unit and counts of names such as `233760235TA[7]`.
fn repeats<'a>(names: &[&'a str]) -> Option<(u64, &'a str, Vec<i64>)> {
    let mut found: Option<(u64, &str)> = None;
    let mut counts = Vec::new();
    for name in names {
        let Some((front, count)) = name.strip_suffix(']').and_then(|name| name.split_once('[')) else { continue };
        let digits = front.bytes().take_while(u8::is_ascii_digit).count();
        let unit = &front[digits..];
        if unit.is_empty() || !unit.bytes().all(|base| matches!(base, b'A' | b'C' | b'G' | b'T')) {
            return None;
        }
        found = Some((front[..digits].parse().ok()?, unit));
        counts.push(count.parse().ok()?);
    }
    found.map(|(start, unit)| (start, unit, counts))
}

/// The last place of names such as `94942213_94942222del` and `99758188dup`.
fn last_place(name: &str) -> Option<u64> {
    let end = name.find("del").or_else(|| name.find("dup"))?;
    name[..end].split('_').next_back()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_change_are_equal() {
        let expected = Edit { position: 5, deleted: b"C".to_vec(), inserted: b"T".to_vec() };
        assert_eq!(Edit::new(4, "ACG", "ATG"), expected);
        assert_eq!(Edit::new(5, "c", "t"), expected);
        assert_eq!(Edit::new(7, "TGA", "TA"), Edit::new(7, "TG", "T"));
        // in ACACACT from 10 one AC less is one change, wherever it is written
        let mut known = KnownBases::default();
        known.add("1", 9, b"GACACACT");
        let base = |position| known.base("1", position);
        let first = Edit::new(9, "GAC", "G");
        for other in [Edit::new(13, "CAC", "C"), Edit::new(14, "ACT", "T"), Edit::new(10, "ACA", "A")] {
            assert_eq!(other.left_aligned(base), first.left_aligned(base), "{other:?}");
        }
        // so is one AC more
        assert_eq!(Edit::new(15, "C", "CAC").left_aligned(base), Edit::new(9, "G", "GAC").left_aligned(base));
        assert_ne!(Edit::new(15, "C", "CAA").left_aligned(base), Edit::new(9, "G", "GAA").left_aligned(base));
        assert_eq!(first.stretch(base), (10, 16), "six bases, ACACAC");
        assert_eq!(Edit::new(9, "G", "GAC").stretch(base), (10, 16));
        assert!(Edit::new(40, "CAC", "C").may_be(&Edit::new(9, "GCA", "G")));
        assert!(!Edit::new(40, "CAC", "C").may_be(&Edit::new(9, "GAA", "G")));
    }

    #[test]
    fn names_tell_the_bases_of_their_repeats() {
        let mut known = KnownBases::default();
        let edit = Edit::new(94_942_205, "CAATGGAAAGA", "C");
        known.add_repeat("10", "g.94942213_94942222del", &[edit], 0);
        let text: Vec<u8> = (94_942_206..=94_942_222).filter_map(|at| known.base("10", at)).collect();
        assert_eq!(text, b"AATGGAAAGAAATGGAA");
        let edits = [
            Edit::new(233_760_233, "CAT", "C"),
            Edit::new(233_760_233, "CAT", "CATAT"),
            Edit::new(233_760_233, "CAT", "CATATAT"),
        ];
        let name = "g.233760235TA[6]; g.233760235TA[7]; g.233760235TA[8]; g.233760235TA[9]";
        known.add_repeat("2", name, &edits, 0);
        let text: Vec<u8> = (233_760_235..).map_while(|at| known.base("2", at)).collect();
        assert_eq!(text, b"TATATATATATATA", "seven units");
    }
}
