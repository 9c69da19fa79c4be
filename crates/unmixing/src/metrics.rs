//! How near estimated endmembers and abundances are to the truth.
//!
//! One permutation serves both: the Hungarian assignment of least spectral angle. Matching spectra and maps apart
//! would be optimistic, and could pair the spectrum of one material with the map of another.

use serde::{Deserialize, Serialize};

use crate::{Abundances, Endmembers, Error, Pixels, Result, assign, error::same};

/// Angle between two spectra in radians, `arccos(a . b / |a| |b|)`, between 0 and pi.
///
/// A spectrum of zeros is at a right angle to everything.
///
/// # Panics
/// If the lengths differ.
pub fn spectral_angle(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len(), "two spectra of the same bands");
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let norms = (dot(a, a) * dot(b, b)).sqrt();
    // rounding may exceed one, whose arccos would not be a number
    if norms > 0.0 { (dot(a, b) / norms).clamp(-1.0, 1.0).acos() } else { std::f64::consts::FRAC_PI_2 }
}

/// Agreement of an estimate with the truth, in the order of the true endmembers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// `order[k]` is the estimated endmember that belongs to the true one `k`.
    pub order: Vec<usize>,
    /// Spectral angle distance of each true endmember in radians.
    pub sad_rad: Vec<f64>,
    /// Their mean.
    pub mean_sad_rad: f64,
}

impl Agreement {
    /// Matches `estimated` endmembers to the `truth`.
    ///
    /// # Errors
    /// [`Error::Shape`] when the bands differ, or fewer endmembers were estimated than are true.
    pub fn of(estimated: &Endmembers, truth: &Endmembers) -> Result<Self> {
        same("bands of the true endmembers", estimated.bands(), truth.bands())?;
        if estimated.count() < truth.count() {
            return Err(Error::Shape {
                what: "endmembers to compare with the truth",
                expected: format!("at least {}", truth.count()),
                got: estimated.count().to_string(),
            });
        }
        let cost: Vec<f64> =
            truth.spectra().flat_map(|t| estimated.spectra().map(move |e| spectral_angle(t, e))).collect();
        let order = assign(&cost, truth.count(), estimated.count());
        let sad_rad: Vec<f64> = order.iter().enumerate().map(|(t, &e)| cost[t * estimated.count() + e]).collect();
        let mean_sad_rad = sad_rad.iter().sum::<f64>() / sad_rad.len() as f64;
        Ok(Self { order, sad_rad, mean_sad_rad })
    }

    /// Errors of `estimated` abundances (in their own order) against the `truth`.
    ///
    /// # Errors
    /// [`Error::Shape`] when the pixels differ.
    pub fn abundance_errors(&self, estimated: &Abundances, truth: &Abundances) -> Result<AbundanceErrors> {
        let expected = (estimated.count(), self.order.len());
        same("true abundances (pixels, endmembers)", expected, (truth.count(), truth.endmembers()))?;
        let mut squares = vec![0.0; self.order.len()];
        for (estimated, truth) in estimated.rows().zip(truth.rows()) {
            for ((square, &from), truth) in squares.iter_mut().zip(&self.order).zip(truth) {
                *square += (estimated[from] - truth).powi(2);
            }
        }
        let (pixels, count) = (truth.count() as f64, squares.len() as f64);
        Ok(AbundanceErrors {
            overall: (squares.iter().sum::<f64>() / (pixels * count)).sqrt(),
            per_endmember: squares.iter().map(|s| (s / pixels).sqrt()).collect(),
        })
    }
}

/// Root mean square errors of abundances.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AbundanceErrors {
    /// Over all pixels and endmembers.
    pub overall: f64,
    /// Over all pixels, one an endmember, in the order of the truth.
    pub per_endmember: Vec<f64>,
}

/// Root mean square reconstruction error of each pixel over its bands.
///
/// # Errors
/// [`Error::Shape`] when pixels, bands or endmembers do not fit together.
pub fn reconstruction_errors(pixels: &Pixels, endmembers: &Endmembers, abundances: &Abundances) -> Result<Vec<f64>> {
    let got = (abundances.count(), abundances.endmembers(), endmembers.bands());
    let expected = (pixels.count(), endmembers.count(), pixels.bands());
    same("(pixels, endmembers, bands) of a reconstruction", expected, got)?;
    let mut modelled = vec![0.0; pixels.bands()];
    Ok(pixels
        .spectra()
        .zip(abundances.rows())
        .map(|(spectrum, weights)| {
            modelled.fill(0.0);
            for (endmember, weight) in endmembers.spectra().zip(weights) {
                modelled.iter_mut().zip(endmember).for_each(|(m, e)| *m += weight * e);
            }
            let sum: f64 = spectrum.iter().zip(&modelled).map(|(&s, m)| (f64::from(s) - m).powi(2)).sum();
            (sum / spectrum.len() as f64).sqrt()
        })
        .collect())
}

/// Root mean square of per-pixel root mean squares.
pub fn overall(errors: &[f64]) -> f64 {
    (errors.iter().map(|e| e * e).sum::<f64>() / errors.len().max(1) as f64).sqrt()
}

/// Mean angle between the endmembers of two sets, matched for the least sum.
pub(crate) fn mean_matched_angle(a: &Endmembers, b: &Endmembers) -> f64 {
    let places = matched(a, b).into_iter();
    places.zip(a.spectra()).map(|(place, a)| spectral_angle(a, b.spectrum(place))).sum::<f64>() / a.count() as f64
}

/// For every endmember of `a` the place of its match in `b`, at the least sum of angles.
pub(crate) fn matched(a: &Endmembers, b: &Endmembers) -> Vec<usize> {
    let cost: Vec<f64> = a.spectra().flat_map(|a| b.spectra().map(move |b| spectral_angle(a, b))).collect();
    assign(&cost, a.count(), b.count())
}
