//! What MATLAB 7.3 writes into HDF5 beyond numbers.
//!
//! The axes are reversed: MATLAB lies column-major, so that what it shows as `2 x 3` is a data set `(3, 2)`. The attribute
//! `MATLAB_class` says what a data set is: a class of numbers, `logical` in bytes, `char` in UTF-16, `cell` as references to data
//! sets under `#refs#`. A struct is a group, an array of structs a group with a reference for each struct in each field, and a sparse
//! matrix a group with `data`, `ir` and `jc`, whose attribute `MATLAB_sparse` is its number of rows. Of an array without numbers
//! the data set holds the shape. MathWorks documents the container only ("MAT-File Versions"); these conventions are those that
//! its own files show.

use super::{Bounds, DataSet, Item, Kind, fault, stored};
use crate::{
    array::{Array, value_count},
    element::{Element, ElementType, Values},
    error::{Place, Result},
    file::{
        dataset::Class,
        limits::deflate_capacity,
        mat,
        numbers::{ByteOrder, read_values},
        origin::Origin,
        sparse::Columns,
    },
};
use hdf5_reader::group::Group;
use std::collections::HashMap;

/// The most axes of an array without numbers.
const AXES: u64 = 64;

/// The most rows of a sparse matrix: the whole numbers that f64 holds.
const MOST_ROWS: f64 = (1_u64 << 53) as f64;

/// The group of what cells refer to.
const REFERENCES: &str = "#refs#";

/// What the attributes of a data set say.
pub(super) struct Marks {
    pub(super) class: Option<String>,
    empty: bool,
    object: bool,
}

impl Marks {
    pub(super) fn of(data: &DataSet, origin: &Origin) -> Result<Self> {
        let (mut class, mut empty, mut object) = (None, false, false);
        let failed = |error| fault(origin, data.place(), error);
        for attribute in stored(data.inner.raw_attributes()).map_err(failed)? {
            match attribute.name.as_str() {
                "MATLAB_class" => {
                    let text = attribute.read_string().map_err(failed)?;
                    class = Some(text.trim_end_matches('\0').to_string());
                }
                "MATLAB_empty" => empty = attribute.read_as_f64().is_ok_and(|value| value != 0.0),
                "MATLAB_object_decode" => object = true,
                _ => {}
            }
        }
        Ok(Self { class, empty, object })
    }

    /// What is listed of the data set, and what is kept to read it.
    pub(super) fn variable(
        &self,
        mut data: DataSet,
        shape: Vec<usize>,
        bounds: &Bounds<'_>,
    ) -> Result<(Vec<usize>, Class, Item)> {
        let class = self.class.as_deref();
        let other = |what: &str| (Class::Other(what.to_string()), Item::Other);
        if self.object {
            let (class, item) = other("an object");
            return Ok((shape, class, item));
        }
        if self.empty {
            let shape = data.shape_within(bounds)?;
            let (class, item) = match class {
                Some("char") => (Class::Text, Item::Lines(vec![String::new()])),
                Some("cell") => (Class::Cell, Item::Lines(Vec::new())),
                Some("struct") => (Class::Struct, Item::Other),
                class => match element(class) {
                    Some(element) => (Class::Number(element), Item::Empty(shape.clone(), element)),
                    None => other("an object"),
                },
            };
            return Ok((shape, class, item));
        }
        let (class, item) = match (class, &mut data.kind) {
            (Some("cell"), Kind::Reference) => (Class::Cell, Item::Cell(Box::new(data))),
            (Some("char"), Kind::Number { .. }) => (Class::Text, Item::Text(Box::new(data))),
            (Some("logical"), Kind::Number { element, .. }) if element.size_bytes() == 1 => {
                *element = ElementType::Bool;
                (Class::Number(ElementType::Bool), Item::Numbers(Box::new(data)))
            }
            (Some("function_handle"), _) => other("a function handle"),
            (class, Kind::Number { element, .. }) if class.is_none_or(|class| self::element(Some(class)).is_some()) => {
                (Class::Number(*element), Item::Numbers(Box::new(data)))
            }
            (None, Kind::Text(_)) => (Class::Text, Item::Text(Box::new(data))),
            (None, Kind::Reference) => other("references"),
            (_, Kind::Record(_)) => other("records"),
            (_, Kind::Other(what)) => (Class::Other(what.clone()), Item::Other),
            (_, _) => other("an object"),
        };
        Ok((shape, class, item))
    }
}

