//! [`Cube`]: an n-dimensional array in host memory whose axes have names.

mod transpose;

pub(crate) use self::transpose::transpose;
use crate::{
    axes::{Axes, Axis, AxisKind},
    error::{Error, Result},
    field::Field,
};
use burn::tensor::{DType, Device, Tensor, TensorData};
use num_complex::Complex;
use rayon::prelude::*;
use std::sync::Arc;

/// An array in row-major order of its [`Axes`]; clones share the values.
#[derive(Clone, Debug, PartialEq)]
pub struct Cube<T> {
    // Not `Arc<[T]>`: turning a `Vec` into one copies every value, and a scene may fill half the memory.
    values: Arc<Vec<T>>,
    axes: Axes,
}

impl<T> Cube<T> {
    /// An array of `values`, the last axis varying fastest.
    ///
    /// # Errors
    /// [`Error::Count`] unless there are as many values as the axes have positions.
    ///
    /// # Example
    /// ```
    /// use cupel_data::{Axes, Axis, AxisKind, Cube};
    /// # fn main() -> cupel_data::Result<()> {
    /// let axes = Axes::new(vec![Axis::new(AxisKind::Wavelength, 2), Axis::new(AxisKind::Sample, 3)])?;
    /// let bands_first = Cube::new(vec![1, 2, 3, 10, 20, 30], axes)?;
    /// let pixels_first = bands_first.with_last(AxisKind::Wavelength)?;
    /// assert_eq!(pixels_first.values(), [1, 10, 2, 20, 3, 30]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(values: Vec<T>, axes: Axes) -> Result<Self> {
        if values.len() != axes.value_count() {
            return Err(Error::Count {
                doing: "making an array",
                what: "values",
                expected: axes.value_count(),
                got: values.len(),
            });
        }
        Ok(Self { values: Arc::new(values), axes })
    }

    /// The values, the last axis varying fastest.
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// The axes in memory order.
    pub fn axes(&self) -> &Axes {
        &self.axes
    }

    /// The axis `kind`.
    ///
    /// # Errors
    /// [`Error::MissingAxis`], naming the axes there are.
    pub fn axis(&self, kind: AxisKind) -> Result<&Axis> {
        self.axes.axis(kind)
    }

    /// The lengths of the axes in memory order.
    pub fn shape(&self) -> Vec<usize> {
        self.axes.shape()
    }

    /// The number of values.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The same values with the axes called `kinds`, in memory order; no value moves.
    ///
    /// # Errors
    /// As [`Axes::renamed`].
    pub fn rename(self, kinds: &[AxisKind]) -> Result<Self> {
        Ok(Self { axes: self.axes.renamed(kinds)?, ..self })
    }

    /// The same values with coordinates on one axis.
    ///
    /// # Errors
    /// As [`Axes::with_axis`].
    pub fn with_axis(self, axis: Axis) -> Result<Self> {
        Ok(Self { axes: self.axes.with_axis(axis)?, ..self })
    }

    /// `f` of every value, on the same axes.
    pub fn map<U: Send>(&self, f: impl Fn(&T) -> U + Send + Sync) -> Cube<U>
    where
        T: Sync,
    {
        Cube { values: Arc::new(self.values.par_iter().map(f).collect()), axes: self.axes.clone() }
    }
}

impl<T: Clone> Cube<T> {
    /// The values themselves, without a copy when no clone of this array is alive.
    pub fn into_values(self) -> Vec<T> {
        Arc::unwrap_or_clone(self.values)
    }
}

impl<T: Copy + Send + Sync> Cube<T> {
    /// The array with its axes in the order `kinds` and its values moved accordingly.
    ///
    /// # Errors
    /// [`Error::AxisList`] unless `kinds` names each axis once.
    pub fn permuted(&self, kinds: &[AxisKind]) -> Result<Self> {
        let order = self.axes.order(kinds)?;
        if order.is_sorted() {
            return Ok(self.clone());
        }
        let all: Vec<&Axis> = self.axes.iter().collect();
        let axes = Axes::new(order.iter().map(|&position| all[position].clone()).collect())?;
        Ok(Self { values: Arc::new(transpose(&self.values, &self.shape(), &order)), axes })
    }

