//! A patient's genes in the structure of `PharmCAT`'s `phenotype.json`, which its reporter and the tools of its users read (version 3, pharmcat.clinpgx.org).
//!
//! `PharmCAT` keeps the best pairs of alleles, this crate all that are possible: a gene with several has them all, and a gene whose pairs are too many to be
//! listed, or that was not read, has `Unknown/Unknown` as one without a result has there. What is not known here (scores of matches, the time) is 0 or null.
//!
//! The structures below borrow what they write: a cohort has a file of hundreds of variants for each of its samples.

use super::{
    Assembly, Patient, Tables,
    calls::{GeneCall, Knowledge, Outcome, UNTESTED, Variant},
    definition::Gene,
    phenotypes::Phenotypes,
};
use serde::{Serialize, Serializer, ser::SerializeMap};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
};

/// More pairs than this say nothing to a reader.
const MOST_PAIRS: usize = 500;
/// The allele of a gene without a result.
const UNKNOWN: &str = "Unknown";
/// What rules are asked by where a gene has no result.
const NO_RESULT: &str = "No Result";

/// What is null in every file.
type Null = ();

/// The file.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct File<'a> {
    matcher_metadata: Metadata<'a>,
    gene_reports: BTreeMap<&'a str, Report<'a>>,
    unannotated_gene_calls: [Null; 0],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    named_allele_matcher_version: Null,
    genome_build: &'static str,
    input_filename: &'a str,
    timestamp: Null,
    top_candidates_only: bool,
    find_combinations: bool,
    call_cyp2d: bool,
    sample_id: &'a str,
    sample_props: Null,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    allele_definition_version: Option<&'a str>,
    allele_definition_source: &'static str,
    phenotype_version: Option<&'a str>,
    gene_symbol: &'a str,
    chr: Option<String>,
    phased: bool,
    effectively_phased: bool,
    call_source: &'static str,
    uncalled_haplotypes: &'a [String],
    messages: Vec<Message<'a>>,
    related_drugs: [Null; 0],
    source_diplotypes: Vec<Diplotype<'a>>,
    matcher_component_haplotypes: [Null; 0],
    matcher_homozygous_component_haplotypes: [Null; 0],
    recommendation_diplotypes: Vec<Diplotype<'a>>,
    variants: Vec<VariantReport<'a>>,
    variants_of_interest: [Null; 0],
    has_undocumented_variations: bool,
    treat_undocumented_variations_as_reference: bool,
}

/// A word on a gene.
#[derive(Serialize)]
struct Message<'a> {
    rule_name: &'static str,
    version: Null,
    matches: Null,
    exception_type: &'static str,
    message: &'a str,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Allele<'a> {
    gene: &'a str,
    name: &'a str,
    function: Option<&'a str>,
    reference: bool,
    activity_value: Option<Cow<'static, str>>,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Diplotype<'a> {
    allele1: Option<Allele<'a>>,
    allele2: Option<Allele<'a>>,
    gene: &'a str,
    match_score: u32,
    phenotypes: Vec<&'a str>,
    outside_phenotype: bool,
    outside_phenotype_mismatch: Null,
    activity_score: Option<Cow<'a, str>>,
    outside_activity_score: bool,
    outside_activity_score_mismatch: Null,
    variant: Null,
    lookup_key: Vec<Cow<'a, str>>,
    label: Cow<'a, str>,
    inferred: bool,
    inferred_source_diplotypes: Null,
    combination: bool,
    diplotype_key: Counts<'a>,
}

/// How often an allele is in a pair.
#[derive(Clone)]
struct Counts<'a>(Vec<&'a str>);

impl Serialize for Counts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let counts: BTreeMap<&str, usize> = self.0.iter().fold(BTreeMap::new(), |mut counts, name| {
            *counts.entry(name).or_default() += 1;
            counts
        });
        let mut map = serializer.serialize_map(Some(counts.len()))?;
        for (name, count) in counts {
            map.serialize_entry(name, &(count as f64))?;
        }
        map.end()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VariantReport<'a> {
    gene: &'a str,
    chromosome: Cow<'a, str>,
    position: u64,
    db_snp_id: Option<&'a str>,
    call: Option<String>,
    alleles: Vec<&'a str>,
    phased: bool,
    phase_set: Null,
    reference_allele: &'a str,
    has_undocumented_variations: bool,
    warnings: [Null; 0],
}

