//! What an interferometer measures of a sky that drifts through its primary beam.
//!
//! `V(b, nu, t) = sum_pixels T(l, m) A(theta, nu) exp(-2 pi i nu (b_x (l - l_t) + b_y m) / c) dOmega`,
//! `theta^2 = (l - l_t)^2 + m^2` (Thompson, Moran & Swenson, "Interferometry and synthesis in radio astronomy", 3rd
//! edition (2017), equation 3.7, on a flat sky). Columns of the map are l, rows are m; at time t the beam has moved by
//! `l_t`, one map in all times, and what leaves at one end comes in at the other. For each row that is a correlation
//! along l, done with transforms as long as there are times: exact, not interpolated.
//!
//! In K a visibility is divided by the solid angle of the beam, `sum A dOmega`; in Jy it is multiplied by
//! `2 k nu^2 / c^2`.

use std::{f64::consts::TAU, sync::Arc};

use cupel_data::Stream;
use num_complex::Complex;
use rayon::prelude::*;
use rustfft::{Fft, FftPlanner};

use super::{beam::Beam, config::VisibilityUnit, planes::Planes};
use crate::jansky_per_steradian_kelvin;

/// Speed of light in m MHz.
const SPEED_OF_LIGHT_M_MHZ: f64 = 299.792_458;

/// The shortest `count` different baselines of dishes on a square grid, as vectors to the east, to the north and up in
/// m; of b and -b one.
pub fn grid_baselines_m(count: usize, spacing_m: f64) -> Vec<[f64; 3]> {
    let reach = 2 + (2.0 * count as f64).sqrt().ceil() as i64;
    let mut steps: Vec<(i64, i64)> = (0..=reach)
        .flat_map(|east| (-reach..=reach).map(move |north| (east, north)))
        .filter(|(east, north)| *east > 0 || *north > 0)
        .collect();
    steps.sort_by_key(|(east, north)| (east * east + north * north, -east, *north));
    steps.truncate(count);
    steps.into_iter().map(|(east, north)| [east as f64 * spacing_m, north as f64 * spacing_m, 0.0]).collect()
}

/// An interferometer over a map.
pub(crate) struct Interferometer<'a> {
    planes: &'a Planes,
    beam: Beam,
    unit: VisibilityUnit,
    baselines_m: &'a [[f64; 3]],
    times: usize,
    rows: Arc<dyn Fft<f64>>,
    inverse: Arc<dyn Fft<f64>>,
}

impl<'a> Interferometer<'a> {
    /// `times` is a multiple of the size of the planes.
    pub(crate) fn new(
        planes: &'a Planes,
        beam: Beam,
        unit: VisibilityUnit,
        baselines_m: &'a [[f64; 3]],
        times: usize,
    ) -> Self {
        let mut planner = FftPlanner::new();
        let (rows, inverse) = (planner.plan_fft_forward(planes.size()), planner.plan_fft_inverse(times));
        Self { planes, beam, unit, baselines_m, times, rows, inverse }
    }

    /// Visibilities on [baseline, channel, time] of each of the skies in K on [channel, row, column].
    pub(crate) fn observe<const N: usize>(
        &self,
        frequencies_mhz: &[f64],
        skies_k: [&[f64]; N],
    ) -> [Vec<Complex<f32>>; N] {
        let pixels = self.planes.pixels();
        let channels: Vec<[Vec<Complex<f32>>; N]> = frequencies_mhz
            .par_iter()
            .enumerate()
            .map(|(channel, frequency)| {
                self.channel(*frequency, skies_k.map(|sky| &sky[channel * pixels..(channel + 1) * pixels]))
            })
            .collect();
        let stride = frequencies_mhz.len() * self.times;
        std::array::from_fn(|sky| {
            let mut all = vec![Complex::new(0.0, 0.0); self.baselines_m.len() * stride];
            all.par_chunks_mut(stride).enumerate().for_each(|(baseline, out)| {
                for (out, channel) in out.chunks_exact_mut(self.times).zip(&channels) {
                    out.copy_from_slice(&channel[sky][baseline * self.times..(baseline + 1) * self.times]);
                }
            });
            all
        })
    }

