//! Symmetric matrices over channels: the filter of two covariances, square roots, and conversions.
//!
//! Foregrounds are 1e4 times the signal, so that covariances have conditions of 1e10 and more. They are brought to a unit diagonal, solved by
//! Cholesky's factors in f64, and only where rounding made them singular a ridge of the size of rounding is added.

use faer::{Mat, Side, linalg::solvers::Solve};

/// First ridge on a matrix of unit diagonal that has no Cholesky factors, and how often it grows tenfold.
const RIDGE: f64 = 1e-15;
const RIDGES: i32 = 8;

/// A square matrix of row-major values.
pub(super) fn matrix(values: &[f64], size: usize) -> Mat<f64> {
    Mat::from_fn(size, size, |row, column| values[row * size + column])
}

/// The values, row by row.
pub(super) fn row_major(matrix: &Mat<f64>) -> Vec<f64> {
    (0..matrix.nrows()).flat_map(|row| (0..matrix.ncols()).map(move |column| matrix[(row, column)])).collect()
}

/// The same with the mean of both halves.
pub(super) fn symmetric(matrix: &Mat<f64>) -> Mat<f64> {
    Mat::from_fn(matrix.nrows(), matrix.ncols(), |row, column| (matrix[(row, column)] + matrix[(column, row)]) / 2.0)
}

/// Rows and columns of these indices.
pub(super) fn part(matrix: &Mat<f64>, rows: &[usize], columns: &[usize]) -> Mat<f64> {
    Mat::from_fn(rows.len(), columns.len(), |row, column| matrix[(rows[row], columns[column])])
}

/// A positive definite matrix that is solved for right sides; nothing where it has a diagonal that is not above zero, or no factors whatever
/// ridge of the size of rounding is added.
pub(super) struct Solver {
    scale: Vec<f64>,
    factors: faer::linalg::solvers::Llt<f64>,
}

impl Solver {
    pub(super) fn new(matrix: &Mat<f64>) -> Option<Self> {
        let size = matrix.nrows();
        let scale: Vec<f64> = (0..size).map(|i| 1.0 / matrix[(i, i)].sqrt()).collect();
        if !scale.iter().all(|scale| scale.is_finite()) {
            return None;
        }
        let scaled = |ridge: f64| {
            Mat::from_fn(size, size, |i, j| if i == j { 1.0 + ridge } else { matrix[(i, j)] * scale[i] * scale[j] })
        };
        let ridges = std::iter::once(0.0).chain((0..RIDGES).map(|power| RIDGE * 10_f64.powi(power)));
        let factors = ridges.map(scaled).find_map(|scaled| scaled.llt(Side::Lower).ok())?;
        Some(Self { scale, factors })
    }

    /// `C^-1 b`.
    pub(super) fn solve(&self, right: &Mat<f64>) -> Mat<f64> {
        let scaled = |matrix: &Mat<f64>| {
            Mat::from_fn(matrix.nrows(), matrix.ncols(), |row, column| matrix[(row, column)] * self.scale[row])
        };
        scaled(&self.factors.solve(scaled(right)))
    }
}

/// The filter `W = S (S + R)^-1` and the covariance `S - W S` of what it leaves unknown; nothing where `S + R` is none.
pub(super) fn wiener(signal: &Mat<f64>, rest: &Mat<f64>) -> Option<(Mat<f64>, Mat<f64>)> {
    let size = signal.nrows();
    if (0..size * size).all(|at| rest[(at / size, at % size)] == 0.0) {
        return Some((Mat::identity(size, size), Mat::zeros(size, size)));
    }
    let solver = Solver::new(&(signal + rest))?;
    let filter = solver.solve(signal).transpose().to_owned();
    let posterior = symmetric(&(signal - &filter * signal));
    Some((filter, posterior))
}

/// A matrix with `A A^T = C`; of eigenvalues below zero, which rounding makes, nothing is left. Nothing where the decomposition fails.
pub(super) fn square_root(matrix: &Mat<f64>) -> Option<Mat<f64>> {
    let decomposition = matrix.self_adjoint_eigen(Side::Lower).ok()?;
    let (values, vectors) = (decomposition.S(), decomposition.U());
    let roots: Vec<f64> = (0..matrix.nrows()).map(|i| values[i].max(0.0).sqrt()).collect();
    Some(Mat::from_fn(matrix.nrows(), matrix.ncols(), |row, column| vectors[(row, column)] * roots[column]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A signal of 1 on a smooth foreground of `brightness` squared.
    fn covariances(size: usize, brightness: f64) -> (Mat<f64>, Mat<f64>) {
        let distance = |i: usize, j: usize| (i as f64 - j as f64) / size as f64;
        let signal = Mat::from_fn(size, size, |i, j| (-20.0 * distance(i, j).abs()).exp());
        let rest = Mat::from_fn(size, size, |i, j| {
            brightness * brightness * (-0.5 * distance(i, j).powi(2)).exp() + if i == j { 1e-4 } else { 0.0 }
        });
        (signal, rest)
    }

    #[test]
    fn the_filter_solves_its_equation_at_a_condition_of_1e12() {
        let (signal, rest) = covariances(48, 1e4);
        let (filter, posterior) = wiener(&signal, &rest).unwrap();
        let error = &filter * &(&signal + &rest) - &signal;
        // f64 on entries of 1e8
        assert!((0..48 * 48).all(|at| error[(at / 48, at % 48)].abs() < 1e-5), "{}", error.norm_max());
        // Sigma = W R as well
        let other = &filter * &rest;
        assert!((&posterior - &other).norm_max() < 1e-5, "{}", (&posterior - &other).norm_max());
        let root = square_root(&posterior).unwrap();
        assert!((&root * root.transpose() - &posterior).norm_max() < 1e-7);
    }

    #[test]
    fn without_rest_the_filter_is_the_identity_and_nothing_is_unknown() {
        let (signal, _) = covariances(8, 1.0);
        let (filter, posterior) = wiener(&signal, &Mat::zeros(8, 8)).unwrap();
        assert!((filter - Mat::<f64>::identity(8, 8)).norm_max() == 0.0 && posterior.norm_max() == 0.0);
    }

    #[test]
    fn singular_matrices_are_told_from_nearly_singular_ones() {
        assert!(Solver::new(&matrix(&[0.0, 0.0, 0.0, 1.0], 2)).is_none());
        assert!(Solver::new(&matrix(&[1.0, 1.0, 1.0, 1.0], 2)).is_some(), "a ridge makes it regular");
        assert!(Solver::new(&matrix(&[1.0, 2.0, 2.0, 1.0], 2)).is_none());
    }
}
