//! Draws of the endmembers from their posterior, by the no-U-turn sampler; the reference for the errors of the closed form.
//!
//! M. D. Hoffman, A. Gelman, "The No-U-Turn Sampler", JMLR 15, 1593 (2014), algorithm 6. Abundances are integrated out, so that only
//! positions of endmembers are drawn: `ln p(C | X) = sum_n ln p(x_n | C)` under an even prior, with the force
//! `sum_n E[W_n (x_n - C^T W_n)^T] / v_n`. Its expectations are those of the approximate face posteriors; a sampler needs a force that
//! depends on the position alone, and accepts by the density itself. Coordinates are scaled by the information of the fit.

use cupel_data::Stream;
use cupel_train::{Advance, Metrics, Position, Progress, SetReader, SetWriter, fingerprint};
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use super::{
    closed_form::{Marginal, Mixture},
    posterior::on_host,
};
use crate::{Error, Result};

/// Steps that adapt the step size before draws are kept.
const WARM_UP: u64 = 100;
/// Acceptance that the step size is adapted to, and the constants of its averaging (section 3.2.1).
const ACCEPTANCE: f64 = 0.8;
const SHRINKAGE: f64 = 0.05;
const EARLY: f64 = 10.0;
const FORGETTING: f64 = 0.75;
/// Doublings of a trajectory at most.
const DEEPEST: u32 = 7;
/// A trajectory whose energy grows by more has diverged.
const DIVERGED: f64 = 1000.0;

/// The sampler under way; an [`Advance`] of one draw at a time.
pub struct Nuts<'a> {
    mixture: &'a Mixture,
    /// What coordinates are the deviation from.
    centre: Vec<f64>,
    /// Scales the coordinates: `A` with `A A^T` the covariance of the fit, `count x count`.
    scale: Vec<f64>,
    samples: u64,
    stream: Stream,
    state: State,
    name: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    at: Vec<f64>,
    ln_step: f64,
    averaged_ln_step: f64,
    statistic: f64,
    /// Positions of all kept draws.
    draws: Vec<f64>,
}

/// A place with what moves there.
#[derive(Clone)]
struct Phase {
    at: Vec<f64>,
    momentum: Vec<f64>,
    force: Vec<f64>,
    ln_density: f64,
}

struct Tree {
    first: Phase,
    last: Phase,
    chosen: Vec<f64>,
    count: f64,
    goes_on: bool,
    acceptance: f64,
    tried: f64,
}

impl Phase {
    fn ln_joint(&self) -> f64 {
        self.ln_density - 0.5 * self.momentum.iter().map(|p| p * p).sum::<f64>()
    }
}

impl<'a> Nuts<'a> {
    /// Prepares `samples` draws about the fit of `mixture`.
    ///
    /// # Errors
    /// [`Error::Setting`] where materials vary: their endmembers maximise no likelihood of the scene.
    pub fn new(mixture: &'a Mixture, samples: usize, seed: u64) -> Result<Self> {
        let Some(Marginal { positions: centre, .. }) = mixture.marginal() else {
            let expected = "laplace: endmembers are typical spectra there, which maximise no likelihood";
            return Err(Error::setting("inference", "nuts where materials vary", expected));
        };
        let state = State {
            at: vec![0.0; centre.len()],
            ln_step: 0.5f64.ln(),
            averaged_ln_step: 0.0,
            statistic: 0.0,
            draws: Vec::new(),
        };
        let mut sampler = Self {
            mixture,
            centre: centre.to_vec(),
            scale: mixture.covariance_root(),
            samples: samples.max(1) as u64,
            stream: Stream::new(seed, "no-u-turn sampler"),
            state,
            name: format!("pmm-nuts-seed-{seed}"),
        };
        // coordinates of unit scale take steps of that order in any number of dimensions
        sampler.state.ln_step = (1.0 / (centre.len() as f64).powf(0.25)).ln();
        Ok(sampler)
    }

    /// Positions of all draws, one after the other.
    pub fn draws(&self) -> &[f64] {
        &self.state.draws
    }

