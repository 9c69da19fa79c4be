//! Hyperspectral unmixing: which materials a scene holds, how much of each in every pixel, and how many there are.
//!
//! [`Unmixing`] is the front door; [`Extraction`] looks for endmembers, [`Abundances`] finds their shares under a named
//! [`Convention`], [`suggest`] says how many endmembers there are, and a [`Source`] is a scene in memory or larger than that.

mod abundances;
mod active_set;
mod arrays;
mod assignment;
mod candidate;
mod citations;
mod comparison;
mod config;
mod driver;
mod edaa;
mod endmembers;
mod error;
mod extraction;
mod flagged;
mod ground;
mod image;
mod intimate;
mod large;
mod method;
mod metrics;
mod mixture;
mod negative;
mod networks;
mod nfindr;
mod noise;
mod number;
mod page;
mod pixels;
mod plan;
mod prepared;
mod preview;
mod published;
mod results;
mod scene;
mod signal;
mod simulate;
mod source;
mod spa;
mod spatial;
mod subspace;
mod summary;
mod sunsal;
mod unmixing;
mod vca;
mod virtual_dimension;

pub use abundances::{Abundances, Convention};
pub use assignment::assign;
pub use candidate::Proposal;
pub use comparison::{Comparison, Row};
pub use config::{ComparisonConfig, EndmemberCount, UnmixingConfig};
pub use endmembers::Endmembers;
pub use error::{Error, Result};
pub use extraction::{Alternative, Evidence, Extracted, Extraction, ExtractionConfig};
pub use ground::{
    Counted, Family, GroundScene, Half, Judged, LEVELS, Material, Numbers, Proof, Proving, ProvingConfig, Recipe,
    Standing, suite,
};
pub use image::Image;
pub use large::{AbundancePass, LargeScene, Survey, Surveyed};
pub use method::{Method, Space};
pub use metrics::{AbundanceErrors, Agreement, overall, reconstruction_errors, spectral_angle};
pub use mixture::{
    Compat, Fitted, Guide, Inference, Mixture, MixtureConfig, NoiseModel, Nuts, Posterior, Regime, Start, Variational,
    VariationalConfig, VariationalModel,
};
pub use negative::Negative;
pub use networks::{
    Cnnaeu, CnnaeuNet, Deeptrans, DeeptransNet, LinearAutoencoder, LinearNet, Misicnet, MisicnetBatch, MisicnetNet,
    Network,
};
pub use nfindr::nfindr;
pub use noise::Noise;
pub use number::{HeldOut, Search, Suggestion, suggest, suggest_for};
pub use pixels::Pixels;
pub use plan::Plan;
pub use published::{PUBLISHED, Published};
pub use results::{Match, Results};
pub use scene::{
    AxisOrder, BandRange, PixelOrder, Roi, RunBands, Scene, SceneFiles, SpectralLibrary, Truth, Usable, open_estimate,
    open_library,
};
pub use simulate::{dirichlet, mix, patches, smooth_endmembers};
pub use source::{Source, check_available};
pub use spa::spa;
pub use spatial::{Smoothed, Spatial};
pub use subspace::{Moments, Subspace};
pub use summary::{AbundanceRmse, Summary};
pub use sunsal::{SparseConfig, Sunsal, sparse_regression};
pub use unmixing::{Unmixed, Unmixing};
pub use vca::vca;
pub use virtual_dimension::{hfc, hysime};
