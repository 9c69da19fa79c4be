//! `cupel cosmology evaluate`: an estimated sky beside the true one.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use cupel::{
    cosmology::{
        Background, Evaluation, Uncertainty, Unit, Visibilities, evaluate, evaluate_visibilities, holds_visibilities,
        model::PosteriorPower,
        power::{DelayEstimator, PowerConfig, Volume},
        read_visibilities,
    },
    data::Cube,
    settings::Settings,
};
use serde::Serialize;

use super::input::{Input, Relative};
use crate::{
    Command, Flags, Session,
    shared::{Output, Shared, Threads},
};

/// Measure how near an estimated sky is to the true one, scale by scale
#[derive(Args)]
pub struct Arguments {
    /// The true sky
    #[arg(long, value_name = "FILE")]
    truth: PathBuf,

    /// The estimated one
    #[arg(long, value_name = "FILE")]
    estimate: PathBuf,

    /// Standard deviation that the estimate says of each value
    #[arg(long, value_name = "FILE")]
    sigma: Option<PathBuf>,

    /// What it says of the power: power.json of `cosmology clean --model`
    #[arg(long, value_name = "FILE")]
    posterior: Option<PathBuf>,

    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    spectra: Flags<PowerConfig>,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    output: Output,
}

/// What is compared.
#[derive(Serialize)]
pub struct Plan {
    shape: Vec<usize>,
    #[serde(skip)]
    read: Compared,
}

/// How near it is, and how many truths lie in the intervals that were said, by their probability in percent.
#[derive(Serialize)]
pub struct Outcome {
    #[serde(flatten)]
    evaluation: Evaluation,
    /// Of voxels.
    #[serde(skip_serializing_if = "Option::is_none")]
    coverage: Option<BTreeMap<String, f64>>,
    /// Of the bins of the power.
    #[serde(skip_serializing_if = "Option::is_none")]
    power_coverage: Option<BTreeMap<String, f64>>,
}

/// Two skies and what the estimate says of its errors, or visibilities.
enum Compared {
    Skies(Box<(Relative, Relative, Option<Relative>)>),
    Visibilities(Box<(Visibilities, Visibilities)>),
}

impl Command for Arguments {
    type Plan = Plan;
    type Outcome = Outcome;

    fn shared(&self) -> Shared<'_> {
        Shared::new(&self.output).threads(&self.threads)
    }

    fn unused(&self) -> Vec<(String, String)> {
        self.spectra.settings.unused()
    }

    fn plan(&self, _: &Session) -> Result<Plan> {
        self.spectra.settings.check()?;
        let config = self.input.config();
        let complex = [holds_visibilities(&self.truth, &config)?, holds_visibilities(&self.estimate, &config)?];
        let (shapes, read) = match complex {
            [true, true] => {
                if self.sigma.is_some() || self.posterior.is_some() {
                    bail!("--sigma and --posterior are of skies; of visibilities no standard deviation is read");
                }
                let [truth, estimate] = [&self.truth, &self.estimate].map(|path| read_visibilities(path, &config));
                let (truth, estimate) = (truth?, estimate?);
                let shapes = [truth.values().shape(), estimate.values().shape()];
                (shapes, Compared::Visibilities(Box::new((truth, estimate))))
            }
            [false, false] => {
                let (truth, estimate) =
                    (self.input.read_relative(&self.truth)?, self.input.read_relative(&self.estimate)?);
                let sigma = self.sigma.as_ref().map(|path| self.input.read_relative(path)).transpose()?;
                let shapes = [truth.cube.shape(), estimate.cube.shape()];
                (shapes, Compared::Skies(Box::new((truth, estimate, sigma))))
            }
            _ => {
                bail!("{} and {}: one is a sky, the other visibilities", self.truth.display(), self.estimate.display())
            }
        };
        let [shape, other] = shapes;
        if shape != other {
            let (truth, estimate) = (self.truth.display(), self.estimate.display());
            bail!("{truth} has shape {shape:?}, {estimate} {other:?}; they must be alike");
        }
        Ok(Plan { shape, read })
    }

    fn work(self, plan: Plan, _: &mut Session) -> Result<Outcome> {
        let (config, background) = (&self.spectra.settings, Background::default());
        match plan.read {
            Compared::Skies(skies) => {
                let (truth, estimate, sigma) = *skies;
                let (unit, weights) = (truth.unit, truth.sky.as_ref().and_then(|sky| sky.weights()));
                let estimator = config.estimator(volume(&truth, &background)?, weights)?;
                let estimate = alike(estimate, unit)?;
                let sigma = sigma.map(|sigma| alike(sigma, unit)).transpose()?;
                let power = match (&self.posterior, &truth.sky) {
                    (None, _) => None,
                    (Some(path), Some(sky)) if sky.geometry().is_ok() => {
                        Some(PosteriorPower::read(path)?.uncertainty(sky, &truth.cube)?)
                    }
                    (Some(_), _) => bail!(
                        "{}: --posterior is compared in comoving lengths; give the frequencies with --frequencies and the size with --side-deg",
                        self.truth.display()
                    ),
                };
                let evaluation = evaluate(&truth.cube, &estimate, sigma.as_ref(), &estimator, config)?;
                let (of_voxels, of_power) =
                    (evaluation.uncertainty.as_ref().map(coverage), power.as_ref().map(coverage));
                Ok(Outcome { evaluation, coverage: of_voxels, power_coverage: of_power })
            }
            Compared::Visibilities(both) => {
                let (truth, estimate) = *both;
                let mut estimator = DelayEstimator::of(&truth, &background)?.with_window(config.window);
                if let Some(weights) = truth.weights() {
                    estimator = estimator.with_weights(weights.clone());
                }
                let evaluation = evaluate_visibilities(truth.values(), estimate.values(), &estimator, config)?;
                Ok(Outcome { evaluation, coverage: None, power_coverage: None })
            }
        }
    }
}

/// The share of truths within each interval.
fn coverage(uncertainty: &Uncertainty) -> BTreeMap<String, f64> {
    uncertainty.coverage.iter().map(|level| (format!("{:.0}", 100.0 * level.said), level.found)).collect()
}

/// The numbers of a sky in the unit of the truth, where both are known.
fn alike(of: Relative, unit: Option<Unit>) -> Result<Cube<f32>> {
    match (of.sky, of.unit, unit) {
        (Some(sky), Some(_), Some(unit)) => Ok(sky.in_unit(unit)?.cube().clone()),
        _ => Ok(of.cube),
    }
}

/// In comoving lengths where it is known how large the patch is, else in cells.
fn volume(truth: &Relative, background: &Background) -> Result<Volume> {
    let [channels, rows, columns] = truth.cube.shape()[..] else {
        bail!("shape {:?}; a sky has channels, rows and columns", truth.cube.shape());
    };
    match truth.sky.as_ref().map(|sky| sky.geometry()) {
        Some(Ok(geometry)) => Ok(Volume::of(&geometry, [rows, columns], background)?),
        None | Some(Err(cupel::cosmology::Error::Missing { .. })) => Ok(Volume::cells([channels, rows, columns])?),
        Some(Err(error)) => Err(error.into()),
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "two skies of shape {:?} would be compared", self.shape)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.evaluation.fmt(f)?;
        if let Some(coverage) = &self.power_coverage {
            let levels = coverage.iter().map(|(said, found)| format!("{:.1} % of {said} %", 100.0 * found));
            writeln!(f, "errors of the power hold {}", levels.collect::<Vec<_>>().join(", "))?;
        }
        Ok(())
    }
}
