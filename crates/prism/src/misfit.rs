//! [`Misfit`]: how badly a model explains exposures, with its derivatives; what every solver that follows a gradient makes small.
//!
//! ```text
//! F(x) = sum_i L_i(I_i, y_i) / n + w TV(a / u)
//! ```
//! over exposures with `L` by [`Likelihood`](cupel_kernels::Likelihood), the total variation of the object `a` in its unit `u`, and its weight `w`. The
//! scale `n` makes of both likelihoods the squared error of amplitudes on the field's own places, in units of `u^2`: that of amplitudes has
//! `n = (D / N)^2 u^2`, and of `P` photons in one unit of intensity half the deviance is `2 P` times it (the root of a Poisson number has the variance 1/4).
//! So a weight means the same whatever the detector, the number of photons and the brightness of the object.

use burn::tensor::{DType, Device, Gradients, Tensor, TensorData};
use cupel_kernels::{Likelihood, fft2, sub_aperture_likelihood, sub_apertures};
use cupel_train::{Objective, fingerprint};
use serde::Serialize;

use crate::{
    Exposures, Free, Geometry, Model, Noise, Result, Units,
    frame_reader::{Block, FrameReader},
    moved::{self, Pupils, moved, with_margin},
    parameters::{Layout, Slopes},
    prepared::{DARK, Prepared},
    variation::total_variation,
};

/// Places around a pupil that is moved between places.
const MARGIN: usize = 2;
/// Height of an edge, in units of the object, below which total variation counts it by its square.
pub(crate) const SMOOTHING: f64 = 1e-3;

/// What a solver that follows gradients makes small.
#[derive(Clone, Debug)]
pub struct Misfit {
    prepared: Prepared,
    layout: Layout,
    /// Parameters that are not free; the others are overwritten.
    model: Model,
    /// Whole places of all centres.
    places: Vec<[isize; 2]>,
    /// What is left of the centres before their shifts.
    fractions: Vec<[f64; 2]>,
    margin: usize,
    /// Hard-edged pupils between places, one for each exposure.
    hard: Option<f64>,
    bounds: Option<(Vec<f64>, Vec<f64>)>,
    /// Of the squared error of amplitudes.
    scale: f64,
    prior: f64,
    /// Whether amplitudes are compared where counts could be.
    amplitudes: bool,
}

/// Parameters as tensors.
struct Leaves {
    object: (Tensor<2>, Tensor<2>),
    pupils: Pupils,
    shifts: Tensor<2>,
    flux: Tensor<1>,
    background: Tensor<1>,
}

impl Misfit {
    /// The misfit of `model` to the exposures `which` as a function of its `free` parameters; `prior` weighs the total variation.
    ///
    /// `dtype` is what the device computes with, f32 or f64; sums are f64.
    ///
    /// # Errors
    /// Exposures that are wrong, a window that with the margin of a moving pupil does not fit on the detector.
    pub fn new(
        exposures: &Exposures,
        which: Vec<usize>,
        model: Model,
        free: Free,
        units: Units,
        prior: f64,
        (device, dtype): (&Device, DType),
    ) -> Result<Self> {
        exposures.check()?;
        let whole: Vec<[f64; 2]> = exposures
            .centres
            .iter()
            .zip(&model.shifts)
            .map(|(centre, shift)| std::array::from_fn(|axis| (centre[axis] + shift[axis]).round()))
            .collect();
        let fractions: Vec<[f64; 2]> = exposures
            .centres
            .iter()
            .zip(&whole)
            .map(|(centre, whole)| std::array::from_fn(|axis| centre[axis] - whole[axis]))
            .collect();
        let between = free.shifts
            || fractions
                .iter()
                .zip(&model.shifts)
                .any(|(rest, shift)| rest.iter().zip(shift).any(|(r, s)| r + s != 0.0));
        let single =
            model.pupils.first().filter(|_| model.pupils.len() == 1 && exposures.optics.geometry == Geometry::Spectrum);
        let hard = single.and_then(moved::disc_radius).filter(|_| between && !free.shifts && !free.pupils);
        // a probe ends softly within its window, a pupil may reach to the edge of it
        let margin = match exposures.optics.geometry {
            Geometry::Spectrum if hard.is_some() => 1,
            Geometry::Spectrum if between => MARGIN,
            _ => 0,
        };
        let window = exposures.optics.window().into_iter().max().unwrap_or(0) + 2 * margin;
        if window > exposures.optics.detector || exposures.optics.size.iter().any(|size| window > *size) {
            return Err(crate::Error::Optics {
                what: "window with a margin for centres between places",
                got: window.to_string(),
                expected: format!(
                    "at most the detector's {} and the field's {:?}",
                    exposures.optics.detector, exposures.optics.size
                ),
            });
        }
        let prepared = Prepared::new(exposures, which, window, (device, dtype))?;
        let layout = Layout::new(exposures, &model, free, units);
        layout.check()?;
        let [rows, columns] = exposures.optics.size;
        let own = match exposures.optics.geometry {
            Geometry::Spectrum => {
                (prepared.reader.detector * prepared.reader.detector) as f64 / (rows * columns) as f64
            }
            Geometry::Object => 1.0,
        };
        let places = whole.iter().map(|whole| whole.map(|place| place as isize)).collect();
        let bounds = layout.bounds();
        let scale = 1.0 / (own * units.object * units.object);
        Ok(Self { prepared, layout, model, places, fractions, margin, hard, bounds, scale, prior, amplitudes: false })
    }

