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
    metrics::reconstruction_errors,
};

/// Pixels solved by one task; fixed, so that nothing depends on the number of threads.
const BLOCK_PIXELS: usize = 256;

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
            Convention::Fcls | Convention::Rescaled => constrained(pixels, &self.endmembers, true),
            Convention::Nnls => constrained(pixels, &self.endmembers, false),
            Convention::UnitMax => Ok(constrained(pixels, &self.endmembers, false)?.closed()),
            convention @ Convention::Own => Err(no_own(convention)),
        }
    }

    /// The brightness of each pixel, and the root mean square error over bands of its model with these `abundances`.
    ///
    /// Brightness is one where the convention holds it (`fcls`) or abundances carry it (`nnls`), else the factor of least squares, not below
    /// nought: under `unit-max` that is the sum of the weights before they are divided by it.
    pub(crate) fn light(&self, pixels: &Pixels, abundances: &Abundances) -> Result<(Vec<f64>, Vec<f64>)> {
        same("bands of the endmembers", pixels.bands(), self.endmembers.bands())?;
        let brightness: Vec<f64> = if matches!(self.convention, Convention::Fcls | Convention::Nnls) {
            vec![1.0; pixels.count()]
        } else {
            let rows =
                pixels.values().par_chunks(pixels.bands()).zip(abundances.values.par_chunks(abundances.endmembers));
            rows.with_min_len(BLOCK_PIXELS)
                .map(|(spectrum, shares)| factor(&self.endmembers, spectrum, shares))
                .collect()
        };
        let rows = abundances.rows().zip(&brightness);
        let values = rows.flat_map(|(row, brightness)| row.iter().map(move |a| brightness * a)).collect();
        let weights = Abundances { values, endmembers: abundances.endmembers };
        let errors = reconstruction_errors(pixels, &self.endmembers, &weights)?;
        Ok((brightness, errors))
    }
}

/// What a mixture is multiplied by to fit a spectrum best.
fn factor(endmembers: &Endmembers, spectrum: &[f32], shares: &[f64]) -> f64 {
    let (mut along, mut square) = (0.0, 0.0);
    for (band, &value) in spectrum.iter().enumerate() {
        let mixture: f64 = endmembers.spectra().zip(shares).map(|(endmember, share)| share * endmember[band]).sum();
        along += mixture * f64::from(value);
        square += mixture * mixture;
    }
    if square > 0.0 { (along / square).max(0.0) } else { 0.0 }
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
            for (weights, spectrum) in weights.chunks_exact_mut(count).zip(spectra.chunks_exact(pixels.bands())) {
                correlate(endmembers, spectrum, &mut correlation);
                solver.solve(&correlation, weights, &mut work);
            }
        });
    Ok(Abundances { values, endmembers: count })
}

/// `E y` for one spectrum.
fn correlate(endmembers: &Endmembers, spectrum: &[f32], correlation: &mut [f64]) {
    /// Partial sums that the compiler can keep in one vector register.
    const LANES: usize = 8;
    for (correlation, endmember) in correlation.iter_mut().zip(endmembers.spectra()) {
        let mut partial = [0.0f64; LANES];
        let (spectra, rest) = (spectrum.chunks_exact(LANES), spectrum.chunks_exact(LANES).remainder());
        for (s, e) in spectra.zip(endmember.chunks_exact(LANES)) {
            for lane in 0..LANES {
                partial[lane] += f64::from(s[lane]) * e[lane];
            }
        }
        let tail = &endmember[endmember.len() - rest.len()..];
        *correlation = partial.iter().sum::<f64>() + rest.iter().zip(tail).map(|(&s, e)| f64::from(s) * e).sum::<f64>();
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
