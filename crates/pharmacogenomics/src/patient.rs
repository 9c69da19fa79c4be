//! [`Patient`]: from the genotypes of a VCF file to alleles, phenotypes and what guidelines and the model say of drugs.
//!
//! The lines of a file become readings of the places that define alleles ([`reading`], [`call_set`]); readings the pairs of alleles that are possible
//! ([`matching`], [`lowest_activity`], [`calls`]); pairs phenotypes ([`phenotypes`]); and phenotypes the rules that apply ([`guidelines`]).
//!
//! A recommendation is given only when everything that its guideline asks for was determined from places that were read; else the answer says
//! which gene and which places are missing. The model fills the gap where no guideline has a word, for genes whose alleles are determined and of which
//! it has seen evidence with the drug. Where neither can say anything the answer is that nothing is known. Every answer says which
//! of these it is. Nothing here replaces the judgement of a clinician, and a file of small variants shows no copies of genes.

mod alternatives;
mod answers;
mod assembly;
mod atlas;
mod call_set;
mod calls;
mod compressed;
mod copies;
mod copy_changes;
mod core_alleles;
mod definition;
mod drug_facts;
mod file_assembly;
mod frequencies;
mod gene_reading;
mod given;
mod guidelines;
mod hla;
mod line_checks;
mod lowest_activity;
mod matching;
mod outside_calls;
mod page;
mod pharmcat;
mod phenotype_json;
mod phenotypes;
mod reading;
mod recommendations;
mod rule_values;
mod sequence;
mod tables;
mod vcf;

pub use answers::{Group, PatientAnswers};
pub use assembly::Assembly;
pub use calls::GeneCall;
pub use definition::DefinitionSource;
pub use frequencies::PairOdds;
pub use given::GivenGene;
pub use phenotypes::Phenotype;
pub use recommendations::{MissingGene, NotDetermined, PossibleRecommendation, Recommendation};
pub use tables::{SilentRule, Tables};

use crate::{
    answer::{Answer, question},
    error::{Error, Result},
    model_folder::Model,
};
use calls::Given;
use cupel_data::nearest_name;
use cupel_settings::{Problem, Range, choices, settings};
use drug_facts::normal;
use rayon::prelude::*;
use serde::Serialize;
use std::{collections::BTreeMap, io::BufRead, path::Path};
use vcf::Vcf;

choices! {
    /// Whose X chromosomes they are.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Sex {
        /// One X chromosome
        Male = "male",
        /// Two
        Female = "female",
    }
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
        /// A call of a lower genotype quality (GQ) is not read
        pub min_genotype_quality: f64 = 20.0, in Range::at_least(0.0), "QUALITY";
        /// Whose X chromosomes they are [default: as the genotypes show it]
        pub sex: Option<Sex> = None;
        /// Weigh the pairs that remain possible by the frequencies of alleles in this population, as the tables' allele_frequencies.tsv has them; decides nothing
        pub population: Option<String> = None, "NAME";
        /// Results of genes from elsewhere, in PharmCAT's format of outside calls
        pub calls: Option<String> = None, "FILE";
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
    /// What should be known before the answers are used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A rule of CPIC or DPWG.
    Guideline,
    /// The model.
    Model,
    /// There are guidelines, but a gene that they ask for is not determined.
    #[serde(rename = "not determined")]
    NotDetermined,
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
    /// Guidelines that do not answer, with the genes and places that they lack.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_determined: Vec<NotDetermined>,
    /// What the model says gene by gene: where no guideline has a word, or of other genes than those that guidelines ask for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub model: BTreeMap<String, Answer>,
    /// The drug that a code, brand or synonym stands for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taken_for: Option<String>,
    /// A drug of the guidelines that was probably meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub did_you_mean: Option<String>,
}

impl Tables {
    /// The drugs that a guideline mentions for a gene of the patient of which something was read.
    pub fn drugs(&self, patient: &Patient) -> Vec<String> {
        self.guidelines.drugs(&patient.genes)
    }

    /// What the guidelines say of a drug for a patient. A guideline whose genes are all determined answers, and stands beside one of which a gene is not:
    /// where it asks for a change it is the answer, for another gene cannot take that back; "no change" is no answer while a gene is open.
    pub fn guideline(&self, drug: &str, patient: &Patient) -> DrugAnswer {
        let asked = normal(drug);
        let mut meant = self.drugs.meant(drug).filter(|name| self.guidelines.knows(name));
        let other = (!self.guidelines.knows(&asked)).then(|| meant.next().filter(|_| meant.next().is_none())).flatten();
        let said = self.guidelines.answer(other.unwrap_or(drug), &patient.genes);
        // a gene that nobody looked at leaves the other guidelines their word; one that was not read does not
        let unread = said.not_determined.iter().any(|guideline| guideline.genes.iter().any(|gene| !gene.not_tested));
        let change = said.recommendations.iter().any(|one| one.change == Some(true));
        let answered_by = match (said.recommendations.is_empty(), said.not_determined.is_empty()) {
            (false, _) if !unread || change => Source::Guideline,
            (_, false) => Source::NotDetermined,
            _ => Source::Nobody,
        };
        let near = || {
            let known = self.guidelines.all_drugs();
            nearest_name(&asked, known.into_iter().chain(self.drugs.names())).map(str::to_string)
        };
        DrugAnswer {
            drug: drug.to_string(),
            answered_by,
            recommendations: said.recommendations,
            not_determined: said.not_determined,
            model: BTreeMap::new(),
            taken_for: other.map(str::to_string),
            did_you_mean: if said.genes.is_empty() { near() } else { None },
        }
    }

