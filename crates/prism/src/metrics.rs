//! How good an image is: against the truth, against another image, against the data.
//!
//! [`similarity`] and the errors of [`distortion`] work on tensors, on whatever device they are; resolution, phases and deviances are
//! sums in f64 on the host.

pub mod data_space;
pub mod distortion;
pub mod frc;
pub mod phase_error;
pub mod similarity;

pub use data_space::{deviance, r_factor};
pub use distortion::{mae, mse, nrmse, psnr, rmse, rmse_percent};
pub use frc::{Frc, Threshold};
pub use phase_error::{Alignment, PhaseError};
pub use similarity::{Similarity, ms_ssim, ssim};
