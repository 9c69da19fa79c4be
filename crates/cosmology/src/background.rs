//! A flat universe of matter and a cosmological constant: distances, the rate of expansion, growth, and the redshift of the line.
//!
//! Hogg, "Distance measures in cosmology" (1999), arXiv astro-ph/9905116; Carroll, Press & Turner, "The cosmological constant",
//! ARA&A 30, 499 (1992), equation 29, for growth; f = Omega_m(z)^0.55 of Linder, PRD 72, 043529 (2005).

use serde::{Deserialize, Serialize};

/// Rest frequency of the 21-cm line of neutral hydrogen in MHz.
pub const LINE_MHZ: f64 = 1_420.405_751_768;
/// Speed of light in km/s.
pub const SPEED_OF_LIGHT_KM_S: f64 = 299_792.458;
/// Steps of Simpson's rule for a distance: relative error below 1e-9 up to z = 30.
const STEPS: usize = 4096;

/// Redshift at which the 21-cm line is seen at a frequency.
pub fn redshift(frequency_mhz: f64) -> f64 {
    LINE_MHZ / frequency_mhz - 1.0
}

/// Frequency at which the 21-cm line is seen from a redshift.
pub fn frequency_mhz(redshift: f64) -> f64 {
    LINE_MHZ / (1.0 + redshift)
}

/// Parameters of a flat LCDM universe.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Background {
    /// Hubble constant in units of 100 km/s/Mpc.
    pub h: f64,
    /// Density of all matter today in units of the critical one.
    pub omega_m: f64,
    /// Density of baryons today in units of the critical one.
    pub omega_b: f64,
    /// Tilt of the primordial spectrum.
    pub n_s: f64,
    /// Rms of the linear density in spheres of 8 Mpc/h today.
    pub sigma8: f64,
}

/// Planck Collaboration, "Planck 2018 results VI", A&A 641, A6 (2020), arXiv 1807.06209, table 2, TT,TE,EE+lowE+lensing, rounded to three digits.
impl Default for Background {
    fn default() -> Self {
        Self { h: 0.674, omega_m: 0.315, omega_b: 0.0493, n_s: 0.965, sigma8: 0.811 }
    }
}

impl Background {
    /// `E(z) = H(z) / H_0`.
    pub fn expansion(&self, redshift: f64) -> f64 {
        (self.omega_m * (1.0 + redshift).powi(3) + 1.0 - self.omega_m).sqrt()
    }

    /// `H(z)` in h km/s/Mpc: 100 times [`expansion`](Self::expansion).
    pub fn hubble_h_km_s_mpc(&self, redshift: f64) -> f64 {
        100.0 * self.expansion(redshift)
    }

    /// Comoving distance in Mpc/h, which in a flat universe is the transverse one, too.
    pub fn comoving_distance_mpc_h(&self, redshift: f64) -> f64 {
        let step = redshift / STEPS as f64;
        let sum: f64 = (0..=STEPS)
            .map(|i| {
                let weight = match i {
                    0 | STEPS => 1.0,
                    odd if odd % 2 == 1 => 4.0,
                    _ => 2.0,
                };
                weight / self.expansion(step * i as f64)
            })
            .sum();
        SPEED_OF_LIGHT_KM_S / 100.0 * step / 3.0 * sum
    }

    /// Density of matter at a redshift in units of the critical one there.
    pub fn omega_m_at(&self, redshift: f64) -> f64 {
        self.omega_m * (1.0 + redshift).powi(3) / self.expansion(redshift).powi(2)
    }

    /// Growth of linear density, 1 today.
    pub fn growth(&self, redshift: f64) -> f64 {
        let unnormalised = |z: f64| {
            let matter = self.omega_m_at(z);
            let lambda = 1.0 - matter;
            2.5 * matter / (matter.powf(4.0 / 7.0) - lambda + (1.0 + matter / 2.0) * (1.0 + lambda / 70.0)) / (1.0 + z)
        };
        unnormalised(redshift) / unnormalised(0.0)
    }

    /// Logarithmic growth rate `f = d ln D / d ln a`.
    pub fn growth_rate(&self, redshift: f64) -> f64 {
        self.omega_m_at(redshift).powf(0.55)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_of_an_empty_and_a_full_universe_are_the_closed_forms() {
        let hubble_mpc_h = SPEED_OF_LIGHT_KM_S / 100.0;
        let matter = Background { omega_m: 1.0, ..Background::default() };
        let lambda = Background { omega_m: 0.0, ..Background::default() };
        for z in [0.1, 1.58, 8.0, 30.0] {
            let einstein_de_sitter = 2.0 * hubble_mpc_h * (1.0 - 1.0 / f64::sqrt(1.0 + z));
            assert!((matter.comoving_distance_mpc_h(z) / einstein_de_sitter - 1.0).abs() < 1e-9, "{z}");
            assert!((lambda.comoving_distance_mpc_h(z) / (hubble_mpc_h * z) - 1.0).abs() < 1e-12, "{z}");
            assert!((matter.growth(z) * (1.0 + z) - 1.0).abs() < 1e-12, "{z}");
        }
    }

    #[test]
    fn the_line_is_found_where_it_was_sent() {
        assert!((redshift(550.0) - 1.5826).abs() < 1e-4);
        assert!((frequency_mhz(redshift(431.0)) - 431.0).abs() < 1e-12);
    }
}
