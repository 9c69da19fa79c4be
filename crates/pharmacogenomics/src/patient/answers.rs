//! [`PatientAnswers`]: what is known of a patient's genes and what follows for drugs, in words and as JSON.

use super::{DefinitionSource, DrugAnswer, NotDetermined, Patient, Source, Tables};
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
    /// The tables of rules and phenotypes that were asked.
    pub sources: Vec<DefinitionSource>,
    /// What it is not.
    pub notice: &'static str,
}

/// Missing places that are named in words; JSON has all.
const NAMED: usize = 6;

impl Tables {
    /// What is known of `drugs` for a patient; without any, of those that guidelines mention for his genes.
    ///
    /// # Errors
    /// As [`answer`](Self::answer).
    pub fn answers(&self, drugs: &[String], patient: Patient, model: &Model) -> Result<PatientAnswers> {
        let drugs = if drugs.is_empty() { self.drugs(&patient) } else { drugs.to_vec() };
        let answers = drugs.iter().map(|drug| self.answer(drug, &patient, model)).collect::<Result<_>>()?;
        Ok(self.together(patient, answers))
    }

    /// The same from the guidelines alone.
    pub fn guideline_answers(&self, drugs: &[String], patient: Patient) -> PatientAnswers {
        let drugs = if drugs.is_empty() { self.drugs(&patient) } else { drugs.to_vec() };
        let answers = drugs.iter().map(|drug| self.guideline(drug, &patient)).collect();
        self.together(patient, answers)
    }

    fn together(&self, patient: Patient, answers: Vec<DrugAnswer>) -> PatientAnswers {
        PatientAnswers { patient, answers, sources: self.sources.clone(), notice: NOTICE }
    }
}

/// What stands on every answer.
const NOTICE: &str = "not a medical device";

/// What rules say that recommend nothing.
const SILENT: &str = "No recommendation";

/// How a drug's answer is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// A guideline changes the dose or the drug, or asks for other care.
    Change,
    /// All guidelines answer, and none asks for a change.
    NoChange,
    /// There are guidelines, and of one a gene is not determined, while no other asks for a change.
    NotDetermined,
    /// No guideline has a word, or none but that it has none.
    NoGuideline,
}

impl DrugAnswer {
    /// How it is read.
    pub fn group(&self) -> Group {
        match self.answered_by {
            // a recommendation of which the table says nothing is taken for a change
            Source::Guideline if self.recommendations.iter().any(|one| one.change != Some(false)) => Group::Change,
            // "no change" would be said of a gene that was not read
            Source::Guideline if !self.not_determined.is_empty() => Group::NotDetermined,
            Source::Guideline if self.recommendations.iter().all(|one| one.recommendation.starts_with(SILENT)) => {
                Group::NoGuideline
            }
            Source::Guideline => Group::NoChange,
            Source::NotDetermined => Group::NotDetermined,
            Source::Model | Source::Nobody => Group::NoGuideline,
        }
    }
}

impl PatientAnswers {
    /// One line: who it is and how many drugs are in each group.
    pub fn line(&self) -> String {
        let count = |group: Group| self.answers.iter().filter(|answer| answer.group() == group).count();
        let [change, same, open] = [Group::Change, Group::NoChange, Group::NotDetermined].map(count);
        let known = self.patient.genes.iter().filter(|call| call.phenotype.is_some()).count();
        format!(
            "{}: {known} genes determined; {change} drugs with a change, {same} without, {open} not determined",
            self.patient.sample
        )
    }
}

fn some_of(names: &[String]) -> String {
    match names.len() {
        count if count > NAMED => format!("{} and {} more", names[..NAMED].join(", "), count - NAMED),
        _ => names.join(", "),
    }
}

