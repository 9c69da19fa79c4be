//! Pixels with their places in an image, for methods that look at neighbours.

use cupel_data::{AxisKind, Cube};

use crate::{Error, Pixels, Result};

/// Checked spectra of an image: pixel `row * columns + column` is at that place.
#[derive(Clone, Debug)]
pub struct Image {
    pixels: Pixels,
    rows: usize,
    columns: usize,
    wavelengths: Option<Vec<f64>>,
}

impl Image {
    /// Pixels of `rows x columns`.
    ///
    /// # Errors
    /// [`Error::Shape`] where the pixels are not that many.
    pub fn new(pixels: Pixels, rows: usize, columns: usize) -> Result<Self> {
        if rows.checked_mul(columns) != Some(pixels.count()) {
            return Err(Error::Shape {
                what: "pixels of an image",
                expected: format!("{rows} x {columns}"),
                got: pixels.count().to_string(),
            });
        }
        Ok(Self { pixels, rows, columns, wavelengths: None })
    }

    /// The image of a cube with a wavelength axis and two others, rows and columns in their order; where the others are not two,
    /// its pixels are a row.
    ///
    /// # Errors
    /// As [`Pixels::of`].
    pub fn of(cube: &Cube<f32>) -> Result<Self> {
        let pixels = Pixels::of(cube)?;
        let wavelength = AxisKind::Wavelength;
        let sides: Vec<usize> = cube.axes().iter().filter(|axis| axis.kind() != wavelength).map(|a| a.len()).collect();
        let image = match *sides.as_slice() {
            [rows, columns] => Self::new(pixels, rows, columns)?,
            _ => Self::row(&pixels),
        };
        let wavelengths = cube.axes().axis(wavelength)?.coordinates().map(<[f64]>::to_vec);
        Ok(Self { wavelengths, ..image })
    }

    /// Pixels without places, as a single row.
    pub fn row(pixels: &Pixels) -> Self {
        Self { rows: 1, columns: pixels.count(), pixels: pixels.clone(), wavelengths: None }
    }

    /// The spectra.
    pub fn pixels(&self) -> &Pixels {
        &self.pixels
    }

    /// Centre of each band, where the cube had them.
    pub fn wavelengths(&self) -> Option<&[f64]> {
        self.wavelengths.as_deref()
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }
}