/// The type of the numbers of a class.
fn element(class: Option<&str>) -> Option<ElementType> {
    Some(match class? {
        // What `[]` in a cell refers to is called by its own name.
        "double" | "canonical empty" => ElementType::F64,
        "single" => ElementType::F32,
        "int8" => ElementType::I8,
        "uint8" => ElementType::U8,
        "int16" => ElementType::I16,
        "uint16" => ElementType::U16,
        "int32" => ElementType::I32,
        "uint32" => ElementType::U32,
        "int64" => ElementType::I64,
        "uint64" => ElementType::U64,
        "logical" => ElementType::Bool,
        _ => return None,
    })
}

impl DataSet {
    /// The shape that the numbers of the data set of an array without numbers say.
    fn shape_within(&self, bounds: &Bounds<'_>) -> Result<Vec<usize>> {
        let origin = bounds.origin;
        let wrong = || origin.fault(self.place(), "the shape of an array without numbers is missing");
        let count = self.inner.num_elements().map_err(|error| fault(origin, self.place(), error))?;
        if !(1..=AXES).contains(&count) {
            return Err(wrong());
        }
        let lengths = self.exactly::<u64>(bounds)?;
        let shape = lengths.iter().map(|&len| usize::try_from(len).ok()).collect::<Option<Vec<_>>>();
        let shape = shape.filter(|shape| shape.contains(&0)).ok_or_else(wrong)?;
        match value_count(&shape) {
            Some(_) => Ok(shape),
            None => Err(origin.fault(self.place(), format!("shape {shape:?} is more than this machine can address"))),
        }
    }

    /// Its numbers as another type, which must hold all of them.
    fn exactly<T: Element>(&self, bounds: &Bounds<'_>) -> Result<Vec<T>> {
        self.values(bounds)?.convert().map_err(|misfit| {
            let origin = bounds.origin;
            let problem = format!("the stored number {} is not one of type {}", misfit.value, T::TYPE);
            origin.fault(self.place(), problem)
        })
    }
}

/// An array of this shape, which has an axis of length 0.
pub(super) fn empty(shape: &[usize], element: ElementType, origin: &Origin) -> Result<Array> {
    let none = read_values(&mut std::io::empty(), element, 0, ByteOrder::Little);
    Array::new(shape.to_vec(), none.map_err(origin.read(Place::File))?)
}

/// The lines of a text.
pub(super) fn lines(data: &DataSet, bounds: &Bounds<'_>) -> Result<Vec<String>> {
    let utf16 = matches!(data.kind, Kind::Number { element: ElementType::U16, .. });
    let characters = data.exactly::<u32>(bounds)?;
    Ok(mat::lines(&characters, data.shape.first().copied().unwrap_or(0), utf16))
}

/// The texts of a cell array; nothing where a cell is something else.
pub(super) fn cell_text(root: &Group, data: &DataSet, bounds: &Bounds<'_>) -> Result<Option<Vec<String>>> {
    let origin = bounds.origin;
    let failed = |error| fault(origin, data.place(), error);
    let bytes = data.bytes(bounds)?;
    let (addresses, _) = bytes.as_chunks::<8>();
    let mut cells = HashMap::new();
    if !addresses.is_empty() {
        let references = root.group(REFERENCES).and_then(|group| group.datasets()).map_err(failed)?;
        cells = references.into_iter().map(|cell| (cell.address(), cell)).collect();
    }
    let mut texts = Vec::new();
    let mut total = 0;
    for &address in addresses {
        let Some(cell) = cells.get(&u64::from_le_bytes(address)) else {
            return Err(origin.fault(data.place(), "a cell refers to something that is not in the file"));
        };
        let cell = DataSet::new(cell.clone(), true, data.path.clone(), origin)?;
        let marks = Marks::of(&cell, origin)?;
        let shape = cell.shape.clone();
        match marks.variable(cell, shape, bounds)? {
            (_, Class::Text, Item::Text(cell)) => texts.push(lines(&cell, bounds)?.join("\n")),
            (_, Class::Text | Class::Number(_), Item::Lines(_) | Item::Empty(..)) => texts.push(String::new()),
            _ => return Ok(None),
        }
        // Cells that refer to the same text over and over would make a small file as large as it likes.
        total += texts.last().map_or(0, String::len) as u64;
        if total > deflate_capacity(bounds.len) {
            return Err(origin.fault(data.place(), "its texts claim more bytes than the file can hold"));
        }
    }
    Ok(Some(texts))
}

