//! [`reconstruct`]: the one door from exposures to an object with its certificate.

use burn::tensor::{DType, Device};
use cupel_settings::{Range, Settings, choices, settings};
use cupel_train::{Casting, Run};
use serde::{Deserialize, Serialize};

use crate::{
    CacheStats, Calibration, Certificate, DecoderConfig, Exposures, FRAME_BYTES, Film, Model, Result, Search, Tiers,
    certificate,
    restarts::{Searched, searched},
    search::Tried,
    solvers::{by_decoder, by_sweeps},
    tiers::calibrated,
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
        /// Of lbfgs and decoder the one that foretells the exposures held out better
        Best = "best",
    }
}

impl Solver {
    /// Whether it fits a network.
    pub fn decodes(self) -> bool {
        matches!(self, Self::Decoder | Self::Best)
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
        /// Most searches anew from other starts, where squared errors are more than the noise explains
        pub restarts: u64 = 10, in Range::at_least(0.0).at_most(1e4), "N";
        /// What of the instrument is looked for beside the object
        pub calibration: Calibration = Calibration::Auto;
        /// Whether to state how far it can be trusted: resolution and intervals, by refits that take as long as the object, of other solvers than lbfgs several times as long
        pub certificate: bool = true;
        /// The same of the solver decoder, which takes five times as long as the object
        pub decoder_certificate: bool = false;
        /// MiB of frames that are kept in memory; those of larger stacks are read again whenever a sweep needs them
        pub frame_memory: f64 = (FRAME_BYTES >> 20) as f64, in Range::above(0.0).at_most(1e9), "MIB";
    }
    beside {
        /// The network of the solvers `decoder` and `best`.
        pub decoder: DecoderConfig = DecoderConfig::default();
    }
    needs {
        ["prior-weight", "restarts"] |own| matches!(own.solver, Solver::Auto | Solver::Lbfgs | Solver::Best)
            => "only the solver lbfgs has a prior and starts anew";
        ["certificate"] |own| own.solver != Solver::Decoder => "a decoder takes long: ask for decoder-certificate";
        ["decoder-certificate"] |own| matches!(own.solver, Solver::Decoder | Solver::Best)
            => "only the solver decoder has it";
        ["iterations"] |own| own.solver != Solver::Decoder => "a decoder counts steps: give steps";
    }
}

impl ReconstructionConfig {
    /// Whether refits are made that say how far the object can be trusted.
    pub(crate) fn certifies(&self) -> bool {
        if self.solver == Solver::Decoder { self.decoder_certificate } else { self.certificate }
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
    /// What was looked for beside the object; `None` where nothing was.
    pub calibration: Option<Tiers>,
    /// Weight of the total variation.
    pub prior_weight: Option<f64>,
    /// Searches that were made: more than one where the first did not explain the frames.
    pub starts: u64,
    /// Weights that were tried, with what the exposures held out said of each.
    pub tried: Vec<Tried>,
    /// `sum |sqrt n - sqrt I| / sum sqrt n` of the exposures held out, of each solver that [`Solver::Best`] compared.
    pub compared: Vec<(Solver, f64)>,
    /// The misfit after each step.
    pub curve: Vec<f64>,
    /// How the object came to be, where a run with a folder made it.
    pub film: Film,
    /// How far it can be trusted.
    pub certificate: Certificate,
    /// How often frames were known when they were asked for.
    pub cache: CacheStats,
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
/// Positions and probe of a scan are found before, where exposures held out say that this foretells them better ([`Calibration`]).
///
/// [`Solver::Best`] also fits the decoder, without the same exposures, and takes what foretells them better; where none can be held out, or the
/// decoder's rule holds none out, the quasi-Newton steps.
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
    let said = &exposures.cached_within((config.frame_memory * f64::from(1 << 20)) as usize);
    let began = std::time::Instant::now();
    let (calibrated, calibration) = calibrated(said, config, seed)?.unzip();
    let exposures = calibrated.as_ref().unwrap_or(said);
    let on = (device, DType::F32);
    let mut compared = Vec::new();
    let (solver, search, found, starts, driven) = match config.solver {
        Solver::Auto | Solver::Lbfgs | Solver::Best => {
            let Searched { search, found: fitted, starts, seconds } = searched(exposures, config, seed, on, run)?;
            let decoded = match config.solver {
                Solver::Best => Some(by_decoder(exposures, config, seed, (device, casting), run)?),
                _ => None,
            };
            let candidates = [(Solver::Lbfgs, Some(&fitted)), (Solver::Decoder, decoded.as_ref())];
            for (solver, found) in candidates.into_iter().filter(|_| decoded.is_some()) {
                let without = found.and_then(|found| found.without.as_ref());
                if let (Some(held_out), Some(without)) = (&search.held_out, without) {
                    compared.push((solver, held_out.r_factor(without)?));
                }
            }
            match (decoded, compared.as_slice()) {
                (Some(decoded), [(_, fitted), (_, better)]) if better < fitted => {
                    (Solver::Decoder, search, decoded, 1, seconds)
                }
                _ => (Solver::Lbfgs, search, fitted, starts, seconds),
            }
        }
        solver @ (Solver::Epie | Solver::Rpie | Solver::Raar) => {
            let search = Search::new(exposures, config, seed, on)?;
            let (found, driven) = by_sweeps(exposures, config, seed, device, run)?;
            (solver, search, found, 1, driven)
        }
        Solver::Decoder => {
            let search = Search::new(exposures, config, seed, on)?;
            let found = by_decoder(exposures, config, seed, (device, casting), run)?;
            (Solver::Decoder, search, found, 1, 0.0)
        }
    };
    // what other processes took
    let before = (driven - began.elapsed().as_secs_f64()).max(0.0);
    let taken = ReconstructionConfig { solver, ..config.clone() };
    let certificate = certificate::of(&search, &found, &taken, seed, (on, casting))?;
    let mut model = found.model;
    for ((shift, found), said) in model.shifts.iter_mut().zip(&exposures.centres).zip(&said.centres) {
        (0..2).for_each(|axis| shift[axis] += found[axis] - said[axis]);
    }
    Ok(Reconstruction {
        config: config.clone(),
        solver,
        model,
        calibration,
        prior_weight: (solver == Solver::Lbfgs).then_some(found.prior_weight),
        starts,
        tried: found.tried,
        compared,
        curve: found.curve,
        film: found.film,
        certificate,
        cache: exposures.frames.cache().unwrap_or_default(),
        seconds: before + began.elapsed().as_secs_f64(),
    })
}
