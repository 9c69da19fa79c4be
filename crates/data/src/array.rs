//! [`Array`]: what a file holds, with the type it has there, before anybody names its axes.

use crate::{
    axes::{Axes, Axis, AxisKind},
    cube::Cube,
    element::{Element, ElementType, Misfit, Values, map_values},
    error::{Error, Result},
};

/// Values of any type in row-major order (the last axis varies fastest).
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    shape: Vec<usize>,
    values: Values,
}

impl Array {
    /// An array of row-major `values`.
    ///
    /// # Errors
    /// [`Error::Count`] when the number of values is not the product of `shape`.
    pub fn new(shape: Vec<usize>, values: Values) -> Result<Self> {
        match value_count(&shape) {
            Some(count) if count == values.len() => Ok(Self { shape, values }),
            count => Err(Error::Count {
                doing: "shaping an array",
                what: "values",
                expected: count.unwrap_or(usize::MAX),
                got: values.len(),
            }),
        }
    }

    /// An array of values that lie in column-major order (the first axis varies fastest), as MATLAB and Fortran keep them.
    ///
    /// # Errors
    /// As [`Array::new`].
    pub fn from_column_major(shape: Vec<usize>, values: Values) -> Result<Self> {
        let array = Self::new(shape, values)?;
        let Self { shape, values } = array;
        let reversed: Vec<usize> = shape.iter().rev().copied().collect();
        let values = map_values!(values, values => reverse_axes(values, &reversed));
        Ok(Self { shape, values })
    }

    /// The values in column-major order.
    pub(crate) fn to_column_major(&self) -> Values {
        map_values!(&self.values, values => reverse_axes(values.clone(), &self.shape))
    }

    /// The lengths of the axes.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The values in row-major order.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// The values in row-major order, without a copy.
    pub fn into_values(self) -> Values {
        self.values
    }

    /// The type of the values.
    pub fn element_type(&self) -> ElementType {
        self.values.element_type()
    }

    /// The same values under another shape.
    ///
    /// # Errors
    /// As [`Array::new`].
    pub fn reshaped(self, shape: Vec<usize>) -> Result<Self> {
        Self::new(shape, self.values)
    }

    /// The positions `range` along one axis, which must exist.
    pub(crate) fn part(&self, axis: usize, range: std::ops::Range<usize>) -> Result<Self> {
        let mut shape = self.shape.clone();
        let inner: usize = shape[axis + 1..].iter().product();
        let block = inner * shape[axis];
        shape[axis] = range.len();
        let values = map_values!(&self.values, values => {
            let blocks = values.chunks_exact(block.max(1));
            blocks.flat_map(|block| block[range.start * inner..range.end * inner].iter().copied()).collect()
        });
        Self::new(shape, values)
    }

    /// The array with numbers of type `T` and axes [`AxisKind::Dimension`] 0, 1, ...
    ///
    /// # Errors
    /// [`Error::Inexact`] when a value does not fit into `T` by the rules of [`Element`].
    pub fn into_cube<T: Element>(self) -> Result<Cube<T>> {
        let Self { shape, values } = self;
        let from = values.element_type();
        let axes =
            shape.iter().zip(0..=u8::MAX).map(|(&len, number)| Axis::new(AxisKind::Dimension(number), len)).collect();
        let values = values.convert().map_err(|misfit| misfit.into_error::<T>(from, &shape))?;
        Cube::new(values, Axes::new(axes)?)
    }
}

impl<T: Element> From<&Cube<T>> for Array {
    fn from(cube: &Cube<T>) -> Self {
        Self { shape: cube.shape(), values: T::wrap(cube.values().to_vec()) }
    }
}

/// The product of a shape, or nothing when it cannot be addressed even if zero-length axes are left out.
pub(crate) fn value_count(shape: &[usize]) -> Option<usize> {
    let positive = shape.iter().filter(|&&len| len > 0);
    let product = positive.copied().try_fold(1_usize, usize::checked_mul)?;
    Some(if shape.contains(&0) { 0 } else { product })
}

impl Misfit {
    /// That of numbers of the type `from`, in an array of this shape, that were wanted as `T`.
    pub(crate) fn into_error<T: Element>(self, from: ElementType, shape: &[usize]) -> Error {
        let index = unravel(self.index, shape);
        Error::Inexact { value: self.value, index, wanted: T::TYPE.name(), instead: from.name() }
    }
}

