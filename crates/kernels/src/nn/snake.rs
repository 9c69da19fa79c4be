//! `x + sin^2(a x) / a`, with an `a` per channel that is learnt (Ziyin et al. 2020, arXiv:2006.08195).

use burn::{
    module::{Initializer, Module, Param},
    tensor::{Device, Tensor},
};

/// Settings of a [`Snake`].
#[derive(Clone, Debug)]
pub struct SnakeConfig {
    /// Channels of the input.
    pub channels: usize,
    /// Where every `a` begins; not 0.
    pub frequency: f64,
}

impl SnakeConfig {
    /// All `a` begin at 1.
    pub fn new(channels: usize) -> Self {
        Self { channels, frequency: 1.0 }
    }

    /// The module.
    pub fn init(&self, device: &Device) -> Snake {
        let frequency = Initializer::Constant { value: self.frequency }.init([self.channels], device);
        Snake { frequency }
    }
}

/// An activation with one learnt number per channel.
#[derive(Module, Debug)]
pub struct Snake {
    /// `a` of each channel.
    pub frequency: Param<Tensor<1>>,
}

impl Snake {
    /// Applies it to `x`, `[batch, channels, ..]`.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let mut shape = [1; D];
        shape[1] = self.frequency.dims()[0];
        let a = self.frequency.val().cast(x.dtype()).reshape(shape);
        let sine = (x.clone() * a.clone()).sin();
        x + sine.clone() * sine / a
    }
}
