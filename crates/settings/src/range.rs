//! [`Range`]: which numbers a setting takes.

use std::fmt;

/// Finite numbers between two ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    low: f64,
    /// Whether the lower end is left out.
    above: bool,
    high: f64,
    /// Whether the upper end is left out.
    below: bool,
}

impl Range {
    /// Every finite number.
    pub const ANY: Self = Self { low: f64::NEG_INFINITY, above: true, high: f64::INFINITY, below: true };
    /// A share that may be neither nothing nor everything.
    pub const INNER_SHARE: Self = Self::above(0.0).below(1.0);
    /// A share of anything from nothing to everything.
    pub const SHARE: Self = Self::at_least(0.0).at_most(1.0);

    /// Numbers from `low` on.
    pub const fn at_least(low: f64) -> Self {
        Self { low, above: false, ..Self::ANY }
    }

    /// Numbers above `low`.
    pub const fn above(low: f64) -> Self {
        Self { low, above: true, ..Self::ANY }
    }

    /// The same, up to `high`.
    #[must_use]
    pub const fn at_most(self, high: f64) -> Self {
        Self { high, below: false, ..self }
    }

    /// The same, below `high`.
    #[must_use]
    pub const fn below(self, high: f64) -> Self {
        Self { high, below: true, ..self }
    }

    /// Whether the number is in the range; what is not finite never is.
    pub fn holds(&self, number: f64) -> bool {
        let low = if self.above { number > self.low } else { number >= self.low };
        let high = if self.below { number < self.high } else { number <= self.high };
        number.is_finite() && low && high
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.low.is_finite(), self.high.is_finite()) {
            (false, false) => return f.write_str("a finite number"),
            (true, _) if self.above => write!(f, "a number above {}", self.low)?,
            (true, _) => write!(f, "a number of at least {}", self.low)?,
            (false, true) => f.write_str("a number")?,
        }
        match (self.high.is_finite(), self.below) {
            (false, _) => Ok(()),
            (true, true) => write!(f, ", below {}", self.high),
            (true, false) => write!(f, ", at most {}", self.high),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_in_or_out_and_nothing_infinite_is_in() {
        for (range, inside, outside, words) in [
            (Range::ANY, &[-1e300, 0.0][..], &[f64::NAN, f64::INFINITY][..], "a finite number"),
            (Range::at_least(1.0), &[1.0, 2.0], &[0.999, f64::INFINITY], "a number of at least 1"),
            (Range::above(0.0).at_most(1.0), &[1e-9, 1.0], &[0.0, 1.1], "a number above 0, at most 1"),
            (Range::INNER_SHARE, &[0.5], &[0.0, 1.0, f64::NAN], "a number above 0, below 1"),
        ] {
            assert!(inside.iter().all(|n| range.holds(*n)) && outside.iter().all(|n| !range.holds(*n)), "{range}");
            assert_eq!(range.to_string(), words);
        }
    }
}
