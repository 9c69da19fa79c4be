//! Structural similarity.

use crate::checks::{Operation, close, cpu, normal, own_kernels_stay, panics, values};
use burn::tensor::{DType, Tensor, TensorData};
use cupel_data::Stream;
use cupel_kernels::{ms_ssim, reference, ssim, ssim_map};

/// An image and a disturbed copy of it, around `mean`.
fn images(count: usize, mean: f64) -> [Vec<f64>; 2] {
    let x: Vec<f64> = (0..count).map(|i| mean + 0.5 * (i as f64 * 0.37).sin()).collect();
    let y = x.iter().zip(normal(Stream::new(2, "images"), count)).map(|(x, noise)| x + 0.2 * noise).collect();
    [x, y]
}

fn similarity(shape: [usize; 4], mean: f64) -> Operation {
    let [batch, channels, rows, columns] = shape;
    let maps = batch * channels * (rows - 10) * (columns - 10);
    let [x, y] = images(shape.iter().product(), mean);
    let pair = move |x: &[Tensor<1>]| (x[0].clone().reshape(shape), x[1].clone().reshape(shape));
    Operation::new(
        format!("ssim and ssim_map of {shape:?} around {mean}"),
        &[x.len(), y.len()],
        move |inputs| {
            let (x, y) = pair(inputs);
            let map = ssim_map(x.clone(), y.clone(), 1.5);
            vec![ssim(x, y, 1.5).reshape([batch * channels]), map.reshape([maps])]
        },
        move |inputs| {
            let (x, y) = pair(inputs);
            let map = reference::ssim_map(x.clone(), y.clone(), 1.5);
            vec![reference::ssim(x, y, 1.5).reshape([batch * channels]), map.reshape([maps])]
        },
    )
    .with_input(0, x)
    .with_input(1, y)
}

fn operations() -> Vec<Operation> {
    vec![
        similarity([1, 1, 11, 11], 0.0),
        similarity([2, 3, 14, 21], 0.5),
        similarity([1, 1, 80, 20], 0.5), // two bands of rows
        similarity([2, 1, 74, 75], 0.0), // a border of bands inside the map, columns beyond the padding
        similarity([1, 1, 139, 130], 0.5),
    ]
}

#[test]
fn similarities_pass_every_check() {
    operations().iter().for_each(Operation::passes);
}

#[test]
fn similarities_are_their_reference_when_off() {
    operations().iter().for_each(Operation::is_its_reference_when_off);
}

#[test]
fn similarity_over_scales_passes_every_check() {
    let shape = [1, 1, 176, 179];
    let [x, y] = images(shape.iter().product(), 0.5);
    let pair = move |x: &[Tensor<1>]| (x[0].clone().reshape(shape), x[1].clone().reshape(shape));
    let operation = Operation::new(
        "ms_ssim",
        &[x.len(), y.len()],
        move |inputs| {
            let (x, y) = pair(inputs);
            vec![ms_ssim(x, y, 1.5).reshape([1])]
        },
        move |inputs| {
            let (x, y) = pair(inputs);
            vec![reference::ms_ssim(x, y, 1.5).reshape([1])]
        },
    )
    .with_input(0, x)
    .with_input(1, y);
    operation.passes();
    operation.is_its_reference_when_off();
}

fn image(values: Vec<f64>, rows: usize) -> Tensor<4> {
    let columns = values.len() / rows;
    Tensor::from_data(TensorData::new(values, [1, 1, rows, columns]), (&cpu(), DType::F32))
}

#[test]
fn equal_images_have_similarity_one_and_order_does_not_matter() {
    let _on = own_kernels_stay();
    let [x, y] = images(40 * 50, 0.5);
    let (x, y) = (image(x, 40), image(y, 40));
    close("itself", &values(&ssim(x.clone(), x.clone(), 1.0)), &[1.0], 1e-6);
    let (there, back) = (ssim(x.clone(), y.clone(), 1.0), ssim(y, x, 1.0));
    close("symmetry", &values(&there), &values(&back), 1e-6);
}

