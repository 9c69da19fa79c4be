//! [`ProgressiveDecoder`]: a point that grows to an image.
//!
//! The network of the original PRISM (O. Omri, github.com/omriwen/PRISM, MIT, `models/networks.py`): a latent vector of as many channels as
//! the field has pixels on a side, a transposed convolution to 4 x 4, then doublings that halve the channels until the object fits in, then
//! convolutions of 3 x 3 down to one channel. Normalisation and ReLU follow each but the last.
//!
//! What differs: the last convolution is padded, where the original's makes the image two pixels smaller and its frame unreachable; and the
//! normalisation is that of the image itself, in use as in training. There is one latent, so the batch normalisation of the original is in
//! training the same as one by channel of the one sample; in use the original takes running moments, which give another image.

use burn::{
    module::{Initializer, Module, Param},
    tensor::{DType, Device, FloatDType, Tensor},
};
use cupel_kernels::{
    Activation, ConvSpec, ConvTransposeSpec, Normalization, Pad, Share, activate, conv_transpose2d, conv2d, linear,
    nn::{
        Conv2d, Conv2dConfig, ConvBlock2d, ConvBlock2dConfig, ConvTranspose2dConfig, ConvTransposeBlock2d,
        ConvTransposeBlock2dConfig, Norm, NormConfig,
    },
    normalize,
};
use cupel_train::{Precision, Work};

use super::{OutputActivation, middle, padded};

/// Side of the first map.
const FIRST: usize = 4;
/// Kernels of the transposed convolutions, and of the others.
const UP: usize = 4;
const REFINE: usize = 3;
/// Below this many pixels on a side fewer bits do not pay.
pub(crate) const LOW_PRECISION_FROM: usize = 1024;
/// Added to variances; as in PyTorch, and as the layers of `cupel_kernels::nn` have it.
const EPSILON: f64 = 1e-5;

/// Settings of a [`ProgressiveDecoder`].
#[derive(Clone, Debug, PartialEq)]
pub struct ProgressiveDecoderConfig {
    /// Rows, and columns, of the field around the object. The latent has the largest power of two up to it for channels.
    pub input_size: usize,
    /// Rows, and columns, of the object.
    pub obj_size: usize,
    /// Whether to compute in half precision where the device has one and the field is of 1024 pixels or more. Under a
    /// [`Trainer`](cupel_train::Trainer) leave it to the trainer's [`Casting`](cupel_train::Casting).
    pub use_amp: bool,
    /// Whether to normalise.
    pub use_bn: bool,
    /// The last function.
    pub output_activation: OutputActivation,
    /// Images: 1 for a real object, 2 for amplitude and phase. The last function is for the first image alone.
    pub images: usize,
}

impl ProgressiveDecoderConfig {
    /// The original's settings but for the last function, which is a sigmoid.
    pub fn new(input_size: usize, obj_size: usize) -> Self {
        Self {
            input_size,
            obj_size,
            use_amp: false,
            use_bn: true,
            output_activation: OutputActivation::Sigmoid,
            images: 1,
        }
    }

    /// Channels of the latent, then of each map that the transposed convolutions make, then of those of the convolutions but the last.
    fn channels(&self) -> (usize, Vec<usize>, Vec<usize>) {
        let latent = 1usize << self.input_size.ilog2();
        let mut grown = vec![(latent / 2).max(2)];
        while FIRST << (grown.len() - 1) < self.obj_size {
            grown.push((grown[grown.len() - 1] / 2).max(2));
        }
        let mut refined = Vec::new();
        let mut channels = grown[grown.len() - 1] / 2;
        while channels > 1 {
            refined.push(channels);
            channels /= 2;
        }
        (latent, grown, refined)
    }

