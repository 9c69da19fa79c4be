//! Writing MATLAB 7 files: one zlib stream per variable, little-endian.

use super::elements::{COMPRESSED, INT8, INT32, MATRIX, UINT32};
use crate::{
    array::Array,
    element::{ElementType, Values},
    error::{Error, Result},
    file::numbers::write_values,
};
use flate2::{Compression, write::ZlibEncoder};
use num_complex::Complex;
use std::{
    io::{self, Write},
    path::Path,
};

/// The longest name that MATLAB takes.
const NAME_LETTERS: usize = 63;

/// The most bytes of one variable: sizes have 31 bits in every reader.
const VARIABLE_BYTES: usize = i32::MAX as usize;

/// Whether MATLAB takes a name: a letter, then letters, digits and underscores.
pub(crate) fn is_name(name: &str) -> bool {
    name.len() <= NAME_LETTERS
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Writes variables. MATLAB has at least two axes: an array without axes becomes `1 x 1`, one with one axis a row.
pub(crate) fn write(output: &mut dyn Write, arrays: &[(&str, &Array)], path: &Path) -> Result<()> {
    let mut header = [b' '; 128];
    let text = b"MATLAB 5.0 MAT-file, written by cupel";
    header[..text.len()].copy_from_slice(text);
    header[116..124].fill(0);
    header[124..].copy_from_slice(b"\x00\x01IM");
    output.write_all(&header).map_err(Error::io("write", path))?;
    for (name, array) in arrays {
        let cannot = |problem: String, fix: &str| Error::CannotHold {
            path: path.to_path_buf(),
            format: "MATLAB",
            problem,
            fix: fix.into(),
        };
        if !is_name(name) {
            let problem = format!("{name:?} is no name of a variable");
            return Err(cannot(problem, "use a letter, then at most 62 letters, digits and underscores"));
        }
        let too_large = || {
            let problem = format!("{name} {:?} has more than {VARIABLE_BYTES} bytes", array.shape());
            cannot(problem, "write NPY or NPZ")
        };
        let bytes = array.values().len().checked_mul(array.element_type().size_bytes());
        // The head has less than 4 KiB, whatever the shape.
        if bytes.is_none_or(|bytes| bytes > VARIABLE_BYTES - 4096)
            || array.shape().len() > 64
            || array.shape().iter().any(|&len| i32::try_from(len).is_err())
        {
            return Err(too_large());
        }
        let packed = compressed(name, array).map_err(Error::io("write", path))?;
        let size = u32::try_from(packed.len()).map_err(|_| too_large())?;
        let written = output
            .write_all(&COMPRESSED.to_le_bytes())
            .and_then(|()| output.write_all(&size.to_le_bytes()))
            .and_then(|()| output.write_all(&packed));
        written.map_err(Error::io("write", path))?;
    }
    Ok(())
}

/// The zlib stream of a matrix whose sizes fit.
fn compressed(name: &str, array: &Array) -> io::Result<Vec<u8>> {
    let (class, flags, kind) = match array.element_type() {
        ElementType::F64 => (6, 0, 9),
        // MATLAB has no half precision; single holds it exactly.
        ElementType::F32 | ElementType::F16 => (7, 0, 7),
        ElementType::I8 => (8, 0, 1),
        ElementType::U8 => (9, 0, 2),
        ElementType::I16 => (10, 0, 3),
        ElementType::U16 => (11, 0, 4),
        ElementType::I32 => (12, 0, 5),
        ElementType::U32 => (13, 0, 6),
        ElementType::I64 => (14, 0, 12),
        ElementType::U64 => (15, 0, 13),
        ElementType::Bool => (9, 0x0200, 2),
        ElementType::Complex64 => (7, 0x0800, 7),
        ElementType::Complex128 => (6, 0x0800, 9),
    };
    let mut shape = array.shape().to_vec();
    while shape.len() < 2 {
        shape.insert(0, 1);
    }
    let mut body = Vec::new();
    push(&mut body, UINT32, &[u32::to_le_bytes(class | flags), [0; 4]].concat());
    let lengths: Vec<u8> = shape.iter().flat_map(|&len| (len as u32).to_le_bytes()).collect();
    push(&mut body, INT32, &lengths);
    push(&mut body, INT8, name.as_bytes());
    let parts = match array.to_column_major() {
        Values::F16(values) => vec![Values::F32(values.iter().map(|value| value.to_f32()).collect())],
        Values::Complex64(values) => {
            let part = |part: fn(&Complex<f32>) -> f32| Values::F32(values.iter().map(part).collect());
            vec![part(|value| value.re), part(|value| value.im)]
        }
        Values::Complex128(values) => {
            let part = |part: fn(&Complex<f64>) -> f64| Values::F64(values.iter().map(part).collect());
            vec![part(|value| value.re), part(|value| value.im)]
        }
        values => vec![values],
    };
    for part in &parts {
        let mut bytes = Vec::with_capacity(part.len() * part.element_type().size_bytes());
        write_values(&mut bytes, part)?;
        push(&mut body, kind, &bytes);
    }
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&MATRIX.to_le_bytes())?;
    encoder.write_all(&(body.len() as u32).to_le_bytes())?;
    encoder.write_all(&body)?;
    encoder.finish()
}

/// An element, in the small form where it has 1 to 4 bytes.
fn push(body: &mut Vec<u8>, kind: u32, bytes: &[u8]) {
    if (1..=4).contains(&bytes.len()) {
        body.extend((kind | (bytes.len() as u32) << 16).to_le_bytes());
        body.extend(bytes);
        body.resize(body.len().next_multiple_of(8), 0);
    } else {
        body.extend(kind.to_le_bytes());
        body.extend((bytes.len() as u32).to_le_bytes());
        body.extend(bytes);
        body.resize(body.len().next_multiple_of(8), 0);
    }
}
