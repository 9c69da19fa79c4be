//! Writing arrays: every file is replaced as a whole or not at all.

use crate::{
    array::Array,
    atomic::write_atomic,
    element::{ElementType, Values},
    error::{Error, Result},
    file::{delimited, mat, npy, npz, numbers::write_values, png, tiff, zip},
};
use std::{collections::HashSet, ops::Range, path::Path};

/// Writes one array as NPY 1.0.
///
/// # Errors
/// [`Error::CannotHold`] for more than 64 axes; [`Error::Io`].
pub fn write_npy(path: &Path, array: &Array) -> Result<()> {
    write_atomic(path, |output| npy::write(output, array, path))
}

/// Writes an array of which `rows` puts the numbers one after the other.
pub(crate) fn write_npy_rows(
    path: &Path,
    element: ElementType,
    shape: &[usize],
    rows: impl FnOnce(&mut dyn FnMut(&Values) -> Result<()>) -> Result<()>,
) -> Result<()> {
    write_atomic(path, |output| {
        npy::write_header(output, element, shape).map_err(Error::io("write", path))?;
        rows(&mut |values| write_values(output, values).map_err(Error::io("write", path)))
    })
}

/// Writes an image of which `rows` gives the rows that are asked for, one after the other.
pub(crate) fn write_tiff_rows(
    path: &Path,
    shape: [usize; 3],
    element: ElementType,
    about: &tiff::About,
    rows: impl FnMut(Range<usize>) -> Result<Array>,
) -> Result<()> {
    write_atomic(path, |output| tiff::write_page(output, shape, element, about, path, rows))
}

/// Writes named arrays as deflated NPZ. Equal arrays give equal files.
///
/// # Errors
/// [`Error::CannotHold`] when a name is given twice or cannot be one of a member; [`Error::Io`].
pub fn write_npz(path: &Path, arrays: &[(&str, &Array)]) -> Result<()> {
    check_names(path, "NPZ", arrays)?;
    if let Some((name, _)) = arrays.iter().find(|(name, _)| !zip::is_plain(name)) {
        return Err(Error::CannotHold {
            path: path.into(),
            format: "NPZ",
            problem: format!("{name:?} is no name of a member"),
            fix: "use a plain name".into(),
        });
    }
    write_atomic(path, |output| npz::write(output, arrays, path))
}

/// Writes named arrays as a compressed MATLAB 7 file.
///
/// Shapes are kept, but MATLAB has at least two axes: an array without axes becomes `1 x 1`, one with one axis a row.
/// f16 becomes single.
///
/// # Errors
/// [`Error::CannotHold`] for a name that MATLAB does not take or that is given twice, and for arrays of 2 GiB; [`Error::Io`].
pub fn write_mat(path: &Path, arrays: &[(&str, &Array)]) -> Result<()> {
    check_names(path, "MATLAB", arrays)?;
    write_atomic(path, |output| mat::write(output, arrays, path))
}

/// Writes a grey image `[rows, columns]` of u8 or u16, or a colour image `[rows, columns, 3]` of u8.
///
/// # Errors
/// [`Error::CannotHold`] for anything else; [`Error::Io`].
pub fn write_png(path: &Path, image: &Array) -> Result<()> {
    write_atomic(path, |output| png::write(output, image, path))
}

/// Writes an image `[rows, columns]` or `[rows, columns, bands]` of real numbers as TIFF, three bands of u8 or u16 as colours, and from
/// 4 GB on as BigTIFF. f16 becomes f32 and booleans become u8.
///
/// # Errors
/// [`Error::CannotHold`] for other shapes, an empty image and complex numbers; [`Error::Io`].
pub fn write_tiff(path: &Path, image: &Array) -> Result<()> {
    write_atomic(path, |output| tiff::write(output, image, &tiff::About::default(), path))
}

/// Writes an array of one or two axes as text with commas, or tabs where the name ends in `.tsv`, and with the names of the
/// columns on the first line unless there are none.
///
/// # Errors
/// [`Error::CannotHold`] for more axes and complex numbers; [`Error::Count`] unless there are none or one name per column;
/// [`Error::Io`].
pub fn write_csv(path: &Path, names: &[&str], array: &Array) -> Result<()> {
    let tabs = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("tsv"));
    let delimiter = if tabs { b'\t' } else { b',' };
    write_atomic(path, |output| delimited::write(output, array, names, delimiter, path))
}

fn check_names(path: &Path, format: &'static str, arrays: &[(&str, &Array)]) -> Result<()> {
    let mut seen = HashSet::new();
    match arrays.iter().find(|(name, _)| !seen.insert(name)) {
        None => Ok(()),
        Some((name, _)) => Err(Error::CannotHold {
            path: path.into(),
            format,
            problem: format!("two arrays are both called {name:?}"),
            fix: "rename one".into(),
        }),
    }
}