/// Two constant images have no structure: the formula is the one of luminance.
#[test]
fn constant_images_follow_the_closed_form() {
    let _on = own_kernels_stay();
    let (a, b, c1) = (0.3f64, 0.7f64, 1e-4);
    let got = ssim(image(vec![a; 400], 20), image(vec![b; 400], 20), 1.0);
    close("luminance", &values(&got), &[(2.0 * a * b + c1) / (a * a + b * b + c1)], 1e-5);
}

/// In f32, `F xx - (F x)^2` of numbers around 1000 has no digit of a variance of 1e-4 left, unless the mean is taken off.
#[test]
fn a_large_mean_costs_no_digits() {
    let _on = own_kernels_stay();
    let noise = |stream: u64| normal(Stream::new(stream, "mean"), 1600);
    // multiples of 2^-14 are exact in f32 beside 1000
    let exact = |values: Vec<f64>| values.iter().map(|v| 1000.0 + (v * 164.0).round() / 16384.0).collect::<Vec<_>>();
    let (x, y) = (exact(noise(5)), exact(noise(6)));
    let f64_image =
        |values: &[f64]| Tensor::<4>::from_data(TensorData::new(values.to_vec(), [1, 1, 40, 40]), (&cpu(), DType::F64));
    let expected = reference::ssim(f64_image(&x), f64_image(&y), 0.1);
    close("ssim", &values(&ssim(image(x, 40), image(y, 40), 0.1)), &values(&expected), 1e-4);
}

#[test]
fn a_pixel_that_is_no_number_spoils_its_window_only() {
    let _on = own_kernels_stay();
    let [mut x, y] = images(30 * 40, 0.5);
    x[3 * 40 + 4] = f64::NAN;
    let map = values(&ssim_map(image(x, 30), image(y, 30), 1.0));
    let bad = |r: usize, c: usize| r <= 3 && c <= 4;
    assert!((0..20).all(|r| (0..30).all(|c| map[r * 30 + c].is_nan() == bad(r, c))));
}

#[test]
fn images_that_do_not_fit_are_named() {
    let zeros = |rows: usize, columns: usize| Tensor::<4>::zeros([1, 2, rows, columns], &cpu());
    panics("ssim: images of [1, 2, 11, 12] and [1, 2, 12, 11] differ in shape", || {
        ssim(zeros(11, 12), zeros(12, 11), 1.0)
    });
    panics("ssim_map: images of [1, 2, 10, 12] are smaller than 11 x 11", || {
        ssim_map(zeros(10, 12), zeros(10, 12), 1.0)
    });
    panics("ms_ssim: images of [1, 2, 176, 175] are smaller than 176 x 176", || {
        ms_ssim(zeros(176, 175), zeros(176, 175), 1.0)
    });
    panics("ssim: the range of the data must be positive and finite, got 0", || {
        ssim(zeros(11, 11), zeros(11, 11), 0.0)
    });
}

/// Two patterns of waves, of which one is weaker and shifted.
fn waves(rows: usize, columns: usize) -> [Tensor<4>; 2] {
    let angle = |i: usize| std::f64::consts::TAU * (3 * (i % columns) + 5 * (i / columns)) as f64 / 96.0;
    let wave = |strength: f64, shift: f64| {
        image((0..rows * columns).map(|i| 0.5 + strength * (angle(i) + shift).sin()).collect(), rows)
    };
    [wave(0.5, 0.0), wave(0.45, 0.2)]
}

/// The expected numbers are printed by golden.py; the first is also that of scikit-image 0.26.0.
#[test]
fn similarities_are_those_of_the_definition() {
    let _on = own_kernels_stay();
    let [x, y] = waves(96, 96);
    close("ssim", &values(&ssim(x, y, 1.0)), &[0.934_748_064_357_723_2], 2e-6);
    let [x, y] = waves(193, 180);
    close("ms_ssim", &values(&ms_ssim(x, y, 1.0)), &[0.974_400_608_505_977_5], 2e-6);
}
