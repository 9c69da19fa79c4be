//! The beam of a dish, which is wider at lower frequencies.
//!
//! A dish of diameter D has the full width at half maximum `1.22 lambda / D`. A Gaussian beam multiplies multipoles by
//! `exp(-l^2 s^2 / 2)`, `s = FWHM / sqrt(8 ln 2)`. A cosine-tapered one is
//! `B(theta) = [cos(1.189 pi t) / (1 - 4 (1.189 t)^2)]^2`, `t = theta / FWHM` (Mauch et al., "The 1.28 GHz MeerKAT
//! DEEP2 image", ApJ 888, 61 (2020), equation 3), and its width ripples with frequency by
//! `1 + r sin(2 pi nu / 20 MHz)`, as measured for MeerKAT (Matshawule et al., "H I intensity mapping with MeerKAT:
//! primary beam effects on foreground cleaning", MNRAS 506, 5075 (2021)): sidelobes and ripple are what foregrounds
//! leak through. No beam is known so well: [`Beam::scattered`] gives every sky one of its own, whose ripple has any phase
//! and another strength and period. Foregrounds then leak into other channels in each sky, and over skies the leakage is
//! not Gaussian.

use std::f64::consts::{PI, TAU};

use cupel_data::Stream;
use cupel_settings::choices;
use num_complex::Complex;
use rand::RngExt;
use rayon::prelude::*;

use super::{planes::Planes, spectral_index::FWHM_OF_SIGMA};

/// Speed of light in m MHz.
const SPEED_OF_LIGHT_M_MHZ: f64 = 299.792_458;
/// With this scale the cosine beam is 1/2 at half of its width.
const COSINE_SCALE: f64 = 1.189;
/// Period of the ripple in MHz.
pub(super) const RIPPLE_PERIOD_MHZ: f64 = 20.0;

choices! {
    /// Shapes of a beam.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum BeamShape {
        /// None: every pixel is seen by itself
        None = "none",
        /// Gaussian
        Gaussian = "gaussian",
        /// Cosine-tapered with sidelobes, and a width that ripples with frequency
        Cosine = "cosine",
    }
}

/// The beam of a dish.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Beam {
    /// Its shape.
    pub shape: BeamShape,
    /// Diameter of the dish in m.
    pub dish_m: f64,
    /// Relative amplitude of the ripple of the width of a cosine beam.
    pub ripple: f64,
    /// Period of the ripple in MHz.
    pub period_mhz: f64,
    /// Phase of the ripple at 0 MHz in radians.
    pub phase_rad: f64,
}

impl Beam {
    /// A beam whose ripple is that of the literature.
    pub fn new(shape: BeamShape, dish_m: f64, ripple: f64) -> Self {
        Self { shape, dish_m, ripple, period_mhz: RIPPLE_PERIOD_MHZ, phase_rad: 0.0 }
    }

    /// The beam of one sky: strength and period of its ripple are `exp(scatter z)` times these, with a normal z for each, and the phase is any.
    #[must_use]
    pub fn scattered(self, scatter: f64, stream: Stream) -> Self {
        let mut normal = [0.0; 2];
        stream.child(0).fill_normal_f64(&mut normal);
        let [strength, period] = normal.map(|z| (scatter * z).exp());
        let phase_rad = TAU * stream.child(1).rng().random::<f64>();
        Self { ripple: self.ripple * strength, period_mhz: self.period_mhz * period, phase_rad, ..self }
    }

    /// Full width at half maximum in radians.
    pub fn width_rad(&self, frequency_mhz: f64) -> f64 {
        let width = 1.22 * SPEED_OF_LIGHT_M_MHZ / frequency_mhz / self.dish_m;
        match self.shape {
            BeamShape::Cosine => {
                width * (1.0 + self.ripple * (TAU * frequency_mhz / self.period_mhz + self.phase_rad).sin())
            }
            BeamShape::None | BeamShape::Gaussian => width,
        }
    }

    /// Power at an angle from the axis relative to that on it.
    pub fn response(&self, angle_rad: f64, frequency_mhz: f64) -> f64 {
        let t = angle_rad / self.width_rad(frequency_mhz);
        match self.shape {
            BeamShape::None => 1.0,
            BeamShape::Gaussian => (-0.5 * (t * FWHM_OF_SIGMA).powi(2)).exp(),
            BeamShape::Cosine => {
                let x = COSINE_SCALE * t;
                let pole = 1.0 - 4.0 * x * x;
                // the zeros of both cancel at x = 1/2: the limit is pi / 4
                let field = if pole.abs() < 1e-6 { PI / 4.0 } else { (PI * x).cos() / pole };
                field * field
            }
        }
    }

    /// Smooths planes on [channel, row, column].
    pub(crate) fn smooth(&self, planes: &Planes, frequencies_mhz: &[f64], cube: &mut [f64]) {
        match self.shape {
            BeamShape::None => {}
            BeamShape::Gaussian => {
                let multipoles = planes.multipoles();
                let sigmas: Vec<f64> = frequencies_mhz.iter().map(|nu| self.width_rad(*nu) / FWHM_OF_SIGMA).collect();
                planes.filter(cube, |channel, place| (-0.5 * (multipoles[place] * sigmas[channel]).powi(2)).exp());
            }
            BeamShape::Cosine => {
                let gains = self.sampled(planes, frequencies_mhz);
                planes.filter(cube, |channel, place| gains[channel * planes.pixels() + place].re);
            }
        }
    }

