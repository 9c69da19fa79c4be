//! `cupel prism observe`: exposures of an object that is known.

use std::{fmt, path::PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use cupel::prism::{Exposures, ObjectConfig, Plane, write_exposures};
use serde::Serialize;

use super::simulation::Simulation;
use crate::{
    Command, Flags, Session,
    shared::{Device, Out, Output, Seed, Shared, Threads},
};

/// Simulate what a telescope sees of an object through a moved aperture
#[derive(Args)]
pub struct Arguments {
    /// The object: an image of intensities, scaled to 0..1, or complex values [rows, columns]
    #[arg(value_name = "IMAGE")]
    object: PathBuf,
    #[command(flatten)]
    made: Flags<ObjectConfig>,

    #[command(flatten)]
    simulation: Simulation,

    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    device: Device,
    #[command(flatten)]
    seed: Seed,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    out: Out,
}

/// What is written.
#[derive(Serialize)]
pub struct Observed {
    exposures: usize,
    detector: usize,
    out: String,
    #[serde(skip)]
    object: Option<Plane>,
    #[serde(skip)]
    measured: Option<Exposures>,
}

impl fmt::Display for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { exposures, detector, out, .. } = self;
        writeln!(f, "{exposures} exposures of {detector} x {detector} pixels: {out}")
    }
}

impl Command for Arguments {
    type Plan = Observed;
    type Outcome = Observed;

    fn shared(&self) -> Shared<'_> {
        Shared::new(&self.output).threads(&self.threads).device(&self.device).seed(&self.seed).out(&self.out)
    }

    fn unused(&self) -> Vec<(String, String)> {
        self.simulation.unused()
    }

    fn plan(&self, session: &Session) -> Result<Observed> {
        let out = session.out().context("say by --out FILE.npz where the exposures go")?;
        anyhow::ensure!(
            out.extension().is_some_and(|ending| ending == "npz"),
            "{}: exposures are written as NPZ: end the name in .npz",
            out.display()
        );
        session.may_write(out)?;
        let object = self.made.settings.open(&self.object)?;
        let measured = self.simulation.observe(&object, session.seed(), &session.device()?.device)?;
        Ok(Observed {
            exposures: measured.centres.len(),
            detector: measured.optics.detector,
            out: out.display().to_string(),
            object: Some(object),
            measured: Some(measured),
        })
    }

    fn work(self, mut plan: Observed, session: &mut Session) -> Result<Observed> {
        let out = session.out().context("there is a place for the exposures")?;
        if let Some(measured) = plan.measured.take() {
            write_exposures(out, &measured, plan.object.as_ref())?;
        }
        Ok(plan)
    }
}
