//! [`Patient`]: from the genotypes of a VCF file to alleles, phenotypes and what guidelines and the model say of drugs.
//!
//! Rules come first: where a guideline of CPIC or DPWG has a recommendation for what was found, it is the answer. The model
//! fills the gap, for genes whose alleles are determined and of which it has seen evidence with the drug. Where neither
//! can say anything the answer is that nothing is known. Every answer says which of these it is. Nothing here replaces the
//! judgement of a clinician, and a file of small variants shows no copies of genes.

mod alleles;
mod answers;
mod calls;
mod guidelines;
mod phenotypes;
mod variants;
mod vcf;

pub use alleles::Assembly;
pub use answers::PatientAnswers;
pub use calls::GeneCall;
pub use guidelines::Recommendation;
pub use phenotypes::Phenotype;

use crate::{
    answer::{Answer, question},
    error::Result,
    model_folder::Model,
};
use alleles::Gene;
use cupel_settings::{Problem, settings};
use guidelines::Guidelines;
use phenotypes::Phenotypes;
use serde::Serialize;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};
use variants::Genotypes;

/// The tables that turn variants into recommendations, in one assembly.
#[derive(Clone, Debug)]
pub struct Tables {
    genes: BTreeMap<String, Gene>,
    phenotypes: Phenotypes,
    guidelines: Guidelines,
    assembly: Assembly,
}

settings! {
    /// How a VCF file is read.
    #[derive(Clone, Debug, PartialEq)]
    pub struct PatientConfig in "patient" {
        /// Sample of the VCF file, where it has several
        pub sample: Option<String> = None, "NAME";
        /// Coordinates of the VCF file, where it does not say
        pub assembly: Option<Assembly> = None;
        /// Take places that the VCF file does not mention for reference, as in a file that lists variants only
        pub absent_is_reference: bool = false;
    }
}

/// What is known of a patient's genes.
#[derive(Clone, Debug, Serialize)]
pub struct Patient {
    /// The sample.
    pub sample: String,
    /// The assembly of the file.
    pub assembly: Assembly,
    /// Gene by gene.
    pub genes: Vec<GeneCall>,
}

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A rule of CPIC or DPWG.
    Guideline,
    /// The model.
    Model,
    /// Neither: nothing is known.
    Nobody,
}

/// What is said of one drug.
#[derive(Clone, Debug, Serialize)]
pub struct DrugAnswer {
    /// The drug.
    pub drug: String,
    /// Who answers.
    pub answered_by: Source,
    /// The recommendations that apply, where a guideline answers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub recommendations: Vec<Recommendation>,
    /// What the model says gene by gene, where it answers.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub model: BTreeMap<String, Answer>,
}

impl Tables {
    /// Reads the tables of a folder: `raw/pypgx_allele-table.csv`, `diplotype_phenotype.tsv`, `guideline_recommendations.tsv` and,
    /// where it is there, `raw/pypgx_diplotype-table.csv`.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) for a table that cannot be read or lacks a column, [`Error::Model`](crate::Error::Model) for one that is damaged.
    pub fn open(dir: &Path, assembly: Assembly) -> Result<Self> {
        let raw = |name: &str| -> PathBuf {
            let inside = dir.join("raw").join(name);
            if inside.is_file() { inside } else { dir.join(name) }
        };
        let more = raw("pypgx_diplotype-table.csv");
        Ok(Self {
            genes: alleles::read(&raw("pypgx_allele-table.csv"), assembly)?,
            phenotypes: Phenotypes::read(&dir.join("diplotype_phenotype.tsv"), &more)?,
            guidelines: Guidelines::read(&dir.join("guideline_recommendations.tsv"))?,
            assembly,
        })
    }

    /// The drugs that a guideline mentions for a gene of the patient whose phenotype is known.
    pub fn drugs(&self, patient: &Patient) -> Vec<String> {
        self.guidelines.drugs(&patient.genes)
    }

