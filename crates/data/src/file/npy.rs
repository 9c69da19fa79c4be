//! NPY, NumPy's format for one array: versions 1.0, 2.0 and 3.0.
//!
//! NumPy Enhancement Proposal 1, "A Simple File Format for NumPy Arrays". The header is a Python dictionary as text; it
//! is read as a literal and never evaluated, and arrays of Python objects, which are pickles, are refused.

use crate::{
    array::{Array, value_count},
    element::ElementType,
    error::{Error, Place, Result},
    file::{
        literal::{self, Literal},
        numbers::{ByteOrder, read_values, write_values},
        origin::Origin,
        raw::Layout,
    },
};
use std::{
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
};

/// The first bytes of every file.
pub(crate) const MAGIC: &[u8] = b"\x93NUMPY";

/// The longest header taken; NumPy's own limit.
const HEADER_BYTES: usize = 10_000;

/// The most axes of an array; NumPy's own limit.
const AXES: usize = 64;

/// What the header of a file says.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<usize>,
    column_major: bool,
    /// Bytes before the values.
    pub(crate) header_bytes: u64,
}

/// The type of the values.
#[derive(Clone, Debug)]
pub(crate) enum Dtype {
    Number(ElementType, ByteOrder),
    /// One that cannot be read, with what it is.
    Refused(String),
}

impl Header {
    /// The number of values; known to be one that can be addressed.
    fn count(&self) -> usize {
        value_count(&self.shape).unwrap_or(0)
    }

    /// The length that the file must have, or nothing for types that cannot be read.
    pub(crate) fn file_bytes(&self) -> Option<u64> {
        match self.dtype {
            Dtype::Number(element, _) => {
                let payload = self.count().checked_mul(element.size_bytes())?;
                self.header_bytes.checked_add(payload as u64)
            }
            Dtype::Refused(_) => None,
        }
    }

    /// How the values lie; an error for those that cannot be read.
    pub(crate) fn layout(&self, origin: &Origin) -> Result<Layout> {
        let Dtype::Number(element, order) = self.dtype else { return Err(refusal(self, origin, &Place::File)) };
        let mut axes: Vec<usize> = (0..self.shape.len()).collect();
        if self.column_major {
            axes.reverse();
        }
        Ok(Layout { offset: self.header_bytes, element, order, shape: self.shape.clone(), axes, row_bytes: None })
    }

    /// Fails unless exactly the declared values are there.
    pub(crate) fn check_length(&self, len: u64, origin: &Origin, place: &Place) -> Result<()> {
        match self.file_bytes() {
            Some(expected) if expected != len => {
                let problem = format!("shape {:?} needs {expected} bytes, there are {len}", self.shape);
                let fix = if expected > len {
                    "the file is truncated or its header is wrong; copy it again"
                } else {
                    "bytes follow the array; write one array per file, or several as NPZ"
                };
                Err(origin.fault_with(place.clone(), problem, fix))
            }
            _ => Ok(()),
        }
    }
}

/// Reads everything before the values.
pub(crate) fn read_header(reader: &mut dyn Read, origin: &Origin, place: &Place) -> Result<Header> {
    let io = |error| origin.read(place.clone())(error);
    let fault = |problem: String| origin.fault(place.clone(), problem);
    let mut start = [0; 8];
    reader.read_exact(&mut start).map_err(io)?;
    if !start.starts_with(MAGIC) {
        return Err(fault("it does not begin with the magic of NPY".into()));
    }
    let (length_bytes, header_bytes) = match start[6..] {
        [1, 0] => {
            let mut length = [0; 2];
            reader.read_exact(&mut length).map_err(io)?;
            (2, usize::from(u16::from_le_bytes(length)))
        }
        [2 | 3, 0] => {
            let mut length = [0; 4];
            reader.read_exact(&mut length).map_err(io)?;
            (4, usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX))
        }
        [major, minor] => {
            return Err(fault(format!("version {major}.{minor} is unknown; 1.0, 2.0 and 3.0 are read")));
        }
        _ => return Err(fault("it has no version".into())),
    };
    if header_bytes > HEADER_BYTES {
        return Err(fault(format!("the header claims {header_bytes} bytes, at most {HEADER_BYTES} are taken")));
    }
    let mut header = vec![0; header_bytes];
    reader.read_exact(&mut header).map_err(io)?;
    let text = std::str::from_utf8(&header)
        .map_err(|error| fault(format!("header byte {} is not text", error.valid_up_to())))?;
    let literal = literal::parse(text)
        .map_err(|(position, problem)| fault(format!("the header has {problem} at its byte {position}")))?;
    let mut parsed = interpret(&literal).map_err(fault)?;
    parsed.header_bytes = (start.len() + length_bytes + header_bytes) as u64;
    Ok(parsed)
}

