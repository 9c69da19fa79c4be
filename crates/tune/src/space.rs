//! [`Space`]: the parameters of a search, some of them only there under a condition.
//!
//! A parameter with a condition is part of a trial only if another one has one of the given values; its parent may
//! have a condition itself. Parameters with the same condition form a *group*: a trial has all of them or none, so the
//! multivariate sampler can draw them together.

use crate::{Distribution, Error, Result, Value};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A parameter of a [`Space`].
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its values.
    pub distribution: Distribution,
    /// When it is there; always without.
    pub when: Option<Condition>,
}

/// "Only when `parent` is one of `is`."
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// Name of the other parameter.
    pub parent: String,
    /// The values of it that call for this parameter.
    pub is: Vec<Value>,
}

impl Parameter {
    /// One of several values.
    pub fn categorical<V: Into<Value>>(name: impl Into<String>, choices: impl IntoIterator<Item = V>) -> Self {
        let choices = choices.into_iter().map(Into::into).collect();
        Self { name: name.into(), distribution: Distribution::Categorical { choices }, when: None }
    }

    /// A whole number from `low` to `high`.
    pub fn int(name: impl Into<String>, low: i64, high: i64) -> Self {
        Self { name: name.into(), distribution: Distribution::Int { low, high, step: 1, log: false }, when: None }
    }

    /// A real number from `low` to `high`.
    pub fn float(name: impl Into<String>, low: f64, high: f64) -> Self {
        Self { name: name.into(), distribution: Distribution::Float { low, high, step: None, log: false }, when: None }
    }

    /// Spread so that ratios count; without effect on choices.
    pub fn log(mut self) -> Self {
        if let Distribution::Int { log, .. } | Distribution::Float { log, .. } = &mut self.distribution {
            *log = true;
        }
        self
    }

    /// On a grid that begins at the lower end; whole numbers take the whole part, choices nothing.
    pub fn step(mut self, distance: f64) -> Self {
        match &mut self.distribution {
            Distribution::Int { step, .. } => *step = distance as i64,
            Distribution::Float { step, .. } => *step = Some(distance),
            Distribution::Categorical { .. } => {}
        }
        self
    }

    /// Only there when `parent` is one of `is`.
    pub fn when<V: Into<Value>>(mut self, parent: impl Into<String>, is: impl IntoIterator<Item = V>) -> Self {
        self.when = Some(Condition { parent: parent.into(), is: is.into_iter().map(Into::into).collect() });
        self
    }
}

/// The parameters of a search, parents before what depends on them.
///
/// In a settings file it is a table of parameters by name:
///
/// ```
/// let space: cupel_tune::Space = toml::from_str(r#"
///     [rate]
///     type = "float"
///     low = 1e-5
///     high = 1e-2
///     log = true
///
///     [optimiser]
///     type = "categorical"
///     choices = ["sgd", "adam"]
///
///     [momentum]
///     type = "float"
///     low = 0.0
///     high = 0.99
///     when = { parent = "optimiser", is = ["sgd"] }
/// "#)?;
/// assert_eq!(space.parameters().len(), 3);
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, Entry>", into = "BTreeMap<String, Entry>")]
pub struct Space {
    parameters: Vec<Parameter>,
}