    /// The decoder with weights as PyTorch would draw them, from the device's generator.
    ///
    /// # Panics
    /// "an object of 64 in a field of 32": the object must fit in, and neither may be empty.
    pub fn init(&self, device: &Device) -> ProgressiveDecoder {
        assert!(
            0 < self.obj_size && self.obj_size <= self.input_size,
            "an object of {} in a field of {}",
            self.obj_size,
            self.input_size
        );
        let (latent, grown, refined) = self.channels();
        let norm = if self.use_bn { NormConfig::Instance } else { NormConfig::None };
        let activation = Activation::Relu;
        let mut channels = latent;
        let up = grown.iter().enumerate().map(|(index, &next)| {
            let conv = ConvTranspose2dConfig::new([channels, next], [UP; 2])
                .with_spec(if index == 0 { ConvTransposeSpec::default() } else { doubling() })
                .with_bias(!self.use_bn);
            channels = next;
            ConvTransposeBlock2dConfig { conv, norm, activation }.init(device)
        });
        let up: Vec<_> = up.collect();
        let refine = refined.iter().map(|&next| {
            let conv = Conv2dConfig::new([channels, next], [REFINE; 2]).with_spec(same()).with_bias(!self.use_bn);
            channels = next;
            ConvBlock2dConfig { conv, norm, activation }.init(device)
        });
        let refine: Vec<_> = refine.collect();
        let normal = Initializer::Normal { mean: 0.0, std: 1.0 };
        let decoder = ProgressiveDecoder {
            latent: normal.init([1, latent, 1, 1], device),
            up,
            refine,
            head: Conv2dConfig::new([channels, self.images], [REFINE; 2]).with_spec(same()).init(device),
            obj_size: self.obj_size,
            input_size: self.input_size,
            output: self.output_activation,
        };
        let work = Work {
            elements: self.input_size * self.input_size,
            reduced_precision_pays_from: LOW_PRECISION_FROM * LOW_PRECISION_FROM,
        };
        match Precision::Auto.resolve(device, work) {
            Ok(casting) if self.use_amp => casting.prepare(decoder),
            _ => decoder,
        }
    }
}

fn doubling() -> ConvTransposeSpec<2> {
    ConvTransposeSpec { stride: [2; 2], padding: [[1; 2]; 2], ..ConvTransposeSpec::default() }
}

fn same() -> ConvSpec<2> {
    ConvSpec::same([REFINE; 2], [Pad::Zero; 2])
}

/// A point that grows to an image; it has no input.
#[derive(Module, Debug)]
pub struct ProgressiveDecoder {
    /// `[1, channels, 1, 1]`.
    pub latent: Param<Tensor<4>>,
    /// To 4 x 4, and each twice the sides of the one before.
    pub up: Vec<ConvTransposeBlock2d>,
    /// At full size.
    pub refine: Vec<ConvBlock2d>,
    /// To the images.
    pub head: Conv2d,
    obj_size: usize,
    input_size: usize,
    #[module(skip)]
    output: OutputActivation,
}

impl ProgressiveDecoder {
    /// The images in their field, `[1, image, input_size, input_size]`, nought around the object; in f32.
    pub fn forward(&self) -> Tensor<4> {
        padded(self.image(), [self.input_size; 2])
    }

    /// The images of the object alone, `[1, image, obj_size, obj_size]`, in f32.
    pub fn image(&self) -> Tensor<4> {
        let h = self.up.iter().skip(1).fold(self.first(), |h, block| block.forward(h));
        let h = self.refine.iter().fold(h, |h, block| block.forward(h));
        finish(self.head.forward(h), self.output, self.obj_size)
    }

    /// The map behind the first block: of a point, a transposed convolution is a product with its weight as it lies.
    fn first(&self) -> Tensor<4> {
        let (latent, block) = (self.latent.val(), &self.up[0]);
        let (weight, dtype) = (block.conv.weight.val(), latent.dtype());
        let [inputs, outputs, rows, columns] = weight.dims();
        let wide = |x: Tensor<4>| if dtype == DType::F64 { x } else { x.cast(FloatDType::F32) };
        let product =
            linear(wide(latent).reshape([1, inputs]), wide(weight).reshape([inputs, outputs * rows * columns]), None);
        let map = product.reshape([1, outputs, rows, columns]).cast(dtype);
        let map = match &block.conv.bias {
            Some(bias) => map + bias.val().reshape([1, outputs, 1, 1]),
            None => map,
        };
        match &block.norm {
            Some(norm) => norm.forward(map, Activation::Relu),
            None => activate(map, Activation::Relu),
        }
    }

    /// As [`forward`](Self::forward), but computed in f32 with the weights in f32, whatever the precision of the training.
    pub fn generate_fp32(&self) -> Tensor<4> {
        let decoder = self.valid();
        let h = decoder.layers().into_iter().fold(decoder.start(), |h, (layer, norm)| match norm {
            Some(norm) => norm.forward(layer.apply(h), Activation::Relu),
            None => activate(layer.apply(h), Activation::Relu),
        });
        padded(finish(decoder.last().apply(h), self.output, self.obj_size), [self.input_size; 2])
    }

    /// A decoder of the same image without normalisation: the moments of the maps that the trained latent makes are merged into
    /// weights, and latent and first layer become the map that they make. It is f32, has no gradient, and lies on a device without.
    ///
    /// Running moments, which the original merges, are those of other weights, and give another image.
    pub fn prepare_for_inference(&self) -> FrozenDecoder {
        let decoder = self.valid();
        let mut h = decoder.start();
        let mut layers = Vec::new();
        for (layer, norm) in decoder.layers() {
            let (layer, map) = layer.folded(norm.as_ref(), h);
            layers.push(layer);
            h = map;
        }
        let start = activate(layers.remove(0).apply(decoder.start()), Activation::Relu);
        FrozenDecoder {
            start,
            layers,
            head: decoder.last(),
            obj_size: self.obj_size,
            input_size: self.input_size,
            output: self.output,
        }
    }