/// Reads the values after the header; the caller has checked the length.
pub(crate) fn read_values_of(header: &Header, reader: &mut dyn Read, origin: &Origin, place: &Place) -> Result<Array> {
    let (element, order) = match &header.dtype {
        Dtype::Number(element, order) => (*element, *order),
        Dtype::Refused(_) => return Err(refusal(header, origin, place)),
    };
    let values = read_values(reader, element, header.count(), order).map_err(origin.read(place.clone()))?;
    if header.column_major {
        Array::from_column_major(header.shape.clone(), values)
    } else {
        Array::new(header.shape.clone(), values)
    }
}

/// Reads the values of a file whose length was checked against `header` when it was opened.
pub(crate) fn read_array(file: &mut File, header: &Header, origin: &Origin) -> Result<Array> {
    file.seek(SeekFrom::Start(header.header_bytes)).map_err(Error::io("read", &origin.path))?;
    read_values_of(header, file, origin, &Place::File)
}

/// Why an array is not read.
pub(crate) fn refusal(header: &Header, origin: &Origin, place: &Place) -> Error {
    let problem = match &header.dtype {
        Dtype::Number(..) => String::new(),
        Dtype::Refused(what) => format!("arrays of {what} are refused"),
    };
    origin.fault_with(place.clone(), problem, "save it with a plain number type, as in array.astype(float)")
}

/// Writes header and values, version 1.0, row-major.
pub(crate) fn write(writer: &mut dyn Write, array: &Array, path: &Path) -> Result<()> {
    if array.shape().len() > AXES {
        return Err(Error::CannotHold {
            path: path.to_path_buf(),
            format: "NPY",
            problem: format!("it holds at most {AXES} axes, the array has {}", array.shape().len()),
            fix: "merge axes".into(),
        });
    }
    write_header(writer, array.element_type(), array.shape())
        .and_then(|()| write_values(writer, array.values()))
        .map_err(Error::io("write", path))
}

/// What comes before the numbers.
pub(crate) fn write_header(writer: &mut dyn Write, element: ElementType, shape: &[usize]) -> std::io::Result<()> {
    let descr = match element {
        ElementType::U8 => "|u1",
        ElementType::I8 => "|i1",
        ElementType::U16 => "<u2",
        ElementType::I16 => "<i2",
        ElementType::U32 => "<u4",
        ElementType::I32 => "<i4",
        ElementType::U64 => "<u8",
        ElementType::I64 => "<i8",
        ElementType::F16 => "<f2",
        ElementType::F32 => "<f4",
        ElementType::F64 => "<f8",
        ElementType::Bool => "|b1",
        ElementType::Complex64 => "<c8",
        ElementType::Complex128 => "<c16",
    };
    let shape: String = shape.iter().map(|len| format!("{len},")).collect();
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}");
    // The values begin at a multiple of 64 bytes, after 10 bytes of magic, version and length and one line feed.
    let padding = (64 - (10 + header.len() + 1) % 64) % 64;
    header.extend(std::iter::repeat_n(' ', padding));
    header.push('\n');
    // 64 axes of 20 digits each stay far below 65 536 bytes.
    let length = u16::try_from(header.len()).map_err(std::io::Error::other)?;
    writer.write_all(MAGIC)?;
    writer.write_all(&[1, 0])?;
    writer.write_all(&length.to_le_bytes())?;
    writer.write_all(header.as_bytes())
}

