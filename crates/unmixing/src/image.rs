//! Pixels with their places in an image, for methods that look at neighbours.

use cupel_data::{Axis, AxisKind, Cube};

use crate::{Error, Negative, Pixels, Result, Scene, Usable, negative::BelowZero};

/// Checked spectra of an image, row by row, of which some pixels may be left out.
#[derive(Clone, Debug)]
pub struct Image {
    pixels: Pixels,
    /// The pixels of the whole image: those that are left out are as the nearest that is not.
    grid: Pixels,
    usable: Usable,
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
        Ok(Self { grid: pixels.clone(), pixels, usable: Usable::all(rows, columns), wavelengths: None })
    }

    /// The image of a cube with a wavelength axis and two others, rows and columns in their order; where the others are not two,
    /// its pixels are a row.
    ///
    /// # Errors
    /// As [`Pixels::of`].
    pub fn of(cube: &Cube<f32>) -> Result<Self> {
        let wavelength = AxisKind::Wavelength;
        let sides: Vec<usize> = cube.axes().iter().filter(|axis| axis.kind() != wavelength).map(|a| a.len()).collect();
        let pixels = Pixels::of(cube).map_err(|error| match *sides.as_slice() {
            [_, columns] => error.in_image(columns),
            _ => error,
        })?;
        let image = match *sides.as_slice() {
            [rows, columns] => Self::new(pixels, rows, columns)?,
            _ => Self::row(&pixels),
        };
        Ok(image.with_wavelengths(cube.axis(wavelength)?))
    }

    /// The usable pixels of a scene in the smallest image that holds them.
    ///
    /// # Errors
    /// As [`Pixels::new`].
    pub fn of_scene(scene: &Scene) -> Result<Self> {
        if scene.usable.left_out() == 0 {
            return Self::of(&scene.cube);
        }
        let axis = scene.cube.axis(AxisKind::Wavelength)?;
        let pixels = Pixels::new(scene.usable.gathered(scene.cube.values(), axis.len()).into(), axis.len())?;
        let (_, _, usable) = scene.usable.cropped();
        let grid = if usable.left_out() == 0 { pixels.clone() } else { pixels.select(&usable.nearest()) };
        Ok(Self { pixels, grid, usable, wavelengths: None }.with_wavelengths(axis))
    }

    /// The same after what is done with values below zero, and how many there were.
    ///
    /// # Errors
    /// Values below zero that are refused; pixels that are zero in every band without them.
    pub(crate) fn treated(self, negative: Negative) -> Result<(Self, BelowZero)> {
        let columns = self.columns();
        let whole = self.usable.left_out() == 0;
        let named = |error: Error| if whole { error.in_image(columns) } else { error };
        let (pixels, below) = negative.treat(&self.pixels).map_err(named)?;
        // every pixel of the grid is one of the usable ones
        let grid = if whole { pixels.clone() } else { negative.treat(&self.grid)?.0 };
        Ok((Self { pixels, grid, ..self }, below))
    }

    /// Pixels without places, as a single row.
    pub fn row(pixels: &Pixels) -> Self {
        let usable = Usable::all(1, pixels.count());
        Self { usable, grid: pixels.clone(), pixels: pixels.clone(), wavelengths: None }
    }

    fn with_wavelengths(self, axis: &Axis) -> Self {
        Self { wavelengths: axis.coordinates().map(<[f64]>::to_vec), ..self }
    }

    /// The spectra of the usable pixels.
    pub fn pixels(&self) -> &Pixels {
        &self.pixels
    }

    /// The spectra of all pixels of the image, for methods that look at neighbours: one that is left out is as the nearest that is not.
    pub fn grid(&self) -> &Pixels {
        &self.grid
    }

    /// Which pixels of the image are usable.
    pub fn usable(&self) -> &Usable {
        &self.usable
    }

    /// Centre of each band, where the cube had them.
    pub fn wavelengths(&self) -> Option<&[f64]> {
        self.wavelengths.as_deref()
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.usable.rows()
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.usable.columns()
    }
}
