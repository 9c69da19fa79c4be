//! [`VisibilityModel`]: components and a network that take the foregrounds off visibilities, in a folder.
//!
//! Files: `components.npz` unless each observation has its own, `network.safetensors` unless no network was better than the components alone,
//! and `visibilities.json`, written last, with everything else and the BLAKE3 hashes of the others.

use std::{collections::BTreeMap, fs, path::Path};

use burn::tensor::{Device, Tensor, TensorData};
use cupel_data::{AxisKind, Complex, Cube, Error as DataError, Stream, write_atomic};
use cupel_pca::{Components, PcaLayer, Projector, Share};
use cupel_settings::Settings;
use cupel_train::{Casting, export_safetensors, import_safetensors};
use serde::{Deserialize, Serialize};

use super::{Scores, wrong};
use crate::{
    Preprocess, PreprocessConfig, ReadConfig, Result, Unit,
    loader::{Layout, Part, part},
    network::{Network, NetworkConfig, PARTS, check_gaps, on_the_host, predict},
    read::{fault, raw_visibilities},
};

/// The version that is written, and the only one that is read.
const VERSION: u32 = 1;
const ABOUT: &str = "visibilities.json";
const COMPONENTS: &str = "components.npz";
const NETWORK: &str = "network.safetensors";
/// The axis of real and imaginary parts of a chunk.
const PART_AXIS: usize = 1;
/// Standard deviations of the power that is left which are let pass at least, and times the most of the validation files.
const LEAST: f64 = 4.0;
const BEYOND: f64 = 1.25;

/// What is known of a model beside its components and its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VisibilityAbout {
    pub(super) version: u32,
    /// Shape of the network.
    pub network: NetworkConfig,
    /// What happens before it.
    pub preprocess: PreprocessConfig,
    /// Baselines, channels, and bins in right ascension of a chunk.
    pub shape: [usize; 3],
    /// Of the channels, where the files have them.
    pub frequencies_mhz: Option<Vec<f64>>,
    /// The unit of the files, where they name one.
    pub unit: Option<String>,
    /// Components that are taken off.
    pub modes: usize,
    /// Whether each observation has its own ones.
    pub pca_on_the_fly: bool,
    /// Whether the network was better than the components alone on the validation files, and is used.
    pub network_kept: bool,
    /// Signals for training and for validation.
    pub files: [usize; 2],
    /// Standard deviation of the error of each part in each channel: by it 68 % of the errors of the calibration files were held.
    pub sigma: Vec<f64>,
    /// What components leave of the validation files.
    pub left: PowerLeft,
    /// Of the validation files: the components alone, and with the network.
    pub validation: Scores,
    /// Hashes of the other files.
    pub(super) hashes: BTreeMap<String, String>,
}

/// The power that components leave, as natural logarithms of mean squares in the unit of the files.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PowerLeft {
    /// Mean over files.
    pub mean: f64,
    /// The distance from it that is let pass.
    pub limit: f64,
}

impl PowerLeft {
    /// Of what is left of each file. A factor of 2 is always let pass.
    pub(super) fn of(logarithms: &[f64]) -> Self {
        let count = logarithms.len().max(1) as f64;
        let mean = logarithms.iter().sum::<f64>() / count;
        let square = logarithms.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        let sd = (square / (count - 1.0).max(1.0)).sqrt();
        let most = logarithms.iter().map(|value| (value - mean).abs()).fold(0.0, f64::max);
        Self { mean, limit: (LEAST * sd).max(BEYOND * most).max(std::f64::consts::LN_2) }
    }

    /// The distance of what is left over that which is let pass: refused above 1.
    pub fn mismatch(&self, values: &[f32]) -> f64 {
        (log_power(values) - self.mean).abs() / self.limit
    }
}

/// The logarithm of the mean square; of nothing but zeros that of the smallest number.
pub(super) fn log_power(values: &[f32]) -> f64 {
    let square = values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>();
    (square / values.len().max(1) as f64).max(f64::MIN_POSITIVE).ln()
}

/// Components and a network for visibilities of one instrument.
#[derive(Debug)]
pub struct VisibilityModel {
    pub(super) about: VisibilityAbout,
    pub(super) components: Option<Components>,
    pub(super) network: Option<Network>,
    pub(super) preprocess: Preprocess,
    pub(super) device: Device,
}

/// Visibilities that fit a model.
#[derive(Clone, Debug)]
pub struct ObservedVisibilities {
    /// `[baseline, frequency, right ascension]`.
    values: Cube<Complex<f32>>,
    /// The axes in the order of the file.
    order: Vec<AxisKind>,
}