/// What the dictionary says; `header_bytes` is left to the caller.
fn interpret(literal: &Literal<'_>) -> std::result::Result<Header, String> {
    let Literal::Dictionary(entries) = literal else {
        return Err("the header is not a dictionary".into());
    };
    let (mut dtype, mut column_major, mut shape) = (None, None, None);
    for (key, value) in entries {
        let again = match *key {
            "descr" => dtype.replace(dtype_of(value)?).is_some(),
            "fortran_order" => match value {
                Literal::Boolean(value) => column_major.replace(*value).is_some(),
                _ => return Err("fortran_order is neither True nor False".into()),
            },
            "shape" => shape.replace(shape_of(value)?).is_some(),
            other => return Err(format!("the header has an unknown key {other:?}")),
        };
        if again {
            return Err(format!("the header has the key {key:?} twice"));
        }
    }
    let missing = |key| move || format!("the header has no key {key:?}");
    let (dtype, shape) = (dtype.ok_or_else(missing("descr"))?, shape.ok_or_else(missing("shape"))?);
    let size = match dtype {
        Dtype::Number(element, _) => element.size_bytes(),
        Dtype::Refused(_) => 1,
    };
    let bytes = value_count(&shape).and_then(|count| count.checked_mul(size));
    if bytes.is_none_or(|bytes| isize::try_from(bytes).is_err()) {
        return Err(format!("shape {shape:?} is more than this machine can address"));
    }
    Ok(Header { dtype, shape, column_major: column_major.ok_or_else(missing("fortran_order"))?, header_bytes: 0 })
}

fn shape_of(literal: &Literal<'_>) -> std::result::Result<Vec<usize>, String> {
    let Literal::Sequence(lengths) = literal else {
        return Err("the shape is not a tuple".into());
    };
    if lengths.len() > AXES {
        return Err(format!("the array has {} axes, at most {AXES} are taken", lengths.len()));
    }
    lengths
        .iter()
        .map(|length| match length {
            Literal::Integer(length) => usize::try_from(*length)
                .map_err(|_| format!("an axis of length {length} is more than this machine can address")),
            _ => Err("the shape holds something that is not a length".into()),
        })
        .collect()
}

fn dtype_of(literal: &Literal<'_>) -> std::result::Result<Dtype, String> {
    let descr = match literal {
        Literal::Text(descr) => *descr,
        Literal::Sequence(_) => return Ok(Dtype::Refused("records (a structured dtype)".into())),
        _ => return Err("the dtype is not a name".into()),
    };
    let unknown = || format!("the dtype {descr:?} is unknown");
    if !descr.is_ascii() {
        return Err(unknown());
    }
    let (order, kind) = match descr.as_bytes().first() {
        // "=" and "|" are native and not applicable; files are written little-endian on every machine of today.
        Some(b'<' | b'=' | b'|') => (ByteOrder::Little, &descr[1..]),
        Some(b'>') => (ByteOrder::Big, &descr[1..]),
        _ => (ByteOrder::Little, descr),
    };
    let element = match kind {
        "u1" => ElementType::U8,
        "i1" => ElementType::I8,
        "u2" => ElementType::U16,
        "i2" => ElementType::I16,
        "u4" => ElementType::U32,
        "i4" => ElementType::I32,
        "u8" => ElementType::U64,
        "i8" => ElementType::I64,
        "f2" => ElementType::F16,
        "f4" => ElementType::F32,
        "f8" => ElementType::F64,
        "b1" | "?" => ElementType::Bool,
        "c8" => ElementType::Complex64,
        "c16" => ElementType::Complex128,
        _ => {
            let what = match kind.as_bytes().first() {
                Some(b'O') => "Python objects (pickle)",
                Some(b'U' | b'S' | b'a') => "text",
                Some(b'V') => "raw bytes",
                Some(b'M' | b'm') => "dates and times",
                Some(b'f' | b'c' | b'g' | b'G') => "extended-precision numbers",
                _ => return Err(unknown()),
            };
            return Ok(Dtype::Refused(format!("{what}, dtype {descr:?},")));
        }
    };
    Ok(Dtype::Number(element, order))
}
