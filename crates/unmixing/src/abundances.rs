//! How much of each endmember lies in each pixel, under a named convention.
//!
//! The convention decides more than the endmembers do: on Samson the same VCA spectra score 0.27 under one and 0.05
//! under another. It is therefore always named, and a run prints all of them.

use cupel_settings::choices;
use cupel_statistics::quantile;
use rayon::prelude::*;

use crate::{
    Endmembers, Error, Pixels, Result,
    active_set::{ActiveSet, Workspace},
    error::same,
};

/// Pixels solved by one task; fixed, so that nothing depends on the number of threads.
pub(crate) const BLOCK_PIXELS: usize = 256;

/// An abundance counts as near-pure from here on.
const NEAR_PURE: f64 = 0.9;
/// Where fewer pixels are near-pure, this share of the pixels with the largest abundances stands in.
const NEAR_PURE_SHARE: f64 = 0.02;

choices! {
    /// How abundances are defined.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    pub enum Convention {
        /// Fully constrained least squares: non-negative, sum to one, brightness fixed
        Fcls = "fcls",
        /// Non-negative least squares: abundances times brightness
        Nnls = "nnls",
        /// Non-negative on endmembers of unit maximum, divided by the sum in each pixel
        UnitMax = "unit-max",
        /// Fully constrained at the brightness of near-pure pixels
        Rescaled = "rescaled",
        /// As the method itself gives them, for methods that find endmembers and abundances together; with pmm, the posterior mean
        Own = "own" | "posterior",
    }
}

impl Convention {
    /// The conventions that any endmembers have, in the order of reports.
    ///
    /// The widespread ground truths of Samson, Jasper Ridge and Urban are made by [`Convention::UnitMax`].
    pub const OF_ENDMEMBERS: [Self; 4] = [Self::Fcls, Self::Nnls, Self::UnitMax, Self::Rescaled];

    /// What it means, as part of a sentence.
    pub(crate) fn meaning(self) -> String {
        let (first, rest) = self.help().split_at(1);
        format!("{}{rest} ({self})", first.to_lowercase())
    }
}

/// Abundances (`pixels x endmembers`), one row a pixel.
#[derive(Clone, Debug, PartialEq)]
pub struct Abundances {
    values: Vec<f64>,
    endmembers: usize,
}

impl Abundances {
    /// Rows of `endmembers` values each.
    ///
    /// # Errors
    /// A length that `endmembers` does not divide, no rows, values that are not finite.
    pub fn new(values: Vec<f64>, endmembers: usize) -> Result<Self> {
        let spectra = Endmembers::new(values, endmembers)?; // the same checks of a non-empty finite matrix
        Ok(Self { values: spectra.values().to_vec(), endmembers })
    }

    /// Solves all pixels.
    ///
    /// # Errors
    /// [`Error::Shape`] when the bands differ; [`Error::Setting`] for [`Convention::Own`], which only a method gives.
    pub fn solve(pixels: &Pixels, endmembers: &Endmembers, convention: Convention) -> Result<Self> {
        Solver::new(pixels, endmembers, convention)?.solve(pixels)
    }

    /// Number of pixels.
    pub fn count(&self) -> usize {
        self.values.len() / self.endmembers
    }

    /// Number of endmembers.
    pub fn endmembers(&self) -> usize {
        self.endmembers
    }

    /// All values, pixel after pixel.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Rows, one a pixel.
    pub fn rows(&self) -> std::slice::ChunksExact<'_, f64> {
        self.values.chunks_exact(self.endmembers)
    }

    /// The map of one endmember over all pixels.
    pub fn map(&self, endmember: usize) -> Vec<f64> {
        self.rows().map(|row| row[endmember]).collect()
    }

    /// The same with the endmembers in another order; `order[k]` is the old place of the new `k`-th.
    pub fn reordered(&self, order: &[usize]) -> Self {
        let values = self.rows().flat_map(|row| order.iter().map(move |&k| row[k])).collect();
        Self { values, endmembers: order.len() }
    }

    /// Every row divided by its sum; rows without a positive sum become even.
    pub fn closed(mut self) -> Self {
        let even = 1.0 / self.endmembers as f64;
        for row in self.values.chunks_exact_mut(self.endmembers) {
            let sum: f64 = row.iter().sum();
            row.iter_mut().for_each(|a| *a = if sum > 0.0 { *a / sum } else { even });
        }
        self
    }
}

