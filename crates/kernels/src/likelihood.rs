//! How well intensities behind sub-apertures explain what was measured, fused with its gradients.
//!
//! Exposure `i` shows the modes of its window, which do not interfere, brighter or darker by its flux and above a background:
//! ```text
//! I_i = f_i sum_m |z_im|^2 + b_i,    z_im the image of window i behind pupil m
//! ```
//! as [`sub_apertures`](crate::sub_apertures) makes it (several modes: P. Thibault, A. Menzel, Nature 494, 68 (2013),
//! doi:10.1038/nature11806). Of what was measured either the root is compared, whose noise is the same for all numbers of
//! photons, or the counts with their own noise ([`Likelihood`]). Value and gradients come from one pass, in which an image is there
//! a few rows at a time: no array of windows times pixels is made. For the backward pass the windows of the gradient are kept, which are
//! as small as the pupils. Sums over pixels are f64.

mod autodiff;
#[cfg(feature = "flex")]
pub(crate) mod flex;
#[cfg(feature = "flex")]
pub(crate) mod pass;
pub(crate) mod reference;

use crate::{SubApertures, aperture::check, own};
use burn::{
    backend::{Backend, Dispatch, backend_extension, tensor::FloatTensor},
    tensor::{DType, Tensor},
};

/// Least intensity, and least count, that is divided by or whose root is taken.
pub(crate) const FLOOR: f64 = 1e-20;

/// How far intensities `I` are from what was measured, `y`, summed over pixels with their weights `w`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Likelihood {
    /// `w (sqrt(I + epsilon) - sqrt(y))^2`, of `y` below nought as of nought. Four times the mean of a pixel of photons alone is
    /// one.
    Amplitude {
        /// Keeps the derivative finite where it is dark.
        epsilon: f64,
    },
    /// `w (a - b + b ln(b / a))` with `a = I + v`, `b = y + v`, neither below 1e-20: half the deviance of counts whose read-out
    /// has the variance `v`, taken as a shifted Poisson distribution (D. L. Snyder, A. M. Hammoud, R. L. White, J. Opt. Soc. Am. A
    /// 10, 1014 (1993), doi:10.1364/JOSAA.10.001014). Twice the mean of a pixel is about one.
    Poisson {
        /// Variance of the read-out, in squares of counts.
        variance: f64,
    },
}

/// What was measured. Constants: nothing is differentiated with respect to them.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Intensities or counts, `[exposure, row, column]`.
    pub data: Tensor<3>,
    /// Weight of each pixel, nought where it does not count, `[1 or exposure, row, column]`; one without. Data of weight nought
    /// have to be finite all the same.
    pub weight: Option<Tensor<3>>,
    /// Pupils that each window is seen through.
    pub modes: usize,
}

#[backend_extension(Flex: cfg(feature = "flex"), Autodiff)]
pub(crate) trait LikelihoodOps: Backend {
    /// See [`sub_aperture_likelihood`]; a weight without values is none.
    #[allow(clippy::too_many_arguments)] // the macro wants each tensor by itself
    fn sub_aperture_likelihood(
        plane_re: FloatTensor<Self>,
        plane_im: FloatTensor<Self>,
        pupils_re: FloatTensor<Self>,
        pupils_im: FloatTensor<Self>,
        flux: FloatTensor<Self>,
        background: FloatTensor<Self>,
        data: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        how: How,
    ) -> FloatTensor<Self>;
}

/// What is not a tensor.
#[derive(Clone, Debug)]
pub(crate) struct How {
    pub(crate) apertures: SubApertures,
    pub(crate) modes: usize,
    pub(crate) likelihood: Likelihood,
}

/// Real and imaginary part of the plane, of the pupils, flux and background, or something of each.
pub(crate) type Each<T> = [T; 6];

/// What the forward pass leaves for the backward pass: the gradients of every exposure by itself.
#[derive(Clone, Debug)]
pub(crate) struct Kept<T> {
    /// Real and imaginary part of those of the windows, before the pupil, `[exposure, mode, window row, window column]`.
    pub(crate) windows: [T; 2],
    /// `[exposure]`.
    pub(crate) flux: T,
    /// `[exposure]`.
    pub(crate) background: T,
}

/// [`LikelihoodOps`] with its gradients.
pub(crate) trait LikelihoodGradients: Backend {
    fn likelihood_and_kept(
        inputs: &Each<FloatTensor<Self>>,
        data: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        how: &How,
    ) -> (FloatTensor<Self>, Kept<FloatTensor<Self>>);

    /// Gradients, as far as they are wanted, from that of each exposure.
    fn likelihood_gradients(
        inputs: &Each<FloatTensor<Self>>,
        kept: Kept<FloatTensor<Self>>,
        gradient: FloatTensor<Self>,
        how: &How,
        wanted: Each<bool>,
    ) -> Each<Option<FloatTensor<Self>>>;
}

/// Dtypes with own bodies.
const DTYPES: &[DType] = &[DType::F32, DType::F64];

