//! Images from files: [`open_object`] for objects that are known, [`open_field`] for amplitudes and complex values as they are.

use std::path::Path;

use cupel_data::{Values, open};
use num_complex::Complex;

use crate::{Error, Plane, Result};

/// Reads an object: an image of intensities in any format that cupel reads, scaled to 0..1, whose root is the amplitude; or complex values
/// `[rows, columns]`, which are taken as they are.
///
/// Of colours the mean of red, green and blue counts; transparency does not.
///
/// # Errors
/// As [`open_field`]; [`Error::Measurement`] for an image that is the same everywhere.
pub fn open_object(path: &Path) -> Result<Plane> {
    let field = read(path)?;
    let Field { plane, complex: false } = field else { return Ok(field.plane) };
    let intensity = plane.values().iter().map(|value| value.re);
    let (low, high) = intensity.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    if low == high {
        return Err(wrong(path, "values", format!("{low} everywhere"), "an image with darker and brighter places"));
    }
    let values = plane.values().iter().map(|value| ((value.re - low) / (high - low)).sqrt().into()).collect();
    Plane::new(plane.rows(), plane.columns(), values)
}

/// Reads amplitudes, or complex values, `[rows, columns]`, as they are.
///
/// # Errors
/// [`Error::Data`] for a file that cannot be read; [`Error::Measurement`] for an array that is no image, and for values that are not finite.
pub fn open_field(path: &Path) -> Result<Plane> {
    Ok(read(path)?.plane)
}

struct Field {
    plane: Plane,
    complex: bool,
}

fn wrong(path: &Path, what: &str, got: String, expected: &str) -> Error {
    Error::Measurement { what: format!("{}: {what}", path.display()), got, expected: expected.into() }
}

fn read(path: &Path) -> Result<Field> {
    let array = open(path)?.array(None)?;
    let (rows, columns, bands) = match *array.shape() {
        [rows, columns] if rows * columns > 0 => (rows, columns, 1),
        [rows, columns, bands @ 1..=4] if rows * columns > 0 => (rows, columns, bands),
        ref other => {
            return Err(wrong(path, "shape", format!("{other:?}"), "[rows, columns], or [rows, columns, colours]"));
        }
    };
    let whole = |re: f64, im: f64| Complex::new(re, im);
    let (complex, values): (bool, Vec<Complex<f64>>) = match array.values() {
        Values::Complex64(_) | Values::Complex128(_) if bands > 1 => {
            return Err(wrong(path, "shape", format!("{:?}", array.shape()), "[rows, columns] of complex values"));
        }
        Values::Complex64(values) => {
            (true, values.iter().map(|value| whole(f64::from(value.re), f64::from(value.im))).collect())
        }
        Values::Complex128(values) => (true, values.iter().map(|value| whole(value.re, value.im)).collect()),
        _ => {
            // grey and alpha, or three colours and alpha
            let colours = if bands >= 3 { 3 } else { 1 };
            let values = array.into_cube::<f64>()?.into_values();
            let mean = |pixel: &[f64]| pixel[..colours].iter().sum::<f64>() / colours as f64;
            (false, values.chunks_exact(bands).map(|pixel| mean(pixel).into()).collect())
        }
    };
    if let Some(place) = values.iter().position(|value| !(value.re.is_finite() && value.im.is_finite())) {
        let what = format!("row {}, column {}", place / columns, place % columns);
        return Err(wrong(path, &what, values[place].to_string(), "a finite number; mend or crop the image"));
    }
    Ok(Field { plane: Plane::new(rows, columns, values)?, complex })
}
