//! [`Raw`]: an array that lies in a file as plain numbers, so that any part of it can be read without the rest.

use crate::{
    array::{Array, value_count},
    cube::transpose,
    element::{ElementType, Values, map_values},
    error::{Error, Place, Result},
    file::{
        fits::Scaling,
        map::Map,
        numbers::{ByteOrder, read_values},
        origin::Origin,
    },
};
use std::{
    fs::File,
    io::{self, Read},
    ops::Range,
};

/// How the numbers lie.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Layout {
    /// Bytes before the first number.
    pub(crate) offset: u64,
    pub(crate) element: ElementType,
    pub(crate) order: ByteOrder,
    /// The shape that is shown.
    pub(crate) shape: Vec<usize>,
    /// The axes of that shape in the order in which they lie in the file, the slowest first.
    pub(crate) axes: Vec<usize>,
    /// Bytes from one position of the slowest axis in the file to the next, where other things lie between them; then there
    /// are one or two axes.
    pub(crate) row_bytes: Option<usize>,
}

impl Layout {
    /// The bytes that the file must have up to the last number, if a machine can address them.
    pub(crate) fn end(&self) -> Option<u64> {
        let count = value_count(&self.shape)?;
        let bytes = match self.row_bytes {
            Some(row_bytes) if count > 0 => {
                let rows = self.shape[self.axes[0]];
                let row = (count / rows).checked_mul(self.element.size_bytes())?;
                (rows - 1).checked_mul(row_bytes)?.checked_add(row)?
            }
            _ => count.checked_mul(self.element.size_bytes())?,
        };
        isize::try_from(bytes).ok()?;
        self.offset.checked_add(bytes as u64)
    }
}

/// An array in a mapped file.
#[derive(Debug)]
pub(crate) struct Raw {
    map: Map,
    layout: Layout,
    origin: Origin,
    /// What the numbers in the file stand for, where that is not themselves.
    scaling: Option<Scaling>,
}

impl Raw {
    /// Maps the file, which must hold what `layout` says.
    pub(crate) fn new(file: File, layout: Layout, origin: &Origin) -> Result<Self> {
        let map = Map::new(file).map_err(Error::io("map", &origin.path))?;
        match layout.end() {
            None => {
                let problem = format!("shape {:?} is more than this machine can address", layout.shape);
                Err(origin.fault(Place::File, problem))
            }
            Some(end) if end > map.len() as u64 => {
                let problem = format!("shape {:?} needs {end} bytes, there are {}", layout.shape, map.len());
                Err(origin.fault_with(Place::File, problem, "the file is truncated or its header is wrong"))
            }
            Some(_) => Ok(Self { map, layout, origin: origin.clone(), scaling: None }),
        }
    }

    /// The same array with numbers that stand for others.
    pub(crate) fn scaled(self, scaling: Scaling) -> Self {
        Self { scaling: Some(scaling), ..self }
    }

    /// The whole array, row-major in its shape.
    pub(crate) fn array(&self) -> Result<Array> {
        match self.layout.shape.first() {
            Some(&len) => self.part(0, 0..len),
            None => Array::new(Vec::new(), self.scale(self.read(0, 0..1)?)?),
        }
    }

    /// The positions `range` along one axis of the shape, which must exist, row-major.
    pub(crate) fn part(&self, axis: usize, range: Range<usize>) -> Result<Array> {
        let Layout { shape, axes, .. } = &self.layout;
        let mut shape = shape.clone();
        shape[axis] = range.len();
        let in_file = axes.iter().position(|&other| other == axis).unwrap_or(axis);
        let values = self.scale(self.read(in_file, range)?)?;
        let lies: Vec<usize> = axes.iter().map(|&axis| shape[axis]).collect();
        // Where each axis of the shape lies in the file.
        let mut order = vec![0; axes.len()];
        axes.iter().enumerate().for_each(|(position, &axis)| order[axis] = position);
        let values =
            if order.is_sorted() { values } else { map_values!(values, values => transpose(&values, &lies, &order)) };
        Array::new(shape, values)
    }

