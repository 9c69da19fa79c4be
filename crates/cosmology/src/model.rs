//! [`Model`]: an estimator in a folder, with what it was trained on and how well it does on skies that it has not seen.

mod cleaned;
mod component_source;
mod observation_training;
mod training;
mod visibility_model;

pub use cleaned::{Cleaned, PosteriorPower};
pub use component_source::ComponentSource;
pub use observation_training::{ObservationTraining, TrainedVisibilities, VisibilityTrainConfig};
pub use training::{Example, ModelConfig, ModelTraining, Place, Rehearsal, Trained};
pub use visibility_model::{CleanedVisibilities, ObservedVisibilities, PowerLeft, VisibilityAbout, VisibilityModel};

use std::{collections::BTreeMap, fs, path::Path};

use burn::tensor::Device;
use cupel_data::{Error as DataError, write_atomic};
use cupel_settings::choices;
use serde::{Deserialize, Serialize};

use crate::{
    Error, Result, Sky, Unit,
    estimators::{GaussianProcess, LinearEstimator, SignalEstimator},
    network::{NetworkEstimator, Score},
};

/// The version that is written, and the only one that is read.
const VERSION: u32 = 1;
/// What says what the folder holds.
const ABOUT: &str = "model.json";
/// A linear estimator.
const LINEAR: &str = "estimator.npz";
/// Gaussian processes.
const PROCESS: &str = "gaussian_process.json";

choices! {
    /// What finds the signal.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum EstimatorKind {
        /// The best linear filter of the covariances that the skies show
        Filter = "filter" | "wiener",
        /// All but a few principal components
        Pca = "pca",
        /// The same, with a gain for each scale
        PcaGain = "pca-gain",
        /// Gaussian processes, fitted to each sky by itself: they learn nothing from others
        Gpr = "gpr" | "gaussian-process",
        /// A network that corrects the filter
        Unet = "unet" | "network",
    }
}

/// An estimator of any kind.
#[derive(Debug)]
enum Estimator {
    Linear(Box<LinearEstimator>),
    GaussianProcess(Box<GaussianProcess>),
    Network(Box<NetworkEstimator>),
}

/// What is known of a model beside its estimator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    version: u32,
    /// The kind of the estimator.
    pub estimator: EstimatorKind,
    /// Skies that it was trained on.
    pub skies: usize,
    /// Channels, rows and columns of these.
    pub shape: [usize; 3],
    /// Their sides in degrees.
    pub side_deg: [f64; 2],
    /// Their unit.
    pub unit: String,
    /// Of the validation skies: the estimator, and those that it has to beat.
    pub validation: Scores,
}

/// How well several methods do, by their names.
pub type Scores = BTreeMap<String, Score>;

/// An estimator that is kept in a folder.
#[derive(Debug)]
pub struct Model {
    estimator: Estimator,
    about: About,
}

impl Model {
    /// The estimator.
    pub fn estimator(&self) -> &dyn SignalEstimator {
        match &self.estimator {
            Estimator::Linear(linear) => &**linear,
            Estimator::GaussianProcess(process) => &**process,
            Estimator::Network(network) => &**network,
        }
    }

    /// What is known of it.
    pub fn about(&self) -> &About {
        &self.about
    }

    /// The unit of the skies that it was trained on.
    pub fn unit(&self) -> Unit {
        self.estimator().unit()
    }

    /// Writes it into a folder, which is made where it is not there.
    ///
    /// # Errors
    /// What writing reports.
    pub fn save(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder).map_err(DataError::io("make the folder", folder))?;
        match &self.estimator {
            Estimator::Linear(linear) => linear.save(folder.join(LINEAR))?,
            Estimator::GaussianProcess(process) => process.save(folder.join(PROCESS))?,
            Estimator::Network(network) => network.save(folder)?,
        }
        let path = folder.join(ABOUT);
        let text = serde_json::to_vec_pretty(&self.about).map_err(|error| wrong(&path, error.to_string()))?;
        Ok(write_atomic(&path, |file| file.write_all(&text).map_err(DataError::io("write", &path)))?)
    }

    /// Reads one from its folder; networks go onto the device.
    ///
    /// # Errors
    /// [`Error::Stored`] where the folder holds none, or one of another version; what reading reports.
    pub fn load(folder: &Path, device: &Device) -> Result<Self> {
        let path = folder.join(ABOUT);
        if VisibilityModel::is_in(folder) {
            return Err(wrong(folder, "it holds a model of visibilities, and one of skies is needed".to_owned()));
        }
        if !path.is_file() {
            let problem =
                format!("there is no {ABOUT} in it; cupel cosmology train --out {} makes one", folder.display());
            return Err(wrong(folder, problem));
        }
        let text = fs::read(&path).map_err(DataError::io("read", &path))?;
        // what another version wrote need not have the fields of this one
        let value: serde_json::Value =
            serde_json::from_slice(&text).map_err(|error| wrong(&path, error.to_string()))?;
        if value["version"] != VERSION {
            return Err(wrong(&path, format!("version {}, this program reads {VERSION}", value["version"])));
        }
        let about: About = serde_json::from_value(value).map_err(|error| wrong(&path, error.to_string()))?;
        let estimator = match about.estimator {
            EstimatorKind::Filter | EstimatorKind::Pca | EstimatorKind::PcaGain => {
                Estimator::Linear(Box::new(LinearEstimator::load(folder.join(LINEAR))?))
            }
            EstimatorKind::Gpr => Estimator::GaussianProcess(Box::new(GaussianProcess::load(folder.join(PROCESS))?)),
            EstimatorKind::Unet => Estimator::Network(Box::new(NetworkEstimator::load(folder, device)?)),
        };
        Ok(Self { estimator, about })
    }

    /// Checks that a sky may be given to it.
    ///
    /// # Errors
    /// As [`SignalEstimator::check`].
    pub fn check(&self, sky: &Sky) -> Result<()> {
        self.estimator().check(sky)
    }
}

fn wrong(path: &Path, problem: String) -> Error {
    Error::Stored { path: path.into(), problem }
}
