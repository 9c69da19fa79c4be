//! [`Pieces`]: numbers of a data set that are read without the others, chunk by chunk.

use super::{DataSet, Kind, fault};
use crate::{
    array::Array,
    element::{ElementType, Values},
    error::Result,
    file::origin::Origin,
};
use hdf5_reader::{Datatype, H5Type, SliceInfo, SliceInfoElem, error::Result as Hdf5Result};
use std::{fmt, ops::Range};

/// A data set of numbers.
pub(crate) struct Pieces {
    data: DataSet,
    element: ElementType,
    origin: Origin,
}

impl fmt::Debug for Pieces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pieces").field("path", &self.data.path).field("element", &self.element).finish()
    }
}

impl Pieces {
    /// Nothing where the decoder knows the numbers as whole only.
    pub(super) fn of(data: &DataSet, origin: &Origin) -> Option<Self> {
        let Kind::Number { element, .. } = data.kind else { return None };
        let plain = matches!(data.inner.dtype(), Datatype::FixedPoint { .. } | Datatype::FloatingPoint { .. });
        let known = !matches!(element, ElementType::Bool | ElementType::F16);
        let sliced = !data.inner.shape().is_empty() && data.inner.ndim() == data.shape.len();
        (plain && known && sliced).then(|| Self { data: data.clone(), element, origin: origin.clone() })
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The positions `range` along one axis of the shape that is shown, row-major.
    pub(crate) fn part(&self, axis: usize, range: Range<usize>) -> Result<Array> {
        let mut shape = self.data.shape.clone();
        shape[axis] = range.len();
        let in_file = if self.data.reversed { shape.len() - 1 - axis } else { axis };
        let mut selection = SliceInfo::all(shape.len());
        selection.selections[in_file] =
            SliceInfoElem::Slice { start: range.start as u64, end: range.end as u64, step: 1 };
        let values = match self.element {
            ElementType::U8 => self.read(&selection).map(Values::U8),
            ElementType::I8 => self.read(&selection).map(Values::I8),
            ElementType::U16 => self.read(&selection).map(Values::U16),
            ElementType::I16 => self.read(&selection).map(Values::I16),
            ElementType::U32 => self.read(&selection).map(Values::U32),
            ElementType::I32 => self.read(&selection).map(Values::I32),
            ElementType::U64 => self.read(&selection).map(Values::U64),
            ElementType::I64 => self.read(&selection).map(Values::I64),
            ElementType::F32 => self.read(&selection).map(Values::F32),
            _ => self.read(&selection).map(Values::F64),
        };
        let values = values.map_err(|error| fault(&self.origin, self.data.place(), error))?;
        if self.data.reversed { Array::from_column_major(shape, values) } else { Array::new(shape, values) }
    }

    fn read<T: H5Type>(&self, selection: &SliceInfo) -> Hdf5Result<Vec<T>> {
        Ok(self.data.inner.read_slice(selection)?.into_iter().collect())
    }
}
