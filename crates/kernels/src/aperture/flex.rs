//! Sub-apertures on flex.

use super::{
    ApertureGradients, ApertureOps, Each, SubApertures,
    lens::Parts,
    number::Number,
    windows::{Upstream, Windows},
};
use crate::flex::{tensor, with_values};
use burn::{
    backend::{Flex, TensorMetadata, flex::FlexTensor, tensor::FloatTensor},
    tensor::DType,
};

impl ApertureOps for Flex {
    fn sub_apertures(
        plane_re: FloatTensor<Self>,
        plane_im: FloatTensor<Self>,
        pupil_re: FloatTensor<Self>,
        pupil_im: FloatTensor<Self>,
        apertures: SubApertures,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let inputs = [plane_re, plane_im, pupil_re, pupil_im];
        match inputs[0].dtype() {
            DType::F64 => images::<f64>(&inputs, &apertures),
            _ => images::<f32>(&inputs, &apertures),
        }
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
        match inputs[0].dtype() {
            DType::F64 => amplitudes::<f64>(&inputs, &apertures, epsilon),
            _ => amplitudes::<f32>(&inputs, &apertures, epsilon),
        }
    }
}

impl ApertureGradients for Flex {
    fn sub_apertures_gradients(
        inputs: Each<FloatTensor<Self>>,
        [re, im]: [Option<FloatTensor<Self>>; 2],
        apertures: &SubApertures,
        wanted: Each<bool>,
    ) -> Each<Option<FloatTensor<Self>>> {
        match inputs[0].dtype() {
            DType::F64 => of_images::<f64>(&inputs, [re.as_ref(), im.as_ref()], apertures, wanted),
            _ => of_images::<f32>(&inputs, [re.as_ref(), im.as_ref()], apertures, wanted),
        }
    }

    fn sub_aperture_amplitudes_gradients(
        inputs: Each<FloatTensor<Self>>,
        gradient: FloatTensor<Self>,
        apertures: &SubApertures,
        epsilon: f64,
        wanted: Each<bool>,
    ) -> Each<Option<FloatTensor<Self>>> {
        match inputs[0].dtype() {
            DType::F64 => of_amplitudes::<f64>(&inputs, &gradient, apertures, epsilon, wanted),
            _ => of_amplitudes::<f32>(&inputs, &gradient, apertures, epsilon, wanted),
        }
    }
}

fn images<T: Number>(inputs: &Each<FlexTensor>, apertures: &SubApertures) -> (FlexTensor, FlexTensor) {
    let images = with_inputs::<T, _>(inputs, apertures, |windows, plane, pupils| windows.images(plane, pupils));
    let [re, im] = images.map(|part| tensor(part, shape(apertures)));
    (re, im)
}

fn amplitudes<T: Number>(inputs: &Each<FlexTensor>, apertures: &SubApertures, epsilon: f64) -> FlexTensor {
    let amplitudes = with_inputs::<T, _>(inputs, apertures, |windows, plane, pupils| {
        windows.amplitudes(plane, pupils, Number::rounded(epsilon))
    });
    tensor(amplitudes, shape(apertures))
}

fn shape(apertures: &SubApertures) -> [usize; 3] {
    [apertures.centres.len(), apertures.detector, apertures.detector]
}

fn of_images<T: Number>(
    inputs: &Each<FlexTensor>,
    [re, im]: [Option<&FlexTensor>; 2],
    apertures: &SubApertures,
    wanted: Each<bool>,
) -> Each<Option<FlexTensor>> {
    with_part(re, |re| with_part(im, |im| gradients::<T>(inputs, apertures, Upstream::Images([re, im]), wanted)))
}

fn of_amplitudes<T: Number>(
    inputs: &Each<FlexTensor>,
    gradient: &FlexTensor,
    apertures: &SubApertures,
    epsilon: f64,
    wanted: Each<bool>,
) -> Each<Option<FlexTensor>> {
    with_values(gradient, |gradient| {
        let upstream = Upstream::Amplitudes { gradient, epsilon: Number::rounded(epsilon) };
        gradients::<T>(inputs, apertures, upstream, wanted)
    })
}

fn gradients<T: Number>(
    inputs: &Each<FlexTensor>,
    apertures: &SubApertures,
    upstream: Upstream<'_, T>,
    wanted: Each<bool>,
) -> Each<Option<FlexTensor>> {
    let [plane, pupils] = with_inputs::<T, _>(inputs, apertures, |windows, plane, pupils| {
        windows.gradients(plane, pupils, upstream, [wanted[0] || wanted[1], wanted[2] || wanted[3]])
    });
    let mut values = plane.into_iter().chain(pupils);
    std::array::from_fn(|index| {
        let values = values.next().unwrap_or_default();
        wanted[index].then(|| tensor(values, inputs[index].shape()))
    })
}

fn with_part<T: Number, R>(part: Option<&FlexTensor>, f: impl FnOnce(Option<&[T]>) -> R) -> R {
    match part {
        Some(part) => with_values(part, |values| f(Some(values))),
        None => f(None),
    }
}

fn with_inputs<T: Number, R>(
    [plane_re, plane_im, pupils_re, pupils_im]: &Each<FlexTensor>,
    apertures: &SubApertures,
    f: impl FnOnce(Windows<'_, T>, Parts<'_, T>, Parts<'_, T>) -> R,
) -> R {
    let windows = windows(plane_re, pupils_re, apertures, 1);
    with_values::<T, _>(plane_re, |plane_re| {
        with_values(plane_im, |plane_im| {
            with_values(pupils_re, |pupils_re| {
                with_values(pupils_im, |pupils_im| f(windows, [plane_re, plane_im], [pupils_re, pupils_im]))
            })
        })
    })
}

/// The windows of `plane` behind `modes` pupils for all, or for each.
pub(crate) fn windows<'a, T: Number>(
    plane: &FlexTensor,
    pupils: &FlexTensor,
    apertures: &'a SubApertures,
    modes: usize,
) -> Windows<'a, T> {
    let [count, rows, columns] = pupils.shape().dims();
    Windows {
        size: plane.shape().dims(),
        window: [rows, columns],
        detector: apertures.detector,
        centres: &apertures.centres,
        modes,
        shared: count == modes,
        scale: T::rounded(apertures.factor()),
        direction: apertures.transform,
    }
}
