//! A text table whose rows are pixels: columns of places, and a column for each band.

use cupel_data::{Axes, Axis, AxisKind, BandCentres, Cube, Dataset, Format, Meaning};

use super::{SceneFiles, axes::Spectra, no_scene};
use crate::{Error, Result};

/// The image of a table that has columns of places; nothing for other files.
///
/// # Errors
/// Places of which two pixels are at the same.
pub(super) fn read(dataset: &Dataset, files: &SceneFiles) -> Result<Option<Spectra>> {
    let headings = match (dataset.format(), dataset.column_names()) {
        (Format::Delimited, Some(headings)) => headings,
        _ => return Ok(None),
    };
    let place_of = |wanted: AxisKind| headings.iter().position(|name| AxisKind::called(name) == Some(wanted));
    let (Some(row), Some(column)) = (place_of(AxisKind::Row), place_of(AxisKind::Column)) else { return Ok(None) };
    let cube = dataset.cube::<f64>(None)?;
    let lines = || cube.values().chunks_exact(headings.len());
    let bands = bands(headings, [row, column]);
    let is_aside = |place: &usize| !bands.contains(place) && *place != row && *place != column;
    let aside: Vec<String> = (0..headings.len()).filter(is_aside).map(|n| format!("`{}`", headings[n])).collect();
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
    let own = match files.wavelengths {
        Some(_) => files.centres(dataset, "")?.into_iter().next(),
        None => BandCentres::of_headings(&names),
    };
    let (centres, widths_nm) = own.map(|own| (own.nanometres, own.widths_nm)).unzip();
    let widths_nm = widths_nm.filter(|widths| !widths.is_empty());
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
    let aside = if aside.is_empty() { String::new() } else { format!("; without its columns {}", aside.join(", ")) };
    let told = format!(
        "read as {} rows, {} columns, {} bands (places by its columns `{}` and `{}`{aside})",
        rows.len(),
        columns.len(),
        bands.len(),
        headings[row],
        headings[column]
    );
    let (cube, bad, meaning) = (Cube::new(values, axes)?, Vec::new(), Meaning::default());
    Ok(Some(Spectra { cube, bad, told, meaning, widths_nm, masks: Vec::new(), place: None }))
}

/// The columns of bands beside those of the place: where some headings are wavelengths only these, and none that is a place, too.
fn bands(headings: &[String], places: [usize; 2]) -> Vec<usize> {
    let is_place = |name: &str| matches!(AxisKind::called(name), Some(AxisKind::Row | AxisKind::Column));
    let others: Vec<usize> = (0..headings.len()).filter(|n| !places.contains(n)).collect();
    let has_digit = |n: &&usize| headings[**n].chars().any(|c| c.is_ascii_digit());
    let numbered: Vec<usize> = others.iter().filter(has_digit).copied().collect();
    let centres = BandCentres::of_headings(&numbered.iter().map(|&n| &headings[n]).collect::<Vec<_>>());
    // `X450` is a band and no place, `lat` beside `row` a place and no band.
    if centres.is_some() { numbered } else { others.into_iter().filter(|&n| !is_place(&headings[n])).collect() }
}
