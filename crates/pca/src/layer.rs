//! [`PcaLayer`]: the projection as a module on a device.
//!
//! Precision first: foregrounds are 10^4 times the signal, f32 has 7 digits, and a rounded product leaves 64 % of error
//! where the covariance was f32 too. So the components are always found in f64, and they are applied
//! - with few modes in low rank with sums in f64 ([`project_low_rank`](cupel_kernels::project_low_rank)), exact to the
//!   rounding of the output;
//! - with many by one dense product in f32 ([`project_out`](cupel_kernels::project_out)), to 1.2e-3 of the signal;
//! - on a device without f64 by two stages of deflation, exact products of short slices of f32.
//!
//! On a CPU stored components go to these kernels by way of the host, which is where they are; elsewhere they stay on
//! the device.
//!
//! bf16 and f16 are refused. Mean and modes are kept as pairs of f32, a number and what f32 leaves of it, which is 48
//! bits in records that every device can read. They are not trained, and a model that computes in fewer bits does not
//! cast them.

mod deflated;

use burn::{
    module::{Module, Param},
    tensor::{DType, Device, FloatDType, Tensor, TensorData},
};
use cupel_data::Field;
use cupel_kernels::{LowRank, Noise, Projection, philox_normal, project_low_rank, project_out};
use cupel_train::device::is_cpu;
use num_complex::Complex;

use crate::{Error, Projector, Result, Share, gradient, projector::Directions};

/// Low rank in f64 costs less than the dense product in f32 as long as `modes * DENSE_FROM <= channels`: two thin
/// products of 4 flops per mode and value, at half the numbers per register, against 2 flops per channel and value.
const DENSE_FROM: usize = 4;

/// Takes components out of tensors, as a layer of a model or for itself.
///
/// Precomputed ([`PcaLayer::new`]), its mean and modes are saved with the model, move with it and are not trained.
/// Fitted on the fly, it has no weights and finds components in every batch, which costs a covariance each time and is
/// another estimator: the basis is of this batch. Differentiable, gradients go through the fit as well.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use cupel_pca::{PcaLayer, Share};
///
/// let x = Tensor::<2>::from_floats([[0.0, 0.0], [1.0, 2.0], [2.0, 4.0]], &Device::flex()); // all on one line
/// let cleaned = PcaLayer::on_the_fly(Share::Modes(1)).forward(x, 1)?;
/// assert!(cleaned.abs().max().into_scalar::<f32>() < 1e-6);
/// # Ok::<(), cupel_pca::Error>(())
/// ```
#[doc(alias = "FastPCALayer")]
#[doc(alias = "PCALayer")]
#[derive(Module, Debug)]
pub struct PcaLayer {
    /// `[2, channel]`: the mean in f32, and what that leaves of it.
    mean: Option<Param<Tensor<2>>>,
    /// `[2, mode, channel]`: modes times the square root of their share, and what f32 leaves of them.
    modes: Option<Param<Tensor<3>>>,
    #[module(skip)]
    source: Source,
}

/// Where the components come from.
#[derive(Clone, Copy, Debug)]
enum Source {
    /// Here they are, with so many numbers per channel: 2 of a Hermitian basis.
    Stored { parts: usize },
    /// From each batch.
    Batch { share: Share, apart: Option<usize>, differentiable: bool },
}

impl PcaLayer {
    /// With the components of `projector`.
    ///
    /// # Errors
    /// [`Error::Groups`] for one with groups.
    pub fn new(projector: &Projector, device: &Device) -> Result<Self> {
        let directions = projector.single()?;
        let (mean, modes) = tensors(directions, device);
        Ok(Self {
            mean: Some(fixed(mean)),
            modes: Some(fixed(modes)),
            source: Source::Stored { parts: directions.parts },
        })
    }

    /// Of the right shape for a record of [`new`](Self::new) to be loaded: `modes` of `channels`, all 0.
    pub fn empty(modes: usize, channels: usize, device: &Device) -> Self {
        let zeros = |shape| Tensor::<3>::zeros(shape, (device, DType::F32));
        Self {
            mean: Some(fixed(zeros([1, 2, channels]).squeeze_dim::<2>(0))),
            modes: Some(fixed(zeros([2, modes.max(1), channels]))),
            source: Source::Stored { parts: 1 },
        }
    }

