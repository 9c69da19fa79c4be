//! Structural similarity, under the names of the four ways in which it is computed.
//!
//! The values of one pair of images differ in the third digit, so a number belongs with its name. [`Similarity::Wang`] is the paper's and is what
//! cupel means by SSIM.

use burn::tensor::Tensor;
use cupel_settings::choices;

use super::distortion::{check, scalar};
use crate::{Error, Result};

choices! {
    /// A way to compute structural similarity.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Similarity {
        /// Gaussian of 11 places, mean where it lies within the image (Wang and others 2004)
        Wang = "wang" | "ssim",
        /// Mean of 7 x 7 places, sample covariance: scikit-image unless told otherwise
        Uniform = "uniform" | "skimage",
        /// Gaussian, image mirrored with its edge, mean of all places: scikit-image's full map
        Mirrored = "mirrored",
        /// Gaussian, image mirrored without its edge, mean of all places: Kornia, the original
        Reflected = "reflected" | "kornia",
    }
}

/// Places on each side of a window's middle.
const GAUSSIAN: usize = 5;
/// Side of the uniform window.
const UNIFORM: usize = 7;
/// Shortest side for five scales: `11 * 2^4`.
const SMALLEST_MS: usize = 176;

/// Mean structural similarity of two images `[row, column]` whose values have the range `data_range`; in f32 or wider.
///
/// # Errors
/// [`Error::Measurement`] where shapes differ, a side is shorter than the window or the range is not positive.
pub fn ssim(truth: Tensor<2>, image: Tensor<2>, data_range: f64, way: Similarity) -> Result<f64> {
    check(&truth, &image)?;
    let side = if way == Similarity::Uniform { UNIFORM } else { 2 * GAUSSIAN + 1 };
    check_size("ssim", &truth, side, data_range)?;
    let mean = |x: Tensor<2>, y: Tensor<2>| scalar(cupel_kernels::ssim(x.unsqueeze(), y.unsqueeze(), data_range));
    Ok(match way {
        Similarity::Wang => mean(truth, image),
        Similarity::Uniform => uniform(truth, image, data_range),
        Similarity::Mirrored => mean(mirrored(truth, 0), mirrored(image, 0)),
        Similarity::Reflected => mean(mirrored(truth, 1), mirrored(image, 1)),
    })
}

/// Mean structural similarity over five scales.
///
/// # Errors
/// As [`ssim`]; a side below 176 has no fifth scale, and fewer scales are another number.
pub fn ms_ssim(truth: Tensor<2>, image: Tensor<2>, data_range: f64) -> Result<f64> {
    check(&truth, &image)?;
    check_size("ms-ssim", &truth, SMALLEST_MS, data_range)?;
    Ok(scalar(cupel_kernels::ms_ssim(truth.unsqueeze(), image.unsqueeze(), data_range)))
}

fn check_size(what: &str, image: &Tensor<2>, least: usize, data_range: f64) -> Result<()> {
    let sides = image.dims();
    if sides.iter().any(|side| *side < least) {
        return Err(Error::Measurement {
            what: format!("image for {what}"),
            got: format!("{} x {}", sides[0], sides[1]),
            expected: format!("sides of at least {least} pixels"),
        });
    }
    if !(data_range > 0.0 && data_range.is_finite()) {
        return Err(Error::Measurement {
            what: format!("range of the data for {what}"),
            got: data_range.to_string(),
            expected: "a positive, finite number: the largest possible value less the least".into(),
        });
    }
    Ok(())
}

/// The image with five mirrored places on each side; the edge itself is repeated unless `skip` is one.
fn mirrored(image: Tensor<2>, skip: usize) -> Tensor<2> {
    let pad = |image: Tensor<2>, axis: usize| {
        let side = image.dims()[axis];
        let before = image.clone().narrow(axis, skip, GAUSSIAN).flip([axis]);
        let after = image.clone().narrow(axis, side - GAUSSIAN - skip, GAUSSIAN).flip([axis]);
        Tensor::cat(vec![before, image, after], axis)
    };
    pad(pad(image, 0), 1)
}

/// scikit-image's `structural_similarity` without options but `data_range`: variances with `n - 1`, and the mean where the window lies
/// within the image. On the host in f64: in f32 the variance of bright, even places is all rounding.
fn uniform(truth: Tensor<2>, image: Tensor<2>, data_range: f64) -> f64 {
    let [rows, columns] = truth.dims();
    let values = |x: Tensor<2>| -> Vec<f64> { x.into_data().iter::<f64>().collect() };
    let (x, y) = (values(truth), values(image));
    let count = (UNIFORM * UNIFORM) as f64;
    let sample = count / (count - 1.0);
    let (c1, c2) = ((0.01 * data_range).powi(2), (0.03 * data_range).powi(2));
    let (height, width) = (rows - UNIFORM + 1, columns - UNIFORM + 1);
    let at = |place: usize| {
        let mut sums = [0.0; 5];
        for row in place / width..place / width + UNIFORM {
            let first = row * columns + place % width;
            for (x, y) in x[first..first + UNIFORM].iter().zip(&y[first..first + UNIFORM]) {
                for (sum, term) in sums.iter_mut().zip([*x, *y, x * x, y * y, x * y]) {
                    *sum += term;
                }
            }
        }
        let [mean_x, mean_y, xx, yy, xy] = sums.map(|sum| sum / count);
        let squares = mean_x * mean_x + mean_y * mean_y;
        let (variances, covariance) = ((xx + yy - squares) * sample, (xy - mean_x * mean_y) * sample);
        (2.0 * mean_x * mean_y + c1) * (2.0 * covariance + c2) / ((squares + c1) * (variances + c2))
    };
    (0..height * width).map(at).sum::<f64>() / (height * width) as f64
}
