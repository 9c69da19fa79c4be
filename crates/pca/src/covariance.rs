//! Mean and covariance of data that arrive in chunks, in f64.
//!
//! Chunks are combined by the pairwise update of Chan, Golub & LeVeque, "Updating Formulae and a Pairwise Algorithm
//! for Computing Sample Variances" (1979), so that a signal of one part in a hundred thousand survives a large mean.
//!
//! With weights, `C_ij = sum w_i w_j d_i d_j* / sum w_i w_j` times `n / (n - 1)`, about the weighted mean of each channel; a
//! weight of 0 takes a value out whatever it is, and weights of 1 change no bit.

use cupel_data::{Axis, AxisKind, Cube};
use num_complex::Complex;
use rayon::prelude::*;

use crate::{
    Components, Error, Modes, Number, Result,
    components::agree,
    moments::{BLOCK_SAMPLES, Moments},
    solve,
};

/// Blocks whose moments are held at once: bounds memory and fixes the order of summation for any thread count.
const BLOCKS_AT_ONCE: usize = 16;

/// Streaming mean and covariance along one axis.
///
/// Of complex cubes the real and the imaginary parts are samples of their own, with one mean and one real covariance; or, made
/// by [`hermitian`](Self::hermitian), the covariance is complex, `C_ij = E[d_i d_j*]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Covariance {
    axis: Axis,
    /// Whether the rows of `moments` are real parts followed by imaginary parts.
    hermitian: bool,
    moments: Moments,
}

impl Covariance {
    /// Starts with no samples, along `axis`; a real covariance.
    pub fn new(axis: &Axis) -> Self {
        Self { axis: axis.clone(), hermitian: false, moments: Moments::new(axis.len()) }
    }

    /// Starts with no samples, along `axis`; a Hermitian covariance.
    pub fn hermitian(axis: &Axis) -> Self {
        Self { axis: axis.clone(), hermitian: true, moments: Moments::new(2 * axis.len()) }
    }

    /// Whether the covariance is complex.
    pub fn is_hermitian(&self) -> bool {
        self.hermitian
    }

    /// Number of samples seen; one with weight 0 in every channel does not count.
    pub fn samples(&self) -> u64 {
        self.moments.samples
    }

    /// The axis of the channels.
    pub fn axis(&self) -> &Axis {
        &self.axis
    }

    /// Mean per channel; of a Hermitian covariance its real part.
    pub fn mean(&self) -> &[f64] {
        &self.moments.mean[..self.axis.len()]
    }

    /// Imaginary part of the mean per channel of a Hermitian covariance; otherwise empty.
    pub fn mean_imaginary(&self) -> &[f64] {
        &self.moments.mean[self.axis.len()..]
    }

    /// Adds every sample of `chunk`: all its axes other than this covariance's count samples.
    ///
    /// # Errors
    /// An axis that is missing or differs in length or coordinates; a value that is not finite. The moments are
    /// unchanged after an error.
    pub fn update<T: Number>(&mut self, chunk: &Cube<T>) -> Result<()> {
        let rows = self.rows(chunk)?;
        let rows = rows.values();
        if let Some(at) = rows.iter().position(|v| !v.finite()) {
            return Err(self.not_finite(at, rows[at]));
        }
        self.add(rows, None);
        Ok(())
    }

    /// Adds every sample of `chunk` with a weight for each value: 1 for one that counts fully, 0 for one that is flagged,
    /// missing or masked, which may then be anything.
    ///
    /// # Errors
    /// As [`update`](Self::update); weights that have other axes than the chunk, are negative or not finite.
    pub fn update_weighted<T: Number>(&mut self, chunk: &Cube<T>, weights: &Cube<f32>) -> Result<()> {
        if weights.axes().kinds() != chunk.axes().kinds() || weights.shape() != chunk.shape() {
            return Err(Error::WeightShape {
                expected: format!("{:?} of {:?}", chunk.axes().kinds(), chunk.shape()),
                got: format!("{:?} of {:?}", weights.axes().kinds(), weights.shape()),
            });
        }
        let (rows, weights) = (self.rows(chunk)?, weights.with_last(self.axis.kind())?);
        let (rows, weights) = (rows.values(), weights.values());
        let channels = self.axis.len();
        if let Some(at) = weights.iter().position(|&weight| !(weight >= 0.0 && weight.is_finite())) {
            return Err(Error::Weight { sample: at / channels, channel: at % channels, value: weights[at] });
        }
        if let Some(at) = rows.iter().zip(weights).position(|(v, &weight)| weight > 0.0 && !v.finite()) {
            return Err(self.not_finite(at, rows[at]));
        }
        self.add(rows, Some(weights));
        Ok(())
    }

