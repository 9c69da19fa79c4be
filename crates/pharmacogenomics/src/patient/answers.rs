//! [`PatientAnswers`]: what is known of a patient's genes and what follows for drugs, in words and as JSON.

use super::{DrugAnswer, Patient, Source, Tables};
use crate::{error::Result, model_folder::Model};
use serde::Serialize;
use std::fmt;

/// A patient's genes with the answers for drugs.
#[derive(Clone, Debug, Serialize)]
pub struct PatientAnswers {
    /// The genes.
    #[serde(flatten)]
    pub patient: Patient,
    /// Drug by drug.
    pub answers: Vec<DrugAnswer>,
    /// What it is not.
    pub notice: &'static str,
}

impl Tables {
    /// What is known of `drugs` for a patient; without any, of those that guidelines mention for his genes.
    ///
    /// # Errors
    /// As [`answer`](Self::answer).
    pub fn answers(&self, drugs: &[String], patient: Patient, model: &Model) -> Result<PatientAnswers> {
        let drugs = if drugs.is_empty() { self.drugs(&patient) } else { drugs.to_vec() };
        let answers = drugs.iter().map(|drug| self.answer(drug, &patient, model)).collect::<Result<_>>()?;
        Ok(PatientAnswers { patient, answers, notice: "not a medical device" })
    }
}

impl fmt::Display for PatientAnswers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "sample {}, {}; {}", self.patient.sample, self.patient.assembly, self.notice)?;
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
                    writeln!(f, "{}: not known, {because}", call.gene)?;
                }
                _ => {}
            }
        }
        self.answers.iter().try_for_each(|answer| write!(f, "\n{answer}"))
    }
}

impl fmt::Display for DrugAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.answered_by {
            Source::Guideline => self.recommendations.iter().try_for_each(|one| {
                write!(f, "{} ({} guideline", self.drug, one.source)?;
                one.strength.iter().try_for_each(|strength| write!(f, ", {strength}"))?;
                one.population.iter().try_for_each(|population| write!(f, ", {population}"))?;
                writeln!(f, "; {}): {}", one.because.join(", "), one.recommendation)
            }),
            Source::Model => self.model.iter().try_for_each(|(gene, said)| {
                writeln!(f, "{} and {gene} (model):", self.drug)?;
                said.write_targets(f)
            }),
            Source::Nobody => writeln!(f, "{}: nothing is known for this genotype", self.drug),
        }
    }
}
