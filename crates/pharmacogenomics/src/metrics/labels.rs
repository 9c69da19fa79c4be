//! [`LabelScore`]: measures of a target of which any number of labels is true.

use super::{CLIP, auroc, average_precision, mean, ratio};
use cupel_statistics::Reliability;
use serde::Serialize;

/// Takes probabilities, decisions and truths row by row.
#[derive(Clone, Debug)]
pub struct LabelScore {
    labels: usize,
    scores: Vec<f64>,
    truths: Vec<bool>,
    /// Hits, decided and true of each label.
    counts: Vec<[u64; 3]>,
    loss: f64,
    exact: u64,
    sample_f1: f64,
    agreeing: u64,
    reliability: Vec<Reliability>,
    rows: u64,
}

/// What [`LabelScore`] measures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LabelMeasures {
    /// Mean over rows and labels of the binary cross-entropy.
    pub log_loss: f64,
    /// F1 of all labels together.
    pub micro_f1: f64,
    /// Mean of the F1 of the labels, 0 for one that is neither decided for nor true.
    pub macro_f1: f64,
    /// Mean of the F1 of the labels, weighted by the rows that have them.
    pub weighted_f1: f64,
    /// Mean over rows of the F1 of their labels.
    pub samples_f1: f64,
    /// Mean over labels of the area under the curve.
    pub auroc: Option<f64>,
    /// Mean over labels of the expected calibration error of the label's probability, 15 bins of equal width.
    pub ece: f64,
    /// Share of rows and labels decided rightly.
    pub hamming_accuracy: f64,
    /// Share of rows of which every label is decided rightly.
    pub subset_accuracy: f64,
    /// Mean over labels of the calibration error over bins of equally many rows.
    pub adaptive_ece: f64,
    /// Mean over labels of the average precision.
    pub auprc: Option<f64>,
    /// Rows.
    pub rows: u64,
    /// Label by label.
    pub per_label: Vec<PerLabel>,
}

/// Measures of one label.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PerLabel {
    /// Share of its decisions that are right, 0 where there is none.
    pub precision: f64,
    /// Share of its rows that are found, 0 where there is none.
    pub recall: f64,
    /// Harmonic mean of the two.
    pub f1: f64,
    /// Rows that have it.
    pub support: u64,
    /// Area under the curve.
    pub auroc: Option<f64>,
    /// Expected calibration error.
    pub ece: f64,
}

impl LabelScore {
    /// Nothing seen yet of a target with so many labels.
    pub fn new(labels: usize) -> Self {
        Self {
            labels,
            scores: Vec::new(),
            truths: Vec::new(),
            counts: vec![[0; 3]; labels],
            loss: 0.0,
            exact: 0,
            sample_f1: 0.0,
            agreeing: 0,
            reliability: vec![Reliability::default(); labels],
            rows: 0,
        }
    }

    /// Adds a row: the probability of each label, which are decided for, which are true.
    ///
    /// # Panics
    /// When the three differ in length: "a row of 3 probabilities, 4 decisions and 4 truths for 4 labels".
    pub fn push(&mut self, probabilities: &[f64], decisions: &[bool], truths: &[bool]) {
        let (a, b, c, labels) = (probabilities.len(), decisions.len(), truths.len(), self.labels);
        assert!(
            a == labels && b == labels && c == labels,
            "a row of {a} probabilities, {b} decisions and {c} truths for {labels} labels"
        );
        self.rows += 1;
        self.scores.extend_from_slice(probabilities);
        self.truths.extend_from_slice(truths);
        let (mut hits, mut decided, mut found, mut agreeing) = (0, 0, 0, 0);
        for label in 0..labels {
            let (p, decision, truth) = (probabilities[label], decisions[label], truths[label]);
            self.loss -= if truth { p } else { 1.0 - p }.max(CLIP).ln();
            self.counts[label][0] += u64::from(decision && truth);
            self.counts[label][1] += u64::from(decision);
            self.counts[label][2] += u64::from(truth);
            self.reliability[label].push(p, truth);
            hits += u64::from(decision && truth);
            decided += u64::from(decision);
            found += u64::from(truth);
            agreeing += u64::from(decision == truth);
        }
        self.sample_f1 += ratio(2.0 * hits as f64, (decided + found) as f64);
        self.agreeing += agreeing;
        self.exact += u64::from(agreeing == labels as u64);
    }

    /// The reliability of the probability of each label.
    pub fn reliability(&self) -> &[Reliability] {
        &self.reliability
    }

    /// The measures; `None` without rows.
    pub fn measures(&self) -> Option<LabelMeasures> {
        if self.rows == 0 || self.labels == 0 {
            return None;
        }
        let per_label: Vec<PerLabel> = (0..self.labels)
            .map(|label| {
                let [hit, decided, support] = self.counts[label].map(|count| count as f64);
                PerLabel {
                    precision: ratio(hit, decided),
                    recall: ratio(hit, support),
                    f1: ratio(2.0 * hit, decided + support),
                    support: self.counts[label][2],
                    auroc: auroc(&self.column(label), &self.truth(label)),
                    ece: self.reliability[label].error().unwrap_or(0.0),
                }
            })
            .collect();
        let total = |which: usize| self.counts.iter().map(|counts| counts[which]).sum::<u64>() as f64;
        let cells = (self.rows * self.labels as u64) as f64;
        let weighted = per_label.iter().map(|label| label.f1 * label.support as f64).sum::<f64>();
        Some(LabelMeasures {
            log_loss: self.loss / cells,
            micro_f1: ratio(2.0 * total(0), total(1) + total(2)),
            macro_f1: mean(per_label.iter().map(|label| Some(label.f1))).unwrap_or(0.0),
            weighted_f1: ratio(weighted, total(2)),
            samples_f1: self.sample_f1 / self.rows as f64,
            auroc: mean(per_label.iter().map(|label| label.auroc)),
            ece: mean(per_label.iter().map(|label| Some(label.ece))).unwrap_or(0.0),
            hamming_accuracy: self.agreeing as f64 / cells,
            subset_accuracy: self.exact as f64 / self.rows as f64,
            adaptive_ece: mean(self.reliability.iter().map(Reliability::adaptive_error)).unwrap_or(0.0),
            auprc: mean((0..self.labels).map(|label| average_precision(&self.column(label), &self.truth(label)))),
            rows: self.rows,
            per_label,
        })
    }

    fn column(&self, label: usize) -> Vec<f64> {
        self.scores.chunks_exact(self.labels).map(|row| row[label]).collect()
    }

    fn truth(&self, label: usize) -> Vec<bool> {
        self.truths.chunks_exact(self.labels).map(|row| row[label]).collect()
    }
}
