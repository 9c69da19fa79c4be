//! `cupel prism plan`: what a scan will show, before it is made.

use std::{fmt, path::PathBuf};

use anyhow::Result;
use clap::Args;
use cupel::{
    prism::{ObjectConfig, Plan, plan_moving},
    settings::Settings,
};
use serde::Serialize;

use super::simulation::Simulation;
use crate::{
    Command, Flags, Session,
    shared::{Device, Output, Seed, Shared},
};

/// Say what a scan will show: overlap, coverage and resolution, before any light is spent
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    simulation: Simulation,

    /// The object: an image of intensities, of which the size counts
    #[arg(long, value_name = "IMAGE", help_heading = "Image")]
    object: Option<PathBuf>,

    #[command(flatten)]
    made: Flags<ObjectConfig>,

    /// The object has a phase, so that opposite centres show different things
    #[arg(long, help_heading = "Image")]
    complex: bool,

    #[command(flatten)]
    device: Device,
    #[command(flatten)]
    seed: Seed,
    #[command(flatten)]
    output: Output,
}

/// What is printed.
#[derive(Serialize)]
#[serde(transparent)]
pub struct Planned(Plan);

impl Command for Arguments {
    type Plan = Planned;
    type Outcome = Planned;

    fn shared(&self) -> Shared<'_> {
        Shared::new(&self.output).device(&self.device).seed(&self.seed)
    }

    fn unused(&self) -> Vec<(String, String)> {
        let mut unused = self.simulation.unused();
        if self.object.is_none() {
            // the size alone may be said without an image; half the field unless it is
            let of_image = self.made.settings.list().into_iter().filter(|setting| setting.name != "object-size");
            unused.extend(of_image.map(|setting| (setting.name, "only --object has it".to_owned())));
        }
        unused
    }

    fn plan(&self, session: &Session) -> Result<Planned> {
        let (telescope, sampling) = (self.simulation.telescope()?, self.simulation.sampling());
        let (n, radius) = (telescope.config().n_pixels, telescope.aperture().radius());
        let object = self.object.as_ref().map(|path| self.made.settings.open(path)).transpose()?;
        let size = match &object {
            Some(object) => object.rows().max(object.columns()),
            None => self.made.settings.object_size.unwrap_or(n / 2),
        };
        let centres = match &object {
            // they follow from what is seen of it
            Some(object) if self.simulation.is_adaptive() => {
                self.simulation.observe(object, session.seed(), &session.device()?.device)?.centres
            }
            _ => sampling.centres(n, radius, session.seed())?,
        };
        let noise = &self.simulation.noise.settings;
        let way = sampling.way().unwrap_or_default();
        Ok(Planned(plan_moving(&telescope, &centres, way, size, noise, !self.complex)?))
    }

    fn work(self, plan: Planned, _: &mut Session) -> Result<Planned> {
        Ok(plan)
    }
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Plan { exposures, overlap_min, overlap_mean, coverage, resolution_px } = self.0;
        writeln!(f, "exposures   {exposures}")?;
        writeln!(
            f,
            "overlap     {overlap_min:.2} at least, {overlap_mean:.2} in the mean, of an aperture with its neighbour"
        )?;
        writeln!(f, "coverage    {coverage:.3} of the spectrum")?;
        writeln!(f, "resolution  {resolution_px:.2} pixels")
    }
}
