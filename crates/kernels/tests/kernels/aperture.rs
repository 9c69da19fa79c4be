//! Sub-apertures.

use crate::checks::{Operation, close, cpu, own_kernels_stay, panics, values};
use burn::tensor::{Tensor, TensorData};
use cupel_kernels::{Direction, SubApertures, fft2, reference, sub_aperture_amplitudes, sub_apertures};

type Planes = (Tensor<2>, Tensor<2>);
type Pupils = (Tensor<3>, Tensor<3>);

const EPSILON: f64 = 0.1;

fn apertures(
    size: [usize; 2],
    window: [usize; 2],
    detector: usize,
    centres: &[[isize; 2]],
    pupils: usize,
    transform: Direction,
) -> Operation {
    let unit = if transform == Direction::Inverse { (detector * detector) as f64 } else { 1.0 };
    let where_to = SubApertures { centres: centres.to_vec(), detector, scale: 0.3 * unit, transform };
    let count = centres.len() * detector * detector;
    let pairs = move |x: &[Tensor<1>]| -> (Planes, Pupils) {
        let part = |index: usize| x[index].clone();
        let pupil = |index: usize| part(index).reshape([pupils, window[0], window[1]]);
        ((part(0).reshape(size), part(1).reshape(size)), (pupil(2), pupil(3)))
    };
    let name = format!("{transform:?} sub-apertures of {pupils} x {window:?} in {size:?} on {detector}");
    let (area, pupil) = (size[0] * size[1], pupils * window[0] * window[1]);
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
    use Direction::{Forward, Inverse};
    vec![
        apertures([1, 1], [1, 1], 1, &[[0, 0]], 1, Inverse),
        apertures([12, 9], [5, 4], 7, &[[0, 0], [3, -4], [-6, 2], [5, 8]], 1, Inverse),
        apertures([16, 16], [5, 5], 9, &[[0, 0], [0, 0], [-2, 7]], 3, Inverse),
        apertures([40, 36], [18, 17], 18, &[[1, -1], [11, 3], [25, -3]], 1, Inverse),
        apertures([12, 9], [5, 4], 7, &[[0, 0], [3, -4], [-6, 2], [5, 8]], 4, Forward),
        apertures([21, 20], [8, 9], 10, &[[4, -9], [-11, 2]], 1, Forward),
        apertures([30, 33], [16, 16], 16, &[[0, 0], [9, -7], [3, 3]], 3, Forward),
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
    let open = || Tensor::<3>::ones([1, n, n], &cpu());
    let apertures = SubApertures { centres: vec![[0, 0]], detector: n, scale: 1.0, transform: Direction::Inverse };
    let spectrum = (part(f64::cos, 1.0), part(f64::sin, -1.0));
    let (re, im) = sub_apertures(spectrum, (open(), open() * 0.0), &apertures);
    close("object", &values(&re), &object, 1e-6);
    assert!(values(&im).iter().all(|value| value.abs() < 1e-5));
}

/// A pattern is the transform of what lies behind the probe, with the frequency nought in the middle.
#[test]
fn a_probe_shows_the_transform_of_the_object() {
    let _on = own_kernels_stay();
    for n in [6, 7] {
        let part = |phase: f64| -> Vec<f64> { (0..n * n).map(|i| (i as f64 * 1.7 + phase).sin()).collect() };
        let plane = |values: &[f64]| Tensor::<2>::from_data(TensorData::new(values.to_vec(), [n, n]), &cpu());
        let (re, im) = (part(0.0), part(0.4));
        let open = Tensor::<3>::ones([1, n, n], &cpu());
        let apertures = SubApertures { centres: vec![[0, 0]], detector: n, scale: 1.0, transform: Direction::Forward };
        let seen = sub_apertures((plane(&re), plane(&im)), (open.clone(), open * 0.0), &apertures);
        // with its origin at the first place instead of the middle of the object
        let centred = |x: Tensor<2>| x.roll_dim(-((n / 2) as i64), 0).roll_dim(-((n / 2) as i64), 1);
        let whole = fft2(centred(plane(&re)), centred(plane(&im)));
        let middle = |x: Tensor<2>| x.roll_dim((n / 2) as i64, 0).roll_dim((n / 2) as i64, 1);
        close("real part", &values(&seen.0), &values(&middle(whole.0)), 1e-5);
        close("imaginary part", &values(&seen.1), &values(&middle(whole.1)), 1e-5);
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let plane = || (Tensor::<2>::ones([8, 8], &cpu()), Tensor::<2>::ones([8, 8], &cpu()));
    let pupil = |rows: usize, columns: usize| Tensor::<3>::ones([1, rows, columns], &cpu());
    let both = |rows: usize, columns: usize| (pupil(rows, columns), pupil(rows, columns));
    let with = |centres: &[[isize; 2]]| SubApertures {
        centres: centres.to_vec(),
        detector: 4,
        scale: 1.0,
        transform: Direction::Inverse,
    };
    panics("sub_apertures: real part of the pupils of [1, 3, 3], imaginary part of [1, 3, 2]", || {
        sub_apertures(plane(), (pupil(3, 3), pupil(3, 2)), &with(&[[0, 0]]))
    });
    panics("sub_apertures: a window of [5, 3] in a plane of [8, 8] with a detector of 4 x 4", || {
        sub_apertures(plane(), both(5, 3), &with(&[[0, 0]]))
    });
    panics("sub_apertures: no centres", || sub_apertures(plane(), both(3, 3), &with(&[])));
    panics("sub_apertures: 2 pupils, but 1 or 3 are needed", || {
        let two = Tensor::<3>::ones([2, 3, 3], &cpu());
        sub_apertures(plane(), (two.clone(), two), &with(&[[0, 0], [1, 0], [2, 0]]))
    });
    panics("sub_aperture_amplitudes: epsilon must be positive and finite, got 0", || {
        sub_aperture_amplitudes(plane(), both(3, 3), &with(&[[0, 0]]), 0.0)
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
    let disc = Tensor::<3>::from_data(TensorData::new((0..169).map(disc).collect::<Vec<_>>(), [1, 13, 13]), &cpu());
    let amplitudes = |detector: usize| {
        // orthonormal transforms, and D / N for the smaller image
        let scale = (detector * detector) as f64 / (n * n) as f64;
        let apertures = SubApertures { centres: vec![[5, -7]], detector, scale, transform: Direction::Inverse };
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
