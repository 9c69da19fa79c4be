//! [`Search`]: the object, and the weight of its prior, by quasi-Newton steps.

use burn::tensor::{DType, Device};
use cupel_data::Stream;
use cupel_train::{
    Advance, Casting, Computing, Descent, Metrics, Objective, Position, Progress, SetReader, SetWriter, fingerprint,
};
use serde::{Deserialize, Serialize};

use crate::{Exposures, Free, Misfit, Model, Noise, Plane, ReconstructionConfig, Result, Units, start::start};

/// Pairs of steps that the curvature is known from.
const MEMORY: usize = 10;
/// A fit has converged where its misfit falls by less, relative to itself.
const TOLERANCE: f64 = 1e-9;
/// Strongest and weakest weight of the prior that is tried, and how many there are to a factor of ten.
const STRONGEST: f64 = 1e-2;
const WEAKEST: f64 = 1e-6;
const PER_DECADE: i32 = 2;
/// Steps at each weight, and of the last fit, where there is noise: more would only fit the noise of what the prior leaves open.
const STEPS: u64 = 20;
const LAST_STEPS: u64 = 40;
/// Weights without noise, their steps, and those of the last fit.
const NOISELESS: [(f64, u64); 2] = [(1e-4, 50), (WEAKEST, 30)];
const NOISELESS_LAST: u64 = 130;
/// Weight where no exposure can be held out to choose it.
const WITHOUT_CHOICE: f64 = 1e-4;
/// Fewer exposures decide nothing: none is held out.
const FEWEST: usize = 8;
/// Fewest exposures that decide.
const FEWEST_HELD_OUT: usize = 2;

/// A weight of the prior, and what the exposures held out said of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tried {
    /// The weight.
    pub weight: f64,
    /// The misfit to the exposures held out, in the units of the likelihood; where none is held out that of the fit.
    pub held_out: f64,
}

/// A reconstruction under way; an [`Advance`] that makes one step at a time.
pub struct Search {
    exposures: Exposures,
    /// All exposures, those that weights are fitted to, and those that judge.
    pub(crate) all: Misfit,
    training: Option<Misfit>,
    pub(crate) held_out: Option<Misfit>,
    stages: Vec<(f64, u64)>,
    last: u64,
    choose: bool,
    descent: Descent,
    /// Where the best weight so far ended.
    best: Vec<f64>,
    state: State,
    device: Device,
    seed: u64,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    stage: usize,
    step: u64,
    tried: Vec<Tried>,
    /// The weight of the last fit, once it is known.
    chosen: Option<f64>,
    curve: Vec<f64>,
}

/// What a search found.
#[derive(Clone, Debug)]
pub struct Found {
    /// All that explains the exposures.
    pub model: Model,
    /// The same without the exposures that were held out, where any were.
    pub without: Option<Model>,
    /// Weight of the total variation.
    pub prior_weight: f64,
    /// Weights that were tried.
    pub tried: Vec<Tried>,
    /// The misfit after each step.
    pub curve: Vec<f64>,
}

impl Search {
    /// Reads the exposures and holds some out.
    ///
    /// # Errors
    /// Exposures that contradict themselves.
    pub fn new(exposures: &Exposures, config: &ReconstructionConfig, seed: u64, on: (&Device, DType)) -> Result<Self> {
        exposures.check()?;
        let model = Model::new(exposures, start(exposures, None)?)?;
        let units = units(exposures, &model.object);
        Self::from_model(exposures, model, Free::OBJECT, units, config, seed, on)
    }