    /// What is known of a drug for a patient: the guidelines' word, else the model's, else nothing.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) when the model's evidence cannot be asked.
    pub fn answer(&self, drug: &str, patient: &Patient, model: &Model) -> Result<DrugAnswer> {
        let recommendations = self.guidelines.answer(drug, &patient.genes);
        let drug = drug.to_string();
        if !recommendations.is_empty() {
            return Ok(DrugAnswer { drug, answered_by: Source::Guideline, recommendations, model: BTreeMap::new() });
        }
        let mut of_genes = BTreeMap::new();
        for call in &patient.genes {
            let Some(asked) = ask(&drug, call, model) else { continue };
            let questions = question(model.predictor.schema(), &asked)?;
            let mut answers = model.answer(&questions, &[0])?;
            // without a row of this drug with this gene the model would only guess
            let has = |name: &str, shared: &[String]| shared.iter().any(|field| field == name);
            let seen = |answer: &Answer| {
                answer.evidence.iter().any(|near| has("drug", &near.shared) && has("gene", &near.shared))
            };
            if let Some(answer) = answers.pop().filter(seen) {
                of_genes.insert(call.gene.clone(), answer);
            }
        }
        let answered_by = if of_genes.is_empty() { Source::Nobody } else { Source::Model };
        Ok(DrugAnswer { drug, answered_by, recommendations, model: of_genes })
    }
}

impl Patient {
    /// Reads a patient's genes from a VCF file, bare or compressed.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) when the file says no assembly and none is given, or another than the tables';
    /// [`Error::Data`](crate::Error::Data) and [`Error::Model`](crate::Error::Model) when it cannot be read.
    pub fn read(path: &Path, tables: &Tables, config: &PatientConfig) -> Result<Self> {
        let assembly = Self::assembly(path, config)?;
        if assembly != tables.assembly {
            let expected = format!("{}, as the tables were opened", tables.assembly);
            return Err(Problem::value("assembly", assembly, expected).into());
        }
        let wanted: Vec<_> = tables.genes.values().flat_map(Gene::variants).collect();
        let genotypes = Genotypes::read(path, config.sample.as_deref(), &wanted)?;
        let call = |(name, gene): (&String, &Gene)| {
            GeneCall::of(name, gene, &genotypes, &tables.phenotypes, config.absent_is_reference)
        };
        let genes = tables.genes.iter().map(call).collect();
        Ok(Self { sample: genotypes.sample, assembly, genes })
    }

    /// The assembly of a file: as it says itself, else as the settings say.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) when neither says, or when they differ.
    pub fn assembly(path: &Path, config: &PatientConfig) -> Result<Assembly> {
        let refused =
            |got: &dyn ToString, expected: String| Err(Problem::value("assembly", got.to_string(), expected).into());
        match (variants::assembly(path)?, config.assembly) {
            (Some(own), Some(said)) if own != said => {
                refused(&said, format!("{own}, as the lengths of the chromosomes in the file say"))
            }
            (Some(own), _) | (None, Some(own)) => Ok(own),
            (None, None) => refused(&"none", "GRCh37 or GRCh38, which the file does not say".into()),
        }
    }
}

/// The fields of a question about a drug and what was found of a gene; `None` where that is not one thing, or not known.
fn ask(drug: &str, call: &GeneCall, model: &Model) -> Option<Vec<(String, String)>> {
    let [diplotype] = &call.diplotypes[..] else { return None };
    let (a, b) = diplotype.split_once('/')?;
    let zygosity = if a == b { "hom" } else { "het" };
    let single = call.letters.as_ref();
    let known_as = call.gene_variant(a).or_else(|| call.gene_variant(b));
    let (allele, genalle, variant) = match (single, known_as) {
        (Some((_, letters)), Some(rs)) => (letters.clone(), format!("{rs}:{letters}"), rs),
        _ => {
            let names = if a == b { format!("{}{a}", call.gene) } else { format!("{0}{a}, {0}{b}", call.gene) };
            (diplotype.clone(), format!("{}{diplotype}", call.gene), names)
        }
    };
    let all = [
        ("drug", drug.to_string()),
        ("gene", call.gene.clone()),
        ("allele", allele),
        ("genalle", genalle),
        ("variant_haplotypes", variant),
        ("zygosity", zygosity.to_string()),
    ];
    let fields = &model.predictor.schema().fields;
    let asked = all.into_iter().filter(|(name, _)| fields.iter().any(|field| field.name == *name));
    Some(asked.map(|(name, value)| (name.to_string(), value)).collect())
}

impl GeneCall {
    /// The rs number that an allele is named by, such as "rs9923231 variant (T)".
    fn gene_variant(&self, allele: &str) -> Option<String> {
        let first = allele.split_whitespace().next()?;
        let digits = first.strip_prefix("rs")?;
        (!digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit())).then(|| first.to_string())
    }
}
