//! [`CopyChange`]: deletions, duplications and breaks of a chromosome, as symbolic alleles and breakends tell of them.

use super::{
    alternatives::is_any,
    assembly::chromosome_of,
    atlas::REACH,
    definition::{Gene, Place},
    vcf::{Genotype, Record},
};

/// A stretch that is not there once on every haplotype.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CopyChange {
    pub(crate) chromosome: String,
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// The stretch with what its ends may be off by.
    pub(crate) reach: (u64, u64),
    /// Copies on each haplotype; `None` where that is not known.
    pub(crate) haplotypes: Vec<Option<u32>>,
    /// Why nothing follows from it, where that is known.
    pub(crate) open: Option<String>,
}

/// Whether an alternative is neither bases nor a number of copies and may change what lies around it: one that joins two stretches of the genome, as
/// `G]17:198982]` and `G.` do, or any other in angle brackets, such as `<INS>`, `<CPX>` and `<STR8>`.
pub(super) fn is_break(alternate: &str) -> bool {
    let single = alternate.len() > 1 && (alternate.starts_with('.') || alternate.ends_with('.'));
    let symbol = alternate.starts_with('<') && alternate != "<*:DEL>" && !is_any(alternate);
    alternate.contains(['[', ']']) || single || symbol && copies_of(alternate).is_none()
}

/// Whether a line tells a number of copies of a stretch, and none of its bases.
pub(super) fn is_segment(record: &Record<'_>) -> bool {
    let only_any = record.alternates.iter().all(|alternate| is_any(alternate));
    only_any && (record.info_value("SVTYPE").is_some() || record.has_field("CN"))
}

/// The stretch that a line with a break may change: up to `END` or the other end of the break, where they lie on its chromosome.
fn broken_stretch(record: &Record<'_>, chromosome: &str) -> (u64, u64) {
    let mut stretch = (record.start, record.start);
    let elsewhere = record.info_value("CHR2").is_some_and(|other| chromosome_of(other).0 != chromosome);
    if !elsewhere {
        stretch.1 = record.end;
    }
    for alternate in &record.alternates {
        let Some((other, position)) = alternate.split(['[', ']']).nth(1).and_then(|mate| mate.rsplit_once(':')) else {
            continue;
        };
        if let (true, Ok(position)) = (chromosome_of(other).0 == chromosome, position.parse::<u64>()) {
            stretch = (stretch.0.min(position), stretch.1.max(position));
        }
    }
    uncertain(record, stretch)
}

/// A stretch with what its ends may be off by.
fn uncertain(record: &Record<'_>, (start, end): (u64, u64)) -> (u64, u64) {
    let off = |key: &str| {
        let numbers = record.info_value(key).into_iter().flat_map(|text| text.split(','));
        numbers.filter_map(|number| number.parse::<i64>().ok()).map(i64::unsigned_abs).max().unwrap_or(0)
    };
    (start.saturating_sub(off("CIPOS")), end.saturating_add(off("CIEND")))
}

/// Whether a stretch touches a gene, from the first of its places to the last.
fn touches(gene: &Gene, chromosome: &str, (start, end): (u64, u64)) -> bool {
    let first = gene.places.iter().map(|place| place.position).min();
    let last = gene.places.iter().map(Place::end).max();
    let near = |(first, last): (u64, u64)| start <= last.saturating_add(REACH) && first <= end.saturating_add(REACH);
    gene.chromosome == chromosome && first.zip(last).is_some_and(near)
}

impl CopyChange {
    /// Whether it touches a gene.
    pub(super) fn touches(&self, gene: &Gene) -> bool {
        touches(gene, &self.chromosome, self.reach)
    }
}

/// The genes in which a line has a break of the chromosome, each with what makes it open.
pub(super) fn breaks(record: &Record<'_>, chromosome: &str, genes: &[Gene]) -> Vec<(String, CopyChange)> {
    if !record.alternates.iter().any(|alternate| is_break(alternate)) {
        return Vec::new();
    }
    let reach = broken_stretch(record, chromosome);
    let broken = |gene: &Gene| {
        touches(gene, chromosome, reach).then(|| {
            let open = Some(format!("a rearrangement breaks it at {chromosome}:{}", record.start));
            let (start, end, chromosome) = (record.start, record.start, chromosome.to_string());
            (gene.name.clone(), CopyChange { chromosome, start, end, reach, haplotypes: Vec::new(), open })
        })
    };
    genes.iter().filter_map(broken).collect()
}