    /// Fitted to each batch, whose basis is then a constant of it.
    pub fn on_the_fly(share: Share) -> Self {
        Self { mean: None, modes: None, source: Source::Batch { share, apart: None, differentiable: false } }
    }

    /// Fitted to each batch, with gradients through the fit: mean, covariance and basis depend on the batch.
    pub fn differentiable(share: Share) -> Self {
        Self { mean: None, modes: None, source: Source::Batch { share, apart: None, differentiable: true } }
    }

    /// Fits each position of this axis for itself, as real and imaginary parts on an axis of two; without effect on
    /// stored components.
    #[must_use]
    pub fn apart(mut self, axis: usize) -> Self {
        if let Source::Batch { apart, .. } = &mut self.source {
            *apart = Some(axis);
        }
        self
    }

    /// `x` without the components along `axis`.
    ///
    /// # Errors
    /// As [`project`](Self::project).
    pub fn forward<const D: usize>(&self, x: Tensor<D>, axis: usize) -> Result<Tensor<D>> {
        self.project(x, Projection::along(axis))
    }

    /// `x` without the components, with noise, scale, transform and order of axes, in one pass where the components are
    /// stored.
    ///
    /// A Hermitian basis takes real and imaginary part from the last axis of `x`, which then has 2 values.
    ///
    /// # Errors
    /// [`Error::LowPrecision`] for fewer bits than f32; [`Error::Channels`] when the axis is none of `x` or has another
    /// length than the components; for a layer that fits, fewer than two lines, values that are not finite, and with
    /// gradients [`Error::Degenerate`].
    pub fn project<const D: usize>(&self, x: Tensor<D>, how: Projection<D>) -> Result<Tensor<D>> {
        let dtype = x.dtype();
        if !matches!(dtype, DType::F32 | DType::F64) {
            return Err(Error::LowPrecision { dtype: format!("{dtype:?}").to_lowercase() });
        }
        if how.axis >= D {
            return Err(Error::Channels { axis: how.axis, expected: self.channels().unwrap_or(0), got: 0 });
        }
        match (self.source, &self.mean, &self.modes) {
            (Source::Stored { parts }, Some(mean), Some(modes)) => {
                let stored = Stored { mean: mean.base(), modes: modes.base(), parts };
                stored.check(&x, how.axis)?;
                stored.project(x, how)
            }
            (Source::Batch { share, apart, differentiable }, ..) => {
                let how_fitted = Projection { noise: None, ..how };
                let x = noisy(x, how.noise);
                let fit = |x: Tensor<D>| gradient::project(x, share, differentiable, how_fitted);
                let Some(apart) = apart.filter(|&axis| axis < D && axis != how.axis) else {
                    return fit(x);
                };
                let place = how.order.iter().position(|&axis| axis == apart).unwrap_or(apart);
                let parts: Result<Vec<Tensor<D>>> =
                    (0..x.dims()[apart]).map(|index| fit(x.clone().narrow(apart, index, 1))).collect();
                Ok(Tensor::cat(parts?, place))
            }
            (Source::Stored { .. }, ..) => {
                Err(Error::Channels { axis: how.axis, expected: 0, got: x.dims()[how.axis] })
            }
        }
    }

    /// Channels of stored components.
    pub fn channels(&self) -> Option<usize> {
        match (self.source, &self.mean) {
            (Source::Stored { parts }, Some(mean)) => Some(mean.lazy_shape()[1] / parts),
            _ => None,
        }
    }
}

impl Projector {
    /// A tensor that knows its axes, without the components, on its device.
    ///
    /// # Errors
    /// [`Error::OtherAxis`] when the axis is not that of the components; as [`PcaLayer::project`].
    pub fn apply_field<const D: usize>(&self, field: Field<D>) -> Result<Field<D>> {
        self.check_axis(field.axis(self.axis().kind())?)?;
        let axis = field.axes().position(self.axis().kind())?;
        let (tensor, axes) = field.into_parts();
        let layer = PcaLayer::new(self, &tensor.device())?;
        Ok(Field::new(layer.forward(tensor, axis)?, axes)?)
    }
}

