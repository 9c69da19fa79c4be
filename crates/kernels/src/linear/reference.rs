//! The layer by Burn's own operations.

use burn::tensor::{Tensor, module};

/// See [`linear`](crate::linear).
pub fn linear(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    module::linear(x, weight, bias)
}