    /// The values of the free parameters to start from.
    pub fn start(&self) -> Vec<f64> {
        self.layout.pack(&self.model)
    }

    /// The model with the values `x` of its free parameters.
    pub fn model(&self, x: &[f64]) -> Model {
        let mut model = self.model.clone();
        self.layout.unpack(x, &mut model);
        model
    }

    /// Weight of the total variation.
    pub fn prior(&self) -> f64 {
        self.prior
    }

    /// The same with another weight of the total variation.
    pub fn set_prior(&mut self, prior: f64) {
        self.prior = prior;
    }

    /// Whether amplitudes are compared where counts could be: not the best estimate, but one that finds its way from further off, as where it says
    /// that there is nothing it has no pole.
    pub fn compare_amplitudes(&mut self, amplitudes: bool) {
        self.amplitudes = amplitudes;
    }

    fn likelihood(&self) -> Likelihood {
        match self.prepared.likelihood {
            Likelihood::Poisson { .. } if self.amplitudes => {
                Likelihood::Amplitude { epsilon: DARK * self.prepared.mean * self.prepared.photons }
            }
            likelihood => likelihood,
        }
    }

    /// What makes of a likelihood the squared error of amplitudes in units of the object.
    fn scale(&self) -> f64 {
        match self.likelihood() {
            Likelihood::Poisson { .. } => self.scale / (2.0 * self.prepared.photons),
            Likelihood::Amplitude { .. } => self.scale / self.prepared.photons,
        }
    }

    /// The exposures that count.
    pub fn which(&self) -> &[usize] {
        &self.prepared.reader.which
    }

    /// `L` of each exposure that counts, in the units of its likelihood.
    ///
    /// # Errors
    /// Frames that cannot be read.
    pub fn losses(&self, model: &Model) -> Result<Vec<f64>> {
        let leaves = self.leaves(model, &self.prepared.reader.device, false);
        let mut losses = Vec::with_capacity(self.which().len());
        for part in 0..self.prepared.parts() {
            losses.extend(values(self.part(&leaves, part, false)?));
        }
        Ok(losses)
    }

    /// Calls `each` with the place in [`which`](Self::which), the intensities that `model` says and those that were measured (both in the units of
    /// the data: counts where photons are counted), pixel by pixel. Data that do not count are not a number.
    ///
    /// # Errors
    /// Frames that cannot be read.
    pub(crate) fn each_frame(&self, model: &Model, mut each: impl FnMut(usize, &[f64], &[f64])) -> Result<()> {
        let leaves = self.leaves(model, &self.prepared.reader.device, false);
        let modes = model.pupils.len();
        let pixels = self.prepared.reader.detector * self.prepared.reader.detector;
        for part in 0..self.prepared.parts() {
            let range = self.prepared.range(part);
            let plane = self.plane(&leaves);
            let pupils = self.pupils(&leaves, part);
            let apertures = self.prepared.apertures(part, &self.places);
            let mut said = vec![0.0; range.len() * pixels];
            for mode in 0..modes {
                let of_mode = |all: &Tensor<3>| {
                    let [count, rows, columns] = all.dims();
                    all.clone().reshape([count / modes, modes, rows, columns]).narrow(1, mode, 1).reshape([
                        count / modes,
                        rows,
                        columns,
                    ])
                };
                let (re, im) = sub_apertures(plane.clone(), (of_mode(&pupils.0), of_mode(&pupils.1)), &apertures);
                said.iter_mut().zip(values(re.clone() * re + im.clone() * im)).for_each(|(said, value)| *said += value);
            }
            let Block { data, weight, .. } = self.prepared.block(part)?;
            let (mut data, weight) = (values(data), weight.map(values));
            for (place, index) in range.clone().enumerate() {
                let of_frame = place * pixels..(place + 1) * pixels;
                let exposure = self.prepared.reader.which[index];
                let (flux, background) = (model.flux[exposure], model.background[exposure]);
                said[of_frame.clone()]
                    .iter_mut()
                    .for_each(|value| *value = (*value * flux + background) * self.prepared.photons);
                if let Some(weight) = &weight {
                    // one for all exposures, or one for each
                    let own = if weight.len() == data.len() { of_frame.clone() } else { 0..pixels };
                    let left_out = data[of_frame.clone()].iter_mut().zip(&weight[own]).filter(|(_, w)| **w == 0.0);
                    left_out.for_each(|(value, _)| *value = f64::NAN);
                }
                each(index, &said[of_frame.clone()], &data[of_frame]);
            }
        }
        Ok(())
    }

