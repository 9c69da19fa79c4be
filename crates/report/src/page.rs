//! The report of a run: one HTML page, made only from what is in the run folder.

use std::{
    fmt::{Display, Write},
    path::{Path, PathBuf},
};

use crate::{
    curves::Log,
    embed,
    error::{Error, Result},
    escape::xml,
    facts::{self, Value},
    folder::{Folder, LOG},
    html,
    sheet::{self, Sheet},
    story::{Citation, Exhibit, Story},
};

/// Name of the page in the run folder.
const FILE: &str = "report.html";

/// Writes `report.html` into a run folder and returns its path.
///
/// The page shows what `report.json` tells, the numbers of `metrics.json` (else of `finished.json`) that no table shows, the
/// losses in `metrics.csv` as curves, and how the run was made from `environment.json` and `config.toml`. Each of them may be missing.
/// Figures and tables become part of the page: it has no script, makes no request, and can be sent as one file.
///
/// # Errors
/// When the folder is missing or is not a run, or one of its files is damaged, too large, or names a file outside the folder.
pub fn write_report(run_dir: impl AsRef<Path>) -> Result<PathBuf> {
    let folder = Folder::open(run_dir.as_ref())?;
    let story = Story::of(&folder)?.unwrap_or_else(|| Story::new(folder.name()));
    let log = folder.log()?.map(Log::read);
    let mut body = String::new();
    write_paragraphs(&mut body, "Summary", &story.summary);
    let tables = read_tables(&folder, &story.tables)?;
    write_findings(&mut body, &story.findings, folder.numbers()?.as_ref(), log.as_ref(), &tables);
    write_figures(&mut body, &folder, &story.figures)?;
    write_tables(&mut body, &story.tables, &tables)?;
    if let Some(log) = &log {
        write_curves(&mut body, log, story.figures.len())?;
    }
    write_making(&mut body, &folder)?;
    write_citations(&mut body, &story.citations);
    let path = folder.path().join(FILE);
    let [before, behind] = html::frame(&story.title);
    crate::write_parts(&path, &[&before, &body, &behind])?;
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

/// The tables that a story names and that are there.
fn read_tables<'a>(folder: &Folder, tables: &'a [Exhibit]) -> Result<Vec<(&'a str, Sheet)>> {
    let mut sheets = Vec::new();
    for Exhibit { file, .. } in tables {
        if let Some(text) = folder.text(file)? {
            let path = || folder.path().join(file);
            sheets.push((file.as_str(), Sheet::parse(&text).map_err(|source| Error::Csv { path: path(), source })?));
        }
    }
    Ok(sheets)
}

fn write_findings(
    out: &mut String,
    findings: &[String],
    numbers: Option<&Value>,
    log: Option<&Log>,
    tables: &[(&str, Sheet)],
) {
    let mut rows = Vec::new();
    let mut lists = String::new();
    for (name, value) in &numbers.map(Value::facts).unwrap_or_default() {
        let code = format!("<code>{}</code>", xml(name));
        match value {
            Value::List(elements) if value.is_list_of_objects() => {
                if let Some(sheet) = Sheet::of_list(elements, tables) {
                    put(&mut lists, format_args!("<p>{code}</p>\n{}", sheet.section()));
                }
            }
            _ if facts::is_place(name) || sheet::repeats(tables, name, value) => {}
            _ => rows.push((code, xml(&value.shown()).to_string())),
        }
    }
    let last = log.filter(|_| numbers.is_none()).map(|log| log.last().section()).unwrap_or_default();
    if findings.is_empty() && rows.is_empty() && lists.is_empty() && last.is_empty() {
        return;
    }
    out.push_str("<section>\n<h2>What was found</h2>\n");
    for paragraph in findings {
        put(out, format_args!("<p>{}</p>\n", xml(paragraph)));
    }
    *out += &(html::facts(rows.into_iter()) + &lists + &last);
    out.push_str("</section>\n");
}

fn write_figures(out: &mut String, folder: &Folder, figures: &[Exhibit]) -> Result<()> {
    if figures.is_empty() {
        return Ok(());
    }
    out.push_str("<section>\n<h2>Figures</h2>\n");
    for (index, figure) in figures.iter().enumerate() {
        write_exhibit(out, "Figure", index + 1, &xml(&figure.caption), |out| {
            out.push_str("<div class=\"wide\">\n");
            if !embed::image(out, folder, &figure.file, &figure.caption)? {
                out.push_str(&absent(&figure.file));
            }
            out.push_str("\n</div>\n");
            Ok(())
        })?;
    }
    out.push_str("</section>\n");
    Ok(())
}

fn write_tables(out: &mut String, exhibits: &[Exhibit], tables: &[(&str, Sheet)]) -> Result<()> {
    if exhibits.is_empty() {
        return Ok(());
    }
    out.push_str("<section>\n<h2>Tables</h2>\n");
    for (index, exhibit) in exhibits.iter().enumerate() {
        let content = match tables.iter().find(|(file, _)| *file == exhibit.file) {
            Some((_, sheet)) => sheet.section(),
            None => absent(&exhibit.file),
        };
        write_exhibit(out, "Table", index + 1, &xml(&exhibit.caption), |out| {
            out.push_str(&content);
            Ok(())
        })?;
    }
    out.push_str("</section>\n");
    Ok(())
}

/// Losses over the steps; figures are counted on from those of the story.
fn write_curves(out: &mut String, log: &Log, figures: usize) -> Result<()> {
    let (curves, more) = log.curves()?;
    if curves.is_empty() {
        return Ok(());
    }
    out.push_str("<section>\n<h2>How it learned</h2>\n");
    for (index, (charts, caption)) in curves.iter().enumerate() {
        write_exhibit(out, "Figure", figures + index + 1, caption, |out| {
            out.push_str("<div class=\"wide\">\n");
            for chart in charts {
                embed::drawn(out, chart)?;
                out.push('\n');
            }
            out.push_str("</div>\n");
            Ok(())
        })?;
    }
    if more > 0 {
        put(out, format_args!("<p class=\"note\">The losses of {more} more are in <code>{LOG}</code>.</p>\n"));
    }
    out.push_str("</section>\n");
    Ok(())
}

/// A figure or table with its number and caption.
fn write_exhibit(
    out: &mut String,
    kind: &str,
    number: usize,
    caption: &dyn Display,
    content: impl FnOnce(&mut String) -> Result<()>,
) -> Result<()> {
    out.push_str("<figure>\n");
    content(out)?;
    put(out, format_args!("<figcaption><b>{kind} {number}.</b> {caption}</figcaption>\n</figure>\n"));
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
        out.push_str(&html::facts(rows));
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
    let times: Vec<String> = starts.iter().map(|start| start.field("started").unwrap_or(start).shown()).collect();
    times.join(", ")
}

/// Writing to a string cannot fail.
fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}
