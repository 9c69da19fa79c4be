//! Writing ENVI images: whole arrays in any interleave, or row by row, so that a scene may exceed memory.

use crate::{
    array::{Array, value_count},
    atomic::write_atomic,
    cube::transpose,
    element::{Element, ElementType, Values, map_values},
    error::{Error, Result},
    file::{
        envi::header::{EnviHeader, Interleave},
        numbers::write_values,
    },
};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

/// Writes an image row by row to `path` and its header beside it, with the ending `.hdr`. Returns the path of the header.
///
/// `fill(row, values)` writes row `row` into `values`, `columns x bands` numbers with the bands of a pixel together. The
/// type of the numbers is `T`, whatever `header.element` says, and the least significant byte comes first.
///
/// The numbers and the header are a set: what was there stays as it was until all numbers are written, then the old header
/// goes, then the numbers take their place, then the new header. At no moment does a header describe other numbers.
///
/// # Errors
/// What `fill` returns; files that cannot be written; lists of the header that are not one a band; band sequential order,
/// which cannot be written row by row ([`write_envi_array`] can).
pub fn write_envi<T: Element + Default>(
    path: &Path,
    header: &EnviHeader,
    mut fill: impl FnMut(usize, &mut [T]) -> Result<()>,
) -> Result<PathBuf> {
    let EnviHeader { rows, columns, bands, interleave, .. } = *header;
    if interleave == Interleave::Bsq && bands > 1 {
        let problem = "bands one after the other cannot be written row by row".into();
        return Err(cannot(path, problem, "interleave them by line or by pixel"));
    }
    write_set(path, header, T::TYPE, |file| {
        let mut values = vec![T::default(); columns * bands];
        for row in 0..rows {
            fill(row, &mut values)?;
            let line = match interleave {
                Interleave::Bil => transpose(&values, &[columns, bands], &[1, 0]),
                _ => values.clone(),
            };
            write_values(file, &T::wrap(line)).map_err(Error::io("write", path))?;
        }
        Ok(())
    })
}

/// Writes an array `[rows, columns, bands]`, `[rows, columns]` or `[columns]` to `path` and its header beside it, with the
/// ending `.hdr`, in the interleave of `header`. Returns the path of the header.
///
/// Size and type come from the array, whatever `header` says. i8 becomes i16, f16 becomes f32 and booleans become u8,
/// because ENVI does not have them. Numbers and header are replaced together as by [`write_envi`].
///
/// # Errors
/// [`Error::CannotHold`] for more axes or an empty array; [`Error::Count`] for lists that are not one a band; [`Error::Io`].
///
/// # Example
/// ```
/// use cupel_data::{Array, AxisKind, EnviHeader, Interleave, Values, open, write_envi_array};
/// # fn main() -> cupel_data::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("scene.img");
/// let image = Array::new(vec![2, 1, 3], Values::U16(vec![1, 2, 3, 4, 5, 6]))?;
/// let header = EnviHeader {
///     interleave: Interleave::Bsq,
///     wavelengths_nm: vec![450.0, 550.0, 650.0],
///     ..EnviHeader::new(2, 1, 3)
/// };
/// let header_path = write_envi_array(&path, &header, &image)?;
/// let scene = open(&header_path)?.cube::<f32>(None)?;
/// assert_eq!(scene.values(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
/// assert_eq!(scene.axis(AxisKind::Wavelength)?.coordinates_in("nm")?[2], 650.0);
/// # Ok(())
/// # }
/// ```
pub fn write_envi_array(path: &Path, header: &EnviHeader, array: &Array) -> Result<PathBuf> {
    let (rows, columns, bands) = match *array.shape() {
        [rows, columns, bands] => (rows, columns, bands),
        [rows, columns] => (rows, columns, 1),
        [columns] => (1, columns, 1),
        ref shape => {
            let problem = format!("an image has rows, columns and bands, the array has shape {shape:?}");
            return Err(cannot(path, problem, "take one part of it, or write NPY"));
        }
    };
    if array.values().is_empty() {
        return Err(cannot(path, "the array is empty".into(), "write NPY"));
    }
    let header = EnviHeader { rows, columns, bands, ..header.clone() };
    let shape = [rows, columns, bands];
    let order = header.interleave.axes();
    let narrow = matches!(array.values(), Values::I8(_) | Values::F16(_) | Values::Bool(_));
    let narrow = narrow.then(|| stored(array.values().clone()));
    let values = narrow.as_ref().unwrap_or(array.values());
    let element = values.element_type();
    write_set(path, &header, element, |file| {
        let written = if order.is_sorted() {
            write_values(file, values)
        } else {
            write_values(file, &map_values!(values, values => transpose(values, &shape, &order)))
        };
        written.map_err(Error::io("write", path))
    })
}

