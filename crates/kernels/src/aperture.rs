//! Sub-apertures: what an instrument sees of an object through a small part of its spectrum.
//!
//! A window of the spectrum around a centre, times the pupil, transformed back:
//! ```text
//! z_i(y, x) = scale / D^2  sum_{u, v in window}  P(u, v) S(c_i + (u, v))  exp(2 pi j (u y + v x) / D)
//! ```
//! The window is moved to the origin, so a carrier is dropped, which no intensity knows; and the image has only as many
//! pixels as its band needs. A detector of `D >= 2 W - 1` pixels holds all of the intensity behind a window of `W`, and for `D`
//! dividing the size `N` of the spectrum its pixels are every `N / D`-th of the full image (G. Zheng, R. Horstmeyer, C. Yang,
//! "Wide-field, high-resolution Fourier ptychographic microscopy", Nature Photonics 7, 739 (2013),
//! doi:10.1038/nphoton.2013.187, is the forward model).
//!
//! The adjoint transforms the incoming gradient, keeps the window, and adds it, times the conjugate pupil, back to where it
//! was cut, window by window in their order at every place of the spectrum.

mod autodiff;
#[cfg(feature = "flex")]
mod flex;
pub(crate) mod reference;
#[cfg(feature = "flex")]
mod windows;

use crate::own;
use burn::{
    backend::{Backend, Dispatch, backend_extension, tensor::FloatTensor},
    tensor::{DType, Tensor},
};

/// Where sub-apertures are cut, and what they are seen with.
#[derive(Clone, Debug, PartialEq)]
pub struct SubApertures {
    /// Row and column of the centre of each window, in places from the centre of the spectrum. Windows that reach beyond an
    /// edge go on at the opposite one, as the spectrum is periodic.
    pub centres: Vec<[isize; 2]>,
    /// Rows, and columns, of the images.
    pub detector: usize,
    /// Factor of the images, beside the `1 / D^2` of the inverse transform: with an orthonormal spectrum of `N x N`,
    /// `D^2 / N` gives the values of the full orthonormal image.
    pub scale: f64,
}

#[backend_extension(Flex: cfg(feature = "flex"), Autodiff)]
pub(crate) trait ApertureOps: Backend {
    /// Real and imaginary parts of the images, `[window, row, column]`.
    fn sub_apertures(
        spectrum_re: FloatTensor<Self>,
        spectrum_im: FloatTensor<Self>,
        pupil_re: FloatTensor<Self>,
        pupil_im: FloatTensor<Self>,
        apertures: SubApertures,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);

    /// `sqrt(|z|^2 + epsilon)` of the images, `[window, row, column]`.
    fn sub_aperture_amplitudes(
        spectrum_re: FloatTensor<Self>,
        spectrum_im: FloatTensor<Self>,
        pupil_re: FloatTensor<Self>,
        pupil_im: FloatTensor<Self>,
        apertures: SubApertures,
        epsilon: f64,
    ) -> FloatTensor<Self>;
}

/// Real and imaginary part of the spectrum, then of the pupil, or something of each.
pub(crate) type Each<T> = [T; 4];

/// Gradients of [`ApertureOps`], as far as they are wanted.
pub(crate) trait ApertureGradients: Backend {
    /// From those of real and imaginary parts; a part without counts as nought.
    fn sub_apertures_gradients(
        inputs: Each<FloatTensor<Self>>,
        gradient: [Option<FloatTensor<Self>>; 2],
        apertures: &SubApertures,
        wanted: Each<bool>,
    ) -> Each<Option<FloatTensor<Self>>>;

    /// From that of the amplitudes.
    fn sub_aperture_amplitudes_gradients(
        inputs: Each<FloatTensor<Self>>,
        gradient: FloatTensor<Self>,
        apertures: &SubApertures,
        epsilon: f64,
        wanted: Each<bool>,
    ) -> Each<Option<FloatTensor<Self>>>;
}

/// Dtypes with own bodies.
const DTYPES: &[DType] = &[DType::F32, DType::F64];

