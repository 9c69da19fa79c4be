//! [`Model`]: a sum of independent Gaussian parts, each a kernel times a law of its amplitude over multipoles, under one beam.
//!
//! Of a mode of multipole `l` the channels have the covariance
//! ```text
//! K = sum_c a_c(l) B R_c B + N,    ln a_c = p0 + p1 ln(l / l0) + p2 ln^2(l / l0),    B_i = exp(-(l w nu0 / nu_i)^2 / 2)
//! ```
//! with a kernel `R_c` for each part, and `w` the standard deviation in radians of a Gaussian beam in the middle `nu0` of the band, whose width goes
//! as the wavelength. Hydrogen has its mean brightness in each channel as a factor. Parameters have normal priors, which are wide: they keep one
//! that the data say nothing of from running away.

use faer::Mat;

use super::kernel::{Kernel, Shape};
use crate::simulate::MatterPower;

/// Share of the largest variance that is added to each variance: far above the rounding of f64, far below any signal.
const JITTER: f64 = 1e-15;

/// What the channels of a sky are.
#[derive(Clone, Debug)]
pub(super) struct Channels {
    pub(super) frequencies_mhz: Vec<f64>,
    /// Brightness of hydrogen in each over that in the middle.
    pub(super) brightness: Vec<f64>,
    /// Depth of a channel along the line of sight.
    pub(super) cell_mpc_h: f64,
    /// Comoving distance of the middle, which turns wave numbers into multipoles.
    pub(super) distance_mpc_h: f64,
    pub(super) matter: MatterPower,
    /// Angular power of the rounding of values to f32, taken for white.
    pub(super) rounding: f64,
}

impl Channels {
    pub(super) fn middle_mhz(&self) -> f64 {
        let nu = &self.frequencies_mhz;
        nu.iter().sum::<f64>() / nu.len() as f64
    }
}

/// What a part of the sky is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Foreground,
    Signal,
    Noise,
}

/// A parameter with its normal prior.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Parameter {
    pub(super) name: String,
    /// Middle of the prior.
    pub(super) mean: f64,
    /// Standard deviation of the prior; a parameter of 0 is held.
    pub(super) deviation: f64,
}

impl Parameter {
    pub(super) fn new(name: impl Into<String>, mean: f64, deviation: f64) -> Self {
        Self { name: name.into(), mean, deviation }
    }
}

/// One part of the sky.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Term {
    pub(super) role: Role,
    pub(super) kernel: Kernel,
    /// The logarithm of its amplitude at the pivot, then its slope and its curvature over `ln l`, as many as are wanted.
    pub(super) amplitude: Vec<Parameter>,
    /// Parameters of the kernel.
    pub(super) shape: Vec<Parameter>,
}

/// A sum of parts. Parameters are the beam where there is one, then amplitude and shape part by part.
#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) name: String,
    pub(super) channels: Channels,
    pub(super) terms: Vec<Term>,
    /// `ln w`.
    pub(super) beam: Option<Parameter>,
    /// The multipole `l0`.
    pub(super) pivot: f64,
}

/// A derivative of a covariance: a matrix, and the factors that make those by several parameters of it, in the order of the parameters.
pub(super) struct Derivative {
    pub(super) matrix: Mat<f64>,
    pub(super) factors: Vec<f64>,
}

/// Covariances of one mode.
pub(super) struct Parts {
    pub(super) signal: Mat<f64>,
    pub(super) total: Mat<f64>,
    /// Of all by each parameter; empty where none are wanted.
    pub(super) derivatives: Vec<Derivative>,
}

impl Model {
    pub(super) fn parameters(&self) -> Vec<&Parameter> {
        self.beam.iter().chain(self.terms.iter().flat_map(|term| term.amplitude.iter().chain(&term.shape))).collect()
    }

    /// The kernels that are the same for each mode, once for all.
    pub(super) fn shared(&self, parameters: &[f64]) -> Vec<Option<Shape>> {
        let mut first = self.beam.iter().count();
        let shape = |term: &Term| {
            let at = first + term.amplitude.len();
            first = at + term.shape.len();
            (!term.kernel.varies()).then(|| term.kernel.shape(&parameters[at..first], &self.channels, 1.0, 1.0))
        };
        self.terms.iter().map(shape).collect()
    }

    /// Covariances of a mode of a multipole.
    pub(super) fn parts(&self, parameters: &[f64], shared: &[Option<Shape>], multipole: f64, derive: bool) -> Parts {
        let Channels { frequencies_mhz, brightness, rounding, .. } = &self.channels;
        let (count, middle) = (frequencies_mhz.len(), self.channels.middle_mhz());
        let (ratio, slope) = (multipole / self.pivot, (multipole / self.pivot).ln());
        let wavelength = |i: usize| (middle / frequencies_mhz[i]).powi(2);
        let squared = self.beam.as_ref().map_or(0.0, |_| (multipole * parameters[0].exp()).powi(2));
        let beam: Vec<f64> = (0..count).map(|i| (-0.5 * squared * wavelength(i)).exp()).collect();
        let zero = || Mat::zeros(count, count);
        let (mut signal, mut total, mut derivatives) = (zero(), zero(), Vec::new());
        let mut first = self.beam.iter().count();
        for (term, shared) in self.terms.iter().zip(shared) {
            let shape_at = first + term.amplitude.len();
            let next = shape_at + term.shape.len();
            let logarithm = (0..term.amplitude.len()).rev().fold(0.0, |sum, i| sum * slope + parameters[first + i]);
            let envelope: Vec<f64> = (0..count)
                .map(|i| match term.role {
                    Role::Signal => beam[i] * brightness[i],
                    Role::Foreground => beam[i],
                    Role::Noise => 1.0,
                })
                .collect();
            let amplitude = logarithm.exp();
            let scaled = |matrix: &Mat<f64>| {
                Mat::from_fn(count, count, |i, j| amplitude * envelope[i] * envelope[j] * matrix[(i, j)])
            };
            let own;
            let shape = match shared {
                Some(shape) => shape,
                None => {
                    own = term.kernel.shape(&parameters[shape_at..next], &self.channels, multipole, ratio);
                    &own
                }
            };
            let matrix = scaled(&shape.matrix);
            total += &matrix;
            if term.role == Role::Signal {
                signal += &matrix;
            }
            if derive {
                let by_shape = shape.derivatives.iter().map(scaled).collect::<Vec<_>>();
                let factors = (0..term.amplitude.len()).map(|i| slope.powi(i as i32)).collect();
                derivatives.push(Derivative { matrix, factors });
                derivatives.extend(by_shape.into_iter().map(|matrix| Derivative { matrix, factors: vec![1.0] }));
            }
            first = next;
        }
        if derive && self.beam.is_some() {
            // the noise, which is white, is the only part that is not under the beam
            let mut under = total.clone();
            let noise = self.terms.iter().position(|term| term.role == Role::Noise);
            let places = self.terms.iter().scan(0, |place, term| {
                let own = *place;
                *place += 1 + term.shape.len();
                Some(own)
            });
            if let Some(place) = noise.and_then(|noise| places.clone().nth(noise)) {
                under -= &derivatives[place].matrix;
            }
            let matrix = Mat::from_fn(count, count, |i, j| -squared * (wavelength(i) + wavelength(j)) * under[(i, j)]);
            derivatives.insert(0, Derivative { matrix, factors: vec![1.0] });
        }
        let largest = (0..count).map(|i| total[(i, i)]).fold(0.0, f64::max);
        (0..count).for_each(|i| total[(i, i)] += rounding + JITTER * largest);
        Parts { signal, total, derivatives }
    }
}
