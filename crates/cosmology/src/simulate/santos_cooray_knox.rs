//! Four foregrounds, each a Gaussian field that is smooth in frequency.
//!
//! Santos, Cooray & Knox, "Multifrequency analysis of 21 cm fluctuations from the era of reionization", ApJ 625, 575
//! (2005), arXiv astro-ph/0408515, equation 9 and table 1:
//! `C_l(nu, nu') = A (l / 1000)^-beta (nu nu' / 130^2)^-alpha exp(-ln^2(nu / nu') / (2 xi^2))`, A in mK^2 and
//! frequencies in MHz.

use cupel_data::Stream;

use super::{
    gaussian_field::{ChannelRoot, gaussian_fields},
    planes::Planes,
};
use crate::Result;

/// Frequency in MHz and multipole at which amplitudes are stated.
const PIVOT_MHZ: f64 = 130.0;
const PIVOT_MULTIPOLE: f64 = 1000.0;

/// One foreground of the table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Component {
    /// Its name in streams and results.
    pub name: &'static str,
    /// `A` in mK^2 at l = 1000 and 130 MHz.
    pub amplitude_mk2: f64,
    /// Slope of the angular spectrum.
    pub beta: f64,
    /// Half of the slope of the power in frequency: the spectral index of the temperature.
    pub alpha: f64,
    /// Range of `ln nu` over which channels stay alike.
    pub xi: f64,
}

/// Synchrotron emission of the Galaxy.
pub const GALACTIC_SYNCHROTRON: Component =
    Component { name: "galactic_synchrotron", amplitude_mk2: 700.0, beta: 2.4, alpha: 2.80, xi: 4.0 };
/// Radio galaxies too faint to be told apart.
pub const POINT_SOURCES: Component =
    Component { name: "point_sources", amplitude_mk2: 57.0, beta: 1.1, alpha: 2.07, xi: 1.0 };
/// Free-free emission of other galaxies.
pub const EXTRAGALACTIC_FREE_FREE: Component =
    Component { name: "extragalactic_freefree", amplitude_mk2: 0.014, beta: 1.0, alpha: 2.10, xi: 35.0 };
/// Free-free emission of the Galaxy.
pub const GALACTIC_FREE_FREE: Component =
    Component { name: "galactic_freefree", amplitude_mk2: 0.088, beta: 3.0, alpha: 2.15, xi: 35.0 };
/// All of them.
pub const COMPONENTS: [Component; 4] =
    [GALACTIC_SYNCHROTRON, POINT_SOURCES, EXTRAGALACTIC_FREE_FREE, GALACTIC_FREE_FREE];

impl Component {
    /// `C_l(nu, nu')` in mK^2 sr.
    pub fn angular_power_mk2_sr(&self, multipole: f64, first_mhz: f64, second_mhz: f64) -> f64 {
        self.shape(multipole) * self.kernel(first_mhz, second_mhz)
    }

    /// Planes in mK on [channel, row, column].
    pub(crate) fn planes_mk(&self, planes: &Planes, frequencies_mhz: &[f64], stream: Stream) -> Result<Vec<f64>> {
        let root = ChannelRoot::new(frequencies_mhz, |a, b| self.kernel(a, b))?;
        let fields = gaussian_fields(planes, root.modes(), stream, |l| self.shape(l));
        Ok(root.mix(&fields, planes.pixels()))
    }

    /// One plane in mK at one frequency.
    pub(crate) fn plane_mk(&self, planes: &Planes, frequency_mhz: f64, stream: Stream) -> Vec<f64> {
        let power = self.kernel(frequency_mhz, frequency_mhz);
        gaussian_fields(planes, 1, stream, |l| self.shape(l) * power)
    }

    fn shape(&self, multipole: f64) -> f64 {
        self.amplitude_mk2 * (multipole / PIVOT_MULTIPOLE).powf(-self.beta)
    }

