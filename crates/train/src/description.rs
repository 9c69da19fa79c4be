//! What a run is: a command with its settings and its data, and what tells one run from another.

use crate::{Error, Result, content::content_hash};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, path::Path};

const COMMAND: &str = "command";

/// What a run is; a folder belongs to one run, and [`Run::open`](crate::Run::open) refuses it to another.
///
/// # Example
/// ```
/// use cupel_train::{Description, Opened, Opening, Run};
/// use std::collections::BTreeMap;
///
/// let folder = tempfile::tempdir()?;
/// let fit = |epochs| Description::new("fit").settings(&BTreeMap::from([("epochs", epochs)]));
/// drop(Run::open(folder.path(), &fit(5)?, Opening::Create)?);
/// let refused = Run::open(folder.path(), &fit(6)?, Opening::Resume { strict: false }).unwrap_err().to_string();
/// assert!(refused.contains("epochs: 5 -> 6"));
/// let longer = fit(6)?.growing(&["epochs"]);
/// assert!(matches!(Run::open(folder.path(), &longer, Opening::Resume { strict: false })?, Opened::Run(_)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Description {
    command: String,
    /// The content of `config.toml`.
    config: String,
    neutral: Vec<String>,
    growing: Vec<String>,
    /// Settings that are paths of data, whose content counts in their place.
    paths: Vec<String>,
    inputs: Inputs,
}

/// The data of a run by their names, as in `inputs.json`.
type Inputs = BTreeMap<String, Input>;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Input {
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    blake3: String,
}

/// A setting that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// Its key, with those of the tables around it: `network.epochs`.
    pub setting: String,
    /// What it was.
    pub before: String,
    /// What it is.
    pub after: String,
    /// Whether it may only grow, and does not.
    pub shrinks: bool,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} -> {}", self.setting, self.before, self.after)?;
        if self.shrinks { f.write_str(" (it may grow, and not shrink)") } else { Ok(()) }
    }
}

/// How a description differs from the run in a folder, where it is the same run.
#[derive(Debug, Default)]
pub(crate) struct Difference {
    /// Every setting that differs.
    pub(crate) changes: Vec<Change>,
    /// Those of them that ask for more to be done.
    pub(crate) grown: Vec<Change>,
}

impl Description {
    /// A run of `command`, without settings and data.
    pub fn new(command: impl Into<String>) -> Self {
        let command = command.into();
        let config = format!("{COMMAND} = {}\n", toml::Value::from(command.as_str()));
        let (neutral, growing, paths) = (Vec::new(), Vec::new(), Vec::new());
        Self { command, config, neutral, growing, paths, inputs: Inputs::new() }
    }

    /// With settings that have the form of a TOML table.
    ///
    /// # Errors
    /// [`Error::Encoding`] where they have not, [`Error::Setting`] for one called `command` that is not this run's.
    pub fn settings(mut self, settings: &impl Serialize) -> Result<Self> {
        let text = toml::to_string_pretty(settings).map_err(Error::encoding("encode", "the settings as TOML"))?;
        let table: toml::Table = text.parse().map_err(Error::encoding("encode", "the settings as TOML"))?;
        match table.get(COMMAND) {
            None => self.config += &text,
            Some(command) if command.as_str() == Some(&self.command) => self.config = text,
            Some(other) => {
                let expected = "no setting of this name, which is that of the command";
                return Err(Error::Setting { name: COMMAND, got: other.to_string(), expected });
            }
        }
        Ok(self)
    }

    /// Settings that change no result, such as the number of threads. A key stands for a setting at any depth, or for one
    /// where it names the tables around it; dashes and underscores are the same.
    #[must_use]
    pub fn neutral(mut self, keys: &[&str]) -> Self {
        self.neutral.extend(keys.iter().map(|key| plain(key)));
        self
    }

    /// Settings whose larger values continue a run, such as epochs; keys as for [`neutral`](Self::neutral).
    #[must_use]
    pub fn growing(mut self, keys: &[&str]) -> Self {
        self.growing.extend(keys.iter().map(|key| plain(key)));
        self
    }

    /// With data that are known by `hash`.
    #[must_use]
    pub fn data(self, name: impl Into<String>, hash: impl Into<String>) -> Self {
        self.input(name.into(), Input { path: None, blake3: hash.into() })
    }

