//! Writing an image with all that the format can keep of what is known of it, and saying what it cannot.

use super::{
    Image, ImageInfo,
    kept::ENVI_DOMAIN,
    number::{Number, fits},
};
use crate::{
    array::Array,
    axes::{Axes, Axis, AxisKind},
    cube::transpose,
    element::{ElementType, Values, map_values},
    error::Result,
    file::{
        EnviHeader, FitsCards, Interleave, Meaning, Target, TiffAbout, TiffBands, TiffItem, envi_stored, write_csv,
        write_envi_rows, write_fits_array, write_mat, write_npy_rows, write_npz, write_png, write_tiff_rows,
    },
};
use std::{cell::RefCell, ops::Range, path::Path};

/// Names of variables for the wavelengths, widths and good bands of an image, where a format keeps several arrays.
const LISTS: [&str; 3] = ["wavelength", "fwhm", "bbl"];

impl Image<'_> {
    /// Writes the image in the format that the ending of `path` names, as [`convert`](crate::convert) has them, a few rows at a time
    /// where the format is ENVI, TIFF or NPY. Returns what the format does not keep, a line.
    ///
    /// # Errors
    /// [`Error::Exists`](crate::Error::Exists) when there is a file and `force` is not given; [`Error::CannotHold`](crate::Error::CannotHold) when the format cannot hold it;
    /// every error of reading and writing. What was there is then as it was.
    pub fn write(&self, path: &Path, force: bool) -> Result<Option<String>> {
        let target = Target::of(path, force)?;
        let (meaning, element, mut lost) = self.in_format(&target);
        let info = &self.info;
        let marker = meaning.missing.first().copied();
        let read = |range: Range<usize>| -> Result<Array> {
            let part = self.rows(range)?;
            marked(part, &info.meaning, marker, element)
        };
        let whole = || read(0..info.rows);
        match &target {
            Target::Envi { numbers, interleave } => {
                let (place, missing) = info.place.as_ref().map_or((Vec::new(), Vec::new()), |place| place.to_envi());
                lost.extend(missing.into_iter().map(str::to_owned));
                let known = ImageInfo { meaning, element, ..info.clone() };
                let header = known.envi_header();
                let others = [header.others, place].concat();
                let header = EnviHeader { others, interleave: *interleave, ..header };
                self.write_envi(numbers, &header, element, &read)?;
            }
            Target::Tiff => {
                let about = info.tiff(meaning, &mut lost);
                let shape = if info.is_library() { [info.rows, info.bands, 1] } else { info.shape() };
                let step = info.rows_at_once();
                let held: RefCell<Option<(usize, Array)>> = RefCell::new(None);
                write_tiff_rows(path, shape, element, &about, |range| {
                    let part = rows_of(&held, range, step, info.rows, &read)?;
                    if info.is_library() {
                        let count = part.shape()[0];
                        return part.reshaped(vec![count, info.bands, 1]);
                    }
                    Ok(part)
                })?;
            }
            Target::Npy => {
                write_npy_rows(path, element, &info.flat_shape(), |file| {
                    let step = info.rows_at_once();
                    (0..info.rows)
                        .step_by(step)
                        .try_for_each(|start| file(read(start..(start + step).min(info.rows))?.values()))
                })?;
            }
            Target::Npz | Target::Matlab => {
                let image = whole()?.reshaped(info.flat_shape())?;
                let numbers = |values: &[f64]| Array::new(vec![values.len()], Values::F64(values.to_vec()));
                let lists = [numbers(&info.wavelengths_nm)?, numbers(&info.widths_nm)?, {
                    Array::new(vec![info.good_bands.len()], Values::Bool(info.good_bands.clone()))?
                }];
                let own = target.variable_name(info.variable.rsplit('/').next().unwrap_or("image"));
                let mut arrays = vec![(own.as_str(), &image)];
                arrays.extend(
                    LISTS.into_iter().zip(&lists).filter(|(name, list)| !list.values().is_empty() && *name != own),
                );
                if matches!(target, Target::Npz) { write_npz(path, &arrays)? } else { write_mat(path, &arrays)? }
            }
            Target::Png => write_png(path, &whole()?.reshaped(info.flat_shape())?)?,
            Target::Fits => {
                let [rows, columns, bands] = info.shape();
                let array = whole()?;
                let array = if info.is_library() || bands == 1 {
                    array.reshaped(info.flat_shape())?
                } else {
                    // The bands slowest, as spectral cubes are.
                    let values = map_values!(array.values(), v => transpose(v, &[rows, columns, bands], &[2, 0, 1]));
                    Array::new(vec![bands, rows, columns], values)?
                };
                let axes = (0..).zip(array.shape()).map(|(n, &len)| Axis::new(AxisKind::Dimension(n), len)).collect();
                write_fits_array(path, &array, &Axes::new(axes)?, &FitsCards::default())?;
            }
            Target::Delimited => self.write_text(path, whole()?)?,
        }
        Ok(info.words(&target, lost))
    }

    /// What stored numbers stand for in a format, their type in it, and what is lost of that.
    fn in_format(&self, target: &Target) -> (Meaning, ElementType, Vec<String>) {
        let info = &self.info;
        let mut lost = Vec::new();
        let mut meaning = info.meaning.clone();
        let mut element = info.element;
        let is_float = matches!(element, ElementType::F16 | ElementType::F32 | ElementType::F64);
        let has_range = meaning.valid_min.is_some() || meaning.valid_max.is_some();
        if target.marks() {
            element = target.element(element);
            let marker = meaning.missing.iter().copied().find(|&value| fits(element, value));
            let marker = marker.or((is_float && (has_range || info.must_mark)).then_some(f64::NAN));
            if marker.is_none() && has_range {
                lost.push("the range of its valid numbers".into());
            }
            meaning.missing = marker.into_iter().collect();
        } else {
            let has_missing = meaning.missing.iter().any(|value| !value.is_nan()) || has_range;
            if is_float && (has_missing || info.must_mark) {
                meaning.missing = vec![f64::NAN];
            } else if info.must_mark && !matches!(element, ElementType::Complex64 | ElementType::Complex128) {
                // NaN is the only mark that such a format has.
                element = if element.size_bytes() <= 2 { ElementType::F32 } else { ElementType::F64 };
                meaning.missing = vec![f64::NAN];
            } else {
                if has_missing {
                    lost.push("which numbers stand for missing values".into());
                }
                meaning.missing = Vec::new();
            }
            if !meaning.is_unscaled() {
                lost.push("the scale of its numbers".into());
            }
        }
        (meaning.valid_min, meaning.valid_max) = (None, None);
        (meaning, element, lost)
    }

    fn write_envi(
        &self,
        path: &Path,
        header: &EnviHeader,
        element: ElementType,
        read: &dyn Fn(Range<usize>) -> Result<Array>,
    ) -> Result<()> {
        let info = &self.info;
        let [rows, columns, bands] = info.shape();
        write_envi_rows(path, header, element, |put| {
            if header.interleave == Interleave::Bsq && bands > 1 && !info.is_library() {
                // As many bands at once as fit; each time all rows are read again.
                let at_once = (super::VALUES_AT_ONCE / (rows * columns).max(1)).clamp(1, bands);
                for first in (0..bands).step_by(at_once) {
                    let wanted = first..(first + at_once).min(bands);
                    self.write_bands(wanted, read, put)?;
                }
                return Ok(());
            }
            let step = info.rows_at_once();
            for start in (0..rows).step_by(step) {
                let part = read(start..(start + step).min(rows))?;
                let shape = [part.shape()[0], columns, bands];
                let values = match header.interleave {
                    Interleave::Bil => map_values!(part.values(), v => transpose(v, &shape, &[0, 2, 1])),
                    _ => part.into_values(),
                };
                put(envi_stored(values))?;
            }
            Ok(())
        })
    }

    /// Writes these bands one after the other.
    fn write_bands(
        &self,
        wanted: Range<usize>,
        read: &dyn Fn(Range<usize>) -> Result<Array>,
        put: &mut dyn FnMut(Values) -> Result<()>,
    ) -> Result<()> {
        let [rows, columns, bands] = self.info.shape();
        let step = self.info.rows_at_once();
        let mut gathered: Option<Values> = None;
        for start in (0..rows).step_by(step) {
            let part = read(start..(start + step).min(rows))?;
            let values = map_values!(part.into_values(), values => {
                values.chunks_exact(bands).flat_map(|pixel| pixel[wanted.clone()].iter().copied()).collect()
            });
            match &mut gathered {
                Some(all) => all.append(values),
                None => gathered = Some(values),
            }
        }
        let Some(values) = gathered else { return Ok(()) };
        let shape = [rows * columns, wanted.len()];
        put(envi_stored(map_values!(values, values => transpose(&values, &shape, &[1, 0]))))
    }

    /// A library as a table with a column of wavelengths and one a spectrum, anything else as it is.
    fn write_text(&self, path: &Path, array: Array) -> Result<()> {
        let info = &self.info;
        let Some(names) = info.spectra_names.as_ref().filter(|_| !info.wavelengths_nm.is_empty()) else {
            return write_csv(path, &[], &array.reshaped(info.flat_shape())?);
        };
        let spectra = array.into_cube::<f64>()?.into_values();
        let mut columns = vec![info.wavelengths_nm.clone()];
        columns.extend(spectra.chunks_exact(info.bands).map(<[f64]>::to_vec));
        let values = (0..info.bands).flat_map(|band| columns.iter().map(move |column| column[band])).collect();
        let table = Array::new(vec![info.bands, columns.len()], Values::F64(values))?;
        let given =
            |spectrum: usize| names.get(spectrum).cloned().unwrap_or_else(|| format!("spectrum {}", spectrum + 1));
        let headings: Vec<String> =
            std::iter::once("wavelength_nm".to_owned()).chain((0..info.rows).map(given)).collect();
        write_csv(path, &headings.iter().map(String::as_str).collect::<Vec<_>>(), &table)
    }
}

