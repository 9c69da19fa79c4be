//! [`Tpe`]: the tree-structured Parzen estimator.
//!
//! The trials are split into the best and the rest, the density of each part is estimated as l(x) and g(x), and of some
//! draws from l the one with the greatest l(x) / g(x) is taken, which is the one of greatest expected improvement
//! (Bergstra, Bardenet, Bengio and Kégl, "Algorithms for hyper-parameter optimization", NIPS 2011, section 4). Each
//! parameter has its own history. The univariate form does this for each parameter by itself; the multivariate form
//! takes densities of all parameters together, so it sees which values go with which (Falkner, Klein and Hutter, "BOHB",
//! ICML 2018, arXiv:1807.01774). Numbers as Watanabe recommends ("Tree-structured Parzen estimator", 2023,
//! arXiv:2304.11127) and Optuna 5 takes: the best are 10 % of the trials and at most 25 of one objective,
//! of the rest the older ones beyond 25 fade linearly, 10 random trials come first, and 24 values are drawn.
//!
//! With several objectives the best trials are those of the lowest ranks of domination, and of the rank that does not
//! fit as a whole a subset of great hypervolume (Ozaki, Tanigaki, Watanabe, Nomura and Onishi 2022,
//! doi:10.1613/jair.1.13188); unlike there, they all have the same weight.
//!
//! Pruned trials rank behind complete ones, by how far they came and then by their last value. Trials that still run
//! count to the rest, so that workers keep away from each other (the constant liar of Ginsbourger, Le Riche and Carraro
//! 2010, doi:10.1007/978-3-642-10701-6_6, with the lie that they will not be among the best).

mod parzen;

use crate::{
    Error, Parameter, Result,
    draws::Draws,
    pareto,
    record::{State, StudyRecord, TrialRecord},
    sampler::Context,
};
use parzen::Parzen;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// Share of the trials that count as the best, and the most of them.
const BEST: (f64, usize) = (0.1, 25);
/// So many of the newest trials have full weight.
const FULL_WEIGHT: usize = 25;

/// Settings of the tree-structured Parzen estimator.
///
/// | setting | default | legal |
/// |---|---|---|
/// | `multivariate` | true | |
/// | `startup_trials` | 10 | any |
/// | `candidates` | 24 | at least 1 |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tpe {
    /// Whether parameters are drawn together, those of one condition as a group.
    pub multivariate: bool,
    /// So many trials have to be complete or pruned before the model is used.
    pub startup_trials: usize,
    /// Values drawn from the density of the best, of which one is taken.
    pub candidates: usize,
}

impl Default for Tpe {
    fn default() -> Self {
        Self { multivariate: true, startup_trials: 10, candidates: 24 }
    }
}

impl Tpe {
    /// Every parameter by itself.
    pub fn univariate() -> Self {
        Self { multivariate: false, ..Self::default() }
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.candidates == 0 { Err(Error::setting("candidates", 0, "at least 1")) } else { Ok(()) }
    }
}

/// The trials, split.
pub(crate) struct Model<'a> {
    tpe: &'a Tpe,
    best: Vec<&'a TrialRecord>,
    rest: Vec<&'a TrialRecord>,
    several_objectives: bool,
}

impl<'a> Model<'a> {
    /// Nothing before there are enough trials.
    pub(crate) fn new(tpe: &'a Tpe, context: &Context<'a>) -> Option<Self> {
        let record = context.record;
        let mut running = Vec::new();
        let (mut complete, mut pruned) = (Vec::new(), Vec::new());
        for trial in record.trials.iter().filter(|trial| trial.number != context.number) {
            match trial.state {
                State::Complete => complete.push(trial),
                State::Pruned => pruned.push(trial),
                State::Running => running.push(trial),
                State::Failed | State::Waiting => {}
            }
        }
        let finished = complete.len() + pruned.len();
        if finished < tpe.startup_trials.max(1) {
            return None;
        }
        let several_objectives = record.objectives.len() > 1;
        let count = (BEST.0 * finished as f64).ceil() as usize;
        let count = if several_objectives { count } else { count.min(BEST.1) };

        let order = order(record, &complete, count);
        let mut ranked: Vec<&TrialRecord> = order.into_iter().map(|i| complete[i]).collect();
        let direction = record.objectives[context.pruning.unwrap_or(0)].direction;
        let mut keyed: Vec<((bool, u64, f64), &TrialRecord)> = pruned
            .into_iter()
            .map(|trial| {
                let key = trial.last().map_or((true, 0, 0.0), |(step, value)| {
                    let loss = direction.loss(value);
                    (false, u64::MAX - step, if loss.is_nan() { f64::INFINITY } else { loss })
                });
                (key, trial)
            })
            .collect();
        keyed.sort_by(|(a, _), (b, _)| a.partial_cmp(b).unwrap_or(Ordering::Equal));
        ranked.extend(keyed.into_iter().map(|(_, trial)| trial));

        let mut rest = ranked.split_off(count.min(ranked.len()));
        rest.extend(running);
        // Weights fade with age.
        ranked.sort_by_key(|trial| trial.number);
        rest.sort_by_key(|trial| trial.number);
        Some(Self { tpe, best: ranked, rest, several_objectives })
    }

