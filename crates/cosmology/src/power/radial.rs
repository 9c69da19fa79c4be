//! The radial power spectrum: of lines of sight, one by one.
//!
//! `P(k_par) = <|sum_z w T exp(-i k z)|^2> dz / sum_z w^2`, the mean over all lines of sight, in the unit of the sky squared times Mpc/h. By
//! Parseval's theorem across the sky that is the sum of the power over all `k_perp`, divided by the area of the box.

use super::{Band, Binning, Bins, Estimator, Modes};
use crate::Result;

impl Estimator {
    /// The radial spectrum of a sky at each `k_par` above zero, with the taper and the weights of the estimator.
    ///
    /// # Errors
    /// As [`power`](Self::power).
    pub fn radial(&self, sky: &Modes) -> Result<Vec<Band>> {
        let [_, rows, columns] = self.volume().shape();
        let [_, height, width] = self.volume().lengths();
        let lines = (rows * columns) as f64;
        let of_all_modes = |band: Band| {
            // the modes of one plane; there are two for each k_par, but of an even number of channels only one at the largest
            let planes = (band.modes as f64 / lines).round().max(1.0);
            let factor = band.modes as f64 / planes / (height * width);
            Band { power: band.power * factor, sigma: band.sigma * factor, ..band }
        };
        Ok(self.power(sky, &Binning::Parallel(Bins::Fundamental))?.into_iter().map(of_all_modes).collect())
    }
}
