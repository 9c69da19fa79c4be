//! Own operations against their references, which are Burn's where Burn has the operation.
//!
//! `cargo bench --bench kernels`; ids are operation/shape/dtype/device, with `reference` for the device where the reference runs
//! on the CPU. Every closure ends with a result on the CPU.

use std::{hint::black_box, time::Duration};

use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};
use cupel::{
    burn::tensor::{DType, Device, Tensor, TensorData},
    data::{Complex, Stream},
    kernels::{
        Direction, Likelihood, LowRank, Measured, Noise, PieSweep, Projection, SubApertures, Transform, bi_interaction,
        gram_pairs, mean_fixed, mixture_log_likelihood, ms_ssim, philox_normal, pie_sweep, project_low_rank,
        project_out, rfft2, set_own_kernels, ssim, sub_aperture_amplitudes, sub_aperture_likelihood, sum_fixed,
    },
    train::device,
};
use rayon::prelude::*;

/// Tensors come and go in large blocks, which are used again.
#[global_allocator]
static MEMORY: cupel::kernels::Recycling = cupel::kernels::Recycling::new();

fn cpu() -> Device {
    device::select("cpu").expect("there is a CPU").device
}

fn normal<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    let mut values = vec![0.0f32; shape.iter().product()];
    Stream::new(0, "bench").fill_normal(&mut values);
    Tensor::from_data(TensorData::new(values, shape), (device, DType::F32))
}

/// Measures `work` with own kernels and without.
fn both(group: &mut BenchmarkGroup<'_, WallTime>, shape: &str, mut work: impl FnMut()) {
    for (on, device) in [(true, "cpu"), (false, "reference")] {
        set_own_kernels(on);
        group.bench_function(BenchmarkId::from_parameter(format!("{shape}/f32/{device}")), |b| b.iter(&mut work));
    }
    set_own_kernels(true);
}

fn sums(c: &mut Criterion) {
    let mut group = c.benchmark_group("sum_and_mean");
    let x = normal([8, 1024, 1024], &cpu());
    group.throughput(Throughput::Bytes((2 * 4 * 8) << 20));
    both(&mut group, "8x1024x1024", || {
        black_box(sum_fixed(x.clone()).into_scalar::<f32>() + mean_fixed(x.clone()).into_scalar::<f32>());
    });
    group.finish();
}

fn transforms(c: &mut Criterion) {
    let mut group = c.benchmark_group("rfft2");
    for side in [256, 1000, 1024] {
        let x = normal([side, side], &cpu());
        group.throughput(Throughput::Elements((side * side) as u64));
        both(&mut group, &format!("{side}x{side}"), || {
            black_box(rfft2(x.clone()));
        });
    }
    group.finish();
    let mut group = c.benchmark_group("rfft2_forward_and_backward");
    let x = normal([1024, 1024], &cpu().autodiff()).require_grad();
    both(&mut group, "1024x1024", || {
        let (re, im) = rfft2(x.clone());
        let gradients = (re.clone() * re + im.clone() * im).sum().backward();
        black_box(x.grad(&gradients));
    });
    group.finish();
}

fn similarity(c: &mut Criterion) {
    let mut group = c.benchmark_group("ssim");
    let (x, y) = (normal([1, 1, 1024, 1024], &cpu()), normal([1, 1, 1024, 1024], &cpu()) * 0.5);
    group.throughput(Throughput::Elements(1 << 20));
    both(&mut group, "1x1x1024x1024", || {
        black_box(ssim(x.clone(), y.clone(), 1.0));
    });
    group.finish();
    let mut group = c.benchmark_group("ssim_forward_and_backward");
    let (x, y) = (Tensor::from_inner(x).require_grad(), Tensor::from_inner(y));
    both(&mut group, "1x1x1024x1024", || {
        let gradients = ssim(x.clone(), y.clone(), 1.0).sum().backward();
        black_box(x.grad(&gradients));
    });
    both(&mut group, "5_scales_1x1x1024x1024", || {
        let gradients = ms_ssim(x.clone(), y.clone(), 1.0).sum().backward();
        black_box(x.grad(&gradients));
    });
    group.finish();
}

fn interactions(c: &mut Criterion) {
    for shape in [[1024, 4, 384], [256, 8, 64]] {
        let [samples, fields, dimension] = shape;
        let name = format!("{samples}x{fields}x{dimension}");
        let x = normal(shape, &cpu().autodiff()).require_grad();
        let mut group = c.benchmark_group("gram_pairs_forward_and_backward");
        both(&mut group, &name, || {
            let gradients = gram_pairs(x.clone()).sum().backward();
            black_box(x.grad(&gradients));
        });
        group.finish();
        let mut group = c.benchmark_group("bi_interaction_forward_and_backward");
        both(&mut group, &name, || {
            let gradients = bi_interaction(x.clone()).sum().backward();
            black_box(x.grad(&gradients));
        });
        group.finish();
    }
}

