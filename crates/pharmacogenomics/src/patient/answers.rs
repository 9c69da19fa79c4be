//! [`PatientAnswers`]: what is known of a patient's genes and what follows for drugs, in words and as JSON.

use super::{DefinitionSource, DrugAnswer, NotDetermined, Patient, Source, Tables};
use crate::{
    answers::{NOTICE, line},
    error::Result,
    model_folder::Model,
};
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

/// What rules say that recommend nothing.
const SILENT: &str = "No recommendation";

/// How a drug's answer is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// A guideline changes the dose or the drug, or asks for other care.
    Change,
    /// All guidelines answer, and none asks for a change.
    NoChange,
    /// There are guidelines, and of one a gene is not determined or not tested, while no other asks for a change.
    NotDetermined,
    /// No guideline has a word, or none but that it has none.
    NoGuideline,
}

impl DrugAnswer {
    /// Whether a recommendation is a guideline's word without a gene that it asks for.
    fn lacks_a_gene(&self) -> bool {
        self.recommendations.iter().any(|one| !one.not_tested.is_empty())
    }

    /// How it is read.
    pub fn group(&self) -> Group {
        match self.answered_by {
            // what a determined guideline asks for stands, whatever another lacks; where the table does not say it is taken for a change
            Source::Guideline if self.recommendations.iter().any(|one| one.change != Some(false)) => Group::Change,
            // "no change" would be said of a gene that was not read
            Source::Guideline if !self.not_determined.is_empty() || self.lacks_a_gene() => Group::NotDetermined,
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

/// The columns of [`PatientAnswers::to_table`].
const COLUMNS: [&str; 16] = [
    "sample",
    "drug",
    "answered_by",
    "group",
    "source",
    "guideline",
    "name",
    "date",
    "link",
    "population",
    "because",
    "strength",
    "recommendation",
    "change",
    "not_determined",
    "not_read",
];

impl PatientAnswers {
    /// A line for each recommendation and each guideline that is not determined, cells apart by `separator`; a drug of which neither is there has one.
    pub fn to_table(&self, separator: char) -> String {
        let mut text = line(separator, &COLUMNS);
        for answer in &self.answers {
            let by = match answer.answered_by {
                Source::Guideline => "guideline",
                Source::Model => "model",
                Source::NotDetermined => "not determined",
                Source::Nobody => "nobody",
            };
            let group = match answer.group() {
                Group::Change => "change",
                Group::NoChange => "no change",
                Group::NotDetermined => "not determined",
                Group::NoGuideline => "no guideline",
            };
            let first = [self.patient.sample.as_str(), &answer.drug, by, group];
            let mut add =
                |rest: [&str; 12]| text += &line(separator, &first.iter().chain(&rest).copied().collect::<Vec<_>>());
            for one in &answer.recommendations {
                let or_none = |text: &Option<String>| text.clone().unwrap_or_default();
                let change = one.change.map(|change| change.to_string()).unwrap_or_default();
                add([
                    &one.source,
                    &one.guideline,
                    &one.name,
                    &or_none(&one.date),
                    &one.link,
                    &or_none(&one.population),
                    &one.because.join("; "),
                    &or_none(&one.strength),
                    &one.recommendation,
                    &change,
                    &one.not_tested.join("; "),
                    "",
                ]);
            }
            for own in &answer.not_determined {
                let population = own.population.clone().unwrap_or_default();
                let open: Vec<String> =
                    own.genes.iter().map(|gene| format!("{}: {}", gene.gene, gene.because)).collect();
                let missing: Vec<&str> = own.genes.iter().flat_map(|gene| &gene.missing).map(String::as_str).collect();
                let (open, missing) = (open.join("; "), missing.join("; "));
                add([
                    &own.source,
                    &own.guideline,
                    &own.name,
                    "",
                    &own.link,
                    &population,
                    "",
                    "",
                    "",
                    "",
                    &open,
                    &missing,
                ]);
            }
            if answer.recommendations.is_empty() && answer.not_determined.is_empty() {
                add([""; 12]);
            }
        }
        text
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
            if !call.odds.is_empty() {
                let odds = call.odds.iter().map(|one| format!("{} {:.1} %", one.diplotype, 100.0 * one.share));
                let odds: Vec<String> = odds.collect();
                writeln!(f, "  in the population asked for, which decides nothing: {}", some_of(&odds))?;
            }
            call.warnings.iter().try_for_each(|warning| writeln!(f, "  warning: {warning}"))?;
        }
        self.answers.iter().try_for_each(|answer| write!(f, "\n{answer}"))
    }
}

impl fmt::Display for DrugAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.taken_for {
            writeln!(f, "{} is taken for {name}", self.drug)?;
        }
        for one in &self.recommendations {
            write!(f, "{} ({} guideline", self.drug, one.source)?;
            one.strength.iter().try_for_each(|strength| write!(f, ", {strength}"))?;
            one.population.iter().try_for_each(|population| write!(f, ", {population}"))?;
            writeln!(f, "; {}): {}", one.because.join(", "), one.recommendation)?;
            let version = one.date.as_deref().or(one.version.as_deref()).unwrap_or("no version");
            writeln!(f, "  {}, {version}, {}", one.name, one.page.as_deref().unwrap_or(&one.link))?;
            if !one.not_tested.is_empty() {
                writeln!(
                    f,
                    "  without {}, which was not tested: its result could change this",
                    one.not_tested.join(", ")
                )?;
            }
        }
        if !self.recommendations.is_empty() && !self.not_determined.is_empty() {
            writeln!(
                f,
                "{}: what follows is not determined, and could ask for more than what stands above",
                self.drug
            )?;
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
            name: "a guideline".into(),
            id: "R1".into(),
            because: Vec::new(),
            population: None,
            strength: None,
            implications: String::new(),
            recommendation: "usual dose".into(),
            change: Some(change),
            not_tested: Vec::new(),
            version: None,
            date: None,
            link: String::new(),
            page: None,
            level: None,
            papers: Vec::new(),
        };
        let open = NotDetermined {
            source: "DPWG".into(),
            guideline: "P2".into(),
            name: "another".into(),
            link: String::new(),
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
                taken_for: None,
                did_you_mean: None,
            };
            assert_eq!(answer.group(), group);
        }
    }
}
