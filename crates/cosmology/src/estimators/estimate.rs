//! [`Estimate`]: a signal with its error, and [`PowerBand`]: what is known of its power.

use cupel_data::Cube;
use serde::{Deserialize, Serialize};

use crate::{
    Error, Result, Sky,
    power::{Binning, Estimator},
};

/// The signal in a sky, and how sure the estimator is of each value.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// The signal as the instrument shows it, without the mean of each channel.
    pub signal: Sky,
    /// Standard deviation of the error of each value, in the unit of the sky.
    pub sigma: Cube<f32>,
    /// Intervals of other probabilities; empty where nothing was calibrated.
    pub margins: Vec<Margin>,
}

/// An interval that held the truth on skies that the estimator was not fitted on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Margin {
    /// The share of values that lie in it.
    pub coverage: f64,
    /// The values are within this number of standard deviations around the estimate.
    pub sigmas: f64,
}

/// Probabilities of calibrated intervals.
const LEVELS: [f64; 4] = [0.50, 0.68, 0.90, 0.95];

impl Margin {
    /// What holds each share of the values of one sky, of their distances in standard deviations, of which there is one at least.
    pub(crate) fn held(mut distances: Vec<f64>) -> [f64; LEVELS.len()] {
        let last = distances.len() - 1;
        LEVELS.map(|level| {
            let place = ((level * distances.len() as f64).ceil() as usize).saturating_sub(1).min(last);
            *distances.select_nth_unstable_by(place, f64::total_cmp).1
        })
    }

    /// Of each level the mean over skies: skies are exchangeable, the values of one are not.
    pub(crate) fn of_skies(skies: &[[f64; LEVELS.len()]]) -> Vec<Self> {
        let margin = |(place, coverage): (usize, &f64)| {
            let sigmas = skies.iter().map(|held| held[place]).sum::<f64>() / skies.len() as f64;
            Self { coverage: *coverage, sigmas }
        };
        LEVELS.iter().enumerate().map(margin).collect()
    }
}

/// What is known of the power of the signal in one bin. A bin without modes has none of the numbers: they are NaN, in JSON `null`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PowerBand {
    /// Mean of what is binned, as in [`crate::power::Band`].
    pub k: f64,
    /// Number of modes.
    pub modes: u64,
    /// Mean of the power over what the sky leaves possible.
    pub power: f64,
    /// Its standard deviation: of the power that is in this sky, not of that which other skies would have.
    pub sigma: f64,
}

/// What takes skies one by one.
type Each<'a> = &'a mut dyn FnMut(Cube<f32>) -> Result<()>;

/// Mean and standard deviation of the power of skies that `draw` gives to what it is called with.
pub(crate) fn power_of_draws(
    estimator: &Estimator,
    binning: &Binning,
    draws: usize,
    draw: &mut dyn FnMut(Each<'_>) -> Result<()>,
) -> Result<Vec<PowerBand>> {
    if draws < 2 {
        return Err(Error::Spectrum { expected: "two draws at least, for their scatter", got: draws.to_string() });
    }
    let mut bands: Vec<PowerBand> = Vec::new();
    let mut number = 0.0;
    draw(&mut |sky| {
        let found = estimator.power(&estimator.modes(&sky)?, binning)?;
        number += 1.0;
        if bands.is_empty() {
            bands =
                found.iter().map(|band| PowerBand { k: band.k, modes: band.modes, power: 0.0, sigma: 0.0 }).collect();
        }
        // Welford 1962, doi:10.1080/00401706.1962.10490022
        for (band, found) in bands.iter_mut().zip(found) {
            let before = found.power - band.power;
            band.power += before / number;
            band.sigma += before * (found.power - band.power);
        }
        Ok(())
    })?;
    bands.iter_mut().for_each(|band| band.sigma = (band.sigma / (number - 1.0)).sqrt());
    Ok(bands)
}
