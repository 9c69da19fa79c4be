//! A text table whose rows are pixels: columns of places, and a column for each band.

use cupel_data::{Axes, Axis, AxisKind, Cube, Dataset, Format, Meaning};

use super::{SceneFiles, axes::Spectra, files::axis_called, names::Names, no_scene, wavelengths::usable};
use crate::{Error, Result};

/// What a heading says of the band under it: its centre in nanometres, as in `400`, `400.5 nm` or `0.4um`.
pub(super) fn centre(heading: &str) -> Option<f64> {
    let text = heading.trim().to_lowercase();
    let (number, scale) = match (text.strip_suffix("nm"), text.strip_suffix("um")) {
        (Some(number), _) => (number, 1.0),
        (_, Some(number)) => (number, 1000.0),
        _ => (text.as_str(), 1.0),
    };
    number.trim().parse::<f64>().ok().filter(|centre| *centre > 0.0 && centre.is_finite()).map(|centre| centre * scale)
}

/// Centres of the bands in nanometres, where all of these headings are some.
pub(super) fn centres(headings: &[&str]) -> Option<Vec<f64>> {
    usable(headings.iter().map(|heading| centre(heading)).collect::<Option<_>>()?, None)
}

/// The image of a table that has columns of places; nothing for other files.
///
/// # Errors
/// Places of which two pixels are at the same.
pub(super) fn read(dataset: &Dataset, files: &SceneFiles) -> Result<Option<Spectra>> {
    let headings = match (dataset.format(), dataset.column_names()) {
        (Format::Delimited, Some(headings)) => headings,
        _ => return Ok(None),
    };
    let place_of = |wanted: AxisKind| headings.iter().position(|name| axis_called(name) == Some(wanted));
    let (Some(row), Some(column)) = (place_of(AxisKind::Row), place_of(AxisKind::Column)) else { return Ok(None) };
    let cube = dataset.cube::<f64>(None)?;
    let lines = || cube.values().chunks_exact(headings.len());
    let bands: Vec<usize> = (0..headings.len()).filter(|&place| place != row && place != column).collect();
    let sides = |place: usize| {
        let mut values: Vec<f64> = lines().map(|line| line[place]).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        values
    };
    let (rows, columns) = (sides(row), sides(column));
    let sparse = rows.len().saturating_mul(columns.len()) > 16 * cube.shape()[0].max(64);
    if sparse || rows.iter().chain(&columns).any(|place| place.is_nan()) {
        let hint = format!(
            "Its columns `{}` and `{}` are no places in an image of pixels: {} and {} different ones for {} pixels.",
            headings[row],
            headings[column],
            rows.len(),
            columns.len(),
            cube.shape()[0]
        );
        return Err(no_scene(dataset, &hint));
    }
    let mut values = vec![f32::NAN; rows.len() * columns.len() * bands.len()];
    let mut taken = vec![false; rows.len() * columns.len()];
    // Northings and latitudes go up where rows go down.
    let downwards = ["lat", "north"].iter().any(|word| headings[row].to_lowercase().starts_with(word));
    for (number, line) in lines().enumerate() {
        let at = |sides: &[f64], value: f64| sides.partition_point(|&side| side < value);
        let y = at(&rows, line[row]);
        let y = if downwards { rows.len() - 1 - y } else { y };
        let place = y * columns.len() + at(&columns, line[column]);
        if std::mem::replace(&mut taken[place], true) {
            let hint = format!(
                "Its line {} has the place of one before it: row {}, column {} ({} {}, {} {}).",
                number + 2,
                y + 1,
                place % columns.len() + 1,
                headings[row],
                line[row],
                headings[column],
                line[column]
            );
            return Err(no_scene(dataset, &hint));
        }
        let target = &mut values[place * bands.len()..(place + 1) * bands.len()];
        target.iter_mut().zip(&bands).for_each(|(to, &band)| *to = line[band] as f32);
    }
    let names: Vec<&str> = bands.iter().map(|&band| headings[band].as_str()).collect();
    let band = Axis::new(AxisKind::Wavelength, bands.len());
    let given = match files.wavelengths {
        Some(_) => super::wavelengths::centres(dataset, &Names::of(dataset), files)?.into_iter().next(),
        None => None,
    };
    let (widths_nm, centres) = match given {
        Some(given) => (given.widths_nm, Some(given.nanometres)),
        None => (None, centres(&names)),
    };
    if let (Some(path), Some(centres)) = (&files.wavelengths, &centres)
        && centres.len() != bands.len()
    {
        let problem = format!("it has {} band centres, the scene has {} bands", centres.len(), bands.len());
        return Err(Error::Wavelengths { path: path.clone(), problem });
    }
    let band = match centres {
        Some(centres) => band.with_coordinates(centres, "nm")?,
        None => band,
    };
    let axes = Axes::new(vec![Axis::new(AxisKind::Row, rows.len()), Axis::new(AxisKind::Column, columns.len()), band])?;
    let told = format!(
        "read as {} rows, {} columns, {} bands (places by its columns `{}` and `{}`)",
        rows.len(),
        columns.len(),
        bands.len(),
        headings[row],
        headings[column]
    );
    let (cube, bad, meaning) = (Cube::new(values, axes)?, Vec::new(), Meaning::default());
    Ok(Some(Spectra { cube, bad, told, meaning, widths_nm, masks: Vec::new() }))
}
