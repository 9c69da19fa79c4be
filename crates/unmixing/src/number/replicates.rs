//! Endmembers of two disjoint halves of a scene, each judged on the other half.
//!
//! The best of several proposals is the one that the other half judges best, so its held-out error is slightly
//! optimistic; it is so for every number of endmembers, and only differences between them are used.

use cupel_data::Stream;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::HeldOut;
use crate::{
    Abundances, Convention, Endmembers, Moments, Noise, Pixels, Result, Subspace,
    edaa::{Columns, Edaa},
    metrics::{mean_matched_angle, reconstruction_errors},
    nfindr, spa,
};

/// Most pixels in one half: twenty of a material that covers one in a hundred, at seconds a suggestion.
const HALF_PIXELS: usize = 2000;
/// Most directions kept, as in the choice among candidates of an extraction.
const MAX_RANK: usize = 20;
/// Restarts of archetypal analysis for each half and number.
const RESTARTS: u32 = 12;
/// Alternations and steps of one restart: enough to tell numbers apart, half of what an extraction takes.
const ALTERNATIONS: usize = 30;
const STEPS: usize = 15;
/// Random starts of N-FINDR.
const NFINDR_STARTS: usize = 3;
/// Weight of the entropy of the shares against the logarithm of the distance.
const ENTROPY_WEIGHT: f64 = 0.7;
/// Distances below this fraction of the noise are all as good.
const NOISE_FLOOR: f64 = 0.3;
/// Distances below this fraction of the brightness are all as good: sensors are calibrated no better, and in noise-free
/// scenes the logarithm would otherwise reward digits that stand for nothing.
const BRIGHTNESS_FLOOR: f64 = 5e-3;
/// From this share on, a pixel counts as near-pure.
const NEAR_PURE: f64 = 0.88;

/// Two disjoint halves of a scene in its signal subspace.
pub(crate) struct Replicates {
    halves: [Half; 2],
    rank: usize,
    /// Distances far below this say nothing.
    floor: f64,
    /// Mean squared length per band of what lies outside the subspace.
    outside: f64,
    bands: usize,
    stream: Stream,
}

struct Half {
    /// Coordinates in the subspace, `pixels x rank`.
    coordinates: Pixels,
    /// The same at unit norm.
    directions: Pixels,
    columns: Columns,
}

/// One set of endmembers judged on the half that it does not come from.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Judged {
    endmembers: Endmembers,
    mean_square: f64,
    entropy: f64,
    near_pure: f64,
    score: f64,
}

impl Replicates {
    pub(crate) fn new(pixels: &Pixels, moments: &Moments, noise: &Noise, directions: usize, seed: u64) -> Self {
        let stream = Stream::new(seed, "number of endmembers");
        let bands = pixels.bands();
        let rank = directions.min(MAX_RANK).min(bands);
        let subspace = Subspace::about_origin(moments, rank);
        let order = stream.child(0).permutation(pixels.count());
        // a single pixel is its own replicate
        let size = (pixels.count() / 2).clamp(1, HALF_PIXELS);
        let part = |half: usize| pixels.select(&order[(half * size).min(order.len() - size)..][..size]);
        let parts = [part(0), part(1)];
        let halves = [0, 1].map(|half| Half::new(subspace.project(&parts[half]), rank));
        let power = |p: &Pixels| p.values().iter().map(|&v| f64::from(v).powi(2)).sum::<f64>();
        let (total, inside): (f64, f64) =
            (0..2).fold((0.0, 0.0), |(t, i), h| (t + power(&parts[h]), i + power(&halves[h].coordinates)));
        let variance = noise.variances.iter().sum::<f64>() / bands as f64;
        let brightness = (total / (2 * size) as f64).sqrt();
        Self {
            halves,
            rank,
            floor: (NOISE_FLOOR * (rank as f64 * variance).sqrt())
                .max(BRIGHTNESS_FLOOR * brightness)
                .max(f64::MIN_POSITIVE),
            outside: (total - inside).max(0.0) / (2 * size * bands) as f64,
            bands,
            stream,
        }
    }