    /// What is known of a drug for a patient: the guidelines' word, else the model's, else nothing. Where guidelines ask for a gene that is not
    /// determined the model is asked of other genes only, and what it says stands apart.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) when the model's evidence cannot be asked.
    pub fn answer(&self, drug: &str, patient: &Patient, model: &Model) -> Result<DrugAnswer> {
        let mut answer = self.guideline(drug, patient);
        if answer.answered_by == Source::Guideline {
            return Ok(answer);
        }
        let asked: Vec<&str> =
            answer.not_determined.iter().flat_map(|own| own.genes.iter().map(|gene| gene.gene.as_str())).collect();
        let mut of_genes = BTreeMap::new();
        for call in patient.genes.iter().filter(|call| !asked.contains(&call.gene.as_str())) {
            let Some(asked) = ask(drug, call, model) else { continue };
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
        if !of_genes.is_empty() && answer.answered_by == Source::Nobody {
            answer.answered_by = Source::Model;
        }
        answer.model = of_genes;
        Ok(answer)
    }
}

impl Patient {
    /// Reads a patient's genes from a VCF file, bare or compressed: of the sample that is named, or the only one.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) when the file says no assembly and none is given, or another than the tables';
    /// [`Error::Data`](crate::Error::Data) and [`Error::Model`](crate::Error::Model) when it cannot be read, contradicts the reference or itself,
    /// or has no genotype at a place of any gene.
    pub fn read(path: &Path, tables: &Tables, config: &PatientConfig) -> Result<Self> {
        let vcf = Vcf::open(path)?;
        if config.sample.is_none() && vcf.samples.len() > 1 {
            let problem = format!("which sample is meant is not said; it has {}", vcf.samples.join(", "));
            return Err(Error::Model { path: path.to_path_buf(), problem, fix: "name one of them with --sample" });
        }
        let mut patients = Self::of_vcf(vcf, path, tables, config)?;
        patients.pop().ok_or_else(|| nothing(path))
    }

    /// Reads all samples of a VCF file, or the one that is named.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_all(path: &Path, tables: &Tables, config: &PatientConfig) -> Result<Vec<Self>> {
        Self::of_vcf(Vcf::open(path)?, path, tables, config)
    }

