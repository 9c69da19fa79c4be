//! [`Grid`]: the plane of a sky with as few pixels as a network needs.
//!
//! Behind the beam of a dish a sky has no structure that is finer than the beam, however fine its pixels are, and a network on fewer pixels sees
//! further and costs less. A plane whose ends meet keeps its lower Fourier modes on the way down, and gets zeros for the others on the way up:
//! nothing is folded into what is kept, and what went down and up is the plane without its higher modes, to rounding.

use std::f64::consts::TAU;

use cupel_settings::Problem;
use rayon::prelude::*;

use crate::Result;

/// Fine pixels, and those of the network.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Grid {
    fine: [usize; 2],
    coarse: [usize; 2],
    /// Of each axis the matrix on the way down, [coarse, fine]; empty where all pixels are kept.
    down: [Vec<f64>; 2],
}

impl Grid {
    /// So many pixels of a plane of `fine` [rows, columns] on a side make one.
    ///
    /// # Errors
    /// [`crate::Error::Settings`] for a number that does not divide them.
    pub(super) fn new(fine: [usize; 2], coarsening: usize) -> Result<Self> {
        if fine.iter().any(|side| !side.is_multiple_of(coarsening)) {
            let expected = format!("a number that divides the {} and {} pixels of the sky", fine[0], fine[1]);
            return Err(Problem::value("coarsening", coarsening, expected).into());
        }
        let coarse = fine.map(|side| side / coarsening);
        let down = [0, 1].map(|axis| match coarsening {
            1 => Vec::new(),
            _ => lower_modes(coarse[axis], fine[axis]),
        });
        Ok(Self { fine, coarse, down })
    }

    /// Rows and columns of the sky.
    pub(super) fn fine(&self) -> [usize; 2] {
        self.fine
    }

    /// Rows and columns that the network sees.
    pub(super) fn coarse(&self) -> [usize; 2] {
        self.coarse
    }

    /// Planes of the network from planes of the sky.
    pub(super) fn down(&self, planes: &[f64]) -> Vec<f64> {
        self.resampled(planes, self.fine, self.coarse, |axis, to, from| self.down[axis][to * self.fine[axis] + from])
    }

    /// Planes of the sky from planes of the network.
    pub(super) fn up(&self, planes: &[f64]) -> Vec<f64> {
        let factor = |axis: usize| self.fine[axis] as f64 / self.coarse[axis] as f64;
        self.resampled(planes, self.coarse, self.fine, |axis, to, from| {
            factor(axis) * self.down[axis][from * self.fine[axis] + to]
        })
    }

    /// Positive numbers of the network at each pixel of the sky, linear between them: modes could make them negative.
    pub(super) fn between(&self, planes: &[f64]) -> Vec<f64> {
        let [factor, _] = [0, 1].map(|axis| self.fine[axis] / self.coarse[axis]);
        self.resampled(planes, self.coarse, self.fine, |axis, to, from| {
            let (before, share) = (to / factor, (to % factor) as f64 / factor as f64);
            let after = (before + 1) % self.coarse[axis];
            f64::from(u8::from(from == before)) * (1.0 - share) + f64::from(u8::from(from == after)) * share
        })
    }

    /// Each plane times a matrix from either side.
    fn resampled(
        &self,
        planes: &[f64],
        from: [usize; 2],
        to: [usize; 2],
        weight: impl Fn(usize, usize, usize) -> f64,
    ) -> Vec<f64> {
        if self.fine == self.coarse {
            return planes.to_vec();
        }
        let matrix = |axis: usize| -> Vec<f64> {
            (0..to[axis] * from[axis]).map(|at| weight(axis, at / from[axis], at % from[axis])).collect()
        };
        let [rows, columns] = [matrix(0), matrix(1)];
        let mut result = vec![0.0; planes.len() / (from[0] * from[1]) * to[0] * to[1]];
        let pairs = result.par_chunks_exact_mut(to[0] * to[1]).zip(planes.par_chunks_exact(from[0] * from[1]));
        pairs.for_each(|(result, plane)| {
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            // [from row, to column]
            let narrow: Vec<f64> = plane
                .chunks_exact(from[1])
                .flat_map(|line| columns.chunks_exact(from[1]).map(move |weights| dot(line, weights)))
                .collect();
            for (line, weights) in result.chunks_exact_mut(to[1]).zip(rows.chunks_exact(from[0])) {
                for (narrow, weight) in narrow.chunks_exact(to[1]).zip(weights) {
                    line.iter_mut().zip(narrow).for_each(|(sum, value)| *sum += weight * value);
                }
            }
        });
        result
    }
}

