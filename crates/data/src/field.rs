//! [`Field`]: a tensor that still knows its axes.

use crate::{
    axes::{Axes, Axis, AxisKind},
    cube::Cube,
    error::{Error, Result},
};
use burn::tensor::Tensor;

/// A tensor on a device with the [`Axes`] of its `D` dimensions; models take the plain [`tensor`](Self::tensor).
#[derive(Clone, Debug)]
pub struct Field<const D: usize> {
    /// The values.
    pub tensor: Tensor<D>,
    axes: Axes,
}

impl<const D: usize> Field<D> {
    /// A tensor under these axes.
    ///
    /// # Errors
    /// [`Error::Shape`] when the axes do not have the shape of the tensor.
    pub fn new(tensor: Tensor<D>, axes: Axes) -> Result<Self> {
        if tensor.dims()[..] != axes.shape() {
            return Err(Error::Shape {
                doing: "naming the axes of a tensor",
                expected: axes.shape(),
                got: tensor.dims().to_vec(),
            });
        }
        Ok(Self { tensor, axes })
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

    /// The tensor and its axes.
    pub fn into_parts(self) -> (Tensor<D>, Axes) {
        (self.tensor, self.axes)
    }

    /// The values back on the host, in f32.
    ///
    /// # Errors
    /// [`Error::Shape`] when [`tensor`](Self::tensor) was replaced by one of another shape, [`Error::Device`] when the
    /// device does not give the values back.
    pub fn to_cube(&self) -> Result<Cube<f32>> {
        let shape = self.axes.shape();
        if self.tensor.dims()[..] != shape {
            return Err(Error::Shape {
                doing: "reading a field back",
                expected: shape,
                got: self.tensor.dims().to_vec(),
            });
        }
        let failed = |message: String| Error::Device { action: "read back", shape: self.axes.shape(), message };
        let data = self.tensor.clone().try_into_data_as::<f32>().map_err(|error| failed(error.to_string()))?;
        let values = data.try_into_vec::<f32>().map_err(|error| failed(format!("{error:?}")))?;
        Cube::new(values, self.axes.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{DType, Device, FloatDType};

    fn cube() -> Cube<f32> {
        let axes = Axes::new(vec![Axis::new(AxisKind::Row, 2), Axis::new(AxisKind::Wavelength, 3)]).unwrap();
        Cube::new(vec![0.5, -1.0, 3.0e38, 1.0e-40, 4.0, 5.0], axes).unwrap()
    }

    #[test]
    fn values_and_axes_come_back_unchanged() {
        let field = cube().to_field::<2>(&Device::flex()).unwrap();
        assert_eq!(field.tensor.dtype(), DType::F32);
        assert_eq!(field.axes().position(AxisKind::Wavelength).unwrap(), 1);
        assert_eq!(field.to_cube().unwrap(), cube());
    }

    #[test]
    fn a_transposed_tensor_comes_back_in_its_own_order() {
        let (tensor, axes) = cube().to_field::<2>(&Device::flex()).unwrap().into_parts();
        let flipped =
            Axes::new(vec![axes.iter().nth(1).unwrap().clone(), axes.iter().next().unwrap().clone()]).unwrap();
        let back = Field::new(tensor.transpose(), flipped).unwrap().to_cube().unwrap();
        assert_eq!(back, cube().with_last(AxisKind::Row).unwrap());
    }

    #[test]
    fn low_precision_reads_back_as_f32() {
        let mut field = cube().select(AxisKind::Wavelength, &[0, 1]).unwrap().to_field::<2>(&Device::flex()).unwrap();
        field.tensor = field.tensor.cast(FloatDType::BF16);
        assert_eq!(field.to_cube().unwrap().values()[..2], [0.5, -1.0]);
    }

    #[test]
    fn rank_and_shape_are_checked() {
        let device = Device::flex();
        assert!(matches!(cube().to_field::<3>(&device), Err(Error::Count { expected: 3, got: 2, .. })));
        let mut field = cube().to_field::<2>(&device).unwrap();
        let axes = field.axes().clone();
        field.tensor = field.tensor.transpose();
        assert!(matches!(field.to_cube(), Err(Error::Shape { .. })));
        assert!(matches!(Field::new(field.tensor, axes), Err(Error::Shape { .. })));
    }
}
