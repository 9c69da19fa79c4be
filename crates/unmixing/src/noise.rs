//! Noise of each band, from how badly the other bands predict it.
//!
//! The multiple regression of Roger & Arnold (Int. J. Remote Sensing 17, 951, 1996) as used by HySime
//! (Bioucas-Dias & Nascimento, IEEE TGRS 46, 2435, 2008). The residual of band `i` regressed on all others is
//! `(R^-1 y)_i / (R^-1)_ii` with the second moment `R`, so its moments follow from `R` without a pass over pixels.

use faer::{Mat, linalg::solvers::DenseSolveCore};

use crate::{Pixels, Result, subspace::Moments};

/// A band is silent if noise is this share of its power.
const SILENT: f64 = 0.9;

/// Additive noise, uncorrelated between bands.
#[derive(Clone, Debug)]
pub struct Noise {
    /// Variance in every band.
    pub variances: Vec<f64>,
    /// Second moment of the spectra with the estimated noise taken off, row-major.
    pub signal_second: Vec<f64>,
}

impl Noise {
    /// Noise of a scene.
    ///
    /// # Errors
    /// When the moments cannot be had.
    pub fn of(pixels: &Pixels) -> Result<Self> {
        Ok(Self::from_moments(&Moments::of(pixels)?, pixels.count()))
    }

    /// Noise of `samples` spectra with these moments.
    pub fn from_moments(moments: &Moments, samples: usize) -> Self {
        let bands = moments.mean.len();
        // noise-free bands make R singular: this ridge keeps the inverse finite and is far below any real noise
        let ridge = 1e-12 * (0..bands).map(|i| moments.second[i * bands + i]).sum::<f64>() / bands as f64;
        let matrix =
            Mat::from_fn(bands, bands, |i, j| moments.second[i * bands + j] + if i == j { ridge } else { 0.0 });
        let inverse = matrix.partial_piv_lu().inverse();
        // the regression used up one degree of freedom per other band
        let lost = 1.0 - ((bands - 1) as f64 / samples as f64).min(0.9);
        let residual = |i: usize| 1.0 / inverse[(i, i)].max(f64::MIN_POSITIVE);
        let signal_second = (0..bands * bands)
            .map(|at| {
                let (i, j) = (at / bands, at % bands);
                let cross = if i == j { 2.0 * residual(i) } else { 0.0 };
                moments.second[at] - cross + residual(i) * inverse[(i, j)] * residual(j)
            })
            .collect();
        Self { variances: (0..bands).map(|i| residual(i) / lost).collect(), signal_second }
    }

    /// The bands that hold hardly anything but noise; none where they would be most of them.
    pub(crate) fn silent_bands(&self, moments: &Moments) -> Vec<usize> {
        let bands = self.variances.len();
        let silent = |i: &usize| self.variances[*i] >= SILENT * moments.second[i * bands + i];
        let found: Vec<usize> = (0..bands).filter(silent).collect();
        if 2 * found.len() < bands { found } else { Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use cupel_data::Stream;

    use super::*;

    #[test]
    fn recovers_the_noise_of_each_band() {
        // other bands predict with their own noise, which adds the leverage of the band: a few per cent here
        let (count, bands) = (6000, 200);
        let mut draws = vec![0.0f32; count * (bands + 2)];
        Stream::new(3, "noise test").fill_normal(&mut draws);
        let sigma = |band: usize| 0.01 * (1.0 + (band % 3) as f32);
        let values: Vec<f32> = draws
            .chunks(bands + 2)
            .flat_map(|d| {
                let (a, b) = (1.0 + 0.2 * d[bands], 0.5 + 0.1 * d[bands + 1]);
                (0..bands).map(move |band| {
                    let x = band as f32 / bands as f32;
                    a * (1.0 + x) + b * (3.0 * x).sin() + sigma(band) * d[band]
                })
            })
            .collect();
        let noise = Noise::of(&Pixels::new(values.into(), bands).unwrap()).unwrap();
        for (band, variance) in noise.variances.iter().enumerate() {
            let ratio = variance.sqrt() / f64::from(sigma(band));
            assert!((ratio - 1.0).abs() < 0.05, "band {band}: {ratio}");
        }
    }
}