/// Rows out of those that are held, which are read anew where they end.
fn rows_of(
    held: &RefCell<Option<(usize, Array)>>,
    range: Range<usize>,
    step: usize,
    all: usize,
    read: &dyn Fn(Range<usize>) -> Result<Array>,
) -> Result<Array> {
    let mut held = held.borrow_mut();
    let has = |(start, part): &(usize, Array)| *start <= range.start && range.end <= start + part.shape()[0];
    if !held.as_ref().is_some_and(has) {
        let end = (range.start + step).max(range.end).min(all);
        *held = Some((range.start, read(range.start..end)?));
    }
    let Some((start, part)) = held.as_ref() else { return read(range) };
    let width = part.shape()[1] * part.shape()[2];
    let wanted = (range.start - start) * width..(range.end - start) * width;
    let values = map_values!(part.values(), values => values[wanted].to_vec());
    Array::new(vec![range.len(), part.shape()[1], part.shape()[2]], values)
}

/// Stored numbers in a type, with one marker for all that are missing.
fn marked(part: Array, meaning: &Meaning, marker: Option<f64>, element: ElementType) -> Result<Array> {
    let shape = part.shape().to_vec();
    let values = match element == part.element_type() {
        true => part.into_values(),
        false => match element {
            ElementType::F32 => Values::F32(part.into_cube::<f32>()?.into_values()),
            ElementType::F64 => Values::F64(part.into_cube::<f64>()?.into_values()),
            _ => envi_stored(part.into_values()),
        },
    };
    let plain = meaning.missing.iter().all(|&value| Some(value) == marker || value.is_nan());
    let Some(marker) = marker.filter(|_| !(plain && meaning.valid_min.is_none() && meaning.valid_max.is_none())) else {
        return Array::new(shape, values);
    };
    let (low, high) = (meaning.valid_min.unwrap_or(f64::NEG_INFINITY), meaning.valid_max.unwrap_or(f64::INFINITY));
    let outside: Vec<bool> = match low == f64::NEG_INFINITY && high == f64::INFINITY {
        true => Vec::new(),
        false => {
            let values = Array::new(vec![values.len()], values.clone())?.into_cube::<f64>()?;
            values.values().iter().map(|&value| value < low || value > high).collect()
        }
    };
    Array::new(shape, map_values!(values, values => with_marker(values, &meaning.missing, &outside, marker)))
}

