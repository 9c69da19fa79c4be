//! A step of AdamW in one pass over weights, gradient and moments.
//!
//! `m <- b1 m + (1 - b1) g`, `v <- b2 v + (1 - b2) g^2`, `x <- (1 - rate decay) x - rate (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + e)`:
//! I. Loshchilov and F. Hutter, ICLR 2019, arXiv:1711.05101. By rows, what is without gradient stays as it is, weights and moments
//! alike: a step of training then does not shrink the embeddings of names that it did not see, nor move them by old momentum, and
//! does not touch their memory.

#[cfg(feature = "flex")]
mod flex;
#[cfg(feature = "flex")]
mod pass;
pub(crate) mod reference;

use crate::own;
use burn::{
    backend::{Backend, Dispatch, backend_extension, tensor::FloatTensor},
    tensor::{DType, Tensor},
};

/// The numbers of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWStep {
    /// The learning rate.
    pub rate: f64,
    /// Shares of the two moments that stay.
    pub betas: [f64; 2],
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Share of the weights that the step takes away, times the learning rate.
    pub weight_decay: f64,
    /// Which step it is, from 1 on.
    pub time: usize,
    /// Leave rows (along the first dimension) alone whose gradient is nought.
    pub by_rows: bool,
}

impl AdamWStep {
    /// Factor of the weights; factor of the first moment; factor of the second moment under the root.
    fn factors(&self) -> [f64; 3] {
        let time = i32::try_from(self.time).unwrap_or(i32::MAX);
        let [first, second] = self.betas.map(|beta| 1.0 - beta.powi(time));
        [1.0 - self.rate * self.weight_decay, self.rate / first, 1.0 / second]
    }
}

#[backend_extension(Flex: cfg(feature = "flex"))]
pub(crate) trait AdamWOps: Backend {
    /// Weights and moments after a step.
    fn adamw(
        x: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        step: AdamWStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

/// The weights and their moments after a step; written in place where nobody else holds them. Nothing is differentiated.
///
/// # Panics
/// `adamw: shapes [3, 4], [4, 3], [3, 4], [3, 4]`
pub fn adamw<const D: usize>(
    x: Tensor<D>,
    gradient: Tensor<D>,
    [first, second]: [Tensor<D>; 2],
    step: &AdamWStep,
) -> (Tensor<D>, [Tensor<D>; 2]) {
    let shapes = [x.dims(), gradient.dims(), first.dims(), second.dims()];
    let [a, b, c, d] = shapes;
    assert!(shapes == [a; 4], "adamw: shapes {a:?}, {b:?}, {c:?}, {d:?}");
    let own =
        [&x, &gradient, &first, &second].iter().all(|x| own::takes(x, &[DType::F32]) && !x.device().is_autodiff());
    if !own {
        return reference::adamw(x, gradient, [first, second], step);
    }
    let [x, gradient, first, second] = [x, gradient, first, second].map(Tensor::into_dispatch);
    let (x, first, second) = Dispatch::adamw(x, gradient, first, second, *step);
    (Tensor::from_dispatch(x), [first, second].map(Tensor::from_dispatch))
}
