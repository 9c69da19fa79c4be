//! [`Certificate`]: how far a reconstruction can be trusted, by what was measured alone.

mod halves;
mod interval;
mod refit;

use burn::tensor::{DType, Device};
use cupel_train::Casting;

use crate::{
    Exposures, Geometry, Misfit, Model, Noise, ReconstructionConfig, Result, Search, metrics::Frc, search::Found,
};
use refit::Refits;

/// Most starts of a refit that does not explain its frames.
const STARTS: u64 = 8;
/// Squared errors of so many times their variance say that something is wrong,
pub(crate) const DOUBTFUL: f64 = 1.2;
/// and so does this R-factor of frames without noise; what is right has a hundredth of it.
const DOUBTFUL_R: f64 = 1e-2;

/// What is known of a reconstruction without a truth.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// `sum |sqrt(y) - sqrt(I)| / sum sqrt(y)` over exposures that the fit, whose prior they chose, never saw; `None` where none was held out.
    pub held_out_r: Option<f64>,
    /// The same of all exposures in the last fit.
    pub r: f64,
    /// `sum (y - I)^2 / (I + v)` over all pixels, `v` the variance of the read-out, per degree of freedom: near one where the noise is what it was said
    /// to be and the model is right. Both variances are exact at any number of photons, other than a deviance's. `None` without known noise.
    pub chi2_per_dof: Option<f64>,
    /// Pixels measured less parameters that are not at a bound (an upper limit of what a fit with a prior uses up).
    pub degrees_of_freedom: f64,
    /// How well two reconstructions from every other exposure agree, where that was asked for.
    pub correlation: Option<Frc>,
    /// Half width of the interval around each amplitude that holds it with 90 %, over the field; where that was asked for.
    /// Frequencies that no exposure shows are in it, see [`measured`](Self::measured).
    pub interval: Option<Vec<f64>>,
    /// `sum_i |P(k - c_i)|^2` at each place of the plane that windows are cut from (the frequency nought at place `N / 2`), of a real object with that at
    /// the opposite frequency: nought where only the prior speaks.
    pub measured: Vec<f64>,
    /// Share of the places that lie in a window: of a spectrum those up to half its side from the frequency nought, of an object all.
    pub coverage: f64,
}

/// The certificate of what was found as `config` says, whose refits are made where it asks for them.
pub(crate) fn of(
    search: &Search,
    found: &Found,
    config: &ReconstructionConfig,
    seed: u64,
    (on, casting): ((&Device, DType), &Casting),
) -> Result<Certificate> {
    let exposures = search.exposures();
    let (r, squares, pixels) = agreement(&search.all, &found.model)?;
    let held_out_r = match (&search.held_out, &found.without) {
        (Some(held_out), Some(without)) => Some(agreement(held_out, without)?.0),
        _ => None,
    };
    let degrees_of_freedom = (pixels - free_values(search, found)).max(1.0);
    let chi2_per_dof = search.all.noise().1.map(|_| squares / degrees_of_freedom);
    // where the object does not explain the frames its parts will not either
    let starts = if unexplained(exposures.noise, r, squares / degrees_of_freedom) { 1 } else { STARTS };
    let refits = Refits { config, casting, found, starts, seed, on };
    let correlation = if config.certifies() { halves::correlation(exposures, &refits)? } else { None };
    let interval = if config.certifies() { interval::interval(search, &refits)? } else { None };
    let (measured, coverage) = windows(exposures);
    Ok(Certificate { held_out_r, r, chi2_per_dof, degrees_of_freedom, correlation, interval, measured, coverage })
}

/// Whether the frames say that what was found cannot be all: more squared errors than the noise explains, or any to speak of where there is none.
/// Where the noise is not known nothing tells.
pub(crate) fn doubtful(search: &Search, found: &Found) -> Result<bool> {
    let (r, squares, pixels) = agreement(&search.all, &found.model)?;
    let degrees_of_freedom = (pixels - free_values(search, found)).max(1.0);
    Ok(unexplained(search.exposures().noise, r, squares / degrees_of_freedom))
}

