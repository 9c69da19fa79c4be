//! MATLAB 4 (`save -v4`): matrices of real and complex numbers and of text, in both byte orders.
//!
//! MathWorks, "MAT-File Format", appendix "Level 4". Each matrix has a head of five numbers (type, rows, columns, whether it is complex,
//! length of the name), a name that ends in 0, and its numbers column by column. Matrices are put in row-major order once.

use crate::{
    array::Array,
    element::{ElementType, Values},
    error::{Error, Place, Result},
    file::{
        dataset::{Class, Variable},
        limits::Limits,
        mat::lines,
        numbers::{ByteOrder, read_values},
        origin::Origin,
    },
};
use std::{
    fs::File,
    io::{BufReader, Read, Seek, SeekFrom},
};

const HEAD_BYTES: u64 = 20;

/// Where the matrices are.
#[derive(Debug)]
pub(crate) struct Directory {
    matrices: Vec<Matrix>,
}

#[derive(Debug)]
struct Matrix {
    shape: [usize; 2],
    element: ElementType,
    order: ByteOrder,
    /// Where its numbers begin.
    offset: u64,
}

/// The head of a matrix.
struct Head {
    order: ByteOrder,
    /// Decimal digits for the byte order, nothing, the type of the numbers and what they are.
    kind: u32,
    rows: u32,
    columns: u32,
    imaginary: u32,
    name: String,
}

impl Head {
    /// Of the first bytes of a matrix, which have no magic: five plausible numbers in one of the byte orders, and a name.
    fn of(bytes: &[u8]) -> Option<Self> {
        let (numbers, rest) = bytes.split_at_checked(HEAD_BYTES as usize)?;
        [ByteOrder::Little, ByteOrder::Big].into_iter().find_map(|order| {
            let numbers: Vec<u32> = numbers.as_chunks().0.iter().map(|&bytes| order.u32(bytes)).collect();
            let &[kind, rows, columns, imaginary, name_bytes] = numbers.as_slice() else { return None };
            let (&end, name) = rest.get(..name_bytes as usize)?.split_last()?;
            let plausible = kind < 5000
                && kind / 10 % 10 <= 5
                && kind / 100 % 10 == 0
                && kind % 10 <= 2
                && imaginary <= 1
                && (1..64).contains(&name.len())
                && end == 0
                && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
            let name = String::from_utf8_lossy(name).into_owned();
            plausible.then_some(Self { order, kind, rows, columns, imaginary, name })
        })
    }

    /// With the name and what ends it.
    fn bytes(&self) -> u64 {
        HEAD_BYTES + self.name.len() as u64 + 1
    }
}

/// Whether a file begins like one of MATLAB 4.
pub(crate) fn recognises(head: &[u8]) -> bool {
    Head::of(head).is_some()
}