    /// With data from the file or folder at `path`, known by their content; the setting `key`, which holds the path, is then no
    /// difference. A file of more than 256 MiB is known by its size and blocks that are spread evenly over it. Several files
    /// may have one key.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be read.
    pub fn file(mut self, key: impl AsRef<str>, path: &Path) -> Result<Self> {
        let key = key.as_ref();
        self.paths.push(plain(key));
        let input = Input { path: Some(path.display().to_string()), blake3: content_hash(path)? };
        Ok(self.input(key.to_string(), input))
    }

    fn input(mut self, name: String, input: Input) -> Self {
        let numbered = (2..).map(|number| format!("{name} {number}"));
        let free = std::iter::once(name.clone()).chain(numbered).find(|name| !self.inputs.contains_key(name));
        self.inputs.insert(free.unwrap_or(name), input);
        self
    }

    /// The content of `config.toml`.
    pub(crate) fn config(&self) -> &str {
        &self.config
    }

    /// The content of `inputs.json`.
    pub(crate) fn inputs(&self) -> &impl Serialize {
        &self.inputs
    }

    /// Compares with the run in `dir` by its `config.toml` and `inputs.json`.
    ///
    /// # Errors
    /// [`Error::OtherCommand`], [`Error::SettingsChanged`] and [`Error::OtherData`] where it is another run.
    pub(crate) fn compare(&self, dir: &Path, config: &str, inputs: &str) -> Result<Difference> {
        // A configuration that no longer parses differs in every key.
        let mut before: toml::Table = config.parse().unwrap_or_default();
        let mut after: toml::Table = self.config.parse().unwrap_or_default();
        after.remove(COMMAND);
        let found = before.remove(COMMAND);
        let found = found.as_ref().and_then(toml::Value::as_str).unwrap_or("(none)");
        if found != self.command {
            let (dir, found) = (dir.to_path_buf(), found.to_string());
            return Err(Error::OtherCommand { dir, found, expected: self.command.clone() });
        }
        let mut different = Difference::default();
        let mut refused = Vec::new();
        for (setting, before, after) in differences(before, after) {
            if matches(&self.paths, &setting) {
                continue;
            }
            let gain = number(after.as_ref()).zip(number(before.as_ref())).map(|(after, before)| after - before);
            let grows = matches(&self.growing, &setting).then_some(gain).flatten();
            let of = |value: Option<toml::Value>| value.map_or_else(|| "(none)".into(), |value| text(&value));
            let shrinks = grows.is_some_and(|gain| gain < 0.0);
            let change = Change { setting, before: of(before), after: of(after), shrinks };
            if grows.is_some_and(|gain| gain > 0.0) {
                different.grown.push(change.clone());
            } else if !matches(&self.neutral, &change.setting) {
                refused.push(change.clone());
            }
            different.changes.push(change);
        }
        if !refused.is_empty() {
            return Err(Error::SettingsChanged { dir: dir.to_path_buf(), changes: refused });
        }
        let inputs: Inputs = serde_json::from_str(inputs).unwrap_or_default();
        let names = inputs.keys().chain(self.inputs.keys());
        let hash = |input: Option<&Input>| input.map(|input| input.blake3.clone());
        match names.clone().find(|name| hash(inputs.get(*name)) != hash(self.inputs.get(*name))) {
            None => Ok(different),
            Some(name) => {
                let of = |input: Option<&Input>| match input {
                    None => "none".to_string(),
                    Some(input) => input.path.clone().unwrap_or_else(|| "in memory".into()),
                };
                Err(Error::OtherData {
                    dir: dir.to_path_buf(),
                    input: name.clone(),
                    before: of(inputs.get(name)),
                    after: of(self.inputs.get(name)),
                })
            }
        }
    }
}

fn plain(key: &str) -> String {
    key.replace('-', "_")
}

