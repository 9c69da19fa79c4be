//! Eigendecomposition of a symmetric matrix.

use faer::{MatRef, Side};

use crate::{Error, Result};

/// Eigenvalues in descending order with their eigenvectors.
#[derive(Clone, Debug)]
pub struct Eigen {
    /// Eigenvalues, largest first.
    pub values: Vec<f64>,
    /// `vectors[i]` is the unit eigenvector of `values[i]`; its largest entry in absolute value is positive.
    pub vectors: Vec<Vec<f64>>,
}

/// Decomposes the symmetric `size x size` matrix in row-major `matrix`.
///
/// # Errors
/// [`Error::NoConvergence`] when the iteration fails (non-finite entries).
///
/// # Panics
/// If `matrix.len() != size * size`.
pub fn symmetric_eigen(matrix: &[f64], size: usize) -> Result<Eigen> {
    assert_eq!(matrix.len(), size * size, "a symmetric matrix of size {size} has {} entries", size * size);
    let decomposition = MatRef::from_row_major_slice(matrix, size, size)
        .self_adjoint_eigen(Side::Lower)
        .map_err(|_| Error::NoConvergence { size })?;
    let (values, vectors) = (decomposition.S(), decomposition.U());
    // faer sorts ascending
    let order = (0..size).rev();
    Ok(Eigen {
        values: order.clone().map(|i| values[i]).collect(),
        vectors: order
            .map(|i| {
                let mut vector: Vec<f64> = (0..size).map(|row| vectors[(row, i)]).collect();
                // the sign of an eigenvector is arbitrary: fix it, so that results repeat across versions
                let largest = vector.iter().copied().fold(0.0, |m: f64, v| if v.abs() > m.abs() { v } else { m });
                if largest < 0.0 {
                    vector.iter_mut().for_each(|v| *v = -*v);
                }
                vector
            })
            .collect(),
    })
}
