//! [`PhaseError`]: how far a complex image is from the truth, but for what no intensity tells.
//!
//! `E0 = ||c x - t||^2 / ||t||^2` with the best complex factor `c = <x, t> / <x, x>`: J. R. Fienup, "Invariant error metrics for image
//! reconstruction", Applied Optics 36, 8352 (1997), doi:10.1364/AO.36.008352. A shift, a ramp of phase and the twin (turned by 180 degrees
//! and conjugated) are taken away where they are told to be unknown.

use std::f64::consts::TAU;

use num_complex::Complex;

use crate::{Error, Plane, Result, fourier};

/// What is unknown of an image beside a factor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Alignment {
    /// Where it lies, to a fraction of a pixel.
    pub shift: bool,
    /// Where its frequency nought lies.
    pub ramp: bool,
    /// Which of twins it is.
    pub twin: bool,
}

/// The error, and what had to be done for it.
#[derive(Clone, Debug, PartialEq)]
pub struct PhaseError {
    /// `||c x - t|| / ||t||`; its square is `E0`.
    pub relative: f64,
    /// The same with a factor of magnitude one.
    pub unit: f64,
    /// The best factor.
    pub factor: Complex<f64>,
    /// Rows and columns by which the image was moved.
    pub shift: [f64; 2],
    /// Places by which its spectrum was moved.
    pub ramp: [f64; 2],
    /// Whether the twin is nearer.
    pub twin: bool,
    /// The image so aligned, times the factor.
    pub aligned: Plane,
}

impl PhaseError {
    /// Between an image and the truth.
    ///
    /// # Errors
    /// [`Error::Measurement`] for images of different sizes, and where one is nought everywhere.
    pub fn new(truth: &Plane, image: &Plane, unknown: Alignment) -> Result<Self> {
        let (wanted, got) = ([truth.rows(), truth.columns()], [image.rows(), image.columns()]);
        let dark = |plane: &Plane| plane.values().iter().all(|value| value.norm_sqr() == 0.0);
        if wanted != got || dark(truth) || dark(image) {
            return Err(Error::Measurement {
                what: "image that is compared with the truth".into(),
                got: format!("{got:?}{}", if wanted == got { ", one of them nought everywhere" } else { "" }),
                expected: format!("the truth's {wanted:?}, and light in both"),
            });
        }
        let own = Self::of_one(truth, image, unknown, false);
        if !unknown.twin {
            return Ok(own);
        }
        let (rows, columns) = (image.rows(), image.columns());
        let twin = Plane::from_fn(rows, columns, |row, column| {
            image.values()[(rows - 1 - row) * columns + columns - 1 - column].conj()
        });
        let twin = Self::of_one(truth, &twin, unknown, true);
        Ok(if twin.relative < own.relative { twin } else { own })
    }

    fn of_one(truth: &Plane, image: &Plane, unknown: Alignment, twin: bool) -> Self {
        let (mut aligned, mut shift, mut ramp) = (image.clone(), [0.0; 2], [0.0; 2]);
        // Each is found where the other does not matter: the shift by magnitudes, the ramp by those of the spectrum.
        if unknown.shift {
            shift = displacement(&magnitudes(truth), &magnitudes(&aligned));
            aligned = fourier::object(&turned(&fourier::spectrum(&aligned), shift, -1.0));
        }
        if unknown.ramp {
            ramp = displacement(&magnitudes(&fourier::spectrum(truth)), &magnitudes(&fourier::spectrum(&aligned)));
            aligned = turned(&aligned, ramp, 1.0);
        }
        let dot: Complex<f64> = aligned.values().iter().zip(truth.values()).map(|(x, t)| x.conj() * t).sum();
        let power = |plane: &Plane| plane.values().iter().map(Complex::norm_sqr).sum::<f64>();
        let factor = dot / power(&aligned);
        let unit = if dot.norm() > 0.0 { dot / dot.norm() } else { Complex::new(1.0, 0.0) };
        let apart = |factor: Complex<f64>| {
            let sum: f64 = aligned.values().iter().zip(truth.values()).map(|(x, t)| (factor * x - t).norm_sqr()).sum();
            (sum / power(truth)).sqrt()
        };
        let (relative, unit) = (apart(factor), apart(unit));
        aligned.values_mut().iter_mut().for_each(|value| *value *= factor);
        Self { relative, unit, factor, shift, ramp, twin, aligned }
    }
}

fn magnitudes(plane: &Plane) -> Plane {
    Plane::from_fn(plane.rows(), plane.columns(), |row, column| {
        plane.values()[row * plane.columns() + column].norm().into()
    })
}

/// Values times `exp(sign 2 pi i (row dy / rows + column dx / columns))`, places counted from the middle.
fn turned(plane: &Plane, [dy, dx]: [f64; 2], sign: f64) -> Plane {
    let (rows, columns) = (plane.rows(), plane.columns());
    Plane::from_fn(rows, columns, |row, column| {
        let (y, x) = (row as f64 - (rows / 2) as f64, column as f64 - (columns / 2) as f64);
        plane.values()[row * columns + column]
            * Complex::cis(sign * TAU * (y * dy / rows as f64 + x * dx / columns as f64))
    })
}

/// By how many rows and columns to move the second, so that it correlates best with the first: the peak of their correlation, refined
/// by an upsampled transform around it (M. Guizar-Sicairos, S. T. Thurman, J. R. Fienup, Optics Letters 33, 156 (2008),
/// doi:10.1364/OL.33.000156), to a thousandth.
fn displacement(first: &Plane, second: &Plane) -> [f64; 2] {
    let (rows, columns) = (first.rows(), first.columns());
    let (a, b) = (fourier::spectrum(first), fourier::spectrum(second));
    let cross = Plane::from_fn(rows, columns, |row, column| {
        let place = row * columns + column;
        a.values()[place] * b.values()[place].conj()
    });
    let correlation = fourier::object(&cross);
    let mut best = (0, f64::NEG_INFINITY);
    for (place, value) in correlation.values().iter().enumerate() {
        if value.re > best.1 {
            best = (place, value.re);
        }
    }
    let signed = |place: usize, count: usize| {
        if place > (count - 1) / 2 { place as f64 - count as f64 } else { place as f64 }
    };
    let mut peak = [signed(best.0 / columns, rows), signed(best.0 % columns, columns)];
    let mut step = 0.25;
    while step > 5e-4 {
        let mut next = (peak, f64::NEG_INFINITY);
        for down in -3_i32..=3 {
            for along in -3_i32..=3 {
                let at = [peak[0] + f64::from(down) * step, peak[1] + f64::from(along) * step];
                let value = correlation_at(&cross, at);
                if value > next.1 {
                    next = (at, value);
                }
            }
        }
        peak = next.0;
        step /= 3.0;
    }
    peak
}

/// The correlation at a fraction of a place.
fn correlation_at(cross: &Plane, [dy, dx]: [f64; 2]) -> f64 {
    let (rows, columns) = (cross.rows(), cross.columns());
    let waves = |count: usize, d: f64| -> Vec<Complex<f64>> {
        (0..count).map(|k| Complex::cis(TAU * (k as f64 - (count / 2) as f64) * d / count as f64)).collect()
    };
    let (down, along) = (waves(rows, dy), waves(columns, dx));
    let row = |(values, wave): (&[Complex<f64>], &Complex<f64>)| {
        (wave * values.iter().zip(&along).map(|(value, wave)| value * wave).sum::<Complex<f64>>()).re
    };
    cross.values().chunks_exact(columns).zip(&down).map(row).sum()
}
