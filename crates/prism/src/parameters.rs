//! [`Model`]: all that explains exposures, and [`Free`]: which of it is looked for.

use num_complex::Complex;
use serde::{Deserialize, Serialize};

use crate::{Error, Exposures, Plane, Result};

/// All that explains exposures: the object, the pupil or probe, and what belongs to each exposure alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// The object, as large as the field.
    pub object: Plane,
    /// Modes of the pupil or probe.
    pub pupils: Vec<Plane>,
    /// How far each centre lies from where it was said to be, rows and columns, in places.
    pub shifts: Vec<[f64; 2]>,
    /// Brightness of each exposure relative to what was said.
    pub flux: Vec<f64>,
    /// Intensity added to all pixels of each exposure.
    pub background: Vec<f64>,
}

impl Model {
    /// An object seen by instruments that are as the exposures say.
    ///
    /// # Errors
    /// [`Error::Optics`] for an object that is not as large as the field.
    pub fn new(exposures: &Exposures, object: Plane) -> Result<Self> {
        let size = exposures.optics.size;
        if [object.rows(), object.columns()] != size {
            return Err(Error::Optics {
                what: "object to start from",
                got: format!("{} x {}", object.rows(), object.columns()),
                expected: format!("the field's {} x {}", size[0], size[1]),
            });
        }
        let count = exposures.centres.len();
        Ok(Self {
            object,
            pupils: exposures.optics.pupils.clone(),
            shifts: vec![[0.0; 2]; count],
            flux: (0..count).map(|index| exposures.brightness(index)[0]).collect(),
            background: (0..count).map(|index| exposures.brightness(index)[1]).collect(),
        })
    }
}

/// What of a [`Model`] is looked for; the rest is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Free {
    /// The object.
    pub object: bool,
    /// Pupil or probe.
    pub pupils: bool,
    /// The centres.
    pub shifts: bool,
    /// Brightness of each exposure.
    pub flux: bool,
    /// Background of each exposure.
    pub background: bool,
}

impl Free {
    /// The object alone.
    pub const OBJECT: Self = Self { object: true, pupils: false, shifts: false, flux: false, background: false };
}

/// Units in which parameters are looked for, so that a step of one unit changes the exposures about as much for each of them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Units {
    /// Of the object's values.
    pub object: f64,
    /// Of the pupil's values.
    pub pupils: f64,
    /// Of shifts, in places.
    pub shifts: f64,
    /// Of the flux.
    pub flux: f64,
    /// Of the background.
    pub background: f64,
}

/// Where each parameter lies among the values that a solver moves.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) free: Free,
    pub(crate) units: Units,
    /// The object has no phase.
    pub(crate) real: bool,
    /// First row and column of the object's support, and its rows and columns.
    pub(crate) support: ([usize; 2], [usize; 2]),
    /// Least and largest value of a real object.
    bounds: Option<[f64; 2]>,
    /// Places of the pupils, mode by mode, that are not nought; all of a probe.
    pupil_places: Vec<(usize, usize)>,
    count: usize,
}

impl Layout {
    pub(crate) fn new(exposures: &Exposures, model: &Model, free: Free, units: Units) -> Self {
        let [rows, columns] = exposures.optics.size;
        let size = exposures.known.support.unwrap_or([rows, columns]);
        let first = [rows / 2 - size[0] / 2, columns / 2 - size[1] / 2];
        let pupil_places = model.pupils.iter().enumerate().flat_map(|(mode, pupil)| {
            let lit = model.pupils.iter().fold(vec![false; pupil.values().len()], |mut lit, mode| {
                lit.iter_mut().zip(mode.values()).for_each(|(lit, value)| *lit |= value.norm_sqr() > 0.0);
                lit
            });
            (0..pupil.values().len()).filter(move |place| lit[*place]).map(move |place| (mode, place))
        });
        Self {
            free,
            units,
            real: exposures.known.real,
            support: (first, size),
            bounds: exposures.known.bounds.filter(|_| exposures.known.real),
            pupil_places: pupil_places.collect(),
            count: exposures.centres.len(),
        }
    }

    /// Values of the object: one for each place of the support, two where it has a phase.
    pub(crate) fn object_len(&self) -> usize {
        let ([_, _], [rows, columns]) = self.support;
        if self.free.object { rows * columns * if self.real { 1 } else { 2 } } else { 0 }
    }

    fn lens(&self) -> [usize; 5] {
        let if_free = |free: bool, len: usize| if free { len } else { 0 };
        [
            self.object_len(),
            if_free(self.free.pupils, 2 * self.pupil_places.len()),
            if_free(self.free.shifts, 2 * self.count),
            if_free(self.free.flux, self.count),
            if_free(self.free.background, self.count),
        ]
    }

    pub(crate) fn len(&self) -> usize {
        self.lens().iter().sum()
    }

