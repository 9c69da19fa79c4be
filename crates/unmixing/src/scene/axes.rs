//! Which axis of an array is which: the spectra of a file as rows, columns and bands, and the words for how they were read.
//!
//! What the file says decides (its format, the names of its dimensions, its wavelengths, the size of its image), else what the user
//! says. Where nobody says anything the usual reading is taken, told as such, and refused where the numbers speak against it.

use cupel_data::{Axes, Axis, AxisKind, BandCentres, Cube, Dataset, Format, Georeference, Image, Meaning, SPECTRA};

use super::{
    PixelOrder, SceneFiles, evidence,
    files::AxisOrder,
    names::{Names, TRUE_ABUNDANCES, TRUE_ENDMEMBERS, only_array},
    no_scene, transposed,
};
use crate::{Error, Published, Result};

const IMAGE: [AxisKind; 3] = [AxisKind::Row, AxisKind::Column, AxisKind::Wavelength];

/// The spectra of a file.
pub(super) struct Spectra {
    /// Axes `[Row, Column, Wavelength]`.
    pub(super) cube: Cube<f32>,
    /// Which bands the file marks as bad; none where it marks none.
    pub(super) bad: Vec<bool>,
    /// How they were read, as a sentence without its stop.
    pub(super) told: String,
    /// What their stored numbers stand for.
    pub(super) meaning: Meaning,
    /// Full widths of the bands at half maximum in nanometres, where they are known.
    pub(super) widths_nm: Option<Vec<f64>>,
    /// Maps in the file that say which pixels to use, and what is lost of their place, a line each.
    pub(super) masks: Vec<String>,
    /// Where on the Earth the pixels lie, where the file says.
    pub(super) place: Option<Georeference>,
}

/// An array of a file, whose axes have no names yet, with how it is to be read.
struct Array<'a> {
    names: Names<'a>,
    dataset: &'a Dataset,
    name: &'a str,
    cube: Cube<f32>,
    centres: Vec<BandCentres>,
    /// How its axes are known already, where they are.
    how: Option<String>,
    /// What the user says of it.
    files: &'a SceneFiles,
}

/// Reads the spectra of a file.
///
/// # Errors
/// A file without a scene, or with several; axes that cannot be told.
pub(super) fn spectra(dataset: &Dataset, files: &SceneFiles) -> Result<Spectra> {
    if let Some(table) = super::pixel_table::read(dataset, files)? {
        return Ok(table);
    }
    let known = || Names::of(dataset).find(&SPECTRA).map(|variable| Some(variable.name()));
    let name = match files.variable.as_deref() {
        Some(name) => Some(name),
        None => match known().or_else(|| only_array(dataset)) {
            Some(name) => name,
            None => match pages(dataset, files)? {
                Some(cube) => return Ok(Spectra { place: dataset.georeference(), ..of_pages(dataset, cube, files)? }),
                None => return Err(no_scene(dataset, "Name the variable that holds the spectra.")),
            },
        },
    };
    let (cube, how) = match table(dataset)? {
        Some((cube, how)) => (cube, Some(how)),
        None => (read(dataset, name, files)?, None),
    };
    if cube.is_empty() {
        return Err(no_scene(dataset, "Its spectra are empty."));
    }
    let names = Names::beside(dataset, name.unwrap_or_default());
    let own = name.map_or_else(|| dataset.only_array_name().unwrap_or_default(), str::to_owned);
    let centres = files.centres(dataset, &own)?;
    let meaning = if files.raw || how.is_some() { Meaning::default() } else { dataset.meaning(name)? };
    let array = Array { names, dataset, name: &own, cube, centres, how, files };
    let spectra = match array.cube.shape().len() {
        3 => array.cube_of_bands()?,
        2 => array.matrix()?,
        _ => {
            let shape = array.cube.shape();
            return Err(no_scene(dataset, &format!("Spectra of shape {shape:?} have neither two nor three axes.")));
        }
    };
    let [rows, columns, bands] = [0, 1, 2].map(|axis| spectra.cube.shape()[axis]);
    let flags = match files.mask {
        None if !own.is_empty() => dataset.pixel_flags(&own, rows, columns)?,
        _ => Vec::new(),
    };
    let mut masks: Vec<String> = flags.iter().map(|flags| flags.told(dataset.path())).collect();
    let place = match own.is_empty() {
        true => Ok(dataset.georeference()),
        false => dataset.place_of(&own)?,
    };
    let place = place.unwrap_or_else(|lost| {
        masks.push(format!("maps are without {lost}"));
        None
    });
    let bad = dataset.good_bands(&own, bands)?.into_iter().map(|good| !good).collect();
    Ok(Spectra { meaning, masks, bad, place, ..spectra })
}

