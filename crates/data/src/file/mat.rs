//! MATLAB 5 to 7 (`save -v6` and `save -v7`): both byte orders, compressed or not.
//!
//! MathWorks, "MAT-File Format", chapter 1 (Level 5). A file is a header of 128 bytes and a list of elements; each element
//! is a matrix or a zlib stream that holds one. Opening reads the head of every matrix and walks through single structs,
//! whose fields become variables `name.field`, and through cell arrays, whose arrays become variables `name{1}`, `name{2}`, ... as
//! MATLAB counts them. Matrices are column-major and are put in row-major order once; a `Y` that
//! MATLAB shows as `L x N` has shape `[L, N]`.

mod elements;
mod matrix;
mod write;

pub(crate) use matrix::lines;
pub(crate) use write::{is_name, write};

use crate::{
    array::Array,
    element::ElementType,
    error::{Error, Place, Result},
    file::{
        dataset::{Class, Variable},
        limits::Limits,
        mat::{
            elements::{Elements, MATRIX},
            matrix::{Kind, Matrix},
        },
        numbers::ByteOrder,
        origin::Origin,
    },
};
use std::fs::File;

/// Bytes of the header.
const HEADER_BYTES: usize = 128;

/// The version of MATLAB 5 to 7 in the header, and the one of 7.3, which is HDF5.
const VERSION_5: u16 = 0x0100;
pub(crate) const VERSION_7_3: u16 = 0x0200;

/// Whether a file begins like one of MATLAB 5 to 7, whole or cut.
pub(crate) fn recognises(head: &[u8]) -> bool {
    head.starts_with(b"MATLAB 5.0") || byte_order(head).is_some()
}

/// The version in the header.
pub(crate) fn version(head: &[u8]) -> Option<u16> {
    let version = [*head.get(124)?, *head.get(125)?];
    Some(match byte_order(head)? {
        ByteOrder::Little => u16::from_le_bytes(version),
        ByteOrder::Big => u16::from_be_bytes(version),
    })
}

fn byte_order(head: &[u8]) -> Option<ByteOrder> {
    match head.get(126..HEADER_BYTES)? {
        b"IM" => Some(ByteOrder::Little),
        b"MI" => Some(ByteOrder::Big),
        _ => None,
    }
}

/// Where the variables are.
#[derive(Debug)]
pub(crate) struct Directory {
    order: ByteOrder,
    /// Of each variable, the offset of its element in the file and its number in the walk through that element.
    places: Vec<(u64, usize)>,
}

/// Reads the heads of all matrices.
pub(crate) fn read_directory(
    file: &mut File,
    len: u64,
    limits: &Limits,
    origin: &Origin,
) -> Result<(Directory, Vec<Variable>)> {
    let order = read_header(file, origin)?;
    let mut directory = Directory { order, places: Vec::new() };
    let mut variables = Vec::new();
    let mut offset = HEADER_BYTES as u64;
    while offset < len {
        let mut elements = Elements::open(file, offset, len, order, limits, origin)?;
        let mut number = 0;
        elements.walk(limits, &mut |_, name, matrix| {
            // Data of MATLAB's own, such as the workspaces of functions, have no name; of cells only arrays are variables.
            let is_array = matches!(matrix.kind, Kind::Number(_) | Kind::Sparse);
            if !name.is_empty() && (is_array || !name.contains('{')) {
                limits.allow("the number of variables", variables.len() as u64 + 1, origin)?;
                variables.push(Variable::new(name, matrix.shape.clone(), class(matrix)));
                directory.places.push((offset, number));
            }
            number += 1;
            Ok(None::<()>)
        })?;
        offset = elements.next_offset();
    }
    let mut names: Vec<&str> = variables.iter().map(Variable::name).collect();
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        let place = Place::Variable(pair[0].into());
        return Err(origin.fault(place, "two variables have this name"));
    }
    Ok((directory, variables))
}

impl Directory {
    /// Reads the numbers of the variable at `position` in the list.
    pub(crate) fn read_array(
        &self,
        file: &mut File,
        position: usize,
        limits: &Limits,
        origin: &Origin,
    ) -> Result<Array> {
        self.find(file, position, limits, origin, |elements, matrix| elements.array(matrix, limits))
    }

    /// Reads the text of the variable at `position`; nothing for a cell array with other things in it.
    pub(crate) fn read_text(
        &self,
        file: &mut File,
        position: usize,
        limits: &Limits,
        origin: &Origin,
    ) -> Result<Option<Vec<String>>> {
        self.find(file, position, limits, origin, |elements, matrix| elements.text(matrix))
    }