/// `x` without precomputed components along `axis`: [`PcaLayer::new`] and [`PcaLayer::forward`] in one call, under the
/// name that the optimised PyTorch pipeline gave it. Keep the layer where it is called more than once.
///
/// # Errors
/// As those two.
#[doc(alias = "PCALayer")]
pub fn apply_precomputed_pca_fast<const D: usize>(
    x: Tensor<D>,
    projector: &Projector,
    axis: usize,
) -> Result<Tensor<D>> {
    PcaLayer::new(projector, &x.device())?.forward(x, axis)
}

/// Mean and modes in pairs of f32, as [`PcaLayer`] has them.
pub(crate) struct Stored {
    pub(crate) mean: Tensor<2>,
    pub(crate) modes: Tensor<3>,
    pub(crate) parts: usize,
}

impl Stored {
    fn check<const D: usize>(&self, x: &Tensor<D>, axis: usize) -> Result<()> {
        let (got, expected) = (x.dims()[axis], self.mean.dims()[1] / self.parts);
        if got != expected {
            return Err(Error::Channels { axis, expected, got });
        }
        if self.parts == 2 && (axis == D - 1 || x.dims()[D - 1] != 2) {
            return Err(Error::NeedsComplex);
        }
        Ok(())
    }

    /// The projection in the way that suits device, type and number of modes.
    pub(crate) fn project<const D: usize>(self, x: Tensor<D>, how: Projection<D>) -> Result<Tensor<D>> {
        let device = x.device();
        let (channels, few) = (self.mean.dims()[1], self.modes.dims()[1] * DENSE_FROM <= self.mean.dims()[1]);
        let exact = few || x.dtype() == DType::F64 || self.parts == 2;
        if is_cpu(&device) && exact {
            return Ok(project_low_rank(x, &self.on_the_host()?, how));
        }
        let (mean, modes) = (on(self.mean, &device), on(self.modes, &device));
        if !device.supports_dtype(FloatDType::F64) {
            let (lines, layout) = Layout::lines(noisy(x, how.noise), self.parts, how.axis);
            return Ok(layout.back(deflated::project(lines, mean, modes), how));
        }
        let mean = mean.cast(FloatDType::F64).sum_dim(0);
        let modes = modes.cast(FloatDType::F64).sum_dim(0).squeeze_dim::<2>(0);
        if !exact {
            let one = Tensor::<2>::eye(channels, &device).cast(FloatDType::F64);
            let complement = one - modes.clone().transpose().matmul(modes);
            let mean = mean.squeeze_dim::<1>(0).cast(FloatDType::F32);
            return Ok(project_out(x, complement.cast(FloatDType::F32), mean, how));
        }
        let (lines, layout) = Layout::lines(noisy(x, how.noise), self.parts, how.axis);
        let dtype = lines.dtype();
        let lines = lines.cast(FloatDType::F64) - mean;
        let left = lines.clone() - lines.matmul(modes.clone().transpose()).matmul(modes);
        Ok(layout.back(left.cast(dtype), how))
    }

    /// For the kernel, in f64.
    fn on_the_host(self) -> Result<LowRank> {
        let width = self.mean.dims()[1];
        let (mean, modes) = (sums(self.mean)?, sums(self.modes)?);
        if self.parts == 1 {
            let modes: Vec<Vec<f64>> = modes.chunks_exact(width).map(<[f64]>::to_vec).collect();
            return Ok(LowRank::real(&modes, &mean));
        }
        let complex = |row: &[f64]| {
            let (re, im) = row.split_at(width / 2);
            re.iter().zip(im).map(|(&re, &im)| Complex::new(re, im)).collect::<Vec<_>>()
        };
        // each mode v is followed by i v
        let modes: Vec<Vec<Complex<f64>>> = modes.chunks_exact(width).step_by(2).map(complex).collect();
        Ok(LowRank::hermitian(&modes, &complex(&mean)))
    }
}

/// The numbers that pairs of f32 stand for.
fn sums<const D: usize>(pairs: Tensor<D>) -> Result<Vec<f64>> {
    let values = host(pairs)?;
    let (high, low) = values.split_at(values.len() / 2);
    Ok(high.iter().zip(low).map(|(high, low)| high + low).collect())
}