impl Space {
    /// The space of these parameters.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a distribution that contradicts itself, a name that is there twice, a condition on a
    /// parameter or a value that is not there, and conditions in a circle.
    ///
    /// # Example
    /// ```
    /// use cupel_tune::{Parameter, Space};
    /// let space = Space::new([
    ///     Parameter::float("rate", 1e-5, 1e-2).log(),
    ///     Parameter::int("width", 64, 512).step(64.0),
    ///     Parameter::categorical("optimiser", ["sgd", "adam"]),
    ///     Parameter::float("momentum", 0.0, 0.99).when("optimiser", ["sgd"]),
    /// ])?;
    /// # Ok::<(), cupel_tune::Error>(())
    /// ```
    pub fn new(parameters: impl IntoIterator<Item = Parameter>) -> Result<Self> {
        let mut waiting: Vec<Parameter> = Vec::new();
        for mut parameter in parameters {
            if waiting.iter().any(|other| other.name == parameter.name) {
                return Err(wrong(&parameter.name, "the name is there twice", "give each parameter its own name"));
            }
            parameter.distribution = parameter.distribution.checked(&parameter.name)?;
            waiting.push(parameter);
        }
        // Parents first, otherwise in the order given.
        let mut parameters: Vec<Parameter> = Vec::with_capacity(waiting.len());
        while !waiting.is_empty() {
            let ready = waiting.iter().position(|parameter| match &parameter.when {
                None => true,
                Some(condition) => parameters.iter().any(|parent| parent.name == condition.parent),
            });
            let Some(ready) = ready else {
                let stuck = &waiting[0];
                let parent = stuck.when.as_ref().map_or("", |condition| condition.parent.as_str());
                let problem = if waiting.iter().any(|other| other.name == parent) {
                    format!("its condition on `{parent}` leads back to itself")
                } else {
                    format!("its condition names `{parent}`, which is not in the space")
                };
                return Err(wrong(&stuck.name, problem, "let conditions name other parameters, without circles"));
            };
            let parameter = waiting.remove(ready);
            if let Some(condition) = &parameter.when {
                let parent = parameters.iter().find(|parent| parent.name == condition.parent);
                let strange = condition
                    .is
                    .iter()
                    .find(|value| parent.is_none_or(|parent| parent.distribution.internal(value).is_none()));
                if let Some(strange) = strange {
                    let problem = format!("its condition wants `{}` = {strange}, which cannot be", condition.parent);
                    return Err(wrong(&parameter.name, problem, "use values of the parent's distribution"));
                }
                if condition.is.is_empty() {
                    return Err(wrong(&parameter.name, "its condition has no values", "name at least one value"));
                }
            }
            parameters.push(parameter);
        }
        Ok(Self { parameters })
    }

    /// The parameters, parents first.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// Whether a parameter is there, given the values of those before it as journals keep them.
    pub(crate) fn is_active(&self, parameter: &Parameter, values: &BTreeMap<String, f64>) -> bool {
        let Some(condition) = &parameter.when else { return true };
        let Some(&value) = values.get(&condition.parent) else { return false };
        let parent = self.parameters.iter().find(|parent| parent.name == condition.parent);
        parent.is_some_and(|parent| condition.is.iter().any(|is| parent.distribution.internal(is) == Some(value)))
    }
}

fn wrong(parameter: &str, problem: impl Into<String>, fix: &'static str) -> Error {
    Error::Parameter { parameter: parameter.into(), problem: problem.into(), fix }
}

/// A parameter in a settings file. The fields of all kinds together, because serde cannot both flatten a tagged
/// enumeration and refuse unknown keys.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    r#type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    choices: Option<Vec<Value>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    low: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    high: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    step: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    log: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    when: Option<Condition>,
}

impl TryFrom<BTreeMap<String, Entry>> for Space {
    type Error = Error;

    fn try_from(entries: BTreeMap<String, Entry>) -> Result<Self> {
        let parameters: Result<Vec<Parameter>> = entries
            .into_iter()
            .map(|(name, entry)| {
                let number = |key: &str, value: &Option<Value>| {
                    value.as_ref().and_then(Value::as_f64).ok_or_else(|| {
                        wrong(&name, format!("`{key}` is not there or no number"), "give low and high as numbers")
                    })
                };
                let whole = |key: &str, value: &Option<Value>| match value {
                    Some(Value::Int(value)) => Ok(*value),
                    _ => Err(wrong(&name, format!("`{key}` is not there or no whole number"), "give whole numbers")),
                };
                let numerical =
                    entry.low.is_some() || entry.high.is_some() || entry.step.is_some() || entry.log.is_some();
                let log = entry.log.unwrap_or(false);
                let distribution = match entry.r#type.as_str() {
                    "categorical" if !numerical => {
                        Distribution::Categorical { choices: entry.choices.clone().unwrap_or_default() }
                    }
                    "int" if entry.choices.is_none() => Distribution::Int {
                        low: whole("low", &entry.low)?,
                        high: whole("high", &entry.high)?,
                        step: if entry.step.is_some() { whole("step", &entry.step)? } else { 1 },
                        log,
                    },
                    "float" if entry.choices.is_none() => Distribution::Float {
                        low: number("low", &entry.low)?,
                        high: number("high", &entry.high)?,
                        step: entry.step.as_ref().map(|_| number("step", &entry.step)).transpose()?,
                        log,
                    },
                    "categorical" | "int" | "float" => {
                        let problem = format!("a {} parameter has keys of another kind", entry.r#type);
                        return Err(wrong(&name, problem, "give choices, or low, high, step and log"));
                    }
                    other => {
                        let problem = format!("the type `{other}` is unknown");
                        return Err(wrong(&name, problem, "use categorical, int or float"));
                    }
                };
                Ok(Parameter { name: name.clone(), distribution, when: entry.when })
            })
            .collect();
        Self::new(parameters?)
    }
}

