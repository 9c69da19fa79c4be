//! [`CallSet`]: what a VCF file says of a sample at the places of all genes.
//!
//! Every line near a place is checked: its REF against the reference that the definitions give, its rs numbers against their places. A place that the
//! file does not mention, that has no call, that a filter refuses, that no read covers or whose quality is low is not read.

use super::{
    PatientConfig,
    assembly::{Assembly, chromosome_of},
    atlas::{Atlas, PlaceId, REACH, place_of},
    definition::{Gene, Place},
    reading::{Line, Reading, Said, Seen, join},
    sequence::Edit,
    vcf::{Genotype, Record, Vcf, fault},
};
use crate::error::{Error, Result};
use cupel_settings::Problem;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::Path,
    sync::Arc,
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

/// What was read of one sample.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallSet {
    pub(crate) sample: String,
    pub(crate) readings: HashMap<PlaceId, Reading>,
    pub(crate) copies: Vec<CopyChange>,
    /// The chromosomes that the file has a line of.
    pub(crate) chromosomes: Arc<HashSet<String>>,
    pub(crate) warnings: Vec<String>,
    /// Whether the file's mitochondrion is another than the definitions', or may be.
    pub(crate) foreign_mitochondrion: bool,
}

/// Longest REF that is held against the reference.
const LONGEST_CHECKED: usize = 10_000;

/// The assembly that a file says it is in, by the lengths and accessions of its chromosomes or by name.
///
/// # Errors
/// [`Error::Setting`] where a chromosome has a length that it has in neither assembly, or where some have those of one and some of the other.
pub(crate) fn assembly_of(vcf: &Vcf) -> Result<Option<Assembly>> {
    let mut said: Option<(Assembly, String)> = None;
    for line in vcf.meta.iter().filter_map(|line| line.strip_prefix("##contig=<")) {
        let entry = |key: &str| line.trim_end_matches('>').split(',').find_map(|entry| entry.trim().strip_prefix(key));
        let Some((name, own)) = entry("ID=").map(chromosome_of) else { continue };
        let length = entry("length=").and_then(|text| text.parse().ok());
        let by_length = length.and_then(|length| Assembly::of_length(&name, length));
        if let (Some(length), Some([old, new]), None) = (length, Assembly::lengths(&name), by_length) {
            let got = format!("chromosome {name} of {length} bases");
            let expected = format!("GRCh37 ({old} bases) or GRCh38 ({new}); lift the file over to one of them");
            return Err(Problem::value("assembly", got, expected).into());
        }
        for own in by_length.into_iter().chain(own) {
            match &said {
                Some((known, first)) if *known != own => {
                    let got = format!("chromosome {first} of {known} and chromosome {name} of {own}");
                    return Err(Problem::value("assembly", got, "a file in one assembly").into());
                }
                Some(_) => {}
                None => said = Some((own, name.clone())),
            }
        }
    }
    if let Some((assembly, _)) = said {
        return Ok(Some(assembly));
    }
    let says = |names: &[&str]| vcf.meta.iter().any(|line| names.iter().any(|name| line.contains(name)));
    Ok(match (says(&["GRCh37", "hg19", "b37"]), says(&["GRCh38", "hg38"])) {
        (true, false) => Some(Assembly::GRCh37),
        (false, true) => Some(Assembly::GRCh38),
        _ => None,
    })
}

/// Bases of the mitochondrion that all definitions count on (rCRS, NC_012920), and of the one of UCSC's hg19 (NC_001807), where the same place has another number.
const MITOCHONDRIA: [u64; 2] = [16_569, 16_571];