    fn scale(&self, values: Values) -> Result<Values> {
        match &self.scaling {
            Some(scaling) => scaling.apply(values).map_err(|problem| self.origin.fault(Place::File, problem)),
            None => Ok(values),
        }
    }

    /// The numbers at the positions `range` of one axis of the file, in the order of the file.
    fn read(&self, axis: usize, range: Range<usize>) -> Result<Values> {
        let lies: Vec<usize> = self.layout.axes.iter().map(|&axis| self.layout.shape[axis]).collect();
        // None of these products overflows: the whole array fits into the file, unless it is empty.
        let (count, inner, outer) = match value_count(&lies) {
            None | Some(0) => (0, 0, 0),
            Some(_) => {
                let inner: usize = lies.iter().skip(axis + 1).product();
                let outer: usize = lies.iter().take(axis).product();
                (outer * range.len() * inner, inner, outer)
            }
        };
        let size = self.layout.element.size_bytes();
        let start = self.layout.offset as usize;
        let mut runs = match self.layout.row_bytes {
            // Every row by itself.
            Some(row_bytes) if axis == 0 => {
                let start = start + if count > 0 { range.start * row_bytes } else { 0 };
                Runs {
                    map: &self.map,
                    start,
                    stride: row_bytes,
                    len: inner * size,
                    outer: range.len(),
                    run: 0,
                    taken: 0,
                }
            }
            row_bytes => {
                let stride = row_bytes.unwrap_or(lies.get(axis).copied().unwrap_or(1) * inner * size);
                let (start, len) = (start + range.start * inner * size, range.len() * inner * size);
                Runs { map: &self.map, start, stride, len, outer, run: 0, taken: 0 }
            }
        };
        read_values(&mut runs, self.layout.element, count, self.layout.order).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                let problem = "it has become shorter since it was opened";
                self.origin.fault_with(Place::File, problem, "leave the file alone while it is read")
            }
            _ => self.origin.read(Place::File)(error),
        })
    }
}

/// Equal runs of bytes at equal distances, one after the other.
struct Runs<'a> {
    map: &'a Map,
    start: usize,
    stride: usize,
    len: usize,
    outer: usize,
    run: usize,
    /// Bytes of the current run that have been read.
    taken: usize,
}

