//! `--config FILE`: the settings of a file become flags beside those of the user, which win.
//!
//! So every setting is an option of the command, is checked by the parser that checks the option, and is described by `--help`. A key is the
//! name of a flag, with dashes or underscores; it stands at the top, or in the section that is its heading in `--help`, and a science may
//! declare [`Alias`]es for the keys of older files. Paths are taken from the folder where the command runs.

use std::{
    collections::BTreeMap,
    error::Error,
    ffi::OsString,
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};
use clap::{
    Arg, ArgAction, ArgMatches, Command,
    error::{ContextKind, ContextValue, ErrorKind},
    parser::ValueSource,
};
use cupel::data::nearest_name;

use crate::config_file::{self, Setting, Value};

/// A key of older settings files, `network.use_amp`, and the flag that it stands for, `use-amp`, or nothing where no setting of today does what it did.
pub type Alias = (&'static str, Option<&'static str>);

/// The key that names the command a settings file belongs to.
pub const COMMAND: &str = "command";

/// What older files write before the names of patterns.
const BUILTIN: &str = "builtin:";

/// A flag that, given by the key of an older file, means something only where another flag has a value: `("steps", "solver", "decoder")`.
pub type Condition = (&'static str, &'static str, &'static str);

/// The arguments with the settings of the file that they name, if they name one.
///
/// # Errors
/// When the file cannot be read or some setting is not one of the command; all such settings are named at once.
pub fn layer(
    root: &mut Command,
    mut arguments: Vec<OsString>,
    aliases: &[Alias],
    conditions: &[Condition],
) -> Result<Vec<OsString>> {
    root.build();
    let Leaf { name, command, start } = leaf(root, &arguments);
    // What the user gave, whatever else is wrong or missing; a call for help ends here and is answered by the parser itself.
    let relaxed = optional(command).ignore_errors(true);
    let Ok(given) = relaxed.try_get_matches_from(&arguments[start..]) else { return Ok(arguments) };
    let Some(path) = given.try_get_one::<PathBuf>("config").ok().flatten().cloned() else { return Ok(arguments) };
    let file = Reader { command, alone: optional(command), name: &name, path: &path, aliases };
    let (mut settings, mut elsewhere, mut nothing, mut unmet) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let read = config_file::read(&path)?;
    // what the user says wins over the file
    let value_of = |name: &str| {
        let by_user = given.try_contains_id(name).is_ok() && given.value_source(name) == Some(ValueSource::CommandLine);
        let own = given.try_get_raw(name).ok().flatten().filter(|_| by_user).and_then(|mut values| values.next());
        own.map(|value| value.to_string_lossy().into_owned()).or_else(|| {
            let names = |key: &str| key.rsplit('.').next() == Some(name) || file.older(key) == Some(Some(name));
            read.iter()
                .find(|setting| names(&setting.key))
                .and_then(|setting| if let Value::Text(text) = &setting.value { Some(text.clone()) } else { None })
        })
    };
    for setting in read.clone() {
        let older = file.older(&setting.key);
        let condition = conditions.iter().find(|(flag, ..)| older == Some(Some(*flag)) && file.takes(flag));
        if let Some((flag, other, value)) = condition
            .filter(|(_, other, value)| value_of(other).is_none_or(|given| given.trim_start_matches(BUILTIN) != *value))
        {
            unmet.push(format!("{} (--{flag} of --{other} {value})", setting.key));
            continue;
        }
        match older {
            Some(None) => nothing.push(setting.key),
            Some(Some(flag)) if !file.takes(flag) => elsewhere.push(setting.key),
            Some(Some(_)) if setting.value == Value::Nothing => {}
            _ => settings.push(setting),
        }
    }
    let (flags, positionals) = file.arguments(settings, &given)?;
    if !given.try_get_one::<bool>("quiet").is_ok_and(|quiet| quiet == Some(&true)) {
        for (keys, words) in [
            (elsewhere, "are not of this command"),
            (nothing, "have no counterpart here"),
            (unmet, "have no effect here"),
        ] {
            if !keys.is_empty() {
                eprintln!("{}: these settings {words}: {}", path.display(), keys.join(", "));
            }
        }
    }
    arguments.splice(start..start, flags);
    if !positionals.is_empty() && !arguments.iter().any(|argument| argument == "--") {
        arguments.push("--".into());
    }
    arguments.extend(positionals);
    Ok(arguments)
}

/// The command that the words at the front name.
pub struct Leaf<'a> {
    /// `unmix run`.
    pub name: String,
    /// The command itself.
    pub command: &'a Command,
    /// Where its own arguments start.
    start: usize,
}

