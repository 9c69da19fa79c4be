//! [`Evaluation`]: a model's measures on one part of a table, with intervals and the coverage of its sets.

use crate::{
    classifier::Classifier,
    error::Result,
    examples::Examples,
    metrics::{ClassMeasures, LabelMeasures, argmax},
    predictions::Predictions,
    predictor::{Answering, Predictor},
    schema::TargetKind,
    targets::Labels,
};
use cupel_statistics::{Bin, Interval, Reliability, interval};
use serde::Serialize;
use std::collections::BTreeMap;

/// Groups of rows with fewer than this are not reported on their own.
pub const STRATUM_ROWS: usize = 400;

/// Measures of every target.
#[derive(Clone, Debug, Serialize)]
pub struct Evaluation {
    /// By the name of the target.
    pub targets: BTreeMap<String, TargetEvaluation>,
    /// Rows evaluated.
    pub rows: usize,
    /// The reliability table of each target: of classes that of the largest probability, of labels that of all together.
    pub reliability: BTreeMap<String, Vec<Bin>>,
}

/// Measures of one target.
#[derive(Clone, Debug, Serialize)]
pub struct TargetEvaluation {
    /// The measures.
    #[serde(flatten)]
    pub measures: Measures,
    /// 95 % intervals of some of them, from groups drawn with replacement.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub intervals: BTreeMap<&'static str, Interval>,
    /// What the conformal sets hold.
    pub conformal: Coverage,
    /// Rows whose class training never saw and that no merged class takes; they are in no measure.
    pub unseen_or_missing: usize,
}

/// Measures of either kind of target.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Measures {
    /// Of classes.
    Class(ClassMeasures),
    /// Of labels.
    Labels(LabelMeasures),
    /// The target is known in no row.
    Nothing {},
}

/// How often the sets hold the truth, and how large they are.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Coverage {
    /// What was promised.
    pub promised: f64,
    /// Share of truths in their sets.
    pub covered: f64,
    /// Mean number of classes in a set; of labels the mean share of labels left open or empty is read from it: 1 is sure.
    pub size: f64,
    /// Share of the rows of each stratum, of the strata with enough rows.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub strata: BTreeMap<String, f64>,
}

/// What to evaluate.
#[derive(Clone, Debug)]
pub struct EvaluationConfig<'a> {
    /// Resamples for the intervals; 0 for none.
    pub bootstrap: usize,
    /// Seed of the resamples.
    pub seed: u64,
    /// A column of categories by whose values the coverage of the sets is reported as well.
    pub strata: Option<&'a str>,
}

impl Measures {
    /// The measures with intervals, by name.
    fn headline(&self) -> Vec<(&'static str, Option<f64>)> {
        match self {
            Self::Class(m) => vec![
                ("log_loss", Some(m.log_loss)),
                ("weighted_f1", Some(m.weighted_f1)),
                ("macro_f1", Some(m.macro_f1)),
                ("micro_f1", Some(m.micro_f1)),
                ("auroc", m.auroc),
                ("ece", Some(m.ece)),
            ],
            Self::Labels(m) => vec![
                ("log_loss", Some(m.log_loss)),
                ("weighted_f1", Some(m.weighted_f1)),
                ("macro_f1", Some(m.macro_f1)),
                ("micro_f1", Some(m.micro_f1)),
                ("auroc", m.auroc),
                ("ece", Some(m.ece)),
            ],
            Self::Nothing {} => Vec::new(),
        }
    }

    /// A measure by its name: `log_loss`, `weighted_f1`, `macro_f1`, `micro_f1`, `auroc` or `ece`.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.headline().into_iter().find(|(known, _)| *known == name)?.1
    }
}

impl Evaluation {
    /// Evaluates on `rows` of the examples.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) when a field or target is missing.
    pub fn of(
        predictor: &Predictor,
        examples: &Examples,
        rows: &[usize],
        config: &EvaluationConfig<'_>,
    ) -> Result<Self> {
        let predictions = predictor.probabilities(examples, rows)?;
        Self::of_predictions(predictor, &predictions, examples, rows, config)
    }

