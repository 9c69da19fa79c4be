//! [`Reading`]: what a file says of one sample at one place, from all the lines that speak of it.
//!
//! A line speaks of its own alternatives: where a caller writes one place in several lines (split multi-allelic sites), "0" in one of them says
//! that the haplotype has none of that line's alternatives. Lines are joined; lines that contradict each other are an error. A line without
//! a call, or of too low a quality, reads nothing; half a call proves what it says.

use std::sync::Arc;

/// What stands on a haplotype.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Seen {
    /// A text of the place, by its number.
    Text(usize),
    /// A text that no definition has.
    Other(String),
    /// Not read.
    Unknown,
}

/// What one line says of one haplotype.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Said {
    /// None of the line's alternatives.
    NoneOfThese,
    /// One of them.
    Has(Seen),
    /// It was not called.
    Nothing,
}

/// What one line says of a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) number: u64,
    /// What the line can tell: its alternatives here. Empty when it speaks of every alternative at once, as a block of reference does.
    pub(crate) alternatives: Arc<[Seen]>,
    pub(crate) said: Vec<Said>,
    pub(crate) phase: Option<String>,
    /// Why it was not read.
    pub(crate) unread: Option<String>,
    /// A stretch of reference of more than one base.
    pub(crate) block: bool,
    /// Bases that it speaks of.
    pub(crate) length: u64,
}

/// What was read at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) haplotypes: Vec<Seen>,
    /// The set of places whose haplotypes stand in one order; `None` where the order says nothing.
    pub(crate) phase: Option<String>,
    /// Why something is not known.
    pub(crate) unread: Option<String>,
}

impl Reading {
    /// Whether nothing was left open.
    pub(crate) fn is_complete(&self) -> bool {
        !self.haplotypes.is_empty() && !self.haplotypes.contains(&Seen::Unknown)
    }

    /// Whether something was read.
    pub(crate) fn says_something(&self) -> bool {
        self.haplotypes.iter().any(|seen| *seen != Seen::Unknown)
    }

    /// Reference on `ploidy` haplotypes.
    pub(crate) fn of_reference(text: usize, ploidy: usize) -> Self {
        Self { haplotypes: vec![Seen::Text(text); ploidy], phase: None, unread: None }
    }
}

