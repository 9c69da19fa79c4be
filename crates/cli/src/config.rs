//! `--config FILE`: the settings of a file become flags, placed before those of the user.
//!
//! So every setting is an option of the command, is checked by the parser that checks the option, and is described by
//! `--help`. Keys in sections are joined with a dash: `[edaa]` `restarts = 10` is `--edaa-restarts 10`. A flag on the
//! command line replaces the setting of the same name. Paths are taken from the folder where the command runs.

use std::{
    collections::BTreeMap,
    error::Error,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};
use clap::{
    Arg, ArgAction, Command,
    error::{ContextKind, ContextValue, ErrorKind},
};

use crate::config_file::{self, Setting, Value};

/// The arguments with the settings of the file that they name, if they name one.
///
/// # Errors
/// When the file cannot be read or some setting is not one of the command; all such settings are named at once.
pub fn layer(root: &mut Command, mut arguments: Vec<OsString>) -> Result<Vec<OsString>> {
    root.build();
    let (command, start) = leaf(root, &arguments);
    let given = Given::new(&arguments[start..]);
    let Some(path) = given.config.as_deref().filter(|_| has_config(command)) else {
        return Ok(arguments);
    };
    if given.help {
        return Ok(arguments);
    }
    let flags = flags(command, path, config_file::read(path)?, &given)?;
    arguments.splice(start..start, flags);
    Ok(arguments)
}

/// What the user gave after the command's name.
struct Given {
    config: Option<PathBuf>,
    names: Vec<String>,
    help: bool,
}

impl Given {
    fn new(arguments: &[OsString]) -> Self {
        let mut given = Self { config: None, names: Vec::new(), help: false };
        let mut arguments =
            arguments.iter().map(OsString::as_os_str).take_while(|argument| *argument != "--").peekable();
        while let Some(argument) = arguments.next() {
            if let Some(path) = strip_prefix(argument, "--config=") {
                given.config = Some(path);
            } else if argument == "--config" {
                given.config = arguments.peek().map(PathBuf::from);
            }
            given.help |= argument == "--help" || argument == "-h";
            if let Some(name) = argument.to_string_lossy().strip_prefix("--") {
                given.names.push(name.split('=').next().unwrap_or(name).to_owned());
            }
        }
        given
    }
}

/// A path may hold bytes that are not UTF-8, so the prefix is taken off the raw bytes.
fn strip_prefix(argument: &OsStr, prefix: &str) -> Option<PathBuf> {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        let rest = argument.as_bytes().strip_prefix(prefix.as_bytes())?;
        Some(PathBuf::from(OsStr::from_bytes(rest)))
    }
    #[cfg(not(unix))]
    {
        argument.to_str()?.strip_prefix(prefix).map(PathBuf::from)
    }
}

/// The command that the words at the front name, and where its own arguments start.
fn leaf<'a>(root: &'a Command, arguments: &[OsString]) -> (&'a Command, usize) {
    let mut command = root;
    let mut start = 1.min(arguments.len());
    while let Some(inner) = arguments.get(start).and_then(|word| command.find_subcommand(word)) {
        command = inner;
        start += 1;
    }
    (command, start)
}

fn has_config(command: &Command) -> bool {
    command.get_arguments().any(|argument| argument.get_long() == Some("config"))
}

/// The settings as flags, less those that the user gave himself.
fn flags(command: &Command, path: &Path, settings: Vec<Setting>, given: &Given) -> Result<Vec<OsString>> {
    let alone = command.clone().no_binary_name(true).mut_args(|argument| argument.required(false));
    let mut flags = Vec::new();
    let mut problems = Vec::new();
    let mut seen = BTreeMap::new();
    for Setting { key, value, line } in settings {
        let name = key.replace(['.', '_'], "-");
        let checked = match seen.insert(name.clone(), line) {
            Some(before) => Err(format!("`{key}` is already set on line {before}")),
            None => tokens(&alone, &key, &name, &value),
        };
        match checked {
            Ok(_) if given.names.contains(&name) => {}
            Ok(tokens) => flags.extend(tokens.into_iter().map(OsString::from)),
            Err(problem) => problems.push(format!("line {line}: {problem}")),
        }
    }
    match problems.as_slice() {
        [] => Ok(flags),
        [problem] => bail!("{}, {problem}", path.display()),
        _ => bail!("{}:\n  {}", path.display(), problems.join("\n  ")),
    }
}

