//! Normalisations with their parameters, each with an activation behind it at no further cost.
//!
//! Statistics are f32 at least, whatever the dtype of the input.

use crate::{Activation, Normalization, Share, activate, normalize};
use burn::{
    module::{Flag, Initializer, Module, Param, RunningState},
    tensor::{DType, Device, Tensor},
};

/// Settings of a [`BatchNorm`].
#[derive(Clone, Debug)]
pub struct BatchNormConfig {
    /// Channels of the input.
    pub channels: usize,
    /// Added to the variance; 1e-5 as in PyTorch.
    pub epsilon: f64,
    /// The share of a new batch in the running moments; 0.1 as in PyTorch.
    pub momentum: f64,
}

impl BatchNormConfig {
    /// The settings of PyTorch.
    pub fn new(channels: usize) -> Self {
        Self { channels, epsilon: 1e-5, momentum: 0.1 }
    }

    /// The module with scale 1 and shift 0, and running moments 0 and 1.
    pub fn init(&self, device: &Device) -> BatchNorm {
        BatchNorm {
            gamma: Initializer::Ones.init([self.channels], device),
            beta: Initializer::Zeros.init([self.channels], device),
            training: Param::from_bool(true),
            running_mean: RunningState::new(Tensor::zeros([self.channels], device)),
            running_variance: RunningState::new(Tensor::ones([self.channels], device)),
            momentum: self.momentum,
            epsilon: self.epsilon,
        }
    }
}

/// Batch normalisation: by the moments of the batch in training, by the running moments otherwise.
///
/// It trains on a device with automatic differentiation, unless it is frozen. The running variance is that of the batch divided by
/// the count less one, as in PyTorch.
#[derive(Module, Debug)]
pub struct BatchNorm {
    /// Scale of each channel.
    pub gamma: Param<Tensor<1>>,
    /// Shift of each channel.
    pub beta: Param<Tensor<1>>,
    training: Param<Flag>,
    /// Running mean of each channel.
    pub running_mean: RunningState<Tensor<1>>,
    /// Running variance of each channel.
    pub running_variance: RunningState<Tensor<1>>,
    momentum: f64,
    epsilon: f64,
}

impl BatchNorm {
    /// Normalises `x`, `[batch, channels, ..]`, and applies `activation`.
    ///
    /// # Panics
    /// With the texts of [`normalize`].
    pub fn forward<const D: usize>(&self, x: Tensor<D>, activation: Activation) -> Tensor<D> {
        if !self.trains(&x) {
            let (scale, shift) = self.line();
            let mut shape = [1; D];
            shape[1] = scale.dims()[0];
            let dtype = x.dtype();
            let u = x.cast(scale.dtype()) * scale.reshape(shape) + shift.reshape(shape);
            return activate(u, activation).cast(dtype);
        }
        let count = x.dims().iter().product::<usize>() / x.dims()[1];
        let how = Normalization { share: Share::Batch, epsilon: self.epsilon, activation };
        let normalized = normalize(x, self.gamma.val(), self.beta.val(), how);
        let unbiased = normalized.variance * (count as f64 / (count.max(2) - 1) as f64);
        for (running, new) in [(&self.running_mean, normalized.mean), (&self.running_variance, unbiased)] {
            let old = running.value_sync().to_device(&new.device());
            let new = new.cast(old.dtype());
            running.update((old * (1.0 - self.momentum) + new * self.momentum).detach());
        }
        normalized.output
    }

    /// Whether the moments of `x` count, and not the running ones.
    pub(crate) fn trains<const D: usize>(&self, x: &Tensor<D>) -> bool {
        x.device().is_autodiff() && self.training.is_enabled()
    }

