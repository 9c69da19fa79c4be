//! Linear layers.

use crate::checks::{Operation, cpu, panics};
use burn::tensor::Tensor;
use cupel_kernels::{linear, reference};

fn layer([rows, inputs, outputs]: [usize; 3], bias: bool) -> Operation {
    let of = move |layer: fn(Tensor<2>, Tensor<2>, Option<Tensor<1>>) -> Tensor<2>| {
        move |x: &[Tensor<1>]| {
            let [values, weight] =
                [([rows, inputs], 0), ([inputs, outputs], 1)].map(|(shape, i)| x[i].clone().reshape(shape));
            vec![layer(values, weight, bias.then(|| x[2].clone())).reshape([rows * outputs])]
        }
    };
    let lengths = [rows * inputs, inputs * outputs, outputs];
    let lengths = &lengths[..2 + usize::from(bias)];
    Operation::new(format!("linear of {rows} rows, {inputs} to {outputs}"), lengths, of(linear), of(reference::linear))
}

fn operations() -> Vec<Operation> {
    vec![
        layer([1, 5, 3], true), // Burn's but for one gradient
        layer([1, 17, 34], false),
        layer([3, 5, 3], true), // Burn's
        layer([8, 1, 1], true),
        layer([9, 17, 34], false),
        layer([100, 33, 16], true),
        layer([200, 300, 21], true), // several blocks of everything
    ]
}

#[test]
fn linear_layers_pass_every_check() {
    operations().iter().for_each(Operation::passes);
}

#[test]
fn linear_layers_are_their_reference_when_off() {
    operations().iter().for_each(Operation::is_its_reference_when_off);
}

#[test]
fn a_transposed_input_is_read_as_it_stands() {
    let x = Tensor::<2>::from_floats([[1.0; 9], [2.0; 9]], &cpu()).swap_dims(0, 1);
    let weight = Tensor::<2>::from_floats([[3.0], [5.0]], &cpu());
    assert_eq!(linear(x, weight, None).into_data().try_into_vec::<f32>().unwrap(), [13.0; 9]);
}

#[test]
fn shapes_that_do_not_match_are_named() {
    let zeros = |shape| Tensor::<2>::zeros(shape, &cpu());
    panics("linear: 3 values a row for a weight of [4, 5] and a bias of [5]", || {
        linear(zeros([2, 3]), zeros([4, 5]), None)
    });
    panics("linear: 4 values a row for a weight of [4, 5] and a bias of [6]", || {
        linear(zeros([2, 4]), zeros([4, 5]), Some(Tensor::zeros([6], &cpu())))
    });
}
