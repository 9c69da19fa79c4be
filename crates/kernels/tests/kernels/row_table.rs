//! Tables of rows against the dense optimiser, and alone.

use crate::checks::{close, cpu, devices, normal, panics};
use burn::{
    module::{Module, Param},
    optim::{AdamWConfig, GradientsParams},
    tensor::{DType, Device, Int, Tensor, TensorData},
};
use cupel_data::Stream;
use cupel_kernels::{RowTable, RowTableConfig, RowTableError};

const WIDTH: usize = 5;
const CONFIG: RowTableConfig = RowTableConfig { beta_1: 0.9, beta_2: 0.99, epsilon: 1e-6, weight_decay: 0.1 };

fn numbers(seed: u64, count: usize) -> Vec<f32> {
    normal(Stream::new(seed, "rows"), count).into_iter().map(|x| x as f32).collect()
}

/// The loss of looked-up rows: each has a target of its own.
fn loss(rows: Tensor<2>, step: u64, device: &Device) -> Tensor<1> {
    let count = rows.dims()[0];
    let targets = TensorData::new(numbers(100 + step, count * WIDTH), [count, WIDTH]);
    let targets = Tensor::<2>::from_data(targets, (device, DType::F32));
    (rows - targets).powi_scalar(2).sum()
}

#[derive(Module, Debug)]
struct Dense {
    rows: Param<Tensor<2>>,
}

fn dense(device: &Device, rows: usize) -> Dense {
    let values = TensorData::new(numbers(0, rows * WIDTH), [rows, WIDTH]);
    Dense { rows: Param::from_tensor(Tensor::<2>::from_data(values, (device, DType::F32))) }
}

fn widened(values: &[f32]) -> Vec<f64> {
    values.iter().map(|x| f64::from(*x)).collect()
}

/// With every row in every batch, some of them twice, the table is Burn's AdamW on the dense table.
#[test]
fn a_table_whose_rows_are_all_touched_is_trained_as_a_dense_one() {
    const ROWS: usize = 300;
    for (name, device) in devices() {
        let device = device.autodiff();
        let table = RowTable::new(numbers(0, ROWS * WIDTH), WIDTH, CONFIG);
        let mut model = dense(&device, ROWS);
        let mut optimizer = AdamWConfig::new()
            .with_beta_1(CONFIG.beta_1)
            .with_beta_2(CONFIG.beta_2)
            .with_epsilon(CONFIG.epsilon)
            .with_weight_decay(CONFIG.weight_decay)
            .init();
        let mut ids: Vec<u32> = (0..ROWS as u32).rev().collect();
        ids.extend([7, 7, 299, 0]);
        let indices: Vec<i64> = ids.iter().map(|id| i64::from(*id)).collect();
        for step in 0..20 {
            let rate = 0.02 / (1.0 + step as f64);
            loss(table.lookup(&ids, &device), step, &device).backward();
            assert_eq!(table.update(rate, 1.0), ROWS);
            let indices = Tensor::<1, Int>::from_data(TensorData::new(indices.clone(), [ids.len()]), &device);
            let gradients = loss(model.rows.val().select(0, indices), step, &device).backward();
            let gradients = GradientsParams::from_grads(gradients, &model);
            model = optimizer.step(rate, model, gradients);
        }
        let expected = model.rows.val().into_data().convert::<f64>().try_to_vec::<f64>().unwrap();
        close(&format!("rows on {name}"), &widened(&table.values()), &expected, 1e-6);
    }
}

/// A row that updates leave out has the moments and the decay of a row with gradients of 0: AdamW written out in f64, without its movement by
/// momentum alone.
#[test]
fn a_row_that_was_left_out_catches_up() {
    let device = cpu().autodiff();
    let table = RowTable::new(vec![1.0, -2.0], 1, CONFIG);
    let [b1, b2, e, wd] = [CONFIG.beta_1, CONFIG.beta_2, CONFIG.epsilon, CONFIG.weight_decay].map(f64::from);
    let (mut x, mut m, mut v) = (-2.0, 0.0, 0.0);
    for t in 1..=40 {
        let touched = t % 7 == 0;
        let rate = 0.1 / f64::from(t);
        let ids: &[u32] = if touched { &[0, 1] } else { &[0] };
        table.lookup(ids, &device).powi_scalar(2).sum().backward();
        table.update(rate, 1.0);
        let g = if touched { 2.0 * x } else { 0.0 };
        (m, v) = (b1 * m + (1.0 - b1) * g, b2 * v + (1.0 - b2) * g * g);
        x *= 1.0 - rate * wd;
        if touched {
            x -= rate * (m / (1.0 - b1.powi(t))) / ((v / (1.0 - b2.powi(t))).sqrt() + e);
        }
        let looked_up = table.lookup(&[1], &cpu()).into_scalar::<f32>();
        close(&format!("update {t}"), &[f64::from(looked_up)], &[x], 5e-6);
        assert_eq!(table.values()[1], looked_up);
    }
}