/// Lists the matrices.
pub(crate) fn read_directory(
    file: &mut File,
    len: u64,
    limits: &Limits,
    origin: &Origin,
) -> Result<(Directory, Vec<Variable>)> {
    let mut reader = BufReader::new(file);
    let (mut matrices, mut variables) = (Vec::new(), Vec::<Variable>::new());
    let mut offset = 0;
    while offset < len {
        limits.allow("the number of variables", variables.len() as u64 + 1, origin)?;
        let place = Place::Byte(offset);
        let mut head = vec![0; usize::try_from((len - offset).min(HEAD_BYTES + 64)).unwrap_or(0)];
        reader.seek(SeekFrom::Start(offset)).map_err(Error::io("read", &origin.path))?;
        reader.read_exact(&mut head).map_err(origin.read(place.clone()))?;
        let Some(head) = Head::of(&head) else {
            let fix = "the file is truncated or damaged; copy it again";
            return Err(origin.fault_with(place, "here no matrix begins", fix));
        };
        let Head { order, kind, rows, columns, imaginary, .. } = head;
        let place = Place::Variable(head.name.clone());
        let stored = match kind / 10 % 10 {
            0 => ElementType::F64,
            1 => ElementType::F32,
            2 => ElementType::I32,
            3 => ElementType::I16,
            4 => ElementType::U16,
            _ => ElementType::U8,
        };
        let element = match (stored, imaginary) {
            (stored, 0) => stored,
            (ElementType::F32, _) => ElementType::Complex64,
            _ => ElementType::Complex128,
        };
        let written_big = match kind / 1000 {
            0 => order == ByteOrder::Little,
            1 => order == ByteOrder::Big,
            _ => false,
        };
        if !written_big {
            let problem = "its numbers are those of a VAX or a Cray";
            return Err(origin.fault_with(place, problem, "load and save it with a newer MATLAB, or with scipy.io"));
        }
        let start = offset + head.bytes();
        let count = u64::from(rows) * u64::from(columns) * (1 + u64::from(imaginary));
        let end = count.checked_mul(stored.size_bytes() as u64).and_then(|bytes| bytes.checked_add(start));
        let Some(end) = end.filter(|&end| end <= len) else {
            let problem = format!("{rows} x {columns} numbers are more than the {len} bytes of the file hold");
            return Err(origin.fault_with(place, problem, "the file is truncated or damaged; copy it again"));
        };
        if variables.iter().any(|variable| variable.name() == head.name) {
            return Err(origin.fault(place, "two variables have this name"));
        }
        let class = match kind % 10 {
            0 => Class::Number(element),
            1 => Class::Text,
            // Rows of (row, column, value); no writer but MATLAB 4 itself makes them.
            _ => Class::Other("a sparse matrix of MATLAB 4".into()),
        };
        let shape = [rows as usize, columns as usize];
        variables.push(Variable::new(&head.name, shape.to_vec(), class));
        matrices.push(Matrix { shape, element, order, offset: start });
        offset = end;
    }
    Ok((Directory { matrices }, variables))
}

impl Directory {
    /// The numbers of the variable at `position`.
    pub(crate) fn read_array(&self, file: &mut File, position: usize, origin: &Origin) -> Result<Array> {
        let Matrix { shape, element, .. } = self.matrices[position];
        let count = shape[0] * shape[1];
        let values = match element {
            // Real parts before imaginary ones.
            ElementType::Complex64 => match self.read(file, position, ElementType::F32, 2 * count, origin)? {
                Values::F32(parts) => Values::Complex64(paired(&parts, count)),
                other => other,
            },
            ElementType::Complex128 => {
                let parts = self.read(file, position, ElementType::F64, 2 * count, origin)?;
                match parts {
                    Values::F64(parts) => Values::Complex128(paired(&parts, count)),
                    other => other,
                }
            }
            element => self.read(file, position, element, count, origin)?,
        };
        Array::from_column_major(shape.to_vec(), values)
    }

    /// The lines of the text at `position`.
    pub(crate) fn read_text(&self, file: &mut File, position: usize, origin: &Origin) -> Result<Vec<String>> {
        let Matrix { shape: [rows, columns], element, .. } = self.matrices[position];
        let values = self.read(file, position, element, rows * columns, origin)?;
        let letters = values.convert::<f64>().unwrap_or_default();
        let letters: Vec<u32> = letters.into_iter().map(|letter| letter as u32).collect();
        Ok(lines(&letters, rows, false))
    }

    fn read(
        &self,
        file: &mut File,
        position: usize,
        element: ElementType,
        count: usize,
        origin: &Origin,
    ) -> Result<Values> {
        let Matrix { order, offset, .. } = self.matrices[position];
        file.seek(SeekFrom::Start(offset)).map_err(Error::io("read", &origin.path))?;
        read_values(&mut BufReader::new(file), element, count, order).map_err(origin.read(Place::Byte(offset)))
    }
}

fn paired<T: Copy>(parts: &[T], count: usize) -> Vec<num_complex::Complex<T>> {
    let (re, im) = parts.split_at(count);
    re.iter().zip(im).map(|(&re, &im)| num_complex::Complex::new(re, im)).collect()
}
