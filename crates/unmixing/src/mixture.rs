//! The probabilistic mixture model: endmembers, abundances and light of a scene as one posterior.
//!
//! ```text
//! y_n = phi_n sum_k W_nk c_k + noise,   W_n on the simplex
//! ```
//! after O. Hoidn, A. A. Mishra, A. Mehta, "Probabilistic Mixture Model-Based Spectral Unmixing", Applied Sciences 14, 4836
//! (2024), doi:10.3390/app14114836, with what that model lacks: light `phi_n` where it varies, pixels that hold none of a
//! material, and materials that vary. Abundances are integrated out, not maximised: the size of the simplex then needs no
//! penalty, and intervals mean what they say.
//!
//! [`Mixture`] is the fit in closed form, [`Variational`] the one by gradients, which begins where the first ends, and [`Nuts`] draws
//! endmembers from their posterior.

mod closed_form;
mod faces;
mod fit;
mod normal;
mod nuts;
mod on_device;
mod outward;
mod plane;
mod posterior;
mod truncated;
mod typical;
mod variational;

pub use closed_form::Mixture;
pub use nuts::Nuts;
pub use plane::Regime;
pub use posterior::Posterior;
pub use variational::{Fitted, Start, Variational, VariationalModel};

use cupel_settings::{Range, choices, settings};
use serde::{Deserialize, Serialize};

use crate::Result;

choices! {
    /// How the posterior is found.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Inference {
        /// In closed form: normal within every face of the simplex, abundances integrated out
        Laplace = "laplace",
        /// Stochastic variational inference on the device, from there
        Svi = "svi",
        /// Endmembers by the no-U-turn sampler, abundances integrated out; for small scenes
        Nuts = "nuts",
    }
}
choices! {
    /// The guide of variational inference: what the posterior of a pixel may be.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Guide {
        /// Independent normal variables for each pixel
        Diagonal = "diagonal",
        /// The same, with endmembers correlated by four factors
        LowRank = "low-rank",
        /// The same, with a full covariance of the endmembers
        FullGlobals = "full-globals",
        /// The same as a function of the spectrum: a network whose size does not grow with the scene
        Amortised = "amortised",
    }
}
choices! {
    /// The noise of variational inference.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum NoiseModel {
        /// The same in every band
        Scalar = "scalar",
        /// A variance in each band
        Band = "band",
        /// A variance in each band, and three factors that correlate bands
        LowRank = "low-rank",
        /// A full covariance of the bands
        Full = "full",
    }
}
choices! {
    /// Whose model and settings.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Compat {
        /// Those of the brief that this follows: no light, free endmembers from VCA, 200 steps of 500 pixels at 5e-3
        Brief = "brief",
    }
}
settings! {
    /// Settings of the mixture model.
    #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
    pub struct MixtureConfig in "mixture" {
        /// How the posterior is found
        pub inference: Inference = Inference::Laplace;
        /// With svi: what the posterior of a pixel may be
        pub guide: Guide = Guide::Diagonal;
        /// With svi: the noise
        pub noise: NoiseModel = NoiseModel::Scalar;
        /// With svi: pixels of one step, all unless given
        pub batch_pixels: Option<usize> = None, in Range::at_least(1.0).at_most(MOST), "N";
        /// Share of the pixels that endmembers are fitted to; abundances are found for all
        pub pixel_fraction: f64 = 1.0, in Range::above(0.0).at_most(1.0), "F";
        /// With svi: rate of Adam, 0.01 unless given
        pub learning_rate: Option<f64> as "lr" = None, in Range::above(0.0), "RATE";
        /// With svi: endmembers are free, not tied to where they begin by their errors
        pub free_endmembers: bool = false;
        /// With free endmembers: weight of the prior that they are smooth along wavelength, 0.3 unless given
        pub smoothness: Option<f64> = None, in Range::at_least(0.0), "WEIGHT";
        /// With free endmembers: weight a pixel of the prior that they span a small simplex, 0 unless given
        pub minimum_volume: Option<f64> = None, in Range::at_least(0.0), "WEIGHT";
        /// With svi or nuts: draws that stand for the posterior
        pub predictive_samples: usize = 50, in Range::at_least(2.0).at_most(1e5), "S";
        /// With svi: write these draws
        pub save_samples: bool = false;
        /// Model and settings of an earlier program, for timing: no light, free endmembers from VCA, 200 steps of 500 pixels
        pub compat: Option<Compat> = None;
    }
    needs {
        ["guide", "noise", "batch-pixels", "lr", "save-samples", "free-endmembers"]
            |own| own.is_variational() => "only variational inference knows it; set inference = svi too";
        ["smoothness", "minimum-volume"]
            |own| own.is_variational() && (own.free_endmembers || own.compat.is_some())
            => "only free endmembers have this prior; set free-endmembers too";
        ["predictive-samples"] |own| own.inference != Inference::Laplace || own.compat.is_some()
            => "the closed form makes no draws; set inference = svi or nuts too";
    }
}

