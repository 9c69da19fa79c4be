//! [`MapMetrics`]: how near two maps are, value by value.

use rayon::prelude::*;
use serde::Serialize;

use super::ratio;

/// An estimate beside the truth, value by value, weighted where there are weights.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MapMetrics {
    /// Correlation (Pearson).
    pub r: f64,
    /// Mean squared error over the mean square of the truth.
    pub nmse: f64,
    /// Mean squared error in the unit of the sky squared.
    pub mse: f64,
    /// Rms of the estimate over that of the truth, channel by channel.
    pub rms_ratio: Vec<f64>,
    /// How the true values are distributed.
    pub truth: Moments,
    /// How the estimated ones are.
    pub estimate: Moments,
    /// How their differences, estimate less truth, are.
    pub residual: Moments,
}

/// Rms and shape of a distribution of mean zero.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Moments {
    /// Root mean square.
    pub rms: f64,
    /// `<x^3> / rms^3`; 0 of a normal distribution.
    pub skewness: f64,
    /// `<x^4> / rms^4 - 3`; 0 of a normal distribution.
    pub excess_kurtosis: f64,
}

/// Weighted sums of one channel: of weights, of `t e`, and of powers 2, 3 and 4 of `t`, `e` and `e - t`.
#[derive(Clone, Copy, Default)]
struct Sums {
    weights: f64,
    common: f64,
    powers: [[f64; 3]; 3],
}

impl MapMetrics {
    /// Of values of mean zero in channels of `plane` values.
    pub(super) fn new(truth: &[f64], estimate: &[f64], weights: Option<&[f64]>, plane: usize) -> Self {
        let of_channel = |channel: usize| {
            let range = channel * plane..(channel + 1) * plane;
            let mut sums = Sums::default();
            for i in range {
                let (t, e, weight) = (truth[i], estimate[i], weights.map_or(1.0, |weights| weights[i]));
                sums.weights += weight;
                sums.common += weight * t * e;
                for (powers, x) in sums.powers.iter_mut().zip([t, e, e - t]) {
                    let square = weight * x * x;
                    powers.iter_mut().zip([square, square * x, square * x * x]).for_each(|(sum, x)| *sum += x);
                }
            }
            sums
        };
        let channels: Vec<Sums> = (0..truth.len() / plane.max(1)).into_par_iter().map(of_channel).collect();
        let rms_ratio = channels.iter().map(|sums| ratio(sums.powers[1][0], sums.powers[0][0]).sqrt()).collect();
        let all = channels.iter().fold(Sums::default(), |mut all, sums| {
            all.weights += sums.weights;
            all.common += sums.common;
            all.powers.iter_mut().flatten().zip(sums.powers.as_flattened()).for_each(|(sum, x)| *sum += x);
            all
        });
        let [t, e, residual] = all.powers;
        let moments = |[second, third, fourth]: [f64; 3]| {
            let variance = ratio(second, all.weights);
            Moments {
                rms: variance.sqrt(),
                skewness: ratio(third / all.weights, variance.powf(1.5)),
                excess_kurtosis: ratio(fourth / all.weights, variance * variance) - 3.0,
            }
        };
        Self {
            r: ratio(all.common, (t[0] * e[0]).sqrt()).clamp(-1.0, 1.0),
            nmse: ratio(residual[0], t[0]),
            mse: ratio(residual[0], all.weights),
            rms_ratio,
            truth: moments(t),
            estimate: moments(e),
            residual: moments(residual),
        }
    }
}
