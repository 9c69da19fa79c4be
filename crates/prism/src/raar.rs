//! [`Raar`]: relaxed averaged alternating reflections, all exposures at once.
//!
//! The images `psi` of all windows are looked for that have the amplitudes measured (projection `P_M`) and come from one object that
//! is as it is known to be (`P_S`):
//! ```text
//! psi <- b/2 (R_S R_M psi + psi) + (1 - b) P_M psi,     R = 2 P - 1
//! ```
//! D. R. Luke, Inverse Problems 21, 37 (2005), doi:10.1088/0266-5611/21/1/004, equation 2.1. `P_S` is the mean of what the windows
//! say of each place, by the light that their pupils let pass (P. Thibault et al., Ultramicroscopy 109, 338 (2009),
//! doi:10.1016/j.ultramic.2008.12.011). Pupils are known.

use burn::tensor::{Device, Tensor};
use cupel_kernels::{SubApertures, sub_apertures};
use cupel_settings::{Problem, Range, Settings, settings};
use cupel_train::{Advance, Casting, Computing, Metrics, Position, Progress, SetReader, SetWriter, fingerprint};
use serde::{Deserialize, Serialize};

use crate::{
    Exposures, Geometry, Plane, Result,
    frame_reader::Block,
    pie::{Field, Parts, Stack, bytes, floats, moved, one, parts, planes, stacked, values},
};

/// Places that get less than this share of the most light keep what is there.
const LEAST_LIGHT: f64 = 1e-4;
/// Squares of amplitudes below have no phase.
const DARK: f64 = 1e-30;

settings! {
    /// How relaxed averaged alternating reflections go.
    #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
    pub struct RaarConfig in "raar" {
        /// Iterations, each over all exposures
        pub iterations: u64 = 100, in Range::at_least(1.0).at_most(1e9), "N";
        /// Relaxation; 1 is the difference map, 0 alternating projections
        pub relaxation: f64 = 0.75, in Range::at_least(0.0).at_most(1.0);
    }
}

/// Relaxed averaged alternating reflections; one advance is one iteration. All images are in memory.
#[derive(Clone, Debug)]
pub struct Raar {
    stack: Stack,
    config: RaarConfig,
    seed: u64,
    field: Field,
    apertures: SubApertures,
    /// One for each mode, or for each exposure and mode.
    pupils: (Tensor<3>, Tensor<3>),
    modes: usize,
    /// Amplitudes `[exposure, 1, row, column]` without flux and background.
    amplitudes: Tensor<4>,
    counts: Option<Tensor<4>>,
    /// The inverse of the light that places get, nought where it is little.
    inverse_light: Tensor<2>,
    /// `[window, row, column]`, modes side by side.
    images: (Tensor<3>, Tensor<3>),
    plane: Parts,
    r_factors: Vec<f64>,
}

impl Raar {
    /// Prepares iterations over the exposures `which`, from an object that is the same everywhere.
    ///
    /// # Errors
    /// As [`Pie::new`](crate::Pie::new).
    pub fn new(exposures: &Exposures, which: &[usize], config: RaarConfig, seed: u64, device: &Device) -> Result<Self> {
        config.check()?;
        let stack = Stack::new(exposures, which, device)?;
        let optics = &exposures.optics;
        let (modes, count) = (optics.pupils.len(), which.len());
        if !stack.is_kept() {
            let mib = |bytes: usize| bytes.div_ceil(1 << 20).to_string();
            let frames = 4 * count * stack.detector * stack.detector;
            let expected = format!(
                "at least {} for raar, which holds all frames, and an image of each that takes twice as much; or another solver, epie reads frames as a sweep \
                 needs them",
                mib(frames)
            );
            return Err(Problem::value("frame-memory", mib(exposures.frames.memory()), expected).into());
        }
        let all: Vec<usize> = (0..count).collect();
        // images are seen by windows, of which each mode has its own
        let of = stack.apertures(&all);
        let centres = of.centres.iter().flat_map(|centre| vec![*centre; modes]).collect();
        let apertures = SubApertures { centres, ..of };
        let each = |index: &usize| {
            let rest = stack.rest(*index).unwrap_or_default();
            optics.pupils.iter().map(move |pupil| if rest == [0.0; 2] { pupil.clone() } else { moved(pupil, rest) })
        };
        let own = modes > 1 || stack.rest(0).is_some();
        let pupils = if own { all.iter().flat_map(each).collect() } else { optics.pupils.clone() };
        let field = Field::new(optics.geometry, optics.size, exposures.known, device);
        let pupils = stacked(&pupils, device);
        let plane = field.plane(parts(&stack.start()?, device));
        let light = light(&apertures, &pupils, optics.size, device)?;
        let most = values(light.clone())?.into_iter().fold(0.0, f32::max);
        let little = light.clone().lower_equal_elem(f64::from(most) * LEAST_LIGHT);
        let unit = match optics.geometry {
            // what comes back of an image is this large
            Geometry::Spectrum => (apertures.scale / apertures.detector as f64).powi(2),
            Geometry::Object => (apertures.scale * apertures.detector as f64).powi(2),
        };
        let inverse_light = (light.mask_fill(little.clone(), 1.0) * unit).recip().mask_fill(little, 0.0);
        let images = sub_apertures(plane.clone(), pupils.clone(), &apertures);
        let mut raar = Self {
            amplitudes: Tensor::zeros([1, 1, 1, 1], device),
            counts: None,
            stack,
            config,
            seed,
            field,
            apertures,
            pupils,
            modes,
            inverse_light,
            images,
            plane,
            r_factors: Vec::new(),
        };
        raar.measure()?;
        Ok(raar)
    }

