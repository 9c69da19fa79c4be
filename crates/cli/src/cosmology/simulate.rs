//! `cupel cosmology simulate`: skies whose truth is known.

use std::{fmt, path::PathBuf};

use anyhow::Result;
use clap::Args;
use cupel::{
    cosmology::simulate::{SimulateConfig, Simulation, SkyFiles},
    settings::Settings,
    train::Policy,
};
use serde::Serialize;

use crate::{
    Command, Flags, Session,
    shared::{Output, RunFolder, Seed, Shared, Threads},
};

/// Simulate skies of the 21-cm line with their foregrounds, and what an instrument makes of them
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    simulation: Flags<SimulateConfig>,

    /// Folder with the two files of the Global Sky Model 2016 [default: a stand-in]
    #[arg(long, value_name = "DIR", help_heading = "Simulation")]
    gsm: Option<PathBuf>,

    #[command(flatten)]
    seed: Seed,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    run: RunFolder,
    #[command(flatten)]
    output: Output,
}

/// What is simulated.
#[derive(Serialize)]
pub struct Plan {
    skies: u64,
    family: String,
    shape: [usize; 3],
    files: Vec<&'static str>,
    #[serde(skip)]
    simulation: Box<Simulation>,
}

/// What was written.
#[derive(Serialize)]
pub struct Simulated {
    skies: u64,
    family: String,
    shape: [usize; 3],
    rms_foreground_mk: f64,
    rms_signal_mk: f64,
    out: PathBuf,
    seconds: f64,
}

impl Arguments {
    fn config(&self, seed: u64) -> SimulateConfig {
        SimulateConfig { seed, gsm: self.gsm.clone(), ..self.simulation.settings.clone() }
    }
}

impl Command for Arguments {
    type Plan = Plan;
    type Outcome = Simulated;
    const GROWING: &'static [&'static str] = &["skies"];

    fn shared(&self) -> Shared<'_> {
        Shared::new(&self.output).seed(&self.seed).threads(&self.threads).run(&self.run)
    }

    fn unused(&self) -> Vec<(String, String)> {
        self.config(0).unused()
    }

    fn stem(&self) -> String {
        "skies".to_owned()
    }

    fn plan(&self, session: &Session) -> Result<Plan> {
        let simulation = Box::new(Simulation::new(self.config(session.seed()))?);
        let config = simulation.config();
        let (skies, family) = (config.skies, config.family.to_string());
        let shape = [config.nfreq, config.nx, config.nx];
        Ok(Plan { skies, family, shape, files: simulation.file_names(), simulation })
    }

    fn work(self, plan: Plan, session: &mut Session) -> Result<Simulated> {
        let Plan { skies, family, shape, simulation, .. } = plan;
        let dir = session.dir()?;
        let mut files = SkyFiles::new(*simulation, &dir);
        let driven = session.run().drive(&mut files, &Policy::default())?;
        let rms = |name: &str| {
            let all = files.skies().iter().map(|sky| sky.rms.get(name).copied().unwrap_or(0.0).powi(2));
            (all.sum::<f64>() / skies.max(1) as f64).sqrt()
        };
        let (rms_foreground_mk, rms_signal_mk) = (rms("fg"), rms("signal"));
        files.write_truth_table()?;
        Ok(Simulated { skies, family, shape, rms_foreground_mk, rms_signal_mk, out: dir, seconds: driven.seconds })
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { skies, family, shape, files, .. } = self;
        write!(f, "{skies} skies of the family {family}, {shape:?}, each with {}", files.join(", "))
    }
}

impl fmt::Display for Simulated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { skies, family, shape, rms_foreground_mk, rms_signal_mk, out, seconds } = self;
        writeln!(f, "{skies} skies of the family {family}, {shape:?}, in {seconds:.1} s")?;
        writeln!(f, "foregrounds {rms_foreground_mk:.4} mK rms, signal {rms_signal_mk:.4} mK rms")?;
        write!(f, "{}", out.display())
    }
}