    /// The parts of the values: object, pupils, shifts, flux, background.
    fn split<'a>(&self, mut x: &'a [f64]) -> [&'a [f64]; 5] {
        self.lens().map(|len| {
            let (part, rest) = x.split_at(len.min(x.len()));
            x = rest;
            part
        })
    }

    fn object_places(&self, columns: usize) -> impl Iterator<Item = usize> + use<> {
        let ([top, left], [rows, wide]) = self.support;
        (top..top + rows).flat_map(move |row| (left..left + wide).map(move |column| row * columns + column))
    }

    /// The values of the free parameters of `model`.
    pub(crate) fn pack(&self, model: &Model) -> Vec<f64> {
        let mut x = Vec::with_capacity(self.len());
        let Units { object, pupils, shifts, flux, background } = self.units;
        if self.free.object {
            let places: Vec<usize> = self.object_places(model.object.columns()).collect();
            let values = model.object.values();
            x.extend(places.iter().map(|place| values[*place].re / object));
            if !self.real {
                x.extend(places.iter().map(|place| values[*place].im / object));
            }
        }
        if self.free.pupils {
            x.extend(self.pupil_places.iter().map(|(mode, place)| model.pupils[*mode].values()[*place].re / pupils));
            x.extend(self.pupil_places.iter().map(|(mode, place)| model.pupils[*mode].values()[*place].im / pupils));
        }
        if self.free.shifts {
            x.extend(model.shifts.iter().flatten().map(|shift| shift / shifts));
        }
        if self.free.flux {
            x.extend(model.flux.iter().map(|value| value / flux));
        }
        if self.free.background {
            x.extend(model.background.iter().map(|value| value / background));
        }
        x
    }

    /// Puts the values `x` in their places of `model`.
    pub(crate) fn unpack(&self, x: &[f64], model: &mut Model) {
        let [of_object, of_pupils, of_shifts, of_flux, of_background] = self.split(x);
        let Units { object, pupils, shifts, flux, background } = self.units;
        if self.free.object {
            let columns = model.object.columns();
            let values = model.object.values_mut();
            let (re, im) = of_object.split_at(if self.real { of_object.len() } else { of_object.len() / 2 });
            for (index, place) in self.object_places(columns).enumerate() {
                let im = if self.real { 0.0 } else { im[index] };
                values[place] = Complex::new(re[index], im) * object;
            }
        }
        let (re, im) = of_pupils.split_at(of_pupils.len() / 2);
        for ((re, im), (mode, place)) in re.iter().zip(im).zip(&self.pupil_places) {
            model.pupils[*mode].values_mut()[*place] = Complex::new(*re, *im) * pupils;
        }
        for (value, x) in model.shifts.iter_mut().flatten().zip(of_shifts) {
            *value = x * shifts;
        }
        model.flux.iter_mut().zip(of_flux).for_each(|(value, x)| *value = x * flux);
        model.background.iter_mut().zip(of_background).for_each(|(value, x)| *value = x * background);
    }

    /// Derivatives with respect to the values `x` from those with respect to the parameters.
    pub(crate) fn gather(&self, slopes: &Slopes, columns: usize, gradient: &mut [f64]) {
        let Units { object, pupils, shifts, flux, background } = self.units;
        let mut out = gradient.iter_mut();
        let mut put = |value: f64| {
            if let Some(slot) = out.next() {
                *slot = value;
            }
        };
        if self.free.object {
            let parts = if self.real { 1 } else { 2 };
            for part in slopes.object.iter().take(parts) {
                self.object_places(columns).for_each(|place| put(part[place] * object));
            }
        }
        if self.free.pupils {
            for part in &slopes.pupils {
                let window = part.len() / self.pupil_places.last().map_or(1, |(mode, _)| mode + 1);
                self.pupil_places.iter().for_each(|(mode, place)| put(part[mode * window + place] * pupils));
            }
        }
        if self.free.shifts {
            slopes.shifts.iter().for_each(|slope| put(slope * shifts));
        }
        if self.free.flux {
            slopes.flux.iter().for_each(|slope| put(slope * flux));
        }
        if self.free.background {
            slopes.background.iter().for_each(|slope| put(slope * background));
        }
    }

    /// Least and largest of each value, where any is bounded.
    pub(crate) fn bounds(&self) -> Option<(Vec<f64>, Vec<f64>)> {
        if self.bounds.is_none() && !self.free.flux && !self.free.background {
            return None;
        }
        let lens = self.lens();
        let [low, high] =
            self.bounds.map_or([f64::NEG_INFINITY, f64::INFINITY], |bounds| bounds.map(|b| b / self.units.object));
        let each = [
            (low, high),
            (f64::NEG_INFINITY, f64::INFINITY),
            (f64::NEG_INFINITY, f64::INFINITY),
            (LEAST_FLUX / self.units.flux, f64::INFINITY),
            (0.0, f64::INFINITY),
        ];
        let all = |which: fn((f64, f64)) -> f64| {
            lens.iter().zip(each).flat_map(|(len, b)| std::iter::repeat_n(which(b), *len)).collect()
        };
        Some((all(|b| b.0), all(|b| b.1)))
    }
}

/// An exposure is never quite dark.
const LEAST_FLUX: f64 = 1e-3;

/// Derivatives with respect to all parameters; empty where they are not free.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slopes {
    /// Of real and imaginary parts, over the whole field.
    pub(crate) object: [Vec<f64>; 2],
    /// Of real and imaginary parts, mode by mode.
    pub(crate) pupils: [Vec<f64>; 2],
    pub(crate) shifts: Vec<f64>,
    pub(crate) flux: Vec<f64>,
    pub(crate) background: Vec<f64>,
}

impl Layout {
    /// # Errors
    /// [`Error::Setting`] where nothing is free.
    pub(crate) fn check(&self) -> Result<()> {
        if self.len() == 0 {
            let problem = cupel_settings::Problem::value(
                "free",
                "nothing",
                "at least one of object, pupils, shifts, flux, background",
            );
            return Err(Error::Setting(problem));
        }
        Ok(())
    }
}
