//! Sub-apertures.

use crate::checks::{Operation, close, cpu, own_kernels_stay, panics, values};
use burn::tensor::{Tensor, TensorData};
use cupel_kernels::{SubApertures, fft2, reference, sub_aperture_amplitudes, sub_apertures};

type Pair = (Tensor<2>, Tensor<2>);

const EPSILON: f64 = 0.1;

fn apertures(size: [usize; 2], window: [usize; 2], detector: usize, centres: &[[isize; 2]]) -> Operation {
    let where_to = SubApertures { centres: centres.to_vec(), detector, scale: 0.3 * (detector * detector) as f64 };
    let count = centres.len() * detector * detector;
    let pairs = move |x: &[Tensor<1>]| -> (Pair, Pair) {
        let pair =
            |first: usize, shape: [usize; 2]| (x[first].clone().reshape(shape), x[first + 1].clone().reshape(shape));
        (pair(0, size), pair(2, window))
    };
    let name = format!("sub-apertures of {window:?} in {size:?} on {detector}");
    let (area, pupil) = (size[0] * size[1], window[0] * window[1]);
    let of_reference = where_to.clone();
    Operation::new(
        name,
        &[area, area, pupil, pupil],
        move |x| {
            let (spectrum, pupil) = pairs(x);
            let (re, im) = sub_apertures(spectrum.clone(), pupil.clone(), &where_to);
            let amplitudes = sub_aperture_amplitudes(spectrum, pupil, &where_to, EPSILON);
            [re, im, amplitudes].map(|images| images.reshape([count])).to_vec()
        },
        move |x| {
            let (spectrum, pupil) = pairs(x);
            let (re, im) = reference::sub_apertures(spectrum.clone(), pupil.clone(), &of_reference);
            let amplitudes = reference::sub_aperture_amplitudes(spectrum, pupil, &of_reference, EPSILON);
            [re, im, amplitudes].map(|images| images.reshape([count])).to_vec()
        },
    )
}

fn operations() -> Vec<Operation> {
    vec![
        apertures([1, 1], [1, 1], 1, &[[0, 0]]),
        apertures([12, 9], [5, 4], 7, &[[0, 0], [3, -4], [-6, 2], [5, 8]]),
        apertures([16, 16], [5, 5], 9, &[[0, 0], [0, 0], [-2, 7]]),
        apertures([40, 36], [18, 17], 18, &[[1, -1], [11, 3], [25, -3]]),
    ]
}

#[test]
fn sub_apertures_pass_every_check() {
    operations().iter().for_each(Operation::passes);
}

#[test]
fn sub_apertures_are_their_reference_when_off() {
    operations().iter().for_each(Operation::is_its_reference_when_off);
}

/// Through a pupil as large as the spectrum, all of the object comes back.
#[test]
fn an_open_pupil_shows_the_object() {
    let _on = own_kernels_stay();
    let n = 6;
    let object: Vec<f64> = (0..n * n).map(|i| (i as f64 * 1.7).sin()).collect();
    // the centred spectrum by its definition
    let part = |f: fn(f64) -> f64, sign: f64| {
        let value = |(u, v): (usize, usize)| {
            let phase =
                |y: usize, x: usize| std::f64::consts::TAU * ((u + n / 2) * y + (v + n / 2) * x) as f64 / n as f64;
            (0..n * n).map(|i| sign * object[i] * f(phase(i / n, i % n))).sum::<f64>()
        };
        let values: Vec<f64> = (0..n * n).map(|i| value((i / n, i % n))).collect();
        Tensor::<2>::from_data(TensorData::new(values, [n, n]), &cpu())
    };
    let open = || Tensor::<2>::ones([n, n], &cpu());
    let apertures = SubApertures { centres: vec![[0, 0]], detector: n, scale: 1.0 };
    let spectrum = (part(f64::cos, 1.0), part(f64::sin, -1.0));
    let (re, im) = sub_apertures(spectrum, (open(), open() * 0.0), &apertures);
    close("object", &values(&re), &object, 1e-6);
    assert!(values(&im).iter().all(|value| value.abs() < 1e-5));
}