    pub(crate) fn is_multivariate(&self) -> bool {
        self.tpe.multivariate
    }

    /// Values for these parameters together.
    pub(crate) fn sample(&self, parameters: &[&Parameter], draws: &mut Draws) -> Vec<f64> {
        let best = estimate(&self.best, parameters, self.several_objectives);
        let rest = estimate(&self.rest, parameters, false);
        let mut taken = (f64::NEG_INFINITY, best.sample(draws));
        for i in 0..self.tpe.candidates {
            let values = if i == 0 { taken.1.clone() } else { best.sample(draws) };
            let ratio = best.log_density(&values) - rest.log_density(&values);
            if ratio > taken.0 {
                taken = (ratio, values);
            }
        }
        taken.1
    }
}

/// The density of the trials that have all these parameters, each with a value that its distribution still allows.
fn estimate(trials: &[&TrialRecord], parameters: &[&Parameter], equal_weights: bool) -> Parzen {
    let observation = |trial: &&TrialRecord| -> Option<Vec<f64>> {
        let value = |parameter: &&Parameter| {
            let setting = trial.parameters.get(&parameter.name)?;
            // A changed distribution may number its choices in another way.
            let internal = match &parameter.distribution {
                choices @ crate::Distribution::Categorical { .. } => choices.internal(&setting.value())?,
                _ => setting.internal,
            };
            parameter.distribution.contains(internal).then_some(internal)
        };
        parameters.iter().map(value).collect()
    };
    let observations: Vec<Vec<f64>> = trials.iter().filter_map(observation).collect();
    let weights = if equal_weights { vec![1.0; observations.len()] } else { weights(observations.len()) };
    Parzen::new(parameters.iter().map(|parameter| &parameter.distribution), &observations, &weights)
}

/// Weights by age, the oldest first: the newest count fully, those before them from 1 / n up.
fn weights(n: usize) -> Vec<f64> {
    let fading = n.saturating_sub(FULL_WEIGHT);
    let first = 1.0 / n.max(1) as f64;
    (0..n)
        .map(|i| match fading {
            _ if i >= fading => 1.0,
            1 => first,
            _ => first + (1.0 - first) * i as f64 / (fading - 1) as f64,
        })
        .collect()
}

/// Indices of the complete trials with the `count` best ones first.
fn order(record: &StudyRecord, complete: &[&TrialRecord], count: usize) -> Vec<usize> {
    let losses: Vec<Vec<f64>> = complete.iter().map(|trial| record.losses(trial)).collect();
    let mut order: Vec<usize> = (0..complete.len()).collect();
    if record.objectives.len() == 1 {
        order.sort_by(|&a, &b| losses[a][0].total_cmp(&losses[b][0]));
        return order;
    }
    let ranks = pareto::ranks(&losses);
    order.sort_by_key(|&i| ranks[i]);
    if count < order.len() {
        let split = ranks[order[count]];
        let first = order.iter().position(|&i| ranks[i] == split).unwrap_or(0);
        let last = order.iter().rposition(|&i| ranks[i] == split).map_or(order.len(), |last| last + 1);
        let tied: Vec<Vec<f64>> = order[first..last].iter().map(|&i| losses[i].clone()).collect();
        let chosen = pareto::choose(&tied, count - first);
        let left = (0..tied.len()).filter(|i| !chosen.contains(i));
        let sorted: Vec<usize> = chosen.iter().copied().chain(left).map(|i| order[first + i]).collect();
        order[first..last].copy_from_slice(&sorted);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_trials_fade_linearly() {
        assert_eq!(weights(0), Vec::<f64>::new());
        assert_eq!(weights(25), vec![1.0; 25]);
        let weights = weights(28);
        assert_eq!(weights[..4], [1.0 / 28.0, (1.0 / 28.0 + 1.0) / 2.0, 1.0, 1.0]);
        assert_eq!(weights.len(), 28);
    }
}
