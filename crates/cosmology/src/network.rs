//! Networks that take the foregrounds off, and the losses that they are trained by.
//!
//! All of them map `[batch, channels, x, y, z]` to as many places. Weights and activations may be of low precision; normalisation, losses
//! and sums are f32. [`Residual`] is how they are used: it corrects the estimate of a linear filter. [`SkyFit`] trains one on prepared skies;
//! [`NetworkTraining`] prepares skies, trains several and calibrates them, and [`NetworkEstimator`] is what comes of it.

mod agreement;
mod complex;
mod config;
mod folder;
mod grid;
mod inputs;
mod levels;
mod looked;
mod losses;
mod network_estimator;
mod network_training;
mod observation_fit;
mod parts;
mod patches;
mod prepared_sky;
mod residual;
mod sky_fit;
mod train_config;
mod triple;
mod unet3d;
mod unet3d_v2;

pub use config::{BlockKind, Downsampling, NetworkActivation, NormKind, PadMode, UNet3dV2Config, Upsampling};
pub use inputs::NetworkInput;
pub use losses::{DelayLoss, LOG_VARIANCE_BOUND, LossKind, bounded_log_variance, gaussian_nll, log_cosh, log_mse, mse};
pub use network_estimator::NetworkEstimator;
pub use network_training::{NetworkRehearsal, NetworkTraining, Pairs, Score, SkyCounts, TrainedNetwork};
pub(crate) use observation_fit::{Looked as LookedObservation, PARTS, check_gaps, on_the_host, predict};
pub use observation_fit::{ObservationFit, ObservationLossConfig};
pub use patches::Patches;
pub use prepared_sky::PreparedSky;
pub use residual::{Estimate, Network, NetworkConfig, Residual, ResidualConfig};
pub use sky_fit::{Predicted, SkyFit, SkyFitConfig};
pub use train_config::{ModelVersion, NetworkTrainConfig, OptimizerKind, RateSchedule, Start};
pub use triple::Triple;
pub use unet3d::{UNet3d, UNet3dActivation, UNet3dConfig};
pub use unet3d_v2::UNet3dV2;
