//! [`TotalVariation`]: abundances of least squares and least variation, by a primal-dual method that knows its distance to the minimum.
//!
//! The method is algorithm 1 of A. Chambolle, T. Pock, "A first-order primal-dual algorithm for convex problems with applications to
//! imaging", J. Math. Imaging Vis. 40, 120 (2011), doi:10.1007/s10851-010-0251-1. Its step in the abundances is exact: one constrained least
//! squares problem a pixel, of the kind that pixels alone are. For a dual variable `p` within its balls the minimum over `A` of
//! `1/2 |Y - A E|^2 + <D^T p, A>` is below the minimum that is sought, and solved in the same way: the difference is a certificate.

use rayon::prelude::*;

use crate::{
    Endmembers, Pixels, Result, Usable,
    abundances::{BLOCK_PIXELS, correlate},
    active_set::{ActiveSet, Workspace},
    error::same,
};

/// Where a pixel has no neighbour.
pub(super) const NONE: usize = usize::MAX;
/// The largest eigenvalue of `D^T D` of any image is below this.
const LARGEST: f64 = 8.0;
/// Changes of abundances from which the two step sizes follow; the minimum does not depend on it.
const CHANGE: f64 = 0.05;

/// Which pixels lie beside each other.
#[derive(Clone, Debug)]
pub(crate) struct Neighbours {
    /// The pixels to the right of each and below it.
    pub(super) after: Vec<[usize; 2]>,
    /// The pixels to the left of each and above it.
    before: Vec<[usize; 2]>,
}

impl Neighbours {
    /// Of the usable pixels of an image.
    pub(crate) fn of(usable: &Usable) -> Self {
        let (rows, columns) = (usable.rows(), usable.columns());
        let mut number = vec![NONE; rows * columns];
        usable.places().enumerate().for_each(|(n, place)| number[place] = n);
        let places = || usable.places().map(|place| (place, place % columns, place / columns));
        let at = |wanted: bool, place: usize| if wanted { number[place] } else { NONE };
        Self {
            after: places()
                .map(|(place, column, row)| [at(column + 1 < columns, place + 1), at(row + 1 < rows, place + columns)])
                .collect(),
            before: places()
                .map(|(place, column, row)| {
                    [at(column > 0, place.wrapping_sub(1)), at(row > 0, place.wrapping_sub(columns))]
                })
                .collect(),
        }
    }
}

/// Abundances under way.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Iterate {
    /// `pixels x endmembers`.
    pub(crate) weights: Vec<f64>,
    /// The same, extrapolated.
    pub(crate) leading: Vec<f64>,
    /// For each pixel the pull of the one to the right and of the one below, `pixels x 2 x endmembers`.
    pub(crate) dual: Vec<f64>,
}

impl Iterate {
    /// These abundances with no pull between pixels.
    pub(crate) fn new(weights: Vec<f64>) -> Self {
        Self { leading: weights.clone(), dual: vec![0.0; 2 * weights.len()], weights }
    }
}

/// Least squares in some bands with a weight on the variation.
#[derive(Clone, Debug)]
pub(crate) struct TotalVariation {
    gram: Vec<f64>,
    /// `E y` of each pixel.
    correlation: Vec<f64>,
    /// `|Y|^2`.
    energy: f64,
    /// Numbers that are fitted: pixels times bands.
    values: f64,
    count: usize,
    sum_to_one: bool,
}

