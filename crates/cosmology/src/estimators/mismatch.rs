//! [`Mismatch`]: whether a sky is one of those that an estimator was made for.
//!
//! The `chi^2` of a ring, `x^T C^-1 x` per channel, sees any departure from the covariances `C` of the training, also one that the filter takes
//! away. What decides is the power of the estimate `W x` in cells of rings and wave numbers along frequency, against what skies of the training
//! have there that were left out of the fit. Foregrounds that get through add power in few cells; the sum of the cells that have far too much,
//! over the power of the error that is claimed, is by how much the error is larger. Noise adds little to cells full of signal, where it cannot be
//! seen, and much to others: the amplitude of the rest, `W R W^T`, is fitted to all cells. A lack of power says that the signal or the beam is
//! another.

use faer::Mat;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    LinearEstimator,
    cells::Cells,
    linear::{Ring, multiplied},
    matrix::Solver,
    posterior::Seen,
};
use crate::{Error, Result};

/// How far a sky lies from those that an estimator was made for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mismatch {
    /// `excess` or `lack` over the most that is let pass: refused above 1. NaN where the estimator knows no training skies.
    pub score: f64,
    /// Whether the sky is so far away that the estimate or its error would be wrong.
    pub refused: bool,
    /// By how much the power of the error is larger than claimed, over what is claimed, as far as it shows. Intervals of 68 % hold 60 % at 0.4.
    pub excess: f64,
    /// Power that the estimate lacks, over the power of the error.
    pub lack: f64,
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
    /// Mean and standard deviation of the logarithm of the power of the estimate over what is expected, in each cell; no number where there is none.
    pub(super) cells: Vec<Option<[f64; 2]>>,
    /// The same of the amplitude of the rest beyond 1.
    pub(super) rest: [f64; 2],
    /// The largest excess and lack.
    pub(super) most: [f64; 2],
    /// Mean and standard deviation of `ln chi^2` of each ring.
    pub(super) chi_square: Vec<[f64; 2]>,
}

/// Standard deviations from which a cell or an amplitude counts as another than in the training.
const FAR: f64 = 3.0;
/// The excess that is let pass: chosen on ten skies of each of five other kinds so that intervals of 68 % hold 62 % at least.
const EXCESS: f64 = 0.3;
/// The lack that is let pass, chosen on the same.
const LACK: f64 = 1.0;
/// What is let pass is this much more than the most of the training skies at least.
const BEYOND: f64 = 1.25;
/// Cells and wave numbers of less than this part of the largest power are rounding.
const ROUNDING: f64 = 1e-9;

/// What is measured of one sky.
#[derive(Clone, Debug)]
pub(super) struct Distance {
    /// The power of the estimate in each cell, what is expected of it, and its relative variance.
    cells: Vec<[f64; 3]>,
    /// The amplitude of the rest beyond 1, and the share of the rest in the power of the error that is claimed.
    rest: [f64; 2],
    /// The power of the error that is claimed.
    claimed: f64,
    /// In each ring `chi^2` per channel and modes.
    rings: Vec<(f64, f64)>,
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
        let ring =
            |ring: usize| spread(skies.iter().map(|sky| sky.rings[ring].0.ln()).filter(|v| v.is_finite()).collect());
        let cell = |cell: usize| {
            let [mean, sd] = spread(skies.iter().map(|sky| sky.ratio(cell)).collect());
            (mean.is_finite() && sd.is_finite()).then_some([mean, sd])
        };
        let mut limits = Self {
            cells: (0..skies[0].cells.len()).map(cell).collect(),
            rest: spread(skies.iter().map(|sky| sky.rest[0]).collect()),
            most: [0.0; 2],
            chi_square: (0..skies[0].rings.len()).map(ring).collect(),
        };
        for sky in skies {
            let found = limits.beyond(sky);
            limits.most = [limits.most[0].max(found[0]), limits.most[1].max(found[1])];
        }
        Some(limits)
    }

    /// The excess and the lack of a sky.
    fn beyond(&self, sky: &Distance) -> [f64; 2] {
        let (mut excess, mut lack) = (0.0, 0.0);
        for (cell, limits) in self.cells.iter().enumerate() {
            let (Some([mean, sd]), [found, expected, variance]) = (limits, sky.cells[cell]) else { continue };
            let z = (sky.ratio(cell) - mean) / sd.max(variance.sqrt());
            let off = (found - expected * mean.exp()) / sky.claimed;
            if z > FAR {
                excess += off;
            } else if z < -FAR {
                lack -= off;
            }
        }
        let [mean, sd] = self.rest;
        let louder = sky.rest[0] - mean;
        if louder > FAR * sd {
            excess = excess.max(louder * sky.rest[1]);
        }
        [excess, lack]
    }
}

impl Distance {
    /// The logarithm of the power in a cell over what is expected.
    fn ratio(&self, cell: usize) -> f64 {
        let [found, expected, _] = self.cells[cell];
        if expected > 0.0 { (found / expected).ln() } else { f64::NAN }
    }
}

