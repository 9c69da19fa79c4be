//! [`PlaneModes`]: the Fourier modes of a sky in the plane of the sky, each with its channels side by side.

use std::{f64::consts::TAU, sync::Arc};

use cupel_data::Cube;
use num_complex::Complex;
use rayon::prelude::*;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use rustfft::{Fft, FftPlanner};

use crate::{Result, Sky};

const ZERO: Complex<f64> = Complex { re: 0.0, im: 0.0 };

/// A grid of pixels, the multipoles of its modes, and the transforms there and back.
///
/// Of a real plane the modes of half of the columns say all; they lie as [column, row].
#[derive(Clone)]
pub(super) struct Plane {
    rows: usize,
    columns: usize,
    area_sr: f64,
    sides_rad: [f64; 2],
    across: Arc<dyn RealToComplex<f64>>,
    across_back: Arc<dyn ComplexToReal<f64>>,
    down: Arc<dyn Fft<f64>>,
    down_back: Arc<dyn Fft<f64>>,
}

impl Plane {
    /// The plane of a sky.
    ///
    /// # Errors
    /// Where nothing says how large the patch is.
    pub(super) fn of(sky: &Sky) -> Result<Self> {
        let shape = sky.cube().shape();
        Ok(Self::new([shape[1], shape[2]], sky.geometry()?.side_deg))
    }

    /// A plane of [rows, columns] pixels and these sides in degrees.
    pub(super) fn new([rows, columns]: [usize; 2], side_deg: [f64; 2]) -> Self {
        let sides_rad = side_deg.map(f64::to_radians);
        let (mut real, mut complex) = (RealFftPlanner::new(), FftPlanner::new());
        Self {
            rows,
            columns,
            area_sr: sides_rad[0] * sides_rad[1],
            sides_rad,
            across: real.plan_fft_forward(columns),
            across_back: real.plan_fft_inverse(columns),
            down: complex.plan_fft_forward(rows),
            down_back: complex.plan_fft_inverse(rows),
        }
    }

    pub(super) fn pixels(&self) -> usize {
        self.rows * self.columns
    }

    /// The number of modes that are kept.
    pub(super) fn modes(&self) -> usize {
        self.half() * self.rows
    }

    /// Solid angle in sr.
    pub(super) fn area_sr(&self) -> f64 {
        self.area_sr
    }

    fn half(&self) -> usize {
        self.columns / 2 + 1
    }

    /// The multipole of a mode.
    pub(super) fn multipole(&self, mode: usize) -> f64 {
        let (column, row) = (mode / self.rows, mode % self.rows);
        let down = row.min(self.rows - row) as f64 / self.sides_rad[0];
        (column as f64 / self.sides_rad[1]).hypot(down) * TAU
    }

    /// How often a mode stands in the whole transform, as itself or as its complex conjugate.
    pub(super) fn multiplicity(&self, mode: usize) -> f64 {
        let column = mode / self.rows;
        if column == 0 || 2 * column == self.columns { 1.0 } else { 2.0 }
    }

    /// Modes by their multipole, the mean left out: each multipole with its modes, in ascending order.
    pub(super) fn shells(&self) -> Vec<Shell> {
        let mut modes: Vec<(f64, usize)> = (1..self.modes()).map(|mode| (self.multipole(mode), mode)).collect();
        modes.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let mut shells: Vec<Shell> = Vec::new();
        for (multipole, mode) in modes {
            // rounding tells 3^2 + 4^2 from 5^2
            match shells.last_mut().filter(|shell| multipole <= shell.multipole * (1.0 + 1e-9)) {
                Some(shell) => shell.modes.push(mode),
                None => shells.push(Shell { multipole, modes: vec![mode] }),
            }
        }
        shells
    }

    /// The modes of values [channel, row, column]; the scale is that of `C_l`: `|F|^2` is an angular power in the unit of the values squared times sr.
    pub(super) fn forward(&self, values: &[f64]) -> PlaneModes {
        let channels = values.len() / self.pixels();
        let scale = self.area_sr.sqrt() / self.pixels() as f64;
        let (across, down) = (&self.across, &self.down);
        let buffers = || {
            let scratch = across.get_scratch_len().max(down.get_inplace_scratch_len());
            (vec![0.0; self.columns], vec![ZERO; self.half()], vec![ZERO; scratch])
        };
        let mut planes = vec![ZERO; channels * self.modes()];
        let pairs = planes.par_chunks_mut(self.modes()).zip(values.par_chunks(self.pixels()));
        pairs.for_each_init(buffers, |(line, spectrum, scratch), (plane, values)| {
            for (row, values) in values.chunks_exact(self.columns).enumerate() {
                line.iter_mut().zip(values).for_each(|(to, from)| *to = from * scale);
                if across.process_with_scratch(line, spectrum, &mut scratch[..across.get_scratch_len()]).is_err() {
                    unreachable!("the buffers have the lengths of the plan");
                }
                plane[row..].iter_mut().step_by(self.rows).zip(&*spectrum).for_each(|(to, from)| *to = *from);
            }
            down.process_with_scratch(plane, &mut scratch[..down.get_inplace_scratch_len()]);
        });
        let mut modes = vec![ZERO; planes.len()];
        modes.par_chunks_mut(channels).enumerate().for_each(|(mode, line)| {
            line.iter_mut().enumerate().for_each(|(channel, to)| *to = planes[channel * self.modes() + mode]);
        });
        PlaneModes { channels, values: modes }
    }

