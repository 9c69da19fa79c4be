//! How much of the spectrum a pattern sees, and how much of it twice.

use std::f64::consts::PI;

use crate::{Aperture, aperture::split};

/// Share of a disc that an equal one covers whose centre lies `distance` away: `(2/pi)(acos u - u sqrt(1 - u^2))`, `u = d / (2 r)`.
pub fn disc_overlap(distance: f64, radius: f64) -> f64 {
    let u = distance / (2.0 * radius);
    if u < 1.0 { 2.0 / PI * (u.acos() - u * (1.0 - u * u).sqrt()) } else { 0.0 }
}

/// Overlap of each aperture with the one that overlaps it most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Overlap {
    /// Of the aperture that has least.
    pub min: f64,
    /// Mean over apertures.
    pub mean: f64,
}

/// Overlap of the discs of a pattern with their nearest neighbours; a repeated centre is no neighbour, a lone disc has none.
///
/// Of a `real` object the opposite of every centre is seen with it.
pub fn overlap(centres: &[[f64; 2]], radius: f64, real: bool) -> Overlap {
    let distance = |a: [f64; 2], b: [f64; 2]| (a[0] - b[0]).hypot(a[1] - b[1]);
    let nearest = |centre: &[f64; 2]| {
        let others = centres.iter().flat_map(|other| {
            let opposite = real.then_some([-other[0], -other[1]]);
            std::iter::once(*other).chain(opposite)
        });
        let own = [-centre[0], -centre[1]];
        let others = others.filter(|other| other != centre && !(real && *other == own));
        others.map(|other| distance(*centre, other)).fold(f64::INFINITY, f64::min)
    };
    let overlaps: Vec<f64> = centres.iter().map(|centre| disc_overlap(nearest(centre), radius)).collect();
    let min = overlaps.iter().copied().fold(1.0, f64::min);
    match overlaps.is_empty() {
        true => Overlap { min: 0.0, mean: 0.0 },
        false => Overlap { min, mean: overlaps.iter().sum::<f64>() / overlaps.len() as f64 },
    }
}

/// Which places of the spectrum of `n x n` any aperture sees, frequency nought at place `n / 2`; with `real` the opposite ones too.
pub fn union(centres: &[[f64; 2]], aperture: &Aperture, n: usize, real: bool) -> Vec<bool> {
    let mut seen = vec![false; n * n];
    mark(&mut seen, centres, aperture, n, real);
    seen
}

/// Marks in a mask of `n x n` the places that apertures see.
pub(crate) fn mark(seen: &mut [bool], centres: &[[f64; 2]], aperture: &Aperture, n: usize, real: bool) {
    for centre in centres {
        each_place(*centre, aperture, n, |place| seen[place] = true);
        if real {
            each_place([-centre[0], -centre[1]], aperture, n, |place| seen[place] = true);
        }
    }
}

/// Calls `f` with every place of a spectrum of `n x n` that an aperture sees; beyond an edge those at the opposite one.
pub(crate) fn each_place(centre: [f64; 2], aperture: &Aperture, n: usize, mut f: impl FnMut(usize)) {
    let (place, offset) = split(centre);
    let mask = aperture.mask(offset);
    let (side, middle) = (n as isize, (mask.rows() / 2) as isize);
    for (at, value) in mask.values().iter().enumerate() {
        if value.re > 0.0 {
            let row = side / 2 + place[0] + (at / mask.columns()) as isize - middle;
            let column = side / 2 + place[1] + (at % mask.columns()) as isize - middle;
            f((row.rem_euclid(side) * side + column.rem_euclid(side)) as usize);
        }
    }
}

/// Share of the disc of radius `n / 2` that any aperture sees; with `real` also by its opposite.
pub fn coverage(centres: &[[f64; 2]], aperture: &Aperture, n: usize, real: bool) -> f64 {
    let seen = union(centres, aperture, n, real);
    let half = (n / 2) as f64;
    let within = |place: usize| ((place / n) as f64 - half).hypot((place % n) as f64 - half) <= n as f64 / 2.0;
    let disc = (0..n * n).filter(|place| within(*place));
    let (covered, all) =
        disc.fold((0_usize, 0_usize), |(covered, all), place| (covered + usize::from(seen[place]), all + 1));
    covered as f64 / all.max(1) as f64
}
