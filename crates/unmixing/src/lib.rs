//! Hyperspectral unmixing: which materials a scene holds, how much of each in every pixel, and how many there are.
//!
//! [`Unmixing`] is the front door; [`Extraction`] looks for endmembers, [`Abundances`] finds their shares under a named
//! [`Convention`], [`suggest`] says how many endmembers there are, [`Scene`] reads files and [`save`] writes results.

mod abundances;
mod active_set;
mod assignment;
mod candidate;
mod edaa;
mod endmembers;
mod error;
mod extraction;
mod image;
mod large;
mod method;
mod metrics;
mod mixture;
mod networks;
mod nfindr;
mod noise;
mod number;
mod outputs;
mod pixels;
mod prepared;
mod published;
mod scene;
mod signal;
mod simulate;
mod spa;
mod subspace;
mod summary;
mod sunsal;
mod unmixing;
mod vca;
mod virtual_dimension;

pub use abundances::{Abundances, Convention};
pub use assignment::assign;
pub use candidate::Proposal;
pub use endmembers::Endmembers;
pub use error::{Error, Result};
pub use extraction::{Evidence, Extracted, Extraction, ExtractionConfig};
pub use image::Image;
pub use large::{AbundancePass, LargeScene, Streamed, Survey};
pub use method::{Method, Space};
pub use metrics::{AbundanceErrors, Agreement, overall, reconstruction_errors, spectral_angle};
pub use mixture::{
    CALIBRATION, Fitted, Guide, Inference, Mixture, MixtureConfig, NoiseModel, Nuts, Posterior, Regime, Start,
    Variational, VariationalConfig, VariationalModel,
};
pub use networks::{
    Cnnaeu, CnnaeuNet, Deeptrans, DeeptransNet, LinearAutoencoder, LinearNet, Misicnet, MisicnetBatch, MisicnetNet,
    Network,
};
pub use nfindr::nfindr;
pub use noise::Noise;
pub use number::{HeldOut, Suggestion, suggest};
pub use outputs::{save, save_comparison};
pub use pixels::Pixels;
pub use published::{PUBLISHED, Published};
pub use scene::{Scene, Truth, open_estimate, open_library};
pub use simulate::{dirichlet, mix, patches, smooth_endmembers};
pub use spa::spa;
pub use subspace::{Moments, Subspace};
pub use summary::{AbundanceRmse, Row, Summary};
pub use sunsal::{SparseConfig, Sunsal, sparse_regression};
pub use unmixing::{Unmixed, Unmixing, UnmixingConfig};
pub use vca::vca;
pub use virtual_dimension::{hfc, hysime};
