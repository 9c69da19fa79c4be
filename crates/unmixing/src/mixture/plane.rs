//! Pixels as points among the endmembers, in as few coordinates as there are endmembers.

use burn::tensor::Device;
use cupel_statistics::quantile;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    Endmembers, Noise, Pixels, Result,
    subspace::{Moments, Subspace},
};

/// What limits the fit of a scene, which decides what the model is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Regime {
    /// Noise alone: the light is the same everywhere, and pixels are on a simplex.
    Even,
    /// Noise, under light that varies: pixels are in a cone.
    Lit,
    /// Materials that vary, more than noise: pixels are around a cone, and an endmember is a typical spectrum.
    Varied,
    /// Grains are mixed intimately: albedos of single scattering mix, and reflectances do not.
    Intimate,
}

/// The light varies where the pixels lie off a plane by this many times the variance that noise alone causes.
const UNEVEN: f64 = 10.0;
/// Materials vary where the strongest direction that mixing does not need has more than this many times the most power that white
/// noise has in any direction.
const BEYOND_NOISE: f64 = 1.15;
/// Noise is at least this, relative to the mean square of the scene: below it, f32 rounding is what is left.
const LEAST_NOISE: f64 = 1e-12;
/// Bands count by their noise, but none as if it had less than this share of the median variance.
const LEAST_OF_BAND: f64 = 1e-3;
/// Pixels darker than this share of the mean are taken as that bright: they say next to nothing either way.
const DARKEST: f64 = 1e-3;

/// Pixels as points, each with the variance of its noise along every coordinate.
pub(crate) struct Plane {
    subspace: Subspace,
    /// What bands are multiplied by, so that their noise is alike; nought where a band holds nothing.
    weights: Vec<f64>,
    /// `pixels x rank`.
    pub(crate) points: Vec<f64>,
    pub(crate) variances: Vec<f64>,
    /// Of the noise in weighted bands.
    noise_variance: f64,
    /// Where light varies, points are divided by their component along this direction.
    along: Option<Vec<f64>>,
    /// Where posteriors are computed, unless it is the host.
    device: Option<Device>,
}

impl Plane {
    /// The scene in the directions of the strongest signal, where nothing but white noise lies in the others, be it after bands are
    /// weighted by their own noise; else nothing.
    pub(crate) fn of_noise(pixels: &Pixels, endmembers: usize) -> Result<Option<(Self, Regime)>> {
        let moments = Moments::of(pixels)?;
        if let Some(found) = Self::of_white_noise(pixels, &moments, endmembers, vec![1.0; pixels.bands()]) {
            return Ok(Some(found));
        }
        let weights = weights(&Noise::from_moments(&moments, pixels.count()).variances, &moments);
        let weighted = pixels.weighted(&weights);
        Ok(Self::of_white_noise(&weighted, &Moments::of(&weighted)?, endmembers, weights))
    }

    /// The same of pixels that are weighted already.
    fn of_white_noise(
        pixels: &Pixels,
        moments: &Moments,
        endmembers: usize,
        weights: Vec<f64>,
    ) -> Option<(Self, Regime)> {
        let bands = weights.iter().filter(|weight| **weight > 0.0).count();
        let noise = noise_variance(pixels, moments, endmembers, bands);
        if materials_vary(pixels.count(), moments, endmembers, bands, noise) {
            return None;
        }
        let subspace = Subspace::about_origin(moments, endmembers);
        let points = subspace.project(pixels);
        let regime = if even(&points, endmembers, noise) { Regime::Even } else { Regime::Lit };
        let variances = vec![noise; pixels.count()];
        let mut plane = Self { subspace, weights, points, variances, noise_variance: noise, along: None, device: None };
        if regime == Regime::Lit {
            plane.divide();
        }
        Some((plane, regime))
    }

    /// The scene about the cone of these endmembers, whose materials vary by `variance` for spectra of unit brightness.
    pub(crate) fn of_variation(pixels: &Pixels, endmembers: &Endmembers, variance: f64) -> Self {
        let subspace = Subspace::spanned_by(endmembers);
        let points = subspace.project(pixels);
        let variances = vec![variance; pixels.count()];
        let weights = vec![1.0; pixels.bands()];
        let mut plane =
            Self { subspace, weights, points, variances, noise_variance: variance, along: None, device: None };
        plane.divide();
        plane.variances.fill(variance);
        plane
    }

