//! Few modes taken out along an axis, with sums in f64.

use crate::checks::{Operation, close, cpu, normal, own_kernels_stay, panics, values};
use burn::tensor::{DType, Tensor, TensorData};
use cupel_data::{Complex, Stream};
use cupel_kernels::{LowRank, Noise, Projection, Transform, project_low_rank, project_out, reference};
use std::path::{Path, PathBuf};

/// Orthonormal real modes: cosines.
fn cosines(modes: usize, channels: usize) -> Vec<Vec<f64>> {
    let angle = |m: usize, k: usize| std::f64::consts::PI * (m + 1) as f64 * (k as f64 + 0.5) / channels as f64;
    let mode = |m| (0..channels).map(|k| (2.0 / channels as f64).sqrt() * angle(m, k).cos()).collect();
    (0..modes).map(mode).collect()
}

/// Orthonormal complex modes: Fourier's.
fn waves(modes: usize, channels: usize) -> Vec<Vec<Complex<f64>>> {
    let turn = |m: usize, k: usize| std::f64::consts::TAU * (m * k) as f64 / channels as f64;
    let mode = |m| (0..channels).map(|k| Complex::from_polar((channels as f64).sqrt().recip(), turn(m, k))).collect();
    (0..modes).map(mode).collect()
}

fn real(modes: usize, channels: usize) -> LowRank {
    let offset: Vec<f64> = (0..channels).map(|k| (k as f64).sin()).collect();
    LowRank::real(&cosines(modes, channels), &offset)
}

fn hermitian(modes: usize, channels: usize) -> LowRank {
    let offset: Vec<_> = (0..channels).map(|k| Complex::new((k as f64).sin(), (k as f64).cos())).collect();
    LowRank::hermitian(&waves(modes, channels), &offset)
}

fn operation<const D: usize>(shape: [usize; D], low_rank: LowRank, how: Projection<D>) -> Operation {
    let count = shape.iter().product();
    let name = format!("project_low_rank of {shape:?}, {} modes, {how:?}", low_rank.modes());
    let modes = low_rank.clone();
    Operation::new(
        name,
        &[count],
        move |x| vec![project_low_rank(x[0].clone().reshape(shape), &modes, how).reshape([count])],
        move |x| vec![reference::project_low_rank(x[0].clone().reshape(shape), &low_rank, how).reshape([count])],
    )
}

fn along<const D: usize>(axis: usize, order: [usize; D]) -> Projection<D> {
    Projection { scale: 2.5, order, ..Projection::along(axis) }
}

fn operations() -> Vec<Operation> {
    let noise = Some(Noise { amplitude: 0.3, key: [3, 1], counter: [4, 1] });
    let arcsinh = Transform::Arcsinh;
    vec![
        // lines whose values lie together
        operation([4], real(1, 4), Projection::along(0)),
        operation([70, 33], real(7, 33), along(1, [0, 1])),
        operation([5, 7, 19], real(3, 19), along(2, [2, 1, 0])),
        operation([5, 40, 19], real(11, 19), Projection { noise, transform: arcsinh, ..along(2, [0, 2, 1]) }),
        // lines beside each other
        operation([3, 5, 7], real(2, 5), along(1, [0, 2, 1])),
        operation([2, 130, 3, 11], real(0, 130), along(1, [3, 2, 0, 1])),
        operation([4, 17, 101], real(9, 17), along(1, [0, 1, 2])),
        operation([19, 17, 101], real(9, 17), along(1, [1, 2, 0])),
        operation([6, 3, 5, 2], real(2, 5), along(2, [3, 0, 2, 1])),
        // visibilities: [batch, baseline, frequency, chunk, right ascension, part]
        operation([2, 18, 20, 2, 9, 2], real(4, 20), Projection { noise, ..along(2, [0, 3, 5, 4, 2, 1]) }),
        operation([3, 20, 50], real(2, 20), Projection { noise, transform: arcsinh, ..along(1, [0, 2, 1]) }),
        operation([1, 8, 1, 70, 1], real(2, 8), along(1, [3, 0, 4, 1, 2])),
        // complex values
        operation([7, 2], hermitian(2, 7), Projection::along(0)),
        operation([40, 7, 2], hermitian(3, 7), Projection { noise, ..along(1, [2, 0, 1]) }),
        operation([2, 18, 20, 2, 9, 2], hermitian(4, 20), Projection { noise, ..along(2, [0, 3, 5, 4, 2, 1]) }),
        operation([3, 12, 80, 2], hermitian(5, 12), Projection { transform: arcsinh, ..along(1, [3, 2, 1, 0]) }),
    ]
}

