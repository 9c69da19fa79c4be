//! Settings read from a TOML, JSON or YAML file, each with the line it stands on.

use std::{collections::BTreeMap, fmt, fs, path::Path};

use anyhow::{Context, Result, bail};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};
use serde_saphyr::Spanned;
use toml::de::{DeTable, DeValue};

/// More than any file written by hand; a data file given by mistake is refused before it is read.
const LARGEST_BYTES: u64 = 1 << 20;

/// One `key = value` of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// The key, with the sections it stands in: `section.key`.
    pub key: String,
    /// What it is set to.
    pub value: Value,
    /// Line of the file, from 1.
    pub line: u64,
}

/// The value of a setting, as text where it is a number: the option that takes it parses it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `true` or `false`.
    Switch(bool),
    /// A number, date or text.
    Text(String),
    /// Several of them.
    List(Vec<String>),
    /// `null`.
    Nothing,
    /// A list of lists or sections, which no option can hold.
    Unusable,
}

/// The three notations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Notation {
    Toml,
    Json,
    Yaml,
}

/// Reads all settings of a file in the order of the file (TOML) or of their names.
///
/// # Errors
/// When the file cannot be read, is not text, or breaks the rules of its notation.
pub fn read(path: &Path) -> Result<Vec<Setting>> {
    let shown = path.display();
    let facts = fs::metadata(path).with_context(|| format!("reading the settings in {shown}"))?;
    if facts.is_dir() {
        bail!("reading the settings in {shown}: this is a folder; --config takes a TOML, JSON or YAML file");
    }
    if !facts.is_file() {
        bail!("reading the settings in {shown}: this is not an ordinary file");
    }
    if facts.len() > LARGEST_BYTES {
        bail!(
            "reading the settings in {shown}: the file has {} bytes, settings have at most {LARGEST_BYTES}; \
             is this a data file?",
            facts.len()
        );
    }
    let bytes = fs::read(path).with_context(|| format!("reading the settings in {shown}"))?;
    let text = String::from_utf8(bytes).with_context(|| format!("reading the settings in {shown}: not text"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    parse(text, Notation::of(path, text)).with_context(|| format!("reading the settings in {shown}"))
}

impl Notation {
    /// By the extension where it says one of the three, else by the first line that means something.
    fn of(path: &Path, text: &str) -> Self {
        match path.extension().and_then(|extension| extension.to_str()).map(str::to_ascii_lowercase).as_deref() {
            Some("toml") => return Self::Toml,
            Some("json") => return Self::Json,
            Some("yaml" | "yml") => return Self::Yaml,
            _ => {}
        }
        let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#')).unwrap_or("");
        let equals = first.find('=').unwrap_or(usize::MAX);
        let colon = first.find(':').unwrap_or(usize::MAX);
        if first.starts_with('{') {
            Self::Json
        } else if first.starts_with("---") || colon < equals {
            Self::Yaml
        } else {
            Self::Toml
        }
    }
}

fn parse(text: &str, notation: Notation) -> Result<Vec<Setting>> {
    let mut settings = Vec::new();
    match notation {
        Notation::Toml => {
            let table = DeTable::parse(text)?;
            from_toml(text, "", table.get_ref(), &mut settings);
            settings.sort_by_key(|setting| setting.line);
        }
        Notation::Json => {
            serde_json::from_str::<IgnoredAny>(text)?;
            from_yaml(text, &mut settings)?; // JSON is a part of YAML, and the YAML reader knows the lines
        }
        Notation::Yaml => from_yaml(text, &mut settings)?,
    }
    Ok(settings)
}

fn from_toml(text: &str, section: &str, table: &DeTable<'_>, settings: &mut Vec<Setting>) {
    for (name, value) in table {
        let key = join(section, name.get_ref());
        let line = 1 + text[..name.span().start].matches('\n').count() as u64;
        let value = match value.get_ref() {
            DeValue::Table(inner) => {
                from_toml(text, &key, inner, settings);
                continue;
            }
            DeValue::Boolean(value) => Value::Switch(*value),
            DeValue::Array(items) => {
                let items: Option<Vec<_>> = items.iter().map(|item| toml_text(item.get_ref())).collect();
                items.map_or(Value::Unusable, Value::List)
            }
            scalar => toml_text(scalar).map_or(Value::Unusable, Value::Text),
        };
        settings.push(Setting { key, value, line });
    }
}

fn toml_text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(digits) if digits.radix() == 10 => Some(digits.as_str().to_owned()),
        DeValue::Integer(digits) => {
            i128::from_str_radix(digits.as_str(), digits.radix()).ok().map(|number| number.to_string())
        }
        DeValue::Float(digits) => Some(digits.as_str().to_owned()),
        DeValue::Boolean(value) => Some(value.to_string()),
        DeValue::Datetime(value) => Some(value.to_string()),
        // numbers that belong together: [2, 2, 1] is 2x2x1
        DeValue::Array(items) => {
            let numbers: Option<Vec<_>> = items.iter().map(|item| toml_text(item.get_ref())).collect();
            numbers
                .filter(|own| !own.is_empty() && own.iter().all(|item| item.parse::<u64>().is_ok()))
                .map(|own| own.join("x"))
        }
        DeValue::Table(_) => None,
    }
}

