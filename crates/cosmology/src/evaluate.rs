//! [`evaluate`]: how near an estimated sky is to the true one, as a map, scale by scale, and as far as it says how sure it is.
//!
//! Each channel loses its mean first, as components and interferometers take it anyway. With `t` and `e` the values that are left:
//! `NMSE = sum (e - t)^2 / sum t^2`, `r = sum t e / sqrt(sum t^2 sum e^2)`. Bins count all modes but `k = 0`, those that lost their power with the means
//! included, as published definitions do.

mod map;
mod uncertainty;

pub use map::{MapMetrics, Moments};
pub use uncertainty::{Coverage, Uncertainty};

use cupel_data::{Complex, Cube};
use serde::Serialize;

use crate::{
    Error, Result,
    power::{Binning, Bins, Comparison, DelayEstimator, Estimator, PowerConfig},
};

/// An estimated sky beside the true one. Numbers that do not exist are NaN, in JSON `null`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// As maps.
    #[serde(flatten)]
    pub map: MapMetrics,
    /// In bins of `|k|`; of visibilities whose baselines are not known there are none.
    pub k: Vec<Comparison>,
    /// In planes of `k_par`.
    pub k_par: Vec<Comparison>,
    /// Unit of both: `h/Mpc`, or `rad/cell` where nothing says how large the sky is.
    pub k_unit: &'static str,
    /// What must be said of the numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<&'static str>,
    /// Whether the errors that were said come true; where they were said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uncertainty: Option<Uncertainty>,
}

/// Compares an estimated sky with the true one, in the volume and under the taper and the weights of the estimator, which
/// [`PowerConfig::estimator`] makes; with the standard deviation that the estimate says of each value, where it says any.
///
/// # Errors
/// When a cube has other axes or another shape than the volume, a value that counts is not finite, or a standard deviation is not above zero.
///
/// # Example
/// ```
/// use cupel_cosmology::{evaluate, power::{PowerConfig, Volume}};
/// use cupel_data::{Axes, Axis, AxisKind, Cube, Stream};
/// # fn main() -> cupel_cosmology::Result<()> {
/// let kinds = [AxisKind::Frequency, AxisKind::Row, AxisKind::Column];
/// let mut values = vec![0.0_f32; 16 * 16 * 16];
/// Stream::new(1, "sky").fill_normal(&mut values);
/// let truth = Cube::new(values, Axes::new(kinds.map(|kind| Axis::new(kind, 16)).to_vec())?)?;
/// let config = PowerConfig::default();
/// let estimator = config.estimator(Volume::comoving([16; 3], [100.0; 3])?, None)?;
/// let half = evaluate(&truth, &truth.map(|value| value / 2.0), None, &estimator, &config)?;
/// assert!((half.map.r - 1.0).abs() < 1e-6 && (half.map.nmse - 0.25).abs() < 1e-6);
/// assert!(half.k.iter().filter(|bin| bin.modes > 6).all(|bin| (bin.t - 0.5).abs() < 1e-6));
/// # Ok(())
/// # }
/// ```
pub fn evaluate(
    truth: &Cube<f32>,
    estimate: &Cube<f32>,
    sigma: Option<&Cube<f32>>,
    estimator: &Estimator,
    config: &PowerConfig,
) -> Result<Evaluation> {
    let (t, e) = (estimator.centred(truth)?, estimator.centred(estimate)?);
    let plane = t.len() / estimator.volume().shape()[0];
    let weights = estimator.weights();
    let uncertainty = match sigma {
        Some(sigma) => Some(Uncertainty::new(&t, &e, &estimator.volume().values(sigma)?, weights)?),
        None => None,
    };
    let map = MapMetrics::new(&t, &e, weights, plane);
    let (truth, estimate) = (estimator.modes_of(t), estimator.modes_of(e));
    let compare = |binning: Binning| estimator.compare(&truth, &estimate, &binning);
    Ok(Evaluation {
        map,
        k: compare(Binning::Spherical(config.bins()))?,
        // one channel has nothing along the line of sight
        k_par: if estimator.volume().shape()[0] > 1 {
            compare(Binning::Parallel(Bins::Fundamental))?
        } else {
            Vec::new()
        },
        k_unit: estimator.volume().k_unit(),
        note: estimator.note(),
        uncertainty,
    })
}

/// Compares estimated visibilities with true ones: correlation and error of the numbers themselves, and delay by delay.
///
/// # Errors
/// As [`DelayEstimator::compare`].
pub fn evaluate_visibilities(
    truth: &Cube<Complex<f32>>,
    estimate: &Cube<Complex<f32>>,
    estimator: &DelayEstimator,
    config: &PowerConfig,
) -> Result<Evaluation> {
    let k_par = estimator.compare(truth, estimate, &Binning::Parallel(Bins::Fundamental))?;
    let k = match estimator.knows_baselines() {
        true => estimator.compare(truth, estimate, &Binning::Spherical(config.bins()))?,
        false => Vec::new(),
    };
    // real and imaginary parts are two maps, channel by channel
    let estimate = estimate.permuted(&truth.axes().kinds())?;
    let weights = estimator.weights_like(truth)?;
    let plane = truth.len();
    let parts = |cube: &Cube<Complex<f32>>| -> Vec<f64> {
        let of = |part: fn(&Complex<f32>) -> f32| cube.values().iter().map(move |value| f64::from(part(value)));
        of(|value| value.re).chain(of(|value| value.im)).collect()
    };
    let twice = weights.map(|weights| weights.repeat(2));
    let kept = |mut values: Vec<f64>| {
        if let Some(weights) = &twice {
            values.iter_mut().zip(weights).filter(|(_, weight)| **weight == 0.0).for_each(|(value, _)| *value = 0.0);
        }
        values
    };
    let map = MapMetrics::new(&kept(parts(truth)), &kept(parts(&estimate)), twice.as_deref(), plane);
    Ok(Evaluation { map, k, k_par, k_unit: "h/Mpc", note: None, uncertainty: None })
}

/// Where nothing counts there is nothing to say.
fn ratio(a: f64, b: f64) -> f64 {
    if b > 0.0 { a / b } else { f64::NAN }
}

impl std::fmt::Display for Evaluation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "r = {:.6}   NMSE = {:.6}", self.map.r, self.map.nmse)?;
        let k = format!("k [{}]", self.k_unit);
        writeln!(
            f,
            "{k:>16} {:>10} {:>14} {:>14} {:>10} {:>10} {:>14}",
            "modes", "P true", "P est", "T", "r", "P res/P true"
        )?;
        for bin in self.k.iter().filter(|bin| bin.modes > 0) {
            writeln!(
                f,
                "{:>16.5} {:>10} {:>14.6e} {:>14.6e} {:>10.4} {:>10.4} {:>14.5}",
                bin.k, bin.modes, bin.p_true, bin.p_est, bin.t, bin.r, bin.residual_ratio
            )?;
        }
        if self.k_unit == "rad/cell" {
            writeln!(f, "Nothing says how large the sky is: wave numbers are in radians per cell, not in h/Mpc.")?;
        }
        if let Some(uncertainty) = &self.uncertainty {
            writeln!(f, "{uncertainty}")?;
        }
        match self.note {
            Some(note) => writeln!(f, "{note}"),
            None => Ok(()),
        }
    }
}

/// An error where arrays that are compared have other lengths.
fn same_length(what: &'static str, got: usize, expected: usize) -> Result<()> {
    if got == expected {
        return Ok(());
    }
    Err(Error::Compared { what, got: vec![got], with: "the truth", expected: vec![expected] })
}
