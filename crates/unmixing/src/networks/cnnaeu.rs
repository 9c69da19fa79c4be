//! Convolutional autoencoder of patches (CNNAEU).
//!
//! B. Palsson, M. O. Ulfarsson, J. R. Sveinsson, "Convolutional Autoencoder for Spectral-Spatial Hyperspectral Unmixing", IEEE TGRS
//! 59(1), 535 (2021), doi 10.1109/TGRS.2020.2992743: a convolution of 3 x 3 to 48 channels and one of 1 x 1 to K, each with leaky ReLU
//! of slope 0.02, batch normalisation and a dropout of 0.2 of whole channels; abundances are the softmax of 3.5 times that; the decoder
//! is one non-negative convolution of 11 x 11, so that an endmember is a kernel over space and bands whose sum over space is its
//! spectrum. The loss is the spectral angle; RMSprop with a rate of 3e-4, batches of 15 patches of 40 x 40 pixels, 250 patches an epoch.
//!
//! What differs: 20 epochs instead of 320, for which a CPU needs minutes (`--steps 5440` gives the paper's 320); edges are mirrored;
//! patches are no larger than the image.

use burn::{
    module::{Module, Param},
    optim::ModuleOptimizer,
    tensor::{Device, Distribution, FloatDType, Tensor, TensorData, activation::softmax},
};
use cupel_data::Stream;
use cupel_kernels::{
    Activation, ConvSpec, Pad, activate, conv2d, mean_fixed,
    nn::{BatchNorm, BatchNormConfig, Conv2d, Conv2dConfig},
};
use cupel_train::{Casting, Context, Fit, Loss, Optimizer, StageConfig, fingerprint, full};

use super::{Network, abundances, angle::angle, linear::plain_rms_prop, resident::Resident, start::clamped, values};
use crate::{Abundances, Endmembers, Image, Method, Result, vca::check_count};

const CHANNELS: usize = 48;
const ENCODER_KERNEL: usize = 3;
const DECODER_KERNEL: usize = 11;
const SLOPE: f64 = 0.02;
const DROPOUT: f64 = 0.2;
const SHARPNESS: f64 = 3.5;
/// Side of a patch.
const PATCH: usize = 40;
const BATCH: usize = 15;
const PATCHES_PER_EPOCH: usize = 250;
const EPOCHS: u64 = 20;
/// Scale of the decoder's first weights, whose sign is dropped.
const FIRST_WEIGHTS: f32 = 0.03;
/// Added to products of norms, so that a spectrum of zeros has an angle.
const TINY: f64 = 1e-12;

/// A convolutional autoencoder and the image that it is fitted to.
#[derive(Clone, Debug)]
pub struct Cnnaeu {
    image: Image,
    resident: Resident,
    endmembers: usize,
    patch: [usize; 2],
    seed: u64,
}

/// Its weights.
#[derive(Module, Debug)]
pub struct CnnaeuNet {
    features: Conv2d,
    features_norm: BatchNorm,
    code: Conv2d,
    code_norm: BatchNorm,
    /// `[bands, endmembers, kernel rows, kernel columns]`.
    decoder: Param<Tensor<4>>,
}

impl Cnnaeu {
    /// Prepares the fit of so many `endmembers`.
    ///
    /// # Errors
    /// [`Error::EndmemberCount`](crate::Error::EndmemberCount) for a number that the scene cannot have.
    pub fn new(image: &Image, endmembers: usize, seed: u64) -> Result<Self> {
        check_count(image.grid(), endmembers)?;
        Ok(Self {
            resident: Resident::new(image.grid()),
            image: image.clone(),
            endmembers,
            patch: [image.rows(), image.columns()].map(|side| side.min(PATCH)),
            seed,
        })
    }
}

/// A convolution that keeps the sides, with the edges mirrored where the image is large enough and repeated where not.
pub(super) fn same(kernel: [usize; 2], sides: [usize; 2]) -> ConvSpec<2> {
    let mode = std::array::from_fn(|axis| if kernel[axis] / 2 < sides[axis] { Pad::Reflect } else { Pad::Replicate });
    ConvSpec::same(kernel, mode)
}

impl CnnaeuNet {
    /// Abundances `[batch, endmembers, rows, columns]` of `x`, `[batch, bands, rows, columns]`; whole channels drop out in training.
    pub fn encode(&self, x: Tensor<4>) -> Tensor<4> {
        let h = activate(self.features.forward(x), Activation::LeakyRelu(SLOPE));
        let h = without_channels(self.features_norm.forward(h, Activation::Identity));
        let h = activate(self.code.forward(h), Activation::LeakyRelu(SLOPE));
        let h = without_channels(self.code_norm.forward(h, Activation::Identity));
        full(h, |code| softmax(code.mul_scalar(SHARPNESS), 1))
    }

    /// Spectra `[batch, bands, rows, columns]` of abundances.
    pub fn decode(&self, abundances: Tensor<4>) -> Tensor<4> {
        let [_, _, rows, columns] = abundances.dims();
        conv2d(abundances, self.decoder.val(), None, same([DECODER_KERNEL; 2], [rows, columns]))
    }
}