    /// With posteriors computed there; on the host without.
    pub(crate) fn on(self, device: Option<Device>) -> Self {
        Self { device, ..self }
    }

    pub(crate) fn device(&self) -> Option<&Device> {
        self.device.as_ref()
    }

    pub(crate) fn rank(&self) -> usize {
        self.subspace.rank()
    }

    pub(crate) fn count(&self) -> usize {
        self.variances.len()
    }

    /// Divides every point by its component along the mean point.
    fn divide(&mut self) {
        let rank = self.rank();
        let mut mean = vec![0.0; rank];
        for point in self.points.chunks_exact(rank) {
            mean.iter_mut().zip(point).for_each(|(m, p)| *m += p);
        }
        let norm = mean.iter().map(|m| m * m).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
        mean.iter_mut().for_each(|m| *m /= norm);
        let darkest = DARKEST * norm / self.count() as f64;
        let along = &mean;
        self.points.par_chunks_mut(rank).zip(&mut self.variances).with_min_len(512).for_each(|(point, variance)| {
            let brightness = point.iter().zip(along).map(|(p, a)| p * a).sum::<f64>().max(darkest);
            point.iter_mut().for_each(|p| *p /= brightness);
            *variance /= brightness * brightness;
        });
        self.along = Some(mean);
    }

    /// Positions of endmembers among the points, and what they were divided by.
    pub(crate) fn place(&self, endmembers: &Endmembers) -> (Vec<f64>, Vec<f64>) {
        let mut positions = Vec::with_capacity(endmembers.count() * self.rank());
        let mut divisors = Vec::with_capacity(endmembers.count());
        for spectrum in endmembers.spectra() {
            let weighted: Vec<f64> = spectrum.iter().zip(&self.weights).map(|(s, w)| s * w).collect();
            let mut position = self.subspace.coordinates(&weighted);
            let divisor = self.along.as_ref().map_or(1.0, |along| {
                position.iter().zip(along).map(|(p, a)| p * a).sum::<f64>().max(f64::MIN_POSITIVE)
            });
            position.iter_mut().for_each(|p| *p /= divisor);
            positions.extend(position);
            divisors.push(divisor);
        }
        (positions, divisors)
    }

    /// What the positions of endmembers were divided by, with these endmembers `scaled`; those of an even light were by nothing.
    pub(crate) fn divisors(&self, regime: Regime, endmembers: &Endmembers, scaled: &Endmembers) -> Vec<f64> {
        if regime == Regime::Even {
            return scaled.norms().iter().zip(endmembers.norms()).map(|(s, e)| s / e.max(f64::MIN_POSITIVE)).collect();
        }
        self.place(scaled).1
    }

    /// Spectra at these positions; where light varies, of unit component along the mean.
    pub(crate) fn lift(&self, positions: &[f64], bands: usize) -> Result<Endmembers> {
        let spectra = positions.chunks_exact(self.rank()).flat_map(|position| {
            let spectrum = self.subspace.lift(position).into_iter().zip(&self.weights);
            spectrum.map(|(s, w)| if *w > 0.0 { s / w } else { 0.0 })
        });
        Endmembers::new(spectra.collect(), bands)
    }

    /// What an error of one in weighted bands is in each band.
    pub(crate) fn errors_of_bands(&self) -> impl Iterator<Item = f64> {
        self.weights.iter().map(|w| if *w > 0.0 { 1.0 / w } else { 0.0 })
    }

    /// Root mean square noise of the bands.
    pub(crate) fn noise(&self) -> f64 {
        let sum: f64 = self.errors_of_bands().map(|error| error * error).sum();
        (self.noise_variance * sum / self.weights.len() as f64).sqrt()
    }

    /// Some of the points, evenly spaced.
    pub(crate) fn indices(&self, most: usize) -> Vec<usize> {
        let step = self.count().div_ceil(most.max(1));
        (0..self.count()).step_by(step.max(1)).collect()
    }
}

