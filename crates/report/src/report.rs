//! What a run has to show, collected in one value: paragraphs, figures, tables, numbers.

use std::path::PathBuf;

use rayon::prelude::*;
use serde::Serialize;

use crate::{
    error::{Error, Result},
    figure::Figure,
    story::{self, Exhibit, Story},
    table::Table,
    write_report,
};

/// Longest name of a figure or table: file systems allow 255 bytes, and an ending and a temporary name come on top.
const LONGEST_NAME: usize = 200;

/// The one collector of what a run shows. What is registered is what is saved, in the order of registration, and every name stands once.
///
/// Figures are closures, drawn in parallel by [`Report::save`]; they may fail with the error of their own crate. What they borrow is made
/// before the report.
///
/// ```
/// # fn main() -> Result<(), cupel_report::Error> {
/// # let folder = tempfile::tempdir().unwrap();
/// # let run_dir = folder.path();
/// use cupel_report::{HeatMap, Report, Table};
/// let shares = [0.0, 0.2, 0.8, 1.0];
/// let mut angles = Table::new().text_column("endmember").number_column("angle", "rad", 3);
/// angles.push(["tree".into(), 0.0193.into()])?;
///
/// let mut report = Report::new(run_dir, "Unmixing of Samson");
/// report.summary("Three endmembers were found in a scene of 95 x 95 pixels and 156 bands.");
/// report.figure("tree", "Share of trees.", || HeatMap::new("tree", &shares, 2, 2).figure());
/// report.table("angles", "Spectral angle of each endmember to the truth.", angles);
/// report.cite("J. M. P. Nascimento and J. M. Bioucas-Dias, IEEE TGRS 43(4), 2005", "doi:10.1109/TGRS.2005.844293");
/// let page = report.save()?;
/// assert!(page.is_file() && run_dir.join("figures/tree.svg").is_file() && run_dir.join("tables/angles.tex").is_file());
/// # Ok(())
/// # }
/// ```
pub struct Report<'a> {
    dir: PathBuf,
    story: Story,
    figures: Vec<Drawing<'a>>,
    tables: Vec<(Exhibit, Table)>,
    numbers: Vec<Vec<u8>>,
}

type Draw<'a> = Box<dyn FnOnce() -> std::result::Result<Drawn, BoxedError> + Send + 'a>;
type BoxedError = Box<dyn std::error::Error + Send + Sync>;

struct Drawing<'a> {
    name: String,
    caption: String,
    draw: Draw<'a>,
}

enum Drawn {
    Figure(Figure),
    /// The bytes of a PNG file.
    Pixels(Vec<u8>),
    /// The bytes of a GIF file.
    Gif(Vec<u8>),
}

