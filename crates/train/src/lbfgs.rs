//! [`Lbfgs`]: L-BFGS over the same [`Fit`] that gradient training uses.

use crate::{
    Advance, Casting, Computing, Context, Epoch, Error, Fit, History, Metrics, Next, PerformanceMonitor, Position,
    Progress, Result, SetReader, SetWriter, fingerprint,
    parameters::{Parameter, check_fit, initialise, parameters},
};
use burn::{
    module::Module,
    optim::{GradientsParams, LBFGS, LBFGSConfig, OptimizerRecord},
    tensor::{Bytes, Device},
};
use cupel_data::Stream;
use serde::{Deserialize, Serialize};

const MODEL: &str = "model.bpk";
const OPTIMIZER: &str = "optimizer.bpk";
const STATE: &str = "state.json";

/// Settings of [`Lbfgs`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LbfgsSettings {
    /// Names the work in the run. Default `lbfgs`.
    pub name: String,
    /// Seed of the initial weights and of every draw. Default 0.
    pub seed: u64,
    /// Gradients that the approximation of the curvature remembers. Default 10.
    pub memory: usize,
    /// Iterations of one advance. Default 20.
    pub iterations: usize,
    /// Most advances, at least 1. Default 100.
    pub steps: u64,
    /// It has converged where the loss changes by less, relative to the loss. Default 1e-9.
    pub tolerance: f64,
}

impl Default for LbfgsSettings {
    fn default() -> Self {
        Self { name: "lbfgs".into(), seed: 0, memory: 10, iterations: 20, steps: 100, tolerance: 1e-9 }
    }
}

/// Limited-memory BFGS with a strong Wolfe line search (D. C. Liu and J. Nocedal, Math. Program. 45, 503 (1989)), for smooth
/// losses without noise.
///
/// Every advance uses one batch, that of step 0, which should be all data: the line search compares losses.
pub struct Lbfgs<F: Fit> {
    fit: F,
    model: Option<F::Model>,
    settings: LbfgsSettings,
    device: Device,
    casting: Casting,
    optimizer: LBFGS,
    state: State,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    parameters: Vec<Parameter>,
    loss: Option<f64>,
    history: History,
}

impl<F: Fit> Lbfgs<F> {
    /// Prepares the optimisation of `model`, in f32; `device` is without automatic differentiation.
    ///
    /// # Errors
    /// [`Error::Setting`] for a number out of its range.
    pub fn new(fit: F, model: F::Model, settings: LbfgsSettings, device: &Device) -> Result<Self> {
        for (name, value) in
            [("memory", settings.memory as u64), ("iterations", settings.iterations as u64), ("steps", settings.steps)]
        {
            if value == 0 {
                return Err(Error::Setting { name, got: "0".into(), expected: "a number of at least 1" });
            }
        }
        if !(settings.tolerance >= 0.0 && settings.tolerance.is_finite()) {
            let got = settings.tolerance.to_string();
            return Err(Error::Setting { name: "tolerance", got, expected: "a number of at least 0" });
        }
        device.seed(Stream::new(settings.seed, "initial weights").u64(0));
        initialise(&model);
        let state = State { parameters: parameters(&model), ..State::default() };
        let optimizer = Self::fresh(&settings);
        let (device, casting) = (device.clone().autodiff(), Casting::f32());
        Ok(Self { fit, model: Some(model), settings, device, casting, optimizer, state })
    }

    fn fresh(settings: &LbfgsSettings) -> LBFGS {
        LBFGSConfig::new()
            .with_history_size(settings.memory)
            .with_max_iter(settings.iterations)
            .with_line_search_fn(burn::optim::LineSearchFn::StrongWolfe)
            .init()
    }

    /// The model as it stands, in inference mode.
    pub fn model(&self) -> F::Model {
        self.current().valid()
    }

    #[expect(clippy::expect_used, reason = "only an advance takes the model, and puts it back before it returns")]
    fn current(&self) -> &F::Model {
        self.model.as_ref().expect("the model is there between advances")
    }
}

