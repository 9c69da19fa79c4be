//! An activation of slices, and its gradient.

use rayon::prelude::*;

use super::{
    Activation,
    curve::{Curve, WithCurve},
};
use crate::vectorized::vectorized;

/// Values that one task handles.
const BLOCK: usize = 1 << 15;

struct Forward<'a>(&'a mut [f32]);

impl WithCurve for Forward<'_> {
    type Output = ();

    fn with<C: Curve>(self, curve: C) {
        self.0.par_chunks_mut(BLOCK).for_each(|x| Here(x).with(curve));
    }
}

struct Here<'a>(&'a mut [f32]);

impl WithCurve for Here<'_> {
    type Output = ();

    fn with<C: Curve>(self, curve: C) {
        let x = self.0;
        vectorized(
            #[inline(always)]
            || x.iter_mut().for_each(|x| *x = curve.value(*x)),
        );
    }
}

/// As [`forward`], on the thread that calls.
pub(crate) fn forward_here(x: &mut [f32], kind: Activation) {
    if kind != Activation::Identity {
        kind.with_curve(Here(x));
    }
}

/// Each value of `x` becomes that of the activation.
pub(crate) fn forward(x: &mut [f32], kind: Activation) {
    kind.with_curve(Forward(x));
}

struct Backward<'a> {
    x: &'a [f32],
    gradient: &'a mut [f32],
}

impl WithCurve for Backward<'_> {
    type Output = ();

    fn with<C: Curve>(self, curve: C) {
        self.gradient.par_chunks_mut(BLOCK).zip(self.x.par_chunks(BLOCK)).for_each(|(gradient, x)| {
            vectorized(
                #[inline(always)]
                || gradient.iter_mut().zip(x).for_each(|(gradient, &x)| *gradient *= curve.slope(x)),
            );
        });
    }
}

/// The gradient for the activation's value becomes that for `x`.
pub(crate) fn backward(x: &[f32], gradient: &mut [f32], kind: Activation) {
    kind.with_curve(Backward { x, gradient });
}
