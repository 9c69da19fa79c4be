//! Components taken out of data: where low rank with sums in f64 stops paying, the host, the layer, fitted once and on
//! the fly.
//!
//! `cargo bench --bench projection`; ids are operation/shape/dtype/device. The lines are those of one sky of the
//! original in its bench: 49 152 of 128 channels.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use cupel::{
    burn::tensor::{DType, Device, Tensor, TensorData},
    data::{Axes, Axis, AxisKind, Cube, Stream},
    kernels::{LowRank, Projection, Recycling, project_low_rank, project_out},
    pca::{Modes, Pca, PcaLayer, Projector, Share},
    train::device,
};

/// Tensors come and go in large blocks, which are used again.
#[global_allocator]
static MEMORY: Recycling = Recycling::new();

const LINES: usize = 49_152;
const CHANNELS: usize = 128;

fn cpu() -> Device {
    device::select("cpu").expect("a CPU").device
}

fn lines() -> Cube<f32> {
    let mut values = vec![0.0f32; LINES * CHANNELS];
    Stream::new(1, "projection bench").fill_normal(&mut values);
    let axes = Axes::new(vec![Axis::new(AxisKind::Sample, LINES), Axis::new(AxisKind::Frequency, CHANNELS)]);
    axes.and_then(|axes| Cube::new(values, axes)).expect("a cube of these axes")
}

fn tensor(values: &[f32], shape: [usize; 2]) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), (&cpu(), DType::F32))
}

/// The number of modes at which the dense product becomes the cheaper one.
fn crossing(criterion: &mut Criterion) {
    let cube = lines();
    let components = Pca::new(Modes::Count(CHANNELS)).fit(&cube, AxisKind::Frequency).expect("components");
    let x = tensor(cube.values(), [LINES, CHANNELS]);
    let mut group = criterion.benchmark_group("projection");
    group.sample_size(20).throughput(Throughput::Elements((LINES * CHANNELS) as u64));
    for modes in [1, 4, 7, 16, 24, 32, 48, 64] {
        let vectors = &components.vectors().expect("a real basis")[..modes];
        let low_rank = LowRank::real(vectors, components.mean());
        let id = BenchmarkId::from_parameter(format!("low_rank_{LINES}x{CHANNELS}_{modes}_modes/f32/cpu"));
        group
            .bench_function(id, |b| b.iter(|| black_box(project_low_rank(x.clone(), &low_rank, Projection::along(1)))));
    }
    let (complement, offset) =
        (tensor(&[0.01; CHANNELS * CHANNELS], [CHANNELS, CHANNELS]), Tensor::zeros([CHANNELS], &cpu()));
    group.bench_function(BenchmarkId::from_parameter(format!("dense_{LINES}x{CHANNELS}/f32/cpu")), |b| {
        b.iter(|| black_box(project_out(x.clone(), complement.clone(), offset.clone(), Projection::along(1))));
    });
    group.finish();
}

fn seven_modes(criterion: &mut Criterion) {
    let cube = lines();
    let components = Pca::new(Modes::Count(7)).fit(&cube, AxisKind::Frequency).expect("components");
    let projector = Projector::new(&components);
    let x = tensor(cube.values(), [LINES, CHANNELS]);
    let stored = PcaLayer::new(&projector, &cpu()).expect("a layer");
    let fitted = PcaLayer::on_the_fly(Share::Modes(7));
    let mut group = criterion.benchmark_group("seven_modes");
    group.sample_size(20).throughput(Throughput::Elements((LINES * CHANNELS) as u64));
    let id = |name: &str| BenchmarkId::from_parameter(format!("{name}_{LINES}x{CHANNELS}/f32/cpu"));
    group.bench_function(id("host"), |b| b.iter(|| projector.apply(black_box(&cube)).expect("the same axis")));
    group.bench_function(id("layer"), |b| b.iter(|| stored.forward(x.clone(), 1).expect("128 channels")));
    group.bench_function(id("on_the_fly"), |b| b.iter(|| fitted.forward(x.clone(), 1).expect("many lines")));
    group.finish();
}

criterion_group!(benches, crossing, seven_modes);
criterion_main!(benches);