    /// Gives each exposure its brightness, one unless given, and what is added to its intensities, nought unless given.
    ///
    /// # Errors
    /// As [`Pie::with_brightness`](crate::Pie::with_brightness).
    pub fn with_brightness(mut self, flux: &[f64], background: &[f64]) -> Result<Self> {
        self.stack = self.stack.lit(flux, background)?;
        self.measure()?;
        Ok(self)
    }

    fn measure(&mut self) -> Result<()> {
        let d = self.stack.detector;
        let all: Vec<usize> = (0..self.stack.which.len()).collect();
        let (flux, background) = self.stack.brightness(&all);
        let column = |part: Tensor<1>| part.reshape([all.len(), 1, 1, 1]);
        let Block { data, weight, .. } = self.stack.every()?;
        let data = data.reshape([all.len(), 1, d, d]);
        let light = (data - column(background)).clamp_min(0.0) / column(flux).clamp_min(DARK);
        self.amplitudes = light.sqrt();
        self.counts = weight.map(|weight| weight.unsqueeze_dim(1));
        Ok(())
    }

    /// The object that the images say, where they have the amplitudes measured.
    ///
    /// # Errors
    /// That the device does not give it.
    pub fn object(&self) -> Result<Plane> {
        let plane = self.explained(self.measured(self.images.clone()));
        one(planes(self.field.object(plane), self.stack.exposures.optics.size)?)
    }

    /// `sum |sqrt(y) - sqrt(I)| / sum sqrt(y)` of the object of every iteration.
    pub fn r_factors(&self) -> &[f64] {
        &self.r_factors
    }

    /// The images with the amplitudes measured, where pixels count.
    fn measured(&self, (re, im): (Tensor<3>, Tensor<3>)) -> (Tensor<3>, Tensor<3>) {
        let shape = re.dims();
        let squares = self.squares(&re, &im);
        let dark = squares.clone().lower_equal_elem(DARK);
        let ratio = self.amplitudes.clone() / squares.mask_fill(dark.clone(), 1.0).sqrt();
        let mut ratio = ratio.mask_fill(dark, 1.0);
        if let Some(counts) = &self.counts {
            ratio = (ratio - 1.0) * counts.clone() + 1.0;
        }
        let [count, d] = [self.stack.which.len(), self.stack.detector];
        let ratio = ratio.expand([count, self.modes, d, d]).reshape(shape);
        (re * ratio.clone(), im * ratio)
    }

    /// Squares summed over modes, `[exposure, 1, row, column]`.
    fn squares(&self, re: &Tensor<3>, im: &Tensor<3>) -> Tensor<4> {
        let [count, d] = [self.stack.which.len(), self.stack.detector];
        (re.clone().square() + im.clone().square()).reshape([count, self.modes, d, d]).sum_dim(1)
    }

    /// The plane of an object as it is known to be that comes nearest to the images.
    fn explained(&self, (re, im): (Tensor<3>, Tensor<3>)) -> Parts {
        // the adjoint of looking is the gradient of the inner product with what is seen
        let (to, back) = (Tensor::<3>::from_inner, Tensor::<2>::inner);
        let leaf = || Tensor::<2>::from_inner(self.plane.0.zeros_like()).require_grad();
        let (of_re, of_im) = (leaf(), leaf());
        let pupils = (to(self.pupils.0.clone()), to(self.pupils.1.clone()));
        let seen = sub_apertures((of_re.clone(), of_im.clone()), pupils, &self.apertures);
        let gradients = (seen.0 * to(re) + seen.1 * to(im)).sum().backward();
        let part = |leaf: &Tensor<2>, before: &Tensor<2>| {
            let sum = leaf.grad(&gradients).map_or_else(|| before.zeros_like(), |grad| plain(grad, back));
            let little = self.inverse_light.clone().equal_elem(0.0);
            (sum * self.inverse_light.clone()).mask_where(little, before.clone())
        };
        self.field.constrain((part(&of_re, &self.plane.0), part(&of_im, &self.plane.1)))
    }

