//! `cupel data resample`: spectra at other bands.

use std::path::Path;

use anyhow::Result;
use clap::Args;
use cupel::data::{Image, Response};

use super::tool::{Files, Tool};

/// Write an image, or a library of spectra, at other bands
#[derive(Args)]
pub struct Resample {
    #[command(flatten)]
    files: Files,

    /// The bands: a scene, a library or a list of wavelengths, or numbers in nanometres as in 450,550,650
    #[arg(long, value_name = "FILE|WAVELENGTHS")]
    to: String,
}

impl Resample {
    /// The wanted bands.
    fn response(&self) -> Result<Response> {
        let numbers: Option<Vec<f64>> = self.to.split(',').map(|word| word.trim().parse().ok()).collect();
        match numbers.filter(|numbers| numbers.iter().all(|nm| nm.is_finite() && *nm > 0.0)) {
            Some(numbers) if !Path::new(&self.to).exists() => Ok(Response::new(numbers)),
            _ => Ok(Response::read(Path::new(&self.to))?),
        }
    }
}

impl Tool for Resample {
    fn files(&self) -> &Files {
        &self.files
    }

    fn image<'a>(&self, image: Image<'a>) -> Result<(Image<'a>, Vec<String>)> {
        let response = self.response()?;
        let how = if response.widths.is_empty() { "the distance between them for their width" } else { "their widths" };
        let done = format!("{} bands brought to {} by {how}", image.info().bands, response.nanometres.len());
        Ok((image.resampled(&response)?, vec![done]))
    }
}
