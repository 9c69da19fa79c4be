//! The number of endmembers.

use serde::{Deserialize, Serialize};

use crate::{Moments, Noise, Pixels, Result, hfc, hysime};

/// One number of endmembers tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeldOut {
    /// The number.
    pub endmembers: usize,
    /// Error on held-out pixels.
    pub held_out_rmse: f64,
    /// Disagreement.
    pub instability_rad: f64,
}

/// A suggestion with its evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Suggestion {
    /// The number suggested.
    pub endmembers: usize,
    /// HySime.
    pub hysime: usize,
    /// HFC.
    pub hfc: usize,
    /// What was tried.
    pub candidates: Vec<HeldOut>,
    /// Why.
    pub reason: String,
}

/// Suggests.
///
/// # Errors
/// Moments.
pub fn suggest(pixels: &Pixels, most: usize, _seed: u64) -> Result<Suggestion> {
    let moments = Moments::of(pixels)?;
    let noise = Noise::from_moments(&moments, pixels.count());
    let hysime = hysime(&moments, &noise)?;
    let hfc = hfc(&moments, &noise, pixels.count(), 1e-3)?;
    Ok(Suggestion { endmembers: hysime.clamp(1, most), hysime, hfc, candidates: Vec::new(), reason: String::new() })
}