#[test]
fn projections_pass_every_check() {
    operations().iter().for_each(Operation::passes);
}

#[test]
fn projections_are_their_reference_when_off() {
    operations().iter().for_each(Operation::is_its_reference_when_off);
}

fn tensor<const D: usize>(numbers: &[f64], shape: [usize; D]) -> Tensor<D> {
    let numbers: Vec<f32> = numbers.iter().map(|number| *number as f32).collect();
    Tensor::from_data(TensorData::new(numbers, shape), (&cpu(), DType::F32))
}

/// `V` made orthonormal by Gram and Schmidt, twice.
fn orthonormal(mut vectors: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    for i in 0..vectors.len() {
        let (done, rest) = vectors.split_at_mut(i);
        for _ in 0..2 {
            for other in &*done {
                let part: f64 = other.iter().zip(&rest[0]).map(|(a, b)| a * b).sum();
                rest[0].iter_mut().zip(other).for_each(|(value, other)| *value -= part * other);
            }
            let norm = rest[0].iter().map(|value| value * value).sum::<f64>().sqrt();
            rest[0].iter_mut().for_each(|value| *value /= norm);
        }
    }
    vectors
}

/// The root mean square of a difference as a share of that of the second.
fn share(got: &[f64], expected: &[f64]) -> f64 {
    let sum = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>();
    (sum(&mut got.iter().zip(expected).map(|(a, b)| a - b)) / sum(&mut expected.iter().copied())).sqrt()
}

/// What is left of smooth foregrounds that are many times the signal: the low rank is as good as f64 on the same values, one product in f32 is not.
#[test]
fn sums_are_those_of_f64_under_foregrounds_of_any_size() {
    const CHANNELS: usize = 64;
    let _on = own_kernels_stay();
    let lines = 500;
    let spectra: Vec<Vec<f64>> = (0..4)
        .map(|i| (0..CHANNELS).map(|k| (1.0 + k as f64 / 128.0).powf(-2.7 + 0.1 * f64::from(i))).collect())
        .collect();
    let modes = orthonormal(spectra.clone());
    for (size, dense_error) in [(1e4, 1.2e-3), (1e6, 0.12)] {
        let amplitudes = normal(Stream::new(5, "foregrounds"), 4 * lines);
        let mut x = normal(Stream::new(5, "signal"), CHANNELS * lines);
        for (line, amplitudes) in x.chunks_exact_mut(CHANNELS).zip(amplitudes.chunks_exact(4)) {
            for (amplitude, spectrum) in amplitudes.iter().zip(&spectra) {
                line.iter_mut().zip(spectrum).for_each(|(value, spectrum)| *value += size * amplitude * spectrum);
            }
        }
        let x: Vec<f64> = x.iter().map(|value| f64::from(*value as f32)).collect();
        let offset: Vec<f64> =
            spectra[0].iter().enumerate().map(|(k, value)| size * value + (k as f64).sin()).collect();
        let mut expected: Vec<f64> = x.iter().zip(offset.iter().cycle()).map(|(x, offset)| x - offset).collect();
        for line in expected.chunks_exact_mut(CHANNELS) {
            let parts: Vec<f64> =
                modes.iter().map(|mode| mode.iter().zip(&*line).map(|(a, b)| a * b).sum::<f64>()).collect();
            for (part, mode) in parts.iter().zip(&modes) {
                line.iter_mut().zip(mode).for_each(|(value, mode)| *value -= part * mode);
            }
        }
        let low_rank = LowRank::real(&modes, &offset);
        let by_rows = tensor(&x, [lines, CHANNELS]);
        let rows = project_low_rank(by_rows.clone(), &low_rank, Projection::along(1));
        // the same lines beside each other in memory
        let by_columns = tensor(&values(&by_rows.clone().transpose()), [CHANNELS, lines]);
        let columns = project_low_rank(by_columns, &low_rank, Projection { order: [1, 0], ..Projection::along(0) });
        for got in [rows, columns] {
            let error = share(&values(&got), &expected);
            assert!(error <= 1e-6, "foregrounds of {size:e}: {error:.1e}");
        }
        let mut complement: Vec<f64> = (0..CHANNELS * CHANNELS).map(|i| f64::from(i % (CHANNELS + 1) == 0)).collect();
        for mode in &modes {
            for (i, cell) in complement.iter_mut().enumerate() {
                *cell -= mode[i / CHANNELS] * mode[i % CHANNELS];
            }
        }
        let (complement, offset) = (tensor(&complement, [CHANNELS; 2]), tensor(&offset, [CHANNELS]));
        let dense = share(&values(&project_out(by_rows, complement, offset, Projection::along(1))), &expected);
        assert!(dense > 1e-5 && dense <= dense_error, "foregrounds of {size:e}: {dense:.1e} by one product");
    }
}

