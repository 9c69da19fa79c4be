//! [`Conformal`]: sets of answers that hold the true one with a probability that is promised.
//!
//! Split conformal prediction, class by class; rare classes are held by their probabilities ([`cupel_statistics::conformal`]).

use crate::{predictions::Predictions, schema::TargetKind, targets::Labels};
use cupel_statistics::conformal::{class_thresholds, label_thresholds, reached, with_absence};
use serde::{Deserialize, Serialize};

/// Rows of a class for which its probabilities count.
const BELIEF_ROWS: f64 = 100.0;

/// The thresholds of one target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conformal {
    /// The promised share.
    pub coverage: f64,
    /// Of classes one threshold each; of labels that of "not there" and that of "there", label by label.
    pub thresholds: Vec<f64>,
}

impl Conformal {
    /// Calibrates on the predictions of `rows`, none of which a model was trained on and each of which counts for its weight.
    pub fn fit(predictions: &Predictions, labels: &Labels, rows: &[usize], weights: &[f64], coverage: f64) -> Self {
        let width = predictions.width();
        let known = || rows.iter().enumerate().filter(|(_, row)| labels.is_known(**row));
        let said: Vec<f64> = known().flat_map(|(i, _)| predictions.row(i)).copied().collect();
        let weights: Vec<f64> = known().map(|(i, _)| weights[i]).collect();
        let mut truths = vec![0.0; said.len()];
        known().zip(truths.chunks_mut(width.max(1))).for_each(|((_, row), truth)| labels.write_row(*row, truth));
        let thresholds = match predictions.kind() {
            TargetKind::Class => class_thresholds,
            TargetKind::Labels => label_thresholds,
        };
        Self { coverage, thresholds: thresholds(&said, &truths, &weights, width, BELIEF_ROWS, coverage) }
    }

    /// Which classes are in the set; of labels "not there" and "there" in turn.
    pub fn set(&self, kind: TargetKind, probabilities: &[f64]) -> Vec<bool> {
        match kind {
            TargetKind::Class => reached(probabilities, &self.thresholds),
            TargetKind::Labels => reached(&with_absence(probabilities), &self.thresholds),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_without_rows_is_held_by_its_probabilities() {
        // class 1 never occurs; where probabilities are right, nine tenths of its rows would be those that say .5 of it
        let values = (0..200).flat_map(|i| if i % 10 == 0 { [0.5, 0.5] } else { [0.995, 0.005] }).collect();
        let said = Predictions::new(TargetKind::Class, 2, values);
        let rows: Vec<usize> = (0..200).collect();
        let conformal = Conformal::fit(&said, &Labels::Class(vec![0; 200]), &rows, &[1.0; 200], 0.9);
        assert_eq!(conformal.thresholds, [0.995, 0.005]);
        let stricter = Conformal::fit(&said, &Labels::Class(vec![0; 200]), &rows, &[1.0; 200], 0.7);
        assert_eq!(stricter.thresholds[1], 0.5);
    }
}
