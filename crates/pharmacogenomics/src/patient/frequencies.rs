//! [`Frequencies`]: how common alleles are in a population, by which pairs that remain possible are weighed.
//!
//! The published tables have none, so that a user gives his own: `allele_frequencies.tsv` with the columns `gene`, `allele`, `population` and `frequency`
//! (shares between 0 and 1). Pairs are weighed as Hardy and Weinberg have it, `f(a) f(b)`, twice where the alleles differ, and one allele of one haplotype by
//! `f(a)`. The odds are information: they never decide.

use super::calls::Outcome;
use crate::error::{Error, Result};
use cupel_data::{TextRows, nearest_name};
use cupel_settings::Problem;
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::Path,
};

/// How likely one of the possible pairs is in a population.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PairOdds {
    /// The pair.
    pub diplotype: String,
    /// What it means, where the tables say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phenotype: Option<String>,
    /// Its share among the pairs that remain possible.
    pub share: f64,
}

/// The frequencies of a table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frequencies {
    of: BTreeMap<String, HashMap<(String, String), f64>>,
}

impl Frequencies {
    /// Reads a table; nothing where there is none.
    ///
    /// # Errors
    /// [`Error::Data`] for a table that cannot be read or lacks a column, [`Error::Model`] for a frequency that is none.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let mut own = Self::default();
        if !path.is_file() {
            return Ok(own);
        }
        let mut rows = TextRows::open(path)?;
        let [gene, allele, population, frequency] =
            ["gene", "allele", "population", "frequency"].map(|name| rows.position(name));
        let (gene, allele, population, frequency) = (gene?, allele?, population?, frequency?);
        while let Some(row) = rows.next()? {
            let (line, cells) = (row.line(), row.cells().collect::<Vec<_>>());
            let share = cells[frequency].parse().ok().filter(|share: &f64| (0.0..=1.0).contains(share));
            let Some(share) = share else {
                return Err(Error::Model {
                    path: path.to_path_buf(),
                    problem: format!("line {line}: {:?} is no frequency", cells[frequency]),
                    fix: "write a share between 0 and 1",
                });
            };
            let of = own.of.entry(cells[population].to_string()).or_default();
            of.insert((cells[gene].to_string(), cells[allele].to_string()), share);
        }
        Ok(own)
    }

    /// Whether a population is there.
    ///
    /// # Errors
    /// [`Error::Setting`] with the populations that are there.
    pub(crate) fn check(&self, population: &str) -> Result<()> {
        if self.of.contains_key(population) {
            return Ok(());
        }
        let have: Vec<&str> = self.of.keys().map(String::as_str).collect();
        let near = nearest_name(population, have.iter().copied()).map(|near| format!(", did you mean {near}?"));
        let expected = match have.len() {
            0 => "none: the tables have no allele_frequencies.tsv".to_string(),
            _ => format!("one of {}{}", have.join(", "), near.unwrap_or_default()),
        };
        Err(Problem::value("population", population, expected).into())
    }

    /// The odds of the pairs, likeliest first; none where a frequency is missing, or where one pair alone is possible.
    pub(crate) fn odds(&self, population: &str, gene: &str, outcomes: &[Outcome]) -> Vec<PairOdds> {
        let Some(of) = self.of.get(population).filter(|_| outcomes.len() > 1) else { return Vec::new() };
        let share = |allele: &String| of.get(&(gene.to_string(), allele.clone())).copied();
        let weight = |outcome: &Outcome| match &outcome.alleles[..] {
            [a] => share(a),
            [a, b] => Some(share(a)? * share(b)? * if a == b { 1.0 } else { 2.0 }),
            _ => None,
        };
        let mut seen = BTreeSet::new();
        let own: Vec<&Outcome> = outcomes.iter().filter(|outcome| seen.insert(&outcome.diplotype)).collect();
        let Some(weights) = own.iter().map(|outcome| weight(outcome)).collect::<Option<Vec<f64>>>() else {
            return Vec::new();
        };
        let total: f64 = weights.iter().sum();
        if total <= 0.0 {
            return Vec::new();
        }
        let one = |(outcome, weight): (&&Outcome, f64)| PairOdds {
            diplotype: outcome.diplotype.clone(),
            phenotype: outcome.phenotype.as_ref().map(|phenotype| phenotype.name.clone()),
            share: weight / total,
        };
        let mut odds: Vec<PairOdds> = own.iter().zip(weights).map(one).collect();
        odds.sort_by(|a, b| b.share.total_cmp(&a.share));
        odds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(pair: &str) -> Outcome {
        let alleles = pair.split('/').map(String::from).collect();
        Outcome { diplotype: pair.into(), alleles, ..Outcome::default() }
    }

    #[test]
    fn pairs_are_weighed_as_hardy_and_weinberg_have_it() {
        let shares = [("*1", 0.9), ("*3A", 0.04), ("*3B", 0.001), ("*3C", 0.01)];
        let of = shares.map(|(allele, share)| (("TPMT".to_string(), allele.to_string()), share)).into();
        let frequencies = Frequencies { of: BTreeMap::from([("all".to_string(), of)]) };
        let odds = frequencies.odds("all", "TPMT", &[outcome("*3B/*3C"), outcome("*1/*3A")]);
        assert_eq!(odds[0].diplotype, "*1/*3A");
        assert!((odds[0].share - 0.072 / (0.072 + 0.00002)).abs() < 1e-12);
        assert!((odds.iter().map(|one| one.share).sum::<f64>() - 1.0).abs() < 1e-12);
        let same = frequencies.odds("all", "TPMT", &[outcome("*1/*1"), outcome("*1/*3A")]);
        assert!((same[0].share / same[1].share - 0.81 / 0.072).abs() < 1e-9);
        // one that is not known leaves all open, and so does another population or one pair alone
        assert!(frequencies.odds("all", "TPMT", &[outcome("*1/*2"), outcome("*1/*3A")]).is_empty());
        assert!(frequencies.odds("none", "TPMT", &[outcome("*1/*1"), outcome("*1/*3A")]).is_empty());
        assert!(frequencies.odds("all", "TPMT", &[outcome("*1/*1")]).is_empty());
        assert!(frequencies.check("al").unwrap_err().to_string().contains("all"));
    }
}