/// The values at `coarse` of `fine` places of a line with the modes that both have; the highest mode of an even number of places, which has no
/// phase, is left out.
fn lower_modes(coarse: usize, fine: usize) -> Vec<f64> {
    let modes = (coarse - 1) / 2;
    let weight = |at: usize| {
        let apart = (at / fine * (fine / coarse)) as f64 - (at % fine) as f64;
        let waves = (1..=modes).map(|mode| (TAU * mode as f64 * apart / fine as f64).cos()).sum::<f64>();
        (1.0 + 2.0 * waves) / fine as f64
    };
    (0..coarse * fine).map(weight).collect()
}

/// `[frequency, pixel]` as `[pixel, frequency]`, which is how networks take it.
pub(super) fn frequency_last(planes: &[f64], pixels: usize, factor: impl Fn(usize) -> f64) -> Vec<f32> {
    let channels = planes.len() / pixels;
    let value = |at: usize| (planes[at % channels * pixels + at / channels] * factor(at % channels)) as f32;
    (0..planes.len()).map(value).collect()
}

/// The way back.
pub(super) fn frequency_first(values: &[f32], pixels: usize, factor: f64) -> Vec<f64> {
    let channels = values.len() / pixels;
    (0..values.len()).map(|at| f64::from(values[at % pixels * channels + at / pixels]) * factor).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waves(side: [usize; 2], modes: [f64; 2]) -> Vec<f64> {
        let at = |place: usize, axis: usize| {
            let index = if axis == 0 { place / side[1] } else { place % side[1] };
            TAU * modes[axis] * index as f64 / side[axis] as f64
        };
        (0..side[0] * side[1]).map(|place| (at(place, 0) + at(place, 1) + 0.4).cos()).collect()
    }

    #[test]
    fn lower_modes_survive_and_higher_ones_vanish() {
        let grid = Grid::new([24, 16], 4).unwrap();
        assert_eq!(grid.coarse(), [6, 4]);
        for (modes, kept) in [([2.0, 1.0], true), ([-1.0, 0.0], true), ([3.0, 0.0], false), ([0.0, 7.0], false)] {
            let (fine, coarse) = (waves([24, 16], modes), grid.down(&waves([24, 16], modes)));
            let expected = if kept { waves([6, 4], modes) } else { vec![0.0; 24] };
            let off = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(off(&coarse, &expected) < 1e-12, "{modes:?}");
            let back = if kept { fine } else { vec![0.0; 384] };
            assert!(off(&grid.up(&coarse), &back) < 1e-12, "{modes:?}");
        }
        assert!(grid.between(&[2.0; 24]).iter().all(|value| (value - 2.0).abs() < 1e-12));
        let whole = Grid::new([24, 16], 1).unwrap();
        assert_eq!(whole.up(&whole.down(&[3.0; 384])), [3.0; 384]);
        assert!(Grid::new([24, 16], 3).unwrap_err().to_string().contains("divides the 24 and 16 pixels"));
    }

    #[test]
    fn frequencies_go_to_the_end_and_back() {
        let planes = [1.0, 2.0, 3.0, 10.0, 20.0, 30.0];
        let values = frequency_last(&planes, 3, |channel| if channel == 0 { 1.0 } else { 0.1 });
        assert_eq!(values, [1.0, 1.0, 2.0, 2.0, 3.0, 3.0]);
        assert_eq!(frequency_first(&values, 3, 2.0), [2.0, 4.0, 6.0, 2.0, 4.0, 6.0]);
    }
}
