//! Which axis of an array is which: the spectra of a file as rows, columns and bands, and the words for how they were read.
//!
//! What the file says decides (its format, the names of its dimensions, its wavelengths, the size of its image), else what the user
//! says. Where nobody says anything the usual reading is taken, told as such, and refused where the numbers speak against it.

use cupel_data::{Attribute, Axes, Axis, AxisKind, Cube, Dataset, Format, Meaning};

use super::{
    PixelOrder, SceneFiles, evidence,
    files::{AxisOrder, axis_called},
    names::{Names, SPECTRA, TRUE_ABUNDANCES, TRUE_ENDMEMBERS, base, only_array},
    no_scene, transposed,
    wavelengths::{Centres, centres},
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
    /// Maps in the file that say which pixels to use, a line each.
    pub(super) masks: Vec<String>,
}

/// An array of a file, whose axes have no names yet, with how it is to be read.
struct Array<'a> {
    names: Names<'a>,
    dataset: &'a Dataset,
    /// What to call it in messages.
    name: Option<&'a str>,
    cube: Cube<f32>,
    centres: Vec<Centres>,
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
                Some(cube) => {
                    let centres = centres(dataset, &Names::of(dataset), files)?;
                    return image(cube, "each page a band", centres, files);
                }
                None => return Err(no_scene(dataset, "Name the variable that holds the spectra.")),
            },
        },
    };
    let cube = read(dataset, name, files)?;
    if cube.is_empty() {
        return Err(no_scene(dataset, "Its spectra are empty."));
    }
    let names = Names::beside(dataset, name.unwrap_or_default());
    let centres = centres(dataset, &names, files)?;
    let meaning = if files.raw { Meaning::default() } else { dataset.meaning(name)? };
    let array = Array { names, dataset, name, cube, centres, files };
    let spectra = match array.cube.shape().len() {
        3 => array.cube_of_bands()?,
        2 => array.matrix()?,
        _ => {
            let shape = array.cube.shape();
            return Err(no_scene(dataset, &format!("Spectra of shape {shape:?} have neither two nor three axes.")));
        }
    };
    let masks = match name.map(str::to_owned).or_else(|| dataset.only_array_name().ok()) {
        Some(image) if files.mask.is_none() => {
            let [rows, columns] = [0, 1].map(|axis| spectra.cube.shape()[axis]);
            let flags = dataset.pixel_flags(&image, rows, columns)?;
            flags.iter().map(|flags| flags.told(dataset.path())).collect()
        }
        _ => Vec::new(),
    };
    Ok(Spectra { meaning, masks, ..spectra })
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

/// An array whose axes are named, as an image; `centres` are all lists of band centres that are known.
fn image(cube: Cube<f32>, how: &str, centres: Vec<Centres>, files: &SceneFiles) -> Result<Spectra> {
    let cube = cube.permuted(&IMAGE)?;
    let [rows, columns, bands] = [0, 1, 2].map(|axis| cube.shape()[axis]);
    if let (Some(path), Some(given)) = (&files.wavelengths, centres.first())
        && given.nanometres.len() != bands
    {
        let problem = format!("it has {} band centres, the scene has {bands} bands", given.nanometres.len());
        return Err(Error::Wavelengths { path: path.clone(), problem });
    }
    let own = centres.into_iter().find(|centres| centres.nanometres.len() == bands);
    let widths_nm = own.as_ref().and_then(|centres| centres.widths_nm.clone()).filter(|widths| widths.len() == bands);
    let bad = own.as_ref().and_then(|centres| centres.bad.clone()).unwrap_or_default();
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
    Ok(Spectra { cube, bad, told, meaning: Meaning::default(), widths_nm, masks: Vec::new() })
}

