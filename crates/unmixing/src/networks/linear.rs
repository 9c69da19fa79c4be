//! Autoencoder of single pixels with a linear decoder, after DAEU.
//!
//! B. Palsson, J. Sigurdsson, J. R. Sveinsson, M. O. Ulfarsson, "Hyperspectral Unmixing Using a Neural Network Autoencoder", IEEE
//! Access 6, 25646 (2018), doi 10.1109/ACCESS.2018.2818280: four dense layers without bias of 9K, 6K, 3K and K units with leaky ReLU
//! of slope 0.1, batch normalisation, Gaussian dropout on the abundances, non-negative linear decoder, spectral angle as loss, RMSprop
//! with a rate of 1e-3 over 40 epochs of 2000 spectra.
//!
//! What differs: abundances are the softmax of 3.5 times the code, as in the same authors' CNNAEU, where the paper thresholds the code
//! and divides by its sum, so that no pixel can lose all abundances; and the decoder begins at VCA's endmembers.

use burn::{
    module::{Module, Param},
    nn::{Linear, LinearConfig},
    optim::{ModuleOptimizer, RmsPropConfig},
    tensor::{Device, Distribution, Tensor, activation::softmax},
};
use cupel_data::Stream;
use cupel_kernels::{
    Activation, activate,
    nn::{BatchNorm, BatchNormConfig},
};
use cupel_train::{Casting, Context, Fit, Loss, Optimizer, StageConfig, fingerprint, full};

use super::{
    Network, abundances,
    angle::Mixed,
    resident::{Resident, spectra},
    start::{clamped, largest_of_vca, parameter},
    values,
};
use crate::{Abundances, Endmembers, Image, Method, Pixels, Result};

/// Widths of the layers as multiples of the number of endmembers.
const WIDTHS: [usize; 4] = [9, 6, 3, 1];
const SLOPE: f64 = 0.1;
/// Factor of the code within the softmax: B. Palsson et al., IEEE TGRS 59, 535 (2021).
const SHARPNESS: f64 = 3.5;
/// Standard deviation of the factors on abundances in training: the rate of Gaussian dropout is 0.0045.
const DROPOUT: f64 = 0.067_2;
const SPECTRA_PER_EPOCH: u64 = 2000;
const BATCH: u64 = 20;
const EPOCHS: u64 = 40;
/// Pixels decoded at a time.
const DECODED_AT_ONCE: usize = 1 << 16;

/// An autoencoder of single pixels and the scene that it is fitted to.
#[derive(Clone, Debug)]
pub struct LinearAutoencoder {
    pixels: Pixels,
    resident: Resident,
    start: Endmembers,
}

/// Its weights.
#[derive(Module, Debug)]
pub struct LinearNet {
    layers: Vec<Linear>,
    norm: BatchNorm,
    /// `[endmembers, bands]`.
    endmembers: Param<Tensor<2>>,
}

impl LinearAutoencoder {
    /// Prepares the fit of so many `endmembers`.
    ///
    /// # Errors
    /// [`Error::EndmemberCount`](crate::Error::EndmemberCount) for a number that the scene cannot have.
    pub fn new(image: &Image, endmembers: usize, seed: u64) -> Result<Self> {
        let pixels = image.pixels().clone();
        let start = largest_of_vca(&pixels, endmembers, Stream::new(seed, "linear-ae"))?;
        Ok(Self { resident: Resident::new(&pixels), pixels, start })
    }
}

impl LinearNet {
    /// Abundances `[pixels, endmembers]` of `x`, `[pixels, bands]`.
    pub fn encode(&self, x: Tensor<2>) -> Tensor<2> {
        let code = self.layers.iter().fold(x, |h, layer| activate(layer.forward(h), Activation::LeakyRelu(SLOPE)));
        let code = self.norm.forward(code, Activation::Identity);
        full(code, |code| softmax(code.mul_scalar(SHARPNESS), 1))
    }
}

impl Network for LinearAutoencoder {
    const METHOD: Method = Method::LinearAe;

    fn model(&self, device: &Device) -> LinearNet {
        let count = self.start.count();
        let widths: Vec<usize> =
            std::iter::once(self.pixels.bands()).chain(WIDTHS.map(|multiple| multiple * count)).collect();
        let layer = |pair: &[usize]| LinearConfig::new(pair[0], pair[1]).with_bias(false).init(device);
        LinearNet {
            layers: widths.windows(2).map(layer).collect(),
            norm: BatchNormConfig::new(count).init(device),
            endmembers: parameter(&self.start, device),
        }
    }

    fn stage(&self) -> StageConfig {
        // the optimiser is that of `Fit::optimizer`, which this name stands for
        StageConfig { optimizer: Optimizer::RmsProp, learning_rate: 1e-3, epochs: EPOCHS, ..StageConfig::default() }
    }

    fn decode(&self, model: &LinearNet, casting: &Casting, device: &Device) -> Result<(Endmembers, Abundances)> {
        let (bands, count) = (self.pixels.bands(), self.pixels.count());
        let endmembers = Endmembers::new(values(model.endmembers.base())?, bands)?;
        let mut shares = Vec::with_capacity(count * endmembers.count());
        for from in (0..count).step_by(DECODED_AT_ONCE) {
            let x = spectra(&self.pixels, from..(from + DECODED_AT_ONCE).min(count), device);
            shares.extend(values(model.encode(casting.low(x)))?);
        }
        let shares = abundances(shares, endmembers.count())?;
        Ok((endmembers, shares))
    }
}

impl Fit for LinearAutoencoder {
    type Model = LinearNet;
    type Batch = Tensor<2>;

    fn batch(&mut self, ctx: &Context<'_>) -> cupel_train::Result<Tensor<2>> {
        let mut draws = vec![0.0f32; BATCH as usize];
        ctx.stream.child(0).fill_uniform(&mut draws);
        let last = self.pixels.count() - 1;
        let chosen: Vec<usize> =
            draws.iter().map(|u| ((f64::from(*u) * (last + 1) as f64) as usize).min(last)).collect();
        Ok(self.resident.select(&chosen, ctx.device))
    }

    fn loss(&self, model: &LinearNet, spectra: Tensor<2>, ctx: &Context<'_>) -> Loss {
        let shares = model.encode(ctx.casting.low(spectra.clone()));
        let noise = Tensor::random(shares.dims(), Distribution::Normal(1.0, DROPOUT), ctx.device);
        let shares = shares.cast(noise.dtype()) * noise;
        let mean = Mixed::new(shares, model.endmembers.base(), spectra).mean_angle();
        Loss { mean, weight: BATCH as f64, terms: Vec::new() }
    }

    fn steps_per_epoch(&self) -> u64 {
        SPECTRA_PER_EPOCH / BATCH
    }

    fn constrain(&self, mut model: LinearNet, _: &Context<'_>) -> LinearNet {
        model.endmembers = clamped(model.endmembers, 0.0, f64::from(f32::MAX));
        model
    }

    fn optimizer(&self, _: &StageConfig) -> ModuleOptimizer {
        plain_rms_prop()
    }

    fn fingerprint(&self) -> cupel_train::Result<[u8; 32]> {
        fingerprint(&(Self::METHOD, self.pixels.hash(), self.start.values()))
    }
}

/// RMSprop as the authors' library has it: no momentum, squares remembered by 0.9.
pub(super) fn plain_rms_prop() -> ModuleOptimizer {
    RmsPropConfig::new().with_alpha(0.9).with_momentum(0.0).with_epsilon(1e-7).init()
}