/// Finds the command that `arguments` name.
pub fn leaf<'a>(root: &'a Command, arguments: &[OsString]) -> Leaf<'a> {
    let mut leaf = Leaf { name: String::new(), command: root, start: 1.min(arguments.len()) };
    while let Some(inner) = arguments.get(leaf.start).and_then(|word| leaf.command.find_subcommand(word)) {
        let space = if leaf.name.is_empty() { "" } else { " " };
        leaf =
            Leaf { name: format!("{}{space}{}", leaf.name, inner.get_name()), command: inner, start: leaf.start + 1 };
    }
    leaf
}

/// The section that an argument stands in: its heading in `--help`.
pub fn section(argument: &Arg) -> Option<String> {
    argument.get_help_heading().map(|heading| heading.to_lowercase().replace(' ', "-"))
}

/// The arguments that a settings file can hold; a file does not name another file, nor ask for itself to be printed.
pub fn is_setting(argument: &Arg) -> bool {
    let asks = matches!(
        argument.get_action(),
        ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version
    );
    !asks && !["config", "print_config"].contains(&argument.get_id().as_str())
}

/// The name of an argument in settings files: its flag, or what a positional argument is called.
pub fn key(argument: &Arg) -> String {
    argument.get_long().map_or_else(|| argument.get_id().as_str().replace('_', "-"), str::to_owned)
}

fn optional(command: &Command) -> Command {
    command.clone().no_binary_name(true).mut_args(|argument| argument.required(false))
}

/// A settings file, read for one command.
struct Reader<'a> {
    command: &'a Command,
    /// The command with every argument optional, on which settings are tried.
    alone: Command,
    name: &'a str,
    path: &'a Path,
    aliases: &'a [Alias],
}

