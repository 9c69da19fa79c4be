//! Intervals of real values: a margin around what a model says.
//!
//! The margin is the ceil((n + 1) coverage)-th smallest of the scores of n calibration rows, and infinite where n is too small for that. A score
//! that is not a number counts as infinite.

use super::lower;

/// The margin of these scores.
pub fn margin(scores: impl IntoIterator<Item = f64>, coverage: f64) -> f64 {
    let downwards = |score: f64| (if score.is_nan() { f64::NEG_INFINITY } else { -score }, 1.0);
    -lower(scores.into_iter().map(downwards).collect(), coverage)
}

/// The margin m of intervals `said ± m`, from absolute residuals (Lei et al. 2018, doi:10.1080/01621459.2017.1307116, algorithm 2).
///
/// # Panics
/// When the lengths differ.
pub fn residual_margin(said: &[f64], truths: &[f64], coverage: f64) -> f64 {
    quantile_margin(said, said, truths, coverage)
}

/// The margin m of intervals `said ± m scale`, from residuals divided by a scale that the model expects of them (the same, section
/// 5.2): the intervals are wide where the model knows little.
///
/// # Panics
/// When the lengths differ.
pub fn scaled_margin(said: &[f64], scales: &[f64], truths: &[f64], coverage: f64) -> f64 {
    assert_eq!((said.len(), scales.len()), (truths.len(), truths.len()), "values, scales and truths differ in length");
    let score = |((said, scale), truth): ((&f64, &f64), &f64)| (truth - said).abs() / scale;
    margin(said.iter().zip(scales).zip(truths).map(score), coverage)
}

/// The margin m of intervals from `low - m` to `high + m`, of a model that says two quantiles (Romano, Patterson and Candes 2019,
/// arXiv:1905.03222, equations 6 to 8). It is negative where the quantiles hold too much; an interval whose ends have then
/// passed each other is empty.
///
/// # Panics
/// When the lengths differ.
pub fn quantile_margin(low: &[f64], high: &[f64], truths: &[f64], coverage: f64) -> f64 {
    assert_eq!((low.len(), high.len()), (truths.len(), truths.len()), "quantiles and truths differ in length");
    let score = |((low, high), truth): ((&f64, &f64), &f64)| {
        let (below, above) = (low - truth, truth - high);
        if below.is_nan() || above.is_nan() { f64::NAN } else { below.max(above) }
    };
    margin(low.iter().zip(high).zip(truths).map(score), coverage)
}
