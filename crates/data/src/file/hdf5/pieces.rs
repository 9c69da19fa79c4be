//! [`Pieces`]: numbers of a data set that are read without the others, chunk by chunk.

use super::{DataSet, Kind, data_set::numbers, fault};
use crate::{array::Array, error::Result, file::origin::Origin};
use hdf5_reader::{
    Datatype, H5Type, SliceInfo, SliceInfoElem,
    error::{Error as Hdf5Error, Result as Hdf5Result},
};
use std::{fmt, ops::Range};

/// A data set of numbers.
pub(crate) struct Pieces {
    data: DataSet,
    /// The bytes of a number: a power of 2 up to 16.
    size: usize,
    origin: Origin,
}

impl fmt::Debug for Pieces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pieces").field("path", &self.data.path).field("kind", &self.data.kind).finish()
    }
}

impl Pieces {
    /// Nothing for fields of records and numbers that are arrays themselves: the decoder cuts nothing smaller than an element.
    pub(super) fn of(data: &DataSet, origin: &Origin) -> Option<Self> {
        let Kind::Number { element, parts, .. } = data.kind else { return None };
        let size = parts.map_or(element.size_bytes(), |part| 2 * part.size_bytes());
        let whole = data.field.is_none() && data.inner.raw_element_size().is_ok_and(|bytes| bytes == size);
        let sliced = !data.inner.shape().is_empty() && data.inner.ndim() == data.shape.len();
        (whole && sliced).then(|| Self { data: data.clone(), size, origin: origin.clone() })
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The positions `range` along one axis of the shape that is shown, row-major.
    pub(crate) fn part(&self, axis: usize, range: Range<usize>) -> Result<Array> {
        let data = &self.data;
        let mut shape = data.shape.clone();
        shape[axis] = range.len();
        let in_file = if data.reversed { shape.len() - 1 - axis } else { axis };
        let mut selection = SliceInfo::all(shape.len());
        selection.selections[in_file] =
            SliceInfoElem::Slice { start: range.start as u64, end: range.end as u64, step: 1 };
        let bytes = match self.size {
            1 => self.read::<1>(&selection),
            2 => self.read::<2>(&selection),
            4 => self.read::<4>(&selection),
            8 => self.read::<8>(&selection),
            _ => self.read::<16>(&selection),
        };
        let bytes = bytes.map_err(|error| fault(&self.origin, data.place(), error))?;
        let values = numbers(&data.kind, &bytes, shape.iter().product(), &self.origin, &data.place())?;
        data.shaped(shape, values)
    }

    fn read<const N: usize>(&self, selection: &SliceInfo) -> Hdf5Result<Vec<u8>> {
        let cells = self.data.inner.read_slice::<Cell<N>>(selection)?;
        Ok(cells.iter().map(|cell| cell.0).collect::<Vec<_>>().into_flattened())
    }
}

/// The bytes of a number of any type, as they lie in the file.
#[derive(Clone)]
#[repr(transparent)]
struct Cell<const N: usize>([u8; N]);

impl<const N: usize> H5Type for Cell<N> {
    fn hdf5_type() -> Datatype {
        Datatype::Opaque { size: N as u32, tag: String::new() }
    }

    fn from_bytes(bytes: &[u8], _: &Datatype) -> Hdf5Result<Self> {
        let missing = || Hdf5Error::InvalidData(format!("a number of {N} bytes has {}", bytes.len()));
        bytes.first_chunk().copied().map(Self).ok_or_else(missing)
    }

    fn element_size(_: &Datatype) -> usize {
        N
    }

    fn native_copy_compatible(_: &Datatype) -> bool {
        true
    }
}
