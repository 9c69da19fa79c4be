//! Power spectra of skies.
//!
//! `cargo bench --bench cosmology`; ids are operation/shape/dtype/device. Throughput counts the values of the cube, whose transform and bins are in f64.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use cupel::{
    cosmology::{
        evaluate,
        power::{Binning, Bins, Estimator, PowerConfig, Volume, Window},
    },
    data::{Axes, Axis, AxisKind, Cube, Stream},
};

const SIDES: [usize; 2] = [64, 128];

fn white(side: usize, seed: u64) -> Cube<f32> {
    let mut values = vec![0.0_f32; side.pow(3)];
    Stream::new(seed, "cosmology bench").fill_normal(&mut values);
    let kinds = [AxisKind::Frequency, AxisKind::Row, AxisKind::Column];
    let axes = Axes::new(kinds.map(|kind| Axis::new(kind, side)).to_vec());
    axes.and_then(|axes| Cube::new(values, axes)).expect("a cube of these axes")
}

fn volume(side: usize) -> Volume {
    Volume::comoving([side; 3], [900.0, 1400.0, 1400.0]).expect("sides above zero")
}

/// From a sky in memory to its spectrum: mean, transform and bins.
fn power(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("power_spectrum");
    group.sample_size(20);
    let binnings = [
        ("spherical", Binning::Spherical(Bins::Logarithmic(12))),
        ("k_par", Binning::Parallel(Bins::Fundamental)),
        ("cylindrical", Binning::Cylindrical { perpendicular: Bins::Fundamental, parallel: Bins::Fundamental }),
    ];
    for side in SIDES {
        let (sky, estimator) = (white(side, 1), Estimator::new(volume(side)));
        group.throughput(Throughput::Elements(sky.len() as u64));
        for (name, binning) in &binnings {
            let id = BenchmarkId::new(*name, format!("{side}x{side}x{side}/f32/cpu"));
            group.bench_function(id, |bencher| {
                bencher.iter(|| {
                    let modes = estimator.modes(black_box(&sky)).expect("a sky of this volume");
                    estimator.power(&modes, binning).expect("bins of this volume")
                });
            });
        }
    }
    group.finish();
}

/// An estimate beside the truth, with all that a taper asks for.
fn evaluation(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("evaluate");
    group.sample_size(10);
    for side in SIDES {
        let (truth, estimate) = (white(side, 1), white(side, 2));
        group.throughput(Throughput::Elements(truth.len() as u64));
        for window in [Window::None, Window::BlackmanHarris] {
            let config = PowerConfig { window, ..PowerConfig::default() };
            let id = BenchmarkId::new(window.name(), format!("{side}x{side}x{side}/f32/cpu"));
            group.bench_function(id, |bencher| {
                bencher.iter(|| {
                    let estimator = config.estimator(volume(side), None).expect("no weights to refuse");
                    evaluate(black_box(&truth), &estimate, None, &estimator, &config).expect("skies of this volume")
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, power, evaluation);
criterion_main!(benches);
