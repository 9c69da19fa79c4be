//! Rows of a table.

use crate::checks::{Operation, cpu, own_kernels_stay, panics};
use burn::tensor::{Device, Int, Tensor, TensorData};
use cupel_data::Stream;
use cupel_kernels::{embedding, reference};

fn ids(rows: usize, shape: [usize; 2], device: &Device) -> Tensor<2, Int> {
    let mut draws = Stream::new(6, "embedding").rng();
    let ids: Vec<i64> = (0..shape[0] * shape[1]).map(|_| draws.below(rows as u64) as i64).collect();
    Tensor::from_data(TensorData::new(ids, shape), device)
}

fn lookup([rows, width]: [usize; 2], shape: [usize; 2]) -> Operation {
    let of = move |lookup: fn(Tensor<2>, Tensor<2, Int>) -> Tensor<3>| {
        move |x: &[Tensor<1>]| {
            let ids = ids(rows, shape, &x[0].device());
            vec![lookup(x[0].clone().reshape([rows, width]), ids).reshape([shape[0] * shape[1] * width])]
        }
    };
    Operation::new(
        format!("embedding of {shape:?} of {rows} x {width}"),
        &[rows * width],
        of(embedding),
        of(reference::embedding),
    )
}

fn operations() -> Vec<Operation> {
    vec![lookup([1, 1], [1, 1]), lookup([1, 1], [8, 1]), lookup([7, 5], [20, 3]), lookup([3000, 200], [64, 2])] // several blocks
}

#[test]
fn embeddings_pass_every_check() {
    operations().iter().for_each(Operation::passes);
}

#[test]
fn embeddings_are_their_reference_when_off() {
    operations().iter().for_each(Operation::is_its_reference_when_off);
}

#[test]
fn a_row_that_is_not_there_is_named() {
    let _on = own_kernels_stay();
    let table = Tensor::<2>::zeros([5, 2], &cpu());
    let ids = Tensor::from_ints([[1], [1], [1], [1], [1], [1], [1], [7]], &cpu());
    panics("embedding: row 7 of a table of 5", || embedding(table.clone(), ids.clone()));
}
