//! Named axes: what each direction of an array means, where its positions lie and in which unit.
//!
//! An operation along an axis names the axis. Two axes of the same length can then never be taken for one another,
//! which a bare shape cannot prevent.

mod axis;

pub use axis::{Axis, AxisKind};

use crate::error::{Error, Result};

/// The axes of an array in memory order (the last one varies fastest), no two of one kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Axes(Vec<Axis>);

impl Axes {
    /// The axes of a row-major array.
    ///
    /// # Errors
    /// [`Error::DuplicateAxis`] when a kind occurs twice, [`Error::TooLarge`] when the number of values overflows.
    ///
    /// # Example
    /// ```
    /// use cupel_data::{Axes, Axis, AxisKind};
    /// # fn main() -> cupel_data::Result<()> {
    /// let bands = Axis::new(AxisKind::Wavelength, 3).with_coordinates(vec![450.0, 550.0, 650.0], "nm")?;
    /// let axes = Axes::new(vec![Axis::new(AxisKind::Row, 2), Axis::new(AxisKind::Column, 4), bands])?;
    /// assert_eq!(axes.position(AxisKind::Wavelength)?, 2);
    /// assert!(axes.position(AxisKind::Frequency).is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(axes: Vec<Axis>) -> Result<Self> {
        for (position, axis) in axes.iter().enumerate() {
            if axes[..position].iter().any(|other| other.kind() == axis.kind()) {
                return Err(Error::DuplicateAxis { kind: axis.kind() });
            }
        }
        if axes.iter().try_fold(1_usize, |product, axis| product.checked_mul(axis.len())).is_none() {
            return Err(Error::TooLarge {
                doing: "describing an array",
                size: format!("{:?} values", axes.iter().map(Axis::len).collect::<Vec<_>>()),
                limit: format!("{} values, the most this machine can address", usize::MAX),
            });
        }
        Ok(Self(axes))
    }

    /// Where the axis `kind` stands in memory order.
    ///
    /// # Errors
    /// [`Error::MissingAxis`], naming the axes there are.
    pub fn position(&self, kind: AxisKind) -> Result<usize> {
        self.0
            .iter()
            .position(|axis| axis.kind() == kind)
            .ok_or_else(|| Error::MissingAxis { wanted: kind, have: self.kinds() })
    }

    /// The axis `kind`.
    ///
    /// # Errors
    /// [`Error::MissingAxis`], naming the axes there are.
    pub fn axis(&self, kind: AxisKind) -> Result<&Axis> {
        self.position(kind).map(|position| &self.0[position])
    }

    /// The lengths in memory order.
    pub fn shape(&self) -> Vec<usize> {
        self.0.iter().map(Axis::len).collect()
    }

    /// The kinds in memory order.
    pub fn kinds(&self) -> Vec<AxisKind> {
        self.0.iter().map(Axis::kind).collect()
    }

    /// The axes in memory order.
    pub fn iter(&self) -> std::slice::Iter<'_, Axis> {
        self.0.iter()
    }

    /// The number of axes.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// The number of values of an array with these axes.
    pub fn value_count(&self) -> usize {
        self.0.iter().map(Axis::len).product()
    }

    /// [`Axis::fingerprint`] of the axis `kind`.
    ///
    /// # Errors
    /// [`Error::MissingAxis`], naming the axes there are.
    pub fn fingerprint(&self, kind: AxisKind) -> Result<[u8; 32]> {
        self.axis(kind).map(Axis::fingerprint)
    }

    /// The same axes under new names, in memory order.
    ///
    /// # Errors
    /// [`Error::Count`] unless there is one name per axis, [`Error::DuplicateAxis`] when a name is given twice.
    pub fn renamed(self, kinds: &[AxisKind]) -> Result<Self> {
        if kinds.len() != self.rank() {
            return Err(Error::Count {
                doing: "naming the axes of an array",
                what: "names",
                expected: self.rank(),
                got: kinds.len(),
            });
        }
        Self::new(self.0.into_iter().zip(kinds).map(|(axis, &kind)| axis.renamed(kind)).collect())
    }

    /// The same axes with the one of `axis`'s kind replaced by `axis`, to attach coordinates.
    ///
    /// # Errors
    /// [`Error::MissingAxis`] when there is no axis of that kind, [`Error::AxisLength`] when the lengths differ.
    pub fn with_axis(mut self, axis: Axis) -> Result<Self> {
        let position = self.position(axis.kind())?;
        if axis.len() != self.0[position].len() {
            return Err(Error::AxisLength { kind: axis.kind(), expected: self.0[position].len(), got: axis.len() });
        }
        self.0[position] = axis;
        Ok(self)
    }

    /// The positions of `kinds`, which must name each axis once: the order of a permutation.
    ///
    /// # Errors
    /// [`Error::AxisList`] when an axis is left out, repeated or unknown.
    pub(crate) fn order(&self, kinds: &[AxisKind]) -> Result<Vec<usize>> {
        let positions: Vec<usize> = kinds.iter().filter_map(|&kind| self.position(kind).ok()).collect();
        let named_once =
            (0..self.rank()).all(|axis| positions.iter().filter(|&&position| position == axis).count() == 1);
        if !named_once || kinds.len() != self.rank() {
            return Err(Error::AxisList { doing: "permuting", expected: self.kinds(), got: kinds.to_vec() });
        }
        Ok(positions)
    }
}

impl<'a> IntoIterator for &'a Axes {
    type Item = &'a Axis;
    type IntoIter = std::slice::Iter<'a, Axis>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_axis_is_named_with_those_there_are() {
        let axes = Axes::new(vec![Axis::new(AxisKind::Row, 2), Axis::new(AxisKind::Dimension(1), 3)]).unwrap();
        assert_eq!(
            axes.position(AxisKind::Wavelength).unwrap_err().to_string(),
            "there is no wavelength axis; the array has (row, dimension 1); rename its axes or pass the right array"
        );
    }

    #[test]
    fn duplicate_and_overflowing_axes_are_refused() {
        let row = || Axis::new(AxisKind::Row, 2);
        assert!(matches!(Axes::new(vec![row(), row()]), Err(Error::DuplicateAxis { kind: AxisKind::Row })));
        let huge = vec![Axis::new(AxisKind::Row, 1 << 40), Axis::new(AxisKind::Column, 1 << 40)];
        assert!(matches!(Axes::new(huge), Err(Error::TooLarge { .. })));
    }
}
