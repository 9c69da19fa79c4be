//! [`GaussianProcess`]: foregrounds, signal and noise told apart in one sky by how they covary along frequency, without training.
//!
//! Modes in the plane of the sky are vectors over channels, whose covariance is a sum of kernels: smooth foregrounds, what the instrument mixes,
//! hydrogen that follows matter, and noise, all but the last under the beam. Their parameters are those that make the second moments of the sky
//! likeliest, the kernels those of the largest evidence; then the estimate is that of a [`LinearEstimator`]. Mertens, Ghosh & Koopmans, MNRAS 478,
//! 3640 (2018), arXiv:1711.10834, do this for visibilities. Here kernels depend on the multipole, all rings are fitted at once, and the uncertainty of
//! the parameters goes into errors and draws: Kern & Liu, MNRAS 501, 1463 (2021), arXiv:2010.15892, show what a wrong covariance costs.

mod bands;
mod candidates;
mod evidence;
mod fit;
mod goodness;
mod kernel;
mod model;
mod separation;
#[cfg(test)]
mod tests;

use std::{
    io::Write,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use cupel_data::{Cube, Stream};
use cupel_settings::{Range, Settings, settings};
use serde::{Deserialize, Serialize};

use self::{candidates::Known, evidence::Bands, fit::Fit, goodness::Goodness, model::Channels, separation::Separation};
use super::{
    DETECTED, Detection, Estimate, LinearEstimator, Mismatch, Multipoles, SignalEstimator, check_channels,
    plane_modes::{Plane, centred},
    posterior::unseen,
};
use crate::{
    Background, Error, Result, Sky, Unit, redshift,
    simulate::{Hydrogen, MatterPower},
};

/// FWHM of a Gaussian over its standard deviation, `sqrt(8 ln 2)`.
const FWHM: f64 = 2.354_820_045_030_949_3;

settings! {
    /// What is known of skies beforehand, and how their errors are made.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub struct GaussianProcessConfig in "gaussian process" {
        /// Standard deviation of white noise in each pixel and channel, in the unit of the sky; fitted unless given
        pub noise: Option<f64> = None, in Range::at_least(0.0), "SIGMA";
        /// Width (FWHM) in degrees of the beam in the middle of the band, known to 5 %, or 0 for no beam; fitted unless given
        pub beam_fwhm_deg: Option<f64> = None, in Range::at_least(0.0).at_most(60.0), "DEG";
        /// Sets of parameters, drawn from what the sky leaves possible, over which errors and draws go; 0 takes the likeliest for the truth
        pub parameter_draws: usize = 16, in Range::at_least(0.0).at_most(1000.0), "N";
    }
    beside {
        /// The universe in which hydrogen follows matter.
        pub background: Background = Background::default();
        /// Seed of the drawn parameters.
        pub seed: u64 = 0;
    }
}

/// A parameter of a fitted model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FittedParameter {
    /// What it is; `ln` where it is a logarithm.
    pub name: String,
    /// Its likeliest value.
    pub value: f64,
    /// Its standard deviation.
    pub deviation: f64,
}

/// A model that was fitted to a sky, and others that were tried.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GaussianProcessFit {
    /// Its kernels in words.
    pub model: String,
    /// Logarithm of its evidence, without the constant that all models of a sky share.
    pub log_evidence: f64,
    /// Its parameters.
    pub parameters: Vec<FittedParameter>,
    /// All models that were tried, with the logarithm of their evidence.
    pub tried: Vec<(String, f64)>,
}

/// Finds the signal in one sky by the covariances that make it likeliest.
///
/// The fit of the last sky is kept, so that its estimate, draws and mismatch cost one fit together.
///
/// # Example
/// ```
/// use cupel_cosmology::estimators::{GaussianProcess, GaussianProcessConfig, SignalEstimator};
/// use cupel_cosmology::simulate::{SimulateConfig, Simulation};
/// # fn main() -> cupel_cosmology::Result<()> {
/// let sky = Simulation::new(SimulateConfig { nx: 8, nfreq: 8, ..SimulateConfig::default() })?.sky(0)?.observation()?;
/// let process = GaussianProcess::new(GaussianProcessConfig::default(), sky.frequencies_mhz()?.to_vec(), sky.unit())?;
/// let estimate = process.estimate(&sky)?;
/// assert!(estimate.sigma.values().iter().all(|sigma| *sigma > 0.0));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct GaussianProcess {
    config: GaussianProcessConfig,
    frequencies_mhz: Vec<f64>,
    unit: Unit,
    last: Mutex<Option<(blake3::Hash, Arc<Fitted>)>>,
}

