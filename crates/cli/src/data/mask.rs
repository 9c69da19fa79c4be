//! `cupel data mask`: an image with pixels that have no data.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use cupel::data::{Image, ImageInfo, read_mask};

use super::tool::{Files, Tool};

/// Pixels that are named one by one.
const NAMED: usize = 8;

/// Write an image of which some pixels have no data, marked as the format can mark them
#[derive(Args)]
pub struct Mask {
    #[command(flatten)]
    files: Files,

    /// A map of rows and columns: pixels where it is 0 or missing, or by its flags not good, have no data; FILE:VARIABLE for one of several arrays
    #[arg(long, value_name = "FILE")]
    mask: Option<PathBuf>,

    /// The other way round: pixels where the map is not 0 have no data
    #[arg(long, requires = "mask")]
    invert: bool,

    /// A stored number that stands for missing values, beside those that the file names; may be given several times
    #[arg(long, value_name = "V", allow_negative_numbers = true)]
    ignore_value: Vec<f64>,

    /// The numbers of good pixels in the map, where it holds flags
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', requires = "mask", allow_negative_numbers = true)]
    good: Vec<f64>,
}

impl Mask {
    /// The mask, row by row.
    fn keep(&self, info: &ImageInfo) -> Result<Option<Vec<bool>>> {
        let Some(path) = &self.mask else {
            if self.ignore_value.is_empty() {
                bail!("say what has no data: --mask FILE, --ignore-value V, or both");
            }
            return Ok(None);
        };
        let keep = read_mask(path, &self.good, info.rows, info.columns)
            .with_context(|| format!("--mask {}", path.display()))?;
        Ok(Some(if self.invert { keep.into_iter().map(|keep| !keep).collect() } else { keep }))
    }
}

/// How many pixels are without data, and which, by row and column counted from 1.
fn told(keep: &[bool], columns: usize) -> String {
    let gone: Vec<usize> = keep.iter().enumerate().filter(|(_, keep)| !**keep).map(|(place, _)| place).collect();
    let name = |place: &usize| format!("row {} column {}", place / columns + 1, place % columns + 1);
    let named: Vec<String> = gone.iter().take(NAMED).map(name).collect();
    let more = if gone.len() > NAMED { ", ..." } else { "" };
    match gone.len() {
        0 => "the mask leaves every pixel as it is".to_owned(),
        count => format!("{count} of {} pixels without data: {}{more}", keep.len(), named.join(", ")),
    }
}

impl Tool for Mask {
    fn files(&self) -> &Files {
        &self.files
    }

    fn image<'a>(&self, image: Image<'a>) -> Result<(Image<'a>, Vec<String>)> {
        let keep = self.keep(image.info())?;
        let image = if self.ignore_value.is_empty() { image } else { image.with_missing(&self.ignore_value) };
        let mut done = Vec::new();
        if !self.ignore_value.is_empty() {
            let values: Vec<String> = self.ignore_value.iter().map(f64::to_string).collect();
            done.push(format!("{} stands for missing values", values.join(", ")));
        }
        let Some(keep) = keep else { return Ok((image, done)) };
        done.push(told(&keep, image.info().columns));
        if keep.iter().all(|keep| !keep) {
            bail!("the mask leaves no pixel; is it the other way round (--invert)?");
        }
        Ok((image.masked(keep)?, done))
    }
}
