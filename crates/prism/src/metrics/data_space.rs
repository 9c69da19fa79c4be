//! How well intensities explain counts, without a truth.

/// Mean Poisson deviance of a pixel, `2 (n ln(n / I) - n + I)`, about one where `I` is the mean of many counts `n`.
///
/// Counts and means in photons; a mean of nought explains nought only, and is infinitely wrong about anything else.
///
/// # Panics
/// When their numbers differ or are nought: "deviance: 3 counts and 2 means".
pub fn deviance(counts: &[f64], means: &[f64]) -> f64 {
    check("deviance", counts, means);
    let terms = counts.iter().zip(means).map(|(count, mean)| {
        let logarithm = if *count > 0.0 { count * (count / mean).ln() } else { 0.0 };
        2.0 * (logarithm - count + mean)
    });
    terms.sum::<f64>() / counts.len() as f64
}

/// `sum |sqrt n - sqrt I| / sum sqrt n` of intensities; those below nought, which read-out makes, count as nought.
///
/// # Panics
/// As [`deviance`], by the name of "r_factor".
pub fn r_factor(measured: &[f64], predicted: &[f64]) -> f64 {
    check("r_factor", measured, predicted);
    let root = |value: &f64| value.max(0.0).sqrt();
    let apart: f64 = measured.iter().zip(predicted).map(|(n, i)| (root(n) - root(i)).abs()).sum();
    apart / measured.iter().map(root).sum::<f64>()
}

fn check(name: &str, counts: &[f64], means: &[f64]) {
    assert!(
        counts.len() == means.len() && !counts.is_empty(),
        "{name}: {} counts and {} means",
        counts.len(),
        means.len()
    );
}
