//! Writing ENVI images: raw numbers beside a text header, row by row, so that a scene may exceed memory.
//!
//! Format: NV5 Geospatial, "ENVI Header Files"; band-interleaved-by-pixel order, little endian.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use crate::{Error, Result, write_atomic};

/// ENVI's code for unsigned 16-bit integers.
const UNSIGNED_16_BIT: u32 = 12;

/// What the header of an ENVI image says.
#[derive(Clone, Debug, PartialEq)]
pub struct EnviHeader {
    /// Image rows ("lines").
    pub rows: usize,
    /// Image columns ("samples").
    pub columns: usize,
    /// Bands.
    pub bands: usize,
    /// Band centres in nanometres, one a band, or none.
    pub wavelengths_nm: Vec<f64>,
    /// Numbers in the file are this times the reflectance.
    pub reflectance_scale: f64,
    /// One line on what the image is.
    pub description: String,
}

/// Writes an image of unsigned 16-bit numbers to `path` and its header beside it, with the ending `.hdr`.
///
/// `fill(row, values)` writes row `row` into `values`, `columns x bands` numbers with the bands of a pixel together.
/// The header appears after the numbers, so that there is none for an image that is not complete. Returns its path.
///
/// # Errors
/// What `fill` returns; files that cannot be written; wavelengths that are not one a band.
pub fn write_envi(
    path: &Path,
    header: &EnviHeader,
    mut fill: impl FnMut(usize, &mut [u16]) -> Result<()>,
) -> Result<PathBuf> {
    let EnviHeader { rows, columns, bands, .. } = *header;
    if !header.wavelengths_nm.is_empty() && header.wavelengths_nm.len() != bands {
        return Err(Error::Count {
            doing: "writing an ENVI header",
            what: "wavelengths",
            expected: bands,
            got: header.wavelengths_nm.len(),
        });
    }
    write_atomic(path, |file| {
        let mut values = vec![0u16; columns * bands];
        let mut bytes = Vec::with_capacity(2 * values.len());
        for row in 0..rows {
            fill(row, &mut values)?;
            bytes.clear();
            bytes.extend(values.iter().flat_map(|v| v.to_le_bytes()));
            file.write_all(&bytes).map_err(Error::io("write", path))?;
        }
        Ok(())
    })?;
    let header_path = path.with_extension("hdr");
    write_atomic(&header_path, |file| {
        file.write_all(text(header).as_bytes()).map_err(Error::io("write", &header_path))
    })?;
    Ok(header_path)
}

fn text(header: &EnviHeader) -> String {
    let mut text = format!(
        "ENVI\ndescription = {{{}}}\nsamples = {}\nlines = {}\nbands = {}\nheader offset = 0\nfile type = ENVI Standard\n\
         data type = {UNSIGNED_16_BIT}\ninterleave = bip\nbyte order = 0\nreflectance scale factor = {}\n",
        // braces would end the value
        header.description.replace(['{', '}', '\n'], " "),
        header.columns,
        header.rows,
        header.bands,
        header.reflectance_scale
    );
    if !header.wavelengths_nm.is_empty() {
        let centres: Vec<String> = header.wavelengths_nm.iter().map(|w| format!("{w:.3}")).collect();
        // writing into a string cannot fail
        let _ = writeln!(text, "wavelength units = Nanometers\nwavelength = {{{}}}", centres.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_header_say_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scene.img");
        let header = EnviHeader {
            rows: 2,
            columns: 3,
            bands: 2,
            wavelengths_nm: vec![400.0, 500.5],
            reflectance_scale: 10_000.0,
            description: "a {test}".into(),
        };
        let written = write_envi(&path, &header, |row, values| {
            values.iter_mut().enumerate().for_each(|(i, v)| *v = (256 * row + i) as u16);
            Ok(())
        })
        .unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(bytes.len(), 2 * 3 * 2 * 2);
        assert_eq!(bytes[12..16], [0, 1, 1, 1]); // row 1 starts with 256, 257
        let text = std::fs::read_to_string(written).unwrap();
        assert!(text.starts_with("ENVI\ndescription = {a  test }\nsamples = 3\nlines = 2\nbands = 2\n"), "{text}");
        assert!(text.contains("wavelength = {400.000, 500.500}"), "{text}");
    }

    #[test]
    fn a_failing_row_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scene.img");
        let header = EnviHeader {
            rows: 2,
            columns: 1,
            bands: 1,
            wavelengths_nm: Vec::new(),
            reflectance_scale: 1.0,
            description: String::new(),
        };
        let fail = |row: usize, _: &mut [u16]| match row {
            0 => Ok(()),
            _ => Err(Error::Count { doing: "test", what: "rows", expected: 1, got: 2 }),
        };
        assert!(write_envi(&path, &header, fail).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
