//! Exposures as NPZ files, with all that is known of how they were made: what `observe` writes and `reconstruct` reads.
//!
//! | variable | shape | what it is |
//! |---|---|---|
//! | `data` | `[exposure, D, D]` | intensities; infinite where a pixel does not count in that exposure |
//! | `scan` | `[exposure, 2]` | rows and columns of the centres, in places from the middle of the plane |
//! | `probe` | `[mode, W, W]` | pupil or probe, complex |
//! | `field` | `[2]` | rows and columns of the plane that windows are cut from |
//! | `geometry` | `[1]` | 0: windows of the spectrum, 1: windows of the object |
//! | `noise` | `[0 or 2]` | photons of one unit of intensity and electrons of the read-out; `[1]`: unknown |
//! | `support` | `[0 or 2]` | rows and columns outside which the object is nought |
//! | `bounds` | `[0 or 2]` | least and largest value of a real object |
//! | `real` | `[1]` | 1 where the object has no phase |
//! | `scale` | `[2]` | metres of a pixel of the object, and of the wavelength; NaN where unknown |
//! | `good` | `[0 or D * D]` | 1 for pixels that count |
//! | `truth` | `[rows, columns]` | the object, complex, where it is known |

use std::{path::Path, sync::Arc};

use cupel_data::{Array, Dataset, Values, open, write_npz};
use num_complex::Complex;

use crate::{
    Error, Exposures, Frames, Geometry, InMemory, Knowledge, Noise, Optics, Plane, Result,
    read::{MEMORY_BYTES, Stack},
};

/// Variables that no other software's file has all of.
const OWN: [&str; 6] = ["data", "scan", "probe", "field", "geometry", "noise"];

/// Writes exposures, and the object where it is known.
///
/// # Errors
/// Frames that cannot be read; [`Error::Data`] where the file cannot be written.
pub fn write_exposures(path: &Path, exposures: &Exposures, truth: Option<&Plane>) -> Result<()> {
    exposures.check()?;
    let Exposures { optics, centres, frames, noise, good, known, lights: _ } = exposures;
    let (count, side) = (centres.len(), optics.detector);
    let mut data = Vec::with_capacity(count * side * side);
    for index in 0..count {
        data.extend(frames.frame(index)?);
    }
    let list = |values: Vec<f64>| Array::new(vec![values.len()], Values::F64(values));
    let [height, width] = optics.window();
    let pupils = optics.pupils.iter().flat_map(|pupil| pupil.values().iter().copied()).collect();
    let noise = match *noise {
        Noise::None => vec![],
        Noise::Unknown => vec![f64::NAN],
        Noise::Counts { photons, read } => vec![photons, read],
    };
    let mut arrays = vec![
        ("data", Array::new(vec![count, side, side], Values::F32(data))?),
        ("scan", Array::new(vec![count, 2], Values::F64(centres.iter().flatten().copied().collect()))?),
        ("probe", Array::new(vec![optics.pupils.len(), height, width], Values::Complex128(pupils))?),
        ("field", list(optics.size.map(|side| side as f64).to_vec())?),
        ("geometry", list(vec![if optics.geometry == Geometry::Object { 1.0 } else { 0.0 }])?),
        ("noise", list(noise)?),
        ("support", list(known.support.map_or_else(Vec::new, |size| size.map(|side| side as f64).to_vec()))?),
        ("bounds", list(known.bounds.map_or_else(Vec::new, |bounds| bounds.to_vec()))?),
        ("real", list(vec![f64::from(u8::from(known.real))])?),
        ("scale", list([optics.pixel_size, optics.wavelength].map(|metres| metres.unwrap_or(f64::NAN)).to_vec())?),
        ("good", list(good.iter().flatten().map(|good| f64::from(u8::from(*good))).collect())?),
    ];
    if let Some(truth) = truth {
        let shape = vec![truth.rows(), truth.columns()];
        arrays.push(("truth", Array::new(shape, Values::Complex128(truth.values().to_vec()))?));
    }
    let arrays: Vec<_> = arrays.iter().map(|(name, array)| (*name, array)).collect();
    Ok(write_npz(path, &arrays)?)
}

/// Whether a file is one of [`write_exposures`].
///
/// # Errors
/// [`Error::Data`] for a file that cannot be read.
pub fn holds_exposures(path: &Path) -> Result<bool> {
    let dataset = open(path)?;
    Ok(OWN.iter().all(|name| dataset.variables().iter().any(|variable| variable.name() == *name)))
}

