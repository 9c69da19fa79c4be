//! The numbers and texts of a JSON file, flat and in the order of the file.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};

use crate::scale::superscript_power;

/// Most elements of a list that are shown.
const SHOWN_ELEMENTS: usize = 24;

/// Last words of a name that says where results lie: the reader knows, and between runs it is never the same.
const PLACES: [&str; 3] = ["out", "run_dir", "run-dir"];

/// A JSON value whose objects keep their order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Nothing,
    Switch(bool),
    Number(f64),
    /// Kept apart from numbers because a 64-bit seed does not fit into one.
    Integer(String),
    Text(String),
    List(Vec<Value>),
    Object(Vec<(String, Value)>),
}

impl Value {
    /// Every value that is not an object of other values, with the names that lead to it joined by dots.
    pub(crate) fn facts(&self) -> Vec<(String, &Value)> {
        let mut facts = Vec::new();
        self.collect(String::new(), &mut facts);
        facts
    }

    /// Mean and standard deviation, where the value is an object of these two.
    pub(crate) fn spread(&self) -> Option<(&Self, &Self)> {
        match self {
            Self::Object(fields) => match fields.as_slice() {
                [(first, mean), (second, sd)] if first == "mean" && second == "sd" => Some((mean, sd)),
                _ => None,
            },
            _ => None,
        }
    }

    /// The value as a number; a spread counts as its mean.
    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Self::Number(value) => Some(*value),
            Self::Integer(text) => text.parse().ok(),
            _ => self.spread().and_then(|(mean, _)| mean.number()),
        }
    }

    /// Whether it is a table of its own, or several of them: nothing to show in a line.
    pub(crate) fn is_list_of_objects(&self) -> bool {
        let row = |element: &Self| matches!(element, Self::Object(_)) && element.spread().is_none();
        matches!(self, Self::List(elements) if !elements.is_empty()
            && elements.iter().all(|element| row(element) || element.is_list_of_objects()))
    }

    /// The value of a field of an object.
    pub(crate) fn field(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(fields) => fields.iter().find(|(other, _)| other == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The value as text: numbers with five significant digits, lists with commas.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Nothing => String::from("–"),
            Self::Switch(value) => String::from(if *value { "yes" } else { "no" }),
            Self::Number(value) => number(*value),
            Self::Integer(text) => text.replace('-', "\u{2212}"),
            Self::Text(text) => text.clone(),
            Self::List(elements) => {
                let mut shown: Vec<String> = elements.iter().take(SHOWN_ELEMENTS).map(Self::shown).collect();
                if elements.len() > SHOWN_ELEMENTS {
                    shown.push(format!("… ({} in all)", elements.len()));
                }
                shown.join(", ")
            }
            Self::Object(fields) => {
                match self.spread() {
                    Some((mean, Self::Nothing)) => return mean.shown(),
                    Some((mean, sd)) => return format!("{} ±\u{a0}{}", mean.shown(), sd.shown()),
                    None => {}
                }
                let shown: Vec<String> =
                    fields.iter().map(|(name, value)| format!("{name}: {}", value.shown())).collect();
                shown.join(", ")
            }
        }
    }

    fn collect<'a>(&'a self, name: String, facts: &mut Vec<(String, &'a Value)>) {
        let Self::Object(fields) = self else { return facts.push((name, self)) };
        if self.spread().is_some() {
            return facts.push((name, self));
        }
        for (field, value) in fields {
            let name = if name.is_empty() { field.clone() } else { format!("{name}.{field}") };
            value.collect(name, facts);
        }
    }
}

pub(crate) fn is_place(name: &str) -> bool {
    PLACES.contains(&name.rsplit('.').next().unwrap_or(name))
}

/// A number with five significant digits.
pub(crate) fn number(value: f64) -> String {
    let magnitude = value.abs();
    let text = if magnitude == 0.0 {
        String::from("0")
    } else if !(1e-4..1e7).contains(&magnitude) {
        let text = format!("{value:.4e}");
        match text.split_once('e') {
            Some((digits, power)) => format!("{} × {}", trimmed(digits), superscript_power(power)),
            None => text,
        }
    } else {
        let decimals = (4 - magnitude.log10().floor() as i32).max(0) as usize;
        trimmed(&format!("{value:.decimals$}")).to_owned()
    };
    text.replace('-', "\u{2212}")
}

fn trimmed(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Nothing)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Switch(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Integer(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Integer(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = sequence.next_element()? {
            elements.push(element);
        }
        Ok(Value::List(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_keep_the_order_of_the_file() {
        let value: Value = serde_json::from_str(
            r#"{"zeta": 1, "alpha": {"unit_max": 0.0151234, "fcls": null}, "sad_rad": [0.01, 2e-9], "seed": 18446744073709551615, "auto": true}"#,
        )
        .unwrap();
        let shown: Vec<(String, String)> =
            value.facts().into_iter().map(|(name, value)| (name, value.shown())).collect();
        let expected = [
            ("zeta", "1"),
            ("alpha.unit_max", "0.015123"),
            ("alpha.fcls", "–"),
            ("sad_rad", "0.01, 2 × 10⁻⁹"),
            ("seed", "18446744073709551615"),
            ("auto", "yes"),
        ];
        assert_eq!(shown.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn tables_and_lists_of_tables_are_told_from_lists_of_numbers() {
        let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        for table in [r#"[{"k": 1}]"#, r#"[[{"k": 1}, {"k": 2}], [{"k": 3}]]"#] {
            assert!(value(table).is_list_of_objects(), "{table}");
        }
        for list in ["[]", "[1, 2]", "[[1, 2], [3]]", r#"[{"mean": 1, "sd": 2}]"#] {
            assert!(!value(list).is_list_of_objects(), "{list}");
        }
    }

    #[test]
    fn numbers_have_five_significant_digits() {
        for (value, text) in [
            (0.0, "0"),
            (1234.5678, "1234.6"),
            (123_456.0, "123456"),
            (-0.25, "\u{2212}0.25"),
            (1.0e12, "1 × 10¹²"),
            (0.99999999, "1"),
            (3.14159e-7, "3.1416 × 10⁻⁷"),
        ] {
            assert_eq!(number(value), text);
        }
    }
}
