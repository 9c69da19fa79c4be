//! [`Distribution`]: the values one parameter may take.
//!
//! Inside the library, and in the journal, every value is an `f64`: the number itself, or the index of a choice. A
//! numerical parameter also has a *scale*, its value or the logarithm of it, on which samplers work; a value on a grid
//! stands there for the bin that reaches half a step to both sides.

use crate::{Error, Result, Value};
use std::fmt;

/// Integers beyond this have no exact f64, in which journals keep them.
const EXACT: i64 = 1 << 53;

/// How far a value may be off its grid, in steps: values that were computed as low + k step.
const GRID: f64 = 1e-8;

/// The values one parameter may take, and how they are spread.
#[derive(Clone, Debug, PartialEq)]
pub enum Distribution {
    /// One of several values without an order.
    Categorical {
        /// The values, at least one, no two the same.
        choices: Vec<Value>,
    },
    /// A whole number.
    Int {
        /// The least.
        low: i64,
        /// The greatest.
        high: i64,
        /// Distance of neighbours; 1 for a logarithmic spread.
        step: i64,
        /// Whether ratios count and not differences.
        log: bool,
    },
    /// A real number.
    Float {
        /// The least.
        low: f64,
        /// The greatest.
        high: f64,
        /// Distance of neighbours, or none for all numbers; none for a logarithmic spread.
        step: Option<f64>,
        /// Whether ratios count and not differences.
        log: bool,
    },
}

impl Distribution {
    /// The distribution with its upper end on the grid.
    ///
    /// # Errors
    /// [`Error::Parameter`], with `name`, when it contradicts itself.
    pub fn checked(self, name: &str) -> Result<Self> {
        let wrong = |problem: String, fix| Err(Error::Parameter { parameter: name.to_string(), problem, fix });
        match self {
            Self::Categorical { choices } => {
                if choices.is_empty() {
                    return wrong("there is nothing to choose from".into(), "give at least one choice");
                }
                for (i, choice) in choices.iter().enumerate() {
                    if choice.as_f64().is_some_and(|number| !number.is_finite()) {
                        return wrong(format!("the choice {choice} is not finite"), "give finite numbers");
                    }
                    if choices[..i].iter().any(|other| other.same(choice)) {
                        return wrong(format!("the choice {choice} is there twice"), "give each choice once");
                    }
                }
                Ok(Self::Categorical { choices })
            }
            Self::Int { low, high, step, log } => {
                if low > high || low < -EXACT || high > EXACT {
                    let fix = "give low <= high, both within 2^53 of 0";
                    return wrong(format!("the range is {low} to {high}"), fix);
                }
                if !(1..=EXACT).contains(&step) {
                    return wrong(format!("the step is {step}"), "give a step from 1 to 2^53");
                }
                if log && (low < 1 || step != 1) {
                    let fix = "give low >= 1 and no step, or leave out log";
                    return wrong(format!("a logarithmic range from {low} with step {step}"), fix);
                }
                Ok(Self::Int { low, high: high - (high - low) % step, step, log })
            }
            Self::Float { low, high, step, log } => {
                if !(low <= high && (high - low).is_finite()) {
                    return wrong(format!("the range is {low} to {high}"), "give finite numbers, low <= high");
                }
                if log && (low <= 0.0 || step.is_some()) {
                    let fix = "give low > 0 and no step, or leave out log";
                    return wrong(format!("a logarithmic range from {low} with step {step:?}"), fix);
                }
                let high = match step {
                    None => high,
                    Some(step) if step > 0.0 && step.is_finite() && (high - low) / step < EXACT as f64 => {
                        // A last step that is short by rounding only is a step.
                        (low + ((high - low) / step + GRID).floor() * step).min(high)
                    }
                    Some(step) => {
                        return wrong(
                            format!("the step is {step}"),
                            "give a finite step that is not tiny for the range",
                        );
                    }
                };
                Ok(Self::Float { low, high, step, log })
            }
        }
    }

