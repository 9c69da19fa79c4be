//! What the numbers of a scene themselves say of their axes, where nothing else does.
//!
//! A reading by default is not taken where the numbers speak against it: maps would be wrong, and nobody would know.

use cupel_data::{AxisKind, Cube};
use faer::{Mat, Side};

use super::PixelOrder;
use crate::Result;

/// Positions of each axis that are looked at.
const LOOKED_AT: usize = 64;
/// Most components that are taken for materials; fewer on short axes.
const MATERIALS: usize = 8;
/// So much more energy beyond these is no accident. Chosen on scenes of 10 to 120 rows and columns, 10 to 220 bands, 2 to 6 materials in
/// patches of three kinds, 15 to 50 dB: of 200 with their bands last one was refused, of 400 with other axes last 1 in 8 was not.
const MORE_BEYOND: f64 = 1.1;
/// So much smoother is no accident.
const SMOOTHER: f64 = 2.0;

/// Of the axes of a cube, the one that is more likely to be that of the bands than `supposed`; nothing where none is clearly.
///
/// Spectra are mixtures of a few materials, so that beyond a few components a scene has little but noise along its bands, and more along rows and
/// columns.
pub(super) fn likelier_bands(cube: &Cube<f32>, supposed: usize) -> Result<Option<usize>> {
    let shape = cube.shape();
    let chosen: Vec<Vec<usize>> = shape.iter().map(|&len| evenly(len)).collect();
    let value = |index: [usize; 3]| {
        let v = f64::from(cube.values()[(index[0] * shape[1] + index[1]) * shape[2] + index[2]]);
        if v.is_finite() { v } else { 0.0 }
    };
    let shortest = chosen.iter().map(Vec::len).min().unwrap_or(0);
    let kept = (shortest / 4).clamp(2, MATERIALS);
    // Energy beyond so many components along an axis, as if it were noise on all of its positions.
    let beyond = |axis: usize| -> Option<f64> {
        let [a, b] = [(axis + 1) % 3, (axis + 2) % 3];
        let n = chosen[axis].len();
        let mut gram = Mat::<f64>::zeros(n, n);
        let mut line = vec![0.0; n];
        for &i in &chosen[a] {
            for &j in &chosen[b] {
                for (place, &k) in line.iter_mut().zip(&chosen[axis]) {
                    let mut index = [0; 3];
                    (index[axis], index[a], index[b]) = (k, i, j);
                    *place = value(index);
                }
                for (p, x) in line.iter().enumerate() {
                    line.iter().enumerate().for_each(|(q, y)| gram[(p, q)] += x * y);
                }
            }
        }
        let mut energies = gram.self_adjoint_eigenvalues(Side::Lower).ok().filter(|_| n > kept)?;
        energies.sort_by(|x, y| y.total_cmp(x));
        Some(energies[kept..].iter().sum::<f64>().max(0.0) * n as f64 / (n - kept) as f64)
    };
    let Some(own) = beyond(supposed) else { return Ok(None) };
    let others = (0..3).filter(|&axis| axis != supposed).filter_map(|axis| Some((axis, beyond(axis)?)));
    let best = others.min_by(|x, y| x.1.total_cmp(&y.1));
    Ok(best.filter(|&(_, energy)| own > MORE_BEYOND * energy).map(|(axis, _)| axis))
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
