//! A hyperspectral scene from a file, with the truth where the file has one.
//!
//! The layouts that circulate are recognised by their variables' names: spectra as `Y` or `V` (`bands x pixels`, or
//! `rows x columns x bands`), true endmembers as `GT`, `M` or `E_GT`, true abundances as `S_GT`, `A` or `a_GT`.
//! Pixels of two-dimensional layouts run down the columns, as in MATLAB. Of an ENVI image the bands are left out that its
//! header marks as bad, and a FITS cube has its bands first.

use std::path::{Path, PathBuf};

use cupel_data::{Axes, Axis, AxisKind, Class, Cube, Dataset, Format, Variable};

use crate::{Abundances, Endmembers, Error, Result, published::Published};

/// Names of variables that hold spectra.
const SPECTRA: [&str; 2] = ["Y", "V"];
/// Names of variables that hold true endmembers.
const TRUE_ENDMEMBERS: [&str; 5] = ["GT", "M", "E_GT", "E", "endmembers"];
/// Names of variables that hold true abundances.
const TRUE_ABUNDANCES: [&str; 5] = ["S_GT", "A", "a_GT", "abundances", "label"];
/// Names of variables that hold the number of image rows.
const ROWS: [&str; 5] = ["nRow", "lines", "rows", "H", "nrows"];
/// Names of variables that hold the number of image columns.
const COLUMNS: [&str; 5] = ["nCol", "cols", "columns", "W", "ncols"];
/// Names of variables that hold band centres.
const WAVELENGTHS: [&str; 5] = ["wavelength", "wavelengths", "wavelength_nm", "lambda", "wlen"];
/// Names of variables that hold the materials' names.
const MATERIALS: [&str; 3] = ["cood", "names", "materials"];

/// A scene ready to unmix.
#[derive(Clone, Debug)]
pub struct Scene {
    /// What to call it: the published name, else the file's.
    pub name: String,
    /// Spectra with axes `[Row, Column, Wavelength]`, divided by [`Scene::scale`].
    pub cube: Cube<f32>,
    /// The largest value in the file: spectra are divided by it, so that errors compare between scenes.
    pub scale: f64,
    /// What is really there, where the file says.
    pub truth: Option<Truth>,
    /// Whether the wavelengths are nominal ones of a published scene rather than the file's own.
    pub nominal_wavelengths: bool,
}

/// True endmembers, abundances and names of materials.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    /// True spectra.
    pub endmembers: Endmembers,
    /// True abundances, where they are known, with pixels in the order of the scene.
    pub abundances: Option<Abundances>,
    /// Names of the materials.
    pub names: Vec<String>,
}

/// Image size and bands.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Size {
    rows: usize,
    columns: usize,
    bands: usize,
}

impl Scene {
    /// Reads a scene; `variable` names its spectra where the file's layout is not a known one, and `rows` is the number
    /// of image rows where the file does not tell and the image is not square.
    ///
    /// # Errors
    /// A file that cannot be read, has no recognisable scene, or a truth that does not fit.
    pub fn open(path: &Path, variable: Option<&str>, rows: Option<usize>) -> Result<Self> {
        let dataset = cupel_data::open(path)?;
        let (cube, size) = spectra(&dataset, variable, rows)?;
        let published = Published::find(size.bands, size.rows * size.columns);
        let own = match cube.axis(AxisKind::Wavelength)?.coordinates_in("nm") {
            Ok(centres) => Some(centres.to_vec()),
            Err(_) => wavelengths(&dataset, size.bands)?,
        };
        let nominal_wavelengths = own.is_none() && published.is_some();
        let band = Axis::new(AxisKind::Wavelength, size.bands);
        let band = match own.or(published.map(|p| p.wavelengths_nm())) {
            Some(centres) => band.with_coordinates(centres, "nm")?,
            None => band,
        };
        let scale = cube.values().iter().copied().filter(|v| v.is_finite()).fold(0.0f32, f32::max);
        let scale = if scale > 0.0 { f64::from(scale) } else { 1.0 };
        let cube = cube.map(|v| (f64::from(*v) / scale) as f32).with_axis(band)?;
        let name = published.map_or_else(
            || path.file_stem().map_or_else(|| "scene".into(), |s| s.to_string_lossy().into_owned()),
            |p| p.name.to_owned(),
        );
        let truth = if has_truth(&dataset) { Some(truth_in(&dataset, size)?) } else { None };
        Ok(Self { name, cube, scale, truth, nominal_wavelengths })
    }