/// Joins the lines of a place whose reference is the text `reference`.
///
/// # Errors
/// The numbers of two lines that contradict each other, and how.
pub(crate) fn join(lines: &[&Line], reference: usize) -> Result<Option<Reading>, (u64, u64, String)> {
    let (whole, own): (Vec<&Line>, Vec<&Line>) = lines.iter().copied().partition(|line| line.alternatives.is_empty());
    if own.is_empty() {
        // of blocks and lines without alternatives the shortest speaks, and where several are as short, one that was not read
        let read = |line: &Line| line.said.iter().all(|said| *said == Said::NoneOfThese) && !line.said.is_empty();
        let Some(line) = whole.iter().min_by_key(|line| (line.length, read(line))) else { return Ok(None) };
        let seen = |said: &Said| if *said == Said::NoneOfThese { Seen::Text(reference) } else { Seen::Unknown };
        let haplotypes = line.said.iter().map(seen).collect();
        return Ok(Some(Reading { haplotypes, phase: None, unread: line.unread.clone() }));
    }
    let mut ploidy: Option<(usize, u64)> = None;
    for line in own.iter().filter(|line| line.said.iter().any(|said| *said != Said::Nothing)) {
        match ploidy {
            Some((known, before)) if known != line.said.len() => {
                return Err((before, line.number, format!("call {known} and {} haplotypes", line.said.len())));
            }
            _ => ploidy = Some((line.said.len(), line.number)),
        }
    }
    let Some((ploidy, _)) = ploidy else {
        let line = own[0];
        return Ok(Some(Reading {
            haplotypes: vec![Seen::Unknown; line.said.len().max(1)],
            phase: None,
            unread: line.unread.clone(),
        }));
    };
    let has = |line: &Line| -> Vec<Seen> {
        let has = |said: &Said| if let Said::Has(seen) = said { Some(seen.clone()) } else { None };
        line.said.iter().filter_map(has).collect()
    };
    // two lines of one alternative must say the same of it
    for (index, a) in own.iter().enumerate() {
        for b in &own[index + 1..] {
            let called = |line: &Line| !line.said.contains(&Said::Nothing);
            if !(called(a) && called(b)) {
                continue;
            }
            for shared in a.alternatives.iter().filter(|one| b.alternatives.contains(one)) {
                let count = |line: &Line| has(line).iter().filter(|seen| *seen == shared).count();
                let ordered =
                    |line: &Line| line.said.iter().map(|said| *said == Said::Has(shared.clone())).collect::<Vec<_>>();
                let differs = a.phase.is_some() && a.phase == b.phase && ordered(a) != ordered(b);
                if count(a) != count(b) || differs {
                    return Err((a.number, b.number, "call it differently".into()));
                }
            }
        }
    }
    let unread = own.iter().find_map(|line| line.unread.clone());
    let whole_says = whole.iter().find(|line| !line.block && line.said.iter().all(|said| *said == Said::NoneOfThese));
    let found: Vec<(Seen, u64)> = {
        let mut found: Vec<(Seen, u64)> = Vec::new();
        let mut told: Vec<Seen> = Vec::new();
        for line in &own {
            found.extend(has(line).into_iter().filter(|seen| !told.contains(seen)).map(|seen| (seen, line.number)));
            told.extend(line.alternatives.iter().cloned());
        }
        found
    };
    if let (Some(line), Some((_, number))) = (whole_says.filter(|line| !line.said.is_empty()), found.first()) {
        return Err((
            line.number.min(*number),
            line.number.max(*number),
            "call it reference and something else".into(),
        ));
    }
    if found.len() > ploidy {
        let (first, last) = (own[0].number, own[own.len() - 1].number);
        return Err((first, last, format!("call {} alternatives on {ploidy} haplotypes", found.len())));
    }
    let phase = own[0].phase.clone().filter(|phase| own.iter().all(|line| line.phase.as_ref() == Some(phase)));
    let open = own.iter().any(|line| line.said.contains(&Said::Nothing));
    let mut haplotypes = vec![if open { Seen::Unknown } else { Seen::Text(reference) }; ploidy];
    // with one order, or one line, every haplotype keeps its place
    if phase.is_some() || own.len() == 1 {
        for line in &own {
            for (index, said) in line.said.iter().enumerate() {
                let (Said::Has(seen), Some(slot)) = (said, haplotypes.get_mut(index)) else { continue };
                if matches!(slot, Seen::Text(text) if *text != reference) && slot != seen {
                    return Err((own[0].number, line.number, "call two alternatives on one haplotype".into()));
                }
                *slot = seen.clone();
            }
        }
        if open {
            for (index, slot) in haplotypes.iter_mut().enumerate() {
                let none = own.iter().all(|line| line.said.get(index) == Some(&Said::NoneOfThese));
                if none {
                    *slot = Seen::Text(reference);
                }
            }
        }
    } else {
        for (slot, (seen, _)) in haplotypes.iter_mut().zip(found) {
            *slot = seen;
        }
    }
    Ok(Some(Reading { haplotypes, phase, unread }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: u64, text: usize, said: &str, phase: Option<&str>) -> Line {
        let said = said.chars().map(|c| match c {
            '0' => Said::NoneOfThese,
            '1' => Said::Has(Seen::Text(text)),
            _ => Said::Nothing,
        });
        let (said, phase) = (said.collect(), phase.map(str::to_string));
        Line { number, alternatives: [Seen::Text(text)].into(), said, phase, unread: None, block: false, length: 1 }
    }

    fn texts(lines: &[Line]) -> Result<Vec<Seen>, String> {
        let mut seen =
            join(&lines.iter().collect::<Vec<_>>(), 0).map_err(|(_, _, problem)| problem)?.unwrap().haplotypes;
        if lines.iter().any(|line| line.phase.is_none()) {
            seen.sort();
        }
        Ok(seen)
    }

    #[test]
    fn split_lines_are_one_place() {
        let (a, b, r, u) = (Seen::Text(1), Seen::Text(2), Seen::Text(0), Seen::Unknown);
        // both halves of 1/2, in any order, and with points for the other half
        for (one, two) in [("01", "10"), ("10", "10"), ("1.", ".1"), ("01", "01")] {
            assert_eq!(
                texts(&[line(1, 1, one, None), line(2, 2, two, None)]),
                Ok(vec![a.clone(), b.clone()]),
                "{one} {two}"
            );
        }
        assert_eq!(texts(&[line(1, 1, "01", None), line(2, 2, "00", None)]), Ok(vec![r.clone(), a.clone()]));
        // what the other line leaves open may be its alternative
        assert_eq!(texts(&[line(1, 1, "01", None), line(2, 2, "..", None)]), Ok(vec![a.clone(), u.clone()]));
        assert_eq!(texts(&[line(1, 1, ".1", None)]), Ok(vec![a.clone(), u.clone()]));
        assert_eq!(texts(&[line(1, 1, "0.", None)]), Ok(vec![r.clone(), u]));
        // phased, each has its haplotype
        let set = Some("s");
        assert_eq!(texts(&[line(1, 1, "01", set), line(2, 2, "10", set)]), Ok(vec![b, a.clone()]));
        assert!(texts(&[line(1, 1, "01", set), line(2, 2, "01", set)]).unwrap_err().contains("one haplotype"));
    }

    #[test]
    fn lines_that_contradict_each_other_are_an_error() {
        assert!(texts(&[line(1, 1, "01", None), line(2, 1, "11", None)]).unwrap_err().contains("differently"));
        assert!(texts(&[line(1, 1, "01", None), line(2, 1, "10", None)]).is_ok(), "one call, written twice");
        assert!(texts(&[line(1, 1, "11", None), line(2, 2, "01", None)]).unwrap_err().contains("3 alternatives"));
        assert!(texts(&[line(1, 1, "1", None), line(2, 2, "01", None)]).unwrap_err().contains("haplotypes"));
        let point = Line { alternatives: [].into(), ..line(3, 1, "00", None) };
        assert!(texts(&[line(1, 1, "01", None), point.clone()]).is_err());
        assert_eq!(texts(&[line(1, 1, "01", None), Line { block: true, ..point }]).unwrap().len(), 2);
    }
}
