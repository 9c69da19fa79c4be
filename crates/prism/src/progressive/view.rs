//! What exposures a decoder's image would give.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};
use cupel_kernels::{Direction, SubApertures, fft2, ifft2, sub_aperture_amplitudes};
use num_complex::Complex;

use crate::{
    Error, Exposures, Geometry, Optics, Plane, Result, Rule,
    decoder::{middle, padded},
    start::nearest_to_the_middle,
};

/// Added to intensities under the root, which are about 1.
const EPSILON: f64 = 1e-12;
/// A real object without bounds is kept below so many times the brightest amplitude of a frame, and of the mean amplitude of an object
/// behind a probe.
const HEADROOM: [f64; 2] = [1.25, 2.5];
/// How far a centre may be from a place.
const WHOLE: f64 = 1e-6;

/// The plane that windows are cut from, real and imaginary part.
pub(super) type Spectrum = (Tensor<2>, Tensor<2>);

/// Fields up to this many rows are seen through a union in one pass by one thread, larger ones in passes that all threads share.
const AT_ONCE: usize = 256;

/// All windows of some exposures together.
#[derive(Clone, Debug)]
pub(super) struct Union {
    /// 1 where light passes, 0 elsewhere, `[1, row, column]`.
    light: Tensor<3>,
    /// Of a pupil as large as the field, which has the zero frequency in the middle and not first, the imaginary part: nought.
    imaginary: Option<Tensor<3>>,
}

/// The optics of a fit, in units in which the object is about 1.
#[derive(Clone, Debug)]
pub(super) struct View {
    geometry: Geometry,
    size: [usize; 2],
    support: [usize; 2],
    centres: Vec<[isize; 2]>,
    detector: usize,
    window: [usize; 2],
    /// Real and imaginary parts of each mode.
    pupils: Vec<[Vec<f32>; 2]>,
    /// Value of the object that counts as 1.
    unit: f64,
    /// Values of the object where the decoder's image is 0 and 1.
    bounds: Option<[f64; 2]>,
    /// 1 where the detector's pixels count, 0 elsewhere, as frames lie here.
    good: Option<Vec<f32>>,
    /// Pixels that do not count in one exposure alone, by exposure, as frames lie here.
    saturated: BTreeMap<usize, Vec<usize>>,
}

impl View {
    pub(super) fn new(exposures: &Exposures, rule: Rule) -> Result<Self> {
        let optics = &exposures.optics;
        if rule == Rule::Original && optics.geometry == Geometry::Object {
            return Err(Error::Optics {
                what: "the original rule",
                got: "windows of the object".into(),
                expected: "windows of its spectrum, whose union a telescope could see; use another rule".into(),
            });
        }
        let mut centres = Vec::with_capacity(exposures.centres.len());
        for (index, centre) in exposures.centres.iter().enumerate() {
            if centre.iter().any(|c| (c - c.round()).abs() > WHOLE) {
                return Err(Error::Measurement {
                    what: format!("position {index} for a decoder"),
                    got: format!("{centre:?}"),
                    expected: "whole places; round them, or choose another solver".into(),
                });
            }
            let of_axis = |axis: usize| {
                let centre = centre[axis].round() as isize;
                // the zero frequency of an unshifted transform lies at place 0
                if optics.geometry == Geometry::Spectrum { centre - (optics.size[axis] / 2) as isize } else { centre }
            };
            centres.push([of_axis(0), of_axis(1)]);
        }
        let conjugate = if optics.geometry == Geometry::Object { -1.0 } else { 1.0 };
        let parts = |pupil: &Plane| {
            let part =
                |f: fn(&Complex<f64>) -> f64, sign: f64| pupil.values().iter().map(|v| (sign * f(v)) as f32).collect();
            [part(|v| v.re, 1.0), part(|v| v.im, conjugate)]
        };
        let unit = unit(exposures)?;
        let bounds = exposures.known.real.then(|| match exposures.known.bounds {
            Some(bounds) => bounds.map(|bound| bound / unit),
            None => [-1.0, 1.0],
        });
        let mut view = Self {
            geometry: optics.geometry,
            size: optics.size,
            support: exposures.known.support.unwrap_or(optics.size),
            centres,
            detector: optics.detector,
            window: optics.window(),
            pupils: optics.pupils.iter().map(parts).collect(),
            unit,
            bounds,
            good: None,
            saturated: BTreeMap::new(),
        };
        if (0..2).any(|axis| view.support[axis] == 0 || view.support[axis] > view.size[axis]) {
            return Err(Error::Optics {
                what: "support of the object",
                got: format!("{:?}", view.support),
                expected: format!("at most the field's {:?}, and not empty", view.size),
            });
        }
        view.good =
            exposures.good.as_ref().map(|good| view.laid_out(good.iter().map(|good| f32::from(u8::from(*good)))));
        // of the windows of a union alone there are no frames
        for index in 0..exposures.centres.len().min(exposures.frames.count()) {
            let frame = exposures.frames.frame(index)?;
            if frame.contains(&f32::INFINITY) {
                let frame = view.laid_out(frame.into_iter());
                let places = (0..frame.len()).filter(|place| frame[*place] == f32::INFINITY);
                view.saturated.insert(index, places.collect());
            }
        }
        Ok(view)
    }

