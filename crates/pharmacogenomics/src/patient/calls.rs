//! [`GeneCall`]: which two alleles of a gene explain what was read, and what they make of its product.
//!
//! Every pair of alleles is held against every variant that defines one: a pair explains the genotypes when it has each
//! variant that was read as often as it was read, on the haplotypes that phase puts it on. Where several pairs do, they are all
//! named, and a phenotype is given only when they agree in it. A place that was not read excludes nothing.

use super::{
    alleles::{Allele, Gene, Variant},
    phenotypes::{Phenotype, Phenotypes},
    variants::Genotypes,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// What is known of one gene.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GeneCall {
    /// The gene.
    pub gene: String,
    /// The pairs of alleles that explain the genotypes; one allele where there is one haplotype.
    pub diplotypes: Vec<String>,
    /// What the pairs agree in; `None` where they do not, or where the tables do not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phenotype: Option<Phenotype>,
    /// Places that define alleles and were not read.
    pub not_read: usize,
    /// Places that define alleles.
    pub places: usize,
    /// Alleles that small variants do not show.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_looked_for: Vec<String>,
    /// Why there is no phenotype.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown_because: Option<String>,
    /// The genotype in letters, where one place makes the gene's only alleles.
    #[serde(skip)]
    pub(crate) letters: Option<(String, String)>,
}

/// Genes whose common alleles are deletions, duplications and hybrids: small variants alone would call them wrong.
const COPY_NUMBER: [&str; 7] = ["CYP2D6", "CYP2A6", "GSTM1", "GSTT1", "UGT2B15", "UGT2B17", "SULT1A1"];
/// Pairs that are named where many explain the genotypes.
const NAMED: usize = 20;

/// Of a variant of the gene: how often it was read, and on which haplotypes of which phase set.
struct Read<'a> {
    variant: &'a Variant,
    carriers: Vec<bool>,
    phase: Option<&'a str>,
}

impl GeneCall {
    /// Calls a gene. With `reference`, a place that was not read is taken for reference.
    pub(crate) fn of(name: &str, gene: &Gene, genotypes: &Genotypes, phenotypes: &Phenotypes, reference: bool) -> Self {
        let variants = gene.variants();
        let mut call = Self {
            gene: name.to_string(),
            diplotypes: Vec::new(),
            phenotype: None,
            not_read: 0,
            places: variants.len(),
            not_looked_for: gene.not_looked_for.clone(),
            unknown_because: None,
            letters: None,
        };
        let mut read = Vec::new();
        for variant in &variants {
            match genotypes.calls.get(&(variant.chromosome.clone(), variant.position)) {
                Some(own) => {
                    let other = |found: &&Variant| variants.binary_search(found).is_err();
                    if let Some(other) = own.haplotypes.iter().flatten().find(other) {
                        let (at, bases) = (other.position, &other.alternate);
                        call.unknown_because = Some(format!("no allele is known with {bases} at {at}"));
                    }
                    let carriers = own.haplotypes.iter().map(|found| found.as_ref() == Some(variant)).collect();
                    read.push(Read { variant, carriers, phase: own.phase.as_deref() });
                }
                None => call.not_read += 1,
            }
        }
        if COPY_NUMBER.contains(&name) {
            call.unknown_because = Some(
                "its alleles differ in copies of the gene, which a VCF file of small variants does not show".into(),
            );
        } else if read.is_empty() && !reference {
            call.unknown_because = Some("none of its places was read".into());
        }
        if call.unknown_because.is_some() {
            return call;
        }
        let haploid = !read.is_empty() && read.iter().all(|read| read.carriers.len() == 1);
        let pairs = explaining(gene, &variants, &read, haploid, reference);
        if pairs.is_empty() {
            call.unknown_because = Some("no pair of known alleles explains its genotypes".into());
            return call;
        }
        call.letters = letters(&variants, &read);
        call.diplotypes = pairs
            .iter()
            .take(NAMED)
            .map(|[a, b]| if haploid { a.name.clone() } else { format!("{}/{}", a.name, b.name) })
            .collect();
        let found: Vec<Option<&Phenotype>> =
            pairs.iter().map(|[a, b]| phenotypes.of(name, &a.name, (!haploid).then_some(b.name.as_str()))).collect();
        let agree = found.windows(2).all(|two| two[0] == two[1]);
        match (found.first().copied().flatten(), agree) {
            (Some(phenotype), true) => call.phenotype = Some(phenotype.clone()),
            (_, false) => {
                call.unknown_because = Some(format!(
                    "{} pairs of alleles explain its genotypes and differ in what they do; {} of {} places were not read",
                    pairs.len(),
                    call.not_read,
                    call.places
                ));
            }
            (None, true) => call.unknown_because = Some("the tables do not say what its alleles do together".into()),
        }
        call
    }
}

/// The pairs of alleles that explain what was read, the reference first.
fn explaining<'a>(
    gene: &'a Gene,
    variants: &[Variant],
    read: &[Read<'_>],
    haploid: bool,
    reference: bool,
) -> Vec<[&'a Allele; 2]> {
    let was_read = |variant: &Variant| read.iter().any(|read| read.variant == variant);
    let carried = |variant: &Variant| {
        read.iter().any(|read| read.variant == variant && read.carriers.contains(&true))
            || !reference && variants.contains(variant) && !was_read(variant)
    };
    // an allele with a variant that was read and is not there explains nothing
    let mut possible: Vec<&Allele> = gene.alleles.iter().filter(|allele| allele.core.iter().all(carried)).collect();
    possible.sort_by_key(|allele| allele.core.len());
    let mut pairs = Vec::new();
    for (i, a) in possible.iter().enumerate() {
        for b in &possible[i..] {
            let explains = match haploid {
                true => a.name == b.name && read.iter().all(|read| a.core.contains(read.variant) == read.carriers[0]),
                false => explains([a, b], read),
            };
            if explains {
                pairs.push([*a, *b]);
            }
        }
    }
    pairs
}

/// Whether a pair has every variant as often, and on the haplotypes, as it was read.
fn explains(pair: [&Allele; 2], read: &[Read<'_>]) -> bool {
    // by phase set, whether the pair fits with its first allele on the first haplotype, and the other way round
    let mut sets: BTreeMap<&str, [bool; 2]> = BTreeMap::new();
    for one in read {
        let has = pair.map(|allele| allele.core.contains(one.variant));
        let count = |of: &[bool]| of.iter().filter(|carries| **carries).count();
        if count(&has) != count(&one.carriers) {
            return false;
        }
        if let (Some(set), [first, second]) = (one.phase, &one.carriers[..]) {
            let fits = sets.entry(set).or_insert([true; 2]);
            fits[0] &= has == [*first, *second];
            fits[1] &= has == [*second, *first];
        }
    }
    sets.values().all(|fits| fits[0] || fits[1])
}

/// The only place of a gene with its two letters, sorted.
fn letters(variants: &[Variant], read: &[Read<'_>]) -> Option<(String, String)> {
    let ([variant], [read]) = (variants, read) else { return None };
    let mut letters: Vec<&str> = read
        .carriers
        .iter()
        .map(|carries| if *carries { variant.alternate.as_str() } else { variant.reference.as_str() })
        .collect();
    letters.sort_unstable();
    Some((format!("{}:{}", variant.chromosome, variant.position), letters.concat()))
}
