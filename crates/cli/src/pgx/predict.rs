//! `cupel pgx predict`: what a model says of one question or of every row of a table, and what is known of a patient's genes.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use clap::Args;
use cupel::{
    pharmacogenomics::{
        Answer, Answers, Assembly, DrugAnswer, Examples, GivenGene, Model, Patient, PatientAnswers, PatientConfig,
        Purpose, Tables, question,
    },
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

    /// Folder with the tables of alleles, phenotypes and guidelines: guidelines answer questions too whose field diplotype, phenotype or activity is given
    #[arg(long, value_name = "DIR")]
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
    Questions(Box<Questions>),
    Patient(Box<(Tables, Patient)>),
}

/// Rows for a model, and what guidelines say of them.
struct Questions {
    rows: Examples,
    said: Vec<Option<DrugAnswer>>,
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
        let asked = |name: &String| self.vcf.is_some() || name == "calls" && self.tables.is_some();
        of_patient.filter(|name| !asked(name)).map(|name| (name, because.to_owned())).collect()
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
            _ => Asked::Questions(Box::new(self.questions(&model, session)?)),
        };
        let out = session.out().map(Path::to_path_buf);
        if let Some(out) = &out {
            format(out)?;
            session.may_write(out)?;
        }
        let questions = if let Asked::Questions(questions) = &asked { questions.rows.len() } else { 1 };
        Ok(Plan { questions, out, asked: Box::new((model, asked)) })
    }

    fn work(self, plan: Plan, _: &mut Session) -> Result<Said> {
        let answers = match *plan.asked {
            (model, Asked::Questions(questions)) => {
                let Questions { rows, said } = *questions;
                let Answers { answers, .. } = model.answers(&rows)?;
                let with = |(answer, said): (Answer, Option<DrugAnswer>)| match said {
                    Some(said) => answer.with_guideline(said),
                    None => answer,
                };
                let said = said.into_iter().chain(std::iter::repeat_with(|| None));
                Answered::Questions(answers.into_iter().zip(said).map(with).collect::<Vec<_>>().into())
            }
            (model, Asked::Patient(asked)) => {
                let (tables, patient) = *asked;
                Answered::Patient(Box::new(tables.answers(&self.drug, patient, &model)?))
            }
        };
        if let Some(out) = &plan.out {
            let text = match (format(out)?, &answers) {
                (Format::Table(separator), Answered::Questions(answers)) => answers.to_table(separator),
                (Format::Table(separator), Answered::Patient(answers)) => answers.to_table(separator),
                (Format::Json, _) => serde_json::to_string_pretty(&answers)?,
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

/// The format that the ending of a file names.
fn format(out: &Path) -> Result<Format> {
    let ending = out.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    Ok(match ending.as_deref() {
        Some("json") => Format::Json,
        Some("csv") => Format::Table(','),
        Some("tsv") => Format::Table('\t'),
        _ => bail!("--out {}: the ending says how answers are written; there are .csv, .tsv and .json", out.display()),
    })
}

impl Arguments {
    /// What is asked by --query or --table, with the guidelines' word where there are tables.
    fn questions(&self, model: &Model, session: &Session) -> Result<Questions> {
        let schema = model.predictor.schema();
        let Some(table) = &self.table else {
            let asked = pairs(&self.query)?;
            let own = |name: &str| schema.fields.iter().any(|field| field.name == name);
            let (extra, fields): (Vec<_>, Vec<_>) = asked
                .clone()
                .into_iter()
                .partition(|(name, _)| GivenGene::FIELDS.contains(&name.as_str()) && !own(name));
            if let (Some((name, _)), None) = (extra.first(), &self.tables) {
                bail!("--query {name}=...: guidelines read it, whose tables --tables DIR names");
            }
            // a field of either kind stands once
            for (index, (name, _)) in asked.iter().enumerate() {
                if asked[..index].iter().any(|(known, _)| known == name) {
                    bail!("--query {name}=... is given twice; give each field once");
                }
            }
            let said = self.guidelines(&[asked.into_iter().collect()], model)?;
            let mut fields = fields;
            // what the diplotype says to the model stands where the question leaves it open
            for (name, value) in said.iter().flatten().flat_map(|(_, more)| more) {
                if fields.iter().all(|(known, _)| known != name) {
                    fields.push((name.clone(), value.clone()));
                }
            }
            let rows = question(schema, &fields)?;
            return Ok(Questions { rows, said: said.into_iter().map(|own| own.map(|(said, _)| said)).collect() });
        };
        let rows = Examples::read(table, schema, &[], Purpose::Asking)?;
        if !rows.absent().is_empty() {
            session.note(format_args!("{} has no {}: missing in every row", table.display(), rows.absent().join(", ")));
        }
        let said = match &self.tables {
            Some(_) => self.guidelines(&GivenGene::questions(table)?, model)?,
            None => Vec::new(),
        };
        Ok(Questions { rows, said: said.into_iter().map(|own| own.map(|(said, _)| said)).collect() })
    }

    /// What guidelines say of each question that names a drug and tells a result of a gene, and the model's fields that this result gives.
    fn guidelines(&self, asked: &[BTreeMap<String, String>], model: &Model) -> Result<Vec<Option<Guided>>> {
        let Some(folder) = &self.tables else { return Ok(Vec::new()) };
        let calls = self.patient.settings.calls.as_deref().map(Path::new);
        let tables = Tables::open(folder, self.patient.settings.assembly.unwrap_or(Assembly::GRCh38))?;
        let answer = |fields: &BTreeMap<String, String>| -> Result<Option<Guided>> {
            let given = GivenGene::of_question(fields);
            let Some(drug) = fields.get("drug").filter(|_| given.is_some() || calls.is_some()) else { return Ok(None) };
            let patient = tables.patient_of(given.as_slice(), calls)?;
            let more = given.as_ref().map(|given| patient.fields_of(drug, &given.gene, model)).unwrap_or_default();
            Ok(Some((tables.guideline(drug, &patient), more)))
        };
        asked.iter().map(answer).collect()
    }
}

/// What guidelines say, and the fields of a model that a diplotype gives.
type Guided = (DrugAnswer, Vec<(String, String)>);

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
            (Answered::Questions(Answers { answers, .. }), Some(out)) => {
                write!(f, "{} answers in {}", answers.len(), out.display())
            }
            (Answered::Patient(said), Some(out)) => write!(f, "{} answers in {}", said.answers.len(), out.display()),
        }
    }
}