/// Why the mitochondrion of a file is not read, where that is so: it is hg19's, or in GRCh37 the file does not say which it is.
fn other_mitochondrion(vcf: &Vcf, assembly: Assembly) -> Option<&'static str> {
    let mut known = false;
    for line in vcf.meta.iter().filter_map(|line| line.strip_prefix("##contig=<")) {
        let entry = |key: &str| line.trim_end_matches('>').split(',').find_map(|entry| entry.trim().strip_prefix(key));
        let Some(id) = entry("ID=") else { continue };
        let length: Option<u64> = entry("length=").and_then(|text| text.parse().ok());
        let is_old = id.starts_with("NC_001807") || chromosome_of(id).0 == "MT" && length == Some(MITOCHONDRIA[1]);
        if is_old {
            return Some(
                "the mitochondrion is that of hg19 (NC_001807), whose places have other numbers: it is not read",
            );
        }
        known |= id.starts_with("NC_012920") || chromosome_of(id).0 == "MT" && length == Some(MITOCHONDRIA[0]);
    }
    let open = assembly == Assembly::GRCh37 && !known;
    open.then_some(
        "files in GRCh37 have one of two mitochondria, and this one does not say which (length of its contig): it is not read",
    )
}

/// Reads what a file says of the samples in `columns`.
///
/// # Errors
/// [`Error::Model`] for a line that is damaged, whose REF or rs number contradicts the definitions, or that contradicts another line.
pub(crate) fn read(
    mut vcf: Vcf,
    path: &Path,
    columns: &[usize],
    (genes, atlas, assembly): (&[Gene], &Atlas, Assembly),
    config: &PatientConfig,
) -> Result<Vec<CallSet>> {
    let names: Vec<String> = columns.iter().filter_map(|column| vcf.samples.get(*column).cloned()).collect();
    let mut lines: Vec<BTreeMap<PlaceId, Vec<Line>>> = vec![BTreeMap::new(); columns.len()];
    let mut sets: Vec<CallSet> = names.into_iter().map(|sample| CallSet { sample, ..CallSet::default() }).collect();
    let mut chromosomes: HashMap<String, String> = HashMap::new();
    let (alone, mut phase_sets) = (vcf.samples.len() == 1, false);
    let mut foreign = other_mitochondrion(&vcf, assembly).map(|why| (why, false));
    sets.iter_mut().for_each(|set| set.foreign_mitochondrion = foreign.is_some());
    while let Some(record) = vcf.next()? {
        let chromosome = match chromosomes.get(record.chromosome) {
            Some(known) => known,
            None => {
                let (name, own) = chromosome_of(record.chromosome);
                if let Some(own) = own.filter(|own| *own != assembly) {
                    let expected = format!("{own}, as the accession {} says", record.chromosome);
                    return Err(Problem::value("assembly", assembly, expected).into());
                }
                chromosomes.entry(record.chromosome.to_string()).or_insert(name)
            }
        };
        phase_sets = phase_sets || record.has_phase_sets();
        if let Some((why, said)) = foreign.as_mut().filter(|_| chromosome == "MT") {
            if !std::mem::replace(said, true) {
                sets.iter_mut().for_each(|set| set.warnings.push((*why).to_string()));
            }
            continue;
        }
        if record.end < record.start || !atlas.near(chromosome, record.start, structural_end(&record)) {
            check_ids(&record, chromosome, atlas, assembly, path)?;
            continue;
        }
        check_ids(&record, chromosome, atlas, assembly, path)?;
        check_reference(&record, chromosome, atlas, assembly, path)?;
        check_texts(&record, chromosome, genes, atlas, path)?;
        let spoken = spoken_of(&record, chromosome, genes, atlas);
        let structural = structural(&record);
        let broken = breaks(&record, chromosome, genes);
        if spoken.is_empty() && structural.is_empty() && broken.is_empty() {
            continue;
        }
        for (index, column) in columns.iter().enumerate() {
            let genotype = record.genotype(*column).map_err(|problem| fault(path, record.line, problem))?;
            let unread = unread(&record, &genotype, alone, config);
            let warns = unread.as_ref().filter(|why| *why != NO_CALL && *why != HALF_CALL);
            for (id, alternatives) in &spoken {
                let Some((gene, place)) = place_of(genes, *id) else { continue };
                let is_reference = genotype.alleles.iter().all(|allele| *allele == Some(0)) && unread.is_none();
                if alternatives.aside && is_reference {
                    continue;
                }
                let line = line_of(&record, &genotype, unread.as_ref(), alternatives, chromosome);
                if let Some(why) = warns {
                    sets[index].warnings.push(format!("{}: not read, {why}", place.name(&gene.chromosome)));
                }
                lines[index].entry(*id).or_default().push(line);
            }
            if let Some(change) = copy_change(&record, &genotype, unread.is_some(), &structural, chromosome) {
                sets[index].copies.push(change);
            }
            for (gene, change) in &broken {
                let calls = |(i, text): (usize, &&str)| is_break(text) && genotype.alleles.contains(&Some(i + 1));
                if unread.is_some() || record.alternates.iter().enumerate().any(calls) {
                    sets[index].warnings.push(format!("{gene}: {}", change.open.as_deref().unwrap_or_default()));
                    sets[index].copies.push(change.clone());
                }
            }
        }
    }
    let read: Arc<HashSet<String>> = Arc::new(chromosomes.into_values().collect());
    for (set, lines) in sets.iter_mut().zip(lines) {
        set.chromosomes = read.clone();
        for (id, mut lines) in lines {
            // beside sets of phase, an order of all of a chromosome is none
            for line in lines.iter_mut().filter(|_| phase_sets) {
                line.phase = line.phase.take().filter(|phase| !phase.starts_with(WHOLE));
            }
            let Some((gene, place)) = place_of(genes, id) else { continue };
            let reading = join(&lines, place.assembly_allele).map_err(|(first, second, how)| {
                let problem = format!("lines {first} and {second} speak of {} and {how}", place.name(&gene.chromosome));
                Error::Model { path: path.to_path_buf(), problem, fix: "keep one call of each place" }
            })?;
            if let Some(reading) = reading {
                set.readings.insert(id, reading);
            }
        }
    }
    Ok(sets)
}

