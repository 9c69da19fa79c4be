//! Spectra of the pure materials of a scene.

use serde::{Deserialize, Serialize};

use crate::{Error, Pixels, Result};

/// Endmembers `E` (`count x bands`), one spectrum a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Endmembers {
    values: Vec<f64>,
    bands: usize,
}

impl Endmembers {
    /// Rows of `bands` values each.
    ///
    /// # Errors
    /// A length that `bands` does not divide, no spectra, values that are not finite.
    pub fn new(values: Vec<f64>, bands: usize) -> Result<Self> {
        if bands == 0 || values.is_empty() || !values.len().is_multiple_of(bands) {
            return Err(Error::NoPixels { values: values.len(), bands });
        }
        if let Some(at) = values.iter().position(|v| !v.is_finite()) {
            let count = values.iter().filter(|v| !v.is_finite()).count();
            return Err(Error::NotFinite { pixel: at / bands, columns: None, band: at % bands, count });
        }
        Ok(Self { values, bands })
    }

    /// The spectra of these pixels.
    ///
    /// # Panics
    /// If a pixel is out of range or none is given.
    pub fn at_pixels(pixels: &Pixels, chosen: &[usize]) -> Self {
        assert!(!chosen.is_empty(), "at least one endmember");
        let values = chosen.iter().flat_map(|&p| pixels.spectrum(p)).map(|&v| f64::from(v)).collect();
        Self { values, bands: pixels.bands() }
    }

    /// Number of endmembers.
    pub fn count(&self) -> usize {
        self.values.len() / self.bands
    }

    /// Number of bands.
    pub fn bands(&self) -> usize {
        self.bands
    }

    /// All values, spectrum after spectrum.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// One spectrum.
    ///
    /// # Panics
    /// If there is no such endmember.
    pub fn spectrum(&self, endmember: usize) -> &[f64] {
        &self.values[endmember * self.bands..(endmember + 1) * self.bands]
    }

    /// All spectra in order.
    pub fn spectra(&self) -> std::slice::ChunksExact<'_, f64> {
        self.values.chunks_exact(self.bands)
    }

    /// The same spectra in another order; `order[k]` is the old place of the new `k`-th.
    ///
    /// # Panics
    /// If a place is out of range or none is given.
    pub fn reordered(&self, order: &[usize]) -> Self {
        assert!(!order.is_empty(), "at least one endmember");
        Self { values: order.iter().flat_map(|&k| self.spectrum(k)).copied().collect(), bands: self.bands }
    }

    /// Every spectrum multiplied by its own factor.
    ///
    /// # Panics
    /// If there is not one factor an endmember.
    pub fn scaled(&self, factors: &[f64]) -> Self {
        assert_eq!(factors.len(), self.count(), "one factor an endmember");
        let values = self.spectra().zip(factors).flat_map(|(s, f)| s.iter().map(move |v| v * f)).collect();
        Self { values, bands: self.bands }
    }

    /// Every spectrum divided by its largest value (spectra without a positive value stay as they are).
    pub fn unit_maximum(&self) -> Self {
        let largest = |s: &[f64]| s.iter().copied().fold(0.0, f64::max);
        self.scaled(&self.spectra().map(|s| reciprocal(largest(s))).collect::<Vec<_>>())
    }

    /// Every spectrum divided by its Euclidean norm.
    pub fn unit_norm(&self) -> Self {
        self.scaled(&self.norms().iter().map(|n| reciprocal(*n)).collect::<Vec<_>>())
    }

    /// Euclidean norm of every spectrum.
    pub fn norms(&self) -> Vec<f64> {
        self.spectra().map(|s| s.iter().map(|v| v * v).sum::<f64>().sqrt()).collect()
    }

    /// Gram matrix `E E^T`, row-major.
    pub fn gram(&self) -> Vec<f64> {
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        self.spectra().flat_map(|a| self.spectra().map(move |b| dot(a, b))).collect()
    }

    /// Largest correlation between two different spectra, between -1 and 1 (-1 for a single endmember).
    pub fn largest_correlation(&self) -> f64 {
        let centred = Self {
            values: self
                .spectra()
                .flat_map(|s| {
                    let mean = s.iter().sum::<f64>() / s.len() as f64;
                    s.iter().map(move |v| v - mean)
                })
                .collect(),
            bands: self.bands,
        }
        .unit_norm();
        let (gram, count) = (centred.gram(), self.count());
        (0..count * count).filter(|i| i / count != i % count).map(|i| gram[i]).fold(-1.0, f64::max)
    }
}

fn reciprocal(value: f64) -> f64 {
    if value > 0.0 { 1.0 / value } else { 1.0 }
}