    /// The largest number that the subspace and the pixels allow.
    pub(super) fn most(&self) -> usize {
        self.rank.min(self.halves[0].coordinates.count())
    }

    /// One number, after the one before.
    pub(super) fn held_out(&self, count: usize, before: Option<&[Judged; 2]>) -> Result<(HeldOut, [Judged; 2])> {
        let [a, b] = [0, 1].map(|half| self.best(half, count, before.map(|before| &before[half])));
        let (a, b) = (a?, b?);
        let mean = |f: fn(&Judged) -> f64| 0.5 * (f(&a) + f(&b));
        let held_out = HeldOut {
            endmembers: count,
            held_out_rmse: (mean(|j| j.mean_square) / self.bands as f64 + self.outside).sqrt(),
            instability_rad: mean_matched_angle(&a.endmembers, &b.endmembers),
            entropy: mean(|j| j.entropy),
            near_pure: mean(|j| j.near_pure),
            score: mean(|j| j.score),
        };
        Ok((held_out, [a, b]))
    }

    /// The endmembers from one half that predict the other best.
    fn best(&self, half: usize, count: usize, before: Option<&Judged>) -> Result<Judged> {
        let stream = self.stream.child(1).child(half as u64).child(count as u64);
        let (own, other) = (&self.halves[half], &self.halves[1 - half]);
        let runs = if count == 1 { 0 } else { RESTARTS };
        let mut proposals: Vec<Endmembers> = (0..runs)
            .into_par_iter()
            .with_max_len(1)
            .map(|restart| own.archetypes(count, stream.child(u64::from(restart))))
            .collect::<Result<_>>()?;
        proposals.push(if count == 1 { own.mean_direction()? } else { own.longest(count)? });
        if count > 1 {
            proposals.push(own.largest(count, stream.child(u64::from(RESTARTS)))?);
        }
        if let Some(before) = before {
            proposals.push(own.grown(&before.endmembers)?);
        }
        let judged: Vec<Judged> =
            proposals.into_par_iter().with_max_len(1).map(|e| other.judge(e, self.floor)).collect::<Result<_>>()?;
        let best = judged.iter().enumerate().min_by(|a, b| a.1.score.total_cmp(&b.1.score)).map_or(0, |(i, _)| i);
        Ok(judged[best].clone())
    }
}

impl Half {
    fn new(coordinates: Vec<f64>, rank: usize) -> Self {
        let values: Vec<f32> = coordinates.iter().map(|c| *c as f32).collect();
        let directions: Vec<f32> =
            coordinates.chunks_exact(rank).flat_map(|row| unit(row).into_iter().map(|v| v as f32)).collect();
        Self {
            coordinates: Pixels::of_checked(values, rank),
            columns: Columns::new(&directions, rank),
            directions: Pixels::of_checked(directions, rank),
        }
    }

    fn mean_direction(&self) -> Result<Endmembers> {
        let rank = self.directions.bands();
        let mut mean = vec![0.0; rank];
        self.directions.spectra().for_each(|row| mean.iter_mut().zip(row).for_each(|(m, &v)| *m += f64::from(v)));
        Endmembers::new(unit(&mean), rank)
    }

    /// Archetypal analysis of the directions.
    fn archetypes(&self, count: usize, stream: Stream) -> Result<Endmembers> {
        let settings = Edaa { endmembers: count, alternations: ALTERNATIONS, steps: STEPS };
        let found = settings.restart(&self.columns, stream);
        let (pixels, rank) = (self.directions.count(), self.directions.bands());
        let mut values = vec![0.0; count * rank];
        for (weights, row) in found.weights.chunks_exact(pixels).zip(values.chunks_exact_mut(rank)) {
            for (&weight, direction) in weights.iter().zip(self.directions.spectra()) {
                row.iter_mut().zip(direction).for_each(|(e, &d)| *e += f64::from(weight) * f64::from(d));
            }
        }
        Ok(Endmembers::new(values, rank)?.unit_norm())
    }