/// In training sets a fifth of the channels of each sample to zero and scales the rest up.
fn without_channels(x: Tensor<4>) -> Tensor<4> {
    let device = x.device();
    if !device.is_autodiff() {
        return x;
    }
    let [batch, channels, _, _] = x.dims();
    let kept = Tensor::random([batch, channels, 1, 1], Distribution::Bernoulli(1.0 - DROPOUT), (&device, x.dtype()));
    x * kept.mul_scalar(1.0 / (1.0 - DROPOUT))
}

impl Network for Cnnaeu {
    const METHOD: Method = Method::Cnnaeu;

    fn model(&self, device: &Device) -> CnnaeuNet {
        let (bands, count) = (self.image.grid().bands(), self.endmembers);
        let shape = [bands, count, DECODER_KERNEL, DECODER_KERNEL];
        let mut first = vec![0.0f32; shape.iter().product()];
        Stream::new(self.seed, "cnnaeu decoder").fill_normal(&mut first);
        first.iter_mut().for_each(|w| *w = FIRST_WEIGHTS * w.abs());
        let features = Conv2dConfig::new([bands, CHANNELS], [ENCODER_KERNEL; 2]);
        CnnaeuNet {
            features: features.with_spec(same([ENCODER_KERNEL; 2], self.patch)).init(device),
            features_norm: BatchNormConfig::new(CHANNELS).init(device),
            code: Conv2dConfig::new([CHANNELS, count], [1, 1]).init(device),
            code_norm: BatchNormConfig::new(count).init(device),
            decoder: Param::from_data(TensorData::new(first, shape), device),
        }
    }

    fn stage(&self) -> StageConfig {
        // the optimiser is that of `Fit::optimizer`, which this name stands for
        StageConfig { optimizer: Optimizer::RmsProp, learning_rate: 3e-4, epochs: EPOCHS, ..StageConfig::default() }
    }

    fn decode(&self, model: &CnnaeuNet, casting: &Casting, device: &Device) -> Result<(Endmembers, Abundances)> {
        let (bands, count) = (self.image.grid().bands(), self.endmembers);
        let kernels = values(model.decoder.base())?;
        let area = DECODER_KERNEL * DECODER_KERNEL;
        let spectra = (0..count)
            .flat_map(|k| (0..bands).map(move |band| (band, k)))
            .map(|(band, k)| kernels[(band * count + k) * area..][..area].iter().sum())
            .collect();
        let whole = self.resident.clone().all(device);
        let x = whole.reshape([1, self.image.rows(), self.image.columns(), bands]).permute([0, 3, 1, 2]);
        let shares = model.encode(casting.low(x)).permute([0, 2, 3, 1]); // [1, rows, columns, endmembers]
        Ok((Endmembers::new(spectra, bands)?, abundances(values(shares)?, count)?))
    }
}

impl Fit for Cnnaeu {
    type Model = CnnaeuNet;
    type Batch = Tensor<4>;

    fn batch(&mut self, ctx: &Context<'_>) -> cupel_train::Result<Tensor<4>> {
        let [rows, columns] = [self.image.rows(), self.image.columns()];
        let [height, width] = self.patch;
        let mut draws = vec![0.0f32; 2 * BATCH];
        ctx.stream.child(0).fill_uniform(&mut draws);
        // the places of all patches at once, pixel by pixel, because a gather is one pass
        let place = |draw: f32, free: usize| ((f64::from(draw) * (free + 1) as f64) as usize).min(free);
        let chosen: Vec<usize> = draws
            .chunks_exact(2)
            .flat_map(|draw| {
                let (top, left) = (place(draw[0], rows - height), place(draw[1], columns - width));
                (top..top + height).flat_map(move |row| (left..left + width).map(move |column| row * columns + column))
            })
            .collect();
        let bands = self.image.grid().bands();
        let x = self.resident.select(&chosen, ctx.device).reshape([BATCH, height, width, bands]);
        Ok(x.permute([0, 3, 1, 2])) // [batch, bands, rows, columns]
    }

    fn loss(&self, model: &CnnaeuNet, y: Tensor<4>, ctx: &Context<'_>) -> Loss {
        let x = model.decode(model.encode(ctx.casting.low(y.clone()))).cast(FloatDType::F32);
        let inner = (x.clone() * y.clone()).sum_dim(1);
        let norms = ((x.clone() * x).sum_dim(1) * (y.clone() * y).sum_dim(1)).add_scalar(TINY).sqrt();
        Loss { mean: mean_fixed(angle(inner / norms)), weight: BATCH as f64, terms: Vec::new() }
    }

    fn steps_per_epoch(&self) -> u64 {
        (PATCHES_PER_EPOCH / BATCH + 1) as u64
    }

    fn constrain(&self, mut model: CnnaeuNet, _: &Context<'_>) -> CnnaeuNet {
        model.decoder = clamped(model.decoder, 0.0, f64::from(f32::MAX));
        model
    }

    fn optimizer(&self, _: &StageConfig) -> ModuleOptimizer {
        plain_rms_prop()
    }

    fn fingerprint(&self) -> cupel_train::Result<[u8; 32]> {
        let sides = [self.image.rows(), self.image.columns()];
        fingerprint(&(Self::METHOD, self.image.grid().hash(), sides, self.endmembers))
    }
}
