//! Pixels without data: masks, and the number that marks them.

use super::{
    Image,
    flags::PixelFlags,
    number::{Number, fits},
};
use crate::{
    array::Array,
    element::{ElementType, map_values, with_values},
    error::{Error, Result},
    file::open,
};
use std::{
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Numbers that may mark missing values where a file names none; the smallest and the largest of the type are tried after them.
const MARKERS: [f64; 3] = [-9999.0, -32768.0, 65535.0];

impl<'a> Image<'a> {
    /// The image of which these stored numbers stand for missing values, beside those that its file names.
    #[must_use]
    pub fn with_missing(mut self, missing: &[f64]) -> Self {
        self.info.meaning.missing.extend(missing);
        self.info.must_mark = true;
        self
    }

    /// The image without data in the pixels where `keep` (row by row) is false. They get the number that stands for missing values; where
    /// there is none, NaN, or of integers a number that no pixel has.
    ///
    /// # Errors
    /// [`Error::Count`] unless there is one for each pixel; [`Error::Setting`] where no number is left to mark them; a file that cannot be
    /// read.
    pub fn masked(self, keep: Vec<bool>) -> Result<Self> {
        let pixels = self.info.rows * self.info.columns;
        if keep.len() != pixels {
            return Err(Error::Count { doing: "masking an image", what: "pixels", expected: pixels, got: keep.len() });
        }
        let marker = self.marker()?;
        let mut info = self.info;
        if !info.meaning.missing.iter().any(|&own| own == marker || (own.is_nan() && marker.is_nan())) {
            info.meaning.missing.insert(0, marker);
        }
        info.must_mark = true;
        let (columns, bands, own, keep) = (info.columns, info.bands, self.rows, Arc::new(keep));
        let masked = move |range: Range<usize>| {
            let keep = &keep[range.start * columns..range.end * columns];
            let part = own(range)?;
            let shape = part.shape().to_vec();
            Array::new(shape, map_values!(part.into_values(), values => filled(values, keep, bands, marker)))
        };
        Ok(Self { info, rows: Box::new(masked) })
    }

    /// The number that marks missing values.
    fn marker(&self) -> Result<f64> {
        let element = self.info.element;
        if let Some(&known) = self.info.meaning.missing.iter().find(|value| fits(element, **value)) {
            return Ok(known);
        }
        if fits(element, f64::NAN) {
            return Ok(f64::NAN);
        }
        let ends = [extreme(element, false), extreme(element, true)];
        let mut left: Vec<f64> = MARKERS.into_iter().chain(ends).filter(|value| fits(element, *value)).collect();
        self.each(|_, part| {
            with_values!(part.values(), values => left.retain(|&marker| !has(values, marker)));
            Ok(())
        })?;
        left.first().copied().ok_or_else(|| Error::Setting {
            name: "ignore-value",
            value: "none".into(),
            problem: format!(
                "every number that could mark missing values is one of the image's {element}; name one that may"
            ),
        })
    }
}

fn has<T: Number>(values: &[T], marker: f64) -> bool {
    T::of(marker).is_some_and(|marker| values.contains(&marker))
}

/// The smallest or the largest number of a type of integers.
fn extreme(element: ElementType, largest: bool) -> f64 {
    let bits = 8 * element.size_bytes() as i32;
    let signed = matches!(element, ElementType::I8 | ElementType::I16 | ElementType::I32 | ElementType::I64);
    match (signed, largest) {
        (true, true) => 2f64.powi(bits - 1) - 1.0,
        (true, false) => -2f64.powi(bits - 1),
        (false, true) => 2f64.powi(bits) - 1.0,
        (false, false) => 0.0,
    }
}

/// Values of pixels, `bands` each, with the marker in all that are not kept.
fn filled<T: Number>(mut values: Vec<T>, keep: &[bool], bands: usize, marker: f64) -> Vec<T> {
    if let Some(marker) = T::of(marker) {
        let pixels = values.chunks_exact_mut(bands.max(1)).zip(keep);
        pixels.filter(|(_, keep)| !**keep).for_each(|(pixel, _)| pixel.fill(marker));
    }
    values
}

/// The file of a name such as `scene.nc:mask`, and the variable in it; nothing where the whole name is that of a file.
pub fn file_and_variable(path: &Path) -> (PathBuf, Option<String>) {
    let text = path.to_string_lossy();
    match text.rsplit_once(':') {
        Some((file, variable)) if !path.exists() && Path::new(file).is_file() && !variable.is_empty() => {
            (file.into(), Some(variable.to_owned()))
        }
        _ => (path.to_path_buf(), None),
    }
}

/// A map of which pixels of an image of `rows x columns` are kept: those whose number is one of `good`; without these, those that the flags
/// of the variable say are good; without flags, those where it is neither 0 nor missing.
///
/// # Errors
/// A file that cannot be read; [`Error::Shape`] for a map of another size; [`Error::Setting`] for flags of which none is good. `FILE:VARIABLE` names one of several arrays.
pub fn read_mask(path: &Path, good: &[f64], rows: usize, columns: usize) -> Result<Vec<bool>> {
    let (file, variable) = file_and_variable(path);
    let dataset = open(file)?;
    let name = match variable {
        Some(name) => dataset.variable(&name)?.name().to_owned(),
        None => dataset.only_array_name()?,
    };
    let keeps = PixelFlags::of(&dataset, &name)?.keeps(good)?;
    let cube = dataset.cube::<f64>(Some(&name))?;
    let sides = |shape: &[usize]| shape.iter().copied().filter(|&len| len != 1).collect::<Vec<usize>>();
    if sides(&cube.shape()) != sides(&[rows, columns]) {
        return Err(Error::Shape { doing: "reading a mask", expected: vec![rows, columns], got: cube.shape() });
    }
    Ok(cube.values().iter().map(|&value| keeps(value)).collect())
}
