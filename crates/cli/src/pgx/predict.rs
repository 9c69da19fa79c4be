//! `cupel pgx predict`: what a model says of one question or of every row of a table, and what is known of a patient's genes.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use clap::Args;
use cupel::{
    pharmacogenomics::{Answers, Examples, Model, Patient, PatientAnswers, PatientConfig, Purpose, Tables, question},
    settings::Settings,
};
use serde::Serialize;

use super::table::{Quantize, open};
use crate::{
    Command, Flags, Session, choice,
    shared::{Device, Out, Output, Shared, Threads},
};

/// Ask a model about a drug and a genotype; --out FILE.json, FILE.csv or FILE.tsv keeps the answers
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

    #[command(flatten)]
    patient: Flags<PatientConfig>,

    /// A drug to answer for; give several [default: those that guidelines mention for the patient's genes]
    #[arg(long, value_name = "NAME", requires = "vcf")]
    drug: Vec<String>,

    /// Keep the weights of networks in 8 bits
    #[arg(long, value_name = "KIND", value_parser = choice::<Quantize>())]
    quantize: Option<Quantize>,

    #[command(flatten)]
    device: Device,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    out: Out,
    #[command(flatten)]
    output: Output,
}

/// The model and what it is asked.
#[derive(Serialize)]
pub struct Plan {
    questions: usize,
    out: Option<PathBuf>,
    #[serde(skip)]
    asked: Box<(Model, Asked)>,
}

enum Asked {
    Questions(Box<Examples>),
    Patient(Box<(Tables, Patient)>),
}

/// The answers, and where they went.
#[derive(Serialize)]
pub struct Said {
    #[serde(flatten)]
    answers: Answered,
    #[serde(skip)]
    out: Option<PathBuf>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Answered {
    Questions(Answers),
    Patient(Box<PatientAnswers>),
}

impl Command for Arguments {
    type Plan = Plan;
    type Outcome = Said;

    fn shared(&self) -> Shared<'_> {
        Shared::new(&self.output).device(&self.device).threads(&self.threads).out(&self.out)
    }

    fn unused(&self) -> Vec<(String, String)> {
        let of_patient = PatientConfig::default().list().into_iter().map(|setting| setting.name);
        let because = "only of a patient, with --vcf, is it asked";
        of_patient.filter(|_| self.vcf.is_none()).map(|name| (name, because.to_owned())).collect()
    }

    fn plan(&self, session: &Session) -> Result<Plan> {
        let model = open(&self.model, self.quantize, session)?;
        let asked = match (&self.vcf, &self.tables) {
            (Some(vcf), Some(tables)) => {
                let config = &self.patient.settings;
                let tables = Tables::open(tables, Patient::assembly(vcf, config)?)?;
                let patient = Patient::read(vcf, &tables, config)?;
                Asked::Patient(Box::new((tables, patient)))
            }
            _ => Asked::Questions(Box::new(match &self.table {
                Some(table) => {
                    let questions = Examples::read(table, model.predictor.schema(), &[], Purpose::Asking)?;
                    if !questions.absent().is_empty() {
                        let absent = questions.absent().join(", ");
                        session.note(format_args!("{} has no {absent}: missing in every row", table.display()));
                    }
                    questions
                }
                None => question(model.predictor.schema(), &pairs(&self.query)?)?,
            })),
        };
        let out = session.out().map(Path::to_path_buf);
        if let Some(out) = &out {
            format(out, matches!(asked, Asked::Questions(_)))?;
            session.may_write(out)?;
        }
        let questions = if let Asked::Questions(questions) = &asked { questions.len() } else { 1 };
        Ok(Plan { questions, out, asked: Box::new((model, asked)) })
    }

    fn work(self, plan: Plan, _: &mut Session) -> Result<Said> {
        let answers = match *plan.asked {
            (model, Asked::Questions(questions)) => Answered::Questions(model.answers(&questions)?),
            (model, Asked::Patient(asked)) => {
                let (tables, patient) = *asked;
                Answered::Patient(Box::new(tables.answers(&self.drug, patient, &model)?))
            }
        };
        if let Some(out) = &plan.out {
            let text = match (format(out, matches!(answers, Answered::Questions(_)))?, &answers) {
                (Format::Table(separator), Answered::Questions(answers)) => answers.to_table(separator),
                _ => serde_json::to_string_pretty(&answers)?,
            };
            let write = |file: &mut dyn std::io::Write| {
                file.write_all(text.as_bytes()).map_err(cupel::data::Error::io("write", out))
            };
            cupel::data::write_atomic(out, write)?;
        }
        Ok(Said { answers, out: plan.out })
    }
}

/// How answers are written.
enum Format {
    Json,
    /// Cells apart by this.
    Table(char),
}

/// The format that the ending of a file names; the answers for a patient are no table.
fn format(out: &Path, table: bool) -> Result<Format> {
    let ending = out.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    Ok(match ending.as_deref() {
        Some("json") => Format::Json,
        Some("csv") if table => Format::Table(','),
        Some("tsv") if table => Format::Table('\t'),
        _ => {
            let endings = if table { ".csv, .tsv and .json" } else { ".json" };
            bail!("--out {}: the ending says how answers are written; there are {endings}", out.display())
        }
    })
}

fn pairs(query: &[String]) -> Result<Vec<(String, String)>> {
    let pair = |text: &String| {
        let (field, value) = text.split_once('=').with_context(|| format!("--query {text:?}: write FIELD=VALUE"))?;
        Ok((field.trim().to_owned(), value.to_owned()))
    };
    query.iter().map(pair).collect()
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.out {
            Some(out) => write!(f, "{} answers would go to {}", self.questions, out.display()),
            None => write!(f, "{} answers would be printed", self.questions),
        }
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.answers, &self.out) {
            (Answered::Questions(answers), None) => answers.fmt(f),
            (Answered::Patient(answers), None) => answers.fmt(f),
            (Answered::Questions(Answers { answers }), Some(out)) => {
                write!(f, "{} answers in {}", answers.len(), out.display())
            }
            (Answered::Patient(said), Some(out)) => write!(f, "{} answers in {}", said.answers.len(), out.display()),
        }
    }
}
