//! JSON as Python writes it: with `NaN`, `Infinity` and `-Infinity` where numbers stand, which JSON itself lacks.
//!
//! Inside, such a number is a string that begins with [`MARK`], a character that is set aside for private use; on the
//! way in and out only the spelling changes.

use crate::{Distribution, Value, journal::Problem};
use serde_json::{Value as Json, json};

const MARK: char = '\u{f8ff}';
const NAMES: [&str; 3] = ["NaN", "-Infinity", "Infinity"];

/// One line of a journal.
pub(super) fn parse(line: &str) -> Result<Json, Problem> {
    // Most lines need no change.
    let changed = NAMES.iter().any(|name| line.contains(name)).then(|| mark(line));
    serde_json::from_str(changed.as_deref().unwrap_or(line)).map_err(|error| format!("no JSON: {error}"))
}

fn mark(line: &str) -> String {
    let mut out = String::with_capacity(line.len() + 16);
    let (mut rest, mut text) = (line, false);
    while let Some(first) = rest.chars().next() {
        let mut taken = first.len_utf8();
        match first {
            '"' => text = !text,
            '\\' if text => taken += rest[1..].chars().next().map_or(0, char::len_utf8),
            _ if !text => {
                if let Some(name) = NAMES.iter().find(|name| rest.starts_with(**name)) {
                    out.extend(['"', MARK]);
                    out.push_str(name);
                    out.push('"');
                    rest = &rest[name.len()..];
                    continue;
                }
            }
            _ => {}
        }
        out.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    out
}

/// The line of a journal, without its end.
pub(super) fn print(json: &Json) -> String {
    let mut line = json.to_string();
    if line.contains(MARK) {
        for name in NAMES {
            line = line.replace(&format!("\"{MARK}{name}\""), name);
        }
    }
    line
}

/// A number of any kind as JSON.
pub(crate) fn number(value: f64) -> Json {
    let name = match value {
        _ if value.is_nan() => NAMES[0],
        f64::NEG_INFINITY => NAMES[1],
        f64::INFINITY => NAMES[2],
        _ => return json!(value),
    };
    Json::String(format!("{MARK}{name}"))
}

/// A number of any kind from JSON; Python's `True` counts as 1, like there.
pub(crate) fn as_number(json: &Json) -> Option<f64> {
    match json {
        Json::Number(number) => number.as_f64(),
        Json::Bool(value) => Some(f64::from(u8::from(*value))),
        Json::String(text) => match text.strip_prefix(MARK)? {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

/// A choice or an enqueued value as JSON.
pub(super) fn of_value(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => json!(value),
        Value::Int(value) => json!(value),
        Value::Float(value) => number(*value),
        Value::Text(value) => json!(value),
        Value::Other(value) => value.clone(),
    }
}

/// A choice or an enqueued value from JSON.
pub(super) fn to_value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => match number.as_i64() {
            Some(value) => Value::Int(value),
            None => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => as_number(json).map_or_else(|| Value::Text(text.clone()), Value::Float),
        other => Value::Other(other.clone()),
    }
}

/// A distribution as Optuna writes it: JSON in a string.
pub(super) fn of_distribution(distribution: &Distribution) -> Json {
    let json = match distribution {
        Distribution::Categorical { choices } => {
            let choices: Vec<Json> = choices.iter().map(of_value).collect();
            json!({"name": "CategoricalDistribution", "attributes": {"choices": choices}})
        }
        Distribution::Int { low, high, step, log } => {
            json!({"name": "IntDistribution", "attributes": {"log": log, "step": step, "low": low, "high": high}})
        }
        Distribution::Float { low, high, step, log } => {
            json!({"name": "FloatDistribution", "attributes": {"step": step, "low": low, "high": high, "log": log}})
        }
    };
    Json::String(print(&json))
}

/// A distribution that Optuna wrote, with the names of its releases before 3.0 too.
pub(super) fn to_distribution(text: &Json, parameter: &str) -> Result<Distribution, Problem> {
    let broken = |what: &str| format!("the distribution of `{parameter}` {what}");
    let json = parse(text.as_str().ok_or_else(|| broken("is not a string"))?)?;
    let name = json.get("name").and_then(Json::as_str).ok_or_else(|| broken("has no name"))?;
    let attributes = json.get("attributes").ok_or_else(|| broken("has no attributes"))?;
    let float =
        |key: &str| attributes.get(key).and_then(as_number).ok_or_else(|| broken(&format!("has no number `{key}`")));
    let int = |key: &str| {
        let value = float(key)?;
        let whole = value.fract() == 0.0 && value.abs() <= (1_u64 << 53) as f64;
        whole.then_some(value as i64).ok_or_else(|| broken(&format!("has no whole number `{key}`")))
    };
    let log = attributes.get("log").and_then(Json::as_bool).unwrap_or(false);
    let distribution = match name {
        "CategoricalDistribution" => {
            let choices = attributes.get("choices").and_then(Json::as_array).ok_or_else(|| broken("has no choices"))?;
            // Python takes choices that repeat; the index tells them apart.
            let choices: Vec<Value> = choices.iter().map(to_value).collect();
            return if choices.is_empty() {
                Err(broken("has no choices"))
            } else {
                Ok(Distribution::Categorical { choices })
            };
        }
        "IntDistribution" | "IntUniformDistribution" => {
            Distribution::Int { low: int("low")?, high: int("high")?, step: int("step").unwrap_or(1), log }
        }
        "IntLogUniformDistribution" => Distribution::Int { low: int("low")?, high: int("high")?, step: 1, log: true },
        "FloatDistribution" | "UniformDistribution" => {
            Distribution::Float { low: float("low")?, high: float("high")?, step: float("step").ok(), log }
        }
        "LogUniformDistribution" => {
            Distribution::Float { low: float("low")?, high: float("high")?, step: None, log: true }
        }
        "DiscreteUniformDistribution" => {
            Distribution::Float { low: float("low")?, high: float("high")?, step: Some(float("q")?), log: false }
        }
        other => return Err(broken(&format!("is of the unknown kind {other}"))),
    };
    distribution.checked(parameter).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_json_lacks_pass_both_ways_and_texts_stay() {
        let line = r#"{"a":NaN,"b":[Infinity,-Infinity,1.5],"c":"NaN \" Infinity","d":"é\\"}"#;
        let json = parse(line).unwrap();
        assert!(as_number(&json["a"]).unwrap().is_nan());
        assert_eq!(as_number(&json["b"][0]), Some(f64::INFINITY));
        assert_eq!(as_number(&json["b"][1]), Some(f64::NEG_INFINITY));
        assert_eq!(json["c"], "NaN \" Infinity");
        assert_eq!(print(&json), line);
        assert_eq!(print(&number(f64::NAN)), "NaN");
        for bad in ["{\"a\":nan}", "{\"a\":", "\"\\", "\\", "é", ""] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn distributions_of_all_releases() {
        let read = |text: &str| to_distribution(&json!(text), "x");
        let old =
            read(r#"{"name": "DiscreteUniformDistribution", "attributes": {"low": 0.0, "high": 1.0, "q": 0.25}}"#);
        let new = Distribution::Float { low: 0.0, high: 1.0, step: Some(0.25), log: false };
        assert_eq!(old.as_ref(), Ok(&new));
        let old = read(r#"{"name": "IntLogUniformDistribution", "attributes": {"low": 1, "high": 9, "step": 1}}"#);
        assert_eq!(old, Ok(Distribution::Int { low: 1, high: 9, step: 1, log: true }));
        let choices = vec![Value::Null, true.into(), 3.into(), 0.5.into(), "a".into()];
        for distribution in [new, Distribution::Categorical { choices }] {
            assert_eq!(to_distribution(&of_distribution(&distribution), "x"), Ok(distribution));
        }
        for bad in [
            "3",
            "{}",
            r#"{"name":"Normal","attributes":{}}"#,
            r#"{"name":"FloatDistribution","attributes":{"low":2.0,"high":1.0,"log":false,"step":null}}"#,
            r#"{"name":"IntDistribution","attributes":{"low":0.5,"high":1}}"#,
            r#"{"name":"CategoricalDistribution","attributes":{"choices":[]}}"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
