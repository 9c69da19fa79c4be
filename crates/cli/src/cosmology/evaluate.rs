//! `cupel cosmology evaluate`: an estimated sky beside the true one.

use std::{fmt, path::PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use cupel::{
    cosmology::{
        Background, Evaluation, Sky, evaluate, evaluate_visibilities,
        power::{DelayEstimator, PowerConfig, Volume},
    },
    settings::Settings,
};
use serde::Serialize;

use super::input::{Input, Observed};
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

    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    power: Flags<PowerConfig>,
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
    read: Box<(Observed, Observed, Option<Observed>)>,
}

impl Command for Arguments {
    type Plan = Plan;
    type Outcome = Evaluation;

    fn shared(&self) -> Shared<'_> {
        Shared::new(&self.output).threads(&self.threads)
    }

    fn unused(&self) -> Vec<(String, String)> {
        self.power.settings.unused()
    }

    fn plan(&self, _: &Session) -> Result<Plan> {
        self.power.settings.check()?;
        let (truth, estimate) = (self.input.read(&self.truth)?, self.input.read(&self.estimate)?);
        if truth.shape() != estimate.shape() {
            bail!(
                "{} has shape {:?}, {} {:?}; they must be alike",
                self.truth.display(),
                truth.shape(),
                self.estimate.display(),
                estimate.shape()
            );
        }
        let sigma = self.sigma.as_ref().map(|path| self.input.read(path)).transpose()?;
        Ok(Plan { shape: truth.shape(), read: Box::new((truth, estimate, sigma)) })
    }

    fn work(self, plan: Plan, _: &mut Session) -> Result<Evaluation> {
        let (config, background) = (&self.power.settings, Background::default());
        match *plan.read {
            (Observed::Sky(truth), Observed::Sky(estimate), sigma) => {
                let unit = truth.unit();
                let sigma = match sigma {
                    None => None,
                    Some(Observed::Sky(sigma)) => Some(sigma.in_unit(unit)?),
                    Some(Observed::Visibilities(_)) => {
                        bail!("--sigma: complex numbers; expected one real number per value")
                    }
                };
                let estimate = estimate.in_unit(unit)?;
                let estimator = config.estimator(volume(&truth, &background)?, truth.weights())?;
                Ok(evaluate(truth.cube(), estimate.cube(), sigma.as_ref().map(Sky::cube), &estimator, config)?)
            }
            (Observed::Visibilities(truth), Observed::Visibilities(estimate), None) => {
                let mut estimator = DelayEstimator::of(&truth, &background)?.with_window(config.window);
                if let Some(weights) = truth.weights() {
                    estimator = estimator.with_weights(weights.clone());
                }
                Ok(evaluate_visibilities(truth.values(), estimate.values(), &estimator, config)?)
            }
            (Observed::Visibilities(_), Observed::Visibilities(_), Some(_)) => {
                bail!("--sigma is of skies; of visibilities no standard deviation is read")
            }
            _ => {
                bail!("{} and {}: one is a sky, the other visibilities", self.truth.display(), self.estimate.display())
            }
        }
    }
}

/// In comoving lengths where it is known how large the patch is.
fn volume(sky: &Sky, background: &Background) -> Result<Volume> {
    let shape = sky.cube().shape();
    Ok(match sky.geometry() {
        Ok(geometry) => Volume::of(&geometry, [shape[1], shape[2]], background)?,
        Err(cupel::cosmology::Error::Missing { .. }) => Volume::cells([shape[0], shape[1], shape[2]])?,
        Err(error) => return Err(error.into()),
    })
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "two skies of shape {:?} would be compared", self.shape)
    }
}
