//! The log likelihood of linearly mixed pixels, fused with its gradients.
//!
//! A pixel is a mixture of endmembers in proportions that are the softmax of its logits, times its brightness, with
//! independent Gaussian noise in every band:
//! ```text
//! W_n = softmax(logits_n),   y_nl ~ N(phi_n sum_k W_nk C_kl, sigma_l^2)
//! ```
//! the observation model of O. Hoidn, A. A. Mishra, A. Mehta, "Probabilistic Mixture Model-Based Spectral Unmixing", Applied
//! Sciences 14, 4836 (2024), doi:10.3390/app14114836, with a brightness beside it. A step of variational inference is this
//! function and its gradients: in one pass over the pixels, in which no array of pixels times bands is made.

mod autodiff;
#[cfg(feature = "flex")]
mod flex;
#[cfg(feature = "flex")]
mod pixels;
pub(crate) mod reference;

use crate::own;
use burn::{
    backend::{Backend, Dispatch, backend_extension, tensor::FloatTensor},
    tensor::{DType, Tensor},
};

#[backend_extension(Flex: cfg(feature = "flex"), Autodiff)]
pub(crate) trait MixtureOps: Backend {
    /// See [`mixture_log_likelihood`].
    fn mixture_log_likelihood(
        observations: FloatTensor<Self>,
        logits: FloatTensor<Self>,
        endmembers: FloatTensor<Self>,
        brightness: FloatTensor<Self>,
        log_noise: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
}

/// Observations, logits, endmembers, brightness and log noise, or something of each.
pub(crate) type Each<T> = [T; 5];

/// [`MixtureOps`] with its gradients.
pub(crate) trait MixtureGradients: Backend {
    /// The log likelihood and, as far as they are wanted, its gradients.
    fn mixture_and_gradients(
        inputs: Each<FloatTensor<Self>>,
        wanted: Each<bool>,
    ) -> (FloatTensor<Self>, Each<Option<FloatTensor<Self>>>);
}

/// Dtypes with own bodies.
const DTYPES: &[DType] = &[DType::F32];

/// Log likelihood of mixed pixels, summed over pixels and bands, in f32 or wider.
///
/// The sum is over all pixels given; of a minibatch, scale it by the pixels there are over the pixels given.
///
/// # Shapes
/// `observations` are `[pixel, band]`, `logits` `[pixel, endmember]`, `endmembers` `[endmember, band]`, `brightness` (one
/// everywhere if there is none) `[pixel]`, and `log_noise`, the logarithm of the standard deviation, `[band]`, or `[1]` for
/// all bands. The result is `[1]`.
///
/// # Panics
/// When the shapes do not fit together, or there are no bands or endmembers.
///
/// # Example
/// ```
/// # #[cfg(feature = "flex")] {
/// use burn::tensor::{Device, Tensor};
/// let device = Device::flex();
/// let observations = Tensor::<2>::from_floats([[0.5, 1.0]], &device);
/// let logits = Tensor::<2>::zeros([1, 2], &device); // half of each
/// let endmembers = Tensor::<2>::from_floats([[1.0, 0.0], [0.0, 2.0]], &device);
/// let log_noise = Tensor::<1>::zeros([1], &device);
/// let log_likelihood = cupel_kernels::mixture_log_likelihood(observations, logits, endmembers, None, log_noise);
/// assert!((log_likelihood.into_scalar::<f32>() + (std::f32::consts::TAU).ln()).abs() < 1e-6); // a perfect fit
/// # }
/// ```
pub fn mixture_log_likelihood(
    observations: Tensor<2>,
    logits: Tensor<2>,
    endmembers: Tensor<2>,
    brightness: Option<Tensor<1>>,
    log_noise: Tensor<1>,
) -> Tensor<1> {
    check(&observations, &logits, &endmembers, brightness.as_ref(), &log_noise);
    own::at_least_f32(observations, |observations| {
        let dtype = observations.dtype();
        let (logits, endmembers, log_noise) = (logits.cast(dtype), endmembers.cast(dtype), log_noise.cast(dtype));
        let brightness = brightness.map(|brightness| brightness.cast(dtype));
        if !own::takes(&observations, DTYPES) {
            return reference::mixture_log_likelihood(observations, logits, endmembers, brightness, log_noise);
        }
        let brightness =
            brightness.unwrap_or_else(|| Tensor::ones([observations.dims()[0]], (&observations.device(), dtype)));
        Tensor::from_dispatch(Dispatch::mixture_log_likelihood(
            observations.into_dispatch(),
            logits.into_dispatch(),
            endmembers.into_dispatch(),
            brightness.into_dispatch(),
            log_noise.into_dispatch(),
        ))
    })
}

fn check(
    observations: &Tensor<2>,
    logits: &Tensor<2>,
    endmembers: &Tensor<2>,
    brightness: Option<&Tensor<1>>,
    log_noise: &Tensor<1>,
) {
    let ([pixels, bands], [components, _]) = (observations.dims(), endmembers.dims());
    let name = "mixture_log_likelihood";
    assert!(bands > 0 && components > 0, "{name}: {components} endmembers of {bands} bands");
    let expect = |what: &str, got: &[usize], expected: &[usize]| {
        assert!(got == expected, "{name}: {what} of {got:?}, but the others need {expected:?}");
    };
    expect("endmembers", &endmembers.dims(), &[components, bands]);
    expect("logits", &logits.dims(), &[pixels, components]);
    if let Some(brightness) = brightness {
        expect("brightness", &brightness.dims(), &[pixels]);
    }
    let [noises] = log_noise.dims();
    assert!(noises == 1 || noises == bands, "{name}: log_noise of [{noises}], but the others need [1] or [{bands}]");
}