/// The spectra of a text table, as `spectra x bands`, with the words for how they lie; nothing for other files.
fn table(dataset: &Dataset) -> Result<Option<(Cube<f32>, String)>> {
    if dataset.format() != Format::Delimited {
        return Ok(None);
    }
    let Ok(image) = Image::open(dataset, None, None) else { return Ok(None) };
    let info = image.info();
    if !info.is_library() {
        return Ok(None);
    }
    let values = image.rows(0..info.rows)?.into_cube::<f32>()?.into_values();
    let axes = [(AxisKind::Sample, info.rows), (AxisKind::Wavelength, info.bands)];
    let axes = Axes::new(axes.map(|(kind, len)| Axis::new(kind, len)).to_vec())?;
    let how = info.told.split_once(" (").map_or(info.told.as_str(), |(_, how)| how.trim_end_matches(')'));
    Ok(Some((Cube::new(values, axes)?, how.to_owned())))
}

/// The numbers as they are measured, or as they are stored.
fn read(dataset: &Dataset, name: Option<&str>, files: &SceneFiles) -> Result<Cube<f32>> {
    let cube: Cube<f32> = if files.raw { dataset.stored(name)? } else { dataset.cube(name)? };
    if dataset.format() != Format::Fits {
        return Ok(cube);
    }
    // Its header may name other axes, and frequencies in MHz would pass for wavelengths.
    let axes = cube.shape().into_iter().zip(0..).map(|(len, number)| Axis::new(AxisKind::Dimension(number), len));
    let axes = Axes::new(axes.collect())?;
    Ok(Cube::new(cube.into_values(), axes)?)
}

/// The pages of a TIFF file that are equally large and of one band each, as a cube of `[bands, rows, columns]`.
fn pages(dataset: &Dataset, files: &SceneFiles) -> Result<Option<Cube<f32>>> {
    let variables = dataset.variables();
    let [first, ..] = variables else { return Ok(None) };
    let alike = variables.iter().all(|v| v.shape() == first.shape() && v.class() == first.class());
    let &[rows, columns] = first.shape() else { return Ok(None) };
    if dataset.format() != Format::Tiff || !alike || variables.len() < 2 {
        return Ok(None);
    }
    let mut values = Vec::with_capacity(variables.len() * rows * columns);
    for variable in variables {
        values.extend_from_slice(read(dataset, Some(variable.name()), files)?.values());
    }
    let axes = [(AxisKind::Wavelength, variables.len()), (AxisKind::Row, rows), (AxisKind::Column, columns)];
    let axes = Axes::new(axes.map(|(kind, len)| Axis::new(kind, len)).to_vec())?;
    Ok(Some(Cube::new(values, axes)?))
}

/// The pages of a file as bands, unless the user or their numbers say otherwise.
fn of_pages(dataset: &Dataset, cube: Cube<f32>, files: &SceneFiles) -> Result<Spectra> {
    let centres = files.centres(dataset, "")?;
    if let Some(AxisOrder(kinds)) = files.axes {
        return image(cube.rename(&kinds)?, "as --axes says", centres, files);
    }
    // Software that takes the first axis for pages writes the rows of a cube so.
    against(dataset, &cube, 0, &[2])?;
    image(cube, "each page a band", centres, files)
}

/// Refuses a reading by custom, of which `bands` is the axis of the bands, where the numbers speak for one of the `others`.
fn against(dataset: &Dataset, cube: &Cube<f32>, bands: usize, others: &[usize]) -> Result<()> {
    let likelier = evidence::likelier_bands(cube, bands)?;
    let Some(axis) = likelier.filter(|axis| others.contains(axis)) else { return Ok(()) };
    let order = ["bands,rows,columns", "rows,bands,columns", "rows,columns,bands"][axis];
    let hint = format!(
        "Nothing says which of its axes {:?} are rows, columns and bands, and its numbers look like spectra along axis {}: say --axes {order}, or what is right.",
        cube.shape(),
        axis + 1
    );
    Err(no_scene(dataset, &hint))
}

