//! [`Line`]: an exposure during which the aperture moves.

use num_complex::Complex;
use rayon::prelude::*;

use crate::{Plane, Result, Telescope, fourier, simulate};

/// The way of an aperture during one exposure, at constant speed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// Where it begins.
    pub from: [f64; 2],
    /// Where it ends.
    pub to: [f64; 2],
}

impl Line {
    /// `samples` places on the line at equal distances, its ends among them; one is its middle.
    pub fn places(&self, samples: usize) -> Vec<[f64; 2]> {
        let share = |k: usize| if samples > 1 { k as f64 / (samples - 1) as f64 } else { 0.5 };
        let place = |t: f64| [0, 1].map(|axis| self.from[axis] + t * (self.to[axis] - self.from[axis]));
        (0..samples).map(|k| place(share(k))).collect()
    }

    /// One sample for each place that the line is long, and one: where the sum over samples stands for the integral over time.
    pub fn samples(&self) -> usize {
        (self.to[0] - self.from[0]).hypot(self.to[1] - self.from[1]).ceil() as usize + 1
    }

    /// Mean intensity during the exposure, `detector x detector`, by the trapezoidal rule over [`samples`](Self::samples) places: light of
    /// different times does not interfere, so intensities are averaged, not amplitudes.
    ///
    /// # Errors
    /// As [`observe`](crate::observe).
    pub fn expose(&self, object: &Plane, telescope: &Telescope) -> Result<Vec<f64>> {
        simulate::check_object(object)?;
        let places = self.places(self.samples());
        simulate::check_centres(telescope, &places)?;
        let spectrum = fourier::spectrum(&telescope.effective_object(object)?);
        let images: Vec<Vec<Complex<f64>>> = telescope.images(&spectrum, &places).collect();
        let last = images.len() - 1;
        let weight = |k: usize| if last > 0 && (k == 0 || k == last) { 0.5 } else { 1.0 };
        let total: f64 = (0..=last).map(weight).sum();
        let pixels = telescope.detector() * telescope.detector();
        let mean =
            |pixel: usize| images.iter().enumerate().map(|(k, image)| weight(k) * image[pixel].norm_sqr()).sum::<f64>();
        Ok((0..pixels).into_par_iter().map(|pixel| mean(pixel) / total).collect())
    }
}
