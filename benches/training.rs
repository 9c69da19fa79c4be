//! What the loop costs beside the bare step, what loader workers bring, and what a checkpoint takes.
//!
//! `cargo bench --bench training`; ids are operation/settings/dtype/device. Every closure ends with a read from the device.

use std::{hint::black_box, path::Path, sync::Arc};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use cupel::{
    burn::{
        module::Module,
        nn::{Linear, LinearConfig},
        optim::GradientsParams,
        tensor::{Device, Tensor, TensorData, activation::relu},
    },
    data::{Loader, LoaderConfig, Source, Stream},
    train::{
        Advance, Casting, Checkpoint, Context, Fit, History, Loss, Next, Optimizer, Position, Result, StageConfig,
        Stamp, Trainer, TrainerConfig, device,
    },
};

/// Tensors come and go in large blocks, which are used again.
#[global_allocator]
static MEMORY: cupel::kernels::Recycling = cupel::kernels::Recycling::new();

/// A step of about 10 ms on one core.
const BATCH: usize = 512;
const WIDTH: usize = 384;

#[derive(Module, Debug)]
struct Perceptron {
    layers: Vec<Linear>,
}

impl Perceptron {
    fn new(device: &Device) -> Self {
        let layer = |from, to| LinearConfig::new(from, to).init(device);
        Self { layers: vec![layer(64, WIDTH), layer(WIDTH, WIDTH), layer(WIDTH, 1)] }
    }

    fn loss(&self, (x, y): (Tensor<2>, Tensor<2>)) -> Tensor<1> {
        let (last, hidden) = self.layers.split_last().expect("there are layers");
        let h = hidden.iter().fold(x, |h, layer| relu(layer.forward(h)));
        let difference = last.forward(h) - y;
        (difference.clone() * difference).mean()
    }
}

fn batch(stream: Stream, device: &Device) -> (Tensor<2>, Tensor<2>) {
    let mut values = vec![0.0f32; BATCH * 65];
    stream.fill_normal(&mut values);
    let y = values.split_off(BATCH * 64);
    let tensor = |values, width| Tensor::from_data(TensorData::new(values, [BATCH, width]), device);
    (tensor(values, 64), tensor(y, 1))
}

struct Regression;

impl Fit for Regression {
    type Model = Perceptron;
    type Batch = (Tensor<2>, Tensor<2>);

    fn batch(&mut self, ctx: &Context<'_>) -> Result<Self::Batch> {
        Ok(batch(ctx.stream, ctx.device))
    }

    fn loss(&self, model: &Perceptron, batch: Self::Batch, _: &Context<'_>) -> Loss {
        Loss { mean: model.loss(batch), weight: BATCH as f64, terms: Vec::new() }
    }

    fn next(&mut self, _: &History) -> Result<Next> {
        Ok(Next::Continue)
    }

    fn steps_per_epoch(&self) -> u64 {
        1000
    }

    fn fingerprint(&self) -> Result<[u8; 32]> {
        Ok([0; 32])
    }
}

fn cpu() -> Device {
    device::select("cpu").expect("a CPU backend is compiled in").device
}

fn trainer(device: &Device) -> Trainer<Regression> {
    let stage = StageConfig { epochs: 1_000_000, ..StageConfig::default() };
    let config = TrainerConfig { stage, ..TrainerConfig::default() };
    let model = Perceptron::new(&device.clone().autodiff());
    Trainer::new(Regression, model, config, Casting::f32(), device).expect("the settings are good")
}

/// The same step by hand and through the trainer.
fn step(criterion: &mut Criterion) {
    let device = cpu();
    let mut group = criterion.benchmark_group("step");
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function("bare/f32/cpu", |bencher| {
        let training = device.clone().autodiff();
        let mut optimizer = Optimizer::default().init();
        let mut model = Some(Perceptron::new(&training));
        let mut update = 0;
        bencher.iter(|| {
            let now = model.take().expect("put back below");
            let loss = now.loss(batch(Stream::new(0, "training").at(0, update), &training));
            let value = loss.clone().inner().into_scalar::<f32>();
            let gradients = GradientsParams::from_grads(loss.backward(), &now);
            model = Some(optimizer.step(1e-3, now, gradients));
            update += 1;
            black_box(value)
        });
    });
    group.bench_function("trainer/f32/cpu", |bencher| {
        let mut trainer = trainer(&device);
        let mut at = Position::default();
        bencher.iter(|| {
            let progress = trainer.advance(at).expect("finite losses");
            at = trainer.next(at);
            black_box(progress)
        });
    });
    group.finish();
}

