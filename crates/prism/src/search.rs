//! [`Search`]: the object, and the weight of its prior, by quasi-Newton steps.

use burn::tensor::{DType, Device};
use cupel_train::{
    Advance, Casting, Computing, Descent, Metrics, Objective, Position, Progress, SetReader, SetWriter, fingerprint,
};
use serde::{Deserialize, Serialize};

use crate::{
    Exposures, Film, Free, Misfit, Model, Noise, Plane, ReconstructionConfig, Result, Units, held_out::held_out,
    start::start,
};

/// Pairs of steps that the curvature is known from.
const MEMORY: usize = 10;
/// A fit has converged where its misfit falls by less, relative to itself.
const TOLERANCE: f64 = 1e-9;
/// The weight that is tried first, the weakest, the strongest, and the factor from one to the next, about half of ten.
const FIRST: f64 = 3e-3;
const WEAKEST: f64 = 1e-6;
const STRONGEST: f64 = 1.0;
const FACTOR: f64 = 3.162_277_660_168_379_5;
/// Weight and steps before any is tried, on amplitudes: a strong prior finds edges where there are none as long as phases are wrong, and does not let go
/// of them.
const WARM_UP: (f64, u64) = (1e-4, 40);
/// Steps at each weight, and of the last fit, where there is noise: more would only fit the noise of what the prior leaves open.
const STEPS: u64 = 20;
const LAST_STEPS: u64 = 40;
/// The same where there is none.
const NOISELESS_WARM_UP: (f64, u64) = (1e-4, 50);
const NOISELESS_STEPS: u64 = 30;
const NOISELESS_LAST: u64 = 130;
/// Without noise the last fit goes on, up to so many steps, until its misfit has fallen by less than this share over this many steps: sharp edges
/// take far longer than smooth objects.
const NOISELESS_MOST: u64 = 1500;
const SETTLED: f64 = 2e-3;
const SETTLED_STEPS: usize = 20;
/// Weight where no exposure can be held out to choose it.
const WITHOUT_CHOICE: f64 = 1e-4;

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
    /// Weight and steps before any is tried.
    warm_up: (f64, u64),
    /// The weight, where it is not to be chosen.
    fixed: Option<f64>,
    steps: u64,
    last: u64,
    /// Whether the last fit goes on until its misfit has settled.
    until_settled: bool,
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
    phase: Phase,
    /// The weight of the fit at hand.
    weight: f64,
    /// Its steps so far.
    step: u64,
    tried: Vec<Tried>,
    curve: Vec<f64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Phase {
    #[default]
    WarmUp,
    Trying,
    Last,
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
    /// The unit of the object that the weight holds for.
    pub unit: f64,
    /// Weights that were tried.
    pub tried: Vec<Tried>,
    /// The misfit after each step.
    pub curve: Vec<f64>,
    /// How the object came to be, where a run with a folder made it.
    pub film: Film,
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
        let fixed = match config.prior_weight {
            Some(weight) => Some(weight),
            None if noiseless => Some(WEAKEST),
            None if training.is_none() => Some(WITHOUT_CHOICE),
            None => None,
        };
        let (warm_up, steps) = if noiseless { (NOISELESS_WARM_UP, NOISELESS_STEPS) } else { (WARM_UP, STEPS) };
        let warm_up = (fixed.map_or(warm_up.0, |fixed| warm_up.0.max(fixed)), warm_up.1);
        let last = config.iterations.unwrap_or(if noiseless { NOISELESS_LAST } else { LAST_STEPS });
        let descent = Descent::new(all.start(), MEMORY);
        let mut search = Self {
            exposures: exposures.clone(),
            all,
            training,
            held_out: judges,
            warm_up,
            fixed,
            steps,
            last,
            until_settled: noiseless && config.iterations.is_none(),
            descent,
            best: Vec::new(),
            state: State { weight: warm_up.0, ..State::default() },
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

    /// The misfit at hand.
    fn misfit(&mut self) -> &mut Misfit {
        match &mut self.training {
            Some(training) if self.state.phase != Phase::Last => training,
            _ => &mut self.all,
        }
    }

    /// Gives the misfit at hand the weight of its phase.
    fn enter(&mut self) {
        let State { weight, phase, .. } = self.state;
        let misfit = self.misfit();
        misfit.set_prior(weight);
        misfit.compare_amplitudes(phase == Phase::WarmUp);
    }

    fn step(&mut self) -> Result<Progress> {
        let misfit = match &mut self.training {
            Some(training) if self.state.phase != Phase::Last => training,
            _ => &mut self.all,
        };
        let over = self.descent.step(misfit, TOLERANCE)?;
        let value = self.descent.value().unwrap_or(f64::NAN);
        let State { phase, weight, step, curve, .. } = &mut self.state;
        curve.push(value);
        *step += 1;
        let mut metrics = Metrics::from([("loss", value), ("prior_weight", *weight)]);
        let steps = match phase {
            Phase::WarmUp => self.warm_up.1,
            Phase::Trying => self.steps,
            Phase::Last if self.until_settled && !settled(curve) => NOISELESS_MOST,
            Phase::Last => self.last,
        };
        let over = over.or((*step >= steps).then_some("all steps are made"));
        match (*phase, over) {
            (Phase::Last, done) => return Ok(Progress { metrics, done }),
            (_, None) => {}
            (Phase::WarmUp, Some(_)) => self.go_on(Phase::Trying, self.fixed.unwrap_or(FIRST), false),
            (Phase::Trying, Some(_)) => {
                let held_out = match &self.held_out {
                    Some(judges) => judges.losses(&judges.model(self.descent.x()))?.iter().sum(),
                    None => value,
                };
                metrics.push("held_out".to_string(), held_out);
                self.tried(held_out);
            }
        }
        Ok(Progress { metrics, done: None })
    }

    /// Goes on with another fit, from here or from the best so far.
    fn go_on(&mut self, phase: Phase, weight: f64, from_best: bool) {
        (self.state.phase, self.state.weight, self.state.step) = (phase, weight, 0);
        if from_best {
            self.descent = Descent::new(self.best.clone(), MEMORY);
        } else {
            self.descent.restart();
        }
        self.enter();
    }

    /// The weight at hand has been tried.
    fn tried(&mut self, held_out: f64) {
        let weight = self.state.weight;
        if self.state.tried.iter().all(|before| held_out < before.held_out) {
            self.best = self.descent.x().to_vec();
        }
        self.state.tried.push(Tried { weight, held_out });
        if let Some(fixed) = self.fixed {
            return self.go_on(Phase::Last, fixed, false);
        }
        match next(&self.state.tried) {
            Some(next) => self.go_on(Phase::Trying, next, next > weight),
            None => self.go_on(Phase::Last, best(&self.state.tried).map_or(weight, |(_, best)| best.weight), true),
        }
    }

    /// The object as it stands.
    pub fn object(&self) -> Plane {
        self.all.model(self.descent.x()).object
    }

    /// What was found; call it when the search is over.
    ///
    /// # Errors
    /// None at present.
    pub fn finish(&self) -> Result<Found> {
        Ok(Found {
            model: self.all.model(self.descent.x()),
            without: self.training.as_ref().map(|training| training.model(&self.best)),
            prior_weight: self.state.weight,
            unit: self.all.units().object,
            tried: self.state.tried.clone(),
            curve: self.state.curve.clone(),
            film: Film::default(),
        })
    }
}

/// Whether the misfit hardly falls any more.
fn settled(curve: &[f64]) -> bool {
    let Some(now) = curve.last() else { return false };
    let before = curve.len().checked_sub(1 + SETTLED_STEPS).map(|place| curve[place]);
    before.is_some_and(|before| before - now <= SETTLED * now)
}

/// The best weight that was tried, with its place.
fn best(tried: &[Tried]) -> Option<(usize, Tried)> {
    tried.iter().copied().enumerate().min_by(|a, b| a.1.held_out.total_cmp(&b.1.held_out))
}

/// The weight to be tried after these: weaker and weaker ones until two in turn were worse than the best, then, where the first was the best, stronger
/// ones as long as they are better.
fn next(tried: &[Tried]) -> Option<f64> {
    let (place, found) = best(tried)?;
    let last = tried.last()?.weight;
    let up = |from: f64| (from * FACTOR <= STRONGEST).then_some(from * FACTOR);
    if last > FIRST {
        return if place + 1 == tried.len() { up(last) } else { None };
    }
    if tried.len() - place <= 2 && last > WEAKEST * 1.01 {
        return Some((last / FACTOR).max(WEAKEST));
    }
    if found.weight == FIRST { up(FIRST) } else { None }
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
        fingerprint(&("search", self.warm_up, self.fixed, self.steps, self.seed, noise, self.all.fingerprint()?))
    }

    fn name(&self) -> &str {
        "search"
    }

    fn total(&self) -> Option<u64> {
        // about six weights are tried
        let tried = if self.fixed.is_some() { 1 } else { 6 };
        Some(self.warm_up.1 + tried * self.steps + self.last)
    }

    fn computing(&self) -> Option<Computing> {
        Some(Computing::of(&self.device, &Casting::f32(), self.seed))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Tries weights whose error is least at `wanted`.
    fn path(wanted: f64) -> Vec<f64> {
        let mut tried = Vec::new();
        let mut weight = Some(FIRST);
        while let Some(at) = weight {
            tried.push(Tried { weight: at, held_out: (at / wanted).ln().abs() });
            weight = next(&tried);
        }
        tried.into_iter().map(|tried| tried.weight).collect()
    }

    #[test]
    fn weights_are_tried_on_both_sides_of_the_best() {
        for wanted in [1.0, 0.1, 3e-3, 3e-4, 1e-5, 1e-6] {
            let weights = path(wanted);
            let nearest = weights.iter().map(|weight| (weight / wanted).ln().abs()).fold(f64::INFINITY, f64::min);
            assert!(nearest <= FACTOR.ln() / 2.0 + 1e-9, "{wanted}: {weights:?}");
            assert!(weights.len() <= 9, "{wanted}: {weights:?}");
        }
        assert_eq!(path(3e-4).len(), 5);
    }
}
