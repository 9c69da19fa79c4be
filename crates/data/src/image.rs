//! [`Image`]: the spectra of an image or of a library, as a file stores them, with all that the file says of them.
//!
//! An image is read and written a few rows at a time, however large it is. What is done to it (a choice of bands, a part, a mask, other
//! bands, a stack) changes what is known of it at once and its numbers when they are read.

mod axes;
mod centre_names;
mod centres;
mod draw;
mod flags;
mod kept;
mod mask;
mod number;
mod part;
mod resample;
mod spectra;
mod stack;
mod write;

pub use self::{
    centres::BandCentres,
    draw::SPECTRA,
    flags::PixelFlags,
    mask::{file_and_variable, read_mask},
    resample::{Resampling, Response},
};

use crate::{
    array::Array,
    element::ElementType,
    error::Result,
    file::{EnviHeader, Georeference, Meaning},
};
use std::{fmt, ops::Range, path::PathBuf};

/// Values of the rows that are in memory at once: 64 MiB of the widest real numbers.
const VALUES_AT_ONCE: usize = 8 << 20;

/// What is known of an image beside its numbers.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ImageInfo {
    /// The file it is from.
    pub path: PathBuf,
    /// The variable it is from.
    pub variable: String,
    /// Image rows, or the spectra of a library.
    pub rows: usize,
    /// Image columns; 1 for a library.
    pub columns: usize,
    /// Bands.
    pub bands: usize,
    /// The type of the stored numbers.
    pub element: ElementType,
    /// Names of the spectra of a library, which may be none; nothing for an image.
    pub spectra_names: Option<Vec<String>>,
    /// Band centres in nanometres, one a band, or none.
    pub wavelengths_nm: Vec<f64>,
    /// Band widths (full width at half maximum) in nanometres, one a band, or none.
    pub widths_nm: Vec<f64>,
    /// Which bands are usable, one a band, or none where all are.
    pub good_bands: Vec<bool>,
    /// Names of the bands, one a band, or none.
    pub band_names: Vec<String>,
    /// What the stored numbers stand for.
    pub meaning: Meaning,
    /// Where on the Earth the pixels lie.
    pub place: Option<Georeference>,
    /// One line on what it is.
    pub description: String,
    /// What else a header says, as it stands.
    pub others: Vec<(String, String)>,
    /// What an ENVI header divides the numbers by, where it does.
    pub(crate) reflectance_scale: Option<f64>,
    /// What is known of it that no writer keeps.
    pub(crate) unkept: Vec<String>,
    /// How the file was read, as a sentence without its stop.
    pub told: String,
    /// Whether missing values have to be marked in what is written, whatever its type.
    pub(crate) must_mark: bool,
}

/// An image or a library of spectra.
pub struct Image<'a> {
    info: ImageInfo,
    /// Rows of the image, as `[rows, columns, bands]` of stored numbers.
    rows: Box<dyn Fn(Range<usize>) -> Result<Array> + 'a>,
}

impl fmt::Debug for Image<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Image").field("info", &self.info).finish_non_exhaustive()
    }
}

impl Image<'_> {
    /// What is known of it.
    pub fn info(&self) -> &ImageInfo {
        &self.info
    }

    /// These rows as `[rows, columns, bands]`, as they are stored.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn rows(&self, range: Range<usize>) -> Result<Array> {
        (self.rows)(range)
    }

    /// Takes `each` row after row, a few at a time, with the number of the first.
    pub(crate) fn each(&self, mut each: impl FnMut(usize, Array) -> Result<()>) -> Result<()> {
        let step = self.info.rows_at_once();
        (0..self.info.rows)
            .step_by(step)
            .try_for_each(|start| each(start, self.rows(start..(start + step).min(self.info.rows))?))
    }
}

impl ImageInfo {
    /// Whether it is a library of spectra.
    pub fn is_library(&self) -> bool {
        self.spectra_names.is_some()
    }

    /// Rows, columns and bands.
    pub fn shape(&self) -> [usize; 3] {
        [self.rows, self.columns, self.bands]
    }

    /// How many rows are in memory at once.
    pub(crate) fn rows_at_once(&self) -> usize {
        (VALUES_AT_ONCE / (self.columns * self.bands).max(1)).clamp(1, self.rows.max(1))
    }

    /// The centre of a band in nanometres.
    pub fn centre(&self, band: usize) -> Option<f64> {
        self.wavelengths_nm.get(band).copied()
    }

    /// The centres of its first and last band, in words.
    pub fn range(&self) -> Option<String> {
        let low = self.wavelengths_nm.iter().copied().reduce(f64::min)?;
        let high = self.wavelengths_nm.iter().copied().reduce(f64::max)?;
        Some(format!("{low:.0} to {high:.0} nm"))
    }

    /// What the header of an ENVI file says of it.
    pub(crate) fn envi_header(&self) -> EnviHeader {
        // One scale for all that came from such a header goes back into the same key.
        let is_scale = |scale: &f64| self.meaning.offsets.is_empty() && self.meaning.gains == [scale.recip()];
        let scale = self.reflectance_scale.filter(is_scale);
        let gains = |values: &[f64]| match values {
            _ if self.meaning.is_unscaled() || scale.is_some() => Vec::new(),
            &[one] => vec![one; self.bands],
            all => all.to_vec(),
        };
        let (rows, columns, bands) =
            if self.is_library() { (self.rows, self.bands, 1) } else { (self.rows, self.columns, self.bands) };
        EnviHeader {
            element: self.element,
            wavelengths_nm: self.wavelengths_nm.clone(),
            widths_nm: self.widths_nm.clone(),
            good_bands: self.good_bands.clone(),
            ignore_value: self.meaning.missing.first().copied(),
            reflectance_scale: scale.unwrap_or(1.0),
            gains: gains(&self.meaning.gains),
            offsets: gains(&self.meaning.offsets),
            band_names: if self.is_library() { Vec::new() } else { self.band_names.clone() },
            spectra_names: self.spectra_names.clone(),
            description: self.description.clone(),
            others: self.others.clone(),
            ..EnviHeader::new(rows, columns, bands)
        }
    }
}
