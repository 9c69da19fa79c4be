//! The loss of an image against a measurement, which knows its instrument and its centres.

use burn::tensor::Tensor;

use super::{Rule, view::View};
use crate::{Exposures, LossAgg, Measurement, Result, Target};

impl LossAgg {
    /// The loss of an object's amplitudes against a measurement, `[1]`: `output` `[row, column]`, as large as the object or as the field, is seen
    /// through the measurement's instrument at its centres. Where the measurement has the amplitudes of an earlier reconstruction through all
    /// apertures before, the loss against these is added, as in the original.
    ///
    /// # Errors
    /// As [`Measurement::exposures`]; centres between places; weights that do not sum to 1 and frames too small for a similarity, see
    /// [`check`](Self::check).
    pub fn forward(&self, output: Tensor<2>, measurement: &Measurement) -> Result<Tensor<1>> {
        let exposures = measurement.exposures()?;
        self.check(exposures.optics.detector)?;
        let view = View::new(&exposures, Rule::Original)?;
        let (device, scale) = (output.device().inner(), 1.0 / view.unit());
        let spectrum = view.spectrum((output.mul_scalar(scale), None));
        let target = Target::new(measurement.amplitudes(&device).mul_scalar(scale));
        let all: Vec<usize> = (0..exposures.centres.len()).collect();
        let loss = self.mean(view.predict(&spectrum, &all), &target);
        let Some(previous) = measurement.previous(&device) else { return Ok(loss) };
        let before = Exposures { centres: measurement.seen().to_vec(), ..exposures };
        let seen: Vec<usize> = (0..before.centres.len()).collect();
        let union = View::new(&before, Rule::Original)?.union(&seen, &device);
        let old = Target::new(previous.mul_scalar(scale).unsqueeze());
        Ok(loss + self.mean(view.through(&spectrum, &union), &old))
    }
}