    /// The array with the axis `kind` last, so that the values along it are neighbours; the others keep their order.
    ///
    /// # Errors
    /// [`Error::MissingAxis`] when there is no such axis.
    pub fn with_last(&self, kind: AxisKind) -> Result<Self> {
        self.axes.position(kind)?;
        let mut kinds = self.axes.kinds();
        kinds.retain(|&other| other != kind);
        kinds.push(kind);
        self.permuted(&kinds)
    }

    /// The array of the positions `indices` along the axis `kind`, in that order; a position may be taken twice.
    ///
    /// # Errors
    /// [`Error::MissingAxis`] when there is no such axis, otherwise as [`Axis::select`].
    pub fn select(&self, kind: AxisKind, indices: &[usize]) -> Result<Self> {
        let position = self.axes.position(kind)?;
        let mut axes: Vec<Axis> = self.axes.iter().cloned().collect();
        let shape = self.shape();
        let (len, inner) = (shape[position], shape[position + 1..].iter().product::<usize>());
        axes[position] = axes[position].select(indices)?;
        let axes = Axes::new(axes)?;
        let mut values = Vec::with_capacity(axes.value_count());
        if inner * len > 0 {
            for outer in self.values.chunks_exact(len * inner) {
                for &index in indices {
                    values.extend_from_slice(&outer[index * inner..(index + 1) * inner]);
                }
            }
        }
        Self::new(values, axes)
    }
}

impl<T: Finite> Cube<T> {
    /// Passes when no value is NaN or infinite.
    ///
    /// # Errors
    /// [`Error::NonFinite`] with the place of the first one and how many there are.
    pub fn check_finite(&self) -> Result<()> {
        let Some(mut offset) = self.values.iter().position(|value| !value.finite()) else {
            return Ok(());
        };
        let count = self.values[offset..].iter().filter(|value| !value.finite()).count();
        let mut first: Vec<(AxisKind, usize)> = Vec::with_capacity(self.axes.rank());
        for axis in self.axes.iter().collect::<Vec<_>>().into_iter().rev() {
            first.push((axis.kind(), offset % axis.len()));
            offset /= axis.len();
        }
        first.reverse();
        Err(Error::NonFinite { first, count, len: self.len() })
    }
}

impl Cube<f32> {
    /// The array on a device, in f32 whatever the device's default type is.
    ///
    /// # Errors
    /// [`Error::Count`] when the array does not have `D` axes.
    pub fn to_field<const D: usize>(&self, device: &Device) -> Result<Field<D>> {
        if self.axes.rank() != D {
            return Err(Error::Count {
                doing: "moving an array to a device",
                what: "axes",
                expected: D,
                got: self.axes.rank(),
            });
        }
        let data = TensorData::new(self.values.to_vec(), self.shape());
        Field::new(Tensor::from_data(data, (device, DType::F32)), self.axes.clone())
    }
}

/// A number that can be NaN or infinite.
pub trait Finite {
    /// Whether it is neither.
    fn finite(&self) -> bool;
}

macro_rules! finite {
    ($($float:ty),*) => {$(
        impl Finite for $float {
            fn finite(&self) -> bool {
                self.is_finite()
            }
        }
    )*};
}
finite!(f32, f64, half::f16, half::bf16);

