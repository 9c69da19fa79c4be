//! Sub-apertures on flex.

use super::{
    ApertureGradients, ApertureOps, Each, SubApertures,
    windows::{Seen, Windows},
};
use crate::flex::{Value, tensor, with_values};
use burn::{
    backend::{Flex, TensorMetadata, flex::FlexTensor, tensor::FloatTensor},
    tensor::DType,
};
use rustfft::{FftNum, num_traits::Float};

impl ApertureOps for Flex {
    fn sub_apertures(
        spectrum_re: FloatTensor<Self>,
        spectrum_im: FloatTensor<Self>,
        pupil_re: FloatTensor<Self>,
        pupil_im: FloatTensor<Self>,
        apertures: SubApertures,
    ) -> FloatTensor<Self> {
        images(&[spectrum_re, spectrum_im, pupil_re, pupil_im], &apertures, None)
    }

    fn sub_aperture_amplitudes(
        spectrum_re: FloatTensor<Self>,
        spectrum_im: FloatTensor<Self>,
        pupil_re: FloatTensor<Self>,
        pupil_im: FloatTensor<Self>,
        apertures: SubApertures,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        images(&[spectrum_re, spectrum_im, pupil_re, pupil_im], &apertures, Some(epsilon))
    }
}

impl ApertureGradients for Flex {
    fn sub_apertures_gradients(
        inputs: Each<FloatTensor<Self>>,
        gradient: FloatTensor<Self>,
        apertures: &SubApertures,
        wanted: Each<bool>,
    ) -> Each<Option<FloatTensor<Self>>> {
        gradients(&inputs, &gradient, apertures, None, wanted)
    }

    fn sub_aperture_amplitudes_gradients(
        inputs: Each<FloatTensor<Self>>,
        gradient: FloatTensor<Self>,
        apertures: &SubApertures,
        epsilon: f64,
        wanted: Each<bool>,
    ) -> Each<Option<FloatTensor<Self>>> {
        gradients(&inputs, &gradient, apertures, Some(epsilon), wanted)
    }
}

fn images(inputs: &Each<FlexTensor>, apertures: &SubApertures, epsilon: Option<f64>) -> FlexTensor {
    match inputs[0].dtype() {
        DType::F64 => images_of::<f64>(inputs, apertures, epsilon),
        _ => images_of::<f32>(inputs, apertures, epsilon),
    }
}

fn gradients(
    inputs: &Each<FlexTensor>,
    gradient: &FlexTensor,
    apertures: &SubApertures,
    epsilon: Option<f64>,
    wanted: Each<bool>,
) -> Each<Option<FlexTensor>> {
    match inputs[0].dtype() {
        DType::F64 => gradients_of::<f64>(inputs, gradient, apertures, epsilon, wanted),
        _ => gradients_of::<f32>(inputs, gradient, apertures, epsilon, wanted),
    }
}

fn images_of<T: Value + Number>(
    inputs: &Each<FlexTensor>,
    apertures: &SubApertures,
    epsilon: Option<f64>,
) -> FlexTensor {
    let (count, d) = (apertures.centres.len(), apertures.detector);
    let images = with_inputs::<T, _>(inputs, apertures, |windows, spectrum, pupil| {
        windows.images(spectrum, pupil, seen(epsilon))
    });
    match epsilon {
        None => tensor(images, [2, count, d, d]),
        Some(_) => tensor(images, [count, d, d]),
    }
}

fn gradients_of<T: Value + Number>(
    inputs: &Each<FlexTensor>,
    gradient: &FlexTensor,
    apertures: &SubApertures,
    epsilon: Option<f64>,
    wanted: Each<bool>,
) -> Each<Option<FlexTensor>> {
    let [spectrum, pupil] = with_values(gradient, |gradient| {
        with_inputs::<T, _>(inputs, apertures, |windows, spectrum, pupil| {
            let wanted = [wanted[0] || wanted[1], wanted[2] || wanted[3]];
            windows.gradients(spectrum, pupil, gradient, seen(epsilon), wanted)
        })
    });
    let mut values = spectrum.into_iter().chain(pupil);
    std::array::from_fn(|index| {
        let values = values.next().unwrap_or_default();
        wanted[index].then(|| tensor(values, inputs[index].shape()))
    })
}

/// A number of the transforms.
trait Number: FftNum + Float {
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

fn seen<T: Number>(epsilon: Option<f64>) -> Seen<T> {
    match epsilon {
        None => Seen::Complex,
        Some(epsilon) => Seen::Amplitude { epsilon: Number::round(epsilon) },
    }
}

fn with_inputs<T: Value + Number, R>(
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
