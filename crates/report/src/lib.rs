//! Figures, tables and the report of a cupel run.
//!
//! * [`HeatMap`], [`MapPanel`], [`ClassMap`], [`ColorImage`], [`LineChart`] and [`DotChart`] draw figures as SVG and PNG, with an embedded font and no help from the system.
//! * [`Animation`] makes a GIF of grey pictures.
//! * [`Table`] writes the same numbers as CSV, LaTeX and HTML.
//! * [`Report`] collects what a run has to show, and saves it: figures, tables, numbers, and the page.
//! * [`write_report`] turns a run folder into one `report.html` that needs nothing else, [`compare_runs`] sets several side by side.
//!
//! The same input gives the same bytes.

mod animation;
mod axes;
mod class_map;
mod color_bar;
mod color_image;
mod color_map;
mod compare;
mod coordinate;
mod curves;
mod dot_chart;
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
mod report;
mod scale;
mod sheet;
mod story;
mod svg;
mod table;

pub use animation::Animation;
pub use class_map::ClassMap;
pub use color_bar::Range;
pub use color_image::ColorImage;
pub use color_map::ColorMap;
pub use compare::compare_runs;
pub use dot_chart::DotChart;
pub use error::{Error, Result};
pub use figure::Figure;
pub use heat_map::HeatMap;
pub use line_chart::LineChart;
pub use map_panel::MapPanel;
pub use page::write_report;
pub use report::{Report, file_name};
pub use table::{Cell, Table};

use std::{
    io::Write,
    path::{Path, PathBuf},
};

/// Writes a file whole or not at all, making its folder if need be.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    write_parts(path, &[bytes])
}

/// The same of a file that is made of parts.
fn write_parts<P: AsRef<[u8]> + ?Sized>(path: &Path, parts: &[&P]) -> Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(Error::io("make the folder", folder))?;
    }
    let write = |file: &mut dyn Write| parts.iter().try_for_each(|part| file.write_all(part.as_ref()));
    Ok(cupel_data::write_atomic(path, |file| write(file).map_err(cupel_data::Error::io("write", path)))?)
}

/// A value as the bytes of a JSON file.
fn json(path: &Path, value: &impl serde::Serialize) -> Result<Vec<u8>> {
    let mut bytes =
        serde_json::to_vec_pretty(value).map_err(|source| Error::Json { path: path.to_path_buf(), source })?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// `stem` with an ending added, never replacing one: `spectra_0.5` becomes `spectra_0.5.svg`.
fn with_ending(stem: &Path, ending: &str) -> PathBuf {
    let mut name = stem.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}
