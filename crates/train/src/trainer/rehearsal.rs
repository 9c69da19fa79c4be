//! What to try before a long training: one batch, one batch many times, a range of learning rates.
//!
//! All of it leaves the training as it was.

use super::Trainer;
use crate::{Context, Error, Fit, Metrics, Result};
use burn::{module::Module, optim::GradientsParams, tensor::Device};

/// A loss this many times the lowest ends a range test.
const DIVERGED: f64 = 4.0;
/// Share of each new loss in the smoothed one.
const SMOOTHING: f64 = 0.3;

/// One point of [`Trainer::learning_rate_range`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RangePoint {
    /// Learning rate of the update.
    pub learning_rate: f64,
    /// Loss before it, smoothed.
    pub loss: f64,
}

/// What a range test found.
#[derive(Clone, Debug, PartialEq)]
pub struct Range {
    /// The losses, rate by rate.
    pub points: Vec<RangePoint>,
    /// The rate at which the loss fell fastest.
    pub suggestion: f64,
}

impl<F: Fit> Trainer<F> {
    /// Takes the first batch through forward and backward pass, evaluates the model, and gives the loss.
    ///
    /// # Errors
    /// What the batch or the evaluation reports; [`Error::NotFinite`].
    pub fn dry_run(&mut self) -> Result<Metrics> {
        let at = self.progress.next;
        let (gradients, loss) = self.gradients(at, 1)?;
        self.losses.take_back();
        let model = self.current().valid();
        let rate = self.learning_rate(at);
        let measured = crate::gradients::measure(self.current(), &gradients, crate::gradients::Measure::Sum);
        let skipped = self.progress.skipped;
        let accepted = self.accept(at, &measured, &loss, rate);
        self.progress.skipped = skipped;
        accepted?;
        let loss = loss.try_into_scalar::<f64>().map_err(Error::device("read the loss"))?;
        let mut metrics = Metrics::from([("loss", loss), ("learning_rate", rate)]);
        for (name, value) in self.evaluate(&model, at)?.iter() {
            metrics.push(name.to_string(), value);
        }
        Ok(metrics)
    }

    /// Trains a copy on the first batch alone and gives the loss before every update; a model that cannot bring it down
    /// has a fault, not too little data.
    ///
    /// # Errors
    /// What the batch reports.
    pub fn overfit_one_batch(&mut self, updates: u64) -> Result<Vec<f64>> {
        let rate = self.progress.stage.learning_rate;
        let points = self.rehearse(updates, |_| rate, |_| false)?;
        Ok(points.into_iter().map(|point| point.loss).collect())
    }

    /// Trains a copy on one batch after the other with a learning rate that grows from `from` to `to`
    /// (L. N. Smith, "Cyclical Learning Rates for Training Neural Networks", WACV 2017, arXiv 1506.01186), until the loss
    /// diverges.
    ///
    /// # Errors
    /// [`Error::Setting`] for rates that do not grow or fewer than 3 updates; what a batch reports.
    pub fn learning_rate_range(&mut self, from: f64, to: f64, updates: u64) -> Result<Range> {
        if !(from > 0.0 && to > from && to.is_finite()) {
            let got = format!("{from} to {to}");
            return Err(Error::Setting {
                name: "the range of learning rates",
                got,
                expected: "two numbers above 0, rising",
            });
        }
        if updates < 3 {
            return Err(Error::Setting { name: "updates", got: updates.to_string(), expected: "at least 3" });
        }
        let rate = |update: u64| from * (to / from).powf(update as f64 / (updates - 1) as f64);
        let mut smoothed: Option<f64> = None;
        let mut lowest = f64::INFINITY;
        let mut points = self.rehearse(updates, rate, |loss| {
            let value = smoothed.map_or(loss, |before| before + SMOOTHING * (loss - before));
            smoothed = Some(value);
            lowest = lowest.min(value);
            value.is_nan() || value > DIVERGED * lowest
        })?;
        let mut before: Option<f64> = None;
        for point in &mut points {
            point.loss = before.map_or(point.loss, |before| before + SMOOTHING * (point.loss - before));
            before = Some(point.loss);
        }
        // the rates grow by a constant factor, so the steepest fall is the largest difference
        let steepest = points
            .windows(2)
            .filter(|pair| pair[1].loss.is_finite())
            .min_by(|a, b| (a[1].loss - a[0].loss).total_cmp(&(b[1].loss - b[0].loss)));
        let suggestion = steepest.map_or(from, |pair| pair[1].learning_rate);
        Ok(Range { points, suggestion })
    }

    /// Trains a copy, giving the loss before every update; `on_one_batch` where the rate is constant.
    fn rehearse(
        &mut self,
        updates: u64,
        rate: impl Fn(u64) -> f64,
        mut stop: impl FnMut(f64) -> bool,
    ) -> Result<Vec<RangePoint>> {
        let one_batch = rate(0) == rate(1);
        let device: Device = self.device.clone();
        // `valid` parts the running statistics, which a clone would share
        let mut model = self.current().valid().train();
        let mut optimizer = self.fit.optimizer(&self.progress.stage);
        let steps = self.fit.steps_per_epoch();
        let mut points = Vec::new();
        for update in 0..updates {
            let step = if one_batch { 0 } else { update % steps };
            let at = crate::Position { step, ..self.progress.next };
            let stream = self.context_stream("rehearsal", at);
            device.seed(stream.u64(0));
            let Self { fit, casting, monitor, .. } = self;
            let ctx = Context { device: &device, casting, stream: stream.child(0), at, monitor };
            let batch = fit.batch(&ctx)?;
            let mean = fit.loss(&model, batch, &ctx).mean;
            let loss = mean.clone().inner().try_into_scalar::<f64>().map_err(Error::device("read the loss"))?;
            let learning_rate = rate(update);
            points.push(RangePoint { learning_rate, loss });
            if stop(loss) || !loss.is_finite() {
                break;
            }
            let gradients = GradientsParams::from_grads(mean.backward(), &model);
            model = fit.constrain(optimizer.step(learning_rate, model, gradients), &ctx);
        }
        Ok(points)
    }
}