fn unravel(mut offset: usize, shape: &[usize]) -> Vec<usize> {
    let mut index: Vec<usize> = shape
        .iter()
        .rev()
        .map(|&len| {
            let position = offset % len;
            offset /= len;
            position
        })
        .collect();
    index.reverse();
    index
}

/// Side of the square tiles of a transpose: 32 rows and columns of the widest type (16 bytes) stay in a 32 KiB cache.
const TILE: usize = 32;

/// Row-major values of `shape` with the order of all axes reversed.
fn reverse_axes<T: Copy>(values: Vec<T>, shape: &[usize]) -> Vec<T> {
    let Some(&any) = values.first() else {
        return values;
    };
    if shape.iter().filter(|&&len| len > 1).count() < 2 {
        return values;
    }
    // Reversing all axes is a transpose of (first, rest) after the rest of each row has been reversed; splitting the
    // last axis off keeps both sides of every step in tiles.
    let columns = shape[shape.len() - 1];
    let leading = &shape[..shape.len() - 1];
    let rows = values.len() / columns;
    let mut reversed = vec![any; values.len()];
    for row_tile in (0..rows).step_by(TILE) {
        let row_end = rows.min(row_tile + TILE);
        for column_tile in (0..columns).step_by(TILE) {
            for column in column_tile..columns.min(column_tile + TILE) {
                for row in row_tile..row_end {
                    reversed[column * rows + row] = values[row * columns + column];
                }
            }
        }
    }
    if leading.iter().filter(|&&len| len > 1).count() < 2 {
        return reversed;
    }
    // Now `columns` blocks follow each other, each with the leading axes still in their old order.
    drop(values);
    reversed.chunks_exact(rows).flat_map(|block| reverse_axes(block.to_vec(), leading)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The offset of an index in memory where the first axis varies fastest.
    fn column_major_offset(index: &[usize], shape: &[usize]) -> usize {
        index.iter().zip(shape).rev().fold(0, |offset, (&position, &len)| offset * len + position)
    }

    #[test]
    fn column_major_values_are_put_in_row_major_order() {
        for shape in [
            vec![],
            vec![5],
            vec![3, 4],
            vec![70, 41],
            vec![1, 6],
            vec![2, 3, 4],
            vec![33, 2, 35],
            vec![2, 1, 3, 1, 4],
            vec![3, 2, 4, 5],
            vec![0, 3],
        ] {
            let count = value_count(&shape).unwrap();
            let values = Values::U32((0..count as u32).collect());
            let array = Array::from_column_major(shape.clone(), values.clone()).unwrap();
            let Values::U32(got) = array.values() else { panic!("the type changed") };
            for (offset, &value) in got.iter().enumerate() {
                let index = unravel(offset, &shape);
                assert_eq!(value as usize, column_major_offset(&index, &shape), "{shape:?} {index:?}");
            }
            assert_eq!(array.to_column_major(), values);
        }
    }

    #[test]
    fn counts_that_overflow_are_refused_even_beside_a_zero() {
        assert_eq!(value_count(&[]), Some(1));
        assert_eq!(value_count(&[3, 0, 4]), Some(0));
        assert_eq!(value_count(&[1 << 32, 1 << 32]), None);
        assert_eq!(value_count(&[0, 1 << 32, 1 << 32]), None);
        assert!(Array::new(vec![2, 2], Values::U8(vec![1; 3])).is_err());
    }

    #[test]
    fn a_misfit_is_placed_by_its_index() {
        let array = Array::new(vec![2, 3], Values::F64(vec![1.0, 2.0, 3.0, 4.0, 5.5, 6.0])).unwrap();
        let error = array.clone().into_cube::<u8>().unwrap_err().to_string();
        assert_eq!(error, "the value 5.5 at [1, 1] cannot be held by u8 without changing it; read the array as f64");
        let cube = array.into_cube::<f32>().unwrap();
        assert_eq!(cube.axes().kinds(), [AxisKind::Dimension(0), AxisKind::Dimension(1)]);
        assert_eq!(Array::from(&cube).shape(), [2, 3]);
    }
}