    /// Units of the parameters.
    pub fn units(&self) -> Units {
        self.layout.units
    }

    /// First row and column of the object's support, and its rows and columns.
    pub(crate) fn support(&self) -> ([usize; 2], [usize; 2]) {
        self.layout.support
    }

    /// Photons of one unit of intensity, 1 where they are not counted; variance of the read-out in counts.
    pub(crate) fn noise(&self) -> (f64, Option<f64>) {
        match self.prepared.reader.exposures.noise {
            Noise::Counts { photons, read } => (photons, Some(read * read)),
            Noise::None | Noise::Unknown => (1.0, None),
        }
    }

    fn leaves(&self, model: &Model, device: &Device, track: bool) -> Leaves {
        let free = self.layout.free;
        let on = (device, self.prepared.reader.dtype);
        let [rows, columns] = [model.object.rows(), model.object.columns()];
        let part = |part: fn(&num_complex::Complex<f64>) -> f64| {
            let values: Vec<f64> = model.object.values().iter().map(part).collect();
            Tensor::<2>::from_data(TensorData::new(values, [rows, columns]), on)
        };
        let list = |values: &[f64]| Tensor::<1>::from_data(TensorData::new(values.to_vec(), [values.len()]), on);
        let pupils = moved::pupils(&model.pupils, device, self.prepared.reader.dtype);
        let which = &self.prepared.reader.which;
        let shifts: Vec<f64> = which
            .iter()
            .flat_map(|index| [0, 1].map(|axis| self.fractions[*index][axis] + model.shifts[*index][axis]))
            .collect();
        let shifts = Tensor::<2>::from_data(TensorData::new(shifts, [which.len(), 2]), on);
        let of = |all: &[f64], factor: f64| list(&which.iter().map(|index| all[*index] * factor).collect::<Vec<_>>());
        let photons = self.prepared.photons;
        let (flux, background) = (of(&model.flux, photons), of(&model.background, photons));
        let (re, im) = (part(|value| value.re), part(|value| value.im));
        if !track {
            return Leaves { object: (re, im), pupils, shifts, flux, background };
        }
        let if_free = |free: bool| free;
        Leaves {
            object: (
                if if_free(free.object) { re.require_grad() } else { re },
                if free.object && !self.layout.real { im.require_grad() } else { im },
            ),
            pupils: if free.pupils { (pupils.0.require_grad(), pupils.1.require_grad()) } else { pupils },
            shifts: if free.shifts { shifts.require_grad() } else { shifts },
            flux: if free.flux { flux.require_grad() } else { flux },
            background: if free.background { background.require_grad() } else { background },
        }
    }

    /// What windows are cut from.
    fn plane(&self, leaves: &Leaves) -> (Tensor<2>, Tensor<2>) {
        let (re, im) = leaves.object.clone();
        match self.prepared.reader.exposures.optics.geometry {
            Geometry::Spectrum => fft2(re, im),
            Geometry::Object => (re, im),
        }
    }

    fn pupils(&self, leaves: &Leaves, part: usize) -> Pupils {
        let range = self.prepared.range(part);
        let device = leaves.shifts.device();
        if let Some(radius) = self.hard {
            let [rows, columns] = self.prepared.reader.exposures.optics.window();
            let planes: Vec<_> = range
                .map(|index| {
                    let exposure = self.prepared.reader.which[index];
                    let shift = [0, 1].map(|axis| self.fractions[exposure][axis] + self.model.shifts[exposure][axis]);
                    moved::disc(rows, columns, radius, shift)
                })
                .collect();
            return moved::pupils(&planes, &device, self.prepared.reader.dtype);
        }
        let still = !self.layout.free.shifts
            && self
                .fractions
                .iter()
                .zip(&self.model.shifts)
                .all(|(rest, shift)| rest.iter().zip(shift).all(|(r, s)| r + s == 0.0));
        if still {
            return leaves.pupils.clone();
        }
        let shifts = leaves.shifts.clone().narrow(0, range.start, range.len());
        moved(with_margin(leaves.pupils.clone(), self.margin), shifts)
    }

