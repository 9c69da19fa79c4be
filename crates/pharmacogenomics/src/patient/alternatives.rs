//! What a line of a VCF file says at each place that it speaks of: which of its alternatives are there, which are elsewhere, and which do not say.
//!
//! Alternatives of bases are compared as changes, as far left as the known bases go ([`Edit`]); what is neither bases nor a count of copies leaves the
//! place open.

use super::{
    atlas::{Atlas, PlaceId, REACH, place_of},
    copy_changes::{copies_of, is_break, is_segment},
    definition::{Gene, Place},
    reading::Seen,
    sequence::Edit,
    vcf::Record,
};
use std::sync::Arc;

/// What an alternative of a line is at a place.
#[derive(Clone, Debug)]
pub(super) enum Alternative {
    /// It is this.
    Here(Seen),
    /// It changes something else and leaves the place as it is.
    Elsewhere,
    /// It does not say.
    Open,
}

#[derive(Clone, Debug)]
pub(super) struct Alternatives {
    pub(super) by_number: Vec<Alternative>,
    /// Those of them that are here.
    pub(super) told: Arc<[Seen]>,
    /// The line knows changes of length here, and none that a definition has: that they are not there says nothing of those that are defined.
    pub(super) others_only: bool,
    /// The line speaks of bases within what an insertion or deletion would change: of who has the reference there it says nothing.
    pub(super) aside: bool,
}

impl Alternatives {
    pub(super) fn new(by_number: Vec<Alternative>, others_only: bool, aside: bool) -> Self {
        let here = |alternative: &Alternative| match alternative {
            Alternative::Here(seen) => Some(seen.clone()),
            _ => None,
        };
        let told = by_number.iter().filter_map(here).collect();
        Self { by_number, told, others_only, aside }
    }
}

/// Whether an alternative is any that is not listed.
pub(super) fn is_any(alternate: &str) -> bool {
    matches!(alternate, "<NON_REF>" | "<*>" | "<X>")
}

pub(super) fn is_bases(alternate: &str) -> bool {
    !alternate.is_empty()
        && alternate.bytes().all(|base| matches!(base.to_ascii_uppercase(), b'A' | b'C' | b'G' | b'T' | b'N'))
}

/// The places that a line speaks of, with what its alternatives are there.
pub(super) fn spoken_of(
    record: &Record<'_>,
    chromosome: &str,
    genes: &[Gene],
    atlas: &Atlas,
) -> Vec<(PlaceId, Alternatives)> {
    let alternates = &record.alternates;
    let edits: Vec<Option<Edit>> = alternates
        .iter()
        .map(|alternate| is_bases(alternate).then(|| Edit::new(record.start, record.reference, alternate)))
        .collect();
    let sequences = edits.iter().any(Option::is_some);
    let any = alternates.iter().any(|alternate| is_any(alternate));
    // "D", "I", "-": something that is not said in bases
    let unclear = alternates.iter().zip(&edits).any(|(text, edit)| edit.is_none() && !text.starts_with('<'));
    let elsewhere = |text: &&str| copies_of(text).is_some() || is_break(text);
    let mut spoken = Vec::new();
    // what is said of copies, of breaks and of repeats says no base, also where it says that nothing is changed
    if alternates.iter().any(elsewhere) && !sequences || is_segment(record) {
        return spoken;
    }
    let last = record.start.saturating_add(record.reference.len() as u64 - 1);
    let reach = if sequences { last } else { record.end };
    for id in atlas.singles(chromosome, record.start, reach) {
        let Some((gene, place)) = place_of(genes, id) else { continue };
        let by_number: Vec<Alternative> = alternates
            .iter()
            .zip(&edits)
            .map(|(alternate, edit)| at_single(record, alternate, edit.as_ref(), (gene, place), atlas))
            .collect();
        // a line of an insertion or deletion says nothing of the bases beside it
        let speaks = !sequences
            || (any || unclear) && place.position == record.start
            || by_number.iter().any(|alternative| matches!(alternative, Alternative::Here(_)))
            || edits.iter().flatten().any(|edit| !edit.is_length_change() && covers(edit, place.position));
        if speaks {
            spoken.push((id, Alternatives::new(by_number, false, false)));
        }
    }
    let from = record.start.saturating_sub(REACH);
    for id in atlas.lengths(chromosome, from, reach.saturating_add(REACH)) {
        let Some((gene, place)) = place_of(genes, id) else { continue };
        let by_number: Vec<Alternative> = alternates
            .iter()
            .zip(&edits)
            .map(|(alternate, edit)| at_length(record, alternate, edit.as_ref(), (gene, place), atlas))
            .collect();
        let is_here = |alternative: &Alternative| matches!(alternative, Alternative::Here(_));
        let stretch = || place.stretch(base_of(record, chromosome, atlas));
        let covered = record.start <= place.position && place.position <= record.end;
        let touched = |(first, after): (u64, u64)| record.start <= after && first <= reach;
        let speaks = match sequences {
            true => {
                by_number.iter().any(is_here)
                    || edits
                        .iter()
                        .zip(&by_number)
                        .any(|(edit, own)| edit.is_some() && matches!(own, Alternative::Open))
                    || any && place.position == record.start
                    || unclear && (place.position == record.start || touched(stretch()))
            }
            false if unclear => place.position == record.start || touched(stretch()),
            false => covered || touched(stretch()),
        };
        if speaks {
            let known = |one: &Alternative| matches!(one, Alternative::Here(Seen::Text(_)));
            let others_only = (sequences || unclear) && !any && !by_number.iter().any(known);
            let is_exchange = |edit: &Edit| edit.deleted.len() == edit.inserted.len();
            let aside = match sequences || unclear {
                true => others_only && !unclear && edits.iter().flatten().all(is_exchange),
                // a stretch that begins beside the place says nothing of it, unless it was not read
                false => !covered,
            };
            spoken.push((id, Alternatives::new(by_number, others_only, aside)));
        }
    }
    spoken
}

