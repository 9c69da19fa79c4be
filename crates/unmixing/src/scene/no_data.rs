//! What is left out of a scene because there are no data: bands, pixels, and the words for it.

use std::path::Path;

use cupel_data::{Axis, AxisKind, Cube, Meaning};

use super::{BandRange, Extent, Roi, SceneFiles, Usable, suspects::Suspects};
use crate::{Error, Result};

/// Pixels that are named one by one.
const NAMED: usize = 5;
/// Numbers of bands that are listed one by one.
const LISTED: usize = 12;

/// What a user, and the image itself, leave out of a scene of any size.
#[derive(Clone, Debug)]
pub(crate) struct LeftOut {
    columns: usize,
    /// Whether a pixel is used, by the mask.
    mask: Option<Vec<bool>>,
    roi: Option<Roi>,
}

impl LeftOut {
    /// Reads what the user says of an image of `rows x columns`.
    ///
    /// # Errors
    /// A mask of another size, a part that is not in the image.
    pub(crate) fn new(files: &SceneFiles, rows: usize, columns: usize) -> Result<Self> {
        if let Some(Roi { rows: [_, row], columns: [_, column] }) = files.roi
            && (row > rows || column > columns)
        {
            let expected = format!("a part of the {rows} rows and {columns} columns");
            return Err(Error::setting("roi", format!("up to row {row} and column {column}"), expected));
        }
        let mask = files.mask.as_deref().map(|path| read_mask(path, rows, columns)).transpose()?;
        Ok(Self { columns, mask, roi: files.roi })
    }

    /// Whether nothing is left out.
    pub(crate) fn is_nothing(&self) -> bool {
        self.mask.is_none() && self.roi.is_none()
    }

    /// Whether the user wants the pixel at this place.
    pub(crate) fn wants(&self, place: usize) -> bool {
        let (row, column) = (place / self.columns + 1, place % self.columns + 1);
        let within = |[first, last]: [usize; 2], value: usize| (first..=last).contains(&value);
        self.roi.is_none_or(|roi| within(roi.rows, row) && within(roi.columns, column))
            && self.mask.as_ref().is_none_or(|mask| mask[place])
    }
}

/// A map of which pixels are used.
fn read_mask(path: &Path, rows: usize, columns: usize) -> Result<Vec<bool>> {
    cupel_data::read_mask(path, &[], rows, columns).map_err(|error| match error {
        cupel_data::Error::Shape { got, .. } => {
            let problem = format!("it has shape {got:?}, the scene has {rows} rows and {columns} columns");
            Error::Mask { path: path.to_path_buf(), problem }
        }
        other => other.into(),
    })
}

/// What was found in a scene that is read whole.
pub(super) struct Cleaned {
    /// The bands that are used, with NaN in every band of pixels that are left out.
    pub(super) cube: Cube<f32>,
    /// Which bands of the file they are.
    pub(super) kept: Vec<usize>,
    pub(super) usable: Usable,
    /// One line for each thing that was left out.
    pub(super) notes: Vec<String>,
}