impl Reader<'_> {
    /// The settings as flags and as positional arguments, less those that the user gave himself.
    fn arguments(&self, settings: Vec<Setting>, given: &ArgMatches) -> Result<(Vec<OsString>, Vec<OsString>)> {
        let (mut flags, mut positionals, mut problems) = (Vec::new(), BTreeMap::new(), Vec::new());
        let mut seen: BTreeMap<String, u64> = BTreeMap::new();
        for setting in settings {
            let line = setting.line;
            if setting.key == COMMAND {
                match &setting.value {
                    Value::Text(name) if name == self.name => {}
                    _ => problems.push(format!("line {line}: these are not settings of `{}`", self.name)),
                }
                continue;
            }
            let checked = self.argument(&setting.key).and_then(|argument| {
                if let Some(before) = seen.insert(key(argument), line) {
                    return Err(format!("`{}` is already set on line {before}", setting.key));
                }
                Ok((argument, self.words(argument, &setting)?))
            });
            match checked {
                Err(problem) => problems.push(format!("line {line}: {problem}")),
                Ok((argument, _))
                    if given.value_source(argument.get_id().as_str()) == Some(ValueSource::CommandLine) => {}
                Ok((argument, words)) => match argument.get_index() {
                    None => flags.extend(words),
                    Some(index) => drop(positionals.insert(index, words)),
                },
            }
        }
        match problems.as_slice() {
            [] => Ok((flags, positionals.into_values().flatten().collect())),
            [problem] => bail!("{}, {problem}", self.path.display()),
            _ => bail!("{}:\n  {}", self.path.display(), problems.join("\n  ")),
        }
    }

    /// What a key of older files means today.
    fn older(&self, asked: &str) -> Option<Option<&'static str>> {
        let dashed = asked.replace('_', "-");
        // a whole section without a counterpart is an alias too
        let same = |(alias, flag): &&Alias| {
            let alias = alias.replace('_', "-");
            alias == dashed || flag.is_none() && dashed.strip_prefix(&alias).is_some_and(|rest| rest.starts_with('.'))
        };
        let flags = || self.aliases.iter().filter(same).map(|(_, flag)| *flag);
        // commands may call the same setting by different names
        flags().find(|flag| flag.is_some_and(|flag| self.takes(flag))).or_else(|| flags().next())
    }

    /// Whether the command has a flag of this name.
    fn takes(&self, flag: &str) -> bool {
        self.command.get_arguments().any(|argument| is_setting(argument) && key(argument) == flag)
    }

    /// The argument that a key `section.name` stands for.
    fn argument(&self, asked: &str) -> Result<&Arg, String> {
        let dashed = self.older(asked).flatten().map_or_else(|| asked.replace('_', "-"), str::to_owned);
        let settings = || self.command.get_arguments().filter(|argument| is_setting(argument));
        let joined = dashed.replace('.', "-");
        if let Some(argument) = settings().find(|argument| key(argument) == joined) {
            return Ok(argument);
        }
        let (sections, name) = dashed.rsplit_once('.').unwrap_or(("", &dashed));
        let wanted = sections.replace('.', "-");
        let sits = |argument: &&Arg| section(argument).is_some_and(|own| own == wanted);
        if let Some(argument) = settings().find(|argument| key(argument) == name && sits(argument)) {
            return Ok(argument);
        }
        let older = self.aliases.iter().map(|(alias, _)| *alias);
        let beside: Vec<&str> =
            older.filter(|alias| alias.rsplit_once('.').is_some_and(|(own, _)| own == asked_section(asked))).collect();
        if let Some(near) = nearest_name(asked, beside.iter().copied()) {
            return Err(format!("unknown setting `{asked}`; did you mean `{near}`?"));
        }
        let mut known: Vec<String> = settings().map(key).collect();
        known.sort_unstable();
        let near = nearest_name(&joined, known.iter().map(String::as_str)).or_else(|| {
            // a section may be any; the name alone is what someone misspelt
            nearest_name(name, known.iter().map(String::as_str))
        });
        Err(match near {
            Some(near) if near == name => {
                let own = settings().find(|argument| key(argument) == near).and_then(section);
                let place = own.map_or_else(|| "at the top".to_owned(), |own| format!("in the section `{own}`"));
                format!("unknown setting `{asked}`; `{near}` stands {place}, or at the top")
            }
            Some(near) => format!("unknown setting `{asked}`; did you mean `{near}`?"),
            None => format!("unknown setting `{asked}`; this command knows {}", known.join(", ")),
        })
    }

    /// One setting as words of the command line, tried on the parser of the command; the error says what is wrong with it.
    fn words(&self, argument: &Arg, Setting { key: asked, value, .. }: &Setting) -> Result<Vec<OsString>, String> {
        let switch = matches!(argument.get_action(), ArgAction::SetTrue);
        let name = key(argument);
        let word = |text: &str| match argument.get_index() {
            None => format!("--{name}={text}"),
            Some(_) => text.to_owned(),
        };
        let words = match value {
            Value::Switch(true) if switch => vec![format!("--{name}")],
            Value::Switch(false) if switch => Vec::new(),
            _ if switch => return Err(format!("`{asked}` takes true or false")),
            Value::Switch(value) => vec![word(&value.to_string())],
            Value::Text(text) => vec![word(text)],
            Value::List(items) if is_triple(argument) => vec![word(&items.join("x"))],
            Value::List(items) => items.iter().map(|item| word(item)).collect(),
            Value::Nothing | Value::Unusable => {
                return Err(format!("`{asked}` takes a number, a text, true, false, or a list of them"));
            }
        };
        let dashes = argument.get_index().map(|_| "--".to_owned());
        match self.alone.clone().try_get_matches_from(dashes.iter().chain(&words)) {
            Ok(_) => {}
            Err(error) => match error.kind() {
                ErrorKind::InvalidValue | ErrorKind::ValueValidation => return Err(invalid(asked, &error)),
                ErrorKind::ArgumentConflict => return Err(format!("`{asked}` takes one value, not a list")),
                _ => {} // it misses another option, which the command line may still bring
            },
        }
        Ok(words.into_iter().map(OsString::from).collect())
    }
}

/// Whether its one value is several numbers, such as 3x7x1, which files write as a list.
fn is_triple(argument: &Arg) -> bool {
    let several = matches!(argument.get_action(), ArgAction::Append);
    let named = argument.get_value_names().is_some_and(|names| names.iter().any(|name| *name == "KxKxK"));
    named && !several
}

/// The sections of a key.
fn asked_section(asked: &str) -> &str {
    asked.rsplit_once('.').map_or("", |(sections, _)| sections)
}