#[test]
fn what_does_not_fit_is_named() {
    let ones = |rows: usize, columns: usize| Tensor::<2>::ones([rows, columns], &cpu());
    let with =
        |centres: &[[isize; 2]], detector: usize| SubApertures { centres: centres.to_vec(), detector, scale: 1.0 };
    panics("sub_apertures: real part of the pupil of [3, 3], imaginary part of [3, 2]", || {
        sub_apertures((ones(8, 8), ones(8, 8)), (ones(3, 3), ones(3, 2)), &with(&[[0, 0]], 4))
    });
    panics("sub_apertures: a window of [5, 3] in a spectrum of [8, 8] with a detector of 4 x 4", || {
        sub_apertures((ones(8, 8), ones(8, 8)), (ones(5, 3), ones(5, 3)), &with(&[[0, 0]], 4))
    });
    panics("sub_apertures: no centres", || {
        sub_apertures((ones(8, 8), ones(8, 8)), (ones(3, 3), ones(3, 3)), &with(&[], 4))
    });
    panics("sub_aperture_amplitudes: epsilon must be positive and finite, got 0", || {
        sub_aperture_amplitudes((ones(8, 8), ones(8, 8)), (ones(3, 3), ones(3, 3)), &with(&[[0, 0]], 4), 0.0)
    });
}

/// What golden.py prints for an aperture of radius 6 around (5, -7) in front of a scene of 64 x 64, by transforms of the full
/// size. The detector of 32 holds every second pixel of it, and all of its energy.
#[test]
fn a_small_detector_sees_the_full_image() {
    let _on = own_kernels_stay();
    let n = 64;
    let mut state = 42u32;
    let mut scene = vec![0.0f32; n * n];
    for place in 0..32 * 32 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        scene[(16 + place / 32) * n + 16 + place % 32] = (f64::from(state) / 4_294_967_296.0) as f32;
    }
    let scene = Tensor::<2>::from_data(TensorData::new(scene, [n, n]), &cpu());
    let (re, im) = fft2(scene.clone(), scene.zeros_like());
    let centred = |part: Tensor<2>| part.roll_dim(32, 0).roll_dim(32, 1);
    let spectrum = (centred(re), centred(im));
    let disc = |i: usize| f32::from((i / 13).abs_diff(6).pow(2) + (i % 13).abs_diff(6).pow(2) <= 36);
    let disc = Tensor::<2>::from_data(TensorData::new((0..169).map(disc).collect::<Vec<_>>(), [13, 13]), &cpu());
    let amplitudes = |detector: usize| {
        // orthonormal transforms, and D / N for the smaller image
        let scale = (detector * detector) as f64 / (n * n) as f64;
        let apertures = SubApertures { centres: vec![[5, -7]], detector, scale };
        values(&sub_aperture_amplitudes(spectrum.clone(), (disc.clone(), disc.zeros_like()), &apertures, 1e-14))
    };
    let full = amplitudes(64);
    let largest = full.iter().fold(0.0f64, |largest, value| largest.max(*value));
    let got = [full.iter().sum(), largest, full[20 * n + 30], full[40 * n + 10]];
    let expected =
        [139.589_521_700_208_9, 0.136_575_550_554_135_98, 0.035_983_600_723_825_16, 0.049_755_925_485_955_456];
    for (got, expected) in got.iter().zip(expected) {
        close("amplitude", &[*got], &[expected], 2e-5);
    }
    let every_second: Vec<f64> = (0..32 * 32).map(|i| full[i / 32 * 2 * n + i % 32 * 2]).collect();
    let small = amplitudes(32);
    close("small detector", &small, &every_second, 1e-5);
    let energy = |values: &[f64]| values.iter().map(|value| value * value).sum::<f64>();
    close("energy", &[4.0 * energy(&small)], &[energy(&full)], 1e-5);
}
