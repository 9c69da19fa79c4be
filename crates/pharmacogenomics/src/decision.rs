//! [`Decision`]: from probabilities to one answer, the same in training, evaluation and prediction.
//!
//! For classes `argmax p_c / prior_c^tau`: with `tau` above 0 rare classes are decided for more readily than by the largest
//! probability (logit adjustment, Menon et al. 2021, arXiv:2007.07314). For labels a threshold each. Both are chosen on
//! validation rows and stored with the model.

use crate::{
    metrics::{ClassScore, LabelScore},
    predictions::Predictions,
    schema::TargetKind,
    targets::Labels,
};
use serde::{Deserialize, Serialize};

/// Values of `tau` that are tried.
const TAU_STEPS: usize = 12;
const TAU_STEP: f64 = 0.05;
/// Thresholds that are tried: multiples of 1 / 40.
const THRESHOLD_STEPS: usize = 40;
/// Rounds of choosing one threshold after the other.
const ROUNDS: usize = 3;

/// How one target is decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// The likeliest class after dividing by the prior to the power `tau`.
    Class {
        /// The power.
        tau: f64,
        /// The prior of each class.
        prior: Vec<f64>,
    },
    /// Every label at or above its threshold.
    Labels {
        /// One per label.
        thresholds: Vec<f64>,
    },
}

impl Decision {
    /// The likeliest class, or labels at one half.
    pub fn plain(kind: TargetKind, prior: &[f64]) -> Self {
        match kind {
            TargetKind::Class => Self::Class { tau: 0.0, prior: prior.to_vec() },
            TargetKind::Labels => Self::Labels { thresholds: vec![0.5; prior.len()] },
        }
    }

    /// The decision whose macro and weighted (of labels micro) F1 sum to most on `rows`.
    pub fn choose(predictions: &Predictions, prior: &[f64], labels: &Labels, rows: &[usize]) -> Self {
        let plain = Self::plain(predictions.kind(), prior);
        if rows.iter().all(|row| !labels.is_known(*row)) {
            return plain;
        }
        match plain {
            Self::Class { .. } => {
                let of_step = |step: usize| Self::Class { tau: step as f64 * TAU_STEP, prior: prior.to_vec() };
                let mut best = (f64::NEG_INFINITY, plain);
                for candidate in (0..TAU_STEPS).map(of_step) {
                    let score = candidate.score(predictions, labels, rows);
                    if score > best.0 {
                        best = (score, candidate);
                    }
                }
                best.1
            }
            Self::Labels { mut thresholds } => {
                let mut best = f64::NEG_INFINITY;
                for _ in 0..ROUNDS {
                    for label in 0..thresholds.len() {
                        let mut kept = thresholds[label];
                        for step in 1..THRESHOLD_STEPS {
                            thresholds[label] = step as f64 / THRESHOLD_STEPS as f64;
                            let candidate = Self::Labels { thresholds: thresholds.clone() };
                            let score = candidate.score(predictions, labels, rows);
                            if score > best {
                                (best, kept) = (score, thresholds[label]);
                            }
                        }
                        thresholds[label] = kept;
                    }
                }
                Self::Labels { thresholds }
            }
        }
    }

    /// The class decided for; `None` for labels.
    pub fn class(&self, probabilities: &[f64]) -> Option<usize> {
        let Self::Class { tau, prior } = self else { return None };
        let weighted: Vec<f64> = probabilities.iter().zip(prior).map(|(p, prior)| p / prior.powf(*tau)).collect();
        Some(crate::metrics::argmax(&weighted))
    }

    /// Which labels are decided for; `None` for classes.
    pub fn labels(&self, probabilities: &[f64]) -> Option<Vec<bool>> {
        let Self::Labels { thresholds } = self else { return None };
        Some(probabilities.iter().zip(thresholds).map(|(p, threshold)| p >= threshold).collect())
    }

    /// F1 averaged both ways, for choosing.
    fn score(&self, predictions: &Predictions, labels: &Labels, rows: &[usize]) -> f64 {
        let width = predictions.width();
        let f1 = |hit: f64, decided: f64, support: f64| {
            if decided + support > 0.0 { 2.0 * hit / (decided + support) } else { 0.0 }
        };
        // hits, decided, support
        let mut counts = vec![[0.0_f64; 3]; width];
        let mut truth = vec![0.0; width];
        let mut count = 0.0;
        for (i, row) in rows.iter().enumerate().filter(|(_, row)| labels.is_known(**row)) {
            labels.write_row(*row, &mut truth);
            count += 1.0;
            let mut add = |class: usize, decided: bool| {
                counts[class][0] += if decided { truth[class] } else { 0.0 };
                counts[class][1] += f64::from(u8::from(decided));
                counts[class][2] += truth[class];
            };
            match (self.class(predictions.row(i)), self.labels(predictions.row(i))) {
                (Some(decision), _) => (0..width).for_each(|class| add(class, class == decision)),
                (None, Some(decisions)) => decisions.iter().enumerate().for_each(|(label, d)| add(label, *d)),
                (None, None) => {}
            }
        }
        let each: Vec<f64> = counts.iter().map(|[hit, decided, support]| f1(*hit, *decided, *support)).collect();
        let present: Vec<usize> = (0..width).filter(|class| counts[*class][2] > 0.0).collect();
        let macro_f1 = present.iter().map(|class| each[*class]).sum::<f64>() / present.len().max(1) as f64;
        let total = |which: usize| counts.iter().map(|counts| counts[which]).sum::<f64>();
        let other = match self {
            Self::Class { .. } => each.iter().zip(&counts).map(|(f1, counts)| f1 * counts[2]).sum::<f64>() / count,
            Self::Labels { .. } => f1(total(0), total(1), total(2)),
        };
        macro_f1 + other
    }

    /// Scores `rows` of classes; `None` for labels.
    pub fn class_score(&self, predictions: &Predictions, labels: &Labels, rows: &[usize]) -> Option<ClassScore> {
        let Self::Class { .. } = self else { return None };
        let mut score = ClassScore::new(predictions.width());
        for (i, row) in rows.iter().enumerate() {
            if let (Some(truth), Some(decision)) = (labels.class(*row), self.class(predictions.row(i))) {
                score.push(predictions.row(i), decision, truth);
            }
        }
        Some(score)
    }

    /// Scores `rows` of labels; `None` for classes.
    pub fn label_score(&self, predictions: &Predictions, labels: &Labels, rows: &[usize]) -> Option<LabelScore> {
        let mut score = LabelScore::new(predictions.width());
        let mut truth = vec![0.0; predictions.width()];
        for (i, row) in rows.iter().enumerate().filter(|(_, row)| labels.is_known(**row)) {
            labels.write_row(*row, &mut truth);
            let truths: Vec<bool> = truth.iter().map(|y| *y > 0.0).collect();
            score.push(predictions.row(i), &self.labels(predictions.row(i))?, &truths);
        }
        Some(score)
    }
}
