//! Skies of the 21-cm line with everything that hides it, as many as wanted.
//!
//! [`Simulation`] makes sky number n from a seed: foregrounds of one of four [`Family`]s, a Gaussian or lognormal
//! signal, and an instrument with a beam, noise, a bandpass, leakage of polarisation, interference and gaps. Equations
//! and sources stand in the file of each part. The sky is flat and its ends meet, in both directions on the sky and
//! along the line of sight.
//!
//! The order of what happens: `observed = gain (beam * (foreground + leakage + signal)) + noise + interference`, and 0
//! in gaps.

mod bandpass;
mod beam;
mod config;
mod emission;
mod gaussian_field;
mod global_sky_model;
mod hydrogen;
mod interference;
mod matter_power;
mod noise;
mod output;
mod planes;
mod point_sources;
mod polarisation;
mod santos_cooray_knox;
mod signal;
mod simulated;
mod sky_files;
mod spectral_index;
mod visibilities;

use cupel_data::{Axes, Axis, AxisKind, Cube, Stream};
use cupel_settings::Settings;
use num_complex::Complex;
use rand::RngExt;
use rayon::prelude::*;

pub use self::{
    beam::{Beam, BeamShape},
    config::{Family, InstrumentConfig, SimulateConfig, VisibilityConfig, VisibilityUnit},
    global_sky_model::GlobalSkyModel,
    hydrogen::Hydrogen,
    matter_power::MatterPower,
    point_sources::{counts_moment, counts_per_jy_sr},
    santos_cooray_knox::{
        COMPONENTS, Component, EXTRAGALACTIC_FREE_FREE, GALACTIC_FREE_FREE, GALACTIC_SYNCHROTRON, POINT_SOURCES,
    },
    signal::Statistics,
    simulated::{SimulatedSky, SimulatedVisibilities, SkyInfo},
    sky_files::{SkyFiles, WrittenSky},
    visibilities::grid_baselines_m,
};
use self::{
    emission::Emission, interference::Interference, noise::Radiometer, planes::Planes, signal::SignalModel,
    visibilities::Interferometer,
};
use crate::{Background, Error, Geometry, Result, Unit};

/// Diameter in m of the dishes of an interferometer unless a beam is given: those of HIRAX.
const INTERFEROMETER_DISH_M: f64 = 6.0;

/// Makes skies.
pub struct Simulation {
    config: SimulateConfig,
    background: Background,
    geometry: Geometry,
    planes: Planes,
    signal: SignalModel,
    sky_model: Option<GlobalSkyModel>,
}

impl Simulation {
    /// Prepares to make skies in the universe of [`Background::default`].
    ///
    /// # Errors
    /// Settings out of range or without effect; a Global Sky Model that cannot be read.
    pub fn new(config: SimulateConfig) -> Result<Self> {
        Self::in_universe(config, Background::default())
    }

