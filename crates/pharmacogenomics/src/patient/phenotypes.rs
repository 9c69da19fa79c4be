//! [`Phenotypes`]: what two alleles of a gene do together, and the words for it that definitions and rules share.

use super::definition::DefinitionSource;
use crate::error::{Error, Result};
use cupel_data::{TextRows, is_missing};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    path::Path,
};

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
    of: HashMap<String, HashMap<(String, String), Phenotype>>,
    activities: HashMap<String, HashMap<String, f64>>,
    /// What each allele does, in words.
    functions: HashMap<String, HashMap<String, String>>,
    /// The version of the file or table that has the gene.
    versions: HashMap<String, String>,
    pub(crate) source: Option<DefinitionSource>,
}

/// What stands for the second allele of a man's X chromosome.
const HEMIZYGOUS: &str = "MALE";

fn key(a: &str, b: &str) -> (String, String) {
    let (a, b) = if a <= b { (a, b) } else { (b, a) };
    (a.to_string(), b.to_string())
}

/// A phenotype without the name of its gene before it: "G6PD Deficient" is "Deficient".
pub(crate) fn without_gene<'a>(gene: &str, name: &'a str) -> &'a str {
    let rest =
        name.get(..gene.len()).filter(|start| start.eq_ignore_ascii_case(gene)).and_then(|_| name.get(gene.len()..));
    match rest.and_then(|rest| rest.strip_prefix(' ')) {
        Some(rest) if !rest.trim().is_empty() => rest.trim(),
        _ => name.trim(),
    }
}