    /// Whether there is only one value.
    pub fn is_single(&self) -> bool {
        match self {
            Self::Categorical { choices } => choices.len() == 1,
            Self::Int { low, high, .. } => low == high,
            Self::Float { low, high, .. } => low == high,
        }
    }

    /// Whether a value as the journal keeps it is one of these.
    pub fn contains(&self, internal: f64) -> bool {
        match self {
            Self::Categorical { choices } => {
                internal >= 0.0 && internal.fract() == 0.0 && internal < choices.len() as f64
            }
            _ => {
                let (low, high, step) = self.range();
                let steps = (internal - low) / step;
                low <= internal && internal <= high && (step == 0.0 || (steps - steps.round()).abs() < GRID)
            }
        }
    }

    /// The value as the objective sees it.
    pub fn external(&self, internal: f64) -> Value {
        match self {
            Self::Categorical { choices } => choices.get(internal as usize).cloned().unwrap_or(Value::Null),
            Self::Int { .. } => Value::Int(internal as i64),
            Self::Float { .. } => Value::Float(internal),
        }
    }

    /// The value as the journal keeps it, if it is one of these.
    pub fn internal(&self, external: &Value) -> Option<f64> {
        let internal = match self {
            Self::Categorical { choices } => choices.iter().position(|choice| choice.same(external))? as f64,
            _ => external.as_f64()?,
        };
        self.contains(internal).then_some(internal)
    }

