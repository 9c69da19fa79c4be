//! Checks that every model of the workspace passes, and that you can run on your own.
//!
//! A [`Subject`] says how to make the model and what to train it on; [`all`] runs every check on it on one device. A check
//! that fails panics and says what was expected.

use crate::{
    Advance, Casting, Context, Description, Fit, LossScaler, Opening, PerformanceMonitor, Policy, Position, Precision,
    Run, Trainer, TrainerConfig, Work, export_safetensors, import_safetensors, parameters,
};
use burn::{
    module::{Module, ModuleMapper, Param},
    optim::GradientsParams,
    tensor::{Device, Tensor, TensorData},
};
use cupel_data::Stream;
use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// A model and what it is trained on, small enough for a step in milliseconds.
pub trait Subject {
    /// What trains it.
    type Fit: Fit;

    /// Names it in messages.
    fn name(&self) -> &str;

    /// A fresh model on `device`, which has automatic differentiation.
    fn model(&self, device: &Device) -> <Self::Fit as Fit>::Model;

    /// The data and the loss.
    fn fit(&self) -> Self::Fit;

    /// How it is trained.
    fn config(&self) -> TrainerConfig {
        TrainerConfig::default()
    }

    /// Largest share of its start that the loss of one batch may keep after 200 updates on it.
    fn overfit_share(&self) -> f64 {
        0.5
    }
}

/// Largest difference of a final loss in bf16 or fp16 from that in f32, relative.
pub const LOW_PRECISION_TOLERANCE: f64 = 0.15;
/// Largest error of a directional derivative, relative to the larger of it and the gradient's share.
const DERIVATIVE_TOLERANCE: f64 = 0.03;
/// Rounding of an f32 loss, as a share of it.
const ROUNDING: f64 = 4e-7;
/// What the error of work says that was [cut off](CutOff).
pub const CUT_OFF: &str = "cut off";
/// Updates of [`overfits_one_batch`].
const OVERFIT_UPDATES: u64 = 200;

/// Holds the one training that a process may run at a time: layers draw from a generator of the whole process.
pub fn exclusive() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs every check; `scratch` is an empty folder.
///
/// # Panics
/// Where a check fails.
pub fn all<S: Subject>(subject: &S, device: &Device, scratch: &Path) {
    let _one = exclusive();
    every_parameter_gets_a_gradient(subject, device);
    gradients_are_derivatives(subject, device);
    overfits_one_batch(subject, device);
    weights_survive_files(subject, device, scratch);
    low_precision_agrees(subject, device, 100);
    resumes_exactly(subject, device, scratch);
}

/// A trainer of the subject in f32.
///
/// # Panics
/// Where the configuration is refused.
pub fn trainer<S: Subject>(subject: &S, device: &Device) -> Trainer<S::Fit> {
    in_precision(subject, device, Casting::f32())
}

fn in_precision<S: Subject>(subject: &S, device: &Device, casting: Casting) -> Trainer<S::Fit> {
    let model = subject.model(&device.clone().autodiff());
    unwrap(subject, Trainer::new(subject.fit(), model, subject.config(), casting, device))
}

fn unwrap<S: Subject, T, E: std::fmt::Display>(subject: &S, result: std::result::Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{}: {error}", subject.name()))
}

/// A parameter without a gradient is not trained, whatever the loss says.
///
/// # Panics
/// "... has parameters without a gradient: ...".
pub fn every_parameter_gets_a_gradient<S: Subject>(subject: &S, device: &Device) {
    let mut probe = Probe::new(subject, device);
    let (_, gradients) = probe.loss_and_gradients(&probe.model.clone());
    let measured = crate::gradients::measure(&probe.model, &gradients, crate::gradients::Measure::Squares);
    let without: Vec<String> = parameters(&probe.model)
        .into_iter()
        .filter(|p| p.trained && !measured.paths.contains(&p.path))
        .map(|p| p.path)
        .collect();
    assert!(without.is_empty(), "{} has parameters without a gradient: {}", subject.name(), without.join(", "));
}