    /// [sky][baseline, time] of one channel.
    fn channel<const N: usize>(&self, frequency_mhz: f64, skies_k: [&[f64]; N]) -> [Vec<Complex<f32>>; N] {
        let (size, times) = (self.planes.size(), self.times);
        let transforms: [Vec<Complex<f64>>; N] = skies_k.map(|sky| {
            let mut transform: Vec<Complex<f64>> = sky.iter().map(|v| Complex::new(*v, 0.0)).collect();
            self.rows.process(&mut transform);
            transform
        });
        let across = self.offsets_rad();
        let beam: Vec<f64> = (0..size)
            .flat_map(|row| {
                let m = self.planes.offset_rad(row);
                across.iter().map(move |l| self.beam.response(l.hypot(m), frequency_mhz))
            })
            .collect();
        let normalisation = self.unit_of(frequency_mhz, &beam) / times as f64;
        let mut scratch = vec![Complex::new(0.0, 0.0); self.inverse.get_inplace_scratch_len()];
        let mut kernel = vec![Complex::new(0.0, 0.0); times];
        let mut measured = [(); N].map(|()| vec![Complex::new(0.0, 0.0); self.baselines_m.len() * times]);
        for (index, [east_m, north_m, _]) in self.baselines_m.iter().enumerate() {
            let phase = |baseline_m: f64, angle: f64| {
                Complex::cis(-TAU * frequency_mhz * baseline_m * angle / SPEED_OF_LIGHT_M_MHZ)
            };
            let fringes: Vec<Complex<f64>> = across.iter().map(|l| phase(*east_m, *l)).collect();
            for (row, beam) in beam.chunks_exact(times).enumerate() {
                let turn = phase(*north_m, self.planes.offset_rad(row)) * normalisation;
                kernel.iter_mut().zip(beam.iter().zip(&fringes)).for_each(|(k, (a, f))| *k = f * turn * *a);
                self.inverse.process_with_scratch(&mut kernel, &mut scratch);
                for (transform, out) in transforms.iter().zip(&mut measured) {
                    let (row, out) =
                        (&transform[row * size..(row + 1) * size], &mut out[index * times..(index + 1) * times]);
                    // pixels are `times / size` steps of time apart: their transform repeats itself
                    for (out, kernel) in out.chunks_exact_mut(size).zip(kernel.chunks_exact(size)) {
                        out.iter_mut().zip(kernel.iter().zip(row)).for_each(|(sum, (k, v))| *sum += k * v);
                    }
                }
            }
        }
        measured.map(|mut all| {
            self.inverse.process_with_scratch(&mut all, &mut scratch);
            all.into_iter().map(|v| Complex::new(v.re as f32, v.im as f32)).collect()
        })
    }

    /// Offset along l of the first column's middle, j steps of time before the beam is on it; from the left end of the map
    /// to just before the right one, in whole halves of a step, so that rounding moves nothing from one end to the other.
    fn offsets_rad(&self) -> Vec<f64> {
        let (side, turn) = (self.planes.side_rad(), 2 * self.times);
        let first = self.times / self.planes.size();
        (0..self.times).map(|j| ((first + 2 * j) % turn) as f64 / turn as f64 * side - side / 2.0).collect()
    }

    /// What a sum of K over pixels is multiplied with.
    fn unit_of(&self, frequency_mhz: f64, beam: &[f64]) -> f64 {
        let pixel_sr = self.planes.pixel_rad().powi(2);
        match self.unit {
            VisibilityUnit::Kelvin => {
                let sum: f64 = beam.iter().step_by(self.times / self.planes.size()).sum();
                1.0 / sum
            }
            VisibilityUnit::Jansky => pixel_sr * jansky_per_steradian_kelvin(frequency_mhz),
        }
    }

