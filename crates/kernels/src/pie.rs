//! A sweep of the ptychographic iterative engine: exposure after exposure, each corrects the plane and its pupils at once.
//!
//! The image of a window keeps its phase and gets the amplitude that was measured; what that changes in the window, `d psi`,
//! corrects what it was made of:
//! ```text
//! S(c_i + u) += a  sum_m conj(P_m) d psi_m / ((1 - r) sum_m |P_m|^2 + r max sum_m |P_m|^2)
//! P_m(u)     += b  conj(S(c_i + u)) d psi_m / ((1 - q) |S|^2 + q max |S|^2)
//! ```
//! with the plane of before in both. For `r = q = 1` that is ePIE (A. M. Maiden, J. M. Rodenburg, Ultramicroscopy 109, 1256 (2009),
//! doi:10.1016/j.ultramic.2009.05.012), for less rPIE (A. Maiden, D. Johnson, P. Li, Optica 4, 736 (2017),
//! doi:10.1364/OPTICA.4.000736, where `a = b = 1`). The largest squares are those of the window. Modes as in P. Thibault, A. Menzel, Nature 494, 68
//! (2013), doi:10.1038/nature11806.

#[cfg(feature = "flex")]
mod flex;
pub(crate) mod reference;
#[cfg(feature = "flex")]
mod sweep;

use crate::{Measured, SubApertures, aperture::check, likelihood::check_measured, own};
use burn::{
    backend::{Backend, Dispatch, backend_extension, tensor::FloatTensor},
    tensor::{DType, Tensor},
};

/// Images, or windows, without light have no phase to keep, or nothing to divide by: squares below are nought.
pub(crate) const DARK: f64 = 1e-30;

/// How a sweep goes.
#[derive(Clone, Debug, PartialEq)]
pub struct PieSweep {
    /// Exposures in the order in which they correct; those that are not named do not.
    pub order: Vec<usize>,
    /// Factor `a` of the corrections of the plane.
    pub plane_step: f64,
    /// Factor `b` of the corrections of the pupils; without, they stay as they are.
    pub pupil_step: Option<f64>,
    /// Shares `r` and `q` of the largest square in what corrections of plane and pupils are divided by, from just above 0 to 1.
    pub regularisation: [f64; 2],
}

/// What a sweep leaves.
#[derive(Clone, Debug)]
pub struct PieSwept {
    /// Real and imaginary part.
    pub plane: (Tensor<2>, Tensor<2>),
    /// Real and imaginary parts.
    pub pupils: (Tensor<3>, Tensor<3>),
    /// `sum |sqrt(y) - sqrt(I)|` over the pixels that count, as each exposure was before it corrected: `[exposure]`, nought
    /// where it did not. Over `amplitudes` it is the R-factor.
    pub residuals: Tensor<1>,
    /// `sum sqrt(y)` over the same pixels, `[exposure]`.
    pub amplitudes: Tensor<1>,
}

#[backend_extension(Flex: cfg(feature = "flex"))]
pub(crate) trait PieOps: Backend {
    /// Parts of plane and pupils, residuals and amplitudes. A weight without values is none.
    #[allow(clippy::too_many_arguments, clippy::type_complexity)] // the macro wants each tensor by itself
    fn pie_sweep(
        plane_re: FloatTensor<Self>,
        plane_im: FloatTensor<Self>,
        pupils_re: FloatTensor<Self>,
        pupils_im: FloatTensor<Self>,
        flux: FloatTensor<Self>,
        background: FloatTensor<Self>,
        data: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        how: How,
    ) -> (
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
    );
}

/// What is not a tensor.
#[derive(Clone, Debug)]
pub(crate) struct How {
    pub(crate) apertures: SubApertures,
    pub(crate) modes: usize,
    pub(crate) sweep: PieSweep,
}

/// Dtypes with own bodies.
const DTYPES: &[DType] = &[DType::F32, DType::F64];