impl TotalVariation {
    /// In the bands that `keep` says.
    pub(crate) fn new(pixels: &Pixels, endmembers: &Endmembers, keep: &[bool], sum_to_one: bool) -> Result<Self> {
        same("bands of the endmembers", pixels.bands(), endmembers.bands())?;
        let (bands, count) = (pixels.bands(), endmembers.count());
        let kept = endmembers.values().iter().zip(keep.iter().cycle()).map(|(e, &keep)| if keep { *e } else { 0.0 });
        let kept = Endmembers::new(kept.collect(), bands)?;
        let mut correlation = vec![0.0; pixels.count() * count];
        correlation
            .par_chunks_mut(count)
            .zip(pixels.values().par_chunks(bands))
            .with_min_len(BLOCK_PIXELS)
            .for_each_init(
                || vec![0.0; bands],
                |wide, (correlation, spectrum)| correlate(&kept, spectrum, wide, correlation),
            );
        let square = |spectrum: &[f32]| {
            let kept = spectrum.iter().zip(keep).filter(|(_, keep)| **keep);
            kept.map(|(v, _)| f64::from(*v).powi(2)).sum::<f64>()
        };
        Ok(Self {
            gram: kept.gram(),
            correlation,
            energy: pixels.spectra().map(square).sum(),
            values: (pixels.count() * keep.iter().filter(|keep| **keep).count()) as f64,
            count,
            sum_to_one,
        })
    }

    /// Number of abundances.
    pub(crate) fn unknowns(&self) -> usize {
        self.correlation.len()
    }

    /// What a weight multiplies: the mean square norm of the endmembers, so that neither the scale of the scene nor the number of its bands
    /// counts.
    pub(crate) fn scale(&self) -> f64 {
        (0..self.count).map(|k| self.gram[k * self.count + k]).sum::<f64>() / self.count as f64
    }

    /// Every pixel alone.
    pub(crate) fn alone(&self) -> Vec<f64> {
        let solver = ActiveSet::new(self.gram.clone(), self.count, self.sum_to_one);
        let mut weights = vec![0.0; self.correlation.len()];
        let block = BLOCK_PIXELS * self.count;
        weights.par_chunks_mut(block).zip(self.correlation.par_chunks(block)).for_each(|(weights, correlation)| {
            let mut work = Workspace::default();
            let rows = weights.chunks_exact_mut(self.count).zip(correlation.chunks_exact(self.count));
            rows.for_each(|(weights, correlation)| solver.solve(correlation, weights, &mut work));
        });
        weights
    }

    /// Root mean square error of the model in these bands.
    pub(crate) fn error(&self, weights: &[f64]) -> f64 {
        let misfit = self.of_blocks(weights, |_, weights, correlation| self.misfit(weights, correlation));
        ((self.energy + 2.0 * misfit).max(0.0) / self.values).sqrt()
    }

    /// Makes so many iterations for `lambda`, which is positive.
    pub(crate) fn iterate(&self, neighbours: &Neighbours, lambda: f64, iterations: usize, at: &mut Iterate) {
        let count = self.count;
        let primal = CHANGE / (LARGEST.sqrt() * lambda);
        let dual = 1.0 / (LARGEST * primal);
        let mut gram = self.gram.clone();
        (0..count).for_each(|k| gram[k * count + k] += 1.0 / primal);
        let solver = ActiveSet::new(gram, count, self.sum_to_one);
        for _ in 0..iterations {
            let Iterate { weights, leading, dual: pulls } = &mut *at;
            let ahead = &*leading;
            pulls.par_chunks_mut(2 * count).enumerate().with_min_len(BLOCK_PIXELS).for_each(|(n, pulls)| {
                for (pull, &next) in pulls.chunks_exact_mut(count).zip(&neighbours.after[n]) {
                    if next != NONE {
                        let (own, other) = (&ahead[n * count..][..count], &ahead[next * count..][..count]);
                        let steps = pull.iter_mut().zip(other.iter().zip(own));
                        steps.for_each(|(pull, (other, own))| *pull += dual * (other - own));
                    }
                }
                let norm = pulls.iter().map(|p| p * p).sum::<f64>().sqrt();
                if norm > lambda {
                    pulls.iter_mut().for_each(|p| *p *= lambda / norm);
                }
            });
            let pulls = &*pulls;
            let block = BLOCK_PIXELS * count;
            weights.par_chunks_mut(block).zip(leading.par_chunks_mut(block)).enumerate().for_each(
                |(block, (weights, leading))| {
                    let (mut work, mut target, mut solved) = (Workspace::default(), vec![0.0; count], vec![0.0; count]);
                    let rows = weights.chunks_exact_mut(count).zip(leading.chunks_exact_mut(count));
                    for (i, (weights, leading)) in rows.enumerate() {
                        self.pulled(neighbours, pulls, block * BLOCK_PIXELS + i, &mut target);
                        target.iter_mut().zip(&*weights).for_each(|(t, w)| *t += w / primal);
                        solver.solve(&target, &mut solved, &mut work);
                        for ((weight, leading), solved) in weights.iter_mut().zip(leading).zip(&solved) {
                            *leading = 2.0 * solved - *weight;
                            *weight = *solved;
                        }
                    }
                },
            );
        }
    }

