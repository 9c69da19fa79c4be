//! Fourier transforms of any length, along one dimension or over the last two.
//!
//! Complex tensors are pairs (real part, imaginary part). The forward transform is not scaled and the inverse divides by the number
//! of values, as in NumPy and PyTorch by default:
//! X_k = sum_n x_n exp(-2 pi i k n / N), x_n = 1/N sum_k X_k exp(2 pi i k n / N).
//! The spectrum of N real values has N/2 + 1 entries, the others being their conjugates; the imaginary parts of entry 0 and, for
//! even N, of entry N/2 are those of no real signal and are ignored by the inverse.
//!
//! Gradients are the adjoint transforms (PyTorch's conventions: the gradient of a pair is a pair). The adjoint of the transform of
//! real values is not its inverse: the sum over half a spectrum counts each entry once, the inverse counts inner entries twice.
//!
//! On flex the transforms are those of rustfft and realfft, in f32 and f64. Elsewhere a transform of N = P Q values is two passes of
//! short transforms as matrix products with a rotation in between (Cooley and Tukey 1965, doi:10.1090/S0025-5718-1965-0178586-1), and one of a
//! prime number of values is one matrix product, which needs memory for its square.

mod autodiff;
#[cfg(feature = "flex")]
mod flex;
#[cfg(feature = "flex")]
mod passes;
#[cfg(feature = "flex")]
pub(crate) mod plans;
pub(crate) mod reference;

use crate::own;
use burn::{
    backend::{Backend, Dispatch, DispatchTensor, backend_extension, tensor::FloatTensor},
    tensor::{DType, Tensor},
};

/// A transform of complex values along the last dimension, or the last two.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Complex {
    pub columns: bool,
    pub inverse: bool,
    /// Factor on every value.
    pub scale: f64,
}

/// A transform between real values and half a spectrum along the last dimension, and of complex values along the last but one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Real {
    pub columns: bool,
    /// Number of real values in a row.
    pub length: usize,
    /// How often an inner entry of the half spectrum counts, beside the first one and that at half the length.
    pub inner: f64,
    /// Factor on every value.
    pub scale: f64,
}

#[backend_extension(Flex: cfg(feature = "flex"), Autodiff)]
pub(crate) trait FftOps: Backend {
    fn fft_complex(
        re: FloatTensor<Self>,
        im: FloatTensor<Self>,
        transform: Complex,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);

    /// Real rows to half spectra, times how often an entry counts, then forward along the columns.
    fn fft_of_real(x: FloatTensor<Self>, transform: Real) -> (FloatTensor<Self>, FloatTensor<Self>);

    /// The adjoint: inverse along the columns, then the sum over half a spectrum to real rows.
    fn fft_to_real(re: FloatTensor<Self>, im: FloatTensor<Self>, transform: Real) -> FloatTensor<Self>;
}

/// Dtypes that flex transforms by a body of ours.
const DTYPES: &[DType] = &[DType::F32, DType::F64];

/// Transforms complex values along `dim`.
///
/// f16 and bf16 are transformed in f32, here and in all transforms.
///
/// # Panics
/// When the parts differ ("fft: a real part of [2, 3] F32 and an imaginary part of [2, 4] F32"), when there is no such dimension ("fft:
/// dimension 2 of a tensor of rank 2") or nothing along it ("fft: no values along dimension 1").
pub fn fft<const D: usize>(re: Tensor<D>, im: Tensor<D>, dim: usize) -> (Tensor<D>, Tensor<D>) {
    check_pair("fft", &re, &im);
    check_dim("fft", &re, dim);
    along_last([re, im], dim, |[re, im]| complex(re, im, false, false)).into()
}

/// The inverse of [`fft`].
///
/// # Panics
/// As [`fft`], by the name of "ifft".
pub fn ifft<const D: usize>(re: Tensor<D>, im: Tensor<D>, dim: usize) -> (Tensor<D>, Tensor<D>) {
    check_pair("ifft", &re, &im);
    check_dim("ifft", &re, dim);
    along_last([re, im], dim, |[re, im]| complex(re, im, false, true)).into()
}

/// The half spectra of real values along `dim`: N values become N/2 + 1.
///
/// # Panics
/// When there is no such dimension ("rfft: dimension 2 of a tensor of rank 2") or nothing along it ("rfft: no values along dimension 1").
pub fn rfft<const D: usize>(x: Tensor<D>, dim: usize) -> (Tensor<D>, Tensor<D>) {
    check_dim("rfft", &x, dim);
    along_last([x], dim, |[x]| of_real(x, false)).into()
}

/// The `length` real values along `dim` that have the half spectrum (`re`, `im`); the inverse of [`rfft`].
///
/// # Panics
/// As [`fft`], by the name of "irfft", and when the spectrum does not have the length: "irfft: 8 values have a spectrum of 5, got
/// 4".
pub fn irfft<const D: usize>(re: Tensor<D>, im: Tensor<D>, length: usize, dim: usize) -> Tensor<D> {
    check_pair("irfft", &re, &im);
    check_dim("irfft", &re, dim);
    check_spectrum("irfft", &re, dim, length);
    let [x] = along_last([re, im], dim, |[re, im]| [to_real(re, im, length, false)]);
    x
}

/// Transforms complex values over the last two dimensions.
///
/// # Panics
/// As [`fft`], by the name of "fft2", and "fft2: a tensor of rank 1 has no two dimensions".
pub fn fft2<const D: usize>(re: Tensor<D>, im: Tensor<D>) -> (Tensor<D>, Tensor<D>) {
    check_pair("fft2", &re, &im);
    check_two_dims("fft2", &re);
    complex(re, im, true, false).into()
}