fn laws<const D: usize>(shape: [usize; D], low_rank: &LowRank, axis: usize) {
    let count = shape.iter().product();
    let [x, y] = ["x", "y"].map(|name| tensor(&normal(Stream::new(6, name), count), shape));
    let project = |x: Tensor<D>| project_low_rank(x, low_rank, Projection::along(axis));
    let once = project(x.clone());
    close("twice is once", &values(&project(once.clone())), &values(&once), 1e-6);
    let product = |a: &Tensor<D>, b: &Tensor<D>| values(a).iter().zip(values(b)).map(|(a, b)| a * b).sum::<f64>();
    let (left, right) = (product(&once, &y), product(&x, &project(y.clone())));
    let size = (product(&x, &x) * product(&y, &y)).sqrt();
    assert!((left - right).abs() <= 1e-6 * size, "<P x, y> = {left}, <x, P y> = {right}");
    let gone = values(&project(x.clone() - once));
    assert!(gone.iter().all(|value| value.abs() < 1e-6), "what was taken out has nothing left");
}

#[test]
fn projections_are_idempotent_and_their_own_adjoint() {
    let _on = own_kernels_stay();
    laws([60, 24], &LowRank::real(&cosines(5, 24), &[0.0; 24]), 1);
    laws([5, 24, 70], &LowRank::real(&cosines(5, 24), &[0.0; 24]), 1);
    laws([60, 24, 2], &LowRank::hermitian(&waves(5, 24), &[Complex::ZERO; 24]), 1);
    laws([3, 24, 70, 2], &LowRank::hermitian(&waves(5, 24), &[Complex::ZERO; 24]), 1);
}

/// Hermitian modes take `D - (D V*) V^T`: what is left of a wave that is one of them is nothing, and its conjugate stays.
#[test]
fn hermitian_modes_tell_a_wave_from_its_conjugate() {
    let _on = own_kernels_stay();
    let low_rank = LowRank::hermitian(&waves(3, 16)[2..], &[Complex::ZERO; 16]);
    let wave = &waves(3, 16)[2];
    let left = |sign: f64| {
        let parts: Vec<f64> = wave.iter().flat_map(|value| [value.re, sign * value.im]).collect();
        let y = project_low_rank(tensor(&parts, [1, 16, 2]), &low_rank, Projection::along(1));
        (parts, values(&y))
    };
    assert!(left(1.0).1.iter().all(|value| value.abs() < 1e-7));
    let (conjugate, stays) = left(-1.0);
    close("the conjugate", &stays, &conjugate, 1e-6);
}

/// The bits of the noise are those of `project_out`, whatever the layout.
#[test]
fn noise_is_that_of_project_out() {
    let _on = own_kernels_stay();
    let noise = Some(Noise { amplitude: 2.0, key: [7, 8], counter: [9, 10] });
    for (axis, order) in [(2, [0, 1, 2]), (1, [2, 0, 1]), (0, [1, 2, 0]), (1, [0, 2, 1])] {
        let shape = [37, 29, 31];
        let (channels, zeros) = (shape[axis], Tensor::<3>::zeros(shape, (&cpu(), DType::F32)));
        let how = Projection { order, noise, ..Projection::along(axis) };
        let low_rank = project_low_rank(zeros.clone(), &LowRank::none(channels), how);
        let device = cpu();
        let dense = project_out(zeros, Tensor::eye(channels, &device), Tensor::zeros([channels], &device), how);
        assert!(values(&low_rank) == values(&dense), "axis {axis} in the order {order:?}");
    }
}

