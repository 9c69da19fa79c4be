//! Exposures of a probe that is moved over an object: positions in pixels, the field, a first probe.

use std::{path::Path, sync::Arc};

use num_complex::Complex;

use crate::{
    Error, Exposures, Geometry, InMemory, Instrument, Knowledge, Noise, Optics, Plane, PositionUnit, Result,
    host_fft::{SquareFft, to_corner, to_middle},
    ptychography::{disc_probe, propagated},
    read::{contents::Contents, survey::Survey},
};

/// Pixels of the field beyond the outermost windows, so that positions may be corrected.
const MARGIN: f64 = 4.0;
/// The most pixels of an object along a side.
const MOST_SIDE: f64 = 32_768.0;
/// Positions that span less are metres, where their unit is not said: no scan is that small in pixels, and none that large in metres.
const LARGEST_SCAN_METRES: f64 = 0.1;

/// Exposures without their frames.
pub(super) fn exposures(
    path: &Path,
    own: &Contents,
    instrument: &Instrument,
    side: usize,
    count: usize,
    survey: &Survey,
    found: &mut Vec<String>,
) -> Result<Exposures> {
    let refused = |problem: String, fix: &str| Error::Exposures { path: path.into(), problem, fix: fix.to_owned() };
    let wavelength = instrument.wavelength.or(own.wavelength);
    let distance = instrument.probe.distance.or(own.distance);
    let detector = instrument.detector.pixel_size.or(own.detector_pixel);
    for (what, value) in
        [("wavelength", wavelength), ("distance", distance), ("size of the detector's pixels", detector)]
    {
        if let Some(value) = value
            && !(value.is_finite() && value > 0.0)
        {
            return Err(refused(
                format!("the {what} is {value} m"),
                "it has to be above 0; correct it in the instrument file",
            ));
        }
    }
    let pixel = instrument.probe.pixel_size.or(match (wavelength, distance, detector) {
        (Some(wavelength), Some(distance), Some(detector)) => Some(wavelength * distance / (side as f64 * detector)),
        _ => None,
    });
    let positions = own.positions.as_ref().ok_or_else(|| {
        refused(
            "there are frames and no positions of the probe".into(),
            "give a table of them, as `positions` in the instrument file or as a .csv beside the frames",
        )
    })?;
    if positions.places.len() != count {
        return Err(refused(
            format!("{count} frames and {} positions", positions.places.len()),
            "give one position for each frame",
        ));
    }
    let span = |places: &[[f64; 2]], axis: usize| {
        let (least, most) = places.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), place| {
            (least.min(place[axis]), most.max(place[axis]))
        });
        (least, most)
    };
    let widest = (0..2).map(|axis| span(&positions.places, axis)).map(|(least, most)| most - least).fold(0.0, f64::max);
    let unit = match (instrument.probe.unit, positions.unit) {
        (PositionUnit::Found, PositionUnit::Found) => {
            let unit = if widest < LARGEST_SCAN_METRES { PositionUnit::Metres } else { PositionUnit::Pixels };
            found.push(format!("positions span {widest:.3e} and are taken as {unit}"));
            unit
        }
        (PositionUnit::Found, unit) | (unit, _) => unit,
    };
    let scale = match unit {
        PositionUnit::Metres => {
            let pixel = pixel.ok_or_else(|| {
                let missing: Vec<&str> =
                    [("wavelength", wavelength), ("probe.distance", distance), ("detector.pixel-size", detector)]
                        .into_iter()
                        .filter(|(_, value)| value.is_none())
                        .map(|(key, _)| key)
                        .collect();
                refused(
                    format!(
                        "positions are in metres, and the pixel size of the object is not known: {} missing",
                        missing.join(", ")
                    ),
                    "give it in the instrument file",
                )
            })?;
            1.0 / pixel
        }
        _ => 1.0,
    };
    let probe = &instrument.probe;
    let sign = |flip: bool| if flip { -scale } else { scale };
    let mut places: Vec<[f64; 2]> = positions
        .places
        .iter()
        .map(|&[row, column]| {
            let [row, column] = if probe.swap { [column, row] } else { [row, column] };
            [row * sign(probe.flip_rows), column * sign(probe.flip_columns)]
        })
        .collect();
    let widest = widest * scale;
    if count > 1 && widest < 1.0 {
        return Err(refused(
            format!("all {count} positions lie within {widest:.3} pixels of the object"),
            "they seem to be in another unit: say it as `probe.unit`, and check wavelength, distance and pixel size",
        ));
    }
    let window = own.probe.first().map_or([side, side], |mode| [mode.rows(), mode.columns()]);
    if window[0] > side || window[1] > side {
        return Err(refused(
            format!("a probe of {} x {} pixels and frames of {side}", window[0], window[1]),
            "the probe has at most the pixels of a frame",
        ));
    }
    let apart = nearest(&places);
    if apart > window[0].max(window[1]) as f64 {
        return Err(refused(
            format!(
                "from one position to the nearest there are {apart:.1} pixels, more than the {} of the probe",
                window[0]
            ),
            "nothing is seen twice; they seem to be in another unit: say it as `probe.unit`, and check wavelength, distance and pixel size",
        ));
    }
    let mut size = [0; 2];
    for axis in 0..2 {
        let (least, most) = span(&places, axis);
        let wanted = (most - least).ceil() + window[axis] as f64 + 2.0 * MARGIN;
        if wanted.is_nan() || wanted > MOST_SIDE {
            return Err(refused(
                format!("positions span {:.3e} pixels of the object", most - least),
                "they seem to be in another unit: say it as `probe.unit`, and check wavelength, distance and pixel size",
            ));
        }
        size[axis] = wanted as usize;
        // The middle of the positions lies in the middle of the field.
        let middle = (least + most) / 2.0;
        places.iter_mut().for_each(|place| place[axis] -= middle);
    }
    let probes = if own.probe.is_empty() {
        let first = first_probe(own, instrument, side, pixel, wavelength, survey, found)?;
        vec![first]
    } else {
        found.push(format!("{} modes of the probe are in the file", own.probe.len()));
        own.probe.clone()
    };
    found.push(format!(
        "{count} positions, object of {} x {} pixels{}",
        size[0],
        size[1],
        pixel.map(|pixel| format!(" of {:.4e} m", pixel)).unwrap_or_default()
    ));
    Ok(Exposures {
        optics: Optics {
            geometry: Geometry::Object,
            size,
            pupils: probes,
            detector: side,
            pixel_size: pixel,
            wavelength,
        },
        centres: places,
        frames: Arc::new(InMemory { pixels: side * side, values: Vec::new() }),
        noise: Noise::Unknown,
        good: None,
        known: Knowledge::default(),
        lights: None,
    })
}

