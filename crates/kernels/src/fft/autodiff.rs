//! The adjoints of the transforms: the opposite direction with the same factors.

use super::{Complex, FftOps, Real};
use crate::gradient::{Gradient, record};
use burn::backend::{
    Autodiff, Backend, TensorMetadata, autodiff::checkpoint::strategy::CheckpointStrategy, tensor::FloatTensor,
};

#[derive(Clone, Debug)]
struct OfComplex(Complex);

impl<B: FftOps> Gradient<B, 2, 2> for OfComplex {
    fn gradients(self, results: [Option<FloatTensor<B>>; 2], _: [bool; 2]) -> [Option<FloatTensor<B>>; 2] {
        let [re, im] = both::<B>(results);
        let (re, im) = B::fft_complex(re, im, Complex { inverse: !self.0.inverse, ..self.0 });
        [Some(re), Some(im)]
    }
}

#[derive(Clone, Debug)]
struct OfReal(Real);

impl<B: FftOps> Gradient<B, 1, 2> for OfReal {
    fn gradients(self, results: [Option<FloatTensor<B>>; 2], _: [bool; 1]) -> [Option<FloatTensor<B>>; 1] {
        let [re, im] = both::<B>(results);
        [Some(B::fft_to_real(re, im, self.0))]
    }
}

#[derive(Clone, Debug)]
struct ToReal(Real);

impl<B: FftOps> Gradient<B, 2, 1> for ToReal {
    fn gradients(self, [x]: [Option<FloatTensor<B>>; 1], _: [bool; 2]) -> [Option<FloatTensor<B>>; 2] {
        let Some(x) = x else { return [None, None] };
        let (re, im) = B::fft_of_real(x, self.0);
        [Some(re), Some(im)]
    }
}

/// The gradients of a pair; a part that nothing depends on has the gradient 0.
fn both<B: Backend>([re, im]: [Option<FloatTensor<B>>; 2]) -> [FloatTensor<B>; 2] {
    let zeros = |x: &FloatTensor<B>| B::float_zeros(x.shape(), &x.device(), x.dtype().into());
    match (re, im) {
        (Some(re), Some(im)) => [re, im],
        (Some(re), None) => [re.clone(), zeros(&re)],
        (None, Some(im)) => [zeros(&im), im],
        (None, None) => unreachable!("a step without a gradient is not differentiated"),
    }
}

impl<B: FftOps, C: CheckpointStrategy> FftOps for Autodiff<B, C> {
    fn fft_complex(
        re: FloatTensor<Self>,
        im: FloatTensor<Self>,
        transform: Complex,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let ((re, re_node), (im, im_node)) = (re.into_parts(), im.into_parts());
        let results = B::fft_complex(re, im, transform);
        record::<B, C, _, 2, 2>([re_node, im_node], OfComplex(transform), results.into()).into()
    }

    fn fft_of_real(x: FloatTensor<Self>, transform: Real) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let (x, node) = x.into_parts();
        let results = B::fft_of_real(x, transform);
        record::<B, C, _, 1, 2>([node], OfReal(transform), results.into()).into()
    }

    fn fft_to_real(re: FloatTensor<Self>, im: FloatTensor<Self>, transform: Real) -> FloatTensor<Self> {
        let ((re, re_node), (im, im_node)) = (re.into_parts(), im.into_parts());
        let result = B::fft_to_real(re, im, transform);
        let [x] = record::<B, C, _, 2, 1>([re_node, im_node], ToReal(transform), [result]);
        x
    }
}
