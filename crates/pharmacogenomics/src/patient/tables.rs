//! [`Tables`]: the definitions of alleles, the phenotypes and the rules that turn genotypes into recommendations.

use super::{
    assembly::Assembly,
    atlas::Atlas,
    calls::Outcome,
    core_alleles::CoreTable,
    definition::{DefinitionSource, Gene},
    drug_facts::DrugFacts,
    frequencies::Frequencies,
    guidelines::Guidelines,
    pharmcat,
    phenotypes::Phenotypes,
    sequence::KnownBases,
};
use crate::error::Result;
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

/// The tables that turn variants into recommendations, in one assembly.
#[derive(Clone, Debug)]
pub struct Tables {
    pub(crate) genes: Vec<Gene>,
    pub(crate) atlas: Atlas,
    pub(crate) phenotypes: Phenotypes,
    pub(crate) guidelines: Guidelines,
    pub(crate) drugs: DrugFacts,
    pub(crate) frequencies: Frequencies,
    pub(crate) assembly: Assembly,
    pub(crate) sources: Vec<DefinitionSource>,
}

/// What a rule asks of a gene that no pair of its alleles gives.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SilentRule {
    /// CPIC or DPWG.
    pub source: String,
    /// The gene.
    pub gene: String,
    /// What the rule asks for.
    pub value: String,
    /// Why nothing read from a file gives it.
    pub because: &'static str,
}

impl Tables {
    /// Reads the tables of a folder: the definitions of alleles in `pharmcat/alleles` and `alleles` (`PharmCAT`'s JSON), for other genes those of
    /// `raw/pypgx_allele-table.csv`; the phenotypes of `diplotype_phenotype.tsv`, for other genes those in `pharmcat/phenotype`, `phenotype` and
    /// `raw/pypgx_diplotype-table.csv`; and `guideline_recommendations.tsv`. Where they are there, `raw/pypgx_cpic-table.csv` and `drug_names.tsv` give names of
    /// drugs and guidelines, `allele_frequencies.tsv` the odds of pairs.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) for a table that cannot be read or lacks a column, [`Error::Model`](crate::Error::Model) for one that is damaged.
    pub fn open(dir: &Path, assembly: Assembly) -> Result<Self> {
        let raw = |name: &str| -> PathBuf {
            let inside = dir.join("raw").join(name);
            if inside.is_file() { inside } else { dir.join(name) }
        };
        let core = CoreTable::read(&raw("pypgx_allele-table.csv"))?;
        let lifts = core.lifts();
        let mut phenotypes = Phenotypes::read(&dir.join("diplotype_phenotype.tsv"))?;
        for folder in ["pharmcat/phenotype", "phenotype"] {
            for file in files(&dir.join(folder), ".json")? {
                phenotypes.add_file(&file)?;
            }
        }
        let more = raw("pypgx_diplotype-table.csv");
        if more.is_file() {
            phenotypes.add_table(&more)?;
        }
        phenotypes.add_functions(core.functions());
        let mut known = KnownBases::default();
        let mut genes: BTreeMap<String, Gene> = BTreeMap::new();
        for folder in ["pharmcat/alleles", "alleles"] {
            for file in files(&dir.join(folder), pharmcat::ENDING)? {
                let Some(mut gene) = pharmcat::read(&file, assembly, &lifts, &mut known)? else { continue };
                let (structural, deletions) = core.structural(&gene.name);
                gene.not_looked_for.extend(structural);
                gene.deletions = deletions;
                genes.insert(gene.name.clone(), gene);
            }
        }
        // the mitochondrion has one numbering of places in both assemblies, but for hg19's, which is not read
        let both = core.genes(Assembly::GRCh38).into_iter().filter(Gene::on_mitochondrion);
        let own = core.genes(assembly).into_iter().filter(|gene| !gene.on_mitochondrion());
        for gene in own.chain(both) {
            genes.entry(gene.name.clone()).or_insert(gene);
        }
        let mut genes: Vec<Gene> = genes.into_values().collect();
        for gene in &mut genes {
            // a deletion whose phenotypes are not known says nothing
            gene.deletions.retain(|allele| phenotypes.of(&gene.name, allele, Some(allele)).is_some());
            gene.add_bases(&mut known);
        }
        genes.iter_mut().for_each(|gene| gene.left_align(&known));
        let shift = |gene: &Gene| {
            let lift = lifts.get(&gene.name)?;
            Some(if assembly == Assembly::GRCh38 { lift.shift } else { -lift.shift })
        };
        let atlas = Atlas::new(&genes, known, shift);
        let drugs = DrugFacts::read(&raw("pypgx_cpic-table.csv"), &dir.join("drug_names.tsv"))?;
        let guidelines = Guidelines::read(&dir.join("guideline_recommendations.tsv"), &drugs)?;
        let frequencies = Frequencies::read(&dir.join("allele_frequencies.tsv"))?;
        let sources = guidelines.source.iter().cloned().chain(phenotypes.source.clone()).collect();
        Ok(Self { genes, atlas, phenotypes, guidelines, drugs, frequencies, assembly, sources })
    }

