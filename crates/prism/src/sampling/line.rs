//! [`Line`]: an exposure during which the aperture moves.
//!
//! Light of different times does not interfere: the frame is the mean of the intensities on the way. So the moving aperture is one with several modes,
//! each the aperture at one place of the way, and what solves for an object behind modes solves for one behind a line.

use num_complex::Complex;
use rayon::prelude::*;

use crate::{Optics, Plane, Result, Telescope, aperture::split, fourier, simulate};

/// Parts of a place that lines are rounded to.
const GRID: f64 = 1_048_576.0;

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
        let length = (self.to[0] - self.from[0]).hypot(self.to[1] - self.from[1]);
        ((length * GRID).round() / GRID).ceil() as usize + 1
    }

    /// The way of `rows, columns` whose middle is `centre`.
    pub fn around(centre: [f64; 2], [rows, columns]: [f64; 2]) -> Self {
        let half = [rows / 2.0, columns / 2.0];
        let end = |sign: f64| [0, 1].map(|axis| centre[axis] + sign * half[axis]);
        Self { from: end(-1.0), to: end(1.0) }
    }

    /// [`places`](Self::places) of [`samples`](Self::samples), each with its share of the time by the trapezoidal rule. They are rounded to a millionth
    /// of a place, so that the same line around another whole place has the same edges.
    pub fn shares(&self) -> Vec<([f64; 2], f64)> {
        let places = self.places(self.samples());
        let last = places.len() - 1;
        let weight = |k: usize| if last > 0 && (k == 0 || k == last) { 0.5 } else { 1.0 };
        let total: f64 = (0..=last).map(weight).sum();
        let exact = |place: [f64; 2]| place.map(|c| (c * GRID).round() / GRID);
        places.into_iter().enumerate().map(|(k, place)| (exact(place), weight(k) / total)).collect()
    }

    /// Mean intensity during the exposure, `detector x detector`, by the trapezoidal rule over [`samples`](Self::samples) places: light of
    /// different times does not interfere, so intensities are averaged, not amplitudes.
    ///
    /// # Errors
    /// As [`observe`](crate::observe).
    pub fn expose(&self, object: &Plane, telescope: &Telescope) -> Result<Vec<f64>> {
        simulate::check_object(object)?;
        let places: Vec<[f64; 2]> = self.shares().iter().map(|(place, _)| *place).collect();
        simulate::check_centres(telescope, &places)?;
        Ok(self.intensities(&fourier::spectrum(&telescope.effective_object(object)?), telescope))
    }

    /// The same of the spectrum of an object.
    pub(crate) fn intensities(&self, spectrum: &Plane, telescope: &Telescope) -> Vec<f64> {
        let (places, shares): (Vec<_>, Vec<_>) = self.shares().into_iter().unzip();
        let images: Vec<Vec<Complex<f64>>> = telescope.images(spectrum, &places).collect();
        let mean =
            |pixel: usize| images.iter().zip(&shares).map(|(image, share)| share * image[pixel].norm_sqr()).sum();
        (0..telescope.detector() * telescope.detector()).into_par_iter().map(mean).collect()
    }
}

/// How exposures come from an object while the aperture of `telescope` moves by these rows and columns, its middle on a whole place: one mode of the
/// pupil for each place of the way, in a window that holds them all.
pub(crate) fn moving(telescope: &Telescope, way: [f64; 2]) -> Result<Optics> {
    let modes: Vec<_> = Line::around([0.0; 2], way)
        .shares()
        .into_iter()
        .map(|(place, share)| {
            let (place, offset) = split(place);
            (place, share, telescope.pupil(offset))
        })
        .collect();
    let reach = modes.iter().flat_map(|(place, ..)| place).map(|c| c.unsigned_abs()).max().unwrap_or(0);
    let optics = telescope.optics();
    let window = optics.window()[0] + 2 * reach;
    let pupils = modes.iter().map(|(place, share, pupil)| {
        let first = place.map(|c| (c + reach as isize) as usize);
        Plane::from_fn(window, window, |row, column| {
            let at = [row.wrapping_sub(first[0]), column.wrapping_sub(first[1])];
            let inside = at[0] < pupil.rows() && at[1] < pupil.columns();
            if inside { pupil.values()[at[0] * pupil.columns() + at[1]] * share.sqrt() } else { Complex::default() }
        })
    });
    let optics = Optics { pupils: pupils.collect(), ..optics };
    optics.check()?;
    Ok(optics)
}