/// The gradient along a random direction of every parameter is the derivative of the loss along it.
///
/// # Panics
/// Where the two differ by more than 3 %.
pub fn gradients_are_derivatives<S: Subject>(subject: &S, device: &Device) {
    let mut probe = Probe::new(subject, device);
    let model = probe.model.clone();
    let (_, gradients) = probe.loss_and_gradients(&model);
    for (index, parameter) in parameters(&model).into_iter().filter(|p| p.trained).enumerate() {
        let count = parameter.shape.iter().product::<usize>();
        let mut direction = vec![0.0f32; count];
        Stream::new(0, "direction").child(index as u64).fill_normal(&mut direction);
        let mut along = Along {
            path: Vec::new(),
            of: &parameter.path,
            direction: &direction,
            gradients: &gradients,
            step: 0.0,
            result: None,
        };
        let _ = model.valid().train().map(&mut along);
        let (gradient, weight_norm, gradient_norm) = along.result.unwrap_or_default();
        let direction_norm = direction.iter().map(|d| f64::from(*d).powi(2)).sum::<f64>().sqrt();
        let mut loss_at = |step: f64| {
            along.step = step;
            let moved = model.valid().train().map(&mut along);
            probe.loss(&moved)
        };
        let here = loss_at(0.0).abs();
        // a long step may cross the kink of a rectifier, a short one drowns in the rounding of f32 losses: one must agree
        let steps = [1e-2, 2e-3, 4e-4].map(|share| share * (weight_norm / direction_norm).max(1e-2 / direction_norm));
        let derivatives = steps.map(|step| (loss_at(step) - loss_at(-step)) / (2.0 * step));
        let agrees = steps.iter().zip(derivatives).any(|(step, derivative)| {
            let scale = derivative.abs().max(gradient.abs()).max(0.1 * gradient_norm);
            (derivative - gradient).abs() <= DERIVATIVE_TOLERANCE * scale + ROUNDING * here / step
        });
        assert!(
            agrees,
            "{}: the derivatives along `{}` are {derivatives:?}, its gradient says {gradient}",
            subject.name(),
            parameter.path
        );
    }
}

/// A model that cannot learn one batch by heart has a fault.
///
/// # Panics
/// Where the loss stays above [`Subject::overfit_share`] of its start.
pub fn overfits_one_batch<S: Subject>(subject: &S, device: &Device) {
    let losses = unwrap(subject, trainer(subject, device).overfit_one_batch(OVERFIT_UPDATES));
    let (first, tail) = (losses[0], &losses[losses.len() - 10..]);
    // the mean of the last ones, as dropout makes each of them random
    let last = tail.iter().sum::<f64>() / tail.len() as f64;
    let share = subject.overfit_share();
    assert!(last <= share * first, "{}: the loss of one batch only fell from {first} to {last}", subject.name());
}

/// Weights are the same after safetensors, to the bit.
///
/// # Panics
/// Where a bit differs.
pub fn weights_survive_files<S: Subject>(subject: &S, device: &Device, scratch: &Path) {
    let path = scratch.join(format!("{}.safetensors", subject.name()));
    let model = trainer(subject, device).model();
    unwrap(subject, export_safetensors(&path, &model));
    device.seed(17);
    let other = subject.model(device).valid();
    let back = unwrap(subject, import_safetensors(&path, other));
    assert!(weights(&model) == weights(&back), "{}: weights changed in a file", subject.name());
}