pub(super) fn covers(edit: &Edit, position: u64) -> bool {
    (edit.position..edit.position + edit.deleted.len() as u64).contains(&position)
}

/// What an alternative is that is not said in bases: a number of copies leaves every place as it is.
fn without_bases(alternate: &str) -> Alternative {
    if copies_of(alternate).is_some() { Alternative::Elsewhere } else { Alternative::Open }
}

/// What an alternative is at a place of single bases.
pub(super) fn at_single(
    record: &Record<'_>,
    alternate: &str,
    edit: Option<&Edit>,
    (gene, place): (&Gene, &Place),
    atlas: &Atlas,
) -> Alternative {
    let Some(edit) = edit else { return without_bases(alternate) };
    if !covers(edit, place.position) {
        return Alternative::Elsewhere;
    }
    if edit.deleted.len() != edit.inserted.len() {
        // a deletion that defines an allele covers other places too, and its alleles have the reference there
        let base = base_of(record, &gene.chromosome, atlas);
        let own = edit.left_aligned(&base);
        let mut named = gene.places.iter().flat_map(|place| place.edits.iter().flatten());
        return match named.any(|known| known.left_aligned(&base) == own) {
            true => Alternative::Elsewhere,
            false => Alternative::Here(Seen::Other(alternate.into())),
        };
    }
    let offset = (place.position - record.start) as usize;
    let base = alternate.get(offset..=offset).unwrap_or_default().to_ascii_uppercase();
    match place.alleles.iter().position(|text| *text == base) {
        Some(number) if number == place.assembly_allele => Alternative::Elsewhere,
        Some(number) => Alternative::Here(Seen::Text(number)),
        None => Alternative::Here(Seen::Other(base)),
    }
}

/// The bases of the reference, as the line and the definitions say.
pub(super) fn base_of<'a>(
    record: &'a Record<'_>,
    chromosome: &'a str,
    atlas: &'a Atlas,
) -> impl Fn(u64) -> Option<u8> + 'a {
    let bases = record.reference.as_bytes();
    move |position: u64| {
        let own = position.checked_sub(record.start).and_then(|offset| bases.get(offset as usize));
        own.map(u8::to_ascii_uppercase).or_else(|| atlas.known.base(chromosome, position))
    }
}

/// What an alternative is at a place of changes of length.
pub(super) fn at_length(
    record: &Record<'_>,
    alternate: &str,
    edit: Option<&Edit>,
    (gene, place): (&Gene, &Place),
    atlas: &Atlas,
) -> Alternative {
    let Some(edit) = edit else { return without_bases(alternate) };
    if edit.deleted.is_empty() && edit.inserted.is_empty() {
        return Alternative::Elsewhere;
    }
    let base = base_of(record, &gene.chromosome, atlas);
    let own = edit.left_aligned(&base);
    for (number, known) in place.edits.iter().enumerate() {
        let Some(known) = known else { continue };
        let aligned = known.left_aligned(&base);
        if aligned == own {
            return Alternative::Here(Seen::Text(number));
        }
        // one change that could be written at both places, if the bases between them were known
        if own.may_be(known) && own.position != aligned.position {
            return Alternative::Open;
        }
    }
    let (first, after) = place.stretch(&base);
    // bases that go, or the two that an insertion stands between
    let end = edit.position.saturating_add(edit.deleted.len() as u64);
    let touches = if edit.deleted.is_empty() {
        first <= own.position && own.position <= after
    } else {
        own.position < after && first < end
    };
    let single = |other: &Place| {
        let offset = other.position.checked_sub(edit.position).and_then(|offset| usize::try_from(offset).ok());
        let inserted = offset.and_then(|offset| edit.inserted.get(offset..=offset));
        other.is_single() && inserted.is_some_and(|base| other.alleles.iter().any(|text| text.as_bytes() == base))
    };
    // what defines another allele of the gene is that, and leaves the place as it is
    let mut others = gene.places.iter().filter(|other| other.position != place.position);
    let is_known = others.any(|other| match edit.deleted.len() == edit.inserted.len() {
        true => edit.deleted.len() == 1 && single(other),
        false => other.edits.iter().flatten().any(|known| known.left_aligned(&base) == own),
    });
    match touches && !is_known {
        true => Alternative::Here(Seen::Other(alternate.into())),
        false => Alternative::Elsewhere,
    }
}
