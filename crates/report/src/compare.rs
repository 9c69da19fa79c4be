//! Several runs side by side: the numbers that all of them have.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

use crate::{
    error::{Error, Result},
    escape::xml,
    facts::Value,
    folder::Folder,
    html,
    story::Story,
};

/// Writes a page with the metrics of several runs side by side and returns its path.
///
/// A row is shown when every run has a single number or text under its name in `metrics.json`; a row whose values differ is marked.
///
/// # Errors
/// When there are fewer than two runs, a folder is not a run or has no `metrics.json`, or the page cannot be written.
pub fn compare_runs<P: AsRef<Path>>(run_dirs: &[P], page: impl AsRef<Path>) -> Result<PathBuf> {
    if run_dirs.len() < 2 {
        return Err(Error::TooFewRuns { got: run_dirs.len() });
    }
    let runs = run_dirs.iter().map(|path| Compared::read(path.as_ref())).collect::<Result<Vec<_>>>()?;
    let page = page.as_ref();
    crate::write(page, html::page("Comparison of runs", &body(&runs)).as_bytes())?;
    Ok(page.to_path_buf())
}

/// What is compared of a run.
struct Compared {
    name: String,
    title: String,
    metrics: Vec<(String, Value)>,
}

impl Compared {
    fn read(path: &Path) -> Result<Self> {
        let folder = Folder::open(path)?;
        let metrics: Value = folder.json("metrics.json")?.ok_or_else(|| Error::Unfit {
            path: path.join("metrics.json"),
            problem: String::from("the run has no final numbers yet; let it finish first"),
        })?;
        Ok(Self {
            name: folder.name(),
            title: Story::of(&folder)?.map(|story| story.title).unwrap_or_default(),
            metrics: metrics
                .facts()
                .into_iter()
                .filter(|(_, value)| !matches!(value, Value::List(_)))
                .map(|(name, value)| (name, value.clone()))
                .collect(),
        })
    }

    fn metric(&self, name: &str) -> Option<&Value> {
        self.metrics.iter().find(|(other, _)| other == name).map(|(_, value)| value)
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
    out.push_str("</ol>\n</section>\n<section>\n<h2>Metrics</h2>\n");
    let rows: Vec<(&str, Vec<&Value>)> = runs[0]
        .metrics
        .iter()
        .filter_map(|(name, _)| {
            let values: Option<Vec<&Value>> = runs.iter().map(|run| run.metric(name)).collect();
            values.map(|values| (name.as_str(), values))
        })
        .collect();
    if rows.is_empty() {
        out.push_str("<p>The runs have no metric in common.</p>\n</section>\n");
        return out;
    }
    out.push_str("<div class=\"wide\">\n<table>\n<thead><tr><th>metric</th>");
    for (index, run) in runs.iter().enumerate() {
        let _ = write!(out, "<th class=\"number\">{}. {}</th>", index + 1, xml(&run.name));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for (name, values) in rows {
        let _ = write!(out, "<tr><th scope=\"row\"><code>{}</code></th>", xml(name));
        let differs = values.iter().any(|value| *value != values[0]);
        for value in values {
            let class = if value.is_number() { " class=\"number\"" } else { "" };
            let shown = value.shown();
            if differs {
                let _ = write!(out, "<td{class}><b>{}</b></td>", xml(&shown));
            } else {
                let _ = write!(out, "<td{class}>{}</td>", xml(&shown));
            }
        }
        out.push_str("</tr>\n");
    }
    out.push_str(
        "</tbody>\n</table>\n</div>\n<p class=\"note\">Values that differ between the runs are bold.</p>\n</section>\n",
    );
    out
}
