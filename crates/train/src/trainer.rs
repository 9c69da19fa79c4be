//! [`Trainer`]: gradient training as work that advances, stops, saves and resumes.

use crate::{
    Advance, Casting, Clip, Computing, Context, Epoch, Error, Fit, History, LossScaler, Metrics, Next,
    PerformanceMonitor, Position, Progress, Progression, Result, Schedule, SetReader, SetWriter, StageConfig,
    WeightAverage, device,
    early_stopping::Best,
    fingerprint,
    gradients::{self, Measure, Measured},
    losses::Losses,
    memory,
    parameters::initialise,
};
use burn::{
    module::Module,
    optim::{GradientsAccumulator, GradientsParams, ModuleOptimizer},
    tensor::{Device, Tensor},
};
use cupel_data::Stream;
use serde::{Deserialize, Serialize};
use std::time::Instant;

mod config;
mod rehearsal;
mod state;

pub use config::{NotFinite, TrainerConfig};
pub use rehearsal::{Range, RangePoint};

/// Updates between two looks at whether the numbers are finite, on devices where a look waits for the device.
const CHECK_EVERY_ON_GPU: u64 = 16;
/// Losses that an error shows.
const SHOWN_LOSSES: usize = 8;

/// Gradient training of a [`Fit`]; one advance is one update of the weights.
pub struct Trainer<F: Fit> {
    fit: F,
    /// `None` only while an update has it.
    model: Option<F::Model>,
    config: TrainerConfig,
    casting: Casting,
    /// With automatic differentiation, as are the others.
    device: Device,
    /// Devices that take batches beside the first.
    others: Vec<Device>,
    monitor: PerformanceMonitor,
    optimizer: ModuleOptimizer,
    scaler: Option<LossScaler>,
    average: Option<WeightAverage<F::Model>>,
    best_model: Option<F::Model>,
    /// The model that the last loss of an epoch was measured on, from the update that ends it to the end of the epoch.
    measured_model: Option<F::Model>,
    losses: Losses,
    progress: TrainingState,
    /// When this process began the epoch.
    epoch_began: Instant,
}

/// What a training knows beside its tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrainingState {
    /// Where the next update is made.
    next: Position,
    stage: StageConfig,
    /// Updates before the stage.
    before_stage: u64,
    best: Best,
    /// Drops of the learning rate on a plateau, and epochs since the last.
    drops: u64,
    since_drop: u64,
    /// Updates left out because a number was not finite.
    skipped: u64,
    history: History,
}

impl<F: Fit> Trainer<F> {
    /// Prepares the training of `model`, whose parameters that are not yet initialised are drawn from the seed.
    ///
    /// `device` is a device without automatic differentiation, the model was made on `device.autodiff()`.
    ///
    /// # Errors
    /// [`Error::Setting`] for a number out of its range.
    ///
    /// # Panics
    /// Where the model has no automatic differentiation: "the model was made on a device without autodiff".
    pub fn new(fit: F, model: F::Model, config: TrainerConfig, casting: Casting, device: &Device) -> Result<Self> {
        config.check()?;
        if fit.steps_per_epoch() == 0 {
            return Err(Error::Setting {
                name: "steps_per_epoch",
                got: "0".into(),
                expected: "a number of at least 1",
            });
        }
        assert!(
            model.devices().iter().all(Device::is_autodiff),
            "the model was made on a device without autodiff; make it on device.autodiff()"
        );
        device.seed(Stream::new(config.seed, "initial weights").u64(0));
        initialise(&model);
        let model = casting.prepare(model);
        let progress = TrainingState {
            next: Position::default(),
            stage: config.stage.clone(),
            before_stage: 0,
            best: Best::default(),
            drops: 0,
            since_drop: 0,
            skipped: 0,
            history: History::default(),
        };
        Ok(Self {
            optimizer: fit.optimizer(&config.stage),
            scaler: casting.needs_scaling().then(LossScaler::default),
            average: config.stage.weight_average.map(|decay| WeightAverage::new(&model, decay)),
            best_model: None,
            measured_model: None,
            losses: Losses::default(),
            monitor: PerformanceMonitor::off(),
            device: device.clone().autodiff(),
            others: Vec::new(),
            model: Some(model),
            fit,
            config,
            casting,
            progress,
            epoch_began: Instant::now(),
        })
    }