/// Large cubes have many tiles of each kind, and the modes that are taken out one after another are those taken out together.
#[test]
fn modes_one_by_one_are_modes_together() {
    let _on = own_kernels_stay();
    for (shape, axis) in [([3000, 37, 1], 1), ([20, 37, 150], 1), ([50, 37, 3], 1)] {
        let x = tensor(&normal(Stream::new(7, "x"), shape.iter().product()), shape);
        let modes = cosines(9, 37);
        let how = Projection::along(axis);
        let together = project_low_rank(x.clone(), &LowRank::real(&modes, &[0.0; 37]), how);
        let one_by_one = modes
            .iter()
            .fold(x, |x, mode| project_low_rank(x, &LowRank::real(std::slice::from_ref(mode), &[0.0; 37]), how));
        close("one by one", &values(&one_by_one), &values(&together), 1e-6);
    }
}

#[test]
fn transforms_are_taken_back() {
    let device = cpu();
    let x = Tensor::<1>::from_floats([-1e3, -1.0, -1e-6, 0.0, 1e-6, 0.5, 20.0, 1e3], &device);
    for transform in [Transform::Linear, Transform::Arcsinh] {
        let back = values(&transform.invert(transform.apply(x.clone())));
        let exact = values(&x);
        assert!(back.iter().zip(&exact).all(|(got, x)| (got - x).abs() <= 2e-6 * x.abs()), "{transform:?}: {back:?}");
    }
}

#[test]
fn nothing_gives_nothing() {
    let empty = Tensor::<3>::zeros([0, 5, 3], &cpu());
    let how = Projection { order: [1, 2, 0], ..Projection::along(1) };
    assert_eq!(project_low_rank(empty, &LowRank::none(5), how).dims(), [5, 3, 0]);
}

#[test]
fn what_does_not_fit_is_named() {
    let device = cpu();
    let x = || Tensor::<2>::zeros([4, 3], &device);
    panics("project_low_rank: axis 2 of a tensor of rank 2", || {
        project_low_rank(x(), &LowRank::none(3), Projection::along(2))
    });
    panics("project_low_rank: [1, 1] is no order of 2 axes", || {
        project_low_rank(x(), &LowRank::none(3), Projection { order: [1, 1], ..Projection::along(1) })
    });
    panics("project_low_rank: axis 0 has 4 values, the modes have 3 channels", || {
        project_low_rank(x(), &LowRank::none(3), Projection::along(0))
    });
    panics("LowRank: mode 1 has 2 channels, the offset has 3", || {
        LowRank::real(&[vec![0.0; 3], vec![0.0; 2]], &[0.0; 3])
    });
    let complex = LowRank::hermitian(&[], &[Complex::ZERO; 4]);
    let text = |dims: &str, axis| {
        format!(
            "project_low_rank: Hermitian modes take real and imaginary parts along a last axis of 2 values, not {dims} \
             along axis {axis}"
        )
    };
    panics(&text("[4, 3]", 0), || project_low_rank(x(), &complex, Projection::along(0)));
    let pair = LowRank::hermitian(&[], &[Complex::ZERO; 2]);
    panics(&text("[3, 2]", 1), || project_low_rank(Tensor::<2>::zeros([3, 2], &device), &pair, Projection::along(1)));
}

/// Values of one of the arrays made beside PyTorch, which are looked for in `CUPEL_DATA`, or in `../shared/data` beside the workspace.
fn golden(name: &str) -> Option<Vec<f64>> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let data = std::env::var_os("CUPEL_DATA").map_or_else(beside, PathBuf::from);
    let path = data.join("cosmology/golden").join(name).with_extension("npy");
    let Ok(bytes) = std::fs::read(&path) else {
        eprintln!("SKIPPED: there is no {}; set CUPEL_DATA to the folder that holds cosmology/", path.display());
        return None;
    };
    // version 1 of the format; of complex values both numbers. Modes, `[channel, mode]`, are column-major: mode after mode.
    let start = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = String::from_utf8_lossy(&bytes[10..start]);
    let by_columns = header.contains("'fortran_order': True");
    assert!(bytes[6] == 1 && by_columns == name.ends_with("_V"), "{header}");
    let body = &bytes[start..];
    Some(if header.contains("<f4") || header.contains("<c8") {
        body.as_chunks().0.iter().map(|bytes| f64::from(f32::from_le_bytes(*bytes))).collect()
    } else {
        body.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()
    })
}