    fn iterate(&mut self) -> Result<f64> {
        let b = self.config.relaxation;
        let measured = self.measured(self.images.clone());
        let reflected = |part: &Tensor<3>, image: &Tensor<3>| part.clone() * 2.0 - image.clone();
        let reflected = (reflected(&measured.0, &self.images.0), reflected(&measured.1, &self.images.1));
        self.plane = self.explained(reflected.clone());
        let seen = sub_apertures(self.plane.clone(), self.pupils.clone(), &self.apertures);
        let r = self.r_factor(&seen)?;
        let next = |seen: Tensor<3>, reflected: Tensor<3>, image: Tensor<3>, measured: Tensor<3>| {
            (seen * 2.0 - reflected + image) * (0.5 * b) + measured * (1.0 - b)
        };
        self.images = (
            next(seen.0, reflected.0, self.images.0.clone(), measured.0),
            next(seen.1, reflected.1, self.images.1.clone(), measured.1),
        );
        Ok(r)
    }

    fn r_factor(&self, (re, im): &(Tensor<3>, Tensor<3>)) -> Result<f64> {
        let residual = (self.squares(re, im).sqrt() - self.amplitudes.clone()).abs();
        let sum = |x: Tensor<4>| -> Result<f64> {
            let x = match &self.counts {
                Some(counts) => x * counts.clone(),
                None => x,
            };
            // by exposures first: sums of millions of values are not for f32
            let [count, _, rows, columns] = x.dims();
            Ok(values(x.reshape([count, rows * columns]).sum_dim(1))?.iter().map(|sum| f64::from(*sum)).sum())
        };
        Ok(sum(residual)? / sum(self.amplitudes.clone())?.max(DARK))
    }
}

/// A gradient off its graph.
fn plain(gradient: Tensor<2>, back: fn(Tensor<2>) -> Tensor<2>) -> Tensor<2> {
    if gradient.device().is_autodiff() { back(gradient) } else { gradient }
}

/// Sum of the squares of all pupils at every place.
fn light(
    apertures: &SubApertures,
    pupils: &(Tensor<3>, Tensor<3>),
    size: [usize; 2],
    device: &Device,
) -> Result<Tensor<2>> {
    let squares = pupils.0.clone().square() + pupils.1.clone().square();
    let [count, rows, columns] = squares.dims();
    let values = values(squares)?;
    let mut light = vec![0.0f32; size[0] * size[1]];
    for (window, centre) in apertures.centres.iter().enumerate() {
        let of = &values[window % count * rows * columns..][..rows * columns];
        for (place, value) in of.iter().enumerate() {
            let along = |axis: usize, at: usize, window: usize| {
                let first = (size[axis] / 2) as isize + centre[axis] - (window / 2) as isize;
                (first + at as isize).rem_euclid(size[axis] as isize) as usize
            };
            light[along(0, place / columns, rows) * size[1] + along(1, place % columns, columns)] += value;
        }
    }
    Ok(Tensor::<1>::from_floats(light.as_slice(), device).reshape(size))
}

const IMAGES: &str = "images.bin";
const R_FACTORS: &str = "r_factors.json";

impl Advance for Raar {
    fn advance(&mut self, at: Position) -> cupel_train::Result<Progress> {
        let r = self.iterate().map_err(cupel_train::Error::work)?;
        self.r_factors.push(r);
        let done = (at.update + 1 >= self.config.iterations).then_some("all iterations are made");
        Ok(Progress { metrics: Metrics::from([("r_factor", r)]), done })
    }

    fn save(&self, set: &mut SetWriter) -> cupel_train::Result<()> {
        let read = || -> Result<Vec<u8>> {
            let ((re, im), plane) = (self.images.clone(), self.plane.clone());
            Ok(bytes(vec![values(re)?, values(im)?, values(plane.0)?, values(plane.1)?]))
        };
        set.bytes(IMAGES, &read().map_err(cupel_train::Error::work)?)?;
        set.json(R_FACTORS, &self.r_factors)
    }

    fn load(&mut self, set: &SetReader) -> cupel_train::Result<()> {
        let (images, plane) = (self.images.0.dims(), self.plane.0.dims());
        let lengths = [images.iter().product(), images.iter().product(), plane[0] * plane[1], plane[0] * plane[1]];
        let [a, b, c, d] = floats(&set.bytes(IMAGES)?, lengths).map_err(cupel_train::Error::work)?;
        let device = &self.stack.device;
        let tensor = |values: Vec<f32>| Tensor::<1>::from_floats(values.as_slice(), device);
        self.images = (tensor(a).reshape(images), tensor(b).reshape(images));
        self.plane = (tensor(c).reshape(plane), tensor(d).reshape(plane));
        self.r_factors = set.json(R_FACTORS)?;
        Ok(())
    }

    fn fingerprint(&self) -> cupel_train::Result<[u8; 32]> {
        fingerprint(&("raar", self.config, self.seed, self.stack.identity().map_err(cupel_train::Error::work)?))
    }

    fn name(&self) -> &str {
        "raar"
    }

    fn total(&self) -> Option<u64> {
        Some(self.config.iterations)
    }

    fn computing(&self) -> Option<Computing> {
        Some(Computing::of(&self.stack.device, &Casting::f32(), self.seed))
    }
}