    /// The values of modes.
    pub(super) fn backward(&self, modes: &PlaneModes) -> Vec<f64> {
        let channels = modes.channels;
        let scale = 1.0 / self.area_sr.sqrt();
        let (across, down) = (&self.across_back, &self.down_back);
        let buffers = || {
            let scratch = across.get_scratch_len().max(down.get_inplace_scratch_len());
            (vec![ZERO; self.modes()], vec![ZERO; self.half()], vec![ZERO; scratch])
        };
        let mut values = vec![0.0; channels * self.pixels()];
        values.par_chunks_mut(self.pixels()).enumerate().for_each_init(
            buffers,
            |(plane, spectrum, scratch), (channel, values)| {
                plane
                    .iter_mut()
                    .enumerate()
                    .for_each(|(mode, to)| *to = modes.values[mode * channels + channel] * scale);
                down.process_with_scratch(plane, &mut scratch[..down.get_inplace_scratch_len()]);
                for (row, values) in values.chunks_exact_mut(self.columns).enumerate() {
                    spectrum.iter_mut().zip(plane[row..].iter().step_by(self.rows)).for_each(|(to, from)| *to = *from);
                    // of a real line these two are real, which rounding does not keep
                    spectrum[0].im = 0.0;
                    if self.columns.is_multiple_of(2) {
                        spectrum[self.columns / 2].im = 0.0;
                    }
                    let scratch = &mut scratch[..across.get_scratch_len()];
                    if across.process_with_scratch(spectrum, values, scratch).is_err() {
                        unreachable!("the buffers have the lengths of the plan");
                    }
                }
            },
        );
        values
    }
}

/// The modes of one multipole.
#[derive(Clone, Debug)]
pub(super) struct Shell {
    pub(super) multipole: f64,
    pub(super) modes: Vec<usize>,
}

/// Modes in the plane of the sky, [mode, channel].
#[derive(Clone, Debug)]
pub(super) struct PlaneModes {
    pub(super) channels: usize,
    pub(super) values: Vec<Complex<f64>>,
}

impl PlaneModes {
    /// The channels of a mode.
    pub(super) fn line(&self, mode: usize) -> &[Complex<f64>] {
        &self.values[mode * self.channels..(mode + 1) * self.channels]
    }
}

/// Values in f64, each channel without its mean.
pub(crate) fn centred(cube: &Cube<f32>) -> Vec<f64> {
    let plane = cube.len() / cube.shape()[0];
    let mut values: Vec<f64> = cube.values().par_iter().map(|value| f64::from(*value)).collect();
    values.par_chunks_mut(plane).for_each(|plane| {
        let mean = plane.iter().sum::<f64>() / plane.len() as f64;
        plane.iter_mut().for_each(|value| *value -= mean);
    });
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use cupel_data::Stream;

    #[test]
    fn modes_are_those_of_their_definition_and_come_back() {
        for pixels in [[4, 6], [5, 3], [2, 7]] {
            let plane = Plane::new(pixels, [10.0, 20.0]);
            let mut values = vec![0.0; 2 * plane.pixels()];
            Stream::new(1, "plane").fill_normal_f64(&mut values);
            let modes = plane.forward(&values);
            for mode in 0..plane.modes() {
                let (column, row) = (mode / pixels[0], mode % pixels[0]);
                let mut sum = ZERO;
                for pixel in 0..plane.pixels() {
                    let turns = (row * (pixel / pixels[1])) as f64 / pixels[0] as f64
                        + (column * (pixel % pixels[1])) as f64 / pixels[1] as f64;
                    sum += Complex::from_polar(values[plane.pixels() + pixel], -TAU * turns);
                }
                let expected = sum * plane.area_sr().sqrt() / plane.pixels() as f64;
                assert!((modes.line(mode)[1] - expected).norm() < 1e-13);
            }
            let back = plane.backward(&modes);
            assert!(back.iter().zip(&values).all(|(a, b)| (a - b).abs() < 1e-13));
            // Parseval: the power of all modes over the area is the mean square
            let power: f64 = (0..plane.modes()).map(|m| plane.multiplicity(m) * modes.line(m)[0].norm_sqr()).sum();
            let square = values[..plane.pixels()].iter().map(|v| v * v).sum::<f64>() / plane.pixels() as f64;
            assert!((power / plane.area_sr() / square - 1.0).abs() < 1e-12);
            let shells = plane.shells();
            assert_eq!(shells.iter().map(|shell| shell.modes.len()).sum::<usize>(), plane.modes() - 1);
            assert!(shells.is_sorted_by(|a, b| a.multipole < b.multipole));
        }
    }
}