/// An array whose axes are named, as an image; `centres` are all lists of band centres that are known.
fn image(cube: Cube<f32>, how: &str, centres: Vec<BandCentres>, files: &SceneFiles) -> Result<Spectra> {
    let cube = cube.permuted(&IMAGE)?;
    let [rows, columns, bands] = [0, 1, 2].map(|axis| cube.shape()[axis]);
    if let (Some(path), Some(given)) = (&files.wavelengths, centres.first())
        && given.nanometres.len() != bands
    {
        let problem = format!("it has {} band centres, the scene has {bands} bands", given.nanometres.len());
        return Err(Error::Wavelengths { path: path.clone(), problem });
    }
    let own = centres.into_iter().find(|centres| centres.nanometres.len() == bands);
    let widths_nm = own.as_ref().map(|centres| centres.widths_nm.clone()).filter(|widths| widths.len() == bands);
    let cube = match own {
        Some(own) if cube.axis(AxisKind::Wavelength)?.coordinates().is_none() || files.wavelengths.is_some() => {
            let band = Axis::new(AxisKind::Wavelength, bands);
            // Of detectors that overlap the order of the bands is not that of their centres.
            cube.with_axis(band.clone().with_coordinates(own.nanometres, "nm").unwrap_or(band))?
        }
        _ => cube,
    };
    let of = |count: usize, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
    let told = format!("read as {}, {}, {} ({how})", of(rows, "row"), of(columns, "column"), of(bands, "band"));
    Ok(Spectra { cube, bad: Vec::new(), told, meaning: Meaning::default(), widths_nm, masks: Vec::new(), place: None })
}

