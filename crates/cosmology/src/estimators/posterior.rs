//! [`Seen`]: a sky as a linear estimator sees it, and what follows from it: the estimate, its error, draws.
//!
//! Whole channels without weight are left out exactly. Other gaps break the independence of Fourier modes and are refused.

use std::borrow::Cow;

use cupel_data::{Cube, Stream};
use faer::Mat;
use rayon::prelude::*;

use super::{
    Detection, Estimate, LinearEstimator, Mismatch, SignalEstimator,
    calibrate::PowerRatio,
    cells::Cells,
    linear::multiplied,
    matrix::square_root,
    plane_modes::{Plane, PlaneModes, Shell, centred},
};
use crate::{Error, Result, Sky, Unit};

/// The child stream of what a correction of the power is uncertain by.
const UNCERTAIN: u64 = 1;

/// A sky in modes.
pub(super) struct Seen {
    pub(super) plane: Plane,
    pub(super) shells: Vec<Shell>,
    /// The ring of each shell.
    pub(super) rings: Vec<usize>,
    pub(super) modes: PlaneModes,
    /// The channels that are not seen at all.
    pub(super) dropped: Vec<bool>,
}

/// Whether each channel is not seen at all.
///
/// # Errors
/// [`Error::Estimator`] for a channel of which some values are not seen.
pub(super) fn unseen(name: &str, sky: &Sky) -> Result<Vec<bool>> {
    let channels = sky.cube().shape()[0];
    let Some(weights) = sky.weights() else { return Ok(vec![false; channels]) };
    let pixels = weights.len() / channels;
    let channel = |(channel, weights): (usize, &[f32])| {
        let lost = weights.iter().filter(|weight| **weight == 0.0).count();
        if lost == 0 || lost == pixels {
            return Ok(lost > 0);
        }
        let problem = format!("{lost} of {pixels} values of channel {channel} have no weight");
        let fix = "it takes whole channels only: give weight 0 to the whole channel, or cut the patch down to where there are data";
        Err(Error::Estimator { name: name.to_owned(), problem, fix })
    };
    weights.values().chunks_exact(pixels).enumerate().map(channel).collect()
}

impl Seen {
    /// How many modes each of so many rings has, with their complex conjugates.
    pub(super) fn modes_of_rings(&self, rings: usize) -> Vec<f64> {
        let mut modes = vec![0.0; rings];
        for (shell, ring) in self.shells.iter().zip(&self.rings) {
            modes[*ring] += shell.modes.iter().map(|mode| self.plane.multiplicity(*mode)).sum::<f64>();
        }
        modes
    }
}

impl LinearEstimator {
    /// The sky in modes, and the estimator for the channels that it has.
    pub(super) fn see(&self, sky: &Sky) -> Result<(Cow<'_, Self>, Seen)> {
        self.check(sky)?;
        let plane = Plane::of(sky)?;
        let shells = plane.shells();
        let rings = self.rings_of(&shells)?;
        let mut values = centred(sky.cube());
        let mut estimator = Cow::Borrowed(self);
        let dropped = unseen(&self.name, sky)?;
        if dropped.contains(&true) {
            let planes = values.chunks_exact_mut(plane.pixels()).zip(&dropped);
            planes.filter(|(_, dropped)| **dropped).for_each(|(plane, _)| plane.fill(0.0));
            estimator = Cow::Owned(self.without(&dropped)?);
        }
        let modes = plane.forward(&values);
        Ok((estimator, Seen { plane, shells, rings, modes, dropped }))
    }

    /// Values of modes of the signal as a cube like that of the sky.
    fn cube(&self, seen: &Seen, modes: &PlaneModes, sky: &Sky) -> Result<Cube<f32>> {
        let values = seen.plane.backward(modes).into_par_iter().map(|value| value as f32).collect();
        Ok(Cube::new(values, sky.cube().axes().clone())?)
    }

    /// The modes of the estimate.
    pub(super) fn estimated(&self, seen: &Seen, modes: &PlaneModes) -> PlaneModes {
        let filters: Vec<&Mat<f64>> = self.rings.iter().map(|ring| &ring.filter).collect();
        multiplied(&seen.shells, &seen.rings, &filters, modes)
    }

