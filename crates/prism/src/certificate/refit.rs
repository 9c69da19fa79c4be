//! Fits made anew, to some of the exposures or to others, as the last fit was made.

use burn::tensor::{DType, Device};
use cupel_train::Descent;

use crate::{
    Exposures, Free, Misfit, Model, Plane, Result,
    search::{Found, units},
    start::start,
};

/// Weight and steps of the first fit, on amplitudes.
const WARM_UP: (f64, usize) = (1e-4, 30);
/// Steps with the prior that was found.
const STEPS: usize = 40;
/// A refit ends where the misfit falls by less, relative to itself.
const TOLERANCE: f64 = 1e-7;
/// Pairs of steps that the curvature is known from.
const MEMORY: usize = 10;

/// The object that `which` of the exposures show by themselves, with instrument and prior as found; nothing of the object found is used.
pub(super) fn anew(exposures: &Exposures, which: Vec<usize>, found: &Found, on: (&Device, DType)) -> Result<Plane> {
    let object = start(exposures, Some(&which))?;
    let units = units(exposures, &object);
    let model = Model { object, ..found.model.clone() };
    let mut misfit = Misfit::new(exposures, which, model, Free::OBJECT, units, 0.0, on)?;
    // the weight is in units of the object
    let weight = found.prior_weight * found.unit / units.object;
    misfit.compare_amplitudes(true);
    let start = Descent::new(misfit.start(), MEMORY);
    let warm = descend(&mut misfit, start, WARM_UP.0.max(weight), WARM_UP.1)?;
    misfit.compare_amplitudes(false);
    let descent = descend(&mut misfit, warm, weight, STEPS)?;
    Ok(misfit.model(descent.x()).object)
}

/// The object that `exposures` show, from that found on.
pub(super) fn from_found(exposures: &Exposures, found: &Found, steps: usize, on: (&Device, DType)) -> Result<Plane> {
    let units = crate::Units { object: found.unit, ..units(exposures, &found.model.object) };
    let which = (0..exposures.centres.len()).collect();
    let mut misfit = Misfit::new(exposures, which, found.model.clone(), Free::OBJECT, units, 0.0, on)?;
    let start = Descent::new(misfit.start(), MEMORY);
    let descent = descend(&mut misfit, start, found.prior_weight, steps)?;
    Ok(misfit.model(descent.x()).object)
}

fn descend(misfit: &mut Misfit, mut descent: Descent, weight: f64, steps: usize) -> Result<Descent> {
    misfit.set_prior(weight);
    for _ in 0..steps {
        if descent.step(misfit, TOLERANCE)?.is_some() {
            break;
        }
    }
    descent.restart();
    Ok(descent)
}