    /// Transforms of the beam around each pixel of a plane whose ends meet, normalised to keep the mean.
    fn sampled(&self, planes: &Planes, frequencies_mhz: &[f64]) -> Vec<Complex<f64>> {
        let size = planes.size();
        let distance = |index: usize| index.min(size - index) as f64 * planes.pixel_rad();
        let mut beams = vec![0.0; frequencies_mhz.len() * planes.pixels()];
        beams.par_chunks_mut(planes.pixels()).zip(frequencies_mhz).for_each(|(beam, frequency)| {
            for (place, value) in beam.iter_mut().enumerate() {
                *value = self.response(distance(place / size).hypot(distance(place % size)), *frequency);
            }
            let sum: f64 = beam.iter().sum();
            beam.iter_mut().for_each(|value| *value /= sum);
        });
        planes.forward(&beams)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAUSSIAN: Beam =
        Beam { shape: BeamShape::Gaussian, dish_m: 13.5, ripple: 0.0, period_mhz: RIPPLE_PERIOD_MHZ, phase_rad: 0.0 };
    const COSINE: Beam = Beam { shape: BeamShape::Cosine, ripple: 0.01, ..GAUSSIAN };

    #[test]
    fn half_of_the_power_is_at_half_of_the_width() {
        for beam in [GAUSSIAN, COSINE] {
            for frequency in [350.0, 400.0, 479.0] {
                let half = beam.response(beam.width_rad(frequency) / 2.0, frequency);
                assert!((half - 0.5).abs() < 2e-3, "{:?}: {half}", beam.shape);
                assert_eq!(beam.response(0.0, frequency), 1.0);
            }
        }
        // 1.22 x 299.79 / 400 / 13.5 rad
        assert!((GAUSSIAN.width_rad(400.0).to_degrees() - 3.880_7).abs() < 1e-3);
        // continuous through the zero of its denominator
        let at = |t: f64| COSINE.response(t / COSINE_SCALE * COSINE.width_rad(400.0), 400.0);
        assert!((at(0.5) - at(0.5 + 1e-4)).abs() < 1e-3 && (at(0.5) - (PI / 4.0).powi(2)).abs() < 1e-12);
    }

    #[test]
    fn the_width_of_the_cosine_ripples_with_its_period() {
        let plain = |frequency: f64| Beam { ripple: 0.0, ..COSINE }.width_rad(frequency);
        let ratio = |frequency: f64| COSINE.width_rad(frequency) / plain(frequency) - 1.0;
        assert!((ratio(405.0) - 0.01).abs() < 1e-9 && (ratio(415.0) + 0.01).abs() < 1e-9 && ratio(400.0).abs() < 1e-9);
        // the first sidelobe is 23 dB down
        let lobe = (140..200)
            .map(|i| COSINE.response(f64::from(i) / 100.0 * COSINE.width_rad(400.0), 400.0))
            .fold(0.0, f64::max);
        assert!((10.0 * lobe.log10() + 23.0).abs() < 0.5, "{lobe}");
    }

    #[test]
    fn scattered_ripples_have_any_phase_and_the_moments_that_are_asked_for() {
        const SKIES: u64 = 4000;
        let (scatter, count) = (0.3, SKIES as f64);
        let beams: Vec<Beam> =
            (0..SKIES).map(|sky| COSINE.scattered(scatter, Stream::new(1, "beam").child(sky))).collect();
        let mean = |of: &dyn Fn(&Beam) -> f64| beams.iter().map(of).sum::<f64>() / count;
        for of in [|beam: &Beam| (beam.ripple / 0.01).ln(), |beam: &Beam| (beam.period_mhz / RIPPLE_PERIOD_MHZ).ln()] {
            let (first, second) = (mean(&|beam| of(beam)), mean(&|beam| of(beam).powi(2)));
            assert!(first.abs() < 3.0 * scatter / count.sqrt(), "{first}");
            assert!((second.sqrt() / scatter - 1.0).abs() < 0.04, "{second}");
        }
        // any phase: the relative width of a channel has no mean, and the variance of a sine of exp(z) times its strength
        let width = |beam: &Beam| beam.width_rad(400.0) / GAUSSIAN.width_rad(400.0) - 1.0;
        let variance = 0.5 * 0.01_f64.powi(2) * (2.0 * scatter * scatter).exp();
        assert!(mean(&width).abs() < 3.0 * (variance / count).sqrt());
        assert!((mean(&|beam| width(beam).powi(2)) / variance - 1.0).abs() < 0.08);
        assert_eq!(beams[3], COSINE.scattered(scatter, Stream::new(1, "beam").child(3)));
    }

    #[test]
    fn a_point_is_smoothed_to_the_beam() {
        let planes = Planes::new(64, 40.0_f64.to_radians());
        let frequencies = [360.0, 470.0];
        for beam in [GAUSSIAN, COSINE] {
            let mut cube = vec![0.0; 2 * 4096];
            (cube[32 * 64 + 32], cube[4096 + 32 * 64 + 32]) = (1.0, 1.0);
            beam.smooth(&planes, &frequencies, &mut cube);
            for (plane, frequency) in cube.chunks_exact(4096).zip(frequencies) {
                assert!((plane.iter().sum::<f64>() - 1.0).abs() < 1e-9, "the mean of a sky is kept");
                let peak = plane[32 * 64 + 32];
                for (row, column) in [(32, 34), (30, 32), (34, 35), (32, 37)] {
                    let angle = f64::hypot(row as f64 - 32.0, column as f64 - 32.0) * planes.pixel_rad();
                    let wanted = beam.response(angle, frequency);
                    let found = plane[row * 64 + column] / peak;
                    assert!((found - wanted).abs() < 2e-3, "{:?} {frequency}: {found} {wanted}", beam.shape);
                }
            }
        }
    }
}
