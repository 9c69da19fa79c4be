//! [`Horizon`]: how far the foregrounds of an interferometer reach along the line of sight.
//!
//! A source at the zenith angle `theta` reaches one antenna of a baseline `b` later than the other by `tau = |b| sin(theta) / c`. In comoving wave
//! numbers `k_perp = 2 pi |b| / (lambda D_M)` and `k_par = 2 pi nu_21 H tau / (c (1 + z)^2)` that delay is the line
//! `k_par = k_perp D_M H / (c (1 + z)) sin(theta)`: Parsons et al., ApJ 756, 165 (2012), equations 1 to 4; Liu, Parsons & Trott, PRD 90, 023018
//! (2014). Smooth foregrounds fill the wedge below it.

use std::f64::consts::TAU;

use serde::{Deserialize, Serialize};

use crate::{Background, LINE_MHZ, SPEED_OF_LIGHT_KM_S, redshift};

/// Speed of light in m/us.
const SPEED_OF_LIGHT_M_US: f64 = SPEED_OF_LIGHT_KM_S * 1e-3;

/// A line in the plane of `(k_perp, k_par)`; below it lies the wedge, above it the window.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Horizon {
    /// `k_par / k_perp` on the line.
    pub slope: f64,
    /// How far above the line the wedge still reaches, in h/Mpc.
    pub buffer_h_mpc: f64,
}

impl Horizon {
    /// Of sources down to this zenith angle, at this frequency.
    pub fn new(background: &Background, frequency_mhz: f64, zenith_angle_deg: f64, buffer_h_mpc: f64) -> Self {
        let z = redshift(frequency_mhz);
        let distance_per_rate = background.comoving_distance_mpc_h(z) * background.hubble_h_km_s_mpc(z);
        let slope = distance_per_rate / (SPEED_OF_LIGHT_KM_S * (1.0 + z)) * zenith_angle_deg.to_radians().sin();
        Self { slope, buffer_h_mpc }
    }

    /// The end of the wedge at `k_perp`.
    pub fn k_par(&self, k_perp: f64) -> f64 {
        self.slope * k_perp + self.buffer_h_mpc
    }

    /// Whether a mode is in the wedge.
    pub fn holds(&self, k_perp: f64, k_par: f64) -> bool {
        k_par.abs() <= self.k_par(k_perp)
    }
}

/// The `k_perp` in h/Mpc that a baseline sees at a frequency.
pub fn k_perp_of_baseline(background: &Background, frequency_mhz: f64, length_m: f64) -> f64 {
    let wavelength_m = SPEED_OF_LIGHT_M_US / frequency_mhz;
    TAU * length_m / (wavelength_m * background.comoving_distance_mpc_h(redshift(frequency_mhz)))
}

/// The `k_par` in h/Mpc of a delay in a band around a frequency.
pub fn k_par_of_delay(background: &Background, frequency_mhz: f64, delay_us: f64) -> f64 {
    TAU * delay_us / depth_mpc_h_per_mhz(background, frequency_mhz)
}

/// `c (1 + z)^2 / (H nu_21)`: comoving depth per bandwidth.
pub(crate) fn depth_mpc_h_per_mhz(background: &Background, frequency_mhz: f64) -> f64 {
    let z = redshift(frequency_mhz);
    SPEED_OF_LIGHT_KM_S * (1.0 + z).powi(2) / (background.hubble_h_km_s_mpc(z) * LINE_MHZ)
}

/// The delay of a source on the horizon.
pub(crate) fn horizon_us(length_m: f64, zenith_angle_deg: f64) -> f64 {
    length_m / SPEED_OF_LIGHT_M_US * zenith_angle_deg.to_radians().sin()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_horizon_is_the_delay_of_light_along_the_baseline() {
        let background = Background::default();
        for (frequency_mhz, zenith_angle_deg) in [(120.0, 90.0), (550.0, 30.0), (1000.0, 5.0)] {
            for length_m in [7.0, 14.6, 300.0] {
                let horizon = Horizon::new(&background, frequency_mhz, zenith_angle_deg, 0.0);
                let delay_us = horizon_us(length_m, zenith_angle_deg);
                let k_perp = k_perp_of_baseline(&background, frequency_mhz, length_m);
                let k_par = k_par_of_delay(&background, frequency_mhz, delay_us);
                assert!((k_par / horizon.k_par(k_perp) - 1.0).abs() < 1e-12, "{frequency_mhz} {length_m}");
                assert!(horizon.holds(k_perp, -0.99 * k_par) && !horizon.holds(k_perp, 1.01 * k_par));
            }
        }
        assert!((horizon_us(299.792_458, 30.0) - 0.5).abs() < 1e-12, "the sine of the angle counts, not the angle");
    }

    #[test]
    fn wave_numbers_are_those_of_the_published_band() {
        // 128 channels over 500-600 MHz in a universe of Omega_m = 0.3: steps of 0.0108 h/Mpc up to 0.69.
        let background = Background { omega_m: 0.3, ..Background::default() };
        assert!((k_par_of_delay(&background, 550.0, 0.01) - 0.0108).abs() < 5e-5);
        assert!((k_par_of_delay(&background, 550.0, 0.64) - 0.69).abs() < 5e-3);
    }
}