/// The same of an R-factor and squared errors in units of their variance.
fn unexplained(noise: Noise, r: f64, chi2: f64) -> bool {
    match noise {
        Noise::Counts { .. } => chi2 > DOUBTFUL,
        Noise::None => r > DOUBTFUL_R,
        Noise::Unknown => false,
    }
}

impl Misfit {
    /// `sum |sqrt(y) - sqrt(I)| / sum sqrt(y)` of a model over the exposures of this misfit.
    ///
    /// # Errors
    /// Frames that cannot be read, a device that fails.
    pub fn r_factor(&self, model: &Model) -> Result<f64> {
        Ok(agreement(self, model)?.0)
    }
}

/// R-factor of all frames of `misfit`, squared errors in units of their variance, and number of pixels.
fn agreement(misfit: &Misfit, model: &Model) -> Result<(f64, f64, f64)> {
    let (mut apart, mut whole, mut squares, mut pixels) = (0.0, 0.0, 0.0, 0.0);
    let variance = misfit.noise().1.unwrap_or(0.0);
    misfit.each_frame(model, |_, said, measured| {
        for (said, measured) in said.iter().zip(measured).filter(|(_, measured)| !measured.is_nan()) {
            let root = measured.max(0.0).sqrt();
            apart += (root - said.max(0.0).sqrt()).abs();
            whole += root;
            squares += (measured - said).powi(2) / (said + variance).max(f64::MIN_POSITIVE);
            pixels += 1.0;
        }
    })?;
    Ok((apart / whole, squares, pixels))
}

/// Values of the object that lie between their bounds.
fn free_values(search: &Search, found: &Found) -> f64 {
    let known = search.exposures().known;
    let [rows, columns] = search.exposures().optics.size;
    let [high, wide] = known.support.unwrap_or([rows, columns]);
    let Ok(inside) = found.model.object.middle(high, wide) else { return 0.0 };
    match known.bounds.filter(|_| known.real) {
        Some([low, high]) => inside.values().iter().filter(|value| value.re > low && value.re < high).count() as f64,
        None => (high * wide) as f64 * if known.real { 1.0 } else { 2.0 },
    }
}

/// How much light of each place of the plane reached a detector, and the share of it that lies in a window.
fn windows(exposures: &Exposures) -> (Vec<f64>, f64) {
    let [rows, columns] = exposures.optics.size;
    let mut light = vec![0.0; rows * columns];
    for centre in &exposures.centres {
        for pupil in &exposures.optics.pupils {
            for (place, value) in pupil.values().iter().enumerate() {
                let (row, column) = (place / pupil.columns(), place % pupil.columns());
                let at = |centre: f64, place: usize, window: usize, size: usize| {
                    (centre.round() as isize + place as isize - (window / 2) as isize + (size / 2) as isize)
                        .rem_euclid(size as isize) as usize
                };
                let place =
                    at(centre[0], row, pupil.rows(), rows) * columns + at(centre[1], column, pupil.columns(), columns);
                light[place] += value.norm_sqr();
            }
        }
    }
    let counts = |place: &usize| {
        let [y, x] = [(place / columns).abs_diff(rows / 2), (place % columns).abs_diff(columns / 2)];
        exposures.optics.geometry == Geometry::Object
            || (2.0 * y as f64 / rows as f64).hypot(2.0 * x as f64 / columns as f64) <= 1.0
    };
    let counted: Vec<usize> = (0..light.len()).filter(counts).collect();
    let coverage = counted.iter().filter(|place| light[**place] > 0.0).count() as f64 / counted.len().max(1) as f64;
    if exposures.known.real && exposures.optics.geometry == Geometry::Spectrum {
        let opposite = |place: usize, size: usize| (2 * (size / 2) + size - place) % size;
        let once = light.clone();
        for (place, light) in light.iter_mut().enumerate() {
            *light += once[opposite(place / columns, rows) * columns + opposite(place % columns, columns)];
        }
    }
    (light, coverage)
}