    /// Directions within as many dimensions as there are endmembers, which takes most of the noise off.
    fn denoised(&self, count: usize) -> Vec<f64> {
        let rank = self.coordinates.bands();
        let leading = |row: &[f32]| unit(&row[..count.min(rank)].iter().map(|&v| f64::from(v)).collect::<Vec<_>>());
        self.coordinates.spectra().flat_map(leading).collect()
    }

    fn at(&self, denoised: &[f64], count: usize, chosen: &[usize]) -> Result<Endmembers> {
        let rank = self.coordinates.bands();
        let padding = rank - count;
        let values = chosen.iter().flat_map(|&n| {
            denoised[n * count..(n + 1) * count].iter().copied().chain(std::iter::repeat_n(0.0, padding))
        });
        Endmembers::new(values.collect(), rank)
    }

    /// Successive projections.
    fn longest(&self, count: usize) -> Result<Endmembers> {
        let denoised = self.denoised(count);
        let chosen = spa::choose(&mut denoised.clone(), count, count);
        self.at(&denoised, count, &chosen)
    }

    /// N-FINDR, on directions without their first coordinate, which hardly varies.
    fn largest(&self, count: usize, stream: Stream) -> Result<Endmembers> {
        let denoised = self.denoised(count);
        let points: Vec<f64> = denoised.chunks_exact(count).flat_map(|row| row[1..].iter().copied()).collect();
        let chosen = nfindr::largest_simplex(&points, self.coordinates.count(), count, NFINDR_STARTS, stream);
        self.at(&denoised, count, &chosen)
    }

    /// One endmember more: the direction that the others miss most.
    fn grown(&self, endmembers: &Endmembers) -> Result<Endmembers> {
        let rank = self.directions.bands();
        let weights = Abundances::solve(&self.directions, endmembers, Convention::Nnls)?;
        let errors = reconstruction_errors(&self.directions, endmembers, &weights)?;
        let furthest = errors.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(n, _)| n);
        let values = endmembers.values().iter().copied();
        let values = values.chain(self.directions.spectrum(furthest).iter().map(|&v| f64::from(v))).collect();
        Endmembers::new(values, rank)
    }

    /// How well the cone of these endmembers holds the pixels of this half.
    fn judge(&self, endmembers: Endmembers, floor: f64) -> Result<Judged> {
        let weights = Abundances::solve(&self.coordinates, &endmembers, Convention::Nnls)?;
        let root = (self.coordinates.bands() as f64).sqrt();
        let distances: Vec<f64> =
            reconstruction_errors(&self.coordinates, &endmembers, &weights)?.iter().map(|e| e * root).collect();
        let pixels = distances.len() as f64;
        let shares = weights.closed();
        let entropy = |row: &[f64]| -row.iter().filter(|s| **s > 0.0).map(|s| s * s.ln()).sum::<f64>();
        let entropy = shares.rows().map(entropy).sum::<f64>() / pixels;
        let near_pure = |k: usize| shares.rows().filter(|row| row[k] >= NEAR_PURE).count() as f64 / pixels;
        let distance = distances.iter().sum::<f64>() / pixels;
        Ok(Judged {
            mean_square: distances.iter().map(|d| d * d).sum::<f64>() / pixels,
            entropy,
            near_pure: (0..endmembers.count()).map(near_pure).fold(1.0, f64::min),
            score: distance.hypot(floor).ln() + ENTROPY_WEIGHT * entropy,
            endmembers,
        })
    }
}

fn unit(vector: &[f64]) -> Vec<f64> {
    let norm = vector.iter().map(|v| v * v).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
    vector.iter().map(|v| v / norm).collect()
}
