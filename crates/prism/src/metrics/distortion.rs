//! Distances between images, on their device.

use burn::tensor::Tensor;
use cupel_kernels::{mean_fixed, sum_squares_fixed};

use crate::{Error, Result};

/// Mean squared difference.
///
/// # Errors
/// [`Error::Measurement`] where shapes differ.
pub fn mse(truth: Tensor<2>, image: Tensor<2>) -> Result<f64> {
    check(&truth, &image)?;
    let count = truth.dims().iter().product::<usize>() as f64;
    Ok(scalar(sum_squares_fixed(truth - image)) / count)
}

/// Root of [`mse`].
///
/// # Errors
/// As [`mse`].
pub fn rmse(truth: Tensor<2>, image: Tensor<2>) -> Result<f64> {
    Ok(mse(truth, image)?.sqrt())
}

/// `10 log10(L^2 / mse)` in decibels, `L` the range of the data; infinite for equal images.
///
/// # Errors
/// As [`mse`].
pub fn psnr(truth: Tensor<2>, image: Tensor<2>, data_range: f64) -> Result<f64> {
    Ok(10.0 * (data_range * data_range / mse(truth, image)?).log10())
}

/// `||x - t|| / ||t||`.
///
/// # Errors
/// As [`mse`], and where the truth is nought everywhere.
pub fn nrmse(truth: Tensor<2>, image: Tensor<2>) -> Result<f64> {
    let power = scalar(sum_squares_fixed(truth.clone())) / truth.dims().iter().product::<usize>() as f64;
    if power == 0.0 {
        return Err(Error::Measurement {
            what: "truth of a relative error".into(),
            got: "nought everywhere".into(),
            expected: "an image".into(),
        });
    }
    Ok((mse(truth, image)? / power).sqrt())
}

/// [`nrmse`] in per cent, the original's RMSE.
///
/// # Errors
/// As [`nrmse`].
pub fn rmse_percent(truth: Tensor<2>, image: Tensor<2>) -> Result<f64> {
    Ok(100.0 * nrmse(truth, image)?)
}

/// Mean absolute difference.
///
/// # Errors
/// As [`mse`].
pub fn mae(truth: Tensor<2>, image: Tensor<2>) -> Result<f64> {
    check(&truth, &image)?;
    Ok(scalar(mean_fixed((truth - image).abs())))
}

pub(super) fn check(truth: &Tensor<2>, image: &Tensor<2>) -> Result<()> {
    let (wanted, got) = (truth.dims(), image.dims());
    if wanted == got && wanted.iter().all(|side| *side > 0) {
        return Ok(());
    }
    Err(Error::Measurement {
        what: "size of an image".into(),
        got: format!("{got:?}"),
        expected: format!("that of the truth, {wanted:?}, and not empty"),
    })
}

/// The one value of a tensor.
pub(super) fn scalar<const D: usize>(x: Tensor<D>) -> f64 {
    x.into_data().iter::<f64>().next().unwrap_or(f64::NAN)
}