impl Array<'_> {
    /// An array of three axes.
    fn cube_of_bands(self) -> Result<Spectra> {
        let (kinds, how) = match self.stated()? {
            Some(found) => found,
            None => self.usual()?,
        };
        let cube = self.cube.rename(&kinds)?;
        let bad = self.dataset.envi_header().map(|header| header.good_bands.iter().map(|good| !good).collect());
        let spectra = image(cube, &how, self.centres, self.files)?;
        Ok(Spectra { bad: bad.filter(|bad: &Vec<bool>| !bad.is_empty()).unwrap_or(spectra.bad), ..spectra })
    }

    /// The axes that somebody says.
    fn stated(&self) -> Result<Option<([AxisKind; 3], String)>> {
        let shape = self.cube.shape();
        if let Some(AxisOrder(kinds)) = self.files.axes {
            return Ok(Some((kinds, "as --axes says".into())));
        }
        let own = self.cube.axes().kinds();
        if own.iter().all(|kind| IMAGE.contains(kind)) {
            return Ok(Some(([own[0], own[1], own[2]], "by its header".into())));
        }
        match self.dataset.format() {
            Format::Tiff => return Ok(Some((IMAGE, "as TIFF has them".into()))),
            Format::Fits => return self.fits_axes().map(Some),
            _ => {}
        }
        if let Some(kinds) = self.dimensions()? {
            return Ok(Some((kinds, "by the names of its dimensions".into())));
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
        for centres in &self.centres {
            if let Some(axis) = only(centres.nanometres.len()) {
                let how = format!("bands on the {} axis, by its {} wavelengths", place[axis], shape[axis]);
                return Ok(Some((with_bands(axis), how)));
            }
        }
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

    /// The reading that is usual where nothing is said: the bands on the last axis.
    fn usual(&self) -> Result<([AxisKind; 3], String)> {
        if let Some(axis) = evidence::likelier_bands(&self.cube, 2)? {
            let order = ["bands,rows,columns", "rows,bands,columns", "rows,columns,bands"][axis];
            let hint = format!(
                "Nothing says which of its axes {:?} are rows, columns and bands, and its numbers look like spectra along axis {}: say --axes {order}, or what is right.",
                self.cube.shape(),
                axis + 1
            );
            return Err(no_scene(self.dataset, &hint));
        }
        Ok((IMAGE, "bands on the last axis by default, since nothing says so; --axes changes it".into()))
    }

    /// Of FITS the spectral axis by its CTYPE, else the slowest one, as spectral cubes are written.
    fn fits_axes(&self) -> Result<([AxisKind; 3], String)> {
        let kinds = self.dataset.axes(self.name).map(|axes| axes.kinds()).unwrap_or_default();
        let spectral = kinds.iter().position(|kind| matches!(kind, AxisKind::Wavelength | AxisKind::Frequency));
        Ok(match spectral {
            Some(2) => (IMAGE, "by its CTYPE".into()),
            Some(1) => ([AxisKind::Row, AxisKind::Wavelength, AxisKind::Column], "by its CTYPE".into()),
            Some(_) => ([AxisKind::Wavelength, AxisKind::Row, AxisKind::Column], "by its CTYPE".into()),
            None => ([AxisKind::Wavelength, AxisKind::Row, AxisKind::Column], "bands slowest, as in FITS".into()),
        })
    }

    /// The axes by the names that HDF5 and NetCDF give to dimensions.
    fn dimensions(&self) -> Result<Option<[AxisKind; 3]>> {
        if self.dataset.format() != Format::Hdf5 {
            return Ok(None);
        }
        let Some(name) = self.name.or_else(|| only_array(self.dataset)?) else { return Ok(None) };
        let attributes = self.dataset.attributes(name)?;
        let shape = self.cube.shape();
        let mut kinds = [None; 3];
        // "Line, Sample, Wavelength"
        let labels = attributes.iter().find(|(key, _)| base_name(key) == "dimensionlabels");
        if let Some((_, Attribute::Texts(texts))) = labels {
            let names: Vec<&str> = texts.iter().flat_map(|text| text.split(',')).map(str::trim).collect();
            if names.len() == 3 {
                kinds.iter_mut().zip(names).for_each(|(kind, name)| *kind = axis_called(name));
            }
        }
        // NetCDF: the numbers of its dimensions, each of which is a variable with that number.
        let numbers = attributes.get("_Netcdf4Coordinates").and_then(Attribute::numbers::<i64>).unwrap_or_default();
        for variable in self.dataset.variables().iter().filter(|v| v.shape().len() == 1) {
            let named = axis_called(base(variable.name()));
            let Some(kind) = named else { continue };
            let number =
                self.dataset.attributes(variable.name())?.get("_Netcdf4Dimid").and_then(Attribute::number::<i64>);
            let axis = match number {
                Some(number) if numbers.len() == 3 => numbers.iter().position(|&own| own == number),
                // A scale of the only axis that is as long.
                _ => {
                    let mut axes = (0..3).filter(|&axis| shape[axis] == variable.shape()[0]);
                    axes.next().filter(|_| axes.next().is_none())
                }
            };
            if let Some(axis) = axis {
                kinds[axis] = kinds[axis].or(Some(kind));
            }
        }
        let found: Vec<AxisKind> = kinds.into_iter().flatten().collect();
        let complete = IMAGE.iter().all(|kind| found.contains(kind));
        Ok(if complete { <[AxisKind; 3]>::try_from(found).ok() } else { None })
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

/// A name without case and separators.
fn base_name(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}
