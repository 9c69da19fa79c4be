//! Decompositions: the eigenvectors of a symmetric or Hermitian matrix, all of them or the leading ones, and the left
//! singular vectors of samples.
//!
//! The leading ones are found by subspace iteration from a random start with oversampling (Halko, Martinsson & Tropp 2011,
//! arXiv:0909.4061, algorithms 4.4 and 5.3).

use std::ops::{Add, Mul, Sub};

use cupel_data::Stream;
use faer::{Mat, MatRef, Side, traits::ComplexField};
use num_complex::Complex;

use crate::{Error, Result};

/// Directions beyond those asked for; they make the wanted ones converge.
const OVERSAMPLING: usize = 10;
/// Times that the matrix is applied; each narrows the angle by the ratio of eigenvalues beyond the oversampling.
const ITERATIONS: usize = 7;

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
    let (values, vectors) = self_adjoint(matrix, size)?;
    Ok(Eigen { values, vectors })
}

/// Eigenvalues in descending order with their complex eigenvectors.
#[derive(Clone, Debug)]
pub struct HermitianEigen {
    /// Eigenvalues, largest first.
    pub values: Vec<f64>,
    /// `vectors[i]` is the unit eigenvector of `values[i]`; its largest entry in absolute value is real and positive.
    pub vectors: Vec<Vec<Complex<f64>>>,
}

/// Decomposes the Hermitian `size x size` matrix in row-major `matrix`.
///
/// # Errors
/// [`Error::NoConvergence`] when the iteration fails (non-finite entries).
///
/// # Panics
/// If `matrix.len() != size * size`.
pub fn hermitian_eigen(matrix: &[Complex<f64>], size: usize) -> Result<HermitianEigen> {
    let (values, vectors) = self_adjoint(matrix, size)?;
    Ok(HermitianEigen { values, vectors })
}

/// A real or complex number of a matrix.
pub(crate) trait Entry:
    ComplexField<Real = f64> + Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self>
{
    fn of(parts: [f64; 2]) -> Self;
    fn real(self) -> f64;
    fn modulus(self) -> f64;
    fn conjugate(self) -> Self;
    /// The vector times the number of modulus 1 that makes `pivot` real and positive.
    fn turn(vector: &mut [Self], pivot: Self);
}

impl Entry for f64 {
    fn of([re, _]: [f64; 2]) -> Self {
        re
    }

    fn real(self) -> f64 {
        self
    }

    fn modulus(self) -> f64 {
        self.abs()
    }

    fn conjugate(self) -> Self {
        self
    }

    fn turn(vector: &mut [Self], pivot: Self) {
        if pivot < 0.0 {
            vector.iter_mut().for_each(|v| *v = -*v);
        }
    }
}

impl Entry for Complex<f64> {
    fn of([re, im]: [f64; 2]) -> Self {
        Self::new(re, im)
    }

    fn real(self) -> f64 {
        self.re
    }

    fn modulus(self) -> f64 {
        self.norm()
    }

    fn conjugate(self) -> Self {
        self.conj()
    }

    fn turn(vector: &mut [Self], pivot: Self) {
        let modulus = pivot.norm();
        if modulus > 0.0 {
            let phase = pivot.conj() / modulus;
            vector.iter_mut().for_each(|v| *v *= phase);
        }
    }
}

/// Descending values, and vectors with their largest entry real and positive.
pub(crate) type Decomposition<T> = (Vec<f64>, Vec<Vec<T>>);

/// All eigenvectors of a row-major matrix that is its own adjoint.
pub(crate) fn self_adjoint<T: Entry>(matrix: &[T], size: usize) -> Result<Decomposition<T>> {
    assert_eq!(matrix.len(), size * size, "a symmetric matrix of size {size} has {} entries", size * size);
    let decomposition = MatRef::from_row_major_slice(matrix, size, size)
        .self_adjoint_eigen(Side::Lower)
        .map_err(|_| Error::NoConvergence { size })?;
    let (values, vectors) = (decomposition.S(), decomposition.U());
    // faer sorts ascending
    let order = (0..size).rev();
    Ok((order.clone().map(|i| values[i].real()).collect(), order.map(|i| column(vectors, i)).collect()))
}

/// All left singular vectors of the `size x samples` matrix whose columns follow each other, with the squares of the singular
/// values; zeros beyond the number of samples.
pub(crate) fn left_singular<T: Entry>(columns: &[T], size: usize) -> Result<Decomposition<T>> {
    let samples = columns.len() / size.max(1);
    let decomposition =
        MatRef::from_column_major_slice(columns, size, samples).svd().map_err(|_| Error::NoConvergence { size })?;
    let (values, vectors) = (decomposition.S(), decomposition.U());
    let square = |i: usize| if i < size.min(samples) { values[i].real() * values[i].real() } else { 0.0 };
    Ok(((0..size).map(square).collect(), (0..size).map(|i| column(vectors, i)).collect()))
}

/// The `count` leading eigenvectors of a row-major matrix that is its own adjoint.
pub(crate) fn leading<T: Entry>(matrix: &[T], size: usize, count: usize) -> Result<Decomposition<T>> {
    let matrix = MatRef::from_row_major_slice(matrix, size, size);
    let width = (count + OVERSAMPLING).min(size);
    let mut draws = vec![0.0; 2 * size * width];
    Stream::new(0, "start of a subspace iteration").fill_normal_f64(&mut draws);
    let mut space = Mat::from_fn(size, width, |row, column| {
        let at = 2 * (row * width + column);
        T::of([draws[at], draws[at + 1]])
    });
    for _ in 0..ITERATIONS {
        let basis = space.qr().compute_thin_Q();
        space = matrix * &basis;
    }
    // Rayleigh and Ritz: the best vectors within the space
    let basis = space.qr().compute_thin_Q();
    let within = basis.adjoint() * (matrix * &basis);
    let entries: Vec<T> = (0..width * width).map(|at| within[(at / width, at % width)]).collect();
    let (values, within) = self_adjoint(&entries, width)?;
    let within = Mat::from_fn(width, count, |row, column| within[column][row]);
    let vectors = &basis * &within;
    Ok((values.into_iter().take(count).collect(), (0..count).map(|i| column(vectors.as_ref(), i)).collect()))
}

/// A column of unit length in its one gauge, so that results repeat across versions.
fn column<T: Entry>(vectors: MatRef<'_, T>, index: usize) -> Vec<T> {
    let mut vector: Vec<T> = (0..vectors.nrows()).map(|row| vectors[(row, index)]).collect();
    let mut pivot = T::of([0.0; 2]);
    for &entry in &vector {
        pivot = if entry.modulus() > pivot.modulus() { entry } else { pivot };
    }
    T::turn(&mut vector, pivot);
    vector
}
