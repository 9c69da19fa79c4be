//! [`Evaluation`]: a model's measures on one part of a table, with intervals and the coverage of its sets.

use crate::{
    classifier::Classifier,
    error::Result,
    examples::Examples,
    leakage::Leakage,
    metrics::{ClassMeasures, LabelMeasures, argmax},
    predictions::Predictions,
    predictor::{Answering, Predictor},
    schema::TargetKind,
    splits::Parts,
    targets::Labels,
};
use cupel_settings::{Range, settings};
use cupel_statistics::{Bin, Interval, Reliability, interval};
use serde::Serialize;
use std::{collections::BTreeMap, fmt};

/// The column by whose values the coverage of sets is reported unless another is named.
pub const STRATA: &str = "effect_group";

/// The measures that are shown first, with their names in words.
pub const HEADLINE: [(&str, &str); 6] = [
    ("log_loss", "log-loss"),
    ("weighted_f1", "weighted F1"),
    ("macro_f1", "macro F1"),
    ("micro_f1", "micro F1"),
    ("auroc", "AUROC"),
    ("ece", "ECE"),
];

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

settings! {
    /// What to evaluate.
    #[derive(Clone, Debug, PartialEq)]
    pub struct EvaluationConfig in "evaluation" {
        /// Resamples of the groups for 95 % intervals; 0 for none
        pub bootstrap: usize = 200, in Range::at_least(0.0).at_most(1_000_000.0), "N";
    }
    beside {
        /// Seed of the resamples.
        pub seed: u64 = 0;
        /// A column of categories by whose values the coverage of the sets is reported as well, where the table has it.
        pub strata: Option<String> = Some(STRATA.into());
    }
}

impl Measures {
    /// The measures with intervals, by the names of [`HEADLINE`].
    fn headline(&self) -> [Option<f64>; HEADLINE.len()] {
        match self {
            Self::Class(m) => [m.log_loss, m.weighted_f1, m.macro_f1, m.micro_f1, m.auroc.unwrap_or(f64::NAN), m.ece],
            Self::Labels(m) => [m.log_loss, m.weighted_f1, m.macro_f1, m.micro_f1, m.auroc.unwrap_or(f64::NAN), m.ece],
            Self::Nothing {} => return [None; HEADLINE.len()],
        }
        .map(|value| Some(value).filter(|value| !value.is_nan()))
    }

    /// A measure by its name: `log_loss`, `weighted_f1`, `macro_f1`, `micro_f1`, `auroc` or `ece`.
    pub fn get(&self, name: &str) -> Option<f64> {
        let of_name = HEADLINE.iter().zip(self.headline()).find(|((known, _), _)| *known == name)?;
        of_name.1
    }
}

impl Evaluation {
    /// Evaluates on `rows` of the examples.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) when a field or target is missing.
    pub fn of(predictor: &Predictor, examples: &Examples, rows: &[usize], config: &EvaluationConfig) -> Result<Self> {
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
        config: &EvaluationConfig,
    ) -> Result<Vec<(String, Self)>> {
        let of_member = |member: &crate::Member| {
            let said = member.probabilities(examples, rows)?;
            let evaluation = Self::of_predictions(predictor, &said, examples, rows, config)?;
            Ok((member.name().to_string(), evaluation))
        };
        predictor.members().iter().map(of_member).collect()
    }

    /// Evaluates on a part of a split whose leakage is known, with `alone` each model on its own too.
    ///
    /// # Errors
    /// As [`of`](Self::of); a part that is none or has no rows.
    pub fn of_part(
        predictor: &Predictor,
        examples: &Examples,
        (parts, part, leakage): (&Parts, &str, Leakage),
        alone: bool,
        config: &EvaluationConfig,
    ) -> Result<Measured> {
        let rows = parts.part(part)?;
        let evaluation = Self::of(predictor, examples, rows, config)?;
        let members = if alone { Self::of_members(predictor, examples, rows, config)? } else { Vec::new() };
        let (network_bytes, members) = (predictor.network_bytes(), members.into_iter().collect());
        Ok(Measured { evaluation, part: part.to_owned(), leakage, network_bytes, members })
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
        config: &EvaluationConfig,
    ) -> Result<Self> {
        let strata = config.strata.as_deref().and_then(|column| examples.table().category(column).ok());
        let groups = examples.groups_or_rows();
        let (mut targets, mut reliability) = (BTreeMap::new(), BTreeMap::new());
        for ((classes, answering), said) in predictor.classes().iter().zip(predictor.answering()).zip(predictions) {
            let labels = classes.labels(examples)?;
            let measures = measures(said, answering, &labels, rows);
            let position: BTreeMap<usize, usize> = rows.iter().enumerate().map(|(i, row)| (*row, i)).collect();
            let drawn = interval(rows, &groups, config.bootstrap, config.seed, |resampled| {
                let values = resampled.iter().flat_map(|row| said.row(position[row]).to_vec()).collect();
                let said = Predictions::new(said.kind(), said.width(), values);
                self::measures(&said, answering, &labels, resampled).headline().to_vec()
            });
            let intervals = HEADLINE.iter().zip(drawn).filter_map(|((name, _), drawn)| Some((*name, drawn?))).collect();
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

impl fmt::Display for Evaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, target) in &self.targets {
            writeln!(f, "{name}")?;
            for (key, shown) in HEADLINE {
                let Some(value) = target.measures.get(key) else { continue };
                write!(f, "  {shown:<14}{value:.4}")?;
                match target.intervals.get(key) {
                    Some(interval) => writeln!(f, "  ({:.4} to {:.4})", interval.low, interval.high)?,
                    None => writeln!(f)?,
                }
            }
            let sets = &target.conformal;
            writeln!(
                f,
                "  sets          {:.1} % hold the truth ({:.0} % promised), {:.2} answers each",
                100.0 * sets.covered,
                100.0 * sets.promised,
                sets.size
            )?;
        }
        Ok(())
    }
}

/// A model measured on one part of a split.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// All models together.
    #[serde(flatten)]
    pub evaluation: Evaluation,
    /// The part.
    pub part: String,
    /// What the split gives away.
    pub leakage: Leakage,
    /// The bytes that the weights of networks take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_bytes: Option<usize>,
    /// Each model alone, where that was asked for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub members: BTreeMap<String, Evaluation>,
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} rows of the {} part", self.evaluation.rows, self.part)?;
        write!(f, "{}", self.evaluation)?;
        self.members.iter().try_for_each(|(name, alone)| write!(f, "\n{name} alone\n{alone}"))
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
