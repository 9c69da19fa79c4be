//! [`Matrix`]: the head of a matrix, and the numbers and texts behind it.

use super::elements::{Elements, INT8, INT32, MATRIX, UINT16, UINT32, UTF8, UTF16};
use crate::{
    array::{Array, value_count},
    element::{Element, ElementType, Values},
    error::Result,
    file::{limits::Limits, sparse::Columns},
};
use num_complex::Complex;

/// The most axes of a matrix.
const AXES: u64 = 64;

/// The longest name of a variable, and the most bytes of the names of the fields of a struct.
const NAME_BYTES: u64 = 1024;
const FIELD_NAMES_BYTES: u64 = 4 << 20;

/// Flags of a matrix.
const COMPLEX: u32 = 0x0800;
const LOGICAL: u32 = 0x0200;

/// The class of an array that is not laid out like the others.
const OPAQUE: u32 = 17;

/// The head of a matrix.
#[derive(Debug)]
pub(super) struct Matrix {
    pub(super) kind: Kind,
    pub(super) shape: Vec<usize>,
    pub(super) name: String,
    /// Where it ends in its element.
    pub(super) end: u64,
    complex: bool,
    logical: bool,
}

/// What a matrix holds.
#[derive(Debug, PartialEq)]
pub(super) enum Kind {
    /// Numbers of this type; logical ones are bytes.
    Number(ElementType),
    Sparse,
    Text,
    Struct,
    Cell,
    Other(&'static str),
}

impl Matrix {
    /// The type of its numbers when read, if it has any that can be.
    pub(super) fn element_type(&self) -> Option<ElementType> {
        match (&self.kind, self.complex) {
            (Kind::Number(ElementType::U8), false) | (Kind::Sparse, false) if self.logical => Some(ElementType::Bool),
            (Kind::Number(element), false) => Some(*element),
            (Kind::Number(ElementType::F32), true) => Some(ElementType::Complex64),
            // f64 would change the large ones.
            (Kind::Number(ElementType::I64 | ElementType::U64), true) => None,
            (Kind::Number(_) | Kind::Sparse, true) => Some(ElementType::Complex128),
            (Kind::Sparse, false) => Some(ElementType::F64),
            _ => None,
        }
    }

    /// The number of values; known to be one that can be addressed.
    fn count(&self) -> usize {
        value_count(&self.shape).unwrap_or(0)
    }
}

impl Elements<'_> {
    /// The head of the matrix of `size` bytes that begins here.
    pub(super) fn matrix(&mut self, size: u64) -> Result<Matrix> {
        if size > self.remaining() {
            return Err(self.fault("a matrix in a matrix claims more bytes than there are"));
        }
        let end = self.position() + size;
        if size == 0 {
            // An empty cell or field.
            return Ok(Matrix {
                kind: Kind::Number(ElementType::F64),
                shape: vec![0, 0],
                name: String::new(),
                end,
                complex: false,
                logical: false,
            });
        }
        let tag = self.tag()?;
        if tag.kind != UINT32 || tag.size != 8 {
            return Err(self.fault("the flags of a matrix are missing"));
        }
        let flags = self.u32()?;
        self.u32()?;
        let class = flags & 0xff;
        let kind = match class {
            1 => Kind::Cell,
            2 => Kind::Struct,
            3 => Kind::Other("an object"),
            4 => Kind::Text,
            5 => Kind::Sparse,
            6 => Kind::Number(ElementType::F64),
            7 => Kind::Number(ElementType::F32),
            8 => Kind::Number(ElementType::I8),
            9 => Kind::Number(ElementType::U8),
            10 => Kind::Number(ElementType::I16),
            11 => Kind::Number(ElementType::U16),
            12 => Kind::Number(ElementType::I32),
            13 => Kind::Number(ElementType::U32),
            14 => Kind::Number(ElementType::I64),
            15 => Kind::Number(ElementType::U64),
            16 => Kind::Other("a function handle"),
            OPAQUE => Kind::Other("an object"),
            class => return Err(self.fault(&format!("a matrix of the unknown class {class}"))),
        };
        let shape = if class == OPAQUE { Vec::new() } else { self.shape()? };
        let tag = self.tag()?;
        if tag.kind != INT8 && tag.kind != UTF8 {
            return Err(self.fault("the name of a matrix is missing"));
        }
        let name = self.bytes(tag, NAME_BYTES)?;
        let name = self.name(&name)?;
        Ok(Matrix { kind, shape, name, end, complex: flags & COMPLEX != 0, logical: flags & LOGICAL != 0 })
    }

