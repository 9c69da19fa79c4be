//! [`Phenotypes`]: what two alleles of a gene do together.

use super::alleles::is_nothing;
use crate::error::Result;
use cupel_data::TextRows;
use serde::Serialize;
use std::{collections::HashMap, path::Path};

/// What a pair of alleles does.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Phenotype {
    /// Such as "Poor Metabolizer".
    pub name: String,
    /// The sum of the activities of the alleles, where the gene is judged by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activity_score: Option<f64>,
}

/// Phenotypes by gene and alleles.
#[derive(Clone, Debug, Default)]
pub(crate) struct Phenotypes {
    of: HashMap<(String, String, String), Phenotype>,
}

fn key(gene: &str, a: &str, b: &str) -> (String, String, String) {
    let (a, b) = if a <= b { (a, b) } else { (b, a) };
    (gene.to_string(), a.to_string(), b.to_string())
}

impl Phenotypes {
    /// Reads a table with the columns `gene`, `hap1`, `hap2`, `phenotype` and `activity_score`; where `more` is there, pairs that
    /// the first does not have come from its `Gene`, `Diplotype` and `Phenotype`.
    pub(crate) fn read(path: &Path, more: &Path) -> Result<Self> {
        let mut of = HashMap::new();
        let mut rows = TextRows::open(path)?;
        let columns = ["gene", "hap1", "hap2", "phenotype", "activity_score"].map(|name| rows.position(name));
        let [gene, one, two, name, score] = columns;
        let (gene, one, two, name, score) = (gene?, one?, two?, name?, score?);
        while let Some(row) = rows.next()? {
            let cells: Vec<&str> = row.cells().collect();
            let phenotype = Phenotype { name: cells[name].to_string(), activity_score: cells[score].parse().ok() };
            if !is_nothing(&phenotype.name) {
                of.insert(key(cells[gene], cells[one], cells[two]), phenotype);
            }
        }
        if more.is_file() {
            let mut rows = TextRows::open(more)?;
            let [gene, pair, name] = ["Gene", "Diplotype", "Phenotype"].map(|name| rows.position(name));
            let (gene, pair, name) = (gene?, pair?, name?);
            while let Some(row) = rows.next()? {
                let cells: Vec<&str> = row.cells().collect();
                let (a, b) = cells[pair].split_once('/').unwrap_or((cells[pair], ""));
                if !is_nothing(cells[name]) {
                    let phenotype = Phenotype { name: cells[name].to_string(), activity_score: None };
                    of.entry(key(cells[gene], a, b)).or_insert(phenotype);
                }
            }
        }
        Ok(Self { of })
    }

    /// The phenotype of two alleles, or of one where there is one haplotype.
    pub(crate) fn of(&self, gene: &str, a: &str, b: Option<&str>) -> Option<&Phenotype> {
        self.of.get(&key(gene, a, b.unwrap_or(""))).or_else(|| self.of.get(&key(gene, a, b.unwrap_or(a))))
    }
}
