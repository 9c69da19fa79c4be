//! [`NoiseConfig`]: photons, read-out and dark current of a detector.
//!
//! A frame of mean intensity `I` is `(Poisson(P I + d) + r N(0, 1) - d) / P` in the object's units, with `P` photons of one unit of
//! intensity, `d` electrons of dark current, whose mean is known and taken away, and a read-out of `r` electrons. Its mean is `I` however
//! faint: values below nought stay. Every exposure has one draw, by its own stream, whatever is measured before it.

use cupel_data::Stream;
use cupel_settings::{Problem, Range, Settings, settings};
use rand::distr::Distribution;
use rand_distr::{Poisson, StandardNormal};
use serde::{Deserialize, Serialize};

use crate::{Noise, Result};

/// More photons than any detector holds; counts beyond lose their last digit in f32 of nothing.
const MOST_PHOTONS: f64 = 1e15;

settings! {
    /// How a detector counts.
    #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    pub struct NoiseConfig in "noise" {
        /// Photons of the brightest pixel of all exposures
        pub photons: Option<f64> = None, in Range::above(0.0).at_most(MOST_PHOTONS), "P";
        /// Decibels instead: photons of one unit of intensity are 10^(DB / 10)
        pub snr: Option<f64> = None, in Range::at_least(-100.0).at_most(150.0), "DB";
        /// Standard deviation of the read-out in electrons
        pub read_noise: f64 = 0.0, in Range::at_least(0.0).at_most(MOST_PHOTONS), "E";
        /// Electrons of dark current in a pixel, whose mean is taken away
        pub dark_current: f64 = 0.0, in Range::at_least(0.0).at_most(MOST_PHOTONS), "E";
    }
    needs {
        ["read-noise", "dark-current"] |own| own.photons.is_some() || own.snr.is_some()
            => "electrons are compared with photons: give photons or snr";
        ["snr"] |own| own.photons.is_none() => "photons say how bright it is already";
    }
}

impl NoiseConfig {
    /// What the noise is where the brightest pixel of all exposures has this intensity.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for settings that cannot be, and where photons fall on nothing: all is dark.
    pub fn of_brightest(&self, brightest: f64) -> Result<Noise> {
        self.check()?;
        let photons = match (self.photons, self.snr) {
            (Some(photons), _) if brightest > 0.0 => photons / brightest,
            (Some(photons), _) => {
                return Err(Problem::value("photons", photons, "an object that shines: all exposures are dark").into());
            }
            (None, Some(snr)) => 10.0_f64.powf(snr / 10.0),
            (None, None) => return Ok(Noise::None),
        };
        // The dark current's own noise, whose mean is known, is like a read-out.
        Ok(Noise::Counts { photons, read: self.read_noise.hypot(self.dark_current.sqrt()) })
    }

    /// One exposure of these mean intensities, `photons` for one unit; the stream is the exposure's own.
    pub fn expose(&self, means: &[f64], photons: f64, exposure: Stream) -> Vec<f32> {
        let mut counts = exposure.rng();
        let mut electronics = exposure.child(0).rng();
        let drawn = means.iter().map(|mean| {
            let rate = (photons * mean + self.dark_current).max(0.0);
            // Nought has no Poisson distribution of its own and is always counted as nought.
            let count = Poisson::new(rate).map_or(0.0, |poisson| poisson.sample(&mut counts));
            let read: f64 = if self.read_noise > 0.0 { StandardNormal.sample(&mut electronics) } else { 0.0 };
            ((count + self.read_noise * read - self.dark_current) / photons) as f32
        });
        drawn.collect()
    }
}
