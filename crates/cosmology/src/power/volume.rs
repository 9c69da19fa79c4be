//! [`Volume`]: the box that a cube fills, and the wave numbers of its grid.

use std::f64::consts::TAU;

use cupel_data::{Axes, AxisKind, Cube};
use rayon::prelude::*;

use super::delay::even_step_mhz;
use crate::{Background, Error, Geometry, Result};

/// A grid of [frequency, row, column] cells and the lengths of its sides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Volume {
    shape: [usize; 3],
    lengths: [f64; 3],
    measure: Measure,
}

/// What lengths are measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Measure {
    /// Comoving Mpc/h.
    Comoving,
    /// Cells of the grid, where nothing says how large they are.
    Cells,
    /// Radians on the sky.
    Angle,
}

impl Volume {
    /// A box of these comoving sides in Mpc/h, in the order [frequency, row, column].
    ///
    /// # Errors
    /// [`Error::Spectrum`] without cells, or when a side is not above zero.
    pub fn comoving(shape: [usize; 3], sides_mpc_h: [f64; 3]) -> Result<Self> {
        Self::new(shape, sides_mpc_h, Measure::Comoving)
    }

    /// The box of a flat sky of so many [rows, columns]: lengths as [`Geometry::lengths_mpc_h`] gives them.
    ///
    /// # Errors
    /// [`Error::Spectrum`] when channels are not evenly spaced or sides not above zero.
    pub fn of(geometry: &Geometry, pixels: [usize; 2], background: &Background) -> Result<Self> {
        even_step_mhz(&geometry.frequencies_mhz)?;
        let shape = [geometry.frequencies_mhz.len(), pixels[0], pixels[1]];
        Self::comoving(shape, geometry.lengths_mpc_h(background))
    }

    /// A box whose cells have the side 1, for arrays of which no geometry is known: wave numbers are radians per cell.
    ///
    /// # Errors
    /// [`Error::Spectrum`] without cells.
    pub fn cells(shape: [usize; 3]) -> Result<Self> {
        Self::new(shape, shape.map(|count| count as f64), Measure::Cells)
    }

    /// One channel of [row, column] pixels of a patch of these sides in degrees: wave numbers are multipoles.
    pub(crate) fn patch(pixels: [usize; 2], side_deg: [f64; 2]) -> Result<Self> {
        let [rows, columns] = side_deg.map(f64::to_radians);
        Self::new([1, pixels[0], pixels[1]], [1.0, rows, columns], Measure::Angle)
    }

    fn new(shape: [usize; 3], lengths: [f64; 3], measure: Measure) -> Result<Self> {
        if shape.contains(&0) {
            return Err(Error::Spectrum { expected: "at least one cell along each axis", got: format!("{shape:?}") });
        }
        if !lengths.iter().all(|length| length.is_finite() && *length > 0.0) {
            return Err(Error::Spectrum { expected: "a box with sides above zero", got: format!("{lengths:?}") });
        }
        Ok(Self { shape, lengths, measure })
    }

    /// The number of cells along [frequency, row, column].
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// The sides of the box in the same order.
    pub fn lengths(&self) -> [f64; 3] {
        self.lengths
    }

    /// The number of cells.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there are no cells, which no volume allows.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The volume of the box; where the frequency is a single channel without depth, its area.
    pub fn size(&self) -> f64 {
        self.lengths.iter().product()
    }

    /// Unit of wave numbers.
    pub fn k_unit(&self) -> &'static str {
        match self.measure {
            Measure::Comoving => "h/Mpc",
            Measure::Cells => "rad/cell",
            Measure::Angle => "",
        }
    }

    /// Unit of the power of a sky in `unit`: `mK^2 (Mpc/h)^3`.
    pub fn power_unit(&self, unit: &str) -> String {
        match self.measure {
            Measure::Comoving => format!("{unit}^2 (Mpc/h)^3"),
            Measure::Cells => format!("{unit}^2 cell^3"),
            Measure::Angle => format!("{unit}^2 sr"),
        }
    }

    /// The smallest wave number along an axis, `2 pi / L`.
    pub(crate) fn fundamental(&self, axis: usize) -> f64 {
        TAU / self.lengths[axis]
    }

    /// The size of the wave numbers along an axis in the order of a Fourier transform.
    pub(crate) fn wave_numbers(&self, axis: usize) -> Vec<f64> {
        let count = self.shape[axis];
        (0..count).map(|i| self.fundamental(axis) * i.min(count - i) as f64).collect()
    }

    /// The values of a cube in the order [frequency, row, column].
    ///
    /// # Errors
    /// When the cube has no frequency axis, not three axes, or another shape.
    pub(crate) fn values<T: Copy + Into<f64> + Send + Sync>(&self, cube: &Cube<T>) -> Result<Vec<f64>> {
        let ordered = cube.permuted(&sky_order(cube.axes())?)?;
        if ordered.shape() != self.shape {
            return Err(Error::Compared {
                what: "a sky",
                got: ordered.shape(),
                with: "the box of its power spectrum",
                expected: self.shape.to_vec(),
            });
        }
        Ok(ordered.values().par_iter().map(|value| (*value).into()).collect())
    }
}

/// The axes of a sky as [frequency, row or declination, column or right ascension].
pub(crate) fn sky_order(axes: &Axes) -> Result<[AxisKind; 3]> {
    axes.position(AxisKind::Frequency)?;
    let mut others: Vec<AxisKind> = axes.kinds();
    others.retain(|kind| *kind != AxisKind::Frequency);
    others.sort_by_key(|kind| matches!(kind, AxisKind::Column | AxisKind::RightAscension));
    match others[..] {
        [row, column] => Ok([AxisKind::Frequency, row, column]),
        _ => Err(Error::Spectrum {
            expected: "a frequency axis and two axes on the sky",
            got: axes.kinds().iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cupel_data::Axis;

    #[test]
    fn wave_numbers_are_those_of_a_transform() {
        let volume = Volume::comoving([4, 5, 1], [TAU, TAU, 2.0]).unwrap();
        assert_eq!(volume.wave_numbers(0), [0.0, 1.0, 2.0, 1.0]);
        assert_eq!(volume.wave_numbers(1), [0.0, 1.0, 2.0, 2.0, 1.0]);
        assert_eq!(volume.wave_numbers(2), [0.0]);
        assert_eq!(Volume::cells([8; 3]).unwrap().fundamental(0), TAU / 8.0);
        assert!(
            Volume::comoving([4, 0, 1], [1.0; 3]).is_err() && Volume::comoving([4; 3], [1.0, f64::NAN, 1.0]).is_err()
        );
    }

    #[test]
    fn a_cube_is_read_by_the_names_of_its_axes() {
        let axes = |kinds: [AxisKind; 3]| Axes::new(kinds.map(|kind| Axis::new(kind, 2)).to_vec()).unwrap();
        let (frequency, row, column) = (AxisKind::Frequency, AxisKind::Row, AxisKind::Column);
        let cube = Cube::new((0_u8..8).map(f32::from).collect(), axes([column, frequency, row])).unwrap();
        let values = Volume::cells([2; 3]).unwrap().values(&cube).unwrap();
        assert_eq!(values, [0.0, 4.0, 1.0, 5.0, 2.0, 6.0, 3.0, 7.0]);
        let unnamed = cube.clone().rename(&[AxisKind::Dimension(0), row, column]).unwrap();
        assert!(Volume::cells([2; 3]).unwrap().values(&unnamed).unwrap_err().to_string().contains("no frequency axis"));
        assert!(matches!(Volume::cells([2, 2, 3]).unwrap().values(&cube), Err(Error::Compared { .. })));
    }
}
