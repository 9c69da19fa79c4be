//! [`CopyChange`]: deletions, duplications and breaks of a chromosome, as symbolic alleles and breakends tell of them.

use super::{
    definition::{Gene, Place},
    vcf::{Genotype, Record},
};

/// A stretch that is not there once on every haplotype.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CopyChange {
    pub(crate) chromosome: String,
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// Copies on each haplotype; `None` where that is not known.
    pub(crate) haplotypes: Vec<Option<u32>>,
    /// Why nothing follows from it, where that is known.
    pub(crate) open: Option<String>,
}

/// Whether an alternative joins two stretches of the genome, as `G]17:198982]` does.
pub(super) fn is_break(alternate: &str) -> bool {
    alternate.contains(['[', ']'])
}

/// The genes in which a line has a break of the chromosome, each with what makes it open.
pub(super) fn breaks(record: &Record<'_>, chromosome: &str, genes: &[Gene]) -> Vec<(String, CopyChange)> {
    if !record.alternates.iter().any(|alternate| is_break(alternate)) {
        return Vec::new();
    }
    let broken = |gene: &Gene| {
        let first = gene.places.iter().map(|place| place.position).min().filter(|_| gene.chromosome == chromosome)?;
        let last = gene.places.iter().map(Place::end).max()?;
        let inside = first <= record.start && record.start <= last;
        inside.then(|| {
            let open = Some(format!("a rearrangement breaks it at {chromosome}:{}", record.start));
            let (chromosome, haplotypes) = (chromosome.to_string(), Vec::new());
            (gene.name.clone(), CopyChange { chromosome, start: first, end: first, haplotypes, open })
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
        return record.end;
    }
    let length = record.info.split(';').find_map(|entry| entry.strip_prefix("SVLEN="));
    let length = length.and_then(|text| text.split(',').next()?.parse::<i64>().ok()).map_or(0, i64::unsigned_abs);
    let end = record.end.max(record.start.saturating_add(length));
    if end > record.start { end } else { u64::MAX }
}

/// The change of copies that a line says of a sample, if any.
pub(super) fn copy_change(
    record: &Record<'_>,
    genotype: &Genotype,
    unread: bool,
    structural: &[(usize, Option<u32>)],
    chromosome: &str,
) -> Option<CopyChange> {
    if structural.is_empty() {
        return None;
    }
    let copies = |allele: &Option<usize>| match allele {
        _ if unread => None,
        None => None,
        Some(number) => structural.iter().find(|known| known.0 == *number).map_or(Some(1), |known| known.1),
    };
    let mut haplotypes: Vec<Option<u32>> = genotype.alleles.iter().map(copies).collect();
    if let (Some(total), true) = (genotype.copies, haplotypes.contains(&None)) {
        // the count of both haplotypes together, where their alleles do not say
        haplotypes = match total {
            0 => vec![Some(0); 2],
            2 => vec![Some(1); 2],
            1 => vec![Some(0), Some(1)],
            _ => vec![None, None],
        };
    }
    let changed = haplotypes.iter().any(|copies| *copies != Some(1)) || haplotypes.is_empty();
    let (start, end) = (record.start.saturating_add(1), structural_end(record));
    let open = (end == u64::MAX).then(|| {
        let text = record.alternates.join(",");
        format!(
            "{text} at {chromosome}:{} has neither END nor SVLEN, so that it is not known where it ends",
            record.start
        )
    });
    changed.then(|| CopyChange { chromosome: chromosome.to_string(), start, end, haplotypes, open })
}
