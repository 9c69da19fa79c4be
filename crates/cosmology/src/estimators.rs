//! Estimates of the signal in a sky, with their errors and what they say of its power.
//!
//! On a flat sky whose ends meet, the Fourier modes in the plane of the sky are independent, and every mode is a vector `x` over channels. A Gaussian
//! estimator is then one matrix per multipole, `s = W x`, with the covariance `Sigma` of what is left to know of the signal:
//! [`LinearEstimator`]. Principal components, a gain on them, the filter learned from skies and Gaussian processes differ in how the
//! matrices come to be. [`SignalEstimator`] is what they have in common with networks.

mod calibrate;
mod cells;
mod components;
mod detection;
mod difference;
mod estimate;
mod gathering;
mod gaussian_process;
mod learn;
mod linear;
mod matrix;
mod mismatch;
mod multipoles;
mod plane_modes;
mod posterior;
mod smooth;
mod stationary;
mod store;
mod sums;

pub use detection::{DETECTED, Detection};
pub use difference::{Difference, DifferenceBin, half_difference};
pub use estimate::{Estimate, Margin, PowerBand};
pub use gathering::Gathering;
pub use gaussian_process::{FittedParameter, GaussianProcess, GaussianProcessConfig, GaussianProcessFit};
pub use learn::{Method, Pair, Training};
pub use linear::{Covariances, LinearEstimator};
pub use mismatch::{Mismatch, RingMismatch};
pub use multipoles::Multipoles;
pub(crate) use plane_modes::centred;

use cupel_data::{Cube, Stream};

use crate::{
    Error, Result, Sky, Unit,
    power::{self, Binning},
};

/// What finds the signal in a sky, says how sure it is of it, and knows what skies it was made for.
pub trait SignalEstimator: Send + Sync {
    /// The name of the method: `pca`, `filter`.
    fn name(&self) -> &str;

    /// Centres of the channels that it was made for, in MHz.
    fn frequencies_mhz(&self) -> &[f64];

    /// The unit of the skies that it was made for.
    fn unit(&self) -> Unit;

    /// The signal in a sky, and its error.
    ///
    /// # Errors
    /// For other channels, another unit or a size that it was not made for.
    fn estimate(&self, sky: &Sky) -> Result<Estimate>;

    /// Gives `each` skies as the signal could be after all, `count` of them, drawn from the distribution that the sky leaves.
    ///
    /// # Errors
    /// As [`estimate`](Self::estimate), and what `each` reports, which ends the drawing.
    fn draw(
        &self,
        sky: &Sky,
        count: usize,
        stream: Stream,
        each: &mut dyn FnMut(Cube<f32>) -> Result<()>,
    ) -> Result<()>;

    /// Whether the sky is one of those that it was made for.
    ///
    /// # Errors
    /// As [`estimate`](Self::estimate).
    fn mismatch(&self, sky: &Sky) -> Result<Mismatch>;

    /// Whether there is any signal in the sky.
    ///
    /// # Errors
    /// As [`estimate`](Self::estimate), and for an estimator that knows no skies without a signal.
    fn detect(&self, sky: &Sky) -> Result<Detection>;

    /// The power of the signal in each bin, from this number of draws.
    ///
    /// # Errors
    /// As [`draw`](Self::draw); fewer than two draws, which have no scatter.
    fn power(
        &self,
        sky: &Sky,
        estimator: &power::Estimator,
        binning: &Binning,
        draws: usize,
        stream: Stream,
    ) -> Result<Vec<PowerBand>> {
        estimate::power_of_draws(estimator, binning, draws, &mut |each| self.draw(sky, draws, stream, each))
    }

    /// The error for a sky of other channels or in another unit.
    ///
    /// # Errors
    /// [`Error::Estimator`] that says what differs.
    fn check(&self, sky: &Sky) -> Result<()> {
        check_channels(self.name(), self.frequencies_mhz(), self.unit(), sky)
    }
}

/// Channels count as the same up to this part of the width of one.
const SAME_CHANNEL: f64 = 1e-3;

fn check_channels(name: &str, own_mhz: &[f64], unit: Unit, sky: &Sky) -> Result<()> {
    let refuse = |problem: String, fix: &'static str| Err(Error::Estimator { name: name.to_owned(), problem, fix });
    let given_mhz = sky.frequencies_mhz()?;
    if given_mhz.len() != own_mhz.len() {
        let problem = format!("it was made for {} channels, the sky has {}", own_mhz.len(), given_mhz.len());
        return refuse(problem, "give a sky of its channels, or make an estimator for these");
    }
    let width = match own_mhz {
        [first, second, ..] => (second - first).abs(),
        _ => 1.0,
    };
    let other = own_mhz.iter().zip(given_mhz).position(|(own, given)| (own - given).abs() > SAME_CHANNEL * width);
    if let Some(channel) = other {
        let (own, given) = (own_mhz[channel], given_mhz[channel]);
        let problem = format!("channel {channel} lies at {given} MHz in the sky, at {own} MHz in what it was made for");
        return refuse(problem, "give a sky of its channels, or make an estimator for these");
    }
    if sky.unit() != unit {
        let problem = format!("the sky is in {}, it was made for {unit}", sky.unit());
        return refuse(problem, "convert the sky");
    }
    Ok(())
}
