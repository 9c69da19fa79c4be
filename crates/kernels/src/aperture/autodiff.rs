//! The adjoint of sub-apertures.

use super::{ApertureGradients, ApertureOps, Each, SubApertures};
use burn::backend::{
    Autodiff,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    tensor::FloatTensor,
};

#[derive(Debug)]
struct Images;

impl<B: ApertureGradients> Backward<B, 4> for Images {
    /// The inputs, and `epsilon` if amplitudes were asked for.
    type State = (Each<FloatTensor<B>>, SubApertures, Option<f64>);

    fn backward(self, ops: Ops<Self::State, 4>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (inputs, apertures, epsilon) = ops.state;
        let gradient = grads.consume::<B>(&ops.node);
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let gradients = match epsilon {
            None => B::sub_apertures_gradients(inputs, gradient, &apertures, wanted),
            Some(epsilon) => B::sub_aperture_amplitudes_gradients(inputs, gradient, &apertures, epsilon, wanted),
        };
        for (parent, gradient) in ops.parents.into_iter().zip(gradients) {
            if let (Some(parent), Some(gradient)) = (parent, gradient) {
                grads.register::<B>(parent.id, gradient);
            }
        }
    }
}

impl<B: ApertureOps + ApertureGradients, C: CheckpointStrategy> ApertureOps for Autodiff<B, C> {
    fn sub_apertures(
        spectrum_re: FloatTensor<Self>,
        spectrum_im: FloatTensor<Self>,
        pupil_re: FloatTensor<Self>,
        pupil_im: FloatTensor<Self>,
        apertures: SubApertures,
    ) -> FloatTensor<Self> {
        track::<B, C>([spectrum_re, spectrum_im, pupil_re, pupil_im], apertures, None)
    }

    fn sub_aperture_amplitudes(
        spectrum_re: FloatTensor<Self>,
        spectrum_im: FloatTensor<Self>,
        pupil_re: FloatTensor<Self>,
        pupil_im: FloatTensor<Self>,
        apertures: SubApertures,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        track::<B, C>([spectrum_re, spectrum_im, pupil_re, pupil_im], apertures, Some(epsilon))
    }
}

fn track<B: ApertureOps + ApertureGradients, C: CheckpointStrategy>(
    inputs: Each<FloatTensor<Autodiff<B, C>>>,
    apertures: SubApertures,
    epsilon: Option<f64>,
) -> FloatTensor<Autodiff<B, C>> {
    let [(a, node_a), (b, node_b), (c, node_c), (d, node_d)] = inputs.map(|input| input.into_parts());
    let inputs = [a, b, c, d];
    let [a, b, c, d] = inputs.clone();
    let out = match epsilon {
        None => B::sub_apertures(a, b, c, d, apertures.clone()),
        Some(epsilon) => B::sub_aperture_amplitudes(a, b, c, d, apertures.clone(), epsilon),
    };
    match Images.prepare::<C>([node_a, node_b, node_c, node_d]).compute_bound().stateful() {
        OpsKind::Tracked(prep) => prep.finish((inputs, apertures, epsilon), out),
        OpsKind::UnTracked(prep) => prep.finish(out),
    }
}
