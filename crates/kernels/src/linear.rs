//! Layers that are linear, `y = x W + b`, with their gradients `dy W'`, `x' dy` and the sum of `dy` over rows.
//!
//! All three products go through one micro-kernel, with the matrix on the right packed for it once and the one on the left read as it
//! lies (Goto and van de Geijn 2008, doi:10.1145/1356052.1356053). Of one row they are Burn's, but for the gradient of the weights: that has one
//! term a value and is written at once, where a general product clears and copies its room first.

mod autodiff;
#[cfg(feature = "flex")]
mod flex;
#[cfg(feature = "flex")]
mod product;
pub(crate) mod reference;

use crate::own;
use burn::{
    backend::{Backend, Dispatch, backend_extension, tensor::FloatTensor},
    tensor::{DType, Tensor},
};

/// Rows below which packing the weights takes longer than the product, which then is Burn's; of one row the gradient of the weights is own all the same.
const LEAST_ROWS: usize = 8;

#[backend_extension(Flex: cfg(feature = "flex"), Autodiff)]
pub(crate) trait LinearOps: Backend {
    /// `[row, input]`, `[input, output]` and `[output]` to `[row, output]`.
    fn linear_layer(x: FloatTensor<Self>, weight: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// Gradients of [`LinearOps`].
pub(crate) trait LinearGradients: Backend {
    /// For `x`.
    fn linear_input(dy: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self>;

    /// For the weight.
    fn linear_weight(x: FloatTensor<Self>, dy: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// `x W + b`; without a bias `x W`.
///
/// # Shapes
/// - `x`: `[row, input]`
/// - `weight`: `[input, output]`
/// - `bias`: `[output]`
/// - result: `[row, output]`
///
/// # Panics
/// `linear: 3 values a row for a weight of [4, 5] and a bias of [5]`
pub fn linear(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    let ([rows, width], [inputs, outputs]) = (x.dims(), weight.dims());
    let shifts = bias.as_ref().map_or(outputs, |bias| bias.dims()[0]);
    assert!(
        width == inputs && shifts == outputs,
        "linear: {width} values a row for a weight of [{inputs}, {outputs}] and a bias of [{shifts}]"
    );
    let own = own::takes(&x, &[DType::F32]) && weight.dtype() == DType::F32;
    if !own || (2..LEAST_ROWS).contains(&rows) || rows == 0 || inputs == 0 || outputs == 0 {
        return reference::linear(x, weight, bias);
    }
    let bias = bias.unwrap_or_else(|| Tensor::zeros([outputs], &x.device()));
    Tensor::from_dispatch(Dispatch::linear_layer(x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch()))
}