    /// The chunk with this covariance's axis last.
    fn rows<T: Number>(&self, chunk: &Cube<T>) -> Result<Cube<T>> {
        let kind: AxisKind = self.axis.kind();
        let axis = chunk.axes().axis(kind)?;
        if !agree(&self.axis, axis) {
            return Err(self.mismatch(axis));
        }
        Ok(chunk.with_last(kind)?)
    }

    fn mismatch(&self, axis: &Axis) -> Error {
        Error::AxisMismatch {
            expected_kind: self.axis.kind(),
            expected_len: self.axis.len(),
            got_kind: axis.kind(),
            got_len: axis.len(),
        }
    }

    fn not_finite<T: Number>(&self, at: usize, value: T) -> Error {
        let channels = self.axis.len();
        let [re, im] = value.parts();
        Error::NotFinite { sample: at / channels, channel: at % channels, value: if re.is_finite() { im } else { re } }
    }

    /// Adds samples given as rows of `axis.len()` channels each, and their weights.
    fn add<T: Number>(&mut self, rows: &[T], weights: Option<&[f32]>) {
        let channels = self.axis.len();
        if rows.is_empty() {
            return;
        }
        let (block, group) = (BLOCK_SAMPLES * channels, BLOCK_SAMPLES * BLOCKS_AT_ONCE * channels);
        let hermitian = self.hermitian;
        for (number, group_rows) in rows.chunks(group).enumerate() {
            let group_weights = weights.map(|weights| &weights[number * group..][..group_rows.len()]);
            let blocks: Vec<Moments> = group_rows
                .par_chunks(block)
                .enumerate()
                .map(|(number, rows)| {
                    let weights = group_weights.map(|weights| &weights[number * block..][..rows.len()]);
                    of_block(rows, weights, channels, hermitian)
                })
                .collect();
            for block in &blocks {
                self.moments.absorb(block);
            }
        }
    }