    pub(super) fn unit(&self) -> f64 {
        self.unit
    }

    pub(super) fn support(&self) -> [usize; 2] {
        self.support
    }

    pub(super) fn detector(&self) -> usize {
        self.detector
    }

    /// Pixels of a frame in the order in which predictions have them: those of a diffraction pattern with the zero frequency first.
    fn laid_out(&self, pixels: impl Iterator<Item = f32>) -> Vec<f32> {
        let pixels: Vec<f32> = pixels.collect();
        if self.geometry == Geometry::Spectrum {
            return pixels;
        }
        let d = self.detector;
        let from = |index: usize| (index + d / 2) % d;
        (0..d * d).map(|place| pixels[from(place / d) * d + from(place % d)]).collect()
    }

    /// Amplitudes of a frame of intensities, in units of the fit.
    pub(super) fn amplitudes(&self, frame: Vec<f32>) -> Vec<f32> {
        let scale = (1.0 / self.unit) as f32;
        let mut amplitudes = self.laid_out(frame.into_iter().map(|intensity| intensity.max(0.0).sqrt() * scale));
        amplitudes.iter_mut().filter(|value| value.is_infinite()).for_each(|value| *value = 0.0);
        if let Some(good) = &self.good {
            // what stands in a bad pixel may be no number
            amplitudes.iter_mut().zip(good).filter(|(_, good)| **good == 0.0).for_each(|(value, _)| *value = 0.0);
        }
        amplitudes
    }

    /// Predicted amplitudes of these exposures of an object, frame by frame and laid out as frames are, in units of the frames.
    pub(super) fn amplitudes_of(&self, object: &Plane, chosen: &[usize], device: &Device) -> Result<Vec<f32>> {
        let d = self.detector;
        let object = object.middle(self.support[0], self.support[1])?;
        let part = |f: fn(&Complex<f64>) -> f64| {
            let values: Vec<f32> = object.values().iter().map(|value| f(value) as f32).collect();
            Tensor::<2>::from_data(TensorData::new(values, self.support), device)
        };
        let spectrum = self.spectrum((part(|value| value.re), Some(part(|value| value.im))));
        let predicted = self.predict(&spectrum, chosen);
        let data = predicted.try_into_data().map_err(|error| {
            cupel_train::Error::work(format!("reading predicted exposures from the device: {error:?}"))
        })?;
        let values: Vec<f32> = data.iter::<f32>().collect();
        if self.geometry == Geometry::Spectrum {
            return Ok(values);
        }
        let from = |index: usize| (index + d - d / 2) % d;
        let frames = values.chunks_exact(d * d);
        Ok(frames.flat_map(|frame| (0..d * d).map(move |at| frame[from(at / d) * d + from(at % d)])).collect())
    }

    /// Real and imaginary part of the object in the middle of its field, of a decoder's images `[1, image, row, column]`.
    pub(super) fn object(&self, image: Tensor<4>) -> (Tensor<2>, Option<Tensor<2>>) {
        let image = middle(image, self.support);
        let part = |index: usize| -> Tensor<2> { image.clone().narrow(1, index, 1).reshape(self.support) };
        let Some([low, high]) = self.bounds else {
            let (amplitude, phase) = (part(0), part(1).mul_scalar(std::f64::consts::PI));
            return (amplitude.clone() * phase.clone().cos(), Some(amplitude * phase.sin()));
        };
        match [low, high] {
            [0.0, 1.0] => (part(0), None),
            _ => (part(0).mul_scalar(high - low).add_scalar(low), None),
        }
    }

