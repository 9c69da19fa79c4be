//! The median rule and its like: compare the best value so far with complete trials at the same step.

use super::Verdict;
use crate::record::{Direction, StudyRecord, TrialRecord};

pub(super) struct Rule {
    pub(super) percentile: f64,
    pub(super) startup_trials: usize,
    pub(super) warmup_steps: u64,
    pub(super) interval_steps: u64,
}

impl Rule {
    pub(super) fn judge(&self, record: &StudyRecord, trial: &TrialRecord, direction: Direction) -> Verdict {
        Verdict { prune: self.is_behind(record, trial, direction), rungs: Vec::new() }
    }

    fn is_behind(&self, record: &StudyRecord, trial: &TrialRecord, direction: Direction) -> bool {
        let Some((step, _)) = trial.last() else { return false };
        if record.complete().count() < self.startup_trials.max(1) || step < self.warmup_steps {
            return false;
        }
        // Only once within each interval.
        let begin = step - (step - self.warmup_steps) % self.interval_steps;
        if trial.intermediate.range(begin..step).next().is_some() {
            return false;
        }
        let losses = trial.intermediate.values().map(|&value| direction.loss(value)).filter(|loss| !loss.is_nan());
        let Some(best) = losses.min_by(f64::total_cmp) else {
            // Nothing but numbers that are none.
            return true;
        };
        let mut others: Vec<f64> = record
            .complete()
            .filter_map(|trial| trial.intermediate.get(&step))
            .map(|&value| direction.loss(value))
            .filter(|loss| !loss.is_nan())
            .collect();
        others.sort_by(f64::total_cmp);
        percentile(&others, self.percentile).is_some_and(|limit| best > limit)
    }
}

/// Between the two values around the place, in proportion; nothing of no values.
fn percentile(sorted: &[f64], percent: f64) -> Option<f64> {
    let place = percent / 100.0 * (sorted.len().checked_sub(1)?) as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    // Equal ends may both be infinite.
    Some(if below == above { below } else { below + (above - below) * place.fract() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Objective,
        record::{State, tests::study},
    };

    const MEDIAN: Rule = Rule { percentile: 50.0, startup_trials: 5, warmup_steps: 0, interval_steps: 1 };

    /// Five complete trials with 1 to 5 at step 0 and 10 times that at step 1, and one that runs.
    fn record(running: &[(u64, f64)]) -> StudyRecord {
        let mut record = study([Objective::minimize("loss")]);
        for i in 1..=5 {
            let value = f64::from(i);
            record.push(State::Complete, &[(0, value), (1, 10.0 * value)], Some(vec![value]));
        }
        record.push(State::Running, running, None);
        record
    }

    fn pruned(rule: &Rule, running: &[(u64, f64)], direction: Direction) -> bool {
        let record = record(running);
        rule.judge(&record, &record.trials[5], direction).prune
    }

    #[test]
    fn the_median_by_hand() {
        let minimize = |running: &[(u64, f64)]| pruned(&MEDIAN, running, Direction::Minimize);
        assert!(!minimize(&[]));
        assert!(!minimize(&[(0, 3.0)]), "the median itself goes on");
        assert!(minimize(&[(0, 3.1)]));
        assert!(!minimize(&[(0, 3.0), (1, 100.0)]), "the best so far counts");
        assert!(minimize(&[(0, 31.0), (1, 30.5)]));
        assert!(!minimize(&[(7, 99.0)]), "nobody else came so far");
        assert!(minimize(&[(0, f64::NAN)]));
        assert!(pruned(&MEDIAN, &[(0, 2.9)], Direction::Maximize));
        assert!(!pruned(&MEDIAN, &[(0, 3.0)], Direction::Maximize));
    }

    #[test]
    fn percentiles_startup_warmup_and_intervals_by_hand() {
        let quarter = Rule { percentile: 25.0, ..MEDIAN };
        assert!(
            !pruned(&quarter, &[(0, 2.0)], Direction::Minimize) && pruned(&quarter, &[(0, 2.1)], Direction::Minimize)
        );
        assert!(
            !pruned(&quarter, &[(0, 4.0)], Direction::Maximize) && pruned(&quarter, &[(0, 3.9)], Direction::Maximize)
        );
        let later = Rule { startup_trials: 6, ..MEDIAN };
        assert!(!pruned(&later, &[(0, 9.0)], Direction::Minimize));
        let warm = Rule { warmup_steps: 1, ..MEDIAN };
        assert!(!pruned(&warm, &[(0, 90.0)], Direction::Minimize) && pruned(&warm, &[(1, 90.0)], Direction::Minimize));
        let rare = Rule { interval_steps: 2, ..MEDIAN };
        assert!(
            pruned(&rare, &[(0, 90.0)], Direction::Minimize)
                && !pruned(&rare, &[(0, 90.0), (1, 90.0)], Direction::Minimize)
        );
        assert!(pruned(&rare, &[(1, 90.0)], Direction::Minimize), "the first report of the interval");
        assert_eq!(percentile(&[1.0, 2.0, 4.0], 75.0), Some(3.0));
        assert_eq!(percentile(&[], 50.0), None);
    }
}