    /// The same from a model, with more parameters free than the object.
    ///
    /// # Errors
    /// Exposures that contradict themselves.
    pub fn from_model(
        exposures: &Exposures,
        model: Model,
        free: Free,
        units: Units,
        config: &ReconstructionConfig,
        seed: u64,
        on: (&Device, DType),
    ) -> Result<Self> {
        let count = exposures.centres.len();
        let held = held_out(exposures, config.held_out, seed);
        let fitted: Vec<usize> = (0..count).filter(|index| !held.contains(index)).collect();
        let misfit = |which: Vec<usize>| Misfit::new(exposures, which, model.clone(), free, units, 0.0, on);
        let all = misfit((0..count).collect())?;
        let (training, judges) =
            if held.is_empty() { (None, None) } else { (Some(misfit(fitted)?), Some(misfit(held)?)) };
        let noiseless = exposures.noise == Noise::None;
        let weights = || {
            let count = ((STRONGEST / WEAKEST).log10() * f64::from(PER_DECADE)).round() as i32;
            (0..=count).map(|step| STRONGEST * 10f64.powf(-f64::from(step) / f64::from(PER_DECADE)))
        };
        let stages: Vec<(f64, u64)> = match config.prior_weight {
            _ if noiseless => {
                let weakest = config.prior_weight.unwrap_or(WEAKEST);
                vec![(NOISELESS[0].0.max(weakest), NOISELESS[0].1), (weakest, NOISELESS[1].1)]
            }
            // stronger ones lead to it
            Some(weight) => weights()
                .filter(|stronger| *stronger > 2.0 * weight)
                .step_by(2)
                .chain([weight])
                .map(|w| (w, STEPS))
                .collect(),
            None if training.is_none() => {
                weights().filter(|weight| *weight >= WITHOUT_CHOICE).map(|w| (w, STEPS)).collect()
            }
            None => weights().map(|weight| (weight, STEPS)).collect(),
        };
        let choose = config.prior_weight.is_none() && !noiseless && training.is_some();
        let last = config.iterations.unwrap_or(if noiseless { NOISELESS_LAST } else { LAST_STEPS });
        let descent = Descent::new(all.start(), MEMORY);
        let mut search = Self {
            exposures: exposures.clone(),
            all,
            training,
            held_out: judges,
            stages,
            last,
            choose,
            descent,
            best: Vec::new(),
            state: State::default(),
            device: on.0.clone(),
            seed,
        };
        search.enter();
        Ok(search)
    }

    /// The exposures.
    pub fn exposures(&self) -> &Exposures {
        &self.exposures
    }

    /// Gives the misfit at hand the weight of its stage.
    fn enter(&mut self) {
        let weight = match self.state.chosen {
            Some(weight) => weight,
            None => self.stages[self.state.stage].0,
        };
        match (&mut self.training, self.state.chosen) {
            (Some(training), None) => training.set_prior(weight),
            _ => self.all.set_prior(weight),
        }
    }

    fn step(&mut self) -> Result<Progress> {
        let last = self.state.chosen.is_some();
        let misfit = match (&mut self.training, last) {
            (Some(training), false) => training,
            _ => &mut self.all,
        };
        let over = self.descent.step(misfit, TOLERANCE)?;
        let value = self.descent.value().unwrap_or(f64::NAN);
        let weight = misfit.prior();
        self.state.curve.push(value);
        self.state.step += 1;
        let mut metrics = Metrics::from([("loss", value), ("prior_weight", weight)]);
        if last {
            let done = over.or((self.state.step >= self.last).then_some("all steps are made"));
            return Ok(Progress { metrics, done });
        }
        let (_, steps) = self.stages[self.state.stage];
        if over.is_some() || self.state.step >= steps {
            let judged = match &self.held_out {
                Some(judges) => judges.losses(&judges.model(self.descent.x()))?.iter().sum(),
                None => value,
            };
            metrics.push("held_out".to_string(), judged);
            self.next_stage(weight, judged);
        }
        Ok(Progress { metrics, done: None })
    }

    fn next_stage(&mut self, weight: f64, held_out: f64) {
        let State { stage, step, tried, chosen, .. } = &mut self.state;
        let better = tried.iter().all(|before| held_out < before.held_out);
        tried.push(Tried { weight, held_out });
        if better || !self.choose {
            self.best = self.descent.x().to_vec();
        }
        let since = tried.iter().rev().take_while(|later| later.held_out > least(tried)).count();
        (*stage, *step) = (*stage + 1, 0);
        if *stage == self.stages.len() || self.choose && since >= 2 {
            let best = tried.iter().min_by(|a, b| a.held_out.total_cmp(&b.held_out));
            *chosen = Some(if self.choose { best.map_or(weight, |best| best.weight) } else { weight });
            let evaluations = self.descent.evaluations();
            self.descent = Descent::new(self.best.clone(), MEMORY);
            let _ = evaluations;
        } else {
            self.descent.restart();
        }
        self.enter();
    }

