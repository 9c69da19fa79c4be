//! How much each parameter matters for being among the best trials.
//!
//! PED-ANOVA (Watanabe, Bansal and Hutter 2023, IJCAI, arXiv:2304.10255): with the densities p of one parameter over all
//! trials and p' over the best tenth, the variance that the parameter explains of "is among the best" is proportional
//! to the mean of (p'(x) / p(x) - 1)^2 under p. A parameter that is not in every trial counts by the
//! shares a of the best and b of all trials that have it: a^2 / b times its mean.
//!
//! Densities are mixtures on a grid: a normal kernel for each trial, of a width after Scott ("Multivariate density
//! estimation", 1992) and at least so wide that 90 % of it lie within one cell, and one trial's weight of a uniform
//! density. The sum of the importances is 1.

use crate::{
    Distribution, Error, Result, pareto,
    record::{StudyRecord, TrialRecord},
};
use std::{cmp::Ordering, collections::BTreeSet, f64::consts::SQRT_2};

/// Share of the trials that are the best.
const BEST: f64 = 0.1;
/// Most cells of a grid.
const CELLS: usize = 50;
/// A normal density has 90 % of its mass within this of its centre, in standard deviations.
const NINETY_PERCENT: f64 = 1.645;

/// How much a parameter matters.
#[derive(Clone, Debug, PartialEq)]
pub struct Importance {
    /// Its name.
    pub parameter: String,
    /// Its share, 0 to 1.
    pub share: f64,
}

impl StudyRecord {
    /// How much each parameter matters for being among the best tenth of the complete trials, the most important
    /// first: the best in one objective, or by rank of domination when none is named and there are several.
    ///
    /// It is about the values that were tried. A parameter on which the sampler soon settled counts for little; trials
    /// of a random or Sobol sampler tell about the whole space.
    ///
    /// # Errors
    /// [`Error::TooFewTrials`] with fewer than 2 complete trials with finite values, [`Error::WrongObjectives`] for a
    /// name that is not there.
    pub fn importances(&self, objective: Option<&str>) -> Result<Vec<Importance>> {
        let chosen = match objective {
            Some(name) => {
                Some(self.objectives.iter().position(|objective| objective.name == name).ok_or_else(|| {
                    let names: Vec<&str> = self.objectives.iter().map(|objective| objective.name.as_str()).collect();
                    let expected = format!("one of the objectives {}", names.join(", "));
                    Error::WrongObjectives { what: "the importance of parameters", expected, got: name.into() }
                })?)
            }
            None if self.objectives.len() == 1 => Some(0),
            None => None,
        };
        let finite = |trial: &&TrialRecord| self.losses(trial).iter().all(|loss| loss.is_finite());
        let all: Vec<&TrialRecord> = self.complete().filter(finite).collect();
        if all.len() < 2 {
            return Err(self.too_few("complete trials with finite values", all.len(), 2));
        }
        let losses: Vec<Vec<f64>> = all.iter().map(|trial| self.losses(trial)).collect();
        let keys: Vec<f64> = match chosen {
            Some(objective) => losses.iter().map(|losses| losses[objective]).collect(),
            None => pareto::ranks(&losses).into_iter().map(|rank| rank as f64).collect(),
        };
        let mut order: Vec<usize> = (0..all.len()).collect();
        order.sort_by(|&a, &b| keys[a].total_cmp(&keys[b]));
        // Equals of the last one are in.
        let last = keys[order[(BEST * all.len() as f64).ceil() as usize - 1]];
        let best: Vec<&TrialRecord> =
            all.iter().zip(&keys).filter(|(_, key)| **key <= last).map(|(trial, _)| *trial).collect();

        let names: BTreeSet<&String> = all.iter().flat_map(|trial| trial.parameters.keys()).collect();
        let mut importances: Vec<Importance> = names
            .into_iter()
            .map(|name| Importance { parameter: name.clone(), share: divergence(name, &best, &all) })
            .collect();
        let sum: f64 = importances.iter().map(|importance| importance.share).sum();
        for importance in &mut importances {
            importance.share = if sum > 0.0 { importance.share / sum } else { 0.0 };
        }
        importances.sort_by(|a, b| b.share.partial_cmp(&a.share).unwrap_or(Ordering::Equal));
        Ok(importances)
    }
}

/// a^2 / b times the mean of (p' / p - 1)^2 under p.
fn divergence(name: &str, best: &[&TrialRecord], all: &[&TrialRecord]) -> f64 {
    let has =
        |trials: &[&TrialRecord]| trials.iter().filter(|trial| trial.parameters.contains_key(name)).count() as f64;
    let Some(setting) = all.iter().rev().find_map(|trial| trial.parameters.get(name)) else { return 0.0 };
    if setting.distribution.is_single() || has(best) == 0.0 {
        return 0.0;
    }
    let (p, q) = (density(name, &setting.distribution, all), density(name, &setting.distribution, best));
    let mean: f64 = p.iter().zip(&q).map(|(p, q)| p * (q / p - 1.0).powi(2)).sum();
    (has(best) / best.len() as f64).powi(2) / (has(all) / all.len() as f64) * mean
}