/// Visibilities that a model took the foregrounds off.
#[derive(Clone, Debug)]
pub struct CleanedVisibilities {
    /// The signal, with the axes of the file, without the mean of each channel.
    pub signal: Cube<Complex<f32>>,
    /// Standard deviation of its error, of the real and of the imaginary part alike.
    pub sigma: Cube<f32>,
    /// How far the power that the components leave is from that of the validation files over what is let pass.
    pub mismatch: f64,
    /// Whether that is so far that the estimate or its error would be wrong.
    pub refused: bool,
}

/// A layer with these components, or one that finds so many in each batch, real and imaginary parts apart.
pub(super) fn layer(components: Option<&Components>, modes: usize, device: &Device) -> Result<PcaLayer> {
    Ok(match components {
        Some(components) => PcaLayer::new(&Projector::new(components), device)?,
        None => PcaLayer::on_the_fly(Share::Modes(modes)).apart(PART_AXIS),
    })
}

impl ObservedVisibilities {
    /// Lengths of its axes in the order of the file.
    pub fn shape(&self) -> Vec<usize> {
        let length = |kind: &AxisKind| self.values.axis(*kind).map_or(0, cupel_data::Axis::len);
        self.order.iter().map(length).collect()
    }
}

impl VisibilityModel {
    /// Whether there is one in a folder.
    pub fn is_in(folder: &Path) -> bool {
        folder.join(ABOUT).is_file()
    }

    /// What is known of it.
    pub fn about(&self) -> &VisibilityAbout {
        &self.about
    }