    /// Whether trials with both may be in one study: the same kind and spread, and the same choices.
    pub fn is_compatible(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Categorical { choices: a }, Self::Categorical { choices: b }) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b))
            }
            (Self::Int { log: a, .. }, Self::Int { log: b, .. })
            | (Self::Float { log: a, .. }, Self::Float { log: b, .. }) => a == b,
            _ => false,
        }
    }

    /// Least, greatest and step (0 for all numbers) of a numerical parameter; indices of a categorical one.
    pub(crate) fn range(&self) -> (f64, f64, f64) {
        match self {
            Self::Categorical { choices } => (0.0, choices.len() as f64 - 1.0, 1.0),
            Self::Int { low, high, step, .. } => (*low as f64, *high as f64, *step as f64),
            Self::Float { low, high, step, .. } => (*low, *high, step.unwrap_or(0.0)),
        }
    }

    pub(crate) fn is_log(&self) -> bool {
        matches!(self, Self::Int { log: true, .. } | Self::Float { log: true, .. })
    }

    /// A value on the scale.
    pub(crate) fn to_scale(&self, internal: f64) -> f64 {
        if self.is_log() { internal.ln() } else { internal }
    }

    /// The ends of the scale: half a step outside the range where there are steps.
    pub(crate) fn scale(&self) -> (f64, f64) {
        let (low, high, step) = self.range();
        (self.to_scale(low - step / 2.0), self.to_scale(high + step / 2.0))
    }

    /// The bin of a value on the scale, where there are steps.
    pub(crate) fn bin(&self, internal: f64) -> Option<(f64, f64)> {
        let (_, _, step) = self.range();
        (step > 0.0).then(|| (self.to_scale(internal - step / 2.0), self.to_scale(internal + step / 2.0)))
    }

    /// The value of a point of the scale.
    pub(crate) fn of_scale(&self, scaled: f64) -> f64 {
        let (low, high, step) = self.range();
        let value = if self.is_log() { scaled.exp() } else { scaled };
        let value = if step > 0.0 { low + ((value - low) / step).round() * step } else { value };
        value.clamp(low, high)
    }

    /// The value at a fraction of the scale, 0 to 1: uniform fractions give the distribution itself.
    pub(crate) fn at(&self, fraction: f64) -> f64 {
        let (low, high) = self.scale();
        if let Self::Categorical { choices } = self {
            return (fraction * choices.len() as f64).floor().min(choices.len() as f64 - 1.0);
        }
        self.of_scale(low + fraction * (high - low))
    }
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spread = if self.is_log() { "logarithmic " } else { "" };
        match self {
            Self::Categorical { choices } => {
                let choices: Vec<String> = choices.iter().map(Value::to_string).collect();
                write!(f, "a choice of {}", choices.join(", "))
            }
            Self::Int { low, high, .. } => write!(f, "a {spread}whole number from {low} to {high}"),
            Self::Float { low, high, .. } => write!(f, "a {spread}number from {low} to {high}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int(low: i64, high: i64, step: i64, log: bool) -> Distribution {
        Distribution::Int { low, high, step, log }.checked("x").unwrap()
    }

    fn float(low: f64, high: f64, step: Option<f64>, log: bool) -> Distribution {
        Distribution::Float { low, high, step, log }.checked("x").unwrap()
    }

    #[test]
    fn the_upper_end_is_put_on_the_grid() {
        assert_eq!(int(1, 10, 4, false), int(1, 9, 4, false));
        assert_eq!(float(0.0, 1.0, Some(0.3), false).range().1, 0.3 * 3.0);
        assert_eq!(float(0.0, 0.3, Some(0.1), false).range().1, 0.3);
    }

    #[test]
    fn contradictions_are_named() {
        let fail = |distribution: Distribution| distribution.checked("lr").unwrap_err().to_string();
        assert!(fail(Distribution::Categorical { choices: vec![] }).contains("`lr`: there is nothing"));
        let twice = Distribution::Categorical { choices: vec![1.into(), 1.0.into()] };
        assert!(fail(twice).contains("twice"));
        for (low, high, step, log) in
            [(2, 1, 1, false), (0, 1, 1, true), (1, 5, 2, true), (1, 2, 0, false), (0, i64::MAX, 1, false)]
        {
            fail(Distribution::Int { low, high, step, log });
        }
        for (low, high, step, log) in [
            (2.0, 1.0, None, false),
            (f64::NAN, 1.0, None, false),
            (f64::MIN, f64::MAX, None, false),
            (0.0, 1.0, None, true),
            (1.0, 2.0, Some(0.5), true),
            (0.0, 1.0, Some(-1.0), false),
            (0.0, 1e300, Some(1e-300), false),
        ] {
            fail(Distribution::Float { low, high, step, log });
        }
    }

    #[test]
    fn every_fraction_gives_a_value_of_the_distribution() {
        let all = [
            int(-3, 12, 5, false),
            int(1, 1000, 1, true),
            float(-1.0, 2.0, None, false),
            float(1e-6, 1e-1, None, true),
            float(0.1, 0.9, Some(0.2), false),
            Distribution::Categorical { choices: vec!["a".into(), Value::Null, 3.into()] },
        ];
        for distribution in all {
            for i in 0..=1000 {
                let value = distribution.at(i as f64 / 1000.0);
                assert!(distribution.contains(value), "{distribution:?} {value}");
                assert_eq!(distribution.internal(&distribution.external(value)), Some(value));
            }
        }
    }

    #[test]
    fn steps_are_equally_likely_and_logarithms_uniform() {
        let grid = int(0, 8, 4, false);
        let log = float(1e-4, 1.0, None, true);
        let n = 3000;
        let fractions = || (0..n).map(|i| (i as f64 + 0.5) / n as f64);
        for value in [0.0, 4.0, 8.0] {
            assert_eq!(fractions().filter(|&fraction| grid.at(fraction) == value).count(), n / 3);
        }
        // A quarter of the values in each of the four decades.
        for decade in 0..4 {
            let (low, high) = (10_f64.powi(decade - 4), 10_f64.powi(decade - 3));
            let count = fractions().map(|fraction| log.at(fraction)).filter(|x| (low..high).contains(x)).count();
            assert!(count.abs_diff(n / 4) <= 1, "{count}");
        }
    }
}