impl Tables {
    /// The genes of a patient as `PharmCAT`'s `phenotype.json`; `file` is the name of the VCF file.
    pub fn phenotype_json<'a>(&'a self, patient: &'a Patient, file: &'a str) -> impl Serialize + use<'a> {
        let asked: BTreeSet<&str> = self.guidelines.genes();
        let definitions: HashMap<&str, &Gene> = self.genes.iter().map(|gene| (gene.name.as_str(), gene)).collect();
        let mut gene_reports = BTreeMap::new();
        for call in
            patient.genes.iter().filter(|call| call.tested() || call.outside || asked.contains(call.gene.as_str()))
        {
            let definition = definitions.get(call.gene.as_str()).copied();
            gene_reports.insert(call.gene.as_str(), self.gene_report(call, definition));
        }
        for gene in asked.into_iter().filter(|gene| patient.genes.iter().all(|call| call.gene != *gene)) {
            gene_reports.insert(gene, self.untested(gene, definitions.get(gene).copied()));
        }
        let matcher_metadata = Metadata {
            named_allele_matcher_version: (),
            genome_build: if patient.assembly == Assembly::GRCh38 { "GRCh38" } else { "GRCh37" },
            input_filename: file,
            timestamp: (),
            top_candidates_only: false,
            find_combinations: false,
            call_cyp2d: false,
            sample_id: &patient.sample,
            sample_props: (),
        };
        File { matcher_metadata, gene_reports, unannotated_gene_calls: [] }
    }

    fn gene_report<'a>(&'a self, call: &'a GeneCall, definition: Option<&'a Gene>) -> Report<'a> {
        let outcomes = match &call.knowledge {
            Knowledge::Possible(outcomes) if outcomes.len() <= MOST_PAIRS => distinct(outcomes),
            _ => Vec::new(),
        };
        let heterozygous = || call.variants.iter().filter(|variant| is_heterozygous(variant));
        let sets: BTreeSet<Option<&str>> = heterozygous().map(|variant| variant.phase.as_deref()).collect();
        let phased = !sets.is_empty() && sets.len() == 1 && !sets.contains(&None);
        let call_source = match (call.outside, outcomes.is_empty()) {
            (true, _) => "OUTSIDE",
            (false, true) => "NONE",
            _ => "MATCHER",
        };
        let variants: Vec<_> = call.variants.iter().map(|own| variant(call, definition, own)).collect();
        let mut report = self.untested(&call.gene, definition);
        if !outcomes.is_empty() {
            let of = |outcome: &&'a Outcome| diplotype(call, definition, &self.phenotypes, outcome);
            report.source_diplotypes = outcomes.iter().map(of).collect();
            report.recommendation_diplotypes.clone_from(&report.source_diplotypes);
        }
        Report {
            allele_definition_version: call.definition.as_ref().and_then(|source| source.version.as_deref()),
            allele_definition_source: if call.definition.is_some() { "CLINPGX" } else { "UNKNOWN" },
            phased,
            effectively_phased: call_source == "MATCHER" && (phased || heterozygous().count() <= 1),
            call_source,
            uncalled_haplotypes: &call.not_told_apart,
            messages: call.unknown_because.iter().chain(&call.warnings).map(|text| message(text)).collect(),
            has_undocumented_variations: variants.iter().any(|own| own.has_undocumented_variations),
            variants,
            ..report
        }
    }

    /// A gene of which nothing was said.
    fn untested<'a>(&'a self, gene: &'a str, definition: Option<&'a Gene>) -> Report<'a> {
        let diplotypes = vec![unknown(gene)];
        Report {
            allele_definition_version: None,
            allele_definition_source: "UNKNOWN",
            phenotype_version: self.phenotypes.version(gene),
            gene_symbol: gene,
            chr: definition.map(|gene| chromosome(&gene.chromosome)),
            phased: false,
            effectively_phased: false,
            call_source: "NONE",
            uncalled_haplotypes: &[],
            messages: vec![message(UNTESTED)],
            related_drugs: [],
            source_diplotypes: diplotypes.clone(),
            matcher_component_haplotypes: [],
            matcher_homozygous_component_haplotypes: [],
            recommendation_diplotypes: diplotypes,
            variants: Vec::new(),
            variants_of_interest: [],
            has_undocumented_variations: false,
            treat_undocumented_variations_as_reference: false,
        }
    }
}

/// One of each pair.
fn distinct(outcomes: &[Outcome]) -> Vec<&Outcome> {
    let mut seen = BTreeSet::new();
    outcomes.iter().filter(|outcome| seen.insert(&outcome.diplotype)).collect()
}

