//! Devices, run folders, checkpoints and the one loop over work that stops, saves and resumes.
//!
//! [`device::select`] finds a device that really computes. A [`Run`] is the folder of one run; [`Run::drive`] advances
//! any [`Advance`] in it, saves [`Checkpoint`]s, and stops cleanly at a signal.

mod adamw;
mod advance;
mod average;
mod batch_size;
mod bounded_lbfgs;
mod checkpoint;
pub mod checks;
mod content;
#[cfg(feature = "tui")]
mod dashboard;
mod description;
pub mod device;
mod drive;
mod early_stopping;
mod environment;
mod error;
mod fit;
mod folder;
mod gradients;
mod history;
mod lbfgs;
mod lock;
mod loss_scaler;
mod losses;
mod matmul_precision;
mod metrics;
mod optimizer;
mod parameters;
mod performance;
mod precision;
mod probe;
mod progress;
#[cfg(feature = "remote")]
pub mod remote;
mod run;
mod schedule;
mod set;
mod stage;
pub mod stop;
mod tensorboard;
mod trainer;
mod weights;

pub use advance::{Advance, Computing, Position, Progress, fingerprint};
pub use average::WeightAverage;
pub use batch_size::estimate_batch_size;
pub use bounded_lbfgs::{BoundedLbfgs, BoundedLbfgsSettings, Descent, Objective};
pub use checkpoint::Checkpoint;
pub use description::{Change, Description};
pub use device::{DeviceReport, Selected};
pub use drive::{Driven, Policy};
pub use early_stopping::{EarlyStopping, Goal, Watch};
pub use environment::Environment;
pub use error::{Error, Result};
pub use fit::{Context, Fit, Loss, Next};
pub use history::{Epoch, History};
pub use lbfgs::{Lbfgs, LbfgsSettings};
pub use loss_scaler::LossScaler;
pub use matmul_precision::MatmulPrecision;
pub use metrics::Metrics;
pub use optimizer::Optimizer;
pub use parameters::{Parameter, parameters};
pub use performance::{PerformanceMonitor, Phase, memory};
pub use precision::{Casting, Precision, Work, full};
pub use run::{Opened, Opening, Run};
pub use schedule::{Progression, Schedule};
pub use set::{SetReader, SetWriter, Stamp};
pub use stage::{Clip, StageConfig};
pub use trainer::{NotFinite, Range, RangePoint, Trainer, TrainerConfig};
pub use weights::{export_safetensors, export_safetensors_bytes, import_safetensors, import_safetensors_bytes};
