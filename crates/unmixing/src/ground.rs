//! The proving ground: scenes with a known answer, in families that no method was tuned on.
//!
//! A constant that is chosen with a benchmark in sight holds on that benchmark. Here are scenes of many kinds instead, made from a fixed
//! seed: half of every family is for choosing between methods and constants, half for nothing but reporting what came of it
//! ([`Recipe::half`]).

mod corruption;
mod family;
mod judged;
mod material;
mod nonlinear;
mod proof;
mod proving;
mod recipe;
mod standing;
mod variability;

pub use family::{Family, Half};
pub use judged::{Judged, LEVELS};
pub use material::Material;
pub use proof::Proof;
pub use proving::{Counted, Proving, ProvingConfig};
pub use recipe::{GroundScene, Recipe, suite};
pub use standing::{Numbers, Standing};
