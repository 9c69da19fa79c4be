//! [`UNet3dV2`]: the configurable network, "v2".
//!
//! A convolution to `filters` channels; at every level a stage that doubles them, kept for the way back, and a step down; a stage at the
//! bottom; at every level a step up, what was kept beside it, and a stage to half the channels; a head. [`UNet3dV2Config`] says what each of
//! these is.

use std::f64::consts::PI;

use burn::{
    module::Module,
    tensor::{Device, Tensor, TensorData},
};
use cupel_kernels::{average_pool3d, nn::NormConfig};

use super::{
    config::UNet3dV2Config,
    levels::{AttentionGate, Down, Film, Up},
    parts::{Convolution, NormActivation, Stage},
};
use crate::Result;

/// The configurable U-Net.
#[derive(Module, Debug)]
pub struct UNet3dV2 {
    stem: Convolution,
    encoder: Vec<Stage>,
    down: Vec<Down>,
    bottom: Stage,
    up: Vec<Up>,
    /// One per level, or none.
    gates: Vec<AttentionGate>,
    decoder: Vec<Stage>,
    /// One per stage, from the first down to the bottom and up again, or none.
    film: Vec<Film>,
    /// Convolution and activation before the last, or nothing.
    before_head: Option<BeforeHead>,
    head: Convolution,
    #[module(skip)]
    shape: Shape,
}

#[derive(Module, Debug)]
struct BeforeHead {
    conv: Convolution,
    activation: NormActivation,
}

/// What the forward pass has to know of the settings.
#[derive(Clone, Debug)]
struct Shape {
    strides: Vec<[usize; 3]>,
    /// Waves along the frequency, and the axis of it.
    waves: Option<(usize, usize)>,
    /// Whether the second half of the channels are imaginary parts.
    complex: bool,
}

impl UNet3dV2Config {
    /// The network with fresh weights.
    ///
    /// # Errors
    /// Those of [`check_shape`](Self::check_shape).
    pub fn init(&self, device: &Device) -> Result<UNet3dV2> {
        self.check_shape()?;
        let ([input, output], f, strides) = (self.channels, self.filters, self.strides());
        let waves = self.freq_pos_encoding.then_some((self.freq_pos_dim, self.freq_axis));
        let of_level = |level: usize| f << level;
        let levels = 0..self.levels;
        let stage = |channels| Stage::new(self, channels, device);
        // both from below and across come the channels behind the stage of the level
        let up = |level: usize| Up::new(self, [of_level(level + 1); 2], strides[level], device);
        let stages_channels = levels.clone().map(|level| of_level(level + 1)).chain([of_level(self.levels)]);
        let stages_channels = stages_channels.chain(levels.clone().rev().map(of_level));
        let kernel_of_head = if self.two_conv_head { [1; 3] } else { self.conv_kernel_size.0 };
        Ok(UNet3dV2 {
            stem: Convolution::new(self, [input + waves.map_or(0, |(count, _)| count), f], device),
            encoder: levels.clone().map(|level| stage([of_level(level), of_level(level + 1)])).collect(),
            down: levels.clone().map(|l| Down::new(self, of_level(l + 1), strides[l], device)).collect(),
            bottom: stage([of_level(self.levels); 2]),
            up: levels.clone().rev().map(up).collect(),
            gates: match self.attention_gates {
                true => levels.clone().rev().map(|level| AttentionGate::new(of_level(level + 1), device)).collect(),
                false => Vec::new(),
            },
            decoder: levels.rev().map(|level| stage([2 * of_level(level + 1), of_level(level)])).collect(),
            film: match self.film_conditioning {
                true => stages_channels.map(|channels| Film::new(self.film_cond_dim, channels, device)).collect(),
                false => Vec::new(),
            },
            before_head: self.two_conv_head.then(|| BeforeHead {
                conv: Convolution::new(self, [f, f], device),
                activation: NormActivation::new(self, NormConfig::None, f, device),
            }),
            head: Convolution::with_kernel(self, [f, output], (kernel_of_head, [1; 3]), device),
            shape: Shape { strides, waves, complex: self.complex },
        })
    }
}

