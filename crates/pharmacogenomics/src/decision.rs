//! [`Decision`]: from probabilities to one answer, the same in training, evaluation and prediction.
//!
//! For classes `argmax p_c / prior_c^tau`: with `tau` above 0 rare classes are decided for more readily than by the largest
//! probability (logit adjustment, Menon et al. 2021, arXiv:2007.07314). For labels a threshold each; where every row has a label, the one that
//! comes nearest to its threshold is decided for when none reaches it. Both are chosen on rows that no model was fitted to, and stored with the model.
//!
//! The F1 of a class with six rows is a matter of luck, and so is the threshold that makes it largest. Where probabilities are right a decision's F1 can be
//! *expected* instead, with `sum_decided p` for its hits and `sum p` for the rows of the class (Lipton et al. 2014, arXiv:1402.1892),
//! which every row has a part in. What is chosen by is in between: the fewer rows a class has, the more its probabilities stand for them.

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
/// Thresholds that are tried: multiples of 1 / 80.
const THRESHOLD_STEPS: usize = 80;
/// Rows of a class for which its probabilities count.
const BELIEF_ROWS: f64 = 50.0;
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
        /// Whether there is always a label: where none reaches its threshold, the one with the largest share of it.
        #[serde(default)]
        always: bool,
    },
}

impl Decision {
    /// The likeliest class, or labels at one half.
    pub fn plain(kind: TargetKind, prior: &[f64]) -> Self {
        match kind {
            TargetKind::Class => Self::Class { tau: 0.0, prior: prior.to_vec() },
            TargetKind::Labels => Self::Labels { thresholds: vec![0.5; prior.len()], always: false },
        }
    }