    /// Evaluates each model on its own, with the decisions of the whole.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub fn of_members(
        predictor: &Predictor,
        examples: &Examples,
        rows: &[usize],
        config: &EvaluationConfig<'_>,
    ) -> Result<Vec<(String, Self)>> {
        let of_member = |member: &crate::Member| {
            let said = member.probabilities(examples, rows)?;
            let evaluation = Self::of_predictions(predictor, &said, examples, rows, config)?;
            Ok((member.name().to_string(), evaluation))
        };
        predictor.members().iter().map(of_member).collect()
    }

    /// Evaluates given probabilities of `rows`, target by target, with the decisions and sets of `predictor`.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) when a target is missing.
    pub fn of_predictions(
        predictor: &Predictor,
        predictions: &[Predictions],
        examples: &Examples,
        rows: &[usize],
        config: &EvaluationConfig<'_>,
    ) -> Result<Self> {
        let strata = config.strata.map(|column| examples.table().category(column)).transpose()?;
        let groups = examples.groups_or_rows();
        let (mut targets, mut reliability) = (BTreeMap::new(), BTreeMap::new());
        for ((classes, answering), said) in predictor.classes().iter().zip(predictor.answering()).zip(predictions) {
            let labels = classes.labels(examples)?;
            let measures = measures(said, answering, &labels, rows);
            let position: BTreeMap<usize, usize> = rows.iter().enumerate().map(|(i, row)| (*row, i)).collect();
            let names: Vec<&'static str> = measures.headline().into_iter().map(|(name, _)| name).collect();
            let drawn = interval(rows, &groups, config.bootstrap, config.seed, |resampled| {
                let values = resampled.iter().flat_map(|row| said.row(position[row]).to_vec()).collect();
                let said = Predictions::new(said.kind(), said.width(), values);
                let values = self::measures(&said, answering, &labels, resampled).headline();
                names.iter().map(|name| values.iter().find(|(known, _)| known == name)?.1).collect()
            });
            let intervals = names.iter().zip(drawn).filter_map(|(name, drawn)| Some((*name, drawn?))).collect();
            let evaluation = TargetEvaluation {
                measures,
                intervals,
                conformal: coverage(said, answering, &labels, rows, strata),
                unseen_or_missing: rows.iter().filter(|row| !labels.is_known(**row)).count(),
            };
            targets.insert(classes.target.clone(), evaluation);
            reliability.insert(classes.target.clone(), bins(said, &labels, rows));
        }
        Ok(Self { targets, rows: rows.len(), reliability })
    }
}

fn measures(said: &Predictions, answering: &Answering, labels: &Labels, rows: &[usize]) -> Measures {
    let decision = &answering.decision;
    match said.kind() {
        TargetKind::Class => {
            let measures = decision.class_score(said, labels, rows).and_then(|score| score.measures());
            measures.map_or(Measures::Nothing {}, Measures::Class)
        }
        TargetKind::Labels => {
            let measures = decision.label_score(said, labels, rows).and_then(|score| score.measures());
            measures.map_or(Measures::Nothing {}, Measures::Labels)
        }
    }
}

fn bins(said: &Predictions, labels: &Labels, rows: &[usize]) -> Vec<Bin> {
    let mut reliability = Reliability::default();
    let mut truth = vec![0.0; said.width()];
    for (i, row) in rows.iter().enumerate().filter(|(_, row)| labels.is_known(**row)) {
        let p = said.row(i);
        match labels.class(*row) {
            Some(class) => {
                let likeliest = argmax(p);
                reliability.push(p[likeliest], likeliest == class);
            }
            None => {
                labels.write_row(*row, &mut truth);
                p.iter().zip(&truth).for_each(|(p, y)| reliability.push(*p, *y > 0.0));
            }
        }
    }
    reliability.bins()
}

fn coverage(
    said: &Predictions,
    answering: &Answering,
    labels: &Labels,
    rows: &[usize],
    strata: Option<(&[u32], &[String])>,
) -> Coverage {
    let covered = answering.conformal.covered(said, labels, rows);
    let share = |of: &[[usize; 3]]| {
        let sum = |which: usize| of.iter().map(|counts| counts[which]).sum::<usize>() as f64;
        (sum(0) / sum(1).max(1.0), sum(2) / sum(1).max(1.0))
    };
    let all: Vec<[usize; 3]> = covered.iter().flatten().copied().collect();
    let (pooled, size) = share(&all);
    let mut by_stratum: BTreeMap<String, Vec<[usize; 3]>> = BTreeMap::new();
    if let Some((codes, names)) = strata {
        for (row, counts) in rows.iter().zip(&covered) {
            if let (Some(name), Some(counts)) = (names.get(codes[*row] as usize), counts) {
                by_stratum.entry(name.clone()).or_default().push(*counts);
            }
        }
    }
    let strata = by_stratum.into_iter().filter(|(_, counts)| counts.len() >= STRATUM_ROWS);
    Coverage {
        promised: answering.conformal.coverage,
        covered: pooled,
        size,
        strata: strata.map(|(name, counts)| (name, share(&counts).0)).collect(),
    }
}
