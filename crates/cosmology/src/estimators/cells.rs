//! [`Cells`]: groups of rings and of wave numbers along frequency, in which power is counted.
//!
//! A cell is wide enough to hold many modes of one sky, and narrow enough that what happens in it happens for one reason.

use faer::Mat;
use rayon::prelude::*;
use rustfft::FftPlanner;

use super::{linear::Ring, plane_modes::PlaneModes, posterior::Seen};

/// Groups of rings, as wide in the logarithm of their number.
const RINGS: usize = 6;
/// A group of wave numbers above 3 ends at so many times its first.
const WIDER: f64 = 1.4;

/// The groups of an estimator's rings and channels.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cells {
    of_ring: Vec<usize>,
    /// The group of each wave number, in turns over the band, both signs as one.
    of_wave: Vec<usize>,
    channels: usize,
}

impl Cells {
    pub(super) fn new(rings: usize, channels: usize) -> Self {
        let place = |ring: usize| (RINGS as f64 * ((ring + 1) as f64).ln() / ((rings + 1) as f64).ln()) as usize;
        let (mut of_wave, mut group, mut end) = (Vec::new(), 0, 1);
        for wave in 0..=channels / 2 {
            if wave == end {
                group += 1;
                end = if wave < 3 { wave + 1 } else { (wave as f64 * WIDER).ceil() as usize };
            }
            of_wave.push(group);
        }
        Self { of_ring: (0..rings).map(place).collect(), of_wave, channels }
    }

    pub(super) fn len(&self) -> usize {
        RINGS * (self.of_wave.last().map_or(0, |last| last + 1))
    }

    /// The cell of a ring and a wave number.
    pub(super) fn cell(&self, ring: usize, wave: usize) -> usize {
        self.of_ring[ring] + RINGS * self.of_wave[wave]
    }

    /// The wave number of a place in a transform, without its sign.
    fn wave(&self, place: usize) -> usize {
        place.min(self.channels - place)
    }

    /// How many places of a transform have this wave number.
    pub(super) fn entries(&self, wave: usize) -> f64 {
        if wave == 0 || 2 * wave == self.channels { 1.0 } else { 2.0 }
    }

    /// The power of modes in each cell, summed.
    pub(super) fn power(&self, seen: &Seen, modes: &PlaneModes) -> Vec<f64> {
        let transform = FftPlanner::new().plan_fft_forward(self.channels);
        let of_shell = |(shell, ring): (&super::plane_modes::Shell, &usize)| {
            let mut power = vec![0.0; self.of_wave.len()];
            for mode in &shell.modes {
                let mut line = modes.line(*mode).to_vec();
                transform.process(&mut line);
                let scale = seen.plane.multiplicity(*mode) / self.channels as f64;
                line.iter().enumerate().for_each(|(at, value)| power[self.wave(at)] += scale * value.norm_sqr());
            }
            (*ring, power)
        };
        let shells: Vec<(usize, Vec<f64>)> = seen.shells.par_iter().zip(&seen.rings).map(of_shell).collect();
        let mut sums = vec![0.0; self.len()];
        for (ring, power) in shells {
            power.iter().enumerate().for_each(|(wave, power)| sums[self.cell(ring, wave)] += power);
        }
        sums
    }

    /// The power of one mode at each wave number, of a covariance over channels.
    pub(super) fn spectrum(&self, covariance: &Mat<f64>) -> Vec<f64> {
        let size = self.channels;
        let mut diagonals = vec![0.0; size];
        for (i, j) in (0..size).flat_map(|i| (0..size).map(move |j| (i, j))) {
            diagonals[i.abs_diff(j)] += covariance[(i, j)];
        }
        let cosines: Vec<f64> =
            (0..size).map(|turn| (std::f64::consts::TAU * turn as f64 / size as f64).cos()).collect();
        (0..self.of_wave.len())
            .map(|wave| {
                let sum: f64 = diagonals.iter().enumerate().map(|(d, sum)| sum * cosines[wave * d % size]).sum();
                (self.entries(wave) * sum / size as f64).max(0.0)
            })
            .collect()
    }

    /// What each ring's covariance says of the power in each cell of a sky, summed over its modes.
    pub(super) fn claimed(&self, seen: &Seen, rings: &[Ring], of: impl Fn(&Ring) -> &Mat<f64>) -> Vec<f64> {
        let mut sums = vec![0.0; self.len()];
        for (number, modes) in seen.modes_of_rings(rings.len()).into_iter().enumerate().filter(|(_, m)| *m > 0.0) {
            let spectrum = self.spectrum(of(&rings[number]));
            spectrum.iter().enumerate().for_each(|(wave, power)| sums[self.cell(number, wave)] += modes * power);
        }
        sums
    }

    /// Scales each cell of modes by its factor.
    pub(super) fn scale(&self, seen: &Seen, factors: &[f64], modes: &mut PlaneModes) {
        let mut planner = FftPlanner::new();
        let (forward, back) = (planner.plan_fft_forward(self.channels), planner.plan_fft_inverse(self.channels));
        let mut ring_of = vec![None; seen.plane.modes()];
        for (shell, ring) in seen.shells.iter().zip(&seen.rings) {
            shell.modes.iter().for_each(|mode| ring_of[*mode] = Some(*ring));
        }
        modes.values.par_chunks_mut(self.channels).zip(&ring_of).for_each(|(line, ring)| {
            let Some(ring) = ring else { return };
            forward.process(line);
            for (at, value) in line.iter_mut().enumerate() {
                *value *= factors[self.cell(*ring, self.wave(at))] / self.channels as f64;
            }
            back.process(line);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ring_and_wave_has_a_cell_and_a_spectrum_sums_to_the_trace() {
        for (rings, channels) in [(1, 2), (3, 5), (59, 64), (20, 24)] {
            let cells = Cells::new(rings, channels);
            let places = (0..rings).flat_map(|ring| (0..=channels / 2).map(move |wave| (ring, wave)));
            assert!(places.clone().all(|(ring, wave)| cells.cell(ring, wave) < cells.len()));
            let covariance = Mat::from_fn(channels, channels, |i, j| 0.7_f64.powi(i.abs_diff(j) as i32));
            let sum: f64 = cells.spectrum(&covariance).iter().sum();
            assert!((sum / channels as f64 - 1.0).abs() < 1e-12);
        }
    }
}
