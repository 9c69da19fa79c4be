//! Dropout whose draws are a function of a key and a counter, so that a resumed training drops what an uninterrupted one does.
//!
//! A value becomes nought with the probability `share`, and the others are divided by `1 - share` (N. Srivastava et al., JMLR 15, 1929
//! (2014)). The draws are those of [`philox_uniform`](crate::philox_uniform), tile by tile: of 16 blocks of 4 numbers, the first number of
//! each block, then the second of each, so that they are compared in vectors as they are made.

mod autodiff;
#[cfg(feature = "flex")]
mod flex;
pub(crate) mod reference;

use crate::{own, philox::LANES};
use burn::{
    backend::{Backend, Dispatch, backend_extension, tensor::FloatTensor},
    tensor::{DType, Tensor},
};

/// Values that are drawn for together.
pub(crate) const TILE: usize = 4 * LANES;

/// Which values are dropped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Draws {
    share: f32,
    key: [u32; 2],
    counter: [u32; 2],
}

#[backend_extension(Flex: cfg(feature = "flex"), Autodiff)]
pub(crate) trait DropoutOps: Backend {
    /// The values that are left. Its gradient is itself, of the gradient.
    fn drop_out(x: FloatTensor<Self>, draws: Draws) -> FloatTensor<Self>;
}

/// `x` without a `share` of its values, in place where nobody else needs them; `key` and `counter` as in
/// [`philox_uniform`](crate::philox_uniform).
///
/// # Panics
/// "dropout: a share of 1 where 0 up to but not including 1 was expected"
pub fn dropout<const D: usize>(x: Tensor<D>, share: f64, key: [u32; 2], counter: [u32; 2]) -> Tensor<D> {
    assert!((0.0..1.0).contains(&share), "dropout: a share of {share} where 0 up to but not including 1 was expected");
    let draws = Draws { share: share as f32, key, counter };
    match own::takes(&x, &[DType::F32]) {
        _ if share == 0.0 => x,
        true => Tensor::from_dispatch(Dispatch::drop_out(x.into_dispatch(), draws)),
        false => reference::dropout(x, share, key, counter),
    }
}
