//! The interactions as tensor operations.

use burn::tensor::Tensor;

/// See [`gram_pairs`](crate::gram_pairs).
pub fn gram_pairs(x: Tensor<3>) -> Tensor<2> {
    let [samples, fields, _] = x.dims();
    // row i of the Gram matrix right of its diagonal
    let rows = (0..fields - 1)
        .map(|i| {
            let others = x.clone().narrow(1, i + 1, fields - 1 - i);
            (others * x.clone().narrow(1, i, 1)).sum_dim(2).reshape([samples, fields - 1 - i])
        })
        .collect();
    Tensor::cat(rows, 1)
}

/// See [`bi_interaction`](crate::bi_interaction).
pub fn bi_interaction(x: Tensor<3>) -> Tensor<2> {
    let [samples, fields, dimension] = x.dims();
    let field = |j: usize| x.clone().narrow(1, j, 1).reshape([samples, dimension]);
    let mut before = field(0);
    let mut sum = before.zeros_like();
    for j in 1..fields {
        sum = sum + before.clone() * field(j);
        before = before + field(j);
    }
    sum
}
