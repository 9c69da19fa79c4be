//! Loops over slices with the vector instructions that the processor has.

use pulp::{Arch, Simd, WithSimd};

/// Runs `f`, compiled for the processor that it runs on. What `f` calls has to be inlined, and `f` itself marked so.
///
/// pulp takes closures too, but calls them as `FnOnce`: that goes through a function of the compiler's own, into which a long
/// closure is inlined and which is compiled for the least of all processors. Called as `FnMut` it is inlined where it should.
pub(crate) fn vectorized<R>(f: impl FnMut() -> R) -> R {
    Arch::new().dispatch(Loops(f))
}

struct Loops<F>(F);

impl<R, F: FnMut() -> R> WithSimd for Loops<F> {
    type Output = R;

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _: S) -> R {
        (self.0)()
    }
}
