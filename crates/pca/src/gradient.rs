//! Components of a batch, and the gradient through them.
//!
//! What is taken out is `F = U f(Lambda) U^T`, with `C = U Lambda U^T` the covariance and `f` the share of a mode: 1
//! for the first `k` and 0 for the others, or `lambda / (lambda + t)`. With `G = dL/dF`, symmetric (Daleckii and Krein
//! 1965; Kato, Perturbation Theory for Linear Operators, II.5),
//! ```text
//! dL/dC = U (K o (U^T G U)) U^T,   K_ij = (f_i - f_j) / (lambda_i - lambda_j).
//! ```
//! Of the cut `K` is `1 / (lambda_i - lambda_j)` for `i` taken and `j` not, and mirrored, and 0 inside either block; of
//! the threshold it is `t / ((lambda_i + t) (lambda_j + t))` everywhere. No term divides by the distance of two
//! eigenvalues on the same side, which is what makes the derivative of an eigendecomposition NaN where two are equal:
//! eigenvectors inside a block may turn as they like, `F` does not. Only a cut between equal eigenvalues has no
//! derivative, and is refused.
//!
//! The eigenvectors are found in f64. Mean and covariance enter the result once more as differences of themselves and
//! their detached selves, which are 0 and carry the gradient; every operation is one of Burn's, and the gradient runs
//! on every device.

use burn::tensor::{DType, Device, FloatDType, Tensor, TensorData};
use cupel_data::{Axes, Axis, AxisKind, Cube};
use cupel_kernels::{Projection, mean_dim_fixed};

use crate::{
    Covariance, Eigen, Error, Result,
    layer::{Layout, Stored, host, pairs},
    symmetric_eigen,
};

/// How much of each mode of a batch is taken out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Share {
    /// All of so many leading modes; of 0 only the mean.
    Modes(usize),
    /// `lambda / (lambda + t)` of every mode, with this `t` in the squared unit of the data.
    Threshold(f64),
}

impl Share {
    fn of(self, values: &[f64]) -> Result<Vec<f64>> {
        match self {
            Self::Modes(count) if count > values.len() => {
                Err(Error::ComponentCount { asked: count, channels: values.len() })
            }
            Self::Modes(count) => Ok(vec![1.0; count]),
            Self::Threshold(t) if t.is_finite() && t > 0.0 => {
                Ok(values.iter().map(|value| value.max(0.0) / (value.max(0.0) + t)).collect())
            }
            Self::Threshold(got) => Err(Error::Threshold { got }),
        }
    }

    /// `K`, row-major.
    fn differences(self, values: &[f64]) -> Result<Vec<f64>> {
        let size = values.len();
        let pair = |i: usize| (i / size, i % size);
        match self {
            Self::Threshold(t) => Ok((0..size * size)
                .map(|i| t / ((values[pair(i).0].max(0.0) + t) * (values[pair(i).1].max(0.0) + t)))
                .collect()),
            Self::Modes(count) => {
                if let (Some(&value), Some(&next)) =
                    (count.checked_sub(1).and_then(|last| values.get(last)), values.get(count))
                {
                    // what an eigenvalue in f64 is sure of
                    let sure = values[0].abs() * f64::EPSILON * size as f64;
                    if value - next <= sure {
                        return Err(Error::Degenerate { modes: count, value, next });
                    }
                }
                Ok((0..size * size)
                    .map(|i| match pair(i) {
                        (i, j) if (i < count) != (j < count) => 1.0 / (values[i] - values[j]).abs(),
                        _ => 0.0,
                    })
                    .collect())
            }
        }
    }
}

/// Mean and eigenvectors of rows.
struct Fit {
    mean: Vec<f64>,
    eigen: Eigen,
}