impl From<Space> for BTreeMap<String, Entry> {
    fn from(space: Space) -> Self {
        let entry = |parameter: Parameter| {
            let mut entry = Entry { when: parameter.when, ..Entry::default() };
            match parameter.distribution {
                Distribution::Categorical { choices } => {
                    entry.r#type = "categorical".into();
                    entry.choices = Some(choices);
                }
                Distribution::Int { low, high, step, log } => {
                    entry.r#type = "int".into();
                    entry.low = Some(low.into());
                    entry.high = Some(high.into());
                    entry.step = (step != 1).then(|| step.into());
                    entry.log = log.then_some(true);
                }
                Distribution::Float { low, high, step, log } => {
                    entry.r#type = "float".into();
                    entry.low = Some(low.into());
                    entry.high = Some(high.into());
                    entry.step = step.map(Value::from);
                    entry.log = log.then_some(true);
                }
            }
            (parameter.name, entry)
        };
        space.parameters.into_iter().map(entry).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_come_first_and_conditions_chain() {
        let space = Space::new([
            Parameter::float("c", 0.0, 1.0).when("b", [2]),
            Parameter::int("b", 1, 3).when("a", ["yes"]),
            Parameter::categorical("a", ["yes", "no"]),
        ])
        .unwrap();
        let names: Vec<&str> = space.parameters().iter().map(|parameter| parameter.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c"]);
        let active = |values: &[(&str, f64)]| -> Vec<bool> {
            let values = values.iter().map(|(name, value)| (name.to_string(), *value)).collect();
            space.parameters().iter().map(|parameter| space.is_active(parameter, &values)).collect()
        };
        assert_eq!(active(&[("a", 1.0)]), [true, false, false]);
        assert_eq!(active(&[("a", 0.0), ("b", 1.0)]), [true, true, false]);
        assert_eq!(active(&[("a", 0.0), ("b", 2.0)]), [true, true, true]);
    }

    #[test]
    fn impossible_conditions_are_named() {
        let fail = |parameters: Vec<Parameter>| Space::new(parameters).unwrap_err().to_string();
        let a = || Parameter::categorical("a", ["yes", "no"]);
        assert!(fail(vec![a(), a()]).contains("twice"));
        assert!(fail(vec![a(), Parameter::int("b", 0, 1).when("z", [1])]).contains("`z`, which is not"));
        assert!(fail(vec![a(), Parameter::int("b", 0, 1).when("a", ["maybe"])]).contains("maybe"));
        assert!(fail(vec![a(), Parameter::int("b", 0, 1).when("a", [""; 0])]).contains("no values"));
        let circle = vec![Parameter::int("b", 0, 1).when("c", [1]), Parameter::int("c", 0, 1).when("b", [1])];
        assert!(fail(circle).contains("leads back"));
    }

    #[test]
    fn settings_round_trip_and_refuse_what_they_do_not_know() {
        let space = Space::new([
            Parameter::float("rate", 1e-5, 1e-2).log(),
            Parameter::float("drop", 0.0, 0.5).step(0.1),
            Parameter::int("width", 64, 512).step(64.0),
            Parameter::categorical("optimiser", ["sgd", "adam"]),
            Parameter::float("momentum", 0.0, 0.99).when("optimiser", ["sgd"]),
        ])
        .unwrap();
        let again: Space = toml::from_str(&toml::to_string(&space).unwrap()).unwrap();
        assert_eq!(space.clone().parameters.len(), again.parameters.len());
        for parameter in space.parameters() {
            assert!(again.parameters().contains(parameter), "{parameter:?}");
        }
        let fail = |text: &str| toml::from_str::<Space>(text).unwrap_err().to_string();
        assert!(fail("[x]\ntype = 'float'\nlow = 0\nhigh = 1\nhigt = 2").contains("higt"));
        assert!(fail("[x]\ntype = 'real'\nlow = 0\nhigh = 1").contains("`real` is unknown"));
        assert!(fail("[x]\ntype = 'int'\nlow = 0.5\nhigh = 1").contains("whole"));
        assert!(fail("[x]\ntype = 'float'\nlow = 0").contains("`high`"));
        assert!(fail("[x]\ntype = 'categorical'\nchoices = [1]\nlow = 1").contains("another kind"));
    }
}