fn with_marker<T: Number>(mut values: Vec<T>, missing: &[f64], outside: &[bool], marker: f64) -> Vec<T> {
    let Some(marker) = T::of(marker) else { return values };
    let missing: Vec<T> = missing.iter().filter_map(|&value| T::of(value)).collect();
    values.iter_mut().filter(|value| missing.contains(value)).for_each(|value| *value = marker);
    values.iter_mut().zip(outside).filter(|(_, outside)| **outside).for_each(|(value, _)| *value = marker);
    values
}

impl ImageInfo {
    /// The shape in formats that keep arrays: without the axes that it does not have.
    fn flat_shape(&self) -> Vec<usize> {
        match (self.is_library(), self.bands) {
            (true, bands) => vec![self.rows, bands],
            (false, 1) => vec![self.rows, self.columns],
            (false, bands) => vec![self.rows, self.columns, bands],
        }
    }

    /// What a TIFF file says of it.
    fn tiff(&self, meaning: Meaning, lost: &mut Vec<String>) -> TiffAbout {
        let (place, missing) = self.place.as_ref().map(|place| place.to_geo_tiff()).unwrap_or_default();
        lost.extend(missing.into_iter().map(str::to_owned));
        let item = |key: &str, text: String| TiffItem {
            name: key.replace(' ', "_"),
            domain: ENVI_DOMAIN.to_owned(),
            text,
            ..TiffItem::default()
        };
        let mut others: Vec<TiffItem> = self.others.iter().map(|(key, value)| item(key, value.clone())).collect();
        if !self.description.is_empty() {
            others.push(item("description", self.description.clone()));
        }
        let bands = match self.is_library() {
            true => {
                if !self.wavelengths_nm.is_empty() {
                    lost.push("its wavelengths".into());
                }
                TiffBands { good_bands: self.good_bands.clone(), others, ..TiffBands::default() }
            }
            false => TiffBands {
                names: self.band_names.clone(),
                wavelengths_nm: self.wavelengths_nm.clone(),
                widths_nm: self.widths_nm.clone(),
                good_bands: self.good_bands.clone(),
                others,
            },
        };
        TiffAbout { place, bands, meaning }
    }