/// Why a place was not read, where the file says no call.
const NO_CALL: &str = "no call";
/// The same for one of two haplotypes.
const HALF_CALL: &str = "half a call";

/// What the names of sets begin with that are all of a chromosome.
const WHOLE: &str = "all of ";

/// Why a call does not count, if it does not; `alone` where the file has one sample.
fn unread(record: &Record<'_>, genotype: &Genotype, alone: bool, config: &PatientConfig) -> Option<String> {
    let is_reference = !genotype.alleles.is_empty() && genotype.alleles.iter().all(|allele| *allele == Some(0));
    // DeepVariant's word for a place that it calls reference
    let passes = |filter: &str| matches!(filter, "PASS" | "." | "" | "0") || filter == "RefCall" && is_reference;
    if genotype.alleles.iter().all(Option::is_none) {
        return Some(NO_CALL.into());
    }
    if !passes(record.filter) {
        return Some(format!("FILTER is {}", record.filter));
    }
    if let Some(filter) = genotype.filter.as_deref().filter(|filter| !passes(filter)) {
        return Some(format!("FT is {filter}"));
    }
    if genotype.depth.map_or(alone && record.has_no_reads(), |depth| depth <= 0.0) {
        return Some("no read covers it (DP 0)".into());
    }
    if let Some(quality) = genotype.quality.filter(|quality| *quality < config.min_genotype_quality) {
        return Some(format!("its genotype quality is {quality:.0}, below {}", config.min_genotype_quality));
    }
    None
}

/// What a line says of a place, whose alternatives it tells by the numbers of its alleles.
fn line_of(
    record: &Record<'_>,
    genotype: &Genotype,
    unread: Option<&String>,
    alternatives: &Alternatives,
    chromosome: &str,
) -> Line {
    let say = |allele: &Option<usize>| match allele {
        _ if unread.is_some() => Said::Nothing,
        None => Said::Nothing,
        Some(0) if alternatives.others_only => Said::Nothing,
        Some(0) => Said::NoneOfThese,
        Some(number) => match alternatives.by_number.get(number - 1) {
            Some(Alternative::Here(seen)) => Said::Has(seen.clone()),
            Some(Alternative::Elsewhere) => Said::NoneOfThese,
            Some(Alternative::Open) | None => Said::Nothing,
        },
    };
    let said: Vec<Said> = genotype.alleles.iter().map(say).collect();
    let half = said.contains(&Said::Nothing).then(|| HALF_CALL.to_string());
    let phase = genotype.phased.then(|| {
        genotype.phase_set.clone().map_or_else(|| format!("{WHOLE}{chromosome}"), |set| format!("{chromosome} {set}"))
    });
    let here = |alternative: &Alternative| match alternative {
        Alternative::Here(seen) => Some(seen.clone()),
        _ => None,
    };
    let told = alternatives.by_number.iter().filter_map(here).collect();
    let block = record.end > record.start;
    Line { number: record.line, alternatives: told, said, phase, unread: unread.cloned().or(half), block }
}

