//! Fits made anew, to some of the exposures or to others, as the last fit was made.

use burn::tensor::{DType, Device};
use cupel_data::Stream;
use cupel_train::{Casting, Descent, Run};

use super::{agreement, unexplained};
use crate::{
    Exposures, Free, Misfit, Model, Plane, ReconstructionConfig, Result, Solver,
    search::{Found, units},
    solvers::{by_decoder, swept},
    start::{scattered, start},
    tiers::again_by_lights,
};

/// Weight and steps of the first fit, on amplitudes.
const WARM_UP: (f64, usize) = (1e-4, 30);
/// Steps with the prior that was found.
const STEPS: usize = 40;
/// Steps from the object that was found.
const FROM_FOUND: usize = 30;
/// A refit ends where the misfit falls by less, relative to itself.
const TOLERANCE: f64 = 1e-7;
/// Pairs of steps that the curvature is known from.
const MEMORY: usize = 10;

/// How refits are made: as the object was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refits<'a> {
    pub(super) config: &'a ReconstructionConfig,
    pub(super) casting: &'a Casting,
    pub(super) found: &'a Found,
    /// Most starts, where a fit does not explain its frames.
    pub(super) starts: u64,
    pub(super) seed: u64,
    pub(super) on: (&'a Device, DType),
}

impl Refits<'_> {
    /// The object that `which` of the exposures show by themselves, with instrument and prior as found; nothing of the object found is used.
    pub(super) fn anew(&self, exposures: &Exposures, which: &[usize]) -> Result<Plane> {
        let (device, seed) = (self.on.0, self.seed);
        match self.config.solver {
            Solver::Auto | Solver::Lbfgs | Solver::Best => Ok(self.descended(exposures, which)?.0),
            Solver::Epie if exposures.lights.is_some() => again_by_lights(exposures, which, self.found.curve.len()),
            Solver::Epie | Solver::Rpie | Solver::Raar => {
                let found = swept(exposures, which, "", self.config, seed, device, &mut Run::in_memory())?;
                Ok(found.model.object)
            }
            Solver::Decoder => {
                let (of, run) = ((device, self.casting), &mut Run::in_memory());
                Ok(by_decoder(&exposures.only(which), self.config, seed, of, run)?.model.object)
            }
        }
    }

    /// The same, but for what ends in a minimum that does not explain even these exposures: that begins at the object found.
    pub(super) fn explaining(&self, exposures: &Exposures, which: &[usize]) -> Result<Plane> {
        match self.config.solver {
            Solver::Auto | Solver::Lbfgs | Solver::Best => match self.descended(exposures, which)? {
                (object, true) => Ok(object),
                _ => self.continued(exposures, which, WARM_UP.1 + STEPS),
            },
            _ => self.anew(exposures, which),
        }
    }

    /// The object that `exposures` show, from that found on where the solver can.
    pub(super) fn again(&self, exposures: &Exposures) -> Result<Plane> {
        let all: Vec<usize> = (0..exposures.centres.len()).collect();
        match self.config.solver {
            Solver::Auto | Solver::Lbfgs | Solver::Best => self.continued(exposures, &all, FROM_FOUND),
            _ => self.anew(exposures, &all),
        }
    }

    /// How many sets of frames are drawn: fewer for solvers that take long.
    pub(super) fn draws(&self) -> u64 {
        if matches!(self.config.solver, Solver::Raar | Solver::Decoder) { 2 } else { 4 }
    }

    /// What a descent finds, and whether it explains its frames.
    fn descended(&self, exposures: &Exposures, which: &[usize]) -> Result<(Plane, bool)> {
        let Self { found, starts, seed, on, .. } = *self;
        let first = start(exposures, Some(which))?;
        let units = units(exposures, &first);
        // the weight is in units of the object
        let weight = found.prior_weight * found.unit / units.object;
        let mut best: Option<(f64, Plane)> = None;
        for number in 0..starts.max(1) {
            let object = match number {
                0 => first.clone(),
                _ => scattered(exposures, &first, Stream::new(seed, "starts of refits").child(number)),
            };
            let model = Model { object, ..found.model.clone() };
            let mut misfit = Misfit::new(exposures, which.to_vec(), model, Free::OBJECT, units, 0.0, on)?;
            misfit.compare_amplitudes(true);
            let begin = Descent::new(misfit.start(), MEMORY);
            let warm = descend(&mut misfit, begin, WARM_UP.0.max(weight), WARM_UP.1)?;
            misfit.compare_amplitudes(false);
            let descent = descend(&mut misfit, warm, weight, STEPS)?;
            let model = misfit.model(descent.x());
            let (r, squares, pixels) = agreement(&misfit, &model)?;
            let explains = !unexplained(exposures.noise, r, squares / pixels);
            if explains {
                return Ok((model.object, true));
            }
            if best.as_ref().is_none_or(|(least, _)| squares < *least) {
                best = Some((squares, model.object));
            }
        }
        Ok((best.map_or(first, |(_, object)| object), false))
    }

    /// The object that `which` of the exposures show, from that found on.
    fn continued(&self, exposures: &Exposures, which: &[usize], steps: usize) -> Result<Plane> {
        let Self { found, on, .. } = *self;
        let units = crate::Units { object: found.unit, ..units(exposures, &found.model.object) };
        let mut misfit = Misfit::new(exposures, which.to_vec(), found.model.clone(), Free::OBJECT, units, 0.0, on)?;
        let start = Descent::new(misfit.start(), MEMORY);
        let descent = descend(&mut misfit, start, found.prior_weight, steps)?;
        Ok(misfit.model(descent.x()).object)
    }
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