    /// Reads all samples of a VCF file from a stream, or the one that is named; `name` is what errors call it.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn from_stream(
        stream: Box<dyn BufRead>,
        name: &Path,
        tables: &Tables,
        config: &PatientConfig,
    ) -> Result<Vec<Self>> {
        Self::of_vcf(Vcf::new(stream, name)?, name, tables, config)
    }

    fn of_vcf(vcf: Vcf, path: &Path, tables: &Tables, config: &PatientConfig) -> Result<Vec<Self>> {
        let assembly = assembly(&vcf, config)?;
        if assembly != tables.assembly {
            let expected = format!("{}, as the tables were opened", tables.assembly);
            return Err(Problem::value("assembly", assembly, expected).into());
        }
        let fault = |problem: String, fix| Error::Model { path: path.to_path_buf(), problem, fix };
        if vcf.samples.is_empty() {
            return Err(fault(
                "it lists places and has no sample, so that nothing was read".into(),
                "give a file with genotypes",
            ));
        }
        let columns: Vec<usize> = match &config.sample {
            Some(name) => match vcf.samples.iter().position(|known| known == name) {
                Some(column) => vec![column],
                None => {
                    let problem = format!("it has no sample {name:?}; it has {}", vcf.samples.join(", "));
                    return Err(fault(problem, "name one of them with --sample"));
                }
            },
            None => (0..vcf.samples.len()).collect(),
        };
        if let Some(population) = &config.population {
            tables.frequencies.check(population)?;
        }
        let outside = match &config.calls {
            Some(file) => outside_calls::read(Path::new(file), &tables.gene_names())?,
            None => outside_calls::BySample::new(),
        };
        if columns.len() > 1 && outside.contains_key(&None) {
            return Err(Self::whose_calls(config));
        }
        let sets = call_set::read(vcf, path, &columns, (&tables.genes, &tables.atlas, assembly), config)?;
        if sets.iter().all(|set| set.readings.is_empty() && set.copies.is_empty()) {
            return Err(nothing(path));
        }
        let sex_of = |set: &call_set::CallSet| {
            let on_x = |gene: usize| tables.genes.get(gene).is_some_and(definition::Gene::on_x);
            let single = |reading: &reading::Reading| reading.says_something() && reading.haplotypes.len() == 1;
            let one = set.readings.iter().any(|((gene, _), reading)| on_x(*gene) && single(reading));
            config.sex.or_else(|| one.then_some(Sex::Male))
        };
        let patient = |set: call_set::CallSet| {
            let sex = sex_of(&set);
            let call = |(number, gene): (usize, &definition::Gene), assume: bool| {
                GeneCall::of(&Given {
                    number,
                    gene,
                    set: &set,
                    phenotypes: &tables.phenotypes,
                    reference: assume
                        && config.absent_is_reference
                        && set.chromosomes.contains(&gene.chromosome)
                        && !(set.foreign_mitochondrion && gene.on_mitochondrion()),
                    sex,
                    population: config.population.as_deref().map(|population| (&tables.frequencies, population)),
                })
            };
            let mut genes: Vec<GeneCall> = tables.genes.iter().enumerate().map(|own| call(own, true)).collect();
            let mut warnings = set.warnings.clone();
            let own = [None, Some(set.sample.clone())].map(|whose| outside.get(&whose));
            if own == [None, None] && !outside.is_empty() {
                let names: Vec<&str> = outside.keys().flatten().map(String::as_str).collect();
                warnings.push(format!("the outside calls are of {}, none is of this sample", names.join(", ")));
            }
            for given in own.into_iter().flatten().flatten() {
                let own = GeneCall::given(given, &tables.phenotypes);
                // what places say that were read, and not what is assumed of others
                let read = tables.genes.iter().enumerate().find(|(_, gene)| gene.name == own.gene);
                let own = match read {
                    Some(read) => own.beside(&call(read, false)),
                    None => own,
                };
                match genes.iter_mut().find(|call| call.gene == own.gene) {
                    Some(known) => *known = own,
                    None => genes.push(own),
                }
            }
            genes.sort_by(|a, b| a.gene.cmp(&b.gene));
            Self { sample: set.sample, assembly, genes, warnings }
        };
        Ok(sets.into_par_iter().map(patient).collect())
    }

    /// Refuses outside calls that do not say whose they are, where there are several files.
    ///
    /// # Errors
    /// [`Error::Model`](crate::Error::Model) where the file of outside calls names no sample, [`Error::Data`](crate::Error::Data) where it cannot be
    /// read.
    pub fn check_calls(config: &PatientConfig) -> Result<()> {
        match &config.calls {
            Some(file) if !outside_calls::names_samples(Path::new(file))? => Err(Self::whose_calls(config)),
            _ => Ok(()),
        }
    }

    fn whose_calls(config: &PatientConfig) -> Error {
        Error::Model {
            path: Path::new(config.calls.as_deref().unwrap_or_default()).to_path_buf(),
            problem: "it does not say whose calls these are, and there are several samples".into(),
            fix: "write #sample NAME above the lines of each sample, or ask for one sample and one file",
        }
    }

    /// The fields of a question to a model about a drug and what is known of a gene; none where that is not one pair of alleles.
    pub fn fields_of(&self, drug: &str, gene: &str, model: &Model) -> Vec<(String, String)> {
        let call = self.genes.iter().find(|call| call.gene.eq_ignore_ascii_case(gene));
        call.and_then(|call| ask(drug, call, model)).unwrap_or_default()
    }

    /// The assembly of a file: as it says itself, else as the settings say.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) when neither says, or when they differ.
    pub fn assembly(path: &Path, config: &PatientConfig) -> Result<Assembly> {
        assembly(&Vcf::open(path)?, config)
    }
}

fn nothing(path: &Path) -> Error {
    let problem = "it has no genotype at a place that defines an allele of any gene, so that nothing was read".into();
    Error::Model { path: path.to_path_buf(), problem, fix: "give the file that holds the patient's genotypes" }
}

fn assembly(vcf: &Vcf, config: &PatientConfig) -> Result<Assembly> {
    let refused =
        |got: &dyn ToString, expected: String| Err(Problem::value("assembly", got.to_string(), expected).into());
    match (file_assembly::assembly_of(vcf)?, config.assembly) {
        (Some(own), Some(said)) if own != said => {
            refused(&said, format!("{own}, as the lengths of the chromosomes in the file say"))
        }
        (Some(own), _) | (None, Some(own)) => Ok(own),
        (None, None) => refused(&"none", "GRCh37 or GRCh38, which the file does not say".into()),
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
