//! [`Pie`]: the ptychographic iterative engine, exposure after exposure.
//!
//! A sweep visits the exposures in random order, each corrects the plane that windows are cut from, and from some sweep on the
//! pupil (ePIE: A. M. Maiden, J. M. Rodenburg, Ultramicroscopy 109, 1256 (2009), doi:10.1016/j.ultramic.2009.05.012; rPIE: A. Maiden, D. Johnson,
//! P. Li, Optica 4, 736 (2017), doi:10.1364/OPTICA.4.000736; for spectra G. Zheng, R. Horstmeyer, C. Yang, Nature Photonics 7, 739 (2013)).
//! After every sweep the object is made as it is known to be.
//!
//! Deviation from the papers: steps fall where there is noise, as `1 / (1 + sweep / halving)`. With steps that stay, each exposure
//! goes on to undo the others by its noise, and the object gets worse again.

mod field;
mod stack;

use burn::tensor::{Device, Tensor};
use cupel_data::Stream;
use cupel_kernels::{Measured, PieSweep, PieSwept, pie_sweep};
use cupel_settings::{Range, Settings, choices, settings};
use cupel_train::{Advance, Casting, Computing, Metrics, Position, Progress, SetReader, SetWriter, fingerprint};
use num_complex::Complex;
use serde::{Deserialize, Serialize};

use crate::{Error, Exposures, Geometry, Noise, Plane, Result, frame_reader::Block};

pub(crate) use field::{Field, Parts, moved, parts, planes, stacked, values};
pub(crate) use stack::Stack;

/// Sweeps after which steps are half of the first, where there is noise and nothing else is asked for.
const HALVING: f64 = 4.0;

choices! {
    /// What corrections are divided by.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum PieRule {
        /// The largest square of the window
        Epie = "epie",
        /// A share of it, and the rest of each place's own
        Rpie = "rpie",
    }
}

settings! {
    /// How the ptychographic iterative engine sweeps.
    #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
    pub struct PieConfig in "pie" {
        /// What corrections are divided by
        pub rule: PieRule = PieRule::Epie;
        /// Sweeps over all exposures
        pub sweeps: u64 = 60, in Range::at_least(1.0).at_most(1e9), "N";
        /// Step of the object in the first sweep
        pub object_step: f64 = 1.0, in Range::above(0.0).at_most(2.0);
        /// Step of the pupil in the first sweep
        pub pupil_step: f64 = 0.5, in Range::above(0.0).at_most(2.0);
        /// Sweep from which on the pupil is corrected, counted from 0; never unless given
        pub pupil_from: Option<u64> = None, in Range::at_least(0.0), "N";
        /// Sweeps after which steps are half of the first; 4 unless given, and without noise they do not fall
        pub halving: Option<f64> = None, in Range::above(0.0), "N";
        /// Share of the largest square in what rpie divides by
        pub regularisation: f64 = 0.1, in Range::above(0.0).at_most(1.0);
    }
}

/// Sweeps of ePIE or rPIE; one advance is one sweep.
#[derive(Clone, Debug)]
pub struct Pie {
    stack: Stack,
    config: PieConfig,
    seed: u64,
    field: Field,
    plane: Parts,
    pupils: (Tensor<3>, Tensor<3>),
    /// Where light passes the first pupils, nought or one; none of a probe, which may be anywhere.
    open: Option<Tensor<3>>,
    r_factors: Vec<f64>,
}

impl Pie {
    /// Prepares sweeps over the exposures `which`, from an object that is the same everywhere.
    ///
    /// # Errors
    /// As [`Exposures::check`]; [`Error::Setting`] for a setting out of its range; [`Error::Measurement`] for exposures that are not
    /// there or frames without numbers; what reading reports.
    pub fn new(exposures: &Exposures, which: &[usize], config: PieConfig, seed: u64, device: &Device) -> Result<Self> {
        config.check()?;
        let stack = Stack::new(exposures, which, device)?;
        let optics = &exposures.optics;
        let field = Field::new(optics.geometry, optics.size, exposures.known, device);
        let plane = field.plane(parts(&stack.start()?, device));
        let pupils = stacked(&optics.pupils, device);
        let open = (optics.geometry == Geometry::Spectrum).then(|| {
            let squares = (pupils.0.clone().square() + pupils.1.clone().square()).sum_dim(0);
            squares.greater_elem(0.0).float()
        });
        Ok(Self { stack, config, seed, field, plane, pupils, open, r_factors: Vec::new() })
    }

