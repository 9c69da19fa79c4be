//! Structural similarity of images and its gradient.
//!
//! Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, "Image quality assessment: from error visibility to structural
//! similarity", IEEE Transactions on Image Processing 13, 600 (2004), doi:10.1109/TIP.2003.819861, equation 13:
//! ```text
//! l  = (2 mu_x mu_y + C1) / (mu_x^2 + mu_y^2 + C1),   C1 = (0.01 L)^2
//! cs = (2 s_xy + C2) / (s_x^2 + s_y^2 + C2),          C2 = (0.03 L)^2,      SSIM = l cs
//! ```
//! with means, population variances and covariance under a Gaussian window of 11 x 11 places and standard deviation 1.5, and
//! `L` the range of the data. The map covers the places where the whole window lies in the image, as in the paper; software
//! that pads the image gives values that differ in the third digit.
//!
//! [`ms_ssim`] is Z. Wang, E. P. Simoncelli, A. C. Bovik, "Multiscale structural similarity for image quality assessment",
//! Asilomar Conference 2003, doi:10.1109/ACSSC.2003.1292216, equation 7.

mod autodiff;
#[cfg(feature = "flex")]
mod bands;
#[cfg(feature = "flex")]
mod flex;
mod multiscale;
pub(crate) mod reference;

pub use multiscale::ms_ssim;

use crate::own;
use burn::{
    backend::{Backend, Dispatch, backend_extension, tensor::FloatTensor},
    tensor::{DType, Tensor},
};

/// Places of the window along each axis.
pub(crate) const WINDOW_SIZE: usize = 11;
/// Standard deviation of the window, in pixels.
const WINDOW_DEVIATION: f64 = 1.5;
/// `C1` is the square of this times the range of the data.
const K1: f64 = 0.01;
/// `C2` is the square of this times the range of the data.
const K2: f64 = 0.03;

/// Constants of a similarity and which one it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Similarity {
    pub(crate) c1: f64,
    pub(crate) c2: f64,
    /// `l cs` with it, `cs` alone without.
    pub(crate) luminance: bool,
}

impl Similarity {
    pub(crate) fn new(data_range: f64, luminance: bool) -> Self {
        Self { c1: (K1 * data_range).powi(2), c2: (K2 * data_range).powi(2), luminance }
    }
}

/// The window along one axis; its sum is one.
pub(crate) fn window() -> [f64; WINDOW_SIZE] {
    let centre = (WINDOW_SIZE / 2) as f64;
    let taps: [f64; WINDOW_SIZE] =
        std::array::from_fn(|k| (-((k as f64 - centre) / WINDOW_DEVIATION).powi(2) / 2.0).exp());
    let sum: f64 = taps.iter().sum();
    taps.map(|tap| tap / sum)
}

#[backend_extension(Flex: cfg(feature = "flex"), Autodiff)]
pub(crate) trait SsimOps: Backend {
    /// The map `[batch, channel, row, column]`.
    fn ssim_map(x: FloatTensor<Self>, y: FloatTensor<Self>, similarity: Similarity) -> FloatTensor<Self>;

    /// The mean of the map, `[batch, channel]`.
    fn ssim_mean(x: FloatTensor<Self>, y: FloatTensor<Self>, similarity: Similarity) -> FloatTensor<Self>;
}

/// Gradients of [`SsimOps`] with respect to both images, as far as they are wanted.
pub(crate) trait SsimGradients: Backend {
    /// From the gradient of the map.
    fn ssim_map_gradients(
        images: [FloatTensor<Self>; 2],
        gradient: FloatTensor<Self>,
        similarity: Similarity,
        wanted: [bool; 2],
    ) -> [Option<FloatTensor<Self>>; 2];

    /// The mean and its gradients, in one pass.
    fn ssim_mean_and_gradients(
        images: [FloatTensor<Self>; 2],
        similarity: Similarity,
        wanted: [bool; 2],
    ) -> (FloatTensor<Self>, [Option<FloatTensor<Self>>; 2]);

    /// The gradient of the mean, `[batch, channel, row, column]`, times that of what follows, `[batch, channel]`.
    fn ssim_scaled(of_mean: FloatTensor<Self>, gradient: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// Dtypes with own bodies.
const DTYPES: &[DType] = &[DType::F32];

/// Structural similarity at every place where the whole window lies in the image, in f32 or wider.
///
/// `data_range` is the difference between the largest and the smallest value that the data can take.
///
/// # Shapes
/// `x` and `y` are `[batch, channel, row, column]`; the result is `[batch, channel, row - 10, column - 10]`.
///
/// # Panics
/// When the shapes differ, a side is shorter than the window of 11, or `data_range` is not positive and finite.
pub fn ssim_map(x: Tensor<4>, y: Tensor<4>, data_range: f64) -> Tensor<4> {
    check("ssim_map", &x, &y, data_range, WINDOW_SIZE);
    let similarity = Similarity::new(data_range, true);
    own::at_least_f32(x, |x| {
        let y = y.cast(x.dtype());
        match own::takes(&x, DTYPES) {
            true => Tensor::from_dispatch(Dispatch::ssim_map(x.into_dispatch(), y.into_dispatch(), similarity)),
            false => reference::similarity_map(x, y, similarity),
        }
    })
}

/// Mean structural similarity of every pair of planes, in f32 or wider: 1 for equal images.
///
/// `1 - ssim(..).mean()` is a loss. In training, one pass over the images gives the value and the gradient.
///
/// # Shapes
/// `x` and `y` are `[batch, channel, row, column]`; the result is `[batch, channel]`.
///
/// # Panics
/// When the shapes differ, a side is shorter than the window of 11, or `data_range` is not positive and finite.
///
/// # Example
/// ```
/// # #[cfg(feature = "flex")] {
/// use burn::tensor::{Device, Distribution, Tensor};
/// let x = Tensor::<4>::random([1, 1, 16, 16], Distribution::Default, &Device::flex());
/// let same = cupel_kernels::ssim(x.clone(), x.clone(), 1.0).into_scalar::<f32>();
/// let other = cupel_kernels::ssim(x.clone(), x * 0.5, 1.0).into_scalar::<f32>();
/// assert!((same - 1.0).abs() < 1e-6 && other < 0.95);
/// # }
/// ```
pub fn ssim(x: Tensor<4>, y: Tensor<4>, data_range: f64) -> Tensor<2> {
    check("ssim", &x, &y, data_range, WINDOW_SIZE);
    own::at_least_f32(x, |x| mean(x.clone(), y.cast(x.dtype()), Similarity::new(data_range, true)))
}

/// The mean of the map of `similarity`, of images that were checked.
fn mean(x: Tensor<4>, y: Tensor<4>, similarity: Similarity) -> Tensor<2> {
    match own::takes(&x, DTYPES) {
        true => Tensor::from_dispatch(Dispatch::ssim_mean(x.into_dispatch(), y.into_dispatch(), similarity)),
        false => reference::similarity_mean(x, y, similarity),
    }
}

fn check(operation: &str, x: &Tensor<4>, y: &Tensor<4>, data_range: f64, least: usize) {
    let (x, y) = (x.dims(), y.dims());
    assert!(x == y, "{operation}: images of {x:?} and {y:?} differ in shape");
    assert!(x[2] >= least && x[3] >= least, "{operation}: images of {x:?} are smaller than {least} x {least}");
    assert!(
        data_range > 0.0 && data_range.is_finite(),
        "{operation}: the range of the data must be positive and finite, got {data_range}"
    );
}
