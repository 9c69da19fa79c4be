//! Exposures of an array of lights: places of the lights, windows of the spectrum, the pupil.

use std::path::Path;

use crate::{
    Error, Exposures, Geometry, InMemory, Instrument, Knowledge, LedArray, LightOrder, Lights, Noise, Optics, Plane,
    Pose, PositionUnit, Result, raster,
    read::{contents::Contents, lights_from_file},
    spiral,
};
use num_complex::Complex;
use std::{f64::consts::TAU, sync::Arc};

/// Places around the pupil that its window has, so that it may be moved between places.
const MARGIN: usize = 2;
/// The most pixels of an object along a side.
const MOST_SIDE: usize = 1 << 15;

/// Exposures without their frames.
pub(super) fn exposures(
    path: &Path,
    own: &Contents,
    instrument: &Instrument,
    side: usize,
    count: usize,
    found: &mut Vec<String>,
) -> Result<Exposures> {
    let missing = |what: &str, key: &str| Error::Exposures {
        path: path.into(),
        problem: format!("nothing says {what}"),
        fix: format!("give `{key}` in the instrument file"),
    };
    let wavelength = instrument.wavelength.or(own.wavelength);
    let wavelength = wavelength.ok_or_else(|| missing("the wavelength", "wavelength"))?;
    let na = instrument.objective.na.or(own.na);
    let na = na.ok_or_else(|| missing("the numerical aperture", "objective.na"))?;
    let magnification = instrument.objective.magnification.or(own.magnification);
    let low = match (instrument.objective.pixel_size, instrument.detector.pixel_size.or(own.detector_pixel)) {
        (Some(pixel), _) => Some(pixel / instrument.objective.magnification.unwrap_or(1.0)),
        (None, Some(detector)) => magnification.map(|magnification| detector / magnification),
        (None, None) => None,
    };
    let low =
        low.ok_or_else(|| missing("the size of the pixels in the plane of the object", "objective.pixel-size"))?;
    let distance = instrument.array.distance.or(own.distance);
    let distance = distance.ok_or_else(|| missing("the distance of the lights", "array.distance"))?;
    let lights = places(path, own, instrument, count, &missing)?;

    let offset = match instrument.array.offset.as_slice() {
        &[x, y] => Some([x, y]),
        _ => own.offset,
    };
    let rotation = instrument.array.rotation.or(own.rotation).unwrap_or(0.0);
    let pose = Pose { rotation: rotation.to_radians(), shift: offset.unwrap_or([0.0; 2]), distance: 0.0 };
    let array = LedArray {
        lights,
        distance,
        glass_thickness: instrument.array.glass_thickness,
        glass_index: instrument.array.glass_index,
        wavelength,
        pixel_size: low,
        size: side,
        mirrored: instrument.array.mirrored,
    };
    array.check()?;
    // Places of the spectrum do not depend on how finely the object is sampled.
    let centres = array.centres(pose);
    let radius = na / wavelength * side as f64 * low;
    if let Some(index) = centres.iter().position(|centre| !centre.iter().all(|c| c.is_finite())) {
        return Err(missing(&format!("where light {index} stands"), "array.distance"));
    }
    let reach = centres.iter().flatten().fold(0.0_f64, |most, c| most.max(c.abs())) + radius + 3.0 + MARGIN as f64;
    let needed = ((2.0 * reach / side as f64).ceil() as usize).max(1);
    let upsampling = instrument.objective.upsampling.unwrap_or(needed);
    if upsampling < needed {
        return Err(Error::Exposures {
            path: path.into(),
            problem: format!(
                "the lights show frequencies up to {reach:.1} places, outside a field of {}",
                side * upsampling
            ),
            fix: format!(
                "upsampling has to be {needed} or more; if that is too much, check pitch, distance and pixel size"
            ),
        });
    }
    if side.saturating_mul(upsampling) > MOST_SIDE {
        return Err(Error::Exposures {
            path: path.into(),
            problem: format!("the object would have {} pixels along a side", side.saturating_mul(upsampling)),
            fix: format!("at most {MOST_SIDE} are possible; check pitch, distance, pixel size and upsampling"),
        });
    }
    let size = side * upsampling;
    if radius < 1.0 {
        return Err(Error::Optics {
            what: "radius of the pupil in places of the spectrum",
            got: format!("{radius:.3}"),
            expected: "at least 1: check the numerical aperture, the wavelength and the pixel size".into(),
        });
    }
    let half = radius.ceil() as usize + MARGIN;
    if 2 * radius.floor() as usize + 1 > side {
        return Err(Error::Optics {
            what: "pixels of a frame",
            got: side.to_string(),
            expected: format!(
                "at least {} across the pupil of the radius {radius:.1}: check the pixel size and the numerical aperture",
                2 * radius.floor() as usize + 1
            ),
        });
    }
    let window = (2 * half + 1).min(side - 1 + side % 2);
    if 2 * window - 1 > side {
        found.push(format!(
            "frames of {side} pixels sample the field behind the pupil ({window} places), and not all of its intensity ({})",
            2 * window - 1
        ));
    }
    let defocus = instrument.objective.defocus.or(own.defocus).unwrap_or(0.0);
    let pupil = pupil(window, radius, [0.0; 2], defocus, wavelength, side as f64 * low);
    let widest = array.numerical_apertures(pose).into_iter().fold(0.0, f64::max);
    found.push(format!(
        "{count} lights, pupil of {radius:.2} places, illumination up to NA {widest:.4}, object of {size} x {size} pixels of {:.3} um",
        1e6 * low / upsampling as f64
    ));
    let array = LedArray { pixel_size: low / upsampling as f64, size, ..array };
    Ok(Exposures {
        optics: Optics {
            geometry: Geometry::Spectrum,
            size: [size, size],
            pupils: vec![pupil],
            detector: side,
            pixel_size: Some(low / upsampling as f64),
            wavelength: Some(wavelength),
        },
        centres,
        frames: Arc::new(InMemory { pixels: side * side, values: Vec::new() }),
        noise: Noise::Unknown,
        good: None,
        known: Knowledge::default(),
        lights: Some(Lights { array, pose, found: None, brightness: Vec::new() }),
    })
}

