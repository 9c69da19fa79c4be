//! The transforms as matrix products of tensors.

use super::{Complex, Real};
use burn::tensor::{Tensor, TensorData};
use std::f64::consts::TAU;

/// Longest transform that is one matrix product although it could be two passes.
const SHORT: usize = 32;

/// See [`fft`](crate::fft).
pub fn fft<const D: usize>(re: Tensor<D>, im: Tensor<D>, dim: usize) -> (Tensor<D>, Tensor<D>) {
    super::along_last([re, im], dim, |[re, im]| along_rows(re, im, false)).into()
}

/// See [`ifft`](crate::ifft).
pub fn ifft<const D: usize>(re: Tensor<D>, im: Tensor<D>, dim: usize) -> (Tensor<D>, Tensor<D>) {
    let scale = 1.0 / re.dims()[dim] as f64;
    let rows = super::along_last([re, im], dim, |[re, im]| along_rows(re, im, true));
    rows.map(|x| x.mul_scalar(scale)).into()
}

/// See [`rfft`](crate::rfft).
pub fn rfft<const D: usize>(x: Tensor<D>, dim: usize) -> (Tensor<D>, Tensor<D>) {
    let transform = Real { columns: false, length: x.dims()[dim], inner: 1.0, scale: 1.0 };
    super::along_last([x], dim, |[x]| of_real(x, transform)).into()
}

/// See [`irfft`](crate::irfft).
pub fn irfft<const D: usize>(re: Tensor<D>, im: Tensor<D>, length: usize, dim: usize) -> Tensor<D> {
    let transform = Real { columns: false, length, inner: 2.0, scale: 1.0 / length as f64 };
    let [x] = super::along_last([re, im], dim, |[re, im]| [to_real(re, im, transform)]);
    x
}

/// See [`fft2`](crate::fft2).
pub fn fft2<const D: usize>(re: Tensor<D>, im: Tensor<D>) -> (Tensor<D>, Tensor<D>) {
    complex(re, im, Complex { columns: true, inverse: false, scale: 1.0 }).into()
}

/// See [`ifft2`](crate::ifft2).
pub fn ifft2<const D: usize>(re: Tensor<D>, im: Tensor<D>) -> (Tensor<D>, Tensor<D>) {
    let count = re.dims()[D - 2..].iter().product::<usize>();
    complex(re, im, Complex { columns: true, inverse: true, scale: 1.0 / count as f64 }).into()
}

/// See [`rfft2`](crate::rfft2).
pub fn rfft2<const D: usize>(x: Tensor<D>) -> (Tensor<D>, Tensor<D>) {
    let transform = Real { columns: true, length: x.dims()[D - 1], inner: 1.0, scale: 1.0 };
    of_real(x, transform).into()
}

/// See [`irfft2`](crate::irfft2).
pub fn irfft2<const D: usize>(re: Tensor<D>, im: Tensor<D>, cols: usize) -> Tensor<D> {
    let scale = 1.0 / (re.dims()[D - 2] * cols) as f64;
    to_real(re, im, Real { columns: true, length: cols, inner: 2.0, scale })
}

pub(super) fn complex<const D: usize>(re: Tensor<D>, im: Tensor<D>, transform: Complex) -> [Tensor<D>; 2] {
    let [re, im] = along_rows(re, im, transform.inverse);
    let parts = if transform.columns { along_columns(re, im, transform.inverse) } else { [re, im] };
    if transform.scale == 1.0 { parts } else { parts.map(|part| part.mul_scalar(transform.scale)) }
}

pub(super) fn of_real<const D: usize>(x: Tensor<D>, transform: Real) -> [Tensor<D>; 2] {
    let half = transform.length / 2 + 1;
    let counts = counts(&x, transform);
    let zeros = x.zeros_like();
    let [re, im] = along_rows(x, zeros, false).map(|part| part.narrow(D - 1, 0, half) * counts.clone());
    if transform.columns { along_columns(re, im, false) } else { [re, im] }
}

pub(super) fn to_real<const D: usize>(re: Tensor<D>, im: Tensor<D>, transform: Real) -> Tensor<D> {
    let [re, im] = if transform.columns { along_columns(re, im, true) } else { [re, im] };
    let counts = counts(&re, transform);
    // The real part of the sum over half a spectrum: the other half is 0.
    let mut rest = re.dims();
    rest[D - 1] = transform.length - rest[D - 1];
    let padded = [re, im].map(|part| {
        let part = part * counts.clone();
        if rest[D - 1] == 0 {
            return part;
        }
        let zeros = Tensor::zeros(rest, (&part.device(), part.dtype()));
        Tensor::cat(vec![part, zeros], D - 1)
    });
    let [re, im] = padded;
    let [x, _] = along_rows(re, im, true);
    x
}