    fn start(&self) -> Tensor<4> {
        self.latent.base()
    }

    /// The convolutions with their weights in f32 and the normalisations behind them.
    fn layers(&self) -> Vec<(Layer, Option<Norm>)> {
        let up = self.up.iter().enumerate().map(|(index, block)| {
            let spec = if index == 0 { ConvTransposeSpec::default() } else { doubling() };
            (Layer::new(&block.conv.weight, block.conv.bias.as_ref(), Kind::Transposed(spec)), block.norm.clone())
        });
        let refine = self.refine.iter().map(|block| {
            (Layer::new(&block.conv.weight, block.conv.bias.as_ref(), Kind::Plain(same())), block.norm.clone())
        });
        up.chain(refine).collect()
    }

    fn last(&self) -> Layer {
        Layer::new(&self.head.weight, self.head.bias.as_ref(), Kind::Plain(same()))
    }
}

/// The last function of the first image, and the middle of all.
fn finish(h: Tensor<4>, output: OutputActivation, size: usize) -> Tensor<4> {
    first_bounded(middle(h, [size; 2]), output)
}

/// Applies `output` to the first image; the others are f32 as they are.
pub(super) fn first_bounded(h: Tensor<4>, output: OutputActivation) -> Tensor<4> {
    let images = h.dims()[1];
    let first = output.apply(h.clone().narrow(1, 0, 1));
    if images == 1 {
        return first;
    }
    let rest = h.narrow(1, 1, images - 1).cast(first.dtype());
    Tensor::cat(vec![first, rest], 1)
}

/// A convolution without normalisation, as plain numbers.
#[derive(Clone, Debug)]
struct Layer {
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Transposed(ConvTransposeSpec<2>),
    Plain(ConvSpec<2>),
}

impl Layer {
    fn new(weight: &Param<Tensor<4>>, bias: Option<&Param<Tensor<1>>>, kind: Kind) -> Self {
        Self { weight: weight.base(), bias: bias.map(Param::base), kind }
    }

    fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        match self.kind {
            Kind::Transposed(spec) => conv_transpose2d(x, self.weight.clone(), self.bias.clone(), spec),
            Kind::Plain(spec) => conv2d(x, self.weight.clone(), self.bias.clone(), spec),
        }
    }

    /// This layer with the normalisation of what it makes of `x` merged into it, and the map behind both.
    fn folded(self, norm: Option<&Norm>, x: Tensor<4>) -> (Self, Tensor<4>) {
        let map = self.apply(x);
        let Some(Norm::Group(norm)) = norm else { return (self, activate(map, Activation::Relu)) };
        let how = Normalization { share: Share::Batch, epsilon: EPSILON, activation: Activation::Relu };
        let normalized = normalize(map, norm.gamma.val(), norm.beta.val(), how);
        let scale = norm.gamma.val() / (normalized.variance + EPSILON).sqrt();
        let shift = norm.beta.val() - normalized.mean * scale.clone();
        let bias = match self.bias {
            Some(bias) => bias * scale.clone() + shift,
            None => shift,
        };
        let outputs = scale.dims()[0];
        let of_outputs = match self.kind {
            Kind::Transposed(_) => [1, outputs, 1, 1],
            Kind::Plain(_) => [outputs, 1, 1, 1],
        };
        (Self { weight: self.weight * scale.reshape(of_outputs), bias: Some(bias), kind: self.kind }, normalized.output)
    }
}

/// A [`ProgressiveDecoder`] at its end: f32, without normalisation and without gradients.
#[derive(Clone, Debug)]
pub struct FrozenDecoder {
    /// The map behind the first layer, `[1, channels, 4, 4]`.
    start: Tensor<4>,
    layers: Vec<Layer>,
    head: Layer,
    obj_size: usize,
    input_size: usize,
    output: OutputActivation,
}

impl FrozenDecoder {
    /// As [`ProgressiveDecoder::forward`].
    pub fn forward(&self) -> Tensor<4> {
        padded(self.image(), [self.input_size; 2])
    }

    /// As [`ProgressiveDecoder::image`].
    pub fn image(&self) -> Tensor<4> {
        let relu = |h, layer: &Layer| activate(layer.apply(h), Activation::Relu);
        let h = self.layers.iter().fold(self.start.clone(), relu);
        finish(self.head.apply(h), self.output, self.obj_size)
    }
}
