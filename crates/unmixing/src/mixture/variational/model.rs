//! Everything that variational inference fits, and where it begins.

use burn::{
    module::{Module, Param},
    nn::{Linear, LinearConfig},
    tensor::{Device, Tensor, TensorData},
};

use super::{GUIDE_RANK, LEAST_SHARE, Start, VariationalConfig};
use crate::mixture::{Guide, NoiseModel};

/// Widths of the hidden layers of the amortised guide.
const HIDDEN: [usize; 2] = [64, 32];
/// Endmembers begin at least this far from nought, relative to their largest value.
const LEAST_REFLECTANCE: f64 = 1e-4;
/// Standard deviations of the guide begin within these.
const FIRST_DEVIATIONS: [f64; 2] = [0.02, 1.0];
/// Rank of what correlates the bands in low-rank noise.
const NOISE_RANK: usize = 3;

/// Everything that is fitted.
#[derive(Module, Debug)]
pub struct VariationalModel {
    /// Mean of the logarithm of the endmembers, `[endmember, band]`.
    pub(super) ln_endmembers: Param<Tensor<2>>,
    /// Logarithm of its standard deviation.
    pub(super) ln_deviations: Param<Tensor<2>>,
    /// `ln alpha`, `[endmember]`.
    pub(super) ln_concentrations: Param<Tensor<1>>,
    /// `ln sigma`, `[1]` or `[band]`.
    pub(super) ln_noise: Param<Tensor<1>>,
    /// What correlates the endmembers' guide: `[rank, endmember x band]`, or a square below whose diagonal it lies.
    pub(super) factors: Option<Param<Tensor<2>>>,
    /// What correlates the noise: `[rank, band]`, or what lies below the diagonal of the inverse Cholesky factor.
    pub(super) noise_factors: Option<Param<Tensor<2>>>,
    /// Mean and logarithm of the standard deviation of `ln phi`.
    pub(super) light: Param<Tensor<1>>,
    pub(super) local: Option<Local>,
    pub(super) encoder: Option<Encoder>,
}

/// A guide with numbers of its own for every pixel.
#[derive(Module, Debug)]
pub struct Local {
    /// `[pixel, endmember]`.
    pub(super) means: Param<Tensor<2>>,
    pub(super) ln_deviations: Param<Tensor<2>>,
    /// `[pixel]`.
    pub(super) ln_brightness: Param<Tensor<1>>,
}

/// A guide that is a function of the spectrum.
#[derive(Module, Debug)]
pub struct Encoder {
    pub(super) layers: Vec<Linear>,
}

impl VariationalModel {
    /// The model where it begins, on `device`, which has automatic differentiation.
    pub(super) fn new(start: &Start, config: &VariationalConfig, device: &Device) -> Self {
        let (count, bands, pixels) = (start.endmembers.count(), start.endmembers.bands(), start.abundances.count());
        let largest = start.endmembers.values().iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        let positive = |v: &f64| v.max(LEAST_REFLECTANCE * largest);
        let endmembers = start.endmembers.values();
        let relative = |at: usize| match &start.errors {
            Some(errors) => (errors[at] / positive(&endmembers[at])).clamp(1e-4, 0.1),
            None => 0.05,
        };
        let noises = if config.noise == NoiseModel::Scalar { 1 } else { bands };
        let first_noise = start.noise.max(1e-8);
        let light = match &start.brightness {
            Some(brightness) => {
                let logs: Vec<f64> = brightness.iter().map(|b| b.max(1e-6).ln()).collect();
                let mean = logs.iter().sum::<f64>() / logs.len() as f64;
                let variance = logs.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / logs.len() as f64;
                vec![mean, variance.sqrt().max(1e-3).ln()]
            }
            None => vec![0.0, 0.0],
        };
        let (mut local, mut encoder) = (None, None);
        match config.guide {
            Guide::Diagonal | Guide::LowRank | Guide::FullGlobals => {
                let (mut means, mut deviations) = (Vec::new(), Vec::new());
                for (row, sd) in start.abundances.rows().zip(start.deviations.chunks_exact(count)) {
                    for (share, sd) in row.iter().zip(sd) {
                        let share = share.max(LEAST_SHARE);
                        means.push((share * count as f64).ln());
                        deviations.push((sd / share).clamp(FIRST_DEVIATIONS[0], FIRST_DEVIATIONS[1]).ln());
                    }
                }
                let brightness = start.brightness.as_ref();
                let ln_brightness = (0..pixels).map(|n| brightness.map_or(0.0, |b| b[n].max(1e-6).ln())).collect();
                local = Some(Local {
                    means: parameter(means, [pixels, count], device),
                    ln_deviations: parameter(deviations, [pixels, count], device),
                    ln_brightness: parameter(ln_brightness, [pixels], device),
                });
            }
            Guide::Amortised => {
                let widths = [bands, HIDDEN[0], HIDDEN[1], 2 * count + 1];
                let layers = widths.windows(2).map(|pair| LinearConfig::new(pair[0], pair[1]).init(device)).collect();
                encoder = Some(Encoder { layers });
            }
        }
        Self {
            ln_endmembers: parameter(endmembers.iter().map(|v| positive(v).ln()).collect(), [count, bands], device),
            ln_deviations: parameter((0..count * bands).map(|at| relative(at).ln()).collect(), [count, bands], device),
            ln_concentrations: parameter(vec![0.0; count], [count], device),
            ln_noise: parameter(vec![first_noise.ln(); noises], [noises], device),
            factors: match config.guide {
                Guide::LowRank => Some((GUIDE_RANK, count * bands)),
                Guide::FullGlobals => Some((count * bands, count * bands)),
                Guide::Diagonal | Guide::Amortised => None,
            }
            .map(|(rows, columns)| parameter(vec![0.0; rows * columns], [rows, columns], device)),
            noise_factors: match config.noise {
                // nought would be a saddle: slow waves across the bands are not
                NoiseModel::LowRank => {
                    let wave = |at: usize| {
                        let (row, band) = (at / bands, at % bands);
                        let phase = std::f64::consts::PI * (row + 1) as f64 * (band as f64 + 0.5) / bands as f64;
                        0.3 * first_noise * phase.cos()
                    };
                    Some(parameter((0..NOISE_RANK * bands).map(wave).collect(), [NOISE_RANK, bands], device))
                }
                NoiseModel::Full => Some(parameter(vec![0.0; bands * bands], [bands, bands], device)),
                NoiseModel::Scalar | NoiseModel::Band => None,
            },
            light: parameter(light, [2], device),
            local,
            encoder,
        }
    }
}

fn parameter<const D: usize>(values: Vec<f64>, shape: [usize; D], device: &Device) -> Param<Tensor<D>> {
    let values: Vec<f32> = values.iter().map(|v| *v as f32).collect();
    Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), device))
}
