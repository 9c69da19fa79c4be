//! Phases of a pupil as Zernike polynomials.
//!
//! R. J. Noll, "Zernike polynomials and atmospheric turbulence", Journal of the Optical Society of America 66, 207 (1976),
//! doi:10.1364/JOSA.66.000207, equations 1 to 3: order and normalisation. Their mean square over the disc is one.

use num_complex::Complex;
use serde::{Deserialize, Serialize};

use crate::{Error, Plane, Result};

/// Highest index of a polynomial; beyond, in f64, the sums of their radial parts lose digits.
pub const HIGHEST_ZERNIKE: usize = 231;

/// Radial and azimuthal order of Noll's polynomial `j`, which counts from one; the azimuthal one is negative for a sine.
///
/// # Panics
/// For `j = 0`: "Noll's polynomials count from 1".
pub fn noll(j: usize) -> (usize, isize) {
    assert!(j > 0, "Noll's polynomials count from 1");
    let mut order = 0;
    let mut left = j - 1;
    while left > order {
        order += 1;
        left -= order;
    }
    // Within an order |m| rises by twos, twice each but nought.
    let m = (order % 2 + 2 * ((left + (order + 1) % 2) / 2)) as isize;
    (order, if j.is_multiple_of(2) { m } else { -m })
}

/// Noll's polynomial `j` at a place of the unit disc, `row` up the axis of sines.
///
/// # Panics
/// As [`noll`].
pub fn zernike(j: usize, row: f64, column: f64) -> f64 {
    let (n, m) = noll(j);
    let (radius, angle) = (row.hypot(column), row.atan2(column));
    let order = m.unsigned_abs();
    // sum_s (-1)^s (n - s)! / (s! ((n + m)/2 - s)! ((n - m)/2 - s)!) r^(n - 2 s), each term from the one before.
    let (high, low) = ((n + order) / 2, (n - order) / 2);
    let mut term = (1..=n).map(|k| k as f64).product::<f64>()
        / ((1..=high).map(|k| k as f64).product::<f64>() * (1..=low).map(|k| k as f64).product::<f64>());
    let mut radial = 0.0;
    for s in 0..=low {
        radial += term * radius.powi((n - 2 * s) as i32);
        if s < low {
            term *= -((high - s) as f64 * (low - s) as f64) / ((s + 1) as f64 * (n - s) as f64);
        }
    }
    let scale = if m == 0 { (n + 1) as f64 } else { 2.0 * (n + 1) as f64 };
    let around = match m.signum() {
        0 => 1.0,
        1 => (order as f64 * angle).cos(),
        _ => (order as f64 * angle).sin(),
    };
    scale.sqrt() * radial * around
}

/// Phases of a pupil: coefficients of Noll's polynomials on its disc, in radians of root mean square.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Aberration {
    /// Index after Noll, and coefficient.
    pub coefficients: Vec<(usize, f64)>,
}

impl Aberration {
    /// Defocus alone, polynomial 4.
    pub fn defocus(radians: f64) -> Self {
        Self { coefficients: vec![(4, radians)] }
    }

    /// # Errors
    /// [`Error::Optics`] for an index that is none and for a coefficient that is not finite.
    pub fn check(&self) -> Result<()> {
        let wrong = self.coefficients.iter().find(|(j, c)| *j == 0 || *j > HIGHEST_ZERNIKE || !c.is_finite());
        wrong.map_or(Ok(()), |(j, coefficient)| {
            Err(Error::Optics {
                what: "Zernike polynomial of the pupil",
                got: format!("index {j} with {coefficient}"),
                expected: format!(
                    "an index of 1 to {HIGHEST_ZERNIKE}, counted as Noll does, and a finite number of radians"
                ),
            })
        })
    }

    /// The phase in radians at a place of the unit disc.
    pub fn phase(&self, row: f64, column: f64) -> f64 {
        self.coefficients.iter().map(|(j, coefficient)| coefficient * zernike(*j, row, column)).sum()
    }

    /// Turns the values of a pupil whose disc has this radius in places and its centre `offset` from the middle.
    pub(crate) fn apply(&self, pupil: &mut Plane, radius: f64, offset: [f64; 2]) {
        if self.coefficients.is_empty() {
            return;
        }
        let (columns, middle) = (pupil.columns(), [pupil.rows() / 2, pupil.columns() / 2]);
        for (place, value) in pupil.values_mut().iter_mut().enumerate() {
            if value.norm_sqr() > 0.0 {
                let row = ((place / columns) as f64 - middle[0] as f64 - offset[0]) / radius;
                let column = ((place % columns) as f64 - middle[1] as f64 - offset[1]) / radius;
                *value *= Complex::cis(self.phase(row, column));
            }
        }
    }
}