    /// Image rows and columns.
    ///
    /// # Errors
    /// Never for a scene that was opened.
    pub fn image_size(&self) -> Result<(usize, usize)> {
        Ok((self.cube.axis(AxisKind::Row)?.len(), self.cube.axis(AxisKind::Column)?.len()))
    }

    /// Reads the truth from other files: one with both, or one with endmembers and one with abundances.
    ///
    /// # Errors
    /// Files that hold no truth, or one of another size than the scene.
    pub fn with_truth(mut self, paths: &[PathBuf]) -> Result<Self> {
        let (rows, columns) = self.image_size()?;
        let size = Size { rows, columns, bands: self.cube.axis(AxisKind::Wavelength)?.len() };
        self.truth = Some(read_truth(paths, size)?);
        Ok(self)
    }
}

impl Truth {
    /// Reads true endmembers and, where `pixels` are given as rows and columns, true abundances from `paths`.
    ///
    /// # Errors
    /// Files that hold no truth, or one of another size.
    pub fn open(paths: &[PathBuf], rows: usize, columns: usize, bands: usize) -> Result<Self> {
        read_truth(paths, Size { rows, columns, bands })
    }
}

/// An estimate and its truth from files, for comparison without the scene.
///
/// The image size is that of any three-dimensional abundance maps among them; without such, pixels are compared in
/// the order of the files.
///
/// # Errors
/// Files without endmembers, or an estimate and a truth of different sizes.
pub fn open_estimate(estimate: &[PathBuf], truth: &[PathBuf]) -> Result<(Truth, Truth)> {
    let datasets = estimate.iter().chain(truth).map(cupel_data::open).collect::<cupel_data::Result<Vec<_>>>()?;
    let arrays = |names: &'static [&str], rank: usize| {
        datasets
            .iter()
            .flat_map(move |d| {
                let one = holds_one_array(d);
                d.variables().iter().filter(move |v| one || names.contains(&v.name())).map(Variable::shape)
            })
            .filter(move |shape| shape.len() == rank)
    };
    let anywhere = estimate.first().or(truth.first()).map_or(Path::new("endmembers"), PathBuf::as_path);
    let bands = arrays(&TRUE_ENDMEMBERS, 2).next().and_then(|shape| shape.iter().max().copied());
    let bands = bands.ok_or_else(|| truth_error(anywhere, "no endmembers (a matrix of spectra)".into()))?;
    let image = arrays(&TRUE_ABUNDANCES, 3).next().map(|shape| (shape[0], shape[1]));
    let flat =
        || arrays(&TRUE_ABUNDANCES, 2).filter(|s| !s.contains(&bands)).flat_map(|s| s.iter().max()).max().copied();
    let (rows, columns) = image.or_else(|| Some((flat()?, 1))).unwrap_or((1, 1));
    let size = Size { rows, columns, bands };
    Ok((read_truth(estimate, size)?, read_truth(truth, size)?))
}

/// A library of spectra from a file: a matrix with one side of `bands`, under one of the names of true endmembers or alone.
///
/// # Errors
/// A file that cannot be read, or holds no such matrix.
pub fn open_library(path: &Path, bands: usize) -> Result<Endmembers> {
    let dataset = cupel_data::open(path)?;
    let found = true_endmembers(&dataset, Size { rows: 1, columns: 1, bands });
    let problem = match found {
        Ok(Some(library)) => return Ok(library),
        Ok(None) => {
            format!("no matrix of spectra of {bands} bands (alone, or as one of {})", TRUE_ENDMEMBERS.join(", "))
        }
        Err(Error::Truth { problem, .. }) => problem,
        Err(error) => return Err(error),
    };
    Err(Error::Library { path: path.to_path_buf(), problem })
}

