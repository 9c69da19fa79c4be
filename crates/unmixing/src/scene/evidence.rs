//! What the numbers of a scene themselves say of their axes, where nothing else does.
//!
//! A reading by default is not taken where the numbers speak against it: maps would be wrong, and nobody would know.

use cupel_data::{AxisKind, Cube};
use faer::{Mat, Side};

use super::PixelOrder;
use crate::Result;

/// Positions of each axis that are looked at.
const LOOKED_AT: usize = 64;
/// Most components that are taken for materials; fewer on short axes, but not so few that three materials are more.
const MATERIALS: usize = 8;
const FEWEST: usize = 3;
/// So much more energy beyond these is no accident; less does where there are more components above the noise, too.
///
/// Chosen on families of smooth spectra in patches and in single pixels, 12 to 60 rows and columns, 20 to 120 bands, 2 to 6 materials, 20 to 50 dB,
/// half of them with light, materials that vary or noise that differs between bands, and on parts of published scenes.
const MORE_BEYOND: f64 = 1.1;
/// Components are above the noise where they are above so many times the edge of its eigenvalues (Marchenko & Pastur 1967).
const ABOVE_NOISE: f64 = 1.5;
/// The median of squares of normal numbers of variance one, and the sum of squares of the weights of a third difference.
const MEDIAN_SQUARE: f64 = 0.4549;
const THIRD_DIFFERENCE: f64 = 20.0;
/// So much smoother is no accident.
const SMOOTHER: f64 = 2.0;

/// Of the axes of a cube, the one that is more likely to be that of the bands than `supposed`; nothing where none is clearly.
///
/// Spectra are mixtures of a few materials, so that beyond a few components a scene has little but noise along its bands, and more along rows and
/// columns.
pub(super) fn likelier_bands(cube: &Cube<f32>, supposed: usize) -> Result<Option<usize>> {
    let part = Part::of(cube);
    let shortest = part.shape.into_iter().min().unwrap_or(0);
    let kept = (shortest / 4).clamp(FEWEST, MATERIALS);
    let noise = part.noise();
    let Some(own) = part.along(supposed, kept, noise) else { return Ok(None) };
    let others =
        (0..3).filter(|&axis| axis != supposed).filter_map(|axis| Some((axis, part.along(axis, kept, noise)?)));
    let best = others.min_by(|x, y| x.1.beyond.total_cmp(&y.1.beyond));
    let is_likelier = |other: Components| {
        own.beyond > MORE_BEYOND * other.beyond || (own.beyond > other.beyond && own.above_noise > other.above_noise)
    };
    Ok(best.filter(|&(_, other)| is_likelier(other)).map(|(axis, _)| axis))
}

/// Positions of a cube, evenly, along each axis.
struct Part {
    shape: [usize; 3],
    values: Vec<f64>,
}

/// What there is along an axis.
#[derive(Clone, Copy)]
struct Components {
    /// Energy beyond so many components, as if it were noise on all positions.
    beyond: f64,
    /// Components that are more than noise.
    above_noise: usize,
}

impl Part {
    fn of(cube: &Cube<f32>) -> Self {
        let shape = cube.shape();
        let chosen: Vec<Vec<usize>> = shape.iter().map(|&len| evenly(len)).collect();
        let value = |i: usize, j: usize, k: usize| {
            let v = f64::from(cube.values()[(i * shape[1] + j) * shape[2] + k]);
            if v.is_finite() { v } else { 0.0 }
        };
        let mut values = Vec::new();
        for &i in &chosen[0] {
            for &j in &chosen[1] {
                values.extend(chosen[2].iter().map(|&k| value(i, j, k)));
            }
        }
        Self { shape: [chosen[0].len(), chosen[1].len(), chosen[2].len()], values }
    }

    /// All lines along an axis, one after the other.
    fn lines(&self, axis: usize) -> impl Iterator<Item = Vec<f64>> + '_ {
        let step: usize = self.shape[axis + 1..].iter().product();
        let len = self.shape[axis];
        let starts = (0..self.values.len()).filter(move |place| (place / step).is_multiple_of(len));
        starts.map(move |start| (0..len).map(|i| self.values[start + i * step]).collect())
    }

    /// Variance of the noise: what third differences leave, along the axis where it is least.
    fn noise(&self) -> f64 {
        let along = |axis: usize| {
            let third = |w: &[f64]| (w[3] - 3.0 * w[2] + 3.0 * w[1] - w[0]).powi(2);
            let mut squares: Vec<f64> =
                self.lines(axis).flat_map(|line| line.windows(4).map(third).collect::<Vec<_>>()).collect();
            let middle = squares.len() / 2;
            (!squares.is_empty()).then(|| *squares.select_nth_unstable_by(middle, f64::total_cmp).1)
        };
        let least = (0..3).filter_map(along).fold(f64::INFINITY, f64::min);
        least / (MEDIAN_SQUARE * THIRD_DIFFERENCE)
    }

    fn along(&self, axis: usize, kept: usize, noise: f64) -> Option<Components> {
        let n = self.shape[axis];
        let mut gram = Mat::<f64>::zeros(n, n);
        for line in self.lines(axis) {
            for (p, x) in line.iter().enumerate() {
                line.iter().enumerate().for_each(|(q, y)| gram[(p, q)] += x * y);
            }
        }
        let mut energies = gram.self_adjoint_eigenvalues(Side::Lower).ok().filter(|_| n > kept)?;
        energies.sort_by(|x, y| y.total_cmp(x));
        let across = self.values.len() as f64 / n as f64;
        let edge = ABOVE_NOISE * noise * ((n as f64).sqrt() + across.sqrt()).powi(2);
        Some(Components {
            beyond: energies[kept..].iter().sum::<f64>().max(0.0) * n as f64 / (n - kept) as f64,
            above_noise: energies.iter().filter(|&&energy| energy > edge).count(),
        })
    }
}

/// Whether an image whose pixels were dealt in one order is clearly smoother when they are dealt in the other. `cube` has the axes row,
/// column and wavelength.
pub(super) fn smoother_in_other_order(cube: &Cube<f32>, order: PixelOrder) -> Result<bool> {
    let (rows, columns) = (cube.axis(AxisKind::Row)?.len(), cube.axis(AxisKind::Column)?.len());
    let bands = cube.axis(AxisKind::Wavelength)?.len();
    if rows < 4 || columns < 4 {
        return Ok(false);
    }
    let chosen = evenly(bands);
    let value = |pixel: usize, band: usize| f64::from(cube.values()[pixel * bands + band]);
    // Where in the cube the pixel is that the other reading has at a place.
    let other = |row: usize, column: usize| match order {
        PixelOrder::Row => column * rows + row,
        PixelOrder::Column => {
            let place = row * columns + column;
            place % rows * columns + place / rows
        }
    };
    let own = |row: usize, column: usize| row * columns + column;
    let roughness = |at: &dyn Fn(usize, usize) -> usize| -> f64 {
        let mut sum = 0.0;
        for row in 0..rows - 1 {
            for column in 0..columns - 1 {
                let here = at(row, column);
                for there in [at(row + 1, column), at(row, column + 1)] {
                    for &band in &chosen {
                        let difference = value(here, band) - value(there, band);
                        sum += if difference.is_finite() { difference.powi(2) } else { 0.0 };
                    }
                }
            }
        }
        sum
    };
    Ok(roughness(&own) > SMOOTHER * roughness(&other))
}

/// So many positions of an axis, evenly.
fn evenly(len: usize) -> Vec<usize> {
    let count = len.min(LOOKED_AT);
    (0..count).map(|i| i * len / count.max(1)).collect()
}