/// How far the intensities of each exposure are from what was measured, in f32 or wider; see [`Likelihood`].
///
/// Differentiable in all but `measured`. A pixel at the floor of its likelihood has no gradient.
///
/// # Shapes
/// `plane` and `apertures` as for [`sub_apertures`](crate::sub_apertures); `pupils` are `[modes or exposures * modes, window row,
/// window column]`, the modes of an exposure side by side; `flux` and `background` are `[exposure]`, and so is the result.
///
/// # Panics
/// As [`sub_apertures`](crate::sub_apertures), and when data, weight, flux or background have other shapes, or epsilon or the variance
/// is negative or not finite.
///
/// # Example
/// ```
/// # #[cfg(feature = "flex")] {
/// use burn::tensor::{Device, Tensor};
/// use cupel_kernels::{Direction, Likelihood, Measured, SubApertures, sub_aperture_likelihood};
/// let device = Device::flex();
/// let ones = Tensor::<2>::ones([8, 8], &device);
/// let pupil = Tensor::<3>::ones([1, 1, 1], &device);
/// let apertures = SubApertures { centres: vec![[0, 0]], detector: 4, scale: 16.0, transform: Direction::Inverse };
/// let measured = Measured { data: Tensor::ones([1, 4, 4], &device) * 4.0, weight: None, modes: 1 };
/// // an image of ones, nine times as bright: 16 pixels with amplitudes of 3 where 2 were measured
/// let flux = Tensor::from_floats([9.0], &device);
/// let value = sub_aperture_likelihood(
///     (ones.clone(), ones * 0.0),
///     (pupil.clone(), pupil * 0.0),
///     &measured,
///     flux,
///     Tensor::zeros([1], &device),
///     &apertures,
///     Likelihood::Amplitude { epsilon: 0.0 },
/// );
/// assert_eq!(value.into_scalar::<f32>(), 16.0);
/// # }
/// ```
pub fn sub_aperture_likelihood(
    plane: (Tensor<2>, Tensor<2>),
    pupils: (Tensor<3>, Tensor<3>),
    measured: &Measured,
    flux: Tensor<1>,
    background: Tensor<1>,
    apertures: &SubApertures,
    likelihood: Likelihood,
) -> Tensor<1> {
    let name = "sub_aperture_likelihood";
    check(name, &plane, &pupils, apertures, measured.modes);
    check_measured(name, measured, &flux, &background, apertures);
    let (what, number) = match likelihood {
        Likelihood::Amplitude { epsilon } => ("epsilon", epsilon),
        Likelihood::Poisson { variance } => ("the variance", variance),
    };
    assert!(number >= 0.0 && number.is_finite(), "{name}: {what} must be finite and not negative, got {number}");
    own::at_least_f32(plane.0, |re| {
        let dtype = re.dtype();
        let im = plane.1.cast(dtype);
        let [pupils_re, pupils_im] = [pupils.0, pupils.1].map(|part| part.cast(dtype));
        let [flux, background] = [flux, background].map(|part| part.cast(dtype));
        let data = beside(measured.data.clone(), &re);
        let weight = measured.weight.clone().map(|weight| beside(weight, &re));
        let modes = measured.modes;
        let none = || Tensor::zeros([0, 1, 1], (&data.device(), dtype));
        if !own::takes(&re, DTYPES) {
            let measured = Measured { data, weight, modes };
            let pupils = (pupils_re, pupils_im);
            return reference::sub_aperture_likelihood(
                (re, im),
                pupils,
                &measured,
                flux,
                background,
                apertures,
                likelihood,
            );
        }
        Tensor::from_dispatch(Dispatch::sub_aperture_likelihood(
            re.into_dispatch(),
            im.into_dispatch(),
            pupils_re.into_dispatch(),
            pupils_im.into_dispatch(),
            flux.into_dispatch(),
            background.into_dispatch(),
            data.clone().into_dispatch(),
            weight.unwrap_or_else(none).into_dispatch(),
            How { apertures: apertures.clone(), modes, likelihood },
        ))
    })
}

/// A constant in the dtype of `x`, and differentiated alike, if with nothing to differentiate.
fn beside(constant: Tensor<3>, x: &Tensor<2>) -> Tensor<3> {
    let plain = if constant.device().is_autodiff() { constant.inner() } else { constant }.cast(x.dtype());
    if x.device().is_autodiff() { Tensor::from_inner(plain) } else { plain }
}

/// Panics unless what was measured fits the apertures.
pub(crate) fn check_measured(
    name: &str,
    measured: &Measured,
    flux: &Tensor<1>,
    background: &Tensor<1>,
    apertures: &SubApertures,
) {
    let (exposures, d) = (apertures.centres.len(), apertures.detector);
    let expect = |what: &str, got: &[usize], expected: &[usize]| {
        assert!(got == expected, "{name}: {what} of {got:?}, but the others need {expected:?}");
    };
    expect("data", &measured.data.dims(), &[exposures, d, d]);
    if let Some(weight) = &measured.weight {
        let count = if weight.dims()[0] == 1 { 1 } else { exposures };
        expect("weight", &weight.dims(), &[count, d, d]);
    }
    expect("flux", &flux.dims(), &[exposures]);
    expect("background", &background.dims(), &[exposures]);
}
