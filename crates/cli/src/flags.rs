//! [`Flags`]: a structure of settings of the library as flags; the library says their names, defaults, ranges and help.

use std::{any::Any, fmt, marker::PhantomData, str::FromStr};

use clap::{
    Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser, ValueParser},
    parser::ValueSource,
};
use cupel::settings::{Choice, Kind, Problem, Range, Setting, Settings, Value};

/// The settings `S` as the user gave them.
#[derive(Clone, Debug, Default)]
pub struct Flags<S> {
    /// What he did not give has its default.
    pub settings: S,
}

/// Why the library does not take a value.
#[derive(Debug)]
struct Unfit(String);

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unfit {}

/// Whether the parser failed at a value of a setting of the library: it is understood, and cannot be.
pub(crate) fn is_unfit(error: &clap::Error) -> bool {
    let by_parser = std::error::Error::source(error).is_some_and(|source| source.is::<Unfit>());
    // a list is taken apart first, and its values come without a source
    error.kind() == clap::error::ErrorKind::ValueValidation && (by_parser || std::error::Error::source(error).is_none())
}

impl<S: Settings> FromArgMatches for Flags<S> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for Setting { name, .. } in S::default().list() {
            if matches.value_source(&name) != Some(ValueSource::CommandLine) {
                continue;
            }
            let given: Vec<_> = matches.get_raw(&name).into_iter().flatten().map(|v| v.to_string_lossy()).collect();
            self.settings.set(&name, &given.join(",")).map_err(|problem| {
                clap::Error::raw(clap::error::ErrorKind::ValueValidation, format!("--{name}: {problem}\n"))
            })?;
        }
        Ok(())
    }
}

impl<S: Settings> Args for Flags<S> {
    fn augment_args(command: Command) -> Command {
        let fresh = |command: Command, setting: Setting| {
            // a setting of two structures is one flag, which both read
            let known = command.get_arguments().any(|own| own.get_id().as_str() == setting.name);
            if known { command } else { command.arg(argument::<S>(setting)) }
        };
        S::default().list().into_iter().fold(command, fresh)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// Short names of settings, as other programs have them.
const ALIASES: [(&str, &str); 1] = [("frequencies", "freqs")];

/// The flag of a setting.
fn argument<S: Settings>(setting: Setting) -> Arg {
    let name = setting.name.clone();
    let argument = Arg::new(name.clone()).long(name.clone()).help(setting.help.clone());
    let argument = argument.help_heading(heading(setting.section));
    let own = ALIASES.iter().filter(|(name, _)| *name == setting.name);
    let argument = own.fold(argument, |argument, (_, alias)| argument.alias(*alias));
    let (kind, several) = match &setting.kind {
        Kind::List(kind) => (kind.as_ref(), true),
        kind => (kind, false),
    };
    let argument = match kind {
        // what is on unless told otherwise has to be told otherwise
        Kind::Switch if setting.default.as_deref() == Some("true") => {
            let words = PossibleValuesParser::new(["true", "false"]);
            return argument
                .value_parser(words)
                .value_name("BOOL")
                .num_args(0..=1)
                .default_missing_value("true")
                .default_value("true");
        }
        Kind::Switch => return argument.action(ArgAction::SetTrue),
        Kind::Choice(choices) => argument.value_parser(possible(choices)),
        _ if several => argument,
        _ => {
            let parser = move |text: &str| match S::default().set(&name, text) {
                Ok(()) => Ok(text.to_owned()),
                Err(Problem::Value { expected, .. }) => Err(Unfit(format!("expected {expected}"))),
                Err(problem) => Err(Unfit(problem.to_string())),
            };
            argument.value_parser(ValueParser::new(parser))
        }
    };
    let argument = match setting.value_name {
        "" => argument.value_name(setting.name.to_uppercase().replace('-', "_")),
        value_name => argument.value_name(value_name),
    };
    let argument = if several { argument.value_delimiter(',').action(ArgAction::Append) } else { argument };
    match setting.default.filter(|default| !default.is_empty()) {
        Some(default) if several => argument.default_values(default.split(',').map(str::to_owned).collect::<Vec<_>>()),
        Some(default) => argument.default_value(default),
        None => argument,
    }
}

/// A section as `--help` shows it: `run-folder` is "Run folder".
fn heading(section: &str) -> String {
    let words = section.replace('-', " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn possible(choices: &'static [Choice]) -> PossibleValuesParser {
    let value = |choice: &Choice| {
        let help = choice.help.trim();
        PossibleValue::new(choice.name).help(help).aliases(choice.aliases)
    };
    PossibleValuesParser::new(choices.iter().map(value))
}

/// A parser of one of the named values of `V`.
pub fn choice<V>() -> impl TypedValueParser<Value = V>
where
    V: Value + FromStr + Any + Send + Sync,
    V::Err: std::error::Error + Send + Sync + 'static,
{
    let choices = match V::kind() {
        Kind::Choice(choices) => choices,
        _ => &[],
    };
    possible(choices).try_map(|text| text.parse::<V>())
}

/// A parser of a number within `range`.
pub fn number<V: Value + Any + Send + Sync>(range: Range) -> impl TypedValueParser<Value = V> {
    Number { range, of: PhantomData }
}

#[derive(Clone)]
struct Number<V> {
    range: Range,
    of: PhantomData<V>,
}

/// What a number should have been.
#[derive(Debug)]
struct Expected(String);

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}", self.0)
    }
}

impl std::error::Error for Expected {}

impl<V: Value + Any + Send + Sync> TypedValueParser for Number<V> {
    type Value = V;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<Self::Value, clap::Error> {
        let range = self.range;
        let words = if V::kind() == Kind::Integer { "a whole number" } else { "a number" };
        let parse = move |text: &str| match V::parse(text) {
            Ok(value) if value.within(&range) => Ok(value),
            _ => Err(Expected(range.to_string().replacen("a number", words, 1))),
        };
        TypedValueParser::parse_ref(&parse, command, argument, value)
    }
}
