//! What a simulation gives: a sky and what was seen of it, and visibilities.

use std::collections::BTreeMap;

use cupel_data::Cube;
use num_complex::Complex;
use serde::Serialize;

use super::{Family, Statistics};
use crate::{Result, Sky, Unit, Visibilities};

/// A sky and what was seen of it, in mK on [frequency, row, column].
#[derive(Clone, Debug)]
pub struct SimulatedSky {
    /// Foregrounds, before the instrument.
    pub foreground: Cube<f32>,
    /// The signal, before the instrument.
    pub signal: Cube<f32>,
    /// The signal as the beam shows it.
    pub signal_beam: Cube<f32>,
    /// Thermal noise.
    pub noise: Cube<f32>,
    /// What is observed.
    pub observed: Cube<f32>,
    /// True where interference or a gap makes a sample useless; none where there are neither.
    pub flags: Option<Cube<bool>>,
    /// What the sky is.
    pub info: SkyInfo,
}

/// Visibilities on [baseline, frequency, right ascension].
#[derive(Clone, Debug)]
pub struct SimulatedVisibilities {
    /// What is measured.
    pub observed: Cube<Complex<f32>>,
    /// What would be measured of the signal alone, without noise.
    pub signal: Cube<Complex<f32>>,
    /// True where interference or a gap makes a sample useless; none where there are neither.
    pub flags: Option<Cube<bool>>,
    /// Baselines to the east, to the north and up in m.
    pub baselines_m: Vec<[f64; 3]>,
    /// K or Jy.
    pub unit: Unit,
}

/// What a sky is. Fields with the names of the field's scripts come first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SkyInfo {
    /// Redshift of the middle of the band.
    pub zc: f64,
    /// Comoving lengths in Mpc/h: along columns, along rows, along the line of sight.
    #[serde(rename = "L_mpc_h")]
    pub lengths_mpc_h: [f64; 3],
    /// Mean brightness of the 21-cm line at `zc` in mK.
    pub tb_mk: f64,
    /// Bias of hydrogen at `zc`.
    #[serde(rename = "bHI")]
    pub bias: f64,
    /// Standard deviations in mK of `fg`, `signal`, `signal_beam`, `noise`, and of each foreground.
    pub rms: BTreeMap<String, f64>,
    /// Channels, rows, columns.
    pub shape: [usize; 3],
    /// Expected rms of the noise in the first and the last channel in mK.
    pub noise_rms_mk: [f64; 2],
    /// Number of the sky.
    pub sky: u64,
    /// Seed of the simulation.
    pub seed: u64,
    /// Unit of the maps.
    pub unit: Unit,
    /// Side of the map in degrees.
    pub side_deg: f64,
    /// Family of foregrounds.
    pub family: Family,
    /// Statistics of the signal.
    pub signal: Statistics,
    /// Where the Global Sky Model comes from, `files` or `stand-in`, where it is part of the sky.
    pub global_sky_model: Option<&'static str>,
    /// Galactic longitude and latitude of the middle of the map, where it is a patch of the files.
    pub centre_galactic_deg: Option<[f64; 2]>,
    /// Share of the samples of the map that are flagged.
    pub flagged: f64,
    /// Unit of the visibilities, where there are some.
    pub visibility_unit: Option<Unit>,
    /// All settings that a single sky depends on.
    pub settings: BTreeMap<String, Option<String>>,
}

impl SimulatedSky {
    /// 0 where a sample is flagged and 1 elsewhere; none where nothing is.
    pub fn weights(&self) -> Option<Cube<f32>> {
        self.flags.as_ref().map(weights)
    }

    /// What is observed, with its unit, weights and place, as readers give it.
    ///
    /// # Errors
    /// [`crate::Error::AllFlagged`] when interference and gaps leave nothing.
    pub fn observation(&self) -> Result<Sky> {
        Sky::new(self.observed.clone(), Unit::Millikelvin, self.weights())?.with_sides([self.info.side_deg; 2])
    }
}

impl SimulatedVisibilities {
    /// 0 where a sample is flagged and 1 elsewhere; none where nothing is.
    pub fn weights(&self) -> Option<Cube<f32>> {
        self.flags.as_ref().map(weights)
    }

    /// What is measured, with its unit, weights and baselines, as readers give it.
    ///
    /// # Errors
    /// [`crate::Error::AllFlagged`] when interference and gaps leave nothing.
    pub fn observation(&self) -> Result<Visibilities> {
        Visibilities::new(self.observed.clone(), self.unit, self.weights(), self.baselines_m.clone())
    }
}

fn weights(flags: &Cube<bool>) -> Cube<f32> {
    flags.map(|flagged| if *flagged { 0.0 } else { 1.0 })
}
