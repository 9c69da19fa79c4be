//! [`Difference`]: whether two observations of one sky differ by more than noise.
//!
//! In half of their difference the sky cancels, and what is left is the noise of their mean. Noise of a radiometer is independent from channel to
//! channel, however it is spread over the plane: brought to unit variance in each channel and ring of multipoles, it has the same power at all wave
//! numbers along frequency. A gain that drifts between the observations, a source in one of them or a ripple of the bandpass do not. The
//! distribution of the largest deviation is that of draws of independent channels, so that looking into many bins is paid for.

use cupel_data::{Cube, Stream};
use num_complex::Complex;
use rayon::prelude::*;
use rustfft::FftPlanner;
use serde::Serialize;

use super::plane_modes::{Plane, PlaneModes, centred};
use crate::{Error, Result, Sky};

/// Rings of multipoles, and bands of wave numbers along frequency.
const RINGS: usize = 6;
const BANDS: usize = 6;
/// Draws of the largest deviation.
const DRAWS: usize = 200;
/// The probability of more than two standard deviations.
const IMPROBABLE: f64 = 0.0228;

/// What the difference of two observations of one sky shows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The largest deviation of a bin from white noise, in standard deviations.
    pub largest: f64,
    /// How often independent channels have a larger one.
    pub probability: f64,
    /// Whether that is less often than two standard deviations of a normal distribution.
    pub detected: bool,
    /// Standard deviation of the half difference, in the unit of the skies.
    pub noise: f64,
    /// Bin by bin.
    pub bins: Vec<DifferenceBin>,
}

/// Power of the half difference in one ring of multipoles and one band of wave numbers along frequency.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct DifferenceBin {
    /// Middle of the multipoles.
    pub multipole: f64,
    /// Cycles over the whole band of frequencies, the least and the most of the bin.
    pub cycles: [usize; 2],
    /// Power over that of white noise.
    pub ratio: f64,
    /// Its distance from 1 in standard deviations.
    pub deviation: f64,
}

impl Difference {
    /// The half difference of two observations: even and odd times, two halves of the data, two nights.
    ///
    /// # Errors
    /// [`Error::Compared`] for skies of other axes, [`Error::Estimator`] for other units, values without weight, or two that are the same.
    pub fn of(one: &Sky, other: &Sky, stream: Stream) -> Result<Self> {
        let refuse =
            |problem: &str, fix| Err(Error::Estimator { name: "difference".into(), problem: problem.into(), fix });
        if one.cube().axes() != other.cube().axes() {
            let (got, expected) = (one.cube().shape(), other.cube().shape());
            return Err(Error::Compared { what: "a sky", got, with: "another observation of it", expected });
        }
        if one.unit() != other.unit() {
            return refuse("the skies are in different units", "convert one of them");
        }
        let gaps = |sky: &Sky| sky.weights().is_some_and(|weights| weights.values().contains(&0.0));
        if gaps(one) || gaps(other) {
            return refuse("values without weight", "cut the skies down to where both have data");
        }
        let (a, b) = (centred(one.cube()), centred(other.cube()));
        let half: Vec<f64> = a.iter().zip(&b).map(|(a, b)| (a - b) / 2.0).collect();
        let noise = (half.iter().map(|value| value * value).sum::<f64>() / half.len() as f64).sqrt();
        if noise == 0.0 {
            return refuse("both skies are the same", "give two observations, whose noise differs");
        }
        let bins = Bins::new(Plane::of(one)?, one.cube().shape()[0]);
        let found = bins.measure(&bins.plane.forward(&half))?;
        let largest = |bins: &[DifferenceBin]| bins.iter().map(|bin| bin.deviation.abs()).fold(0.0, f64::max);
        let drawn = (0..DRAWS)
            .into_par_iter()
            .map(|draw| Ok(largest(&bins.measure(&bins.draw(stream.child(draw as u64)))?)))
            .collect::<Result<Vec<f64>>>()?;
        let own = largest(&found);
        let probability = (1 + drawn.iter().filter(|drawn| **drawn >= own).count()) as f64 / (DRAWS + 1) as f64;
        Ok(Self { largest: own, probability, detected: probability < IMPROBABLE, noise, bins: found })
    }
}