/// A convention made ready for pixels that come in parts.
///
/// It models a pixel as `brightness sum_k a_k e_k`, with its own endmembers `e`: those that were found for `fcls`, `nnls` and `own`, of unit
/// maximum for `unit-max`, at the brightness of near-pure pixels for `rescaled`.
#[derive(Clone, Debug)]
pub(crate) struct Solver {
    convention: Convention,
    endmembers: Endmembers,
}

impl Solver {
    /// For pixels like those of `sample`, which decide the brightness where the convention needs one.
    pub(crate) fn new(sample: &Pixels, endmembers: &Endmembers, convention: Convention) -> Result<Self> {
        let endmembers = match convention {
            Convention::Fcls | Convention::Nnls | Convention::Own => endmembers.clone(),
            Convention::UnitMax => endmembers.unit_maximum(),
            Convention::Rescaled => rescaled(sample, endmembers)?,
        };
        Ok(Self { convention, endmembers })
    }

    /// For endmembers that are already as the convention has them.
    pub(crate) fn of_written(endmembers: Endmembers, convention: Convention) -> Self {
        Self { convention, endmembers }
    }

    /// Whether the weights that are solved for sum to one.
    pub(crate) fn sums_to_one(&self) -> bool {
        matches!(self.convention, Convention::Fcls | Convention::Rescaled)
    }

    /// Abundances of the weights that were solved for.
    pub(crate) fn of_weights(&self, weights: Abundances) -> Abundances {
        if self.convention == Convention::UnitMax { weights.closed() } else { weights }
    }

    pub(crate) fn convention(&self) -> Convention {
        self.convention
    }

    /// The endmembers that the abundances belong to.
    pub(crate) fn endmembers(&self) -> &Endmembers {
        &self.endmembers
    }

    /// Solves all of `pixels`.
    pub(crate) fn solve(&self, pixels: &Pixels) -> Result<Abundances> {
        match self.convention {
            convention @ Convention::Own => Err(no_own(convention)),
            _ => Ok(self.of_weights(constrained(pixels, &self.endmembers, self.sums_to_one())?)),
        }
    }

    /// The brightness of each pixel, and the root mean square error over bands of its model with these `abundances`.
    ///
    /// Brightness is one where the convention holds it (`fcls`) or abundances carry it (`nnls`), else the factor of least squares, not below
    /// nought: under `unit-max` that is the sum of the weights before they are divided by it.
    pub(crate) fn light(&self, pixels: &Pixels, abundances: &Abundances) -> Result<(Vec<f64>, Vec<f64>)> {
        let got = (abundances.count(), abundances.endmembers(), self.endmembers.bands());
        let expected = (pixels.count(), self.endmembers.count(), pixels.bands());
        same("(pixels, endmembers, bands) of a mixture", expected, got)?;
        let is_free = !matches!(self.convention, Convention::Fcls | Convention::Nnls);
        let (bands, count) = (pixels.bands(), abundances.endmembers);
        let (mut brightness, mut errors) = (vec![1.0; pixels.count()], vec![0.0; pixels.count()]);
        brightness
            .par_chunks_mut(BLOCK_PIXELS)
            .zip(errors.par_chunks_mut(BLOCK_PIXELS))
            .zip(pixels.values().par_chunks(BLOCK_PIXELS * bands))
            .zip(abundances.values.par_chunks(BLOCK_PIXELS * count))
            .for_each(|(((brightness, errors), spectra), shares)| {
                let (mut spectrum, mut mixture) = (vec![0.0; bands], vec![0.0; bands]);
                for (place, (brightness, error)) in brightness.iter_mut().zip(errors).enumerate() {
                    widen(&spectra[place * bands..(place + 1) * bands], &mut spectrum);
                    mix(&self.endmembers, &shares[place * count..(place + 1) * count], &mut mixture);
                    if is_free {
                        *brightness = factor(&mixture, &spectrum);
                    }
                    for (value, part) in spectrum.iter_mut().zip(&mixture) {
                        *value -= *brightness * part;
                    }
                    *error = (product(&spectrum, &spectrum) / bands as f64).sqrt();
                }
            });
        Ok((brightness, errors))
    }
}

/// What a mixture is multiplied by to fit a spectrum best.
fn factor(mixture: &[f64], spectrum: &[f64]) -> f64 {
    let square = product(mixture, mixture);
    if square > 0.0 { (product(mixture, spectrum) / square).max(0.0) } else { 0.0 }
}

