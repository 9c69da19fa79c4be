//! How the learning rate goes over the updates of a stage.
//!
//! Every schedule but [`Schedule::Plateau`] is a function of the update and the number of updates planned, so a resumed run
//! has nothing to restore.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

/// Course of the learning rate, as a factor on the rate that was set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Schedule {
    /// 1 throughout.
    #[default]
    Constant,
    /// Multiplied by `factor` after every `epochs`.
    Step {
        /// Epochs between two drops, at least 1.
        epochs: u64,
        /// In (0, 1].
        factor: f64,
    },
    /// Half a cosine from 1 down to `end` (I. Loshchilov and F. Hutter, "SGDR", ICLR 2017, arXiv 1608.03983, equation 5).
    Cosine {
        /// Factor at the last update, in [0, 1].
        end: f64,
    },
    /// Up from `start` to 1 and down to `end`, both by half a cosine (L. N. Smith and N. Topin, "Super-Convergence", 2018,
    /// arXiv 1708.07120).
    OneCycle {
        /// Share of the updates that the way up takes, in (0, 1). Usual: 0.3.
        up: f64,
        /// Factor at the first update, in (0, 1]. Usual: 0.04.
        start: f64,
        /// Factor at the last update, in [0, 1]. Usual: 4e-6.
        end: f64,
    },
    /// Multiplied by `factor` whenever the watched number has not improved for `patience` epochs.
    Plateau {
        /// Epochs without improvement before a drop, at least 1.
        patience: u64,
        /// In (0, 1).
        factor: f64,
        /// Smallest factor, in [0, 1].
        least: f64,
    },
}

/// Where a stage stands, for [`Schedule::factor`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progression {
    /// Updates made in the stage before this one.
    pub update: u64,
    /// Updates planned for the stage.
    pub updates: u64,
    /// Epochs made in the stage before this one.
    pub epoch: u64,
    /// Drops that [`Schedule::Plateau`] has made.
    pub drops: u64,
}

impl Schedule {
    /// The factor on the learning rate for one update, after a linear rise over the first `warm_up` updates.
    ///
    /// The schedule proper begins after the warm-up and ends with the last update planned.
    pub fn factor(&self, at: Progression, warm_up: u64) -> f64 {
        if at.update < warm_up {
            return (at.update + 1) as f64 / (warm_up as f64 + 1.0);
        }
        let (update, last) = (at.update - warm_up, at.updates.saturating_sub(warm_up.saturating_add(1)));
        let share = if last == 0 { 0.0 } else { (update as f64 / last as f64).min(1.0) };
        match *self {
            Self::Constant => 1.0,
            Self::Step { epochs, factor } => factor.powf((at.epoch / epochs.max(1)) as f64),
            Self::Cosine { end } => half_cosine(1.0, end, share),
            Self::OneCycle { up, start, end } => {
                // the peak falls between two updates unless this is a whole number
                let peak = up * (last + 1) as f64 - 1.0;
                let at = share * last as f64;
                if at <= peak {
                    half_cosine(start, 1.0, if peak > 0.0 { at / peak } else { 1.0 })
                } else {
                    half_cosine(1.0, end, (at - peak) / (last as f64 - peak))
                }
            }
            Self::Plateau { factor, least, .. } => factor.powf(at.drops as f64).max(least),
        }
    }

    /// Whether the course depends on the number of updates planned, so that a training cannot be made longer later.
    pub(crate) fn knows_its_end(&self) -> bool {
        matches!(self, Self::Cosine { .. } | Self::OneCycle { .. })
    }

    /// # Errors
    /// [`Error::Setting`] for a number out of its range.
    pub fn check(&self) -> Result<()> {
        let wrong = |name, got: f64, expected| Err(Error::Setting { name, got: got.to_string(), expected });
        let share = |value: f64| (0.0..=1.0).contains(&value);
        match *self {
            Self::Step { epochs: 0, .. } => wrong("schedule.epochs", 0.0, "a number of at least 1"),
            Self::Plateau { patience: 0, .. } => wrong("schedule.patience", 0.0, "a number of at least 1"),
            Self::Step { factor, .. } | Self::Plateau { factor, .. } if !(factor > 0.0 && factor <= 1.0) => {
                wrong("schedule.factor", factor, "a number above 0 and at most 1")
            }
            Self::Cosine { end } | Self::OneCycle { end, .. } if !share(end) => {
                wrong("schedule.end", end, "a number from 0 to 1")
            }
            Self::Plateau { least, .. } if !share(least) => wrong("schedule.least", least, "a number from 0 to 1"),
            Self::OneCycle { start, .. } if !(start > 0.0 && start <= 1.0) => {
                wrong("schedule.start", start, "a number above 0 and at most 1")
            }
            Self::OneCycle { up, .. } if !(up > 0.0 && up < 1.0) => {
                wrong("schedule.up", up, "a number between 0 and 1")
            }
            _ => Ok(()),
        }
    }
}

