//! Opening an image: which array of a file, and which of its axes are rows, columns and bands.

use super::{BandCentres, Image, ImageInfo, centre_names::base, spectra};
use crate::{
    array::Array,
    axes::AxisKind::{self, Column, Row, Sample, Wavelength},
    cube::transpose,
    element::{ElementType, Values, map_values},
    error::{Error, Result},
    file::{Class, Dataset, Variable},
};
use std::ops::Range;

/// Names of variables that hold spectra.
pub const SPECTRA: [&str; 2] = ["Y", "V"];
/// An array this many times as large as every other one is the one that is meant.
const MUCH_LARGER: usize = 4;

/// The axes of an array by their meaning, and how that is known.
struct Reading {
    kinds: Vec<AxisKind>,
    how: String,
}

impl<'a> Image<'a> {
    /// The image or library in a file: the variable of this name, else the only array, or the one that is much the largest.
    ///
    /// `axes` says which axis is which where the file does not; otherwise the header, the names of dimensions or the number of
    /// wavelengths decide, and else the bands are taken to be last.
    ///
    /// # Errors
    /// Those of [`Dataset::array`]; [`Error::Axes`] for an array that is no image.
    pub fn open(dataset: &'a Dataset, variable: Option<&str>, axes: Option<&[AxisKind]>) -> Result<Self> {
        if let Some(table) = spectra::table(dataset)?.filter(|table| !table.values.is_empty()) {
            return table_of(dataset, table);
        }
        let name = match variable {
            Some(name) => dataset.variable(name)?.name().to_owned(),
            None => meant(dataset)?,
        };
        let (position, pieces) = dataset.pieces(&name)?;
        let shape = dataset.variables()[position].shape().to_vec();
        let element = match dataset.variables()[position].class() {
            Class::Number(element) | Class::Sparse(element) => *element,
            _ => ElementType::F64,
        };
        let lists = dataset.band_centres(&name)?;
        let Reading { kinds, how } = reading(dataset, &name, &shape, axes, &lists)?;
        let place_of = |kind: AxisKind| kinds.iter().position(|&own| own == kind);
        let is_library = place_of(Sample).is_some();
        let first = place_of(if is_library { Sample } else { Row });
        let len = |axis: Option<usize>| axis.map_or(1, |axis| shape[axis]);
        let (rows, columns, bands) = (len(first), len(place_of(Column)), len(place_of(Wavelength)));
        let mut info = ImageInfo::of(dataset, position, &name)?;
        (info.rows, info.columns, info.bands, info.element) = (rows, columns, bands, element);
        if is_library && info.spectra_names.is_none() {
            info.spectra_names = Some(Vec::new());
        }
        if let Some(list) = lists.into_iter().find(|list| list.nanometres.len() == bands) {
            info.wavelengths_nm = list.nanometres;
            info.widths_nm = list.widths_nm;
        }
        info.good_bands = dataset.good_bands(&name, bands)?;
        let what = if is_library { "spectra" } else { "rows" };
        let columns_told = if is_library { String::new() } else { format!(", {columns} columns") };
        info.told = format!("{rows} {what}{columns_told}, {bands} bands ({how})");
        let order: Vec<usize> = [first, place_of(Column), place_of(Wavelength)].into_iter().flatten().collect();
        let rows_of = move |range: Range<usize>| -> Result<Array> {
            let count = range.len();
            let part = match first {
                Some(axis) => pieces.part(axis, range)?,
                None => pieces.part(0, 0..shape.first().copied().unwrap_or(1))?,
            };
            let lies = part.shape().to_vec();
            let values = part.into_values();
            let values =
                if order.is_sorted() { values } else { map_values!(values, v => transpose(&v, &lies, &order)) };
            Array::new(vec![count, columns, bands], values)
        };
        Ok(Self { info, rows: Box::new(rows_of) })
    }
}

