//! The sky or the visibilities that a command reads.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use cupel::cosmology::{ReadConfig, Sky, Visibilities, holds_visibilities, read_sky, read_visibilities};

use crate::Flags;

/// How a file is read: what it does not say of itself.
#[derive(Args, Clone, Debug)]
pub struct Input {
    #[command(flatten)]
    read: Flags<ReadConfig>,

    /// A weight for each value; 0 leaves it out
    #[arg(long, value_name = "FILE", help_heading = "Input")]
    weights: Option<PathBuf>,

    /// A flag for each value; nonzero leaves it out
    #[arg(long, value_name = "FILE", conflicts_with = "weights", help_heading = "Input")]
    flags: Option<PathBuf>,
}

/// What a file holds.
pub enum Observed {
    Sky(Box<Sky>),
    Visibilities(Box<Visibilities>),
}

impl Input {
    /// As the library has it.
    pub fn config(&self) -> ReadConfig {
        ReadConfig { weights: self.weights.clone(), flags: self.flags.clone(), ..self.read.settings.clone() }
    }

    /// Reads the file.
    pub fn read(&self, path: &Path) -> Result<Observed> {
        let config = self.config();
        Ok(match holds_visibilities(path, &config)? {
            true => Observed::Visibilities(Box::new(read_visibilities(path, &config)?)),
            false => Observed::Sky(Box::new(read_sky(path, &config)?)),
        })
    }
}

impl Observed {
    /// The lengths of its axes.
    pub fn shape(&self) -> Vec<usize> {
        match self {
            Self::Sky(sky) => sky.cube().shape(),
            Self::Visibilities(visibilities) => visibilities.values().shape(),
        }
    }

    /// What it is measured in.
    pub fn unit(&self) -> String {
        match self {
            Self::Sky(sky) => sky.unit().to_string(),
            Self::Visibilities(visibilities) => visibilities.unit().to_string(),
        }
    }
}
