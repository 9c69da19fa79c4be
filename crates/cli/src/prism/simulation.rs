//! An instrument that is simulated: telescope, scan and noise, for `plan`, `observe` and `reconstruct --object`.

use anyhow::Result;
use clap::Args;
use cupel::{
    prism::{Exposures, NoiseConfig, Plane, SamplingConfig, Telescope, TelescopeConfig, observe},
    settings::{Problem, Range, Settings},
};

use crate::Flags;

/// What is simulated.
#[derive(Args, Clone, Debug)]
pub struct Simulation {
    #[command(flatten)]
    pub telescope: Flags<TelescopeConfig>,
    #[command(flatten)]
    pub sampling: Flags<SamplingConfig>,
    #[command(flatten)]
    pub noise: Flags<NoiseConfig>,

    /// Diameter of the aperture in places of the spectrum, in place of its radius
    #[arg(long, value_name = "PLACES", conflicts_with = "aperture-radius", help_heading = "Telescope")]
    sample_diameter: Option<f64>,
    /// Diameter of the region of centres, in place of its radius
    #[arg(long, value_name = "PLACES", conflicts_with = "roi-radius", help_heading = "Sampling")]
    roi_diameter: Option<f64>,
}

impl Simulation {
    /// Names and reasons of settings without an effect.
    pub fn unused(&self) -> Vec<(String, String)> {
        let Self { telescope, sampling, noise, .. } = self;
        [telescope.settings.unused(), sampling.settings.unused(), noise.settings.unused()].concat()
    }

    /// The telescope and the centres of its apertures.
    ///
    /// # Errors
    /// Settings that cannot be.
    pub fn instrument(&self, seed: u64) -> Result<(Telescope, Vec<[f64; 2]>)> {
        self.noise.settings.check()?;
        for (name, diameter, range) in [
            ("sample-diameter", self.sample_diameter, Range::above(0.0)),
            ("roi-diameter", self.roi_diameter, Range::at_least(0.0)),
        ] {
            if let Some(diameter) = diameter.filter(|diameter| !range.holds(*diameter)) {
                return Err(Problem::value(name, diameter, range).into());
            }
        }
        let own = &self.telescope.settings;
        let config = TelescopeConfig {
            aperture_radius_pixels: self.sample_diameter.map_or(own.aperture_radius_pixels, |diameter| diameter / 2.0),
            // a camera sees the whole field unless it is said to be smaller
            detector: own.detector.or(Some(own.n_pixels)),
            ..own.clone()
        };
        let sampling = &self.sampling.settings;
        let roi_radius = self.roi_diameter.map(|diameter| diameter / 2.0).or(sampling.roi_radius);
        let sampling = SamplingConfig { roi_radius, ..sampling.clone() };
        let telescope = Telescope::new(config)?;
        let centres = sampling.centres(own.n_pixels, telescope.aperture().radius(), seed)?;
        Ok((telescope, centres))
    }

    /// What the telescope sees of the object.
    ///
    /// # Errors
    /// Settings that cannot be, an object that does not fit.
    pub fn observe(&self, object: &Plane, seed: u64) -> Result<Exposures> {
        let (telescope, centres) = self.instrument(seed)?;
        Ok(observe(object, &telescope, &centres, &self.noise.settings, seed)?)
    }
}
