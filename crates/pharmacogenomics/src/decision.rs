//! [`Decision`]: from probabilities to one answer, the same in training, evaluation and prediction.
//!
//! For classes `argmax a_c p_c - b_c`, which makes the weighted F1 largest that is expected of the probabilities. With `s` the rows of a class, `d` those
//! decided for it, `h` its hits and `F = 2 h / (s + d)`, the sum of `s F` grows by `2 s (p - F / 2) / (s + d)` when a row is decided for the class: the rule is the
//! class with the largest gain, and `d` and `F` those of the rule itself (fractional programming: Dinkelbach 1967, doi:10.1287/mnsc.13.7.492; for F-measures
//! Parambath et al. 2014, arXiv:1505.00199). For labels a threshold each; where every row has a label, the one that
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

/// Steps towards the rule that its own decisions ask for; each goes half the way.
const STEPS: usize = 60;
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
    /// The class of the largest `scale p - shift`.
    Class {
        /// What a class's probability is multiplied by.
        scale: Vec<f64>,
        /// What is taken from that.
        shift: Vec<f64>,
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
    pub fn plain(kind: TargetKind, width: usize) -> Self {
        match kind {
            TargetKind::Class => Self::Class { scale: vec![1.0; width], shift: vec![0.0; width] },
            TargetKind::Labels => Self::Labels { thresholds: vec![0.5; width], always: false },
        }
    }

    /// Of classes the decision whose weighted F1 is largest as the probabilities of `rows` have it; of labels that whose macro and micro F1 sum to most on
    /// them, where a label has few rows with its calibrated probabilities believed beside them.
    ///
    /// Each row counts for its weight.
    pub fn choose(predictions: &Predictions, labels: &Labels, rows: &[usize], weights: &[f64]) -> Self {
        let plain = Self::plain(predictions.kind(), predictions.width());
        let known: Vec<usize> = (0..rows.len()).filter(|i| labels.is_known(rows[*i])).collect();
        if known.is_empty() {
            return plain;
        }
        match plain {
            Self::Class { .. } => expected(predictions, weights, &known),
            Self::Labels { mut thresholds, .. } => {
                let truths = believed(predictions, labels, rows, weights, &known);
                let mut best = f64::NEG_INFINITY;
                for _ in 0..ROUNDS {
                    for label in 0..thresholds.len() {
                        let mut kept = thresholds[label];
                        for step in 1..THRESHOLD_STEPS {
                            thresholds[label] = step as f64 / THRESHOLD_STEPS as f64;
                            let score = score(&thresholds, predictions, weights, &known, &truths);
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
        let Self::Class { scale, shift } = self else { return None };
        let gains: Vec<f64> =
            probabilities.iter().zip(scale.iter().zip(shift)).map(|(p, (scale, shift))| scale * p - shift).collect();
        Some(crate::metrics::argmax(&gains))
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

/// F1 of labels averaged both ways, for choosing: of the rows `known` of the predictions, whose truths follow one another.
fn score(thresholds: &[f64], predictions: &Predictions, weights: &[f64], known: &[usize], truths: &[f64]) -> f64 {
    let width = predictions.width();
    // hits, decided, support
    let mut counts = vec![[0.0_f64; 3]; width];
    for (i, truth) in known.iter().zip(truths.chunks_exact(width)) {
        let of_label = predictions.row(*i).iter().zip(thresholds).zip(truth).zip(&mut counts);
        for (((p, threshold), truth), counts) in of_label {
            let decided = if p >= threshold { weights[*i] } else { 0.0 };
            *counts = [counts[0] + decided * truth, counts[1] + decided, counts[2] + weights[*i] * truth];
        }
    }
    let present: Vec<&[f64; 3]> = counts.iter().filter(|counts| counts[2] > 0.0).collect();
    let macro_f1 = present.iter().map(|counts| f1(**counts)).sum::<f64>() / present.len().max(1) as f64;
    let total = |which: usize| counts.iter().map(|counts| counts[which]).sum::<f64>();
    macro_f1 + f1([total(0), total(1), total(2)])
}

fn f1([hits, decided, support]: [f64; 3]) -> f64 {
    if decided + support > 0.0 { 2.0 * hits / (decided + support) } else { 0.0 }
}

/// The rule of classes whose weighted F1 is largest if the probabilities of the rows `known` are right.
fn expected(predictions: &Predictions, weights: &[f64], known: &[usize]) -> Decision {
    let width = predictions.width();
    let mut support = vec![0.0; width];
    for i in known {
        support.iter_mut().zip(predictions.row(*i)).for_each(|(support, p)| *support += weights[*i] * p);
    }
    let total = support.iter().sum::<f64>().max(f64::MIN_POSITIVE);
    let (mut scale, mut shift) = (vec![1.0; width], vec![0.0; width]);
    let mut best = (f64::NEG_INFINITY, Decision::plain(TargetKind::Class, width));
    for _ in 0..STEPS {
        let rule = Decision::Class { scale: scale.clone(), shift: shift.clone() };
        let (mut hits, mut decided) = (vec![0.0; width], vec![0.0; width]);
        for i in known {
            let p = predictions.row(*i);
            if let Some(class) = rule.class(p) {
                hits[class] += weights[*i] * p[class];
                decided[class] += weights[*i];
            }
        }
        let of: Vec<f64> = (0..width).map(|class| f1([hits[class], decided[class], support[class]])).collect();
        let weighted = of.iter().zip(&support).map(|(f1, support)| f1 * support / total).sum::<f64>();
        if weighted > best.0 {
            best = (weighted, rule);
        }
        for class in 0..width {
            let gain = 2.0 * support[class] / (support[class] + decided[class]).max(f64::MIN_POSITIVE);
            scale[class] = 0.5 * (scale[class] + gain);
            shift[class] = 0.5 * (shift[class] + gain * of[class] / 2.0);
        }
    }
    best.1
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
        let Decision::Labels { thresholds, .. } = Decision::choose(&said, &labels, &rows, &[1.0; 600]) else {
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
            Decision::choose(&said, &labels, &rows, &[1.0; 600])
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
    fn classes_are_decided_for_the_weighted_f1_that_is_expected() {
        // a common class that is never sure, and a rare one that is hardly ever the likeliest
        let mut draws = cupel_data::Stream::new(4, "probabilities").rng();
        let row = |_| {
            let rare = 0.45 * (draws.below(1000) as f64 / 1000.0).powi(2);
            let other = 0.3 * draws.below(1000) as f64 / 1000.0;
            [1.0 - rare - other, rare, other]
        };
        let values: Vec<f64> = (0..2000).flat_map(row).collect();
        let said = Predictions::new(TargetKind::Class, 3, values);
        let rows: Vec<usize> = (0..2000).collect();
        let weights: Vec<f64> = rows.iter().map(|row| if row % 3 == 0 { 0.3 } else { 1.0 }).collect();
        let chosen = Decision::choose(&said, &Labels::Class(vec![0; 2000]), &rows, &weights);
        let expected = |rule: &Decision| {
            let mut counts = [[0.0_f64; 3]; 3];
            for (row, p) in rows.iter().zip(said.iter()) {
                let class = rule.class(p).unwrap();
                counts[class][0] += weights[*row] * p[class];
                counts[class][1] += weights[*row];
                counts.iter_mut().zip(p).for_each(|(counts, p)| counts[2] += weights[*row] * p);
            }
            let all: f64 = counts.iter().map(|counts| counts[2]).sum();
            counts.iter().map(|counts| f1(*counts) * counts[2] / all).sum::<f64>()
        };
        let best = expected(&chosen);
        assert!(best > expected(&Decision::plain(TargetKind::Class, 3)) + 0.01, "{best} {chosen:?}");
        // no rule of this kind is better
        for (a, b) in (0..30).flat_map(|a| (0..30).map(move |b| (a, b))) {
            let rule =
                Decision::Class { scale: vec![1.0; 3], shift: vec![0.0, -0.03 * f64::from(a), -0.03 * f64::from(b)] };
            assert!(expected(&rule) < best + 0.003, "{rule:?}: {} of {best}", expected(&rule));
        }
    }

    #[test]
    fn a_row_that_counts_twice_is_two_rows() {
        let (said, labels, rows) = table();
        let twice: Vec<usize> = rows.iter().chain(&rows).copied().collect();
        let doubled =
            Predictions::new(TargetKind::Labels, 2, said.iter().chain(said.iter()).flatten().copied().collect());
        assert_eq!(
            Decision::choose(&said, &labels, &rows, &[2.0; 600]),
            Decision::choose(&doubled, &labels, &twice, &[1.0; 1200])
        );
    }

    #[test]
    fn nothing_known_is_decided_plainly() {
        let (said, _, rows) = table();
        let unknown = Labels::Labels { values: vec![false; 1200], known: vec![false; 600] };
        assert_eq!(Decision::choose(&said, &unknown, &rows, &[1.0; 600]), Decision::plain(TargetKind::Labels, 2));
    }
}
