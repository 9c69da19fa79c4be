//! Several runs side by side: the numbers that all of them have, and what was different when they were made.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

use crate::{
    error::{Error, Result},
    escape::xml,
    facts::{self, Value},
    folder::Folder,
    html::{self, Cell},
    story::Story,
};

/// Words in the name of a number that is better when it is lower.
const LOWER: [&str; 11] = ["rmse", "mse", "mae", "sad", "loss", "error", "errors", "ece", "brier", "nll", "seconds"];
/// Words in the name of a number that is better when it is higher.
const HIGHER: [&str; 9] = ["f1", "auroc", "auc", "accuracy", "recall", "psnr", "ssim", "r2", "mcc"];
/// The field of an input that is the hash of its content.
const HASH: &str = "blake3";
/// Digits of a hash that are shown.
const HASH_DIGITS: usize = 12;

/// Writes a page with the metrics of several runs side by side and returns its path.
///
/// A row is shown when every run has a single number or text under its name in `metrics.json` (else in `finished.json`). The best number of
/// a row is bold, where the name says which one that is. The page says which settings (`config.toml`) and which data (`inputs.json`) differ;
/// where data differ nothing is marked as the best.
///
/// # Errors
/// When there are fewer than two runs, a folder is not a run or has no final numbers, a file is damaged, or the page cannot be written.
pub fn compare_runs<P: AsRef<Path>>(run_dirs: &[P], page: impl AsRef<Path>) -> Result<PathBuf> {
    if run_dirs.len() < 2 {
        return Err(Error::TooFewRuns { got: run_dirs.len() });
    }
    let runs = run_dirs.iter().map(|path| Compared::read(path.as_ref())).collect::<Result<Vec<_>>>()?;
    let page = page.as_ref();
    let [before, behind] = html::frame("Comparison of runs");
    crate::write_parts(page, &[&before, &body(&runs), &behind])?;
    Ok(page.to_path_buf())
}

/// What is compared of a run.
struct Compared {
    name: String,
    title: String,
    metrics: Facts,
    settings: Facts,
    /// Of each input the hash of its content, and the path where it has one; `None` where the run does not say.
    inputs: Option<Vec<(String, Value)>>,
}

type Facts = Vec<(String, Value)>;

impl Compared {
    fn read(path: &Path) -> Result<Self> {
        let folder = Folder::open(path)?;
        let metrics = folder.numbers()?.ok_or_else(|| Error::Unfit {
            path: path.join("metrics.json"),
            problem: String::from("the run has no final numbers yet; let it finish first"),
        })?;
        let settings: Option<Value> = match folder.text("config.toml")? {
            Some(text) => Some(toml::from_str(&text).map_err(|error| Error::Unfit {
                path: path.join("config.toml"),
                problem: format!("it is not TOML: {}", error.message()),
            })?),
            None => None,
        };
        let owned = |value: &Value| value.facts().into_iter().map(|(name, value)| (name, value.clone())).collect();
        let mut metrics: Facts = owned(&metrics);
        metrics.retain(|(name, value)| !facts::is_place(name) && !matches!(value, Value::List(_)));
        let inputs: Option<Value> = folder.json("inputs.json")?;
        Ok(Self {
            name: folder.name(),
            title: Story::of(&folder)?.map(|story| story.title).unwrap_or_default(),
            metrics,
            settings: settings.as_ref().map(owned).unwrap_or_default(),
            inputs: inputs.map(|inputs| if let Value::Object(inputs) = inputs { inputs } else { Vec::new() }),
        })
    }
}

fn body(runs: &[Compared]) -> String {
    let mut out = String::from("<section>\n<h2>Runs</h2>\n<ol>\n");
    for run in runs {
        let _ = write!(out, "<li><code>{}</code>", xml(&run.name));
        if !run.title.is_empty() {
            let _ = write!(out, " {}", xml(&run.title));
        }
        out.push_str("</li>\n");
    }
    out.push_str("</ol>\n");
    let (differ, data) = data(runs);
    out += &data;
    out.push_str("</section>\n<section>\n<h2>Metrics</h2>\n");
    out += &metrics(runs, differ);
    out.push_str("</section>\n<section>\n<h2>Settings that differ</h2>\n");
    out += &settings(runs);
    out.push_str("</section>\n");
    out
}

