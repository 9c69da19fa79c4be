//! [`reconstruct`]: the one door from exposures to an object with its certificate.

use burn::tensor::{DType, Device};
use cupel_settings::{Range, Settings, choices, settings};
use cupel_train::{Casting, Run};
use serde::{Deserialize, Serialize};

use crate::{
    CacheStats, Calibration, Certificate, DecoderConfig, Exposures, FRAME_BYTES, Film, Free, Lights, Misfit, Model,
    Result, Search, Tiers, certificate,
    restarts::{Searched, searched},
    search::{Tried, units},
    solvers::{by_decoder, by_sweeps},
    tiers::{Known, known, sweeps},
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
        /// Exposures, counted from 0, that are put aside: nothing is fitted to them or chosen by them, and the end tells how they are foretold
        pub test_exposures: Vec<usize> = Vec::new(), in Range::at_least(0.0).at_most(1e9), "N,N";
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

impl ReconstructionConfig {
    /// The exposures that are reconstructed from, and those that are put aside, where any are.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for exposures that are not there, or where none is left.
    pub fn put_aside(&self, exposures: &Exposures) -> Result<(Exposures, Option<Exposures>)> {
        let count = exposures.centres.len();
        let aside: std::collections::BTreeSet<usize> = self.test_exposures.iter().copied().collect();
        if aside.is_empty() {
            return Ok((exposures.clone(), None));
        }
        if aside.len() >= count || aside.last().is_some_and(|last| *last >= count) {
            let got = self.test_exposures.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
            let expected = format!("numbers below {count}, and not all of them");
            return Err(cupel_settings::Problem::value("test-exposures", got, expected).into());
        }
        let rest: Vec<usize> = (0..count).filter(|index| !aside.contains(index)).collect();
        Ok((exposures.only(&rest), Some(exposures.only(&aside.into_iter().collect::<Vec<_>>()))))
    }
}

impl Reconstruction {
    /// R-factor of exposures that had no part in it, from object and instrument as they were found; of a probe where they were said to be, of lights
    /// by where their array was found to lie, with a brightness of one.
    ///
    /// # Errors
    /// Exposures of another field, frames that cannot be read, a device that fails.
    pub fn foretold(&self, others: &Exposures, device: &Device) -> Result<f64> {
        let mut others = others.clone();
        if let (Some(Lights { array, .. }), Some(Tiers { lights: Some(found), .. })) =
            (&others.lights, &self.calibration)
        {
            let exact = array.centres(found.pose);
            // sweeps cut whole places
            let whole = self.solver == Solver::Epie;
            others.centres = if whole { exact.iter().map(|c| c.map(f64::round)).collect() } else { exact };
        }
        let pupils = self.model.pupils.clone();
        let model = Model { pupils, ..Model::new(&others, self.model.object.clone())? };
        let (all, units) = ((0..others.centres.len()).collect(), units(&others, &model.object));
        Misfit::new(&others, all, model.clone(), Free::OBJECT, units, 0.0, (device, DType::F32))?.r_factor(&model)
    }
}

/// Finds the object that `exposures` show, on `device` (without automatic differentiation), within `run`, which saves the state between steps.
/// `casting` is for decoders alone, everything else is f32.
///
/// Some exposures are held out, never that of the bright field; how well they are foretold chooses the prior's weight, from a strong one to weaker
/// ones, each from where the one before ended. The last fit is to all exposures. Where there is no noise nothing needs to be chosen: the weight falls
/// to 1e-6, which only decides about frequencies that no exposure shows.
///
/// Positions and probe of a scan, and pose, pupil and brightness of an array of lights, are found before, where exposures held out say that this
/// foretells them better ([`Calibration`]). Sweeps find those of an array; where its noise is not known, [`Solver::Auto`] takes their object too, and
/// where it is, it takes what foretells the exposures held out better, sweeps or quasi-Newton steps.
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
    let Known { exposures, centres, tiers, swept } = known(said, config, seed, run)?;
    let exposures = &exposures;
    let sought = swept.as_ref().map_or(0.0, |(_, seconds)| *seconds);
    let on = (device, DType::F32);
    let mut compared = Vec::new();
    let by_lights = swept.clone().filter(|_| sweeps(config, exposures));
    let (solver, search, found, starts, driven) = match (config.solver, by_lights) {
        (_, Some((found, _))) => (Solver::Epie, Search::new(exposures, config, seed, on)?, found, 1, 0.0),
        (Solver::Auto | Solver::Lbfgs | Solver::Best, None) => {
            let Searched { search, found: fitted, starts, seconds } = searched(exposures, config, seed, on, run)?;
            let decoded = match config.solver {
                Solver::Best => Some(by_decoder(exposures, config, seed, (device, casting), run)?),
                _ => None,
            };
            let other = match (decoded, &swept) {
                (Some(decoded), _) => Some((Solver::Decoder, decoded)),
                (None, Some((swept, _))) if config.solver == Solver::Auto => Some((Solver::Epie, swept.clone())),
                _ => None,
            };
            if let (Some((solver, other)), Some(held_out)) = (&other, &search.held_out) {
                for (solver, found) in [(Solver::Lbfgs, &fitted), (*solver, other)] {
                    if let Some(without) = &found.without {
                        compared.push((solver, held_out.r_factor(without)?));
                    }
                }
            }
            match (other, compared.as_slice()) {
                (Some((solver, other)), [(_, fitted), (_, better)]) if better < fitted => {
                    (solver, search, other, 1, seconds)
                }
                _ => (Solver::Lbfgs, search, fitted, starts, seconds),
            }
        }
        (solver @ (Solver::Epie | Solver::Rpie | Solver::Raar), None) => {
            let search = Search::new(exposures, config, seed, on)?;
            let (found, driven) = by_sweeps(exposures, config, seed, device, run)?;
            (solver, search, found, 1, driven)
        }
        (Solver::Decoder, None) => {
            let search = Search::new(exposures, config, seed, on)?;
            let found = by_decoder(exposures, config, seed, (device, casting), run)?;
            (Solver::Decoder, search, found, 1, 0.0)
        }
    };
    // what other processes took
    let before = (sought + driven - began.elapsed().as_secs_f64()).max(0.0);
    let taken = ReconstructionConfig { solver, ..config.clone() };
    let certificate = certificate::of(&search, &found, &taken, seed, (on, casting))?;
    let mut model = found.model;
    for ((shift, found), said) in model.shifts.iter_mut().zip(&centres).zip(&said.centres) {
        (0..2).for_each(|axis| shift[axis] += found[axis] - said[axis]);
    }
    Ok(Reconstruction {
        config: config.clone(),
        solver,
        model,
        calibration: tiers,
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
