//! [`OutsideCall`]: results of genes that another program or a laboratory gives, in `PharmCAT`'s format of outside calls.
//!
//! One line for each gene, tabs between: gene, diplotype or allele, phenotype or other result, activity score; lines that begin with `#` are left
//! out. A gene that is given is not read from the VCF file.

use super::{
    calls::Outcome,
    phenotypes::{Phenotype, Phenotypes, without_gene},
};
use crate::error::{Error, Result};
use cupel_data::nearest_name;
use std::{collections::BTreeSet, fs, path::Path};

/// What was given of one gene.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct OutsideCall {
    pub(crate) gene: String,
    diplotype: Option<String>,
    /// Several where the gene has several results, as HLA has.
    results: Vec<String>,
    score: Option<String>,
}

/// What stands for "not tested".
const NOT_TESTED: [&str; 3] = ["no result", "not tested", "no call"];

/// Reads a file of outside calls; `genes` are those that rules or definitions know.
///
/// # Errors
/// [`Error::Data`] when the file cannot be read, [`Error::Model`] for a line that is no call, a gene that nothing knows or one that is repeated.
pub(crate) fn read(path: &Path, genes: &BTreeSet<String>) -> Result<Vec<OutsideCall>> {
    let text = fs::read_to_string(path).map_err(cupel_data::Error::io("read", path))?;
    parse(&text, genes).map_err(|problem| Error::Model {
        path: path.to_path_buf(),
        problem,
        fix: "write GENE, DIPLOTYPE, PHENOTYPE, ACTIVITY with tabs between, one gene a line; some may be empty",
    })
}

fn parse(text: &str, genes: &BTreeSet<String>) -> std::result::Result<Vec<OutsideCall>, String> {
    let mut calls: Vec<OutsideCall> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let (number, line) = (index + 1, line.trim_end_matches('\r'));
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let cells: Vec<&str> = line.split('\t').map(str::trim).collect();
        let cell = |index: usize| cells.get(index).filter(|text| !text.is_empty()).map(|text| (*text).to_string());
        let Some(gene) = cell(0) else { return Err(format!("line {number}: there is no gene")) };
        if !genes.contains(&gene) {
            let near = nearest_name(&gene, genes.iter().map(String::as_str));
            let near = near.map(|near| format!(", did you mean {near}?")).unwrap_or_default();
            return Err(format!("line {number}: no rule and no definition knows the gene {gene:?}{near}"));
        }
        let (diplotype, result, score) = (cell(1), cell(2), cell(3));
        if diplotype.is_none() && result.is_none() && score.is_none() {
            return Err(format!("line {number}: nothing is said of {gene}"));
        }
        match calls.iter_mut().find(|call| call.gene == gene) {
            // a laboratory gives each HLA allele that it looked for
            Some(known) if gene.starts_with("HLA-") && diplotype.is_none() && score.is_none() => {
                known.results.extend(result)
            }
            Some(_) => return Err(format!("line {number}: {gene} is given twice")),
            None => calls.push(OutsideCall { gene, diplotype, results: result.into_iter().collect(), score }),
        }
    }
    Ok(calls)
}

/// A phenotype in the standard words.
fn standard(gene: &str, text: &str) -> String {
    let text = without_gene(gene, text).replace("etaboliser", "etabolizer").replace("etabolizers", "etabolizer");
    match text.to_ascii_uppercase().as_str() {
        "PM" => "Poor Metabolizer".into(),
        "IM" => "Intermediate Metabolizer".into(),
        "NM" | "EM" => "Normal Metabolizer".into(),
        "RM" => "Rapid Metabolizer".into(),
        "UM" => "Ultrarapid Metabolizer".into(),
        _ => text,
    }
}