/// A matrix in compressed columns.
pub(super) struct Sparse {
    rows: usize,
    starts: DataSet,
    /// Rows and numbers of the entries, where there are any.
    entries: Option<(DataSet, DataSet)>,
    element: ElementType,
}

impl Sparse {
    /// The matrix that a group holds, if it holds one.
    pub(super) fn of(group: &Group, path: &str, origin: &Origin) -> Result<Option<Self>> {
        let place = || Place::Variable(path.to_string());
        let failed = |error| fault(origin, place(), error);
        let attributes = stored(group.raw_attributes()).map_err(failed)?;
        let find = |name: &str| attributes.iter().find(|attribute| attribute.name == name);
        let Some(rows) = find("MATLAB_sparse") else { return Ok(None) };
        let rows = rows.read_as_f64().map_err(failed)?;
        if !(0.0..MOST_ROWS).contains(&rows) || rows.fract() != 0.0 {
            return Err(origin.fault(place(), format!("it has {rows} rows")));
        }
        let rows = rows as usize;
        let logical = find("MATLAB_class").and_then(|class| class.read_string().ok());
        let logical = logical.is_some_and(|class| class.trim_end_matches('\0') == "logical");
        let (mut starts, mut row_of, mut numbers) = (None, None, None);
        for data in group.datasets().map_err(failed)? {
            let slot = match data.name() {
                "jc" => &mut starts,
                "ir" => &mut row_of,
                "data" => &mut numbers,
                _ => continue,
            };
            *slot = Some(DataSet::new(data, true, path.to_string(), origin)?);
        }
        let entries = row_of.zip(numbers);
        let Some(starts) = starts.filter(|starts| starts.shape.len() == 1 && starts.shape[0] > 0) else {
            return Err(origin.fault(place(), "the columns of a sparse matrix are missing"));
        };
        let complex = entries
            .as_ref()
            .is_some_and(|(_, numbers)| matches!(numbers.kind, Kind::Number { element: ElementType::Complex128, .. }));
        let element = match (logical, complex) {
            (true, _) => ElementType::Bool,
            (false, true) => ElementType::Complex128,
            (false, false) => ElementType::F64,
        };
        Ok(Some(Self { rows, starts, entries, element }))
    }

    pub(super) fn shape(&self) -> Vec<usize> {
        vec![self.rows, self.starts.shape[0].saturating_sub(1)]
    }

    pub(super) fn element(&self) -> ElementType {
        self.element
    }

    /// The matrix with its zeros.
    pub(super) fn array(&self, bounds: &Bounds<'_>) -> Result<Array> {
        let Bounds { limits, origin, .. } = *bounds;
        let [rows, columns] = [self.rows, self.starts.shape[0].saturating_sub(1)];
        let starts = self.starts.exactly(bounds)?;
        let (mut row_of, mut real, mut imaginary) = (Vec::new(), Vec::new(), Vec::new());
        if let Some((ir, numbers)) = &self.entries {
            row_of = ir.exactly(bounds)?;
            if self.element == ElementType::Complex128 {
                if let Values::Complex128(pairs) = numbers.values(bounds)? {
                    (real, imaginary) = pairs.iter().map(|value| (value.re, value.im)).unzip();
                }
            } else {
                real = numbers.exactly(bounds)?;
            }
        }
        let columns = Columns { rows, columns, row_of, starts, real, imaginary };
        columns.dense(self.element, limits, origin, &self.starts.place())
    }
}
