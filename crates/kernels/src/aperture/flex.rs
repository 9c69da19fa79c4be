//! Sub-apertures on flex.

use super::{
    ApertureGradients, ApertureOps, Each, SubApertures,
    windows::{Upstream, Windows},
};
use crate::{
    fft::plans::Planned,
    flex::{Value, tensor, with_values},
};
use burn::{
    backend::{Flex, TensorMetadata, flex::FlexTensor, tensor::FloatTensor},
    tensor::DType,
};
use rustfft::num_traits::Float;

impl ApertureOps for Flex {
    fn sub_apertures(
        spectrum_re: FloatTensor<Self>,
        spectrum_im: FloatTensor<Self>,
        pupil_re: FloatTensor<Self>,
        pupil_im: FloatTensor<Self>,
        apertures: SubApertures,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let inputs = [spectrum_re, spectrum_im, pupil_re, pupil_im];
        match inputs[0].dtype() {
            DType::F64 => images::<f64>(&inputs, &apertures),
            _ => images::<f32>(&inputs, &apertures),
        }
    }

    fn sub_aperture_amplitudes(
        spectrum_re: FloatTensor<Self>,
        spectrum_im: FloatTensor<Self>,
        pupil_re: FloatTensor<Self>,
        pupil_im: FloatTensor<Self>,
        apertures: SubApertures,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        let inputs = [spectrum_re, spectrum_im, pupil_re, pupil_im];
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
    let images = with_inputs::<T, _>(inputs, apertures, |windows, spectrum, pupil| windows.images(spectrum, pupil));
    let [re, im] = images.map(|part| tensor(part, shape(apertures)));
    (re, im)
}

fn amplitudes<T: Number>(inputs: &Each<FlexTensor>, apertures: &SubApertures, epsilon: f64) -> FlexTensor {
    let amplitudes = with_inputs::<T, _>(inputs, apertures, |windows, spectrum, pupil| {
        windows.amplitudes(spectrum, pupil, Number::round(epsilon))
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
        let upstream = Upstream::Amplitudes { gradient, epsilon: Number::round(epsilon) };
        gradients::<T>(inputs, apertures, upstream, wanted)
    })
}

fn gradients<T: Number>(
    inputs: &Each<FlexTensor>,
    apertures: &SubApertures,
    upstream: Upstream<'_, T>,
    wanted: Each<bool>,
) -> Each<Option<FlexTensor>> {
    let [spectrum, pupil] = with_inputs::<T, _>(inputs, apertures, |windows, spectrum, pupil| {
        windows.gradients(spectrum, pupil, upstream, [wanted[0] || wanted[1], wanted[2] || wanted[3]])
    });
    let mut values = spectrum.into_iter().chain(pupil);
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

/// A number of the transforms.
trait Number: Value + Planned + Float {
    fn round(value: f64) -> Self;
}

impl Number for f32 {
    fn round(value: f64) -> Self {
        value as f32
    }
}

impl Number for f64 {
    fn round(value: f64) -> Self {
        value
    }
}

fn with_inputs<T: Number, R>(
    [spectrum_re, spectrum_im, pupil_re, pupil_im]: &Each<FlexTensor>,
    apertures: &SubApertures,
    f: impl FnOnce(Windows<'_, T>, [&[T]; 2], [&[T]; 2]) -> R,
) -> R {
    let SubApertures { centres, detector, scale } = apertures;
    let windows = Windows {
        size: spectrum_re.shape().dims(),
        window: pupil_re.shape().dims(),
        detector: *detector,
        centres,
        scale: Number::round(scale / (detector * detector) as f64),
    };
    with_values(spectrum_re, |spectrum_re| {
        with_values(spectrum_im, |spectrum_im| {
            with_values(pupil_re, |pupil_re| {
                with_values(pupil_im, |pupil_im| f(windows, [spectrum_re, spectrum_im], [pupil_re, pupil_im]))
            })
        })
    })
}
