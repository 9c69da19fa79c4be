//! The sky or the visibilities that a command reads.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use cupel::{
    cosmology::{ReadConfig, Sky, Unit, Visibilities, holds_visibilities, read_plain, read_sky, read_visibilities},
    data::{Cube, Format, open},
};

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

/// A sky that is only compared with another one.
pub struct Relative {
    pub cube: Cube<f32>,
    /// With its place and its weights, where its frequencies are known.
    pub sky: Option<Box<Sky>>,
    /// Where the file or the user says one.
    pub unit: Option<Unit>,
}

impl Input {
    /// Reads a sky that is only compared with another one: of an array of NumPy neither unit nor frequencies have to be known.
    pub fn read_relative(&self, path: &Path) -> Result<Relative> {
        let mut config = self.config();
        let nameless = config.unit.is_none() && matches!(open(path)?.format(), Format::Npy | Format::Npz);
        let known =
            |config: &ReadConfig| config.frequencies.is_some() || config.weights.is_some() || config.flags.is_some();
        let read = match read_sky(path, &config) {
            Err(_) if nameless => {
                config.unit = Some(Unit::Kelvin); // any: it is that of both
                read_sky(path, &config).map(|sky| (sky, false))
            }
            other => other.map(|sky| (sky, true)),
        };
        let (sky, named) = match read {
            Err(_) if nameless && !known(&config) && config.side_deg.is_empty() => {
                return Ok(Relative { cube: read_plain(path, &config)?, sky: None, unit: None });
            }
            other => other?,
        };
        let unit = named.then_some(sky.unit());
        Ok(Relative { cube: sky.cube().clone(), sky: Some(Box::new(sky)), unit })
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
