//! Synchrotron emission whose spectral index differs from place to place.
//!
//! `T(x, nu) = T_408(x) (nu / 408 MHz)^beta(x)`: around the mean sky `180 K (nu / 180 MHz)^-2.6` (Rogers & Bowman, AJ
//! 136, 641 (2008); Pritchard & Loeb, Rep. Prog. Phys. 75, 086901 (2012), section 4) the map at 408 MHz has the
//! fluctuations of Galactic synchrotron emission, and beta is a Gaussian field around -2.7, smooth over a few degrees
//! (Platania et al., A&A 410, 847 (2003), find such a scatter).

use cupel_data::Stream;
use rayon::prelude::*;

use super::{gaussian_field::unit_field, planes::Planes, santos_cooray_knox::GALACTIC_SYNCHROTRON};

/// Frequency in MHz of the map that is scaled: that of the Haslam survey.
pub(crate) const PIVOT_MHZ: f64 = 408.0;
/// Mean spectral index of the temperature.
const MEAN_INDEX: f64 = -2.7;
/// FWHM in units of the standard deviation of a Gaussian, `sqrt(8 ln 2)`.
pub(crate) const FWHM_OF_SIGMA: f64 = 2.354_820_045_030_949_4;

/// Mean brightness of the sky in mK away from the Galactic plane.
pub(crate) fn mean_sky_mk(frequency_mhz: f64) -> f64 {
    180e3 * (frequency_mhz / 180.0).powf(-2.6)
}

/// A map of spectral indices of expected rms `scatter` around the mean, smoothed with a Gaussian of FWHM
/// `smoothing_rad`.
pub(crate) fn index_map(planes: &Planes, scatter: f64, smoothing_rad: f64, stream: Stream) -> Vec<f64> {
    let sigma = smoothing_rad / FWHM_OF_SIGMA;
    let field = unit_field(planes, stream, |l| (-(l * sigma).powi(2)).exp());
    field.into_iter().map(|v| MEAN_INDEX + scatter * v).collect()
}

/// Planes in mK on [channel, row, column].
pub(crate) fn planes_mk(
    planes: &Planes,
    frequencies_mhz: &[f64],
    scatter: f64,
    smoothing_rad: f64,
    stream: Stream,
) -> Vec<f64> {
    let mut map = GALACTIC_SYNCHROTRON.plane_mk(planes, PIVOT_MHZ, stream.child(0));
    let mean = mean_sky_mk(PIVOT_MHZ);
    map.iter_mut().for_each(|v| *v += mean);
    scaled(&map, &index_map(planes, scatter, smoothing_rad, stream.child(1)), frequencies_mhz)
}

/// The map at every frequency.
pub(crate) fn scaled(map_mk: &[f64], indices: &[f64], frequencies_mhz: &[f64]) -> Vec<f64> {
    let mut cube = vec![0.0; frequencies_mhz.len() * map_mk.len()];
    cube.par_chunks_mut(map_mk.len()).zip(frequencies_mhz).for_each(|(plane, frequency)| {
        let log = (frequency / PIVOT_MHZ).ln();
        for (out, (value, index)) in plane.iter_mut().zip(map_mk.iter().zip(indices)) {
            *out = value * (index * log).exp();
        }
    });
    cube
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_have_their_mean_scatter_and_width() {
        let planes = Planes::new(64, 20.0_f64.to_radians());
        let smoothing = 3.0_f64.to_radians();
        let (mut mean, mut square, mut product, lag) = (0.0, 0.0, 0.0, 6_usize);
        let skies = 100;
        for sky in 0..skies {
            let map = index_map(&planes, 0.1, smoothing, Stream::new(sky, "index"));
            let count = (skies * map.len() as u64) as f64;
            for (i, value) in map.iter().enumerate() {
                let beside = map[i / 64 * 64 + (i + lag) % 64];
                mean += value / count;
                square += (value + 2.7).powi(2) / count;
                product += (value + 2.7) * (beside + 2.7) / count;
            }
        }
        assert!((mean + 2.7).abs() < 0.01, "{mean}");
        assert!((square.sqrt() / 0.1 - 1.0).abs() < 0.06, "{}", square.sqrt());
        // a field filtered by a Gaussian of width s has the correlation exp(-d^2 / (4 s^2))
        let (sigma, distance) = (smoothing / FWHM_OF_SIGMA, lag as f64 * planes.pixel_rad());
        let wanted = (-(distance / (2.0 * sigma)).powi(2)).exp();
        assert!((product / square - wanted).abs() < 0.06, "{} {wanted}", product / square);
    }

    #[test]
    fn every_pixel_follows_its_own_power_law_around_the_mean_sky() {
        let planes = Planes::new(16, 10.0_f64.to_radians());
        let (stream, frequencies) = (Stream::new(1, "scaled"), [350.0, 408.0, 470.0]);
        let cube = planes_mk(&planes, &frequencies, 0.1, 0.05, stream);
        let indices = index_map(&planes, 0.1, 0.05, stream.child(1));
        for (pixel, index) in indices.iter().enumerate() {
            let found = (cube[512 + pixel] / cube[pixel]).ln() / (470.0_f64 / 350.0).ln();
            assert!((found - index).abs() < 1e-9, "{found} {index}");
        }
        let mean = cube[256..512].iter().sum::<f64>() / 256.0;
        // 180 K (408 / 180)^-2.6
        assert!((mean / 21_430.0 - 1.0).abs() < 1e-3, "{mean}");
    }
}
