//! [`Answer`]: what a model says of one question, how sure it is, and on what grounds.

use crate::{
    answers::Answers,
    classifier::Classifier,
    error::{Error, Result},
    evidence::Near,
    examples::{Examples, cell},
    model_folder::Model,
    patient::{DrugAnswer, Source},
    schema::Schema,
};
use cupel_data::{Table, nearest_name};
use cupel_settings::Problem;
use serde::Serialize;
use std::collections::BTreeMap;

/// What a model says of one row.
#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    /// By target.
    pub targets: BTreeMap<String, TargetAnswer>,
    /// Two targets in one answer, where there are two of classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub joint: Option<JointAnswer>,
    /// Fields whose name training never saw.
    pub unknown: Vec<UnknownName>,
    /// The training groups that are nearest, nearest first.
    pub evidence: Vec<Near>,
    /// What answered: "guideline", "not determined" where a gene that a guideline asks for is not, or "model".
    pub answered_by: &'static str,
    /// What guidelines say, where a diplotype, phenotype or activity was given and tables were asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guideline: Option<Box<DrugAnswer>>,
}

impl Answer {
    /// With what guidelines say, which goes before the model's word.
    #[must_use]
    pub fn with_guideline(mut self, said: DrugAnswer) -> Self {
        self.answered_by = match said.answered_by {
            Source::Guideline => "guideline",
            Source::NotDetermined => "not determined",
            Source::Model | Source::Nobody => self.answered_by,
        };
        self.guideline = Some(Box::new(said));
        self
    }
}

/// What a model says of one target.
#[derive(Clone, Debug, Serialize)]
pub struct TargetAnswer {
    /// The class decided for, or the labels; empty when the model abstains.
    pub answer: Vec<String>,
    /// The probability of each class or label, largest first.
    pub probabilities: Vec<(String, f64)>,
    /// The classes that cannot be excluded at the promised coverage; of labels those that cannot be excluded.
    pub possible: Vec<String>,
    /// The promised coverage of [`possible`](Self::possible).
    pub coverage: f64,
    /// Nothing fits, or nothing can be excluded: the model does not know.
    pub abstains: bool,
}

/// What a model says of two targets together.
#[derive(Clone, Debug, Serialize)]
pub struct JointAnswer {
    /// The targets.
    pub targets: [String; 2],
    /// The likeliest pair of classes; empty when the model abstains on either target.
    pub answer: Vec<String>,
    /// The likeliest pairs, largest first: a class of either target and the probability of both.
    pub probabilities: Vec<([String; 2], f64)>,
}

/// A name that training never saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnknownName {
    /// The field.
    pub field: String,
    /// The name, normalised.
    pub name: String,
    /// The known name that was probably meant.
    pub did_you_mean: Option<String>,
}

/// Pairs of classes named.
const PAIRS: usize = 5;
/// Groups named as evidence.
const NEAREST: usize = 5;

impl Model {
    /// Answers every row of `questions`.
    ///
    /// # Errors
    /// As [`answer`](Self::answer).
    pub fn answers(&self, questions: &Examples) -> Result<Answers> {
        let rows: Vec<usize> = (0..questions.len()).collect();
        Ok(self.answer(questions, &rows)?.into())
    }