fn chromosome(name: &str) -> String {
    if name == "MT" { "chrM".into() } else { format!("chr{name}") }
}

fn message(text: &str) -> Message<'_> {
    Message { rule_name: "cupel", version: (), matches: (), exception_type: "note", message: text }
}

/// A score or activity as the tables write it.
fn number<'a>(value: f64) -> Cow<'a, str> {
    format!("{value:?}").into()
}

fn allele<'a>(gene: &'a str, definition: Option<&Gene>, phenotypes: &'a Phenotypes, name: &'a str) -> Allele<'a> {
    let function = phenotypes.function(gene, name);
    let scored = phenotypes.is_scored(gene);
    let activity = phenotypes.activity(gene, name).map(number);
    let reference = definition.is_some_and(|own| {
        own.alleles.iter().any(|allele| allele.reference && (allele.name == name || allele.phenotype_name() == name))
    });
    let activity_value = activity.or_else(|| (function.is_some() && !scored).then(|| "n/a".into()));
    Allele { gene, name, function, reference, activity_value }
}

fn diplotype<'a>(
    call: &'a GeneCall,
    definition: Option<&Gene>,
    phenotypes: &'a Phenotypes,
    outcome: &'a Outcome,
) -> Diplotype<'a> {
    let of = |index: usize| Some(allele(&call.gene, definition, phenotypes, outcome.alleles.get(index)?));
    let named: Vec<&str> = match &outcome.phenotype {
        Some(phenotype) => vec![&phenotype.name],
        None => outcome.words.iter().map(String::as_str).collect(),
    };
    let at_least = outcome.words.iter().find(|word| word.starts_with('≥')).map(|word| Cow::from(word.as_str()));
    let score = at_least.or_else(|| outcome.phenotype.as_ref()?.activity_score.map(number));
    let from_outside = call.outside && outcome.alleles.is_empty();
    Diplotype {
        allele1: of(0),
        allele2: of(1),
        outside_phenotype: from_outside && score.is_none(),
        outside_activity_score: from_outside && score.is_some(),
        lookup_key: score.clone().map_or_else(|| named.iter().copied().map(Cow::from).collect(), |score| vec![score]),
        activity_score: score,
        phenotypes: named,
        label: outcome.diplotype.as_str().into(),
        diplotype_key: Counts(outcome.alleles.iter().map(String::as_str).collect()),
        ..unknown(&call.gene)
    }
}

fn unknown(gene: &str) -> Diplotype<'_> {
    let allele = Allele { gene, name: UNKNOWN, function: None, reference: false, activity_value: None };
    Diplotype {
        allele1: Some(allele.clone()),
        allele2: Some(allele),
        gene,
        match_score: 0,
        phenotypes: Vec::new(),
        outside_phenotype: false,
        outside_phenotype_mismatch: (),
        activity_score: None,
        outside_activity_score: false,
        outside_activity_score_mismatch: (),
        variant: (),
        lookup_key: vec![NO_RESULT.into()],
        label: format!("{UNKNOWN}/{UNKNOWN}").into(),
        inferred: false,
        inferred_source_diplotypes: (),
        combination: false,
        diplotype_key: Counts(vec![UNKNOWN; 2]),
    }
}

fn is_heterozygous(variant: &Variant) -> bool {
    matches!(&variant.haplotypes[..], [Some(a), Some(b)] if a != b)
}

fn variant<'a>(call: &'a GeneCall, definition: Option<&'a Gene>, own: &'a Variant) -> VariantReport<'a> {
    let separator = if own.phase.is_some() { "|" } else { "/" };
    let read: Option<Vec<&str>> = own.haplotypes.iter().map(Option::as_deref).collect();
    let place = definition.and_then(|gene| gene.places.get(own.place));
    let is_known = |text: &String| place.is_none_or(|place| place.alleles.contains(text));
    let named = definition.into_iter().flat_map(|gene| gene.defining(own.place));
    VariantReport {
        gene: &call.gene,
        chromosome: chromosome(&own.chromosome).into(),
        position: own.position,
        db_snp_id: own.rs.as_deref(),
        call: read.filter(|read| !read.is_empty()).map(|read| read.join(separator)),
        alleles: named.map(|allele| allele.name.as_str()).collect(),
        phased: own.phase.is_some(),
        phase_set: (),
        reference_allele: &own.reference,
        has_undocumented_variations: !own.haplotypes.iter().flatten().all(is_known),
        warnings: [],
    }
}
