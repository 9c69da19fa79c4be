//! Convolutional encoder with a transformer whose class token becomes the abundances, after DeepTrans-HSU.
//!
//! P. Ghosh, S. K. Roy, B. Koirala, B. Rasti, P. Scheunders, "Hyperspectral Unmixing Using Transformer Network", IEEE TGRS 60, 5535116
//! (2022), doi 10.1109/TGRS.2022.3196057, arXiv 2203.17076. Three 1 x 1 convolutions (128, 64 and 8K channels, batch normalisation,
//! leaky ReLU, dropout of 0.25) describe every pixel; patches of 5 x 5 pixels become tokens of 200K numbers; a class token asks them in two
//! blocks of attention with 8 heads ([`Block`]), and is spread over the image by one linear map a material; a 3 x 3 convolution and a
//! softmax make it abundances. The decoder is linear, begins at VCA's endmembers and stays within 1e-6 and 1. The loss is
//!
//! `beta mean |Y - X|^2 + gamma sum of spectral angles`, with beta 5000 and gamma 0.03 on the 9025 pixels of Samson,
//!
//! minimised over the whole image in 200 updates by Adam with a rate of 6e-3, times 0.8 every 15, and a weight decay of 4e-5. These are
//! the authors' numbers for Samson, which stand for every scene here (they choose others for each scene); the sum of angles is 270.75 times
//! their mean, whatever the number of pixels.
//!
//! What differs: gradients are limited by their Euclidean norm of 10; sides that 5 does not divide are continued by their last pixels;
//! queries are folded into keys, so that the class token costs no product of all tokens with a square matrix.

use burn::{
    module::{Initializer, Module, Param},
    nn::{Dropout, DropoutConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig},
    optim::{AdamConfig, ModuleOptimizer, decay::WeightDecayConfig},
    tensor::{Device, Distribution, Tensor, activation::softmax},
};
use cupel_data::Stream;
use cupel_kernels::{
    Activation, ConvSpec, Pad, activate,
    nn::{BatchNorm, BatchNormConfig, Conv2d, Conv2dConfig},
};
use cupel_train::{Casting, Clip, Context, Fit, Loss, Optimizer, Schedule, StageConfig, fingerprint, full};

use super::{
    Network, abundances,
    angle::Mixed,
    resident::Resident,
    start::{clamped, largest_of_vca, parameter},
    values,
};
use crate::{Abundances, Endmembers, Image, Method, Result};

const WIDTHS: [usize; 2] = [128, 64];
/// Side of a patch.
const PATCH: usize = 5;
/// Numbers of the class token for each material.
const DIMENSIONS: usize = 200;
const HEADS: usize = 8;
const BLOCKS: usize = 2;
const HIDDEN: usize = 12;
const DROPOUT: f64 = 0.25;
/// Probability that a block's attention is left out.
const DROP_PATH: f64 = 0.15;
const SLOPE: f64 = 0.01;
/// Shares of a new batch in the running moments of the encoder's layers.
const MOMENTA: [f64; 3] = [0.9, 0.9, 0.5];
const BETA: f64 = 5e3;
/// Gamma times the pixels of Samson.
const GAMMA: f64 = 0.03 * 9025.0;
const WEIGHT_DECAY: f32 = 4e-5;
const EPOCHS: u64 = 200;

/// A convolutional transformer and the image that it is fitted to.
#[derive(Clone, Debug)]
pub struct Deeptrans {
    image: Image,
    /// Sides with the continuation.
    padded: [usize; 2],
    resident: Resident,
    start: Endmembers,
}

/// Its weights.
#[derive(Module, Debug)]
pub struct DeeptransNet {
    layers: Vec<Linear>,
    norms: Vec<BatchNorm>,
    dropout: Dropout,
    /// `[1, token]`.
    class_token: Param<Tensor<2>>,
    /// `[tokens, token]`.
    positions: Param<Tensor<2>>,
    blocks: Vec<Block>,
    /// Of all tokens but the class token, the same after every block.
    tokens_norm: LayerNorm,
    spread: Linear,
    smooth: Conv2d,
    /// `[endmembers, bands]`.
    endmembers: Param<Tensor<2>>,
    #[module(skip)]
    sides: [usize; 2],
}

/// Attention of the class token to all tokens, then two dense layers.
#[derive(Module, Debug)]
pub struct Block {
    before_attention: LayerNorm,
    /// `[heads, token, token / heads]`, as are values; keys with the last two turned around.
    queries: Param<Tensor<3>>,
    keys: Param<Tensor<3>>,
    values: Param<Tensor<3>>,
    projection: Linear,
    before_dense: LayerNorm,
    wide: Linear,
    narrow: Linear,
}

