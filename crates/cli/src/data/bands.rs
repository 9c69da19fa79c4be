//! `cupel data bands`: an image of some of its bands.

use anyhow::{Result, bail};
use clap::Args;
use cupel::{
    data::{Image, ImageInfo},
    unmixing::BandRange,
};

use super::tool::{Files, Tool};

/// Write an image, or a library of spectra, with some of its bands
#[derive(Args)]
pub struct Bands {
    #[command(flatten)]
    files: Files,

    /// Bands to leave out, as in 104-113,148 or 1350-1420nm,1800-1950nm
    #[arg(long, value_name = "RANGES", value_delimiter = ',')]
    drop: Vec<BandRange>,

    /// Bands to keep, in the same words; the others are left out
    #[arg(long, value_name = "RANGES", value_delimiter = ',')]
    keep: Vec<BandRange>,

    /// Leave out the bands that the file marks as bad
    #[arg(long)]
    drop_bad: bool,

    /// Put the bands in the order of their wavelengths
    #[arg(long)]
    sort: bool,
}

impl Bands {
    /// The bands that are left, counted from 0, and what was done.
    fn chosen(&self, info: &ImageInfo) -> Result<(Vec<usize>, Vec<String>)> {
        if self.drop.is_empty() && self.keep.is_empty() && !self.drop_bad && !self.sort {
            bail!("say which bands: --drop, --keep, --drop-bad, or their order by --sort");
        }
        let by_wavelength = |range: &&BandRange| matches!(range, BandRange::Nanometres(..));
        let unknown = info.wavelengths_nm.is_empty();
        if let Some(range) = self.drop.iter().chain(&self.keep).find(by_wavelength).filter(|_| unknown) {
            bail!(
                "{range}: the wavelengths of {} are not known; give numbers of bands, as in 104-113",
                info.path.display()
            );
        }
        if self.sort && unknown {
            bail!("--sort: the wavelengths of {} are not known", info.path.display());
        }
        for (name, ranges) in [("drop", &self.drop), ("keep", &self.keep)] {
            if let Some(range) = ranges.iter().find(|range| !(0..info.bands).any(|b| range.holds(b, info.centre(b)))) {
                let reach = info.range().map_or_else(String::new, |range| format!(" from {range}"));
                bail!("--{name} {range}: no band is there, of the {}{reach}", info.bands);
            }
        }
        if self.drop_bad && info.good_bands.is_empty() {
            bail!("--drop-bad: {} does not say which of its bands are good", info.path.display());
        }
        let held = |ranges: &[BandRange], band: usize| ranges.iter().any(|range| range.holds(band, info.centre(band)));
        let is_good = |band: usize| !self.drop_bad || info.good_bands.get(band).copied().unwrap_or(true);
        let wanted = |band: &usize| {
            (self.keep.is_empty() || held(&self.keep, *band)) && !held(&self.drop, *band) && is_good(*band)
        };
        let mut bands: Vec<usize> = (0..info.bands).filter(wanted).collect();
        if bands.is_empty() {
            bail!("no band is left of the {} in {}", info.bands, info.path.display());
        }
        let mut done = vec![format!("{} of {} bands", bands.len(), info.bands)];
        if self.sort {
            bands.sort_by(|&a, &b| info.wavelengths_nm[a].total_cmp(&info.wavelengths_nm[b]));
            done.push("in the order of their wavelengths".to_owned());
        }
        Ok((bands, done))
    }
}

impl Tool for Bands {
    fn files(&self) -> &Files {
        &self.files
    }

    fn image<'a>(&self, image: Image<'a>) -> Result<(Image<'a>, Vec<String>)> {
        let (bands, done) = self.chosen(image.info())?;
        Ok((image.bands(&bands)?, done))
    }
}
