//! Reading measured exposures: [`read_exposures`] recognises a file by its content.
//!
//! Read are frames of an array of lights as MATLAB files, `.cxi`, HDF5 of PtyLab and of PtyPy, NPZ of `data, scan, probe`, and stacks of
//! frames as NPY, NPZ, HDF5 and TIFF with a table of positions. What a file does not say stands in the [`Instrument`]; what neither says is
//! found where it can be, and told, or asked for.

mod contents;
mod formats;
mod kind;
mod lights;
mod positions;
mod probe;
mod stack;
mod survey;

use std::{path::Path, sync::Arc};

use cupel_data::open;

use crate::{
    DataKind, Error, Exposures, Frames, InMemory, Instrument, InstrumentKind, LightOrder, Noise, Result, ZeroPlace,
};
use contents::Contents;
pub(crate) use lights::pupil;
use stack::FileFrames;
pub(crate) use stack::Stack;

/// Stacks up to so many bytes are kept in memory; larger ones are read frame by frame.
pub(crate) const MEMORY_BYTES: usize = 512 << 20;
/// The least and most pixels of a frame along a side.
const SIDES: std::ops::RangeInclusive<usize> = 4..=16384;

/// Exposures of a file, and what was found on the way.
#[derive(Clone, Debug)]
pub struct Recording {
    /// The exposures.
    pub exposures: Exposures,
    /// What was found, one sentence each, for the user.
    pub found: Vec<String>,
}

/// Reads exposures.
///
/// # Errors
/// [`Error::Data`] for files that are damaged; [`Error::Exposures`] and [`Error::Optics`] for what is missing or contradicts itself: frames and
/// positions that differ in number, positions in another unit, counts that are negative or no numbers, no wavelength or pixel size, frames
/// that are all dark.
pub fn read_exposures(path: &Path, instrument: &Instrument) -> Result<Recording> {
    read_keeping(path, instrument, MEMORY_BYTES)
}

