//! Mean and covariance of data that arrive in chunks, in f64.
//!
//! Chunks are combined by the pairwise update of Chan, Golub & LeVeque, "Updating Formulae and a Pairwise Algorithm
//! for Computing Sample Variances" (1979), so that a signal of one part in a hundred thousand survives a large mean.

use cupel_data::{Axis, AxisKind, Cube};
use faer::{Accum, Mat, Par, linalg::matmul::matmul};
use rayon::prelude::*;

use crate::{Components, Error, Modes, Result, components};

/// Samples per block: small enough to stay in cache in f64, large enough for an efficient product.
const BLOCK_SAMPLES: usize = 512;
/// Blocks whose moments are held at once: bounds memory and fixes the order of summation for any thread count.
const BLOCKS_AT_ONCE: usize = 16;

/// Streaming mean and covariance along one axis.
#[derive(Clone, Debug)]
pub struct Covariance {
    axis: Axis,
    samples: u64,
    mean: Vec<f64>,
    /// Sum of outer products of deviations from the mean, row-major.
    scatter: Vec<f64>,
}

impl Covariance {
    /// Starts with no samples, along `axis`.
    pub fn new(axis: &Axis) -> Self {
        let channels = axis.len();
        Self { axis: axis.clone(), samples: 0, mean: vec![0.0; channels], scatter: vec![0.0; channels * channels] }
    }

    /// Number of samples seen.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// The axis of the channels.
    pub fn axis(&self) -> &Axis {
        &self.axis
    }

    /// Mean per channel.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// Adds every sample of `chunk`: all its axes other than this covariance's count samples.
    ///
    /// # Errors
    /// An axis that is missing or differs in length or coordinates; a value that is not finite. The moments are
    /// unchanged after an error.
    pub fn update(&mut self, chunk: &Cube<f32>) -> Result<()> {
        let kind: AxisKind = self.axis.kind();
        let axis = chunk.axes().axis(kind)?;
        if axis.fingerprint() != self.axis.fingerprint() {
            return Err(Error::AxisMismatch {
                expected_kind: kind,
                expected_len: self.axis.len(),
                got_len: axis.len(),
            });
        }
        let last = chunk.axes().rank() - 1;
        if chunk.axes().position(kind)? == last {
            self.update_rows(chunk.values())
        } else {
            self.update_rows(chunk.with_last(kind)?.values())
        }
    }

    /// Adds samples given as rows of `axis.len()` channels each.
    fn update_rows(&mut self, rows: &[f32]) -> Result<()> {
        let channels = self.axis.len();
        if channels == 0 || rows.is_empty() {
            return Ok(());
        }
        if let Some(at) = rows.iter().position(|v| !v.is_finite()) {
            return Err(Error::NotFinite { sample: at / channels, channel: at % channels, value: rows[at] });
        }
        for group in rows.chunks(BLOCK_SAMPLES * BLOCKS_AT_ONCE * channels) {
            let blocks: Vec<Self> =
                group.par_chunks(BLOCK_SAMPLES * channels).map(|block| Self::of_block(&self.axis, block)).collect();
            for block in &blocks {
                self.absorb(block);
            }
        }
        Ok(())
    }

    /// Moments of one block, by two passes over it.
    fn of_block(axis: &Axis, rows: &[f32]) -> Self {
        let channels = axis.len();
        let samples = rows.len() / channels;
        let mut mean = vec![0.0; channels];
        for row in rows.chunks_exact(channels) {
            mean.iter_mut().zip(row).for_each(|(m, &v)| *m += f64::from(v));
        }
        mean.iter_mut().for_each(|m| *m /= samples as f64);
        // one column per sample: a row of `rows` is contiguous
        let deviations = Mat::from_fn(channels, samples, |c, s| f64::from(rows[s * channels + c]) - mean[c]);
        let mut scatter = Mat::<f64>::zeros(channels, channels);
        matmul(scatter.as_mut(), Accum::Replace, deviations.as_ref(), deviations.transpose(), 1.0, Par::Seq);
        let scatter = (0..channels * channels).map(|i| scatter[(i / channels, i % channels)]).collect();
        Self { axis: axis.clone(), samples: samples as u64, mean, scatter }
    }

