//! `cupel pgx predict`: what a model says of one question or of every row of a table, and what is known of a patient's genes.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use cupel::{
    pharmacogenomics::{
        Answer, Assembly, DrugAnswer, Examples, Model, Patient, PatientConfig, Purpose, Source, Tables, question,
    },
    train::device,
};
use serde::Serialize;

use super::evaluate::Quantize;
use crate::{Ending, options::Options, output::Output};

/// Classes shown of a target with many.
const SHOWN: usize = 5;

/// Ask a model about a drug and a genotype
#[derive(Args)]
pub struct Arguments {
    /// Folder of the model
    #[arg(long, value_name = "DIR")]
    model: PathBuf,

    /// One field of a question; give several, such as --query drug=warfarin --query genalle=CYP2C9*3
    #[arg(long, value_name = "FIELD=VALUE", required_unless_present_any = ["table", "vcf"], conflicts_with_all = ["table", "vcf"])]
    query: Vec<String>,

    /// Rows to answer: TSV, CSV or their kin, with the model's fields as columns
    #[arg(long, value_name = "FILE")]
    table: Option<PathBuf>,

    /// Genotypes of a patient, bare or compressed: guidelines answer first, the model where they say nothing
    #[arg(long, value_name = "FILE", conflicts_with = "table", requires = "tables")]
    vcf: Option<PathBuf>,

    /// Folder with the tables of alleles, phenotypes and guidelines
    #[arg(long, value_name = "DIR", requires = "vcf")]
    tables: Option<PathBuf>,

    /// Sample of the VCF file, where it has several
    #[arg(long, value_name = "NAME", requires = "vcf")]
    sample: Option<String>,

    /// Coordinates of the VCF file, where it does not say
    #[arg(long, value_enum, requires = "vcf")]
    assembly: Option<Coordinates>,

    /// Take places that the VCF file does not mention for reference
    #[arg(long, requires = "vcf")]
    absent_is_reference: bool,

    /// A drug to answer for; give several [default: those that guidelines mention for the patient's genes]
    #[arg(long, value_name = "NAME", requires = "vcf")]
    drug: Vec<String>,

    /// Keep the weights of networks in 8 bits
    #[arg(long, value_enum, value_name = "KIND")]
    quantize: Option<Quantize>,

    #[command(flatten)]
    options: Options,
}

/// Coordinates of a VCF file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Coordinates {
    /// hg19
    #[value(name = "GRCh37", alias = "hg19")]
    Old,
    /// hg38
    #[value(name = "GRCh38", alias = "hg38")]
    New,
}

/// What `predict --vcf` prints.
#[derive(Serialize)]
struct PatientPrinted {
    #[serde(flatten)]
    patient: Patient,
    answers: Vec<DrugAnswer>,
    notice: &'static str,
}

/// What `predict` prints.
#[derive(Serialize)]
struct Printed {
    answers: Vec<Answer>,
}

impl Arguments {
    /// Answers.
    ///
    /// # Errors
    /// A model or table that cannot be read; a field that the model does not have.
    pub fn run(self) -> Result<Ending> {
        self.options.apply()?;
        let output = Output::new(&self.options);
        let mut model = Model::open(&self.model, &device::select(&self.options.device)?.device)?;
        if self.quantize.is_some() {
            model.predictor = model.predictor.int8();
        }
        if let (Some(vcf), Some(tables)) = (&self.vcf, &self.tables) {
            let printed = self.patient(vcf, tables, &model)?;
            return self.write(output, &printed, printed.answers.len());
        }
        let schema = model.predictor.schema();
        let questions = match &self.table {
            Some(table) => Examples::read(table, schema, &[], Purpose::Asking)?,
            None => question(schema, &pairs(&self.query)?)?,
        };
        let rows: Vec<usize> = (0..questions.len()).collect();
        let printed = Printed { answers: model.answer(&questions, &rows)? };
        self.write(output, &printed, printed.answers.len())
    }

    fn patient(&self, vcf: &Path, tables: &Path, model: &Model) -> Result<PatientPrinted> {
        let config = PatientConfig {
            sample: self.sample.clone(),
            assembly: self.assembly.map(|assembly| match assembly {
                Coordinates::Old => Assembly::GRCh37,
                Coordinates::New => Assembly::GRCh38,
            }),
            absent_is_reference: self.absent_is_reference,
        };
        let tables = Tables::open(tables, Patient::assembly(vcf, &config)?)?;
        let patient = Patient::read(vcf, &tables, &config)?;
        let drugs = if self.drug.is_empty() { tables.drugs(&patient) } else { self.drug.clone() };
        let answers = drugs.iter().map(|drug| tables.answer(drug, &patient, model)).collect::<Result<_, _>>()?;
        Ok(PatientPrinted { patient, answers, notice: "not a medical device" })
    }

