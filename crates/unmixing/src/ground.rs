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
mod proving;
mod recipe;
mod variability;

pub use family::{Family, Half};
pub use judged::{Judged, LEVELS};
pub use material::Material;
pub use proving::{Counted, Numbers, Proof, Proving, ProvingConfig, Standing};
pub use recipe::{GroundScene, Recipe, suite};
