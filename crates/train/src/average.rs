//! Exponential moving average of a model's weights.

use burn::{
    module::{Module, ModuleMapper, ModuleVisitor, Param},
    optim::GradientsParams,
    tensor::Tensor,
};

/// Average of the weights over the updates, which generalises better than the last of them
/// (B. T. Polyak and A. B. Juditsky, SIAM J. Control Optim. 30, 838 (1992)).
///
/// In the first updates the decay is `(1 + n) / (10 + n)`, so that the average does not remember the initial weights.
/// Running statistics are averaged like weights.
#[derive(Clone, Debug)]
pub struct WeightAverage<M> {
    model: M,
    decay: f64,
}

impl<M: Module> WeightAverage<M> {
    /// Starts at the weights of `model`.
    pub fn new(model: &M, decay: f64) -> Self {
        // `valid` also parts the running statistics, which clones share
        Self { model: model.valid(), decay }
    }

    /// Takes the weights of `model` after its update number `updates`, counted from 1.
    pub fn update(&mut self, model: &M, updates: u64) {
        let decay = self.decay.min((1.0 + updates as f64) / (10.0 + updates as f64));
        // statistics that are pending on this thread are settled by `valid`, whether or not the run was just saved
        let weights = weights_by_id(&model.valid());
        let average = std::mem::replace(&mut self.model, model.valid());
        self.model = average.map(&mut Blend { with: weights, decay });
    }

    /// The averaged model, for inference.
    pub fn model(&self) -> &M {
        &self.model
    }

    pub(crate) fn replace(&mut self, model: M) {
        self.model = model;
    }
}

/// The f32 weights by the ids of their parameters, in the container that Burn has for gradients.
pub(crate) fn weights_by_id<M: Module>(model: &M) -> GradientsParams {
    let mut weights = Collect(GradientsParams::new());
    model.visit(&mut weights);
    weights.0
}

struct Collect(GradientsParams);

impl ModuleVisitor for Collect {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.register(param.id, param.base());
    }
}

struct Blend {
    with: GradientsParams,
    decay: f64,
}

impl ModuleMapper for Blend {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.with.remove::<D>(param.id) {
            Some(weights) => {
                let decay = self.decay;
                param.map(|average| average.mul_scalar(decay) + weights.mul_scalar(1.0 - decay))
            }
            None => param,
        }
    }
}
