//! Radio galaxies one by one.
//!
//! Numbers per flux density at 1.4 GHz from Battye et al., "H I intensity mapping: a single dish approach", MNRAS 434,
//! 1239 (2013), arXiv 1209.0343, a fit to continuum surveys: `S^2.5 dN/dS = 10^p(log10(S / Jy)) Jy^1.5 / sr` with a
//! polynomial p of degree 5. Sources lie anywhere, in Poisson numbers, and have power laws `S ~ nu^-a` with Gaussian
//! spectral indices, `a = 0.7 +- 0.2` as there. The brightness of a pixel is the flux density in it,
//! `T = S c^2 / (2 k nu^2 Omega_pixel)`. Spectra may be curved, `ln S = ln S_1.4 - (a + c x) x` with `x = ln(nu / 1.4 GHz)` and a normal `c`
//! for each source; one of .2 and more counts as a strong curvature (Callingham et al., ApJ 836, 174 (2017)). Fainter and brighter ones than the settings say are left out: the faint ones
//! are a smooth background, the bright ones are taken off by catalogues. Clustering is left out.

use cupel_data::Stream;
use rand::RngExt;
use rand_distr::{Distribution, Poisson, StandardNormal};
use rayon::prelude::*;

use super::planes::Planes;
use crate::{Error, Result, jansky_per_steradian_kelvin};

/// Coefficients of p, lowest power first.
const COUNTS: [f64; 6] = [2.593, 9.333e-2, -4.839e-4, 2.488e-1, 8.995e-2, 8.506e-3];
/// Frequency of the counts in MHz.
const COUNTED_MHZ: f64 = 1400.0;
/// Steps of flux density per factor of e; the counts vary by 2 % over one.
const STEPS_PER_E: f64 = 100.0;
/// Mean and standard deviation of the spectral index a.
const INDEX: [f64; 2] = [0.7, 0.2];

/// Sources per Jy and sr at a flux density at 1.4 GHz.
pub fn counts_per_jy_sr(flux_jy: f64) -> f64 {
    let x = flux_jy.log10();
    let exponent = COUNTS.iter().rev().fold(0.0, |sum, coefficient| sum * x + coefficient);
    flux_jy.powf(-2.5) * 10.0_f64.powf(exponent)
}

/// `integral S^power dN/dS dS` from the faintest to the brightest flux density in Jy, in Jy^power / sr.
pub fn counts_moment(power: i32, faintest_jy: f64, brightest_jy: f64) -> f64 {
    steps(faintest_jy, brightest_jy).map(|[flux, width]| flux.powi(power) * counts_per_jy_sr(flux) * width).sum()
}

/// Middles and widths of steps of equal ratio.
fn steps(faintest_jy: f64, brightest_jy: f64) -> impl Iterator<Item = [f64; 2]> {
    let range = (brightest_jy / faintest_jy).ln();
    let count = (range * STEPS_PER_E).ceil().max(1.0);
    (0..count as usize).map(move |i| {
        let flux = faintest_jy * (range * (i as f64 + 0.5) / count).exp();
        [flux, flux * 2.0 * (range / count / 2.0).sinh()]
    })
}

/// A radio galaxy.
#[derive(Clone, Copy, Debug)]
struct Source {
    pixel: usize,
    /// Flux density at 1.4 GHz in Jy.
    flux: f64,
    index: f64,
    curvature: f64,
}

impl Source {
    /// Flux density in Jy.
    fn at(&self, frequency_mhz: f64) -> f64 {
        let x = (frequency_mhz / COUNTED_MHZ).ln();
        self.flux * (-(self.index + self.curvature * x) * x).exp()
    }
}

/// Sources of a patch.
fn sources(
    planes: &Planes,
    [faintest_jy, brightest_jy]: [f64; 2],
    curvature: f64,
    stream: Stream,
) -> Result<Vec<Source>> {
    let mut rng = stream.rng();
    let mut sources = Vec::new();
    for [flux, width] in steps(faintest_jy, brightest_jy) {
        let expected = counts_per_jy_sr(flux) * width * planes.side_rad().powi(2);
        let number = Poisson::new(expected).map_err(|_| {
            Error::from(cupel_settings::Problem::value(
                "source-min-jy",
                faintest_jy,
                "a flux density that leaves a finite number of sources",
            ))
        })?;
        for _ in 0..number.sample(&mut rng) as u64 {
            let pixel = rng.random_range(0..planes.pixels());
            let normal: f64 = StandardNormal.sample(&mut rng);
            sources.push(Source { pixel, flux, index: INDEX[0] + INDEX[1] * normal, curvature: 0.0 });
        }
    }
    if curvature > 0.0 {
        let mut normal = vec![0.0; sources.len()];
        stream.child(0).fill_normal_f64(&mut normal);
        sources.iter_mut().zip(normal).for_each(|(source, z)| source.curvature = curvature * z);
    }
    // so that each channel adds up in the order of its pixels, without a search
    sources.sort_by_key(|source| source.pixel);
    Ok(sources)
}

