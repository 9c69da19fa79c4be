//! Intervals that hold what they promise, power that is true, and limits of what is let pass, from skies that were left out of the fit.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    LinearEstimator, Margin, Pair, SignalEstimator,
    cells::Cells,
    learn::FOLDS,
    mismatch::{Distance, Limits},
};
use crate::Result;

/// Most skies that are looked at.
const MOST: usize = 50;

/// What skies say that were left out of the fit.
pub(super) struct Calibration {
    pub(super) margins: Vec<Margin>,
    pub(super) limits: Option<Limits>,
    pub(super) power: Vec<PowerRatio>,
}

/// The true power in a cell over that of the draws, from known signals, as mocks correct a cleaning in Cunnington et al., MNRAS 523, 2453 (2023), arXiv:2302.07034.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct PowerRatio {
    pub(super) ratio: f64,
    /// Its standard deviation: the scatter over skies over the square root of their number.
    pub(super) sigma: f64,
}

/// Margins, limits and the power, of skies that are each estimated by the estimator that has not seen its fold.
pub(super) fn calibrated(
    of_others: &[LinearEstimator],
    skies: usize,
    pair: &(dyn Fn(usize) -> Result<Pair> + Sync),
) -> Result<Calibration> {
    let cells = Cells::new(of_others[0].rings.len(), of_others[0].frequencies_mhz.len());
    let of_sky = |number: usize| -> Result<_> {
        let Pair { observed, signal } = pair(number)?;
        let estimator = &of_others[number % FOLDS];
        let estimate = estimator.estimate(&observed)?;
        let truth = super::plane_modes::centred(&signal);
        let said = estimate.signal.cube().values().iter().zip(estimate.sigma.values());
        let distances = truth
            .iter()
            .zip(said)
            .map(|(truth, (signal, sigma))| (truth - f64::from(*signal)).abs() / f64::from(*sigma))
            .collect();
        let (estimator, seen) = estimator.see(&observed)?;
        let found = cells.power(&seen, &estimator.estimated(&seen, &seen.modes));
        let unknown = cells.claimed(&seen, &estimator.rings, |ring| &ring.posterior);
        let truth = cells.power(&seen, &seen.plane.forward(&truth));
        let pairs =
            truth.iter().zip(found.iter().zip(unknown)).map(|(truth, (found, unknown))| [*truth, found + unknown]);
        Ok((Margin::held(distances), estimator.measure(&seen)?, pairs.collect::<Vec<_>>()))
    };
    let found = (0..skies.min(MOST)).into_par_iter().map(of_sky).collect::<Result<Vec<_>>>()?;
    let power = |cell: usize| PowerRatio::of(&found.iter().map(|(_, _, powers)| powers[cell]).collect::<Vec<_>>());
    let power = (0..cells.len()).map(power).collect();
    let margins = Margin::of_skies(&found.iter().map(|(held, ..)| *held).collect::<Vec<_>>());
    let distances: Vec<Distance> = found.into_iter().map(|(_, distance, _)| distance).collect();
    Ok(Calibration { margins, limits: Limits::of(&distances), power })
}

impl PowerRatio {
    /// Of [true, claimed] powers of skies.
    fn of(skies: &[[f64; 2]]) -> Self {
        let count = skies.len() as f64;
        let [truth, claimed] = [0, 1].map(|of: usize| skies.iter().map(|powers| powers[of]).sum::<f64>() / count);
        let ratio = truth / claimed;
        if !(ratio.is_finite() && ratio > 0.0) || skies.len() < 2 {
            return Self { ratio: 1.0, sigma: 0.0 };
        }
        let square = skies.iter().map(|[truth, claimed]| (truth - ratio * claimed).powi(2)).sum::<f64>();
        Self { ratio, sigma: (square / (count * (count - 1.0))).sqrt() / claimed }
    }
}
