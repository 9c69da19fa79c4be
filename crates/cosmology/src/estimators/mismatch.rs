//! [`Mismatch`]: whether a sky is one of those that an estimator was made for.
//!
//! Two numbers are told apart. The `chi^2` of a ring, `x^T C^-1 x` per channel, sees any departure from the covariances `C` of the training, also one
//! that the filter takes away. The excess is the power of the estimate beyond what it should have, over the power of the error that the
//! estimator claims: `sum (|W x|^2 - tr W C W^T) / sum tr Sigma`. What it sees gets into the estimate, and makes the claimed error wrong; so
//! it decides what is refused. Both are measured against skies of the training that were left out of the fit.

use faer::Mat;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{LinearEstimator, linear::multiplied, matrix::Solver, posterior::Seen};
use crate::{Error, Result};

/// How far a sky lies from those that an estimator was made for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mismatch {
    /// The distance of the excess from that of the training skies over the most that is let pass: refused above 1. NaN where the estimator knows
    /// no training skies.
    pub score: f64,
    /// Whether the sky is so far away that the estimate or its error would be wrong.
    pub refused: bool,
    /// Power of the estimate beyond what it should have, over the power of the error.
    pub excess: f64,
    /// `x^T C^-1 x` per channel that is seen, over all modes.
    pub chi_square: f64,
    /// Ring by ring of multipoles, those in which the sky has modes.
    pub rings: Vec<RingMismatch>,
}

/// The same of one ring of multipoles.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RingMismatch {
    /// Middle of the multipoles.
    pub multipole: f64,
    /// `x^T C^-1 x` per channel, the mean over the modes of the ring; 1 is expected.
    pub chi_square: f64,
    /// Standard deviations from the mean of the training skies, in its logarithm; NaN where there are none.
    pub deviation: f64,
}

/// What skies of the training reach that were left out of the fit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Limits {
    /// Mean and standard deviation of the excess.
    pub(super) excess: [f64; 2],
    /// The largest distance from that mean in standard deviations.
    pub(super) most: f64,
    /// Mean and standard deviation of `ln chi^2` of each ring.
    pub(super) chi_square: Vec<[f64; 2]>,
}

/// Standard deviations that are let pass at least, and times the most of the training skies.
const LEAST: f64 = 4.0;
const BEYOND: f64 = 1.25;

/// What is measured of one sky: the excess, and in each ring `chi^2` per channel and modes.
#[derive(Clone, Debug)]
pub(super) struct Distance {
    pub(super) excess: f64,
    pub(super) rings: Vec<(f64, f64)>,
}

impl Limits {
    /// Of skies that were left out; nothing of fewer than three.
    pub(super) fn of(skies: &[Distance]) -> Option<Self> {
        if skies.len() < 3 {
            return None;
        }
        let spread = |values: Vec<f64>| {
            cupel_statistics::Spread::of(&values).map_or([f64::NAN; 2], |spread| [spread.mean, spread.sd])
        };
        let excess = spread(skies.iter().map(|sky| sky.excess).collect());
        let most = skies.iter().map(|sky| (sky.excess - excess[0]).abs() / excess[1]).fold(0.0, f64::max);
        let ring =
            |ring: usize| spread(skies.iter().map(|sky| sky.rings[ring].0.ln()).filter(|v| v.is_finite()).collect());
        Some(Self { excess, most, chi_square: (0..skies[0].rings.len()).map(ring).collect() })
    }
}

impl LinearEstimator {
    /// How far the modes of a sky are from what the covariances say.
    pub(super) fn measure(&self, seen: &Seen) -> Result<Distance> {
        let half = |(number, ring): (usize, &super::linear::Ring)| {
            let solver = Solver::new(&(&ring.signal + &ring.rest))
                .ok_or_else(|| Error::Covariance { ring: number, problem: "it is not positive definite".into() })?;
            Ok(solver.solve(&Mat::identity(ring.signal.nrows(), ring.signal.nrows())))
        };
        let inverses = self.rings.par_iter().enumerate().map(half).collect::<Result<Vec<_>>>()?;
        let whitened = multiplied(&seen.shells, &seen.rings, &inverses.iter().collect::<Vec<_>>(), &seen.modes);
        let estimate = self.estimated(seen, &seen.modes);
        let mut rings = vec![(0.0, 0.0); self.rings.len()];
        let (mut found, mut expected, mut claimed) = (0.0, 0.0, 0.0);
        for (shell, ring) in seen.shells.iter().zip(&seen.rings) {
            for mode in &shell.modes {
                let count = seen.plane.multiplicity(*mode);
                let pairs = seen.modes.line(*mode).iter().zip(whitened.line(*mode));
                rings[*ring].0 += count * pairs.map(|(x, y)| x.re * y.re + x.im * y.im).sum::<f64>();
                rings[*ring].1 += count;
                found += count * estimate.line(*mode).iter().map(|value| value.norm_sqr()).sum::<f64>();
            }
        }
        let channels = self.frequencies_mhz.len();
        let seen_channels = seen.dropped.iter().filter(|dropped| !**dropped).count();
        for (ring, sums) in self.rings.iter().zip(&mut rings).filter(|(_, sums)| sums.1 > 0.0) {
            sums.0 /= sums.1 * seen_channels as f64;
            let spectrum = &ring.filter * (&ring.signal + &ring.rest);
            let trace = |product: &dyn Fn(usize) -> f64| (0..channels).map(product).sum::<f64>();
            expected += sums.1 * trace(&|i| (0..channels).map(|j| spectrum[(i, j)] * ring.filter[(i, j)]).sum());
            claimed += sums.1 * trace(&|i| ring.posterior[(i, i)].max(0.0));
        }
        Ok(Distance { excess: (found - expected) / claimed, rings })
    }

    /// The same beside the limits of the training.
    pub(super) fn distance(&self, seen: &Seen) -> Result<Mismatch> {
        let Distance { excess, rings } = self.measure(seen)?;
        let (sum, count) =
            rings.iter().fold(
                (0.0, 0.0),
                |(sum, count), (chi, modes)| {
                    if *modes > 0.0 { (sum + chi * modes, count + modes) } else { (sum, count) }
                },
            );
        let ring = |(number, (chi_square, _)): (usize, &(f64, f64))| RingMismatch {
            multipole: self.multipoles.middle(number),
            chi_square: *chi_square,
            deviation: self.limits.as_ref().map_or(f64::NAN, |limits| {
                let [mean, sd] = limits.chi_square[number];
                (chi_square.ln() - mean) / sd
            }),
        };
        let score = self.limits.as_ref().map_or(f64::NAN, |limits| {
            let [mean, sd] = limits.excess;
            (excess - mean).abs() / sd / (BEYOND * limits.most).max(LEAST)
        });
        Ok(Mismatch {
            score,
            refused: score > 1.0,
            excess,
            chi_square: sum / count,
            rings: rings.iter().enumerate().filter(|(_, (_, modes))| *modes > 0.0).map(ring).collect(),
        })
    }
}