    fn find<T>(
        &self,
        file: &mut File,
        position: usize,
        limits: &Limits,
        origin: &Origin,
        read: impl Fn(&mut Elements<'_>, &Matrix) -> Result<T>,
    ) -> Result<T> {
        let (offset, wanted) = self.places[position];
        let len = file.metadata().map_err(Error::io("read", &origin.path))?.len();
        let mut elements = Elements::open(file, offset, len, self.order, limits, origin)?;
        let mut number = 0;
        let found = elements.walk(limits, &mut |elements, _, matrix| {
            number += 1;
            if number <= wanted {
                return Ok(None);
            }
            read(elements, matrix).map(Some)
        })?;
        // Only the end of the stream, with its checksum, tells that what was read is right.
        elements.finish()?;
        found.ok_or_else(|| origin.fault(Place::Byte(offset), "the file has changed since it was opened"))
    }
}

fn read_header(file: &mut File, origin: &Origin) -> Result<ByteOrder> {
    use std::io::{Read, Seek, SeekFrom};
    let mut header = [0; HEADER_BYTES];
    file.seek(SeekFrom::Start(0)).and_then(|_| file.read_exact(&mut header)).map_err(origin.read(Place::Byte(0)))?;
    match (byte_order(&header), version(&header)) {
        (Some(order), Some(VERSION_5)) => Ok(order),
        (Some(_), Some(version)) => {
            Err(origin.fault(Place::Byte(124), format!("version {version:#06x} is unknown, {VERSION_5:#06x} is read")))
        }
        _ => Err(origin.fault(Place::Byte(126), "the mark of the byte order, IM or MI, is missing")),
    }
}

fn class(matrix: &Matrix) -> Class {
    match &matrix.kind {
        Kind::Number(_) => {
            matrix.element_type().map_or_else(|| Class::Other("complex integers of 64 bits".into()), Class::Number)
        }
        Kind::Sparse => Class::Sparse(matrix.element_type().unwrap_or(ElementType::F64)),
        Kind::Text => Class::Text,
        Kind::Struct => Class::Struct,
        Kind::Cell => Class::Cell,
        Kind::Other(what) => Class::Other((*what).into()),
    }
}

impl Elements<'_> {
    /// Visits the matrix of this element and, depth first, the fields of single structs, until a visit gives something.
    fn walk<T>(&mut self, limits: &Limits, visit: &mut Visit<'_, T>) -> Result<Option<T>> {
        let matrix = self.matrix(self.remaining())?;
        let name = matrix.name.clone();
        if !name.is_empty() {
            self.place = Place::Variable(name.clone());
        }
        self.walk_matrix(&matrix, &name, limits, 0, visit)
    }

    fn walk_matrix<T>(
        &mut self,
        matrix: &Matrix,
        name: &str,
        limits: &Limits,
        depth: u64,
        visit: &mut Visit<'_, T>,
    ) -> Result<Option<T>> {
        if let Some(found) = visit(self, name, matrix)? {
            return Ok(Some(found));
        }
        if matrix.kind == Kind::Cell {
            let count = matrix.shape.iter().product::<usize>();
            for number in 1..=count {
                if depth >= limits.nesting || self.position() >= matrix.end {
                    break;
                }
                let tag = self.tag()?;
                if tag.kind != MATRIX {
                    return Err(self.fault("a cell is not a matrix"));
                }
                if tag.size == 0 {
                    continue;
                }
                let inner = self.matrix(tag.size)?;
                let name = format!("{name}{{{number}}}");
                if let Some(found) = self.walk_matrix(&inner, &name, limits, depth + 1, visit)? {
                    return Ok(Some(found));
                }
            }
        }
        if matrix.kind == Kind::Struct && matrix.shape.iter().all(|&len| len == 1) {
            self.origin.within(
                self.place.clone(),
                "the depth of structs in structs",
                depth + 1,
                limits.of_nesting(),
            )?;
            for field in self.field_names()? {
                let tag = self.tag()?;
                if tag.kind != MATRIX {
                    return Err(self.fault("a field of a struct is not a matrix"));
                }
                let inner = self.matrix(tag.size)?;
                let name = format!("{name}.{field}");
                if let Some(found) = self.walk_matrix(&inner, &name, limits, depth + 1, visit)? {
                    return Ok(Some(found));
                }
            }
        }
        self.skip_to(matrix.end)?;
        Ok(None)
    }
}

/// Called with the reader behind the head of the matrix; what it leaves unread is skipped.
type Visit<'v, T> = dyn FnMut(&mut Elements<'_>, &str, &Matrix) -> Result<Option<T>> + 'v;