fn invalid(asked: &str, error: &clap::Error) -> String {
    let given = match error.get(ContextKind::InvalidValue) {
        Some(ContextValue::String(value)) => value.as_str(),
        _ => "",
    };
    let reason = match (error.source(), error.get(ContextKind::ValidValue)) {
        (Some(source), _) => source.to_string(),
        (None, Some(ContextValue::Strings(valid))) => format!("it takes {}", valid.join(", ")),
        _ => "it takes another kind of value".to_owned(),
    };
    format!("`{asked}` cannot be \"{given}\": {reason}")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::{CommandFactory, Parser};

    use super::*;
    use crate::shared::{Output, RunFolder, Seed};

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
            target: Option<PathBuf>,
            #[command(flatten)]
            seed: Seed,
            #[command(flatten)]
            run: Box<RunFolder>,
            #[command(flatten)]
            output: Output,
            #[arg(long, value_delimiter = ',', help_heading = "Model params")]
            methods: Vec<String>,
            #[arg(long, default_value_t = 3)]
            edaa_restarts: u32,
        },
    }

    const OLDER: &[Alias] = &[
        ("old.number_of_runs", Some("edaa-restarts")),
        ("old.colour", Some("color-of-another-command")),
        ("old.compile_mode", None),
    ];

    fn parse(settings: &str, line: &[&str]) -> Result<Commands> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("settings.toml");
        fs::write(&path, settings)?;
        let mut arguments: Vec<OsString> = line.iter().map(OsString::from).collect();
        arguments.extend(["--config".into(), path.into_os_string()]);
        let arguments = layer(&mut Example::command(), arguments, OLDER, &[])?;
        Ok(Example::try_parse_from(arguments)?.command)
    }

    fn refused(settings: &str) -> String {
        format!("{:#}", parse(settings, &["cupel", "go", "scene.mat"]).unwrap_err())
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_the_defaults() {
        let settings =
            "seed = 7\ndry_run = true\nforce = false\nmethods = [\"edaa\", \"vca\"]\n[edaa]\nrestarts = 10\n";
        let Commands::Go { seed, run, methods, edaa_restarts, .. } =
            parse(settings, &["cupel", "go", "scene.mat"]).unwrap();
        let writing = &run.out.writing;
        assert_eq!((seed.seed, writing.dry_run, writing.force, edaa_restarts), (7, true, false, 10));
        assert_eq!(methods, ["edaa", "vca"]);

        let line = ["cupel", "go", "scene.mat", "--seed=8", "--methods", "spa", "--edaa-restarts", "2"];
        let Commands::Go { seed, methods, edaa_restarts, .. } = parse(settings, &line).unwrap();
        assert_eq!((seed.seed, edaa_restarts), (8, 2));
        assert_eq!(methods, ["spa"]);
    }

    #[test]
    fn keys_stand_in_the_sections_of_the_help_and_older_names_are_known() {
        let settings =
            "command = \"go\"\n[computing]\nseed = 7\n[model_params]\nmethods = [\"vca\"]\n[old]\nnumber-of-runs = 4\n";
        let Commands::Go { seed, methods, edaa_restarts, .. } = parse(settings, &["cupel", "go", "scene.mat"]).unwrap();
        assert_eq!((seed.seed, methods.as_slice(), edaa_restarts), (7, &["vca".to_owned()][..], 4));
        assert!(
            refused("[results]\nseed = 1\n")
                .contains("line 2: unknown setting `results.seed`; `seed` stands in the section `computing`")
        );
        assert!(refused("command = \"stay\"\n").contains("line 1: these are not settings of `go`"));
    }

    #[test]
    fn older_keys_may_be_of_another_command_or_of_none_and_misspelt_ones_are_named() {
        let settings = "[old]\nnumber_of_runs = 4\ncolour = [[1, 2]]\ncompile_mode = \"max\"\n";
        let Commands::Go { edaa_restarts, .. } = parse(settings, &["cupel", "go", "scene.mat"]).unwrap();
        assert_eq!(edaa_restarts, 4);
        let message = refused("[old]\ncolor = 1\n");
        assert!(message.contains("line 2: unknown setting `old.color`; did you mean `old.colour`?"), "{message}");
    }

    #[test]
    fn positional_arguments_come_from_the_file_too_in_their_order() {
        let settings = "file = \"a\"\ntarget = \"-b\"\n";
        for (line, expected) in [
            (&["cupel", "go"][..], ["a", "-b"]),
            (&["cupel", "go", "c"], ["c", "-b"]),
            (&["cupel", "go", "--", "c"], ["c", "-b"]),
            (&["cupel", "go", "c", "d"], ["c", "d"]),
        ] {
            // `--config` stands at the end, where `--` would hide it
            let mut line = line.to_vec();
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("settings.toml");
            fs::write(&path, settings).unwrap();
            let config = format!("--config={}", path.display());
            line.insert(2, &config);
            let arguments = line.iter().map(OsString::from).collect();
            let arguments = layer(&mut Example::command(), arguments, &[], &[]).unwrap();
            let Commands::Go { file, target, .. } = Example::try_parse_from(arguments).unwrap().command;
            assert_eq!([file, target.unwrap()].map(|path| path.display().to_string()), expected, "{line:?}");
        }
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
        assert!(message.contains("this command knows checkpoint-every, dry-run"), "{message}");
        assert!(!message.contains("config"), "{message}");
    }

    #[test]
    fn values_are_checked_by_the_option() {
        assert!(refused("seed = \"many\"\n").contains("line 1: `seed` cannot be \"many\": invalid digit"));
        assert!(refused("checkpoint-every = 0\n").contains("`checkpoint-every` cannot be \"0\""));
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
}