/// The spectra as `[Row, Column, Wavelength]`.
fn spectra(dataset: &Dataset, variable: Option<&str>, rows: Option<usize>) -> Result<(Cube<f32>, Size)> {
    let name = variable.or_else(|| SPECTRA.into_iter().find(|n| lookup(dataset, n).is_some()));
    if name.is_none() && !holds_one_array(dataset) {
        return Err(no_scene(dataset, "Name the variable that holds the spectra."));
    }
    let mut cube = match dataset.format() {
        // Its header may name other axes, and frequencies in MHz would pass for wavelengths.
        Format::Fits => dataset.array(name)?.into_cube()?,
        _ => dataset.cube::<f32>(name)?,
    };
    if let Some(header) = dataset.envi_header().filter(|header| header.good_bands.contains(&false)) {
        let good: Vec<usize> = (0..header.good_bands.len()).filter(|&band| header.good_bands[band]).collect();
        cube = cube.select(AxisKind::Wavelength, &good)?;
    }
    if dataset.format() == Format::Fits && cube.shape().len() == 3 {
        // Spectral cubes are written with the bands as their slowest axis.
        let kinds = [AxisKind::Wavelength, AxisKind::Row, AxisKind::Column];
        cube = cube.rename(&kinds)?.permuted(&[AxisKind::Row, AxisKind::Column, AxisKind::Wavelength])?;
    }
    let shape = cube.shape();
    let named = |kinds: [AxisKind; 3]| -> Result<Cube<f32>> { Ok(cube.clone().rename(&kinds)?) };
    match *shape.as_slice() {
        [rows, columns, bands] => {
            Ok((named([AxisKind::Row, AxisKind::Column, AxisKind::Wavelength])?, Size { rows, columns, bands }))
        }
        [first, second] => {
            // spectra are columns by custom; the image or the truth tells where they are rows
            let stated = image_size(dataset)?;
            let image = |pixels: usize, bands: usize| -> Option<(usize, usize)> {
                if let Some(rows) = rows {
                    return pixels.is_multiple_of(rows.max(1)).then_some((rows, pixels / rows.max(1)));
                }
                let square = (pixels as f64).sqrt().round() as usize;
                stated
                    .filter(|(rows, columns)| rows * columns == pixels)
                    .or_else(|| Published::find(bands, pixels).map(|p| (p.rows, p.columns)))
                    .or((square * square == pixels).then_some((square, square)))
            };
            let truth = TRUE_ENDMEMBERS.iter().find_map(|n| lookup(dataset, n)).map(Variable::shape);
            let bands_first = match truth {
                Some(shape) if shape.contains(&first) != shape.contains(&second) => shape.contains(&first),
                _ => image(second, first).is_some() || image(first, second).is_none(),
            };
            let (bands, pixels) = if bands_first { (first, second) } else { (second, first) };
            let (rows, columns) = image(pixels, bands).ok_or_else(|| {
                let hint = match rows {
                    Some(rows) => format!("{rows} rows do not divide {pixels} pixels."),
                    None => {
                        format!("{pixels} pixels are no square image: say how many rows it has, or add nRow and nCol to the file.")
                    }
                };
                no_scene(dataset, &hint)
            })?;
            let pixels_last = if bands_first { cube } else { transposed(&cube)? };
            // pixel n = row + rows * column: the columns are the slower axis
            let axes = Axes::new(vec![
                Axis::new(AxisKind::Wavelength, bands),
                Axis::new(AxisKind::Column, columns),
                Axis::new(AxisKind::Row, rows),
            ])?;
            let cube = Cube::new(pixels_last.into_values(), axes)?;
            let cube = cube.permuted(&[AxisKind::Row, AxisKind::Column, AxisKind::Wavelength])?;
            Ok((cube, Size { rows, columns, bands }))
        }
        _ => Err(no_scene(dataset, &format!("Spectra of shape {shape:?} have neither two nor three axes."))),
    }
}

fn lookup<'a>(dataset: &'a Dataset, name: &str) -> Option<&'a Variable> {
    dataset.variables().iter().find(|v| v.name() == name)
}