/// Complex images through sub-apertures, in f32 or wider.
///
/// The image's origin is its first pixel, where that of `fft2` is: shift it for display only.
///
/// # Shapes
/// `spectrum` is real and imaginary part, each `[row, column]`, with the frequency nought at place `N / 2`, rounded down, of
/// both axes. `pupil` is the same of the window, `[window row, window column]`, centred alike. The result is real and imaginary
/// part, each `[window, row, column]`.
///
/// # Panics
/// When real and imaginary parts differ in shape, the window is empty or larger than the spectrum or the detector, or there
/// are no centres.
///
/// # Example
/// ```
/// # #[cfg(feature = "flex")] {
/// use burn::tensor::{Device, Tensor};
/// use cupel_kernels::SubApertures;
/// let device = Device::flex();
/// let ones = |side: usize| Tensor::<2>::ones([side, side], &device);
/// let apertures = SubApertures { centres: vec![[0, 0], [2, -1]], detector: 4, scale: 16.0 };
/// // a pupil of one place passes one frequency: a constant image
/// let (re, im) =
///     cupel_kernels::sub_apertures((ones(8) * 3.0, ones(8)), (ones(1), ones(1) * 0.0), &apertures);
/// assert_eq!(re.into_data().to_vec::<f32>().unwrap(), [3.0; 32]);
/// assert_eq!(im.into_data().to_vec::<f32>().unwrap(), [1.0; 32]);
/// # }
/// ```
pub fn sub_apertures(
    spectrum: (Tensor<2>, Tensor<2>),
    pupil: (Tensor<2>, Tensor<2>),
    apertures: &SubApertures,
) -> (Tensor<3>, Tensor<3>) {
    check("sub_apertures", &spectrum, &pupil, apertures);
    let low = spectrum.0.dtype();
    let dtype = if matches!(low, DType::F16 | DType::BF16) { DType::F32 } else { low };
    let [re, im, pupil_re, pupil_im] = [spectrum.0, spectrum.1, pupil.0, pupil.1].map(|part| part.cast(dtype));
    let (re, im) = if own::takes(&re, DTYPES) {
        let (re, im) = Dispatch::sub_apertures(
            re.into_dispatch(),
            im.into_dispatch(),
            pupil_re.into_dispatch(),
            pupil_im.into_dispatch(),
            apertures.clone(),
        );
        (Tensor::from_dispatch(re), Tensor::from_dispatch(im))
    } else {
        reference::sub_apertures((re, im), (pupil_re, pupil_im), apertures)
    };
    (re.cast(low), im.cast(low))
}

/// Amplitudes `sqrt(|z|^2 + epsilon)` of the images of [`sub_apertures`], in f32 or wider.
///
/// `epsilon` keeps the derivative finite where an image is dark. One pass each way: this is what a reconstruction trains
/// through. Intensities are the squares, less `epsilon`.
///
/// # Shapes
/// As [`sub_apertures`]; the result is `[window, row, column]`.
///
/// # Panics
/// As [`sub_apertures`], and when `epsilon` is not positive and finite.
pub fn sub_aperture_amplitudes(
    spectrum: (Tensor<2>, Tensor<2>),
    pupil: (Tensor<2>, Tensor<2>),
    apertures: &SubApertures,
    epsilon: f64,
) -> Tensor<3> {
    let name = "sub_aperture_amplitudes";
    check(name, &spectrum, &pupil, apertures);
    assert!(epsilon > 0.0 && epsilon.is_finite(), "{name}: epsilon must be positive and finite, got {epsilon}");
    own::at_least_f32(spectrum.0, |re| {
        let [im, pupil_re, pupil_im] = [spectrum.1, pupil.0, pupil.1].map(|part| part.cast(re.dtype()));
        if !own::takes(&re, DTYPES) {
            return reference::sub_aperture_amplitudes((re, im), (pupil_re, pupil_im), apertures, epsilon);
        }
        Tensor::from_dispatch(Dispatch::sub_aperture_amplitudes(
            re.into_dispatch(),
            im.into_dispatch(),
            pupil_re.into_dispatch(),
            pupil_im.into_dispatch(),
            apertures.clone(),
            epsilon,
        ))
    })
}

fn check(name: &str, spectrum: &(Tensor<2>, Tensor<2>), pupil: &(Tensor<2>, Tensor<2>), apertures: &SubApertures) {
    for (what, (re, im)) in [("spectrum", spectrum), ("pupil", pupil)] {
        let (re, im) = (re.dims(), im.dims());
        assert!(re == im, "{name}: real part of the {what} of {re:?}, imaginary part of {im:?}");
    }
    let (size, window, detector) = (spectrum.0.dims(), pupil.0.dims(), apertures.detector);
    for axis in 0..2 {
        assert!(
            0 < window[axis] && window[axis] <= size[axis].min(detector),
            "{name}: a window of {window:?} in a spectrum of {size:?} with a detector of {detector} x {detector}"
        );
    }
    assert!(!apertures.centres.is_empty(), "{name}: no centres");
}
