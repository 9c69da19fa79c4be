//! Images from files: [`open_object`] for objects that are known, [`open_field`] for amplitudes and complex values as they are.

use std::path::Path;

use cupel_data::{Values, open};
use cupel_settings::{Range, Settings, settings};
use num_complex::Complex;
use serde::{Deserialize, Serialize};

use crate::{Error, Plane, Result};

/// More pixels than an object has along a side.
const LARGEST: f64 = 32768.0;

settings! {
    /// What is made of the image of an object before it is one.
    #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    pub struct ObjectConfig in "image" {
        /// Pixels along each side of the middle of the image that count; all of them unless given
        pub crop: Option<usize> = None, in Range::at_least(2.0).at_most(LARGEST), "N";
        /// Dark is bright, and bright is dark
        pub invert: bool = false;
        /// Pixels along each side of the object, to which the image is resized; the image's own unless given
        pub object_size: Option<usize> = None, in Range::at_least(2.0).at_most(LARGEST), "N";
    }
}

impl ObjectConfig {
    /// Reads an object as [`open_object`] does, of the image that these settings make of it: cropped, resized (bilinear, with antialiasing where it gets
    /// smaller), inverted, then scaled.
    ///
    /// # Errors
    /// As [`open_object`]; [`Error::Setting`](crate::Error::Setting) for settings out of their ranges; [`Error::Measurement`] for an image smaller than
    /// what is cropped of it, and for complex values, which cannot be inverted or resized.
    pub fn open(&self, path: &Path) -> Result<Plane> {
        self.check()?;
        let Field { mut plane, complex } = read(path)?;
        if complex && (self.invert || self.object_size.is_some()) {
            return Err(wrong(path, "values", "complex".into(), "intensities, for object-size and invert"));
        }
        if let Some(side) = self.crop {
            if side > plane.rows().min(plane.columns()) {
                let got = format!("{} x {} pixels", plane.rows(), plane.columns());
                return Err(wrong(path, "image to crop", got, &format!("at least crop = {side} along each side")));
            }
            plane = plane.middle(side, side)?;
        }
        if let Some(side) = self.object_size {
            plane = resized(&plane, side)?;
        }
        if self.invert {
            plane.values_mut().iter_mut().for_each(|value| *value = -*value);
        }
        if complex { Ok(plane) } else { scaled(plane, path) }
    }
}

/// Reads an object: an image of intensities in any format that cupel reads, scaled to 0..1, whose root is the amplitude; or complex values
/// `[rows, columns]`, which are taken as they are.
///
/// Of colours the mean of red, green and blue counts; transparency does not.
///
/// # Errors
/// As [`open_field`]; [`Error::Measurement`] for an image that is the same everywhere.
pub fn open_object(path: &Path) -> Result<Plane> {
    ObjectConfig::default().open(path)
}

/// The roots of intensities that were scaled to 0..1.
fn scaled(plane: Plane, path: &Path) -> Result<Plane> {
    let intensity = plane.values().iter().map(|value| value.re);
    let (low, high) = intensity.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    if low == high {
        return Err(wrong(path, "values", format!("{low} everywhere"), "an image with darker and brighter places"));
    }
    let values = plane.values().iter().map(|value| ((value.re - low) / (high - low)).sqrt().into()).collect();
    Plane::new(plane.rows(), plane.columns(), values)
}

/// Real values on `side x side` places: rows, then columns, each by the weights of a triangle as wide as the ratio of sizes, as PyTorch's and Pillow's
/// bilinear resizing with antialiasing has them.
fn resized(plane: &Plane, side: usize) -> Result<Plane> {
    let values: Vec<f64> = plane.values().iter().map(|value| value.re).collect();
    let (rows, columns) = (plane.rows(), plane.columns());
    let across: Vec<f64> = values.chunks_exact(columns).flat_map(|row| along(row, side)).collect();
    let turned: Vec<f64> = (0..side * rows).map(|place| across[place % rows * side + place / rows]).collect();
    let down: Vec<f64> = turned.chunks_exact(rows).flat_map(|column| along(column, side)).collect();
    let values = (0..side * side).map(|place| down[place % side * side + place / side].into()).collect();
    Plane::new(side, side, values)
}

fn along(values: &[f64], to: usize) -> Vec<f64> {
    let ratio = values.len() as f64 / to as f64;
    let reach = ratio.max(1.0);
    let at = |place: usize| {
        let middle = (place as f64 + 0.5) * ratio;
        let weights = values.iter().enumerate().map(|(from, value)| {
            let weight = (1.0 - ((from as f64 + 0.5 - middle) / reach).abs()).max(0.0);
            (weight * value, weight)
        });
        let (sum, weight) = weights.fold((0.0, 0.0), |(sum, all), (value, weight)| (sum + value, all + weight));
        sum / weight
    };
    (0..to).map(at).collect()
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

#[cfg(test)]
mod tests {
    use cupel_data::{Array, write_npy};

    use super::*;

    fn image(side: usize, value: impl Fn(usize, usize) -> f64) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image.npy");
        let values = (0..side * side).map(|place| value(place / side, place % side)).collect();
        write_npy(&path, &Array::new(vec![side, side], Values::F64(values)).unwrap()).unwrap();
        (folder, path)
    }

    #[test]
    fn an_image_is_cropped_resized_and_inverted() {
        let (_folder, path) = image(12, |row, column| (row * 12 + column) as f64);
        let open = |config: ObjectConfig| config.open(&path).unwrap();
        assert_eq!(open(ObjectConfig::default()), open_object(&path).unwrap());
        let cropped = open(ObjectConfig { crop: Some(4), ..Default::default() });
        let first = |row: usize, column: usize| ((row * 12 + column) as f64 / 39.0).sqrt();
        let wanted = Plane::from_fn(4, 4, |row, column| first(row, column).into());
        let apart =
            |a: &Plane, b: &Plane| a.values().iter().zip(b.values()).map(|(a, b)| (a - b).norm()).fold(0.0, f64::max);
        assert!(apart(&cropped, &wanted) < 1e-12);
        let inverted = open(ObjectConfig { crop: Some(4), invert: true, ..Default::default() });
        let squares = cropped.values().iter().zip(inverted.values()).map(|(a, b)| a.norm_sqr() + b.norm_sqr());
        assert!(squares.into_iter().all(|sum| (sum - 1.0).abs() < 1e-12));
        // a slope stays a slope at any size, but for its ends
        let half = open(ObjectConfig { object_size: Some(6), ..Default::default() });
        let squares: Vec<f64> = half.values().iter().map(|value| value.norm_sqr()).collect();
        let step = squares[8] - squares[7];
        assert!((squares[9] - squares[8] - step).abs() < 1e-12 && step > 0.0);
        // as it is
        let same = open(ObjectConfig { object_size: Some(12), ..Default::default() });
        assert!(apart(&same, &open_object(&path).unwrap()) < 1e-12);
        let refused = ObjectConfig { crop: Some(13), ..Default::default() }.open(&path).unwrap_err().to_string();
        assert!(refused.contains("12 x 12") && refused.contains("crop = 13"), "{refused}");
    }
}
