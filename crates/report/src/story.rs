//! What a run has to tell: its title, its paragraphs, and the figures and tables it wrote, saved as `report.json`.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    folder::Folder,
};

/// Name of the file in the run folder.
pub(crate) const FILE: &str = "report.json";
/// Newest format that is written and read.
const FORMAT: u32 = 1;

/// The content of a report, filled by the command that made the run.
///
/// Files are named relative to the run folder, with forward slashes.
///
/// ```no_run
/// # fn main() -> Result<(), cupel_report::Error> {
/// # let run_dir = std::path::Path::new("runs/samson");
/// use cupel_report::Story;
/// Story::new("Unmixing of Samson")
///     .summary("Three endmembers were found in a scene of 95 x 95 pixels and 156 bands.")
///     .finding("The endmembers lie within 0.02 rad of the published ones.")
///     .figure("figures/abundances.png", "Abundance of each endmember.")
///     .table("tables/endmembers.csv", "Spectral angle of each endmember to the truth.")
///     .citation("J. M. P. Nascimento and J. M. Bioucas-Dias, Vertex component analysis, IEEE TGRS 43(4), 2005", "doi:10.1109/TGRS.2005.844293")
///     .save(run_dir)?;
/// let page = cupel_report::write_report(run_dir)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Story {
    /// Format of the file, so that an older program can tell that it does not understand it.
    format: u32,
    /// Title of the report.
    pub title: String,
    /// What was done, one paragraph each.
    #[serde(default)]
    pub summary: Vec<String>,
    /// What was found, one paragraph each.
    #[serde(default)]
    pub findings: Vec<String>,
    /// Figures in their order: SVG or PNG files.
    #[serde(default)]
    pub figures: Vec<Exhibit>,
    /// Tables in their order: CSV files.
    #[serde(default)]
    pub tables: Vec<Exhibit>,
    /// Works that the methods and the data come from.
    #[serde(default)]
    pub citations: Vec<Citation>,
}

/// A figure or a table with its caption.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Exhibit {
    /// The file, relative to the run folder.
    pub file: String,
    /// What is to be seen.
    pub caption: String,
}

/// A work that is cited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Citation {
    /// Authors, title, journal, year.
    pub text: String,
    /// Where to find it: `doi:...` or `arXiv:...`.
    pub locator: String,
}

impl Story {
    /// A story with a title and nothing else yet.
    #[must_use]
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            format: FORMAT,
            title: title.into(),
            summary: Vec::new(),
            findings: Vec::new(),
            figures: Vec::new(),
            tables: Vec::new(),
            citations: Vec::new(),
        }
    }

    /// Adds a paragraph on what was done.
    #[must_use]
    pub fn summary(mut self, paragraph: impl Into<String>) -> Self {
        self.summary.push(paragraph.into());
        self
    }

    /// Adds a paragraph on what was found.
    #[must_use]
    pub fn finding(mut self, paragraph: impl Into<String>) -> Self {
        self.findings.push(paragraph.into());
        self
    }

    /// Adds a figure: an SVG or PNG file.
    #[must_use]
    pub fn figure(mut self, file: impl Into<String>, caption: impl Into<String>) -> Self {
        self.figures.push(Exhibit { file: file.into(), caption: caption.into() });
        self
    }

    /// Adds a table: a CSV file.
    #[must_use]
    pub fn table(mut self, file: impl Into<String>, caption: impl Into<String>) -> Self {
        self.tables.push(Exhibit { file: file.into(), caption: caption.into() });
        self
    }

    /// Adds a work that is cited, with its `doi:...` or `arXiv:...`.
    #[must_use]
    pub fn citation(mut self, text: impl Into<String>, locator: impl Into<String>) -> Self {
        self.citations.push(Citation { text: text.into(), locator: locator.into() });
        self
    }

    /// Writes the story into a run folder.
    ///
    /// # Errors
    /// When a file is named that does not lie inside the run folder, or the story cannot be written.
    pub fn save(&self, run_dir: impl AsRef<Path>) -> Result<()> {
        let run_dir = run_dir.as_ref();
        for exhibit in self.figures.iter().chain(&self.tables) {
            crate::folder::inside(run_dir, &exhibit.file)?;
        }
        let path = run_dir.join(FILE);
        crate::write(&path, &crate::json(&path, self)?)
    }

    /// Reads the story of a run folder; `None` where there is none.
    ///
    /// # Errors
    /// When the folder is not a run, or the file is damaged or was written by a newer version.
    pub fn load(run_dir: impl AsRef<Path>) -> Result<Option<Self>> {
        Self::of(&Folder::open(run_dir.as_ref())?)
    }

    pub(crate) fn of(folder: &Folder) -> Result<Option<Self>> {
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let Some(head) = folder.json::<Head>(FILE)? else {
            return Ok(None);
        };
        if head.format > FORMAT {
            return Err(Error::StoryFormat { path: folder.path().join(FILE), got: head.format, known: FORMAT });
        }
        folder.json(FILE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_story_comes_back_as_it_was_saved() {
        let folder = tempfile::tempdir().unwrap();
        let story = Story::new("<b>Bäume</b>")
            .summary("one")
            .finding("two")
            .figure("figures/map.png", "a map")
            .table("tables/sad.csv", "angles")
            .citation("Nascimento and Bioucas-Dias, 2005", "doi:10.1109/TGRS.2005.844293");
        story.save(folder.path()).unwrap();
        assert_eq!(Story::load(folder.path()).unwrap(), Some(story));
    }

    #[test]
    fn files_outside_the_run_are_refused_before_anything_is_written() {
        let folder = tempfile::tempdir().unwrap();
        for file in ["../other.png", "/etc/passwd", "figures/../../x.png", "", "C:\\x.png", "./"] {
            let error = Story::new("t").figure(file, "c").save(folder.path()).unwrap_err();
            assert!(matches!(error, Error::OutsideRun { .. }), "{file}: {error}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_newer_or_damaged_story_is_an_error_that_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        std::fs::write(&path, "{\"format\": 2, \"chapters\": []}").unwrap();
        let error = Story::load(folder.path()).unwrap_err();
        assert!(error.to_string().contains("has format 2, this version reads formats up to 1"), "{error}");
        std::fs::write(&path, "{\"format\": 1, \"title\"").unwrap();
        let error = Story::load(folder.path()).unwrap_err();
        assert!(error.to_string().contains(FILE) && error.to_string().contains("line 1"), "{error}");
    }
}
