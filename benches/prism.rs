//! What a reconstruction is made of: apertures there and back, similarity, a step of the decoder, a sweep, propagation.
//!
//! `cargo bench --bench prism`; ids are operation/shape/dtype/device. Every closure ends with a result on the CPU.

use std::{hint::black_box, time::Duration};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use cupel::{
    burn::tensor::{DType, Device, Tensor, TensorData},
    data::{Complex, Stream},
    kernels::{Direction, SubApertures, sub_apertures},
    prism::{
        DecoderConfig, Exposures, NoiseConfig, Pie, PieConfig, Plane, Propagator, Rule, SamplingConfig, Telescope,
        TelescopeConfig,
        metrics::{Similarity, ms_ssim, ssim},
        observe, training,
    },
    train::{Advance, Casting, Position, device},
};

/// Tensors come and go in large blocks, which are used again.
#[global_allocator]
static MEMORY: cupel::kernels::Recycling = cupel::kernels::Recycling::new();

fn cpu() -> Device {
    device::select("cpu").expect("there is a CPU").device
}

fn normal(side: usize, purpose: &str) -> Vec<f32> {
    let mut values = vec![0.0f32; side * side];
    Stream::new(0, purpose).fill_normal(&mut values);
    values
}

fn tensor(side: usize, purpose: &str, device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(normal(side, purpose), [side, side]), (device, DType::F32))
}

/// An object of half the field through a Fermat's spiral of apertures.
fn exposures(n: usize, radius: f64, samples: usize) -> Exposures {
    let config = TelescopeConfig { n_pixels: n, aperture_radius_pixels: radius, ..TelescopeConfig::default() };
    let telescope = Telescope::new(config).expect("a telescope");
    let sampling = SamplingConfig { samples: Some(samples), ..SamplingConfig::default() };
    let centres = sampling.centres(n, radius, 0).expect("they fit");
    let values = normal(n / 2, "bench");
    let object =
        Plane::from_fn(n / 2, n / 2, |row, column| f64::from(values[row * (n / 2) + column].abs().min(1.0)).into());
    observe(&object, &telescope, &centres, &NoiseConfig::default(), 0).expect("it fits")
}

/// 48 apertures at once, and the adjoint by the gradient of their inner product with themselves.
fn apertures(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("apertures");
    for (n, window, detector) in [(128, 21, 64), (512, 41, 128), (1024, 41, 128)] {
        let of = SubApertures {
            centres: (0..48).map(|k| [k as isize - 24, 24 - k as isize]).collect(),
            detector,
            scale: 1.0,
            transform: Direction::Inverse,
        };
        let pupil = |device: &Device| Tensor::<3>::ones([1, window, window], (device, DType::F32));
        group.throughput(Throughput::Elements((48 * detector * detector) as u64));
        let name = |what: &str| BenchmarkId::from_parameter(format!("{what}/48x{window}x{window}-of-{n}x{n}/f32/cpu"));
        let (re, im) = (tensor(n, "re", &cpu()), tensor(n, "im", &cpu()));
        let (ones, none) = (pupil(&cpu()), pupil(&cpu()).zeros_like());
        group.bench_function(name("forward"), |bencher| {
            bencher.iter(|| {
                let (re, im) = sub_apertures((re.clone(), im.clone()), (ones.clone(), none.clone()), &of);
                black_box((re.sum() + im.sum()).into_scalar::<f32>())
            });
        });
        let device = cpu().autodiff();
        let (re, im) = (tensor(n, "re", &device).require_grad(), tensor(n, "im", &device).require_grad());
        let (ones, none) = (pupil(&device), pupil(&device).zeros_like());
        group.bench_function(name("forward-and-adjoint"), |bencher| {
            bencher.iter(|| {
                let (a, b) = sub_apertures((re.clone(), im.clone()), (ones.clone(), none.clone()), &of);
                let gradients = (a.clone() * a + b.clone() * b).sum().backward();
                black_box(re.grad(&gradients).map(|slope| slope.sum().into_scalar::<f32>()))
            });
        });
    }
    group.finish();
}

fn similarity(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("similarity");
    let (x, y) = (tensor(1024, "x", &cpu()), tensor(1024, "y", &cpu()));
    group.throughput(Throughput::Elements(1 << 20));
    for (name, way) in
        [("wang", Similarity::Wang), ("uniform", Similarity::Uniform), ("reflected", Similarity::Reflected)]
    {
        group.bench_function(format!("ssim-{name}/1024x1024/f32/cpu"), |bencher| {
            bencher.iter(|| ssim(x.clone(), y.clone(), 1.0, way).expect("they are large enough"));
        });
    }
    group.bench_function("ms-ssim/1024x1024/f32/cpu", |bencher| {
        bencher.iter(|| ms_ssim(x.clone(), y.clone(), 1.0).expect("they are large enough"));
    });
    group.finish();
}

/// One update of the original's rule, which begins anew where it has ended.
fn decoder(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decoder_step");
    group.sample_size(10).measurement_time(Duration::from_secs(3));
    for (n, radius) in [(128, 10.0), (512, 20.0)] {
        let exposures = exposures(n, radius, 8);
        let config = DecoderConfig { rule: Rule::Original, steps: 1000, init_steps: 0, ..DecoderConfig::default() };
        let fresh = || training(&exposures, &config, 0, &Casting::f32(), &cpu()).expect("a training");
        let (mut trainer, mut at) = (fresh(), Position::default());
        group.bench_function(format!("original/{n}x{n}/f32/cpu"), |bencher| {
            bencher.iter(|| {
                let progress = trainer.advance(at).expect("finite losses");
                at = trainer.next(at);
                if progress.done.is_some() {
                    (trainer, at) = (fresh(), Position::default());
                }
            });
        });
    }
    group.finish();
}

fn sweep(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("epie_sweep");
    group.sample_size(10).measurement_time(Duration::from_secs(3));
    for (n, radius) in [(128, 10.0), (512, 40.0)] {
        let exposures = exposures(n, radius, 48);
        let which: Vec<usize> = (0..48).collect();
        let config = PieConfig { sweeps: 1_000_000_000, ..PieConfig::default() };
        let mut pie = Pie::new(&exposures, &which, config, 0, &cpu()).expect("exposures that fit");
        let mut at = Position::default();
        group.throughput(Throughput::Elements(48));
        group.bench_function(format!("48-of-{n}x{n}/f32/cpu"), |bencher| {
            bencher.iter(|| {
                at.update += 1;
                pie.advance(at).expect("a sweep")
            });
        });
    }
    group.finish();
}

fn propagators(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("propagators");
    let (dx, wavelength, distance) = (10e-6, 550e-9, 0.05);
    for side in [256, 1024] {
        let values = normal(side, "field");
        let field = Plane::from_fn(side, side, |row, column| Complex::new(f64::from(values[row * side + column]), 0.5));
        group.throughput(Throughput::Elements((side * side) as u64));
        for (name, propagator) in [
            ("fraunhofer", Propagator::Fraunhofer),
            ("fresnel", Propagator::Fresnel { dx, wavelength, distance: 10.0 }),
            ("angular-spectrum", Propagator::AngularSpectrum { dx, wavelength, distance }),
        ] {
            group.bench_function(format!("{name}/{side}x{side}/f64/host"), |bencher| {
                bencher.iter(|| propagator.propagate(black_box(&field)).expect("it is sampled well enough"));
            });
        }
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).warm_up_time(Duration::from_millis(500));
    targets = apertures, similarity, decoder, sweep, propagators
}
criterion_main!(benches);