    fn part(&self, leaves: &Leaves, part: usize, track: bool) -> Result<Tensor<1>> {
        let range = self.prepared.range(part);
        let modes = self.model.pupils.len();
        let of = |all: &Tensor<1>| all.clone().narrow(0, range.start, range.len());
        Ok(sub_aperture_likelihood(
            self.plane(leaves),
            self.pupils(leaves, part),
            &self.prepared.measured(part, modes, track)?,
            of(&leaves.flux),
            of(&leaves.background),
            &self.prepared.apertures(part, &self.places),
            self.likelihood(),
        ))
    }

    /// Value, and derivatives with respect to all free parameters.
    fn evaluate(&self, x: &[f64], gradient: &mut [f64]) -> Result<f64> {
        let model = self.model(x);
        let device = self.prepared.reader.device.clone().autodiff();
        let (scale, mut sum, mut slopes) = (self.scale(), 0.0, Slopes::default());
        for part in 0..self.prepared.parts() {
            let leaves = self.leaves(&model, &device, true);
            let losses = self.part(&leaves, part, true)?;
            sum += values(losses.clone().inner()).into_iter().sum::<f64>();
            let gradients = losses.sum().backward();
            self.add(&leaves, &gradients, &mut slopes);
        }
        self.layout.gather(&slopes, model.object.columns(), gradient);
        gradient.iter_mut().for_each(|slope| *slope *= scale);
        let mut value = sum * scale;
        if self.prior > 0.0 && self.layout.free.object {
            let len = self.layout.object_len();
            let count = if self.layout.real { 1 } else { 2 };
            let columns = self.layout.support.1[1];
            value +=
                self.prior * total_variation(&x[..len], columns, count, SMOOTHING, self.prior, &mut gradient[..len]);
        }
        Ok(value)
    }

    fn add(&self, leaves: &Leaves, gradients: &Gradients, slopes: &mut Slopes) {
        let free = self.layout.free;
        if free.object {
            add_to(&mut slopes.object[0], leaves.object.0.grad(gradients), 1.0);
            if !self.layout.real {
                add_to(&mut slopes.object[1], leaves.object.1.grad(gradients), 1.0);
            }
        }
        if free.pupils {
            add_to(&mut slopes.pupils[0], leaves.pupils.0.grad(gradients), 1.0);
            add_to(&mut slopes.pupils[1], leaves.pupils.1.grad(gradients), 1.0);
        }
        let (which, count) = (&self.prepared.reader.which, self.model.flux.len());
        let spread = |target: &mut Vec<f64>, found: Vec<f64>, width: usize, factor: f64| {
            target.resize(width * count, 0.0);
            for (found, index) in found.chunks_exact(width).zip(which) {
                target[width * index..].iter_mut().zip(found).for_each(|(slot, value)| *slot += factor * value);
            }
        };
        if free.shifts {
            spread(&mut slopes.shifts, leaves.shifts.grad(gradients).map_or_else(Vec::new, values), 2, 1.0);
        }
        let photons = self.prepared.photons;
        if free.flux {
            spread(&mut slopes.flux, leaves.flux.grad(gradients).map_or_else(Vec::new, values), 1, photons);
        }
        if free.background {
            spread(&mut slopes.background, leaves.background.grad(gradients).map_or_else(Vec::new, values), 1, photons);
        }
    }
}

fn add_to<const D: usize>(target: &mut Vec<f64>, found: Option<Tensor<D>>, factor: f64) {
    let Some(found) = found else { return };
    let found = values(found);
    target.resize(found.len(), 0.0);
    target.iter_mut().zip(found).for_each(|(slot, value)| *slot += factor * value);
}

/// All values of a tensor, in f64.
fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

impl Objective for Misfit {
    fn len(&self) -> usize {
        self.layout.len()
    }

    fn bounds(&self) -> Option<(&[f64], &[f64])> {
        self.bounds.as_ref().map(|(low, high)| (low.as_slice(), high.as_slice()))
    }

    fn value_and_gradient(&mut self, x: &[f64], gradient: &mut [f64]) -> cupel_train::Result<f64> {
        self.evaluate(x, gradient).map_err(cupel_train::Error::work)
    }

    fn fingerprint(&self) -> cupel_train::Result<[u8; 32]> {
        #[derive(Serialize)]
        struct Of<'a> {
            which: &'a [usize],
            free: Free,
            units: Units,
            prior: f64,
            centres: &'a [[f64; 2]],
            size: [usize; 2],
            detector: usize,
            mean: f64,
            scale: f64,
        }
        let Prepared { reader: FrameReader { exposures, which, .. }, mean, .. } = &self.prepared;
        fingerprint(&Of {
            which,
            free: self.layout.free,
            units: self.layout.units,
            prior: self.prior,
            centres: &exposures.centres,
            size: exposures.optics.size,
            detector: exposures.optics.detector,
            mean: *mean,
            scale: self.scale,
        })
    }
}
