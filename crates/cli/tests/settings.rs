//! The library's list of settings, the help of the command and what `--print-config` prints say the same: all three come from one declaration.

use std::{
    collections::BTreeSet,
    process::{Command, Stdio},
};

use cupel::{
    pharmacogenomics::{SplitConfig, TrainConfig},
    settings::{Kind, Setting, Settings},
    train::{MatmulPrecision, Precision},
    unmixing::{Convention, Method, UnmixingConfig},
};

fn cupel(line: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cupel"));
    let output = command.args(line.split_whitespace()).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The part of a long help that belongs to one flag.
fn of_flag(help: &str, name: &str) -> String {
    let mut lines = help.lines().skip_while(|line| {
        let words = line.trim_start().trim_start_matches("--");
        !line.trim_start().starts_with("--") || words.split([' ', '=', '[']).next() != Some(name)
    });
    let first = lines.next().unwrap_or_else(|| panic!("--{name} is not in the help"));
    let rest = lines
        .take_while(|line| !line.trim_start().starts_with("--") && !line.ends_with(':') || line.contains("values:"));
    [first].into_iter().chain(rest).collect::<Vec<_>>().join("\n")
}

fn agree(command: &str, call: &str, list: &[Setting]) {
    let (help, printed) = (cupel(&format!("{command} --help")), cupel(&format!("{command} {call} --print-config")));
    for Setting { name, section, help: words, kind, default, .. } in list {
        let shown = of_flag(&help, name);
        let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(plain(&shown).contains(plain(words).as_str()), "{command} --{name}: {words:?} is not in {shown}");
        let named = match kind {
            Kind::Choice(choices) => *choices,
            Kind::List(inner) => match inner.as_ref() {
                Kind::Choice(choices) => *choices,
                _ => &[],
            },
            _ => &[],
        };
        for choice in named {
            assert!(shown.contains(choice.name), "{command} --{name}: {} is not in {shown}", choice.name);
        }
        if let (Some(default), false) = (default, *kind == Kind::Switch) {
            let quoted = default.replace(',', " ");
            let said = plain(&shown).replace(',', " ");
            assert!(said.contains(&format!("[default: {quoted}]")), "{command} --{name}: {default} is not in {shown}");
        }
        // a setting without an effect beside the others is not printed; one that is, stands in its section
        let lines: Vec<&str> = printed.lines().collect();
        let at = lines.iter().position(|line| line.trim_start_matches("# ").starts_with(&format!("{name} =")));
        if let Some(at) = at {
            let heading = lines[..at].iter().rev().find(|line| line.starts_with('[')).unwrap();
            assert_eq!(*heading, format!("[{section}]"), "{command} --{name}");
        }
    }
    let known = list.iter().filter(|setting| printed.contains(&format!("\n{} =", setting.name))).count();
    assert!(2 * known > list.len(), "{command}: only {known} of {} settings are printed", list.len());
}

#[test]
fn settings_are_said_once() {
    let unmixing = UnmixingConfig { method: Method::Pmm, ..UnmixingConfig::default() };
    agree("unmix run", "scene.mat --method pmm --inference svi --free-endmembers", &unmixing.list());
    agree(
        "pgx train",
        "--demo-data --models neighbours,linear-crosses,boosting,network",
        &TrainConfig::default().list(),
    );
    agree("pgx train", "--demo-data", &SplitConfig::default().list());
}

#[test]
fn lists_of_names_are_those_of_the_library() {
    let help = cupel("unmix compare --help");
    for name in Method::ALL.iter().map(|method| method.name()).chain(Convention::ALL.iter().map(|own| own.name())) {
        assert!(help.contains(name), "{name}");
    }
    let help = cupel("pgx train --help");
    for name in Precision::ALL.iter().map(|own| own.name()).chain(MatmulPrecision::ALL.iter().map(|own| own.name())) {
        assert!(help.contains(name), "{name}");
    }
}

/// The commands that a help lists, down to those that run.
fn commands(name: &str) -> Vec<String> {
    let help = cupel(format!("{name} --help").trim());
    let listed = help.split("\nCommands:\n").nth(1).map(|list| list.split("\n\n").next().unwrap_or(list));
    let Some(listed) = listed else { return vec![name.to_owned()] };
    let named = listed.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let inner = named.filter_map(|line| line.split_whitespace().next()).filter(|word| *word != "help");
    inner.flat_map(|word| commands(format!("{name} {word}").trim())).collect()
}

/// Nothing is computed with a number that is none: every flag of every command whose default is a number, or that says it takes one, refuses
/// NaN and what is infinite where flags are read.
#[test]
fn no_number_is_infinite_or_none() {
    let mut tried = 0;
    for command in commands("") {
        let help = cupel(&format!("{command} --help"));
        let flags = help.lines().filter_map(|line| line.trim_start().strip_prefix("--"));
        let names: BTreeSet<&str> = flags.filter_map(|line| line.split([' ', '=', '[', ',']).next()).collect();
        for name in names {
            let shown = of_flag(&help, name);
            let default = shown.split("[default: ").nth(1).and_then(|rest| rest.split(']').next());
            let first = default.and_then(|text| text.split([',', ' ']).next());
            if first.is_none_or(|text| text.parse::<f64>().is_err()) {
                continue;
            }
            for word in ["nan", "NaN", "inf", "-inf", "infinity", "1e999", "-1e999"] {
                let mut process = Command::new(env!("CARGO_BIN_EXE_cupel"));
                process.args(command.split_whitespace()).arg(format!("--{name}={word}")).stdin(Stdio::null());
                let output = process.output().unwrap();
                let stderr = String::from_utf8_lossy(&output.stderr);
                let named = stderr.contains(name) && output.stdout.is_empty();
                assert!(matches!(output.status.code(), Some(1 | 2)) && named, "{command} --{name}={word}: {stderr}");
                tried += 1;
            }
        }
    }
    println!("{tried} refused");
    assert!(tried > 500, "only {tried}");
}
