//! The sums as tensor operations: levels of sums of at most 1024 values, each too short for a backend to split.

use burn::tensor::Tensor;

/// Longest run that one sum of Burn gets.
const RUN: usize = 1024;

/// See [`sum_fixed`](crate::sum_fixed).
pub fn sum_fixed<const D: usize>(x: Tensor<D>) -> Tensor<1> {
    let count = x.dims().iter().product();
    if count == 0 {
        return Tensor::zeros([1], (&x.device(), x.dtype()));
    }
    along(x.reshape([1, count, 1])).reshape([1])
}

/// See [`sum_squares_fixed`](crate::sum_squares_fixed).
pub fn sum_squares_fixed<const D: usize>(x: Tensor<D>) -> Tensor<1> {
    sum_fixed(x.clone() * x)
}

/// See [`mean_fixed`](crate::mean_fixed).
pub fn mean_fixed<const D: usize>(x: Tensor<D>) -> Tensor<1> {
    let count = x.dims().iter().product::<usize>();
    // Burn differentiates a division by a number in f32, whatever the dtype.
    sum_fixed(x).mul_scalar(1.0 / count as f64)
}

/// See [`sum_dim_fixed`](crate::sum_dim_fixed).
pub fn sum_dim_fixed<const D: usize>(x: Tensor<D>, dim: usize) -> Tensor<D> {
    let dims = x.dims();
    let mut summed = dims;
    summed[dim] = 1;
    if dims.contains(&0) {
        return Tensor::zeros(summed, (&x.device(), x.dtype()));
    }
    let (outer, inner) = (dims[..dim].iter().product(), dims[dim + 1..].iter().product());
    along(x.reshape([outer, dims[dim], inner])).reshape(summed)
}

/// See [`mean_dim_fixed`](crate::mean_dim_fixed).
pub fn mean_dim_fixed<const D: usize>(x: Tensor<D>, dim: usize) -> Tensor<D> {
    let count = x.dims()[dim];
    sum_dim_fixed(x, dim).mul_scalar(1.0 / count as f64)
}

/// The sums along the middle dimension, `[outer, n, inner]` to `[outer, 1, inner]`.
fn along(x: Tensor<3>) -> Tensor<3> {
    let [outer, n, inner] = x.dims();
    if n <= RUN {
        return x.sum_dim(1);
    }
    let (runs, rest) = (n / RUN, n % RUN);
    let whole = x.clone().narrow(1, 0, runs * RUN).reshape([outer * runs, RUN, inner]);
    let mut sums = vec![whole.sum_dim(1).reshape([outer, runs, inner])];
    if rest > 0 {
        sums.push(x.narrow(1, runs * RUN, rest).sum_dim(1));
    }
    along(Tensor::cat(sums, 1))
}