/// What follows from a sky.
#[derive(Debug)]
struct Fitted {
    fit: Fit,
    tried: Vec<candidates::Tried>,
    separation: Separation,
    goodness: Goodness,
}

/// What a file holds.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    estimator: String,
    version: u32,
    config: GaussianProcessConfig,
    frequencies_mhz: Vec<f64>,
    unit: String,
}

/// The name of the method, and the version of its files.
const NAME: &str = "gpr";
const VERSION: u32 = 1;

impl GaussianProcess {
    /// For skies of these channels in this unit.
    ///
    /// # Errors
    /// Settings out of range; [`Error::Estimator`] for fewer than 3 channels.
    pub fn new(config: GaussianProcessConfig, frequencies_mhz: Vec<f64>, unit: Unit) -> Result<Self> {
        config.check()?;
        crate::frequency_axis(frequencies_mhz.clone())?;
        if frequencies_mhz.len() < 3 {
            let problem = format!("{} channels are too few to tell smooth from rough", frequencies_mhz.len());
            return Err(refused(problem, "give 3 at least, better 30"));
        }
        Ok(Self { config, frequencies_mhz, unit, last: Mutex::new(None) })
    }

    /// The settings.
    pub fn config(&self) -> &GaussianProcessConfig {
        &self.config
    }

    /// The model that explains a sky best.
    ///
    /// # Errors
    /// As [`estimate`](SignalEstimator::estimate).
    pub fn fit(&self, sky: &Sky) -> Result<GaussianProcessFit> {
        let fitted = self.fitted(sky)?;
        let fit = &fitted.fit;
        let parameters = fit.model.parameters().into_iter().zip(&fit.parameters).zip(&fit.deviations);
        Ok(GaussianProcessFit {
            model: fit.model.name.clone(),
            log_evidence: fit.log_evidence,
            parameters: parameters
                .map(|((own, value), deviation)| FittedParameter {
                    name: own.name.clone(),
                    value: *value,
                    deviation: *deviation,
                })
                .collect(),
            tried: fitted.tried.clone(),
        })
    }

    /// The filter of the model that explains a sky best, with its covariances.
    ///
    /// # Errors
    /// As [`estimate`](SignalEstimator::estimate).
    pub fn linear(&self, sky: &Sky) -> Result<LinearEstimator> {
        Ok(self.fitted(sky)?.separation.best.clone())
    }