/// What an alternative of a line is at a place.
#[derive(Clone, Debug)]
enum Alternative {
    /// It is this.
    Here(Seen),
    /// It changes something else and leaves the place as it is.
    Elsewhere,
    /// It does not say.
    Open,
}

#[derive(Clone, Debug)]
struct Alternatives {
    by_number: Vec<Alternative>,
    /// The line knows changes of length here, and none that a definition has: that they are not there says nothing of those that are defined.
    others_only: bool,
    /// The line speaks of bases within what an insertion or deletion would change: of who has the reference there it says nothing.
    aside: bool,
}

/// Whether an alternative is any that is not listed.
fn is_any(alternate: &str) -> bool {
    matches!(alternate, "<NON_REF>" | "<*>" | "<X>")
}

fn is_bases(alternate: &str) -> bool {
    !alternate.is_empty()
        && alternate.bytes().all(|base| matches!(base.to_ascii_uppercase(), b'A' | b'C' | b'G' | b'T' | b'N'))
}

/// The places that a line speaks of, with what its alternatives are there.
fn spoken_of(record: &Record<'_>, chromosome: &str, genes: &[Gene], atlas: &Atlas) -> Vec<(PlaceId, Alternatives)> {
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
    if alternates.iter().any(elsewhere) && !sequences {
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
            spoken.push((id, Alternatives { by_number, others_only: false, aside: false }));
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
            spoken.push((id, Alternatives { by_number, others_only, aside }));
        }
    }
    spoken
}

fn covers(edit: &Edit, position: u64) -> bool {
    (edit.position..edit.position + edit.deleted.len() as u64).contains(&position)
}

