//! How spectra of one material differ from pixel to pixel.

use cupel_data::Stream;
use rand::RngExt;

/// Spread of the logarithm of the brightness where it varies.
const BRIGHTNESS: f64 = 0.35;
/// Spread of the factors in bands of one material.
const BANDWISE: f64 = 0.12;
/// Spread of smooth deviations, relative to the mean of a spectrum.
const DEVIATION: f64 = 0.08;
/// Cosines that a smooth curve over the bands is made of.
const WAVES: usize = 5;
/// Spectra of a bundle that is made up.
const BUNDLE: usize = 20;
/// Light that is left in shadow, and how much of the scene lies in it.
const SHADOW: (f64, f64) = (0.25, 0.3);

/// A smooth curve over the bands with standard deviation one: cosines whose weights fall with their number.
pub(super) fn smooth_curve(bands: usize, stream: Stream) -> Vec<f64> {
    let mut weights = vec![0.0; WAVES];
    stream.fill_normal_f64(&mut weights);
    let falling = |wave: usize| 1.0 / (1.0 + wave as f64);
    let power: f64 = (0..WAVES).map(|wave| falling(wave).powi(2) * if wave == 0 { 1.0 } else { 0.5 }).sum();
    (0..bands)
        .map(|band| {
            let x = band as f64 / (bands.max(2) - 1) as f64 * std::f64::consts::PI;
            let sum: f64 =
                weights.iter().enumerate().map(|(wave, w)| w * falling(wave) * (wave as f64 * x).cos()).sum();
            sum / power.sqrt()
        })
        .collect()
}

/// A smooth field over the image with mean nought and standard deviation one.
pub(super) fn smooth_field(rows: usize, columns: usize, stream: Stream) -> Vec<f64> {
    let mut rng = stream.rng();
    let waves: Vec<[f64; 4]> = (0..12)
        .map(|_| {
            let turn = std::f64::consts::TAU;
            [
                rng.random_range(-3.0..3.0),
                rng.random_range(-3.0..3.0),
                rng.random_range(0.0..turn),
                rng.random_range(0.3..1.0),
            ]
        })
        .collect();
    let field: Vec<f64> = (0..rows * columns)
        .map(|n| {
            let (y, x) = ((n / columns) as f64 / rows as f64, (n % columns) as f64 / columns as f64);
            waves.iter().map(|[u, v, p, w]| w * (std::f64::consts::TAU * (u * y + v * x) + p).cos()).sum()
        })
        .collect();
    let mean = field.iter().sum::<f64>() / field.len() as f64;
    let spread = (field.iter().map(|f| (f - mean).powi(2)).sum::<f64>() / field.len() as f64).sqrt();
    field.into_iter().map(|f| (f - mean) / spread.max(1e-12)).collect()
}

/// Brightness of every pixel, smooth over the image with a grain of its own in each pixel.
pub(super) fn brightness(rows: usize, columns: usize, stream: Stream) -> Vec<f64> {
    let mut grain = vec![0.0; rows * columns];
    stream.child(1).fill_normal_f64(&mut grain);
    let field = smooth_field(rows, columns, stream.child(0));
    field.iter().zip(grain).map(|(f, g)| (BRIGHTNESS * (0.9 * f + 0.43 * g)).exp()).collect()
}

/// Brightness of every pixel where a part of the scene lies in shadow, with soft borders.
pub(super) fn shadow(rows: usize, columns: usize, stream: Stream) -> Vec<f64> {
    let field = smooth_field(rows, columns, stream);
    let mut sorted = field.clone();
    sorted.sort_by(f64::total_cmp);
    let border = sorted[(SHADOW.1 * sorted.len() as f64) as usize];
    field.into_iter().map(|f| SHADOW.0 + (1.0 - SHADOW.0) / (1.0 + (-12.0 * (f - border)).exp())).collect()
}

/// One spectrum scaled in its own way in every band: the generalised linear mixing model of Imbiriba, Borsoi & Bermudez
/// (ICASSP 2018, arXiv 1710.07723), with smooth factors.
pub(super) fn bandwise(spectrum: &[f64], stream: Stream) -> Vec<f64> {
    let curve = smooth_curve(spectrum.len(), stream);
    spectrum.iter().zip(curve).map(|(s, c)| s * (1.0 + BANDWISE * c).max(0.05)).collect()
}

/// One spectrum with a random deviation: drawn from the covariance of the samples where there are any, else smooth.
pub(super) fn deviating(spectrum: &[f64], samples: &[Vec<f64>], stream: Stream) -> Vec<f64> {
    if samples.is_empty() {
        let mean = spectrum.iter().sum::<f64>() / spectrum.len() as f64;
        let curve = smooth_curve(spectrum.len(), stream);
        return spectrum.iter().zip(curve).map(|(s, c)| (s + DEVIATION * mean * c).max(1e-3)).collect();
    }
    let mut weights = vec![0.0; samples.len()];
    stream.fill_normal_f64(&mut weights);
    let scale = 1.0 / (samples.len() as f64 - 1.0).max(1.0).sqrt();
    let mut found = spectrum.to_vec();
    for (sample, weight) in samples.iter().zip(weights) {
        found.iter_mut().zip(sample.iter().zip(spectrum)).for_each(|(f, (s, mean))| *f += scale * weight * (s - mean));
    }
    found.iter_mut().for_each(|f| *f = f.max(1e-3));
    found
}

/// The bundle of a material: its samples, or spectra that differ in brightness and smoothly in bands.
pub(super) fn bundle(spectrum: &[f64], samples: &[Vec<f64>], stream: Stream) -> Vec<Vec<f64>> {
    if !samples.is_empty() {
        return samples.to_vec();
    }
    (0..BUNDLE as u64)
        .map(|i| {
            let mut brightness = [0.0];
            stream.child(i).child(1).fill_normal_f64(&mut brightness);
            let light = (0.5 * BRIGHTNESS * brightness[0]).exp();
            bandwise(spectrum, stream.child(i)).into_iter().map(|s| light * s).collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_and_fields_have_the_spread_they_claim() {
        let stream = Stream::new(3, "variability test");
        let curves: Vec<f64> = (0..400).flat_map(|i| smooth_curve(50, stream.child(i))).collect();
        let power = curves.iter().map(|c| c * c).sum::<f64>() / curves.len() as f64;
        assert!((power - 1.0).abs() < 0.1, "{power}");
        let lit = shadow(40, 30, stream);
        let dark = lit.iter().filter(|l| **l < 0.5).count() as f64 / lit.len() as f64;
        assert!((0.15..0.35).contains(&dark), "{dark}");
    }

    #[test]
    fn deviations_have_the_covariance_of_the_samples() {
        let stream = Stream::new(4, "variability test");
        let spectrum = vec![0.5; 6];
        let samples: Vec<Vec<f64>> = (0..30)
            .map(|i| (0..6).map(|b| 0.5 + 0.02 * f64::from(b) * (f64::from(i) - 14.5) / 14.5).collect())
            .collect();
        let drawn: Vec<Vec<f64>> = (0..4000).map(|i| deviating(&spectrum, &samples, stream.child(i))).collect();
        for band in 0..6 {
            let spread = |all: &[Vec<f64>], less: f64| {
                (all.iter().map(|s| (s[band] - 0.5).powi(2)).sum::<f64>() / (all.len() as f64 - less)).sqrt()
            };
            let (got, wanted) = (spread(&drawn, 0.0), spread(&samples, 1.0));
            assert!((got - wanted).abs() <= 0.05 * wanted, "{band}: {got} {wanted}");
        }
    }
}
