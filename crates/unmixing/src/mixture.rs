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
mod normal;
mod nuts;
mod plane;
mod posterior;
mod truncated;
mod typical;
mod variational;

pub use closed_form::Mixture;
pub use nuts::Nuts;
pub use plane::Regime;
pub use posterior::{CALIBRATION, Posterior};
pub use variational::{Fitted, Start, Variational, VariationalModel};

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// How the posterior is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Inference {
    /// In closed form: normal within every face of the simplex, abundances integrated out.
    #[default]
    Laplace,
    /// By stochastic variational inference on the device.
    Svi,
    /// Endmembers by the no-U-turn sampler, abundances integrated out; for small scenes.
    Nuts,
}

/// The guide of variational inference: what the posterior of a pixel may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Guide {
    /// Independent normal variables with numbers of their own for each pixel.
    #[default]
    Diagonal,
    /// The same, with endmembers that are correlated by four factors.
    LowRank,
    /// The same, with a full covariance of all endmembers in all bands.
    FullGlobals,
    /// The same as a function of the spectrum: a network whose size does not grow with the scene.
    Amortised,
}

/// The noise of variational inference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoiseModel {
    /// The same in every band.
    #[default]
    Scalar,
    /// A variance in each band.
    Band,
    /// A variance in each band, and three factors that correlate bands.
    LowRank,
    /// A full covariance of the bands.
    Full,
}

/// Settings of the mixture model.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MixtureConfig {
    /// How the posterior is found.
    pub inference: Inference,
    /// Guide of variational inference.
    pub guide: Guide,
    /// Noise of variational inference.
    pub noise: NoiseModel,
    /// Pixels of one variational step; all without.
    pub batch_pixels: Option<usize>,
    /// Share of the pixels that endmembers are fitted to; abundances are found for all.
    pub pixel_fraction: f64,
    /// Rate of Adam; the default of the inference without.
    pub learning_rate: Option<f64>,
    /// Whether endmembers of variational inference are free, or tied to where they begin by their errors.
    pub free_endmembers: bool,
    /// Weight of the prior that free endmembers are smooth along wavelength; the default of the inference without.
    pub smoothness: Option<f64>,
    /// Weight a pixel of the prior that free endmembers span a small simplex; the default of the inference without.
    pub minimum_volume: Option<f64>,
    /// Draws that stand for the posterior of variational inference.
    pub predictive_samples: usize,
    /// Whether these draws are written.
    pub save_samples: bool,
    /// The model of the brief that this follows, for timing: no light, free endmembers from VCA, 200 steps of 500 pixels at 5e-3.
    pub brief: bool,
}

impl Default for MixtureConfig {
    fn default() -> Self {
        Self {
            inference: Inference::default(),
            guide: Guide::default(),
            noise: NoiseModel::default(),
            batch_pixels: None,
            pixel_fraction: 1.0,
            learning_rate: None,
            free_endmembers: false,
            smoothness: None,
            minimum_volume: None,
            predictive_samples: 50,
            save_samples: false,
            brief: false,
        }
    }
}

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
        let (rate, batch, most) = if self.brief { (BRIEF.0, Some(BRIEF.1), BRIEF.2) } else { (RATE, None, STEPS) };
        // endmembers that are tied to a place have their prior, and the brief's have none
        let weight = |given: Option<f64>, default| match given {
            Some(given) => given,
            None if self.free_endmembers && !self.brief => default,
            None => 0.0,
        };
        VariationalConfig {
            guide: self.guide,
            noise: self.noise,
            batch_pixels: self.batch_pixels.or(batch),
            steps: steps.unwrap_or(most),
            learning_rate: self.learning_rate.unwrap_or(rate),
            free_endmembers: self.free_endmembers || self.brief,
            smoothness: weight(self.smoothness, SMOOTHNESS),
            minimum_volume: weight(self.minimum_volume, MINIMUM_VOLUME),
        }
    }

    /// # Errors
    /// [`Error::Setting`] for a number out of its range.
    pub fn check(&self) -> Result<()> {
        let wrong = |name, got: String, expected| Err(Error::Setting { name, got, expected });
        if !(self.pixel_fraction > 0.0 && self.pixel_fraction <= 1.0) {
            return wrong("pixel_fraction", self.pixel_fraction.to_string(), "a number above 0, at most 1");
        }
        for (name, weight) in [("smoothness", self.smoothness), ("minimum_volume", self.minimum_volume)] {
            if let Some(weight) = weight
                && !(weight >= 0.0 && weight.is_finite())
            {
                return wrong(name, weight.to_string(), "a number of at least 0");
            }
        }
        if self.predictive_samples < 2 {
            return wrong("predictive_samples", self.predictive_samples.to_string(), "a number of at least 2");
        }
        Ok(())
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
        let wrong = |name, got: String, expected| Err(Error::Setting { name, got, expected });
        if self.batch_pixels == Some(0) {
            return wrong("batch_pixels", "0".into(), "a number of at least 1");
        }
        if self.steps == 0 {
            return wrong("steps", "0".into(), "a number of at least 1");
        }
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) {
            return wrong("learning_rate", self.learning_rate.to_string(), "a number above 0");
        }
        for (name, weight) in [("smoothness", self.smoothness), ("minimum_volume", self.minimum_volume)] {
            if !(weight >= 0.0 && weight.is_finite()) {
                return wrong(name, weight.to_string(), "a number of at least 0");
            }
        }
        if pixels == 0 {
            return wrong("pixels", "0".into(), "a number of at least 1");
        }
        Ok(())
    }
}