impl<T: Finite> Finite for Complex<T> {
    fn finite(&self) -> bool {
        self.re.finite() && self.im.finite()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KINDS: [AxisKind; 5] =
        [AxisKind::Row, AxisKind::Column, AxisKind::Wavelength, AxisKind::Sample, AxisKind::Mode];

    fn cube(shape: &[usize]) -> Cube<u32> {
        let axes = Axes::new(KINDS.iter().zip(shape).map(|(&kind, &len)| Axis::new(kind, len)).collect()).unwrap();
        let count = axes.value_count() as u32;
        Cube::new((0..count).collect(), axes).unwrap()
    }

    /// The value at an index, by the definition of row-major order.
    fn value(cube: &Cube<u32>, index: &[usize]) -> u32 {
        let offset = index.iter().zip(cube.shape()).fold(0, |offset, (i, len)| offset * len + i);
        cube.values()[offset]
    }

    fn check_permutation(shape: &[usize], order: &[usize]) {
        let source = cube(shape);
        let kinds: Vec<AxisKind> = order.iter().map(|&axis| KINDS[axis]).collect();
        let result = source.permuted(&kinds).unwrap();
        assert_eq!(result.axes().kinds(), kinds);
        let mut index = vec![0; shape.len()];
        for position in 0..source.len() {
            let mut rest = position;
            for axis in (0..shape.len()).rev() {
                index[axis] = rest % shape[axis];
                rest /= shape[axis];
            }
            let moved: Vec<usize> = order.iter().map(|&axis| index[axis]).collect();
            assert_eq!(value(&result, &moved), value(&source, &index), "{shape:?} {order:?} at {index:?}");
        }
        let back = result.permuted(&source.axes().kinds()).unwrap();
        assert_eq!(back, source);
    }

    proptest! {
        #[test]
        fn permuting_moves_every_value_to_its_place_and_back(
            (shape, order) in (1_usize..=5)
                .prop_flat_map(|rank| (prop::collection::vec(1_usize..9, rank), Just((0..rank).collect::<Vec<_>>()).prop_shuffle()))
        ) {
            check_permutation(&shape, &order);
        }
    }

    #[test]
    fn permuting_crosses_tile_and_chunk_borders() {
        check_permutation(&[70, 33, 65], &[2, 0, 1]);
        check_permutation(&[70, 33, 65], &[2, 1, 0]);
        check_permutation(&[70, 33, 65], &[1, 0, 2]);
        check_permutation(&[129, 97], &[1, 0]);
        check_permutation(&[3, 0, 2], &[2, 0, 1]);
    }

    #[test]
    fn permuting_needs_each_axis_once() {
        let source = cube(&[2, 3]);
        for kinds in [&[AxisKind::Row][..], &[AxisKind::Row, AxisKind::Row], &[AxisKind::Row, AxisKind::Mode]] {
            assert!(matches!(source.permuted(kinds), Err(Error::AxisList { .. })), "{kinds:?}");
        }
    }

    #[test]
    fn selecting_takes_rows_of_any_axis_with_their_coordinates() {
        let bands = Axis::new(AxisKind::Column, 3).with_coordinates(vec![1.0, 2.0, 4.0], "nm").unwrap();
        let source = cube(&[2, 3, 2]).with_axis(bands).unwrap();
        let chosen = source.select(AxisKind::Column, &[0, 2]).unwrap();
        assert_eq!(chosen.values(), [0, 1, 4, 5, 6, 7, 10, 11]);
        assert_eq!(chosen.axis(AxisKind::Column).unwrap().coordinates(), Some(&[1.0, 4.0][..]));
        assert_eq!(source.select(AxisKind::Row, &[1, 1]).unwrap().values()[..6], [6, 7, 8, 9, 10, 11]);
        assert!(matches!(source.select(AxisKind::Column, &[2, 0, 1]), Err(Error::Coordinate { index: 2, .. })));
        assert!(matches!(source.select(AxisKind::Row, &[2]), Err(Error::Index { index: 2, len: 2, .. })));
        assert!(source.select(AxisKind::Row, &[]).unwrap().is_empty());
    }

    #[test]
    fn non_finite_values_are_counted_and_placed() {
        let good = cube(&[2, 3, 4]).map(|&v| v as f32);
        good.check_finite().unwrap();
        let bad = good.map(|&v| {
            if v == 18.0 {
                f32::NAN
            } else if v > 21.0 {
                f32::INFINITY
            } else {
                v
            }
        });
        assert_eq!(
            bad.check_finite().unwrap_err().to_string(),
            "3 of 24 values are not finite, the first at row 1, column 1, wavelength 2; remove, mask or fill them first"
        );
    }

    #[test]
    fn complex_values_are_finite_in_both_parts() {
        let finite = |re: f32, im: f32| Complex::new(re, im).finite();
        assert!(finite(1.0, -2.0) && !finite(f32::NAN, 0.0) && !finite(0.0, f32::INFINITY));
    }

    #[test]
    fn the_number_of_values_is_checked() {
        let axes = Axes::new(vec![Axis::new(AxisKind::Row, 2)]).unwrap();
        assert_eq!(Cube::new(vec![1.0; 3], axes).unwrap_err().to_string(), "making an array: expected 2 values, got 3");
    }
}