/// Reads exposures, and the object where the file has it.
///
/// # Errors
/// [`Error::Data`] for a file that cannot be read, [`Error::Measurement`] for variables that do not belong together, and as [`Exposures::check`].
pub fn open_exposures(path: &Path) -> Result<(Exposures, Option<Plane>)> {
    let dataset = open(path)?;
    let wrong = |variable: &str, got: String, expected: &str| Error::Measurement {
        what: format!("{}: {variable}", path.display()),
        got,
        expected: expected.into(),
    };
    let list = |name: &str, lengths: &[usize]| -> Result<Vec<f64>> {
        let values = dataset.cube::<f64>(Some(name))?.into_values();
        if lengths.contains(&values.len()) {
            return Ok(values);
        }
        Err(wrong(name, format!("{} values", values.len()), &format!("{lengths:?} of them")))
    };
    let whole = |name: &str, value: f64| {
        if value >= 1.0 && value.fract() == 0.0 && value < 1e9 {
            return Ok(value as usize);
        }
        Err(wrong(name, value.to_string(), "a whole number of pixels"))
    };
    let &[count, side, columns] = dataset.variable("data")?.shape() else {
        return Err(wrong("data", format!("{:?}", dataset.variable("data")?.shape()), "[exposure, row, column]"));
    };
    if side != columns || side == 0 || count == 0 {
        return Err(wrong("data", format!("[{count}, {side}, {columns}]"), "square frames, at least one"));
    }
    let stack = Stack::of(&dataset, "data")?;
    let scan = dataset.array(Some("scan"))?;
    if *scan.shape() != [count, 2] {
        let expected = format!("[{count}, 2], a row and a column for each of the {count} frames");
        return Err(wrong("scan", format!("shape {:?}", scan.shape()), &expected));
    }
    let scan = scan.into_cube::<f64>()?.into_values();
    let field = list("field", &[2])?;
    let size = [whole("field", field[0])?, whole("field", field[1])?];
    let noise = match *list("noise", &[0, 1, 2])? {
        [photons, read] => Noise::Counts { photons, read },
        [_] => Noise::Unknown,
        _ => Noise::None,
    };
    if let Noise::Counts { photons, read } = noise
        && !(photons > 0.0 && photons.is_finite() && read >= 0.0 && read.is_finite())
    {
        return Err(wrong(
            "noise",
            format!("{photons} photons, read-out {read}"),
            "photons above 0, read-out from 0 on",
        ));
    }
    let keeps = count.saturating_mul(4 * side * side) <= MEMORY_BYTES;
    let values = check_counts(&stack, keeps, matches!(noise, Noise::Counts { .. }), &wrong)?;
    let frames: Arc<dyn Frames> =
        if keeps { Arc::new(InMemory { pixels: side * side, values }) } else { Arc::new(stack) };
    let support = match *list("support", &[0, 2])? {
        [rows, columns] => Some([whole("support", rows)?, whole("support", columns)?]),
        _ => None,
    };
    if let Some(support) = support
        && (support[0] > size[0] || support[1] > size[1])
    {
        return Err(wrong("support", format!("{support:?}"), "at most the field"));
    }
    let bounds = match *list("bounds", &[0, 2])? {
        [low, high] if low < high => Some([low, high]),
        [low, high] => return Err(wrong("bounds", format!("{low} and {high}"), "the lower one first")),
        _ => None,
    };
    let scale = list("scale", &[2])?;
    let known = |metres: f64| Some(metres).filter(|metres| metres.is_finite() && *metres > 0.0);
    let good = list("good", &[0, side * side])?;
    let exposures = Exposures {
        optics: Optics {
            geometry: if list("geometry", &[1])?[0] == 0.0 { Geometry::Spectrum } else { Geometry::Object },
            size,
            pupils: planes(&dataset, "probe", path)?,
            detector: side,
            pixel_size: known(scale[0]),
            wavelength: known(scale[1]),
        },
        centres: scan.as_chunks::<2>().0.to_vec(),
        frames,
        noise,
        good: (!good.is_empty()).then(|| good.iter().map(|good| *good != 0.0).collect()),
        known: Knowledge { support, real: list("real", &[1])?[0] != 0.0, bounds },
        lights: None,
    };
    exposures.check()?;
    check_places(&exposures, &wrong)?;
    let has_truth = dataset.variables().iter().any(|variable| variable.name() == "truth");
    let truth = if has_truth { planes(&dataset, "truth", path)?.pop() } else { None };
    Ok((exposures, truth))
}

