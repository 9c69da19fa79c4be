//! Sums and means of fixed order.

use crate::checks::{Operation, close, cpu, own_kernels_stay, panics, values};
use burn::tensor::{DType, Tensor, TensorData};
use cupel_data::Stream;
use cupel_kernels::{mean_dim_fixed, mean_fixed, reference, sum_dim_fixed, sum_fixed, sum_squares_fixed};

fn whole<const D: usize>(shape: [usize; D]) -> Operation {
    let name = format!("sum_fixed and mean_fixed of {shape:?}");
    Operation::new(
        name,
        &[shape.iter().product()],
        move |x| {
            let x = x[0].clone().reshape(shape);
            vec![sum_fixed(x.clone()), squares(sum_squares_fixed, x.clone()), mean_fixed(x)]
        },
        move |x| {
            let x = x[0].clone().reshape(shape);
            vec![
                reference::sum_fixed(x.clone()),
                squares(reference::sum_squares_fixed, x.clone()),
                reference::mean_fixed(x),
            ]
        },
    )
}

/// Within the range of f16, and in the dtype of the values as the checks want it.
fn squares<const D: usize>(sum: impl Fn(Tensor<D>) -> Tensor<1>, x: Tensor<D>) -> Tensor<1> {
    let dtype = x.dtype();
    sum(x.mul_scalar(0.01)).cast(dtype)
}

fn along<const D: usize>(shape: [usize; D], dim: usize) -> Operation {
    let count = shape.iter().product::<usize>() / shape[dim];
    let name = format!("sum_dim_fixed and mean_dim_fixed of {shape:?} along {dim}");
    Operation::new(
        name,
        &[shape.iter().product()],
        move |x| {
            let x = x[0].clone().reshape(shape);
            vec![sum_dim_fixed(x.clone(), dim).reshape([count]), mean_dim_fixed(x, dim).reshape([count])]
        },
        move |x| {
            let x = x[0].clone().reshape(shape);
            let sum = reference::sum_dim_fixed(x.clone(), dim).reshape([count]);
            vec![sum, reference::mean_dim_fixed(x, dim).reshape([count])]
        },
    )
}

fn operations() -> Vec<Operation> {
    vec![
        whole([1]),
        whole([63]),
        whole([7, 11, 13]),
        whole([1025]),
        whole([3, 70_001]),
        along([1, 1], 1),
        along([5, 3], 1),
        along([2500, 7], 0),
        along([3, 300, 5], 1),
        along([2, 70_000], 1),
        along([3, 4, 1100], 2),
        along([2, 3, 2, 1030], 1),
    ]
}

#[test]
fn sums_pass_every_check() {
    operations().iter().for_each(Operation::passes);
}

#[test]
fn sums_are_their_reference_when_off() {
    operations().iter().for_each(Operation::is_its_reference_when_off);
}

#[test]
fn a_view_is_summed_in_its_own_order() {
    let _on = own_kernels_stay();
    let mut numbers = vec![0.0f32; 300 * 70];
    Stream::new(3, "view").fill_normal(&mut numbers);
    let x = Tensor::<2>::from_data(TensorData::new(numbers, [300, 70]), &cpu());
    let copied = Tensor::<2>::from_data(x.clone().transpose().into_data(), &cpu());
    for dim in [0, 1] {
        let (view, copy) = (sum_dim_fixed(x.clone().transpose(), dim), sum_dim_fixed(copied.clone(), dim));
        assert_eq!(view.into_data(), copy.into_data());
    }
    assert_eq!(sum_fixed(x.clone().transpose()).into_data(), sum_fixed(copied).into_data());
    let part = x.clone().narrow(0, 17, 100);
    close("narrowed", &values(&sum_fixed(part.clone())), &[values(&part).iter().sum()], 1e-6);
}

#[test]
fn no_values_sum_to_zero_and_have_no_mean() {
    let _on = own_kernels_stay();
    let empty = Tensor::<2>::zeros([0, 3], &cpu());
    assert_eq!(sum_fixed(empty.clone()).into_scalar::<f32>(), 0.0);
    assert_eq!(values(&sum_dim_fixed(empty.clone(), 0)), [0.0; 3]);
    assert!(mean_fixed(empty.clone()).into_scalar::<f32>().is_nan());
    assert_eq!(values(&reference::sum_dim_fixed(empty.clone(), 0)), [0.0; 3]);
    assert!(reference::mean_fixed(empty).into_scalar::<f32>().is_nan());
}

/// Ten million tenths: a plain f32 sum is wrong in the third digit.
#[test]
fn long_sums_stay_exact() {
    let _on = own_kernels_stay();
    let x = Tensor::<1>::full([10_000_000], 0.1, (&cpu(), DType::F32));
    let exact = f64::from(0.1f32) * 1e7;
    const SIXTEEN_ROUNDINGS: f64 = 16.0 * (f32::EPSILON / 2.0) as f64;
    close("sum", &values(&sum_fixed(x.clone())), &[exact], SIXTEEN_ROUNDINGS);
    close("mean", &values(&mean_fixed(x)), &[f64::from(0.1f32)], SIXTEEN_ROUNDINGS);
}

/// In f16 the sum of 80 000 ones overflows at 65504; their mean does not.
#[test]
fn low_precision_is_summed_in_f32() {
    let _on = own_kernels_stay();
    let x = Tensor::<1>::ones([81_920], (&cpu(), DType::F16));
    assert_eq!(values(&mean_fixed(x.clone())), [1.0]);
    assert_eq!(values(&sum_dim_fixed(x.reshape([40_960, 2]), 0)), [40_960.0; 2]);
}

#[test]
fn a_dimension_that_is_not_there_is_named() {
    let x = Tensor::<2>::zeros([2, 3], &cpu());
    panics("sum_dim_fixed: dimension 2 of a tensor of rank 2", || sum_dim_fixed(x.clone(), 2));
    panics("mean_dim_fixed: dimension 7 of a tensor of rank 2", || mean_dim_fixed(x, 7));
}