impl LinearEstimator {
    /// How far the modes of a sky are from what the covariances say.
    pub(super) fn measure(&self, seen: &Seen) -> Result<Distance> {
        let half = |(number, ring): (usize, &Ring)| {
            let solver = Solver::new(&(&ring.signal + &ring.rest))
                .ok_or_else(|| Error::Covariance { ring: number, problem: "it is not positive definite".into() })?;
            Ok(solver.solve(&Mat::identity(ring.signal.nrows(), ring.signal.nrows())))
        };
        let inverses = self.rings.par_iter().enumerate().map(half).collect::<Result<Vec<_>>>()?;
        let whitened = multiplied(&seen.shells, &seen.rings, &inverses.iter().collect::<Vec<_>>(), &seen.modes);
        let modes = seen.modes_of_rings(self.rings.len());
        let mut rings: Vec<(f64, f64)> = modes.iter().map(|modes| (0.0, *modes)).collect();
        for (shell, ring) in seen.shells.iter().zip(&seen.rings) {
            for mode in &shell.modes {
                let pairs = seen.modes.line(*mode).iter().zip(whitened.line(*mode));
                let sum: f64 = pairs.map(|(x, y)| x.re * y.re + x.im * y.im).sum();
                rings[*ring].0 += seen.plane.multiplicity(*mode) * sum;
            }
        }
        let seen_channels = seen.dropped.iter().filter(|dropped| !**dropped).count();
        for sums in rings.iter_mut().filter(|sums| sums.1 > 0.0) {
            sums.0 /= sums.1 * seen_channels as f64;
        }
        let cells = Cells::new(self.rings.len(), self.frequencies_mhz.len());
        let (found, rest, claimed) = self.powers(seen, &cells, &modes);
        Ok(Distance { cells: found, rest, claimed, rings })
    }

    /// Power in cells, the amplitude of the rest with its share of the error, and the error that is claimed.
    fn powers(&self, seen: &Seen, cells: &Cells, modes: &[f64]) -> (Vec<[f64; 3]>, [f64; 2], f64) {
        let spectra = |ring: &Ring| {
            let through =
                |covariance: &Mat<f64>| cells.spectrum(&(&ring.filter * covariance * ring.filter.transpose()));
            let (signal, rest) = (through(&ring.signal), through(&ring.rest));
            (signal.iter().zip(&rest).map(|(s, r)| s + r).collect::<Vec<_>>(), rest, cells.spectrum(&ring.posterior))
        };
        let spectra: Vec<_> = self.rings.par_iter().map(spectra).collect();
        let largest = spectra.iter().flat_map(|(all, ..)| all).fold(0.0, |a: f64, b| a.max(*b));
        let found = cells.power(seen, &self.estimated(seen, &seen.modes));
        // per ring and wave number the power has this relative variance: two for each mode and its complex conjugate
        let relative = |ring: usize, wave: usize| 2.0 / (modes[ring] * cells.entries(wave));
        let mut sums: Vec<[f64; 3]> = found.into_iter().map(|found| [found, 0.0, 0.0]).collect();
        let (mut own, mut claimed) = (0.0, 0.0);
        for (ring, (all, rest, posterior)) in spectra.iter().enumerate().filter(|(ring, _)| modes[*ring] > 0.0) {
            for wave in 0..all.len() {
                let sum = &mut sums[cells.cell(ring, wave)];
                sum[1] += modes[ring] * all[wave];
                sum[2] += relative(ring, wave) * (modes[ring] * all[wave]).powi(2);
                own += modes[ring] * rest[wave];
                claimed += modes[ring] * posterior[wave];
            }
        }
        let sums: Vec<[f64; 3]> = sums
            .into_iter()
            .map(|[found, expected, variance]| match expected > ROUNDING * largest {
                true => [found, expected, variance / (expected * expected)],
                false => [found, 0.0, 0.0],
            })
            .collect();
        // each cell says how much louder the rest is; the best mean of them
        let mut rests = vec![0.0; sums.len()];
        for (ring, (_, rest, _)) in spectra.iter().enumerate().filter(|(ring, _)| modes[*ring] > 0.0) {
            rest.iter().enumerate().for_each(|(wave, rest)| rests[cells.cell(ring, wave)] += modes[ring] * rest);
        }
        let (mut louder, mut weights) = (0.0, 0.0);
        for ([found, expected, variance], rest) in sums.iter().zip(&rests).filter(|(sum, _)| sum[1] > 0.0) {
            let weight = rest / (variance * expected * expected);
            louder += weight * (found - expected);
            weights += weight * rest;
        }
        let louder = if weights > 0.0 { louder / weights } else { 0.0 };
        let share = if claimed > 0.0 { own / claimed } else { 0.0 };
        (sums, [louder, share], claimed)
    }

    /// The same beside the limits of the training.
    pub(super) fn distance(&self, seen: &Seen) -> Result<Mismatch> {
        let distance = self.measure(seen)?;
        let rings = &distance.rings;
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
        let [excess, lack] = self.limits.as_ref().map_or([f64::NAN; 2], |limits| limits.beyond(&distance));
        let score = self.limits.as_ref().map_or(f64::NAN, |limits| {
            let [most_excess, most_lack] = limits.most.map(|most| BEYOND * most);
            (excess / most_excess.max(EXCESS)).max(lack / most_lack.max(LACK))
        });
        Ok(Mismatch {
            score,
            refused: score > 1.0,
            excess,
            lack,
            chi_square: sum / count,
            rings: rings.iter().enumerate().filter(|(_, (_, modes))| *modes > 0.0).map(ring).collect(),
        })
    }
}
