//! A low-dimensional affine or linear space that holds the signal of a scene.

use cupel_data::{Axis, AxisKind, Cube};
use cupel_pca::{Covariance, Eigen, symmetric_eigen};
use rayon::prelude::*;

use crate::{Pixels, Result};

/// Mean, covariance and second moment of the spectra of a scene, with their eigenvectors.
#[derive(Clone, Debug)]
pub struct Moments {
    /// Mean spectrum.
    pub mean: Vec<f64>,
    /// `sum x x^T / n`, row-major.
    pub second: Vec<f64>,
    /// Eigenvectors of the second moment: directions from the origin.
    pub about_origin: Eigen,
    /// Eigenvectors of the covariance (divided by n): directions from the mean.
    pub about_mean: Eigen,
}

impl Moments {
    /// Moments of all pixels, in f64.
    ///
    /// # Errors
    /// When the eigendecomposition fails.
    pub fn of(pixels: &Pixels) -> Result<Self> {
        let bands = pixels.bands();
        let mut covariance = Covariance::new(&Axis::new(AxisKind::Wavelength, bands));
        covariance.update(&Cube::new(pixels.values().to_vec(), pixels.axes()?)?)?;
        let (mean, second) = (covariance.mean().to_vec(), covariance.second_moment()?);
        let centred: Vec<f64> = second.iter().enumerate().map(|(i, s)| s - mean[i / bands] * mean[i % bands]).collect();
        Ok(Self {
            about_origin: symmetric_eigen(&second, bands)?,
            about_mean: symmetric_eigen(&centred, bands)?,
            mean,
            second,
        })
    }
}

/// An origin and orthonormal directions.
#[derive(Clone, Debug)]
pub struct Subspace {
    origin: Vec<f64>,
    basis: Vec<Vec<f64>>,
}

impl Subspace {
    /// The `rank` strongest directions from the origin.
    pub fn about_origin(moments: &Moments, rank: usize) -> Self {
        let basis = moments.about_origin.vectors.iter().take(rank).cloned().collect();
        Self { origin: vec![0.0; moments.mean.len()], basis }
    }

    /// The `rank` strongest directions from the mean.
    pub fn about_mean(moments: &Moments, rank: usize) -> Self {
        Self { origin: moments.mean.clone(), basis: moments.about_mean.vectors.iter().take(rank).cloned().collect() }
    }

    /// These orthonormal directions from the origin.
    pub(crate) fn from_basis(basis: Vec<Vec<f64>>, bands: usize) -> Self {
        Self { origin: vec![0.0; bands], basis }
    }

    /// Number of directions.
    pub fn rank(&self) -> usize {
        self.basis.len()
    }

    /// Coordinates of every spectrum (`pixels x rank`).
    pub fn project(&self, pixels: &Pixels) -> Vec<f64> {
        if self.rank() == 0 {
            return Vec::new(); // a single endmember spans a point: there are no chunks of no coordinates
        }
        let mut coordinates = vec![0.0; pixels.count() * self.rank()];
        let offsets: Vec<f64> = self.basis.iter().map(|b| dot(b, &self.origin)).collect();
        coordinates
            .par_chunks_mut(self.rank())
            .zip(pixels.values().par_chunks(pixels.bands()))
            .with_min_len(256)
            .for_each(|(coordinates, spectrum)| {
                for ((c, direction), offset) in coordinates.iter_mut().zip(&self.basis).zip(&offsets) {
                    *c = direction.iter().zip(spectrum).map(|(d, &s)| d * f64::from(s)).sum::<f64>() - offset;
                }
            });
        coordinates
    }

    /// Coordinates of one spectrum.
    pub fn coordinates(&self, spectrum: &[f64]) -> Vec<f64> {
        self.basis.iter().map(|direction| dot(direction, spectrum) - dot(direction, &self.origin)).collect()
    }

    /// The spectrum at these coordinates.
    pub fn lift(&self, coordinates: &[f64]) -> Vec<f64> {
        let mut spectrum = self.origin.clone();
        for (direction, c) in self.basis.iter().zip(coordinates) {
            spectrum.iter_mut().zip(direction).for_each(|(s, d)| *s += c * d);
        }
        spectrum
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