/// The median of the distances from a position to the one nearest to it, of the first few.
fn nearest(places: &[[f64; 2]]) -> f64 {
    const FEW: usize = 400;
    let few = &places[..places.len().min(FEW)];
    let distance = |a: &[f64; 2], b: &[f64; 2]| (a[0] - b[0]).hypot(a[1] - b[1]);
    let mut distances: Vec<f64> = (0..few.len())
        .map(|own| {
            let others = places.iter().enumerate().filter(|(other, _)| *other != own);
            others.map(|(_, other)| distance(&few[own], other)).fold(f64::INFINITY, f64::min)
        })
        .filter(|distance| distance.is_finite())
        .collect();
    distances.sort_by(f64::total_cmp);
    distances.get(distances.len() / 2).copied().unwrap_or(0.0)
}

/// A focused aperture where its width is known, or what the mean of the frames comes from; with the light of a mean frame.
fn first_probe(
    own: &Contents,
    instrument: &Instrument,
    side: usize,
    pixel: Option<f64>,
    wavelength: Option<f64>,
    survey: &Survey,
    found: &mut Vec<String>,
) -> Result<Plane> {
    let amplitude = instrument.data == crate::DataKind::Amplitude;
    let light: Vec<f64> = survey.mean.iter().map(|mean| if amplitude { mean * mean } else { *mean }).collect();
    let total: f64 = light.iter().sum();
    let diameter = instrument.probe.diameter.or(own.diameter);
    let mut probe = match (diameter, pixel) {
        (Some(diameter), Some(pixel)) => {
            found.push(format!("the first probe is a disc of {:.1} pixels", diameter / pixel));
            disc_probe(side, diameter / pixel / 2.0)
        }
        _ => {
            found.push("the first probe is found from the mean of the frames".into());
            let mut spectrum: Vec<Complex<f64>> =
                to_corner(&light, side).into_iter().map(|value| Complex::new(value.max(0.0).sqrt(), 0.0)).collect();
            let fft = SquareFft::new(side);
            fft.inverse(&mut spectrum, &mut fft.work());
            Plane::new(side, side, to_middle(&spectrum, side))?
        }
    };
    if instrument.probe.defocus != 0.0 {
        let (Some(pixel), Some(wavelength)) = (pixel, wavelength) else {
            return Err(Error::Optics {
                what: "defocus of the probe",
                got: format!("{} m without a wavelength or a pixel size", instrument.probe.defocus),
                expected: "both, in the instrument file".into(),
            });
        };
        probe = propagated(&probe, instrument.probe.defocus, wavelength, pixel)?;
    }
    let own: f64 = probe.values().iter().map(Complex::norm_sqr).sum();
    if own > 0.0 {
        let scale = (total / own).sqrt();
        probe.values_mut().iter_mut().for_each(|value| *value *= scale);
    }
    Ok(probe)
}
