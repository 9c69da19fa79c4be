//! `cupel pgx predict`: what a model says of one question, or of every row of a table.

use std::{fmt, path::PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use cupel::{
    pharmacogenomics::{Answer, Examples, Model, Purpose, question},
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
    #[arg(long, value_name = "FIELD=VALUE", required_unless_present = "table", conflicts_with = "table")]
    query: Vec<String>,

    /// Rows to answer: TSV, CSV or their kin, with the model's fields as columns
    #[arg(long, value_name = "FILE")]
    table: Option<PathBuf>,

    /// Keep the weights of networks in 8 bits
    #[arg(long, value_enum, value_name = "KIND")]
    quantize: Option<Quantize>,

    #[command(flatten)]
    options: Options,
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
        let schema = model.predictor.schema();
        let questions = match &self.table {
            Some(table) => Examples::read(table, schema, &[], Purpose::Asking)?,
            None => question(schema, &pairs(&self.query)?)?,
        };
        let rows: Vec<usize> = (0..questions.len()).collect();
        let printed = Printed { answers: model.answer(&questions, &rows)? };
        match &self.options.out {
            None => output.result(&printed)?,
            Some(out) => {
                let text = serde_json::to_string_pretty(&printed)?;
                if out.exists() && !self.options.force {
                    bail!("{} is there already; replace it with --force", out.display());
                }
                cupel::data::write_atomic(out, |file| {
                    file.write_all(text.as_bytes()).map_err(cupel::data::Error::io("write", out))
                })?;
                output.note(format_args!("{} answers in {}", printed.answers.len(), out.display()));
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
            writeln!(f, "answered by the {}; nearest evidence:", answer.answered_by)?;
            for near in &answer.evidence {
                writeln!(f, "  {} (same {})", near.group, near.shared.join(", "))?;
            }
        }
        Ok(())
    }
}