/// One pass of corrections, in f32 or wider. Nothing is differentiated.
///
/// Pixels of weight nought keep what the plane shows there; other weights count alike. Exposures without flux correct nothing.
/// Pupils that an exposure has for itself are corrected by it alone.
///
/// # Shapes
/// As [`sub_aperture_likelihood`](crate::sub_aperture_likelihood).
///
/// # Panics
/// As [`sub_aperture_likelihood`](crate::sub_aperture_likelihood), when the order names an exposure that is not there, or a
/// regularisation is not between 0 and 1.
///
/// # Example
/// ```
/// # #[cfg(feature = "flex")] {
/// use burn::tensor::{Device, Tensor};
/// use cupel_kernels::{Direction, Measured, PieSweep, SubApertures, pie_sweep};
/// let device = Device::flex();
/// let ones = Tensor::<2>::ones([8, 8], &device);
/// let pupil = Tensor::<3>::ones([1, 1, 1], &device);
/// let apertures = SubApertures { centres: vec![[0, 0]], detector: 4, scale: 16.0, transform: Direction::Inverse };
/// let measured = Measured { data: Tensor::ones([1, 4, 4], &device) * 4.0, weight: None, modes: 1 };
/// let sweep = PieSweep { order: vec![0], plane_step: 1.0, pupil_step: None, regularisation: [1.0; 2] };
/// let brightness = (Tensor::ones([1], &device), Tensor::zeros([1], &device));
/// let swept = pie_sweep((ones.clone(), ones * 0.0), (pupil.clone(), pupil * 0.0), &measured, brightness, &apertures, &sweep);
/// // the amplitude that was measured is 2
/// assert_eq!(swept.plane.0.slice([4..5, 3..6]).into_data().to_vec::<f32>().unwrap(), [1.0, 2.0, 1.0]);
/// # }
/// ```
pub fn pie_sweep(
    plane: (Tensor<2>, Tensor<2>),
    pupils: (Tensor<3>, Tensor<3>),
    measured: &Measured,
    (flux, background): (Tensor<1>, Tensor<1>),
    apertures: &SubApertures,
    sweep: &PieSweep,
) -> PieSwept {
    let name = "pie_sweep";
    check(name, &plane, &pupils, apertures, measured.modes);
    check_measured(name, measured, &flux, &background, apertures);
    let exposures = apertures.centres.len();
    if let Some(index) = sweep.order.iter().find(|index| **index >= exposures) {
        panic!("{name}: exposure {index} of {exposures}");
    }
    let [of_plane, of_pupils] = sweep.regularisation;
    let within = |share: f64| 0.0 < share && share <= 1.0;
    assert!(
        within(of_plane) && within(of_pupils),
        "{name}: regularisation must be above 0 and at most 1, got {:?}",
        sweep.regularisation
    );
    let low = plane.0.dtype();
    let dtype = if matches!(low, DType::F16 | DType::BF16) { DType::F32 } else { low };
    let [re, im] = [plane.0, plane.1].map(|part| plain(part, dtype));
    let [pupils_re, pupils_im] = [pupils.0, pupils.1].map(|part| plain(part, dtype));
    let [flux, background] = [flux, background].map(|part| plain(part, dtype));
    let data = plain(measured.data.clone(), dtype);
    let weight = measured.weight.clone().map(|weight| plain(weight, dtype));
    let modes = measured.modes;
    let swept = if own::takes(&re, DTYPES) {
        let weight = weight.unwrap_or_else(|| Tensor::zeros([0, 1, 1], (&data.device(), dtype)));
        let (re, im, pupils_re, pupils_im, residuals, amplitudes) = Dispatch::pie_sweep(
            re.into_dispatch(),
            im.into_dispatch(),
            pupils_re.into_dispatch(),
            pupils_im.into_dispatch(),
            flux.into_dispatch(),
            background.into_dispatch(),
            data.into_dispatch(),
            weight.into_dispatch(),
            How { apertures: apertures.clone(), modes, sweep: sweep.clone() },
        );
        PieSwept {
            plane: (Tensor::from_dispatch(re), Tensor::from_dispatch(im)),
            pupils: (Tensor::from_dispatch(pupils_re), Tensor::from_dispatch(pupils_im)),
            residuals: Tensor::from_dispatch(residuals),
            amplitudes: Tensor::from_dispatch(amplitudes),
        }
    } else {
        let measured = Measured { data, weight, modes };
        reference::pie_sweep((re, im), (pupils_re, pupils_im), &measured, (flux, background), apertures, sweep)
    };
    PieSwept {
        plane: (swept.plane.0.cast(low), swept.plane.1.cast(low)),
        pupils: (swept.pupils.0.cast(low), swept.pupils.1.cast(low)),
        residuals: swept.residuals.cast(low),
        amplitudes: swept.amplitudes.cast(low),
    }
}

/// `x` without what is differentiated.
fn plain<const D: usize>(x: Tensor<D>, dtype: DType) -> Tensor<D> {
    if x.device().is_autodiff() { x.inner().cast(dtype) } else { x.cast(dtype) }
}