    fn kernel(&self, first_mhz: f64, second_mhz: f64) -> f64 {
        let distance = (first_mhz / second_mhz).ln() / self.xi;
        (first_mhz * second_mhz / (PIVOT_MHZ * PIVOT_MHZ)).powf(-self.alpha) * (-0.5 * distance * distance).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SKIES: u64 = 24;

    fn frequencies() -> Vec<f64> {
        (0..16).map(|i| 350.0 + 129.0 * (f64::from(i) + 0.5) / 16.0).collect()
    }

    /// Angular power of a plane in bins of l by its definition, with the model in the same bins and the number of
    /// modes.
    fn spectrum(component: &Component, bins: usize) -> Vec<[f64; 3]> {
        let planes = Planes::new(64, 20.0_f64.to_radians());
        let frequencies = frequencies();
        let multipoles = planes.multipoles();
        let (low, high) = (20.0_f64, 500.0_f64);
        let mut sums = vec![[0.0; 3]; bins];
        for sky in 0..SKIES {
            let values = component.planes_mk(&planes, &frequencies, Stream::new(sky, component.name)).unwrap();
            let transform = planes.forward(&values[..planes.pixels()]);
            for (l, value) in multipoles.iter().zip(&transform).filter(|(l, _)| (low..high).contains(*l)) {
                let sum = &mut sums[((l / low).ln() / (high / low).ln() * bins as f64) as usize];
                sum[0] += value.norm_sqr() * planes.side_rad().powi(2) / (planes.pixels() as f64).powi(2);
                sum[1] += component.angular_power_mk2_sr(*l, frequencies[0], frequencies[0]);
                sum[2] += 1.0;
            }
        }
        sums
    }

    #[test]
    fn each_component_has_its_angular_spectrum_in_amplitude_and_slope() {
        for component in COMPONENTS {
            let bins = spectrum(&component, 4);
            for [found, wanted, modes] in &bins {
                let sigma = (2.0 / modes).sqrt();
                assert!((found / wanted - 1.0).abs() < 4.0 * sigma, "{}: {found} {wanted}", component.name);
                assert!(sigma < 0.08);
            }
            // ratio of the last to the first bin, which is the slope over a decade
            let ratio = bins[3][0] / bins[3][1] * bins[0][1] / bins[0][0];
            assert!(ratio.ln().abs() < 0.25, "{}: {ratio}", component.name);
        }
    }

    #[test]
    fn channels_covary_as_the_kernel_says() {
        let (planes, frequencies) = (Planes::new(32, 20.0_f64.to_radians()), frequencies());
        for component in [Component { xi: 0.1, ..GALACTIC_SYNCHROTRON }, GALACTIC_SYNCHROTRON, POINT_SOURCES] {
            let shape: f64 = planes.multipoles().iter().filter(|l| **l > 0.0).map(|l| component.shape(*l)).sum();
            let variance = shape / planes.side_rad().powi(2);
            let pairs = [(0, 0), (15, 15), (0, 15), (7, 9)];
            let mut covariances = [0.0; 4];
            for sky in 0..200 {
                let values = component.planes_mk(&planes, &frequencies, Stream::new(sky, "kernel")).unwrap();
                let plane = |channel: usize| &values[channel * planes.pixels()..(channel + 1) * planes.pixels()];
                for ((a, b), sum) in pairs.iter().zip(&mut covariances) {
                    let product: f64 = plane(*a).iter().zip(plane(*b)).map(|(x, y)| x * y).sum();
                    *sum += product / planes.pixels() as f64 / 200.0;
                }
            }
            for ((a, b), found) in pairs.iter().zip(covariances) {
                let scale = (component.kernel(frequencies[*a], frequencies[*a])
                    * component.kernel(frequencies[*b], frequencies[*b]))
                .sqrt();
                let wanted = component.kernel(frequencies[*a], frequencies[*b]);
                assert!(
                    (found / variance - wanted).abs() < 0.12 * scale,
                    "xi {}: {a} {b}: {found} {wanted}",
                    component.xi
                );
            }
            // what a field of any amplitude must obey: the correlation of two channels
            let correlation = covariances[2] / (covariances[0] * covariances[1]).sqrt();
            let wanted = (-0.5 * ((frequencies[0] / frequencies[15]).ln() / component.xi).powi(2)).exp();
            assert!((correlation - wanted).abs() < 0.03, "{correlation} {wanted}");
        }
    }
}