/// One setting as flags, tried on the parser of the command; the error says what is wrong with it.
fn tokens(alone: &Command, key: &str, name: &str, value: &Value) -> Result<Vec<String>, String> {
    let Some(argument) = alone.get_arguments().find(|argument| is_setting(argument, name)) else {
        return Err(unknown(alone, key, name));
    };
    let switch = matches!(argument.get_action(), ArgAction::SetTrue);
    let tokens = match value {
        Value::Switch(true) if switch => vec![format!("--{name}")],
        Value::Switch(false) if switch => Vec::new(),
        _ if switch => return Err(format!("`{key}` takes true or false")),
        Value::Switch(value) => vec![format!("--{name}={value}")],
        Value::Text(text) => vec![format!("--{name}={text}")],
        Value::List(items) => items.iter().map(|item| format!("--{name}={item}")).collect(),
        Value::Unusable => {
            return Err(format!("`{key}` takes a number, a text, true, false, or a list of them"));
        }
    };
    match alone.clone().try_get_matches_from(&tokens) {
        Ok(_) => Ok(tokens),
        Err(error) => match error.kind() {
            ErrorKind::InvalidValue | ErrorKind::ValueValidation => Err(invalid(key, &error)),
            ErrorKind::ArgumentConflict => Err(format!("`{key}` takes one value, not a list")),
            _ => Ok(tokens), // it misses another option, which the command line may still bring
        },
    }
}

/// `--config` itself is none: a file does not name another file.
fn is_setting(argument: &Arg, name: &str) -> bool {
    argument.get_long() == Some(name)
        && name != "config"
        && !matches!(
            argument.get_action(),
            ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version
        )
}

fn unknown(alone: &Command, key: &str, name: &str) -> String {
    // The parser knows which option is meant when it meets a misspelt one.
    let suggestion = alone
        .clone()
        .try_get_matches_from([format!("--{name}")])
        .err()
        .and_then(|error| match error.get(ContextKind::SuggestedArg) {
            Some(ContextValue::String(flag)) => Some(flag.trim_start_matches('-').to_owned()),
            _ => None,
        })
        .filter(|suggested| alone.get_arguments().any(|argument| is_setting(argument, suggested)));
    match suggestion {
        Some(suggestion) => format!("unknown setting `{key}`; did you mean `{suggestion}`?"),
        None => {
            let mut names: Vec<_> = alone
                .get_arguments()
                .filter_map(|argument| argument.get_long().filter(|name| is_setting(argument, name)))
                .collect();
            names.sort_unstable();
            format!("unknown setting `{key}`; this command knows {}", names.join(", "))
        }
    }
}