/// Where the lights stand in the array, `[x, y]` in metres.
fn places(
    path: &Path,
    own: &Contents,
    instrument: &Instrument,
    count: usize,
    missing: &dyn Fn(&str, &str) -> Error,
) -> Result<Vec<[f64; 2]>> {
    let differ = |lights: usize, fix: &str| Error::Exposures {
        path: path.into(),
        problem: format!("{count} frames and {lights} lights"),
        fix: fix.to_owned(),
    };
    if lights_from_file(instrument) || own.positions.is_some() {
        let positions = own.positions.as_ref().ok_or_else(|| missing("where the lights stand", "positions"))?;
        if positions.places.len() != count {
            return Err(differ(positions.places.len(), "give a position for each frame"));
        }
        // Steps of the array where a pitch is given and the unit is not metres.
        let step = match (positions.unit, instrument.array.pitch) {
            (PositionUnit::Metres, _) | (PositionUnit::Found, None) => 1.0,
            (_, Some(pitch)) => pitch,
            (PositionUnit::Pixels, None) => return Err(missing("the pitch of the lights", "array.pitch")),
        };
        return Ok(positions.places.iter().map(|&[row, column]| [column * step, row * step]).collect());
    }
    let pitch = instrument.array.pitch.ok_or_else(|| missing("the pitch of the lights", "array.pitch"))?;
    let steps: Vec<[f64; 2]> = match instrument.array.order {
        LightOrder::Raster => {
            let (rows, columns) = match (instrument.array.rows, instrument.array.columns) {
                (Some(rows), Some(columns)) => (rows, columns),
                (Some(rows), None) => (rows, count.div_ceil(rows)),
                (None, Some(columns)) => (count.div_ceil(columns), columns),
                (None, None) => {
                    let root = (count as f64).sqrt().round() as usize;
                    (root, root)
                }
            };
            if rows * columns != count {
                return Err(differ(
                    rows * columns,
                    "correct `array.rows` and `array.columns`, or give a file of positions",
                ));
            }
            raster(rows, columns)
        }
        _ => {
            if let (Some(rows), Some(columns)) = (instrument.array.rows, instrument.array.columns)
                && rows * columns != count
            {
                return Err(differ(rows * columns, "correct `array.rows` and `array.columns`"));
            }
            spiral(count).into_iter().map(|[x, y]| [f64::from(x), f64::from(y)]).collect()
        }
    };
    Ok(steps.into_iter().map(|[x, y]| [x * pitch, y * pitch]).collect())
}

/// A disc of the radius, moved by so many places and out of focus by so many metres; the field is `width` metres wide.
pub(crate) fn pupil(window: usize, radius: f64, by: [f64; 2], defocus: f64, wavelength: f64, width: f64) -> Plane {
    let middle = (window / 2) as f64;
    Plane::from_fn(window, window, |row, column| {
        let (y, x) = (row as f64 - middle - by[0], column as f64 - middle - by[1]);
        let squared = x * x + y * y;
        if squared > radius * radius {
            return Complex::new(0.0, 0.0);
        }
        // k - k0, without the large common phase.
        let (carrier, sideways) = (1.0 / wavelength, squared / (width * width));
        let along = -sideways / (carrier + (carrier * carrier - sideways).max(0.0).sqrt());
        Complex::cis(TAU * defocus * along)
    })
}