    /// Adds the samples of `other`.
    ///
    /// # Errors
    /// [`Error::AxisMismatch`] when the two lie along different axes.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        if other.axis.fingerprint() != self.axis.fingerprint() {
            return Err(Error::AxisMismatch {
                expected_kind: self.axis.kind(),
                expected_len: self.axis.len(),
                got_len: other.axis.len(),
            });
        }
        self.absorb(other);
        Ok(())
    }

    fn absorb(&mut self, other: &Self) {
        if other.samples == 0 {
            return;
        }
        let (own, added) = (self.samples as f64, other.samples as f64);
        let total = own + added;
        let shift: Vec<f64> = other.mean.iter().zip(&self.mean).map(|(b, a)| b - a).collect();
        let weight = own * added / total;
        let channels = self.mean.len();
        for (row, &shift_row) in shift.iter().enumerate() {
            let range = row * channels..(row + 1) * channels;
            for ((own, added), &shift_column) in
                self.scatter[range.clone()].iter_mut().zip(&other.scatter[range]).zip(&shift)
            {
                *own += added + weight * shift_row * shift_column;
            }
        }
        self.mean.iter_mut().zip(&shift).for_each(|(mean, shift)| *mean += shift * added / total);
        self.samples += other.samples;
    }

    /// The unbiased covariance matrix (divided by n - 1), row-major.
    ///
    /// # Errors
    /// [`Error::TooFewSamples`] with fewer than two samples.
    pub fn matrix(&self) -> Result<Vec<f64>> {
        self.need(2)?;
        let degrees = (self.samples - 1) as f64;
        Ok(self.scatter.iter().map(|s| s / degrees).collect())
    }

    /// The second moment about the origin, `sum x x^T / n`, row-major.
    ///
    /// # Errors
    /// [`Error::TooFewSamples`] without samples.
    pub fn second_moment(&self) -> Result<Vec<f64>> {
        self.need(1)?;
        let (channels, samples) = (self.mean.len(), self.samples as f64);
        Ok(self
            .scatter
            .iter()
            .enumerate()
            .map(|(i, s)| s / samples + self.mean[i / channels] * self.mean[i % channels])
            .collect())
    }

    /// The leading principal components.
    ///
    /// # Errors
    /// Too few samples, an impossible number of components, or no convergence.
    pub fn components(&self, modes: Modes) -> Result<Components> {
        components::leading(self, modes)
    }

    fn need(&self, needed: u64) -> Result<()> {
        if self.samples < needed {
            return Err(Error::TooFewSamples { needed, got: self.samples });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use cupel_data::{Axes, Stream};

    use super::*;

    fn cube(samples: usize, channels: usize, seed: u64) -> Cube<f32> {
        let mut values = vec![0.0; samples * channels];
        Stream::new(seed, "covariance test").fill_normal(&mut values);
        // a mean far larger than the spread is what makes naive sums lose the signal
        values.iter_mut().enumerate().for_each(|(i, v)| *v = *v * (1.0 + (i % channels) as f32) + 1000.0);
        let axes = Axes::new(vec![Axis::new(AxisKind::Sample, samples), Axis::new(AxisKind::Wavelength, channels)]);
        Cube::new(values, axes.unwrap()).unwrap()
    }

    fn direct(cube: &Cube<f32>, channels: usize) -> Vec<f64> {
        let rows: Vec<&[f32]> = cube.values().chunks(channels).collect();
        let n = rows.len() as f64;
        let mean: Vec<f64> = (0..channels).map(|c| rows.iter().map(|r| f64::from(r[c])).sum::<f64>() / n).collect();
        let entry = |a: usize, b: usize| {
            rows.iter().map(|r| (f64::from(r[a]) - mean[a]) * (f64::from(r[b]) - mean[b])).sum::<f64>() / (n - 1.0)
        };
        (0..channels * channels).map(|i| entry(i / channels, i % channels)).collect()
    }

    #[test]
    fn equals_the_definition_in_one_chunk_or_many() {
        let whole = cube(1301, 5, 1);
        let band = whole.axes().axis(AxisKind::Wavelength).unwrap().clone();
        let mut once = Covariance::new(&band);
        once.update(&whole).unwrap();
        let mut many = Covariance::new(&band);
        for start in (0..1301).step_by(97) {
            let rows: Vec<usize> = (start..(start + 97).min(1301)).collect();
            let mut part = Covariance::new(&band);
            part.update(&whole.select(AxisKind::Sample, &rows).unwrap()).unwrap();
            many.merge(&part).unwrap();
        }
        let expected = direct(&whole, 5);
        for got in [once.matrix().unwrap(), many.matrix().unwrap()] {
            for (got, expected) in got.iter().zip(&expected) {
                assert!((got - expected).abs() < 1e-9 * expected.abs().max(1.0), "{got} {expected}");
            }
        }
        assert_eq!(many.samples(), 1301);
    }

    #[test]
    fn is_the_same_for_any_order_of_the_axes() {
        let whole = cube(64, 3, 2);
        let band = whole.axes().axis(AxisKind::Wavelength).unwrap().clone();
        let turned = whole.permuted(&[AxisKind::Wavelength, AxisKind::Sample]).unwrap();
        let [mut a, mut b] = [Covariance::new(&band), Covariance::new(&band)];
        a.update(&whole).unwrap();
        b.update(&turned).unwrap();
        assert_eq!(a.matrix().unwrap(), b.matrix().unwrap());
    }

    #[test]
    fn refuses_another_axis_and_values_that_are_not_finite() {
        let mut covariance = Covariance::new(&Axis::new(AxisKind::Wavelength, 4));
        let error = covariance.update(&cube(8, 3, 3)).unwrap_err();
        assert!(matches!(error, Error::AxisMismatch { expected_len: 4, got_len: 3, .. }), "{error}");
        let axes = Axes::new(vec![Axis::new(AxisKind::Sample, 1), Axis::new(AxisKind::Wavelength, 4)]).unwrap();
        let broken = Cube::new(vec![1.0, f32::NAN, 1.0, 1.0], axes).unwrap();
        let error = covariance.update(&broken).unwrap_err();
        assert!(matches!(error, Error::NotFinite { sample: 0, channel: 1, .. }), "{error}");
        assert_eq!(covariance.samples(), 0);
        assert!(matches!(covariance.matrix(), Err(Error::TooFewSamples { needed: 2, got: 0 })));
    }
}