    /// Scale and shift of each channel that the running moments amount to.
    pub(crate) fn line(&self) -> (Tensor<1>, Tensor<1>) {
        let gamma = at_least_f32(self.gamma.val());
        let [mean, variance] = [&self.running_mean, &self.running_variance]
            .map(|running| running.value_sync().to_device(&gamma.device()).cast(gamma.dtype()));
        let scale = gamma / (variance + self.epsilon).sqrt();
        let shift = at_least_f32(self.beta.val()) - mean * scale.clone();
        (scale, shift)
    }
}

fn at_least_f32(x: Tensor<1>) -> Tensor<1> {
    if matches!(x.dtype(), DType::F16 | DType::BF16) { x.cast(DType::F32) } else { x }
}

/// Settings of a [`GroupNorm`].
#[derive(Clone, Debug)]
pub struct GroupNormConfig {
    /// Groups of neighbouring channels: 1 for a layer norm over channels and places, as many as channels for an instance norm.
    pub groups: usize,
    /// Channels of the input.
    pub channels: usize,
    /// Added to the variance; 1e-5 as in PyTorch.
    pub epsilon: f64,
}

impl GroupNormConfig {
    /// The settings of PyTorch.
    pub fn new(groups: usize, channels: usize) -> Self {
        Self { groups, channels, epsilon: 1e-5 }
    }

    /// The module with scale 1 and shift 0.
    pub fn init(&self, device: &Device) -> GroupNorm {
        GroupNorm {
            gamma: Initializer::Ones.init([self.channels], device),
            beta: Initializer::Zeros.init([self.channels], device),
            groups: self.groups,
            epsilon: self.epsilon,
        }
    }
}

/// Normalisation of groups of channels of each sample.
#[derive(Module, Debug)]
pub struct GroupNorm {
    /// Scale of each channel.
    pub gamma: Param<Tensor<1>>,
    /// Shift of each channel.
    pub beta: Param<Tensor<1>>,
    groups: usize,
    epsilon: f64,
}

impl GroupNorm {
    /// Normalises `x`, `[batch, channels, ..]`, and applies `activation`.
    ///
    /// # Panics
    /// With the texts of [`normalize`].
    pub fn forward<const D: usize>(&self, x: Tensor<D>, activation: Activation) -> Tensor<D> {
        let how = Normalization { share: Share::Group(self.groups), epsilon: self.epsilon, activation };
        normalize(x, self.gamma.val(), self.beta.val(), how).output
    }
}

/// Which normalisation a block has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum NormConfig {
    /// None.
    None,
    /// By channel, over the batch.
    #[default]
    Batch,
    /// By group of channels, at most so many groups: fewer where that many do not divide the channels.
    Group(usize),
    /// By channel and sample.
    Instance,
    /// By sample, over all channels.
    Layer,
}

impl NormConfig {
    /// The normalisation of so many channels, if any.
    pub fn init(self, channels: usize, device: &Device) -> Option<Norm> {
        let group = |groups: usize| Some(Norm::Group(GroupNormConfig::new(groups, channels).init(device)));
        match self {
            Self::None => None,
            Self::Batch => Some(Norm::Batch(BatchNormConfig::new(channels).init(device))),
            Self::Group(most) => group((1..=most.clamp(1, channels)).rev().find(|n| channels.is_multiple_of(*n))?),
            Self::Instance => group(channels),
            Self::Layer => group(1),
        }
    }
}

/// A normalisation of either kind.
#[derive(Module, Debug)]
pub enum Norm {
    /// By the moments of the batch.
    Batch(BatchNorm),
    /// By the moments of each sample.
    Group(GroupNorm),
}

impl Norm {
    /// Normalises `x`, `[batch, channels, ..]`, and applies `activation`.
    ///
    /// # Panics
    /// With the texts of [`normalize`].
    pub fn forward<const D: usize>(&self, x: Tensor<D>, activation: Activation) -> Tensor<D> {
        match self {
            Self::Batch(norm) => norm.forward(x, activation),
            Self::Group(norm) => norm.forward(x, activation),
        }
    }
}