    /// What was found; call it when the search is over.
    ///
    /// # Errors
    /// None at present.
    pub fn finish(&self) -> Result<Found> {
        Ok(Found {
            model: self.all.model(self.descent.x()),
            without: self.training.as_ref().map(|training| training.model(&self.best)),
            prior_weight: self.state.chosen.unwrap_or(self.stages[self.state.stage.min(self.stages.len() - 1)].0),
            tried: self.state.tried.clone(),
            curve: self.state.curve.clone(),
        })
    }
}

fn least(tried: &[Tried]) -> f64 {
    tried.iter().map(|tried| tried.held_out).fold(f64::INFINITY, f64::min)
}

impl Advance for Search {
    fn advance(&mut self, _: Position) -> cupel_train::Result<Progress> {
        self.step().map_err(|error| match error {
            crate::Error::Train(error) => error,
            other => cupel_train::Error::work(other),
        })
    }

    fn save(&self, set: &mut SetWriter) -> cupel_train::Result<()> {
        set.json("search.json", &self.state)?;
        self.descent.save("descent", set)?;
        set.bytes("best.f64", &self.best.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>())
    }

    fn load(&mut self, set: &SetReader) -> cupel_train::Result<()> {
        self.state = set.json("search.json")?;
        self.descent = Descent::load("descent", self.all.len(), set)?;
        let value = |bytes: &[u8]| bytes.try_into().map_or(f64::NAN, f64::from_le_bytes);
        self.best = set.bytes("best.f64")?.chunks_exact(8).map(value).collect();
        self.enter();
        Ok(())
    }

    fn fingerprint(&self) -> cupel_train::Result<[u8; 32]> {
        let noise = format!("{:?}", self.exposures.noise);
        fingerprint(&("search", &self.stages, self.choose, self.seed, noise, self.all.fingerprint()?))
    }

    fn name(&self) -> &str {
        "search"
    }

    fn total(&self) -> Option<u64> {
        Some(self.stages.iter().map(|stage| stage.1).sum::<u64>() + self.last)
    }

    fn computing(&self) -> Option<Computing> {
        Some(Computing::of(&self.device, &Casting::f32(), self.seed))
    }

    fn has_more(&self) -> bool {
        self.state.step < self.last
    }
}

/// Units of the parameters: the bright parts of the object, the pupil's largest value, a place, the mean intensity.
pub(crate) fn units(exposures: &Exposures, object: &Plane) -> Units {
    let mut amplitude = object.amplitude();
    amplitude.retain(|value| *value > 0.0);
    amplitude.sort_by(f64::total_cmp);
    let bright = amplitude.get(amplitude.len() * 99 / 100).copied().unwrap_or(1.0);
    let pupil = exposures.optics.pupils.iter().flat_map(Plane::amplitude).fold(0.0, f64::max);
    Units { object: bright, pupils: pupil, shifts: 1.0, flux: 1.0, background: bright * bright }
}

/// Exposures to hold out, in their order; never the one nearest to the middle of a spectrum.
pub(crate) fn held_out(exposures: &Exposures, share: f64, seed: u64) -> Vec<usize> {
    let count = exposures.centres.len();
    if share == 0.0 || count < FEWEST {
        return Vec::new();
    }
    let bright = crate::start::brightest(exposures);
    let wanted = ((share * count as f64).round() as usize).clamp(FEWEST_HELD_OUT, count / 2);
    let mut held: Vec<usize> = Stream::new(seed, "exposures held out")
        .permutation(count)
        .into_iter()
        .filter(|index| Some(*index) != bright)
        .take(wanted)
        .collect();
    held.sort_unstable();
    held
}
