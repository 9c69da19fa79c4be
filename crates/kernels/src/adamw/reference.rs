//! The step as tensor operations.

use super::AdamWStep;
use burn::tensor::Tensor;

/// See [`adamw`](crate::adamw).
pub fn adamw<const D: usize>(
    x: Tensor<D>,
    gradient: Tensor<D>,
    [first, second]: [Tensor<D>; 2],
    step: &AdamWStep,
) -> (Tensor<D>, [Tensor<D>; 2]) {
    let [kept, rate, correction] = step.factors();
    let [b1, b2] = step.betas;
    let m = first.clone().mul_scalar(b1) + gradient.clone().mul_scalar(1.0 - b1);
    let v = second.clone().mul_scalar(b2) + gradient.clone().square().mul_scalar(1.0 - b2);
    let root = v.clone().mul_scalar(correction).sqrt().add_scalar(step.epsilon);
    let moved = x.clone().mul_scalar(kept) - m.clone().mul_scalar(rate) / root;
    if !step.by_rows {
        return (moved, [m, v]);
    }
    let shape = x.dims();
    let rest = shape[1..].iter().product();
    let still = gradient.not_equal_elem(0.0).int().reshape([shape[0], rest]).sum_dim(1).equal_elem(0);
    let mut column = [1; D];
    column[0] = shape[0];
    let still = still.reshape(column).expand(shape);
    let of = |new: Tensor<D>, old: Tensor<D>| new.mask_where(still.clone(), old);
    (of(moved, x), [of(m, first), of(v, second)])
}