    /// Begins with this object, of the size of the field.
    ///
    /// # Errors
    /// [`Error::Shape`] for one of another size.
    pub fn from_object(mut self, object: &Plane) -> Result<Self> {
        let [rows, columns] = self.stack.exposures.optics.size;
        if [object.rows(), object.columns()] != [rows, columns] {
            let got = object.rows() * object.columns();
            return Err(Error::Shape { what: "object to begin with", got, wanted: rows * columns });
        }
        self.plane = self.field.plane(parts(object, &self.stack.device));
        Ok(self)
    }

    /// Gives each exposure its brightness, one unless given, and what is added to its intensities, nought unless given.
    ///
    /// # Errors
    /// [`Error::Shape`] where there are not as many as exposures.
    pub fn with_brightness(mut self, flux: &[f64], background: &[f64]) -> Result<Self> {
        self.stack = self.stack.lit(flux, background)?;
        Ok(self)
    }

    /// The object as it stands.
    ///
    /// # Errors
    /// That the device does not give it.
    pub fn object(&self) -> Result<Plane> {
        let size = self.stack.exposures.optics.size;
        one(planes(self.field.object(self.plane.clone()), size)?)
    }

    /// The pupils as they stand.
    ///
    /// # Errors
    /// That the device does not give them.
    pub fn pupils(&self) -> Result<Vec<Plane>> {
        planes(self.pupils.clone(), self.stack.exposures.optics.window())
    }

    /// `sum |sqrt(y) - sqrt(I)| / sum sqrt(y)` of every sweep, each exposure as it was before it corrected.
    pub fn r_factors(&self) -> &[f64] {
        &self.r_factors
    }

    fn sweep(&mut self, number: u64) -> Result<f64> {
        let config = self.config;
        let halving = config.halving.or((self.stack.exposures.noise != Noise::None).then_some(HALVING));
        let share = halving.map_or(1.0, |halving| 1.0 / (1.0 + number as f64 / halving));
        let regularisation = match config.rule {
            PieRule::Epie => 1.0,
            PieRule::Rpie => config.regularisation,
        };
        let pupil_step = config.pupil_from.is_some_and(|from| number >= from).then_some(share * config.pupil_step);
        let stream = Stream::new(self.seed, "order of exposures").at(0, number);
        let order = stream.permutation(self.stack.which.len());
        let (mut residual, mut amplitude) = (0.0, 0.0);
        for some in order.chunks(self.stack.chunks()) {
            let those = self.stack.those(some);
            let sweep = PieSweep {
                order: if self.stack.is_kept() { some.to_vec() } else { (0..some.len()).collect() },
                plane_step: share * config.object_step,
                pupil_step,
                regularisation: [regularisation; 2],
            };
            let own = self.own_pupils(&those)?;
            let Block { data, weight, .. } = self.stack.data(some)?;
            let measured = Measured { data, weight, modes: self.stack.exposures.optics.pupils.len() };
            let pupils = own.clone().map_or_else(|| self.pupils.clone(), |own| stacked(&own, &self.stack.device));
            let apertures = self.stack.apertures(&those);
            let brightness = self.stack.brightness(&those);
            let PieSwept { plane, pupils, residuals, amplitudes } =
                pie_sweep(self.plane.clone(), pupils, &measured, brightness, &apertures, &sweep);
            self.plane = plane;
            match (own, pupil_step) {
                (_, None) => {}
                (None, Some(_)) => self.pupils = pupils,
                (Some(before), Some(_)) => self.take_back(&those, &before, pupils)?,
            }
            residual += values(residuals)?.iter().map(|value| f64::from(*value)).sum::<f64>();
            amplitude += values(amplitudes)?.iter().map(|value| f64::from(*value)).sum::<f64>();
        }
        if let (Some(open), Some(_)) = (&self.open, pupil_step) {
            let (re, im) = self.pupils.clone();
            self.pupils = (re * open.clone(), im * open.clone());
        }
        self.plane = self.field.constrain(self.plane.clone());
        Ok(if amplitude > 0.0 { residual / amplitude } else { f64::NAN })
    }

    /// Pupils of each of the exposures, moved by what their centres lie between places; none where none is.
    fn own_pupils(&self, those: &[usize]) -> Result<Option<Vec<Plane>>> {
        if self.stack.rest(0).is_none() {
            return Ok(None);
        }
        let pupils = self.pupils()?;
        let of = |index: &usize| {
            let rest = self.stack.rest(*index).unwrap_or_default();
            pupils.iter().map(move |pupil| moved(pupil, rest)).collect::<Vec<_>>()
        };
        Ok(Some(those.iter().flat_map(of).collect()))
    }