/// Whether the file holds a single array, which needs no name.
fn holds_one_array(dataset: &Dataset) -> bool {
    match dataset.format() {
        Format::Npy | Format::Delimited | Format::Envi => true,
        // Of the tables beside a FITS image none is meant.
        Format::Fits => dataset.fits_header(None).is_ok(),
        Format::Tiff | Format::Hdf5 => {
            dataset.variables().iter().filter(|v| matches!(v.class(), Class::Number(_))).count() == 1
        }
        _ => false,
    }
}

fn transposed<T: cupel_data::Element>(cube: &Cube<T>) -> Result<Cube<T>> {
    let mut kinds = cube.axes().kinds();
    kinds.reverse();
    Ok(cube.permuted(&kinds)?)
}

/// Rows and columns that the file states, or that its abundance maps have.
fn image_size(dataset: &Dataset) -> Result<Option<(usize, usize)>> {
    let number = |names: &[&str]| -> Result<Option<usize>> {
        for name in names {
            if lookup(dataset, name).is_some_and(|v| v.shape().iter().product::<usize>() == 1)
                && let Some(value) = dataset.cube::<f64>(Some(name))?.values().first()
                && *value >= 1.0
            {
                return Ok(Some(*value as usize));
            }
        }
        Ok(None)
    };
    if let (Some(rows), Some(columns)) = (number(&ROWS)?, number(&COLUMNS)?) {
        return Ok(Some((rows, columns)));
    }
    let maps = TRUE_ABUNDANCES.iter().filter_map(|n| lookup(dataset, n)).find(|v| v.shape().len() == 3);
    Ok(maps.map(|v| (v.shape()[0], v.shape()[1])))
}

fn wavelengths(dataset: &Dataset, bands: usize) -> Result<Option<Vec<f64>>> {
    for name in WAVELENGTHS {
        if lookup(dataset, name).is_some_and(|v| v.shape().iter().product::<usize>() == bands) {
            let mut centres = dataset.cube::<f64>(Some(name))?.into_values();
            // micrometres are told from nanometres by their size
            if centres.iter().all(|w| *w < 100.0) {
                centres.iter_mut().for_each(|w| *w *= 1000.0);
            }
            let usable = centres.iter().all(|w| w.is_finite()) && centres.windows(2).all(|w| w[0] < w[1]);
            return Ok(usable.then_some(centres));
        }
    }
    Ok(None)
}

fn has_truth(dataset: &Dataset) -> bool {
    TRUE_ENDMEMBERS.iter().any(|n| lookup(dataset, n).is_some())
}

fn truth_in(dataset: &Dataset, size: Size) -> Result<Truth> {
    let endmembers = true_endmembers(dataset, size)?
        .ok_or_else(|| truth_error(dataset.path(), format!("no endmembers (one of {})", TRUE_ENDMEMBERS.join(", "))))?;
    let abundances = true_abundances(dataset, size, endmembers.count())?;
    let names = materials(dataset, endmembers.count());
    Ok(Truth { endmembers, abundances, names })
}

fn read_truth(paths: &[PathBuf], size: Size) -> Result<Truth> {
    let datasets = paths.iter().map(cupel_data::open).collect::<cupel_data::Result<Vec<_>>>()?;
    let anywhere = paths.first().map_or(Path::new("truth"), PathBuf::as_path);
    let mut endmembers = None;
    for dataset in &datasets {
        endmembers = endmembers.or(true_endmembers(dataset, size)?);
    }
    let endmembers = endmembers.ok_or_else(|| {
        truth_error(anywhere, format!("no endmembers of {} bands (one of {})", size.bands, TRUE_ENDMEMBERS.join(", ")))
    })?;
    let mut abundances = None;
    for dataset in &datasets {
        abundances = abundances.or(true_abundances(dataset, size, endmembers.count())?);
    }
    let named = datasets.iter().find(|d| MATERIALS.iter().any(|n| lookup(d, n).is_some()));
    let names = named.or(datasets.first()).map_or_else(Vec::new, |d| materials(d, endmembers.count()));
    Ok(Truth { endmembers, abundances, names })
}

