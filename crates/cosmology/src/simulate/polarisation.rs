//! Polarised synchrotron emission that leaks into total intensity: foreground that is not smooth in frequency.
//!
//! The complex polarisation `P = Q + iU` is a Gaussian field of the spectrum
//! `C_l(nu, nu') = A (l / 100)^-2.8 (nu nu' / 408^2)^-2.8 exp(-ln^2(nu / nu') / (2 xi^2))`, A = 1.65e-3 K^2, xi = 0.04,
//! in Q and in U (Shaw et al., "Coaxing cosmic 21 cm fluctuations from the polarized sky using m-mode analysis", PRD
//! 91, 083514 (2015), arXiv 1401.2095, as its authors simulate it), turned by the Faraday depth phi of each place:
//! `P exp(2 i phi lambda^2)`. A share of Q is taken for intensity. phi is Gaussian, smooth over a few degrees.

use cupel_data::Stream;
use rayon::prelude::*;

use super::{
    gaussian_field::{ChannelRoot, gaussian_fields, unit_field},
    planes::Planes,
    spectral_index::FWHM_OF_SIGMA,
};
use crate::Result;

/// `A` in mK^2, its multipole and frequency in MHz; slopes of multipole and frequency; range in ln nu.
const AMPLITUDE_MK2: f64 = 1.65e3;
const PIVOT_MULTIPOLE: f64 = 100.0;
const PIVOT_MHZ: f64 = 408.0;
const SLOPE: f64 = 2.8;
const XI: f64 = 0.04;
/// FWHM in degrees over which the Faraday depth is smooth.
const SMOOTHING_DEG: f64 = 3.0;
/// Speed of light in m MHz.
const SPEED_OF_LIGHT_M_MHZ: f64 = 299.792_458;

fn kernel(first_mhz: f64, second_mhz: f64) -> f64 {
    let distance = (first_mhz / second_mhz).ln() / XI;
    (first_mhz * second_mhz / (PIVOT_MHZ * PIVOT_MHZ)).powf(-SLOPE) * (-0.5 * distance * distance).exp()
}

fn shape(multipole: f64) -> f64 {
    AMPLITUDE_MK2 * (multipole / PIVOT_MULTIPOLE).powf(-SLOPE)
}

/// What a share of polarised emission adds to intensity in mK on [channel, row, column]; `depth_rad_m2` is the rms of
/// the Faraday depth.
pub(crate) fn leaked_mk(
    planes: &Planes,
    frequencies_mhz: &[f64],
    share: f64,
    depth_rad_m2: f64,
    stream: Stream,
) -> Result<Vec<f64>> {
    let root = ChannelRoot::new(frequencies_mhz, kernel)?;
    let stokes =
        |index: u64| root.mix(&gaussian_fields(planes, root.modes(), stream.child(index), shape), planes.pixels());
    let (mut q, u) = (stokes(0), stokes(1));
    let sigma = SMOOTHING_DEG.to_radians() / FWHM_OF_SIGMA;
    let depths = unit_field(planes, stream.child(2), |l| (-(l * sigma).powi(2)).exp());
    let pixels = planes.pixels();
    q.par_chunks_mut(pixels).zip(u.par_chunks(pixels)).zip(frequencies_mhz).for_each(|((q, u), frequency)| {
        let square_m2 = (SPEED_OF_LIGHT_M_MHZ / frequency).powi(2);
        for ((q, u), depth) in q.iter_mut().zip(u).zip(&depths) {
            let (sin, cos) = (2.0 * depth_rad_m2 * depth * square_m2).sin_cos();
            *q = share * (*q * cos - u * sin);
        }
    });
    Ok(q)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_q_and_its_coherence_are_their_closed_forms() {
        let planes = Planes::new(32, 20.0_f64.to_radians());
        let frequencies = [400.0, 404.0, 416.0];
        let (skies, share) = (300, 0.01);
        let shapes: f64 = planes.multipoles().iter().filter(|l| **l > 0.0).map(|l| shape(*l)).sum();
        for depth in [0.0, 3.0] {
            let mut sums = [0.0; 3];
            for sky in 0..skies {
                let leaked = leaked_mk(&planes, &frequencies, share, depth, Stream::new(sky, "leak")).unwrap();
                for (channel, sum) in sums.iter_mut().enumerate() {
                    let product: f64 = (0..1024).map(|i| leaked[i] * leaked[channel * 1024 + i]).sum();
                    *sum += product / 1024.0 / skies as f64;
                }
            }
            let variance = share * share * shapes / planes.side_rad().powi(2);
            for (found, frequency) in sums.iter().zip(frequencies) {
                // a Gaussian depth of rms s dephases by exp(-2 s^2 (lambda^2 - lambda'^2)^2)
                let squares = [400.0, frequency].map(|nu| (SPEED_OF_LIGHT_M_MHZ / nu).powi(2));
                let dephased = (-2.0 * (depth * (squares[0] - squares[1])).powi(2)).exp();
                let wanted = variance * kernel(400.0, frequency) * dephased;
                assert!((found - wanted).abs() < 0.1 * variance, "{depth} {frequency}: {found} {wanted}");
            }
        }
    }
}
