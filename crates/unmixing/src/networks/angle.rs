//! Losses of linear mixtures that need no array of pixels times bands.
//!
//! For a mixture `x = E^T a` of endmembers `E` (K x L), the spectral angle to a pixel `y` and the squared distance from it are
//!
//! `cos = a . (E y) / (|y| sqrt(a . (E E^T) a))` and `|y - x|^2 = |y|^2 - 2 a . (E y) + a . (E E^T) a`,
//!
//! so that matrix products with K columns are all there is to differentiate. The products are f32 whatever the precision.

use burn::tensor::{FloatDType, Tensor};
use cupel_kernels::mean_fixed;

/// Cosines are kept this far from -1 and 1, where the arc cosine has no derivative: angles below 1.4e-3 rad count as that.
const LEAST_GAP: f64 = 1e-6;
/// Added to products of norms, so that a spectrum of zeros has an angle.
const TINY: f64 = 1e-12;

/// Products of a batch of pixels with their mixtures, one number a pixel.
pub(super) struct Mixed {
    /// `a . (E y)`.
    inner: Tensor<2>,
    /// `a . (E E^T) a`.
    mixture: Tensor<2>,
    /// `|y|^2`.
    pixel: Tensor<2>,
    bands: usize,
}

impl Mixed {
    /// Of `abundances` `[pixels, K]`, `endmembers` `[K, bands]` and `spectra` `[pixels, bands]`.
    pub(super) fn new(abundances: Tensor<2>, endmembers: Tensor<2>, spectra: Tensor<2>) -> Self {
        let [abundances, endmembers, spectra] = [abundances, endmembers, spectra].map(|x| x.cast(FloatDType::F32));
        let [_, bands] = spectra.dims();
        let transposed = endmembers.clone().transpose();
        let correlation = spectra.clone().matmul(transposed.clone());
        let gram = endmembers.matmul(transposed);
        Self {
            inner: (abundances.clone() * correlation).sum_dim(1),
            mixture: (abundances.clone().matmul(gram) * abundances).sum_dim(1),
            pixel: (spectra.clone() * spectra).sum_dim(1),
            bands,
        }
    }

    /// Mean spectral angle in radians.
    pub(super) fn mean_angle(&self) -> Tensor<1> {
        let norms = (self.mixture.clone().clamp_min(0.0) * self.pixel.clone()).add_scalar(TINY).sqrt();
        mean_fixed(angle(self.inner.clone() / norms))
    }

    /// Mean square distance over pixels and bands.
    pub(super) fn mean_square(&self) -> Tensor<1> {
        let distance = self.pixel.clone() - self.inner.clone().mul_scalar(2.0) + self.mixture.clone();
        mean_fixed(distance).mul_scalar(1.0 / self.bands as f64)
    }
}

/// The arc cosine, kept off its ends.
pub(super) fn angle<const D: usize>(cosine: Tensor<D>) -> Tensor<D> {
    cosine.clamp(LEAST_GAP - 1.0, 1.0 - LEAST_GAP).acos()
}