/// Writes the header of numbers that are already at `path`, beside them, with the ending `.hdr`: for images that grow over
/// more than one run of a program. Returns the path of the header.
///
/// The numbers are of `header.element`, in `header.interleave`, with the least significant byte first.
///
/// # Errors
/// [`Error::CannotHold`] when there are not as many bytes at `path` as `header` says; otherwise those of [`write_envi`].
pub fn write_envi_header(path: &Path, header: &EnviHeader) -> Result<PathBuf> {
    let header = EnviHeader { big_endian: false, header_offset: 0, ..header.clone() };
    let header_path = check(path, &header)?;
    let len = fs::metadata(path).map_err(Error::io("read", path))?.len();
    let count = value_count(&[header.rows, header.columns, header.bands]);
    let expected = count.and_then(|count| count.checked_mul(header.element.size_bytes())).map(|bytes| bytes as u64);
    if expected != Some(len) {
        let EnviHeader { rows, columns, bands, element, .. } = header;
        let problem = format!("{rows} x {columns} x {bands} {element} are not the {len} bytes there are");
        return Err(cannot(path, problem, "write the numbers again"));
    }
    write_atomic(&header_path, |text| {
        text.write_all(header.text().as_bytes()).map_err(Error::io("write", &header_path))
    })?;
    Ok(header_path)
}

/// The interleave that the ending of a name asks for, where it is one of ENVI's.
pub(crate) fn interleave_of(ending: &str) -> Option<Interleave> {
    match ending {
        "hdr" | "img" => Some(Interleave::Bip),
        _ => ending.parse().ok(),
    }
}

/// Writes numbers of a type that the format has, which `rows` puts one after the other in the order of the header, and the header.
pub(crate) fn write_envi_rows(
    path: &Path,
    header: &EnviHeader,
    element: ElementType,
    rows: impl FnOnce(&mut dyn FnMut(Values) -> Result<()>) -> Result<()>,
) -> Result<()> {
    write_set(path, header, element, |file| {
        rows(&mut |values| write_values(file, &values).map_err(Error::io("write", path)))
    })
    .map(drop)
}

/// Numbers in a type that the format has.
pub(crate) fn stored(values: Values) -> Values {
    match values {
        Values::I8(values) => Values::I16(values.into_iter().map(i16::from).collect()),
        Values::F16(values) => Values::F32(values.into_iter().map(f32::from).collect()),
        Values::Bool(values) => Values::U8(values.into_iter().map(u8::from).collect()),
        values => values,
    }
}

/// Numbers and header, in an order that never leaves a header beside numbers that are not its own.
fn write_set(
    path: &Path,
    header: &EnviHeader,
    element: ElementType,
    numbers: impl FnOnce(&mut dyn Write) -> Result<()>,
) -> Result<PathBuf> {
    let header_path = check(path, header)?;
    let header = EnviHeader { element, big_endian: false, header_offset: 0, ..header.clone() };
    write_atomic(&header_path, |text| {
        write_atomic(path, |file| {
            numbers(file)?;
            file.flush().map_err(Error::io("write", path))?;
            // Of a link, what it leads to: that is what the new header replaces.
            match fs::canonicalize(&header_path) {
                Ok(old) => fs::remove_file(old).map_err(Error::io("replace", &header_path)),
                Err(_) => Ok(()),
            }
        })?;
        text.write_all(header.text().as_bytes()).map_err(Error::io("write", &header_path))
    })?;
    Ok(header_path)
}

/// The path of the header, if its lists fit the image.
fn check(path: &Path, header: &EnviHeader) -> Result<PathBuf> {
    let lists = [
        ("wavelengths", header.wavelengths_nm.len(), header.spectral_len()),
        ("widths of bands", header.widths_nm.len(), header.spectral_len()),
        ("gains", header.gains.len(), header.spectral_len()),
        ("offsets", header.offsets.len(), header.spectral_len()),
        ("marks of good bands", header.good_bands.len(), header.spectral_len()),
        ("names of bands", header.band_names.len(), header.bands),
        ("names of spectra", header.spectra_names.as_ref().map_or(0, Vec::len), header.rows),
    ];
    if let Some(&(what, got, expected)) = lists.iter().find(|(_, got, expected)| *got > 0 && got != expected) {
        return Err(Error::Count { doing: "writing an ENVI header", what, expected, got });
    }
    let header_path = path.with_extension("hdr");
    if header_path == path {
        return Err(cannot(path, "it has the name of its own header".into(), "end the name in .img"));
    }
    Ok(header_path)
}