/// Leaves out bands and pixels without data.
///
/// A band goes where most pixels that have any data lack it; then pixels go that lack a value, are zero everywhere, or stand at a
/// number that means that nothing was measured.
///
/// # Errors
/// A scene of which nothing is left, a mask or a part that do not fit.
pub(super) fn clean(cube: Cube<f32>, bad: &[bool], meaning: &Meaning, files: &SceneFiles) -> Result<Cleaned> {
    let (rows, columns) = (cube.axis(AxisKind::Row)?.len(), cube.axis(AxisKind::Column)?.len());
    let mut notes = Vec::new();
    let wanted_bands = wanted_bands(cube.axis(AxisKind::Wavelength)?, bad, &files.drop_bands, &mut notes)?;
    let cube = selected(cube, &wanted_bands)?;
    let left_out = LeftOut::new(files, rows, columns)?;
    let bands = cube.axis(AxisKind::Wavelength)?.len();
    let wanted: Vec<bool> = (0..rows * columns).map(|place| left_out.wants(place)).collect();
    let spectra = || cube.values().chunks_exact(bands).zip(&wanted).filter(|(_, wanted)| **wanted).map(|(s, _)| s);
    let mut suspects = Suspects::new(meaning);
    spectra().for_each(|spectrum| suspects.see(spectrum, Extent::of(spectrum)));
    notes.extend(suspects.told());
    let markers = suspects.values();
    let is_missing = |v: f32| !v.is_finite() || markers.contains(&v);

    let mut lacks = Lacks::of(bands);
    spectra().for_each(|spectrum| lacks.see(spectrum, is_missing));
    let kept = lacks.kept();
    if lacks.with_data == 0 || kept.is_empty() {
        return Err(Error::NoData { path: files.file.clone(), pixels: rows * columns });
    }
    notes.extend(lacks.told(cube.axis(AxisKind::Wavelength)?));
    let cube = selected(cube, &kept)?;
    let bands = kept.len();
    let kept: Vec<usize> = kept.into_iter().map(|band| wanted_bands[band]).collect();

    let (mut places, mut zeros, mut missing, mut partly) = (Vec::new(), Vec::new(), 0, Vec::new());
    for (place, spectrum) in cube.values().chunks_exact(bands).enumerate().filter(|(place, _)| wanted[*place]) {
        let lacks = spectrum.iter().filter(|&&v| is_missing(v)).count();
        if lacks > 0 {
            missing += 1;
            if lacks < bands {
                partly.push(place);
            }
        } else if spectrum.iter().all(|&v| v == 0.0) {
            zeros.push(place);
        } else {
            places.push(place);
        }
    }
    let usable = Usable::of(rows, columns, places);
    let unwanted = wanted.iter().filter(|wanted| !**wanted).count();
    if unwanted > 0 {
        notes.push(format!("left out {} outside the mask or the part that is used", pixels(unwanted)));
    }
    if missing > 0 {
        let partly = match partly.len() {
            0 => String::new(),
            count => format!(" ({count} of them in some bands only: {})", named_pixels(&partly, columns)),
        };
        notes.push(format!("left out {} without data{partly}", pixels(missing)));
    }
    if !zeros.is_empty() {
        notes.push(format!(
            "left out {} that are zero in every band{}",
            pixels(zeros.len()),
            lines(&zeros, rows, columns)
        ));
    }
    if usable.count() == 0 {
        return Err(Error::NoData { path: files.file.clone(), pixels: rows * columns });
    }
    if usable.left_out() == 0 {
        return Ok(Cleaned { cube, kept, usable, notes });
    }
    let axes = cube.axes().clone();
    let spectra = usable.gathered(cube.values(), bands);
    let cube = Cube::new(usable.scattered(&spectra, bands, f32::NAN), axes)?;
    Ok(Cleaned { cube, kept, usable, notes })
}

/// How many of the pixels with any data lack each band.
#[derive(Debug)]
pub(crate) struct Lacks {
    lacking: Vec<usize>,
    pub(crate) with_data: usize,
}

impl Lacks {
    pub(crate) fn of(bands: usize) -> Self {
        Self { lacking: vec![0; bands], with_data: 0 }
    }

    pub(crate) fn see(&mut self, spectrum: &[f32], is_missing: impl Fn(f32) -> bool) {
        let missing = spectrum.iter().filter(|&&v| is_missing(v)).count();
        self.with_data += usize::from(missing < spectrum.len());
        if 0 < missing && missing < spectrum.len() {
            self.lacking.iter_mut().zip(spectrum).for_each(|(count, &v)| *count += usize::from(is_missing(v)));
        }
    }

    /// Whether there are pixels that have some bands and lack others.
    pub(crate) fn any(&self) -> bool {
        self.lacking.iter().any(|&count| count > 0)
    }

    /// The bands that most pixels with data have.
    pub(crate) fn kept(&self) -> Vec<usize> {
        (0..self.lacking.len()).filter(|&band| 2 * self.lacking[band] <= self.with_data).collect()
    }

    /// A line for the others.
    pub(crate) fn told(&self, axis: &Axis) -> Option<String> {
        let kept = self.kept();
        let gone: Vec<usize> = (0..self.lacking.len()).filter(|band| !kept.contains(band)).collect();
        let share = gone.iter().map(|&band| self.lacking[band]).min()?;
        let where_ = if share == self.with_data {
            "have no data".into()
        } else {
            format!("have no data in {share} pixels or more")
        };
        Some(format!("left out {}, which {where_}", named_bands(axis, &gone)))
    }
}

/// The cube of these bands, without a copy where they are all.
fn selected(cube: Cube<f32>, bands: &[usize]) -> Result<Cube<f32>> {
    let all = cube.axis(AxisKind::Wavelength)?.len();
    Ok(if bands.len() == all { cube } else { cube.select(AxisKind::Wavelength, bands)? })
}