    /// The plane that windows are cut from, of an object within its support.
    pub(super) fn spectrum(&self, (re, im): (Tensor<2>, Option<Tensor<2>>)) -> Spectrum {
        let re = padded(re, self.size);
        let im = im.map_or_else(|| re.zeros_like(), |im| padded(im, self.size));
        match self.geometry {
            Geometry::Spectrum => fft2(re, im),
            // the magnitude of a transform is that of the inverse one of the conjugate
            Geometry::Object => (re, im.neg()),
        }
    }

    /// Predicted amplitudes of these exposures, `[exposure, row, column]`; nought where pixels do not count.
    pub(super) fn predict(&self, spectrum: &Spectrum, chosen: &[usize]) -> Tensor<3> {
        let d = self.detector as f64;
        let scale = match self.geometry {
            Geometry::Spectrum => d * d / (self.size[0] * self.size[1]) as f64,
            Geometry::Object => d,
        };
        let apertures = SubApertures {
            centres: chosen.iter().map(|index| self.centres[*index]).collect(),
            detector: self.detector,
            scale,
            transform: Direction::Inverse,
        };
        let device = spectrum.0.device();
        let amplitudes = |[re, im]: &[Vec<f32>; 2]| {
            let part = |values: &Vec<f32>| {
                Tensor::from_data(TensorData::new(values.clone(), [1, self.window[0], self.window[1]]), &device)
            };
            sub_aperture_amplitudes(spectrum.clone(), (part(re), part(im)), &apertures, EPSILON)
        };
        let predicted = match self.pupils.as_slice() {
            [one] => amplitudes(one),
            modes => {
                let dark = Tensor::zeros([chosen.len(), self.detector, self.detector], &device);
                modes.iter().fold(dark, |sum, mode| sum + amplitudes(mode).powi_scalar(2)).sqrt()
            }
        };
        let predicted = match &self.good {
            None => predicted,
            Some(good) => {
                let good = TensorData::new(good.clone(), [1, self.detector, self.detector]);
                predicted * Tensor::<3>::from_data(good, &device)
            }
        };
        if !chosen.iter().any(|index| self.saturated.contains_key(index)) {
            return predicted;
        }
        let pixels = self.detector * self.detector;
        let mut counts = vec![1.0f32; chosen.len() * pixels];
        for (frame, index) in counts.chunks_exact_mut(pixels).zip(chosen) {
            self.saturated.get(index).into_iter().flatten().for_each(|place| frame[*place] = 0.0);
        }
        predicted
            * Tensor::<3>::from_data(TensorData::new(counts, [chosen.len(), self.detector, self.detector]), &device)
    }

    /// The places of the spectrum where a window of these exposures lets light pass.
    pub(super) fn union(&self, exposures: &[usize], device: &Device) -> Union {
        let [height, width] = self.size;
        // as a pupil: the zero frequency in the middle
        let mut union = vec![0.0f32; height * width];
        for index in exposures {
            let place = |row: usize, axis: usize| {
                let first = 2 * (self.size[axis] / 2) as isize + self.centres[*index][axis];
                let first = first - (self.window[axis] / 2) as isize;
                (first + row as isize).rem_euclid(self.size[axis] as isize) as usize
            };
            for (at, _) in self
                .pupils
                .iter()
                .flat_map(|[re, im]| re.iter().zip(im).enumerate().filter(|(_, (re, im))| **re != 0.0 || **im != 0.0))
            {
                union[place(at / self.window[1], 0) * width + place(at % self.window[1], 1)] = 1.0;
            }
        }
        let light = Tensor::<3>::from_data(TensorData::new(union, [1, height, width]), device);
        if height == width && height <= AT_ONCE {
            return Union { imaginary: Some(light.zeros_like()), light };
        }
        let [rows, columns] = self.size.map(|size| -((size / 2) as i64));
        Union { light: light.roll(&[rows, columns], &[1, 2]), imaginary: None }
    }

