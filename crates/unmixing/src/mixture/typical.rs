//! Endmembers of materials that vary: the most typical spectrum of each.
//!
//! Where materials vary, likelihood rewards endmembers outside of all pixels, since any cone that holds the spectra fits
//! them. An endmember is therefore taken as the mode of the spectra that are mostly its material, in a density of unit-norm
//! spectra with kernels as wide as the material is (its *spread*):
//! ```text
//! b_kn = exp(-|x_n - c_k|^2 / 2 s_k^2) / sum,   c_k <- sum_n b_kn x_n / |.|
//! ```
//! which is the mean shift of K. Fukunaga, L. Hostetler, IEEE Trans. Inf. Theory 21, 32 (1975), an expectation maximisation
//! (M. A. Carreira-Perpinan, IEEE TPAMI 29, 767 (2007)), and at the same time archetypal: endmembers are averages of pixels.

use rayon::prelude::*;

use crate::{Abundances, Convention, Endmembers, Pixels, Result};

/// A spectrum is mostly one material from this share on.
const MOSTLY: f64 = 0.7;
/// The spread of a material is measured on pixels of at least this share, or on the purest few.
const NEAR_PURE: f64 = 0.88;
const FEWEST: usize = 5;

/// The spectra that each endmember stands for.
pub(crate) struct Typical {
    /// Unit-norm spectra of the pixels that are mostly one material, per endmember, with their number.
    members: Vec<Vec<f32>>,
    bands: usize,
    /// Median distance of near-pure spectra from the endmember.
    pub(crate) spreads: Vec<f64>,
}

impl Typical {
    pub(crate) fn new(pixels: &Pixels, endmembers: &Endmembers) -> Result<Self> {
        let (bands, unit) = (pixels.bands(), endmembers.unit_norm());
        let shares = Abundances::solve(pixels, &unit, Convention::Nnls)?.closed();
        let (mut members, mut spreads) = (Vec::new(), Vec::new());
        for (k, endmember) in unit.spectra().enumerate() {
            let map = shares.map(k);
            let mut sorted = map.clone();
            sorted.sort_by(|a, b| b.total_cmp(a));
            let purest = sorted[FEWEST.min(sorted.len()) - 1];
            let unit_norm = |threshold: f64| -> Vec<f32> {
                (0..map.len()).filter(|&n| map[n] >= threshold).flat_map(|n| direction(pixels.spectrum(n))).collect()
            };
            let near = unit_norm(NEAR_PURE.min(purest));
            let mut distances: Vec<f64> =
                near.chunks_exact(bands).map(|spectrum| square_distance(spectrum, endmember).sqrt()).collect();
            distances.sort_by(f64::total_cmp);
            spreads.push(distances[distances.len() / 2]);
            members.push(unit_norm(MOSTLY.min(purest)));
        }
        Ok(Self { members, bands, spreads })
    }

    /// One step of all endmembers, which come back with unit norm.
    pub(crate) fn shift(&self, endmembers: &Endmembers) -> Result<Endmembers> {
        let moved: Vec<Vec<f64>> = (0..self.members.len())
            .into_par_iter()
            .map(|k| {
                let mut sum = vec![0.0; self.bands];
                for (spectrum, weight) in
                    self.members[k].chunks_exact(self.bands).zip(self.weights(k, endmembers.spectrum(k)))
                {
                    sum.iter_mut().zip(spectrum).for_each(|(s, x)| *s += weight * f64::from(*x));
                }
                sum
            })
            .collect();
        Ok(Endmembers::new(moved.concat(), self.bands)?.unit_norm())
    }

    /// Typical spectra without what mixing adds to them.
    ///
    /// Spectra that are mostly one material hold some of the others, and their mode leans that way, into the cone of the endmembers it
    /// began at. What lies in this cone is therefore taken as the endmember's own, and only what lies outside of it is kept:
    /// `c_k = (sum_j w_j) s_k + (t_k - sum_j w_j s_j)` for the typical spectrum `t_k` with non-negative weights `w_j` on the
    /// endmembers `s_j` before.
    pub(crate) fn unmixed(typical: &Endmembers, before: &Endmembers) -> Result<Endmembers> {
        let (bands, unit) = (before.bands(), before.unit_norm());
        let spectra: Vec<f32> = typical.values().iter().map(|v| *v as f32).collect();
        let weights = Abundances::solve(&Pixels::new(spectra.into(), bands)?, &unit, Convention::Nnls)?;
        let mut values = Vec::with_capacity(unit.values().len());
        for (k, (spectrum, weights)) in typical.spectra().zip(weights.rows()).enumerate() {
            let total: f64 = weights.iter().sum();
            values.extend((0..bands).map(|band| {
                let inside: f64 = weights.iter().zip(unit.spectra()).map(|(w, s)| w * s[band]).sum();
                total * unit.spectrum(k)[band] + spectrum[band] - inside
            }));
        }
        Ok(Endmembers::new(values, bands)?.unit_norm())
    }

    /// `exp(-d^2 / 2 s^2)` of every member from a unit-norm endmember.
    fn weights(&self, k: usize, endmember: &[f64]) -> Vec<f64> {
        // members that all agree have no spread, and equal weights
        let twice = 2.0 * self.spreads[k].powi(2).max(f64::MIN_POSITIVE);
        let distances: Vec<f64> =
            self.members[k].chunks_exact(self.bands).map(|spectrum| square_distance(spectrum, endmember)).collect();
        let least = distances.iter().copied().fold(f64::INFINITY, f64::min);
        distances.iter().map(|d| (-(d - least) / twice).exp()).collect()
    }

    /// How certain the endmembers are: for each its standard error in every band, and the variance of its error along one
    /// direction, both for unit-norm spectra.
    pub(crate) fn errors(&self, endmembers: &Endmembers) -> (Vec<f64>, Vec<f64>) {
        let (mut bands, mut along) = (Vec::new(), Vec::new());
        for (k, endmember) in endmembers.spectra().enumerate() {
            let weights = self.weights(k, endmember);
            let (sum, squares) = weights.iter().fold((0.0, 0.0), |(s, q), w| (s + w, q + w * w));
            let independent = (sum * sum / squares).max(1.0);
            let mut variances = vec![0.0; self.bands];
            for (spectrum, weight) in self.members[k].chunks_exact(self.bands).zip(&weights) {
                for ((v, x), c) in variances.iter_mut().zip(spectrum).zip(endmember) {
                    *v += weight / sum * (f64::from(*x) - c).powi(2);
                }
            }
            bands.extend(variances.iter().map(|v| (v / independent).sqrt()));
            along.push(self.spreads[k].powi(2) / independent);
        }
        (bands, along)
    }

    /// Mean square spread of the materials along one direction of the cone.
    pub(crate) fn variance(&self) -> f64 {
        let count = self.spreads.len() as f64;
        let square = self.spreads.iter().map(|s| s * s).sum::<f64>() / count;
        (square / (count - 1.0).max(1.0)).max(f64::MIN_POSITIVE)
    }
}

fn direction(spectrum: &[f32]) -> impl Iterator<Item = f32> {
    let norm = spectrum.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
    spectrum.iter().map(move |&v| (f64::from(v) / norm) as f32)
}

fn square_distance(spectrum: &[f32], endmember: &[f64]) -> f64 {
    spectrum.iter().zip(endmember).map(|(&x, c)| (f64::from(x) - c).powi(2)).sum()
}
