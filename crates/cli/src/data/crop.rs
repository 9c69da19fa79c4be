//! `cupel data crop`: a part of an image.

use anyhow::{Result, bail};
use clap::Args;
use cupel::{data::Image, unmixing::Roi};

use super::tool::{Files, Tool};

/// Write a part of an image; its place on the map moves with it
#[derive(Args)]
pub struct Crop {
    #[command(flatten)]
    files: Files,

    /// The part, as in 10-50,20-80: rows and columns counted from 1, both ends among them
    #[arg(long, value_name = "ROWS,COLUMNS")]
    roi: Roi,
}

impl Tool for Crop {
    fn files(&self) -> &Files {
        &self.files
    }

    fn image<'a>(&self, image: Image<'a>) -> Result<(Image<'a>, Vec<String>)> {
        let Roi { rows: [row, last_row], columns: [column, last_column] } = self.roi;
        let info = image.info();
        if last_row > info.rows || last_column > info.columns {
            bail!(
                "--roi goes up to row {last_row} and column {last_column}, and {} has {} rows and {} columns",
                info.path.display(),
                info.rows,
                info.columns
            );
        }
        let done = format!("rows {row} to {last_row} and columns {column} to {last_column}");
        Ok((image.crop(row - 1..last_row, column - 1..last_column)?, vec![done]))
    }
}
