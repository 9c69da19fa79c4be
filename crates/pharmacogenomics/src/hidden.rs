//! [`Hidden`]: how sure an answer has to be where a name was never seen.
//!
//! Of a drug that training never saw a model still says something, by the gene and by what names have in common, and its probabilities are calibrated for
//! drugs that it knows. How sure it must be to be believed is seen on rows whose name is hidden from it: an answer is given only where its
//! probability is one that few of these answers reach and that is right as often as answers are where all names are known.

use crate::{
    classifier::Classifier,
    error::Result,
    examples::Examples,
    name_parts::STEM_FIELDS,
    predictor::Predictor,
    schema::{FieldKind, Schema, TargetKind},
    splits::Parts,
    targets::Labels,
};
use cupel_data::Stream;
use serde::{Deserialize, Serialize};

/// Share of the rows with a hidden name that may be answered.
const ANSWERED: f64 = 0.1;

/// What is asked of an answer where the name of a field was never seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hidden {
    /// The field.
    pub field: String,
    /// The least probability of an answer that is given.
    pub least: f64,
}

impl Hidden {
    /// Of answers with their probability and whether they are right, to rows whose name in `field` is hidden; `right` is the share of right answers where
    /// names are known. `None` where hiding the name makes answers no worse.
    pub(crate) fn fit(field: &str, mut said: Vec<(f64, bool)>, right: f64) -> Option<Self> {
        let share = |said: &[(f64, bool)]| said.iter().filter(|(_, right)| *right).count() as f64 / said.len() as f64;
        if said.is_empty() || share(&said) >= right - WORSE {
            return None;
        }
        said.sort_by(|a, b| b.0.total_cmp(&a.0));
        let most = (ANSWERED * said.len() as f64) as usize;
        let reliable = (1..=most).rev().find(|count| share(&said[..*count]) >= right);
        // above the first that is not answered
        let first = said.get(reliable.unwrap_or(0)).map_or(0.0, |(p, _)| *p);
        Some(Self { field: field.to_owned(), least: first.next_up() })
    }
}

/// Answers that are less often right by this much are worse.
const WORSE: f64 = 0.05;
/// Validation rows whose names are hidden: a share of theirs is told within two percent.
const ROWS: usize = 600;

impl Predictor {
    /// The same, which says of classes how sure an answer has to be where a name was never seen.
    pub(crate) fn with_hidden(mut self, examples: &Examples, parts: &Parts, seed: u64) -> Result<Self> {
        let classes: Vec<usize> =
            (0..self.classes.len()).filter(|target| self.classes[*target].kind == TargetKind::Class).collect();
        let order = Stream::new(seed, "rows whose names are hidden").permutation(parts.validation.len());
        let rows: Vec<usize> = order.into_iter().take(ROWS).map(|row| parts.validation[row]).collect();
        let labels = self.classes.iter().map(|classes| classes.labels(examples)).collect::<Result<Vec<_>>>()?;
        let known = self.judged(&examples.hiding(&[], &rows)?, &labels, &rows)?;
        for field in hideable(self.encoder.schema()) {
            let with = dependent(self.encoder.schema(), &field);
            let said = self.judged(
                &examples.hiding(&with.iter().map(String::as_str).collect::<Vec<_>>(), &rows)?,
                &labels,
                &rows,
            )?;
            for target in &classes {
                let right = known[*target].iter().filter(|(_, right)| *right).count() as f64;
                let right = right / known[*target].len().max(1) as f64;
                self.answering[*target].hidden.extend(Hidden::fit(&field, said[*target].clone(), right));
            }
        }
        Ok(self)
    }

    /// Of each target what `questions`, which are `rows` of the labels, are answered: the probability and whether it is right.
    fn judged(&self, questions: &Examples, labels: &[Labels], rows: &[usize]) -> Result<Vec<Vec<(f64, bool)>>> {
        let all: Vec<usize> = (0..questions.len()).collect();
        let said = self.probabilities(questions, &all)?;
        let judge = |((answering, labels), said): ((&crate::Answering, &Labels), &crate::Predictions)| {
            let of_row = |(i, row): (usize, &usize)| {
                let truth = labels.class(*row)?;
                let verdict = answering.verdict(said.kind(), said.row(i), &[]);
                // what is not answered is as little as an answer can be
                Some(verdict.answer().first().map_or((0.0, false), |class| (said.row(i)[*class], *class == truth)))
            };
            rows.iter().enumerate().filter_map(of_row).collect()
        };
        Ok(self.answering.iter().zip(labels).zip(&said).map(judge).collect())
    }
}

/// The fields that an answer stands on: the drug and those that others fall back to; where a schema has none of them all of categories.
fn hideable(schema: &Schema) -> Vec<String> {
    let categories = || schema.fields.iter().filter(|field| field.kind == FieldKind::Category);
    let falls_back =
        |name: &str| schema.fields.iter().any(|field| field.back_off.last().is_some_and(|last| last == name));
    let grounds: Vec<String> = categories()
        .filter(|field| STEM_FIELDS.contains(&field.name.as_str()) || falls_back(&field.name))
        .map(|field| field.name.clone())
        .collect();
    if grounds.is_empty() { categories().map(|field| field.name.clone()).collect() } else { grounds }
}

/// A field and those that fall back to it: a site is not known whose gene is not.
fn dependent(schema: &Schema, name: &str) -> Vec<String> {
    let falls_back = |field: &&crate::Field| field.name == name || field.back_off.iter().any(|other| other == name);
    schema.fields.iter().filter(falls_back).map(|field| field.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_answers_are_given_and_those_are_right() {
        // an answer of probability p is right in a share p of the rows; where names are known in .6 of them
        let said: Vec<(f64, bool)> =
            (0..1000).map(|i| (i as f64 / 1000.0, (i * 7919 % 1000) as f64 / 1000.0 < i as f64 / 1000.0)).collect();
        let hidden = Hidden::fit("drug", said.clone(), 0.6).unwrap();
        assert!((hidden.least - 0.9).abs() < 0.002, "{hidden:?}");
        assert_eq!(Hidden::fit("drug", said.clone(), 0.5), None, "as good as with the name");
        let never = said.iter().map(|(p, _)| (*p, false)).collect();
        assert!(Hidden::fit("drug", never, 0.6).unwrap().least > 0.998, "nothing that is not right");
    }
}
