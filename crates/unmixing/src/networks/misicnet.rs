//! Untrained convolutional network with a prior of small simplexes, after MiSiCNet.
//!
//! B. Rasti, B. Koirala, P. Scheunders, J. Chanussot, "MiSiCNet: Minimum Simplex Convolutional Network for Deep Hyperspectral
//! Unmixing", IEEE TGRS 60, 5522815 (2022), doi 10.1109/TGRS.2022.3146904: a network that has seen no other image turns a fixed noise
//! image into abundances, and what it turns out first is smooth (a deep image prior). Endmembers are the weights of a linear decoder
//! within 0 and 1. The loss is
//!
//! `1/2 |Y - E^T A|_F^2 + lambda |E - m 1^T|_F^2`, with `m` the mean of the pixels,
//!
//! which draws the endmembers together until the simplex holds the pixels. `Y` is projected on its K strongest directions first. The
//! network is that of the authors' program: 3 x 3 convolutions with batch normalisation and leaky ReLU of slope 0.1, a skip connection of
//! 1 x 1 to 4 channels, softmax over batch-normalised codes, Adam with a rate of 1e-3, lambda 100 for images of some 10^4 pixels.
//!
//! What differs: 64 channels instead of 256 and 1000 updates instead of 8000, so that a CPU needs minutes; lambda is 0.01 times the number
//! of pixels, which is the same for the paper's images and does not depend on their size; the learning rate falls to nothing by half a
//! cosine instead of averaging abundances over updates; the decoder begins at VCA's endmembers.

use burn::{
    module::{Module, Param},
    tensor::{Device, Tensor, TensorData, activation::softmax},
};
use cupel_data::Stream;
use cupel_kernels::{
    Activation, mean_fixed,
    nn::{BatchNorm, BatchNormConfig, Conv2d, Conv2dConfig, ConvBlock2d, ConvBlock2dConfig, NormConfig},
};
use cupel_train::{Casting, Context, Fit, Loss, Optimizer, Schedule, StageConfig, fingerprint, full};

use super::{
    Network, abundances,
    angle::Mixed,
    cnnaeu::same,
    resident::{Resident, like},
    start::{clamped, largest_of_vca, parameter},
    values,
};
use crate::{Abundances, Endmembers, Image, Method, Pixels, Result, Subspace, subspace::Moments};

const CHANNELS: usize = 64;
const SKIP_CHANNELS: usize = 4;
/// Channels of the noise image.
const NOISE_CHANNELS: usize = 32;
/// The noise is uniform between 0 and this.
const NOISE: f32 = 0.1;
const SLOPE: f64 = 0.1;
/// Lambda for each pixel.
const LAMBDA: f64 = 0.01;
const UPDATES: u64 = 1000;

/// An untrained network and the image that it is fitted to.
#[derive(Clone, Debug)]
pub struct Misicnet {
    image: Image,
    /// Projected on as many directions as there are endmembers.
    resident: Resident,
    start: Endmembers,
    mean: Vec<f32>,
    seed: u64,
    /// Noise that goes in, made when first asked for.
    noise: Option<Tensor<4>>,
}

/// Its weights.
#[derive(Module, Debug)]
pub struct MisicnetNet {
    skip: ConvBlock2d,
    first: ConvBlock2d,
    second: ConvBlock2d,
    code: Conv2d,
    code_norm: BatchNorm,
    /// `[endmembers, bands]`.
    endmembers: Param<Tensor<2>>,
}

impl Misicnet {
    /// Prepares the fit of so many `endmembers`.
    ///
    /// # Errors
    /// [`Error::EndmemberCount`](crate::Error::EndmemberCount) for a number that the scene cannot have.
    pub fn new(image: &Image, endmembers: usize, seed: u64) -> Result<Self> {
        let pixels = image.grid();
        let start = largest_of_vca(pixels, endmembers, Stream::new(seed, "misicnet"))?;
        let moments = Moments::of(pixels)?;
        let subspace = Subspace::about_origin(&moments, endmembers);
        let projected = subspace
            .project(pixels)
            .chunks_exact(subspace.rank())
            .flat_map(|coordinates| subspace.lift(coordinates))
            .map(|v| v as f32)
            .collect();
        Ok(Self {
            resident: Resident::new(&Pixels::of_checked(projected, pixels.bands())),
            mean: moments.mean.iter().map(|v| *v as f32).collect(),
            image: image.clone(),
            start,
            seed,
            noise: None,
        })
    }

    /// The fixed noise image, `[1, channels, rows, columns]`.
    fn noise(&mut self, device: &Device) -> Tensor<4> {
        let plain = device.clone().inner();
        let made = match self.noise.take().filter(|noise| noise.device() == plain) {
            Some(noise) => noise,
            None => {
                let shape = [1, NOISE_CHANNELS, self.image.rows(), self.image.columns()];
                let mut values = vec![0.0f32; shape.iter().product()];
                Stream::new(self.seed, "misicnet noise").fill_uniform(&mut values);
                values.iter_mut().for_each(|v| *v *= NOISE);
                Tensor::from_data(TensorData::new(values, shape), &plain)
            }
        };
        self.noise = Some(made.clone());
        like(made, device)
    }
}

