//! An instrument that is simulated: telescope, scan and noise, for `plan`, `observe` and `reconstruct --object`.

use anyhow::Result;
use clap::Args;
use cupel::{
    prism::{Exposures, NoiseConfig, Plane, SamplingConfig, Telescope, TelescopeConfig, observe},
    settings::Settings,
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
}

impl Simulation {
    /// Names and reasons of settings without an effect.
    pub fn unused(&self) -> Vec<(String, String)> {
        let Self { telescope, sampling, noise } = self;
        [telescope.settings.unused(), sampling.settings.unused(), noise.settings.unused()].concat()
    }

    /// The telescope and the centres of its apertures.
    ///
    /// # Errors
    /// Settings that cannot be.
    pub fn instrument(&self, seed: u64) -> Result<(Telescope, Vec<[f64; 2]>)> {
        self.noise.settings.check()?;
        let config = &self.telescope.settings;
        let telescope = Telescope::new(config.clone())?;
        let centres = self.sampling.settings.centres(config.n_pixels, telescope.aperture().radius(), seed)?;
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
