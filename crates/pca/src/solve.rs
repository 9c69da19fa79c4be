//! From moments or samples to [`Components`]: which decomposition is used, and what is kept of it.

use std::fmt;

use num_complex::Complex;

use crate::{
    Basis, Components, Covariance, Error, Modes, Result,
    eigen::{Decomposition, Entry, leading, left_singular, self_adjoint},
};

/// Channels above which a few modes are found without all the others: all cost `9 channels^3` operations.
const MANY_CHANNELS: usize = 2000;

/// How components were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Solver {
    /// All eigenvectors of the covariance in f64.
    #[doc(alias = "covariance_eigh")]
    Eigen,
    /// Singular vectors of the samples, where these are fewer than channels.
    #[doc(alias = "full")]
    Svd,
    /// The leading eigenvectors of the covariance by subspace iteration from a random start, where channels are many and the
    /// number of modes is given.
    Randomized,
}

/// Solvers by their names in files and reports.
const SOLVERS: [(Solver, &str); 3] =
    [(Solver::Eigen, "eigen"), (Solver::Svd, "svd"), (Solver::Randomized, "randomized")];

impl Solver {
    /// The solver of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        SOLVERS.iter().find(|(_, known)| *known == name).map(|(solver, _)| *solver)
    }
}

impl fmt::Display for Solver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = SOLVERS.iter().find(|(solver, _)| solver == self).map_or("eigen", |(_, name)| name);
        f.pad(name)
    }
}

/// What a decomposition belongs to.
pub(crate) struct Fitted<'a> {
    pub(crate) covariance: &'a Covariance,
    pub(crate) solver: Solver,
    pub(crate) total_variance: f64,
}

impl Fitted<'_> {
    /// Keeps what `modes` says of the eigenvectors.
    fn keep(self, eigenvalues: Vec<f64>, vectors: Basis, modes: Modes) -> Result<Components> {
        // rounding leaves eigenvalues of a rank-deficient matrix a little below zero, weights may leave them far below
        let eigenvalues: Vec<f64> = eigenvalues.iter().map(|v| v.max(0.0)).collect();
        let count = modes.choose(&eigenvalues, self.covariance.samples())?;
        let (basis, complement) = vectors.split(count);
        Ok(Components {
            axis: self.covariance.axis().clone(),
            mean: self.covariance.mean().to_vec(),
            mean_imaginary: self.covariance.mean_imaginary().to_vec(),
            basis,
            complement,
            total_variance: match self.solver {
                Solver::Randomized => self.total_variance,
                // clipped eigenvalues are no variance
                Solver::Eigen | Solver::Svd => eigenvalues.iter().sum(),
            },
            eigenvalues,
            samples: self.covariance.samples(),
            rule: modes.to_string(),
            solver: self.solver,
            unit: None,
            data_hash: None,
        })
    }
}

/// Components of a covariance.
pub(crate) fn of_covariance(covariance: &Covariance, modes: Modes) -> Result<Components> {
    if covariance.is_hermitian() {
        of_matrix(covariance, &covariance.complex_matrix()?, modes, Basis::Hermitian)
    } else {
        of_matrix(covariance, &covariance.matrix()?, modes, Basis::Real)
    }
}

/// Components of a covariance whose matrix is `matrix`, such as one that was shrunk.
pub(crate) fn of_matrix<T: Entry>(
    covariance: &Covariance,
    matrix: &[T],
    modes: Modes,
    basis: fn(Vec<Vec<T>>) -> Basis,
) -> Result<Components> {
    let channels = covariance.axis().len();
    let total_variance = (0..channels).map(|channel| matrix[channel * channels + channel].real()).sum();
    let (solver, (values, vectors)) = match modes {
        Modes::Count(count) | Modes::LeastLoss(count) if channels > MANY_CHANNELS && count < channels / 4 => {
            (Solver::Randomized, leading(matrix, channels, count)?)
        }
        _ => (Solver::Eigen, self_adjoint(matrix, channels)?),
    };
    Fitted { covariance, solver, total_variance }.keep(values, basis(vectors), modes)
}

/// Components of samples, fewer than channels, given as rows of real and, of a Hermitian basis, imaginary parts.
pub(crate) fn of_samples(covariance: &Covariance, rows: &[f64], modes: Modes) -> Result<Components> {
    let channels = covariance.axis().len();
    let degrees = match covariance.samples() {
        got @ 0..2 => return Err(Error::TooFewSamples { needed: 2, got }),
        samples => (samples - 1) as f64,
    };
    let variances = |values: Vec<f64>| values.iter().map(|value| value / degrees).collect();
    let fitted = Fitted { covariance, solver: Solver::Svd, total_variance: 0.0 };
    let mean = &covariance.moments().mean;
    let deviations =
        rows.chunks_exact(mean.len()).flat_map(|row| row.iter().zip(mean).map(|(value, mean)| value - mean));
    let deviations: Vec<f64> = deviations.collect();
    if covariance.is_hermitian() {
        let pairs = deviations.chunks_exact(2 * channels).map(|row| row.split_at(channels));
        let columns: Vec<Complex<f64>> =
            pairs.flat_map(|(re, im)| re.iter().zip(im).map(|(&re, &im)| Complex::new(re, im))).collect();
        let (values, vectors): Decomposition<Complex<f64>> = left_singular(&columns, channels)?;
        fitted.keep(variances(values), Basis::Hermitian(vectors), modes)
    } else {
        let (values, vectors): Decomposition<f64> = left_singular(&deviations, channels)?;
        fitted.keep(variances(values), Basis::Real(vectors), modes)
    }
}