/// Copies that a symbolic allele stands for: `Some(None)` where it does not say.
pub(super) fn copies_of(alternate: &str) -> Option<Option<u32>> {
    let name = alternate.strip_prefix('<')?.strip_suffix('>')?;
    let kind = name.split(':').next().unwrap_or(name);
    match kind {
        "DEL" => Some(Some(0)),
        "DUP" => Some(Some(2)),
        "CNV" | "INV" => Some(None),
        _ => kind.strip_prefix("CN")?.parse().ok().map(Some),
    }
}

/// The copies of each symbolic allele of a line, by its number; empty where it has none.
pub(super) fn structural(record: &Record<'_>) -> Vec<(usize, Option<u32>)> {
    record.alternates.iter().enumerate().filter_map(|(i, text)| Some((i + 1, copies_of(text)?))).collect()
}

/// The last place of a line, also where its length says it; that of a change of copies may be anywhere where neither says it.
pub(super) fn structural_end(record: &Record<'_>) -> u64 {
    if !record.alternates.iter().any(|alternate| copies_of(alternate).is_some()) {
        return match record.alternates.iter().any(|alternate| is_break(alternate)) {
            true => broken_stretch(record, &chromosome_of(record.chromosome).0).1,
            false => record.end,
        };
    }
    // one length for each alternative: the longest reaches furthest, and one that is not said could
    let lengths = || record.info_value("SVLEN").into_iter().flat_map(|text| text.split(','));
    let said = |text: &str| text.parse::<i64>().ok().map(i64::unsigned_abs);
    let unsaid = lengths().any(|text| said(text).is_none()) && record.info_value("END").is_none();
    let length = lengths().filter_map(said).max().unwrap_or(0);
    let end = record.end.max(record.start.saturating_add(length));
    if end > record.start && !unsaid { end } else { u64::MAX }
}

/// The change of copies that a line says of a sample, if any; `unread` is why its call does not count, `called` whether it has one.
pub(super) fn copy_change(
    record: &Record<'_>,
    genotype: &Genotype,
    (unread, called): (bool, bool),
    structural: &[(usize, Option<u32>)],
    chromosome: &str,
) -> Option<CopyChange> {
    if structural.is_empty() && !is_segment(record) {
        return None;
    }
    let refused = unread && called;
    if structural.is_empty() && refused && genotype.copies.is_none_or(|copies| copies == 2) {
        return None;
    }
    let copies = |allele: &Option<usize>| match allele {
        _ if unread => None,
        None => None,
        Some(number) => structural.iter().find(|known| known.0 == *number).map_or(Some(1), |known| known.1),
    };
    let mut haplotypes: Vec<Option<u32>> = genotype.alleles.iter().map(copies).collect();
    let paired = !matches!(chromosome, "X" | "Y" | "MT");
    let text = record.alternates.join(",");
    let mut contradiction = None;
    if let (Some(total), false) = (genotype.copies, refused) {
        let sum = haplotypes.iter().copied().sum::<Option<u32>>().filter(|_| !haplotypes.is_empty());
        // callers of copies give one allele for both haplotypes
        let together = paired && haplotypes.len() == 1;
        let agrees = match haplotypes[..] {
            [Some(own)] if together => (own.cmp(&1)) == total.cmp(&2),
            _ => sum.is_none_or(|sum| sum == total),
        };
        if !agrees {
            contradiction = Some(format!(
                "{text} at {chromosome}:{} has a GT and a CN ({total}) that contradict each other",
                record.start
            ));
        } else if haplotypes.contains(&None) || together || haplotypes.is_empty() {
            // the count of both haplotypes together, where their alleles do not say
            haplotypes = match total {
                0 => vec![Some(0); 2],
                2 => vec![Some(1); 2],
                1 => vec![Some(0), Some(1)],
                _ => vec![None, None],
            };
        }
    }
    let single = paired && haplotypes.len() == 1 && haplotypes[0] != Some(1);
    if single && contradiction.is_none() {
        contradiction = Some(format!("{text} at {chromosome}:{} is called on one of two haplotypes", record.start));
    }
    let changed = haplotypes.iter().any(|copies| *copies != Some(1))
        || haplotypes.is_empty()
        || contradiction.is_some()
        || refused;
    let (start, end) = (record.start.saturating_add(1), structural_end(record));
    let endless = || {
        format!(
            "{text} at {chromosome}:{} has neither END nor SVLEN, so that it is not known where it ends",
            record.start
        )
    };
    let open = contradiction.or_else(|| (end == u64::MAX).then(endless));
    let reach = uncertain(record, (start, end));
    changed.then(|| CopyChange { chromosome: chromosome.to_string(), start, end, reach, haplotypes, open })
}