/// After `updates` updates the loss in bf16 and fp16, where the device has them, is that in f32; weights stay f32.
///
/// # Panics
/// Where it differs by more than [`LOW_PRECISION_TOLERANCE`].
pub fn low_precision_agrees<S: Subject>(subject: &S, device: &Device, updates: u64) {
    let work = Work { elements: 0, reduced_precision_pays_from: 0 };
    let reference = mean_loss(subject, &mut trainer(subject, device), updates);
    for precision in [Precision::Bf16, Precision::Fp16] {
        let Ok(casting) = precision.resolve(device, work) else { continue };
        let mut trainer = in_precision(subject, device, casting);
        let loss = mean_loss(subject, &mut trainer, updates);
        assert!(
            (loss - reference).abs() <= LOW_PRECISION_TOLERANCE * reference.abs(),
            "{}: after {updates} updates the loss in {precision} is {loss}, in f32 {reference}",
            subject.name()
        );
        let f32_bytes: usize = parameters(&trainer.model()).iter().map(|p| 4 * p.shape.iter().product::<usize>()).sum();
        let bytes: usize = weights(&trainer.model()).iter().map(|(_, data)| data.as_bytes().len()).sum();
        assert_eq!(bytes, f32_bytes, "{}: weights in {precision} are not f32", subject.name());
    }
}

/// Mean training loss over the second half of `updates` that were made; those that a loss scaler left out do not count.
fn mean_loss<S: Subject>(subject: &S, trainer: &mut Trainer<S::Fit>, updates: u64) -> f64 {
    let mut losses = Vec::new();
    let mut at = Position::default();
    loop {
        let made = at.update - trainer.scaler().map_or(0, LossScaler::skipped);
        if made >= updates {
            break;
        }
        let progress = unwrap(subject, trainer.advance(at));
        at = trainer.next(at);
        losses.extend(progress.metrics.get("loss").filter(|_| 2 * made >= updates));
        if progress.done.is_some() {
            break;
        }
    }
    assert!(!losses.is_empty(), "{}: no loss was logged in {updates} updates", subject.name());
    losses.iter().sum::<f64>() / losses.len() as f64
}

/// A run that is stopped and resumed ends with the same weights as one that is not, to the bit.
///
/// # Panics
/// Where a bit differs.
pub fn resumes_exactly<S: Subject>(subject: &S, device: &Device, scratch: &Path) {
    const UPDATES: u64 = 7;
    let mut whole = trainer(subject, device);
    let mut at = Position::default();
    for _ in 0..UPDATES {
        unwrap(subject, whole.advance(at));
        at = whole.next(at);
    }
    for stop in [1, 4] {
        let dir = scratch.join(format!("{}-resumed-at-{stop}", subject.name()));
        let is = unwrap(subject, Description::new(subject.name()).settings(&subject.config()));
        let open = |how| unwrap(subject, Run::open(&dir, &is, how)).run().unwrap_or_else(Run::in_memory);
        let mut first = trainer(subject, device);
        drive(subject, &mut open(Opening::Replace), &mut CutOff { work: &mut first, after: stop });
        device.seed(99);
        let mut second = trainer(subject, device);
        let going_on = &mut CutOff { work: &mut second, after: UPDATES };
        drive(subject, &mut open(Opening::Resume { strict: true }), going_on);
        assert!(
            weights(&whole.model()) == weights(&second.model()),
            "{}: resuming after update {stop} changed the weights",
            subject.name()
        );
        assert_eq!(whole.history(), second.history(), "{}: resuming changed the history", subject.name());
    }
}

fn drive<S: Subject>(subject: &S, run: &mut Run, work: &mut dyn Advance) {
    run.set_quiet(true);
    let error = run.drive(work, &Policy { save_every: Some(1), keep: 2 }).err().map(|error| error.to_string());
    assert_eq!(error.as_deref(), Some(CUT_OFF), "{}: the run ended otherwise", subject.name());
}

/// Work that is cut off after some advances, as by a power cut right after a checkpoint: its error says [`CUT_OFF`].
pub struct CutOff<'a, A: ?Sized> {
    /// The work.
    pub work: &'a mut A,
    /// Advances, of all of the run, that it still makes.
    pub after: u64,
}