impl fmt::Display for PatientAnswers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "sample {}, {}; {}", self.patient.sample, self.patient.assembly, self.notice)?;
        self.sources.iter().try_for_each(|source| {
            let version = source.version.as_deref().unwrap_or("no version");
            writeln!(f, "{}: {version}, {}", source.file, source.hash)
        })?;
        self.patient.warnings.iter().try_for_each(|warning| writeln!(f, "warning: {warning}"))?;
        for call in &self.patient.genes {
            // most genes of the tables are of no concern to most files
            if !call.tested() && !call.outside {
                continue;
            }
            match (&call.phenotype, &call.unknown_because) {
                (Some(phenotype), _) => {
                    write!(f, "{} {}: {}", call.gene, call.diplotypes.join(" or "), phenotype.name)?;
                    if let Some(score) = phenotype.activity_score {
                        write!(f, ", activity score {score}")?;
                    }
                    match call.not_looked_for.len() {
                        0 => writeln!(f)?,
                        _ => writeln!(f, " (not looked for: {})", call.not_looked_for.join(", "))?,
                    }
                }
                (None, Some(because)) => writeln!(f, "{}: not determined, {because}", call.gene)?,
                (None, None) => writeln!(f, "{}: {}", call.gene, call.diplotypes.join(" or "))?,
            }
            if call.outside {
                writeln!(f, "  given from outside")?;
            } else {
                write!(f, "  {} of {} places read", call.places - call.not_read, call.places)?;
                if call.assumed > 0 {
                    write!(f, ", {} assumed to be reference", call.assumed)?;
                }
                if !call.missing.is_empty() {
                    write!(f, "; not read: {}", some_of(&call.missing))?;
                }
                if !call.not_told_apart.is_empty() {
                    write!(f, "; not told apart because of it: {}", some_of(&call.not_told_apart))?;
                }
                if let Some(source) = &call.definition {
                    write!(
                        f,
                        "; {} {} {}",
                        source.file,
                        source.version.as_deref().unwrap_or("no version"),
                        source.hash
                    )?;
                }
                writeln!(f)?;
            }
            call.warnings.iter().try_for_each(|warning| writeln!(f, "  warning: {warning}"))?;
        }
        self.answers.iter().try_for_each(|answer| write!(f, "\n{answer}"))
    }
}

impl fmt::Display for DrugAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for one in &self.recommendations {
            write!(f, "{} ({} guideline", self.drug, one.source)?;
            one.strength.iter().try_for_each(|strength| write!(f, ", {strength}"))?;
            one.population.iter().try_for_each(|population| write!(f, ", {population}"))?;
            writeln!(f, "; {}): {}", one.because.join(", "), one.recommendation)?;
        }
        self.not_determined.iter().try_for_each(|own| write_open(f, &self.drug, own))?;
        if self.answered_by == Source::Nobody {
            writeln!(f, "{}: nothing is known for this genotype", self.drug)?;
        }
        if let Some(name) = &self.did_you_mean {
            writeln!(f, "no guideline knows {}, did you mean {name}?", self.drug)?;
        }
        if self.model.is_empty() {
            return Ok(());
        }
        if self.answered_by != Source::Model {
            writeln!(f, "what the model says of other genes, which is no guideline's word:")?;
        }
        self.model.iter().try_for_each(|(gene, said)| {
            writeln!(f, "{} and {gene} (model):", self.drug)?;
            said.write_targets(f)
        })
    }
}

fn write_open(f: &mut fmt::Formatter<'_>, drug: &str, own: &NotDetermined) -> fmt::Result {
    write!(f, "{drug} ({} guideline", own.source)?;
    own.population.iter().try_for_each(|population| write!(f, ", {population}"))?;
    write!(f, "): not determined")?;
    for gene in &own.genes {
        write!(f, "; {}: {}", gene.gene, gene.because)?;
        if !gene.missing.is_empty() {
            write!(f, " (not read: {})", some_of(&gene.missing))?;
        }
    }
    writeln!(f)?;
    for possible in &own.possible {
        let text =
            if possible.recommendations.is_empty() { "no rule".into() } else { possible.recommendations.join(" / ") };
        writeln!(f, "  if {}: {text}", possible.of.join(", "))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MissingGene, Recommendation};

    /// A guideline that asks for no change, or for one, beside one whose gene nobody looked at.
    #[test]
    fn no_change_is_said_only_where_every_guideline_answers() {
        let recommendation = |change: bool| Recommendation {
            source: "CPIC".into(),
            guideline: "P1".into(),
            id: "R1".into(),
            because: Vec::new(),
            population: None,
            strength: None,
            implications: String::new(),
            recommendation: "usual dose".into(),
            change: Some(change),
            version: None,
            link: String::new(),
        };
        let open = NotDetermined {
            source: "DPWG".into(),
            guideline: "P2".into(),
            population: None,
            genes: vec![MissingGene {
                gene: "gene02".into(),
                because: "not tested".into(),
                missing: Vec::new(),
                not_tested: true,
            }],
            possible: Vec::new(),
        };
        for (change, not_determined, group) in [
            (false, vec![], Group::NoChange),
            (false, vec![open.clone()], Group::NotDetermined),
            (true, vec![open], Group::Change),
        ] {
            let answer = DrugAnswer {
                drug: "drug01".into(),
                answered_by: Source::Guideline,
                recommendations: vec![recommendation(change)],
                not_determined,
                model: std::collections::BTreeMap::new(),
                did_you_mean: None,
            };
            assert_eq!(answer.group(), group);
        }
    }
}
