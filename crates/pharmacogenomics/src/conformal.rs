//! [`Conformal`]: sets of answers that hold the true one with a probability that is promised.
//!
//! Split conformal prediction, class by class (Vovk 2012, doi:10.1007/s10994-013-5355-6; Sadinle, Lei and Wasserman 2019,
//! doi:10.1080/01621459.2017.1395341): class c is in the set when its probability reaches a threshold t_c, and t_c is chosen
//! so that the true class is in the set for `coverage` of the calibration rows of class c. A class with few rows shares
//! the threshold of all such classes. A set may be empty (nothing known fits) or hold everything (nothing is known).
//! For a label "there" and "not there" are the two classes.
//!
//! The threshold of a class with fifty rows stands on five of them, and the share that it really holds scatters by four percent. Every row therefore speaks for
//! every class, with the weight `(n y + belief p) / (n + belief)` for a class of `n` rows: the truths of many rows, the calibrated
//! probabilities where rows are few. With `n` far above the belief that is the promise of the papers; below it the promise is as
//! good as the calibration.

use crate::{predictions::Predictions, schema::TargetKind, targets::Labels};
use serde::{Deserialize, Serialize};

/// Rows of a class from which on it has a threshold of its own.
const OWN_ROWS: f64 = 100.0;
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
        let classes = predictions.kind() == TargetKind::Class;
        let cells = if classes { width } else { 2 * width };
        // cell by cell the probability that it has in each row, whether it is true there, and what the row counts for
        let mut said: Vec<Vec<(f64, f64, f64)>> = vec![Vec::new(); cells];
        let mut truth = vec![0.0; width];
        for (i, row) in rows.iter().enumerate().filter(|(_, row)| labels.is_known(**row)) {
            labels.write_row(*row, &mut truth);
            for (class, (p, y)) in predictions.row(i).iter().zip(&truth).enumerate() {
                if classes {
                    said[class].push((*p, *y, weights[i]));
                } else {
                    said[2 * class].push((1.0 - p, 1.0 - y, weights[i]));
                    said[2 * class + 1].push((*p, *y, weights[i]));
                }
            }
        }
        let counts: Vec<f64> = said.iter().map(|own| own.iter().map(|(_, y, weight)| weight * y).sum()).collect();
        let believed = |(own, count): (&Vec<(f64, f64, f64)>, &f64)| -> Vec<(f64, f64)> {
            let of_row =
                |(p, y, weight): &(f64, f64, f64)| (*p, weight * (count * y + BELIEF_ROWS * p) / (count + BELIEF_ROWS));
            own.iter().map(of_row).collect()
        };
        let said: Vec<Vec<(f64, f64)>> = said.iter().zip(&counts).map(believed).collect();
        let rare = |cell: &usize| counts[*cell] < OWN_ROWS;
        let of_rare = threshold((0..cells).filter(rare).flat_map(|cell| said[cell].clone()).collect(), coverage);
        let of_cell = |cell: usize| if rare(&cell) { of_rare } else { threshold(said[cell].clone(), coverage) };
        Self { coverage, thresholds: (0..cells).map(of_cell).collect() }
    }

    /// Which classes are in the set; of labels "not there" and "there" in turn.
    pub fn set(&self, kind: TargetKind, probabilities: &[f64]) -> Vec<bool> {
        let reaches = |(p, threshold): (f64, &f64)| p >= *threshold;
        match kind {
            TargetKind::Class => probabilities.iter().copied().zip(&self.thresholds).map(reaches).collect(),
            TargetKind::Labels => {
                let both = probabilities.iter().flat_map(|p| [1.0 - p, *p]);
                both.zip(&self.thresholds).map(reaches).collect()
            }
        }
    }

    /// For each row whose target is known: how many truths the set holds, how many it should, how many it names.
    pub fn covered(&self, predictions: &Predictions, labels: &Labels, rows: &[usize]) -> Vec<Option<[usize; 3]>> {
        let width = predictions.width();
        let mut truth = vec![0.0; width];
        let mut of_row = |(i, row): (usize, &usize)| {
            if !labels.is_known(*row) {
                return None;
            }
            let set = self.set(predictions.kind(), predictions.row(i));
            let named = set.iter().filter(|inside| **inside).count();
            match labels.class(*row) {
                Some(class) => Some([usize::from(set[class]), 1, named]),
                None => {
                    labels.write_row(*row, &mut truth);
                    let holds = (0..width).filter(|label| set[2 * label + usize::from(truth[*label] > 0.0)]).count();
                    Some([holds, width, named])
                }
            }
        };
        rows.iter().enumerate().map(&mut of_row).collect()
    }
}

/// The largest threshold that `coverage` of one more row like these would reach, of probabilities with weights: with weights of 1 the
/// floor((n + 1)(1 - coverage))-th smallest.
fn threshold(mut said: Vec<(f64, f64)>, coverage: f64) -> f64 {
    /// Weights that sum to a whole number of rows but for rounding make up that number.
    const ROUNDING: f64 = 1e-9;
    said.sort_by(|a, b| a.0.total_cmp(&b.0));
    let total: f64 = said.iter().map(|(_, weight)| weight).sum();
    let left_out = (total + 1.0) * (1.0 - coverage) + ROUNDING;
    let (mut sum, mut threshold) = (0.0, 0.0);
    for (p, weight) in said {
        sum += weight;
        if sum > left_out {
            break;
        }
        threshold = p;
    }
    threshold
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_rows_that_weigh_one_the_threshold_is_that_of_split_conformal_prediction() {
        let said = |n: usize| (0..n).rev().map(|i| (i as f64 / 100.0, 1.0)).collect::<Vec<_>>();
        // (19 + 1) / 10 = 2: the second smallest; (8 + 1) / 10 is not one whole row
        assert_eq!(threshold(said(19), 0.9), 0.01);
        assert_eq!(threshold(said(8), 0.9), 0.0);
        assert_eq!(threshold(said(9), 0.9), 0.0);
        assert_eq!(threshold(said(29), 0.9), 0.02);
        assert_eq!(threshold(Vec::new(), 0.9), 0.0);
    }

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
