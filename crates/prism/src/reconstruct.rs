//! [`reconstruct`]: the one door from exposures to an object with its certificate.

use burn::tensor::{DType, Device};
use cupel_settings::{Range, Settings, choices, settings};
use cupel_train::{Casting, Policy, Run};
use serde::{Deserialize, Serialize};

use crate::{
    Certificate, DecoderConfig, Exposures, Model, Result, Search, certificate,
    preview::Preview,
    search::Tried,
    solvers::{by_decoder, by_sweeps},
};

choices! {
    /// How the object is found.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Solver {
        /// The solver that fits best; lbfgs as a rule
        Auto = "auto",
        /// Sweeps over the exposures, each corrects the object by itself
        Epie = "epie",
        /// The same with weaker corrections where little light falls
        Rpie = "rpie",
        /// Projections of all exposures at once, averaged and reflected
        Raar = "raar",
        /// Quasi-Newton steps on the likelihood with total variation
        Lbfgs = "lbfgs",
        /// An untrained network
        Decoder = "decoder",
    }
}

settings! {
    /// How to reconstruct.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct ReconstructionConfig in "reconstruction" {
        /// How the object is found
        pub solver: Solver = Solver::Auto;
        /// Most steps of the last fit; enough for the noise unless given
        pub iterations: Option<u64> = None, in Range::at_least(1.0).at_most(1e7), "N";
        /// Share of the exposures that are held out to decide how strong the prior is
        pub held_out: f64 = 0.1, in Range::at_least(0.0).at_most(0.5), "SHARE";
        /// Weight of the total variation; chosen by the exposures held out unless given
        pub prior_weight: Option<f64> = None, in Range::at_least(0.0).at_most(1e6), "WEIGHT";
        /// Whether to state how far it can be trusted: resolution and intervals, which take as long as the object
        pub certificate: bool = true;
    }
    beside {
        /// The network of the solver `decoder`.
        pub decoder: DecoderConfig = DecoderConfig::default();
    }
    needs {
        ["prior-weight", "certificate"] |own| matches!(own.solver, Solver::Auto | Solver::Lbfgs)
            => "only the solver lbfgs has a prior and refits";
        ["iterations"] |own| own.solver != Solver::Decoder => "a decoder counts steps: give steps";
    }
}

/// What was found, and how far it can be trusted.
#[derive(Clone, Debug)]
pub struct Reconstruction {
    /// The settings.
    pub config: ReconstructionConfig,
    /// The solver that was taken.
    pub solver: Solver,
    /// Object, pupil, and what belongs to each exposure.
    pub model: Model,
    /// Weight of the total variation.
    pub prior_weight: Option<f64>,
    /// Weights that were tried, with what the exposures held out said of each.
    pub tried: Vec<Tried>,
    /// The misfit after each step.
    pub curve: Vec<f64>,
    /// How far it can be trusted.
    pub certificate: Certificate,
    /// Seconds taken, over all processes that had a part in it.
    pub seconds: f64,
}

/// Finds the object that `exposures` show, on `device` (without automatic differentiation), within `run`, which saves the state between steps.
/// `casting` is for decoders alone, everything else is f32.
///
/// Some exposures are held out, never that of the bright field; how well they are foretold chooses the prior's weight, from a strong one to weaker
/// ones, each from where the one before ended. The last fit is to all exposures. Where there is no noise nothing needs to be chosen: the weight falls
/// to 1e-6, which only decides about frequencies that no exposure shows.
///
/// # Errors
/// Exposures that contradict themselves, settings out of their ranges, a run folder that cannot be written, a signal to stop.
pub fn reconstruct(
    exposures: &Exposures,
    config: &ReconstructionConfig,
    seed: u64,
    (device, casting): (&Device, &Casting),
    run: &mut Run,
) -> Result<Reconstruction> {
    config.check()?;
    exposures.check()?;
    let began = std::time::Instant::now();
    let on = (device, DType::F32);
    let mut search = Search::new(exposures, config, seed, on)?;
    let (solver, found, before, certified) = match config.solver {
        Solver::Auto | Solver::Lbfgs => {
            let mut shown = Preview::new(&mut search, exposures, run);
            let driven = run.drive(&mut shown, &Policy::default())?;
            let before = (driven.seconds - began.elapsed().as_secs_f64()).max(0.0);
            (Solver::Lbfgs, search.finish()?, before, config.certificate)
        }
        solver @ (Solver::Epie | Solver::Rpie | Solver::Raar) => {
            let (found, driven) = by_sweeps(exposures, config, seed, device, run)?;
            (solver, found, (driven - began.elapsed().as_secs_f64()).max(0.0), false)
        }
        Solver::Decoder => (Solver::Decoder, by_decoder(exposures, config, seed, (device, casting), run)?, 0.0, false),
    };
    let certificate = certificate::of(&search, &found, certified, seed, on)?;
    Ok(Reconstruction {
        config: config.clone(),
        solver,
        model: found.model,
        prior_weight: (solver == Solver::Lbfgs).then_some(found.prior_weight),
        tried: found.tried,
        curve: found.curve,
        certificate,
        seconds: before + began.elapsed().as_secs_f64(),
    })
}
