//! A scene in its signal subspace, where candidates of any origin are compared on the same terms.

use cupel_pca::symmetric_eigen;
use cupel_statistics::quantile;

use crate::{
    Endmembers, Pixels, Result, Subspace,
    abundances::{Abundances, Convention},
    prepared::Prepared,
    virtual_dimension::hysime,
};

/// Most directions that are kept: beyond them scenes of few materials hold noise and sensor artefacts.
const MAX_RANK: usize = 20;
/// From this share on, a pixel counts as near-pure.
const NEAR_PURE: f64 = 0.88;
/// At least this many pixels stand for every endmember.
const FEWEST: usize = 5;
/// Pixels within this many standard deviations of the noise around an endmember's ray belong to it.
const NOISE_RADIUS: f64 = 2.0;
/// Share of the pixels that must lie within the noise of a ray before their mean replaces an extractor's spectrum.
const NOISE_SHARE: f64 = 0.02;
/// A best fit whose squared distance is this many times that of the noise is limited by the model, not by the noise.
const MISFIT_LIMITED: f64 = 10.0;

/// Bands count by the noise in them, but none as if it had less than this share of the median variance.
const LEAST_NOISE: f64 = 0.25;

/// The signal subspace of a scene, in which bands count by their noise, with the noise that is left there.
pub(crate) struct Signal {
    subspace: Subspace,
    /// What each band is multiplied by.
    weights: Vec<f64>,
    /// Variance of the noise along one direction.
    noise_variance: f64,
    /// How low an endmember may be in each band.
    floors: Vec<f64>,
}

/// Pixels with their coordinates in the signal subspace.
pub(crate) struct Placed {
    pixels: Pixels,
    coordinates: Pixels,
}

/// Each pixel as a non-negative sum of the unit-norm endmembers.
pub(crate) struct ConeFit {
    /// Shares of the endmembers, rows summing to one.
    pub(crate) shares: Abundances,
    /// Distance of each pixel from the cone.
    pub(crate) distances: Vec<f64>,
}

impl Signal {
    pub(crate) fn new(prepared: &Prepared, endmembers: usize) -> Result<Self> {
        let most = MAX_RANK.min(prepared.pixels.bands()).max(endmembers);
        let rank = hysime(&prepared.moments, &prepared.noise)?.clamp(endmembers, most);
        let variances = &prepared.noise.variances;
        let bands = variances.len();
        let left: f64 = prepared.moments.about_origin.values.iter().skip(endmembers).sum();
        let misfit = (left - variances.iter().sum::<f64>()).max(0.0) / bands as f64;
        let weights = weights(variances, misfit);
        let second: Vec<f64> = (0..bands * bands)
            .map(|at| weights[at / bands] * weights[at % bands] * prepared.moments.second[at])
            .collect();
        let vectors = symmetric_eigen(&second, bands)?.vectors;
        let subspace = Subspace::from_basis(vectors.into_iter().take(rank).collect(), bands);
        let power = weights.iter().zip(variances).map(|(w, v)| w * w * v).sum::<f64>();
        let floors = prepared.pixels.floors();
        Ok(Self { subspace, weights, noise_variance: power / bands as f64, floors })
    }

    /// Places pixels in the subspace.
    pub(crate) fn place(&self, pixels: &Pixels) -> Placed {
        let coordinates = self.subspace.project(&pixels.weighted(&self.weights)).iter().map(|c| *c as f32).collect();
        Placed { pixels: pixels.clone(), coordinates: Pixels::of_checked(coordinates, self.subspace.rank()) }
    }

    /// Unit-norm directions of the endmembers within the subspace.
    fn directions(&self, endmembers: &Endmembers) -> Result<Endmembers> {
        let values = endmembers.values().iter().zip(self.floors.iter().zip(&self.weights).cycle());
        let weighted = values.map(|(v, (floor, weight))| v.max(*floor) * weight).collect();
        let unit = Endmembers::new(weighted, endmembers.bands())?.unit_norm();
        let within = unit.spectra().flat_map(|s| self.subspace.coordinates(s)).collect();
        Ok(Endmembers::new(within, self.subspace.rank())?.unit_norm())
    }

    /// Fits every pixel by the cone of the endmembers, so that brightness does not count.
    pub(crate) fn cone(&self, placed: &Placed, endmembers: &Endmembers) -> Result<ConeFit> {
        let directions = self.directions(endmembers)?;
        let weights = Abundances::solve(&placed.coordinates, &directions, Convention::Nnls)?;
        let root = (self.subspace.rank() as f64).sqrt();
        let errors = crate::metrics::reconstruction_errors(&placed.coordinates, &directions, &weights)?;
        Ok(ConeFit { shares: weights.closed(), distances: errors.iter().map(|e| e * root).collect() })
    }

    /// Root mean square distance from a perfect cone that noise alone causes.
    pub(crate) fn noise_distance(&self) -> f64 {
        (self.subspace.rank() as f64 * self.noise_variance).sqrt()
    }