impl Block {
    fn new(token: usize, device: &Device) -> Self {
        let head = token / HEADS;
        // uniform within 1 / sqrt(fan in), as of a linear layer
        let uniform = Initializer::KaimingUniform { gain: 1.0 / 3.0f64.sqrt(), fan_out_only: false };
        let weights = |shape| uniform.init_with(shape, Some(token), None, device);
        Self {
            before_attention: LayerNormConfig::new(token).init(device),
            queries: weights([HEADS, token, head]),
            keys: weights([HEADS, head, token]),
            values: weights([HEADS, token, head]),
            projection: LinearConfig::new(token, token).init(device),
            before_dense: LayerNormConfig::new(token).init(device),
            wide: LinearConfig::new(token, HIDDEN).init(device),
            narrow: LinearConfig::new(HIDDEN, token).init(device),
        }
    }

    /// Tokens `[tokens, token]`, the class token first, after the block.
    fn forward(&self, x: Tensor<2>, others: &LayerNorm) -> Tensor<2> {
        let [tokens, token] = x.dims();
        let y = full(x.clone(), |x| self.before_attention.forward(x));
        let class = y.clone().narrow(0, 0, 1);
        let class = class.clone() + without_path(self.attend(class, y));
        let rest = full(x.narrow(0, 1, tokens - 1), |rest| others.forward(rest));
        let x = Tensor::cat(vec![class, rest], 0);
        debug_assert_eq!(x.dims(), [tokens, token]);
        let h = full(x.clone(), |x| self.before_dense.forward(x));
        x + self.narrow.forward(activate(self.wide.forward(h), Activation::Gelu))
    }

    /// What the class token `[1, token]` takes from all tokens `[tokens, token]`.
    fn attend(&self, class: Tensor<2>, tokens: Tensor<2>) -> Tensor<2> {
        let [_, token] = class.dims();
        let head = token / HEADS;
        let asked = class.reshape([1, 1, token]).repeat_dim(0, HEADS).matmul(self.queries.val()); // [heads, 1, head]
        let asked = asked.matmul(self.keys.val()).reshape([HEADS, token]);
        let scores = asked.matmul(tokens.clone().transpose()).mul_scalar(1.0 / (head as f64).sqrt());
        let shares = full(scores, |scores| softmax(scores, 1)); // [heads, tokens]
        let taken = shares.matmul(tokens).reshape([HEADS, 1, token]).matmul(self.values.val()); // [heads, 1, head]
        self.projection.forward(taken.reshape([1, token]))
    }
}

/// In training leaves `x` out now and then, and scales it up otherwise.
fn without_path(x: Tensor<2>) -> Tensor<2> {
    let device = x.device();
    if !device.is_autodiff() {
        return x;
    }
    let kept = Tensor::random([1, 1], Distribution::Bernoulli(1.0 - DROP_PATH), (&device, x.dtype()));
    x * kept.mul_scalar(1.0 / (1.0 - DROP_PATH))
}

impl DeeptransNet {
    /// Abundances `[pixels, endmembers]` of the pixels of an image, `[pixels, bands]`, row by row.
    pub fn encode(&self, x: Tensor<2>) -> Tensor<2> {
        let [rows, columns] = self.sides;
        let last = self.layers.len() - 1;
        let mut h = x;
        for (which, (layer, norm)) in self.layers.iter().zip(&self.norms).enumerate() {
            h = norm.forward(layer.forward(h), Activation::Identity);
            if which == 0 {
                h = self.dropout.forward(h);
            }
            if which < last {
                h = activate(h, Activation::LeakyRelu(SLOPE));
            }
        }
        let [_, channels] = h.dims();
        let (down, across) = (rows / PATCH, columns / PATCH);
        let token = PATCH * PATCH * channels;
        let tokens = h
            .reshape([down, PATCH, across, PATCH, channels])
            .permute([0, 2, 1, 3, 4]) // [down, across, row, column, channel]
            .reshape([down * across, token]);
        let x = Tensor::cat(vec![self.class_token.val(), tokens], 0) + self.positions.val();
        let x = self.blocks.iter().fold(x, |x, block| block.forward(x, &self.tokens_norm));
        let count = token / DIMENSIONS;
        let class = x.narrow(0, 0, 1).reshape([count, DIMENSIONS]);
        let maps = self.spread.forward(class).reshape([1, count, rows, columns]);
        let code = self.smooth.forward(maps).reshape([count, rows * columns]).transpose();
        full(code, |code| softmax(code, 1))
    }
}