    /// How far the cost of these weights is from its minimum at most, relative to the cost.
    pub(crate) fn gap(&self, neighbours: &Neighbours, lambda: f64, at: &Iterate) -> f64 {
        let (count, half) = (self.count, 0.5 * self.energy);
        let variation = |n: usize, own: &[f64]| {
            let square = |&next: &usize| {
                let other = if next == NONE { own } else { &at.weights[next * count..][..count] };
                own.iter().zip(other).map(|(a, b)| (b - a).powi(2)).sum::<f64>()
            };
            neighbours.after[n].iter().map(square).sum::<f64>().sqrt()
        };
        let cost = half
            + self.of_blocks(&at.weights, |n, weights, correlation| {
                self.misfit(weights, correlation) + lambda * variation(n, weights)
            });
        let solver = ActiveSet::new(self.gram.clone(), count, self.sum_to_one);
        let least = half
            + self.of_blocks(&at.weights, |n, _, _| {
                let (mut target, mut solved) = (vec![0.0; count], vec![0.0; count]);
                self.pulled(neighbours, &at.dual, n, &mut target);
                solver.solve(&target, &mut solved, &mut Workspace::default());
                self.misfit(&solved, &target)
            });
        (cost - least) / cost.max(f64::MIN_POSITIVE)
    }

    /// `E y - D^T p` of one pixel.
    fn pulled(&self, neighbours: &Neighbours, pulls: &[f64], n: usize, target: &mut [f64]) {
        let count = self.count;
        target.copy_from_slice(&self.correlation[n * count..][..count]);
        for (direction, &previous) in neighbours.before[n].iter().enumerate() {
            let own = &pulls[(2 * n + direction) * count..][..count];
            target.iter_mut().zip(own).for_each(|(t, p)| *t += p);
            if previous != NONE {
                let pull = &pulls[(2 * previous + direction) * count..][..count];
                target.iter_mut().zip(pull).for_each(|(t, p)| *t -= p);
            }
        }
    }

    /// Half the squared error of a pixel without the part that no weights change: `1/2 a^T G a - a^T E y`.
    fn misfit(&self, weights: &[f64], correlation: &[f64]) -> f64 {
        let rows = self.gram.chunks_exact(self.count).zip(weights).zip(correlation);
        rows.map(|((row, a), c)| a * (0.5 * row.iter().zip(weights).map(|(g, w)| g * w).sum::<f64>() - c)).sum()
    }

    /// The sum over all pixels of what `of` makes of each, in an order that does not depend on the number of threads.
    fn of_blocks(&self, weights: &[f64], of: impl Fn(usize, &[f64], &[f64]) -> f64 + Sync) -> f64 {
        let block = BLOCK_PIXELS * self.count;
        let sums: Vec<f64> = weights
            .par_chunks(block)
            .zip(self.correlation.par_chunks(block))
            .enumerate()
            .map(|(block, (weights, correlation))| {
                let rows = weights.chunks_exact(self.count).zip(correlation.chunks_exact(self.count));
                rows.enumerate().map(|(i, (w, c))| of(block * BLOCK_PIXELS + i, w, c)).sum()
            })
            .collect();
        sums.iter().sum()
    }
}
