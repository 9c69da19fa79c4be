//! All settings of a command as the user and the defaults have them, for `--print-config` and for the folder of a run.

use std::fmt::Write as _;

use clap::{Arg, ArgAction, ArgMatches, Command};
use cupel::settings::Value as _;
use toml::{Table, Value};

use crate::config::{COMMAND, is_setting, key, section};

/// The settings that say how to go about a run and not what it is.
const MANNERS: [&str; 6] = ["force", "resume", "strict", "dry_run", "json", "quiet"];

/// A setting as it stands.
struct Resolved<'a> {
    argument: &'a Arg,
    key: String,
    section: String,
    /// `None` where neither the user nor a default says anything.
    value: Option<Value>,
}

/// Settings in the order of the command, those without a section first; what has no effect beside the others is left out.
fn resolved<'a>(command: &'a Command, matches: &ArgMatches, unused: &[String]) -> Vec<Resolved<'a>> {
    let mut all: Vec<Resolved<'a>> = command
        .get_arguments()
        .filter(|argument| is_setting(argument) && !MANNERS.contains(&argument.get_id().as_str()))
        .filter(|argument| !unused.contains(&key(argument)))
        .map(|argument| Resolved {
            argument,
            key: key(argument),
            section: section(argument).unwrap_or_default(),
            value: value(argument, matches),
        })
        .collect();
    let first = |name: &str| all.iter().position(|other| other.section == name).unwrap_or(0);
    let order: Vec<usize> =
        all.iter().map(|own| if own.section.is_empty() { 0 } else { 1 + first(&own.section) }).collect();
    let mut order = order.into_iter();
    all.sort_by_cached_key(|_| order.next());
    all
}

fn value(argument: &Arg, matches: &ArgMatches) -> Option<Value> {
    let id = argument.get_id().as_str();
    if matches!(argument.get_action(), ArgAction::SetTrue) {
        return Some(Value::Boolean(matches.get_flag(id)));
    }
    let words: Vec<Value> = matches.get_raw(id)?.map(|word| scalar(&word.to_string_lossy())).collect();
    let several = matches!(argument.get_action(), ArgAction::Append) || words.len() > 1;
    if several { Some(Value::Array(words)) } else { words.into_iter().next() }
}

/// A word as the number or the switch that it writes, else as text.
fn scalar(word: &str) -> Value {
    if let Ok(number) = word.parse::<i64>() {
        return if number.to_string() == word { Value::Integer(number) } else { Value::String(word.to_owned()) };
    }
    match (bool::parse(word), word.parse::<f64>()) {
        (Ok(switch), _) => Value::Boolean(switch),
        (_, Ok(number)) if number.is_finite() && number.to_string() == word => Value::Float(number),
        _ => Value::String(word.to_owned()),
    }
}

/// The settings as a table of sections, the command first.
pub fn table(name: &str, command: &Command, matches: &ArgMatches, unused: &[String]) -> Table {
    let mut table = Table::from_iter([(COMMAND.to_owned(), Value::String(name.to_owned()))]);
    for Resolved { key, section, value, .. } in resolved(command, matches, unused) {
        let Some(value) = value else { continue };
        if section.is_empty() {
            table.insert(key, value);
        } else if let Value::Table(inner) = table.entry(section).or_insert_with(|| Table::new().into()) {
            inner.insert(key, value);
        }
    }
    table
}

/// The same as a file with a line of help above each setting; what is left to the program is commented out.
pub fn text(name: &str, command: &Command, matches: &ArgMatches, unused: &[String]) -> String {
    let mut text = format!("{COMMAND} = {}\n", Value::String(name.to_owned()));
    let mut before = String::new();
    for Resolved { argument, key, section, value } in resolved(command, matches, unused) {
        // writing to a string cannot fail
        if section != before {
            let _ = writeln!(text, "\n[{section}]");
            before = section;
        }
        if let Some(help) = argument.get_help() {
            let _ = writeln!(text, "# {}", help.to_string().replace('\n', " "));
        }
        let _ = match value {
            Some(value) => writeln!(text, "{key} = {value}"),
            None => writeln!(text, "# {key} ="),
        };
    }
    text
}
