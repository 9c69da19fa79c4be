//! The likelihood on flex.

use super::{
    Each, How, Kept, LikelihoodGradients, LikelihoodOps,
    pass::{self, Frames},
};
use crate::{
    aperture::{flex::windows, number::Number},
    flex::tensor,
};
use burn::{
    backend::{Flex, TensorMetadata, flex::FlexTensor, tensor::FloatTensor},
    tensor::DType,
};

impl LikelihoodOps for Flex {
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
        match inputs[0].dtype() {
            DType::F64 => likelihood::<f64>(&inputs, &data, &weight, &how, false).0,
            _ => likelihood::<f32>(&inputs, &data, &weight, &how, false).0,
        }
    }
}

impl LikelihoodGradients for Flex {
    fn likelihood_and_kept(
        inputs: &Each<FloatTensor<Self>>,
        data: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        how: &How,
    ) -> (FloatTensor<Self>, Kept<FloatTensor<Self>>) {
        match inputs[0].dtype() {
            DType::F64 => likelihood::<f64>(inputs, &data, &weight, how, true),
            _ => likelihood::<f32>(inputs, &data, &weight, how, true),
        }
    }

    fn likelihood_gradients(
        inputs: &Each<FloatTensor<Self>>,
        kept: Kept<FloatTensor<Self>>,
        gradient: FloatTensor<Self>,
        how: &How,
        wanted: Each<bool>,
    ) -> Each<Option<FloatTensor<Self>>> {
        match inputs[0].dtype() {
            DType::F64 => gradients::<f64>(inputs, &kept, &gradient, how, wanted),
            _ => gradients::<f32>(inputs, &kept, &gradient, how, wanted),
        }
    }
}

fn likelihood<T: Number>(
    [plane_re, plane_im, pupils_re, pupils_im, flux, background]: &Each<FlexTensor>,
    data: &FlexTensor,
    weight: &FlexTensor,
    how: &How,
    wanted: bool,
) -> (FlexTensor, Kept<FlexTensor>) {
    let windows = windows::<T>(plane_re, pupils_re, &how.apertures, how.modes);
    let (exposures, [rows, columns]) = (windows.centres.len(), windows.window);
    let all = [plane_re, plane_im, pupils_re, pupils_im, flux, background, data, weight];
    let (values, Kept { windows: [re, im], flux, background }) =
        with_all::<T, _, _>(&all, |&[plane_re, plane_im, pupils_re, pupils_im, flux, background, data, weight]| {
            let frames = Frames { data, weight: (!weight.is_empty()).then_some(weight), flux, background };
            pass::run(&windows, [plane_re, plane_im], [pupils_re, pupils_im], frames, how.likelihood, wanted)
        });
    let shape = if wanted { [exposures, how.modes, rows, columns] } else { [exposures, 1, 1, 1] };
    let one = |values: Vec<T>| tensor(values, [exposures]);
    let windows = [re, im].map(|part| tensor(part, shape));
    (one(values), Kept { windows, flux: one(flux), background: one(background) })
}

fn gradients<T: Number>(
    inputs: &Each<FlexTensor>,
    kept: &Kept<FlexTensor>,
    gradient: &FlexTensor,
    how: &How,
    wanted: Each<bool>,
) -> Each<Option<FlexTensor>> {
    let [plane_re, plane_im, pupils_re, pupils_im, ..] = inputs;
    let windows = windows::<T>(plane_re, pupils_re, &how.apertures, how.modes);
    let [re, im] = &kept.windows;
    let all = [plane_re, plane_im, pupils_re, pupils_im, re, im, &kept.flux, &kept.background, gradient];
    let parts =
        with_all::<T, _, _>(&all, |&[plane_re, plane_im, pupils_re, pupils_im, re, im, flux, background, gradient]| {
            let (plane, pupils, kept) = ([plane_re, plane_im], [pupils_re, pupils_im], [re, im]);
            let scaled = |part: &[T]| part.iter().zip(gradient).map(|(part, gradient)| *part * *gradient).collect();
            let none = || [vec![], vec![]];
            let plane_wanted = wanted[0] || wanted[1];
            let of_plane = if plane_wanted { windows.add_to_plane(pupils, kept, Some(gradient)) } else { none() };
            let pupils_wanted = wanted[2] || wanted[3];
            let of_pupils = if pupils_wanted { windows.add_to_pupils(plane, kept, Some(gradient)) } else { none() };
            let ([a, b], [c, d]) = (of_plane, of_pupils);
            [a, b, c, d, scaled(flux), scaled(background)]
        });
    let mut parts = parts.into_iter();
    std::array::from_fn(|index| {
        let values = parts.next().unwrap_or_default();
        wanted[index].then(|| tensor(values, inputs[index].shape()))
    })
}

/// Calls `f` with the values of all tensors.
pub(crate) fn with_all<T: Number, R, const N: usize>(all: &[&FlexTensor; N], f: impl FnOnce(&[&[T]; N]) -> R) -> R {
    let contiguous = all.map(|x| T::slice(x).is_none().then(|| x.to_contiguous()));
    let slices: [&[T]; N] =
        std::array::from_fn(|index| match T::slice(contiguous[index].as_ref().unwrap_or(all[index])) {
            Some(values) => values,
            None => panic!("a tensor of {:?} where {:?} was expected", all[index].dtype(), T::dtype()),
        });
    f(&slices)
}
