//! An instrument that is simulated: telescope, scan and noise, for `plan`, `observe` and `reconstruct --object`.

use anyhow::Result;
use clap::Args;
use cupel::{
    burn::tensor::Device,
    prism::{
        Exposures, NoiseConfig, Pattern, Plane, SamplingConfig, Telescope, TelescopeConfig, observe,
        observe_adaptively, observe_moving,
    },
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

    /// Whether centres follow from what was measured before.
    pub fn is_adaptive(&self) -> bool {
        self.sampling.settings.pattern == Pattern::Adaptive
    }

    /// The telescope.
    ///
    /// # Errors
    /// Settings that cannot be.
    pub fn telescope(&self) -> Result<Telescope> {
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
        Ok(Telescope::new(config)?)
    }

    /// Where apertures are put.
    pub fn sampling(&self) -> SamplingConfig {
        let own = &self.sampling.settings;
        let roi_radius = self.roi_diameter.map(|diameter| diameter / 2.0).or(own.roi_radius);
        SamplingConfig { roi_radius, ..own.clone() }
    }

    /// What the telescope sees of the object.
    ///
    /// # Errors
    /// Settings that cannot be, an object that does not fit.
    pub fn observe(&self, object: &Plane, seed: u64, device: &Device) -> Result<Exposures> {
        let (telescope, sampling) = (self.telescope()?, self.sampling());
        let (n, radius) = (telescope.config().n_pixels, telescope.aperture().radius());
        let noise = &self.noise.settings;
        if self.is_adaptive() {
            let candidates = sampling.candidates(n, radius)?;
            let samples = sampling.exposures();
            return Ok(observe_adaptively(object, &telescope, &candidates, samples, noise, seed, device)?);
        }
        let centres = sampling.centres(n, radius, seed)?;
        Ok(match sampling.way() {
            Some(way) => observe_moving(object, &telescope, &centres, way, noise, seed)?,
            None => observe(object, &telescope, &centres, noise, seed)?,
        })
    }
}