fn mixtures(c: &mut Criterion) {
    let mut group = c.benchmark_group("mixture_log_likelihood_forward_and_backward");
    let device = cpu().autodiff();
    for [pixels, bands, endmembers] in [[500, 156, 3], [9025, 156, 3], [10_000, 198, 4]] {
        let observations = normal([pixels, bands], &device);
        let logits = normal([pixels, endmembers], &device).require_grad();
        let spectra = normal([endmembers, bands], &device).require_grad();
        let brightness = normal([pixels], &device).require_grad();
        let log_noise = normal([1], &device).require_grad();
        group.throughput(Throughput::Elements((pixels * bands) as u64));
        both(&mut group, &format!("{pixels}x{bands}x{endmembers}"), || {
            let sum = mixture_log_likelihood(
                observations.clone(),
                logits.clone(),
                spectra.clone(),
                Some(brightness.clone()),
                log_noise.clone(),
            );
            let gradients = sum.backward();
            black_box((logits.grad(&gradients), spectra.grad(&gradients)));
        });
    }
    group.finish();
}

fn projections(c: &mut Criterion) {
    let mut group = c.benchmark_group("project_out");
    // two skies of 48 baselines, 128 channels and 8 chunks of 128 right ascensions
    let x = normal([2, 48, 128, 8, 128], &cpu());
    let (complement, offset) = (normal([128, 128], &cpu()), normal([128], &cpu()));
    let noise = Noise { amplitude: 1e-7, key: [1, 2], counter: [3, 4] };
    group.throughput(Throughput::Elements((2 * 48 * 128) << 10));
    for (name, noise) in [("2x48x128x8x128", None), ("with_noise_2x48x128x8x128", Some(noise))] {
        let how = Projection { order: [0, 3, 1, 4, 2], scale: 1e5, noise, ..Projection::along(2) };
        both(&mut group, name, || {
            let out = project_out(x.clone(), complement.clone(), offset.clone(), how);
            black_box(out.into_data()); // row-major: of a view in another order, the copy is part of the work
        });
    }
    group.finish();
}

/// Orthonormal modes over channels: cosines.
fn cosines(modes: usize, channels: usize) -> Vec<Vec<f64>> {
    let angle = |m: usize, k: usize| std::f64::consts::PI * (m + 1) as f64 * (k as f64 + 0.5) / channels as f64;
    let mode = |m| (0..channels).map(|k| (2.0 / channels as f64).sqrt() * angle(m, k).cos()).collect();
    (0..modes).map(mode).collect()
}

fn low_rank_projections(c: &mut Criterion) {
    let modes = LowRank::real(&cosines(7, 128), &[0.1; 128]);
    let mut group = c.benchmark_group("project_low_rank");
    let lines = normal([49_152, 128], &cpu());
    group.throughput(Throughput::Elements(49_152 * 128));
    both(&mut group, "49152x128_7_modes", || {
        black_box(project_low_rank(lines.clone(), &modes, Projection::along(1)));
    });
    let complex: Vec<Vec<_>> =
        cosines(7, 128).iter().map(|mode| mode.iter().map(|value| Complex::new(*value, 0.0)).collect()).collect();
    let hermitian = LowRank::hermitian(&complex, &[Complex::new(0.1, -0.1); 128]);
    let paired = lines.clone().reshape([24_576, 128, 2]);
    both(&mut group, "24576x128x2_7_hermitian_modes", || {
        black_box(project_low_rank(paired.clone(), &hermitian, Projection::along(1)));
    });
    // what memory alone takes: the same values to another place, by the same threads
    let values = lines.into_data().try_into_vec::<f32>().expect("values of f32");
    group.bench_function(BenchmarkId::from_parameter("49152x128_copy/f32/cpu"), |b| {
        let mut copy = vec![0.0f32; values.len()];
        b.iter(|| {
            let chunks = copy.par_chunks_mut(1 << 16).zip(values.par_chunks(1 << 16));
            chunks.for_each(|(copy, values)| copy.copy_from_slice(values));
            black_box(&mut copy);
        });
    });
    group.finish();

    // a sky of 48 baselines, 128 channels and 4 chunks of 128 right ascensions, real and imaginary, and the signal in it
    let mut group = c.benchmark_group("preprocess");
    let shape = [1, 48, 128, 4, 128, 2];
    let (x, y) = (normal(shape, &cpu()), normal(shape, &cpu()));
    let noise = Noise { amplitude: 1e-7, key: [1, 2], counter: [3, 4] };
    let none = LowRank::none(128);
    group.throughput(Throughput::Elements(shape.iter().product::<usize>() as u64));
    for (name, noise, transform) in [
        ("1x48x128x4x128x2", None, Transform::Linear),
        ("with_noise_1x48x128x4x128x2", Some(noise), Transform::Linear),
        ("with_noise_arcsinh_1x48x128x4x128x2", Some(noise), Transform::Arcsinh),
    ] {
        // [batch, chunk, part, right ascension, channel, baseline]
        let how = Projection { order: [0, 3, 5, 4, 2, 1], scale: 1e5, transform, noise, ..Projection::along(2) };
        both(&mut group, name, || {
            let cleaned = project_low_rank(x.clone(), &modes, how);
            let signal = project_low_rank(y.clone(), &none, Projection { noise: None, ..how });
            // row-major: of a view in another order, the copy is part of the work
            black_box((cleaned.into_data(), signal.into_data()));
        });
    }
    group.finish();
}