    /// Adds the samples of `other`.
    ///
    /// # Errors
    /// [`Error::AxisMismatch`] when the two lie along different axes, [`Error::OtherForm`] when only one is Hermitian.
    #[doc(alias = "partial_fit")]
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        self.check_like(other)?;
        self.moments.absorb(&other.moments);
        Ok(())
    }

    /// Takes the samples of `other` out, which were added or merged before: what is left of all samples but these.
    ///
    /// # Errors
    /// As [`merge`](Self::merge); [`Error::TooFewSamples`] when `other` has more samples.
    #[doc(alias = "leave_one_out")]
    #[doc(alias = "downdate")]
    pub fn remove(&mut self, other: &Self) -> Result<()> {
        self.check_like(other)?;
        self.need(other.samples())?;
        self.moments.release(&other.moments);
        Ok(())
    }

    fn check_like(&self, other: &Self) -> Result<()> {
        if !agree(&self.axis, &other.axis) {
            return Err(self.mismatch(&other.axis));
        }
        if other.hermitian != self.hermitian {
            return Err(Error::OtherForm { expected: form(self.hermitian), got: form(other.hermitian) });
        }
        Ok(())
    }

    /// The unbiased covariance matrix (divided by n - 1), row-major; of a Hermitian one its real part.
    ///
    /// # Errors
    /// [`Error::TooFewSamples`] with fewer than two samples.
    pub fn matrix(&self) -> Result<Vec<f64>> {
        self.need(2)?;
        if self.hermitian {
            return Ok(self.complex_matrix()?.iter().map(|entry| entry.re).collect());
        }
        Ok(self.moments.covariance())
    }

    /// The unbiased covariance matrix `C_ij = E[d_i d_j*]` (divided by n - 1), row-major.
    ///
    /// # Errors
    /// [`Error::TooFewSamples`] with fewer than two samples.
    pub fn complex_matrix(&self) -> Result<Vec<Complex<f64>>> {
        self.need(2)?;
        let (channels, width) = (self.axis.len(), self.moments.mean.len());
        let all = self.moments.covariance();
        if !self.hermitian {
            return Ok(all.into_iter().map(Complex::from).collect());
        }
        // d = a + i b: E[d_i d_j*] = E[a_i a_j + b_i b_j] + i E[b_i a_j - a_i b_j]
        let at = |i: usize, j: usize| all[i * width + j];
        let entry = |i: usize, j: usize| {
            let (imaginary, other) = (i + channels, j + channels);
            Complex::new(at(i, j) + at(imaginary, other), at(imaginary, j) - at(i, other))
        };
        Ok((0..channels * channels).map(|index| entry(index / channels, index % channels)).collect())
    }

    /// The second moment about the origin, `sum x x^T / n`, row-major; without weights.
    ///
    /// # Errors
    /// [`Error::TooFewSamples`] without samples, [`Error::OtherForm`] of a Hermitian or weighted covariance.
    pub fn second_moment(&self) -> Result<Vec<f64>> {
        self.need(1)?;
        if self.hermitian || self.moments.weights.is_some() {
            let got = if self.hermitian { form(true) } else { "a weighted covariance" };
            return Err(Error::OtherForm { expected: "a real covariance without weights", got });
        }
        let (channels, samples, mean) = (self.axis.len(), self.samples() as f64, &self.moments.mean);
        let about_origin = |(i, s): (usize, &f64)| s / samples + mean[i / channels] * mean[i % channels];
        Ok(self.moments.scatter.iter().enumerate().map(about_origin).collect())
    }

    /// The leading principal components.
    ///
    /// # Errors
    /// Too few samples, an impossible number of components, or no convergence.
    pub fn components(&self, modes: Modes) -> Result<Components> {
        solve::of_covariance(self, modes)
    }

    pub(crate) fn moments(&self) -> &Moments {
        &self.moments
    }

    pub(crate) fn from_moments(axis: Axis, hermitian: bool, moments: Moments) -> Self {
        Self { axis, hermitian, moments }
    }

    fn need(&self, needed: u64) -> Result<()> {
        if self.samples() < needed {
            return Err(Error::TooFewSamples { needed, got: self.samples() });
        }
        Ok(())
    }
}

/// Moments of one block of rows.
fn of_block<T: Number>(rows: &[T], weights: Option<&[f32]>, channels: usize, hermitian: bool) -> Moments {
    let width = if hermitian { 2 * channels } else { channels };
    let mut values = in_rows(rows, channels, T::COMPLEX || hermitian, Number::parts);
    match weights {
        None => Moments::of_block(&mut values, width),
        Some(weights) => {
            // the weight of a complex value is that of both its parts
            let weights = in_rows(weights, channels, T::COMPLEX || hermitian, |weight| [f64::from(weight); 2]);
            Moments::of_weighted_block(&mut values, &weights, width)
        }
    }
}

/// Rows in f64: the real parts and, where the numbers are complex or taken as such, the imaginary parts of a row after them.
/// To a real covariance these are two rows, to a Hermitian one a single row.
pub(crate) fn in_rows<T: Copy>(rows: &[T], channels: usize, split: bool, parts: impl Fn(T) -> [f64; 2]) -> Vec<f64> {
    if !split {
        return rows.iter().map(|&value| parts(value)[0]).collect();
    }
    let mut values = Vec::with_capacity(2 * rows.len());
    for row in rows.chunks_exact(channels) {
        for part in 0..2 {
            values.extend(row.iter().map(|&value| parts(value)[part]));
        }
    }
    values
}

fn form(hermitian: bool) -> &'static str {
    if hermitian { "a Hermitian covariance" } else { "a real covariance" }
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
