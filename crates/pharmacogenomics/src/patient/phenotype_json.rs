//! A patient's genes in the structure of `PharmCAT`'s `phenotype.json`, which its reporter and the tools of its users read (version 3, pharmcat.clinpgx.org).
//!
//! `PharmCAT` keeps the best pairs of alleles, this crate all that are possible: a gene with several has them all, and a gene whose pairs are too many to be
//! listed, or that was not read, has `Unknown/Unknown` as one without a result has there. What is not known here (scores of matches, the time) is 0 or null.

use super::{
    Assembly, Patient, Tables,
    calls::{GeneCall, Knowledge, Outcome, Variant},
    definition::Gene,
    phenotypes::Phenotypes,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// More pairs than this say nothing to a reader.
const MOST_PAIRS: usize = 500;
/// The allele of a gene without a result.
const UNKNOWN: &str = "Unknown";

impl Tables {
    /// The genes of a patient as `PharmCAT`'s `phenotype.json`; `file` is the name of the VCF file.
    pub fn phenotype_json(&self, patient: &Patient, file: &str) -> Value {
        let asked: BTreeSet<&str> = self.guidelines.genes();
        let mut reports = Map::new();
        for call in
            patient.genes.iter().filter(|call| call.tested() || call.outside || asked.contains(call.gene.as_str()))
        {
            reports.insert(call.gene.clone(), self.gene_report(call));
        }
        for gene in asked.iter().filter(|gene| patient.genes.iter().all(|call| call.gene != **gene)) {
            reports.insert((*gene).to_string(), self.gene_report(&GeneCall::untested(gene)));
        }
        json!({
            "matcherMetadata": {
                "namedAlleleMatcherVersion": Value::Null,
                "genomeBuild": if patient.assembly == Assembly::GRCh38 { "GRCh38" } else { "GRCh37" },
                "inputFilename": file,
                "timestamp": Value::Null,
                "topCandidatesOnly": false,
                "findCombinations": false,
                "callCyp2d": false,
                "sampleId": patient.sample,
                "sampleProps": Value::Null,
            },
            "geneReports": reports,
            "unannotatedGeneCalls": [],
        })
    }

    fn gene_report(&self, call: &GeneCall) -> Value {
        let gene = self.genes.iter().find(|gene| gene.name == call.gene);
        let outcomes = match &call.knowledge {
            Knowledge::Possible(outcomes) if outcomes.len() <= MOST_PAIRS => distinct(outcomes),
            _ => Vec::new(),
        };
        let mut diplotypes: Vec<Value> =
            outcomes.iter().map(|outcome| diplotype(call, gene, &self.phenotypes, outcome)).collect();
        if diplotypes.is_empty() {
            diplotypes.push(unknown(&call.gene));
        }
        let source = match (call.outside, diplotypes.len(), outcomes.is_empty()) {
            (true, ..) => "OUTSIDE",
            (false, _, true) => "NONE",
            _ => "MATCHER",
        };
        let heterozygous = || call.variants.iter().filter(|variant| is_heterozygous(variant));
        let sets: BTreeSet<Option<&str>> = heterozygous().map(|variant| variant.phase.as_deref()).collect();
        let phased = !sets.is_empty() && sets.len() == 1 && !sets.contains(&None);
        let messages: Vec<Value> =
            call.unknown_because.iter().chain(&call.warnings).map(|text| message(text)).collect();
        json!({
            "alleleDefinitionVersion": call.definition.as_ref().and_then(|source| source.version.clone()),
            "alleleDefinitionSource": if call.definition.is_some() { "CLINPGX" } else { "UNKNOWN" },
            "phenotypeVersion": self.phenotypes.version(&call.gene),
            "geneSymbol": call.gene,
            "chr": gene.map(|gene| chromosome(&gene.chromosome)),
            "phased": phased,
            "effectivelyPhased": source == "MATCHER" && (phased || heterozygous().count() <= 1),
            "callSource": source,
            "uncalledHaplotypes": call.not_told_apart,
            "messages": messages,
            "relatedDrugs": [],
            "sourceDiplotypes": diplotypes,
            "matcherComponentHaplotypes": [],
            "matcherHomozygousComponentHaplotypes": [],
            "recommendationDiplotypes": diplotypes,
            "variants": call.variants.iter().map(|own| variant(call, gene, own)).collect::<Vec<_>>(),
            "variantsOfInterest": [],
            "hasUndocumentedVariations": false,
            "treatUndocumentedVariationsAsReference": false,
        })
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

fn message(text: &str) -> Value {
    json!({ "rule_name": "cupel", "version": Value::Null, "matches": Value::Null, "exception_type": "note", "message": text })
}

/// A score or activity as the tables write it.
fn number(value: f64) -> String {
    format!("{value:?}")
}

fn allele(gene: &str, definition: Option<&Gene>, phenotypes: &Phenotypes, name: &str) -> Value {
    let function = phenotypes.function(gene, name);
    let scored = phenotypes.is_scored(gene);
    let activity = phenotypes.activity(gene, name).map(number);
    let reference = definition.is_some_and(|own| {
        own.alleles.iter().any(|allele| allele.reference && (allele.name == name || allele.phenotype_name() == name))
    });
    json!({
        "gene": gene,
        "name": name,
        "function": function,
        "reference": reference,
        "activityValue": activity.or_else(|| (function.is_some() && !scored).then(|| "n/a".to_string())),
    })
}

fn diplotype(call: &GeneCall, definition: Option<&Gene>, phenotypes: &Phenotypes, outcome: &Outcome) -> Value {
    let of = |index: usize| {
        outcome.alleles.get(index).map(|name| allele(&call.gene, definition, phenotypes, name)).unwrap_or(Value::Null)
    };
    let named: Vec<String> = match &outcome.phenotype {
        Some(phenotype) => vec![phenotype.name.clone()],
        None => outcome.words.clone(),
    };
    let at_least = outcome.words.iter().find(|word| word.starts_with('≥')).cloned();
    let score = at_least.or_else(|| outcome.phenotype.as_ref()?.activity_score.map(number));
    let mut key = Map::new();
    for name in &outcome.alleles {
        let count = key.get(name).and_then(Value::as_f64).unwrap_or(0.0);
        key.insert(name.clone(), json!(count + 1.0));
    }
    let from_outside = call.outside && outcome.alleles.is_empty();
    json!({
        "allele1": of(0),
        "allele2": of(1),
        "gene": call.gene,
        "matchScore": 0,
        "phenotypes": named,
        "outsidePhenotype": from_outside && score.is_none(),
        "outsidePhenotypeMismatch": Value::Null,
        "activityScore": score,
        "outsideActivityScore": from_outside && score.is_some(),
        "outsideActivityScoreMismatch": Value::Null,
        "variant": Value::Null,
        "lookupKey": match &score { Some(score) => vec![score.clone()], None => named.clone() },
        "label": outcome.diplotype,
        "inferred": false,
        "inferredSourceDiplotypes": Value::Null,
        "combination": false,
        "diplotypeKey": key,
    })
}

fn unknown(gene: &str) -> Value {
    let allele = json!({ "gene": gene, "name": UNKNOWN, "function": Value::Null, "reference": false, "activityValue": Value::Null });
    json!({
        "allele1": allele,
        "allele2": allele,
        "gene": gene,
        "matchScore": 0,
        "phenotypes": [],
        "outsidePhenotype": false,
        "outsidePhenotypeMismatch": Value::Null,
        "activityScore": Value::Null,
        "outsideActivityScore": false,
        "outsideActivityScoreMismatch": Value::Null,
        "variant": Value::Null,
        "lookupKey": ["No Result"],
        "label": format!("{UNKNOWN}/{UNKNOWN}"),
        "inferred": false,
        "inferredSourceDiplotypes": Value::Null,
        "combination": false,
        "diplotypeKey": { UNKNOWN: 2.0 },
    })
}

fn is_heterozygous(variant: &Variant) -> bool {
    matches!(&variant.haplotypes[..], [Some(a), Some(b)] if a != b)
}

fn variant(call: &GeneCall, definition: Option<&Gene>, own: &Variant) -> Value {
    let separator = if own.phase.is_some() { "|" } else { "/" };
    let read: Option<Vec<&str>> = own.haplotypes.iter().map(Option::as_deref).collect();
    let place = definition.and_then(|gene| gene.places.iter().position(|place| place.position == own.position));
    let named = definition.into_iter().flat_map(|gene| &gene.alleles);
    let named =
        named.filter(|allele| !allele.reference && place.is_some_and(|place| allele.defined.get(place) == Some(&true)));
    json!({
        "gene": call.gene,
        "chromosome": chromosome(&own.chromosome),
        "position": own.position,
        "dbSnpId": own.rs,
        "call": read.filter(|read| !read.is_empty()).map(|read| read.join(separator)),
        "alleles": named.map(|allele| allele.name.clone()).collect::<Vec<_>>(),
        "phased": own.phase.is_some(),
        "phaseSet": Value::Null,
        "referenceAllele": own.reference,
        "hasUndocumentedVariations": false,
        "warnings": [],
    })
}