fn from_yaml(text: &str, settings: &mut Vec<Setting>) -> Result<()> {
    let document: Option<BTreeMap<String, Spanned<Node>>> = serde_saphyr::from_str(text)?;
    from_nodes("", document.unwrap_or_default(), settings);
    settings.sort_by_key(|setting| setting.line);
    Ok(())
}

/// What a YAML or JSON file holds; every value in a section knows its line.
enum Node {
    Value(Value),
    Section(BTreeMap<String, Spanned<Node>>),
}

fn from_nodes(section: &str, nodes: BTreeMap<String, Spanned<Node>>, settings: &mut Vec<Setting>) {
    for (name, Spanned { value, referenced, .. }) in nodes {
        let key = join(section, &name);
        match value {
            Node::Section(inner) => from_nodes(&key, inner, settings),
            Node::Value(value) => settings.push(Setting { key, value, line: referenced.line() }),
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a setting or a section of settings")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Value(Value::Nothing))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Value(Value::Switch(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Value(Value::Text(value.to_string())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Value(Value::Text(value.to_string())))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Value(Value::Text(value.to_string())))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Value(Value::Text(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Node, A::Error> {
        let mut items = Some(Vec::new());
        while let Some(node) = sequence.next_element()? {
            let text = match node {
                Node::Value(Value::Text(text)) => Some(text),
                Node::Value(Value::Switch(value)) => Some(value.to_string()),
                // numbers that belong together: [2, 2, 1] is 2x2x1
                Node::Value(Value::List(items))
                    if !items.is_empty() && items.iter().all(|item| item.parse::<u64>().is_ok()) =>
                {
                    Some(items.join("x"))
                }
                _ => None,
            };
            items = items.zip(text).map(|(mut items, text)| {
                items.push(text);
                items
            });
        }
        Ok(Node::Value(items.map_or(Value::Unusable, Value::List)))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Node, A::Error> {
        BTreeMap::deserialize(MapAccessDeserializer::new(map)).map(Node::Section)
    }
}

fn join(section: &str, name: &str) -> String {
    if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(key: &str, value: Value, line: u64) -> Setting {
        Setting { key: key.to_owned(), value, line }
    }

    fn text(value: &str) -> Value {
        Value::Text(value.to_owned())
    }

    fn expected() -> Vec<Setting> {
        vec![
            setting("seed", text("7"), 2),
            setting("quiet", Value::Switch(true), 3),
            setting("methods", Value::List(vec!["edaa".into(), "vca".into()]), 4),
            setting("edaa.tolerance", text("0.001"), 6),
        ]
    }

    fn sorted(text: &str, notation: Notation) -> Vec<Setting> {
        let mut settings = parse(text, notation).unwrap();
        settings.sort_by_key(|setting| setting.line);
        settings
    }

    #[test]
    fn the_three_notations_say_the_same() {
        let toml = "# settings\nseed = 7\nquiet = true\nmethods = [\"edaa\", \"vca\"]\n[edaa]\ntolerance = 0.001\n";
        assert_eq!(sorted(toml, Notation::Toml), expected());

        let yaml = "# settings\nseed: 7\nquiet: true\nmethods: [edaa, vca]\nedaa:\n  tolerance: 0.001\n";
        assert_eq!(sorted(yaml, Notation::Yaml), expected());

        // Tabs are blanks in JSON and an error in block YAML.
        let json = "{\n\t\"seed\": 7,\n\t\"quiet\": true,\n\t\"methods\": [\"edaa\", \"vca\"],\n\n\t\"edaa\": {\"tolerance\": 0.001}\n}\n";
        assert_eq!(sorted(json, Notation::Json), expected());
    }

    #[test]
    fn the_notation_follows_the_extension_then_the_content() {
        let cases = [
            ("a.toml", "x: 1", Notation::Toml),
            ("a.JSON", "", Notation::Json),
            ("a.yml", "x = 1", Notation::Yaml),
            ("a", "# words: none\nseed = 1", Notation::Toml),
            ("a.conf", "url: \"a=b\"", Notation::Yaml),
            ("a", "out = \"c:/x\"", Notation::Toml),
            ("a", "[section]\nx = 1", Notation::Toml),
            ("a", "\n {\"x\": 1}", Notation::Json),
            ("a", "", Notation::Toml),
        ];
        for (path, text, notation) in cases {
            assert_eq!(Notation::of(Path::new(path), text), notation, "{path} {text:?}");
        }
    }

    #[test]
    fn numbers_keep_their_digits() {
        let settings = parse("a = 0xff\nb = 1_000\nc = 1e-3\nd = -4\n", Notation::Toml).unwrap();
        let values: Vec<_> = settings.into_iter().map(|setting| setting.value).collect();
        assert_eq!(values, [text("255"), text("1000"), text("1e-3"), text("-4")]);
        let settings = parse("{\"seed\": 18446744073709551615}", Notation::Json).unwrap();
        assert_eq!(settings, [setting("seed", text("18446744073709551615"), 1)]);
    }

    #[test]
    fn nothing_is_not_a_value() {
        assert_eq!(parse("out: null\n", Notation::Yaml).unwrap(), [setting("out", Value::Nothing, 1)]);
        assert_eq!(parse("out = [[1.5]]\n", Notation::Toml).unwrap(), [setting("out", Value::Unusable, 1)]);
        for (text, notation) in
            [("out = [[2, 2, 1], [2, 2, 2]]\n", Notation::Toml), ("out: [[2, 2, 1], [2, 2, 2]]\n", Notation::Yaml)]
        {
            let expected = Value::List(vec!["2x2x1".into(), "2x2x2".into()]);
            assert_eq!(parse(text, notation).unwrap(), [setting("out", expected, 1)]);
        }
    }

    #[test]
    fn an_empty_file_sets_nothing() {
        for notation in [Notation::Toml, Notation::Yaml] {
            assert_eq!(parse("# only a comment\n", notation).unwrap(), []);
        }
    }

    #[test]
    fn broken_files_are_refused() {
        for (text, notation) in [
            ("seed = \n", Notation::Toml),
            ("seed = 1\nseed = 2\n", Notation::Toml),
            ("{\"seed\": 1,}", Notation::Json),
            ("{\"seed\": 1, \"seed\": 2}", Notation::Json),
            ("[1, 2]", Notation::Json),
            ("seed: [1\n", Notation::Yaml),
            ("seed: 1\nseed: 2\n", Notation::Yaml),
        ] {
            assert!(parse(text, notation).is_err(), "{text:?}");
        }
    }
}