/// Half of the difference as a sky.
///
/// # Errors
/// As [`Difference::of`].
pub fn half_difference(one: &Sky, other: &Sky) -> Result<Sky> {
    if one.cube().axes() != other.cube().axes() {
        let (got, expected) = (one.cube().shape(), other.cube().shape());
        return Err(Error::Compared { what: "a sky", got, with: "another observation of it", expected });
    }
    let half = one.cube().values().iter().zip(other.cube().values()).map(|(a, b)| (a - b) / 2.0).collect();
    one.with_cube(Cube::new(half, one.cube().axes().clone())?, None)
}

/// Modes of the plane in rings, and wave numbers along frequency in bands.
struct Bins {
    channels: usize,
    /// The modes of each ring with how often each counts, and the middle of its multipoles.
    rings: Vec<(Vec<(usize, f64)>, f64)>,
    /// First and last wave number of each band.
    bands: Vec<[usize; 2]>,
    plane: Plane,
}

impl Bins {
    fn new(plane: Plane, channels: usize) -> Self {
        let shells = plane.shells();
        let [first, last] = [shells.first(), shells.last()].map(|shell| shell.map_or(1.0, |shell| shell.multipole));
        let edge = |ring: usize| first * (last / first).powf(ring as f64 / RINGS as f64);
        let ring = |ring: usize| {
            let upper = if ring + 1 == RINGS { f64::INFINITY } else { edge(ring + 1) };
            let own = shells
                .iter()
                .filter(|shell| shell.multipole >= edge(ring) * (1.0 - 1e-9) && shell.multipole < upper * (1.0 - 1e-9));
            let modes = own.flat_map(|shell| &shell.modes).map(|mode| (*mode, plane.multiplicity(*mode))).collect();
            (modes, (edge(ring) * edge(ring + 1)).sqrt())
        };
        let rings = (0..RINGS).map(ring).filter(|(modes, _): &(Vec<_>, f64)| !modes.is_empty()).collect();
        let most = channels / 2;
        let mut bands: Vec<[usize; 2]> = Vec::new();
        let mut low = 0;
        while low <= most {
            let band = bands.len();
            let high = if band + 1 >= BANDS { most } else { ((2_usize << band) - 2).min(most) };
            bands.push([low, high]);
            low = high + 1;
        }
        Self { channels, rings, bands, plane }
    }

    /// Independent channels of unit variance.
    fn draw(&self, stream: Stream) -> PlaneModes {
        let mut white = vec![0.0; self.channels * self.plane.pixels()];
        stream.fill_normal_f64(&mut white);
        self.plane.forward(&white)
    }