/// Planes in mK on [channel, row, column].
pub(crate) fn planes_mk(
    planes: &Planes,
    frequencies_mhz: &[f64],
    range_jy: [f64; 2],
    curvature: f64,
    stream: Stream,
) -> Result<Vec<f64>> {
    let sources = sources(planes, range_jy, curvature, stream)?;
    let mut cube = vec![0.0; frequencies_mhz.len() * planes.pixels()];
    cube.par_chunks_mut(planes.pixels()).zip(frequencies_mhz).for_each(|(plane, frequency)| {
        let mk_jy = 1e3 / (jansky_per_steradian_kelvin(*frequency) * planes.pixel_rad().powi(2));
        sources.iter().for_each(|source| plane[source.pixel] += mk_jy * source.at(*frequency));
    });
    Ok(cube)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_an_independent_integral() {
        // NumPy 2, trapezoidal rule with 20001 points in ln S; the first is the brightness of all sources below 10 mJy
        let kelvin_jy_sr = 1.0 / jansky_per_steradian_kelvin(1400.0);
        for (power, low, high, wanted) in [
            (1, 1e-6, 0.01, 84.472_332_006_356_54e-3 / kelvin_jy_sr),
            (0, 1e-3, 0.1, 257_818.829_191_108_12),
            (2, 1e-3, 0.1, 57.515_116_797_165_46),
        ] {
            let found = counts_moment(power, low, high);
            assert!((found / wanted - 1.0).abs() < 1e-4, "{power}: {found} {wanted}");
        }
    }

    #[test]
    fn number_mean_and_poisson_variance_are_the_moments_of_the_counts() {
        let planes = Planes::new(48, 15.0_f64.to_radians());
        let (low, high, skies) = (1e-3, 0.1, 8);
        let (mut number, mut mean, mut square) = (0.0, 0.0, 0.0);
        for sky in 0..skies {
            let stream = Stream::new(sky, "sources");
            number += sources(&planes, [low, high], 0.0, stream).unwrap().len() as f64 / skies as f64;
            let map = planes_mk(&planes, &[COUNTED_MHZ], [low, high], 0.0, stream).unwrap();
            let count = (skies * map.len() as u64) as f64;
            mean += map.iter().sum::<f64>() / count;
            square += map.iter().map(|v| v * v).sum::<f64>() / count;
        }
        let mk = 1e3 / jansky_per_steradian_kelvin(COUNTED_MHZ);
        let wanted = [0, 1, 2].map(|power| counts_moment(power, low, high));
        let area = planes.side_rad().powi(2);
        assert!((number / (wanted[0] * area) - 1.0).abs() < 0.01, "{number}");
        assert!((mean / (wanted[1] * mk) - 1.0).abs() < 0.02, "{mean}");
        // C_l of a Poisson process is the second moment, and the variance in pixels is C_l / Omega
        let variance = square - mean * mean;
        let poisson = wanted[2] * mk * mk / planes.pixel_rad().powi(2);
        assert!((variance / poisson - 1.0).abs() < 0.06, "{variance} {poisson}");
    }

    #[test]
    fn each_source_is_a_power_law_of_its_flux_density() {
        let planes = Planes::new(8, 0.2);
        let (stream, frequencies) = (Stream::new(5, "sources"), [400.0, 500.0]);
        let all = sources(&planes, [0.05, 0.1], 0.0, stream).unwrap();
        let cube = planes_mk(&planes, &frequencies, [0.05, 0.1], 0.0, stream).unwrap();
        let alone = |source: &&Source| all.iter().filter(|other| other.pixel == source.pixel).count() == 1;
        let source = all.iter().find(alone).unwrap();
        for (channel, frequency) in frequencies.iter().enumerate() {
            let flux = source.flux * (frequency / 1400.0).powf(-source.index);
            let wanted = 1e3 * flux / (jansky_per_steradian_kelvin(*frequency) * planes.pixel_rad().powi(2));
            assert!((cube[channel * 64 + source.pixel] / wanted - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn curved_spectra_have_the_moments_that_are_asked_for_and_leave_places_and_fluxes() {
        let planes = Planes::new(48, 15.0_f64.to_radians());
        let (stream, curvature) = (Stream::new(2, "sources"), 0.2);
        let straight = sources(&planes, [1e-3, 10.0], 0.0, stream).unwrap();
        let curved = sources(&planes, [1e-3, 10.0], curvature, stream).unwrap();
        let count = curved.len() as f64;
        let mean = |power: i32| curved.iter().map(|source| source.curvature.powi(power)).sum::<f64>() / count;
        assert!(mean(1).abs() < 3.0 * curvature / count.sqrt());
        assert!((mean(2).sqrt() / curvature - 1.0).abs() < 3.0 / (2.0 * count).sqrt());
        for (straight, curved) in straight.iter().zip(&curved) {
            assert_eq!((straight.pixel, straight.flux, straight.index), (curved.pixel, curved.flux, curved.index));
            assert_eq!(straight.at(COUNTED_MHZ), curved.at(COUNTED_MHZ));
            // the local power is steeper by 2 c x
            let x = (400.0 / COUNTED_MHZ).ln();
            let slope = |source: &Source| (source.at(400.0 * 1.0001) / source.at(400.0)).ln() / 1.0001_f64.ln();
            assert!((slope(curved) - slope(straight) + 2.0 * curved.curvature * x).abs() < 1e-3);
        }
    }
}