    /// What 1 K over the whole beam is in the unit.
    pub(crate) fn unit_of_kelvin(&self, frequency_mhz: f64) -> f64 {
        match self.unit {
            VisibilityUnit::Kelvin => 1.0,
            VisibilityUnit::Jansky => {
                let size = self.planes.size();
                let offset = |i: usize| self.planes.offset_rad(i);
                let sum: f64 = (0..size * size)
                    .map(|place| self.beam.response(offset(place / size).hypot(offset(place % size)), frequency_mhz))
                    .sum();
                sum * self.planes.pixel_rad().powi(2) * jansky_per_steradian_kelvin(frequency_mhz)
            }
        }
    }
}

/// Adds complex white noise of rms `sigma`, half of its power in each part.
pub(crate) fn add_noise(values: &mut [Complex<f32>], sigma: f64, stream: Stream) {
    if sigma > 0.0 {
        let mut noise = vec![0.0_f64; 2 * values.len()];
        stream.fill_normal_f64(&mut noise);
        let part = sigma * std::f64::consts::FRAC_1_SQRT_2;
        values.par_iter_mut().zip(noise.par_chunks(2)).for_each(|(value, noise)| {
            value.re = (f64::from(value.re) + part * noise[0]) as f32;
            value.im = (f64::from(value.im) + part * noise[1]) as f32;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::BeamShape;

    const SIZE: usize = 8;
    const TIMES: usize = 32;

    fn planes() -> Planes {
        Planes::new(SIZE, 16.0_f64.to_radians())
    }

    const GAUSSIAN: Beam =
        Beam { shape: BeamShape::Gaussian, dish_m: 6.0, ripple: 0.0, period_mhz: 20.0, phase_rad: 0.0 };
    const COSINE: Beam = Beam { shape: BeamShape::Cosine, ripple: 0.01, ..GAUSSIAN };

    /// The formula as it stands above, pixel by pixel.
    fn direct(
        planes: &Planes,
        beam: Beam,
        sky: &[f64],
        baseline_m: [f64; 3],
        frequency_mhz: f64,
        time: usize,
    ) -> Complex<f64> {
        let side = planes.side_rad();
        let mut sum = Complex::new(0.0, 0.0);
        for (place, value) in sky.iter().enumerate() {
            // in halves of a step of time, of which a map has 64 and a column 8: what is at one end is not at the other
            let halves = 4 + 8 * (place % SIZE) as i64 - 2 * time as i64;
            let l = halves.rem_euclid(64) as f64 / 64.0 * side - side / 2.0;
            let m = planes.offset_rad(place / SIZE);
            let cycles = frequency_mhz * 1e6 * (baseline_m[0] * l + baseline_m[1] * m) / 299_792_458.0;
            sum += Complex::cis(-TAU * cycles)
                * (value * beam.response(l.hypot(m), frequency_mhz) * planes.pixel_rad().powi(2));
        }
        sum
    }

    #[test]
    fn any_sky_is_seen_as_the_formula_says_in_either_unit() {
        let planes = planes();
        let baselines = [[7.0, 0.0, 0.0], [14.0, -21.0, 0.0], [0.0, 7.0, 0.0]];
        let frequencies = [420.0, 500.0];
        let mut sky = vec![0.0; 2 * SIZE * SIZE];
        Stream::new(1, "visibilities").fill_normal_f64(&mut sky);
        for (beam, unit) in [(GAUSSIAN, VisibilityUnit::Kelvin), (COSINE, VisibilityUnit::Jansky)] {
            let interferometer = Interferometer::new(&planes, beam, unit, &baselines, TIMES);
            let ones = vec![1.0; sky.len()];
            let seen = interferometer.observe(&frequencies, [&sky, &ones]);
            for (baseline, vector) in baselines.iter().enumerate() {
                for (channel, frequency) in frequencies.iter().enumerate() {
                    let plane = &sky[channel * SIZE * SIZE..(channel + 1) * SIZE * SIZE];
                    let beam_sr = direct(&planes, beam, &vec![1.0; SIZE * SIZE], [0.0; 3], *frequency, 0).re;
                    let unit = match unit {
                        VisibilityUnit::Kelvin => 1.0 / beam_sr,
                        VisibilityUnit::Jansky => jansky_per_steradian_kelvin(*frequency),
                    };
                    assert!((interferometer.unit_of_kelvin(*frequency) / (unit * beam_sr) - 1.0).abs() < 1e-12);
                    for time in 0..TIMES {
                        let found = seen[0][(baseline * 2 + channel) * TIMES + time];
                        let wanted = direct(&planes, beam, plane, *vector, *frequency, time) * unit;
                        let difference = (Complex::new(f64::from(found.re), f64::from(found.im)) - wanted).norm();
                        assert!(difference < 1e-6 * unit * beam_sr, "{vector:?} {frequency} {time}: {found} {wanted}");
                    }
                }
            }
        }
    }

    #[test]
    fn one_point_source_has_its_fringe() {
        let planes = planes();
        let (row, column) = (5, 6);
        let mut sky = vec![0.0; SIZE * SIZE];
        sky[row * SIZE + column] = 3.0;
        let baselines = [[21.0, 14.0, 0.0]];
        let interferometer = Interferometer::new(&planes, GAUSSIAN, VisibilityUnit::Jansky, &baselines, TIMES);
        let seen = interferometer.observe(&[450.0], [&sky]);
        let (l, m) = (planes.offset_rad(column), planes.offset_rad(row));
        for (time, found) in seen[0].iter().enumerate().take(8) {
            // its flux density, dimmed by the beam, with the phase of the delay b.s / c
            let l = l - time as f64 / TIMES as f64 * planes.side_rad();
            let flux = 3.0 * planes.pixel_rad().powi(2) * jansky_per_steradian_kelvin(450.0);
            let delay_us = (21.0 * l + 14.0 * m) / 299.792_458;
            let wanted = flux * GAUSSIAN.response(l.hypot(m), 450.0);
            assert!((f64::from(found.norm()) / wanted - 1.0).abs() < 1e-5, "{time}: {found}");
            let turn = f64::from(found.arg()) + TAU * 450.0 * delay_us;
            assert!((turn / TAU - (turn / TAU).round()).abs() < 1e-5, "{time}: {turn}");
        }
    }

    #[test]
    fn baselines_are_the_shortest_of_the_grid_and_no_two_are_opposite() {
        let baselines = grid_baselines_m(48, 7.0);
        assert_eq!(baselines.len(), 48);
        assert_eq!(baselines[..2], [[7.0, 0.0, 0.0], [0.0, 7.0, 0.0]]);
        let length = |b: &[f64; 3]| b[0].hypot(b[1]);
        assert!(baselines.windows(2).all(|pair| length(&pair[0]) <= length(&pair[1])));
        for (i, a) in baselines.iter().enumerate() {
            assert!(baselines[..i].iter().all(|b| a != b && (a[0] + b[0], a[1] + b[1]) != (0.0, 0.0)), "{a:?}");
        }
        // there are 48 in the half disk of radius sqrt(32) and none shorter is left out
        let longest = length(&baselines[47]);
        let all = (-9..=9).flat_map(|e| (-9..=9).map(move |n| f64::hypot(f64::from(e), f64::from(n)) * 7.0));
        assert!(all.filter(|l| *l > 0.0 && *l < longest).count() / 2 <= 48);
    }

    #[test]
    fn noise_has_its_power_half_in_each_part() {
        let mut values = vec![Complex::new(0.0_f32, 0.0); 40_000];
        add_noise(&mut values, 2e-7, Stream::new(1, "noise"));
        let power =
            |part: fn(&Complex<f32>) -> f32| values.iter().map(|v| f64::from(part(v)).powi(2)).sum::<f64>() / 40_000.0;
        for power in [power(|v| v.re), power(|v| v.im)] {
            assert!((power / 2e-14 - 1.0).abs() < 0.03, "{power}");
        }
    }
}
