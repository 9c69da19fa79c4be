//! Sub-apertures: what an instrument sees of an object through a small part of its spectrum, or of the object itself.
//!
//! A window of a plane around a centre, times the pupil, transformed. Where the plane is a spectrum the result is an image,
//! ```text
//! z_i(y, x) = scale / D^2  sum_{u, v in window}  P_i(u, v) S(c_i + (u, v))  exp(2 pi j (u y + v x) / D)
//! ```
//! and where it is an object, and the pupil a probe, a diffraction pattern (J. M. Rodenburg, H. M. L. Faulkner, Appl. Phys. Lett.
//! 85, 4795 (2004), doi:10.1063/1.1823034) with the frequency nought at place `D / 2`, rounded down, as detectors have it:
//! ```text
//! z_i(y, x) = scale  sum_{u, v in window}  P_i(u, v) O(c_i + (u, v))  exp(-2 pi j (u (y - D/2) + v (x - D/2)) / D)
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
pub(crate) mod flex;
#[cfg(feature = "flex")]
pub(crate) mod lens;
#[cfg(feature = "flex")]
pub(crate) mod number;
pub(crate) mod reference;
#[cfg(feature = "flex")]
pub(crate) mod windows;

use crate::own;
use burn::{
    backend::{Backend, Dispatch, backend_extension, tensor::FloatTensor},
    tensor::{DType, Tensor},
};

/// Which way windows are transformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// A spectrum to images, divided by `D^2`. The origin is the first pixel, where that of `fft2` is.
    Inverse,
    /// An object to diffraction patterns, not scaled. The frequency nought lies at place `D / 2`, rounded down.
    Forward,
}

/// Where sub-apertures are cut, and what they are seen with.
#[derive(Clone, Debug, PartialEq)]
pub struct SubApertures {
    /// Row and column of the centre of each window, in places from the centre of the plane. Windows that reach beyond an
    /// edge go on at the opposite one, as the plane is periodic.
    pub centres: Vec<[isize; 2]>,
    /// Rows, and columns, of the images.
    pub detector: usize,
    /// Factor of the images, beside the `1 / D^2` of the inverse transform: with an orthonormal spectrum of `N x N`,
    /// `D^2 / N` gives the values of the full orthonormal image. Forward, `1 / D` is orthonormal.
    pub scale: f64,
    /// Whether the plane is a spectrum or an object.
    pub transform: Direction,
}

impl SubApertures {
    /// The factor of the sum over a window.
    pub(crate) fn factor(&self) -> f64 {
        match self.transform {
            Direction::Inverse => self.scale / (self.detector * self.detector) as f64,
            Direction::Forward => self.scale,
        }
    }
}

#[backend_extension(Flex: cfg(feature = "flex"), Autodiff)]
pub(crate) trait ApertureOps: Backend {
    /// Real and imaginary parts of the images, `[window, row, column]`.
    fn sub_apertures(
        plane_re: FloatTensor<Self>,
        plane_im: FloatTensor<Self>,
        pupil_re: FloatTensor<Self>,
        pupil_im: FloatTensor<Self>,
        apertures: SubApertures,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);

    /// `sqrt(|z|^2 + epsilon)` of the images, `[window, row, column]`.
    fn sub_aperture_amplitudes(
        plane_re: FloatTensor<Self>,
        plane_im: FloatTensor<Self>,
        pupil_re: FloatTensor<Self>,
        pupil_im: FloatTensor<Self>,
        apertures: SubApertures,
        epsilon: f64,
    ) -> FloatTensor<Self>;
}