/// From `a` at share 0 to `b` at share 1.
fn half_cosine(a: f64, b: f64, share: f64) -> f64 {
    b + 0.5 * (a - b) * (1.0 + (PI * share).cos())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(schedule: Schedule, warm_up: u64, updates: u64, each_epoch: u64) -> Vec<f64> {
        (0..updates)
            .map(|update| {
                schedule.factor(Progression { update, updates, epoch: update / each_epoch, drops: 0 }, warm_up)
            })
            .collect()
    }

    fn assert_close(got: &[f64], expected: &[f64]) {
        assert_eq!(got.len(), expected.len());
        for (got, expected) in got.iter().zip(expected) {
            assert!((got - expected).abs() < 1e-12, "{got} {expected}");
        }
    }

    #[test]
    fn a_step_falls_after_its_epochs() {
        let steps = course(Schedule::Step { epochs: 2, factor: 0.1 }, 0, 6, 1);
        assert_close(&steps, &[1.0, 1.0, 0.1, 0.1, 0.01, 0.01]);
    }

    #[test]
    fn a_cosine_starts_at_one_and_ends_at_its_end() {
        let cosine = course(Schedule::Cosine { end: 0.2 }, 0, 5, 1);
        let quarter = 0.2 + 0.4 * (1.0 + std::f64::consts::FRAC_1_SQRT_2);
        assert_close(&cosine, &[1.0, quarter, 0.6, 1.2 - quarter, 0.2]);
    }

    #[test]
    fn warm_up_rises_in_equal_steps_to_the_start_of_the_schedule() {
        let rates = course(Schedule::Cosine { end: 0.0 }, 3, 8, 1);
        assert_close(&rates[..4], &[0.25, 0.5, 0.75, 1.0]);
        assert!(rates[7].abs() < 1e-15);
    }

    /// The two half cosines written out: ten updates, three tenths of them up, so that the peak is at update 2.
    #[test]
    fn one_cycle_goes_up_and_down_by_half_cosines() {
        let cycle = Schedule::OneCycle { up: 0.3, start: 0.04, end: 4e-6 };
        let expected: Vec<f64> = (0..10)
            .map(|i| {
                let anneal = |a: f64, b: f64, share: f64| b + (a - b) / 2.0 * ((PI * share).cos() + 1.0);
                if i <= 2 { anneal(0.04, 1.0, f64::from(i) / 2.0) } else { anneal(1.0, 4e-6, f64::from(i - 2) / 7.0) }
            })
            .collect();
        assert_close(&course(cycle, 0, 10, 1), &expected);
    }

    #[test]
    fn a_plateau_drops_no_lower_than_its_least() {
        let plateau = Schedule::Plateau { patience: 1, factor: 0.1, least: 0.05 };
        let at = |drops| plateau.factor(Progression { update: 0, updates: 1, epoch: 0, drops }, 0);
        assert_close(&[at(0), at(1), at(2)], &[1.0, 0.1, 0.05]);
    }

    #[test]
    fn no_course_leaves_zero_to_one() {
        for schedule in [
            Schedule::Constant,
            Schedule::Step { epochs: 3, factor: 0.5 },
            Schedule::Cosine { end: 0.0 },
            Schedule::OneCycle { up: 0.01, start: 0.04, end: 0.0 },
            Schedule::OneCycle { up: 0.99, start: 0.04, end: 0.0 },
        ] {
            for (updates, warm_up) in [(1, 0), (2, 1), (7, 3), (100, 0), (5, 9)] {
                let rates = course(schedule, warm_up, updates, 2);
                assert!(rates.iter().all(|rate| (0.0..=1.0).contains(rate)), "{schedule:?} {updates}: {rates:?}");
            }
        }
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        let text = Schedule::Step { epochs: 1, factor: 0.0 }.check().unwrap_err().to_string();
        assert!(text.contains("schedule.factor") && text.contains("above 0"), "{text}");
        assert!(Schedule::Plateau { patience: 0, factor: 0.5, least: 0.0 }.check().is_err());
        assert!(Schedule::OneCycle { up: 1.0, start: 0.1, end: 0.0 }.check().is_err());
        assert!(Schedule::Cosine { end: f64::NAN }.check().is_err());
        Schedule::Cosine { end: 0.0 }.check().unwrap();
    }
}