    /// Deals the batches of every update out to `devices` beside the first one, which keeps the weights and makes the update.
    ///
    /// Set [`StageConfig::accumulation`] to the number of devices, or a multiple of it: an update of two devices with half the
    /// batch is that of one with the whole batch. Running statistics are those of the first device.
    #[must_use]
    pub fn with_devices(mut self, devices: &[Device]) -> Self {
        self.others = devices.iter().map(|device| device.clone().autodiff()).collect();
        self
    }

    /// Takes the time of every phase with `monitor`.
    #[must_use]
    pub fn with_monitor(mut self, monitor: PerformanceMonitor) -> Self {
        self.monitor = monitor;
        self
    }

    /// Uses `scaler` for the loss, in any precision.
    #[must_use]
    pub fn with_scaler(mut self, scaler: LossScaler) -> Self {
        self.scaler = Some(scaler);
        self
    }

    /// The times of the phases.
    pub fn monitor(&self) -> &PerformanceMonitor {
        &self.monitor
    }

    /// The loss scaler, where there is one.
    pub fn scaler(&self) -> Option<&LossScaler> {
        self.scaler.as_ref()
    }

    /// The numbers of all epochs.
    pub fn history(&self) -> &History {
        &self.progress.history
    }

    /// How often the losses were read back from the device.
    pub fn reads(&self) -> u64 {
        self.losses.reads()
    }

    /// What is trained with.
    pub fn fit(&self) -> &F {
        &self.fit
    }

    /// What was trained with, giving up the training.
    pub fn into_fit(self) -> F {
        self.fit
    }

    /// The model as it stands, in inference mode.
    pub fn model(&self) -> F::Model {
        self.current().valid()
    }

    /// The model of the best epoch of the last stage, in inference mode; before the first epoch, the model as it stands.
    ///
    /// It is the one that the watched number was measured on: for a number of [`Fit::evaluate`], the model after the epoch;
    /// for the training loss or one of its terms, the model before the last update of the epoch. Where an epoch has more
    /// updates than one, its training loss is a mean over models on their way, of which that is the last.
    pub fn best(&self) -> F::Model {
        self.best_model.as_ref().map_or_else(|| self.model(), Module::valid)
    }

    /// As [`best`](Self::best), giving up the training.
    pub fn into_best(self) -> F::Model {
        self.best()
    }

    #[expect(clippy::expect_used, reason = "only an update takes the model, and puts it back before it returns")]
    fn current(&self) -> &F::Model {
        self.model.as_ref().expect("the model is there between updates")
    }

    fn context_stream(&self, purpose: &str, at: Position) -> Stream {
        Stream::new(self.config.seed, purpose).child(u64::from(at.stage)).at(at.epoch, at.step)
    }

    fn updates_per_epoch(&self) -> u64 {
        self.fit.steps_per_epoch().div_ceil(self.progress.stage.accumulation)
    }

    fn learning_rate(&self, at: Position) -> f64 {
        let TrainingState { stage, before_stage, drops, .. } = &self.progress;
        let at = Progression {
            update: at.update - before_stage,
            updates: stage.epochs.saturating_mul(self.updates_per_epoch()),
            epoch: at.epoch,
            drops: *drops,
        };
        stage.learning_rate * stage.schedule.factor(at, stage.warm_up)
    }

