//! Where own bodies run: on flex, in the dtypes they support, unless they are switched off.

use burn::tensor::{DType, Device, Tensor};
use std::sync::{
    OnceLock,
    atomic::{AtomicBool, Ordering},
};

/// `off`, `0` or `false` in this variable of the environment turns every own kernel off.
const VARIABLE: &str = "CUPEL_KERNELS";

fn switch() -> &'static AtomicBool {
    static SWITCH: OnceLock<AtomicBool> = OnceLock::new();
    SWITCH.get_or_init(|| {
        let off = std::env::var(VARIABLE)
            .is_ok_and(|value| ["off", "0", "false"].iter().any(|off| value.trim().eq_ignore_ascii_case(off)));
        AtomicBool::new(!off)
    })
}

/// Turns the own bodies of every operation on or off for the whole process; off, each operation is its
/// [`reference`](crate::reference).
///
/// They are on at the start, unless `CUPEL_KERNELS` is `off` in the environment when the first operation runs. A graph
/// that is already recorded keeps the bodies that it was recorded with.
pub fn set_own_kernels(on: bool) {
    switch().store(on, Ordering::Relaxed);
}

/// Whether operations run their own bodies where they have one.
pub fn own_kernels() -> bool {
    switch().load(Ordering::Relaxed)
}

/// Whether an operation with bodies for `dtypes` runs its own on `x`.
pub(crate) fn takes<const D: usize>(x: &Tensor<D>, dtypes: &[DType]) -> bool {
    own_kernels() && dtypes.contains(&x.dtype()) && is_flex(&x.device())
}

/// Whether `device` is flex, with or without automatic differentiation.
#[cfg(feature = "flex")]
pub(crate) fn is_flex(device: &Device) -> bool {
    use burn::backend::DispatchDevice;
    match device.as_dispatch() {
        DispatchDevice::Flex(_) => true,
        DispatchDevice::Autodiff(_) => matches!(device.clone().inner().as_dispatch(), DispatchDevice::Flex(_)),
        #[allow(unreachable_patterns)] // which other devices there are depends on Burn's features
        _ => false,
    }
}

#[cfg(not(feature = "flex"))]
pub(crate) fn is_flex(_: &Device) -> bool {
    false
}

/// Applies `f` to `x` in f32 when it is f16 or bf16, and returns to its dtype.
pub(crate) fn at_least_f32<const D: usize, const E: usize>(
    x: Tensor<D>,
    f: impl FnOnce(Tensor<D>) -> Tensor<E>,
) -> Tensor<E> {
    match x.dtype() {
        low @ (DType::F16 | DType::BF16) => f(x.cast(DType::F32)).cast(low),
        _ => f(x),
    }
}