    /// Writes it into a folder, which is made where it is not there.
    ///
    /// # Errors
    /// What writing reports.
    pub fn save(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder).map_err(DataError::io("make the folder", folder))?;
        let mut hashes = BTreeMap::new();
        if let Some(components) = &self.components {
            components.save(folder.join(COMPONENTS))?;
            hashes.insert(COMPONENTS.to_owned(), hash(&folder.join(COMPONENTS))?);
        }
        if let Some(network) = &self.network {
            export_safetensors(&folder.join(NETWORK), network)?;
            hashes.insert(NETWORK.to_owned(), hash(&folder.join(NETWORK))?);
        }
        let path = folder.join(ABOUT);
        let text = serde_json::to_vec_pretty(&VisibilityAbout { hashes, ..self.about.clone() })
            .map_err(|error| wrong(&path, error.to_string()))?;
        Ok(write_atomic(&path, |file| file.write_all(&text).map_err(DataError::io("write", &path)))?)
    }

    /// Reads one from its folder, onto a device.
    ///
    /// # Errors
    /// [`crate::Error::Stored`] where the folder holds none, one of another version, or files that are missing, changed or of another network; what
    /// reading reports.
    pub fn load(folder: &Path, device: &Device) -> Result<Self> {
        let path = folder.join(ABOUT);
        let text = fs::read(&path).map_err(DataError::io("read", &path))?;
        let value: serde_json::Value =
            serde_json::from_slice(&text).map_err(|error| wrong(&path, error.to_string()))?;
        if value["version"] != VERSION {
            return Err(wrong(&path, format!("version {}, this program reads {VERSION}", value["version"])));
        }
        let about: VisibilityAbout = serde_json::from_value(value).map_err(|error| wrong(&path, error.to_string()))?;
        for (name, expected) in &about.hashes {
            let path = folder.join(name);
            if hash(&path)? != *expected {
                return Err(wrong(&path, "it is not the file that was written with the others".to_owned()));
            }
        }
        let [baselines, channels, bins] = about.shape;
        let whole = about.sigma.len() == channels
            && about.hashes.contains_key(COMPONENTS) != about.pca_on_the_fly
            && about.hashes.contains_key(NETWORK) == about.network_kept;
        if !whole || baselines == 0 || bins == 0 {
            return Err(wrong(&path, "its numbers do not belong together".to_owned()));
        }
        let components = match about.pca_on_the_fly {
            true => None,
            false => Some(Components::load(folder.join(COMPONENTS))?),
        };
        if let Some(components) = components.as_ref().filter(|own| own.channels() != channels) {
            let problem = format!("components of {} channels for {channels}", components.channels());
            return Err(wrong(&folder.join(COMPONENTS), problem));
        }
        let network = match about.network_kept {
            true => Some(import_safetensors(&folder.join(NETWORK), about.network.init(PARTS, device)?)?),
            false => None,
        };
        let layer = layer(components.as_ref(), about.modes, device)?;
        let preprocess = Preprocess::new(layer, None, about.preprocess.clone())?;
        Ok(Self { about, components, network, preprocess, device: device.clone() })
    }

    /// Reads visibilities for it; frequencies and a unit that nobody says are taken to be its own, and `notes` say so.
    ///
    /// # Errors
    /// Other channels, baselines, bins in right ascension or another unit than its own; values without weight; what reading reports.
    pub fn read(&self, path: &Path, config: &ReadConfig, notes: &mut Vec<String>) -> Result<ObservedVisibilities> {
        config.check_values()?;
        let refuse = |problem: String, fix: &str| Err(fault(path, problem, fix));
        let mut raw = raw_visibilities(path, config)?;
        if config.frequencies.is_some() {
            raw = raw.with_frequencies(config)?;
        }
        let order = raw.values.axes().kinds();
        let unit = raw.known_unit(config)?;
        let Part { values, weights, .. } = part(path, raw)?;
        let [baselines, channels, bins] = self.about.shape;
        let shape = values.shape();
        if shape[1] != channels {
            let problem = format!("it has {} channels, the model was trained on {channels}", shape[1]);
            return refuse(problem, "give visibilities of its channels, or train a model on these");
        }
        if shape[0] != baselines {
            let problem = format!("it has {} baselines, the model was trained on {baselines}", shape[0]);
            return refuse(problem, "give visibilities of its instrument, or train a model on these");
        }
        if shape[2] == 0 || !shape[2].is_multiple_of(bins) {
            let problem =
                format!("it has {} bins in right ascension, the model takes them in chunks of {bins}", shape[2]);
            return refuse(problem, "cut it to a multiple of that");
        }
        let own_mhz = self.about.frequencies_mhz.as_deref();
        match (own_mhz, values.axis(AxisKind::Frequency)?.coordinates()) {
            (Some(own), Some(given)) => {
                let width = if channels > 1 { (own[1] - own[0]).abs() } else { 1.0 };
                let other = own.iter().zip(given).position(|(own, given)| (own - given).abs() > 1e-3 * width);
                if let Some(channel) = other {
                    let problem = format!(
                        "channel {channel} lies at {} MHz, at {} MHz in what the model was trained on",
                        given[channel], own[channel]
                    );
                    return refuse(problem, "give visibilities of its channels, or train a model on these");
                }
            }
            (Some(_), None) => notes.push(format!(
                "{}: nobody names its frequencies, they are taken to be those of the model; others are given with --frequencies",
                path.display()
            )),
            _ => {}
        }
        match (self.about.unit.as_deref().and_then(|own| own.parse::<Unit>().ok()), unit) {
            (Some(own), Some(given)) if own != given => {
                return refuse(format!("it is in {given}, the model was trained on {own}"), "convert it");
            }
            (Some(own), None) => notes.push(format!(
                "{}: nobody names its unit, it is read as {own}, that of the model; another one is given with --unit",
                path.display()
            )),
            _ => {}
        }
        if let Some(weights) = &weights {
            check_gaps(weights)?;
        }
        let order = order.into_iter().filter(|kind| values.axes().kinds().contains(kind)).collect();
        Ok(ObservedVisibilities { values, order })
    }

    /// Takes the foregrounds off.
    ///
    /// # Errors
    /// What the device reports.
    pub fn clean(&self, observed: &ObservedVisibilities) -> Result<CleanedVisibilities> {
        let [baselines, channels, bins] = self.about.shape;
        let all = observed.values.shape()[2];
        let chunks = all / bins;
        let layout = Layout { baselines, channels, bins: all, chunks, turn: 0 };
        let values =
            TensorData::new(layout.divided(observed.values.values()), [chunks, PARTS[0], bins, baselines, channels]);
        let x = Tensor::<5>::from_data(values, &self.device);
        // nothing is drawn, because no noise is added
        let x = self.preprocess.chunks(x, None, Stream::new(0, "none"))?.x;
        let left = on_the_host(self.preprocess.config().cleaned(x.clone()), &self.preprocess)?;
        let mismatch = self.about.left.mismatch(&left);
        let found = match &self.network {
            None => left,
            Some(network) => {
                let mut found = Vec::with_capacity(left.len());
                // one at a time: a network needs many times the memory of a chunk
                for chunk in 0..chunks {
                    let x = x.clone().narrow(0, chunk, 1);
                    let prediction = predict(network, &x, &Casting::f32());
                    found.extend(on_the_host(self.preprocess.config().restore(prediction, x), &self.preprocess)?);
                }
                found
            }
        };
        let axes = observed.values.axes().clone();
        let signal = Cube::new(layout.joined(&found), axes.clone())?;
        let sigma = (0..signal.len()).map(|place| self.about.sigma[place / all % channels] as f32).collect();
        Ok(CleanedVisibilities {
            signal: signal.permuted(&observed.order)?,
            sigma: Cube::new(sigma, axes)?.permuted(&observed.order)?,
            mismatch,
            refused: mismatch > 1.0,
        })
    }
}

fn hash(path: &Path) -> Result<String> {
    let bytes = fs::read(path).map_err(DataError::io("read", path))?;
    Ok(blake3::hash(&bytes).to_hex().to_string())
}
