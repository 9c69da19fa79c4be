//! A covariance over channels that depends on their distance alone, times a strength that is smooth over frequency.
//!
//! What is the same everywhere along the line of sight has equal correlations at equal distances: a Toeplitz matrix, of which each distance is
//! measured by many pairs of channels. A few skies then say as much of it as many say of a matrix without structure.

use faer::{Mat, Side};

/// Eigenvalues of a correlation matrix that sampling made smaller are raised to this.
const LEAST: f64 = 1e-9;

/// The mean correlation at each distance in channels.
pub(super) fn lags(covariance: &Mat<f64>) -> Vec<f64> {
    let size = covariance.nrows();
    let correlation = |i: usize, j: usize| {
        let over = (covariance[(i, i)] * covariance[(j, j)]).sqrt();
        if over > 0.0 { covariance[(i, j)] / over } else { 0.0 }
    };
    (0..size).map(|lag| (0..size - lag).map(|i| correlation(i, i + lag)).sum::<f64>() / (size - lag) as f64).collect()
}

/// The nearest correlation matrix of these correlations at each distance, without eigenvalues below zero; nothing where the decomposition fails.
pub(super) fn correlation(lags: &[f64]) -> Option<Mat<f64>> {
    let size = lags.len();
    let toeplitz = Mat::from_fn(size, size, |i, j| lags[i.abs_diff(j)]);
    let decomposition = toeplitz.self_adjoint_eigen(Side::Lower).ok()?;
    let (values, vectors) = (decomposition.S(), decomposition.U());
    if (0..size).all(|i| values[i] >= LEAST) {
        return Some(toeplitz);
    }
    let roots = Mat::from_fn(size, size, |i, j| vectors[(i, j)] * values[j].max(LEAST).sqrt());
    let clipped = &roots * roots.transpose();
    Some(Mat::from_fn(size, size, |i, j| clipped[(i, j)] / (clipped[(i, i)] * clipped[(j, j)]).sqrt()))
}

/// The variances as `exp` of a polynomial over channels fitted to their logarithms, with the same sum; nothing where one is not above zero.
pub(super) fn strength(variances: &[f64], degree: usize) -> Option<Vec<f64>> {
    if !variances.iter().all(|variance| *variance > 0.0 && variance.is_finite()) {
        return None;
    }
    let last = variances.len().saturating_sub(1).max(1) as f64;
    let degree = degree.min(variances.len() - 1);
    // orthonormal over the channels: no equations to solve
    let mut basis: Vec<Vec<f64>> = Vec::new();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    for power in 0..=degree {
        let x = |channel: usize| (2.0 * channel as f64 / last - 1.0).powi(power as i32);
        let mut column: Vec<f64> = (0..variances.len()).map(x).collect();
        for _ in 0..2 {
            for other in &basis {
                let common = dot(&column, other);
                column.iter_mut().zip(other).for_each(|(value, other)| *value -= common * other);
            }
        }
        let norm = dot(&column, &column).sqrt();
        column.iter_mut().for_each(|value| *value /= norm);
        basis.push(column);
    }
    let logarithms: Vec<f64> = variances.iter().map(|variance| variance.ln()).collect();
    let mut fitted = vec![0.0; variances.len()];
    for column in &basis {
        let common = dot(&logarithms, column);
        fitted.iter_mut().zip(column).for_each(|(value, column)| *value += common * column);
    }
    fitted.iter_mut().for_each(|value| *value = value.exp());
    let scale = variances.iter().sum::<f64>() / fitted.iter().sum::<f64>();
    fitted.iter_mut().for_each(|value| *value *= scale);
    Some(fitted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stationary_covariance_is_its_own_and_others_become_positive() {
        let strength_of = |i: usize| 2.0 * (0.3 * i as f64 / 9.0).exp();
        let truth =
            Mat::from_fn(10, 10, |i, j| (strength_of(i) * strength_of(j)).sqrt() * 0.5_f64.powi(i.abs_diff(j) as i32));
        let found = correlation(&lags(&truth)).unwrap();
        let variances: Vec<f64> = (0..10).map(|i| truth[(i, i)]).collect();
        let strength = strength(&variances, 1).unwrap();
        for (i, j) in (0..10).flat_map(|i| (0..10).map(move |j| (i, j))) {
            assert!((found[(i, j)] * (strength[i] * strength[j]).sqrt() / truth[(i, j)] - 1.0).abs() < 1e-12);
        }
        // no covariance has these
        let made = correlation(&[1.0, -0.9, -0.9, 0.0]).unwrap();
        assert!(made.self_adjoint_eigen(Side::Lower).unwrap().S()[0] > 0.0);
        assert!((0..4).all(|i| (made[(i, i)] - 1.0).abs() < 1e-12));
    }

    #[test]
    fn channels_without_power_have_no_smooth_strength() {
        assert_eq!(strength(&[1.0, 0.0, 1.0], 1), None);
        let constant = strength(&[1.0, 2.0, 6.0], 0).unwrap();
        assert!(constant.iter().all(|value| (value - 3.0).abs() < 1e-12));
        let all = strength(&[1.0, 2.0, 6.0], 9).unwrap();
        assert!(all.iter().zip([1.0, 2.0, 6.0]).all(|(a, b)| (a - b).abs() < 1e-12));
    }
}
