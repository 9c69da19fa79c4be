//! Scenes with a known answer.

use cupel_data::Stream;
use rand_distr::{Distribution, Gamma};
use rayon::prelude::*;

use crate::{Abundances, Endmembers, Error, Pixels, Result, error::same};

/// Pixels mixed by one task; fixed, so that nothing depends on the number of threads.
const BLOCK_PIXELS: usize = 1024;

/// Mixes `abundances` with `endmembers` and adds white Gaussian noise.
///
/// The noise has the same standard deviation `sigma` in every band and pixel, with
/// `snr_db = 10 log10(mean(Y^2) / sigma^2)` over the noise-free scene `Y`. Infinite `snr_db` adds none.
///
/// # Errors
/// Endmembers and abundances that do not fit; an `snr_db` that is not a number.
pub fn mix(endmembers: &Endmembers, abundances: &Abundances, snr_db: f64, stream: Stream) -> Result<Pixels> {
    same("endmembers of the abundances", endmembers.count(), abundances.endmembers())?;
    let mut values = clean(endmembers, abundances);
    let power = values.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>() / values.len() as f64;
    let sigma = noise_sigma(power, snr_db)?;
    if sigma > 0.0 {
        let mut noise = vec![0.0f32; values.len()];
        stream.fill_normal(&mut noise);
        values.iter_mut().zip(&noise).for_each(|(v, n)| *v += sigma as f32 * n);
    }
    Pixels::new(values.into(), endmembers.bands())
}

/// Standard deviation of the noise for a mean square signal `power`.
pub(crate) fn noise_sigma(power: f64, snr_db: f64) -> Result<f64> {
    if snr_db.is_nan() || snr_db == f64::NEG_INFINITY {
        return Err(Error::setting("snr_db", snr_db, "a number of decibels"));
    }
    Ok((power / 10f64.powf(snr_db / 10.0)).sqrt())
}

fn clean(endmembers: &Endmembers, abundances: &Abundances) -> Vec<f32> {
    let (bands, count) = (endmembers.bands(), endmembers.count());
    let mut values = vec![0.0f32; abundances.count() * bands];
    values.par_chunks_mut(BLOCK_PIXELS * bands).zip(abundances.values().par_chunks(BLOCK_PIXELS * count)).for_each(
        |(spectra, weights)| {
            let mut sum = vec![0.0f64; bands];
            for (spectrum, weights) in spectra.chunks_exact_mut(bands).zip(weights.chunks_exact(count)) {
                sum.fill(0.0);
                for (endmember, weight) in endmembers.spectra().zip(weights) {
                    sum.iter_mut().zip(endmember).for_each(|(s, e)| *s += weight * e);
                }
                spectrum.iter_mut().zip(&sum).for_each(|(v, s)| *v = *s as f32);
            }
        },
    );
    values
}

/// Smooth, positive reflectance-like spectra: a slope and a few absorption and emission features each.
pub fn smooth_endmembers(count: usize, bands: usize, stream: Stream) -> Result<Endmembers> {
    use rand::RngExt;
    let values = (0..count)
        .flat_map(|k| {
            let mut rng = stream.child(k as u64).rng();
            let (level, slope) = (rng.random_range(0.15..0.5), rng.random_range(-0.3..0.3));
            let features: Vec<[f64; 3]> = (0..4)
                .map(|_| [rng.random_range(0.0..1.0), rng.random_range(0.04..0.25), rng.random_range(-0.25..0.35)])
                .collect();
            (0..bands).map(move |band| {
                let x = band as f64 / (bands.max(2) - 1) as f64;
                let sum: f64 =
                    features.iter().map(|[at, width, height]| height * (-((x - at) / width).powi(2)).exp()).sum();
                (level + slope * (x - 0.5) + sum).clamp(0.01, 1.0)
            })
        })
        .collect();
    Endmembers::new(values, bands)
}

/// Abundances of a `rows x columns` scene in patches: each pixel leans to the materials whose centres are near.
///
/// Every material covers some pixels (almost) alone. `blur` is the width of the borders between patches relative to
/// the scene: 0.02 gives sharp patches, 0.1 mixes most pixels.
pub fn patches(rows: usize, columns: usize, endmembers: usize, blur: f64, stream: Stream) -> Result<Abundances> {
    use rand::RngExt;
    let mut rng = stream.rng();
    let centres: Vec<(f64, f64, usize)> =
        (0..4 * endmembers).map(|i| (rng.random(), rng.random(), i % endmembers)).collect();
    let values = (0..rows * columns)
        .flat_map(|n| {
            let (y, x) = ((n / columns) as f64 / rows as f64, (n % columns) as f64 / columns as f64);
            let distance = |c: &(f64, f64, usize)| ((c.0 - y).powi(2) + (c.1 - x).powi(2)).sqrt();
            let nearest = centres.iter().map(distance).fold(f64::INFINITY, f64::min);
            let mut weights = vec![0.0; endmembers];
            centres.iter().for_each(|c| weights[c.2] += (-(distance(c) - nearest) / blur.max(1e-6)).exp());
            let sum: f64 = weights.iter().sum();
            weights.into_iter().map(move |w| w / sum)
        })
        .collect();
    Abundances::new(values, endmembers)
}

/// Independent abundances, Dirichlet distributed with the same `concentration` for every endmember.
///
/// # Errors
/// A concentration that is not positive.
pub fn dirichlet(pixels: usize, endmembers: usize, concentration: f64, stream: Stream) -> Result<Abundances> {
    let wrong = |_| Error::setting("concentration", concentration, "a positive number");
    let gamma = Gamma::new(concentration, 1.0).map_err(wrong)?;
    let mut rng = stream.rng();
    let values = (0..pixels * endmembers).map(|_| gamma.sample(&mut rng)).collect();
    Ok(Abundances::new(values, endmembers)?.closed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_has_the_power_asked_for() {
        let stream = Stream::new(11, "simulate test");
        let endmembers = smooth_endmembers(3, 40, stream.child(0)).unwrap();
        let abundances = patches(50, 40, 3, 0.05, stream.child(1)).unwrap();
        let clean = mix(&endmembers, &abundances, f64::INFINITY, stream).unwrap();
        for snr_db in [0.0, 20.0, 30.0] {
            let noisy = mix(&endmembers, &abundances, snr_db, stream).unwrap();
            let power = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>();
            let signal = power(&mut clean.values().iter().map(|&v| f64::from(v)));
            let noise = power(&mut noisy.values().iter().zip(clean.values()).map(|(a, b)| f64::from(a - b)));
            let got = 10.0 * (signal / noise).log10();
            assert!((got - snr_db).abs() < 0.1, "{got} {snr_db}");
        }
        assert!(mix(&endmembers, &abundances, f64::NAN, stream).is_err());
    }

    #[test]
    fn abundances_are_on_the_simplex_and_every_material_is_somewhere_alone() {
        let stream = Stream::new(12, "simulate test");
        for abundances in [patches(40, 30, 4, 0.03, stream).unwrap(), dirichlet(1200, 4, 0.2, stream).unwrap()] {
            assert_eq!(abundances.count(), 1200);
            for row in abundances.rows() {
                assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12 && row.iter().all(|a| *a >= 0.0));
            }
            for k in 0..4 {
                assert!(abundances.map(k).into_iter().fold(0.0, f64::max) > 0.95);
            }
        }
    }
}