/// A spectrum in f64.
fn widen(spectrum: &[f32], wide: &mut [f64]) {
    for (wide, &value) in wide.iter_mut().zip(spectrum) {
        *wide = f64::from(value);
    }
}

/// The sum of the endmembers, each times its share.
fn mix(endmembers: &Endmembers, shares: &[f64], mixture: &mut [f64]) {
    mixture.fill(0.0);
    for (endmember, share) in endmembers.spectra().zip(shares) {
        for (value, part) in mixture.iter_mut().zip(endmember) {
            *value += share * part;
        }
    }
}

/// The sum of the products of the values of two spectra.
fn product(a: &[f64], b: &[f64]) -> f64 {
    /// Partial sums that the compiler keeps in registers.
    const LANES: usize = 8;
    let ((a, of_a), (b, of_b)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut partial = [0.0f64; LANES];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            partial[lane] += a[lane] * b[lane];
        }
    }
    let mut rest = 0.0;
    for (a, b) in of_a.iter().zip(of_b) {
        rest += a * b;
    }
    partial.iter().sum::<f64>() + rest
}

fn no_own(convention: Convention) -> Error {
    let expected = "fcls, nnls, unit-max or rescaled: endmembers alone have no abundances of their own";
    Error::setting("abundance", convention, expected)
}

/// Per-pixel least squares on non-negative weights, summing to one where asked.
fn constrained(pixels: &Pixels, endmembers: &Endmembers, sum_to_one: bool) -> Result<Abundances> {
    same("bands of the endmembers", pixels.bands(), endmembers.bands())?;
    let count = endmembers.count();
    let solver = ActiveSet::new(endmembers.gram(), count, sum_to_one);
    let mut values = vec![0.0; pixels.count() * count];
    values
        .par_chunks_mut(BLOCK_PIXELS * count)
        .zip(pixels.values().par_chunks(BLOCK_PIXELS * pixels.bands()))
        .for_each(|(weights, spectra)| {
            let (mut work, mut correlation) = (Workspace::default(), vec![0.0; count]);
            let mut wide = vec![0.0; pixels.bands()];
            for (weights, spectrum) in weights.chunks_exact_mut(count).zip(spectra.chunks_exact(pixels.bands())) {
                correlate(endmembers, spectrum, &mut wide, &mut correlation);
                solver.solve(&correlation, weights, &mut work);
            }
        });
    Ok(Abundances { values, endmembers: count })
}

/// `E y` for one spectrum, which is left in `wide` in f64.
pub(crate) fn correlate(endmembers: &Endmembers, spectrum: &[f32], wide: &mut [f64], correlation: &mut [f64]) {
    widen(spectrum, wide);
    for (correlation, endmember) in correlation.iter_mut().zip(endmembers.spectra()) {
        *correlation = product(wide, endmember);
    }
}

/// Endmembers brought to the median brightness of their near-pure pixels, twice: first by shares that do not depend on
/// any scale, then by the fully constrained abundances at that scale.
fn rescaled(pixels: &Pixels, endmembers: &Endmembers) -> Result<Endmembers> {
    let first = at_scene_brightness(pixels, endmembers)?;
    let abundances = constrained(pixels, &first, true)?;
    Ok(brightened(pixels, &first, &abundances))
}

/// Endmembers scaled to the median norm of the pixels that are nearly them, by shares of unit-norm endmembers.
pub(crate) fn at_scene_brightness(pixels: &Pixels, endmembers: &Endmembers) -> Result<Endmembers> {
    let directions = endmembers.unit_norm();
    let shares = constrained(pixels, &directions, false)?.closed();
    Ok(brightened(pixels, &directions, &shares))
}

fn brightened(pixels: &Pixels, endmembers: &Endmembers, shares: &Abundances) -> Endmembers {
    let norm = |s: &[f32]| s.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt();
    let norms: Vec<f64> = pixels.spectra().map(norm).collect();
    let brightness: Vec<f64> = (0..endmembers.count())
        .map(|k| {
            let map = shares.map(k);
            let threshold = NEAR_PURE.min(quantile(&map, 1.0 - NEAR_PURE_SHARE));
            let near: Vec<f64> = norms.iter().zip(&map).filter(|(_, a)| **a >= threshold).map(|(n, _)| *n).collect();
            quantile(&near, 0.5)
        })
        .collect();
    endmembers.unit_norm().scaled(&brightness)
}