/// [`read_exposures`] that keeps at most so many bytes of frames in memory.
fn read_keeping(path: &Path, instrument: &Instrument, most_bytes: usize) -> Result<Recording> {
    instrument.check()?;
    let mut own = formats::contents(open(path)?, instrument)?;
    // What the instrument file names goes before what is in the file.
    if let Some(positions) = formats::positions_beside(path, instrument)? {
        own.positions = Some(positions);
    }
    let kind = kind_of(path, &own, instrument)?;
    let (rows, columns) = (own.stack.rows, own.stack.columns);
    let mut side = rows.min(columns);
    let corner = kind == InstrumentKind::Ptychography
        && match (instrument.detector.zero, own.zero) {
            (ZeroPlace::Found, ZeroPlace::Found) => survey::light_is_in_the_corner(&own.stack)?,
            (ZeroPlace::Found, said) | (said, _) => said == ZeroPlace::Corner,
        };
    if !SIDES.contains(&side) || own.stack.count == 0 {
        return Err(refused(
            path,
            format!("{} frames of {rows} x {columns}", own.stack.count),
            format!("at least one frame of {} to {} pixels along a side is needed", SIDES.start(), SIDES.end()),
        ));
    }
    let mut found = vec![format!("{}: {} frames of {rows} x {columns} pixels", own.layout, own.stack.count)];
    if rows != columns {
        if corner {
            return Err(refused(
                path,
                format!("frames of {rows} x {columns} with the frequency nought in the corner"),
                "write square ones, or move it to the middle".into(),
            ));
        }
        found.push(format!("the middle {side} x {side} of each frame are used"));
    } else if corner {
        found.push("the frequency nought lies in the corner of the frames".into());
    }
    if kind == InstrumentKind::LedArray && side % 2 == 1 {
        side -= 1; // the object has a whole number of pixels for each of a frame, and its middle is that of the frames
        found.push(format!("the middle {side} x {side} of each frame are used"));
    }
    let dark = match &instrument.detector.dark_frame {
        Some(file) => Some(survey::plane(file, rows, columns, "dark frame")?),
        None => own.dark.take(),
    };
    if let Some(dark) = &dark
        && dark.len() != rows * columns
    {
        return Err(refused(
            path,
            format!("a dark frame of {} values", dark.len()),
            format!("{rows} x {columns} are needed"),
        ));
    }
    let bad = match &instrument.detector.bad_pixels {
        Some(file) => {
            let plane = survey::plane(file, rows, columns, "bad pixels")?;
            Some(plane.iter().map(|value| *value == 0.0).collect())
        }
        None => None,
    };
    let said_good: Vec<Vec<bool>> = [own.good.take(), bad].into_iter().flatten().collect();
    if let Some(wrong) = said_good.iter().find(|mask| mask.len() != rows * columns) {
        return Err(refused(
            path,
            format!("a mask of {} pixels", wrong.len()),
            format!("{rows} x {columns} are needed, one for all frames"),
        ));
    }
    let (whole, count) = (own.stack.whole, own.stack.count);
    let mut frames = FileFrames {
        path: path.into(),
        stack: Arc::clone(&own.stack),
        side,
        dark,
        dark_level: instrument.detector.dark as f32,
        amplitude: false,
        saturation: instrument.detector.saturation.map(|limit| limit as f32).or(own.stack.ceiling),
        unlit: Vec::new(),
        corner,
    };
    if frames.dark.is_some() || frames.dark_level > 0.0 {
        found.push("the dark is taken off, and what falls below nought is nought".into());
    }
    let said_good =
        said_good.iter().map(|mask| frames.cut(mask)).reduce(|a, b| a.iter().zip(&b).map(|(a, b)| *a && *b).collect());
    let survey = survey::survey(&frames, said_good, &mut found)?;
    frames.unlit.clone_from(&survey.unlit);

    let mut exposures = match kind {
        InstrumentKind::LedArray => lights::exposures(path, &own, instrument, side, count, &mut found)?,
        _ => probe::exposures(path, &own, instrument, side, count, &survey, &mut found)?,
    };
    exposures.good = survey.good.clone();
    frames.amplitude = kind::is_amplitude(&frames, &exposures, whole, own.data, instrument.data, &mut found)?;
    let bytes = count.saturating_mul(side * side * 4);
    exposures.frames = if bytes <= most_bytes {
        let mut values = Vec::with_capacity(count * side * side);
        for index in 0..count {
            values.extend(frames.frame(index)?);
        }
        Arc::new(InMemory { pixels: side * side, values })
    } else {
        let size = bytes as f64 / 2f64.powi(30);
        found.push(if frames.stack.is_held() {
            format!(
                "{size:.1} GiB of frames are held in memory, as a MATLAB file before version 7.3 has them together: save it with -v7.3, or as HDF5 or NPY, \
                 and they are read as they are needed"
            )
        } else {
            format!("{size:.1} GiB of frames are read as they are needed")
        });
        Arc::new(frames)
    };
    exposures.noise = match instrument.detector.gain {
        None => Noise::Unknown,
        Some(_) if instrument.data == DataKind::Amplitude => {
            return Err(refused(
                path,
                "a gain in photons, and data that are amplitudes".into(),
                "leave out the gain, or say `data = \"intensity\"`".into(),
            ));
        }
        Some(photons) => Noise::Counts { photons, read: instrument.detector.read_noise },
    };
    exposures.check()?;
    Ok(Recording { exposures, found })
}

fn kind_of(path: &Path, own: &Contents, instrument: &Instrument) -> Result<InstrumentKind> {
    let led = InstrumentKind::LedArray;
    let probe = InstrumentKind::Ptychography;
    match (instrument.geometry, own.kind) {
        (InstrumentKind::Found, InstrumentKind::Found) => {
            let array = &instrument.array;
            let lights = array.pitch.is_some() || array.distance.is_some() || instrument.objective.na.is_some();
            match (lights, own.positions.is_some()) {
                (true, _) => Ok(led),
                (false, true) => Ok(probe),
                (false, false) => Err(refused(
                    path,
                    format!("{}, and nothing says where the light came from", own.layout),
                    "give an instrument file with [objective] and [array], or positions of the probe (a .csv beside it)"
                        .into(),
                )),
            }
        }
        (InstrumentKind::Found, kind) => Ok(kind),
        (said, InstrumentKind::Found) => Ok(said),
        (said, kind) if said == kind => Ok(said),
        (said, kind) => Err(refused(
            path,
            format!("the instrument file says {said}, the file is of {kind}"),
            "leave `geometry` out, or give the file that belongs to it".into(),
        )),
    }
}

fn refused(path: &Path, problem: String, fix: String) -> Error {
    Error::Exposures { path: path.into(), problem, fix }
}

/// Whether the lights stand as a file says.
fn lights_from_file(instrument: &Instrument) -> bool {
    instrument.array.order == LightOrder::File
}
