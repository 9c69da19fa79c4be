//! [`Genotypes`]: what a VCF file says at the places that tables ask for.
//!
//! A place that the file does not mention, or where the genotype is `./.`, is not known: it is no reference. Blocks of
//! reference (gVCF, `END=`) are read as such. Phase holds within a phase set (`PS`), or over a chromosome where phased genotypes
//! have none.

use super::{
    alleles::{Assembly, Variant, chromosome_name},
    vcf::{Record, Vcf},
};
use crate::error::{Error, Result};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// The haplotypes of one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// Of each haplotype the change that it has, `None` for the reference.
    pub(crate) haplotypes: Vec<Option<Variant>>,
    /// The set of places whose haplotypes stand in one order; `None` where the order says nothing.
    pub(crate) phase: Option<String>,
}

/// What was read of one sample.
#[derive(Clone, Debug)]
pub(crate) struct Genotypes {
    pub(crate) sample: String,
    /// By chromosome and position of a variant that was asked for.
    pub(crate) calls: BTreeMap<(String, u64), Call>,
}

/// Lengths of chromosomes, by which files that do not name their assembly are told apart.
const LENGTHS: [(&str, u64, Assembly); 6] = [
    ("1", 249_250_621, Assembly::GRCh37),
    ("1", 248_956_422, Assembly::GRCh38),
    ("10", 135_534_747, Assembly::GRCh37),
    ("10", 133_797_422, Assembly::GRCh38),
    ("22", 51_304_566, Assembly::GRCh37),
    ("22", 50_818_468, Assembly::GRCh38),
];

/// Alleles that stand for others or for none at all.
const SYMBOLS: [&str; 3] = ["<NON_REF>", "<*>", "*"];

/// The assembly that a file says it is in, by the lengths of its chromosomes or by name.
pub(crate) fn assembly(path: &Path) -> Result<Option<Assembly>> {
    let vcf = Vcf::open(path)?;
    for line in vcf.meta.iter().filter_map(|line| line.strip_prefix("##contig=<")) {
        let entry = |key: &str| line.trim_end_matches('>').split(',').find_map(|entry| entry.strip_prefix(key));
        let (name, length) = (entry("ID=").map(chromosome_name), entry("length=").and_then(|text| text.parse().ok()));
        let known = LENGTHS.iter().find(|known| name.as_deref() == Some(known.0) && length == Some(known.1));
        if let Some((_, _, assembly)) = known {
            return Ok(Some(*assembly));
        }
    }
    let says = |names: &[&str]| vcf.meta.iter().any(|line| names.iter().any(|name| line.contains(name)));
    Ok(match (says(&["GRCh37", "hg19", "b37"]), says(&["GRCh38", "hg38"])) {
        (true, false) => Some(Assembly::GRCh37),
        (false, true) => Some(Assembly::GRCh38),
        _ => None,
    })
}

impl Genotypes {
    /// Reads what `path` says of `wanted` for one sample: the one named, or the only one.
    ///
    /// # Errors
    /// [`Error::Data`] when the file cannot be read, [`Error::Model`] when it is no VCF file or lacks the sample.
    pub(crate) fn read(path: &Path, sample: Option<&str>, wanted: &[Variant]) -> Result<Self> {
        let mut vcf = Vcf::open(path)?;
        let column = match (sample, vcf.samples.len()) {
            (Some(name), _) => vcf.samples.iter().position(|known| known == name),
            (None, 1) => Some(0),
            (None, _) => None,
        };
        let Some(column) = column else {
            let problem = format!("which sample is meant is not said; it has {}", vcf.samples.join(", "));
            return Err(Error::Model { path: path.to_path_buf(), problem, fix: "name one of them with --sample" });
        };
        let sample = vcf.samples[column].clone();
        let places: BTreeSet<(&str, u64)> = wanted.iter().map(|v| (v.chromosome.as_str(), v.position)).collect();
        let mut calls = BTreeMap::new();
        while let Some(record) = vcf.next(column)? {
            let chromosome = chromosome_name(record.chromosome);
            let Some(genotype) = &record.genotype else { continue };
            if record.end < record.start {
                continue;
            }
            let own = places.range((chromosome.as_str(), record.start)..=(chromosome.as_str(), record.end));
            let phase =
                record.phased.then(|| record.phase_set.map_or_else(|| format!("all of {chromosome}"), str::to_string));
            let haplotypes: Vec<Option<Variant>> =
                genotype.iter().map(|number| changed(&record, &chromosome, *number)).collect();
            for (_, position) in own {
                // a change elsewhere in the record leaves this place as it is
                let here = |change: &Option<Variant>| change.clone().filter(|change| change.position == *position);
                let call = Call { haplotypes: haplotypes.iter().map(here).collect(), phase: phase.clone() };
                let known: &mut Call = calls.entry((chromosome.clone(), *position)).or_insert_with(|| call.clone());
                // of two records of one place the one with a change says more
                if known.haplotypes.iter().all(Option::is_none) {
                    *known = call;
                }
            }
        }
        Ok(Self { sample, calls })
    }
}

/// The change that an allele of a record is; `None` for the reference.
fn changed(record: &Record<'_>, chromosome: &str, number: usize) -> Option<Variant> {
    let alternate = record.alternates.get(number.checked_sub(1)?)?;
    let bases = !SYMBOLS.contains(alternate);
    bases.then(|| Variant::new(chromosome, record.start, record.reference, alternate))
}
