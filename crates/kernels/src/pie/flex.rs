//! The sweep on flex.

use super::{How, PieOps, sweep};
use crate::{
    aperture::{flex::windows, number::Number},
    flex::{tensor, with_values},
    likelihood::{flex::with_all, pass::Frames},
};
use burn::{
    backend::{Flex, TensorMetadata, flex::FlexTensor, tensor::FloatTensor},
    tensor::DType,
};

impl PieOps for Flex {
    fn pie_sweep(
        plane_re: FloatTensor<Self>,
        plane_im: FloatTensor<Self>,
        pupils_re: FloatTensor<Self>,
        pupils_im: FloatTensor<Self>,
        flux: FloatTensor<Self>,
        background: FloatTensor<Self>,
        data: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        how: How,
    ) -> (
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
    ) {
        let state = [plane_re, plane_im, pupils_re, pupils_im];
        let constants = [&flux, &background, &data, &weight];
        let [a, b, c, d, e, f] = match state[0].dtype() {
            DType::F64 => swept::<f64>(&state, constants, &how),
            _ => swept::<f32>(&state, constants, &how),
        };
        (a, b, c, d, e, f)
    }
}

fn swept<T: Number>(state: &[FlexTensor; 4], constants: [&FlexTensor; 4], how: &How) -> [FlexTensor; 6] {
    let windows = windows::<T>(&state[0], &state[2], &how.apertures, how.modes);
    let mut parts = state.each_ref().map(|part| with_values(part, <[T]>::to_vec));
    let [plane_re, plane_im, pupils_re, pupils_im] = &mut parts;
    let [residuals, amplitudes] = with_all::<T, _, _>(&constants, |&[flux, background, data, weight]| {
        let frames = Frames { data, weight: (!weight.is_empty()).then_some(weight), flux, background };
        sweep::run(&windows, [plane_re, plane_im], [pupils_re, pupils_im], frames, &how.sweep)
    });
    let exposures = windows.centres.len();
    let mut parts = parts.into_iter().zip(state).map(|(part, like)| tensor(part, like.shape()));
    let mut next = || parts.next().unwrap_or_else(|| unreachable!("there are four parts"));
    let [a, b, c, d] = std::array::from_fn(|_| next());
    [a, b, c, d, tensor(residuals, [exposures]), tensor(amplitudes, [exposures])]
}
