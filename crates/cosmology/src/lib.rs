//! Skies of the 21-cm line: their simulation, their power spectra, and what takes the foregrounds off.

mod background;
mod clean;
mod config;
mod error;
pub mod estimators;
mod evaluate;
mod healpix;
mod loader;
pub mod model;
pub mod network;
mod observation_chunks;
pub mod power;
mod preprocess;
mod read;
pub mod simulate;
mod sky;
mod training_skies;
mod units;
mod visibilities;

pub use background::{Background, LINE_MHZ, SPEED_OF_LIGHT_KM_S, frequency_mhz, redshift};
pub use clean::{Channels, CleanMethod, CleanedSky, clean};
pub use config::{FileCount, KEYS, ObservationsConfig};
pub use error::{Error, Result};
pub use evaluate::{Coverage, Evaluation, MapMetrics, Moments, Uncertainty, evaluate, evaluate_visibilities};
pub use healpix::{Healpix, Ordering};
pub use loader::{
    DEFAULT_HUBBLE_KM_S_MPC, ObservationBatch, ObservationFiles, ObservationParts, Observations, hubble_of_name,
};
pub use observation_chunks::ObservationChunks;
pub use preprocess::{NetworkLayout, Prepared, Preprocess, PreprocessConfig, TargetTransform};
pub use read::{
    Frequencies, Interpolation, Patch, ReadConfig, holds_visibilities, read_maps, read_plain, read_sky,
    read_visibilities,
};
pub use sky::{Geometry, Sky, frequency_axis, weights_of_flags};
pub use training_skies::TrainingSkies;
pub use units::{Conversion, Unit, beam_solid_angle_sr, jansky_per_steradian_kelvin};
pub use visibilities::Visibilities;
