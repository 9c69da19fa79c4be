//! [`Fit`]: what gradient training needs to know of a domain.

use crate::{
    Casting, History, Metrics, PerformanceMonitor, Position, Result, SetReader, SetWriter, StageConfig, fingerprint,
};
use burn::{
    module::Module,
    optim::ModuleOptimizer,
    tensor::{Device, Tensor, TensorData},
};
use cupel_data::Stream;

/// Where and how a batch is made and used.
#[derive(Debug)]
pub struct Context<'a> {
    /// With automatic differentiation in training, without it in evaluation.
    pub device: &'a Device,
    /// The precision of the model.
    pub casting: &'a Casting,
    /// Random numbers of this step; draw those of one purpose from a [`child`](Stream::child) of their own.
    pub stream: Stream,
    /// The step.
    pub at: Position,
    /// Takes the time of what is passed through it.
    pub monitor: &'a PerformanceMonitor,
}

impl Context<'_> {
    /// Makes tensors of host data ready for a fast transfer to the device: pinned memory where the backend has it.
    ///
    /// Call it before [`Tensor::from_data`]; the transfer then overlaps with what the device still computes.
    pub fn stage<'b>(&self, data: impl Iterator<Item = &'b mut TensorData>) {
        self.monitor.phase("transfer", || self.device.staging(data));
    }
}

/// The loss of one batch.
#[derive(Debug)]
pub struct Loss {
    /// Mean over the batch, f32.
    pub mean: Tensor<1>,
    /// What the mean is weighted by among batches: the number of samples, or the sum of their weights.
    pub weight: f64,
    /// Parts of the loss for the log, means over the batch as well; they stay on the device until the log is due.
    pub terms: Vec<(&'static str, Tensor<1>)>,
}

/// What follows an epoch.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// The next epoch; the end where the stage is over, see [`History::stage_over`].
    Continue,
    /// Another stage: optimiser, schedule and averaged weights start anew, the model goes on.
    Stage(StageConfig),
    /// The end, with its reason.
    Stop(&'static str),
}

/// What gradient training needs of a domain: batches, a loss, and what comes after an epoch.
///
/// [`Trainer`](crate::Trainer) and [`Lbfgs`](crate::Lbfgs) drive it. Supervised training, the optimisation of a single
/// object and variational inference differ only in these three; the number of steps and the fingerprint identify them.
pub trait Fit {
    /// What is trained.
    type Model: Module;
    /// What one step needs beside the model.
    type Batch;

    /// The batch of a step; a function of the position and stream in `ctx` and nothing else, so that a resumed run sees
    /// the same batches.
    ///
    /// # Errors
    /// Whatever keeps the batch from being made.
    fn batch(&mut self, ctx: &Context<'_>) -> Result<Self::Batch>;

    /// The loss of a batch: the forward pass in the precision of `ctx`, the loss in f32.
    fn loss(&self, model: &Self::Model, batch: Self::Batch, ctx: &Context<'_>) -> Loss;

    /// What follows the epoch that `seen` ends with.
    ///
    /// # Errors
    /// Whatever keeps it from being decided.
    fn next(&mut self, _seen: &History) -> Result<Next> {
        Ok(Next::Continue)
    }

    /// Batches in an epoch, at least 1.
    fn steps_per_epoch(&self) -> u64;

    /// Puts the parameters back where they belong after an update: on a simplex, above zero.
    fn constrain(&self, model: Self::Model, _: &Context<'_>) -> Self::Model {
        model
    }

    /// Numbers of the model on validation data after an epoch, weighted by sample; `model` is in inference mode.
    ///
    /// # Errors
    /// Whatever keeps it from being evaluated.
    fn evaluate(&mut self, _: &Self::Model, _: &Context<'_>) -> Result<Metrics> {
        Ok(Metrics::new())
    }

    /// The optimiser of a stage; a place to add groups of parameters with optimisers of their own.
    fn optimizer(&self, config: &StageConfig) -> ModuleOptimizer {
        config.optimizer.init()
    }

    /// Hash of everything but the model and [`TrainerConfig`](crate::TrainerConfig) that the training depends on: the data,
    /// their split, settings of the loss. A checkpoint is only resumed where it agrees, see [`fingerprint`](crate::fingerprint).
    /// By itself the name of the type and the number of steps: a run in a folder knows settings and data by its
    /// [`Description`](crate::Description).
    ///
    /// # Errors
    /// That the settings cannot be encoded.
    fn fingerprint(&self) -> Result<[u8; 32]> {
        fingerprint(&(std::any::type_name::<Self>(), self.steps_per_epoch()))
    }

    /// Writes what the fit itself changes over the epochs.
    ///
    /// # Errors
    /// What `set` reports.
    fn save(&self, _: &mut SetWriter) -> Result<()> {
        Ok(())
    }

    /// Takes back what [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// What `set` reports.
    fn load(&mut self, _: &SetReader) -> Result<()> {
        Ok(())
    }
}