/// The bands that the file does not mark as bad and the user does not drop.
pub(crate) fn wanted_bands(
    axis: &Axis,
    bad: &[bool],
    unwanted: &[BandRange],
    notes: &mut Vec<String>,
) -> Result<Vec<usize>> {
    let centre = |band: usize| axis.coordinates_in("nm").ok().map(|centres| centres[band]);
    if axis.coordinates().is_none() && unwanted.iter().any(|range| matches!(range, BandRange::Nanometres(..))) {
        let expected = "numbers of bands, as in 104-113: the wavelengths of this scene are not known";
        return Err(Error::setting("drop-bands", "wavelengths", expected));
    }
    let is_bad = |band: usize| bad.get(band).copied().unwrap_or(false);
    let is_unwanted = |band: usize| unwanted.iter().any(|range| range.holds(band, centre(band)));
    if let Some(nothing) = unwanted.iter().find(|range| !(0..axis.len()).any(|band| range.holds(band, centre(band)))) {
        let expected = format!("ranges with a band in them, of the {} there are", axis.len());
        return Err(Error::setting("drop-bands", nothing, expected));
    }
    let count = |of: &dyn Fn(usize) -> bool| (0..axis.len()).filter(|&band| of(band)).collect::<Vec<_>>();
    let (marked, dropped) = (count(&is_bad), count(&|band| is_unwanted(band) && !is_bad(band)));
    if !marked.is_empty() {
        notes.push(format!("left out {}, which the file marks as bad", named_bands(axis, &marked)));
    }
    if !dropped.is_empty() {
        notes.push(format!("left out {}, as asked", named_bands(axis, &dropped)));
    }
    let good = count(&|band| !is_bad(band) && !is_unwanted(band));
    if good.is_empty() {
        return Err(Error::NoPixels { values: 0, bands: 0 });
    }
    Ok(good)
}

fn pixels(count: usize) -> String {
    format!("{count} pixel{}", if count == 1 { "" } else { "s" })
}

/// The first of these pixels by row and column, counted from 1.
fn named_pixels(places: &[usize], columns: usize) -> String {
    let name = |&place: &usize| format!("row {}, column {}", place / columns + 1, place % columns + 1);
    let named: Vec<String> = places.iter().take(NAMED).map(name).collect();
    format!("{}{}", named.join("; "), if places.len() > NAMED { "; ..." } else { "" })
}

/// Rows and columns that lie among these pixels as a whole.
fn lines(places: &[usize], rows: usize, columns: usize) -> String {
    let whole = |len: usize, across: usize, of: &dyn Fn(usize) -> usize| -> Vec<String> {
        let mut counts = vec![0; len];
        places.iter().for_each(|&place| counts[of(place)] += 1);
        (0..len).filter(|&line| counts[line] == across).map(|line| (line + 1).to_string()).take(LISTED).collect()
    };
    let (row, column) = (whole(rows, columns, &|p| p / columns), whole(columns, rows, &|p| p % columns));
    match (row.is_empty(), column.is_empty()) {
        (true, true) => String::new(),
        (false, true) => format!(": the whole of row {}", row.join(", ")),
        (true, false) => format!(": the whole of column {}", column.join(", ")),
        (false, false) => format!(": the whole of row {} and column {}", row.join(", "), column.join(", ")),
    }
}

/// Bands by their numbers, counted from 1, and wavelengths.
pub(crate) fn named_bands(axis: &Axis, bands: &[usize]) -> String {
    let centres = axis.coordinates_in("nm").ok();
    let mut ranges: Vec<[usize; 2]> = Vec::new();
    for &band in bands {
        match ranges.last_mut() {
            Some([_, last]) if *last + 1 == band => *last = band,
            _ => ranges.push([band, band]),
        }
    }
    let name = |&[first, last]: &[usize; 2]| {
        let numbers = if first == last { (first + 1).to_string() } else { format!("{}-{}", first + 1, last + 1) };
        match centres {
            Some(nm) if first == last => format!("{numbers} ({:.0} nm)", nm[first]),
            Some(nm) => format!("{numbers} ({:.0}-{:.0} nm)", nm[first], nm[last]),
            None => numbers,
        }
    };
    let named: Vec<String> = ranges.iter().take(LISTED).map(name).collect();
    let more = if ranges.len() > LISTED { ", ..." } else { "" };
    let plural = if bands.len() == 1 { "band" } else { "bands" };
    format!("{} {plural}: {}{more}", bands.len(), named.join(", "))
}
