//! Sets of classes, class by class.
//!
//! Class c is in the set of a row when its probability reaches a threshold t_c, and t_c is chosen so that the true class is in the
//! set for `coverage` of the calibration rows of class c (Vovk 2012, doi:10.1007/s10994-013-5355-6; Sadinle, Lei and Wasserman 2019,
//! doi:10.1080/01621459.2017.1395341). A set may be empty (nothing known fits) or hold everything (nothing is known).
//! For a label "there" and "not there" are the two classes.
//!
//! The threshold of a class with fifty rows stands on five of them, and the share that it really holds scatters by four percent. With a
//! `belief` of b rows, every row therefore speaks for every class, with the weight `(n y + b p) / (n + b)` for a class of `n` rows: the
//! truths of many rows, the calibrated probabilities where rows are few; classes of fewer than b rows share one threshold. With `n`
//! far above the belief that is the promise of the papers; below it the promise is as good as the calibration. A belief of 0 is
//! the method of the papers.

use super::threshold;

/// One threshold per class.
///
/// # Shapes
/// `probabilities` and `truths` (1 for the true class, 0 for the rest) are `[row, class]` and row-major; `weights` says what each
/// row counts for and thereby how many rows there are.
///
/// # Panics
/// When the lengths do not fit each other.
pub fn class_thresholds(
    probabilities: &[f64],
    truths: &[f64],
    weights: &[f64],
    classes: usize,
    belief: f64,
    coverage: f64,
) -> Vec<f64> {
    let expected = weights.len() * classes;
    assert!(
        probabilities.len() == expected && truths.len() == expected,
        "{} probabilities and {} truths for {} rows of {classes} classes",
        probabilities.len(),
        truths.len(),
        weights.len()
    );
    // [class][row]: probability, truth, what the row counts for
    let column = |of: &[f64], class: usize| of.iter().skip(class).step_by(classes).copied().collect::<Vec<f64>>();
    let rows = |class: usize| {
        let both = column(probabilities, class).into_iter().zip(column(truths, class));
        both.zip(weights).map(|((p, y), weight)| (p, y, *weight))
    };
    let counts: Vec<f64> = (0..classes).map(|class| rows(class).map(|(_, y, weight)| weight * y).sum()).collect();
    let said = |class: usize| -> Vec<(f64, f64)> {
        let count = counts[class];
        let speaks = |(_, y, _): &(f64, f64, f64)| belief > 0.0 || *y > 0.0;
        rows(class)
            .filter(speaks)
            .map(|(p, y, weight)| (p, weight * (count * y + belief * p) / (count + belief)))
            .collect()
    };
    let rare = |class: &usize| counts[*class] < belief;
    let of_rare = threshold((0..classes).filter(rare).flat_map(said).collect(), coverage);
    (0..classes).map(|class| if rare(&class) { of_rare } else { threshold(said(class), coverage) }).collect()
}

/// Two thresholds per label: that of "not there", then that of "there".
///
/// # Shapes
/// As of [`class_thresholds`], with labels instead of classes, of which any number may be true.
///
/// # Panics
/// When the lengths do not fit each other.
pub fn label_thresholds(
    probabilities: &[f64],
    truths: &[f64],
    weights: &[f64],
    labels: usize,
    belief: f64,
    coverage: f64,
) -> Vec<f64> {
    class_thresholds(&with_absence(probabilities), &with_absence(truths), weights, 2 * labels, belief, coverage)
}

/// Of each label the probability of "not there" and that of "there".
pub fn with_absence(probabilities: &[f64]) -> Vec<f64> {
    probabilities.iter().flat_map(|p| [1.0 - p, *p]).collect()
}

/// Which classes are in the set of a row, by its probabilities.
pub fn reached(probabilities: &[f64], thresholds: &[f64]) -> Vec<bool> {
    probabilities.iter().zip(thresholds).map(|(p, threshold)| p >= threshold).collect()
}
