//! What is known of a scene after the fit: abundances with intervals, endmembers with errors.

use rayon::prelude::*;

use super::{
    Regime,
    faces::{Affine, Faces, Sums, Work, inverse, number_of_faces},
    on_device,
    plane::Plane,
};
use crate::{Abundances, Result, error::same};

/// Pixels of one task; fixed, so that nothing depends on the number of threads.
const BLOCK_PIXELS: usize = 256;
/// How far the error that the model knows of and the disagreement of the extractors go into the scale of the intervals, chosen on the
/// half of the proving ground that is for choosing (`docs/results.md`).
const OWN: f64 = 0.15;
const OTHERS: f64 = 0.55;
/// The share of a normal distribution within one standard deviation, which [`Posterior::deviations`] mean.
const ONE_DEVIATION: f64 = 0.682_689_492_137;
/// The share that [`Posterior::lower`] and [`Posterior::upper`] are to hold.
const NINETY: f64 = 0.9;
/// No abundance is surer than this, against rounding.
const LEAST_SCALE: f64 = 1e-3;
/// Where all weights of a pixel are next to nothing, its shares are taken from the posterior mean.
const LEAST_WEIGHT: f64 = 1e-3;
/// Truths this near to the end of an interval count as within.
const ROUNDING: f64 = 1e-6;

/// What is known of a scene after the fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Posterior {
    /// What limits the fit.
    pub regime: Regime,
    /// Posterior mean of the abundances.
    pub abundances: Abundances,
    /// Half of the interval that is to hold 68.3 % of the true abundances, pixel after pixel.
    pub deviations: Vec<f64>,
    /// Middle of the interval of each abundance, before it is closed at nought and one.
    pub centres: Vec<f64>,
    /// Lower ends of intervals that are to hold the true abundance in 90 of 100 cases; nought where nought is not excluded.
    pub lower: Vec<f64>,
    /// Upper ends.
    pub upper: Vec<f64>,
    /// Standard error of each endmember in each band (`endmembers x bands`).
    pub endmember_errors: Vec<f64>,
    /// Logarithm of the evidence of each pixel, on average.
    pub ln_evidence: f64,
}

impl Posterior {
    /// The same with the endmembers in another order; `order[k]` is the old place of the new `k`-th.
    pub fn reordered(&self, order: &[usize]) -> Self {
        let count = self.abundances.endmembers();
        let bands = self.endmember_errors.len() / count;
        let columns = |values: &[f64]| -> Vec<f64> {
            values.chunks_exact(count).flat_map(|row| order.iter().map(move |&k| row[k])).collect()
        };
        Self {
            regime: self.regime,
            abundances: self.abundances.reordered(order),
            deviations: columns(&self.deviations),
            centres: columns(&self.centres),
            lower: columns(&self.lower),
            upper: columns(&self.upper),
            endmember_errors: order
                .iter()
                .flat_map(|&k| &self.endmember_errors[k * bands..(k + 1) * bands])
                .copied()
                .collect(),
            ln_evidence: self.ln_evidence,
        }
    }

    /// Share of the true abundances within their intervals, over all pixels and endmembers; `order` as in
    /// [`Agreement`](crate::Agreement).
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) when the pixels differ.
    pub fn coverage(&self, truth: &Abundances, order: &[usize]) -> Result<f64> {
        let count = self.abundances.endmembers();
        let expected = (self.abundances.count(), order.len());
        same("true abundances (pixels, endmembers)", expected, (truth.count(), truth.endmembers()))?;
        let within = truth.rows().enumerate().flat_map(|(n, row)| {
            row.iter().zip(order).filter(move |(truth, k)| {
                let at = n * count + **k;
                **truth >= self.lower[at] - ROUNDING && **truth <= self.upper[at] + ROUNDING
            })
        });
        Ok(within.count() as f64 / truth.values().len() as f64)
    }

    /// Lower and upper ends of intervals that are to hold `share` of the true abundances, closed at nought and one: those of Student's
    /// distribution with two degrees of freedom.
    pub fn interval(&self, share: f64) -> (Vec<f64>, Vec<f64>) {
        let width = heavy_tailed(share) / heavy_tailed(ONE_DEVIATION);
        let end = |sign: f64| -> Vec<f64> {
            let of = self.centres.iter().zip(&self.deviations);
            of.map(|(centre, deviation)| (centre + sign * width * deviation).clamp(0.0, 1.0)).collect()
        };
        (end(-1.0), end(1.0))
    }

    /// The same with intervals as wide as the error that the model knows of and the `disagreement` with other extractors of each abundance
    /// say together.
    ///
    /// A model knows the errors that follow from noise, if it is right. That endmembers are wrong altogether, it does not know; extractors that
    /// work on unlike principles differ where a scene leaves that open. Few of them, of unlike worth, make heavy tails.
    pub(crate) fn widened(mut self, disagreement: &[f64]) -> Self {
        let to_deviation = heavy_tailed(ONE_DEVIATION);
        for (deviation, disagreement) in self.deviations.iter_mut().zip(disagreement) {
            let known = deviation.min(1.0); // no error is larger
            *deviation = to_deviation * (OWN * known).hypot(OTHERS * disagreement).max(LEAST_SCALE);
        }
        self.alone()
    }

    /// The same with the intervals that follow from centres and deviations as they are.
    pub(crate) fn alone(mut self) -> Self {
        self.centres.iter_mut().for_each(|centre| *centre = centre.clamp(0.0, 1.0));
        (self.lower, self.upper) = self.interval(NINETY);
        self
    }

    /// Mean width of the intervals.
    pub fn mean_width(&self) -> f64 {
        self.upper.iter().zip(&self.lower).map(|(u, l)| u - l).sum::<f64>() / self.upper.len() as f64
    }
}

