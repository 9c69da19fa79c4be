//! Dropout.

use crate::checks::{Operation, cpu, devices, own_kernels_stay, panics, values};
use burn::tensor::Tensor;
use cupel_kernels::{dropout, philox_uniform, reference};

const KEY: [u32; 2] = [3, 4];
const COUNTER: [u32; 2] = [5, 6];

fn operation(length: usize, share: f64) -> Operation {
    Operation::new(
        format!("dropout of {share} of {length}"),
        &[length],
        move |x| vec![dropout(x[0].clone(), share, KEY, COUNTER)],
        move |x| vec![reference::dropout(x[0].clone(), share, KEY, COUNTER)],
    )
}

fn operations() -> Vec<Operation> {
    vec![operation(1, 0.3), operation(37, 0.5), operation(50_000, 0.1), operation(100, 0.0)]
}

#[test]
fn dropout_passes_every_check() {
    operations().iter().for_each(Operation::passes);
}

#[test]
fn dropout_is_its_reference_when_off() {
    operations().iter().for_each(Operation::is_its_reference_when_off);
}

#[test]
fn what_is_dropped_follows_from_the_draws_alone() {
    let _on = own_kernels_stay();
    let draws = values(&philox_uniform([1024], KEY, COUNTER, &cpu()));
    for (name, device) in devices() {
        let left = values(&dropout(Tensor::<2>::ones([10, 100], &device), 0.25, KEY, COUNTER));
        // tiles of 16 blocks of 4: the first numbers of the blocks, then the second
        let draw = |i: usize| draws[i / 64 * 64 + i % 16 * 4 + i / 16 % 4];
        let expected = (0..1000).map(|i| if draw(i) < 0.25 { 0.0 } else { 4.0 / 3.0 });
        assert!(left.iter().zip(expected).all(|(left, expected)| (left - expected).abs() < 1e-6), "{name}");
    }
}

#[test]
fn a_share_out_of_its_range_is_named() {
    panics("dropout: a share of 1 where 0 up to but not including 1 was expected", || {
        dropout(Tensor::<1>::ones([3], &cpu()), 1.0, KEY, COUNTER)
    });
}
