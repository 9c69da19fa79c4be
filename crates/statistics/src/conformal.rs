//! Split conformal prediction: sets of classes and intervals of values that hold the truth with a probability that is promised.
//!
//! Calibration rows, which no model was fitted to, say how wrong a model is; the next row is as wrong as they are when it is
//! exchangeable with them (Vovk, Gammerman and Shafer 2005, doi:10.1007/b106715; Lei et al. 2018,
//! doi:10.1080/01621459.2017.1307116). A promise of `coverage` is then kept at least, and where scores do not tie overshot by at
//! most 1 / (n + 1). Scores are sorted, so that the order of the rows changes nothing.

mod classes;
mod real;

pub use classes::{class_thresholds, label_thresholds, reached, with_absence};
pub use real::{margin, quantile_margin, residual_margin, scaled_margin};

/// The largest threshold that `coverage` of one more row like these would reach, of probabilities with weights: with weights of 1 the
/// floor((n + 1)(1 - coverage))-th smallest, and 0 where that is none of them.
pub fn threshold(said: Vec<(f64, f64)>, coverage: f64) -> f64 {
    lower(said, coverage).max(0.0)
}

/// The same of any scores; minus infinity where rows are too few.
fn lower(mut scores: Vec<(f64, f64)>, coverage: f64) -> f64 {
    /// Weights that sum to a whole number of rows but for rounding make up that number.
    const ROUNDING: f64 = 1e-9;
    scores.sort_by(|a, b| a.0.total_cmp(&b.0));
    let total: f64 = scores.iter().map(|(_, weight)| weight).sum();
    let left_out = (total + 1.0) * (1.0 - coverage) + ROUNDING;
    let (mut sum, mut lower) = (0.0, f64::NEG_INFINITY);
    for (score, weight) in scores {
        sum += weight;
        if sum > left_out {
            break;
        }
        lower = score;
    }
    lower
}