impl<'a> Report<'a> {
    /// An empty report of the run folder `dir`.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>, title: impl Into<String>) -> Self {
        Self { dir: dir.into(), story: Story::new(title), figures: Vec::new(), tables: Vec::new(), numbers: Vec::new() }
    }

    /// Adds a paragraph on what was done.
    pub fn summary(&mut self, paragraph: impl Into<String>) {
        self.story.summary.push(paragraph.into());
    }

    /// Adds a paragraph on what was found.
    pub fn finding(&mut self, paragraph: impl Into<String>) {
        self.story.findings.push(paragraph.into());
    }

    /// Adds a work that is cited, with its `doi:...` or `arXiv:...`.
    pub fn cite(&mut self, text: impl Into<String>, locator: impl Into<String>) {
        self.story.citations.push(story::Citation { text: text.into(), locator: locator.into() });
    }

    /// Adds a figure, which becomes `figures/NAME.svg` and `figures/NAME.png`.
    pub fn figure<E: Into<BoxedError>>(
        &mut self,
        name: impl Into<String>,
        caption: impl Into<String>,
        draw: impl FnOnce() -> std::result::Result<Figure, E> + Send + 'a,
    ) {
        let draw: Draw<'a> = Box::new(|| draw().map(Drawn::Figure).map_err(Into::into));
        self.figures.push(Drawing { name: name.into(), caption: caption.into(), draw });
    }

    /// Adds a picture of which one pixel is one sample (see [`MapPanel::pixels`](crate::MapPanel::pixels)): it becomes
    /// `figures/NAME.png` and has no place on the page.
    pub fn pixels<E: Into<BoxedError>>(
        &mut self,
        name: impl Into<String>,
        draw: impl FnOnce() -> std::result::Result<Vec<u8>, E> + Send + 'a,
    ) {
        let draw: Draw<'a> = Box::new(|| draw().map(Drawn::Pixels).map_err(Into::into));
        self.figures.push(Drawing { name: name.into(), caption: String::new(), draw });
    }

    /// Adds an animation, which becomes `figures/NAME.gif`.
    pub fn animation(
        &mut self,
        name: impl Into<String>,
        caption: impl Into<String>,
        draw: impl FnOnce() -> Result<Vec<u8>> + Send + 'a,
    ) {
        let draw: Draw<'a> = Box::new(|| draw().map(Drawn::Gif).map_err(Into::into));
        self.figures.push(Drawing { name: name.into(), caption: caption.into(), draw });
    }

    /// Adds a table, which becomes `tables/NAME.csv` and `tables/NAME.tex`.
    pub fn table(&mut self, name: impl Into<String>, caption: impl Into<String>, table: Table) {
        self.tables.push((Exhibit { file: name.into(), caption: caption.into() }, table));
    }

    /// Gives the numbers of the run, an object with a name for each, which become `metrics.json`; once for a report.
    ///
    /// # Errors
    /// When the value cannot be JSON.
    pub fn numbers(&mut self, value: &impl Serialize) -> Result<()> {
        self.numbers.push(crate::json(&self.dir.join("metrics.json"), value)?);
        Ok(())
    }

    /// Writes figures, tables, `metrics.json`, `report.json` and the page, and returns the path of the page.
    ///
    /// # Errors
    /// When a name is no file name or stands twice (before anything is written), a figure cannot be drawn, or a file cannot be written.
    pub fn save(mut self) -> Result<PathBuf> {
        check("figure", self.figures.iter().map(|drawing| drawing.name.as_str()))?;
        check("table", self.tables.iter().map(|(table, _)| table.file.as_str()))?;
        check("file", self.numbers.iter().map(|_| "metrics.json"))?;
        let figures = self.dir.join("figures");
        let drawn: Vec<Result<Option<Exhibit>>> = self
            .figures
            .into_par_iter()
            .map(|Drawing { name, caption, draw }| {
                let stem = figures.join(&name);
                match draw().map_err(|source| drawing(&name, source))? {
                    Drawn::Figure(figure) => {
                        figure.save(&stem)?;
                        // Maps are pictures anyway; lines and their text stay sharp as SVG.
                        let ending = if figure.has_picture() { "png" } else { "svg" };
                        Ok(Some(Exhibit { file: format!("figures/{name}.{ending}"), caption }))
                    }
                    Drawn::Pixels(bytes) => {
                        crate::write(&crate::with_ending(&stem, "png"), &bytes)?;
                        Ok(None)
                    }
                    Drawn::Gif(bytes) => {
                        crate::write(&crate::with_ending(&stem, "gif"), &bytes)?;
                        Ok(Some(Exhibit { file: format!("figures/{name}.gif"), caption }))
                    }
                }
            })
            .collect();
        for exhibit in drawn {
            self.story.figures.extend(exhibit?);
        }
        for (Exhibit { file: name, caption }, table) in self.tables {
            table.save(self.dir.join("tables").join(&name))?;
            self.story.tables.push(Exhibit { file: format!("tables/{name}.csv"), caption });
        }
        for numbers in &self.numbers {
            crate::write(&self.dir.join("metrics.json"), numbers)?;
        }
        self.story.save(&self.dir)?;
        write_report(&self.dir)
    }
}

/// A text as the name of a figure or table: letters of ASCII in lower case, digits, and `_` for everything else.
#[must_use]
pub fn file_name(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect()
}

/// Names that are file names everywhere and stand once, also where the file system takes `A` and `a` for the same.
fn check<'n>(kind: &'static str, names: impl Iterator<Item = &'n str>) -> Result<()> {
    let mut seen = std::collections::HashSet::new();
    for name in names {
        let plain = !name.starts_with(['.', ' '])
            && !name.ends_with(['.', ' '])
            && !name.contains(['/', '\\', ':', '*', '?', '"', '<', '>', '|'])
            && !name.chars().any(char::is_control);
        let problem = if name.is_empty() || name.len() > LONGEST_NAME || !plain {
            "cannot be the name of a file everywhere; `file_name` makes a text such a name"
        } else if !seen.insert(name.to_lowercase()) {
            "stands twice; give each its own name"
        } else {
            continue;
        };
        return Err(Error::Name { kind, name: name.to_owned(), problem });
    }
    Ok(())
}

/// An error of this crate stays itself; that of another becomes the source.
fn drawing(name: &str, source: BoxedError) -> Error {
    match source.downcast::<Error>() {
        Ok(error) => *error,
        Err(source) => Error::Drawing { name: name.to_owned(), source },
    }
}