    /// Prepares to make skies in another universe.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn in_universe(config: SimulateConfig, background: Background) -> Result<Self> {
        config::check_whole(&config)?;
        let step = (config.freq_max_mhz - config.freq_min_mhz) / config.nfreq as f64;
        let frequencies_mhz: Vec<f64> =
            (0..config.nfreq).map(|i| config.freq_min_mhz + step * (i as f64 + 0.5)).collect();
        let planes = Planes::new(config.nx, config.side_deg.to_radians());
        let geometry = Geometry { side_deg: [config.side_deg; 2], frequencies_mhz };
        let signal = SignalModel::new(config.signal, config.hydrogen, &background, &geometry);
        let sky_model = config.gsm.as_deref().map(GlobalSkyModel::open).transpose()?;
        Ok(Self { config, background, geometry, planes, signal, sky_model })
    }

    /// The settings.
    pub fn config(&self) -> &SimulateConfig {
        &self.config
    }

    /// The universe.
    pub fn background(&self) -> &Background {
        &self.background
    }

    /// Sides of the map and middles of the channels.
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// Middles of the channels in MHz.
    pub fn frequencies_mhz(&self) -> &[f64] {
        &self.geometry.frequencies_mhz
    }

    /// Sky number `index`, the same whichever others are made.
    ///
    /// # Errors
    /// Frequencies that the Global Sky Model does not cover.
    pub fn sky(&self, index: u64) -> Result<SimulatedSky> {
        self.seen(index, &self.emission(index)?)
    }

    /// What an interferometer measures of sky number `index` while it drifts through the beams of its dishes.
    ///
    /// # Errors
    /// As [`sky`](Self::sky); a number of times that is no multiple of the number of columns.
    pub fn visibilities(&self, index: u64) -> Result<SimulatedVisibilities> {
        self.measured(index, &self.emission(index)?)
    }

    /// A sky, and its visibilities where the settings ask for them.
    fn simulate(&self, index: u64) -> Result<(SimulatedSky, Option<SimulatedVisibilities>)> {
        let emission = self.emission(index)?;
        let mut sky = self.seen(index, &emission)?;
        let wanted = self.config.visibility.visibilities;
        let visibilities = wanted.then(|| self.measured(index, &emission)).transpose()?;
        sky.info.visibility_unit = visibilities.as_ref().map(|visibilities| visibilities.unit);
        Ok((sky, visibilities))
    }

    fn stream(&self, index: u64, purpose: &str) -> Stream {
        Stream::new(self.config.seed, &format!("simulated sky: {purpose}")).child(index)
    }

    /// The sky as a map of the instrument.
    fn seen(&self, index: u64, emission: &Emission) -> Result<SimulatedSky> {
        let (Self { config, planes, .. }, frequencies) = (self, self.frequencies_mhz());
        let (mut observed, mut signal_beam) = (emission.total(), emission.signal.clone());
        if let Some(beam) = self.beam(index) {
            beam.smooth(planes, frequencies, &mut observed);
            beam.smooth(planes, frequencies, &mut signal_beam);
        }
        self.calibrate(index, &mut observed, planes.pixels())?;
        let sigmas = self.noise_rms_mk();
        let noise = if sigmas.iter().any(|sigma| *sigma > 0.0) {
            noise::noise_mk(&sigmas, planes.pixels(), self.stream(index, "noise"))
        } else {
            vec![0.0; observed.len()]
        };
        add(&mut observed, &noise);
        let flags = self.interference(index, planes.size(), "map").map(|interference| {
            let size = planes.size();
            observed.par_iter_mut().enumerate().for_each(|(place, value)| {
                let (channel, row) = (place / planes.pixels(), place / size % size);
                let strength = interference.strength[channel * size + row];
                *value = if interference.missing[row] { 0.0 } else { *value + config.instrument.rfi_mk * strength };
            });
            (0..observed.len())
                .map(|place| interference.flagged(place / planes.pixels(), place / size % size))
                .collect::<Vec<_>>()
        });
        let mut rms = emission.rms.clone();
        for (name, values) in [
            ("fg", &emission.foreground),
            ("signal", &emission.signal),
            ("signal_beam", &signal_beam),
            ("noise", &noise),
        ] {
            rms.insert(name.into(), deviation(values));
        }
        let gsm = config.family == Family::SckGsm;
        let [depth, side] = self.signal.lengths_mpc_h;
        let info = SkyInfo {
            zc: self.signal.redshift,
            lengths_mpc_h: [side, side, depth],
            tb_mk: config.hydrogen.brightness_mk(&self.background, self.signal.redshift),
            bias: self.signal.bias,
            rms,
            shape: [frequencies.len(), planes.size(), planes.size()],
            noise_rms_mk: [sigmas.first(), sigmas.last()].map(|sigma| sigma.copied().unwrap_or(0.0)),
            sky: index,
            seed: config.seed,
            unit: Unit::Millikelvin,
            side_deg: config.side_deg,
            family: config.family,
            signal: config.signal,
            global_sky_model: gsm.then_some(if self.sky_model.is_some() { "files" } else { "stand-in" }),
            centre_galactic_deg: emission.patch.map(|patch| patch.centre_deg),
            flagged: flags
                .as_ref()
                .map_or(0.0, |flags| flags.iter().filter(|f| **f).count() as f64 / flags.len() as f64),
            visibility_unit: None,
            settings: config.list().into_iter().filter(|s| s.name != "skies").map(|s| (s.name, s.value)).collect(),
        };
        Ok(SimulatedSky {
            foreground: self.cube(&emission.foreground)?,
            signal: self.cube(&emission.signal)?,
            signal_beam: self.cube(&signal_beam)?,
            noise: self.cube(&noise)?,
            observed: self.cube(&observed)?,
            flags: flags.map(|flags| Ok::<_, Error>(Cube::new(flags, self.axes()?)?)).transpose()?,
            info,
        })
    }

    /// The sky as visibilities.
    fn measured(&self, index: u64, emission: &Emission) -> Result<SimulatedVisibilities> {
        let (Self { config, planes, .. }, frequencies) = (self, self.frequencies_mhz());
        let VisibilityConfig { baselines, spacing_m, times, vis_unit, vis_noise, .. } = config.visibility;
        config::check_visibilities(config)?;
        let baselines_m = grid_baselines_m(baselines, spacing_m);
        let dish = Beam::new(BeamShape::Gaussian, INTERFEROMETER_DISH_M, 0.0);
        let interferometer =
            Interferometer::new(planes, self.beam(index).unwrap_or(dish), vis_unit, &baselines_m, times);
        let in_kelvin = |mut values: Vec<f64>| {
            values.par_iter_mut().for_each(|v| *v /= 1e3);
            values
        };
        let mut total = in_kelvin(emission.total());
        self.calibrate(index, &mut total, planes.pixels())?;
        let signal = in_kelvin(emission.signal.clone());
        let [mut observed, signal] = interferometer.observe(frequencies, [&total, &signal]);
        visibilities::add_noise(&mut observed, vis_noise, self.stream(index, "visibility noise"));
        let flags = self.interference(index, times, "visibilities").map(|interference| {
            let units: Vec<f64> = frequencies.iter().map(|nu| interferometer.unit_of_kelvin(*nu)).collect();
            let stride = frequencies.len() * times;
            observed.par_chunks_mut(stride).enumerate().for_each(|(baseline, values)| {
                // one transmitter on the ground: a phase of its own on each baseline
                let turn: f64 = self.stream(index, "transmitter").child(baseline as u64).rng().random();
                let phase = Complex::cis(std::f64::consts::TAU * turn) * (config.instrument.rfi_mk / 1e3);
                for (place, value) in values.iter_mut().enumerate() {
                    let added = phase * (interference.strength[place] * units[place / times]);
                    *value += Complex::new(added.re as f32, added.im as f32);
                    if interference.missing[place % times] {
                        *value = Complex::new(0.0, 0.0);
                    }
                }
            });
            let one: Vec<bool> = (0..stride).map(|place| interference.flagged(place / times, place % times)).collect();
            one.repeat(baselines_m.len())
        });
        let steps = (0..times).map(|t| t as f64 * config.side_deg / times as f64).collect();
        let axes = Axes::new(vec![
            Axis::new(AxisKind::Baseline, baselines_m.len()),
            self.frequency_axis()?,
            Axis::new(AxisKind::RightAscension, times).with_coordinates(steps, "deg")?,
        ])?;
        Ok(SimulatedVisibilities {
            observed: Cube::new(observed, axes.clone())?,
            signal: Cube::new(signal, axes.clone())?,
            flags: flags.map(|flags| Cube::new(flags, axes)).transpose()?,
            baselines_m,
            unit: match vis_unit {
                VisibilityUnit::Kelvin => Unit::Kelvin,
                VisibilityUnit::Jansky => Unit::Jansky,
            },
        })
    }

    fn beam(&self, index: u64) -> Option<Beam> {
        let InstrumentConfig { beam_dish, beam, beam_ripple, beam_scatter, .. } = self.config.instrument;
        let shape = beam.unwrap_or(BeamShape::Gaussian);
        let ripple = if shape == BeamShape::Cosine { beam_ripple } else { 0.0 };
        let beam = Beam::new(shape, beam_dish, ripple);
        let of_sky = if beam_scatter > 0.0 { beam.scattered(beam_scatter, self.stream(index, "beam")) } else { beam };
        (beam_dish > 0.0).then_some(of_sky)
    }

    /// Multiplies each channel by what calibration left of the gain.
    fn calibrate(&self, index: u64, cube: &mut [f64], pixels: usize) -> Result<()> {
        if self.config.instrument.bandpass > 0.0 {
            let stream = self.stream(index, "bandpass");
            let gains = bandpass::gains(self.frequencies_mhz(), self.config.instrument.bandpass, stream)?;
            cube.par_chunks_mut(pixels).zip(&gains).for_each(|(plane, gain)| plane.iter_mut().for_each(|v| *v *= gain));
        }
        Ok(())
    }

    fn noise_rms_mk(&self) -> Vec<f64> {
        let InstrumentConfig { noise_mk, hours, dishes, receiver_k, .. } = self.config.instrument;
        let radiometer = Radiometer {
            hours,
            dishes: dishes as f64,
            receiver_k,
            pixels: self.planes.pixels() as f64,
            channel_mhz: (self.config.freq_max_mhz - self.config.freq_min_mhz) / self.config.nfreq as f64,
        };
        let sigma = |frequency: &f64| match noise_mk {
            Some(sigma) => sigma,
            None if hours > 0.0 => radiometer.sigma_mk(*frequency),
            None => 0.0,
        };
        self.frequencies_mhz().iter().map(sigma).collect()
    }

    fn interference(&self, index: u64, times: usize, of: &str) -> Option<Interference> {
        let InstrumentConfig { rfi, gaps, .. } = self.config.instrument;
        let stream = self.stream(index, &format!("interference of {of}"));
        (rfi > 0.0 || gaps > 0.0).then(|| Interference::new(self.frequencies_mhz().len(), times, rfi, gaps, stream))
    }

    fn frequency_axis(&self) -> Result<Axis> {
        let axis = Axis::new(AxisKind::Frequency, self.frequencies_mhz().len());
        Ok(axis.with_coordinates(self.frequencies_mhz().to_vec(), "MHz")?)
    }

    fn axes(&self) -> Result<Axes> {
        let size = self.planes.size();
        Ok(Axes::new(vec![self.frequency_axis()?, Axis::new(AxisKind::Row, size), Axis::new(AxisKind::Column, size)])?)
    }

    fn cube(&self, values: &[f64]) -> Result<Cube<f32>> {
        Ok(Cube::new(values.par_iter().map(|v| *v as f32).collect(), self.axes()?)?)
    }
}

fn add(sum: &mut [f64], part: &[f64]) {
    sum.par_iter_mut().zip(part).for_each(|(sum, v)| *sum += v);
}

/// Standard deviation of all values.
fn deviation(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count).sqrt()
}

/// A file of the folder `cosmology` in `CUPEL_DATA`, else in `../shared/data` beside the workspace.
#[cfg(test)]
pub(crate) fn shared_data(name: &str) -> Option<std::path::PathBuf> {
    use std::path::{Path, PathBuf};
    let data = std::env::var_os("CUPEL_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"), PathBuf::from);
    let path = data.join("cosmology").join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: {} is not there; set CUPEL_DATA", path.display());
    None
}

#[cfg(test)]
mod tests;
