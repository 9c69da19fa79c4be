//! How bright neutral hydrogen is on average, and how strongly it follows matter.
//!
//! `T_b = 180 h Omega_HI (1+z)^2 / E(z) mK` (Battye et al., "H I intensity mapping: a single dish approach", MNRAS 434,
//! 1239 (2013), arXiv 1209.0343), with `Omega_HI = 4e-4 (1+z)^0.6` (Crighton et al., MNRAS 452, 217 (2015)) and the
//! bias `b = 0.904 + 0.135 (1+z)^1.696` (Villaescusa-Navarro, Alonso & Viel, MNRAS 466, 2736 (2017)); or
//! `T_b = 190.55 Omega_b h (1+z)^2 x_HI / E(z) mK` with `x_HI = 0.008 (1+z)` (Alonso, Ferreira & Santos, "Fast
//! simulations for intensity mapping experiments", MNRAS 444, 3183 (2014), arXiv 1405.1751) and the bias
//! `b = 0.67 + 0.18 z + 0.05 z^2` (SKA Cosmology Science Working Group, PASA 37, e007 (2020)).

use cupel_settings::choices;

use crate::Background;

choices! {
    /// Models of the mean brightness and the bias of neutral hydrogen.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Hydrogen {
        /// Omega_HI = 4e-4 (1+z)^0.6 of Crighton et al. 2015
        Crighton = "crighton",
        /// A neutral fraction of 0.008 (1+z) of baryons, as in Alonso et al. 2014
        Alonso = "alonso",
    }
}

impl Hydrogen {
    /// Mean brightness temperature in mK.
    pub fn brightness_mk(self, background: &Background, redshift: f64) -> f64 {
        let dilution = (1.0 + redshift).powi(2) / background.expansion(redshift);
        match self {
            Self::Crighton => 180.0 * background.h * 4e-4 * (1.0 + redshift).powf(0.6) * dilution,
            Self::Alonso => 190.55 * background.omega_b * background.h * 0.008 * (1.0 + redshift) * dilution,
        }
    }

    /// Linear bias.
    pub fn bias(self, redshift: f64) -> f64 {
        match self {
            Self::Crighton => 0.904 + 0.135 * (1.0 + redshift).powf(1.696),
            Self::Alonso => 0.67 + 0.18 * redshift + 0.05 * redshift * redshift,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brightness_and_bias_are_those_of_an_independent_evaluation() {
        // NumPy 2 on the formulas above
        let planck = Background { h: 0.674, omega_m: 0.315, ..Background::default() };
        for (redshift, wanted) in [(1.0, 0.16434495044116915), (2.0, 0.2785158398405432)] {
            let found = Hydrogen::Crighton.brightness_mk(&planck, redshift);
            assert!((found / wanted - 1.0).abs() < 1e-12, "{found} {wanted}");
        }
        assert!((Hydrogen::Crighton.bias(2.4267931285114597) - 1.994193593251548).abs() < 1e-12);
        assert!((Hydrogen::Alonso.bias(2.0) - 1.23).abs() < 1e-12);
        // both describe the same sky: within a factor of two where intensity mapping looks
        for redshift in [0.5, 1.5, 2.5] {
            let ratio =
                Hydrogen::Alonso.brightness_mk(&planck, redshift) / Hydrogen::Crighton.brightness_mk(&planck, redshift);
            assert!((0.5..2.0).contains(&ratio), "{redshift}: {ratio}");
        }
    }
}