    fn measure(&self, modes: &PlaneModes) -> Result<Vec<DifferenceBin>> {
        let channels = self.channels;
        let fft = FftPlanner::<f64>::new().plan_fft_forward(channels);
        let mut scratch = vec![Complex::new(0.0, 0.0); fft.get_inplace_scratch_len()];
        let mut bins = Vec::new();
        for (own, multipole) in &self.rings {
            let mut variances = vec![0.0; channels];
            let mut count = 0.0;
            for (mode, weight) in own {
                count += weight;
                variances.iter_mut().zip(modes.line(*mode)).for_each(|(sum, value)| *sum += weight * value.norm_sqr());
            }
            let scales: Vec<f64> = variances.iter().map(|sum| (count / sum).sqrt()).collect();
            if let Some(channel) = scales.iter().position(|scale| !scale.is_finite()) {
                let problem = format!("no noise in channel {channel} at multipoles around {multipole:.0}");
                let fix = "leave out channels that were not observed twice";
                return Err(Error::Estimator { name: "difference".into(), problem, fix });
            }
            let mut powers = vec![0.0; channels];
            let mut line = vec![Complex::new(0.0, 0.0); channels];
            for (mode, weight) in own {
                line.iter_mut()
                    .zip(modes.line(*mode))
                    .zip(&scales)
                    .for_each(|((to, value), scale)| *to = value * scale);
                fft.process_with_scratch(&mut line, &mut scratch);
                powers.iter_mut().zip(&line).for_each(|(sum, value)| *sum += weight * value.norm_sqr());
            }
            for [low, high] in &self.bands {
                // a wave number and its negative are of one band
                let of = |k: usize| if k == 0 || 2 * k == channels { vec![k] } else { vec![k, channels - k] };
                let members: Vec<usize> = (*low..=*high).flat_map(of).collect();
                let ratio =
                    members.iter().map(|k| powers[*k]).sum::<f64>() / (count * (channels * members.len()) as f64);
                let spread = (1.0 / (count * members.len() as f64)).sqrt();
                bins.push(DifferenceBin {
                    multipole: *multipole,
                    cycles: [*low, *high],
                    ratio,
                    deviation: (ratio - 1.0) / spread,
                });
            }
        }
        Ok(bins)
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use cupel_data::{Axes, Axis, AxisKind};

    use super::*;
    use crate::{Unit, frequency_axis};

    fn sky(values: Vec<f32>, shape: [usize; 3]) -> Sky {
        let axes = vec![
            frequency_axis((0..shape[0]).map(|i| 100.0 + i as f64).collect()).unwrap(),
            Axis::new(AxisKind::Row, shape[1]),
            Axis::new(AxisKind::Column, shape[2]),
        ];
        Sky::new(Cube::new(values, Axes::new(axes).unwrap()).unwrap(), Unit::Millikelvin, None)
            .unwrap()
            .with_sides([10.0; 2])
            .unwrap()
    }

    /// A smooth sky with noise that differs from channel to channel, and with `gain` more of the sky in the second observation.
    fn two(seed: u64, gain: f64) -> [Sky; 2] {
        let shape = [20, 16, 12];
        let plane = shape[1] * shape[2];
        let mut noise = vec![0.0; 2 * shape[0] * plane];
        Stream::new(seed, "two nights").fill_normal_f64(&mut noise);
        let (first, second) = noise.split_at(shape[0] * plane);
        let bright = |i: usize| {
            50.0 * (TAU * (i % plane) as f64 * 3.0 / plane as f64).sin() * (100.0 + (i / plane) as f64).powf(-0.5)
        };
        let of = |noise: &[f64], gain: f64| {
            let value = |i: usize| bright(i) * gain + noise[i] * (1.0 + (i / plane) as f64 / 20.0);
            sky((0..noise.len()).map(|i| value(i) as f32).collect(), shape)
        };
        [of(first, 1.0), of(second, 1.0 + gain)]
    }

    #[test]
    fn noise_alone_is_rarely_anything_else_and_a_drift_of_the_gain_always_is() {
        let mut alarms = 0;
        for seed in 0..40 {
            let [one, other] = two(seed, 0.0);
            let found = Difference::of(&one, &other, Stream::new(seed, "draws")).unwrap();
            alarms += usize::from(found.detected);
            assert!((found.noise / (1.5 / 2_f64.sqrt()) - 1.0).abs() < 0.1, "{}", found.noise);
        }
        assert!(alarms <= 3, "{alarms} of 40");
        for seed in 0..5 {
            let [one, other] = two(seed, 0.2);
            assert!(Difference::of(&one, &other, Stream::new(seed, "draws")).unwrap().detected, "{seed}");
        }
    }

    #[test]
    fn skies_that_are_the_same_or_of_other_axes_are_refused() {
        let [one, other] = two(1, 0.0);
        let refused = |a: &Sky, b: &Sky| Difference::of(a, b, Stream::new(1, "draws")).unwrap_err().to_string();
        assert!(refused(&one, &one).contains("both skies are the same"));
        let small = sky(vec![1.0; 8], [2, 2, 2]);
        assert!(refused(&one, &small).contains("cannot be compared"));
        assert_eq!(half_difference(&one, &other).unwrap().cube().shape(), [20, 16, 12]);
    }
}
