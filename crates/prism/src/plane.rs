//! [`Plane`]: complex values over rows and columns, on the host.

use num_complex::Complex;

use crate::{Error, Result};

/// Complex values over rows and columns: an object, a pupil, a probe, a spectrum.
///
/// Values are amplitudes: their squared magnitude is an intensity. Which place is the origin depends on what it is: the frequency nought of
/// a spectrum, the middle of a pupil and of a probe lie at place `N / 2`, rounded down.
#[derive(Clone, Debug, PartialEq)]
pub struct Plane {
    rows: usize,
    columns: usize,
    values: Vec<Complex<f64>>,
}

impl Plane {
    /// Values row by row.
    ///
    /// # Errors
    /// [`Error::Shape`] where there are not `rows * columns` of them.
    pub fn new(rows: usize, columns: usize, values: Vec<Complex<f64>>) -> Result<Self> {
        if values.len() != rows * columns {
            return Err(Error::Shape { what: "plane", got: values.len(), wanted: rows * columns });
        }
        Ok(Self { rows, columns, values })
    }

    /// The value of `f` at every row and column.
    pub fn from_fn(rows: usize, columns: usize, f: impl Fn(usize, usize) -> Complex<f64>) -> Self {
        let values = (0..rows * columns).map(|place| f(place / columns, place % columns)).collect();
        Self { rows, columns, values }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The values, row by row.
    pub fn values(&self) -> &[Complex<f64>] {
        &self.values
    }

    /// The values, row by row, to be changed.
    pub fn values_mut(&mut self) -> &mut [Complex<f64>] {
        &mut self.values
    }

    /// The magnitudes, row by row.
    pub fn amplitude(&self) -> Vec<f64> {
        self.values.iter().map(|value| value.norm()).collect()
    }

    /// The phases in radians, row by row, in (-pi, pi].
    pub fn phase(&self) -> Vec<f64> {
        self.values.iter().map(|value| value.arg()).collect()
    }

    /// The part of `rows` and `columns` around the middle: of `N` places those from `N / 2 - n / 2` on, each rounded down.
    ///
    /// # Errors
    /// [`Error::Optics`] where it is larger than the plane.
    pub fn middle(&self, rows: usize, columns: usize) -> Result<Self> {
        if rows > self.rows || columns > self.columns {
            return Err(Error::Optics {
                what: "size of the middle of a plane",
                got: format!("{rows} x {columns}"),
                expected: format!("at most {} x {}", self.rows, self.columns),
            });
        }
        let (top, left) = (self.rows / 2 - rows / 2, self.columns / 2 - columns / 2);
        Ok(Self::from_fn(rows, columns, |row, column| self.values[(top + row) * self.columns + left + column]))
    }

    /// This plane in the middle of a larger one that is nought elsewhere; the inverse of [`middle`](Self::middle).
    ///
    /// # Errors
    /// [`Error::Optics`] where it does not fit in.
    pub fn padded(&self, rows: usize, columns: usize) -> Result<Self> {
        if rows < self.rows || columns < self.columns {
            return Err(Error::Optics {
                what: "size of the field around an object",
                got: format!("{rows} x {columns}"),
                expected: format!("at least the object's {} x {}", self.rows, self.columns),
            });
        }
        let (top, left) = (rows / 2 - self.rows / 2, columns / 2 - self.columns / 2);
        let mut padded = Self::from_fn(rows, columns, |_, _| Complex::new(0.0, 0.0));
        for (row, values) in self.values.chunks_exact(self.columns).enumerate() {
            let first = (top + row) * columns + left;
            padded.values[first..first + self.columns].copy_from_slice(values);
        }
        Ok(padded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_what_was_padded_is_what_it_was() {
        for (rows, columns, wide) in [(3, 4, 8), (4, 3, 9), (5, 5, 5)] {
            let plane = Plane::from_fn(rows, columns, |r, c| Complex::new(r as f64, c as f64 + 1.0));
            assert_eq!(plane.padded(wide, wide).unwrap().middle(rows, columns).unwrap(), plane);
        }
    }

    #[test]
    fn too_few_values_and_too_small_a_field_are_refused() {
        assert!(Plane::new(2, 2, vec![]).is_err());
        assert!(Plane::from_fn(4, 4, |_, _| Complex::new(1.0, 0.0)).padded(3, 4).is_err());
    }
}