/// Values read back from a device.
pub(crate) fn host<const D: usize>(values: Tensor<D>) -> Result<Vec<f64>> {
    let shape = values.dims().to_vec();
    let failed = |message| cupel_data::Error::Device { action: "read back", shape: shape.clone(), message };
    let data = values.try_into_data_as::<f64>().map_err(|error| failed(error.to_string()))?;
    Ok(data.try_into_vec::<f64>().map_err(|error| failed(format!("{error:?}")))?)
}

fn noisy<const D: usize>(x: Tensor<D>, noise: Option<Noise>) -> Tensor<D> {
    let Some(Noise { amplitude, key, counter }) = noise else { return x };
    let numbers = philox_normal(x.dims(), key, counter, &x.device());
    x.clone() + numbers.cast(x.dtype()) * amplitude
}

/// Where the lines of a tensor came from.
pub(crate) struct Layout<const D: usize> {
    /// Axis of the tensor at each place of the lines' own order, the channels last.
    last: [usize; D],
    /// Lengths in that order.
    dims: [usize; D],
}

impl<const D: usize> Layout<D> {
    /// The lines along an axis, `[line, channel]`; of two parts a line has all real parts, then all imaginary ones.
    pub(crate) fn lines(x: Tensor<D>, parts: usize, axis: usize) -> (Tensor<2>, Self) {
        let mut order: Vec<usize> = (0..D).filter(|&other| other != axis && !(parts == 2 && other == D - 1)).collect();
        order.extend((parts == 2).then_some(D - 1));
        order.push(axis);
        let last = std::array::from_fn(|place| order[place]);
        let x = x.permute(last.map(|axis| axis as isize));
        let dims = x.dims();
        let width = dims[D - 1] * parts;
        (x.reshape([dims.iter().product::<usize>() / width.max(1), width]), Self { last, dims })
    }

    /// The tensor of these lines, scaled, transformed and in the order of `how`.
    pub(crate) fn back(&self, lines: Tensor<2>, how: Projection<D>) -> Tensor<D> {
        let place = |axis: usize| self.last.iter().position(|&other| other == axis).unwrap_or(axis) as isize;
        let y = (lines * how.scale).reshape(self.dims).permute(how.order.map(place));
        how.transform.apply(y)
    }
}

/// Mean and modes as pairs of f32.
pub(crate) fn tensors(directions: &Directions, device: &Device) -> (Tensor<2>, Tensor<3>) {
    let (count, channels) = (directions.modes.nrows(), directions.mean.len());
    // a record has no tensors without values: no mode is a mode of zeros
    let modes: Vec<f64> = (0..count.max(1) * channels)
        .map(|i| {
            let (mode, channel) = (i / channels, i % channels);
            if mode < count { directions.shares[mode].sqrt() * directions.modes[(mode, channel)] } else { 0.0 }
        })
        .collect();
    let tensor = |values: Vec<f64>, shape: Vec<usize>| TensorData::new(pairs(&values), shape);
    let mean = tensor(directions.mean.clone(), vec![2, channels]);
    let modes = tensor(modes, vec![2, count.max(1), channels]);
    (Tensor::from_data(mean, (device, DType::F32)), Tensor::from_data(modes, (device, DType::F32)))
}

/// All values rounded to f32, then what that leaves of each.
pub(crate) fn pairs(values: &[f64]) -> Vec<f32> {
    let rounded = values.iter().map(|&value| value as f32);
    rounded
        .clone()
        .chain(values.iter().zip(rounded).map(|(value, rounded)| (value - f64::from(rounded)) as f32))
        .collect()
}

fn fixed<const D: usize>(values: Tensor<D>) -> Param<Tensor<D>> {
    Param::from_tensor(values).set_require_grad(false)
}

/// The tensor in the context of automatic differentiation that the device has.
fn on<const D: usize>(values: Tensor<D>, device: &Device) -> Tensor<D> {
    match (values.device().is_autodiff(), device.is_autodiff()) {
        (false, true) => Tensor::from_inner(values),
        (true, false) => values.inner(),
        _ => values,
    }
}