/// A table of spectra, which is short.
fn table_of<'a>(dataset: &'a Dataset, table: spectra::SpectraTable) -> Result<Image<'a>> {
    let spectra::SpectraTable { names, nanometres, widths_nm, good, values, how } = table;
    let bands = nanometres.len();
    let rows = values.len() / bands.max(1);
    let info = ImageInfo {
        rows,
        columns: 1,
        bands,
        element: ElementType::F64,
        spectra_names: Some(names),
        wavelengths_nm: nanometres,
        widths_nm,
        good_bands: good,
        told: format!("{rows} spectra, {bands} bands ({how})"),
        ..ImageInfo::of(dataset, 0, dataset.variables().first().map_or("spectra", |v| v.name()))?
    };
    let rows_of = move |range: Range<usize>| {
        let part = values[range.start * bands..range.end * bands].to_vec();
        Array::new(vec![range.len(), 1, bands], Values::F64(part))
    };
    Ok(Image { info, rows: Box::new(rows_of) })
}

/// The array of a file that is its image.
fn meant(dataset: &Dataset) -> Result<String> {
    let error = match dataset.only_array_name() {
        Ok(name) => return Ok(name),
        Err(error) => error,
    };
    let is_spectra = |variable: &&Variable| SPECTRA.contains(&base(variable.name())) && variable.shape().len() > 1;
    if let Some(variable) = dataset.variables().iter().find(is_spectra) {
        return Ok(variable.name().to_owned());
    }
    let size = |position: usize| dataset.variables()[position].shape().iter().product::<usize>();
    let is_cube = |position: &usize| dataset.variables()[*position].shape().iter().filter(|&&len| len > 1).count() == 3;
    let arrays = dataset.array_positions();
    let mut cubes: Vec<usize> = arrays.iter().copied().filter(is_cube).collect();
    cubes.sort_by_key(|&position| std::cmp::Reverse(size(position)));
    match *cubes.as_slice() {
        [only] => Ok(dataset.variables()[only].name().to_owned()),
        [first, second, ..] if size(first) / MUCH_LARGER >= size(second) => {
            Ok(dataset.variables()[first].name().to_owned())
        }
        _ => Err(error),
    }
}

fn reading(
    dataset: &Dataset,
    name: &str,
    shape: &[usize],
    given: Option<&[AxisKind]>,
    lists: &[BandCentres],
) -> Result<Reading> {
    let refuse = |problem: String| Error::Axes { path: dataset.path().into(), name: name.to_owned(), problem };
    if let Some(kinds) = given {
        if kinds.len() != shape.len() {
            return Err(refuse(format!("{} axes were named, and it has shape {shape:?}", kinds.len())));
        }
        return Ok(Reading { kinds: kinds.to_vec(), how: "as --axes says".into() });
    }
    let own = dataset.axes(Some(name))?.kinds();
    let image = [Row, Column, Wavelength, Sample];
    if own.iter().all(|kind| image.contains(kind)) {
        return Ok(Reading { kinds: own, how: "by its header".into() });
    }
    let only = |len: usize| {
        let mut axes = (0..shape.len()).filter(|&axis| shape[axis] == len);
        axes.next().filter(|_| axes.next().is_none())
    };
    match shape.len() {
        1 => Ok(Reading { kinds: vec![Column], how: "one row".into() }),
        2 => {
            for list in lists {
                if let Some(axis) = only(list.nanometres.len()) {
                    let kinds = if axis == 0 { vec![Wavelength, Sample] } else { vec![Sample, Wavelength] };
                    return Ok(Reading { kinds, how: format!("by its {} wavelengths", shape[axis]) });
                }
            }
            Ok(Reading { kinds: vec![Row, Column], how: "one band".into() })
        }
        3 => Ok(match dataset.image_axes(name, lists)? {
            Some((kinds, how)) => Reading { kinds: kinds.to_vec(), how },
            None => {
                let (kinds, how) = dataset.usual_image_axes();
                Reading { kinds: kinds.to_vec(), how: how.into() }
            }
        }),
        _ => Err(refuse(format!("it has shape {shape:?}, and an image has rows, columns and bands"))),
    }
}
