//! What can be wrong with a setting.

use crate::Choice;

/// A setting that cannot be; the text says what is wrong, with what, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A value that the setting does not take.
    #[error("{name} = {got}: expected {expected}")]
    Value {
        /// Name of the setting.
        name: String,
        /// What was given.
        got: String,
        /// What would be right.
        expected: String,
    },
    /// A name that is none.
    #[error("there is no setting `{name}`{}; there are {}", did_you_mean(nearest.as_deref()), known.join(", "))]
    Unknown {
        /// The name.
        name: String,
        /// The name that is nearest, if one is near.
        nearest: Option<String>,
        /// The names there are.
        known: Vec<String>,
    },
    /// A setting without an effect beside the others.
    #[error("{name}: {because}; leave it out")]
    Unused {
        /// Name of the setting.
        name: String,
        /// What it would need.
        because: String,
    },
}

impl Problem {
    /// A value that the setting does not take.
    pub fn value(name: impl Into<String>, got: impl ToString, expected: impl ToString) -> Self {
        Self::Value { name: name.into(), got: got.to_string(), expected: expected.to_string() }
    }

    /// A name that is not among `known`.
    pub fn unknown(name: &str, known: impl IntoIterator<Item = String>) -> Self {
        let known: Vec<String> = known.into_iter().collect();
        let nearest = cupel_data::nearest_name(name, known.iter().map(String::as_str)).map(str::to_owned);
        Self::Unknown { name: name.to_owned(), nearest, known }
    }

    /// `one of a, b`, for what is expected of a choice.
    pub fn one_of(choices: &[Choice]) -> String {
        let names: Vec<&str> = choices.iter().map(|choice| choice.name).collect();
        format!("one of {}", names.join(", "))
    }

    /// The setting concerned.
    pub fn name(&self) -> &str {
        match self {
            Self::Value { name, .. } | Self::Unknown { name, .. } | Self::Unused { name, .. } => name,
        }
    }
}

fn did_you_mean(name: Option<&str>) -> String {
    name.map_or_else(String::new, |name| format!(", did you mean `{name}`?"))
}
