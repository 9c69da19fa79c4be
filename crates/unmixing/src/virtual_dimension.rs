//! How many spectrally distinct signals a scene holds, from eigenvalues alone.

use cupel_pca::Eigen;

use crate::{Moments, Noise, Result};

/// Finite samples and an estimated noise put eigenvalues of noise this much beyond their limit.
const NOISE_EDGE_MARGIN: f64 = 1.1;

/// HySime: the directions whose signal power exceeds the noise power.
///
/// J. M. Bioucas-Dias, J. M. P. Nascimento, "Hyperspectral Subspace Identification", IEEE Transactions on Geoscience
/// and Remote Sensing 46(8), 2435 (2008). It counts directions `v` of the signal with `v^T R v > 2 v^T R_n v`.
///
/// # Errors
/// When the eigendecomposition fails.
pub fn hysime(moments: &Moments, noise: &Noise) -> Result<usize> {
    let bands = moments.mean.len();
    let signal = cupel_pca::symmetric_eigen(&noise.signal_second, bands)?;
    // keeps noise-free bands from counting every direction, as in the authors' program
    let ridge = signal.values.iter().sum::<f64>() / bands as f64 * 1e-5;
    let quadratic = |v: &[f64], matrix: &[f64]| -> f64 {
        matrix
            .chunks_exact(bands)
            .zip(v)
            .map(|(row, vi)| vi * row.iter().zip(v).map(|(m, vj)| m * vj).sum::<f64>())
            .sum()
    };
    let count = signal.vectors.iter().filter(|v| {
        let noise_power: f64 = v.iter().zip(&noise.variances).map(|(v, n)| v * v * (n + ridge)).sum();
        quadratic(v, &moments.second) > 2.0 * noise_power
    });
    Ok(count.count())
}

/// Harsanyi-Farrand-Chang: the eigenvalues that differ between correlation and covariance.
///
/// C.-I Chang, Q. Du, "Estimation of Number of Spectrally Distinct Signal Sources in Hyperspectral Imagery", IEEE
/// Transactions on Geoscience and Remote Sensing 42(3), 608 (2004): a Neyman-Pearson test per component at
/// `false_alarm`, here on noise-whitened moments (NWHFC), without which bands of unlike noise are counted as signals.
///
/// # Errors
/// When an eigendecomposition fails.
pub fn hfc(moments: &Moments, noise: &Noise, samples: usize, false_alarm: f64) -> Result<usize> {
    let bands = moments.mean.len();
    let scale = in_bands(noise);
    let correlation = cupel_pca::symmetric_eigen(&whitened(moments, &scale, 0.0), bands)?.values;
    let covariance = cupel_pca::symmetric_eigen(&whitened(moments, &scale, 1.0), bands)?.values;
    let quantile = upper_normal_quantile(false_alarm);
    let significant = correlation.iter().zip(&covariance).filter(|(r, k)| {
        let deviation = (2.0 / samples as f64 * (*r * *r + *k * *k)).sqrt();
        *r - *k > quantile * deviation
    });
    Ok(significant.count())
}

/// Directions in which noise-whitened spectra spread more than white noise can, and by which factor the last of them stands out from the next.
///
/// The eigenvalues of white noise of unit variance in `samples` spectra end at `(1 + sqrt(bands / samples))^2`: V. A.
/// Marchenko, L. A. Pastur, Mathematics of the USSR-Sbornik 1(4), 457 (1967).
///
/// # Errors
/// When the eigendecomposition fails.
pub(crate) fn signal_directions(moments: &Moments, noise: &Noise, samples: usize) -> Result<(usize, f64)> {
    let bands = moments.mean.len();
    let edge = NOISE_EDGE_MARGIN * (1.0 + (bands as f64 / samples as f64).sqrt()).powi(2);
    let values = whitened_eigen(moments, noise)?.0.values;
    let count = values.iter().filter(|v| **v > edge).count();
    let last = count.checked_sub(1).map_or(0.0, |last| values[last]);
    let fall = values.get(count).map_or(1.0, |next| last / next.max(f64::MIN_POSITIVE));
    Ok((count, fall))
}

/// Eigenvectors of the second moment in units of the noise of each band, and this noise.
pub(crate) fn whitened_eigen(moments: &Moments, noise: &Noise) -> Result<(Eigen, Vec<f64>)> {
    let scale = in_bands(noise);
    Ok((cupel_pca::symmetric_eigen(&whitened(moments, &scale, 0.0), scale.len())?, scale))
}

/// Standard deviations of the noise, none so far below the others that dividing by it would lose all digits.
fn in_bands(noise: &Noise) -> Vec<f64> {
    let largest = noise.variances.iter().copied().fold(0.0, f64::max);
    noise.variances.iter().map(|n| n.max(1e-12 * largest.max(f64::MIN_POSITIVE)).sqrt()).collect()
}

/// Moments about `centre` times the mean, in units of `scale` in each band.
fn whitened(moments: &Moments, scale: &[f64], centre: f64) -> Vec<f64> {
    let bands = moments.mean.len();
    (0..bands * bands)
        .map(|at| {
            let (i, j) = (at / bands, at % bands);
            (moments.second[at] - centre * moments.mean[i] * moments.mean[j]) / (scale[i] * scale[j])
        })
        .collect()
}

/// `z` with `P(Z > z) = probability` for a standard normal, by bisection of the complementary error function.
pub(crate) fn upper_normal_quantile(probability: f64) -> f64 {
    let (mut low, mut high) = (-40.0, 40.0);
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if upper_normal(middle) > probability { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

/// `P(Z > z)`: W. J. Cody's continued fraction for large `z`, Simpson's rule on the density else.
fn upper_normal(z: f64) -> f64 {
    let density = |x: f64| (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
    if z < 0.0 {
        return 1.0 - upper_normal(-z);
    }
    if z > 6.0 {
        return density(z) / (z + 1.0 / (z + 2.0 / (z + 3.0 / z)));
    }
    const STEPS: usize = 400;
    let width = z / STEPS as f64;
    let inner: f64 = (1..STEPS).map(|i| density(i as f64 * width) * if i % 2 == 1 { 4.0 } else { 2.0 }).sum();
    0.5 - (density(0.0) + inner + density(z)) * width / 3.0
}

#[cfg(test)]
mod tests {
    use cupel_data::Stream;

    use super::*;
    use crate::simulate::{dirichlet, mix, smooth_endmembers};

    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (probability, expected) in [(0.5, 0.0), (0.05, 1.644_853_6), (1e-3, 3.090_232_3), (1e-5, 4.264_890_8)] {
            assert!((upper_normal_quantile(probability) - expected).abs() < 1e-5);
        }
    }

    #[test]
    fn hysime_counts_the_materials_of_a_simulated_scene() {
        for count in 2..=6 {
            let stream = Stream::new(count as u64, "hysime test");
            let endmembers = smooth_endmembers(count, 80, stream.child(0)).unwrap();
            let abundances = dirichlet(3000, count, 0.5, stream.child(1)).unwrap();
            let pixels = mix(&endmembers, &abundances, 40.0, stream.child(2)).unwrap();
            let moments = Moments::of(&pixels).unwrap();
            let noise = Noise::from_moments(&moments, pixels.count());
            assert_eq!(hysime(&moments, &noise).unwrap(), count);
        }
    }
}
