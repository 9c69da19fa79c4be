//! Sub-apertures as tensor operations: products with the matrices of the transform.

use super::{Direction, SubApertures};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};

/// See [`sub_apertures`](crate::sub_apertures).
pub fn sub_apertures(
    plane: (Tensor<2>, Tensor<2>),
    pupils: (Tensor<3>, Tensor<3>),
    apertures: &SubApertures,
) -> (Tensor<3>, Tensor<3>) {
    let [_, rows, columns] = pupils.0.dims();
    seen(multiply(cut(plane, [rows, columns], apertures), pupils, |a, b| a * b), apertures)
}

/// See [`sub_aperture_amplitudes`](crate::sub_aperture_amplitudes).
pub fn sub_aperture_amplitudes(
    plane: (Tensor<2>, Tensor<2>),
    pupils: (Tensor<3>, Tensor<3>),
    apertures: &SubApertures,
    epsilon: f64,
) -> Tensor<3> {
    let (re, im) = sub_apertures(plane, pupils, apertures);
    (re.clone() * re + im.clone() * im + epsilon).sqrt()
}

/// The windows of a plane, `[window, window row, window column]`.
pub(crate) fn cut(plane: (Tensor<2>, Tensor<2>), window: [usize; 2], apertures: &SubApertures) -> Complex {
    let size = plane.0.dims();
    let indices = places(size, window, &apertures.centres, &plane.0.device());
    let part = |part: Tensor<2>| {
        let windows = part.reshape([size[0] * size[1]]).select(0, indices.clone());
        windows.reshape([apertures.centres.len(), window[0], window[1]])
    };
    (part(plane.0), part(plane.1))
}

/// The images of windows behind their pupils, `[window, window row, window column]`.
pub(crate) fn seen(window: Complex, apertures: &SubApertures) -> Complex {
    let [_, rows, columns] = window.0.dims();
    let (device, dtype) = (window.0.device(), window.0.dtype());
    // [image row, window row] [window, window row, window column] [window column, image column]
    let of_rows = matrix(rows, apertures, apertures.factor(), &device, dtype);
    let of_columns = matrix(columns, apertures, 1.0, &device, dtype);
    let half = multiply((of_rows.0.unsqueeze(), of_rows.1.unsqueeze()), window, Tensor::matmul);
    let transposed = (of_columns.0.transpose().unsqueeze(), of_columns.1.transpose().unsqueeze());
    multiply(half, transposed, Tensor::matmul)
}

/// The adjoint of [`seen`] for windows of `rows` and `columns`.
pub(crate) fn sent_back(images: Complex, [rows, columns]: [usize; 2], apertures: &SubApertures) -> Complex {
    let (device, dtype) = (images.0.device(), images.0.dtype());
    let of_rows = matrix(rows, apertures, apertures.factor(), &device, dtype);
    let of_columns = matrix(columns, apertures, 1.0, &device, dtype);
    // [window row, image row] [window, image row, image column] [image column, window column]
    let transposed = (of_rows.0.transpose().unsqueeze(), of_rows.1.transpose().neg().unsqueeze());
    let half = multiply(transposed, images, Tensor::matmul);
    multiply(half, (of_columns.0.unsqueeze(), of_columns.1.neg().unsqueeze()), Tensor::matmul)
}

pub(crate) type Complex = (Tensor<3>, Tensor<3>);

/// The complex product for a real one.
pub(crate) fn multiply(a: Complex, b: Complex, product: impl Fn(Tensor<3>, Tensor<3>) -> Tensor<3>) -> Complex {
    let re = product(a.0.clone(), b.0.clone()) - product(a.1.clone(), b.1.clone());
    (re, product(a.0, b.1) + product(a.1, b.0))
}

/// Where the windows at `centres` lie on a plane that is written row by row.
pub(crate) fn places(size: [usize; 2], window: [usize; 2], centres: &[[isize; 2]], device: &Device) -> Tensor<1, Int> {
    let along = |centre: isize, axis: usize| {
        let size = size[axis] as isize;
        let first = size / 2 + centre - (window[axis] / 2) as isize;
        (0..window[axis] as isize).map(move |index| (first + index).rem_euclid(size))
    };
    let width = size[1] as isize;
    let indices: Vec<i32> = centres
        .iter()
        .flat_map(|[y, x]| along(*y, 0).flat_map(move |row| along(*x, 1).map(move |c| (row * width + c) as i32)))
        .collect();
    let count = indices.len();
    Tensor::from_data(TensorData::new(indices, [count]), device)
}

/// What each place of a centred window adds to each of an image, times `factor`: `[image place, window place]`.
fn matrix(
    window: usize,
    apertures: &SubApertures,
    factor: f64,
    device: &Device,
    dtype: DType,
) -> (Tensor<2>, Tensor<2>) {
    let d = apertures.detector;
    let angle = |index: usize| {
        let (y, u) = (index / window, index % window + d - window / 2);
        let turns = match apertures.transform {
            Direction::Inverse => y * u % d,
            // backwards, from the middle
            Direction::Forward => (d + d / 2 - y) * u % d,
        };
        std::f64::consts::TAU * turns as f64 / d as f64
    };
    let part = |f: fn(f64) -> f64| {
        let values: Vec<f64> = (0..d * window).map(|index| factor * f(angle(index))).collect();
        Tensor::from_data(TensorData::new(values, [d, window]), (device, dtype))
    };
    (part(f64::cos), part(f64::sin))
}
