//! Successive halving: rungs, and the brackets of Hyperband.
//!
//! A trial that reaches rung k, the step first * reduction^k, writes its value there down as the attribute
//! `completed_rung_k`, which is Optuna's, and goes on if it is among the best 1 / reduction of all that did. While
//! there are fewer than `reduction` of them the best one goes on.

use super::Verdict;
use crate::{
    journal::as_number,
    record::{Direction, TrialRecord},
};
use cupel_data::Stream;

/// How the attributes with values at rungs begin.
pub(crate) const RUNG: &str = "completed_rung_";

pub(super) fn judge<'a>(
    rivals: impl IntoIterator<Item = &'a TrialRecord>,
    trial: &TrialRecord,
    direction: Direction,
    first: u64,
    reduction: u64,
) -> Verdict {
    let mut verdict = Verdict::default();
    let Some((step, value)) = trial.last() else { return verdict };
    let rivals: Vec<&TrialRecord> = rivals.into_iter().filter(|rival| rival.number != trial.number).collect();
    let mut rung = (0..).find(|rung| !trial.system_attributes.contains_key(&key(*rung))).unwrap_or(0);
    // Steps grow by the factor, so there are at most 64 rungs.
    while step >= first.saturating_mul(reduction.saturating_pow(rung)) && rung < u64::BITS {
        if value.is_nan() {
            verdict.prune = true;
            return verdict;
        }
        let loss = direction.loss(value);
        verdict.rungs.push((key(rung), value));
        let at = |rival: &&TrialRecord| rival.system_attributes.get(&key(rung)).and_then(as_number);
        let mut losses: Vec<f64> = rivals.iter().filter_map(at).map(|value| direction.loss(value)).collect();
        losses.push(loss);
        losses.sort_by(f64::total_cmp);
        let promoted = (losses.len() / reduction as usize).max(1);
        if loss > losses[promoted - 1] {
            verdict.prune = true;
            return verdict;
        }
        rung += 1;
    }
    verdict
}

fn key(rung: u32) -> String {
    format!("{RUNG}{rung}")
}

/// The brackets of Hyperband and their shares of the trials.
pub(super) struct Brackets {
    shares: Vec<u64>,
    stream: Stream,
}

impl Brackets {
    /// Bracket b of B begins at `least * reduction^b`, and its share is that of Algorithm 1 of the paper:
    /// ceil(B * reduction^s / (s + 1)) with s = B - 1 - b.
    pub(super) fn new(study: &str, least: u64, most: u64, reduction: u64) -> Self {
        let mut count = 1;
        while least.saturating_mul(reduction.saturating_pow(count)) <= most && count < u64::BITS {
            count += 1;
        }
        let share = |bracket: u32| {
            let s = count - 1 - bracket;
            u64::from(count).saturating_mul(reduction.saturating_pow(s)).div_ceil(u64::from(s) + 1)
        };
        // The same for all workers, whatever their seeds.
        Self { shares: (0..count).map(share).collect(), stream: Stream::new(0, &format!("hyperband {study}")) }
    }

    /// The bracket of the trial of this number.
    pub(super) fn of(&self, number: usize) -> u32 {
        let total = self.shares.iter().fold(0, |sum: u64, share| sum.saturating_add(*share)).max(1);
        let mut place = self.stream.u64(number as u64) % total;
        for (bracket, &share) in self.shares.iter().enumerate() {
            if place < share {
                return bracket as u32;
            }
            place -= share;
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Objective,
        journal::number,
        record::{State, tests::study},
    };

    #[test]
    fn rungs_by_hand() {
        let mut record = study([Objective::minimize("loss")]);
        // Values at rung 0 and, of the best ones, at rung 1.
        for (zero, one) in [(1.0, Some(0.9)), (2.0, None), (3.0, None), (4.0, None), (1.5, Some(0.8)), (2.5, None)] {
            record.push(State::Pruned, &[], None);
            let attributes = &mut record.trials.last_mut().unwrap().system_attributes;
            attributes.insert(key(0), number(zero));
            one.map(|one| attributes.insert(key(1), number(one)));
        }
        let mut verdict = |reports: &[(u64, f64)], direction, reached: &[f64]| {
            record.push(State::Running, reports, None);
            let mut trial = record.trials.pop().unwrap();
            for (rung, &value) in reached.iter().enumerate() {
                trial.system_attributes.insert(key(rung as u32), number(value));
            }
            judge(&record.trials, &trial, direction, 2, 3)
        };
        let rungs = |values: &[f64], from: u32| -> Vec<(String, f64)> {
            values.iter().zip(from..).map(|(&value, rung)| (key(rung), value)).collect()
        };
        let min = Direction::Minimize;
        // Before the first rung, step 2.
        assert_eq!(verdict(&[(1, 9.0)], min, &[]), Verdict::default());
        // With this one 7 values at rung 0: the best 2 go on.
        assert_eq!(verdict(&[(2, 1.5)], min, &[]), Verdict { prune: false, rungs: rungs(&[1.5], 0) });
        assert_eq!(verdict(&[(3, 1.6)], min, &[]), Verdict { prune: true, rungs: rungs(&[1.6], 0) });
        // 3 values at rung 1, step 6: the best 1 goes on.
        assert_eq!(verdict(&[(6, 0.8)], min, &[1.2]), Verdict { prune: false, rungs: rungs(&[0.8], 1) });
        assert_eq!(verdict(&[(6, 0.85)], min, &[1.2]), Verdict { prune: true, rungs: rungs(&[0.85], 1) });
        // Nobody was at rung 2, step 18; both rungs before it are taken on the way.
        assert_eq!(verdict(&[(18, 0.5)], min, &[]), Verdict { prune: false, rungs: rungs(&[0.5; 3], 0) });
        assert_eq!(verdict(&[(2, f64::NAN)], min, &[]), Verdict { prune: true, rungs: vec![] });
        assert!(!verdict(&[(2, 3.0)], Direction::Maximize, &[]).prune);
        assert!(verdict(&[(2, 2.9)], Direction::Maximize, &[]).prune);
        assert!(!verdict(&[(u64::MAX, 0.1)], min, &[]).prune);
    }

    /// The example of the paper: R = 81 and a reduction of 3 give 5 brackets; s = 4 to 0 have 81, 34, 15, 8 and 5 trials.
    #[test]
    fn brackets_of_the_paper() {
        let brackets = Brackets::new("study", 1, 81, 3);
        assert_eq!(brackets.shares, [81, 34, 15, 8, 5]);
        let mut counts = [0.0; 5];
        let n = 14_300;
        (0..n).for_each(|number| counts[brackets.of(number) as usize] += 1.0);
        for (count, share) in counts.iter().zip([81.0, 34.0, 15.0, 8.0, 5.0]) {
            let expected = n as f64 * share / 143.0;
            assert!((count - expected).abs() < 5.0 * expected.sqrt(), "{counts:?}");
        }
        assert_eq!(Brackets::new("study", 2, 3, 2).shares.len(), 1);
        assert!(Brackets::new("study", 1, u64::MAX, 2).shares.len() <= 64);
    }
}
