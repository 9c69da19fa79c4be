//! The likelihood as tensor operations.

use super::{FLOOR, Likelihood, Measured};
use crate::{SubApertures, aperture::reference::sub_apertures, sum::reference::sum_dim_fixed};
use burn::tensor::Tensor;

/// See [`sub_aperture_likelihood`](crate::sub_aperture_likelihood).
pub fn sub_aperture_likelihood(
    plane: (Tensor<2>, Tensor<2>),
    pupils: (Tensor<3>, Tensor<3>),
    measured: &Measured,
    flux: Tensor<1>,
    background: Tensor<1>,
    apertures: &SubApertures,
    likelihood: Likelihood,
) -> Tensor<1> {
    let [exposures, d, _] = measured.data.dims();
    let modes = measured.modes;
    let each = SubApertures {
        centres: apertures.centres.iter().flat_map(|centre| vec![*centre; modes]).collect(),
        ..apertures.clone()
    };
    // one pupil, or one for each window
    let pupils = match pupils.0.dims()[0] {
        count if count == modes && modes > 1 => (pupils.0.repeat_dim(0, exposures), pupils.1.repeat_dim(0, exposures)),
        _ => pupils,
    };
    let (re, im) = sub_apertures(plane, pupils, &each);
    let [flux, background] = [flux, background].map(|part| part.reshape([exposures, 1, 1]));
    let squares = (re.clone() * re + im.clone() * im).reshape([exposures, modes, d, d]).sum_dim(1);
    let intensity = squares.reshape([exposures, d, d]) * flux + background;
    let data = measured.data.clone();
    let terms = match likelihood {
        Likelihood::Amplitude { epsilon } => {
            let amplitude = (intensity + epsilon).clamp_min(FLOOR).sqrt();
            (amplitude - data.clamp_min(0.0).sqrt()).square()
        }
        Likelihood::Poisson { variance } => {
            let expected = (intensity + variance).clamp_min(FLOOR);
            let counted = (data + variance).clamp_min(FLOOR);
            let excess = expected.clone() - counted.clone();
            let ratio = excess.clone() / counted.clone();
            // far below the counts the logarithm of one plus nearly minus one
            let logarithm = (expected / counted.clone()).log();
            let near = ratio.clone().abs().lower_elem(0.5);
            let logarithm = logarithm.mask_where(near, ratio.clamp(-0.5, 0.5).log1p());
            excess - counted * logarithm
        }
    };
    let terms = match &measured.weight {
        Some(weight) => terms * weight.clone(),
        None => terms,
    };
    sum_dim_fixed(terms.reshape([exposures, d * d]), 1).reshape([exposures])
}
