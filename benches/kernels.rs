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
    data::Stream,
    kernels::{mean_fixed, rfft2, set_own_kernels, sum_fixed},
    train::device,
};

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
    group.throughput(Throughput::Bytes(2 * 4 * 8 << 20));
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

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(3));
    targets = sums, transforms
}
criterion_main!(benches);