/// The factor of each entry of half a spectrum, on the device of `x` and in its dtype.
fn counts<const D: usize>(x: &Tensor<D>, transform: Real) -> Tensor<D> {
    let half = transform.length / 2 + 1;
    let outer = |k: usize| k == 0 || 2 * k == transform.length;
    let counts: Vec<f64> = (0..half).map(|k| transform.scale * if outer(k) { 1.0 } else { transform.inner }).collect();
    let mut shape = [1; D];
    shape[D - 1] = half;
    Tensor::from_data(TensorData::new(counts, shape), (&x.device(), x.dtype()))
}

fn along_columns<const D: usize>(re: Tensor<D>, im: Tensor<D>, inverse: bool) -> [Tensor<D>; 2] {
    let [re, im] = [re, im].map(|x| x.swap_dims(D - 2, D - 1));
    along_rows(re, im, inverse).map(|x| x.swap_dims(D - 2, D - 1))
}

fn along_rows<const D: usize>(re: Tensor<D>, im: Tensor<D>, inverse: bool) -> [Tensor<D>; 2] {
    let shape = re.dims();
    let rows = shape[..D - 1].iter().product::<usize>();
    if rows == 0 {
        return [re, im];
    }
    let [re, im] = [re, im].map(|x| x.reshape([rows, shape[D - 1]]));
    transform(re, im, inverse).map(|x| x.reshape(shape))
}

/// The transform of every row of `[rows, n]`, not scaled.
fn transform(re: Tensor<2>, im: Tensor<2>, inverse: bool) -> [Tensor<2>; 2] {
    let [rows, n] = re.dims();
    // The divisor next below the square root makes both passes short.
    let p = (1..=n).take_while(|p| p * p <= n).filter(|p| n % p == 0).last().unwrap_or(1);
    if n <= SHORT || p == 1 {
        return multiply(re, im, inverse);
    }
    let q = n / p;
    // x[a q + b] -> [rows, b, a], transformed over a.
    let [re, im] = [re, im].map(|x| x.reshape([rows, p, q]).swap_dims(1, 2).reshape([rows * q, p]));
    let [re, im] = transform(re, im, inverse).map(|x| x.reshape([rows, q, p]));
    // Rotated by exp(-+2 pi i b k / n).
    let (cosines, sines) = rotations([q, p], n, inverse);
    let [cosines, sines] = [cosines, sines]
        .map(|values| Tensor::<3>::from_data(TensorData::new(values, [1, q, p]), (&re.device(), re.dtype())));
    let rotated = [
        re.clone() * cosines.clone() - im.clone() * sines.clone(), //
        re * sines + im * cosines,
    ];
    // [rows, k, b], transformed over b; entry k + p l of the spectrum is at [k, l].
    let [re, im] = rotated.map(|x| x.swap_dims(1, 2).reshape([rows * p, q]));
    transform(re, im, inverse).map(|x| x.reshape([rows, p, q]).swap_dims(1, 2).reshape([rows, n]))
}

/// The transform as a product with the matrix of roots of unity.
fn multiply(re: Tensor<2>, im: Tensor<2>, inverse: bool) -> [Tensor<2>; 2] {
    let [_, n] = re.dims();
    let (cosines, sines) = rotations([n, n], n, inverse);
    let [cosines, sines] = [cosines, sines]
        .map(|values| Tensor::<2>::from_data(TensorData::new(values, [n, n]), (&re.device(), re.dtype())));
    [re.clone().matmul(cosines.clone()) - im.clone().matmul(sines.clone()), re.matmul(sines) + im.matmul(cosines)]
}

/// Cosine and sine of -+2 pi j k / n for each entry [j, k].
fn rotations([height, width]: [usize; 2], n: usize, inverse: bool) -> (Vec<f64>, Vec<f64>) {
    let sign = if inverse { 1.0 } else { -1.0 };
    let angle = |i: usize| sign * TAU * ((i / width * (i % width)) % n) as f64 / n as f64;
    (0..height * width).map(|i| angle(i).sin_cos()).map(|(sin, cos)| (cos, sin)).unzip()
}
