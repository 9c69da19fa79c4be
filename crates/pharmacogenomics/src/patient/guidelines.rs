//! [`Guidelines`]: what CPIC and DPWG recommend for a drug and the phenotypes of its genes.

use super::{alleles::is_nothing, calls::GeneCall};
use crate::{error::Result, normalise::normalise};
use cupel_data::TextRows;
use serde::Serialize;
use std::{collections::BTreeSet, path::Path};

/// One recommendation that applies.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recommendation {
    /// CPIC or DPWG.
    pub source: String,
    /// The identifier of the guideline.
    pub guideline: String,
    /// The identifier of the recommendation.
    pub id: String,
    /// The gene and what was found of it, gene by gene.
    pub because: Vec<String>,
    /// Patients whom it is for, where it is not for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub population: Option<String>,
    /// How strong it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strength: Option<String>,
    /// What it says follows from the genotype.
    pub implications: String,
    /// What it says to do.
    pub recommendation: String,
}

/// A rule: which values of which genes it is for.
#[derive(Clone, Debug)]
struct Rule {
    drugs: Vec<String>,
    lookup: Vec<(String, String)>,
    recommendation: Recommendation,
}

/// The rules of a table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guidelines {
    rules: Vec<Rule>,
}

/// What a rule says of a gene that was not determined.
const NOT_DETERMINED: &str = "No Result";

fn normal(name: &str) -> String {
    let mut out = String::new();
    normalise(name, &mut out);
    out
}

impl Guidelines {
    /// Reads a table with the columns `source`, `guideline_id`, `recommendation_id`, `drugs`, `lookup`, `population`,
    /// `classification`, `implications` and `recommendation`; CPIC's rules come first.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let mut rows = TextRows::open(path)?;
        let names = [
            "source",
            "guideline_id",
            "recommendation_id",
            "drugs",
            "lookup",
            "population",
            "classification",
            "implications",
            "recommendation",
        ];
        let columns: Vec<usize> =
            names.iter().map(|name| rows.position(name)).collect::<std::result::Result<_, _>>()?;
        let mut rules = Vec::new();
        while let Some(row) = rows.next()? {
            let cells: Vec<&str> = row.cells().collect();
            let cell = |which: usize| cells[columns[which]].to_string();
            let some = |which: usize| Some(cell(which)).filter(|text| !is_nothing(text));
            let pairs = cell(4);
            let pairs = pairs.split('|').filter_map(|pair| pair.split_once('='));
            let lookup: Vec<(String, String)> = pairs.map(|(gene, value)| (gene.into(), value.into())).collect();
            if lookup.is_empty() {
                continue;
            }
            rules.push(Rule {
                drugs: cell(3).split('|').map(normal).collect(),
                lookup,
                recommendation: Recommendation {
                    source: cell(0),
                    guideline: cell(1),
                    id: cell(2),
                    because: Vec::new(),
                    population: some(5).filter(|population| population != "general"),
                    strength: some(6),
                    implications: cell(7),
                    recommendation: cell(8),
                },
            });
        }
        rules.sort_by(|a, b| a.recommendation.source.cmp(&b.recommendation.source)); // CPIC before DPWG; stable
        Ok(Self { rules })
    }

    /// The drugs that have a rule for one of these genes, sorted.
    pub(crate) fn drugs(&self, genes: &[GeneCall]) -> Vec<String> {
        let known = |gene: &str| genes.iter().any(|call| call.gene == gene && call.phenotype.is_some());
        let rules = self.rules.iter().filter(|rule| rule.lookup.iter().any(|(gene, _)| known(gene)));
        let drugs: BTreeSet<&String> = rules.flat_map(|rule| &rule.drugs).collect();
        drugs.into_iter().cloned().collect()
    }

    /// The recommendations for a drug that apply to these genes.
    pub(crate) fn answer(&self, drug: &str, genes: &[GeneCall]) -> Vec<Recommendation> {
        let drug = normal(drug);
        let mut found = Vec::new();
        for rule in self.rules.iter().filter(|rule| rule.drugs.contains(&drug)) {
            let mut because = Vec::new();
            let applies = rule.lookup.iter().all(|(gene, value)| {
                match genes.iter().find(|call| call.gene == *gene && call.phenotype.is_some()) {
                    Some(call) => {
                        because.push(format!("{gene} {} ({})", call.diplotypes.join(" or "), value));
                        matches(call, value)
                    }
                    None => value == NOT_DETERMINED,
                }
            });
            if applies && !because.is_empty() {
                found.push(Recommendation { because, ..rule.recommendation.clone() });
            }
        }
        found
    }
}

/// Whether the value of a rule is what was found: a phenotype, an activity score, a least score, or score and phenotype.
fn matches(call: &GeneCall, value: &str) -> bool {
    let Some(phenotype) = &call.phenotype else { return false };
    if value.eq_ignore_ascii_case(&phenotype.name) {
        return true;
    }
    let Some(score) = phenotype.activity_score else { return false };
    let (number, name) = match value.split_once(" (") {
        Some((number, name)) => (number, Some(name.trim_end_matches(')'))),
        None => (value, None),
    };
    let fits = match number.strip_prefix('≥') {
        Some(least) => least.parse::<f64>().is_ok_and(|least| score >= least),
        None => number.parse::<f64>().is_ok_and(|number| number == score),
    };
    fits && name.is_none_or(|name| name.eq_ignore_ascii_case(&phenotype.name))
}