    /// Whether this fit of `endmembers` materials is limited by the model (materials that vary, nonlinear mixing)
    /// rather than by noise. A scene with no more signal directions than materials is a plain linear mixture.
    pub(crate) fn misfit_limited(&self, fit: &ConeFit, endmembers: usize) -> bool {
        self.subspace.rank() > endmembers && fit.mean_square() > MISFIT_LIMITED * self.noise_distance().powi(2)
    }

    /// Replaces every endmember by the mean spectrum of its near-pure pixels.
    ///
    /// An extractor hands over one pixel, noise and all, or an average that leans inwards. The mean of the pixels that
    /// agree with it is the typical spectrum of a material that varies, rather than its most extreme one.
    pub(crate) fn near_pure_means(&self, placed: &Placed, endmembers: &Endmembers) -> Result<Endmembers> {
        let fit = self.cone(placed, endmembers)?;
        self.means(placed, endmembers, |k| {
            let map = fit.shares.map(k);
            let mut sorted = map.clone();
            sorted.sort_by(|a, b| b.total_cmp(a));
            let threshold = NEAR_PURE.min(sorted[FEWEST.min(sorted.len()) - 1]);
            (0..map.len()).filter(|&n| map[n] >= threshold).collect()
        })
    }

    /// Replaces every endmember by the mean spectrum of the pixels that differ from it by noise only, where there are
    /// enough of them to be sure of that.
    pub(crate) fn within_noise_means(&self, placed: &Placed, endmembers: &Endmembers) -> Result<Endmembers> {
        let (fit, directions) = (self.cone(placed, endmembers)?, self.directions(endmembers)?);
        let fewest = (NOISE_SHARE * placed.pixels.count() as f64).ceil() as usize;
        self.means(placed, endmembers, |k| {
            let chosen = self.within_noise(placed, directions.spectrum(k), k, &fit);
            if chosen.len() < fewest { Vec::new() } else { chosen }
        })
    }

    /// Mean spectra of the pixels chosen for each endmember; an endmember without any stays.
    fn means(
        &self,
        placed: &Placed,
        endmembers: &Endmembers,
        choose: impl Fn(usize) -> Vec<usize>,
    ) -> Result<Endmembers> {
        let spectra = (0..endmembers.count())
            .flat_map(|k| mean_spectrum(&placed.pixels, &choose(k)).unwrap_or_else(|| endmembers.spectrum(k).to_vec()));
        Endmembers::new(spectra.collect(), endmembers.bands())
    }

    /// Pixels that differ from the ray of endmember `k` by no more than noise, and lean to no other endmember.
    fn within_noise(&self, placed: &Placed, direction: &[f64], k: usize, fit: &ConeFit) -> Vec<usize> {
        let radius = NOISE_RADIUS.powi(2) * (self.subspace.rank().max(2) - 1) as f64 * self.noise_variance;
        let belongs = |(spectrum, shares): (&[f32], &[f64])| {
            let along: f64 = spectrum.iter().zip(direction).map(|(&s, d)| f64::from(s) * d).sum();
            let square: f64 = spectrum.iter().map(|&s| f64::from(s).powi(2)).sum();
            along > 0.0 && square - along * along <= radius && shares.iter().all(|s| *s <= shares[k])
        };
        let rows = placed.coordinates.spectra().zip(fit.shares.rows());
        rows.enumerate().filter(|(_, row)| belongs(*row)).map(|(n, _)| n).collect()
    }
}

impl ConeFit {
    /// Mean entropy of the shares in nats: 0 where every pixel is pure, ln K where all are even.
    pub(crate) fn entropy(&self) -> f64 {
        let entropy = |row: &[f64]| -row.iter().filter(|s| **s > 0.0).map(|s| s * s.ln()).sum::<f64>();
        self.shares.rows().map(entropy).sum::<f64>() / self.distances.len() as f64
    }

    /// Mean distance from the cone.
    pub(crate) fn distance(&self) -> f64 {
        self.distances.iter().sum::<f64>() / self.distances.len() as f64
    }

    /// Mean squared distance from the cone.
    pub(crate) fn mean_square(&self) -> f64 {
        self.distances.iter().map(|d| d * d).sum::<f64>() / self.distances.len() as f64
    }
}

/// What bands with noise of these variances are multiplied by, about one in the median band. Where `misfit`, the variance that so many
/// endmembers leave beyond noise, is far above the noise, all bands count alike.
fn weights(variances: &[f64], misfit: f64) -> Vec<f64> {
    let median = quantile(variances, 0.5) + misfit;
    let weight = |v: &f64| (median / (v + misfit).max(LEAST_NOISE * median)).sqrt();
    variances.iter().map(|v| if median > 0.0 { weight(v) } else { 1.0 }).collect()
}

fn mean_spectrum(pixels: &Pixels, chosen: &[usize]) -> Option<Vec<f64>> {
    let mut mean = vec![0.0; pixels.bands()];
    for &n in chosen {
        mean.iter_mut().zip(pixels.spectrum(n)).for_each(|(m, &s)| *m += f64::from(s) / chosen.len() as f64);
    }
    (!chosen.is_empty()).then_some(mean)
}
