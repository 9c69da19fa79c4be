//! `cupel unmix prove`: methods on scenes with a known truth that nothing was tuned on.

use std::{fmt, path::PathBuf};

use anyhow::Result;
use clap::Args;
use cupel::{
    settings::Settings,
    unmixing::{Material, Proof, Proving, ProvingConfig, Unmixing, UnmixingConfig},
};
use serde::Serialize;

use crate::{
    Command, Flags, Session,
    shared::{Computation, Shared},
};

/// Prove methods on scenes of many kinds whose truth is known
#[derive(Args)]
pub struct Arguments {
    /// Scenes with a truth and wavelengths, whose materials become part of the ground; without them all spectra are simulated
    #[arg(long, value_name = "FILE", num_args = 1.., help_heading = "Proving")]
    spectra: Vec<PathBuf>,

    #[command(flatten)]
    proving: Flags<ProvingConfig>,
    #[command(flatten)]
    computation: Computation,
}

/// What would be proved.
#[derive(Serialize)]
pub struct Planned {
    scenes: usize,
    fits: usize,
    materials: Vec<String>,
    #[serde(skip)]
    proving: Proving,
}

impl Command for Arguments {
    type Plan = Planned;
    type Outcome = Proof;

    fn shared(&self) -> Shared<'_> {
        self.computation.shared()
    }

    fn unused(&self) -> Vec<(String, String)> {
        self.proving.settings.unused()
    }

    fn stem(&self) -> String {
        "prove".to_owned()
    }

    fn plan(&self, session: &Session) -> Result<Planned> {
        let config = self.proving.settings.clone();
        let read = self.spectra.iter().map(|path| Material::read(path)).collect::<cupel::unmixing::Result<Vec<_>>>()?;
        let materials: Vec<Material> = read.into_iter().flatten().collect();
        let names = materials.iter().map(|material| material.name.clone()).collect();
        let casting = super::scene::casting(session, &config.methods, false, 1)?;
        let own = UnmixingConfig { seed: session.seed(), ..UnmixingConfig::default() };
        let unmixing = Unmixing::new(own).on(&session.device()?.device, casting);
        let proving = Proving::new(unmixing, config, materials)?;
        Ok(Planned { scenes: proving.scenes(), fits: proving.tasks(), materials: names, proving })
    }

    fn work(self, plan: Planned, session: &mut Session) -> Result<Proof> {
        Ok(plan.proving.run(session.run())?)
    }
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenes, fits, materials, .. } = self;
        writeln!(f, "{scenes} scenes, {fits} fits and searches")?;
        if materials.is_empty() {
            writeln!(f, "simulated spectra")
        } else {
            writeln!(f, "materials: {}", materials.join(", "))
        }
    }
}
