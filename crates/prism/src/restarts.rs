//! Searches from other starts, where what was found cannot be all.
//!
//! The misfit of intensities has minima beside the deepest: of sparse objects a part may lie at the wrong place or be its own mirror image. What is
//! measured tells: squared errors are then many times what the noise explains. The search is then made anew from scattered values, which lead
//! elsewhere, until one explains the frames; else that counts which foretells the exposures held out best. No truth is looked at.

use burn::tensor::{DType, Device};
use cupel_data::Stream;
use cupel_train::{Advance, Policy, Run};

use crate::{
    Exposures, Model, ReconstructionConfig, Result, Search, certificate,
    named::Named,
    preview::Preview,
    search::{Found, units},
    start::{scattered, start},
};

/// Errors of exposures held out that differ by less are those of one minimum,
const SAME: f64 = 2e-3;
/// and one that was found so often is the deepest: the frames are not as they were said to be, and no start will change that.
const ENOUGH: usize = 3;

/// What the best of some searches found.
pub(crate) struct Searched {
    pub(crate) search: Search,
    pub(crate) found: Found,
    /// Searches that were made.
    pub(crate) starts: u64,
    /// Seconds of all of them, in all processes.
    pub(crate) seconds: f64,
}

/// Searches until one explains the frames or as many were made as `config` says.
pub(crate) fn searched(
    exposures: &Exposures,
    config: &ReconstructionConfig,
    seed: u64,
    on: (&Device, DType),
    run: &mut Run,
) -> Result<Searched> {
    let mut best: Option<(Search, Found, f64)> = None;
    let (mut errors, mut seconds, mut starts) = (Vec::new(), 0.0, 0);
    for number in 0..=config.restarts {
        let mut search = match number {
            0 => Search::new(exposures, config, seed, on)?,
            _ => from_elsewhere(exposures, config, seed, number, on)?,
        };
        let name = if number == 0 { search.name().to_owned() } else { format!("{}-{number}", search.name()) };
        let mut shown = Preview::new(&mut search, exposures, run);
        seconds +=
            run.drive(&mut Named { work: &mut shown, name, frames: &*exposures.frames }, &Policy::default())?.seconds;
        starts += 1;
        let film = shown.film()?;
        let found = Found { film, ..search.finish()? };
        let doubtful = certificate::doubtful(&search, &found)?;
        // without exposures held out the fit itself has to tell
        let error = found.tried.iter().map(|tried| tried.held_out).fold(f64::INFINITY, f64::min);
        errors.push(error);
        if !doubtful || best.as_ref().is_none_or(|(_, _, least)| error < *least) {
            best = Some((search, found, error));
        }
        let least = errors.iter().copied().fold(f64::INFINITY, f64::min);
        let found_before = errors.iter().filter(|error| **error <= least * (1.0 + SAME)).count();
        if !doubtful || found_before > ENOUGH {
            break;
        }
    }
    match best {
        Some((search, found, _)) => Ok(Searched { search, found, starts, seconds }),
        // one is made whatever the settings are
        None => Err(crate::Error::Shape { what: "searches", got: 0, wanted: 1 }),
    }
}

fn from_elsewhere(
    exposures: &Exposures,
    config: &ReconstructionConfig,
    seed: u64,
    number: u64,
    on: (&Device, DType),
) -> Result<Search> {
    let object = start(exposures, None)?;
    let units = units(exposures, &object);
    let object = scattered(exposures, &object, Stream::new(seed, "starts").child(number));
    Search::from_model(exposures, Model::new(exposures, object)?, crate::Free::OBJECT, units, config, seed, on)
}