/// Factors that make the noise of bands with these variances alike, one in the median band.
fn weights(variances: &[f64], moments: &Moments) -> Vec<f64> {
    let bands = variances.len();
    let holds: Vec<bool> = (0..bands).map(|i| moments.second[i * bands + i] > 0.0).collect();
    let of_those: Vec<f64> = variances.iter().zip(&holds).filter(|(_, holds)| **holds).map(|(v, _)| *v).collect();
    let median = quantile(&of_those, 0.5).max(f64::MIN_POSITIVE);
    let weight = |v: &f64| (median / v.max(LEAST_OF_BAND * median)).sqrt();
    variances.iter().zip(holds).map(|(v, holds)| if holds { weight(v) } else { 0.0 }).collect()
}

/// Variance of the noise in one of `bands` bands, from what lies outside the signal.
fn noise_variance(pixels: &Pixels, moments: &Moments, endmembers: usize, bands: usize) -> f64 {
    let values = &moments.about_origin.values;
    let power: f64 = values.iter().sum::<f64>() / bands as f64;
    let variance = if bands > endmembers {
        values.iter().skip(endmembers).sum::<f64>() / (bands - endmembers) as f64
    } else {
        // every direction holds signal: only the bands tell of each other's noise
        Noise::from_moments(moments, pixels.count()).variances.iter().sum::<f64>() / bands as f64
    };
    variance.max(LEAST_NOISE * power).max(f64::MIN_POSITIVE)
}

/// Whether there is more beyond the mixing of these many spectra than white noise: its second moments end at
/// `v (1 + sqrt(bands / pixels))^2` (V. A. Marchenko, L. A. Pastur, Mathematics of the USSR-Sbornik 1(4), 457, 1967).
fn materials_vary(pixels: usize, moments: &Moments, endmembers: usize, bands: usize, noise: f64) -> bool {
    let others = bands.saturating_sub(endmembers) as f64;
    let edge = noise * (1.0 + (others / pixels as f64).sqrt()).powi(2);
    moments.about_origin.values.get(endmembers).is_some_and(|strongest| *strongest > BEYOND_NOISE * edge)
}

/// Whether all points lie on a plane off the origin, to within the noise: then abundances sum to one at fixed brightness.
fn even(points: &[f64], rank: usize, noise: f64) -> bool {
    // h with x . h = 1 by least squares
    let count = (points.len() / rank) as f64;
    let mut second = vec![0.0; rank * rank];
    let mut mean = vec![0.0; rank];
    for point in points.chunks_exact(rank) {
        for (i, a) in point.iter().enumerate() {
            mean[i] += a / count;
            second[i * rank..(i + 1) * rank].iter_mut().zip(point).for_each(|(s, b)| *s += a * b / count);
        }
    }
    // what noise adds to the second moment would tilt the plane
    (0..rank)
        .for_each(|i| second[i * rank + i] = (second[i * rank + i] - noise).max(f64::EPSILON * second[i * rank + i]));
    let (inverse, _) = super::faces::inverse(&second, rank);
    let normal: Vec<f64> = (0..rank).map(|i| (0..rank).map(|j| inverse[i * rank + j] * mean[j]).sum()).collect();
    let off = |point: &[f64]| (point.iter().zip(&normal).map(|(p, h)| p * h).sum::<f64>() - 1.0).powi(2);
    let misfit = points.chunks_exact(rank).map(off).sum::<f64>() / count;
    misfit <= UNEVEN * noise * normal.iter().map(|h| h * h).sum::<f64>()
}

impl Subspace {
    /// The directions that endmembers span from the origin, as many as there are.
    pub(crate) fn spanned_by(endmembers: &Endmembers) -> Self {
        let mut basis: Vec<Vec<f64>> = Vec::with_capacity(endmembers.count());
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let unit = endmembers.unit_norm();
        for spectrum in unit.spectra() {
            let mut direction = spectrum.to_vec();
            // twice, so that rounding leaves them orthogonal
            for _ in 0..2 {
                for known in &basis {
                    let component = dot(known, &direction);
                    direction.iter_mut().zip(known).for_each(|(d, k)| *d -= component * k);
                }
            }
            let norm = dot(&direction, &direction).sqrt();
            if norm > 1e-9 {
                direction.iter_mut().for_each(|d| *d /= norm);
                basis.push(direction);
            }
        }
        Self::from_basis(basis, endmembers.bands())
    }
}