    /// The gradients of the mean loss over the batches of one update, and the loss, times the scale of the scaler.
    ///
    /// The batches are dealt out to the devices; gradients and losses come back to the first.
    fn gradients(&mut self, at: Position, batches: u64) -> Result<(GradientsParams, Tensor<1>)> {
        let scale = self.scaler.as_ref().map_or(1.0, LossScaler::factor);
        let copies: Vec<F::Model> = self.others.iter().map(|device| self.current().clone().fork(device)).collect();
        let main = self.device.clone().inner();
        let mut accumulator = GradientsAccumulator::<F::Model>::new();
        let (mut first_weight, mut total_weight) = (None, 0.0);
        let mut sum: Option<Tensor<1>> = None;
        let first_step = at.step;
        for step in first_step..first_step + batches {
            let at = Position { step, ..at };
            let stream = self.context_stream("training", at);
            let turn = (step - first_step) as usize % (copies.len() + 1);
            let Self { fit, model, device, others, casting, monitor, losses, .. } = self;
            let Some(model) = model.as_ref() else { unreachable!("the model is there between updates") };
            let (device, model) = if turn == 0 { (&*device, model) } else { (&others[turn - 1], &copies[turn - 1]) };
            // layers such as Dropout draw from a generator of the whole process
            device.seed(stream.u64(0));
            let ctx = Context { device, casting, stream: stream.child(0), at, monitor };
            let batch = monitor.phase("data", || fit.batch(&ctx))?;
            let loss = monitor.phase("forward", || fit.loss(model, batch, &ctx));
            if !(loss.weight > 0.0 && loss.weight.is_finite()) {
                let got = loss.weight.to_string();
                return Err(Error::Setting { name: "the weight of a batch", got, expected: "a number above 0" });
            }
            losses.add(&loss, &main);
            monitor.count_samples(loss.weight);
            // relative to the first, so that a single batch is not scaled at all and half floats keep their range
            let weight = loss.weight / *first_weight.get_or_insert(loss.weight);
            total_weight += weight;
            let mean = loss.mean.clone().inner().to_device(&main);
            sum = Some(match sum {
                None => mean,
                Some(sum) => sum + mean,
            });
            let factor = weight * scale;
            let scaled = if factor == 1.0 { loss.mean } else { loss.mean.mul_scalar(factor) };
            let gradients = monitor.phase("backward", || GradientsParams::from_grads(scaled.backward(), model));
            let gradients = if turn == 0 { gradients } else { gradients.to_device(&main, model) };
            accumulator.accumulate(self.current(), gradients);
        }
        let gradients = gradients::scale(self.current(), accumulator.grads(), 1.0 / (total_weight * scale));
        Ok((gradients, sum.unwrap_or_else(|| Tensor::zeros([1], &main))))
    }

    /// Whether to make an update with these gradients.
    fn accept(&mut self, at: Position, measured: &Measured, loss: &Tensor<1>, rate: f64) -> Result<bool> {
        let every = if device::is_cpu(&self.device) { 1 } else { CHECK_EVERY_ON_GPU };
        let reads = self.scaler.is_some() || self.config.not_finite != NotFinite::Stop;
        if !reads && !(at.update + 1).is_multiple_of(every) && !self.ends_epoch(at) {
            return Ok(true);
        }
        let Some(total) = measured.total() else { return Ok(true) };
        let data = Tensor::cat(vec![loss.clone(), total], 0).try_into_data().map_err(Error::device("read a loss"))?;
        let numbers: Vec<f64> = data.iter::<f64>().collect();
        let (loss, gradient) = (numbers[0], numbers[1]);
        if loss.is_finite() {
            if let Some(scaler) = &mut self.scaler {
                return scaler.accept(gradient.is_finite());
            }
            if gradient.is_finite() {
                return Ok(true);
            }
        }
        self.progress.skipped += 1;
        match self.config.not_finite {
            NotFinite::Skip { most } if self.progress.skipped <= most => Ok(false),
            policy => Err(Error::NotFinite {
                update: at.update + 1,
                epoch: at.epoch,
                step: at.step,
                loss,
                first: measured.first_not_finite().unwrap_or("none").to_string(),
                origin: measured.last_not_finite().unwrap_or("none").to_string(),
                learning_rate: rate,
                losses: self.losses.shown(SHOWN_LOSSES),
                skipped: if policy == NotFinite::Stop { 0 } else { self.progress.skipped - 1 },
            }),
        }
    }

    fn ends_epoch(&self, at: Position) -> bool {
        at.step.saturating_add(self.progress.stage.accumulation) >= self.fit.steps_per_epoch()
    }

