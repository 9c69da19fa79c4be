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

/// The content of a report. Files are named relative to the run folder, with forward slashes.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Story {
    /// Format of the file, so that an older program can tell that it does not understand it.
    format: u32,
    pub(crate) title: String,
    /// What was done, one paragraph each.
    #[serde(default)]
    pub(crate) summary: Vec<String>,
    /// What was found, one paragraph each.
    #[serde(default)]
    pub(crate) findings: Vec<String>,
    /// SVG or PNG files.
    #[serde(default)]
    pub(crate) figures: Vec<Exhibit>,
    /// CSV files.
    #[serde(default)]
    pub(crate) tables: Vec<Exhibit>,
    #[serde(default)]
    pub(crate) citations: Vec<Citation>,
}

/// A figure or a table with its caption.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Exhibit {
    pub(crate) file: String,
    pub(crate) caption: String,
}

/// A work that is cited.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Citation {
    /// Authors, title, journal, year.
    pub(crate) text: String,
    /// Where to find it: `doi:...` or `arXiv:...`.
    pub(crate) locator: String,
}

impl Story {
    pub(crate) fn new(title: impl Into<String>) -> Self {
        Self { format: FORMAT, title: title.into(), ..Self::default() }
    }

    /// Writes the story into a run folder; nothing where a file is named that does not lie inside it.
    pub(crate) fn save(&self, run_dir: &Path) -> Result<()> {
        for exhibit in self.figures.iter().chain(&self.tables) {
            crate::folder::inside(run_dir, &exhibit.file)?;
        }
        let path = run_dir.join(FILE);
        crate::write(&path, &crate::json(&path, self)?)
    }

    /// Reads the story of a run folder; `None` where there is none.
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

    fn load(run_dir: &Path) -> Result<Option<Story>> {
        Story::of(&Folder::open(run_dir)?)
    }

    fn exhibit(file: &str) -> Vec<Exhibit> {
        vec![Exhibit { file: file.to_owned(), caption: String::from("c") }]
    }

    #[test]
    fn a_story_comes_back_as_it_was_saved() {
        let folder = tempfile::tempdir().unwrap();
        let mut story = Story::new("<b>Bäume</b>");
        story.summary.push(String::from("one"));
        (story.figures, story.tables) = (exhibit("figures/map.png"), exhibit("tables/sad.csv"));
        story.citations.push(Citation { text: String::from("2005"), locator: String::from("doi:10.1109/x") });
        story.save(folder.path()).unwrap();
        assert_eq!(load(folder.path()).unwrap(), Some(story));
    }

    #[test]
    fn files_outside_the_run_are_refused_before_anything_is_written() {
        let folder = tempfile::tempdir().unwrap();
        for file in ["../other.png", "/etc/passwd", "figures/../../x.png", "", "C:\\x.png", "./"] {
            let story = Story { figures: exhibit(file), ..Story::new("t") };
            let error = story.save(folder.path()).unwrap_err();
            assert!(matches!(error, Error::OutsideRun { .. }), "{file}: {error}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_newer_or_damaged_story_is_an_error_that_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        std::fs::write(&path, "{\"format\": 2, \"chapters\": []}").unwrap();
        let error = load(folder.path()).unwrap_err();
        assert!(error.to_string().contains("has format 2, this version reads formats up to 1"), "{error}");
        std::fs::write(&path, "{\"format\": 1, \"title\"").unwrap();
        let error = load(folder.path()).unwrap_err();
        assert!(error.to_string().contains(FILE) && error.to_string().contains("line 1"), "{error}");
    }
}