impl Deeptrans {
    /// Prepares the fit of so many `endmembers`.
    ///
    /// # Errors
    /// [`Error::EndmemberCount`](crate::Error::EndmemberCount) for a number that the scene cannot have.
    pub fn new(image: &Image, endmembers: usize, seed: u64) -> Result<Self> {
        let start = largest_of_vca(image.grid(), endmembers, Stream::new(seed, "deeptrans"))?;
        let (rows, columns) = (image.rows(), image.columns());
        let padded = [rows, columns].map(|side| side.next_multiple_of(PATCH));
        let places: Vec<usize> = (0..padded[0])
            .flat_map(|row| (0..padded[1]).map(move |column| row.min(rows - 1) * columns + column.min(columns - 1)))
            .collect();
        Ok(Self { resident: Resident::new(&image.grid().select(&places)), image: image.clone(), padded, start })
    }
}

impl Network for Deeptrans {
    const METHOD: Method = Method::Deeptrans;

    fn model(&self, device: &Device) -> DeeptransNet {
        let (bands, count) = (self.image.grid().bands(), self.start.count());
        let (token, pixels) = (DIMENSIONS * count, self.padded[0] * self.padded[1]);
        let tokens = pixels / (PATCH * PATCH) + 1;
        let widths = [bands, WIDTHS[0], WIDTHS[1], token / (PATCH * PATCH)];
        let norm = |(width, momentum): (&usize, f64)| {
            BatchNormConfig { momentum, ..BatchNormConfig::new(*width) }.init(device)
        };
        let normal = Initializer::Normal { mean: 0.0, std: 1.0 };
        DeeptransNet {
            layers: widths.windows(2).map(|pair| LinearConfig::new(pair[0], pair[1]).init(device)).collect(),
            norms: widths[1..].iter().zip(MOMENTA).map(norm).collect(),
            dropout: DropoutConfig::new(DROPOUT).init(),
            class_token: normal.init([1, token], device),
            positions: normal.init([tokens, token], device),
            blocks: (0..BLOCKS).map(|_| Block::new(token, device)).collect(),
            tokens_norm: LayerNormConfig::new(token).init(device),
            spread: LinearConfig::new(DIMENSIONS, pixels).init(device),
            smooth: Conv2dConfig::new([count; 2], [3, 3])
                .with_spec(ConvSpec::same([3, 3], [Pad::Zero; 2]))
                .init(device),
            endmembers: parameter(&self.start, device),
            sides: self.padded,
        }
    }

    fn stage(&self) -> StageConfig {
        StageConfig {
            optimizer: Optimizer::adam(),
            learning_rate: 6e-3,
            schedule: Schedule::Step { epochs: 15, factor: 0.8 },
            epochs: EPOCHS,
            clip: Clip::GlobalNorm(10.0),
            ..StageConfig::default()
        }
    }

    fn decode(&self, model: &DeeptransNet, casting: &Casting, device: &Device) -> Result<(Endmembers, Abundances)> {
        let endmembers = Endmembers::new(values(model.endmembers.base())?, self.image.grid().bands())?;
        let shares = values(model.encode(casting.low(self.resident.clone().all(device))))?;
        let count = endmembers.count();
        let row = self.padded[1] * count;
        let inside = shares.chunks_exact(row).take(self.image.rows());
        let shares = inside.flat_map(|row| &row[..self.image.columns() * count]).copied().collect();
        Ok((endmembers, abundances(shares, count)?))
    }
}

impl Fit for Deeptrans {
    type Model = DeeptransNet;
    type Batch = Tensor<2>;

    fn batch(&mut self, ctx: &Context<'_>) -> cupel_train::Result<Tensor<2>> {
        Ok(self.resident.all(ctx.device))
    }

    fn loss(&self, model: &DeeptransNet, spectra: Tensor<2>, ctx: &Context<'_>) -> Loss {
        let shares = model.encode(ctx.casting.low(spectra.clone()));
        let mixed = Mixed::new(shares, model.endmembers.base(), spectra);
        let (square, angle) = (mixed.mean_square(), mixed.mean_angle());
        let terms = vec![("mean_square", square.clone()), ("angle", angle.clone())];
        Loss { mean: square.mul_scalar(BETA) + angle.mul_scalar(GAMMA), weight: 1.0, terms }
    }

    fn steps_per_epoch(&self) -> u64 {
        1
    }

    fn constrain(&self, mut model: DeeptransNet, _: &Context<'_>) -> DeeptransNet {
        model.endmembers = clamped(model.endmembers, 1e-6, 1.0);
        model
    }

    fn optimizer(&self, _: &StageConfig) -> ModuleOptimizer {
        AdamConfig::new().with_epsilon(1e-8).with_weight_decay(Some(WeightDecayConfig::new(WEIGHT_DECAY))).init()
    }

    fn fingerprint(&self) -> cupel_train::Result<[u8; 32]> {
        let sides = [self.image.rows(), self.image.columns()];
        fingerprint(&(Self::METHOD, self.image.grid().hash(), sides, self.start.values()))
    }
}
