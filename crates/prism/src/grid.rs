//! [`Grid`]: coordinates of a plane and of its spectrum, as tensors.

use std::sync::OnceLock;

use burn::tensor::{DType, Device, Tensor, TensorData};

use crate::{Error, Result};

/// Coordinates of `ny x nx` points, `dx` metres apart, and of their frequencies; each is computed once, when it is first asked for.
///
/// Places are those of `fftshift(fftfreq(N))`: the origin at `N / 2`, rounded down, for even and odd numbers of points.
///
/// # Example
/// ```
/// # use burn::tensor::Device;
/// let grid = cupel_prism::Grid::new(4, 3, 2.0, 500e-9)?.to(&Device::flex());
/// assert_eq!(grid.x().into_data().try_to_vec::<f32>().unwrap(), [-4.0, -2.0, 0.0, 2.0]);
/// assert_eq!(grid.kx().into_data().try_to_vec::<f32>().unwrap(), [-0.25, -0.125, 0.0, 0.125]);
/// # Ok::<(), cupel_prism::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Grid {
    nx: usize,
    ny: usize,
    dx: f64,
    wavelength: f64,
    device: Option<Device>,
    axes: Axes,
}

#[derive(Clone, Debug, Default)]
struct Axes {
    x: OnceLock<Tensor<2>>,
    y: OnceLock<Tensor<2>>,
    kx: OnceLock<Tensor<2>>,
    ky: OnceLock<Tensor<2>>,
}

impl Grid {
    /// `nx` columns and `ny` rows of points `dx` metres apart, for light of `wavelength` metres.
    ///
    /// # Errors
    /// [`Error::Optics`] for no points, or lengths that are not positive and finite.
    pub fn new(nx: usize, ny: usize, dx: f64, wavelength: f64) -> Result<Self> {
        for (what, length) in [("distance of a grid's points", dx), ("wavelength", wavelength)] {
            if !(length > 0.0 && length.is_finite()) {
                return Err(Error::Optics {
                    what,
                    got: length.to_string(),
                    expected: "a positive number of metres".into(),
                });
            }
        }
        if nx == 0 || ny == 0 {
            return Err(Error::Optics {
                what: "points of a grid",
                got: format!("{ny} x {nx}"),
                expected: "at least one along each axis".into(),
            });
        }
        Ok(Self { nx, ny, dx, wavelength, device: None, axes: Axes::default() })
    }

    /// The same grid with its tensors on this device; what was computed for another is forgotten.
    #[must_use]
    pub fn to(self, device: &Device) -> Self {
        match self.device.as_ref() == Some(device) {
            true => self,
            false => Self { device: Some(device.clone()), axes: Axes::default(), ..self },
        }
    }

    /// Metres along rows, `[1, nx]`.
    ///
    /// # Panics
    /// Where the grid was never brought to a device: "a grid has tensors only on a device: call Grid::to".
    pub fn x(&self) -> Tensor<2> {
        self.cached(&self.axes.x, [1, self.nx], self.dx)
    }

    /// Metres down columns, `[ny, 1]`.
    ///
    /// # Panics
    /// As [`x`](Self::x).
    pub fn y(&self) -> Tensor<2> {
        self.cached(&self.axes.y, [self.ny, 1], self.dx)
    }

    /// Periods a metre along rows, `[1, nx]`.
    ///
    /// # Panics
    /// As [`x`](Self::x).
    pub fn kx(&self) -> Tensor<2> {
        self.cached(&self.axes.kx, [1, self.nx], 1.0 / (self.nx as f64 * self.dx))
    }

    /// Periods a metre down columns, `[ny, 1]`.
    ///
    /// # Panics
    /// As [`x`](Self::x).
    pub fn ky(&self) -> Tensor<2> {
        self.cached(&self.axes.ky, [self.ny, 1], 1.0 / (self.ny as f64 * self.dx))
    }

    /// Columns and rows.
    pub fn size(&self) -> [usize; 2] {
        [self.nx, self.ny]
    }

    /// Metres from one point to the next.
    pub fn dx(&self) -> f64 {
        self.dx
    }

    /// Metres.
    pub fn wavelength(&self) -> f64 {
        self.wavelength
    }

    fn cached(&self, axis: &OnceLock<Tensor<2>>, shape: [usize; 2], step: f64) -> Tensor<2> {
        let Some(device) = &self.device else {
            panic!("a grid has tensors only on a device: call Grid::to");
        };
        let compute = || {
            let places = centred_places(shape[0].max(shape[1])).map(|place| (place * step) as f32).collect();
            Tensor::from_data(TensorData::new::<f32, _>(places, shape), (device, DType::F32))
        };
        axis.get_or_init(compute).clone()
    }
}

/// `-floor(N / 2), .., ceil(N / 2) - 1`.
pub(crate) fn centred_places(count: usize) -> impl Iterator<Item = f64> {
    (0..count).map(move |place| place as f64 - (count / 2) as f64)
}
