//! FITS cubes: axes, frequencies, unit, beam and place on the sky by their header.

use cupel_data::{Axes, Axis, AxisKind, Class, Cube, Dataset, FitsBeam};

use super::{Raw, ReadConfig, fault, weights};
use crate::{Error, Result};

pub(super) fn read(file: &Dataset, config: &ReadConfig) -> Result<Raw<f32>> {
    let name = config.variable.as_deref();
    let cube = file.cube::<f32>(name)?;
    let header = file.fits_header(name)?;
    let stored = weights::given(cube.axes(), config)?;
    let cube = if config.axes.is_empty() { cube } else { cube.rename(&super::named_axes(config, &[])?)? };
    let wcs = header.map(|header| header.wcs()).transpose()?.unwrap_or_default();
    if config.axes.is_empty()
        && let Some((axis, note)) = wcs.axes.iter().find_map(|axis| Some((axis, axis.note.as_ref()?)))
    {
        let problem = format!("the axis {:?} is not read: {note}", axis.name);
        return Err(fault(file.path(), problem, "name the axes in their order with --axes"));
    }
    let mut raw = Raw::new(file.path(), three_axes(file, with_plane(cube)?)?);
    raw.weights = match stored {
        Some(stored) => Some(Cube::new(stored.into_values(), raw.values.axes().clone())?),
        None => None,
    };
    let Some(header) = header else { return Ok(raw) };
    raw.written_unit = header.unit().map(str::to_owned);
    raw.celestial = wcs.celestial;
    raw.beams = match header.beam()? {
        Some(beam) => vec![beam],
        None => beam_table(file)?,
    };
    Ok(raw)
}

/// The cube with its two nameless axes as rows and columns, where beside them there are channels alone: an image without a place on the sky.
fn with_plane(cube: Cube<f32>) -> Result<Cube<f32>> {
    let nameless = |axis: &Axis| matches!(axis.kind(), AxisKind::Dimension(_)) && axis.len() > 1;
    let named = |axis: &&Axis| axis.len() > 1 && !nameless(axis);
    let others: Vec<AxisKind> = cube.axes().iter().filter(named).map(Axis::kind).collect();
    if cube.axes().iter().filter(|axis| nameless(axis)).count() != 2 || others != [AxisKind::Frequency] {
        return Ok(cube);
    }
    let mut plane = [AxisKind::Row, AxisKind::Column].into_iter();
    let kinds: Vec<AxisKind> = cube
        .axes()
        .iter()
        .map(|axis| if nameless(axis) { plane.next().unwrap_or(axis.kind()) } else { axis.kind() })
        .collect();
    Ok(cube.rename(&kinds)?)
}

/// The cube without axes of length 1 that a sky does not have, a polarisation first of all.
fn three_axes(file: &Dataset, cube: Cube<f32>) -> Result<Cube<f32>> {
    let own = |axis: &Axis| {
        use AxisKind::{Column, Declination, Frequency, RightAscension, Row};
        matches!(axis.kind(), Frequency | Declination | RightAscension | Row | Column)
    };
    let (kept, dropped): (Vec<Axis>, Vec<Axis>) = cube.axes().iter().cloned().partition(own);
    if let Some(axis) = dropped.iter().find(|axis| axis.len() != 1) {
        let problem = match axis.kind() {
            AxisKind::Polarisation => format!("it holds {} polarisations", axis.len()),
            kind => format!("{kind} has length {} and is no axis of a sky", axis.len()),
        };
        return Err(fault(
            file.path(),
            problem,
            "write the one that is wanted to a file of its own, or name the axes in their order with --axes",
        ));
    }
    if !kept.iter().any(|axis| axis.kind() == AxisKind::Frequency) {
        return Err(fault(
            file.path(),
            "its header has no frequency axis",
            "write CTYPE, CRVAL, CDELT and CRPIX of it, or name the axes with --axes and give --frequencies",
        ));
    }
    Ok(Cube::new(cube.into_values(), Axes::new(kept)?)?)
}

/// A beam for each channel, as CASA writes them: a table with the columns BMAJ, BMIN and BPA.
fn beam_table(file: &Dataset) -> Result<Vec<FitsBeam>> {
    let column = |wanted: &str| -> Result<Option<Vec<f64>>> {
        let found = file.variables().iter().find(|variable| {
            variable.name().rsplit_once('.').is_some_and(|(_, column)| column == wanted)
                && matches!(variable.class(), Class::Number(_))
        });
        let Some(variable) = found else { return Ok(None) };
        let values = file.cube::<f64>(Some(variable.name()))?.into_values();
        let unit = file.fits_header(Some(variable.name()))?.and_then(|header| header.unit());
        let degrees = match unit.unwrap_or("deg").to_lowercase().as_str() {
            "deg" | "degree" | "degrees" => 1.0,
            "arcmin" => 60.0,
            "arcsec" => 3600.0,
            "rad" => std::f64::consts::PI / 180.0,
            other => {
                return Err(fault(file.path(), format!("{wanted} is in {other:?}"), "write it in deg or arcsec"));
            }
        };
        Ok(Some(values.into_iter().map(|value| value / degrees).collect()))
    };
    let (Some(major), Some(minor)) = (column("BMAJ")?, column("BMIN")?) else { return Ok(Vec::new()) };
    let angle = column("BPA")?.unwrap_or_else(|| vec![0.0; major.len()]);
    if major.len() != minor.len() || major.len() != angle.len() {
        let problem = format!("{} widths BMAJ and {} BMIN of beams", major.len(), minor.len());
        return Err(fault(file.path(), problem, "the file is damaged; copy it again"));
    }
    let beams: Vec<FitsBeam> = major
        .into_iter()
        .zip(minor)
        .zip(angle)
        .map(|((major_deg, minor_deg), angle_deg)| FitsBeam { major_deg, minor_deg, angle_deg })
        .collect();
    match beams.iter().find(|beam| !(beam.major_deg > 0.0 && beam.minor_deg > 0.0)) {
        Some(beam) => Err(Error::Sky {
            path: file.path().into(),
            problem: format!("a beam of {} by {} degrees", beam.major_deg, beam.minor_deg),
            fix: "mend the table of beams".into(),
        }),
        None => Ok(beams),
    }
}
