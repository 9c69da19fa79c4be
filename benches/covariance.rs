//! Mean and covariance of a scene's spectra, and the eigenvectors of the result.
//!
//! `cargo bench --bench covariance`; ids are operation/shape/dtype/device.

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use cupel::{
    data::{Axes, Axis, AxisKind, Cube, Stream},
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

criterion_group!(benches, covariance, components);
criterion_main!(benches);