    /// The numbers behind the head of `matrix`, row-major.
    pub(super) fn array(&mut self, matrix: &Matrix, limits: &Limits) -> Result<Array> {
        match matrix.kind {
            Kind::Number(element) => self.dense(matrix, element),
            Kind::Sparse => self.sparse(matrix, limits),
            _ => Err(self.fault("there are no numbers in it")),
        }
    }

    /// The lines of a text or the texts of a cell array; nothing for cells with something else.
    pub(super) fn text(&mut self, matrix: &Matrix) -> Result<Option<Vec<String>>> {
        if matrix.kind == Kind::Text {
            return self.lines(matrix).map(Some);
        }
        let mut texts = Vec::new();
        for _ in 0..matrix.count() {
            let tag = self.tag()?;
            if tag.kind != MATRIX {
                return Err(self.fault("a cell is not a matrix"));
            }
            let cell = self.matrix(tag.size)?;
            match cell.kind {
                Kind::Text => texts.push(self.lines(&cell)?.join("\n")),
                Kind::Number(_) if cell.count() == 0 => texts.push(String::new()),
                _ => return Ok(None),
            }
            self.skip_to(cell.end)?;
        }
        Ok(Some(texts))
    }

    /// The names of the fields behind the head of a struct.
    pub(super) fn field_names(&mut self) -> Result<Vec<String>> {
        let tag = self.tag()?;
        let length = self.numbers(tag, Some(1))?.convert::<u64>();
        let length = match length.as_deref() {
            Ok(&[length]) if (1..=NAME_BYTES).contains(&length) => length,
            _ => return Err(self.fault("the length of the names of fields is missing")),
        };
        let tag = self.tag()?;
        if tag.kind != INT8 || !tag.size.is_multiple_of(length) {
            return Err(self.fault("the names of the fields are missing"));
        }
        let bytes = self.bytes(tag, FIELD_NAMES_BYTES)?;
        // At most 1024.
        bytes.chunks_exact(length as usize).map(|name| self.name(name)).collect()
    }

    fn shape(&mut self) -> Result<Vec<usize>> {
        let tag = self.tag()?;
        if tag.kind != INT32 || tag.size > 4 * AXES {
            return Err(self.fault("the shape of a matrix is missing"));
        }
        let lengths = self.numbers(tag, None)?.convert::<u32>();
        let lengths = lengths.map_err(|misfit| self.fault(&format!("an axis of length {}", misfit.value)))?;
        // A usize holds 32 bits on every machine that holds an image.
        let shape: Vec<usize> = lengths.into_iter().map(|length| length as usize).collect();
        // 16 bytes are the largest number.
        match value_count(&shape).and_then(|count| count.checked_mul(16)) {
            Some(_) => Ok(shape),
            None => Err(self.fault(&format!("shape {shape:?} is more than this machine can address"))),
        }
    }

    /// A name up to its first byte of 0.
    fn name(&self, bytes: &[u8]) -> Result<String> {
        let len = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
        match std::str::from_utf8(&bytes[..len]) {
            Ok(name) => Ok(name.to_string()),
            Err(_) => Err(self.fault("a name is not text")),
        }
    }

    fn dense(&mut self, matrix: &Matrix, element: ElementType) -> Result<Array> {
        let count = Some(matrix.count());
        let tag = self.tag()?;
        let real = self.numbers(tag, count)?;
        let imaginary = if matrix.complex {
            let tag = self.tag()?;
            Some(self.numbers(tag, count)?)
        } else {
            None
        };
        let values = match (matrix.element_type(), imaginary) {
            (Some(ElementType::Bool), None) => {
                Values::Bool(self.exactly::<u8>(real)?.iter().map(|&byte| byte != 0).collect())
            }
            (Some(ElementType::Complex64), Some(imaginary)) => {
                Values::Complex64(pairs(&self.exactly(real)?, &self.exactly(imaginary)?))
            }
            (Some(ElementType::Complex128), Some(imaginary)) => {
                Values::Complex128(pairs(&self.exactly(real)?, &self.exactly(imaginary)?))
            }
            (Some(_), None) => self.numbers_of(element, real)?,
            _ => return Err(self.fault("complex integers of 64 bits are not read")),
        };
        Array::from_column_major(matrix.shape.clone(), values)
    }