/// Two skies of 8 baselines, 32 channels and 2 chunks of 16 right ascensions as a network takes them.
#[test]
fn golden_visibilities_are_prepared_as_by_pytorch() {
    let _on = own_kernels_stay();
    let names = ["vis_x", "vis_y", "pca_mean", "pca_V", "prep_x_linear", "prep_y_linear"];
    let Some([x, y, mean, basis, x_linear, y_linear]) = names
        .map(golden)
        .into_iter()
        .collect::<Option<Vec<_>>>()
        .map(|arrays| <[Vec<f64>; 6]>::try_from(arrays).unwrap())
    else {
        return;
    };
    let (Some(x_arcsinh), Some(y_arcsinh)) = (golden("prep_x_arcsinh_residual"), golden("prep_y_arcsinh_residual"))
    else {
        return;
    };
    let shape = [2, 8, 32, 2, 16, 2];
    let modes: Vec<Vec<f64>> = basis.chunks_exact(32).map(<[f64]>::to_vec).collect();
    let how = |transform| Projection { order: [0, 3, 5, 4, 2, 1], scale: 1e5, transform, ..Projection::along(2) };
    let cleaned =
        |transform| values(&project_low_rank(tensor(&x, shape), &LowRank::real(&modes, &mean), how(transform)));
    let target = |transform| values(&project_low_rank(tensor(&y, shape), &LowRank::none(32), how(transform)));
    // PyTorch worked in f32, where the foregrounds are 10^6 times what is left: it is right to a few roundings of the largest value
    let rounding = 4.0 * f64::from(f32::EPSILON) * 1e5 * x.iter().fold(0.0, |largest: f64, x| largest.max(x.abs()));
    let got = cleaned(Transform::Linear);
    let error = got.iter().zip(&x_linear).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(got.len() == x_linear.len() && error <= rounding, "{error} beside {rounding}");
    // the same in f64
    let mut expected = vec![0.0; got.len()];
    for line in 0..x.len() / 32 {
        let (sky, rest) = (line / 512, line % 512);
        let (baseline, ascension, part) = (rest / 64, rest / 2 % 32, rest % 2);
        let at = |k: usize| (((sky * 8 + baseline) * 32 + k) * 32 + ascension) * 2 + part;
        let values: Vec<f64> = (0..32).map(|k| f64::from(x[at(k)] as f32) - mean[k]).collect();
        for k in 0..32 {
            let taken: f64 =
                modes.iter().map(|mode| mode[k] * mode.iter().zip(&values).map(|(a, b)| a * b).sum::<f64>()).sum();
            let chunk = sky * 2 + ascension / 16;
            expected[(((chunk * 2 + part) * 16 + ascension % 16) * 32 + k) * 8 + baseline] = 1e5 * (values[k] - taken);
        }
    }
    close("cleaned", &got, &expected, 1e-6);
    let sines: Vec<f64> = expected.iter().map(|value| value.asinh()).collect();
    close("cleaned, arcsinh", &cleaned(Transform::Arcsinh), &sines, 1e-6);
    close("signal", &target(Transform::Linear), &y_linear, 1e-5);
    // the golden residual is what the network has to add
    let signal: Vec<f64> = x_arcsinh.iter().zip(&y_arcsinh).map(|(x, y)| x + y).collect();
    close("signal, arcsinh", &target(Transform::Arcsinh), &signal, 1e-5);
    let transformed = values(&Transform::Arcsinh.apply(tensor(&x_linear, [x_linear.len()])));
    close("arcsinh", &transformed, &x_arcsinh, 1e-5);
}

/// The complex residual of the same skies, in f64 by PyTorch.
#[test]
fn golden_hermitian_modes_leave_what_pytorch_leaves() {
    let _on = own_kernels_stay();
    let (Some(x), Some(mean), Some(basis), Some(clean)) =
        (golden("vis_x"), golden("cpca_mean"), golden("cpca_V"), golden("cpca_clean"))
    else {
        return;
    };
    let complex = |numbers: &[f64]| numbers.as_chunks().0.iter().map(|[re, im]| Complex::new(*re, *im)).collect();
    let (mean, basis): (Vec<Complex<f64>>, Vec<Complex<f64>>) = (complex(&mean), complex(&basis));
    let modes: Vec<_> = basis.chunks_exact(32).map(<[_]>::to_vec).collect();
    let low_rank = LowRank::hermitian(&modes, &mean);
    // [sky, baseline, frequency, right ascension, part] to [sky, right ascension, baseline, frequency, part]
    let how = Projection { order: [0, 3, 1, 2, 4], ..Projection::along(2) };
    let got = project_low_rank(tensor(&x, [2, 8, 32, 32, 2]), &low_rank, how);
    close("cleaned", &values(&got), &clean, 1e-5);
}