    /// The variance of the error of each channel, the same for all its values: the sum over all modes.
    fn variances(&self, seen: &Seen, of: impl Fn(&super::linear::Ring) -> &Mat<f64>) -> Vec<f64> {
        let mut variances = vec![0.0; self.frequencies_mhz.len()];
        for (shell, ring) in seen.shells.iter().zip(&seen.rings) {
            let count: f64 = shell.modes.iter().map(|mode| seen.plane.multiplicity(*mode)).sum();
            let matrix = of(&self.rings[*ring]);
            variances
                .iter_mut()
                .enumerate()
                .for_each(|(i, variance)| *variance += count * matrix[(i, i)].max(0.0) / seen.plane.area_sr());
        }
        variances
    }

    /// White modes times a matrix `A` of each ring: a draw of modes of covariance `A A^T`.
    fn drawn(seen: &Seen, roots: &[Mat<f64>], stream: Stream) -> PlaneModes {
        let mut white = vec![0.0; seen.modes.channels * seen.plane.pixels()];
        stream.fill_normal_f64(&mut white);
        let mut modes = seen.plane.forward(&white);
        // white values of variance 1 have the angular power of a pixel's solid angle
        let scale = (seen.plane.pixels() as f64 / seen.plane.area_sr()).sqrt();
        modes.values.par_iter_mut().for_each(|value| *value *= scale);
        multiplied(&seen.shells, &seen.rings, &roots.iter().collect::<Vec<_>>(), &modes)
    }

    fn roots(&self, of: impl Fn(&super::linear::Ring) -> &Mat<f64> + Sync) -> Result<Vec<Mat<f64>>> {
        let root = |(number, ring): (usize, &super::linear::Ring)| {
            square_root(of(ring))
                .ok_or_else(|| Error::Covariance { ring: number, problem: "it has no square root".into() })
        };
        self.rings.par_iter().enumerate().map(root).collect()
    }
}

impl SignalEstimator for LinearEstimator {
    fn name(&self) -> &str {
        &self.name
    }

    fn frequencies_mhz(&self) -> &[f64] {
        &self.frequencies_mhz
    }

    fn unit(&self) -> Unit {
        self.unit
    }

    /// Channels of which no value has weight are left out, and estimated from the others. Weights above 0 all count the same.
    fn estimate(&self, sky: &Sky) -> Result<Estimate> {
        let (estimator, seen) = self.see(sky)?;
        let signal = estimator.cube(&seen, &estimator.estimated(&seen, &seen.modes), sky)?;
        let variances = estimator.variances(&seen, |ring| &ring.posterior);
        let stretch = self.stretch();
        let pixels = seen.plane.pixels();
        let sigma: Vec<f32> = variances
            .iter()
            .flat_map(|variance| std::iter::repeat_n((variance.sqrt() * stretch) as f32, pixels))
            .collect();
        Ok(Estimate {
            signal: sky.with_cube(signal, sky.weights().cloned())?,
            sigma: Cube::new(sigma, sky.cube().axes().clone())?,
            margins: self
                .margins
                .iter()
                .map(|margin| super::Margin { sigmas: margin.sigmas / stretch, ..*margin })
                .collect(),
        })
    }

    /// Where skies of the training were left out, draws have the power that the signals of such skies have, cell by cell of rings and wave
    /// numbers along frequency; what that correction is uncertain by scatters from draw to draw.
    fn draw(
        &self,
        sky: &Sky,
        count: usize,
        stream: Stream,
        each: &mut dyn FnMut(Cube<f32>) -> Result<()>,
    ) -> Result<()> {
        let (estimator, seen) = self.see(sky)?;
        let estimate = estimator.estimated(&seen, &seen.modes);
        let roots = estimator.roots(|ring| &ring.posterior)?;
        let cells = Cells::new(self.rings.len(), self.frequencies_mhz.len());
        for index in 0..count {
            let mut modes = Self::drawn(&seen, &roots, stream.child(index as u64));
            let pairs = modes.values.par_iter_mut().zip(&estimate.values);
            pairs.for_each(|(value, mean)| *value += mean);
            if !self.power.is_empty() {
                let mut off = vec![0.0; self.power.len()];
                stream.child(index as u64).child(UNCERTAIN).fill_normal_f64(&mut off);
                let factor = |(power, off): (&PowerRatio, f64)| (power.ratio + power.sigma * off).max(0.0).sqrt();
                let factors: Vec<f64> = self.power.iter().zip(off).map(factor).collect();
                cells.scale(&seen, &factors, &mut modes);
            }
            each(estimator.cube(&seen, &modes, sky)?)?;
        }
        Ok(())
    }

    fn mismatch(&self, sky: &Sky) -> Result<Mismatch> {
        let (estimator, seen) = self.see(sky)?;
        estimator.distance(&seen)
    }

    fn detect(&self, sky: &Sky) -> Result<Detection> {
        self.detection(sky)
    }
}