    fn positions(&self, at: &[f64]) -> Vec<f64> {
        let count = self.mixture.count();
        let rank = at.len() / count;
        (0..at.len())
            .map(|i| {
                let (k, j) = (i / rank, i % rank);
                self.centre[i] + (0..count).map(|m| self.scale[k * count + m] * at[m * rank + j]).sum::<f64>()
            })
            .collect()
    }

    /// Density and force in scaled coordinates.
    fn density(&self, at: &[f64]) -> (f64, Vec<f64>) {
        let Some(Marginal { plane, ln_faces, chosen, .. }) = self.mixture.marginal() else {
            unreachable!("a sampler is only made where there is a marginal likelihood")
        };
        let count = self.mixture.count();
        let rank = at.len() / count;
        let positions = self.positions(at);
        let (sums, _) = on_host(plane, &positions, count, ln_faces, Some(chosen), 1.0);
        let force: Vec<f64> = (0..at.len())
            .map(|i| {
                let (k, j) = (i / rank, i % rank);
                let pulled: f64 = (0..count).map(|l| sums.weights[k * count + l] * positions[l * rank + j]).sum();
                sums.weighted[i] - pulled
            })
            .collect();
        let scaled = (0..at.len())
            .map(|i| {
                let (m, j) = (i / rank, i % rank);
                (0..count).map(|k| self.scale[k * count + m] * force[k * rank + j]).sum()
            })
            .collect();
        (sums.ln_evidence, scaled)
    }

    fn leap(&self, from: &Phase, step: f64) -> Phase {
        let mut momentum: Vec<f64> = from.momentum.iter().zip(&from.force).map(|(p, f)| p + 0.5 * step * f).collect();
        let at: Vec<f64> = from.at.iter().zip(&momentum).map(|(q, p)| q + step * p).collect();
        let (ln_density, force) = self.density(&at);
        momentum.iter_mut().zip(&force).for_each(|(p, f)| *p += 0.5 * step * f);
        Phase { at, momentum, force, ln_density }
    }

    /// A trajectory of `2^depth` leaps from `from`.
    fn tree(
        &self,
        from: &Phase,
        ln_slice: f64,
        step: f64,
        depth: u32,
        start: f64,
        uniform: &mut dyn FnMut() -> f64,
    ) -> Tree {
        if depth == 0 {
            let phase = self.leap(from, step);
            let joint = phase.ln_joint();
            let joint = if joint.is_nan() { f64::NEG_INFINITY } else { joint };
            return Tree {
                chosen: phase.at.clone(),
                count: f64::from(u8::from(ln_slice <= joint)),
                goes_on: ln_slice < joint + DIVERGED,
                acceptance: (joint - start).exp().min(1.0),
                tried: 1.0,
                first: phase.clone(),
                last: phase,
            };
        }
        let mut tree = self.tree(from, ln_slice, step, depth - 1, start, uniform);
        if !tree.goes_on {
            return tree;
        }
        let edge = if step > 0.0 { tree.last.clone() } else { tree.first.clone() };
        let other = self.tree(&edge, ln_slice, step, depth - 1, start, uniform);
        tree.join(other, step > 0.0, uniform, false);
        tree
    }

    fn draw(&mut self, update: u64) -> (f64, u32) {
        let mut rng = self.stream.child(update).rng();
        let (ln_density, force) = self.density(&self.state.at);
        let momentum = (0..self.state.at.len()).map(|_| StandardNormal.sample(&mut rng)).collect();
        let begin = Phase { at: self.state.at.clone(), momentum, force, ln_density };
        let start = begin.ln_joint();
        let mut uniform = || rng.random::<f64>().max(f64::MIN_POSITIVE);
        let ln_slice = start + uniform().ln();
        let step = self.state.ln_step.exp();
        let mut tree = Tree {
            chosen: begin.at.clone(),
            count: 1.0,
            goes_on: true,
            acceptance: 0.0,
            tried: 0.0,
            first: begin.clone(),
            last: begin,
        };
        let mut depth = 0;
        while tree.goes_on && depth < DEEPEST {
            let forward = uniform() < 0.5;
            let edge = if forward { tree.last.clone() } else { tree.first.clone() };
            let signed = if forward { step } else { -step };
            let other = self.tree(&edge, ln_slice, signed, depth, start, &mut uniform);
            // what the last doubling brought decides the adaptation
            (tree.acceptance, tree.tried) = (0.0, 0.0);
            tree.join(other, forward, &mut uniform, true);
            depth += 1;
        }
        let acceptance = tree.acceptance / tree.tried.max(1.0);
        self.state.at = tree.chosen;
        (acceptance, depth)
    }