impl<F: Fit> Advance for Lbfgs<F>
where
    F::Batch: Clone,
{
    fn advance(&mut self, at: Position) -> Result<Progress> {
        let first = Position { step: 0, ..Position::default() };
        let stream = Stream::new(self.settings.seed, "training").child(0).at(0, 0);
        let monitor = PerformanceMonitor::off();
        let Self { fit, model, device, casting, optimizer, .. } = self;
        let ctx = Context { device, casting, stream: stream.child(0), at: first, monitor: &monitor };
        let batch = fit.batch(&ctx)?;
        let Some(model) = model.take() else { unreachable!("the model is there between advances") };
        let mut failed = None;
        let (model, _) = optimizer.step(1.0, model, |model: F::Model| {
            // every evaluation of the line search must see the same draws
            device.seed(stream.u64(0));
            let loss = fit.loss(&model, batch.clone(), &ctx);
            let value = loss.mean.clone().inner().try_into_scalar::<f64>().unwrap_or_else(|error| {
                failed = Some(error.to_string());
                f64::NAN
            });
            (value, GradientsParams::from_grads(loss.mean.backward(), &model))
        });
        let loss = {
            device.seed(stream.u64(0));
            let mean = fit.loss(&model, batch, &ctx).mean.inner();
            mean.try_into_scalar::<f64>().map_err(Error::device("read the loss"))?
        };
        self.model = Some(model);
        if let Some(problem) = failed {
            return Err(Error::Device { action: "read a loss", problem });
        }
        if !loss.is_finite() {
            return Err(Error::WatchNotFinite { metric: "loss".into(), value: loss });
        }
        let inference = self.model();
        let plain = self.device.clone().inner();
        let ctx = Context { device: &plain, casting: &self.casting, stream, at, monitor: &monitor };
        let mut metrics = Metrics::from([("loss", loss)]);
        for (name, value) in self.fit.evaluate(&inference, &ctx)?.iter() {
            metrics.push(name.to_string(), value);
        }
        let change = self.state.loss.map_or(f64::INFINITY, |before| (before - loss).abs());
        let converged = change <= self.settings.tolerance * loss.abs();
        self.state.loss = Some(loss);
        let epoch = Epoch { stage: 0, epoch: at.update, update: at.update + 1, metrics: metrics.clone() };
        self.state.history.epochs.push(epoch);
        let over = if converged {
            Some("converged")
        } else if at.update + 1 >= self.settings.steps {
            Some("all steps are made")
        } else {
            None
        };
        self.state.history.stage_over = over;
        let done = match self.fit.next(&self.state.history)? {
            Next::Stop(reason) => Some(reason),
            Next::Continue | Next::Stage(_) => over,
        };
        Ok(Progress { metrics, done })
    }

    fn save(&self, set: &mut SetWriter) -> Result<()> {
        set.module(MODEL, &self.model())?;
        let bytes = self.optimizer.into_bytes().map_err(Error::record("encode", OPTIMIZER))?;
        set.bytes(OPTIMIZER, &bytes)?;
        set.json(STATE, &self.state)?;
        self.fit.save(set)
    }

    fn load(&mut self, set: &SetReader) -> Result<()> {
        let state: State = set.json(STATE)?;
        check_fit(&set.dir().display().to_string(), &state.parameters, &parameters(self.current()))?;
        let Some(fresh) = self.model.take() else { unreachable!("the model is there between advances") };
        self.model = Some(set.load_module(MODEL, fresh)?);
        let record = OptimizerRecord::from_bytes(Bytes::from_bytes_vec(set.bytes(OPTIMIZER)?))
            .map_err(Error::record("decode", OPTIMIZER))?;
        self.optimizer = Self::fresh(&self.settings).load_record(record).to_device(&self.device.clone().inner());
        self.state = state;
        self.fit.load(set)
    }

    fn fingerprint(&self) -> Result<[u8; 32]> {
        fingerprint(&("lbfgs", &self.settings, self.fit.fingerprint()?))
    }

    fn name(&self) -> &str {
        &self.settings.name
    }

    fn total(&self) -> Option<u64> {
        Some(self.settings.steps)
    }

    fn computing(&self) -> Option<Computing> {
        Some(Computing::of(&self.device, &self.casting, self.settings.seed))
    }
}
