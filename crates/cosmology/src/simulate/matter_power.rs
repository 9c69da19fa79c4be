//! The linear power spectrum of matter, without baryon wiggles.
//!
//! Eisenstein & Hu, "Baryonic features in the matter transfer function", ApJ 496, 605 (1998), arXiv astro-ph/9709112,
//! equations 26 and 28 to 31: `P(k) = A k^n_s T(k)^2` with `T = L / (L + C q^2)`, `L = ln(2 e + 1.8 q)`,
//! `C = 14.2 + 731 / (1 + 62.5 q)`, `q = k theta^2 / Gamma(k)`, `k` in h/Mpc,
//! `Gamma(k) = Omega_m h (a + (1 - a) / (1 + (0.43 k s)^4))`, `s` the sound horizon, and `A` such that the rms in
//! spheres of 8 Mpc/h is `sigma_8`. Within -6 and +7 % of CAMB for 1e-3 < k < 3 h/Mpc.

use std::{
    f64::consts::{E, PI},
    ops::RangeInclusive,
};

use crate::Background;

/// Temperature of the cosmic microwave background in units of 2.7 K: 2.7255 K (Fixsen, ApJ 707, 916 (2009)).
const THETA: f64 = 2.7255 / 2.7;
/// Radius of the spheres of `sigma_8` in Mpc/h.
const SPHERE_MPC_H: f64 = 8.0;
/// Decades of k in h/Mpc over which `sigma_8` is integrated, and steps of the trapezoidal rule; beyond lies less than
/// 1e-6 of it.
const DECADES: RangeInclusive<i32> = -4..=2;
const STEPS: usize = 4096;

/// The linear power spectrum of matter today.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MatterPower {
    background: Background,
    amplitude: f64,
}

impl MatterPower {
    /// The spectrum of a universe.
    pub fn new(background: &Background) -> Self {
        let unnormalised = Self { background: *background, amplitude: 1.0 };
        let variance = unnormalised.sigma(SPHERE_MPC_H).powi(2);
        Self { amplitude: background.sigma8.powi(2) / variance, ..unnormalised }
    }

    /// `P(k)` in (Mpc/h)^3 at redshift 0, `k` in h/Mpc; 0 for `k = 0`.
    pub fn at(&self, k_h_mpc: f64) -> f64 {
        if k_h_mpc == 0.0 {
            0.0
        } else {
            self.amplitude * k_h_mpc.powf(self.background.n_s) * self.transfer(k_h_mpc).powi(2)
        }
    }

    /// Rms of the linear density today in spheres of a radius in Mpc/h.
    pub fn sigma(&self, radius_mpc_h: f64) -> f64 {
        let (low, high) = (f64::from(*DECADES.start()), f64::from(*DECADES.end()));
        let step = (high - low) / STEPS as f64;
        let integrand = |i: usize| {
            let k = 10.0_f64.powf(low + step * i as f64);
            let x = k * radius_mpc_h;
            // the closed form cancels for small x, where the series is exact to rounding
            let window = if x < 1e-2 {
                1.0 - x * x / 10.0 + x.powi(4) / 280.0
            } else {
                3.0 * (x.sin() - x * x.cos()) / x.powi(3)
            };
            self.at(k) * window * window * k.powi(3) / (2.0 * PI * PI)
        };
        let ends = (integrand(0) + integrand(STEPS)) / 2.0;
        ((ends + (1..STEPS).map(integrand).sum::<f64>()) * step * std::f64::consts::LN_10).sqrt()
    }

    fn transfer(&self, k_h_mpc: f64) -> f64 {
        let Background { h, omega_m, omega_b, .. } = self.background;
        let (matter, baryons, fraction) = (omega_m * h * h, omega_b * h * h, omega_b / omega_m);
        let sound_horizon_mpc = 44.5 * (9.83 / matter).ln() / (1.0 + 10.0 * baryons.powf(0.75)).sqrt();
        let alpha = 1.0 - 0.328 * (431.0 * matter).ln() * fraction + 0.38 * (22.3 * matter).ln() * fraction * fraction;
        let suppression = (1.0 - alpha) / (1.0 + (0.43 * k_h_mpc * h * sound_horizon_mpc).powi(4));
        let q = k_h_mpc * THETA * THETA / (omega_m * h * (alpha + suppression));
        let (l, c) = ((2.0 * E + 1.8 * q).ln(), 14.2 + 731.0 / (1.0 + 62.5 * q));
        l / (l + c * q * q)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLANCK: Background = Background { h: 0.674, omega_m: 0.315, omega_b: 0.0493, n_s: 0.965, sigma8: 0.811 };

    #[test]
    fn the_rms_in_spheres_is_the_one_asked_for_and_the_slope_that_of_large_scales() {
        let background = Background::default();
        let power = MatterPower::new(&background);
        assert!((power.sigma(8.0) / background.sigma8 - 1.0).abs() < 1e-12);
        let slope = (power.at(2e-6) / power.at(1e-6)).log2();
        assert!((slope - background.n_s).abs() < 1e-3, "{slope}");
        assert_eq!(power.at(0.0), 0.0);
    }

    #[test]
    fn values_are_those_of_an_independent_evaluation() {
        // NumPy 2, the same equations and numbers, trapezoidal rule over ln k with 4096 points from 1e-4 to 100 h/Mpc
        let power = MatterPower::new(&PLANCK);
        for (k, wanted) in GOLDEN {
            assert!((power.at(k) / wanted - 1.0).abs() < 1e-5, "{k}: {} {wanted}", power.at(k));
        }
    }

    const GOLDEN: [(f64, f64); 4] =
        [(0.001, 3614.771970405261), (0.02, 23003.78908984712), (0.2, 1896.3204026276812), (2.0, 12.739234806547438)];

    #[test]
    fn camb_agrees_within_seven_percent_and_the_growth_within_three_in_a_thousand() {
        let Some(table) = crate::simulate::shared_data("camb_pk_linear.csv") else { return };
        let camb = cupel_data::open(table).unwrap().table().unwrap();
        let column = |name: &str| camb.number(name).unwrap().0.to_vec();
        let (wave_numbers, today) = (column("k_h_per_Mpc"), column("P_z0.0_Mpc3_per_h3"));
        let power = MatterPower::new(&PLANCK);
        let mut checked = 0;
        for (k, camb) in wave_numbers.iter().zip(&today).filter(|(k, _)| (1e-3..3.0).contains(*k)) {
            let ratio = power.at(*k) / camb;
            assert!((0.935..1.07).contains(&ratio), "{k}: {ratio}");
            checked += 1;
        }
        assert!(checked > 200, "{checked}");
        for (name, redshift) in [("P_z1.0_Mpc3_per_h3", 1.0), ("P_z2.0_Mpc3_per_h3", 2.0), ("P_z3.0_Mpc3_per_h3", 3.0)]
        {
            let camb = (column(name)[200] / today[200]).sqrt();
            let growth = PLANCK.growth(redshift);
            assert!((growth / camb - 1.0).abs() < 3e-3, "{redshift}: {growth} {camb}");
        }
    }
}
