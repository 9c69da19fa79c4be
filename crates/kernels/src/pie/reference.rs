//! The sweep as tensor operations.

use super::{DARK, PieSweep, PieSwept};
use crate::{
    Measured, SubApertures,
    aperture::reference::{multiply, places, seen, sent_back},
};
use burn::tensor::{IndexingUpdateOp, Tensor};

/// See [`pie_sweep`](crate::pie_sweep).
pub fn pie_sweep(
    plane: (Tensor<2>, Tensor<2>),
    pupils: (Tensor<3>, Tensor<3>),
    measured: &Measured,
    (flux, background): (Tensor<1>, Tensor<1>),
    apertures: &SubApertures,
    sweep: &PieSweep,
) -> PieSwept {
    let modes = measured.modes;
    let ([height, width], [count, rows, columns]) = (plane.0.dims(), pupils.0.dims());
    let (window, d, device) = ([rows, columns], apertures.detector, plane.0.device());
    let pixels = (d * d) as f64 * apertures.factor().powi(2);
    let flat = |part: Tensor<2>| part.reshape([height * width]);
    let (mut plane, mut pupils) = ((flat(plane.0), flat(plane.1)), pupils);
    let mut sums =
        [(); 2].map(|()| vec![Tensor::<1>::zeros_like(&plane.0.clone().slice_dim(0, 0..1)); apertures.centres.len()]);
    for &index in &sweep.order {
        let own = if count == modes { 0..modes } else { index * modes..(index + 1) * modes };
        let pupil = (pupils.0.clone().slice_dim(0, own.clone()), pupils.1.clone().slice_dim(0, own.clone()));
        let indices = places([height, width], window, &apertures.centres[index..index + 1], &device);
        let cut = |part: &Tensor<1>| part.clone().select(0, indices.clone()).reshape([1, rows, columns]);
        let object = (cut(&plane.0), cut(&plane.1));
        let (re, im) = seen(multiply(pupil.clone(), object.clone(), |a, b| a * b), apertures);

        let of = |part: &Tensor<1>| part.clone().slice_dim(0, index..index + 1).reshape([1, 1, 1]);
        let (flux, background) = (of(&flux), of(&background));
        let data = measured.data.clone().slice_dim(0, index..index + 1);
        let counts = match &measured.weight {
            None => data.ones_like(),
            Some(weight) => {
                let index = if weight.dims()[0] == 1 { 0 } else { index };
                weight.clone().slice_dim(0, index..index + 1).greater_elem(0.0).float().cast(data.dtype())
            }
        };
        let light = (re.clone().square() + im.clone().square()).sum_dim(0) * flux;
        let amplitude = data.clone().clamp_min(0.0).sqrt();
        let residual = amplitude.clone() - (light.clone() + background.clone()).clamp_min(0.0).sqrt();
        sums[0][index] = (residual.abs() * counts.clone()).sum();
        sums[1][index] = (amplitude * counts.clone()).sum();
        let dark = light.clone().lower_equal_elem(DARK);
        let ratio = ((data - background).clamp_min(0.0) / light.mask_fill(dark.clone(), 1.0)).sqrt() - 1.0;
        let ratio = ratio.mask_fill(dark, 0.0) * counts;
        let change = sent_back((re * ratio.clone(), im * ratio), window, apertures);

        let squares = |(re, im): &(Tensor<3>, Tensor<3>)| (re.clone().square() + im.clone().square()).sum_dim(0);
        let [of_plane, of_pupils] = sweep.regularisation;
        let weight = weights(squares(&pupil), sweep.plane_step / pixels, of_plane);
        let conjugate = |(re, im): (Tensor<3>, Tensor<3>)| (re, im.neg());
        let corrected = multiply(change.clone(), conjugate(pupil), |a, b| a * b);
        let corrected =
            [corrected.0, corrected.1].map(|part| (part.sum_dim(0) * weight.clone()).reshape([rows * columns]));
        let [re, im] = corrected;
        plane.0 = plane.0.select_assign(0, indices.clone(), re, IndexingUpdateOp::Add);
        plane.1 = plane.1.select_assign(0, indices, im, IndexingUpdateOp::Add);
        if let Some(step) = sweep.pupil_step {
            let weight = weights(squares(&object), step / pixels, of_pupils);
            let (re, im) = multiply(change, conjugate(object), |a, b| a * b);
            let corrected = |pupils: Tensor<3>, part: Tensor<3>| {
                let now = pupils.clone().slice_dim(0, own.clone()) + part * weight.clone();
                pupils.slice_assign([own.clone(), 0..rows, 0..columns], now)
            };
            pupils = (corrected(pupils.0, re), corrected(pupils.1, im));
        }
    }
    let [residuals, amplitudes] = sums.map(|sums| Tensor::cat(sums, 0));
    let plane = (plane.0.reshape([height, width]), plane.1.reshape([height, width]));
    PieSwept { plane, pupils, residuals, amplitudes }
}

/// The step over what is divided by.
fn weights(squares: Tensor<3>, step: f64, share: f64) -> Tensor<3> {
    let largest = squares.clone().max().reshape([1, 1, 1]);
    let divisor = squares * (1.0 - share) + largest * share;
    let dark = divisor.clone().lower_equal_elem(DARK);
    divisor.mask_fill(dark.clone(), 1.0).recip().mul_scalar(step).mask_fill(dark, 0.0)
}