    /// The decision whose macro and weighted (of labels micro) F1 sum to most on `rows`; where a class has few rows, its calibrated
    /// probabilities are believed beside them.
    ///
    /// Each row counts for its weight.
    pub fn choose(predictions: &Predictions, prior: &[f64], labels: &Labels, rows: &[usize], weights: &[f64]) -> Self {
        let plain = Self::plain(predictions.kind(), prior);
        let known: Vec<usize> = (0..rows.len()).filter(|i| labels.is_known(rows[*i])).collect();
        if known.is_empty() {
            return plain;
        }
        let truths = believed(predictions, labels, rows, weights, &known);
        match plain {
            Self::Class { .. } => {
                let of_step = |step: usize| Self::Class { tau: step as f64 * TAU_STEP, prior: prior.to_vec() };
                let mut best = (f64::NEG_INFINITY, plain);
                for candidate in (0..TAU_STEPS).map(of_step) {
                    let score = candidate.score(predictions, weights, &known, &truths);
                    if score > best.0 {
                        best = (score, candidate);
                    }
                }
                best.1
            }
            Self::Labels { mut thresholds, .. } => {
                let mut best = f64::NEG_INFINITY;
                for _ in 0..ROUNDS {
                    for label in 0..thresholds.len() {
                        let mut kept = thresholds[label];
                        for step in 1..THRESHOLD_STEPS {
                            thresholds[label] = step as f64 / THRESHOLD_STEPS as f64;
                            let candidate = Self::Labels { thresholds: thresholds.clone(), always: false };
                            let score = candidate.score(predictions, weights, &known, &truths);
                            if score > best {
                                (best, kept) = (score, thresholds[label]);
                            }
                        }
                        thresholds[label] = kept;
                    }
                }
                // thresholds chosen with this in mind are chosen worse: rare labels would get low ones for what is decided anyway
                let always = known.iter().all(|i| labels.has_any(rows[*i]));
                Self::Labels { thresholds, always }
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
        let Self::Labels { thresholds, always } = self else { return None };
        let shares: Vec<f64> = probabilities.iter().zip(thresholds).map(|(p, threshold)| p / threshold).collect();
        let mut decided: Vec<bool> =
            probabilities.iter().zip(thresholds).map(|(p, threshold)| p >= threshold).collect();
        if *always && !decided.contains(&true) {
            decided[crate::metrics::argmax(&shares)] = true;
        }
        Some(decided)
    }

    /// F1 averaged both ways, for choosing: of the rows `known` of the predictions, whose truths follow one another.
    fn score(&self, predictions: &Predictions, weights: &[f64], known: &[usize], truths: &[f64]) -> f64 {
        let width = predictions.width();
        let f1 = |hit: f64, decided: f64, support: f64| {
            if decided + support > 0.0 { 2.0 * hit / (decided + support) } else { 0.0 }
        };
        // hits, decided, support
        let mut counts = vec![[0.0_f64; 3]; width];
        for (i, truth) in known.iter().zip(truths.chunks_exact(width)) {
            let mut add = |class: usize, decided: bool| {
                counts[class][0] += if decided { weights[*i] * truth[class] } else { 0.0 };
                counts[class][1] += if decided { weights[*i] } else { 0.0 };
                counts[class][2] += weights[*i] * truth[class];
            };
            match (self.class(predictions.row(*i)), self.labels(predictions.row(*i))) {
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
            Self::Class { .. } => each.iter().zip(&counts).map(|(f1, counts)| f1 * counts[2]).sum::<f64>() / total(2),
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

/// What is true of the rows `known`, row after row: `(n y + belief p) / (n + belief)` of a class that `n` of them have, counted by weight.
fn believed(predictions: &Predictions, labels: &Labels, rows: &[usize], weights: &[f64], known: &[usize]) -> Vec<f64> {
    let width = predictions.width();
    let mut truths = vec![0.0; known.len() * width];
    for (i, truth) in known.iter().zip(truths.chunks_exact_mut(width)) {
        labels.write_row(rows[*i], truth);
    }
    let mut counts = vec![0.0; width];
    for (i, truth) in known.iter().zip(truths.chunks_exact(width)) {
        counts.iter_mut().zip(truth).for_each(|(count, y)| *count += weights[*i] * y);
    }
    for (i, truth) in known.iter().zip(truths.chunks_exact_mut(width)) {
        for ((truth, p), count) in truth.iter_mut().zip(predictions.row(*i)).zip(&counts) {
            *truth = (count * *truth + BELIEF_ROWS * p) / (count + BELIEF_ROWS);
        }
    }
    truths
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two labels; the first is there in 300 rows of 600, the second in 2 of them though its probability says 20.
    fn table() -> (Predictions, Labels, Vec<usize>) {
        let said =
            |i: usize| [if i.is_multiple_of(2) { 0.8 } else { 0.2 }, if i.is_multiple_of(30) { 0.9 } else { 0.01 }];
        let values = (0..600).flat_map(said).collect();
        let there = (0..600).flat_map(|i: usize| [i.is_multiple_of(2), i == 31 || i == 62]).collect();
        let labels = Labels::Labels { values: there, known: vec![true; 600] };
        (Predictions::new(TargetKind::Labels, 2, values), labels, (0..600).collect())
    }

    #[test]
    fn where_few_rows_speak_probabilities_do() {
        let (said, labels, rows) = table();
        let truths = believed(&said, &labels, &rows, &[1.0; 600], &rows);
        // 300 rows of the first label: (300 + 50 * 0.8) / 350; 2 of the second: (50 * 0.9) / 52
        assert!((truths[0] - 340.0 / 350.0).abs() < 1e-12 && (truths[1] - 45.0 / 52.0).abs() < 1e-12);
        let Decision::Labels { thresholds, .. } = Decision::choose(&said, &[0.5, 0.03], &labels, &rows, &[1.0; 600])
        else {
            panic!()
        };
        // by the two rows alone the second label would best be claimed for all rows or, missing both, for none
        assert!(thresholds[1] > 0.01 && thresholds[1] <= 0.9, "{thresholds:?}");
        assert!(thresholds[0] > 0.2 && thresholds[0] <= 0.8, "{thresholds:?}");
    }

    #[test]
    fn where_every_row_has_a_label_one_is_decided_for() {
        let (said, labels, rows) = table();
        let Labels::Labels { mut values, known } = labels else { panic!() };
        let chosen = |values: &[bool]| {
            let labels = Labels::Labels { values: values.to_vec(), known: known.clone() };
            Decision::choose(&said, &[0.5, 0.03], &labels, &rows, &[1.0; 600])
        };
        let some = chosen(&values);
        assert_eq!(some.labels(&[0.0, 0.0]), Some(vec![false, false]));
        (0..600).for_each(|row| values[2 * row] |= !values[2 * row + 1]);
        let every = chosen(&values);
        let Decision::Labels { thresholds, always: true } = &every else { panic!("{every:?}") };
        let low = [0.5 * thresholds[0], 0.9 * thresholds[1]];
        assert_eq!(every.labels(&low), Some(vec![false, true]));
        assert_eq!(every.labels(&[1.0, 1.0]), Some(vec![true, true]));
    }

    #[test]
    fn a_row_that_counts_twice_is_two_rows() {
        let (said, labels, rows) = table();
        let twice: Vec<usize> = rows.iter().chain(&rows).copied().collect();
        let doubled =
            Predictions::new(TargetKind::Labels, 2, said.iter().chain(said.iter()).flatten().copied().collect());
        assert_eq!(
            Decision::choose(&said, &[0.5, 0.03], &labels, &rows, &[2.0; 600]),
            Decision::choose(&doubled, &[0.5, 0.03], &labels, &twice, &[1.0; 1200])
        );
    }

    #[test]
    fn nothing_known_is_decided_plainly() {
        let (said, _, rows) = table();
        let unknown = Labels::Labels { values: vec![false; 1200], known: vec![false; 600] };
        assert_eq!(
            Decision::choose(&said, &[0.5, 0.03], &unknown, &rows, &[1.0; 600]),
            Decision::plain(TargetKind::Labels, &[0.5, 0.03])
        );
    }
}
