//! Sub-apertures as tensor operations: products with the matrices of the transform.

use super::SubApertures;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};

/// See [`sub_apertures`](crate::sub_apertures).
pub fn sub_apertures(
    spectrum: (Tensor<2>, Tensor<2>),
    pupil: (Tensor<2>, Tensor<2>),
    apertures: &SubApertures,
) -> (Tensor<3>, Tensor<3>) {
    let [rows, columns] = pupil.0.dims();
    let (device, dtype) = (spectrum.0.device(), spectrum.0.dtype());
    let (re, im) = (windows(spectrum.0, [rows, columns], apertures), windows(spectrum.1, [rows, columns], apertures));
    let pupil = (pupil.0.unsqueeze_dim::<3>(0), pupil.1.unsqueeze_dim::<3>(0));
    let window = multiply((re, im), pupil, |a, b| a * b);
    // [image row, window row] [window, window row, window column] [window column, image column]
    let d = apertures.detector;
    let of_rows = matrix(d, rows, apertures.scale / (d * d) as f64, &device, dtype);
    let of_columns = matrix(d, columns, 1.0, &device, dtype);
    let half = multiply((of_rows.0.unsqueeze(), of_rows.1.unsqueeze()), window, Tensor::matmul);
    let transposed = (of_columns.0.transpose().unsqueeze(), of_columns.1.transpose().unsqueeze());
    multiply(half, transposed, Tensor::matmul)
}

/// See [`sub_aperture_amplitudes`](crate::sub_aperture_amplitudes).
pub fn sub_aperture_amplitudes(
    spectrum: (Tensor<2>, Tensor<2>),
    pupil: (Tensor<2>, Tensor<2>),
    apertures: &SubApertures,
    epsilon: f64,
) -> Tensor<3> {
    let (re, im) = sub_apertures(spectrum, pupil, apertures);
    (re.clone() * re + im.clone() * im + epsilon).sqrt()
}

type Complex = (Tensor<3>, Tensor<3>);

/// The complex product for a real one.
fn multiply(a: Complex, b: Complex, product: impl Fn(Tensor<3>, Tensor<3>) -> Tensor<3>) -> Complex {
    let re = product(a.0.clone(), b.0.clone()) - product(a.1.clone(), b.1.clone());
    (re, product(a.0, b.1) + product(a.1, b.0))
}

/// The windows of one part of the spectrum, `[window, row, column]`.
fn windows(part: Tensor<2>, [rows, columns]: [usize; 2], apertures: &SubApertures) -> Tensor<3> {
    let [height, width] = part.dims();
    let places = |centre: isize, size: usize, window: usize| {
        let first = (size / 2) as isize + centre - (window / 2) as isize;
        (0..window as isize).map(move |index| (first + index).rem_euclid(size as isize) as usize)
    };
    let indices: Vec<i32> = apertures
        .centres
        .iter()
        .flat_map(|[y, x]| {
            places(*y, height, rows)
                .flat_map(move |row| places(*x, width, columns).map(move |c| (row * width + c) as i32))
        })
        .collect();
    let count = indices.len();
    let indices = Tensor::<1, Int>::from_data(TensorData::new(indices, [count]), &part.device());
    part.reshape([height * width]).select(0, indices).reshape([apertures.centres.len(), rows, columns])
}

/// `factor exp(2 pi j y u / detector)` for the frequencies `u` of a centred window, `[y, u]`.
fn matrix(detector: usize, window: usize, factor: f64, device: &Device, dtype: DType) -> (Tensor<2>, Tensor<2>) {
    let angle = |index: usize| {
        let (y, u) = (index / window, index % window + detector - window / 2);
        std::f64::consts::TAU * (y * u % detector) as f64 / detector as f64
    };
    let part = |f: fn(f64) -> f64| {
        let values: Vec<f64> = (0..detector * window).map(|index| factor * f(angle(index))).collect();
        Tensor::from_data(TensorData::new(values, [detector, window]), (device, dtype))
    };
    (part(f64::cos), part(f64::sin))
}
