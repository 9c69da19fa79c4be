//! Two reconstructions, each from every other exposure, compared ring by ring of their spectra ([`Frc`]); where they agree by less than 1/7 for good
//! (P. B. Rosenthal, R. Henderson, J. Mol. Biol. 333, 721 (2003), doi:10.1016/j.jmb.2003.07.013) the resolution ends.

use super::{refit::Refits, windows};
use crate::{Exposures, Geometry, Result, metrics::Frc};

/// Fewer exposures make no two halves that overlap.
const FEWEST: usize = 8;

/// Two fits to every other exposure, in the order of their distance from the middle so that both halves reach as far.
pub(super) fn correlation(exposures: &Exposures, refits: &Refits<'_>) -> Result<Option<Frc>> {
    let count = exposures.centres.len();
    if count < FEWEST {
        return Ok(None);
    }
    let order = crate::held_out::middle_out(&exposures.centres, &(0..count).collect::<Vec<_>>());
    let (mut halves, mut seen) = (Vec::new(), Vec::new());
    for first in 0..2 {
        let mut which: Vec<usize> = order.iter().skip(first).step_by(2).copied().collect();
        which.sort_unstable();
        let of_half =
            Exposures { centres: which.iter().map(|index| exposures.centres[*index]).collect(), ..exposures.clone() };
        seen.push(windows(&of_half).0);
        halves.push(refits.anew(exposures, &which)?);
    }
    // what neither half was shown tells of the prior, not of the exposures
    let known =
        |place: usize| exposures.optics.geometry == Geometry::Object || seen.iter().all(|seen| seen[place] > 0.0);
    Ok(Some(Frc::among(&halves[0], &halves[1], false, known)))
}