    fn write<T: Serialize + fmt::Display>(&self, output: Output, printed: &T, answers: usize) -> Result<Ending> {
        match &self.options.out {
            None => output.result(printed)?,
            Some(out) => {
                let text = serde_json::to_string_pretty(printed)?;
                if out.exists() && !self.options.force {
                    bail!("{} is there already; replace it with --force", out.display());
                }
                cupel::data::write_atomic(out, |file| {
                    file.write_all(text.as_bytes()).map_err(cupel::data::Error::io("write", out))
                })?;
                output.note(format_args!("{answers} answers in {}", out.display()));
            }
        }
        Ok(Ending::Done)
    }
}

fn pairs(query: &[String]) -> Result<Vec<(String, String)>> {
    let pair = |text: &String| {
        let (field, value) = text.split_once('=').with_context(|| format!("--query {text:?}: write FIELD=VALUE"))?;
        Ok((field.trim().to_owned(), value.to_owned()))
    };
    query.iter().map(pair).collect()
}

impl fmt::Display for Printed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, answer) in self.answers.iter().enumerate() {
            if self.answers.len() > 1 {
                writeln!(f, "{}row {}", if i > 0 { "\n" } else { "" }, i + 1)?;
            }
            for unknown in &answer.unknown {
                write!(f, "unknown {}: {:?}", unknown.field, unknown.name)?;
                match &unknown.did_you_mean {
                    Some(name) => writeln!(f, ", did you mean {name:?}?")?,
                    None => writeln!(f)?,
                }
            }
            targets(f, answer)?;
            writeln!(f, "answered by the {}; nearest evidence:", answer.answered_by)?;
            for near in &answer.evidence {
                writeln!(f, "  {} (same {})", near.group, near.shared.join(", "))?;
            }
        }
        Ok(())
    }
}

/// What the model says of each target.
fn targets(f: &mut fmt::Formatter<'_>, answer: &Answer) -> fmt::Result {
    for (name, target) in &answer.targets {
        match (target.abstains, target.answer.is_empty()) {
            (true, _) => writeln!(f, "{name}: not known")?,
            (false, true) => writeln!(f, "{name}: none")?,
            (false, false) => writeln!(f, "{name}: {}", target.answer.join(", "))?,
        }
        for (class, p) in target.probabilities.iter().take(SHOWN) {
            writeln!(f, "  {p:.3}  {class}")?;
        }
        writeln!(f, "  with {:.0} % among: {}", 100.0 * target.coverage, target.possible.join(", "))?;
    }
    Ok(())
}

impl fmt::Display for PatientPrinted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "sample {}, {:?}; {}", self.patient.sample, self.patient.assembly, self.notice)?;
        for call in &self.patient.genes {
            match (&call.phenotype, &call.unknown_because) {
                (Some(phenotype), _) => {
                    write!(f, "{} {}: {}", call.gene, call.diplotypes.join(" or "), phenotype.name)?;
                    match call.not_looked_for.len() {
                        0 => writeln!(f)?,
                        _ => writeln!(f, " (not looked for: {})", call.not_looked_for.join(", "))?,
                    }
                }
                // most genes of the tables are of no concern to most files
                (None, Some(because)) if call.not_read < call.places => {
                    writeln!(f, "{}: not known, {because}", call.gene)?
                }
                _ => {}
            }
        }
        for answer in &self.answers {
            writeln!(f)?;
            match answer.answered_by {
                Source::Guideline => {
                    for one in &answer.recommendations {
                        write!(f, "{} ({} guideline", answer.drug, one.source)?;
                        one.strength.iter().try_for_each(|strength| write!(f, ", {strength}"))?;
                        one.population.iter().try_for_each(|population| write!(f, ", {population}"))?;
                        writeln!(f, "; {}): {}", one.because.join(", "), one.recommendation)?;
                    }
                }
                Source::Model => {
                    for (gene, said) in &answer.model {
                        writeln!(f, "{} and {gene} (model):", answer.drug)?;
                        targets(f, said)?;
                    }
                }
                Source::Nobody => writeln!(f, "{}: nothing is known for this genotype", answer.drug)?,
            }
        }
        Ok(())
    }
}