/// Half of the interval that holds `share` of Student's distribution with two degrees of freedom.
fn heavy_tailed(share: f64) -> f64 {
    share * (2.0 / (1.0 - share * share)).sqrt()
}

/// One pass over some points: what they say together, and mean abundances of each. All variances are multiplied by `inflation`.
///
/// # Errors
/// A device that cannot be read.
pub(crate) fn pass(
    plane: &Plane,
    positions: &[f64],
    count: usize,
    ln_faces: &[f64],
    chosen: Option<&[usize]>,
    inflation: f64,
) -> Result<(Sums, Vec<f64>)> {
    match plane.device() {
        Some(device) => on_device::pass(device, plane, (positions, count), ln_faces, chosen, inflation),
        None => Ok(on_host(plane, positions, count, ln_faces, chosen, inflation)),
    }
}

/// The same on the host.
pub(crate) fn on_host(
    plane: &Plane,
    positions: &[f64],
    count: usize,
    ln_faces: &[f64],
    chosen: Option<&[usize]>,
    inflation: f64,
) -> (Sums, Vec<f64>) {
    let (rank, faces) = (plane.rank(), Faces::new(positions, count));
    let number = chosen.map_or(plane.count(), <[usize]>::len);
    let mut means = vec![0.0; number * count];
    let parts: Vec<Sums> = means
        .par_chunks_mut(BLOCK_PIXELS * count)
        .enumerate()
        .map(|(block, means)| {
            let (mut work, mut sums) = (Work::default(), Sums::new(count, rank, number_of_faces(count)));
            for (i, mean) in means.chunks_exact_mut(count).enumerate() {
                let place = block * BLOCK_PIXELS + i;
                let n = chosen.map_or(place, |chosen| chosen[place]);
                let point = &plane.points[n * rank..(n + 1) * rank];
                faces.posterior(point, inflation * plane.variances[n], ln_faces, &mut work, &mut sums, mean);
            }
            sums
        })
        .collect();
    let mut total = Sums::new(count, rank, number_of_faces(count));
    parts.iter().for_each(|part| total.add(part));
    (total, means)
}

/// Mean square distance of some points from the simplex, per coordinate and in units of the variance, by shares that are cut off at
/// nought: at least what the best shares leave.
pub(crate) fn first_misfit(plane: &Plane, positions: &[f64], count: usize, chosen: &[usize]) -> f64 {
    let (rank, whole) = (plane.rank(), Whole::new(positions, count));
    let mut shares = vec![0.0; count];
    let sum: f64 = chosen
        .iter()
        .map(|&n| {
            let point = &plane.points[n * rank..(n + 1) * rank];
            whole.shares(point, &mut shares);
            shares.iter_mut().for_each(|w| *w = w.max(0.0));
            close(&mut shares, &vec![1.0; count]);
            let left = |j: usize| point[j] - (0..count).map(|k| shares[k] * positions[k * rank + j]).sum::<f64>();
            (0..rank).map(|j| left(j).powi(2)).sum::<f64>() / plane.variances[n]
        })
        .sum();
    sum / (chosen.len() * rank) as f64
}

/// How sure the positions of endmembers are: the covariance between them of their errors along any one direction.
pub(crate) enum Certainty<'a> {
    /// That of the fit itself.
    OfFit,
    /// These variances, independent of each other.
    Independent(&'a [f64]),
}

