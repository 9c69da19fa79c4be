//! Networks over fields: pair interactions, a step of training, predictions in batches and one by one; the measures.
//!
//! `cargo bench --bench pharmacogenomics`; ids are operation/shape/device. The table is random, with as many rows and names as
//! the published table of annotations, so that the model called `brief` has the size of the original's.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use cupel::{
    burn::tensor::{Device, Int, Tensor, TensorData},
    data::{Column, Fractions, Stream, Table},
    pharmacogenomics::{
        Classes, Classifier, Examples, Field, FieldNetConfig, Inputs, Interaction, Kept, Labels, ModelKind, Network,
        NetworkConfig, Parts, Predictor, Schema, SplitKind, Target, TrainConfig, Widths,
        metrics::{ClassScore, auroc},
        question,
    },
    train::{Advance, Casting, Position, device},
};

#[global_allocator]
static MEMORY: cupel::kernels::Recycling = cupel::kernels::Recycling::new();

/// Rows, and names of drug, genalle, gene and allele.
const ROWS: usize = 24_000;
const NAMES: [(&str, u64); 4] = [("drug", 997), ("genalle", 6885), ("gene", 1467), ("allele", 525)];
/// Classes of the kind and the direction of the effect, labels of the outcome.
const TYPES: u64 = 25;
const DIRECTIONS: u64 = 3;
const BATCH: usize = 512;

fn cpu() -> Device {
    device::select("cpu").expect("there is always a processor").device
}

fn examples() -> Examples {
    let column = |child: u64, count: u64, stem: &str| {
        let mut draws = Stream::new(0, "pharmacogenomics bench").child(child).rng();
        let codes = (0..ROWS).map(|_| draws.below(count) as u32).collect();
        Column::Category { codes, names: (0..count).map(|i| format!("{stem}{i:05}")).collect() }
    };
    let mut columns: Vec<(String, Column)> = Vec::new();
    for (child, (name, count)) in NAMES.into_iter().enumerate() {
        columns.push((name.into(), column(child as u64, count, name)));
    }
    columns.push(("effect_type".into(), column(10, TYPES, "type")));
    columns.push(("effect_direction".into(), column(11, DIRECTIONS, "direction")));
    let Column::Category { codes, names } = column(12, 6, "outcome") else { unreachable!("it was made above") };
    columns.push(("phenotype_outcome".into(), Column::Many { offsets: (0..=ROWS).collect(), codes, names }));
    let schema = Schema {
        group: None,
        weight: None,
        time: None,
        fields: NAMES.iter().map(|(name, _)| Field::category(*name)).collect(),
        targets: vec![
            Target::classes("effect_type", 1),
            Target::classes("effect_direction", 1),
            Target::labels("phenotype_outcome"),
        ],
    };
    let table = Table::new(columns).expect("columns of one length");
    Examples::of_table(schema, table, "bench").expect("columns of the schema")
}

/// The original's model, or the default.
fn config(brief: bool) -> NetworkConfig {
    let mut config = NetworkConfig::default();
    (config.epochs, config.patience) = (1_000_000, u64::MAX);
    config.effect.batch = BATCH;
    if brief {
        config.parts = Kept(false);
        config.net = FieldNetConfig {
            embedding: 128,
            hidden: 512,
            layers: 2,
            dropout: 0.3,
            first_order: Kept(false),
            ..config.net
        };
    }
    config
}

fn prepared(examples: &Examples) -> (Parts, Vec<Classes>, Vec<Labels>) {
    let shares = Fractions { train: 0.96, validation: 0.02, test: 0.02 };
    let parts = Parts::make(examples, &SplitKind::Random, shares, 0).expect("three parts");
    let fit = |target| Classes::fit(examples, target, &parts.train).expect("a column of the table");
    let classes: Vec<Classes> = examples.schema().targets.iter().map(fit).collect();
    let labels = classes.iter().map(|classes| classes.labels(examples).expect("a column of the table")).collect();
    (parts, classes, labels)
}