impl Fit {
    /// Of `[line, channel]`, in f64: on the device where it has that, else on the host.
    fn of(rows: Tensor<2>) -> Result<Self> {
        let [samples, channels] = rows.dims();
        if samples < 2 {
            return Err(Error::TooFewSamples { needed: 2, got: samples as u64 });
        }
        let (mean, matrix) = if rows.device().supports_dtype(FloatDType::F64) {
            let rows = rows.cast(FloatDType::F64);
            let mean = mean_dim_fixed(rows.clone(), 0);
            let deviations = rows - mean.clone();
            let covariance = deviations.clone().transpose().matmul(deviations) / (samples - 1) as f64;
            (host(mean)?, host(covariance)?)
        } else {
            let band = Axis::new(AxisKind::Dimension(1), channels);
            let axes = Axes::new(vec![Axis::new(AxisKind::Dimension(0), samples), band.clone()])?;
            let mut covariance = Covariance::new(&band);
            let values = host(rows)?.into_iter().map(|value| value as f32).collect();
            covariance.update(&Cube::<f32>::new(values, axes)?)?;
            (covariance.mean().to_vec(), covariance.matrix()?)
        };
        if let Some(at) = mean.iter().chain(&matrix).position(|value| !value.is_finite()) {
            return Err(Error::NotFinite { sample: 0, channel: at % channels, value: f64::NAN });
        }
        Ok(Self { mean, eigen: symmetric_eigen(&matrix, channels)? })
    }

    /// With modes times the square root of their share.
    fn stored(&self, shares: &[f64], device: &Device) -> Stored {
        let channels = self.mean.len();
        let mut modes: Vec<f64> = shares
            .iter()
            .zip(&self.eigen.vectors)
            .flat_map(|(share, mode)| mode.iter().map(move |value| value * share.sqrt()))
            .collect();
        // a tensor without modes is one with a mode of zeros
        modes.resize(shares.len().max(1) * channels, 0.0);
        let count = modes.len() / channels;
        let tensor = |values: &[f64], shape: Vec<usize>| TensorData::new(pairs(values), shape);
        Stored {
            mean: Tensor::from_data(tensor(&self.mean, vec![2, channels]), (device, DType::F32)),
            modes: Tensor::from_data(tensor(&modes, vec![2, count, channels]), (device, DType::F32)),
            parts: 1,
        }
    }
}

/// `x` without the components that it has itself along an axis, which without `differentiable` are constants.
pub(crate) fn project<const D: usize>(
    x: Tensor<D>,
    share: Share,
    differentiable: bool,
    how: Projection<D>,
) -> Result<Tensor<D>> {
    let device = x.device();
    let (lines, layout) = Layout::lines(x.clone(), 1, how.axis);
    let fit = Fit::of(lines.clone().detach())?;
    let shares = share.of(&fit.eigen.values)?;
    let stored = fit.stored(&shares, &device);
    if !(differentiable && device.is_autodiff()) {
        return stored.project(x, how);
    }
    let correction = layout.back(correction(lines, share, &fit, &shares)?, Projection::along(how.axis));
    let cleaned = (stored.project(x, Projection::along(how.axis))? + correction) * how.scale;
    Ok(how.transform.apply(cleaned.permute(how.order.map(|axis| axis as isize))))
}

/// What mean and covariance add to the gradient of the result; its value is 0.
///
/// With `y = (x - m) (I - F)`: `dy = -dm (I - F) - (x - m) dF`.
fn correction(lines: Tensor<2>, share: Share, fit: &Fit, shares: &[f64]) -> Result<Tensor<2>> {
    let (device, dtype) = (lines.device(), lines.dtype());
    let size = fit.mean.len();
    let matrix =
        |values: Vec<f64>, shape: [usize; 2]| Tensor::<2>::from_data(TensorData::new(values, shape), (&device, dtype));
    let kernel = matrix(share.differences(&fit.eigen.values)?, [size, size]);
    // rows are eigenvectors
    let vectors = matrix(fit.eigen.vectors.concat(), [size, size]);
    let mut complement = vec![0.0; size * size];
    for (i, row) in complement.chunks_exact_mut(size).enumerate() {
        row[i] = 1.0;
        for (share, mode) in shares.iter().zip(&fit.eigen.vectors) {
            row.iter_mut().zip(mode).for_each(|(cell, value)| *cell -= share * mode[i] * value);
        }
    }
    let mean = mean_dim_fixed(lines.clone(), 0);
    let nothing = mean.clone() - mean.clone().detach();
    // the deviations sum to 0, so that the covariance does not depend on the mean
    let deviations = lines - matrix(fit.mean.clone(), [1, size]);
    let known = deviations.clone().detach();
    let covariance = deviations.clone().transpose().matmul(deviations) / (known.dims()[0] - 1) as f64;
    let nothing_either = covariance.clone() - covariance.detach();
    let turned = vectors.clone().matmul(nothing_either).matmul(vectors.clone().transpose());
    let taken = vectors.clone().transpose().matmul(kernel * turned).matmul(vectors);
    Ok(-known.matmul(taken) - nothing.matmul(matrix(complement, [size, size])))
}