/// The posterior of all pixels, with the errors that follow from noise as deviations and without intervals: see [`Posterior::widened`]. `divisors` are what [`Plane::place`] divided the endmembers of the scene's brightness by.
pub(crate) fn posterior(
    plane: &Plane,
    regime: Regime,
    (positions, divisors): (&[f64], &[f64]),
    ln_faces: &[f64],
    certainty: &Certainty<'_>,
    endmember_errors: impl Fn(&[f64]) -> Vec<f64>,
) -> Result<Posterior> {
    let count = divisors.len();
    let (sums, means) = pass(plane, positions, count, ln_faces, None, 1.0)?;
    let errors: Vec<f64> = match certainty {
        Certainty::OfFit => {
            // materials that no pixel holds have no information of their own
            let trace: f64 = (0..count).map(|k| sums.weights[k * count + k]).sum();
            let mut information = sums.weights.clone();
            (0..count).for_each(|k| information[k * count + k] += f64::EPSILON * trace);
            inverse(&information, count).0
        }
        Certainty::Independent(variances) => {
            (0..count * count).map(|at| if at / count == at % count { variances[at / count] } else { 0.0 }).collect()
        }
    };
    let rank = plane.rank();
    let whole = Whole::new(positions, count);
    let mut values = means;
    let (mut deviations, mut centres) = (vec![0.0; values.len()], vec![0.0; values.len()]);
    values
        .par_chunks_mut(BLOCK_PIXELS * count)
        .zip(deviations.par_chunks_mut(BLOCK_PIXELS * count))
        .zip(centres.par_chunks_mut(BLOCK_PIXELS * count))
        .enumerate()
        .for_each(|(block, ((values, deviations), centres))| {
            let mut shares = vec![0.0; count];
            for (i, mean) in values.chunks_exact_mut(count).enumerate() {
                let n = block * BLOCK_PIXELS + i;
                let row = i * count..(i + 1) * count;
                let quadratic: f64 =
                    (0..count * count).map(|at| mean[at / count] * mean[at % count] * errors[at]).sum();
                let variance = plane.variances[n] + quadratic.max(0.0);
                whole.shares(&plane.points[n * rank..(n + 1) * rank], &mut shares);
                close(mean, divisors);
                let sum: f64 = shares.iter().zip(divisors).map(|(w, d)| w / d).sum();
                let least = LEAST_WEIGHT / divisors.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
                if sum > least {
                    shares.iter_mut().zip(divisors).for_each(|(w, d)| *w /= d * sum);
                } else {
                    shares.copy_from_slice(mean);
                }
                let sum = sum.max(least);
                for k in 0..count {
                    let deviation = (whole.variance(k, &shares, divisors) * variance).sqrt() / sum;
                    deviations[row.start + k] = deviation;
                    centres[row.start + k] = shares[k];
                }
            }
        });
    Ok(Posterior {
        regime,
        abundances: Abundances::new(values, count)?,
        lower: centres.clone(),
        upper: centres.clone(),
        deviations,
        centres,
        endmember_errors: endmember_errors(&errors),
        ln_evidence: sums.ln_evidence / plane.count() as f64,
    })
}

/// Shares at the scale of the plane as shares at the scene's brightness.
fn close(shares: &mut [f64], divisors: &[f64]) {
    shares.iter_mut().zip(divisors).for_each(|(w, d)| *w /= d);
    let sum: f64 = shares.iter().sum();
    shares.iter_mut().for_each(|w| *w /= sum);
}

/// The affine coordinates of points among all endmembers, not cut off anywhere.
struct Whole {
    last: Vec<f64>,
    /// `G^-1 D`, `(count - 1) x rank`.
    map: Vec<f64>,
    /// Covariance of the coordinates for noise of unit variance, `count x count`.
    covariance: Vec<f64>,
    count: usize,
}

impl Whole {
    fn new(positions: &[f64], count: usize) -> Self {
        let rank = positions.len() / count;
        let free = count - 1;
        let last = positions[free * rank..].to_vec();
        let edges: Vec<f64> = positions[..free * rank].iter().enumerate().map(|(at, p)| p - last[at % rank]).collect();
        let inverse = Affine::new(&edges, free, rank).inverse;
        let map = (0..free * rank)
            .map(|at| (0..free).map(|m| inverse[at / rank * free + m] * edges[m * rank + at % rank]).sum())
            .collect();
        let column = |i: usize, j: usize| match (i < free, j < free) {
            (true, true) => inverse[i * free + j],
            (true, false) => -(0..free).map(|m| inverse[i * free + m]).sum::<f64>(),
            (false, true) => -(0..free).map(|m| inverse[m * free + j]).sum::<f64>(),
            (false, false) => inverse.iter().sum(),
        };
        let covariance = (0..count * count).map(|at| column(at / count, at % count)).collect();
        Self { last, map, covariance, count }
    }

    fn shares(&self, point: &[f64], shares: &mut [f64]) {
        let rank = self.last.len();
        let mut rest = 1.0;
        for (share, row) in shares.iter_mut().zip(self.map.chunks_exact(rank)) {
            *share = row.iter().zip(point).zip(&self.last).map(|((m, p), l)| m * (p - l)).sum();
            rest -= *share;
        }
        shares[self.count - 1] = rest;
    }

    /// Variance of the closed share `k` for noise of unit variance, but for the square of the sum that it is divided by.
    fn variance(&self, k: usize, shares: &[f64], divisors: &[f64]) -> f64 {
        let derivative = |j: usize| (f64::from(u8::from(j == k)) - shares[k]) / divisors[j];
        let row = |i: usize| (0..self.count).map(|j| self.covariance[i * self.count + j] * derivative(j)).sum::<f64>();
        (0..self.count).map(|i| derivative(i) * row(i)).sum::<f64>().max(0.0)
    }
}

/// The errors of endmembers in every band, from those along one direction.
pub(crate) fn band_errors(errors: &[f64], plane: &Plane, divisors: &[f64]) -> Vec<f64> {
    let count = divisors.len();
    (0..count)
        .flat_map(|k| {
            let error = errors[k * count + k].max(0.0).sqrt() * divisors[k];
            plane.errors_of_bands().map(move |of_band| error * of_band)
        })
        .collect()
}
