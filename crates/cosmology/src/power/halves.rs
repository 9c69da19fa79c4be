//! [`Halves`]: a spectrum without the power of the noise, of a sky that was observed twice.

use serde::Serialize;

use super::{Band, Binning, Estimator, Modes};
use crate::Result;

/// Signal and noise of one bin, from two halves of the data (even and odd times) with independent noise.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Halves {
    /// The cross-power, which noise does not raise; its error holds the noise.
    pub signal: Band,
    /// Power of the noise in the mean of the halves: that of half their difference, in which the sky cancels.
    pub noise: Band,
}

impl Estimator {
    /// The power of the sky and of the noise from two halves of the data.
    ///
    /// # Errors
    /// As [`power`](Self::power).
    pub fn halves(&self, even: &Modes, odd: &Modes, binning: &Binning) -> Result<Vec<Halves>> {
        let signal = self.cross(even, odd, binning)?;
        let half_difference = even.values.iter().zip(&odd.values).map(|(even, odd)| (even - odd) / 2.0).collect();
        let noise = self.power(&Modes { volume: even.volume, values: half_difference }, binning)?;
        Ok(signal.into_iter().zip(noise).map(|(signal, noise)| Halves { signal, noise }).collect())
    }
}