    /// Numbers of the class of the matrix; MATLAB stores them in the smallest type that holds them all.
    fn numbers_of(&self, element: ElementType, stored: Values) -> Result<Values> {
        if stored.element_type() == element {
            return Ok(stored);
        }
        Ok(match element {
            ElementType::U8 => Values::U8(self.exactly(stored)?),
            ElementType::I8 => Values::I8(self.exactly(stored)?),
            ElementType::U16 => Values::U16(self.exactly(stored)?),
            ElementType::I16 => Values::I16(self.exactly(stored)?),
            ElementType::U32 => Values::U32(self.exactly(stored)?),
            ElementType::I32 => Values::I32(self.exactly(stored)?),
            ElementType::U64 => Values::U64(self.exactly(stored)?),
            ElementType::I64 => Values::I64(self.exactly(stored)?),
            ElementType::F32 => Values::F32(self.exactly(stored)?),
            ElementType::F64 => Values::F64(self.exactly(stored)?),
            _ => return Err(self.fault("there are no numbers in it")),
        })
    }

    fn exactly<T: Element>(&self, stored: Values) -> Result<Vec<T>> {
        stored.convert().map_err(|misfit| {
            let wanted = T::TYPE;
            self.fault(&format!("the stored number {} is not one of class {wanted}", misfit.value))
        })
    }

    /// A matrix in compressed columns, with its zeros.
    fn sparse(&mut self, matrix: &Matrix, limits: &Limits) -> Result<Array> {
        let &[rows, columns] = matrix.shape.as_slice() else {
            return Err(self.fault("a sparse matrix has more than two axes"));
        };
        let tag = self.tag()?;
        let stored = self.numbers(tag, None)?;
        let row_of = self.exactly::<u64>(stored)?;
        let tag = self.tag()?;
        let stored = self.numbers(tag, Some(columns + 1))?;
        let starts = self.exactly::<u64>(stored)?;
        let tag = self.tag()?;
        let stored = self.numbers(tag, None)?;
        let real = self.exactly::<f64>(stored)?;
        let imaginary = if matrix.complex {
            let tag = self.tag()?;
            let stored = self.numbers(tag, Some(real.len()))?;
            self.exactly::<f64>(stored)?
        } else {
            Vec::new()
        };

        let element = matrix.element_type().unwrap_or(ElementType::F64);
        Columns { rows, columns, row_of, starts, real, imaginary }.dense(element, limits, self.origin, &self.place)
    }

    /// The rows of a text, without the blanks that make them equally long.
    fn lines(&mut self, matrix: &Matrix) -> Result<Vec<String>> {
        let tag = self.tag()?;
        let kind = tag.kind;
        let stored = match (kind, self.numbers(tag, None)?) {
            (UTF8, Values::U8(bytes)) => match String::from_utf8(bytes) {
                Ok(text) => text.chars().map(u32::from).collect(),
                Err(_) => return Err(self.fault("its text is not UTF-8")),
            },
            // Bytes without an encoding are read as Latin-1, of which ASCII is a part.
            (_, stored) => self.exactly::<u32>(stored)?,
        };
        if stored.len() != matrix.count() {
            let (got, expected) = (stored.len(), matrix.count());
            return Err(self.fault(&format!("there are {got} characters, expected {expected}")));
        }
        let rows = matrix.shape.first().copied().unwrap_or(0);
        Ok(lines(&stored, rows, matches!(kind, UINT16 | UTF16)))
    }
}

/// The rows of a text whose characters lie column by column, without the blanks that make them equally long.
pub(crate) fn lines(characters: &[u32], rows: usize, utf16: bool) -> Vec<String> {
    if rows == 0 || characters.is_empty() {
        return vec![String::new()];
    }
    let line = |row: usize| {
        let characters = characters.iter().skip(row).step_by(rows).copied();
        if utf16 {
            let units = characters.map(|unit| unit as u16);
            char::decode_utf16(units)
                .map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER))
                .collect::<String>()
        } else {
            characters.map(|code| char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
        }
    };
    let trimmed = |line: String| if rows > 1 { line.trim_end().to_string() } else { line };
    (0..rows).map(line).map(trimmed).collect()
}

/// Complex numbers from their parts, which are equally many.
fn pairs<T: Copy>(real: &[T], imaginary: &[T]) -> Vec<Complex<T>> {
    real.iter().zip(imaginary).map(|(&re, &im)| Complex::new(re, im)).collect()
}
