//! [`Setting`]: what a person needs to know of one; [`Settings`]: all of a structure.

use crate::{Problem, Range};

/// One of several values that have names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Its name.
    pub name: &'static str,
    /// Other names by which it is understood.
    pub aliases: &'static [&'static str],
    /// What it means.
    pub help: &'static str,
}

/// What kind of value a setting takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// True or false; false unless it is said.
    Switch,
    /// A whole number of at least 0.
    Integer,
    /// A finite number.
    Number,
    /// Any text.
    Text,
    /// One of these.
    Choice(&'static [Choice]),
    /// Several, separated by commas.
    List(Box<Kind>),
}

/// One setting.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// Its name, words joined by dashes.
    pub name: String,
    /// The section of a settings file that it stands in.
    pub section: &'static str,
    /// What it does, in a sentence.
    pub help: String,
    /// What stands for its value in a help text.
    pub value_name: &'static str,
    /// What kind of value it takes.
    pub kind: Kind,
    /// Which numbers it takes.
    pub range: Range,
    /// Its default as text; `None` where the library decides.
    pub default: Option<String>,
    /// Its value as text.
    pub value: Option<String>,
}

impl Setting {
    /// What it takes, in words.
    pub fn expected(&self) -> String {
        match &self.kind {
            Kind::Switch => "true or false".to_owned(),
            Kind::Integer => self.range.to_string().replacen("a number", "a whole number", 1),
            Kind::Number => self.range.to_string(),
            Kind::Text => "a text".to_owned(),
            Kind::Choice(choices) => Problem::one_of(choices),
            Kind::List(_) => "values separated by commas".to_owned(),
        }
    }
}

/// A structure of settings; see [`settings!`](crate::settings).
pub trait Settings: Clone + Default {
    /// All settings with their values here.
    fn list(&self) -> Vec<Setting>;

    /// Gives the setting of this name, dashes or underscores, the value that the text stands for.
    ///
    /// # Errors
    /// A name that is none, a value that the setting does not take.
    fn set(&mut self, name: &str, text: &str) -> Result<(), Problem>;

    /// The settings that have no effect beside the others, each with what it would need.
    fn unused(&self) -> Vec<(String, String)>;

    /// Whether every value is in its range.
    ///
    /// # Errors
    /// The first value that is not.
    fn check_values(&self) -> Result<(), Problem> {
        let mut scratch = self.clone();
        self.list().into_iter().try_for_each(|setting| match &setting.value {
            Some(value) => scratch.set(&setting.name, value),
            None => Ok(()),
        })
    }

    /// Whether every value is in its range, and every one that is not its default has an effect.
    ///
    /// # Errors
    /// The first setting that is wrong.
    fn check(&self) -> Result<(), Problem> {
        self.check_values()?;
        let list = self.list();
        let changed = |name: &str| list.iter().any(|setting| setting.name == name && setting.value != setting.default);
        match self.unused().into_iter().find(|(name, _)| changed(name)) {
            Some((name, because)) => Err(Problem::Unused { name, because }),
            None => Ok(()),
        }
    }
}
