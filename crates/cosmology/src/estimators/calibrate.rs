//! Intervals that hold what they promise, and limits of what is let pass, from skies that were left out of the fit.

use rayon::prelude::*;

use super::{
    LinearEstimator, Margin, Pair, SignalEstimator,
    learn::FOLDS,
    mismatch::{Distance, Limits},
};
use crate::Result;

/// Probabilities of intervals.
const LEVELS: [f64; 4] = [0.50, 0.68, 0.90, 0.95];
/// Most skies that are looked at.
const MOST: usize = 25;

/// Margins and limits, of skies that are each estimated by the estimator that has not seen its fold.
///
/// The margin of a level is the mean over skies of the standard deviations that hold this share of a sky: skies are exchangeable, values of one sky
/// are not.
pub(super) fn calibrated(
    of_others: &[LinearEstimator],
    skies: usize,
    pair: &(dyn Fn(usize) -> Result<Pair> + Sync),
) -> Result<(Vec<Margin>, Option<Limits>)> {
    let of_sky = |number: usize| -> Result<([f64; LEVELS.len()], Distance)> {
        let Pair { observed, signal } = pair(number)?;
        let estimator = &of_others[number % FOLDS];
        let estimate = estimator.estimate(&observed)?;
        let truth = super::plane_modes::centred(&signal);
        let said = estimate.signal.cube().values().iter().zip(estimate.sigma.values());
        let mut distances: Vec<f64> = truth
            .iter()
            .zip(said)
            .map(|(truth, (signal, sigma))| (truth - f64::from(*signal)).abs() / f64::from(*sigma))
            .collect();
        let last = distances.len() - 1;
        let quantiles = LEVELS.map(|level| {
            let place = ((level * distances.len() as f64).ceil() as usize).saturating_sub(1).min(last);
            *distances.select_nth_unstable_by(place, f64::total_cmp).1
        });
        let (estimator, seen) = estimator.see(&observed)?;
        Ok((quantiles, estimator.measure(&seen)?))
    };
    let found = (0..skies.min(MOST)).into_par_iter().map(of_sky).collect::<Result<Vec<_>>>()?;
    let margin = |(place, coverage): (usize, &f64)| {
        let sigmas = found.iter().map(|(quantiles, _)| quantiles[place]).sum::<f64>() / found.len() as f64;
        Margin { coverage: *coverage, sigmas }
    };
    let margins = LEVELS.iter().enumerate().map(margin).collect();
    let distances: Vec<Distance> = found.into_iter().map(|(_, distance)| distance).collect();
    Ok((margins, Limits::of(&distances)))
}
