//! [`Propagator`]: how a field gets from one plane to a parallel one.
//!
//! All keep the energy (the angular spectrum that of the waves that travel and that the grid holds) and drop the common phase
//! `exp(2 pi i z / lambda)`, which is no multiple of anything in f32. Fields have their axis at place `N / 2`.
//! - Fraunhofer: the centred transform; points `lambda z / (N dx)` apart.
//! - Fresnel, one transform: J. W. Goodman, "Introduction to Fourier Optics", equation 4-17:
//!   `U(X) = exp(i pi X^2 / (lambda z)) F{ u exp(i pi x^2 / (lambda z)) }` up to a constant; points as Fraunhofer. Its curved
//!   phase is sampled where `z >= N dx^2 / lambda`.
//! - Angular spectrum: `H = exp(2 pi i z (sqrt(1/lambda^2 - k^2) - 1/lambda))`, nought beyond the frequencies at which the grid cannot hold
//!   its phase: K. Matsushima, T. Shimobaba, "Band-limited angular spectrum method for numerical simulation of free-space propagation in far and near
//!   fields", Optics Express 17, 19662 (2009), doi:10.1364/OE.17.019662, equation 13. Twice as wide a field makes it linear. Points stay `dx` apart.

use std::f64::consts::{PI, TAU};

use num_complex::Complex;

use crate::{Plane, Result, fourier};

/// Below this Fresnel number the curved phase is less than a third of a radian at the object's edge, and left out.
pub const FAR: f64 = 0.1;

/// A way to a parallel plane. Lengths in metres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Propagator {
    /// Far away, or in the focus of a lens.
    Fraunhofer,
    /// Less far, by one transform.
    Fresnel {
        /// From one point of the first plane to the next.
        dx: f64,
        /// Of the light.
        wavelength: f64,
        /// From plane to plane.
        distance: f64,
    },
    /// Near, wave by wave.
    AngularSpectrum {
        /// From one point to the next, in both planes.
        dx: f64,
        /// Of the light.
        wavelength: f64,
        /// From plane to plane.
        distance: f64,
    },
}

/// `w^2 / (lambda z)` of an object of half width `w`.
pub fn fresnel_number(half_width: f64, wavelength: f64, distance: f64) -> f64 {
    half_width * half_width / (wavelength * distance)
}

impl Propagator {
    /// Fraunhofer below a Fresnel number of [`FAR`]; else Fresnel where `points` of `dx` sample its phase; else the angular spectrum.
    pub fn choose(points: usize, dx: f64, half_width: f64, wavelength: f64, distance: f64) -> Self {
        if fresnel_number(half_width, wavelength, distance) < FAR {
            Self::Fraunhofer
        } else if distance >= points as f64 * dx * dx / wavelength {
            Self::Fresnel { dx, wavelength, distance }
        } else {
            Self::AngularSpectrum { dx, wavelength, distance }
        }
    }

    /// The field in the second plane.
    ///
    /// # Errors
    /// None for a field of one size; it is a result because fields are widened.
    pub fn propagate(&self, field: &Plane) -> Result<Plane> {
        match *self {
            Self::Fraunhofer => Ok(fourier::centred(field, false)),
            Self::Fresnel { dx, wavelength, distance } => {
                let at_first = curved(field, dx, wavelength, distance, 1.0);
                Ok(curved_after(&fourier::centred(&at_first, false), dx, wavelength, distance, 1.0))
            }
            Self::AngularSpectrum { dx, wavelength, distance } => by_waves(field, dx, wavelength, distance),
        }
    }

    /// The field in the first plane whose [`propagate`](Self::propagate) is this one, of an angular spectrum the part that the band holds.
    ///
    /// # Errors
    /// As [`propagate`](Self::propagate).
    pub fn back(&self, field: &Plane) -> Result<Plane> {
        match *self {
            Self::Fraunhofer => Ok(fourier::centred(field, true)),
            Self::Fresnel { dx, wavelength, distance } => {
                let flat = curved_after(field, dx, wavelength, distance, -1.0);
                Ok(curved(&fourier::centred(&flat, true), dx, wavelength, distance, -1.0))
            }
            Self::AngularSpectrum { dx, wavelength, distance } => by_waves(field, dx, wavelength, -distance),
        }
    }
}

/// The field times `exp(sign i pi x^2 / (lambda z))`.
pub(crate) fn curved(field: &Plane, dx: f64, wavelength: f64, distance: f64, sign: f64) -> Plane {
    let (rows, columns) = (field.rows(), field.columns());
    Plane::from_fn(rows, columns, |row, column| {
        let (y, x) = ((row as f64 - (rows / 2) as f64) * dx, (column as f64 - (columns / 2) as f64) * dx);
        field.values()[row * columns + column] * Complex::cis(sign * PI * (y * y + x * x) / (wavelength * distance))
    })
}

/// As [`curved`] in the second plane, whose points lie `lambda z / (N dx)` apart, `N` rows or columns.
fn curved_after(field: &Plane, dx: f64, wavelength: f64, distance: f64, sign: f64) -> Plane {
    let (rows, columns) = (field.rows(), field.columns());
    let step = |count: usize| wavelength * distance / (count as f64 * dx);
    Plane::from_fn(rows, columns, |row, column| {
        let y = (row as f64 - (rows / 2) as f64) * step(rows);
        let x = (column as f64 - (columns / 2) as f64) * step(columns);
        field.values()[row * columns + column] * Complex::cis(sign * PI * (y * y + x * x) / (wavelength * distance))
    })
}

/// The band-limited angular spectrum in a field of twice the width.
fn by_waves(field: &Plane, dx: f64, wavelength: f64, distance: f64) -> Result<Plane> {
    let (rows, columns) = (field.rows(), field.columns());
    let wide = field.padded(2 * rows, 2 * columns)?;
    let mut waves = fourier::centred(&wide, false);
    let (high, long) = (wide.rows(), wide.columns());
    let limit = |count: usize| {
        let width = count as f64 * dx;
        1.0 / (wavelength * ((2.0 * distance / width).powi(2) + 1.0).sqrt())
    };
    let (limit_y, limit_x) = (limit(high), limit(long));
    for (place, value) in waves.values_mut().iter_mut().enumerate() {
        let ky = ((place / long) as f64 - (high / 2) as f64) / (high as f64 * dx);
        let kx = ((place % long) as f64 - (long / 2) as f64) / (long as f64 * dx);
        let across = ky * ky + kx * kx;
        let along = 1.0 / (wavelength * wavelength) - across;
        *value *= if along < 0.0 || ky.abs() > limit_y || kx.abs() > limit_x {
            Complex::default()
        } else {
            // sqrt(1/lambda^2 - k^2) - 1/lambda without the difference of two large numbers
            Complex::cis(-TAU * distance * across / (1.0 / wavelength + along.sqrt()))
        };
    }
    fourier::centred(&waves, true).middle(rows, columns)
}