fn invalid(key: &str, error: &clap::Error) -> String {
    let given = match error.get(ContextKind::InvalidValue) {
        Some(ContextValue::String(value)) => value.as_str(),
        _ => "",
    };
    let reason = match (error.source(), error.get(ContextKind::ValidValue)) {
        (Some(source), _) => source.to_string(),
        (None, Some(ContextValue::Strings(valid))) => format!("it takes {}", valid.join(", ")),
        _ => "it takes another kind of value".to_owned(),
    };
    format!("`{key}` cannot be \"{given}\": {reason}")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::{CommandFactory, Parser};

    use super::*;

    /// A command as the others are built.
    #[derive(Parser, Debug)]
    struct Example {
        #[command(subcommand)]
        command: Commands,
    }

    #[derive(clap::Subcommand, Debug)]
    enum Commands {
        Go {
            file: PathBuf,
            #[command(flatten)]
            options: Box<crate::options::Options>,
            #[arg(long, value_delimiter = ',')]
            methods: Vec<String>,
            #[arg(long, default_value_t = 3)]
            edaa_restarts: u32,
        },
    }

    fn parse(settings: &str, line: &[&str]) -> Result<Commands> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("settings.toml");
        fs::write(&path, settings)?;
        let mut arguments: Vec<OsString> = line.iter().map(OsString::from).collect();
        arguments.extend(["--config".into(), path.into_os_string()]);
        let arguments = layer(&mut Example::command(), arguments)?;
        Ok(Example::try_parse_from(arguments)?.command)
    }

    fn refused(settings: &str) -> String {
        format!("{:#}", parse(settings, &["cupel", "go", "scene.mat"]).unwrap_err())
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_the_defaults() {
        let settings =
            "seed = 7\ndry_run = true\nforce = false\nmethods = [\"edaa\", \"vca\"]\n[edaa]\nrestarts = 10\n";
        let Commands::Go { options, methods, edaa_restarts, .. } =
            parse(settings, &["cupel", "go", "scene.mat"]).unwrap();
        assert_eq!((options.seed, options.dry_run, options.force, edaa_restarts), (7, true, false, 10));
        assert_eq!(methods, ["edaa", "vca"]);
        assert_eq!(options.device, "auto");

        let line = ["cupel", "go", "scene.mat", "--seed=8", "--methods", "spa", "--edaa-restarts", "2"];
        let Commands::Go { options, methods, edaa_restarts, .. } = parse(settings, &line).unwrap();
        assert_eq!((options.seed, edaa_restarts), (8, 2));
        assert_eq!(methods, ["spa"]);
    }

    #[test]
    fn all_misspelt_keys_are_named_with_their_lines() {
        let message = refused("sede = 1\n\n[edaa]\nrestart = 5\n");
        assert!(message.contains("line 1: unknown setting `sede`; did you mean `seed`?"), "{message}");
        assert!(message.contains("line 4: unknown setting `edaa.restart`; did you mean `edaa-restarts`?"), "{message}");
    }

    #[test]
    fn a_key_like_no_other_brings_the_list() {
        let message = refused("zzz = 1\n");
        assert!(message.contains("this command knows checkpoint-every, device"), "{message}");
        assert!(!message.contains("config,"), "{message}");
    }

    #[test]
    fn values_are_checked_by_the_option() {
        assert!(refused("seed = \"many\"\n").contains("line 1: `seed` cannot be \"many\": invalid digit"));
        assert!(refused("threads = 0\n").contains("`threads` cannot be \"0\""));
        assert!(refused("precision = \"f8\"\n").contains("it takes auto, f32, bf16, fp16"));
        assert!(refused("force = 1\n").contains("`force` takes true or false"));
        assert!(refused("seed = [1, 2]\n").contains("`seed` takes one value, not a list"));
        assert!(refused("dry_run = true\ndry-run = false\n").contains("`dry-run` is already set on line 1"));
        assert!(refused("config = \"other.toml\"\n").contains("unknown setting `config`"));
        assert!(refused("help = true\n").contains("unknown setting `help`"));
    }

    #[test]
    fn a_setting_that_the_line_overrides_is_checked_all_the_same() {
        let line = ["cupel", "go", "scene.mat", "--seed", "1"];
        assert!(parse("seed = \"many\"\n", &line).is_err());
    }

    #[test]
    fn what_follows_two_dashes_is_no_flag() {
        let given = Given::new(&["--config", "a.toml", "--", "--seed"].map(OsString::from));
        assert_eq!(given.names, ["config"]);
        assert_eq!(given.config.as_deref(), Some(Path::new("a.toml")));
    }
}