    fn adapt(&mut self, update: u64, acceptance: f64) {
        let m = (update + 1) as f64;
        let centre = (10.0 / (self.centre.len() as f64).powf(0.25)).ln();
        let state = &mut self.state;
        let weight = 1.0 / (m + EARLY);
        state.statistic = (1.0 - weight) * state.statistic + weight * (ACCEPTANCE - acceptance);
        state.ln_step = centre - m.sqrt() / SHRINKAGE * state.statistic;
        let share = m.powf(-FORGETTING);
        state.averaged_ln_step = share * state.ln_step + (1.0 - share) * state.averaged_ln_step;
        if update + 1 == WARM_UP {
            state.ln_step = state.averaged_ln_step;
        }
    }
}

impl Tree {
    /// Adds a trajectory at one end; a `doubling` of the whole takes the other's draw with the ratio of their counts.
    fn join(&mut self, other: Self, forward: bool, uniform: &mut dyn FnMut() -> f64, doubling: bool) {
        let odds = if doubling { other.count / self.count } else { other.count / (self.count + other.count).max(1.0) };
        if (!doubling || other.goes_on) && uniform() < odds {
            self.chosen = other.chosen;
        }
        if forward {
            self.last = other.last;
        } else {
            self.first = other.first;
        }
        self.count += other.count;
        self.acceptance += other.acceptance;
        self.tried += other.tried;
        let along = |momentum: &[f64]| -> f64 {
            self.last.at.iter().zip(&self.first.at).zip(momentum).map(|((l, f), p)| (l - f) * p).sum()
        };
        self.goes_on = other.goes_on && along(&self.first.momentum) >= 0.0 && along(&self.last.momentum) >= 0.0;
    }
}

impl Advance for Nuts<'_> {
    fn advance(&mut self, at: Position) -> cupel_train::Result<Progress> {
        let (acceptance, depth) = self.draw(at.update);
        if at.update < WARM_UP {
            self.adapt(at.update, acceptance);
        } else {
            let positions = self.positions(&self.state.at);
            self.state.draws.extend(positions);
        }
        let metrics = Metrics::from([
            ("acceptance", acceptance),
            ("depth", f64::from(depth)),
            ("step_size", self.state.ln_step.exp()),
        ]);
        let done = at.update + 1 >= WARM_UP + self.samples;
        Ok(Progress { metrics, done: done.then_some("all draws are made") })
    }

    fn save(&self, set: &mut SetWriter) -> cupel_train::Result<()> {
        set.json("sampler", &self.state)
    }

    fn load(&mut self, set: &SetReader) -> cupel_train::Result<()> {
        let state: State = set.json("sampler")?;
        if state.at.len() != self.centre.len() || !state.draws.len().is_multiple_of(self.centre.len()) {
            return Err(cupel_train::Error::work(Error::Shape {
                what: "saved draws of endmembers",
                expected: format!("{} coordinates each", self.centre.len()),
                got: format!("{} and {} in all", state.at.len(), state.draws.len()),
            }));
        }
        self.state = state;
        Ok(())
    }

    fn fingerprint(&self) -> cupel_train::Result<[u8; 32]> {
        fingerprint(&("no-u-turn sampler", self.mixture.fingerprint()?, &self.centre, self.samples))
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn total(&self) -> Option<u64> {
        Some(WARM_UP + self.samples)
    }
}