    /// The amplitudes that all windows of `union` would give together, if light of all of them were recorded at once.
    pub(super) fn through(&self, (re, im): &Spectrum, union: &Union) -> Tensor<3> {
        let (re, im, light) = (re.clone(), im.clone(), union.light.clone());
        let Some(imaginary) = union.imaginary.clone() else {
            let light: Tensor<2> = light.reshape(self.size);
            let (re, im) = ifft2(re * light.clone(), im * light);
            return (re.clone() * re + im.clone() * im).add_scalar(EPSILON).sqrt().unsqueeze();
        };
        let apertures = SubApertures {
            centres: vec![self.size.map(|size| -((size / 2) as isize))],
            detector: self.size[0],
            scale: 1.0,
            transform: Direction::Inverse,
        };
        sub_aperture_amplitudes((re, im), (light, imaginary), &apertures, EPSILON)
    }

    /// What the first image should be: the amplitudes of this exposure on the pixels of the object, in units of the decoder's image.
    ///
    /// A pattern of diffraction is no image; the object then begins in the middle of its bounds.
    pub(super) fn first_image(&self, amplitudes: &[f32]) -> Vec<f32> {
        let [rows, columns] = self.support;
        let [low, high] = self.bounds.unwrap_or([0.0, 1.0]);
        if self.geometry == Geometry::Object {
            return vec![0.5; rows * columns];
        }
        let d = self.detector;
        let at = |index: usize, axis: usize| {
            let place =
                (self.size[axis] / 2 - self.support[axis] / 2 + index) as f64 * d as f64 / self.size[axis] as f64;
            let lower = place.floor() as usize;
            [(lower % d, 1.0 - place.fract()), ((lower + 1) % d, place.fract())]
        };
        let value = |index: usize| -> f64 {
            let (row, column) = (at(index / columns, 0), at(index % columns, 1));
            row.iter()
                .flat_map(|(y, a)| column.iter().map(move |(x, b)| (y * d + x, a * b)))
                .map(|(place, weight)| weight * f64::from(amplitudes[place]))
                .sum()
        };
        (0..rows * columns).map(|index| ((value(index) - low) / (high - low)).clamp(0.0, 1.0) as f32).collect()
    }

    /// The object in its field, in its own units.
    pub(super) fn plane(&self, image: Tensor<4>) -> Result<Plane> {
        let (re, im) = self.object(image);
        let values = |part: Tensor<2>| -> Result<Vec<f64>> {
            let data = part
                .try_into_data()
                .map_err(|error| cupel_train::Error::work(format!("reading the image from the device: {error:?}")))?;
            Ok(data.iter::<f64>().map(|value| value * self.unit).collect())
        };
        let re = values(re)?;
        let im = im.map_or_else(|| Ok(vec![0.0; re.len()]), values)?;
        let values = re.into_iter().zip(im).map(|(re, im)| Complex::new(re, im)).collect();
        Plane::new(self.support[0], self.support[1], values)?.padded(self.size[0], self.size[1])
    }
}

/// The value of an object that counts as 1.
fn unit(exposures: &Exposures) -> Result<f64> {
    let Exposures { optics, known, frames, .. } = exposures;
    let largest = |values: [f64; 2]| values[0].abs().max(values[1].abs());
    if let (true, Some(bounds)) = (known.real, known.bounds) {
        if !(bounds[0] < bounds[1] && largest(bounds).is_finite()) {
            return Err(Error::Measurement {
                what: "bounds of the object".into(),
                got: format!("{bounds:?}"),
                expected: "two numbers, rising".into(),
            });
        }
        return Ok(largest(bounds));
    }
    let frame = frames.frame(nearest_to_the_middle(exposures, 0..exposures.centres.len()).unwrap_or(0))?;
    let finite = || frame.iter().copied().filter(|value| *value != f32::INFINITY);
    let unit = match optics.geometry {
        Geometry::Spectrum => HEADROOM[0] * f64::from(finite().fold(0.0, f32::max)).sqrt(),
        Geometry::Object => {
            let light: f64 = finite().map(f64::from).sum();
            HEADROOM[1] * (light / power(optics)).sqrt()
        }
    };
    if unit > 0.0 && unit.is_finite() {
        return Ok(unit);
    }
    Err(Error::Measurement {
        what: "the exposure nearest the middle".into(),
        got: "no light, or values that are not finite".into(),
        expected: "a frame with light in it".into(),
    })
}

fn power(optics: &Optics) -> f64 {
    optics.pupils.iter().flat_map(Plane::values).map(Complex::norm_sqr).sum()
}