impl<A: Advance + ?Sized> Advance for CutOff<'_, A> {
    fn advance(&mut self, at: Position) -> crate::Result<crate::Progress> {
        if at.update >= self.after { Err(crate::Error::work(CUT_OFF)) } else { self.work.advance(at) }
    }

    fn save(&self, set: &mut crate::SetWriter) -> crate::Result<()> {
        self.work.save(set)
    }

    fn load(&mut self, set: &crate::SetReader) -> crate::Result<()> {
        self.work.load(set)
    }

    fn fingerprint(&self) -> crate::Result<[u8; 32]> {
        self.work.fingerprint()
    }

    fn name(&self) -> &str {
        self.work.name()
    }

    fn next(&self, at: Position) -> Position {
        self.work.next(at)
    }
}

/// Paths and values of all parameters and buffers.
pub fn weights<M: Module>(model: &M) -> Vec<(String, TensorData)> {
    crate::weights::collect(model)
}

/// A model with one batch to evaluate it on, always with the same draws.
struct Probe<S: Subject> {
    fit: S::Fit,
    model: <S::Fit as Fit>::Model,
    device: Device,
    name: String,
}

impl<S: Subject> Probe<S> {
    fn new(subject: &S, device: &Device) -> Self {
        let device = device.clone().autodiff();
        device.seed(Stream::new(subject.config().seed, "initial weights").u64(0));
        let model = subject.model(&device);
        crate::parameters::initialise(&model);
        Self { fit: subject.fit(), model, device, name: subject.name().to_string() }
    }

    fn mean(&mut self, model: &<S::Fit as Fit>::Model) -> Tensor<1> {
        let (casting, monitor) = (Casting::f32(), PerformanceMonitor::off());
        let stream = Stream::new(0, "probe");
        let ctx =
            Context { device: &self.device, casting: &casting, stream, at: Position::default(), monitor: &monitor };
        self.device.seed(1);
        let batch = self.fit.batch(&ctx).unwrap_or_else(|error| panic!("{}: {error}", self.name));
        self.device.seed(2);
        self.fit.loss(model, batch, &ctx).mean
    }

    fn loss(&mut self, model: &<S::Fit as Fit>::Model) -> f64 {
        self.mean(model).inner().into_scalar()
    }

    fn loss_and_gradients(&mut self, model: &<S::Fit as Fit>::Model) -> (f64, GradientsParams) {
        let mean = self.mean(model);
        let loss = mean.clone().inner().into_scalar();
        (loss, GradientsParams::from_grads(mean.backward(), model))
    }
}

/// Moves one parameter along a direction, and computes what its gradient says of that.
struct Along<'a> {
    path: Vec<String>,
    of: &'a str,
    direction: &'a [f32],
    gradients: &'a GradientsParams,
    step: f64,
    /// Derivative by the gradient, norm of the parameter, norms of gradient and direction multiplied.
    result: Option<(f64, f64, f64)>,
}

impl ModuleMapper for Along<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if self.path.join(".") != self.of {
            return param;
        }
        let norm = |values: &[f64]| values.iter().map(|v| v * v).sum::<f64>().sqrt();
        let list = |tensor: Tensor<D>| tensor.into_data().iter::<f64>().collect::<Vec<_>>();
        if let (None, Some(gradient)) = (&self.result, self.gradients.get::<D>(param.id)) {
            let gradient = list(gradient);
            let along = gradient.iter().zip(self.direction).map(|(g, d)| g * f64::from(*d)).sum();
            let direction: Vec<f64> = self.direction.iter().map(|d| f64::from(*d)).collect();
            self.result = Some((along, norm(&list(param.base().inner())), norm(&gradient) * norm(&direction)));
        }
        let step = self.step;
        let direction = TensorData::new(self.direction.to_vec(), param.lazy_shape());
        param.map(|tensor| {
            let plain = tensor.inner();
            let direction = Tensor::from_data(direction, &plain.device());
            Tensor::from_inner(plain + direction.mul_scalar(step)).require_grad()
        })
    }
}