    /// Writes settings, channels and unit as JSON: what was fitted to a sky belongs to that sky.
    ///
    /// # Errors
    /// What writing reports.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let stored = Stored {
            estimator: NAME.into(),
            version: VERSION,
            config: self.config.clone(),
            frequencies_mhz: self.frequencies_mhz.clone(),
            unit: self.unit.to_string(),
        };
        let text =
            serde_json::to_vec_pretty(&stored).map_err(|error| wrong(path, format!("cannot be written: {error}")))?;
        let write = |file: &mut dyn Write| file.write_all(&text).map_err(cupel_data::Error::io("write", path));
        Ok(cupel_data::write_atomic(path, write)?)
    }

    /// Reads what [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// [`Error::Stored`] for a file of something else or of another version; those of [`new`](Self::new).
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let text = std::fs::read(path).map_err(|error| wrong(path, format!("cannot be read: {error}")))?;
        let value: serde_json::Value =
            serde_json::from_slice(&text).map_err(|error| wrong(path, format!("no JSON text: {error}")))?;
        if value["estimator"] != NAME || value["version"] != VERSION {
            let problem = format!(
                "it holds the estimator {} of version {}, this reads \"{NAME}\" of version {VERSION}",
                value["estimator"], value["version"]
            );
            return Err(wrong(path, problem));
        }
        let Stored { config, frequencies_mhz, unit, .. } =
            serde_json::from_value(value).map_err(|error| wrong(path, format!("it is damaged: {error}")))?;
        Self::new(config, frequencies_mhz, unit.parse()?)
    }

    /// The fit of a sky: the last one where it is the same sky.
    fn fitted(&self, sky: &Sky) -> Result<Arc<Fitted>> {
        check_channels(NAME, &self.frequencies_mhz, self.unit, sky)?;
        let key = content(sky)?;
        // a fit that panicked left nothing half done here
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, fitted)) = last.as_ref().filter(|(own, _)| *own == key) {
            return Ok(fitted.clone());
        }
        let fitted = Arc::new(self.fit_anew(sky)?);
        *last = Some((key, fitted.clone()));
        Ok(fitted)
    }

    fn fit_anew(&self, sky: &Sky) -> Result<Fitted> {
        let plane = Plane::of(sky)?;
        let dropped = unseen(NAME, sky)?;
        let seen = dropped.iter().filter(|dropped| !**dropped).count();
        if seen < 3 {
            return Err(refused(format!("{seen} channels have data"), "give a sky with data in 3 channels at least"));
        }
        let shells = plane.shells();
        let multipoles = bands::rings(sky, &shells)?;
        let ring = |shell: &super::plane_modes::Shell| {
            let problem = || format!("a mode at the multipole {} is in no ring", shell.multipole);
            multipoles.ring(shell.multipole).ok_or_else(|| refused(problem(), "give square pixels"))
        };
        let rings = shells.iter().map(ring).collect::<Result<Vec<_>>>()?;
        let modes = plane.forward(&centred(sky.cube()));
        let bands = bands::bands(&plane, &shells, &rings, &modes, &dropped);
        let still = |place: &usize| bands.bands.iter().all(|band| band.covariance[(*place, *place)] == 0.0);
        if let Some(place) = (0..seen).find(still) {
            let problem = format!("channel {} has one value in all pixels", bands.seen[place]);
            return Err(refused(problem, "give it weight 0 in all pixels"));
        }
        let pixel_sr = plane.area_sr() / plane.pixels() as f64;
        let channels = self.channels(sky, &bands, pixel_sr)?;
        let known = Known {
            noise: self.config.noise.map(|sigma| sigma * sigma * pixel_sr),
            beam_rad: self.config.beam_fwhm_deg.map(|width| width.to_radians() / FWHM),
        };
        let (fit, tried) = candidates::choose(&channels, &bands, known).ok_or_else(not_fitted)?;
        let separation = self.separation(&fit, &multipoles, &bands)?;
        let goodness = Goodness::of(&fit, &bands).ok_or_else(not_fitted)?;
        Ok(Fitted { fit, tried, separation, goodness })
    }

    fn separation(&self, fit: &Fit, multipoles: &Multipoles, bands: &Bands) -> Result<Separation> {
        let middles: Vec<f64> = bands.bands.iter().map(|band| band.multipole).collect();
        let stream = Stream::new(self.config.seed, "parameters of a Gaussian process");
        Separation::new(fit, multipoles, &middles, self.unit, self.config.parameter_draws, &stream)
    }

    fn channels(&self, sky: &Sky, bands: &Bands, pixel_sr: f64) -> Result<Channels> {
        let (geometry, background) = (sky.geometry()?, &self.config.background);
        let count = self.frequencies_mhz.len();
        let middle_mhz = self.frequencies_mhz.iter().sum::<f64>() / count as f64;
        let bright = |nu: f64| Hydrogen::Crighton.brightness_mk(background, redshift(nu));
        let pixels = sky.cube().len() / count;
        let square = |channel: &usize| {
            let values = &sky.cube().values()[channel * pixels..(channel + 1) * pixels];
            values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>() / pixels as f64
        };
        // half a unit in the last place at most, evenly: 2^-24 of a value with the mantissa 1, half of that of one with 2
        let relative = (f64::from(f32::EPSILON) / 2.0).powi(2) / 6.0;
        let rounding = bands.seen.iter().map(square).sum::<f64>() / bands.seen.len() as f64 * relative * pixel_sr;
        Ok(Channels {
            brightness: self.frequencies_mhz.iter().map(|nu| bright(*nu) / bright(middle_mhz)).collect(),
            frequencies_mhz: self.frequencies_mhz.clone(),
            cell_mpc_h: geometry.lengths_mpc_h(background)[0] / count as f64,
            distance_mpc_h: background.comoving_distance_mpc_h(redshift(middle_mhz)),
            matter: MatterPower::new(background),
            rounding,
        })
    }
}

