//! [`AdamW`] in one pass over memory, for all parameters or for the rows of tables that had a part in the loss.

use burn::{
    optim::{AdamWState, AdaptiveMomentumState, LearningRate, Optimizer},
    tensor::{Device, Tensor},
};
use cupel_kernels::{AdamWStep, adamw};

/// AdamW (I. Loshchilov and F. Hutter, ICLR 2019, arXiv 1711.05101) by [`cupel_kernels::adamw`].
#[derive(Clone, Debug)]
pub(crate) struct AdamW {
    /// Decays of the two moments.
    pub(crate) betas: [f64; 2],
    /// Added to the root of the second moment.
    pub(crate) epsilon: f64,
    /// Weight decay per unit of learning rate.
    pub(crate) weight_decay: f64,
    /// Rows whose gradient is nought stay as they are.
    pub(crate) by_rows: bool,
}

impl Optimizer for AdamW {
    type State<const D: usize> = AdamWState<D>;

    fn step<const D: usize>(
        &self,
        rate: LearningRate,
        x: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<AdamWState<D>>,
    ) -> (Tensor<D>, Option<AdamWState<D>>) {
        let (moments, time) = match state.map(|state| state.momentum) {
            Some(state) => ([state.moment_1, state.moment_2], state.time + 1),
            None => ([gradient.zeros_like(), gradient.zeros_like()], 1),
        };
        let &Self { betas, epsilon, weight_decay, by_rows } = self;
        let (x, [first, second]) =
            adamw(x, gradient, moments, &AdamWStep { rate, betas, epsilon, weight_decay, time, by_rows });
        (x, Some(AdamWState::new(AdaptiveMomentumState::new(time, first, second))))
    }

    fn to_device<const D: usize>(mut state: AdamWState<D>, device: &Device) -> AdamWState<D> {
        state.momentum = state.momentum.to_device(device);
        state
    }
}