#[test]
fn several_lookups_make_one_update_and_a_divisor_averages_them() {
    let device = cpu().autodiff();
    let start = numbers(1, 4 * WIDTH);
    let [together, apart] = [(); 2].map(|()| RowTable::new(start.clone(), WIDTH, CONFIG));
    loss(together.lookup(&[1, 3, 1], &device), 0, &device).backward();
    assert_eq!(together.update(0.1, 2.0), 2);
    let targets = numbers(100, 3 * WIDTH);
    for (i, id) in [1u32, 3, 1].into_iter().enumerate() {
        let target = TensorData::new(targets[i * WIDTH..(i + 1) * WIDTH].to_vec(), [1, WIDTH]);
        let target = Tensor::<2>::from_data(target, (&device, DType::F32));
        (apart.lookup(&[id], &device) - target).powi_scalar(2).sum().backward();
    }
    assert_eq!(apart.update(0.1, 2.0), 2);
    assert_eq!(together.values(), apart.values());
    let decayed: Vec<f64> =
        start[..WIDTH].iter().map(|x| f64::from(*x) * (1.0 - 0.1 * f64::from(CONFIG.weight_decay))).collect();
    close("a row that was not looked up", &widened(&together.values()[..WIDTH]), &decayed, 1e-6);
}

#[test]
fn without_a_gradient_there_is_no_update() {
    let device = cpu().autodiff();
    let table = RowTable::new(numbers(2, 20), 4, CONFIG);
    let before = table.values();
    let _unused = table.lookup(&[1, 2], &device);
    assert_eq!(table.lookup(&[4], &cpu()).dims(), [1, 4]);
    assert_eq!(table.lookup(&[], &device).dims(), [0, 4]);
    assert_eq!(table.update(0.1, 1.0), 0);
    table.lookup(&[0], &device).sum().backward();
    table.forget();
    assert_eq!(table.update(0.1, 1.0), 0);
    assert_eq!(table.values(), before);
}

#[test]
fn updates_give_the_same_bits_on_one_thread_and_two() {
    let device = cpu().autodiff();
    let run = |threads: usize| {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| {
            let table = RowTable::new(numbers(3, 4000 * WIDTH), WIDTH, CONFIG);
            for step in 0..5 {
                let stream = Stream::new(step, "ids");
                let ids: Vec<u32> = (0..3000).map(|i| (stream.u64(i) % 4000) as u32).collect();
                loss(table.lookup(&ids, &device), step, &device).backward();
                table.update(0.01, 1.0);
            }
            table.values().into_iter().map(f32::to_bits).collect::<Vec<_>>()
        })
    };
    assert_eq!(run(1), run(2));
}

#[test]
fn a_table_goes_on_as_if_it_had_not_been_saved() {
    let device = cpu().autodiff();
    let train = |table: &RowTable, steps: std::ops::Range<u64>| {
        for step in steps {
            loss(table.lookup(&[step as u32 % 9, 3], &device), step, &device).backward();
            table.update(0.05, 1.0);
        }
    };
    let table = RowTable::new(numbers(4, 9 * WIDTH), WIDTH, CONFIG);
    train(&table, 0..10);
    let mut bytes = Vec::new();
    table.save(&mut bytes).unwrap();
    let copy = table.clone();
    let loaded = RowTable::new(vec![0.0; 9 * WIDTH], WIDTH, CONFIG);
    loaded.load(&bytes[..]).unwrap();
    for other in [&copy, &loaded] {
        train(other, 10..20);
    }
    train(&table, 10..20);
    assert_eq!(table.values(), loaded.values());
    assert_eq!(table.values(), copy.values());
}

#[test]
fn bytes_that_are_no_table_are_refused_and_change_nothing() {
    let table = RowTable::new(numbers(5, 6), 3, CONFIG);
    let mut bytes = Vec::new();
    table.save(&mut bytes).unwrap();
    let before = table.values();
    for length in 0..bytes.len() {
        assert!(matches!(table.load(&bytes[..length]), Err(RowTableError::Io { doing: "read", .. })), "{length} bytes");
    }
    let mut other = bytes.clone();
    other[0] = b'C';
    assert!(matches!(table.load(&other[..]), Err(RowTableError::NotATable { .. })));
    let mut huge = bytes.clone();
    huge[16..24].copy_from_slice(&u64::MAX.to_le_bytes());
    let error = table.load(&huge[..]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a table of 18446744073709551615 rows of 3, expected 2 of 3; was it saved with other settings?"
    );
    assert_eq!(table.values(), before);
}

#[test]
fn arguments_are_checked() {
    panics("RowTable: 7 values are not rows of 2", || RowTable::new(vec![0.0; 7], 2, CONFIG));
    let table = RowTable::new(vec![0.0; 8], 2, RowTableConfig { weight_decay: 0.5, ..CONFIG });
    panics("RowTable: row 9 of 4", || table.lookup(&[9], &cpu()));
    panics("RowTable: a learning rate of 3 with a weight decay of 0.5 leaves nothing", || table.update(3.0, 1.0));
}
