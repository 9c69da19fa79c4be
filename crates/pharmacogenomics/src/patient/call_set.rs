//! [`CallSet`]: what a VCF file says of a sample at the places of all genes.
//!
//! Every line near a place is checked: its REF against the reference that the definitions give, its rs numbers against their places. A place that the
//! file does not mention, that has no call, that a filter refuses, that no read covers or whose quality is low is not read.

use super::{
    PatientConfig,
    alternatives::{Alternative, Alternatives, spoken_of},
    assembly::{Assembly, chromosome_of},
    atlas::{Atlas, PlaceId, place_of},
    copy_changes::{CopyChange, breaks, copy_change, is_break, is_segment, structural, structural_end},
    definition::Gene,
    file_assembly::other_mitochondrion,
    line_checks::{check_ids, check_reference, check_texts},
    reading::{Line, Reading, Said, join},
    vcf::{Genotype, Record, Vcf, fault},
};
use crate::error::{Error, Result};
use cupel_settings::Problem;
use rayon::prelude::*;
use std::{
    collections::{HashMap, HashSet},
    path::Path,
    sync::Arc,
};

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
    let mut foreign = other_mitochondrion(&vcf, assembly).map(|why| (why, false));
    let sample = |column: &usize| {
        let (sample, foreign_mitochondrion) = (vcf.samples.get(*column).cloned()?, foreign.is_some());
        let set = CallSet { sample, foreign_mitochondrion, ..CallSet::default() };
        Some(Sample { column: *column, set, lines: Vec::new() })
    };
    let mut samples: Vec<Sample> = columns.iter().filter_map(sample).collect();
    let mut chromosomes: HashMap<String, String> = HashMap::new();
    let (all, mut phase_sets) = (vcf.samples.len(), false);
    let alone = all == 1;
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
                samples.iter_mut().for_each(|sample| sample.set.warnings.push((*why).to_string()));
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
        if spoken.is_empty() && structural.is_empty() && broken.is_empty() && !is_segment(&record) {
            continue;
        }
        let spoken = Spoken { record: &record, chromosome, places: &spoken, structural: &structural, broken: &broken };
        if let Some(field) = record.repeated_field() {
            return Err(fault(path, record.line, format!("FORMAT has {field} twice")));
        }
        let columns = record.columns();
        if columns.len() != all {
            let problem = format!("it has {} columns of samples, the header names {all}", columns.len());
            return Err(fault(path, record.line, problem));
        }
        let add = |sample: &mut Sample| sample.add(&spoken, &columns, genes, alone, config).err();
        let wrong = samples.par_iter_mut().with_min_len(SAMPLES_TOGETHER).find_map_first(add);
        if let Some(problem) = wrong {
            return Err(fault(path, record.line, problem));
        }
    }
    let read: Arc<HashSet<String>> = Arc::new(chromosomes.into_values().collect());
    samples.into_par_iter().map(|sample| sample.joined(&read, phase_sets, genes, path)).collect()
}

/// Samples of a line that are worth a task of their own.
const SAMPLES_TOGETHER: usize = 64;

/// What a line speaks of.
struct Spoken<'a> {
    record: &'a Record<'a>,
    chromosome: &'a str,
    places: &'a [(PlaceId, Alternatives)],
    structural: &'a [(usize, Option<u32>)],
    broken: &'a [(String, CopyChange)],
}

/// A sample while its file is read.
struct Sample {
    column: usize,
    set: CallSet,
    /// Of each place that a line speaks of, in the order of the file.
    lines: Vec<(PlaceId, Line)>,
}

impl Sample {
    /// Adds what a line, whose samples are `columns`, says of it; `alone` where the file has no other sample.
    fn add(
        &mut self,
        spoken: &Spoken<'_>,
        columns: &[&str],
        genes: &[Gene],
        alone: bool,
        config: &PatientConfig,
    ) -> std::result::Result<(), String> {
        let Spoken { record, chromosome, places, structural, broken } = *spoken;
        let genotype = record.genotype(columns, self.column)?;
        let unread = unread(record, &genotype, alone, config);
        let warns = unread.as_ref().filter(|why| *why != NO_CALL && *why != HALF_CALL);
        for (id, alternatives) in places {
            let Some((gene, place)) = place_of(genes, *id) else { continue };
            let is_reference = genotype.alleles.iter().all(|allele| *allele == Some(0)) && unread.is_none();
            if alternatives.aside && is_reference {
                continue;
            }
            if let Some(why) = warns {
                self.set.warnings.push(format!("{}: not read, {why}", place.name(&gene.chromosome)));
            }
            self.lines.push((*id, line_of(record, &genotype, unread.as_ref(), alternatives, chromosome)));
        }
        let called = unread.as_ref().is_some_and(|why| *why != NO_CALL && *why != HALF_CALL);
        if let Some(change) = copy_change(record, &genotype, (unread.is_some(), called), structural, chromosome) {
            self.set.copies.push(change);
        }
        for (gene, change) in broken {
            let calls = |(i, text): (usize, &&str)| is_break(text) && genotype.alleles.contains(&Some(i + 1));
            if unread.is_some() || record.alternates.iter().enumerate().any(calls) {
                self.set.warnings.push(format!("{gene}: {}", change.open.as_deref().unwrap_or_default()));
                self.set.copies.push(change.clone());
            }
        }
        Ok(())
    }

    /// What was read of it: the lines of each place together.
    fn joined(
        mut self,
        chromosomes: &Arc<HashSet<String>>,
        phase_sets: bool,
        genes: &[Gene],
        path: &Path,
    ) -> Result<CallSet> {
        self.set.chromosomes = chromosomes.clone();
        // lines of one place stay in their order
        self.lines.sort_by_key(|(id, _)| *id);
        // beside sets of phase, an order of all of a chromosome is none
        for (_, line) in self.lines.iter_mut().filter(|_| phase_sets) {
            line.phase = line.phase.take().filter(|phase| !phase.starts_with(WHOLE));
        }
        for lines in self.lines.chunk_by(|(a, _), (b, _)| a == b) {
            let Some((id, (gene, place))) = lines.first().and_then(|(id, _)| Some((*id, place_of(genes, *id)?))) else {
                continue;
            };
            let lines: Vec<&Line> = lines.iter().map(|(_, line)| line).collect();
            let reading = join(&lines, place.assembly_allele).map_err(|(first, second, how)| {
                let problem = format!("lines {first} and {second} speak of {} and {how}", place.name(&gene.chromosome));
                Error::Model { path: path.to_path_buf(), problem, fix: "keep one call of each place" }
            })?;
            if let Some(reading) = reading {
                self.set.readings.insert(id, reading);
            }
        }
        Ok(self.set)
    }
}

/// Why a place was not read, where the file says no call.
const NO_CALL: &str = "no call";

/// The same for one of two haplotypes.
const HALF_CALL: &str = "half a call";

/// Of the reads of a line, more than this with other bases than the reference's contradict a call of the reference.
const MOST_OTHER: f64 = 0.2;

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
    if let Some(against) = &genotype.against {
        return Some(against.clone());
    }
    if alone && is_reference && record.other_reads().is_some_and(|share| share > MOST_OTHER) {
        return Some(format!(
            "DP4 counts other bases than the reference's ({})",
            record.info_value("DP4").unwrap_or_default()
        ));
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
    let block = record.end > record.start;
    Line {
        number: record.line,
        alternatives: alternatives.told.clone(),
        said,
        phase,
        unread: unread.cloned().or(half),
        block,
        length: record.end.saturating_sub(record.start),
    }
}
