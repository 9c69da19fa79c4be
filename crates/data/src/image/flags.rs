//! Maps of flags and masks that lie in a file beside its image.
//!
//! "NetCDF Climate and Forecast (CF) Metadata Conventions", 3.5: `flag_values` or `flag_masks` with `flag_meanings` say what the numbers of
//! a variable stand for, and `ancillary_variables` of another one names it.

use std::path::Path;

use crate::{
    element::ElementType,
    error::{Error, Result},
    file::{Attribute, Class, Dataset},
};

/// Words of `flag_meanings` for pixels that are as they should be.
const GOOD: [&str; 16] = [
    "good",
    "valid",
    "clear",
    "ok",
    "best",
    "usable",
    "nominal",
    "no_error",
    "no_cloud",
    "cloud_free",
    "clear_sky",
    "good_quality",
    "good_data",
    "not_cloudy",
    "high_quality",
    "no_data_quality_issue",
];
/// What variables are called that say which pixels to use, as whole words of their names.
const NAMES: [&str; 9] = ["mask", "masks", "flag", "flags", "quality", "qa", "qc", "valid", "validity"];

/// A variable of the same rows and columns that says something of each pixel.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PixelFlags {
    /// The variable.
    pub name: String,
    /// What its numbers stand for, where it says.
    pub meanings: Vec<(i64, String)>,
    /// Whether the numbers are bits that may be set together.
    pub is_bits: bool,
}

impl PixelFlags {
    /// What a variable declares.
    pub(super) fn of(dataset: &Dataset, name: &str) -> Result<Self> {
        let attributes = dataset.attributes(name)?;
        let numbers = |key: &str| attributes.get(key).and_then(Attribute::numbers::<i64>);
        let words: Vec<String> = match attributes.get("flag_meanings") {
            Some(Attribute::Texts(texts)) => {
                texts.iter().flat_map(|text| text.split_whitespace()).map(str::to_owned).collect()
            }
            _ => Vec::new(),
        };
        let (values, is_bits) = match (numbers("flag_values"), numbers("flag_masks")) {
            (Some(values), _) => (values, false),
            (None, Some(masks)) => (masks, true),
            (None, None) => (Vec::new(), false),
        };
        let meanings = if values.len() == words.len() { values.into_iter().zip(words).collect() } else { Vec::new() };
        Ok(Self { name: name.to_owned(), meanings, is_bits })
    }

    /// Whether a pixel with this number is kept: by `good` where that says something, else by the words of the flags, else where the
    /// number is not 0.
    ///
    /// # Errors
    /// [`Error::Setting`] for flags of which none says that a pixel is good.
    pub(super) fn keeps(&self, good: &[f64]) -> Result<impl Fn(f64) -> bool + use<>> {
        let is_good = |word: &str| GOOD.contains(&word.to_lowercase().as_str());
        let by_words: Vec<f64> =
            self.meanings.iter().filter(|(_, word)| is_good(word)).map(|(value, _)| *value as f64).collect();
        let bad_bits = self.meanings.iter().filter(|(_, word)| !is_good(word)).fold(0, |bits, (bit, _)| bits | bit);
        let has_words = !self.meanings.is_empty();
        if good.is_empty() && has_words && !self.is_bits && by_words.is_empty() {
            return Err(Error::Setting {
                name: "good",
                value: "none".into(),
                problem: format!(
                    "{} has the flags {}, of which none says that a pixel is good; name their numbers",
                    self.name,
                    self.words()
                ),
            });
        }
        let bits = self.is_bits && good.is_empty();
        let wanted = if good.is_empty() { by_words } else { good.to_vec() };
        Ok(move |value: f64| match (bits, has_words || !wanted.is_empty()) {
            (true, _) => !value.is_nan() && value as i64 & bad_bits == 0,
            (false, true) => wanted.contains(&value),
            (false, false) => value != 0.0 && !value.is_nan(),
        })
    }

    /// Its flags, in words.
    pub fn words(&self) -> String {
        let words: Vec<String> = self.meanings.iter().map(|(value, word)| format!("{value} {word}")).collect();
        words.join(", ")
    }

    /// A line that tells a user of it, as a variable of the file at `path`.
    pub fn told(&self, path: &Path) -> String {
        let words = if self.meanings.is_empty() { String::new() } else { format!(" ({})", self.words()) };
        let (name, path) = (&self.name, path.display());
        format!("{name} has the same rows and columns{words}: --mask {path}:{name} uses it")
    }
}

impl Dataset {
    /// The variables of these rows and columns beside the image called `image` that declare themselves, or are called, a mask.
    ///
    /// # Errors
    /// Damaged attributes.
    pub fn pixel_flags(&self, image: &str, rows: usize, columns: usize) -> Result<Vec<PixelFlags>> {
        let sides = |shape: &[usize]| shape.iter().copied().filter(|&len| len != 1).collect::<Vec<usize>>();
        let named: Vec<String> = match self.attributes(image)?.get("ancillary_variables") {
            Some(Attribute::Texts(texts)) => {
                texts.iter().flat_map(|text| text.split_whitespace()).map(str::to_owned).collect()
            }
            _ => Vec::new(),
        };
        let mut found = Vec::new();
        for variable in self.variables() {
            let name = variable.name();
            let base = name.rsplit(['/', '.']).next().unwrap_or(name);
            let is_whole = matches!(
                variable.class(),
                Class::Number(element) if !matches!(element, ElementType::Complex64 | ElementType::Complex128)
            );
            if name == image || !is_whole || sides(variable.shape()) != sides(&[rows, columns]) {
                continue;
            }
            let mut words = base.split(|c: char| !c.is_ascii_alphanumeric());
            let is_called = words.any(|word| NAMES.contains(&word.to_lowercase().as_str()));
            let flags = PixelFlags::of(self, name)?;
            if is_called || !flags.meanings.is_empty() || named.iter().any(|other| other == base) {
                found.push(flags);
            }
        }
        Ok(found)
    }
}