impl OutsideCall {
    /// What it means; `None` where it says that the gene was not tested.
    pub(crate) fn outcome(&self, phenotypes: &Phenotypes, warnings: &mut Vec<String>) -> Option<Outcome> {
        let is_untested = |text: &String| NOT_TESTED.contains(&text.to_ascii_lowercase().as_str());
        let given = || self.diplotype.iter().chain(&self.results).chain(&self.score);
        if given().all(is_untested) {
            return None;
        }
        let results: Vec<String> = self.results.iter().map(|result| standard(&self.gene, result)).collect();
        let alleles: Vec<String> =
            self.diplotype.iter().flat_map(|pair| pair.split('/')).map(|name| name.trim().to_string()).collect();
        let expected = match &alleles[..] {
            [a] => phenotypes.of(&self.gene, a, None),
            [a, b] => phenotypes.of(&self.gene, a, Some(b)),
            _ => None,
        };
        let score = self.score.as_deref().and_then(|text| text.trim_start_matches('≥').parse::<f64>().ok());
        let phenotype = match (score, results.first(), expected) {
            (Some(score), result, expected) => {
                let named = phenotypes.of_score(&self.gene, score).map(|known| known.name.clone());
                let name = named.or_else(|| result.cloned()).or_else(|| expected.map(|known| known.name.clone()));
                Some(Phenotype {
                    name: name.unwrap_or_else(|| format!("activity score {score}")),
                    activity_score: Some(score),
                })
            }
            (None, Some(result), _) => {
                // a phenotype with one score has that score
                let scores: BTreeSet<Option<u64>> = phenotypes
                    .all(&self.gene)
                    .filter(|(_, known)| known.name.eq_ignore_ascii_case(result))
                    .map(|(_, known)| known.activity_score.map(f64::to_bits))
                    .collect();
                let own =
                    expected.filter(|own| own.name.eq_ignore_ascii_case(result)).and_then(|own| own.activity_score);
                let only = if scores.len() == 1 { scores.first().copied().flatten().map(f64::from_bits) } else { None };
                Some(Phenotype { name: result.clone(), activity_score: own.or(only) })
            }
            (None, None, expected) => expected.cloned(),
        };
        if let (Some(own), Some(expected)) = (&phenotype, expected)
            && (!own.name.eq_ignore_ascii_case(&expected.name)
                || score.is_some() && own.activity_score != expected.activity_score)
        {
            let pair = self.diplotype.as_deref().unwrap_or_default();
            warnings.push(format!("{pair} is {} in the tables, the outside calls say {}", expected.name, own.name));
        }
        let words: Vec<String> = results.iter().chain(&self.score).cloned().collect();
        let shown = self.diplotype.clone().or_else(|| (!words.is_empty()).then(|| words.join(", ")));
        Some(Outcome {
            diplotype: shown.unwrap_or_default(),
            activities: alleles.iter().filter_map(|allele| phenotypes.activity(&self.gene, allele)).collect(),
            alleles,
            phenotype,
            words,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_calls_of_genes() {
        let genes: BTreeSet<String> = ["CYP2D6", "CYP2C9", "HLA-B", "MT-RNR1"].map(String::from).into();
        let text = "# a comment\nCYP2D6\t*1/*3\nCYP2C9\t\t\t2.0\nHLA-B\t\t*57:01 positive\nHLA-B\t\t*15:02 negative\nMT-RNR1\t1555A>G\n";
        let calls = parse(text, &genes).unwrap();
        assert_eq!(calls.len(), 4);
        assert_eq!((calls[0].diplotype.as_deref(), calls[1].score.as_deref()), (Some("*1/*3"), Some("2.0")));
        assert_eq!(calls[2].results, ["*57:01 positive", "*15:02 negative"]);
        for (text, words) in [
            ("CYP2D7\t*1", "did you mean CYP2D6?"),
            ("CYP2D6", "nothing is said"),
            ("\t*1", "no gene"),
            ("CYP2D6\t*1/*1\nCYP2D6\t*1/*2", "twice"),
        ] {
            assert!(parse(text, &genes).unwrap_err().contains(words), "{text}");
        }
    }

    #[test]
    fn results_are_in_the_standard_words() {
        let call = |result: &str| OutsideCall {
            gene: "CYP2D6".into(),
            results: vec![result.into()],
            ..OutsideCall::default()
        };
        let name = |result: &str| {
            call(result)
                .outcome(&Phenotypes::default(), &mut Vec::new())
                .and_then(|outcome| outcome.phenotype)
                .map(|p| p.name)
        };
        assert_eq!(name("PM").as_deref(), Some("Poor Metabolizer"));
        assert_eq!(name("CYP2D6 Ultrarapid Metaboliser").as_deref(), Some("Ultrarapid Metabolizer"));
        assert_eq!(name("No Result"), None);
    }
}