fn interactions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pair-interactions");
    let device = cpu().autodiff();
    let widths = Widths {
        categories: NAMES.map(|(_, count)| count as usize).to_vec(),
        lists: vec![],
        numbers: 0,
        outputs: 34,
        targets: 3,
        counted: None,
    };
    let mut draws = Stream::new(1, "pharmacogenomics bench").rng();
    let mut offset = 0;
    let offsets: Vec<i64> = NAMES
        .iter()
        .map(|(_, count)| {
            let own = offset;
            offset += *count as i64;
            own
        })
        .collect();
    let ids: Vec<i64> = (0..BATCH)
        .flat_map(|_| NAMES.map(|(_, count)| count))
        .enumerate()
        .map(|(i, count)| offsets[i % 4] + draws.below(count) as i64)
        .collect();
    let ids: Tensor<2, Int> = Tensor::from_data(TensorData::new(ids, [BATCH, NAMES.len()]), &device);
    group.throughput(Throughput::Elements(BATCH as u64));
    for interaction in [Interaction::Pairs, Interaction::Matrices, Interaction::Bi] {
        // embeddings and interaction alone
        let net = FieldNetConfig {
            embedding: 128,
            layers: 0,
            dropout: 0.0,
            first_order: Kept(false),
            interaction,
            ..FieldNetConfig::default()
        };
        let net = net.init(&widths, &device);
        let name = format!("{interaction:?}").to_lowercase();
        let inputs = || Inputs { ids: ids.clone(), lists: vec![], numbers: None, counted: None, dropout: None };
        group.bench_function(format!("{name}-forward/{BATCH}x4x128/cpu"), |bencher| {
            bencher.iter(|| black_box(net.forward(inputs()).into_data()));
        });
        group.bench_function(format!("{name}-backward/{BATCH}x4x128/cpu"), |bencher| {
            bencher.iter(|| black_box(net.forward(inputs()).sum().backward()));
        });
    }
    group.finish();
}

fn training(criterion: &mut Criterion) {
    let examples = examples();
    let (parts, classes, labels) = prepared(&examples);
    let mut group = criterion.benchmark_group("train-step");
    group.throughput(Throughput::Elements(BATCH as u64));
    for (name, brief) in [("brief", true), ("default", false)] {
        let device = cpu();
        let mut trainer =
            Network::trainer(&config(brief), &examples, &parts, &classes, &labels, 0, Casting::f32(), &device)
                .expect("the settings are good");
        let mut at = Position::default();
        group.bench_function(format!("{name}/{BATCH}/cpu"), |bencher| {
            bencher.iter(|| {
                let progress = trainer.advance(at).expect("finite losses");
                at = trainer.next(at);
                black_box(progress)
            });
        });
    }
    group.finish();
}

fn prediction(criterion: &mut Criterion) {
    let examples = examples();
    let (parts, ..) = prepared(&examples);
    let rows: Vec<usize> = (0..examples.len()).collect();
    let fields: Vec<(String, String)> =
        NAMES.iter().map(|(name, _)| (name.to_string(), format!("{name}00007"))).collect();
    let mut group = criterion.benchmark_group("predict");
    for (name, brief, members) in [
        ("network-brief", true, &["network"][..]),
        ("network", false, &["network"]),
        ("counts", false, &["counts"]),
        ("linear-crosses", false, &["linear-crosses"]),
        ("together", false, &["counts", "linear", "linear-crosses", "network"]),
    ] {
        let kinds = members.iter().map(|name| name.parse().expect("a model of this name"));
        let mut training = TrainConfig::of(kinds.collect::<Vec<ModelKind>>());
        training.ensemble.cross_fit = 0;
        training.network = config(brief);
        training.network.epochs = 1;
        training.linear.iterations = 3;
        let config = training;
        let predictor = Predictor::train(&config, &examples, &parts, &cpu()).expect("a table that trains");
        group.throughput(Throughput::Elements(rows.len() as u64));
        group.sample_size(10);
        group.bench_function(format!("{name}/{ROWS}/cpu"), |bencher| {
            bencher.iter(|| black_box(predictor.probabilities(&examples, &rows).expect("fields that are there")));
        });
        group.throughput(Throughput::Elements(1));
        group.sample_size(100);
        group.bench_function(format!("{name}/one-query/cpu"), |bencher| {
            bencher.iter(|| {
                let asked = question(predictor.schema(), black_box(&fields)).expect("fields that are there");
                black_box(predictor.probabilities(&asked, &[0]).expect("fields that are there"))
            });
        });
    }
    group.finish();
}

fn measures(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("measures");
    let classes = TYPES as usize;
    let mut p = vec![0.0_f32; ROWS * classes];
    Stream::new(2, "pharmacogenomics bench").fill_uniform(&mut p);
    let rows: Vec<Vec<f64>> = p
        .chunks_exact(classes)
        .map(|row| {
            let sum: f64 = row.iter().map(|p| f64::from(*p)).sum();
            row.iter().map(|p| f64::from(*p) / sum).collect()
        })
        .collect();
    group.throughput(Throughput::Elements(ROWS as u64));
    group.bench_function(format!("classes/{ROWS}x{classes}"), |bencher| {
        bencher.iter(|| {
            let mut score = ClassScore::new(classes);
            for (row, p) in rows.iter().enumerate() {
                score.push(p, row % classes, (row * 7) % classes);
            }
            black_box(score.measures())
        });
    });
    let scores: Vec<f64> = rows.iter().map(|row| row[0]).collect();
    let positive: Vec<bool> = (0..ROWS).map(|row| row % 3 == 0).collect();
    group.bench_function(format!("auroc/{ROWS}"), |bencher| {
        bencher.iter(|| black_box(auroc(&scores, &positive)));
    });
    group.finish();
}

criterion_group!(benches, interactions, training, prediction, measures);
criterion_main!(benches);