    /// What a format does not keep, in words.
    fn words(&self, target: &Target, mut lost: Vec<String>) -> Option<String> {
        let keeps_lists = matches!(target, Target::Envi { .. } | Target::Tiff | Target::Npz | Target::Matlab);
        let keeps_words = matches!(target, Target::Envi { .. } | Target::Tiff);
        let is_table = matches!(target, Target::Delimited) && self.is_library();
        let names = self.spectra_names.as_ref().is_some_and(|names| !names.is_empty());
        for (known, kept, what) in [
            (!self.wavelengths_nm.is_empty(), keeps_lists || is_table, "its wavelengths"),
            (!self.widths_nm.is_empty(), keeps_lists, "the widths of its bands"),
            (!self.good_bands.is_empty(), keeps_lists, "its marks of good bands"),
            (!self.band_names.is_empty(), keeps_words, "the names of its bands"),
            (names, matches!(target, Target::Envi { .. }) || is_table, "the names of its spectra"),
            (self.place.is_some(), keeps_words, "its place on the map"),
            (!self.others.is_empty(), keeps_words, "what else its header says"),
        ] {
            if known && !kept {
                lost.push(what.to_owned());
            }
        }
        lost.extend(self.unkept.iter().cloned());
        (!lost.is_empty()).then(|| format!("{} does not keep {}", target.name(), lost.join(", ")))
    }

    /// The same for an array that is written by itself.
    pub(crate) fn lost_in(&self, target: &Target) -> Option<String> {
        let mut lost = Vec::new();
        if !target.marks() {
            if self.meaning.missing.iter().any(|value| !value.is_nan()) {
                lost.push("which numbers stand for missing values".to_owned());
            }
            if !self.meaning.is_unscaled() {
                lost.push("the scale of its numbers".to_owned());
            }
        }
        self.words(target, lost)
    }
}
