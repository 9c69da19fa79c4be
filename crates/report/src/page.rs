//! The report of a run: one HTML page, made only from what is in the run folder.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

use crate::{
    embed,
    error::{Error, Result},
    escape::xml,
    facts::Value,
    folder::Folder,
    html,
    story::{Citation, Exhibit, Story},
    table_html,
};

/// Name of the page in the run folder.
const FILE: &str = "report.html";

/// Writes `report.html` into a run folder and returns its path.
///
/// The page shows what `report.json` (a [`Story`]) tells, the numbers of `metrics.json`, and how the run was made from
/// `environment.json` and `config.toml`. Each of them may be missing. Figures and tables become part of the page: it has no script,
/// makes no request, and can be sent as one file.
///
/// # Errors
/// When the folder is missing or is not a run, or one of its files is damaged, too large, or names a file outside the folder.
pub fn write_report(run_dir: impl AsRef<Path>) -> Result<PathBuf> {
    let folder = Folder::open(run_dir.as_ref())?;
    let story = Story::of(&folder)?.unwrap_or_else(|| Story::new(folder.name()));
    let mut body = String::new();
    write_paragraphs(&mut body, "Summary", &story.summary);
    write_findings(&mut body, &story, folder.json("metrics.json")?.as_ref());
    write_figures(&mut body, &folder, &story.figures)?;
    write_tables(&mut body, &folder, &story.tables)?;
    write_making(&mut body, &folder)?;
    write_citations(&mut body, &story.citations);
    let path = folder.path().join(FILE);
    crate::write(&path, html::page(&story.title, &body).as_bytes())?;
    Ok(path)
}

fn write_paragraphs(out: &mut String, title: &str, paragraphs: &[String]) {
    if paragraphs.is_empty() {
        return;
    }
    put(out, format_args!("<section>\n<h2>{title}</h2>\n"));
    for paragraph in paragraphs {
        put(out, format_args!("<p>{}</p>\n", xml(paragraph)));
    }
    out.push_str("</section>\n");
}

fn write_findings(out: &mut String, story: &Story, metrics: Option<&Value>) {
    let facts: Vec<(String, &Value)> = metrics.map(Value::facts).unwrap_or_default();
    if story.findings.is_empty() && facts.is_empty() {
        return;
    }
    out.push_str("<section>\n<h2>What was found</h2>\n");
    for paragraph in &story.findings {
        put(out, format_args!("<p>{}</p>\n", xml(paragraph)));
    }
    let rows =
        facts.iter().map(|(name, value)| (format!("<code>{}</code>", xml(name)), xml(&value.shown()).to_string()));
    write_rows(out, rows);
    out.push_str("</section>\n");
}

fn write_figures(out: &mut String, folder: &Folder, figures: &[Exhibit]) -> Result<()> {
    if figures.is_empty() {
        return Ok(());
    }
    out.push_str("<section>\n<h2>Figures</h2>\n");
    for (index, figure) in figures.iter().enumerate() {
        let picture = embed::image(folder, &figure.file, &figure.caption)?.unwrap_or_else(|| absent(&figure.file));
        put(
            out,
            format_args!(
                "<figure>\n{picture}\n<figcaption><b>Figure {}.</b> {}</figcaption>\n</figure>\n",
                index + 1,
                xml(&figure.caption)
            ),
        );
    }
    out.push_str("</section>\n");
    Ok(())
}

fn write_tables(out: &mut String, folder: &Folder, tables: &[Exhibit]) -> Result<()> {
    if tables.is_empty() {
        return Ok(());
    }
    out.push_str("<section>\n<h2>Tables</h2>\n");
    for (index, exhibit) in tables.iter().enumerate() {
        let content = match folder.text(&exhibit.file)? {
            Some(text) => table_html::table(&text)
                .map_err(|source| Error::Csv { path: folder.path().join(&exhibit.file), source })?,
            None => absent(&exhibit.file),
        };
        put(
            out,
            format_args!(
                "<figure>\n<div class=\"wide\">\n{content}</div>\n<figcaption><b>Table {}.</b> {}</figcaption>\n</figure>\n",
                index + 1,
                xml(&exhibit.caption)
            ),
        );
    }
    out.push_str("</section>\n");
    Ok(())
}

fn write_making(out: &mut String, folder: &Folder) -> Result<()> {
    let environment: Option<Value> = folder.json("environment.json")?;
    let config = folder.text("config.toml")?;
    if environment.is_none() && config.is_none() {
        return Ok(());
    }
    out.push_str("<section>\n<h2>How it was made</h2>\n");
    if let Some(environment) = &environment {
        let rows = environment.facts().into_iter().filter_map(|(name, value)| {
            let name = xml(&name.replace('_', " ")).to_string();
            match (name.as_str(), value) {
                (_, Value::Nothing) => None,
                (_, Value::List(elements)) if elements.is_empty() => None,
                ("command line", Value::List(words)) => Some((name, format!("<code>{}</code>", xml(&command(words))))),
                ("earlier", Value::List(starts)) => {
                    Some((String::from("earlier starts"), xml(&earlier(starts)).to_string()))
                }
                _ => Some((name, xml(&value.shown()).to_string())),
            }
        });
        write_rows(out, rows);
    }
    if let Some(config) = &config {
        put(out, format_args!("<details>\n<summary>Configuration</summary>\n<pre>{}</pre>\n</details>\n", xml(config)));
    }
    out.push_str("</section>\n");
    Ok(())
}

fn write_citations(out: &mut String, citations: &[Citation]) {
    if citations.is_empty() {
        return;
    }
    out.push_str("<section>\n<h2>Citations</h2>\n<ol>\n");
    for citation in citations {
        put(out, format_args!("<li>{}", xml(&citation.text)));
        if !citation.locator.is_empty() {
            put(out, format_args!(" <code>{}</code>", xml(&citation.locator)));
        }
        out.push_str("</li>\n");
    }
    out.push_str("</ol>\n</section>\n");
}

/// A table of names and values, both already HTML.
fn write_rows(out: &mut String, rows: impl Iterator<Item = (String, String)>) {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return;
    }
    out.push_str("<div class=\"wide\">\n<table>\n<tbody>\n");
    for (name, value) in rows {
        put(out, format_args!("<tr><th scope=\"row\">{name}</th><td>{value}</td></tr>\n"));
    }
    out.push_str("</tbody>\n</table>\n</div>\n");
}

fn absent(file: &str) -> String {
    format!("<p class=\"note\">The file <code>{}</code> is not in the run folder.</p>\n", xml(file))
}

/// The words of a command line, quoted as a shell needs them.
fn command(words: &[Value]) -> String {
    let plain = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || "-_./=:,+@%".contains(c));
    let words: Vec<String> = words
        .iter()
        .map(|word| match word {
            Value::Text(word) if plain(word) => word.clone(),
            Value::Text(word) => format!("'{}'", word.replace('\'', "'\\''")),
            other => other.shown(),
        })
        .collect();
    words.join(" ")
}

/// When a run was started before it was resumed.
fn earlier(starts: &[Value]) -> String {
    let when = |start: &Value| match start {
        Value::Object(fields) => fields.iter().find(|(name, _)| name == "started").map(|(_, value)| value.shown()),
        other => Some(other.shown()),
    };
    let times: Vec<String> = starts.iter().filter_map(when).collect();
    times.join(", ")
}

/// Writing to a string cannot fail.
fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}
