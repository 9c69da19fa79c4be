//! Thermal noise: white, of one level, or of each channel by the radiometer equation.
//!
//! `sigma = (T_rx + T_sky) / sqrt(N_pol t_pixel d_nu)`, `T_sky = 60 K (nu / 300 MHz)^-2.5`; `t_pixel` is the time of
//! all dishes over the number of pixels, and there are two polarisations (Thompson, Moran & Swenson, "Interferometry
//! and synthesis in radio astronomy", 3rd edition (2017), equation 1.8; the sky as in the SKA baseline design).

use cupel_data::Stream;
use rayon::prelude::*;

/// Polarisations that are added.
const POLARISATIONS: f64 = 2.0;

/// An observation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Radiometer {
    pub(crate) hours: f64,
    pub(crate) dishes: f64,
    pub(crate) receiver_k: f64,
    pub(crate) pixels: f64,
    pub(crate) channel_mhz: f64,
}

impl Radiometer {
    /// Rms of the noise in a pixel of a channel in mK.
    pub(crate) fn sigma_mk(&self, frequency_mhz: f64) -> f64 {
        let system_mk = 1e3 * (self.receiver_k + 60.0 * (frequency_mhz / 300.0).powf(-2.5));
        let seconds = self.hours * 3600.0 * self.dishes / self.pixels;
        system_mk / (POLARISATIONS * seconds * self.channel_mhz * 1e6).sqrt()
    }
}

/// White noise of each channel's rms on [channel, pixel].
pub(crate) fn noise_mk(sigmas_mk: &[f64], pixels: usize, stream: Stream) -> Vec<f64> {
    let mut noise = vec![0.0; sigmas_mk.len() * pixels];
    stream.fill_normal_f64(&mut noise);
    noise.par_chunks_mut(pixels).zip(sigmas_mk).for_each(|(plane, sigma)| plane.iter_mut().for_each(|v| *v *= sigma));
    noise
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_radiometer_equation_is_the_textbook_one() {
        // one second, one MHz, one pixel, one dish, 300 MHz: 80 K / sqrt(2e6)
        let radiometer =
            Radiometer { hours: 1.0 / 3600.0, dishes: 1.0, receiver_k: 20.0, pixels: 1.0, channel_mhz: 1.0 };
        assert!((radiometer.sigma_mk(300.0) - 56.568_542_5).abs() < 1e-6);
        let longer = Radiometer { hours: 100.0 / 3600.0, ..radiometer };
        assert!((radiometer.sigma_mk(400.0) / longer.sigma_mk(400.0) - 10.0).abs() < 1e-9);
    }

    #[test]
    fn noise_has_the_level_of_its_channel_and_no_correlation() {
        let noise = noise_mk(&[0.5, 2.0], 40_000, Stream::new(1, "noise"));
        let (first, second) = noise.split_at(40_000);
        for (plane, sigma) in [(first, 0.5), (second, 2.0)] {
            let rms = (plane.iter().map(|v| v * v).sum::<f64>() / 40_000.0).sqrt();
            // sigma / sqrt(2 n) is 0.35 %
            assert!((rms / sigma - 1.0).abs() < 0.015, "{rms} {sigma}");
            let lagged = plane.windows(2).map(|pair| pair[0] * pair[1]).sum::<f64>() / 40_000.0;
            assert!(lagged.abs() < 0.02 * sigma * sigma);
        }
        let cross = first.iter().zip(second).map(|(a, b)| a * b).sum::<f64>() / 40_000.0;
        assert!(cross.abs() < 0.02, "{cross}");
    }
}