/// Whether the runs saw different data, and what the page says about it.
fn data(runs: &[Compared]) -> (bool, String) {
    let inputs: Vec<&[(String, Value)]> = runs.iter().map(|run| run.inputs.as_deref().unwrap_or_default()).collect();
    let silent: Vec<String> =
        runs.iter().filter(|run| run.inputs.is_none()).map(|run| format!("<code>{}</code>", xml(&run.name))).collect();
    let mut out = String::new();
    if !silent.is_empty() {
        let _ = writeln!(out, "<p class=\"note\">Which data were seen is not said by {}.</p>", silent.join(", "));
    }
    let of =
        |run: usize, name: &str, field| find(inputs[run], name).and_then(|input| input.field(field)).map(Value::shown);
    let known = |run: &usize| runs[*run].inputs.is_some();
    let differing: Vec<&str> = names(inputs.iter().map(|inputs| inputs.iter().map(|(name, _)| name.as_str())))
        .into_iter()
        .filter(|name| {
            let mut hashes = (0..runs.len()).filter(known).map(|run| of(run, name, HASH));
            let first = hashes.next();
            hashes.any(|hash| Some(hash) != first)
        })
        .collect();
    if differing.is_empty() {
        if silent.is_empty() {
            out.push_str("<p>All runs saw the same data.</p>\n");
        }
        return (false, out);
    }
    let _ = writeln!(
        out,
        "<p class=\"warning\"><b>The runs saw different data:</b> {}. Their numbers measure different things, so that none is marked as the best.</p>",
        differing.iter().map(|name| format!("<code>{}</code>", xml(name))).collect::<Vec<_>>().join(", ")
    );
    let rows = differing.iter().map(|name| {
        let cell = |run| {
            let hash: String =
                of(run, name, HASH).map_or("–".into(), |hash| hash.chars().take(HASH_DIGITS).collect());
            Cell::Text(format!("{} <code>{}</code>", xml(&of(run, name, "path").unwrap_or_default()), xml(&hash)))
        };
        row(name, (0..runs.len()).map(cell))
    });
    out += &table("data", runs, Cell::Text, rows);
    (true, out)
}

fn metrics(runs: &[Compared], data_differ: bool) -> String {
    let rows: Vec<(&str, Vec<&Value>)> =
        names(runs.iter().map(|run| run.metrics.iter().map(|(name, _)| name.as_str())))
            .into_iter()
            .filter_map(|name| Some((name, runs.iter().map(|run| find(&run.metrics, name)).collect::<Option<_>>()?)))
            .filter(|(_, values): &(_, Vec<&Value>)| values.iter().any(|value| **value != Value::Nothing))
            .collect();
    if rows.is_empty() {
        return String::from("<p>The runs have no metric in common.</p>\n");
    }
    let rows = rows.into_iter().map(|(name, values)| {
        let best = if data_differ { None } else { best(name, &values) };
        let cell = |value: &&Value| match value.number() {
            Some(number) if Some(number) == best => Cell::Best(xml(&value.shown()).to_string()),
            Some(_) => Cell::Number(xml(&value.shown()).to_string()),
            None => Cell::Text(xml(&value.shown()).to_string()),
        };
        row(name, values.iter().map(cell))
    });
    let mut out = table("metric", runs, Cell::Number, rows);
    if !data_differ {
        out.push_str("<p class=\"note\">The best value of a row is bold, where the name of the metric says which one that is.</p>\n");
    }
    out
}

/// The best of these numbers; `None` where the name does not say what is better, or all are the same.
fn best(name: &str, values: &[&Value]) -> Option<f64> {
    let numbers: Vec<f64> = values.iter().map(|value| value.number()).collect::<Option<_>>()?;
    let name = name.to_lowercase();
    let says = |known: &[&str]| name.split(|c: char| !c.is_alphanumeric()).any(|word| known.contains(&word));
    let best = match (says(&LOWER), says(&HIGHER)) {
        (true, false) => numbers.iter().copied().fold(f64::INFINITY, f64::min),
        (false, true) => numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        _ => return None,
    };
    numbers.iter().any(|&number| number != best).then_some(best)
}

fn settings(runs: &[Compared]) -> String {
    let differing: Vec<&str> = names(runs.iter().map(|run| run.settings.iter().map(|(name, _)| name.as_str())))
        .into_iter()
        .filter(|name| !facts::is_place(name))
        .filter(|name| runs.iter().any(|run| find(&run.settings, name) != find(&runs[0].settings, name)))
        .collect();
    if differing.is_empty() {
        return String::from("<p>None.</p>\n");
    }
    let rows = differing.into_iter().map(|name| {
        let cell = |run: &Compared| find(&run.settings, name).unwrap_or(&Value::Nothing).shown();
        row(name, runs.iter().map(|run| Cell::Text(xml(&cell(run)).to_string())))
    });
    table("setting", runs, Cell::Text, rows)
}

fn find<'a>(facts: &'a [(String, Value)], name: &str) -> Option<&'a Value> {
    facts.iter().find(|(other, _)| other == name).map(|(_, value)| value)
}

/// All names, once each, in the order in which they first appear.
fn names<'a>(of_runs: impl Iterator<Item = impl Iterator<Item = &'a str>>) -> Vec<&'a str> {
    let mut names = Vec::new();
    for name in of_runs.flatten() {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn row(name: &str, cells: impl Iterator<Item = Cell>) -> Vec<Cell> {
    std::iter::once(Cell::Name(format!("<code>{}</code>", xml(name)))).chain(cells).collect()
}

fn table(what: &str, runs: &[Compared], cell: fn(String) -> Cell, rows: impl Iterator<Item = Vec<Cell>>) -> String {
    let heading = |(index, run): (usize, &Compared)| cell(format!("{}.\u{a0}{}", index + 1, xml(&run.name)));
    let head = std::iter::once(Cell::Text(what.to_owned())).chain(runs.iter().enumerate().map(heading));
    format!("<div class=\"wide\">\n{}</div>\n", html::table(head.collect(), rows))
}
