//! Bands of several files of the same pixels as one image.

use super::{Image, ImageInfo, resample::in_type};
use crate::{
    array::Array,
    element::{ElementType, Values, map_values},
    error::{Error, Result},
    file::Meaning,
};
use std::{ops::Range, path::Path};

impl<'a> Image<'a> {
    /// The bands of these images, one after the other. Stored numbers are kept where all have one type and the same numbers for missing
    /// values; else they become measured ones, f64 where one image has f64 or integers of more than 16 bits, and f32 otherwise, with NaN
    /// for missing values.
    ///
    /// # Errors
    /// [`Error::Stack`] for images of other sizes or places, complex numbers, or none at all.
    pub fn stack(images: Vec<Self>) -> Result<Self> {
        let Some(first) = images.first() else {
            return Err(Error::Count { doing: "stacking images", what: "images", expected: 2, got: 0 });
        };
        let info = first.info.clone();
        for image in &images {
            let refuse =
                |problem: String| Error::Stack { first: info.path.clone(), other: image.info.path.clone(), problem };
            let (one, other) = (&info, &image.info);
            if (one.rows, one.columns) != (other.rows, other.columns) {
                return Err(refuse(format!(
                    "{} x {} pixels and {} x {} pixels",
                    one.rows, one.columns, other.rows, other.columns
                )));
            }
            if one.is_library() != other.is_library() {
                return Err(refuse("an image and a library of spectra".into()));
            }
            if let (Some(one), Some(other)) = (&one.place, &other.place)
                && !one.agrees(other)
            {
                return Err(refuse("they lie at different places on the map; cut or resample one of them".into()));
            }
        }
        let alike = images.iter().all(|image| {
            let (meaning, own) = (&image.info.meaning, &info.meaning);
            image.info.element == info.element
                && meaning.missing == own.missing
                && (meaning.valid_min, meaning.valid_max) == (own.valid_min, own.valid_max)
        });
        let wide = |element: ElementType| !matches!(element.size_bytes(), 1 | 2) && element != ElementType::F32;
        let element = match alike {
            true => info.element,
            false if images.iter().any(|image| wide(image.info.element)) => ElementType::F64,
            false => ElementType::F32,
        };
        let meaning = if alike { scales(&images) } else { Meaning { missing: vec![f64::NAN], ..Meaning::default() } };
        let of_all = |values: &dyn Fn(&ImageInfo) -> Vec<f64>| concatenated(&images, values);
        let good = images.iter().any(|image| !image.info.good_bands.is_empty());
        let flags = |image: &Image<'_>| match image.info.good_bands.as_slice() {
            [] => vec![true; image.info.bands],
            flags => flags.to_vec(),
        };
        let names: Vec<String> = images.iter().flat_map(|image| image.info.band_names.clone()).collect();
        let bands: usize = images.iter().map(|image| image.info.bands).sum();
        let told: Vec<String> =
            images.iter().map(|image| format!("{} of {}", image.info.bands, stem(&image.info.path))).collect();
        let stacked = ImageInfo {
            bands,
            element,
            meaning,
            wavelengths_nm: of_all(&|info| info.wavelengths_nm.clone()),
            widths_nm: of_all(&|info| info.widths_nm.clone()),
            good_bands: if good { images.iter().flat_map(flags).collect() } else { Vec::new() },
            band_names: if names.len() == bands { names } else { Vec::new() },
            place: images.iter().find_map(|image| image.info.place.clone()),
            others: info.with_bands(&[]).others,
            must_mark: images.iter().any(|image| image.info.must_mark) || !alike,
            told: format!("{} rows, {} columns, {bands} bands: {}", info.rows, info.columns, told.join(", ")),
            ..info
        };
        let rows = move |range: Range<usize>| joined(&images, range, alike, element);
        Ok(Self { info: stacked, rows: Box::new(rows) })
    }
}

fn stem(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A list of every image, where each has one.
fn concatenated(images: &[Image<'_>], values: &dyn Fn(&ImageInfo) -> Vec<f64>) -> Vec<f64> {
    let lists: Vec<Vec<f64>> = images.iter().map(|image| values(&image.info)).collect();
    if lists.iter().any(Vec::is_empty) { Vec::new() } else { lists.concat() }
}

/// What the stored numbers of images that are alike stand for.
fn scales(images: &[Image<'_>]) -> Meaning {
    let unscaled = images.iter().all(|image| image.info.meaning.is_unscaled());
    let of = |values: &dyn Fn(&Meaning) -> Vec<f64>, otherwise: f64| -> Vec<f64> {
        let each = |image: &Image<'_>| match values(&image.info.meaning).as_slice() {
            [] => vec![otherwise; image.info.bands],
            &[one] => vec![one; image.info.bands],
            all => all.to_vec(),
        };
        if unscaled { Vec::new() } else { images.iter().flat_map(each).collect() }
    };
    let own = images.first().map(|image| image.info.meaning.clone()).unwrap_or_default();
    Meaning { gains: of(&|m| m.gains.clone(), 1.0), offsets: of(&|m| m.offsets.clone(), 0.0), ..own }
}

/// Rows of all images, the bands of a pixel together.
fn joined(images: &[Image<'_>], range: Range<usize>, alike: bool, element: ElementType) -> Result<Array> {
    let mut parts = Vec::with_capacity(images.len());
    for image in images {
        let part = image.rows(range.clone())?;
        parts.push(if alike {
            part
        } else {
            let shape = part.shape().to_vec();
            Array::new(shape, in_type(image.info.meaning.measured(part)?, element))?
        });
    }
    let bands: usize = images.iter().map(|image| image.info.bands).sum();
    let columns = images.first().map_or(0, |image| image.info.columns);
    let shape = vec![range.len(), columns, bands];
    let pixels = range.len() * columns;
    let mut parts = parts.into_iter();
    let Some(first) = parts.next() else { return Array::new(shape, Values::F32(Vec::new())) };
    let mut lens = vec![first.shape()[2]];
    let mut values = first.into_values();
    for part in parts {
        lens.push(part.shape()[2]);
        values.append(part.into_values());
    }
    // Image after image, so far.
    let starts: Vec<usize> = lens.iter().scan(0, |at, len| Some(std::mem::replace(at, *at + pixels * len))).collect();
    let values = map_values!(values, values => {
        let pixel = |pixel: usize| {
            let own = starts.iter().zip(&lens).flat_map(move |(start, len)| start + pixel * len..start + (pixel + 1) * len);
            own.map(|place| values[place])
        };
        (0..pixels).flat_map(pixel).collect()
    });
    Array::new(shape, values)
}