    fn update(
        &mut self,
        at: Position,
        gradients: GradientsParams,
        squares: Option<Tensor<1>>,
        rate: f64,
    ) -> Result<()> {
        let stream = self.context_stream("constraint", at);
        let Some(model) = self.model.take() else { unreachable!("the model is there between updates") };
        let gradients = match (self.progress.stage.clip, squares) {
            (Clip::GlobalNorm(most), Some(squares)) => gradients::clip_norm(&model, gradients, squares, most),
            (Clip::Value(most), _) => gradients::clip_values(&model, gradients, most),
            _ => gradients,
        };
        let Self { fit, device, casting, monitor, optimizer, .. } = self;
        let model = monitor.phase("optimizer", || {
            let model = optimizer.step(rate, model, gradients);
            fit.constrain(model, &Context { device, casting, stream, at, monitor })
        });
        let updates = at.update + 1 - self.progress.before_stage;
        if let Some(average) = &mut self.average {
            average.update(&model, updates);
        }
        self.model = Some(model);
        Ok(())
    }

    /// The model that is evaluated: the average of the weights where there is one.
    fn inference(&self) -> F::Model {
        self.average.as_ref().map_or_else(|| self.model(), |average| average.model().valid())
    }

    fn evaluate(&mut self, model: &F::Model, at: Position) -> Result<Metrics> {
        let device = self.device.clone().inner();
        let stream = self.context_stream("evaluation", at);
        let Self { fit, casting, monitor, .. } = self;
        let ctx = Context { device: &device, casting, stream, at, monitor };
        monitor.phase("evaluation", || fit.evaluate(model, &ctx))
    }

    /// Evaluates the epoch that ends with the update at `at`, and decides what follows.
    fn end_epoch(&mut self, at: Position, rate: f64) -> Result<(Metrics, Option<&'static str>)> {
        let mut metrics = self.losses.end_epoch()?;
        metrics.push("learning_rate", rate);
        let inference = self.inference();
        let evaluated = self.evaluate(&inference, at)?;
        for (name, value) in evaluated.iter() {
            metrics.push(name.to_string(), value);
        }
        // an epoch whose every update was left out has no loss, and says nothing about the weights
        let nothing_kept = metrics.get("loss").is_none();
        let watched = metrics.get(&self.config.watch.metric);
        if watched.is_none() && !nothing_kept {
            return Err(Error::WatchMissing {
                metric: self.config.watch.metric.clone(),
                have: metrics.iter().map(|(name, _)| name).collect::<Vec<_>>().join(", "),
            });
        }
        let state = &mut self.progress;
        let minimum_delta = state.stage.early_stopping.map_or(0.0, |stopping| stopping.minimum_delta);
        if let Some(value) = watched.filter(|_| !nothing_kept)
            && state.best.see(&self.config.watch, value, minimum_delta)?.best
        {
            self.best_model = Some(self.measured_model.take().unwrap_or(inference));
        }
        self.measured_model = None;
        state.since_drop = if state.best.waited == 0 { 0 } else { state.since_drop + 1 };
        if let Schedule::Plateau { patience, .. } = state.stage.schedule
            && state.since_drop >= patience
        {
            state.drops += 1;
            state.since_drop = 0;
        }
        let epoch = Epoch { stage: at.stage, epoch: at.epoch, update: at.update + 1, metrics: metrics.clone() };
        state.history.epochs.push(epoch);
        let patience = state.stage.early_stopping.map_or(u64::MAX, |stopping| stopping.patience);
        state.history.stage_over = if state.best.waited >= patience {
            Some("no improvement")
        } else if at.epoch + 1 >= state.stage.epochs {
            Some("all epochs are made")
        } else {
            None
        };
        let done = match self.fit.next(&state.history)? {
            Next::Stop(reason) => Some(reason),
            Next::Stage(stage) => {
                self.begin_stage(stage, at)?;
                None
            }
            Next::Continue => {
                state.next = Position { update: at.update + 1, epoch: at.epoch + 1, step: 0, ..at };
                state.history.stage_over
            }
        };
        Ok((metrics, done))
    }

    fn begin_stage(&mut self, stage: StageConfig, at: Position) -> Result<()> {
        stage.check()?;
        self.optimizer = self.fit.optimizer(&stage);
        self.average = stage.weight_average.map(|decay| WeightAverage::new(self.current(), decay));
        let update = at.update + 1;
        self.progress.next = Position { update, stage: at.stage + 1, epoch: 0, step: 0 };
        self.progress.before_stage = update;
        (self.progress.drops, self.progress.since_drop) = (0, 0);
        self.progress.best = Best::default();
        self.progress.stage = stage;
        Ok(())
    }
}

