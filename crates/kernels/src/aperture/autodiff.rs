//! The adjoint of sub-apertures.

use super::{ApertureGradients, ApertureOps, Each, SubApertures};
use crate::gradient::{Gradient, record};
use burn::backend::{Autodiff, Backend, autodiff::checkpoint::strategy::CheckpointStrategy, tensor::FloatTensor};

#[derive(Clone, Debug)]
struct Images<B: Backend> {
    inputs: Each<FloatTensor<B>>,
    apertures: SubApertures,
}

impl<B: ApertureGradients> Gradient<B, 4, 2> for Images<B> {
    fn gradients(self, images: [Option<FloatTensor<B>>; 2], wanted: Each<bool>) -> Each<Option<FloatTensor<B>>> {
        B::sub_apertures_gradients(self.inputs, images, &self.apertures, wanted)
    }
}

#[derive(Clone, Debug)]
struct Amplitudes<B: Backend> {
    inputs: Each<FloatTensor<B>>,
    apertures: SubApertures,
    epsilon: f64,
}

impl<B: ApertureGradients> Gradient<B, 4, 1> for Amplitudes<B> {
    fn gradients(self, [out]: [Option<FloatTensor<B>>; 1], wanted: Each<bool>) -> Each<Option<FloatTensor<B>>> {
        let Self { inputs, apertures, epsilon } = self;
        match out {
            Some(out) => B::sub_aperture_amplitudes_gradients(inputs, out, &apertures, epsilon, wanted),
            None => [None, None, None, None],
        }
    }
}

impl<B: ApertureOps + ApertureGradients, C: CheckpointStrategy> ApertureOps for Autodiff<B, C> {
    fn sub_apertures(
        plane_re: FloatTensor<Self>,
        plane_im: FloatTensor<Self>,
        pupil_re: FloatTensor<Self>,
        pupil_im: FloatTensor<Self>,
        apertures: SubApertures,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let inputs = [plane_re, plane_im, pupil_re, pupil_im];
        let [(a, of_a), (b, of_b), (c, of_c), (d, of_d)] = inputs.map(|input| input.into_parts());
        let (re, im) = B::sub_apertures(a.clone(), b.clone(), c.clone(), d.clone(), apertures.clone());
        let gradient = Images::<B> { inputs: [a, b, c, d], apertures };
        let [re, im] = record::<B, C, _, 4, 2>([of_a, of_b, of_c, of_d], gradient, [re, im]);
        (re, im)
    }

    fn sub_aperture_amplitudes(
        plane_re: FloatTensor<Self>,
        plane_im: FloatTensor<Self>,
        pupil_re: FloatTensor<Self>,
        pupil_im: FloatTensor<Self>,
        apertures: SubApertures,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        let inputs = [plane_re, plane_im, pupil_re, pupil_im];
        let [(a, of_a), (b, of_b), (c, of_c), (d, of_d)] = inputs.map(|input| input.into_parts());
        let out = B::sub_aperture_amplitudes(a.clone(), b.clone(), c.clone(), d.clone(), apertures.clone(), epsilon);
        let gradient = Amplitudes::<B> { inputs: [a, b, c, d], apertures, epsilon };
        let [out] = record::<B, C, _, 4, 1>([of_a, of_b, of_c, of_d], gradient, [out]);
        out
    }
}
