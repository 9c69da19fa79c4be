//! Gaussian fields on the flat sky of which both the angular spectrum and the covariance of channels are given.
//!
//! A field of covariance `C_l(nu, nu') = S_l K(nu, nu')` is `sqrt(K)` times independent fields of spectrum `S_l`, one
//! for each eigenvector of `K`. White noise of unit variance in pixels of side `p` has the spectrum `p^2`; multiplied
//! by `sqrt(S_l) / p` in Fourier space it has `S_l`.

use cupel_data::Stream;
use cupel_pca::symmetric_eigen;
use rayon::prelude::*;

use super::planes::Planes;
use crate::Result;

/// A square root of a covariance of channels: one scaled eigenvector for each eigenvalue above rounding.
pub(crate) struct ChannelRoot(Vec<Vec<f64>>);

impl ChannelRoot {
    /// The root of the matrix `kernel(nu, nu')`.
    ///
    /// # Errors
    /// A matrix that is not finite.
    pub(crate) fn new(frequencies_mhz: &[f64], kernel: impl Fn(f64, f64) -> f64) -> Result<Self> {
        let count = frequencies_mhz.len();
        let matrix: Vec<f64> =
            frequencies_mhz.iter().flat_map(|a| frequencies_mhz.iter().map(|b| kernel(*a, *b))).collect();
        let eigen = symmetric_eigen(&matrix, count)?;
        // what lies below is the rounding of the decomposition, and would be foreground that is not smooth in frequency
        let floor = eigen.values.first().map_or(0.0, |largest| largest * count as f64 * f64::EPSILON);
        let kept = eigen.values.iter().zip(eigen.vectors).filter(|(value, _)| **value > floor);
        Ok(Self(kept.map(|(value, vector)| vector.iter().map(|v| v * value.sqrt()).collect()).collect()))
    }

    /// Number of independent fields that make up the channels.
    pub(crate) fn modes(&self) -> usize {
        self.0.len()
    }

    /// Planes of the channels from planes of the modes.
    pub(crate) fn mix(&self, fields: &[f64], pixels: usize) -> Vec<f64> {
        let channels = self.0.first().map_or(0, Vec::len);
        let mut planes = vec![0.0; channels * pixels];
        planes.par_chunks_mut(pixels).enumerate().for_each(|(channel, plane)| {
            for (mode, field) in self.0.iter().zip(fields.chunks_exact(pixels)) {
                plane.iter_mut().zip(field).for_each(|(sum, v)| *sum += mode[channel] * v);
            }
        });
        planes
    }
}

/// `count` independent fields of the spectrum `spectrum(l)` and no mean.
pub(crate) fn gaussian_fields(
    planes: &Planes,
    count: usize,
    stream: Stream,
    spectrum: impl Fn(f64) -> f64,
) -> Vec<f64> {
    let pixel = planes.pixel_rad();
    let amplitudes: Vec<f64> =
        planes.multipoles().iter().map(|l| if *l > 0.0 { spectrum(*l).sqrt() / pixel } else { 0.0 }).collect();
    let mut fields = white(planes, count, stream);
    planes.filter(&mut fields, |_, place| amplitudes[place]);
    fields
}

/// One field whose multipoles have the relative spectrum `spectrum(l)`, the mean included, of expected variance 1.
pub(crate) fn unit_field(planes: &Planes, stream: Stream, spectrum: impl Fn(f64) -> f64) -> Vec<f64> {
    let amplitudes: Vec<f64> = planes.multipoles().iter().map(|l| spectrum(*l).sqrt()).collect();
    let rms = (amplitudes.iter().map(|a| a * a).sum::<f64>() / planes.pixels() as f64).sqrt();
    let mut field = white(planes, 1, stream);
    planes.filter(&mut field, |_, place| amplitudes[place] / rms);
    field
}

fn white(planes: &Planes, count: usize, stream: Stream) -> Vec<f64> {
    let mut fields = vec![0.0; count * planes.pixels()];
    fields
        .chunks_exact_mut(planes.pixels())
        .enumerate()
        .for_each(|(index, field)| stream.child(index as u64).fill_normal_f64(field));
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_squares_to_its_matrix() {
        let frequencies: Vec<f64> = (0..40).map(|i| 350.0 + 3.0 * f64::from(i)).collect();
        for width in [0.02, 0.5, 4.0] {
            let kernel =
                |a: f64, b: f64| (a * b / 130.0_f64.powi(2)).powf(-2.8) * (-(a / b).ln().powi(2) / width).exp();
            let root = ChannelRoot::new(&frequencies, kernel).unwrap();
            for (i, a) in frequencies.iter().enumerate() {
                for (j, b) in frequencies.iter().enumerate() {
                    let square: f64 = root.0.iter().map(|mode| mode[i] * mode[j]).sum();
                    assert!((square / kernel(*a, *b) - 1.0).abs() < 1e-9, "{width} {a} {b}");
                }
            }
            assert!(root.modes() <= 40 && (width < 0.1 || root.modes() < 12), "{width}: {} modes", root.modes());
        }
    }

    #[test]
    fn fields_have_their_variance_and_unit_fields_the_variance_one() {
        let planes = Planes::new(64, 0.35);
        let spectrum = |l: f64| 1e-3 * (l / 100.0).powf(-1.2);
        let fields = gaussian_fields(&planes, 40, Stream::new(3, "field"), spectrum);
        let expected: f64 = planes.multipoles().iter().filter(|l| **l > 0.0).map(|l| spectrum(*l)).sum::<f64>()
            / planes.side_rad().powi(2);
        let variance = fields.iter().map(|v| v * v).sum::<f64>() / fields.len() as f64;
        assert!((variance / expected - 1.0).abs() < 0.03, "{variance} {expected}");
        let mean_square = (0..200)
            .map(|i| unit_field(&planes, Stream::new(i, "unit"), |l| (-(l / 60.0).powi(2)).exp()))
            .map(|field| field.iter().map(|v| v * v).sum::<f64>() / field.len() as f64)
            .sum::<f64>()
            / 200.0;
        assert!((mean_square - 1.0).abs() < 0.08, "{mean_square}");
    }
}