fn cannot(path: &Path, problem: String, fix: &str) -> Error {
    Error::CannotHold { path: path.into(), format: "ENVI", problem, fix: fix.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn rows_come_one_by_one_in_both_orders() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scene.img");
        for (interleave, second) in [(Interleave::Bip, [0, 1, 1, 1, 2, 1]), (Interleave::Bil, [0, 1, 2, 1, 4, 1])] {
            let header = EnviHeader { interleave, ..EnviHeader::new(2, 3, 2) };
            let written = write_envi(&path, &header, |row, values: &mut [u16]| {
                values.iter_mut().enumerate().for_each(|(i, v)| *v = (256 * row + i) as u16);
                Ok(())
            })
            .unwrap();
            let bytes = fs::read(&path).unwrap();
            assert_eq!(bytes.len(), 2 * 3 * 2 * 2);
            assert_eq!(bytes[12..18], second); // row 1 starts with 256
            let text = fs::read_to_string(written).unwrap();
            assert!(text.contains(&format!("data type = 12\ninterleave = {interleave}\nbyte order = 0\n")), "{text}");
        }
        let header = EnviHeader { interleave: Interleave::Bsq, ..EnviHeader::new(2, 3, 2) };
        let message = write_envi(&path, &header, |_, _: &mut [f32]| Ok(())).unwrap_err().to_string();
        assert!(message.contains("cannot be written row by row"), "{message}");
    }

    #[test]
    fn a_failing_row_leaves_the_old_set_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scene.img");
        let header = EnviHeader::new(2, 1, 1);
        let fail = |row: usize, values: &mut [u16]| match row {
            0 => {
                values.fill(9);
                Ok(())
            }
            _ => Err(Error::Count { doing: "test", what: "rows", expected: 1, got: 2 }),
        };
        assert!(write_envi(&path, &header, fail).is_err());
        assert!(names(folder.path()).is_empty());
        write_envi(&path, &header, |row, values: &mut [u16]| {
            values.fill(row as u16);
            Ok(())
        })
        .unwrap();
        let old = fs::read(folder.path().join("scene.hdr")).unwrap();
        assert!(write_envi(&path, &EnviHeader::new(2, 5, 1), fail).is_err());
        assert_eq!(names(folder.path()), ["scene.hdr", "scene.img"]);
        assert_eq!(fs::read(folder.path().join("scene.hdr")).unwrap(), old);
        assert_eq!(fs::read(&path).unwrap(), [0, 0, 1, 0]);
    }

    #[test]
    fn a_header_joins_the_numbers_it_describes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scene.img");
        fs::write(&path, [1, 0, 2, 0, 3, 0, 4, 0]).unwrap();
        let header = EnviHeader { element: ElementType::U16, ..EnviHeader::new(2, 2, 1) };
        let written = write_envi_header(&path, &header).unwrap();
        let array = crate::open(written).unwrap().array(None).unwrap();
        assert_eq!(array.values(), &Values::U16(vec![1, 2, 3, 4]));
        let other = EnviHeader { bands: 2, ..header };
        let message = write_envi_header(&path, &other).unwrap_err().to_string();
        assert!(message.contains("2 x 2 x 2 u16 are not the 8 bytes there are"), "{message}");
    }

    #[test]
    fn headers_and_arrays_that_do_not_fit_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scene.img");
        let array =
            |shape: &[usize]| Array::new(shape.to_vec(), Values::F64(vec![0.5; shape.iter().product()])).unwrap();
        let write = |path: &Path, header: EnviHeader, shape: &[usize]| {
            write_envi_array(path, &header, &array(shape)).unwrap_err().to_string()
        };
        let wavelengths = EnviHeader { wavelengths_nm: vec![1.0; 3], ..EnviHeader::new(1, 1, 1) };
        assert!(write(&path, wavelengths, &[2, 2, 2]).contains("expected 2 wavelengths, got 3"));
        assert!(write(&path, EnviHeader::new(1, 1, 1), &[2, 2, 2, 2]).contains("rows, columns and bands"));
        assert!(write(&path, EnviHeader::new(1, 1, 1), &[2, 0]).contains("the array is empty"));
        let header = folder.path().join("scene.hdr");
        assert!(write(&header, EnviHeader::new(1, 1, 1), &[2]).contains("the name of its own header"));
        assert!(names(folder.path()).is_empty());
    }
}