impl Array<'_> {
    /// An array of three axes.
    fn cube_of_bands(self) -> Result<Spectra> {
        let (kinds, how) = match self.stated()? {
            Some(found) => found,
            None => self.usual()?,
        };
        let cube = self.cube.rename(&kinds)?;
        image(cube, &how, self.centres, self.files)
    }

    /// The axes that somebody says.
    fn stated(&self) -> Result<Option<([AxisKind; 3], String)>> {
        let shape = self.cube.shape();
        if let Some(AxisOrder(kinds)) = self.files.axes {
            return Ok(Some((kinds, "as --axes says".into())));
        }
        if !self.name.is_empty()
            && let Some(found) = self.dataset.image_axes(self.name, &self.centres)?
        {
            return Ok(Some(found));
        }
        // Rows come before columns wherever the bands are.
        let with_bands = |axis: usize| {
            let mut kinds = [AxisKind::Row, AxisKind::Column, AxisKind::Column];
            let others = [AxisKind::Row, AxisKind::Column];
            (0..3).filter(|&other| other != axis).zip(others).for_each(|(place, kind)| kinds[place] = kind);
            kinds[axis] = AxisKind::Wavelength;
            kinds
        };
        let place = ["first", "second", "last"];
        let only = |len: usize| {
            let mut axes = (0..3).filter(|&axis| shape[axis] == len);
            axes.next().filter(|_| axes.next().is_none())
        };
        if let Some(bands) = self.bands_of_truth()
            && let Some(axis) = only(bands)
        {
            return Ok(Some((with_bands(axis), format!("bands on the {} axis, by its true spectra", place[axis]))));
        }
        if let Some((rows, columns)) = self.names.image_size()? {
            for (axis, name) in place.iter().enumerate() {
                let others: Vec<usize> = (0..3).filter(|&other| other != axis).map(|other| shape[other]).collect();
                if others == [rows, columns] && rows != columns {
                    let how = format!("bands on the {name} axis, by the size of its image");
                    return Ok(Some((with_bands(axis), how)));
                }
            }
        }
        Ok(None)
    }

    /// The reading that is usual where nothing is said.
    fn usual(&self) -> Result<([AxisKind; 3], String)> {
        let (kinds, how) = self.dataset.usual_image_axes();
        let bands = kinds.iter().position(|kind| *kind == AxisKind::Wavelength).unwrap_or(2);
        against(self.dataset, &self.cube, bands, &[0, 1, 2])?;
        Ok((kinds, how.into()))
    }

    /// How many bands the true endmembers of the file have, where one of their sides is a side of the spectra and the other is not.
    fn bands_of_truth(&self) -> Option<usize> {
        let truth = self.names.find(&TRUE_ENDMEMBERS)?.shape().to_vec();
        let shape = self.cube.shape();
        let mut sides = truth.into_iter().filter(|side| shape.contains(side) && *side > 1);
        sides.next().filter(|_| sides.next().is_none())
    }

    /// A matrix of spectra.
    fn matrix(self) -> Result<Spectra> {
        let [first, second] = [self.cube.shape()[0], self.cube.shape()[1]];
        let files = self.files;
        let rows = files.rows;
        let stated = match self.names.image_size()? {
            None => self.size_of_maps(),
            stated => stated,
        };
        let image_of = |pixels: usize, bands: usize| -> Option<(usize, usize)> {
            if let Some(rows) = rows {
                return pixels.is_multiple_of(rows.max(1)).then_some((rows, pixels / rows.max(1)));
            }
            let square = (pixels as f64).sqrt().round() as usize;
            stated
                .filter(|(rows, columns)| rows * columns == pixels)
                .or_else(|| Published::find(bands, pixels).map(|p| (p.rows, p.columns)))
                .or((square * square == pixels).then_some((square, square)))
        };
        let is_bands = |len: usize| self.centres.iter().any(|centres| centres.nanometres.len() == len);
        // spectra are columns by custom; wavelengths, the truth or the image tell where they are rows
        let (bands_first, how) = match (is_bands(first), is_bands(second), self.bands_of_truth()) {
            _ if self.how.is_some() => (false, self.how.as_deref().unwrap_or_default()),
            (true, false, _) => (true, "spectra as columns, by its wavelengths"),
            (false, true, _) => (false, "spectra as rows, by its wavelengths"),
            (_, _, Some(bands)) if first != second => (bands == first, "by its true spectra"),
            _ => (image_of(second, first).is_some() || image_of(first, second).is_none(), "by the size of its image"),
        };
        let (bands, pixels) = if bands_first { (first, second) } else { (second, first) };
        let (rows, columns) = image_of(pixels, bands).ok_or_else(|| {
            let hint = match rows {
                Some(rows) => format!("{rows} rows do not divide {pixels} pixels."),
                None => {
                    format!("{pixels} pixels are no square image: say how many rows it has by --rows, or add nRow and nCol to the file.")
                }
            };
            no_scene(self.dataset, &hint)
        })?;
        let order = files.pixel_order.unwrap_or_else(|| order_of(self.dataset, &self.names));
        let pixels_last = if bands_first { self.cube.clone() } else { transposed(&self.cube)? };
        let sides = match order {
            PixelOrder::Row => [(AxisKind::Row, rows), (AxisKind::Column, columns)],
            PixelOrder::Column => [(AxisKind::Column, columns), (AxisKind::Row, rows)],
        };
        let axes = [[(AxisKind::Wavelength, bands)].as_slice(), &sides].concat();
        let axes = Axes::new(axes.into_iter().map(|(kind, len)| Axis::new(kind, len)).collect())?;
        let cube = Cube::new(pixels_last.into_values(), axes)?.permuted(&IMAGE)?;
        let order_told = match (files.pixel_order, order) {
            (Some(_), _) => "pixels as --pixel-order says".to_owned(),
            (None, order) => {
                if rows != columns && evidence::smoother_in_other_order(&cube, order)? {
                    let other = if order == PixelOrder::Row { PixelOrder::Column } else { PixelOrder::Row };
                    let hint = format!(
                        "Its pixels would be taken {order} by {order}, but lie much more smoothly {other} by {other}: say --pixel-order {other}, or --pixel-order {order} if that is right; --rows if its image has not {rows} rows."
                    );
                    return Err(no_scene(self.dataset, &hint));
                }
                format!("pixels {order} by {order}, --pixel-order changes it")
            }
        };
        image(cube, &format!("{how}; {order_told}"), self.centres, files)
    }

    /// The image size that the true abundance maps have.
    fn size_of_maps(&self) -> Option<(usize, usize)> {
        let maps = self.names.find(&TRUE_ABUNDANCES).filter(|v| v.shape().len() == 3)?;
        let count = self.names.find(&TRUE_ENDMEMBERS).and_then(|v| v.shape().iter().min().copied());
        match *maps.shape() {
            [k, rows, columns] if Some(k) == count && Some(columns) != count => Some((rows, columns)),
            [rows, columns, _] => Some((rows, columns)),
            _ => None,
        }
    }
}

/// How the pixels of matrices lie: MATLAB's run down the columns, those of everybody else along the rows.
pub(super) fn order_of(dataset: &Dataset, names: &Names<'_>) -> PixelOrder {
    match dataset.format() {
        Format::Matlab | Format::Matlab73 if !names.is_hysupp() => PixelOrder::Column,
        _ => PixelOrder::Row,
    }
}