/// The density of a parameter on the cells of a grid.
fn density(name: &str, distribution: &Distribution, trials: &[&TrialRecord]) -> Vec<f64> {
    let (low, high, step) = distribution.range();
    let values: Vec<f64> =
        trials.iter().filter_map(|trial| trial.parameters.get(name)).map(|setting| setting.internal).collect();
    let cells = if step > 0.0 { ((high - low) / step + 1.0).round().min(CELLS as f64) as usize } else { CELLS };
    if matches!(distribution, Distribution::Categorical { .. }) {
        let choices = high as usize + 1;
        let mut counts = vec![1.0 / choices as f64; choices];
        values.iter().filter(|&&value| distribution.contains(value)).for_each(|&value| counts[value as usize] += 1.0);
        return counts.iter().map(|count| count / (values.len() as f64 + 1.0)).collect();
    }
    // Places in units of cells.
    let (start, end) = distribution.scale();
    let place = |value: f64| (distribution.to_scale(value) - start) / (end - start) * cells as f64;
    let mut places: Vec<f64> = values.iter().map(|&value| place(value.clamp(low, high))).collect();
    places.sort_by(f64::total_cmp);
    let width = scott(&places).max(0.5 / NINETY_PERCENT);
    let below = |center: f64, x: f64| 0.5 * libm::erfc((center - x) / (width * SQRT_2));
    let mut cells = vec![1.0 / cells as f64; cells];
    let count = cells.len() as f64;
    for center in &places {
        let inside = below(*center, count) - below(*center, 0.0);
        for (i, cell) in cells.iter_mut().enumerate() {
            *cell += (below(*center, i as f64 + 1.0) - below(*center, i as f64)) / inside;
        }
    }
    cells.iter().map(|cell| cell / (places.len() as f64 + 1.0)).collect()
}

/// 1.059 min(standard deviation, quartile distance / 1.34) n^(-1/5) of sorted numbers.
fn scott(sorted: &[f64]) -> f64 {
    let n = sorted.len() as f64;
    if sorted.len() < 2 {
        return 0.0;
    }
    let mean = sorted.iter().sum::<f64>() / n;
    let deviation = (sorted.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
    let quartile = |share: f64| sorted[((n - 1.0) * share).round() as usize];
    1.059 * deviation.min((quartile(0.75) - quartile(0.25)) / 1.34) * n.powf(-0.2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Objective, Setting,
        record::{State, tests::study},
    };
    use cupel_data::Stream;

    #[test]
    fn what_matters_comes_first_and_the_shares_sum_to_one() {
        let unit = Distribution::Float { low: 0.0, high: 1.0, step: None, log: false };
        let choices = Distribution::Categorical { choices: vec!["a".into(), "b".into(), "c".into()] };
        let mut record = study([Objective::minimize("loss"), Objective::maximize("score")]);
        let random = Stream::new(1, "importance");
        for i in 0..300 {
            let [x, y, noise, choice] =
                [0, 1, 2, 3].map(|k| (random.u64(4 * i + k) >> 11) as f64 / (1_u64 << 53) as f64);
            let choice = (choice * 3.0).floor();
            record.push(State::Complete, &[], Some(vec![(x - 0.3).powi(2) + 0.05 * y, choice]));
            let trial = record.trials.last_mut().unwrap();
            for (name, distribution, internal) in
                [("x", &unit, x), ("y", &unit, y), ("noise", &unit, noise), ("choice", &choices, choice)]
            {
                trial.parameters.insert(name.into(), Setting { distribution: distribution.clone(), internal });
            }
        }
        let names = |objective| -> Vec<String> {
            let all = record.importances(objective).unwrap();
            assert!((all.iter().map(|importance| importance.share).sum::<f64>() - 1.0).abs() < 1e-12);
            all.into_iter().map(|importance| importance.parameter).collect()
        };
        let loss = names(Some("loss"));
        assert_eq!(loss[0], "x", "{loss:?}");
        assert_eq!(names(Some("score"))[0], "choice");
        // Every score is on the front with some choice, so the choice says little about being there.
        assert_eq!(names(None)[0], "x");
        assert!(record.importances(Some("auc")).unwrap_err().to_string().contains("loss, score"));
        assert!(study([Objective::minimize("loss")]).importances(None).is_err());
    }
}
