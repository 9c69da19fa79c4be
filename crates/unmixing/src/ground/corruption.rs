//! What an instrument does to the light.

use cupel_data::Stream;
use rand::RngExt;

use super::{Family, variability::smooth_curve};

/// Spread of the logarithm of the noise over bands, where they differ.
const UNEVEN: f64 = 0.8;
/// Correlation of the noise of neighbouring bands.
const CORRELATION: f64 = 0.85;
/// Offsets of columns, in units of the noise.
const STRIPES: f64 = 2.0;
/// Share of the bands that are dead, and noise of those that are not zero, in units of the noise.
const DEAD: (f64, f64) = (0.06, 10.0);
/// Share of the values that a dark current too large makes negative, at least and at most.
const BELOW_ZERO: (f64, f64) = (0.005, 0.06);
/// Steps of the digitiser between nought and the largest value.
const STEPS: f64 = 1024.0;

/// Adds noise of standard deviation `sigma` to `values` (`pixels x bands`), as the family has it.
pub(super) fn add_noise(
    values: &mut [f64],
    family: Family,
    (columns, bands): (usize, usize),
    sigma: f64,
    stream: Stream,
) {
    let mut noise = vec![0.0; values.len()];
    stream.child(0).fill_normal_f64(&mut noise);
    match family {
        Family::UnevenNoise => {
            let mut levels = vec![0.0; bands];
            stream.child(1).fill_normal_f64(&mut levels);
            let levels: Vec<f64> = levels.iter().map(|l| (UNEVEN * l - UNEVEN * UNEVEN).exp()).collect();
            noise.chunks_exact_mut(bands).for_each(|row| row.iter_mut().zip(&levels).for_each(|(n, l)| *n *= l));
        }
        Family::CorrelatedNoise => {
            let fresh = (1.0 - CORRELATION * CORRELATION).sqrt();
            for row in noise.chunks_exact_mut(bands) {
                for band in 1..bands {
                    row[band] = CORRELATION * row[band - 1] + fresh * row[band];
                }
            }
        }
        Family::Striped => {
            let stripes: Vec<Vec<f64>> =
                (0..columns as u64).map(|column| smooth_curve(bands, stream.child(2).child(column))).collect();
            for (n, row) in noise.chunks_exact_mut(bands).enumerate() {
                row.iter_mut().zip(&stripes[n % columns]).for_each(|(v, s)| *v += STRIPES * s);
            }
        }
        _ => {}
    }
    values.iter_mut().zip(&noise).for_each(|(v, n)| *v += sigma * n);
}

/// Bands that are dead: which ones, and whether they are zero.
pub(super) fn dead_bands(bands: usize, stream: Stream) -> Vec<(usize, bool)> {
    let number = ((DEAD.0 * bands as f64).round() as usize).max(1);
    stream.sample(bands, number).into_iter().enumerate().map(|(i, band)| (band, i % 2 == 0)).collect()
}

/// Makes bands zero, or nothing but noise.
pub(super) fn kill(values: &mut [f64], bands: usize, dead: &[(usize, bool)], sigma: f64, stream: Stream) {
    let pixels = values.len() / bands;
    for (i, &(band, zero)) in dead.iter().enumerate() {
        let mut noise = vec![0.0; pixels];
        if !zero {
            stream.child(i as u64).fill_normal_f64(&mut noise);
        }
        (0..pixels).for_each(|n| values[n * bands + band] = DEAD.1 * sigma * noise[n]);
    }
}

/// A smooth offset that takes the smallest values below zero.
pub(super) fn dark_current(values: &[f64], bands: usize, stream: Stream) -> Vec<f64> {
    let mut rng = stream.rng();
    let tilt: f64 = rng.random_range(-0.5..0.5);
    let share = rng.random_range(BELOW_ZERO.0..BELOW_ZERO.1);
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let level = sorted[(share * (sorted.len() - 1) as f64) as usize];
    (0..bands).map(|band| level * (1.0 + tilt * (band as f64 / (bands.max(2) - 1) as f64 - 0.5))).collect()
}

/// Rounds to the steps of a digitiser.
pub(super) fn quantise(values: &mut [f64]) {
    let step = values.iter().copied().fold(0.0, f64::max) / STEPS;
    if step > 0.0 {
        values.iter_mut().for_each(|v| *v = (*v / step).round() * step);
    }
}