impl MisicnetNet {
    /// Abundances `[pixels, endmembers]` of the noise image `z`, `[1, channels, rows, columns]`.
    pub fn generate(&self, z: Tensor<4>) -> Tensor<2> {
        let [_, _, rows, columns] = z.dims();
        let h = Tensor::cat(vec![self.first.forward(z.clone()), self.skip.forward(z)], 1);
        let code = self.code_norm.forward(self.code.forward(self.second.forward(h)), Activation::Identity);
        let [_, count, _, _] = code.dims();
        let code = code.permute([0, 2, 3, 1]).reshape([rows * columns, count]);
        full(code, |code| softmax(code, 1))
    }
}

impl Network for Misicnet {
    const METHOD: Method = Method::Misicnet;

    fn model(&self, device: &Device) -> MisicnetNet {
        let sides = [self.image.rows(), self.image.columns()];
        let conv = |from, to, kernel| Conv2dConfig::new([from, to], [kernel; 2]).with_spec(same([kernel; 2], sides));
        let block = |from, to, kernel| {
            let config = ConvBlock2dConfig {
                conv: conv(from, to, kernel),
                norm: NormConfig::Batch,
                activation: Activation::LeakyRelu(SLOPE),
            };
            config.init(device)
        };
        let count = self.start.count();
        MisicnetNet {
            skip: block(NOISE_CHANNELS, SKIP_CHANNELS, 1),
            first: block(NOISE_CHANNELS, CHANNELS, 3),
            second: block(CHANNELS + SKIP_CHANNELS, CHANNELS, 3),
            code: conv(CHANNELS, count, 3).init(device),
            code_norm: BatchNormConfig::new(count).init(device),
            endmembers: parameter(&self.start, device),
        }
    }

    fn stage(&self) -> StageConfig {
        StageConfig {
            optimizer: Optimizer::adam(),
            learning_rate: 1e-3,
            schedule: Schedule::Cosine { end: 0.0 },
            epochs: UPDATES,
            ..StageConfig::default()
        }
    }

    fn decode(&self, model: &MisicnetNet, casting: &Casting, device: &Device) -> Result<(Endmembers, Abundances)> {
        let endmembers = Endmembers::new(values(model.endmembers.base())?, self.image.grid().bands())?;
        let shares = model.generate(casting.low(self.clone().noise(device)));
        let shares = abundances(values(shares)?, endmembers.count())?;
        Ok((endmembers, shares))
    }
}

/// What every update of [`Misicnet`] needs.
#[derive(Debug)]
pub struct MisicnetBatch {
    noise: Tensor<4>,
    spectra: Tensor<2>,
    mean: Tensor<2>,
}

impl Fit for Misicnet {
    type Model = MisicnetNet;
    type Batch = MisicnetBatch;

    fn batch(&mut self, ctx: &Context<'_>) -> cupel_train::Result<MisicnetBatch> {
        Ok(MisicnetBatch {
            noise: self.noise(ctx.device),
            spectra: self.resident.all(ctx.device),
            mean: Tensor::from_data(TensorData::new(self.mean.clone(), [1, self.mean.len()]), ctx.device),
        })
    }

    fn loss(&self, model: &MisicnetNet, batch: MisicnetBatch, ctx: &Context<'_>) -> Loss {
        let shares = model.generate(ctx.casting.low(batch.noise));
        let fit = Mixed::new(shares, model.endmembers.base(), batch.spectra).mean_square().mul_scalar(0.5);
        let endmembers = model.endmembers.base().cast(burn::tensor::FloatDType::F32);
        let [count, _] = endmembers.dims();
        let apart = endmembers - batch.mean;
        // the loss of the paper divided by the number of values of the image
        let simplex = mean_fixed(apart.clone() * apart).mul_scalar(LAMBDA * count as f64);
        let terms = vec![("misfit", fit.clone()), ("simplex", simplex.clone())];
        Loss { mean: fit + simplex, weight: 1.0, terms }
    }

    fn steps_per_epoch(&self) -> u64 {
        1
    }

    fn constrain(&self, mut model: MisicnetNet, _: &Context<'_>) -> MisicnetNet {
        model.endmembers = clamped(model.endmembers, 0.0, 1.0);
        model
    }

    fn fingerprint(&self) -> cupel_train::Result<[u8; 32]> {
        let sides = [self.image.rows(), self.image.columns()];
        fingerprint(&(Self::METHOD, self.image.grid().hash(), sides, self.start.values(), self.seed))
    }
}