impl UNet3dV2 {
    /// Applies the network.
    ///
    /// # Shapes
    /// `x` `[batch, input channels, x, y, z]`; the result `[batch, output channels, x, y, z]`.
    ///
    /// # Panics
    /// "UNet3dV2: axis 0 has 30 values, which is no multiple of 4"; "UNet3dV2: film-conditioning needs features"; an axis too short for its
    /// padding, as [`UNet3dV2Config::check_extents`] says beforehand.
    pub fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        self.pass(x, None)
    }

    /// Applies a network with `film_conditioning`.
    ///
    /// # Shapes
    /// `x` as in [`forward`](Self::forward), `features` `[1 or batch, features, z]`.
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    pub fn forward_with(&self, x: Tensor<5>, features: Tensor<3>) -> Tensor<5> {
        let [batch, count, places] = features.dims();
        self.pass(x, Some(features.reshape([batch, count, 1, 1, places])))
    }

    fn pass(&self, x: Tensor<5>, features: Option<Tensor<5>>) -> Tensor<5> {
        let [_, _, extents @ ..] = x.dims();
        for (axis, extent) in extents.into_iter().enumerate() {
            let product = self.shape.strides.iter().map(|stride| stride[axis]).product::<usize>();
            let fits = extent.is_multiple_of(product);
            assert!(fits, "UNet3dV2: axis {axis} has {extent} values, which is no multiple of {product}");
        }
        assert!(self.film.is_empty() || features.is_some(), "UNet3dV2: film-conditioning needs features");
        let levels = self.encoder.len();
        let mut features = features.map(|features| features.cast(x.dtype()));
        let conditioned = |x: Tensor<5>, stage: usize, features: &Option<Tensor<5>>| match features {
            Some(features) if !self.film.is_empty() => self.film[stage].forward(x, features.clone()),
            _ => x,
        };

        let mut x = self.stem.forward(self.with_waves(x));
        let mut kept = Vec::with_capacity(levels);
        for level in 0..levels {
            x = conditioned(self.encoder[level].forward(x), level, &features);
            kept.push((x.clone(), features.clone()));
            x = self.down[level].forward(x);
            let [_, _, z] = self.shape.strides[level];
            features = features.map(|features| average_pool3d(features, [1, 1, z]));
        }
        x = conditioned(self.bottom.forward(x), levels, &features);
        for (step, (mut across, features)) in kept.into_iter().rev().enumerate() {
            x = self.up[step].forward(x);
            if let Some(gate) = self.gates.get(step) {
                across = gate.forward(across, x.clone());
            }
            x = self.decoder[step].forward(self.joined(x, across));
            x = conditioned(x, levels + 1 + step, &features);
        }
        if let Some(BeforeHead { conv, activation }) = &self.before_head {
            x = activation.forward(conv.forward(x));
        }
        self.head.forward(x)
    }

    /// The channels of both, of complex numbers all real parts before all imaginary ones.
    fn joined(&self, x: Tensor<5>, across: Tensor<5>) -> Tensor<5> {
        if !self.shape.complex {
            return Tensor::cat(vec![x, across], 1);
        }
        let [[x_re, x_im], [across_re, across_im]] = [x, across].map(|x| {
            let half = x.dims()[1] / 2;
            [x.clone().narrow(1, 0, half), x.narrow(1, half, half)]
        });
        Tensor::cat(vec![x_re, across_re, x_im, across_im], 1)
    }

    /// Lets the network begin with a result of zeros.
    #[must_use]
    pub fn with_zero_head(mut self, device: &Device) -> Self {
        self.head = self.head.zeroed(device);
        self
    }

    /// `x` with sines and cosines of `2^k pi u` beside its channels, where `u` runs from 0 to 1 along the frequency.
    fn with_waves(&self, x: Tensor<5>) -> Tensor<5> {
        let Some((count, axis)) = self.shape.waves else { return x };
        let [batch, _, extents @ ..] = x.dims();
        let extent = extents[axis];
        let at = |place: usize| (place as f64 + 0.5) / extent as f64;
        let wave = |channel: usize, place: usize| {
            let phase = f64::from(1u32 << (channel / 2).min(31)) * PI * at(place);
            if channel.is_multiple_of(2) { phase.sin() } else { phase.cos() }
        };
        let values: Vec<f32> = (0..count * extent).map(|i| wave(i / extent, i % extent) as f32).collect();
        let mut shape = [1, count, 1, 1, 1];
        shape[axis + 2] = extent;
        let waves = Tensor::<5>::from_data(TensorData::new(values, shape), (&x.device(), x.dtype()));
        let [a, b, c] = extents;
        Tensor::cat(vec![x, waves.expand([batch, count, a, b, c])], 1)
    }
}
