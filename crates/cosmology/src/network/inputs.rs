//! What a network reads of a sky: [`NetworkInput`], and how it is made.

use cupel_data::Cube;
use cupel_pca::Modes;
use cupel_settings::choices;
use rayon::prelude::*;

use super::grid::Grid;
use crate::{CleanMethod, Result, Sky, clean, estimators::centred};

choices! {
    /// What a network reads of a sky, each on all its places.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum NetworkInput {
        /// The sky without its foregrounds, by its own principal components to each of several depths
        Pca = "pca",
        /// The estimate that is corrected
        Estimate = "estimate",
        /// Differences of neighbouring channels, in which foregrounds are weak (Shi et al. 2024, doi:10.1103/PhysRevD.109.063509)
        Difference = "difference",
        /// The sky itself, which says where foregrounds are bright
        Raw = "raw",
    }
}

/// The inputs of `sky` on the pixels of the network, `[input][frequency, row, column]`, in its unit and without the mean of each channel.
///
/// # Errors
/// What [`clean`] reports.
pub(super) fn inputs(
    kinds: &[NetworkInput],
    depths: &[usize],
    sky: &Sky,
    estimate: &Cube<f32>,
    grid: &Grid,
) -> Result<Vec<Vec<f64>>> {
    let shape = sky.cube().shape();
    let pixels = shape[1] * shape[2];
    let of_kind = |kind: &NetworkInput| -> Result<Vec<Vec<f64>>> {
        Ok(match kind {
            NetworkInput::Raw => vec![centred(sky.cube())],
            NetworkInput::Estimate => vec![estimate.values().iter().map(|value| f64::from(*value)).collect()],
            NetworkInput::Difference => vec![difference(&centred(sky.cube()), pixels)],
            NetworkInput::Pca => depths
                .par_iter()
                .map(|depth| Ok(centred(clean(sky, CleanMethod::Pca, Modes::Count(*depth))?.sky.cube())))
                .collect::<Result<_>>()?,
        })
    };
    let mut found = Vec::new();
    for kind in kinds {
        found.extend(of_kind(kind)?.iter().map(|planes| grid.down(planes)));
    }
    Ok(found)
}

/// The number of inputs.
pub(super) fn count(kinds: &[NetworkInput], depths: &[usize]) -> usize {
    kinds.iter().map(|kind| if *kind == NetworkInput::Pca { depths.len() } else { 1 }).sum()
}

/// Each channel less the one before it; the first has the difference of the second.
fn difference(planes: &[f64], pixels: usize) -> Vec<f64> {
    let at = |place: usize| {
        let place = if place < pixels { place + pixels } else { place };
        planes[place] - planes[place - pixels]
    };
    (0..planes.len()).map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_counted_and_differences_taken() {
        assert_eq!(count(&[NetworkInput::Raw, NetworkInput::Pca], &[2, 3, 5]), 4);
        assert_eq!(difference(&[1.0, 2.0, 4.0, 8.0, 9.0, 9.0], 2), [3.0, 6.0, 3.0, 6.0, 5.0, 1.0]);
    }
}
