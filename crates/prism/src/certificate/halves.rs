//! [`Correlation`]: two reconstructions from every other exposure, compared ring by ring of their spectra.
//!
//! `FRC(q) = sum Re(X conj Y) / sqrt(sum |X|^2 sum |Y|^2)` over frequencies of the same distance from nought (W. O. Saxton, W. Baumeister, J. Microsc.
//! 127, 127 (1982)); where the median of three neighbouring rings falls below 1/7 for good (P. B. Rosenthal, R. Henderson, J. Mol. Biol. 333, 721
//! (2003), doi:10.1016/j.jmb.2003.07.013) the resolution ends. The first crossing would be fragile, as single rings hold few frequencies.

use super::{refit::Refits, windows};
use crate::{Exposures, Geometry, Plane, Result, fourier::Plans};

/// Least correlation of what counts as resolved.
const RESOLVED: f64 = 1.0 / 7.0;
/// Fewer exposures make no two halves that overlap.
const FEWEST: usize = 8;

/// How well two halves agree.
#[derive(Clone, Debug, PartialEq)]
pub struct Correlation {
    /// Correlation of each ring, from the frequency nought on.
    pub rings: Vec<f64>,
    /// The period, in places of the object, of the finest ring that is resolved: two places at best.
    pub resolution_px: f64,
}

impl Correlation {
    /// Of two objects of the same size.
    pub fn of(one: &Plane, other: &Plane) -> Self {
        Self::among(one, other, |_| true)
    }

    /// The same of the frequencies that `known` holds for, by their place where the frequency nought is at `N / 2`.
    pub fn among(one: &Plane, other: &Plane, known: impl Fn(usize) -> bool) -> Self {
        let (rows, columns) = (one.rows(), one.columns());
        let [x, y] = [one, other].map(|plane| {
            let mut values = plane.values().to_vec();
            Plans::new(rows, columns, false).apply(&mut values);
            values
        });
        // rings are of one frequency step of the longer side
        let size = rows.max(columns);
        let mut sums = vec![(0.0, 0.0, 0.0); rows.min(columns) / 2 + 1];
        for (place, (x, y)) in x.iter().zip(&y).enumerate() {
            let (row, column) = ((place / columns + rows / 2) % rows, (place % columns + columns / 2) % columns);
            if !known(row * columns + column) {
                continue;
            }
            let away = |place: usize, side: usize| place.min(side - place) as f64 * size as f64 / side as f64;
            let ring = away(place / columns, rows).hypot(away(place % columns, columns)).round() as usize;
            if let Some((both, of_x, of_y)) = sums.get_mut(ring) {
                *both += (x * y.conj()).re;
                *of_x += x.norm_sqr();
                *of_y += y.norm_sqr();
            }
        }
        let rings: Vec<f64> = sums.iter().map(|(both, x, y)| both / (x * y).sqrt().max(f64::MIN_POSITIVE)).collect();
        let median = |ring: usize| {
            let mut three = [rings[ring.saturating_sub(1)], rings[ring], rings[(ring + 1).min(rings.len() - 1)]];
            three.sort_by(f64::total_cmp);
            three[1]
        };
        let last = (1..rings.len()).rev().find(|ring| median(*ring) >= RESOLVED);
        let resolution_px = last.map_or(f64::INFINITY, |ring| size as f64 / ring as f64);
        Self { rings, resolution_px }
    }
}

/// Two fits to every other exposure, in the order of their distance from the middle so that both halves reach as far.
pub(super) fn correlation(exposures: &Exposures, refits: &Refits<'_>) -> Result<Option<Correlation>> {
    let count = exposures.centres.len();
    if count < FEWEST {
        return Ok(None);
    }
    let mut order: Vec<usize> = (0..count).collect();
    let away = |index: &usize| exposures.centres[*index].iter().map(|c| c * c).sum::<f64>();
    order.sort_by(|a, b| away(a).total_cmp(&away(b)));
    let (mut halves, mut seen) = (Vec::new(), Vec::new());
    for first in 0..2 {
        let mut which: Vec<usize> = order.iter().skip(first).step_by(2).copied().collect();
        which.sort_unstable();
        let of_half =
            Exposures { centres: which.iter().map(|index| exposures.centres[*index]).collect(), ..exposures.clone() };
        seen.push(windows(&of_half).0);
        halves.push(refits.anew(exposures, &which)?);
    }
    // what neither half was shown tells of the prior, not of the exposures
    let known =
        |place: usize| exposures.optics.geometry == Geometry::Object || seen.iter().all(|seen| seen[place] > 0.0);
    Ok(Some(Correlation::among(&halves[0], &halves[1], known)))
}

#[cfg(test)]
mod tests {
    use num_complex::Complex;

    use super::*;

    #[test]
    fn equal_planes_agree_everywhere_and_low_pass_noise_up_to_its_edge() {
        let plane = |seed: usize| {
            Plane::from_fn(32, 32, |r, c| Complex::new((((r * 31 + c * 17 + seed) * 7919) % 101) as f64, 0.0))
        };
        let same = Correlation::of(&plane(0), &plane(0));
        assert!(same.rings.iter().all(|ring| (ring - 1.0).abs() < 1e-12));
        assert_eq!(same.resolution_px, 2.0);
    }
}
