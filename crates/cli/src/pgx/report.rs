//! `cupel pgx report`: what the genes of patients mean for drugs, a page and a JSON file for each of them.

use std::{
    collections::BTreeSet,
    fmt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use clap::Args;
use cupel::pharmacogenomics::{Assembly, Model, Patient, PatientAnswers, PatientConfig, Tables};
use rayon::prelude::*;
use serde::Serialize;

use super::table::open;
use crate::{
    Command, Flags, Session,
    shared::{Device, Out, Output, Shared, Threads},
};

/// Say what the genes of patients mean for drugs: a page (HTML), a JSON file and the genes as PharmCAT's phenotype.json for each sample of each VCF file
#[derive(Args)]
pub struct Arguments {
    /// Genotypes, bare or compressed; give several. Every sample is read, unless --sample names one
    #[arg(long, value_name = "FILE", required = true)]
    vcf: Vec<PathBuf>,

    /// Folder with the tables of alleles, phenotypes and guidelines
    #[arg(long, value_name = "DIR")]
    tables: PathBuf,

    /// Folder of a model, whose word stands apart from the guidelines'
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,

    /// A drug to answer for; give several [default: those that guidelines mention for the patient's genes]
    #[arg(long, value_name = "NAME")]
    drug: Vec<String>,

    #[command(flatten)]
    patient: Flags<PatientConfig>,

    #[command(flatten)]
    device: Device,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    out: Out,
    #[command(flatten)]
    output: Output,
}

/// The files that would be read.
#[derive(Serialize)]
pub struct Plan {
    files: Vec<PathBuf>,
    out: PathBuf,
    #[serde(skip)]
    model: Option<Box<Model>>,
}

/// What became of each sample.
#[derive(Serialize)]
pub struct Reported {
    samples: Vec<Line>,
    out: PathBuf,
    notice: &'static str,
}

/// One sample, or a file that could not be read.
#[derive(Serialize)]
struct Line {
    file: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Command for Arguments {
    type Plan = Plan;
    type Outcome = Reported;

    fn shared(&self) -> Shared<'_> {
        Shared::new(&self.output).device(&self.device).threads(&self.threads).out(&self.out)
    }

    fn plan(&self, session: &Session) -> Result<Plan> {
        let out = session.out().context("report writes a folder: --out DIR")?.to_path_buf();
        session.may_write(&out)?;
        let model = self.model.as_deref().map(|folder| open(folder, None, session)).transpose()?.map(Box::new);
        Ok(Plan { files: self.vcf.clone(), out, model })
    }

    fn work(self, Plan { files, out, model }: Plan, _: &mut Session) -> Result<Reported> {
        let config = &self.patient.settings;
        if files.len() > 1 {
            Patient::check_calls(config)?;
        }
        let assemblies: Vec<_> = files.iter().map(|file| Patient::assembly(file, config)).collect();
        // tables are read once for each assembly that a file is in
        let mut tables: Vec<(Assembly, Tables)> = Vec::new();
        for assembly in assemblies.iter().flatten() {
            if !tables.iter().any(|(known, _)| known == assembly) {
                tables.push((*assembly, Tables::open(&self.tables, *assembly)?));
            }
        }
        let of = |assembly: Assembly| tables.iter().find(|(known, _)| *known == assembly).map(|(_, tables)| tables);
        let read = |(file, assembly): (&PathBuf, &_)| -> Vec<Result<(Patient, &Tables), String>> {
            let tables = match assembly {
                Ok(assembly) => of(*assembly),
                Err(error) => return vec![Err(format!("{}: {error}", file.display()))],
            };
            let Some(tables) = tables else { return Vec::new() };
            match Patient::read_all(file, tables, config) {
                Err(error) => vec![Err(error.to_string())],
                Ok(patients) => patients.into_iter().map(|patient| Ok((patient, tables))).collect(),
            }
        };
        std::fs::create_dir_all(&out).with_context(|| format!("could not make the folder {}", out.display()))?;
        let mut samples = Vec::new();
        let mut names = BTreeSet::new();
        // a batch of files is in memory at a time, and a page for each thread
        let work: Vec<_> = files.iter().zip(&assemblies).collect();
        for batch in work.chunks(BATCH) {
            let read: Vec<_> = batch.par_iter().map(|own| read(*own)).collect();
            let mut named = Vec::new();
            for ((file, _), read) in batch.iter().zip(read) {
                for one in read {
                    let name =
                        one.as_ref().ok().map(|(patient, _)| free_name(&patient.sample, &mut names)).transpose()?;
                    named.push((*file, one, name));
                }
            }
            let report = |(file, one, name): (&PathBuf, Result<(Patient, &Tables), String>, Option<String>)| {
                let failed = |error| Line { file: file.clone(), page: None, summary: None, error: Some(error) };
                let ((patient, tables), name) = match (one, name) {
                    (Ok(one), Some(name)) => (one, name),
                    (one, _) => return Ok(failed(one.err().unwrap_or_default())),
                };
                let of_file = file.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
                let genes = serde_json::to_string(&tables.phenotype_json(&patient, &of_file))?;
                let answers = match &model {
                    Some(model) => match tables.answers(&self.drug, patient, model) {
                        Ok(answers) => answers,
                        Err(error) => return Ok(failed(error.to_string())),
                    },
                    None => tables.guideline_answers(&self.drug, patient),
                };
                write(&out.join(name), file, &answers, &genes)
            };
            samples.extend(named.into_par_iter().map(report).collect::<Result<Vec<Line>>>()?);
        }
        Ok(Reported { samples, out, notice: "not a medical device" })
    }

    fn verdict(outcome: &Reported) -> Result<()> {
        let errors: Vec<&str> = outcome.samples.iter().filter_map(|line| line.error.as_deref()).collect();
        if let Some(first) = errors.first() {
            let (failed, all) = (errors.len(), outcome.samples.len());
            bail!("{failed} of {all} files or samples have no report; the first because: {first}");
        }
        Ok(())
    }
}

/// Files whose patients are in memory at a time.
const BATCH: usize = 64;

/// A name for the files of a sample; one that is taken gets a number.
fn free_name(sample: &str, names: &mut BTreeSet<String>) -> Result<String> {
    let own = cupel::report::file_name(sample);
    let first = if own.is_empty() { "sample".to_owned() } else { own };
    let numbered = (2..).map(|number| format!("{first}-{number}"));
    let Some(name) = std::iter::once(first.clone()).chain(numbered).find(|name| !names.contains(name)) else {
        bail!("no name is left for {first}");
    };
    names.insert(name.clone());
    Ok(name)
}

/// Writes the page, the JSON and the genes in PharmCAT's structure of a sample, as files that begin with `path`.
fn write(path: &Path, file: &Path, answers: &PatientAnswers, genes: &str) -> Result<Line> {
    let with = |ending: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    let page = with(".html");
    for (path, text) in [
        (&page, answers.to_html().as_str()),
        (&with(".json"), &serde_json::to_string_pretty(answers)?),
        (&with(".phenotype.json"), genes),
    ] {
        let write = |file: &mut dyn std::io::Write| {
            file.write_all(text.as_bytes()).map_err(cupel::data::Error::io("write", path))
        };
        cupel::data::write_atomic(path, write)?;
    }
    Ok(Line { file: file.to_path_buf(), page: Some(page), summary: Some(answers.line()), error: None })
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "reports of the samples of {} files would go to {}", self.files.len(), self.out.display())
    }
}

impl fmt::Display for Reported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.samples {
            match (&line.summary, &line.error) {
                (Some(summary), _) => writeln!(f, "{}, {summary}", line.file.display())?,
                (None, Some(error)) => writeln!(f, "{error}")?,
                (None, None) => {}
            }
        }
        write!(f, "reports in {}; {}", self.out.display(), self.notice)
    }
}
