//! Mean and covariance of a scene's spectra, and the eigenvectors of the result.
//!
//! `cargo bench --bench covariance`; ids are operation/shape/dtype/device.

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use cupel::{
    data::{Axes, Axis, AxisKind, Complex, Cube, Stream},
    pca::{Covariance, Modes},
};

/// Pixels and bands of Samson, Jasper Ridge and Urban.
const SHAPES: [(usize, usize); 3] = [(9025, 156), (10_000, 198), (94_249, 162)];

fn normal(pixels: usize, bands: usize) -> Cube<f32> {
    let mut values = vec![0.0f32; pixels * bands];
    Stream::new(1, "covariance bench").fill_normal(&mut values);
    let axes = Axes::new(vec![Axis::new(AxisKind::Sample, pixels), Axis::new(AxisKind::Wavelength, bands)]);
    axes.and_then(|axes| Cube::new(values, axes)).expect("a cube of these axes")
}

fn covariance(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("covariance");
    group.sample_size(20);
    for (pixels, bands) in SHAPES {
        let (cube, band) = (normal(pixels, bands), Axis::new(AxisKind::Wavelength, bands));
        group.throughput(Throughput::Bytes((pixels * bands * size_of::<f32>()) as u64));
        group.bench_function(BenchmarkId::from_parameter(format!("{pixels}x{bands}/f32/cpu")), |bencher| {
            bencher.iter_batched(
                || Covariance::new(&band),
                |mut covariance| {
                    covariance.update(black_box(&cube)).expect("finite values");
                    covariance
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

/// Visibilities of a channel grid as wide as an interferometer's.
const VISIBILITIES: (usize, usize) = (49_152, 128);

fn complex(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("covariance");
    group.sample_size(20);
    let (samples, channels) = VISIBILITIES;
    let (real, band) = (normal(samples, channels), Axis::new(AxisKind::Wavelength, channels));
    let cube = real.map(|&value| Complex::new(value, -0.5 * value));
    group.throughput(Throughput::Bytes((samples * channels * size_of::<Complex<f32>>()) as u64));
    for (form, empty) in [("stacked", Covariance::new(&band)), ("hermitian", Covariance::hermitian(&band))] {
        group.bench_function(BenchmarkId::new(form, format!("{samples}x{channels}/complex64/cpu")), |bencher| {
            bencher.iter_batched(
                || empty.clone(),
                |mut covariance| {
                    covariance.update(black_box(&cube)).expect("finite values");
                    covariance
                },
                BatchSize::SmallInput,
            );
        });
    }
    let weights = real.map(|&value| f32::from(u8::from(value > -1.0)));
    group.throughput(Throughput::Bytes((samples * channels * size_of::<f32>()) as u64));
    group.bench_function(BenchmarkId::new("weighted", format!("{samples}x{channels}/f32/cpu")), |bencher| {
        bencher.iter_batched(
            || Covariance::new(&band),
            |mut covariance| {
                covariance.update_weighted(black_box(&real), &weights).expect("finite values");
                covariance
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn eigen(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("eigen");
    group.sample_size(20);
    let channels = VISIBILITIES.1;
    let cube = normal(4 * channels, channels).map(|&value| Complex::new(value, -0.5 * value));
    let band = Axis::new(AxisKind::Wavelength, channels);
    for (form, mut covariance) in [("real", Covariance::new(&band)), ("hermitian", Covariance::hermitian(&band))] {
        covariance.update(&cube).expect("finite values");
        group.bench_function(BenchmarkId::new(form, format!("{channels}x{channels}/f64/cpu")), |bencher| {
            bencher.iter(|| black_box(&covariance).components(Modes::MarchenkoPastur).expect("enough samples"));
        });
    }
    group.finish();
}

fn components(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("components");
    group.sample_size(20);
    for (pixels, bands) in [SHAPES[0], SHAPES[1]] {
        let mut covariance = Covariance::new(&Axis::new(AxisKind::Wavelength, bands));
        covariance.update(&normal(pixels, bands)).expect("finite values");
        group.throughput(Throughput::Elements(bands as u64));
        group.bench_function(BenchmarkId::from_parameter(format!("{bands}x{bands}/f64/cpu")), |bencher| {
            bencher.iter(|| black_box(&covariance).components(Modes::Count(10)).expect("enough samples"));
        });
    }
    group.finish();
}

criterion_group!(benches, covariance, complex, components, eigen);
criterion_main!(benches);