/// Batches that take decoding, about a millisecond each.
struct Decoded;

impl Source for Decoded {
    type Item = f32;

    fn len(&self) -> usize {
        4096
    }

    fn load(&self, rows: &[usize], stream: Stream) -> cupel::data::Result<f32> {
        let mut values = [0.0f32; 2048];
        Ok(rows
            .iter()
            .map(|&row| {
                stream.child(row as u64).fill_normal(&mut values);
                values.iter().map(|v| v.sin()).sum::<f32>()
            })
            .sum())
    }
}

fn loader(criterion: &mut Criterion) {
    const STEPS: u64 = 32;
    let mut group = criterion.benchmark_group("loader");
    group.throughput(Throughput::Elements(32 * STEPS));
    for workers in [0, 1, 2] {
        let config = LoaderConfig { workers, prefetch: 2 * workers.max(1), ..LoaderConfig::training(32) };
        let mut loader = Loader::new(Arc::new(Decoded), config, Stream::new(0, "bench")).expect("a good setting");
        let (mut epoch, steps) = (0, loader.steps());
        assert!(steps >= STEPS);
        group.bench_function(BenchmarkId::from_parameter(format!("{workers}-workers")), |bencher| {
            bencher.iter(|| {
                let sum: f32 = (0..STEPS).map(|step| loader.get(epoch, step).expect("it loads")).sum();
                epoch += 1;
                sum
            });
        });
    }
    group.finish();
}

fn checkpoint(criterion: &mut Criterion) {
    let device = cpu();
    let mut trainer = trainer(&device);
    trainer.advance(Position::default()).expect("finite losses");
    let root = std::env::temp_dir().join(format!("cupel-bench-{}", std::process::id()));
    let write = |root: &Path, trainer: &Trainer<Regression>| {
        let stamp = Stamp { at: Position::default(), fingerprint: String::new(), done: None, seconds: 0.0 };
        let _ = std::fs::remove_dir_all(root);
        Checkpoint::write(root, stamp, |set| trainer.save(set)).expect("there is room")
    };
    let mut group = criterion.benchmark_group("checkpoint");
    group.sample_size(20);
    group.bench_function("write/0.17-million-weights", |bencher| bencher.iter(|| write(&root, &trainer)));
    write(&root, &trainer);
    group.bench_function("read/0.17-million-weights", |bencher| {
        bencher.iter(|| {
            let set = Checkpoint::newest(&root, true).expect("it is intact").expect("it is there");
            trainer.load(set.reader()).expect("it fits");
        });
    });
    group.finish();
    let _ = std::fs::remove_dir_all(root);
}

fn optimizer(criterion: &mut Criterion) {
    let device = cpu().autodiff();
    let mut group = criterion.benchmark_group("optimizer");
    for (name, optimizer) in [("sgd", Optimizer::sgd()), ("adam", Optimizer::adam()), ("adamw", Optimizer::default())] {
        let mut optimizer = optimizer.init();
        let mut model = Some(Perceptron::new(&device));
        group.bench_function(format!("{name}/0.17-million-weights/f32/cpu"), |bencher| {
            let now = model.clone().expect("put back below");
            let gradients = || {
                let loss = now.layers.iter().map(|layer| layer.weight.val().sum()).reduce(|a, b| a + b);
                GradientsParams::from_grads(loss.expect("there are layers").backward(), &now)
            };
            bencher.iter_batched(
                gradients,
                |gradients| model = model.take().map(|model| optimizer.step(1e-3, model, gradients)),
                criterion::BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, step, loader, checkpoint, optimizer);
criterion_main!(benches);
