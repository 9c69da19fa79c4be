//! `cupel cosmology power`: the power spectra of a sky, or the delay spectrum of visibilities.

use std::{fmt, path::PathBuf};

use anyhow::Result;
use clap::Args;
use cupel::{
    cosmology::{
        Background,
        power::{DelayEstimator, DelaySpectrum, Power, PowerConfig},
    },
    data::write_atomic,
    report::Report,
    settings::Settings,
};
use serde::Serialize;
use serde_json::json;

use super::input::{Input, Observed};
use crate::{
    Command, Flags, Session,
    shared::{Out, Output, Shared, Threads},
};

/// Measure the power spectra of a sky, or the delay spectrum of visibilities
#[derive(Args)]
pub struct Arguments {
    /// The sky (FITS, HEALPix, NPY, NPZ, HDF5) or the visibilities (UVH5, HDF5, NPY)
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    power: Flags<PowerConfig>,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    out: Out,
    #[command(flatten)]
    output: Output,
}

/// What is measured.
#[derive(Serialize)]
pub struct Plan {
    shape: Vec<usize>,
    unit: String,
    #[serde(skip)]
    observed: Observed,
}

/// The spectra.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Spectra {
    Sky(Box<Power>),
    Delay(Box<DelaySpectrum>),
}

impl Command for Arguments {
    type Plan = Plan;
    type Outcome = Spectra;

    fn shared(&self) -> Shared<'_> {
        Shared::new(&self.output).threads(&self.threads).out(&self.out)
    }

    fn unused(&self) -> Vec<(String, String)> {
        self.power.settings.unused()
    }

    fn plan(&self, session: &Session) -> Result<Plan> {
        session.out().map_or(Ok(()), |out| session.may_write(out))?;
        self.power.settings.check()?;
        let observed = self.input.read(&self.file)?;
        Ok(Plan { shape: observed.shape(), unit: observed.unit(), observed })
    }

    fn work(self, plan: Plan, session: &mut Session) -> Result<Spectra> {
        let (config, background) = (&self.power.settings, Background::default());
        let spectra = match &plan.observed {
            Observed::Sky(sky) => Spectra::Sky(Box::new(Power::of(sky, config, &background)?)),
            Observed::Visibilities(visibilities) => {
                let mut estimator = DelayEstimator::of(visibilities, &background)?.with_window(config.window);
                if let Some(weights) = visibilities.weights() {
                    estimator = estimator.with_weights(weights.clone());
                }
                Spectra::Delay(Box::new(estimator.power(visibilities.values())?))
            }
        };
        if let Some(out) = session.out() {
            let mut report = Report::new(out, "Power spectra");
            match &spectra {
                Spectra::Sky(power) => {
                    let Power { unit, k_unit, power_unit, window, variance, .. } = &**power;
                    report.numbers(&json!({
                        "unit": unit, "k_unit": k_unit, "power_unit": power_unit, "window": window, "variance": variance
                    }))?;
                    power.show(&mut report)?;
                }
                Spectra::Delay(delay) => {
                    let (baselines, delays) = (delay.lines.len(), delay.delays_us.len());
                    let frequency_mhz = delay.frequency_mhz;
                    report.numbers(&json!({
                        "frequency_mhz": frequency_mhz, "baselines": baselines, "delays": delays, "window": config.window.name()
                    }))?;
                    delay.show(config, &mut report)?;
                }
            }
            report.save()?;
            // all numbers, which would fill the page
            let (path, text) = (out.join("spectra.json"), serde_json::to_vec(&spectra)?);
            write_atomic(&path, |file| file.write_all(&text).map_err(cupel::data::Error::io("write", &path)))?;
        }
        Ok(spectra)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the power of {:?} in {} would be measured", self.shape, self.unit)
    }
}

impl fmt::Display for Spectra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sky(power) => power.fmt(f),
            Self::Delay(delay) => delay.fmt(f),
        }
    }
}
