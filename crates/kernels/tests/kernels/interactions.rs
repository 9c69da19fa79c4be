//! Interactions of fields.

use crate::checks::{Operation, close, cpu, own_kernels_stay, panics, values};
use burn::tensor::{Tensor, TensorData};
use cupel_kernels::{bi_interaction, gram_pairs, reference};

fn interactions(shape: [usize; 3]) -> Operation {
    let flat = |x: Tensor<2>| {
        let count = x.dims().iter().product::<usize>();
        x.reshape([count])
    };
    Operation::new(
        format!("gram_pairs and bi_interaction of {shape:?}"),
        &[shape.iter().product()],
        move |x| {
            let x = x[0].clone().reshape(shape);
            vec![flat(gram_pairs(x.clone())), flat(bi_interaction(x))]
        },
        move |x| {
            let x = x[0].clone().reshape(shape);
            vec![flat(reference::gram_pairs(x.clone())), flat(reference::bi_interaction(x))]
        },
    )
}

fn operations() -> Vec<Operation> {
    vec![
        interactions([1, 2, 1]),
        interactions([3, 4, 21]),
        interactions([2, 7, 8]),
        interactions([2, 10, 64]),
        interactions([500, 5, 37]), // several blocks
    ]
}

#[test]
fn interactions_pass_every_check() {
    operations().iter().for_each(Operation::passes);
}

#[test]
fn interactions_are_their_reference_when_off() {
    operations().iter().for_each(Operation::is_its_reference_when_off);
}

/// The sum over dimensions of one is the sum over pairs of the other.
#[test]
fn both_give_the_second_order_term_of_a_factorisation_machine() {
    let _on = own_kernels_stay();
    let numbers: Vec<f32> = (0..6 * 5 * 9).map(|i| (i as f32 * 0.7).sin()).collect();
    let x = Tensor::<3>::from_data(TensorData::new(numbers, [6, 5, 9]), &cpu());
    let pairs = gram_pairs(x.clone()).sum_dim(1);
    close("sums", &values(&bi_interaction(x).sum_dim(1)), &values(&pairs), 1e-6);
}

/// `((sum e)^2 - sum e^2) / 2` gives 0 here in f32.
#[test]
fn small_fields_survive_beside_a_large_one() {
    let _on = own_kernels_stay();
    let x = Tensor::<3>::from_floats([[[3e4], [1e-3], [2e-3]]], &cpu());
    for interaction in [bi_interaction, reference::bi_interaction] {
        close("interaction", &values(&interaction(x.clone())), &[90.000_002], 1e-6);
    }
    let x = Tensor::<3>::from_floats([[[1e8], [1.0]]], &cpu().autodiff()).require_grad();
    let gradients = bi_interaction(x.clone()).sum().backward();
    assert_eq!(values(&x.grad(&gradients).unwrap()), [1.0, 1e8]);
}

#[test]
fn one_field_has_no_pairs() {
    let x = Tensor::<3>::ones([2, 1, 3], &cpu());
    panics("gram_pairs: pairs need at least 2 fields, got 1", || gram_pairs(x.clone()));
    assert_eq!(values(&bi_interaction(x)), [0.0; 6]);
    panics("bi_interaction: no fields", || bi_interaction(Tensor::ones([2, 0, 3], &cpu())));
}