/// Most pixels of a step: more than any scene has.
const MOST: f64 = 1e9;
/// Rate of Adam, pixels and steps of the model of the brief.
const BRIEF: (f64, usize, u64) = (5e-3, 500, 200);
/// Rate of Adam and most steps otherwise.
const RATE: f64 = 1e-2;
const STEPS: u64 = 400;
/// Weights of the priors of free endmembers, chosen on simulated scenes (`docs/results.md`).
const SMOOTHNESS: f64 = 0.3;
const MINIMUM_VOLUME: f64 = 0.0;

impl MixtureConfig {
    /// The settings of variational inference that this stands for, with at most `steps` steps.
    pub fn variational(&self, steps: Option<u64>) -> VariationalConfig {
        let (rate, batch, most) =
            if self.compat.is_some() { (BRIEF.0, Some(BRIEF.1), BRIEF.2) } else { (RATE, None, STEPS) };
        // endmembers that are tied to a place have their prior, and the brief's have none
        let weight = |given: Option<f64>, default| match given {
            Some(given) => given,
            None if self.free_endmembers && self.compat.is_none() => default,
            None => 0.0,
        };
        VariationalConfig {
            guide: self.guide,
            noise: self.noise,
            batch_pixels: self.batch_pixels.or(batch),
            steps: steps.unwrap_or(most),
            learning_rate: self.learning_rate.unwrap_or(rate),
            free_endmembers: self.free_endmembers || self.compat.is_some(),
            smoothness: weight(self.smoothness, SMOOTHNESS),
            minimum_volume: weight(self.minimum_volume, MINIMUM_VOLUME),
        }
    }

    /// Whether the posterior is found by variational inference.
    pub fn is_variational(&self) -> bool {
        self.inference == Inference::Svi || self.compat.is_some()
    }
}

/// Settings of [`Variational`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct VariationalConfig {
    /// What the posterior of a pixel may be.
    pub guide: Guide,
    /// The noise.
    pub noise: NoiseModel,
    /// Pixels of one step; all without.
    pub batch_pixels: Option<usize>,
    /// Most steps.
    pub steps: u64,
    /// Rate of Adam.
    pub learning_rate: f64,
    /// Whether endmembers are free, or tied to where they begin by their errors.
    pub free_endmembers: bool,
    /// Weight of the prior that free endmembers are smooth along wavelength.
    pub smoothness: f64,
    /// Weight a pixel of the logarithm of the volume that free endmembers span.
    pub minimum_volume: f64,
}

impl VariationalConfig {
    fn check(&self, pixels: usize) -> Result<()> {
        let at_least_one = Range::at_least(1.0);
        let numbers = [
            ("batch_pixels", self.batch_pixels.map_or(1.0, |batch| batch as f64), at_least_one),
            ("steps", self.steps as f64, at_least_one),
            ("learning_rate", self.learning_rate, Range::above(0.0)),
            ("smoothness", self.smoothness, Range::at_least(0.0)),
            ("minimum_volume", self.minimum_volume, Range::at_least(0.0)),
            ("pixels", pixels as f64, at_least_one),
        ];
        match numbers.into_iter().find(|(_, number, range)| !range.holds(*number)) {
            Some((name, got, range)) => Err(crate::Error::setting(name, got, range)),
            None => Ok(()),
        }
    }
}