    /// Answers `rows` of `questions`.
    ///
    /// # Errors
    /// [`Error::Data`] when the questions lack a field.
    pub fn answer(&self, questions: &Examples, rows: &[usize]) -> Result<Vec<Answer>> {
        let said = self.predictor.probabilities(questions, rows)?;
        let mut answers = Vec::with_capacity(rows.len());
        for (i, row) in rows.iter().enumerate() {
            let mut targets = BTreeMap::new();
            let unknown = self.predictor.unknown_fields(questions, *row)?;
            for ((classes, answering), said) in
                self.predictor.classes().iter().zip(self.predictor.answering()).zip(&said)
            {
                let p = said.row(i);
                let mut probabilities: Vec<(String, f64)> =
                    classes.names.iter().cloned().zip(p.iter().copied()).collect();
                probabilities.sort_by(|a, b| b.1.total_cmp(&a.1));
                let name = |class: usize| classes.names[class].clone();
                let verdict = answering.verdict(classes.kind, p, &unknown);
                let answer = verdict.answer().iter().copied().map(name).collect();
                let abstains = verdict.abstains;
                let possible = (0..classes.len()).filter(|class| verdict.possible[*class]).map(name).collect();
                let coverage = answering.conformal.coverage;
                let answer = TargetAnswer { answer, probabilities, possible, coverage, abstains };
                targets.insert(classes.target.clone(), answer);
            }
            let joint = self.predictor.joint(&said, i).map(|(both, p)| self.joint_answer(both, &p, &targets));
            answers.push(Answer {
                joint,
                targets,
                unknown: self.unknown(questions, *row)?,
                evidence: self.evidence.nearest(questions, *row, NEAREST)?,
                answered_by: "model",
                guideline: None,
            });
        }
        Ok(answers)
    }

    fn joint_answer(&self, both: [usize; 2], p: &[f64], targets: &BTreeMap<String, TargetAnswer>) -> JointAnswer {
        let classes = both.map(|target| &self.predictor.classes()[target]);
        let width = classes[1].len();
        let pair = |at: usize| [classes[0].names[at / width].clone(), classes[1].names[at % width].clone()];
        let mut order: Vec<usize> = (0..p.len()).collect();
        order.sort_by(|a, b| p[*b].total_cmp(&p[*a]).then(a.cmp(b)));
        let names = classes.map(|classes| classes.target.clone());
        let abstains = names.iter().any(|name| targets.get(name).is_none_or(|target| target.abstains));
        let answer = order.first().filter(|_| !abstains).map(|at| pair(*at).to_vec()).unwrap_or_default();
        let probabilities = order.into_iter().take(PAIRS).map(|at| (pair(at), p[at])).collect();
        JointAnswer { targets: names, answer, probabilities }
    }

    /// The fields of a row whose name training never saw.
    ///
    /// # Errors
    /// [`Error::Data`] when the questions lack a field.
    pub fn unknown(&self, questions: &Examples, row: usize) -> Result<Vec<UnknownName>> {
        let mut unknown = Vec::new();
        for field in self.predictor.unknown_fields(questions, row)? {
            let Some(name) = questions.name(field, row)? else { continue };
            let index = self.predictor.schema().fields.iter().position(|own| own.name == field);
            let vocabulary = index.and_then(|index| self.encoder.vocabulary(index));
            let did_you_mean = vocabulary.and_then(|names| names.suggestion(name)).map(str::to_string);
            unknown.push(UnknownName { field: field.to_owned(), name: name.to_string(), did_you_mean });
        }
        Ok(unknown)
    }
}

/// One question from pairs of field and value; fields that are not given are missing.
///
/// # Errors
/// [`Error::UnknownField`] for a field that the schema lacks, [`Error::Setting`] for a number that is none and for a field that is given twice.
pub fn question(schema: &Schema, given: &[(String, String)]) -> Result<Examples> {
    let have: Vec<String> = schema.fields.iter().map(|field| field.name.clone()).collect();
    for (index, (name, _)) in given.iter().enumerate() {
        if let Some((_, first)) = given[..index].iter().find(|(known, _)| known == name) {
            let got = format!("{name} twice, as {first:?} and as {:?}", given[index].1);
            return Err(Problem::value("query", got, "each field once").into());
        }
        if !have.contains(name) {
            let suggestion = nearest_name(name, have.iter().map(String::as_str)).map(str::to_string);
            return Err(Error::UnknownField { name: name.clone(), suggestion, have });
        }
    }
    let mut columns = Vec::new();
    for field in &schema.fields {
        let value = given.iter().find(|(name, _)| *name == field.name).map_or("", |(_, value)| value);
        let wrong = |problem| Problem::value("query", format!("{}={value}", field.name), problem);
        let column = cell(field, value).map_err(wrong)?;
        columns.push((field.name.clone(), column));
    }
    Examples::of_table(schema.clone(), Table::new(columns)?, "query")
}