/// The inverse of [`fft2`].
///
/// # Panics
/// As [`fft2`], by the name of "ifft2".
pub fn ifft2<const D: usize>(re: Tensor<D>, im: Tensor<D>) -> (Tensor<D>, Tensor<D>) {
    check_pair("ifft2", &re, &im);
    check_two_dims("ifft2", &re);
    complex(re, im, true, true).into()
}

/// The half spectra of real values over the last two dimensions, `[.., rows, cols]` to `[.., rows, cols / 2 + 1]`.
///
/// # Panics
/// "rfft2: a tensor of rank 1 has no two dimensions", and when one of them is empty ("rfft2: no values along dimension 1").
pub fn rfft2<const D: usize>(x: Tensor<D>) -> (Tensor<D>, Tensor<D>) {
    check_two_dims("rfft2", &x);
    of_real(x, true).into()
}

/// The real values with `cols` columns that have the half spectrum (`re`, `im`); the inverse of [`rfft2`].
///
/// # Panics
/// As [`fft2`], by the name of "irfft2", and when the spectrum does not have the length: "irfft2: 8 values have a spectrum of
/// 5, got 4".
pub fn irfft2<const D: usize>(re: Tensor<D>, im: Tensor<D>, cols: usize) -> Tensor<D> {
    check_pair("irfft2", &re, &im);
    check_two_dims("irfft2", &re);
    check_spectrum("irfft2", &re, D - 1, cols);
    to_real(re, im, cols, true)
}

fn complex<const D: usize>(re: Tensor<D>, im: Tensor<D>, columns: bool, inverse: bool) -> [Tensor<D>; 2] {
    let count = re.dims()[if columns { D - 2 } else { D - 1 }..].iter().product::<usize>();
    let transform = Complex { columns, inverse, scale: if inverse { 1.0 / count as f64 } else { 1.0 } };
    at_least_f32([re, im], |[re, im]| match own::takes(&re, DTYPES) {
        true => pair(Dispatch::fft_complex(re.into_dispatch(), im.into_dispatch(), transform)),
        false => reference::complex(re, im, transform),
    })
}

fn of_real<const D: usize>(x: Tensor<D>, columns: bool) -> [Tensor<D>; 2] {
    let transform = Real { columns, length: x.dims()[D - 1], inner: 1.0, scale: 1.0 };
    at_least_f32([x], |[x]| match own::takes(&x, DTYPES) {
        true => pair(Dispatch::fft_of_real(x.into_dispatch(), transform)),
        false => reference::of_real(x, transform),
    })
}

fn to_real<const D: usize>(re: Tensor<D>, im: Tensor<D>, length: usize, columns: bool) -> Tensor<D> {
    let rows = if columns { re.dims()[D - 2] } else { 1 };
    let transform = Real { columns, length, inner: 2.0, scale: 1.0 / (length * rows) as f64 };
    let [x] = at_least_f32([re, im], |[re, im]| match own::takes(&re, DTYPES) {
        true => [Tensor::from_dispatch(Dispatch::fft_to_real(re.into_dispatch(), im.into_dispatch(), transform))],
        false => [reference::to_real(re, im, transform)],
    });
    x
}

fn pair<const D: usize>((re, im): (DispatchTensor, DispatchTensor)) -> [Tensor<D>; 2] {
    [Tensor::from_dispatch(re), Tensor::from_dispatch(im)]
}

/// Applies `f` with `dim` as the last dimension.
fn along_last<const D: usize, const INPUTS: usize, const RESULTS: usize>(
    inputs: [Tensor<D>; INPUTS],
    dim: usize,
    f: impl FnOnce([Tensor<D>; INPUTS]) -> [Tensor<D>; RESULTS],
) -> [Tensor<D>; RESULTS] {
    if dim + 1 == D {
        return f(inputs);
    }
    f(inputs.map(|x| x.swap_dims(dim, D - 1))).map(|x| x.swap_dims(dim, D - 1))
}

fn at_least_f32<const D: usize, const INPUTS: usize, const RESULTS: usize>(
    inputs: [Tensor<D>; INPUTS],
    f: impl FnOnce([Tensor<D>; INPUTS]) -> [Tensor<D>; RESULTS],
) -> [Tensor<D>; RESULTS] {
    match inputs[0].dtype() {
        low @ (DType::F16 | DType::BF16) => f(inputs.map(|x| x.cast(DType::F32))).map(|x| x.cast(low)),
        _ => f(inputs),
    }
}

fn check_pair<const D: usize>(name: &str, re: &Tensor<D>, im: &Tensor<D>) {
    let (shapes, dtypes) = ((re.dims(), im.dims()), (re.dtype(), im.dtype()));
    assert!(
        shapes.0 == shapes.1 && dtypes.0 == dtypes.1,
        "{name}: a real part of {:?} {:?} and an imaginary part of {:?} {:?}",
        shapes.0,
        dtypes.0,
        shapes.1,
        dtypes.1
    );
}

fn check_dim<const D: usize>(name: &str, x: &Tensor<D>, dim: usize) {
    assert!(dim < D, "{name}: dimension {dim} of a tensor of rank {D}");
    assert!(x.dims()[dim] > 0, "{name}: no values along dimension {dim}");
}

fn check_two_dims<const D: usize>(name: &str, x: &Tensor<D>) {
    assert!(D >= 2, "{name}: a tensor of rank {D} has no two dimensions");
    check_dim(name, x, D - 2);
    check_dim(name, x, D - 1);
}

fn check_spectrum<const D: usize>(name: &str, re: &Tensor<D>, dim: usize, length: usize) {
    let (expected, got) = (length / 2 + 1, re.dims()[dim]);
    assert!(length > 0 && got == expected, "{name}: {length} values have a spectrum of {expected}, got {got}");
}