/// What an alternative is at a place of single bases.
fn at_single(
    record: &Record<'_>,
    alternate: &str,
    edit: Option<&Edit>,
    (gene, place): (&Gene, &Place),
    atlas: &Atlas,
) -> Alternative {
    let Some(edit) = edit else {
        return if copies_of(alternate).is_some() { Alternative::Elsewhere } else { Alternative::Open };
    };
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
fn base_of<'a>(record: &'a Record<'_>, chromosome: &'a str, atlas: &'a Atlas) -> impl Fn(u64) -> Option<u8> + 'a {
    let bases = record.reference.as_bytes();
    move |position: u64| {
        let own = position.checked_sub(record.start).and_then(|offset| bases.get(offset as usize));
        own.map(u8::to_ascii_uppercase).or_else(|| atlas.known.base(chromosome, position))
    }
}

/// What an alternative is at a place of changes of length.
fn at_length(
    record: &Record<'_>,
    alternate: &str,
    edit: Option<&Edit>,
    (gene, place): (&Gene, &Place),
    atlas: &Atlas,
) -> Alternative {
    let Some(edit) = edit else {
        return if copies_of(alternate).is_some() { Alternative::Elsewhere } else { Alternative::Open };
    };
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

/// Whether an alternative joins two stretches of the genome, as `G]17:198982]` does.
fn is_break(alternate: &str) -> bool {
    alternate.contains(['[', ']'])
}

/// The genes in which a line has a break of the chromosome, each with what makes it open.
fn breaks(record: &Record<'_>, chromosome: &str, genes: &[Gene]) -> Vec<(String, CopyChange)> {
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
fn copies_of(alternate: &str) -> Option<Option<u32>> {
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
fn structural(record: &Record<'_>) -> Vec<(usize, Option<u32>)> {
    record.alternates.iter().enumerate().filter_map(|(i, text)| Some((i + 1, copies_of(text)?))).collect()
}

/// The last place of a line, also where its length says it; that of a change of copies may be anywhere where neither says it.
fn structural_end(record: &Record<'_>) -> u64 {
    if !record.alternates.iter().any(|alternate| copies_of(alternate).is_some()) {
        return record.end;
    }
    let length = record.info.split(';').find_map(|entry| entry.strip_prefix("SVLEN="));
    let length = length.and_then(|text| text.split(',').next()?.parse::<i64>().ok()).map_or(0, i64::unsigned_abs);
    let end = record.end.max(record.start.saturating_add(length));
    if end > record.start { end } else { u64::MAX }
}

/// The change of copies that a line says of a sample, if any.
fn copy_change(
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

fn check_ids(record: &Record<'_>, chromosome: &str, atlas: &Atlas, assembly: Assembly, path: &Path) -> Result<()> {
    if record.ids == "." {
        return Ok(());
    }
    let (start, end) = (record.start, record.end);
    let misplaced = record.ids.split(';').find_map(|id| atlas.misplaced(id, chromosome, start, end, assembly));
    match misplaced {
        None => Ok(()),
        Some(problem) => Err(Error::Model {
            path: path.to_path_buf(),
            problem: format!("line {}: {problem}", record.line),
            fix: "give the assembly that the file is in with --assembly",
        }),
    }
}

fn check_reference(
    record: &Record<'_>,
    chromosome: &str,
    atlas: &Atlas,
    assembly: Assembly,
    path: &Path,
) -> Result<()> {
    let Some(known) = atlas.known.chromosome(chromosome) else { return Ok(()) };
    for (position, got) in (record.start..).zip(record.reference.bytes().take(LONGEST_CHECKED)) {
        let (Some(expected), got) = (known.get(&position), got.to_ascii_uppercase()) else { continue };
        if *expected == got || got == b'N' {
            continue;
        }
        let offset = (position - record.start) as usize;
        let bases: Vec<u8> = record
            .alternates
            .iter()
            .filter(|alternate| is_bases(alternate) && alternate.len() == record.reference.len())
            .filter_map(|alternate| alternate.as_bytes().get(offset).map(u8::to_ascii_uppercase))
            .collect();
        let complement = |base: u8| match base {
            b'A' => b'T',
            b'T' => b'A',
            b'C' => b'G',
            b'G' => b'C',
            other => other,
        };
        let why = match (bases.contains(expected), complement(got) == *expected) {
            (true, true) => "REF and ALT are exchanged, or the bases are those of the other strand",
            (true, false) => "REF and ALT are exchanged",
            (false, true) => "the bases are those of the other strand, or the file is in another assembly",
            (false, false) => "the file is in another assembly, or damaged",
        };
        let (got, expected, line) = (char::from(got), char::from(*expected), record.line);
        return Err(Error::Model {
            path: path.to_path_buf(),
            problem: format!(
                "line {line}: REF at {chromosome}:{position} is {got}, {assembly} has {expected} there: {why}"
            ),
            fix: "give a file whose REF is the assembly's (bcftools norm --check-ref finds the lines)",
        });
    }
    Ok(())
}

/// Refuses a line with all texts of a place of changes of length, but another one as REF: the bases after the first do not show that.
fn check_texts(record: &Record<'_>, chromosome: &str, genes: &[Gene], atlas: &Atlas, path: &Path) -> Result<()> {
    for id in atlas.lengths(chromosome, record.start, record.start) {
        let Some((_, place)) = place_of(genes, id) else { continue };
        let own = place.alleles.get(place.assembly_allele).map_or("", String::as_str);
        let texts = || std::iter::once(&record.reference).chain(&record.alternates);
        let all = texts().count() == place.alleles.len();
        if all && record.reference != own && texts().all(|text| place.alleles.iter().any(|known| known == text)) {
            return Err(Error::Model {
                path: path.to_path_buf(),
                problem: format!(
                    "line {}: REF at {} is {}, it should be {own}: REF and ALT are exchanged",
                    record.line,
                    place.name(chromosome),
                    record.reference
                ),
                fix: "give a file whose REF is the assembly's (bcftools norm --check-ref finds the lines)",
            });
        }
    }
    Ok(())
}
