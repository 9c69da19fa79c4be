//! Measures of probabilities against the truth, in f64.
//!
//! Definitions are those of scikit-learn 1.9 where it has them: [`ClassScore`] and [`LabelScore`] take one row after the
//! other, [`auroc`] and [`average_precision`] handle ties. Calibration and intervals are those of `cupel_statistics`.

mod classes;
mod labels;
mod ranking;

pub(crate) use classes::argmax;
pub use classes::{ClassMeasures, ClassScore, PerClass};
pub use labels::{LabelMeasures, LabelScore, PerLabel};
pub use ranking::{auroc, average_precision};

/// Probabilities are kept this far from 0 in logarithms.
pub const CLIP: f64 = 1e-12;

/// Mean of the numbers that are there; `None` without any.
fn mean(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0);
    for value in values.flatten() {
        sum += value;
        count += 1;
    }
    (count > 0).then(|| sum / f64::from(count))
}

/// `a / b`, 0 where `b` is 0.
fn ratio(a: f64, b: f64) -> f64 {
    if b > 0.0 { a / b } else { 0.0 }
}