fn apertures(c: &mut Criterion) {
    let mut group = c.benchmark_group("sub_aperture_amplitudes_forward_and_backward");
    let device = cpu().autodiff();
    let spectrum = || normal([1024, 1024], &device).require_grad();
    let (spectrum, pupil) = ((spectrum(), spectrum()), (normal([1, 41, 41], &device), normal([1, 41, 41], &device)));
    let centres = (0..100).map(|i| [i * 3 - 150, (i * 37) % 200 - 100]).collect();
    let apertures = SubApertures { centres, detector: 128, scale: 16.0, transform: Direction::Inverse };
    both(&mut group, "1024x1024_100x41x41_128x128", || {
        let amplitudes = sub_aperture_amplitudes(spectrum.clone(), pupil.clone(), &apertures, 1e-8);
        let gradients = amplitudes.sum().backward();
        black_box(spectrum.0.grad(&gradients));
    });
    group.finish();
}

/// 48 windows of 21 x 21 of a spectrum of 128 x 128, as of a telescope that visits 48 places.
fn likelihoods(c: &mut Criterion) {
    let device = cpu().autodiff();
    for detector in [64, 128] {
        let spectrum = || normal([128, 128], &device).require_grad();
        let (spectrum, pupil) =
            ((spectrum(), spectrum()), (normal([1, 21, 21], &device), normal([1, 21, 21], &device)));
        let centres = (0..48).map(|i| [(i * 37) % 107 - 53, (i * 71) % 107 - 53]).collect();
        let scale = (detector * detector) as f64 / 128.0;
        let apertures = SubApertures { centres, detector, scale, transform: Direction::Inverse };
        let data = normal([48, detector, detector], &cpu()).square();
        let measured = Measured { data, weight: None, modes: 1 };
        let (flux, background) = (Tensor::ones([48], &device), Tensor::zeros([48], &device));
        let name = format!("128x128_48x21x21_{detector}x{detector}");
        let mut group = c.benchmark_group("sub_aperture_likelihood_forward_and_backward");
        for (of, likelihood) in
            [("amplitude", Likelihood::Amplitude { epsilon: 1e-8 }), ("poisson", Likelihood::Poisson { variance: 1.0 })]
        {
            both(&mut group, &format!("{of}_{name}"), || {
                let value = sub_aperture_likelihood(
                    spectrum.clone(),
                    pupil.clone(),
                    &measured,
                    flux.clone(),
                    background.clone(),
                    &apertures,
                    likelihood,
                );
                black_box(spectrum.0.grad(&value.sum().backward()));
            });
        }
        group.finish();
        let mut group = c.benchmark_group("pie_sweep");
        let inner = |(re, im): &(Tensor<2>, Tensor<2>)| (re.clone().inner(), im.clone().inner());
        let order = (0..48).collect();
        let sweep = PieSweep { order, plane_step: 1.0, pupil_step: Some(0.5), regularisation: [1.0; 2] };
        both(&mut group, &name, || {
            let brightness = (flux.clone(), background.clone());
            black_box(pie_sweep(inner(&spectrum), pupil.clone(), &measured, brightness, &apertures, &sweep));
        });
        group.finish();
    }
}

fn random_numbers(c: &mut Criterion) {
    let mut group = c.benchmark_group("philox_normal");
    group.throughput(Throughput::Elements(1 << 20));
    let (device, (key, counter)) = (cpu(), Stream::new(0, "bench").philox());
    group.bench_function(BenchmarkId::from_parameter("1024x1024/f32/cpu"), |b| {
        b.iter(|| black_box(philox_normal([1024, 1024], key, counter, &device)));
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(3));
    targets = sums, transforms, random_numbers, similarity, interactions, mixtures, likelihoods, projections, low_rank_projections,
        apertures
}
criterion_main!(benches);