/// Real and imaginary part of the plane, then of the pupils, or something of each.
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
/// # Shapes
/// `plane` is real and imaginary part, each `[row, column]`, with its middle (of a spectrum the frequency nought) at place
/// `N / 2`, rounded down, of both axes. `pupils` are the same of the windows, `[1 or windows, window row, window column]`,
/// centred alike: one for all or one for each. The result is real and imaginary part, each `[window, row, column]`.
///
/// # Panics
/// When real and imaginary parts differ in shape, a window is empty or larger than the plane or the detector, there are no
/// centres, or neither one pupil nor as many as centres.
///
/// # Example
/// ```
/// # #[cfg(feature = "flex")] {
/// use burn::tensor::{Device, Tensor};
/// use cupel_kernels::{Direction, SubApertures};
/// let device = Device::flex();
/// let ones = Tensor::<2>::ones([8, 8], &device);
/// let pupil = Tensor::<3>::ones([1, 1, 1], &device);
/// let apertures =
///     SubApertures { centres: vec![[0, 0], [2, -1]], detector: 4, scale: 16.0, transform: Direction::Inverse };
/// // a pupil of one place passes one frequency: a constant image
/// let (re, im) = cupel_kernels::sub_apertures((ones.clone() * 3.0, ones), (pupil.clone(), pupil * 0.0), &apertures);
/// assert_eq!(re.into_data().to_vec::<f32>().unwrap(), [3.0; 32]);
/// assert_eq!(im.into_data().to_vec::<f32>().unwrap(), [1.0; 32]);
/// # }
/// ```
pub fn sub_apertures(
    plane: (Tensor<2>, Tensor<2>),
    pupils: (Tensor<3>, Tensor<3>),
    apertures: &SubApertures,
) -> (Tensor<3>, Tensor<3>) {
    check("sub_apertures", &plane, &pupils, apertures, 1);
    let low = plane.0.dtype();
    let dtype = if matches!(low, DType::F16 | DType::BF16) { DType::F32 } else { low };
    let [re, im] = [plane.0, plane.1].map(|part| part.cast(dtype));
    let [pupils_re, pupils_im] = [pupils.0, pupils.1].map(|part| part.cast(dtype));
    let (re, im) = if own::takes(&re, DTYPES) {
        let (re, im) = Dispatch::sub_apertures(
            re.into_dispatch(),
            im.into_dispatch(),
            pupils_re.into_dispatch(),
            pupils_im.into_dispatch(),
            apertures.clone(),
        );
        (Tensor::from_dispatch(re), Tensor::from_dispatch(im))
    } else {
        reference::sub_apertures((re, im), (pupils_re, pupils_im), apertures)
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
    plane: (Tensor<2>, Tensor<2>),
    pupils: (Tensor<3>, Tensor<3>),
    apertures: &SubApertures,
    epsilon: f64,
) -> Tensor<3> {
    let name = "sub_aperture_amplitudes";
    check(name, &plane, &pupils, apertures, 1);
    assert!(epsilon > 0.0 && epsilon.is_finite(), "{name}: epsilon must be positive and finite, got {epsilon}");
    own::at_least_f32(plane.0, |re| {
        let im = plane.1.cast(re.dtype());
        let [pupils_re, pupils_im] = [pupils.0, pupils.1].map(|part| part.cast(re.dtype()));
        if !own::takes(&re, DTYPES) {
            return reference::sub_aperture_amplitudes((re, im), (pupils_re, pupils_im), apertures, epsilon);
        }
        Tensor::from_dispatch(Dispatch::sub_aperture_amplitudes(
            re.into_dispatch(),
            im.into_dispatch(),
            pupils_re.into_dispatch(),
            pupils_im.into_dispatch(),
            apertures.clone(),
            epsilon,
        ))
    })
}

/// Panics unless plane and pupils, `modes` of them for all windows or for each, fit together.
pub(crate) fn check(
    name: &str,
    plane: &(Tensor<2>, Tensor<2>),
    pupils: &(Tensor<3>, Tensor<3>),
    apertures: &SubApertures,
    modes: usize,
) {
    let (re, im) = (plane.0.dims(), plane.1.dims());
    assert!(re == im, "{name}: real part of the plane of {re:?}, imaginary part of {im:?}");
    let (re, im) = (pupils.0.dims(), pupils.1.dims());
    assert!(re == im, "{name}: real part of the pupils of {re:?}, imaginary part of {im:?}");
    let (size, [count, rows, columns], detector) = (plane.0.dims(), re, apertures.detector);
    let window = [rows, columns];
    for axis in 0..2 {
        assert!(
            0 < window[axis] && window[axis] <= size[axis].min(detector),
            "{name}: a window of {window:?} in a plane of {size:?} with a detector of {detector} x {detector}"
        );
    }
    let windows = apertures.centres.len();
    assert!(windows > 0, "{name}: no centres");
    assert!(modes > 0, "{name}: no modes");
    let each = windows * modes;
    assert!(count == modes || count == each, "{name}: {count} pupils, but {modes} or {each} are needed");
}