/// Whether one of `keys` names the setting, in full or by its end.
fn matches(keys: &[String], setting: &str) -> bool {
    let setting = plain(setting);
    keys.iter().any(|key| setting.strip_suffix(key.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

fn number(value: Option<&toml::Value>) -> Option<f64> {
    let value = value?;
    value.as_integer().map(|value| value as f64).or_else(|| value.as_float())
}

fn text(value: &toml::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), |text| format!("`{text}`"))
}

/// The settings that differ, with both values.
fn differences(before: toml::Table, after: toml::Table) -> Vec<(String, Option<toml::Value>, Option<toml::Value>)> {
    let mut settings = BTreeMap::<String, [Option<toml::Value>; 2]>::new();
    for (side, table) in [before, after].into_iter().enumerate() {
        flatten("", toml::Value::Table(table), &mut |key, value| settings.entry(key).or_default()[side] = Some(value));
    }
    let different = settings.into_iter().filter(|(_, [before, after])| before != after);
    different.map(|(key, [before, after])| (key, before, after)).collect()
}

fn flatten(key: &str, value: toml::Value, take: &mut impl FnMut(String, toml::Value)) {
    match value {
        toml::Value::Table(table) => {
            for (name, value) in table {
                flatten(&if key.is_empty() { name } else { format!("{key}.{name}") }, value, take);
            }
        }
        value => take(key.to_string(), value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn description(toml: &str) -> Description {
        Description::new("fit").settings(&toml.parse::<toml::Table>().unwrap()).unwrap()
    }

    fn compare(before: &Description, after: &Description) -> Result<Difference> {
        let inputs = serde_json::to_string(before.inputs()).unwrap();
        after.compare(Path::new("run"), before.config(), &inputs)
    }

    fn refusal(before: &Description, after: &Description) -> String {
        compare(before, after).unwrap_err().to_string()
    }

    #[test]
    fn every_difference_is_named_by_its_key() {
        let before = description("seed = 1\nname = \"a\"\n[edaa]\nrestarts = 10\nnoise = 0.1\n");
        let after = description("seed = 1\nname = \"b\"\nbands = [1, 2]\n[edaa]\nrestarts = 20\n");
        let text = refusal(&before, &after);
        let named = "bands: (none) -> [1, 2]; edaa.noise: 0.1 -> (none); edaa.restarts: 10 -> 20; name: `a` -> `b`";
        assert!(text.contains(named), "{text}");
        assert!(compare(&before, &before).unwrap().changes.is_empty());
        assert!(compare(&description("a = 1\nb = 2\n"), &description("b = 2\na = 1\n")).unwrap().changes.is_empty());
        assert!(after.compare(Path::new("run"), "command = \"fit\"\nseed = ", "").is_err());
    }

    #[test]
    fn another_command_is_another_run() {
        let text = refusal(&Description::new("pgx train"), &Description::new("unmix run"));
        assert!(text.contains("holds a run of `pgx train`, not of `unmix run`"), "{text}");
        let clash = Description::new("fit").settings(&BTreeMap::from([("command", "other")]));
        assert!(matches!(clash, Err(Error::Setting { name: "command", .. })));
    }

    #[test]
    fn neutral_settings_are_no_difference_and_growing_ones_go_one_way() {
        let of = |threads: u32, epochs: &str| {
            let toml = format!("[options]\nthreads = {threads}\n[network]\nmost-epochs = {epochs}\n");
            description(&toml).neutral(&["threads"]).growing(&["network.most_epochs"])
        };
        let difference = compare(&of(1, "5"), &of(2, "8")).unwrap();
        assert_eq!(difference.grown.len(), 1);
        assert_eq!(difference.grown[0].to_string(), "network.most-epochs: 5 -> 8");
        assert_eq!(difference.changes.len(), 2);
        let text = refusal(&of(1, "5"), &of(2, "4.5"));
        assert!(text.contains("network.most-epochs: 5 -> 4.5 (it may grow, and not shrink)"), "{text}");
        assert!(!text.contains("threads"), "{text}");
        refusal(&of(1, "5"), &of(1, "\"many\""));
    }

    #[test]
    fn data_are_known_by_content_and_named_in_the_refusal() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str, content: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            path
        };
        let of = |path: &Path| {
            let table = toml::Table::from_iter([("table".to_string(), path.display().to_string().into())]);
            Description::new("fit").settings(&table).unwrap().file("table", path).unwrap()
        };
        let (a, same, other) = (path("a.csv", "1"), path("same.csv", "1"), path("other.csv", "2"));
        assert!(compare(&of(&a), &of(&same)).unwrap().changes.is_empty());
        let text = refusal(&of(&a), &of(&other));
        assert!(text.contains("`table`") && text.contains("a.csv") && text.contains("other.csv"), "{text}");
        let more = of(&a).file("table", &other).unwrap();
        assert!(refusal(&of(&a), &more).contains("`table 2`"));
        let (in_memory, changed) =
            (Description::new("fit").data("array", "1"), Description::new("fit").data("array", "2"));
        assert!(refusal(&in_memory, &changed).contains("`array`"));
    }
}
