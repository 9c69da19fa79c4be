//! The pixels of a scene as rows of spectra.

use std::sync::Arc;

use cupel_data::{Axes, Axis, AxisKind, Cube, Stream};

use crate::{Error, Result};

/// Spectra of a scene: `count` rows of `bands` values, pixel `row * columns + column` at that place.
///
/// Every value is finite and no spectrum is zero everywhere: both are checked once, here.
#[derive(Clone, Debug)]
pub struct Pixels {
    values: Arc<[f32]>,
    bands: usize,
}

impl Pixels {
    /// The pixels of a cube with a [`AxisKind::Wavelength`] axis; all other axes count pixels, in their order.
    ///
    /// # Errors
    /// No wavelength axis, no pixels, values that are not finite, spectra that are zero in every band.
    pub fn of(cube: &Cube<f32>) -> Result<Self> {
        let cube = cube.with_last(AxisKind::Wavelength)?;
        let bands = cube.axes().axis(AxisKind::Wavelength)?.len();
        Self::new(cube.values().into(), bands)
    }

    /// Rows of `bands` values each.
    ///
    /// # Errors
    /// No pixels, a length that `bands` does not divide, values that are not finite, spectra of zeros.
    pub fn new(values: Arc<[f32]>, bands: usize) -> Result<Self> {
        if bands == 0 || values.is_empty() || !values.len().is_multiple_of(bands) {
            return Err(Error::NoPixels { values: values.len(), bands });
        }
        let mut broken = values.iter().enumerate().filter(|(_, v)| !v.is_finite());
        if let Some((first, _)) = broken.next() {
            let (pixel, band, count) = (first / bands, first % bands, 1 + broken.count());
            return Err(Error::NotFinite { pixel, columns: None, band, count });
        }
        let mut zero = values.chunks_exact(bands).enumerate().filter(|(_, s)| s.iter().all(|&v| v == 0.0));
        if let Some((first, _)) = zero.next() {
            return Err(Error::ZeroPixels { first, columns: None, count: 1 + zero.count() });
        }
        Ok(Self { values, bands })
    }

    /// Rows that derive from checked pixels and are finite for that reason; they may be zero.
    pub(crate) fn of_checked(values: Vec<f32>, bands: usize) -> Self {
        Self { values: values.into(), bands }
    }

    /// Number of pixels.
    pub fn count(&self) -> usize {
        self.values.len() / self.bands
    }

    /// Number of bands.
    pub fn bands(&self) -> usize {
        self.bands
    }

    /// All values, pixel after pixel.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The spectrum of one pixel.
    ///
    /// # Panics
    /// If there is no such pixel.
    pub fn spectrum(&self, pixel: usize) -> &[f32] {
        &self.values[pixel * self.bands..(pixel + 1) * self.bands]
    }

    /// All spectra in order.
    pub fn spectra(&self) -> std::slice::ChunksExact<'_, f32> {
        self.values.chunks_exact(self.bands)
    }

    /// How low an endmember may be in each band: zero, since reflectance has no sign, but without a limit where dark current or the
    /// correction of the atmosphere left some of the data below zero; mixtures are then no lower limit to what is mixed.
    pub(crate) fn floors(&self) -> Vec<f64> {
        let mut floors = vec![0.0; self.bands];
        for spectrum in self.spectra() {
            floors
                .iter_mut()
                .zip(spectrum)
                .filter(|(_, v)| **v < 0.0)
                .for_each(|(floor, _)| *floor = f64::NEG_INFINITY);
        }
        floors
    }

    /// The same with zeros in these bands.
    pub(crate) fn without(&self, bands: &[usize]) -> Self {
        let mut values = self.values.to_vec();
        values.chunks_exact_mut(self.bands).for_each(|spectrum| bands.iter().for_each(|&band| spectrum[band] = 0.0));
        Self::of_checked(values, self.bands)
    }

    /// The same with each band multiplied by its weight.
    pub(crate) fn weighted(&self, weights: &[f64]) -> Self {
        let values = self.values.iter().zip(weights.iter().cycle()).map(|(v, w)| (f64::from(*v) * w) as f32);
        Self::of_checked(values.collect(), self.bands)
    }

    /// The pixels with these indices.
    ///
    /// # Panics
    /// If an index is out of range or `pixels` is empty.
    pub fn select(&self, pixels: &[usize]) -> Self {
        assert!(!pixels.is_empty(), "a selection holds at least one pixel");
        let values = pixels.iter().flat_map(|&p| self.spectrum(p)).copied().collect();
        Self { values, bands: self.bands }
    }

    /// At most `limit` pixels, drawn evenly without replacement and kept in order; all of them where they are fewer.
    pub fn sample(&self, limit: usize, stream: Stream) -> Self {
        if self.count() <= limit {
            return self.clone();
        }
        let mut chosen = stream.sample(self.count(), limit);
        chosen.sort_unstable();
        self.select(&chosen)
    }

    /// Two parts: every `every`-th pixel of a random order is in the second. Both keep the order of the scene.
    pub(crate) fn split_every(&self, every: usize, stream: Stream) -> (Self, Self) {
        let mut second = vec![false; self.count()];
        stream.permutation(self.count()).into_iter().step_by(every).for_each(|n| second[n] = true);
        let part = |which: bool| -> Vec<usize> { (0..self.count()).filter(|&n| second[n] == which).collect() };
        let (first, second) = (part(false), part(true));
        // a scene of a single pixel has nothing to hold out
        if first.is_empty() { (self.clone(), self.clone()) } else { (self.select(&first), self.select(&second)) }
    }

    /// Hash of all values, which a saved state is bound to.
    pub(crate) fn hash(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        self.values.chunks(4096).for_each(|chunk| {
            let bytes: Vec<u8> = chunk.iter().flat_map(|v| v.to_le_bytes()).collect();
            hasher.update(&bytes);
        });
        *hasher.finalize().as_bytes()
    }

    /// Axes `[Sample, Wavelength]` of these rows.
    pub(crate) fn axes(&self) -> Result<Axes> {
        Ok(Axes::new(vec![Axis::new(AxisKind::Sample, self.count()), Axis::new(AxisKind::Wavelength, self.bands)])?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_first_bad_pixel_and_how_many_there_are() {
        let values = [1.0, 2.0, f32::NAN, 1.0, 0.0, f32::INFINITY];
        let error = Pixels::new(values.as_slice().into(), 2).unwrap_err();
        assert!(matches!(error, Error::NotFinite { pixel: 1, band: 0, count: 2, .. }), "{error}");
        let values = [1.0, 2.0, 0.0, 0.0, 0.0, 0.0];
        let error = Pixels::new(values.as_slice().into(), 2).unwrap_err();
        assert!(matches!(error, Error::ZeroPixels { first: 1, count: 2, .. }), "{error}");
        assert!(matches!(Pixels::new([].as_slice().into(), 2), Err(Error::NoPixels { .. })));
    }

    #[test]
    fn a_sample_keeps_order_and_repeats() {
        let values: Vec<f32> = (1..=100).map(|v| v as f32).collect();
        let pixels = Pixels::new(values.into(), 1).unwrap();
        let stream = Stream::new(1, "sample");
        let some = pixels.sample(10, stream);
        assert_eq!(some.count(), 10);
        assert!(some.values().is_sorted());
        assert_eq!(some.values(), pixels.sample(10, stream).values());
        assert_eq!(pixels.sample(100, stream).count(), 100);
    }
}