    /// Corrects the pupils by the mean of what corrected those of each exposure, moved back.
    fn take_back(&mut self, those: &[usize], before: &[Plane], after: (Tensor<3>, Tensor<3>)) -> Result<()> {
        let window = self.stack.exposures.optics.window();
        let after = planes(after, window)?;
        let mut pupils = self.pupils()?;
        let modes = pupils.len();
        for (place, (before, after)) in before.iter().zip(&after).enumerate() {
            let [y, x] = self.stack.rest(those[place / modes]).unwrap_or_default();
            let change = |row: usize, column: usize| {
                let at = row * window[1] + column;
                after.values()[at] - before.values()[at]
            };
            let change = moved(&Plane::from_fn(window[0], window[1], change), [-y, -x]);
            for (value, change) in pupils[place % modes].values_mut().iter_mut().zip(change.values()) {
                *value += change * Complex::new(1.0 / those.len() as f64, 0.0);
            }
        }
        self.pupils = stacked(&pupils, &self.stack.device);
        Ok(())
    }
}

/// The only one.
pub(crate) fn one(mut planes: Vec<Plane>) -> Result<Plane> {
    planes.pop().ok_or(Error::Shape { what: "plane", got: 0, wanted: 1 })
}

/// Bytes of the values of tensors, one after the other.
pub(crate) fn bytes(all: Vec<Vec<f32>>) -> Vec<u8> {
    all.into_iter().flatten().flat_map(f32::to_le_bytes).collect()
}

/// The inverse of [`bytes`] for tensors of these lengths.
pub(crate) fn floats<const N: usize>(bytes: &[u8], lengths: [usize; N]) -> Result<[Vec<f32>; N]> {
    let wanted = lengths.iter().sum::<usize>();
    if bytes.len() != 4 * wanted {
        return Err(Error::Shape { what: "saved state", got: bytes.len() / 4, wanted });
    }
    let mut values = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    Ok(lengths.map(|length| values.by_ref().take(length).collect()))
}

const PLANES: &str = "planes.bin";
const R_FACTORS: &str = "r_factors.json";

impl Advance for Pie {
    fn advance(&mut self, at: Position) -> cupel_train::Result<Progress> {
        let r = self.sweep(at.update).map_err(cupel_train::Error::work)?;
        self.r_factors.push(r);
        let done = (at.update + 1 >= self.config.sweeps).then_some("all sweeps are made");
        Ok(Progress { metrics: Metrics::from([("r_factor", r)]), done })
    }

    fn save(&self, set: &mut SetWriter) -> cupel_train::Result<()> {
        let read = || -> Result<Vec<u8>> {
            let (plane, pupils) = (self.plane.clone(), self.pupils.clone());
            Ok(bytes(vec![values(plane.0)?, values(plane.1)?, values(pupils.0)?, values(pupils.1)?]))
        };
        set.bytes(PLANES, &read().map_err(cupel_train::Error::work)?)?;
        set.json(R_FACTORS, &self.r_factors)
    }

    fn load(&mut self, set: &SetReader) -> cupel_train::Result<()> {
        let (plane, pupils) = (self.plane.0.dims(), self.pupils.0.dims());
        let lengths = [plane[0] * plane[1], plane[0] * plane[1], pupils.iter().product(), pupils.iter().product()];
        let [a, b, c, d] = floats(&set.bytes(PLANES)?, lengths).map_err(cupel_train::Error::work)?;
        let device = &self.stack.device;
        let tensor = |values: Vec<f32>| Tensor::<1>::from_floats(values.as_slice(), device);
        self.plane = (tensor(a).reshape(plane), tensor(b).reshape(plane));
        self.pupils = (tensor(c).reshape(pupils), tensor(d).reshape(pupils));
        self.r_factors = set.json(R_FACTORS)?;
        Ok(())
    }

    fn fingerprint(&self) -> cupel_train::Result<[u8; 32]> {
        fingerprint(&("pie", self.config, self.seed, self.stack.identity().map_err(cupel_train::Error::work)?))
    }

    fn name(&self) -> &str {
        self.config.rule.name()
    }

    fn total(&self) -> Option<u64> {
        Some(self.config.sweeps)
    }

    fn computing(&self) -> Option<Computing> {
        Some(Computing::of(&self.stack.device, &Casting::f32(), self.seed))
    }
}