/// The single array of a file without names (NPY), or the first variable with one of `names`.
fn find(dataset: &Dataset, names: &[&str]) -> Result<Option<(String, Cube<f64>)>> {
    if let Some(name) = names.iter().find(|n| lookup(dataset, n).is_some()) {
        return Ok(Some(((*name).to_owned(), dataset.cube::<f64>(Some(name))?)));
    }
    if holds_one_array(dataset) {
        return Ok(Some((String::new(), dataset.cube::<f64>(None)?)));
    }
    Ok(None)
}

fn true_endmembers(dataset: &Dataset, size: Size) -> Result<Option<Endmembers>> {
    let Some((name, cube)) = find(dataset, &TRUE_ENDMEMBERS)? else { return Ok(None) };
    let spectra = match *cube.shape().as_slice() {
        // an array without a name may be the abundances of a second file
        [_, _, _] if name.is_empty() => return Ok(None),
        [_, bands] if bands == size.bands => cube,
        [bands, _] if bands == size.bands => transposed(&cube)?,
        _ if name.is_empty() => return Ok(None),
        ref shape => {
            return Err(truth_error(
                dataset.path(),
                format!("{name} has shape {shape:?}, the scene has {} bands", size.bands),
            ));
        }
    };
    Endmembers::new(spectra.into_values(), size.bands).map(Some).map_err(|e| truth_error(dataset.path(), e.to_string()))
}

fn true_abundances(dataset: &Dataset, size: Size, endmembers: usize) -> Result<Option<Abundances>> {
    let Some((name, cube)) = find(dataset, &TRUE_ABUNDANCES)? else { return Ok(None) };
    let pixels = size.rows * size.columns;
    let column_major = |cube: Cube<f64>| -> Result<Vec<f64>> {
        let axes = Axes::new(vec![
            Axis::new(AxisKind::Endmember, endmembers),
            Axis::new(AxisKind::Column, size.columns),
            Axis::new(AxisKind::Row, size.rows),
        ])?;
        let cube = Cube::new(cube.into_values(), axes)?;
        Ok(cube.permuted(&[AxisKind::Row, AxisKind::Column, AxisKind::Endmember])?.into_values())
    };
    let values = match *cube.shape().as_slice() {
        [rows, columns, k] if (rows, columns, k) == (size.rows, size.columns, endmembers) => cube.into_values(),
        [k, n] if (k, n) == (endmembers, pixels) => column_major(cube)?,
        [n, k] if (k, n) == (endmembers, pixels) => column_major(transposed(&cube)?)?,
        _ if name.is_empty() => return Ok(None),
        ref shape => {
            return Err(truth_error(
                dataset.path(),
                format!(
                    "{name} has shape {shape:?}, the scene has {} x {} pixels and {endmembers} true endmembers",
                    size.rows, size.columns
                ),
            ));
        }
    };
    Abundances::new(values, endmembers).map(Some).map_err(|e| truth_error(dataset.path(), e.to_string()))
}

/// Names from the file, else numbers.
fn materials(dataset: &Dataset, count: usize) -> Vec<String> {
    let named = MATERIALS.iter().filter(|n| lookup(dataset, n).is_some()).find_map(|n| dataset.text(n).ok());
    named.filter(|names| names.len() == count).unwrap_or_else(|| numbered(count))
}

/// `endmember 1`, `endmember 2`, ...
pub(crate) fn numbered(count: usize) -> Vec<String> {
    (1..=count).map(|k| format!("endmember {k}")).collect()
}

fn truth_error(path: &Path, problem: String) -> Error {
    Error::Truth { path: path.to_path_buf(), problem }
}

fn no_scene(dataset: &Dataset, hint: &str) -> Error {
    let found: Vec<String> = dataset.variables().iter().map(|v| v.to_string()).collect();
    Error::NoScene {
        path: dataset.path().to_path_buf(),
        found: format!("it holds {}", found.join(", ")),
        hint: format!("{hint} Spectra are expected as Y or V (bands x pixels, or rows x columns x bands)."),
    }
}
