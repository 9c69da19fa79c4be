//! [`Looked`]: a sky as a [`NetworkEstimator`](super::NetworkEstimator) reads it, in training and afterwards.

use cupel_data::Cube;
use serde::{Deserialize, Serialize};

use super::{
    grid::{Grid, frequency_first, frequency_last},
    inputs::inputs,
    prepared_sky::PreparedSky,
    train_config::{NetworkTrainConfig, Start},
};
use crate::{
    Error, Result, Sky,
    estimators::{Estimate, LinearEstimator, SignalEstimator, centred},
};

/// Pixels count as equally large up to this part.
const SAME_PIXEL: f64 = 1e-3;

/// A sky with everything that networks make an estimate of.
pub(super) struct Looked {
    pub(super) grid: Grid,
    /// What the linear estimator says.
    pub(super) base: Estimate,
    /// What is corrected: planes of the sky, in its unit.
    pub(super) start: Vec<f64>,
    /// `[input][frequency, row, column]` on the pixels of the network, in the unit of the sky.
    pub(super) inputs: Vec<Vec<f64>>,
}

/// What values are divided by, so that those of a network are of order 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Normalisation {
    /// Estimate and signal: the root mean square of what is to be corrected, in the unit of the sky.
    pub(super) scale: f64,
    /// Each frequency of each input: its root mean square.
    pub(super) inputs: Vec<Vec<f64>>,
}

impl Looked {
    /// Reads a sky without gaps, of pixels of `pixel_deg` degrees where they are given.
    ///
    /// # Errors
    /// [`Error::Estimator`] for values without weight and other pixels; extents that do not go through the network; what the linear
    /// estimator refuses.
    pub(super) fn new(
        config: &NetworkTrainConfig,
        base: &LinearEstimator,
        sky: &Sky,
        wanted_deg: Option<[f64; 2]>,
    ) -> Result<Self> {
        let refuse = |problem: String, fix| Err(Error::Estimator { name: NAME.to_owned(), problem, fix });
        base.check(sky)?;
        let lost = sky.weights().map_or(0, |weights| weights.values().iter().filter(|weight| **weight == 0.0).count());
        if lost > 0 {
            let fix = "give a sky without gaps, or use the linear estimator beside it, which takes whole channels off";
            return refuse(format!("{lost} values of the sky have no weight"), fix);
        }
        let found = pixel_deg(sky)?;
        if let Some(wanted) = wanted_deg
            && (0..2).any(|axis| (found[axis] / wanted[axis] - 1.0).abs() > SAME_PIXEL)
        {
            let problem = format!(
                "its skies have pixels of {:.4} x {:.4} degrees, this one {:.4} x {:.4}",
                wanted[0], wanted[1], found[0], found[1]
            );
            return refuse(problem, "give a sky with such pixels, or train on skies like this one");
        }
        let shape = sky.cube().shape();
        let grid = Grid::new([shape[1], shape[2]], config.coarsening)?;
        let [rows, columns] = grid.coarse();
        config.model().network.check_extents([rows, columns, shape[0]])?;
        let base = base.estimate(sky)?;
        let start = match config.start {
            Start::Base => base.signal.cube().values().iter().map(|value| f64::from(*value)).collect(),
            Start::Zero => vec![0.0; sky.cube().values().len()],
        };
        let inputs = inputs(&config.inputs, &config.depths, sky, base.signal.cube(), &grid)?;
        Ok(Self { grid, base, start, inputs })
    }

    /// The sky as networks take it, with what they should make of it where that is known.
    ///
    /// # Errors
    /// Numbers that are not finite.
    pub(super) fn prepared(&self, by: &Normalisation, signal: Option<&Cube<f32>>) -> Result<PreparedSky> {
        let [rows, columns] = self.grid.coarse();
        let pixels = rows * columns;
        let values = self.inputs.iter().zip(&by.inputs);
        let values = values.flat_map(|(planes, rms)| frequency_last(planes, pixels, |channel| 1.0 / rms[channel]));
        let values: Vec<f32> = values.collect();
        let scaled = |planes: &[f64]| frequency_last(&self.grid.down(planes), pixels, |_| 1.0 / by.scale);
        let estimate = scaled(&self.start);
        let target = signal.map_or_else(|| estimate.clone(), |signal| scaled(&centred(signal)));
        let extents = [rows, columns, estimate.len() / pixels];
        PreparedSky::new(extents, values, estimate, target)
    }

    /// What values of a network are on the pixels of the sky, without the mean of each channel.
    pub(super) fn planes(&self, values: &[f32], scale: f64) -> Vec<f64> {
        let [rows, columns] = self.grid.coarse();
        let mut planes = self.grid.up(&frequency_first(values, rows * columns, scale));
        let pixels = self.start.len() / (values.len() / (rows * columns));
        for plane in planes.chunks_exact_mut(pixels) {
            let mean = plane.iter().sum::<f64>() / pixels as f64;
            plane.iter_mut().for_each(|value| *value -= mean);
        }
        planes
    }

    /// Variances of a network on the pixels of the sky.
    pub(super) fn variances(&self, values: &[f32], scale: f64) -> Vec<f64> {
        let [rows, columns] = self.grid.coarse();
        self.grid.between(&frequency_first(values, rows * columns, scale * scale))
    }
}

impl Normalisation {
    /// That of these skies, each with its signal.
    ///
    /// # Errors
    /// [`Error::Estimator`] where nothing is left to correct.
    pub(super) fn of(skies: &[(Looked, Cube<f32>)]) -> Result<Self> {
        let mean = |square: f64, count: usize| (square / count.max(1) as f64).sqrt();
        let (mut off, mut count) = (0.0, 0);
        for (looked, signal) in skies {
            let [truth, start] = [&centred(signal), &looked.start].map(|planes| looked.grid.down(planes));
            off += truth.iter().zip(&start).map(|(truth, start)| (truth - start).powi(2)).sum::<f64>();
            count += truth.len();
        }
        let scale = mean(off, count);
        if !(scale > 0.0 && scale.is_finite()) {
            let problem = "nothing is left to correct in the skies of its training".to_owned();
            return Err(Error::Estimator { name: NAME.to_owned(), problem, fix: "give skies with a signal" });
        }
        let (inputs, channels) = skies
            .first()
            .map_or((0, 1), |(looked, signal)| (looked.inputs.len(), signal.shape().first().copied().unwrap_or(1)));
        let rms = |input: usize, channel: usize| {
            let (mut sum, mut count) = (0.0, 0);
            for (looked, _) in skies {
                let pixels = looked.inputs[input].len() / channels;
                let plane = &looked.inputs[input][channel * pixels..(channel + 1) * pixels];
                sum += plane.iter().map(|value| value * value).sum::<f64>();
                count += pixels;
            }
            let rms = mean(sum, count);
            // an input of nothing says nothing, whatever it is divided by
            if rms > 0.0 && rms.is_finite() { rms } else { 1.0 }
        };
        let inputs = (0..inputs).map(|input| (0..channels).map(|channel| rms(input, channel)).collect()).collect();
        Ok(Self { scale, inputs })
    }
}

/// What it is called in messages.
pub(super) const NAME: &str = "unet";

/// Sides of a pixel along rows and columns in degrees.
pub(super) fn pixel_deg(sky: &Sky) -> Result<[f64; 2]> {
    let (shape, side) = (sky.cube().shape(), sky.geometry()?.side_deg);
    Ok([side[0] / shape[1] as f64, side[1] / shape[2] as f64])
}