/// A file of `PharmCAT`'s phenotypes of a gene.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    gene: String,
    #[serde(default)]
    activity_values: BTreeMap<String, String>,
    #[serde(default)]
    named_alleles: Vec<FileAllele>,
    #[serde(default)]
    version: Option<String>,
    diplotypes: Vec<FileDiplotype>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileAllele {
    name: String,
    #[serde(default)]
    function_value: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileDiplotype {
    diplotypekey: BTreeMap<String, u32>,
    #[serde(default)]
    activity_score: Option<String>,
    phenotype: Option<String>,
}

impl Phenotypes {
    /// Reads a table with the columns `gene`, `hap1`, `hap2`, `phenotype` and `activity_score`, and `act1` and `act2` where they are there.
    ///
    /// # Errors
    /// [`Error::Data`] for a table that cannot be read or lacks a column.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let mut own = Self::default();
        let mut rows = TextRows::open(path)?;
        let columns = ["gene", "hap1", "hap2", "phenotype", "activity_score"].map(|name| rows.position(name));
        let [gene, one, two, name, score] = columns;
        let (gene, one, two, name, score) = (gene?, one?, two?, name?, score?);
        let activities = [rows.position("act1").ok(), rows.position("act2").ok()];
        let functions = [rows.position("func1").ok(), rows.position("func2").ok()];
        let version_column = rows.position("version").ok();
        let mut version: Option<String> = None;
        while let Some(row) = rows.next()? {
            let cells: Vec<&str> = row.cells().collect();
            if let Some(own_version) = version_column.map(|column| cells[column]) {
                if version.as_deref() < Some(own_version) {
                    version = Some(own_version.to_string());
                }
                own.versions.entry(cells[gene].into()).or_insert_with(|| own_version.to_string());
            }
            for (allele, function) in [one, two].into_iter().zip(functions) {
                if let Some(function) = function.map(|column| cells[column]).filter(|text| !is_missing(text)) {
                    own.add_function(cells[gene], cells[allele], function);
                }
            }
            for (allele, activity) in [one, two].into_iter().zip(activities) {
                if let Some(activity) = activity.and_then(|column| cells[column].parse().ok()) {
                    own.activities.entry(cells[gene].into()).or_default().insert(cells[allele].into(), activity);
                }
            }
            own.add(cells[gene], (cells[one], cells[two]), cells[name], cells[score].parse().ok());
        }
        let bytes = fs::read(path).map_err(cupel_data::Error::io("read", path))?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        own.source = Some(DefinitionSource::new(&name, version, &bytes));
        Ok(own)
    }

    /// Adds the genes that are not there yet from a table with the columns `Gene`, `Diplotype` and `Phenotype`.
    pub(crate) fn add_table(&mut self, path: &Path) -> Result<()> {
        let have: BTreeSet<String> = self.of.keys().cloned().collect();
        let mut rows = TextRows::open(path)?;
        let [gene, pair, name] = ["Gene", "Diplotype", "Phenotype"].map(|name| rows.position(name));
        let (gene, pair, name) = (gene?, pair?, name?);
        while let Some(row) = rows.next()? {
            let cells: Vec<&str> = row.cells().collect();
            if let Some((a, b)) = cells[pair].split_once('/').filter(|_| !have.contains(cells[gene])) {
                self.add(cells[gene], (a, b), cells[name], None);
            }
        }
        Ok(())
    }

    /// Adds a gene that is not there yet from `PharmCAT`'s JSON.
    pub(crate) fn add_file(&mut self, path: &Path) -> Result<()> {
        let bytes = fs::read(path).map_err(cupel_data::Error::io("read", path))?;
        let file: File = serde_json::from_slice(&bytes).map_err(|error| Error::Model {
            path: path.to_path_buf(),
            problem: format!("it has no phenotypes: {error}"),
            fix: "give PharmCAT's phenotypes of a gene (GENE.json), or a file in their form",
        })?;
        if self.of.contains_key(&file.gene) {
            return Ok(());
        }
        if let Some(version) = &file.version {
            self.versions.insert(file.gene.clone(), version.clone());
        }
        for allele in &file.named_alleles {
            if let Some(function) = &allele.function_value {
                self.add_function(&file.gene, &allele.name, function);
            }
        }
        for (allele, activity) in &file.activity_values {
            if let Ok(activity) = activity.parse() {
                self.activities.entry(file.gene.clone()).or_default().insert(allele.clone(), activity);
            }
        }
        for diplotype in &file.diplotypes {
            let alleles: Vec<&str> = diplotype
                .diplotypekey
                .iter()
                .flat_map(|(allele, count)| std::iter::repeat_n(allele.as_str(), (*count).min(2) as usize))
                .collect();
            let score = diplotype.activity_score.as_deref().and_then(|score| score.parse().ok());
            match (&alleles[..], diplotype.phenotype.as_deref()) {
                ([a], Some(name)) => self.add(&file.gene, (a, ""), name, score),
                ([a, b], Some(name)) => self.add(&file.gene, (a, b), name, score),
                _ => {}
            }
        }
        Ok(())
    }

    /// Adds what a table says of the alleles of genes that have none yet.
    pub(crate) fn add_functions<'a>(&mut self, of: impl Iterator<Item = (&'a str, &'a str, &'a str, Option<f64>)>) {
        let have: BTreeSet<String> = self.activities.keys().chain(self.functions.keys()).cloned().collect();
        for (gene, allele, function, activity) in of.filter(|(gene, ..)| !have.contains(*gene)) {
            if !is_missing(function) {
                self.add_function(gene, allele, function);
            }
            if let Some(activity) = activity {
                self.activities.entry(gene.into()).or_default().insert(allele.into(), activity);
            }
        }
    }

    fn add_function(&mut self, gene: &str, allele: &str, function: &str) {
        let of = match self.functions.get_mut(gene) {
            Some(of) => of,
            None => self.functions.entry(gene.into()).or_default(),
        };
        if !of.contains_key(allele) {
            of.insert(allele.into(), function.into());
        }
    }

    fn add(&mut self, gene: &str, (a, b): (&str, &str), name: &str, activity_score: Option<f64>) {
        if !is_missing(name) {
            let phenotype = Phenotype { name: without_gene(gene, name).to_string(), activity_score };
            self.of.entry(gene.to_string()).or_default().entry(key(a, b)).or_insert(phenotype);
        }
    }

    /// The phenotype of two alleles, or of one where there is one haplotype.
    pub(crate) fn of(&self, gene: &str, a: &str, b: Option<&str>) -> Option<&Phenotype> {
        let of = self.of.get(gene)?;
        match b {
            Some(b) => of.get(&key(a, b)),
            None => self.of_one(gene, a).or_else(|| of.get(&key(a, a))),
        }
    }

    /// The phenotype of a gene that is there once, as on a man's X, by its only allele.
    pub(crate) fn of_one(&self, gene: &str, allele: &str) -> Option<&Phenotype> {
        let of = self.of.get(gene)?;
        [HEMIZYGOUS, ""].iter().find_map(|none| of.get(&key(allele, none)))
    }

    /// The activity of an allele.
    pub(crate) fn activity(&self, gene: &str, allele: &str) -> Option<f64> {
        self.activities.get(gene)?.get(allele).copied()
    }

    /// What an allele does, in words.
    pub(crate) fn function(&self, gene: &str, allele: &str) -> Option<&str> {
        self.functions.get(gene)?.get(allele).map(String::as_str)
    }

    /// The version of the table that has a gene.
    pub(crate) fn version(&self, gene: &str) -> Option<&str> {
        self.versions.get(gene).map(String::as_str)
    }

    /// Whether a gene is judged by the sum of the activities of its alleles.
    pub(crate) fn is_scored(&self, gene: &str) -> bool {
        self.activities.contains_key(gene)
    }

    /// The alleles of a gene of which anything is said.
    pub(crate) fn alleles(&self, gene: &str) -> BTreeSet<&str> {
        let pairs = self.all(gene).flat_map(|((a, b), _)| [a.as_str(), b.as_str()]);
        let functions = self.functions.get(gene).into_iter().flat_map(|of| of.keys().map(String::as_str));
        pairs.chain(functions).filter(|name| !name.is_empty() && *name != HEMIZYGOUS).collect()
    }

    /// All phenotypes of a gene.
    pub(crate) fn all(&self, gene: &str) -> impl Iterator<Item = (&(String, String), &Phenotype)> {
        self.of.get(gene).into_iter().flatten()
    }

    /// The names of the phenotypes that have a score, sorted.
    pub(crate) fn of_score(&self, gene: &str, score: f64) -> Vec<String> {
        let own = self.all(gene).filter(|(_, phenotype)| phenotype.activity_score == Some(score));
        let names: BTreeSet<&String> = own.map(|(_, phenotype)| &phenotype.name).collect();
        names.into_iter().cloned().collect()
    }
}
