//! Hyper-parameter search: spaces, samplers, pruners, and studies that several processes share.
//!
//! A [`Space`] lists parameters, a [`Study`] hands out [`Trial`]s and takes their results. It lives in a journal file
//! in the format of Optuna's `JournalStorage`, so `optuna.load_study` opens it, optuna-dashboard shows it, and workers
//! in Python and in Rust can share it. [`Sampler`] says how trials are chosen, [`Pruner`] when they end early.

mod distribution;
mod draws;
mod error;
mod importance;
mod journal;
mod pareto;
mod pruner;
mod record;
mod sampler;
mod sobol;
mod space;
mod study;
mod tpe;
mod trial;
mod value;

pub use distribution::Distribution;
pub use error::{Error, Result};
pub use importance::Importance;
pub use pruner::Pruner;
pub use record::{Attributes, Direction, Failure, Objective, Setting, State, StudyRecord, TrialRecord};
pub use sampler::Sampler;
pub use space::{Condition, Parameter, Space};
pub use study::{Outcome, Study, StudyConfig, read_studies};
pub use tpe::Tpe;
pub use trial::Trial;
pub use value::Value;
