//! [`Conformal`]: sets of answers that hold the true one with a probability that is promised.
//!
//! Split conformal prediction, class by class (Vovk 2012, doi:10.1007/s10994-013-5355-6; Sadinle, Lei and Wasserman 2019,
//! doi:10.1080/01621459.2017.1395341): class c is in the set when its probability reaches a threshold t_c, and t_c is chosen
//! so that the true class is in the set for `coverage` of the calibration rows of class c. A class with few rows shares
//! the threshold of all such classes. A set may be empty (nothing known fits) or hold everything (nothing is known).
//! For a label "there" and "not there" are the two classes.

use crate::{predictions::Predictions, schema::TargetKind, targets::Labels};
use serde::{Deserialize, Serialize};

/// Rows of a class from which on it has a threshold of its own.
const OWN_ROWS: usize = 40;

/// The thresholds of one target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conformal {
    /// The promised share.
    pub coverage: f64,
    /// Of classes one threshold each; of labels that of "not there" and that of "there", label by label.
    pub thresholds: Vec<f64>,
}

impl Conformal {
    /// Calibrates on the predictions of `rows`, none of which a model was trained on.
    pub fn fit(predictions: &Predictions, labels: &Labels, rows: &[usize], coverage: f64) -> Self {
        let width = predictions.width();
        let cells = if predictions.kind() == TargetKind::Class { width } else { 2 * width };
        // the probability of what is true, by what is true
        let mut said: Vec<Vec<f64>> = vec![Vec::new(); cells];
        let mut truth = vec![0.0; width];
        for (i, row) in rows.iter().enumerate().filter(|(_, row)| labels.is_known(**row)) {
            let p = predictions.row(i);
            match labels.class(*row) {
                Some(class) => said[class].push(p[class]),
                None => {
                    labels.write_row(*row, &mut truth);
                    for label in 0..width {
                        let there = truth[label] > 0.0;
                        said[2 * label + usize::from(there)].push(if there { p[label] } else { 1.0 - p[label] });
                    }
                }
            }
        }
        let rare: Vec<f64> = said.iter().filter(|own| own.len() < OWN_ROWS).flatten().copied().collect();
        let of_rare = threshold(rare, coverage);
        let of_cell = |own: Vec<f64>| if own.len() < OWN_ROWS { of_rare } else { threshold(own, coverage) };
        Self { coverage, thresholds: said.into_iter().map(of_cell).collect() }
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

/// The largest threshold that `coverage` of one more row like these would reach: the floor((n + 1)(1 - coverage))-th smallest.
fn threshold(mut said: Vec<f64>, coverage: f64) -> f64 {
    let rank = ((said.len() + 1) as f64 * (1.0 - coverage)).floor() as usize;
    if rank == 0 {
        return 0.0;
    }
    said.sort_by(f64::total_cmp);
    said[rank - 1]
}
