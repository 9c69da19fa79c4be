//! The gradient of the likelihood: what the forward pass kept of each exposure, times the incoming gradient.

use super::{Each, How, Kept, LikelihoodGradients, LikelihoodOps};
use crate::gradient::{Gradient, record};
use burn::backend::{Autodiff, Backend, autodiff::checkpoint::strategy::CheckpointStrategy, tensor::FloatTensor};

#[derive(Clone, Debug)]
struct Explained<B: Backend> {
    inputs: Each<FloatTensor<B>>,
    /// None where nobody asked for gradients.
    kept: Option<Kept<FloatTensor<B>>>,
    how: How,
}

impl<B: LikelihoodGradients> Gradient<B, 6, 1> for Explained<B> {
    fn gradients(self, [out]: [Option<FloatTensor<B>>; 1], wanted: Each<bool>) -> Each<Option<FloatTensor<B>>> {
        match (out, self.kept) {
            (Some(out), Some(kept)) => B::likelihood_gradients(&self.inputs, kept, out, &self.how, wanted),
            _ => [None, None, None, None, None, None],
        }
    }
}

impl<B: LikelihoodOps + LikelihoodGradients, C: CheckpointStrategy> LikelihoodOps for Autodiff<B, C> {
    fn sub_aperture_likelihood(
        plane_re: FloatTensor<Self>,
        plane_im: FloatTensor<Self>,
        pupils_re: FloatTensor<Self>,
        pupils_im: FloatTensor<Self>,
        flux: FloatTensor<Self>,
        background: FloatTensor<Self>,
        data: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        how: How,
    ) -> FloatTensor<Self> {
        let inputs = [plane_re, plane_im, pupils_re, pupils_im, flux, background];
        let tracked = inputs.iter().any(|input| input.is_tracked());
        let [(a, of_a), (b, of_b), (c, of_c), (d, of_d), (e, of_e), (f, of_f)] = inputs.map(|input| input.into_parts());
        let (data, weight) = (data.into_parts().0, weight.into_parts().0);
        let inputs = [a, b, c, d, e, f];
        let nodes = [of_a, of_b, of_c, of_d, of_e, of_f];
        let (values, kept) = if tracked {
            let (values, kept) = B::likelihood_and_kept(&inputs, data, weight, &how);
            (values, Some(kept))
        } else {
            // half of the work would be for nobody
            let [a, b, c, d, e, f] = inputs.clone();
            (B::sub_aperture_likelihood(a, b, c, d, e, f, data, weight, how.clone()), None)
        };
        let [values] = record::<B, C, _, 6, 1>(nodes, Explained::<B> { inputs, kept, how }, [values]);
        values
    }
}