    /// The genes that definitions or rules know.
    pub(crate) fn gene_names(&self) -> BTreeSet<String> {
        let defined = self.genes.iter().map(|gene| gene.name.clone());
        defined.chain(self.guidelines.genes().into_iter().map(str::to_string)).collect()
    }

    /// How many rules the guidelines have.
    pub fn rules(&self) -> usize {
        self.guidelines.len()
    }

    /// What rules ask of genes and no genotype of a VCF file gives, with the reason: genes that are not read from such files, and phenotypes that no
    /// pair of the defined alleles has.
    pub fn silent_rules(&self) -> Vec<SilentRule> {
        let mut of: BTreeMap<String, Vec<Outcome>> = BTreeMap::new();
        for name in self.guidelines.genes() {
            of.insert(name.to_string(), self.possible_outcomes(name));
        }
        let why = |gene: &str| match self.genes.iter().find(|own| own.name == gene) {
            None => "the gene has no definition of alleles: it needs an outside call",
            Some(own) if super::calls::is_copy_number(&own.name) => {
                "the gene's alleles differ in copies: it needs an outside call"
            }
            Some(_) => "no pair of the defined alleles has it: it needs an outside call",
        };
        let silent = self.guidelines.never(&of).into_iter();
        silent.map(|(source, gene, value)| SilentRule { because: why(&gene), source, gene, value }).collect()
    }

    /// What the pairs of all alleles of a gene mean that a VCF file can show.
    fn possible_outcomes(&self, name: &str) -> Vec<Outcome> {
        let Some(gene) = self.genes.iter().find(|own| own.name == name && !super::calls::is_copy_number(&own.name))
        else {
            return Vec::new();
        };
        let mut outcomes = Vec::new();
        for (index, a) in gene.alleles.iter().enumerate() {
            for b in &gene.alleles[index..] {
                outcomes.push(super::calls::outcome(
                    gene,
                    &self.phenotypes,
                    a.phenotype_name(),
                    Some(b.phenotype_name()),
                ));
            }
            if gene.on_x() || gene.on_mitochondrion() {
                outcomes.push(super::calls::outcome(gene, &self.phenotypes, a.phenotype_name(), None));
            }
        }
        outcomes
    }
}

/// The files of a folder that end in `ending`, sorted; none where there is no such folder.
fn files(folder: &Path, ending: &str) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries = std::fs::read_dir(folder).map_err(cupel_data::Error::io("read", folder))?;
    let paths: std::io::Result<Vec<PathBuf>> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut found = paths.map_err(cupel_data::Error::io("read", folder))?;
    found.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(ending)));
    found.sort();
    Ok(found)
}
