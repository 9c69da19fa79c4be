//! Figures, tables and the report of a cupel run.
//!
//! * [`HeatMap`], [`MapPanel`] and [`LineChart`] draw figures as SVG and PNG, with an embedded font and no help from the system.
//! * [`Table`] writes the same numbers as CSV, LaTeX and HTML.
//! * [`Story`] is what a run has to tell: paragraphs, figures and tables; it is saved into the run folder as `report.json`.
//! * [`write_report`] turns a run folder into one `report.html` that needs nothing else, [`compare_runs`] sets several side by side.
//!
//! The same input gives the same bytes.

mod axes;
mod color_bar;
mod color_map;
mod compare;
mod coordinate;
mod embed;
mod error;
mod escape;
mod facts;
mod figure;
mod folder;
mod font;
mod heat_map;
mod html;
mod line_chart;
mod map_panel;
mod page;
mod picture;
#[cfg(test)]
mod pixels;
mod raster;
mod scale;
mod story;
mod svg;
mod table;
mod table_html;

pub use color_bar::Range;
pub use color_map::ColorMap;
pub use compare::compare_runs;
pub use error::{Error, Result};
pub use figure::Figure;
pub use heat_map::HeatMap;
pub use line_chart::LineChart;
pub use map_panel::MapPanel;
pub use page::write_report;
pub use story::{Citation, Exhibit, Story};
pub use table::{Cell, Table};

use std::path::{Path, PathBuf};

/// Writes a file whole or not at all, making its folder if need be.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(Error::io("make the folder", folder))?;
    }
    Ok(cupel_data::write_atomic(path, |file| file.write_all(bytes).map_err(cupel_data::Error::io("write", path)))?)
}

/// `stem` with an ending added, never replacing one: `spectra_0.5` becomes `spectra_0.5.svg`.
fn with_ending(stem: &Path, ending: &str) -> PathBuf {
    let mut name = stem.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}