impl Read for Runs<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.map.check()?;
        let mut read = 0;
        while read < out.len() && self.run < self.outer {
            let bytes = (self.len - self.taken).min(out.len() - read);
            let offset = self.start + self.run * self.stride + self.taken;
            self.map.copy(offset, &mut out[read..read + bytes])?;
            read += bytes;
            self.taken += bytes;
            if self.taken == self.len {
                self.run += 1;
                self.taken = 0;
            }
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::numbers::write_values;

    /// Shape [4, 3, 5] with value 100 i + 10 j + k, written with its axes in the order `axes` after 7 bytes.
    fn raw(axes: [usize; 3], element: ElementType) -> (tempfile::TempDir, Raw) {
        let shape = [4, 3, 5];
        let mut numbers = Vec::new();
        for a in 0..shape[axes[0]] {
            for b in 0..shape[axes[1]] {
                for c in 0..shape[axes[2]] {
                    let mut index = [0; 3];
                    (index[axes[0]], index[axes[1]], index[axes[2]]) = (a, b, c);
                    numbers.push((100 * index[0] + 10 * index[1] + index[2]) as u16);
                }
            }
        }
        let values = match element {
            ElementType::U16 => Values::U16(numbers),
            _ => Values::F64(numbers.into_iter().map(f64::from).collect()),
        };
        let mut bytes = vec![9; 7];
        write_values(&mut bytes, &values).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("raw");
        std::fs::write(&path, bytes).unwrap();
        let layout = Layout {
            offset: 7,
            element,
            order: ByteOrder::Little,
            shape: shape.to_vec(),
            axes: axes.to_vec(),
            row_bytes: None,
        };
        let raw = Raw::new(File::open(&path).unwrap(), layout, &Origin::new(&path, "raw")).unwrap();
        (folder, raw)
    }

    #[test]
    fn any_part_along_any_axis_of_any_order_is_read() {
        for axes in [[0, 1, 2], [0, 2, 1], [2, 0, 1], [1, 2, 0], [2, 1, 0]] {
            for element in [ElementType::U16, ElementType::F64] {
                let (_folder, raw) = raw(axes, element);
                for axis in 0..3 {
                    let len = raw.layout.shape[axis];
                    for range in [0..len, 1..len, 0..1, len - 1..len, 2..2] {
                        let part = raw.part(axis, range.clone()).unwrap();
                        let starts: Vec<usize> = (0..3).map(|a| if a == axis { range.start } else { 0 }).collect();
                        let shape = part.shape().to_vec();
                        let values = part.into_values().convert::<f64>().unwrap();
                        assert_eq!(values.len(), shape.iter().product::<usize>());
                        for (n, value) in values.into_iter().enumerate() {
                            let index = [n / shape[2] / shape[1], n / shape[2] % shape[1], n % shape[2]];
                            let [i, j, k]: [usize; 3] = std::array::from_fn(|a| index[a] + starts[a]);
                            assert_eq!(value as usize, 100 * i + 10 * j + k, "{axes:?} {axis} {range:?}");
                        }
                    }
                }
                assert_eq!(raw.array().unwrap(), raw.part(2, 0..5).unwrap());
            }
        }
    }

    #[test]
    fn rows_with_other_things_between_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("raw");
        // Rows of 7 bytes, the numbers 10 i + j from byte 2 of each on; the last row ends with them.
        let bytes: Vec<u8> = (0..5_u8).flat_map(|i| [99, 99, 10 * i, 10 * i + 1, 10 * i + 2, 99, 99]).collect();
        std::fs::write(&path, &bytes[..4 * 7 + 5]).unwrap();
        let open = |shape: &[usize]| {
            let axes = (0..shape.len()).collect();
            let (element, order) = (ElementType::U8, ByteOrder::Big);
            let layout = Layout { offset: 2, element, order, shape: shape.to_vec(), axes, row_bytes: Some(7) };
            Raw::new(File::open(&path).unwrap(), layout, &Origin::new(&path, "raw"))
        };
        let part = |shape: &[usize], axis, range| open(shape).unwrap().part(axis, range).unwrap().into_values();
        assert_eq!(part(&[5, 3], 0, 1..3), Values::U8(vec![10, 11, 12, 20, 21, 22]));
        assert_eq!(part(&[5, 3], 1, 1..3), Values::U8(vec![1, 2, 11, 12, 21, 22, 31, 32, 41, 42]));
        assert_eq!(part(&[5], 0, 3..5), Values::U8(vec![30, 40]));
        assert_eq!(open(&[5]).unwrap().array().unwrap().into_values(), Values::U8(vec![0, 10, 20, 30, 40]));
        assert!(open(&[5, 0]).is_ok() && open(&[5, 4]).is_err() && open(&[6]).is_err() && open(&[1 << 62]).is_err());
    }

    #[test]
    fn layouts_that_the_file_cannot_hold_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("raw");
        std::fs::write(&path, [0; 64]).unwrap();
        let open = |offset: u64, shape: Vec<usize>| {
            let axes = (0..shape.len()).collect();
            let layout =
                Layout { offset, element: ElementType::F64, order: ByteOrder::Big, shape, axes, row_bytes: None };
            Raw::new(File::open(&path).unwrap(), layout, &Origin::new(&path, "raw"))
        };
        assert!(open(0, vec![8]).is_ok() && open(56, vec![]).is_ok() && open(64, vec![0, 3]).is_ok());
        for (offset, shape) in [(1, vec![8]), (0, vec![9]), (57, vec![]), (u64::MAX, vec![1]), (65, vec![0])] {
            assert!(matches!(open(offset, shape), Err(Error::Format { .. })));
        }
        for shape in [vec![1 << 32, 1 << 32], vec![0, 1 << 32, 1 << 32], vec![1 << 60]] {
            let message = open(0, shape).unwrap_err().to_string();
            assert!(message.contains("more than this machine can address"), "{message}");
        }
    }
}
