//! The step of AdamW.

use crate::checks::{close, cpu, devices, normal, own_kernels_stay, panics, tensor, values};
use burn::tensor::{DType, Device, Tensor};
use cupel_data::Stream;
use cupel_kernels::{AdamWStep, adamw, reference};

const STEP: AdamWStep =
    AdamWStep { rate: 1e-2, betas: [0.9, 0.99], epsilon: 1e-8, weight_decay: 0.1, time: 3, by_rows: false };

type Stepped = (Tensor<2>, [Tensor<2>; 2]);

/// Weights, gradient and moments; every third row is without gradient.
fn problem(shape: [usize; 2], device: &Device, dtype: DType) -> [Tensor<2>; 4] {
    let stream = Stream::new(4, "adamw");
    [0, 1, 2, 3].map(|child| {
        let mut numbers = normal(stream.child(child), shape[0] * shape[1]);
        for (row, numbers) in numbers.chunks_exact_mut(shape[1]).enumerate() {
            for number in numbers {
                match child {
                    1 if row % 3 == 1 => *number = 0.0,
                    3 => *number = number.abs(),
                    _ => {}
                }
            }
        }
        tensor(&numbers, device, dtype).reshape(shape)
    })
}

fn steps(step: &AdamWStep, [x, g, m, v]: [Tensor<2>; 4]) -> [Stepped; 2] {
    [adamw(x.clone(), g.clone(), [m.clone(), v.clone()], step), reference::adamw(x, g, [m, v], step)]
}

#[test]
fn a_step_is_the_same_by_both_ways_everywhere() {
    let _on = own_kernels_stay();
    for (name, device) in devices() {
        for (dtype, tolerance) in [(DType::F32, 1e-5), (DType::F16, 2e-2)] {
            for shape in [[1, 1], [4, 7], [3, 40_000], [5000, 9]] {
                for by_rows in [false, true] {
                    let step = AdamWStep { by_rows, epsilon: 1e-4, ..STEP };
                    let [own, other] = steps(&step, problem(shape, &device, dtype));
                    let what = format!("{name} {dtype:?} {shape:?} {by_rows}");
                    close(&what, &values(&own.0), &values(&other.0), tolerance);
                    for (own, other) in own.1.iter().zip(&other.1) {
                        close(&what, &values(own), &values(other), tolerance);
                    }
                }
            }
        }
    }
}

/// By the formulas, in f64.
#[test]
fn a_step_is_that_of_the_paper() {
    let _on = own_kernels_stay();
    let problem = problem([4, 7], &cpu(), DType::F32);
    let [x, g, m, v] = problem.clone().map(|x| values(&x));
    for (moved, moments) in steps(&STEP, problem) {
        let (moved, [first, second]) = (values(&moved), moments.map(|moment| values(&moment)));
        for i in 0..x.len() {
            let (m, v) = (0.9 * m[i] + 0.1 * g[i], 0.99 * v[i] + 0.01 * g[i] * g[i]);
            let root = (v / (1.0 - 0.99_f64.powi(3))).sqrt() + 1e-8;
            let expected = (1.0 - 1e-3) * x[i] - 1e-2 * (m / (1.0 - 0.9_f64.powi(3))) / root;
            close("step", &[moved[i], first[i], second[i]], &[expected, m, v], 1e-5);
        }
    }
}

#[test]
fn by_rows_what_has_no_gradient_keeps_its_bits() {
    let _on = own_kernels_stay();
    let problem = problem([6, 5], &cpu(), DType::F32);
    let before = [0, 2, 3].map(|i| values(&problem[i]));
    let everything = steps(&STEP, problem.clone());
    for (some, all) in steps(&AdamWStep { by_rows: true, ..STEP }, problem).into_iter().zip(everything) {
        let flat = |(x, [m, v]): Stepped| [x, m, v].map(|x| values(&x));
        for ((some, all), before) in flat(some).into_iter().zip(flat(all)).zip(&before) {
            for row in 0..6 {
                let expected = if row % 3 == 1 { before } else { &all };
                assert_eq!(some[row * 5..][..5], expected[row * 5..][..5], "row {row}");
            }
        }
    }
}

/// Somebody else who holds the weights does not see them change.
#[test]
fn copies_keep_what_they_were() {
    let _on = own_kernels_stay();
    let [x, g, m, v] = problem([4, 7], &cpu(), DType::F32);
    let (kept, before) = (x.clone(), values(&x));
    let (moved, _) = adamw(x, g, [m, v], &STEP);
    assert_eq!(values(&kept), before);
    assert_ne!(values(&moved), before);
}

#[test]
fn shapes_that_differ_are_named() {
    let zeros = |shape| Tensor::<2>::zeros(shape, &cpu());
    panics("adamw: shapes [3, 4], [4, 3], [3, 4], [3, 4]", || {
        adamw(zeros([3, 4]), zeros([4, 3]), [zeros([3, 4]), zeros([3, 4])], &STEP)
    });
}