impl<F: Fit> Advance for Trainer<F> {
    fn advance(&mut self, _: Position) -> Result<Progress> {
        let at = self.progress.next;
        let batches = self.progress.stage.accumulation.min(self.fit.steps_per_epoch() - at.step);
        let rate = self.learning_rate(at);
        let (gradients, loss) = self.gradients(at, batches)?;
        let clips_norm = matches!(self.progress.stage.clip, Clip::GlobalNorm(_));
        let kind = if clips_norm { Measure::Squares } else { Measure::Sum };
        let measured = gradients::measure(self.current(), &gradients, kind);
        if self.accept(at, &measured, &loss, rate)? {
            let squares = if clips_norm { measured.total() } else { None };
            if self.ends_epoch(at) && self.losses.measures(&self.config.watch.metric) {
                self.measured_model = Some(self.inference());
            }
            self.update(at, gradients, squares, rate)?;
        } else {
            self.losses.take_back();
        }
        self.progress.next = Position { update: at.update + 1, step: at.step + batches, ..at };
        if at.step + batches >= self.fit.steps_per_epoch() {
            let (mut metrics, done) = self.end_epoch(at, rate)?;
            // the loss of the epoch is a mean: where every update's is wanted, that of its last one is logged too
            if let Some(loss) = self.losses.last().filter(|_| self.config.log_every == 1) {
                metrics.push("update_loss", loss);
            }
            self.push_scaler(&mut metrics);
            self.push_costs(&mut metrics);
            return Ok(Progress { metrics, done });
        }
        self.losses.keep();
        let mut metrics = Metrics::new();
        if (at.update + 1).is_multiple_of(self.config.log_every) {
            metrics = self.losses.read()?;
            metrics.push("learning_rate", rate);
            self.push_scaler(&mut metrics);
        }
        Ok(Progress { metrics, done: None })
    }

    fn save(&self, set: &mut SetWriter) -> Result<()> {
        self.write_state(set)
    }

    fn load(&mut self, set: &SetReader) -> Result<()> {
        self.read_state(set)
    }

    fn fingerprint(&self) -> Result<[u8; 32]> {
        let mut config = self.config.clone();
        if !config.stage.schedule.knows_its_end() {
            config.stage.epochs = 0; // more of them go on where fewer ended
        }
        fingerprint(&("training", config, self.casting.name(), self.fit.fingerprint()?))
    }

    fn name(&self) -> &str {
        &self.config.name
    }

    fn total(&self) -> Option<u64> {
        let stage = self.progress.stage.epochs.saturating_mul(self.updates_per_epoch());
        Some(self.progress.before_stage.saturating_add(stage))
    }

    /// More epochs of the first stage, where it was not over for another reason.
    fn has_more(&self) -> bool {
        let TrainingState { next, stage, best, .. } = &self.progress;
        let patience = stage.early_stopping.map_or(u64::MAX, |stopping| stopping.patience);
        next.stage == 0 && next.step == 0 && next.epoch < stage.epochs && best.waited < patience
    }

    fn computing(&self) -> Option<Computing> {
        Some(Computing::of(&self.device, &self.casting, self.config.seed))
    }

    fn next(&self, _: Position) -> Position {
        self.progress.next
    }
}

impl<F: Fit> Trainer<F> {
    /// What the epoch cost, which is logged but no part of the history: it differs from run to run.
    fn push_costs(&mut self, metrics: &mut Metrics) {
        metrics.push("Performance/EpochTime", self.epoch_began.elapsed().as_secs_f64());
        self.epoch_began = Instant::now();
        let gigabytes = |bytes: u64| bytes as f64 / 1e9;
        for (name, bytes) in memory(&self.device) {
            match name {
                "device memory in use" => metrics.push("Memory/GPU_GB", gigabytes(bytes)),
                "host memory" => metrics.push("Memory/Host_GB", gigabytes(bytes)),
                _ => {}
            }
        }
    }

    fn push_scaler(&self, metrics: &mut Metrics) {
        if let Some(scaler) = &self.scaler {
            metrics.push("loss_scale", scaler.factor());
            metrics.push("skipped_updates", scaler.skipped() as f64);
        }
        if self.progress.skipped > 0 {
            metrics.push("updates_left_out", self.progress.skipped as f64);
        }
    }
}
