//! The options of `--method pmm`.

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use cupel::unmixing::{Guide as GuideOf, Inference as InferenceOf, MixtureConfig, NoiseModel};
use serde::Serialize;

/// The heading under which `--help` lists them.
const HEADING: &str = "Options of --method pmm";

/// How the mixture model is fitted.
#[derive(Args, Clone, Debug, Serialize)]
#[command(next_help_heading = HEADING)]
pub struct MixtureArguments {
    /// How the posterior is found
    #[arg(long, value_enum, default_value_t = Inference::Laplace)]
    pub inference: Inference,

    /// With svi: what the posterior of a pixel may be
    #[arg(long, value_enum, default_value_t = Guide::Diagonal)]
    pub guide: Guide,

    /// With svi: the noise
    #[arg(long, value_enum, default_value_t = Noise::Scalar)]
    pub noise: Noise,

    /// With svi: pixels of one step [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub batch_pixels: Option<u64>,

    /// Share of the pixels that endmembers are fitted to; abundances are found for all
    #[arg(long, value_name = "F", default_value_t = 1.0, value_parser = share)]
    pub pixel_fraction: f64,

    /// With svi: rate of Adam [default: 0.01]
    #[arg(long, value_name = "RATE", value_parser = positive)]
    pub lr: Option<f64>,

    /// With svi: endmembers are free, not tied to where they begin by their errors
    #[arg(long)]
    pub free_endmembers: bool,

    /// With free endmembers: weight of the prior that they are smooth along wavelength [default: 0.3]
    #[arg(long, value_name = "WEIGHT", value_parser = weight)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smoothness: Option<f64>,

    /// With free endmembers: weight a pixel of the prior that they span a small simplex [default: 0]
    #[arg(long, value_name = "WEIGHT", value_parser = weight)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum_volume: Option<f64>,

    /// With svi or nuts: draws that stand for the posterior
    #[arg(long, value_name = "S", default_value_t = 50, value_parser = clap::value_parser!(u32).range(2..))]
    pub predictive_samples: u32,

    /// With svi: write these draws
    #[arg(long)]
    pub save_samples: bool,

    /// Model and settings of an earlier program, for timing: no light, free endmembers from VCA, 200 steps of 500 pixels
    #[arg(long, value_enum)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compat: Option<Compat>,
}

/// How the posterior is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Inference {
    /// In closed form
    Laplace,
    /// Stochastic variational inference on the device, from there
    Svi,
    /// Endmembers by the no-U-turn sampler, abundances integrated out; for small scenes
    Nuts,
}

/// What the posterior of a pixel may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Guide {
    /// Independent normal variables for each pixel
    Diagonal,
    /// The same, with endmembers correlated by four factors
    LowRank,
    /// The same, with a full covariance of the endmembers
    FullGlobals,
    /// The same as a function of the spectrum
    Amortised,
}

/// The noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Noise {
    /// The same in every band
    Scalar,
    /// A variance in each band
    Band,
    /// A variance in each band, and three factors that correlate bands
    LowRank,
    /// A full covariance of the bands
    Full,
}

/// Whose model and settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Compat {
    /// Those of the brief
    Brief,
}

impl MixtureArguments {
    /// Whether the posterior is found by variational inference.
    pub fn is_variational(&self) -> bool {
        self.inference == Inference::Svi || self.compat.is_some()
    }

    /// Refuses what would have no effect; `asked` is whether the mixture model is among the methods.
    ///
    /// # Errors
    /// An option that needs another one.
    pub fn check(&self, asked: bool) -> Result<()> {
        let variational = [
            ("--guide", self.guide != Guide::Diagonal),
            ("--noise", self.noise != Noise::Scalar),
            ("--batch-pixels", self.batch_pixels.is_some()),
            ("--lr", self.lr.is_some()),
            ("--save-samples", self.save_samples),
            ("--free-endmembers", self.free_endmembers),
        ];
        if let Some((name, _)) = variational.into_iter().find(|(_, given)| *given && !self.is_variational()) {
            bail!("{name}: only variational inference knows it; say --inference svi too");
        }
        let priors = [("--smoothness", self.smoothness), ("--minimum-volume", self.minimum_volume)];
        if let Some((name, _)) = priors.into_iter().find(|(_, given)| given.is_some() && !self.free_endmembers) {
            bail!("{name}: only free endmembers have this prior; say --free-endmembers too");
        }
        if self.is_variational() && !asked {
            bail!("--inference svi and --compat belong to --method pmm; say so, or leave them out");
        }
        Ok(())
    }
}

impl Default for MixtureArguments {
    fn default() -> Self {
        Self {
            inference: Inference::Laplace,
            guide: Guide::Diagonal,
            noise: Noise::Scalar,
            batch_pixels: None,
            pixel_fraction: 1.0,
            lr: None,
            free_endmembers: false,
            smoothness: None,
            minimum_volume: None,
            predictive_samples: 50,
            save_samples: false,
            compat: None,
        }
    }
}

impl From<&MixtureArguments> for MixtureConfig {
    fn from(arguments: &MixtureArguments) -> Self {
        Self {
            inference: match arguments.inference {
                Inference::Laplace => InferenceOf::Laplace,
                Inference::Svi => InferenceOf::Svi,
                Inference::Nuts => InferenceOf::Nuts,
            },
            guide: match arguments.guide {
                Guide::Diagonal => GuideOf::Diagonal,
                Guide::LowRank => GuideOf::LowRank,
                Guide::FullGlobals => GuideOf::FullGlobals,
                Guide::Amortised => GuideOf::Amortised,
            },
            noise: match arguments.noise {
                Noise::Scalar => NoiseModel::Scalar,
                Noise::Band => NoiseModel::Band,
                Noise::LowRank => NoiseModel::LowRank,
                Noise::Full => NoiseModel::Full,
            },
            batch_pixels: arguments.batch_pixels.map(|pixels| usize::try_from(pixels).unwrap_or(usize::MAX)),
            pixel_fraction: arguments.pixel_fraction,
            learning_rate: arguments.lr,
            free_endmembers: arguments.free_endmembers,
            smoothness: arguments.smoothness,
            minimum_volume: arguments.minimum_volume,
            predictive_samples: arguments.predictive_samples as usize,
            save_samples: arguments.save_samples,
            brief: arguments.compat == Some(Compat::Brief),
        }
    }
}

fn share(text: &str) -> std::result::Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    if share > 0.0 && share <= 1.0 { Ok(share) } else { Err("expected a number above 0, at most 1".to_owned()) }
}

fn positive(text: &str) -> std::result::Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    if rate > 0.0 && rate.is_finite() { Ok(rate) } else { Err("expected a number above 0".to_owned()) }
}

fn weight(text: &str) -> std::result::Result<f64, String> {
    let weight: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    if weight >= 0.0 && weight.is_finite() { Ok(weight) } else { Err("expected a number of at least 0".to_owned()) }
}
