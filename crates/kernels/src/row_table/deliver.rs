//! A way for a gradient out of the graph: it is put where its owner finds it.
#![cfg_attr(feature = "ndarray", allow(deprecated))] // Burn's word for ndarray, which is kept while Burn ships it

use crate::gradient::{Gradient, record};
use burn::{
    backend::{
        Autodiff, Backend, autodiff::checkpoint::strategy::CheckpointStrategy, backend_extension, tensor::FloatTensor,
    },
    tensor::Tensor,
};
use std::sync::{Arc, Mutex, PoisonError};

/// Where a gradient is put.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slot(Arc<Mutex<Option<Tensor<2>>>>);

impl Slot {
    fn put(&self, gradient: Tensor<2>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(gradient);
    }

    pub(crate) fn take(&self) -> Option<Tensor<2>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(any(feature = "wgpu", feature = "vulkan", feature = "cuda")),
    Remote: cfg(feature = "remote"),
    Autodiff
)]
pub(crate) trait DeliverOps: Backend {
    /// Returns `x`, and puts it into the slot; with automatic differentiation its gradient instead.
    fn deliver(x: FloatTensor<Self>, to: Slot) -> FloatTensor<Self>;
}

#[allow(unused_macros)] // there are builds without any device
macro_rules! deliver_on {
    ($backend:ident) => {
        impl DeliverOps for burn::backend::$backend {
            fn deliver(x: FloatTensor<Self>, to: Slot) -> FloatTensor<Self> {
                to.put(Tensor::from_primitive::<Self>(x.clone()));
                x
            }
        }
    };
}

#[cfg(feature = "flex")]
deliver_on!(Flex);
#[cfg(feature = "ndarray")]
deliver_on!(NdArray);
#[cfg(any(feature = "wgpu", feature = "vulkan", feature = "cuda"))]
deliver_on!(Cube);
#[cfg(feature = "remote")]
deliver_on!(Remote);

#[derive(Clone, Debug)]
struct Deliver(Slot);

impl<B: DeliverOps> Gradient<B, 1, 1> for Deliver {
    fn gradients(self, [gradient]: [Option<FloatTensor<B>>; 1], _: [bool; 1]) -> [Option<FloatTensor<B>>; 1] {
        // The input is a leaf of ours that nobody else knows: its gradient has arrived.
        gradient.map(|gradient| B::deliver(gradient, self.0));
        [None]
    }
}

impl<B: DeliverOps, C: CheckpointStrategy> DeliverOps for Autodiff<B, C> {
    fn deliver(x: FloatTensor<Self>, to: Slot) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let [x] = record::<B, C, _, 1, 1>([node], Deliver(to), [x]);
        x
    }
}
