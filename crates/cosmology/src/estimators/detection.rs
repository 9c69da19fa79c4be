//! [`Detection`]: whether there is any signal in a sky.
//!
//! The power of the signal is estimated by the quadratic estimator `q = sum x^T C^-1 S C^-1 x / 2` over modes, with the covariances `S` of the signal and
//! `C` of all: Tegmark, Phys. Rev. D 55, 5895 (1997), equation 20. What it gives without a signal is measured on skies that were left out of
//! the fit, from which their signal was taken off. Its cube root is nearly normal, as that of a sum of squares is: Wilson & Hilferty, PNAS 17, 684
//! (1931).

use std::fmt;

use faer::Mat;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    LinearEstimator, Pair,
    learn::FOLDS,
    linear::{Ring, multiplied},
    matrix::Solver,
    plane_modes::Plane,
    posterior::Seen,
};
use crate::{Error, Result, Sky};

/// Standard deviations above which a signal is detected.
pub const DETECTED: f64 = 2.0;
/// Solid angles are the same up to this part.
const SAME_AREA: f64 = 1e-6;

/// Whether there is a signal in a sky.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Detection {
    /// Power of the signal over that of the skies of the training: 1 is expected, and 0 without a signal. Over the power that was found, where
    /// there was no training: 1.
    pub amplitude: f64,
    /// Standard deviation of the amplitude where there is no signal.
    pub sigma: f64,
    /// The standard deviation of a normal distribution that is as improbable without a signal.
    pub sigmas: f64,
    /// Whether that is above [`DETECTED`].
    pub detected: bool,
}

impl fmt::Display for Detection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { amplitude, sigma, sigmas, .. } = self;
        write!(
            f,
            "{sigmas:.1} standard deviations above no signal; power {amplitude:.3} +- {sigma:.3} of what the model expects"
        )
    }
}

/// What skies reach that were left out of the fit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct WithoutSignal {
    /// Mean and standard deviation of `q` without the signal.
    without: [f64; 2],
    /// The same of its cube root.
    root: [f64; 2],
    /// Mean of `q` with the signal.
    with: f64,
    skies: usize,
    /// Pixels and solid angle in sr of the skies: `q` is a sum over their modes.
    pixels: usize,
    area_sr: f64,
}

impl WithoutSignal {
    /// Of skies that are each measured by the estimator that has not seen its fold; nothing where they do not scatter.
    pub(super) fn of(
        of_others: &[LinearEstimator],
        skies: usize,
        pair: &(dyn Fn(usize) -> Result<Pair> + Sync),
    ) -> Result<Option<Self>> {
        let plane = Plane::of(&pair(0)?.observed)?;
        let weights = of_others.iter().map(LinearEstimator::power_weights).collect::<Result<Vec<_>>>()?;
        let of_sky = |number: usize| -> Result<[f64; 2]> {
            let Pair { observed, signal } = pair(number)?;
            let (estimator, weights) = (&of_others[number % FOLDS], &weights[number % FOLDS]);
            let without = observed.cube().values().iter().zip(signal.values()).map(|(x, s)| x - s).collect();
            let without = cupel_data::Cube::new(without, signal.axes().clone())?;
            let without = observed.with_cube(without, observed.weights().cloned())?;
            let power = |sky: &Sky| Ok::<_, Error>(estimator.quadratic(&estimator.see(sky)?.1, weights));
            Ok([power(&observed)?, power(&without)?])
        };
        let powers = (0..skies).into_par_iter().map(of_sky).collect::<Result<Vec<_>>>()?;
        let spread = |of: &dyn Fn(&[f64; 2]) -> f64| {
            let values: Vec<f64> = powers.iter().map(of).collect();
            cupel_statistics::Spread::of(&values).map(|spread| [spread.mean, spread.sd])
        };
        let known = spread(&|q| q[1]).zip(spread(&|q| q[1].cbrt())).zip(spread(&|q| q[0]));
        let found = known.map(|((without, root), with)| Self {
            without,
            root,
            with: with[0],
            skies,
            pixels: plane.pixels(),
            area_sr: plane.area_sr(),
        });
        Ok(found.filter(|found| {
            let numbers = [found.without[1], found.root[1], found.with - found.without[0]];
            numbers.iter().all(|number| number.is_finite() && *number > 0.0)
        }))
    }

    fn detection(&self, power: f64) -> Detection {
        let scale = self.with - self.without[0];
        let count = self.skies as f64;
        // a new sky beside the mean of those that are known: Student's t, brought to a normal distribution (Wallace 1959, doi:10.1214/aoms/1177706112)
        let t = (power.cbrt() - self.root[0]) / (self.root[1] * (1.0 + 1.0 / count).sqrt());
        let freedom = count - 1.0;
        let normal = (8.0 * freedom + 1.0) / (8.0 * freedom + 3.0) * (freedom * (t * t / freedom).ln_1p()).sqrt();
        let sigmas = normal.copysign(t);
        Detection {
            amplitude: (power - self.without[0]) / scale,
            sigma: self.without[1] / scale,
            sigmas,
            detected: sigmas > DETECTED,
        }
    }
}

impl LinearEstimator {
    /// `C^-1 S C^-1` of each ring.
    fn power_weights(&self) -> Result<Vec<Mat<f64>>> {
        let weight = |(number, ring): (usize, &Ring)| {
            let solver = Solver::new(&(&ring.signal + &ring.rest))
                .ok_or_else(|| Error::Covariance { ring: number, problem: "it is not positive definite".into() })?;
            let half = solver.solve(&ring.signal);
            Ok(solver.solve(&half.transpose().to_owned()))
        };
        self.rings.par_iter().enumerate().map(weight).collect()
    }

    fn quadratic(&self, seen: &Seen, weights: &[Mat<f64>]) -> f64 {
        let weighted = multiplied(&seen.shells, &seen.rings, &weights.iter().collect::<Vec<_>>(), &seen.modes);
        let of_mode = |mode: &usize| {
            let pairs = seen.modes.line(*mode).iter().zip(weighted.line(*mode));
            seen.plane.multiplicity(*mode) * pairs.map(|(x, y)| x.re * y.re + x.im * y.im).sum::<f64>()
        };
        let power: f64 = seen.shells.iter().flat_map(|shell| &shell.modes).map(of_mode).sum();
        // what rounding takes below zero is nothing
        0.5 * power.max(0.0)
    }

    pub(super) fn detection(&self, sky: &Sky) -> Result<Detection> {
        let refuse = |problem: &str, fix| Error::Estimator { name: self.name.clone(), problem: problem.into(), fix };
        let known = self.without_signal.ok_or_else(|| {
            refuse("it knows no skies without a signal to compare with", "train it on skies whose signal is known")
        })?;
        let (estimator, seen) = self.see(sky)?;
        if seen.dropped.contains(&true) {
            return Err(refuse("channels without weight", "test a sky with all channels, or train without these"));
        }
        if seen.plane.pixels() != known.pixels || (seen.plane.area_sr() / known.area_sr - 1.0).abs() > SAME_AREA {
            return Err(refuse(
                "a patch of another size than those of the training, whose power without a signal is known",
                "test a patch of the size of the training",
            ));
        }
        Ok(known.detection(estimator.quadratic(&seen, &estimator.power_weights()?)))
    }
}