impl SignalEstimator for GaussianProcess {
    fn name(&self) -> &str {
        NAME
    }

    fn frequencies_mhz(&self) -> &[f64] {
        &self.frequencies_mhz
    }

    fn unit(&self) -> Unit {
        self.unit
    }

    /// Channels of which no value has weight are left out of the fit, and estimated from the others. Weights above 0 all count the same.
    fn estimate(&self, sky: &Sky) -> Result<Estimate> {
        self.fitted(sky)?.separation.best.estimate(sky)
    }

    /// Each draw has parameters of its own, those of the draws of [`GaussianProcessConfig`] in turn.
    fn draw(
        &self,
        sky: &Sky,
        count: usize,
        stream: Stream,
        each: &mut dyn FnMut(Cube<f32>) -> Result<()>,
    ) -> Result<()> {
        let fitted = self.fitted(sky)?;
        let Separation { best, drawn } = &fitted.separation;
        for index in 0..count {
            let estimator = if drawn.is_empty() { best } else { &drawn[index % drawn.len()] };
            estimator.draw(sky, 1, stream.child(index as u64), each)?;
        }
        Ok(())
    }

    /// The amplitude is that of the likeliest power itself; its standard deviation is that of the logarithm of the power, which is as large as
    /// its prior where there is no signal.
    fn detect(&self, sky: &Sky) -> Result<Detection> {
        let fitted = self.fitted(sky)?;
        let fit = &fitted.fit;
        let named = fit.model.parameters().iter().position(|own| own.name == candidates::SIGNAL_POWER);
        let sigma = named.map_or(f64::INFINITY, |at| fit.deviations[at]);
        let sigmas = 1.0 / sigma;
        Ok(Detection { amplitude: 1.0, sigma, sigmas, detected: sigmas > DETECTED })
    }

    /// Whether the fitted model explains the sky where it matters to the estimate; see [`RingMismatch`](super::RingMismatch), whose deviations are here
    /// from what the model expects.
    fn mismatch(&self, sky: &Sky) -> Result<Mismatch> {
        let fitted = self.fitted(sky)?;
        let mut mismatch = fitted.separation.best.mismatch(sky)?;
        (mismatch.score, mismatch.refused) = (fitted.goodness.score, fitted.goodness.score > 1.0);
        let deviations = mismatch.rings.iter_mut().zip(&fitted.goodness.deviations);
        deviations.for_each(|(ring, deviation)| ring.deviation = *deviation);
        Ok(mismatch)
    }
}

fn refused(problem: String, fix: &'static str) -> Error {
    Error::Estimator { name: NAME.into(), problem, fix }
}

fn not_fitted() -> Error {
    let problem = "no model could be fitted: none has a covariance over channels that is positive in numbers of f64";
    refused(problem.into(), "look for channels unlike their neighbours and give them weight 0, or give the noise")
}

fn wrong(path: &Path, problem: String) -> Error {
    Error::Stored { path: path.into(), problem }
}

/// A key of what a fit depends on.
fn content(sky: &Sky) -> Result<blake3::Hash> {
    let mut hash = blake3::Hasher::new();
    let mut add = |values: &[f32]| {
        for values in values.chunks(4096) {
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            hash.update(&bytes);
        }
    };
    add(sky.cube().values());
    if let Some(weights) = sky.weights() {
        add(weights.values());
    }
    let shape = sky.cube().shape();
    for number in shape.iter().map(|len| *len as f64).chain(sky.geometry()?.side_deg) {
        hash.update(&number.to_le_bytes());
    }
    Ok(hash.finalize())
}