/// Looks at all frames; their values, where they are to be kept.
///
/// # Errors
/// The first value that is none of a frame: no number, or below nought where nothing was read out; frames without any light.
fn check_counts(
    stack: &Stack,
    keeps: bool,
    read_out: bool,
    wrong: &impl Fn(&str, String, &str) -> Error,
) -> Result<Vec<f32>> {
    // infinite is what does not count in its exposure
    let bad = |value: &f32| value.is_nan() || *value == f32::NEG_INFINITY || !read_out && *value < 0.0;
    let (mut kept, mut light) = (Vec::new(), 0.0);
    for index in 0..stack.count {
        let frame = stack.frame(index)?;
        if let Some(place) = frame.iter().position(bad) {
            let (row, column) = (place / stack.columns, place % stack.columns);
            let what = format!("data, frame {index}, row {row}, column {column}");
            let expected = if read_out { "a finite intensity" } else { "a finite intensity of at least 0" };
            return Err(wrong(&what, frame[place].to_string(), &format!("{expected}; mask the pixel in `good`")));
        }
        light += frame.iter().filter(|value| value.is_finite()).map(|value| f64::from(*value)).sum::<f64>();
        if keeps {
            kept.extend(frame);
        }
    }
    if light <= 0.0 {
        let got = format!("{} frames that are all dark", stack.count);
        return Err(wrong("data", got, "light; was the dark taken off twice?"));
    }
    Ok(kept)
}

/// # Errors
/// The first window that reaches beyond the field, by more than the place that an even number of them lacks on one side.
fn check_places(exposures: &Exposures, wrong: &impl Fn(&str, String, &str) -> Error) -> Result<()> {
    let Optics { size, .. } = exposures.optics;
    let window = exposures.optics.window();
    for (index, centre) in exposures.centres.iter().enumerate() {
        for axis in 0..2 {
            let reach = (size[axis] as f64 - window[axis] as f64) / 2.0 + 1.0;
            if centre[axis].abs() > reach {
                let expected = format!(
                    "at most {reach} places from the middle, for windows of {window:?} in a field of {size:?}; are they in another unit?"
                );
                return Err(wrong(&format!("scan, position {index}"), format!("{centre:?}"), &expected));
            }
        }
    }
    Ok(())
}

/// Complex planes of a variable `[rows, columns]` or `[plane, rows, columns]`.
fn planes(dataset: &Dataset, name: &str, path: &Path) -> Result<Vec<Plane>> {
    let array = dataset.array(Some(name))?;
    let (count, rows, columns) = match *array.shape() {
        [rows, columns] => (1, rows, columns),
        [count, rows, columns] => (count, rows, columns),
        ref other => {
            return Err(Error::Measurement {
                what: format!("{}: {name}", path.display()),
                got: format!("shape {other:?}"),
                expected: "[rows, columns], or [mode, rows, columns]".into(),
            });
        }
    };
    let values: Vec<Complex<f64>> = match array.values() {
        Values::Complex128(values) => values.clone(),
        Values::Complex64(values) => values.iter().map(|v| Complex::new(f64::from(v.re), f64::from(v.im))).collect(),
        _ => array.into_cube::<f64>()?.into_values().into_iter().map(Complex::from).collect(),
    };
    if values.iter().any(|value| !(value.re.is_finite() && value.im.is_finite())) {
        return Err(Error::Measurement {
            what: format!("{}: {name}", path.display()),
            got: "values that are not finite".into(),
            expected: "finite numbers".into(),
        });
    }
    if rows * columns == 0 {
        return Ok(Vec::new());
    }
    values.chunks_exact(rows * columns).take(count).map(|plane| Plane::new(rows, columns, plane.to_vec())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_to_the_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("exposures.npz");
        let plane = |side| Plane::from_fn(side, side, |r, c| Complex::new(1.0 + r as f64, c as f64 / 3.0));
        for noise in [Noise::None, Noise::Unknown, Noise::Counts { photons: 1e5 / 3.0, read: 0.1 }] {
            let exposures = Exposures {
                optics: Optics {
                    geometry: Geometry::Object,
                    size: [9, 8],
                    pupils: vec![plane(3), plane(3)],
                    detector: 4,
                    pixel_size: Some(1e-6),
                    wavelength: None,
                },
                centres: vec![[0.5, -1.0 / 3.0], [2.0, 1.0]],
                frames: Arc::new(InMemory {
                    pixels: 16,
                    // one is saturated
                    values: (0..32).map(|v| if v == 20 { f32::INFINITY } else { v as f32 / 7.0 }).collect(),
                }),
                noise,
                good: Some((0..16).map(|place| place != 3).collect()),
                lights: None,
                known: Knowledge { support: Some([4, 5]), real: true, bounds: Some([0.0, 1.0]) },
            };
            write_exposures(&path, &exposures, Some(&plane(4))).unwrap();
            assert!(holds_exposures(&path).unwrap());
            let (read, truth) = open_exposures(&path).unwrap();
            assert_eq!(truth, Some(plane(4)));
            assert_eq!((&read.optics, &read.centres), (&exposures.optics, &exposures.centres));
            assert_eq!((read.noise, &read.good, read.known), (exposures.noise, &exposures.good, exposures.known));
            for frame in 0..2 {
                assert_eq!(read.frames.frame(frame).unwrap(), exposures.frames.frame(frame).unwrap());
            }
        }
    }
}
