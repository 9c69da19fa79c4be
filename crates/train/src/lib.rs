//! Devices, run folders, checkpoints and the one loop over work that stops, saves and resumes.
//!
//! [`device::select`] finds a device that really computes. A [`Run`] is the folder of one run; [`Run::drive`] advances
//! any [`Advance`] in it, saves [`Checkpoint`]s, and stops cleanly at a signal.

mod advance;
mod checkpoint;
mod config_changes;
pub mod device;
mod drive;
mod environment;
mod error;
mod lock;
mod metrics;
mod probe;
mod progress;
mod run;
mod set;
mod signal;

pub use advance::{Advance, Position, Progress, fingerprint};
pub use checkpoint::Checkpoint;
pub use device::{DeviceReport, Selected};
pub use drive::{Outcome, Policy};
pub use environment::Environment;
pub use error::{Error, Result};
pub use metrics::Metrics;
pub use run::Run;
pub use set::{SetReader, SetWriter, Stamp};
