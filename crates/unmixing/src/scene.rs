//! A hyperspectral scene from a file, with the truth where the file has one.
//!
//! The layouts that circulate are recognised by their variables' names: spectra as `Y` or `V` (`bands x pixels`, or
//! `rows x columns x bands`), true endmembers as `GT`, `M` or `E_GT`, true abundances as `S_GT`, `A` or `a_GT`. What a file says of its
//! axes, of its numbers and of missing ones is obeyed; what is read by custom is told, and refused where the numbers speak against it.

mod axes;
mod estimate;
mod evidence;
mod extent;
mod files;
mod library;
mod names;
mod no_data;
mod pixel_table;
mod suspects;
mod truth;
mod usable;

pub use estimate::{RunBands, open_estimate};
pub(crate) use extent::Extent;
pub use files::{AxisOrder, BandRange, PixelOrder, Roi, SceneFiles};
pub(crate) use library::Bands;
pub(crate) use no_data::{Lacks, LeftOut, wanted_bands};
pub(crate) use suspects::Suspects;
pub use truth::Truth;
pub use usable::Usable;

use std::path::{Path, PathBuf};

use cupel_data::{Axis, AxisKind, Cube, Dataset, Georeference};

use self::{
    library::{Misfit, open},
    names::TRUE_ENDMEMBERS,
    truth::Target,
};
use crate::{Endmembers, Error, Result, published::Published};

/// A scene ready to unmix.
#[derive(Clone, Debug)]
pub struct Scene {
    /// What to call it: the published name, else the file's.
    pub name: String,
    /// Spectra with axes `[Row, Column, Wavelength]`, divided by [`Scene::scale`]; NaN where a pixel is left out.
    pub cube: Cube<f32>,
    /// The largest value of the usable pixels: spectra are divided by it, so that errors compare between scenes.
    pub scale: f64,
    /// The pixels that have data.
    pub usable: Usable,
    /// What is really there, where the file says.
    pub truth: Option<Truth>,
    /// Whether the wavelengths are nominal ones of a published scene rather than the file's own.
    pub nominal_wavelengths: bool,
    /// Where on the Earth its pixels lie, where the file says.
    pub georeference: Option<Georeference>,
    /// How the file was read and what was left out, a line each.
    pub notes: Vec<String>,
    target: Target,
}

impl Scene {
    /// A scene of which every pixel is usable, as it is.
    ///
    /// # Errors
    /// A cube without rows and columns.
    pub fn new(name: impl Into<String>, cube: Cube<f32>, truth: Option<Truth>) -> Result<Self> {
        let usable = Usable::all(cube.axis(AxisKind::Row)?.len(), cube.axis(AxisKind::Column)?.len());
        let bands = Bands::all(cube.axis(AxisKind::Wavelength)?);
        let target = Target { usable: usable.clone(), bands, order: None };
        let (name, notes) = (name.into(), Vec::new());
        Ok(Self {
            name,
            cube,
            scale: 1.0,
            usable,
            truth,
            nominal_wavelengths: false,
            georeference: None,
            notes,
            target,
        })
    }

    /// Reads a scene, with the truth from its own file or from others.
    ///
    /// # Errors
    /// A file that cannot be read, has no recognisable scene or no usable pixel, or a truth that does not fit.
    pub fn open(files: &SceneFiles) -> Result<Self> {
        let dataset = cupel_data::open(&files.file)?.with_missing(&files.ignore_values);
        let axes::Spectra { cube, bad, told, meaning, widths_nm, masks, place } = axes::spectra(&dataset, files)?;
        let [rows, columns, all] = [0, 1, 2].map(|axis| cube.shape()[axis]);
        let published = Published::find(all, rows * columns);
        let nominal_wavelengths = cube.axis(AxisKind::Wavelength)?.coordinates().is_none() && published.is_some();
        let cube = match published {
            Some(published) if nominal_wavelengths => {
                let band = Axis::new(AxisKind::Wavelength, all).with_coordinates(published.wavelengths_nm(), "nm")?;
                cube.with_axis(band)?
            }
            _ => cube,
        };
        let before = cube.axis(AxisKind::Wavelength)?.clone();
        let no_data::Cleaned { cube, kept, usable, notes } = no_data::clean(cube, &bad, &meaning, files)?;
        let scale = cube.values().iter().copied().filter(|v| v.is_finite()).fold(0.0f32, f32::max);
        let scale = if scale > 0.0 { f64::from(scale) } else { 1.0 };
        let cube = cube.map(|v| (f64::from(*v) / scale) as f32);
        let name = published.map_or_else(|| stem(&files.file), |p| p.name.to_owned());
        let widths_nm = widths_nm.map(|widths| kept.iter().map(|&band| widths[band]).collect());
        let bands = Bands { axis: before.select(&kept)?, widths_nm, kept, all };
        let target = Target { usable: usable.clone(), bands, order: files.pixel_order };
        let own = files.truth.is_empty() && !files.no_truth;
        let truth = if own { Truth::within(&dataset, &target)? } else { None };
        let (truth, of_truth) = truth.map_or((None, None), |(truth, told)| (Some(truth), told));
        let notes: Vec<String> = std::iter::once(told).chain(masks).chain(notes).chain(of_truth).collect();
        let scene = Self { name, cube, scale, usable, truth, nominal_wavelengths, georeference: place, notes, target };
        if files.truth.is_empty() { Ok(scene) } else { scene.with_truth(&files.truth) }
    }

    /// Reads the truth from other files: one with both, or one with endmembers and one with abundances.
    ///
    /// # Errors
    /// Files that hold no truth, or one that does not fit the scene.
    pub fn with_truth(self, paths: &[PathBuf]) -> Result<Self> {
        let (truth, told) = Truth::read(paths, &self.target)?;
        let notes = self.notes.iter().cloned().chain(told).collect();
        Ok(Self { truth: Some(truth), notes, ..self })
    }

    /// Which bands of its file it has.
    pub(crate) fn bands(&self) -> &Bands {
        &self.target.bands
    }

    /// Image rows and columns.
    pub fn image_size(&self) -> (usize, usize) {
        (self.usable.rows(), self.usable.columns())
    }
}

/// A file's name without its ending.
pub(crate) fn stem(path: &Path) -> String {
    path.file_stem().map_or_else(|| "scene".into(), |stem| stem.to_string_lossy().into_owned())
}

/// Spectra with their names.
#[derive(Clone, Debug, PartialEq)]
pub struct SpectralLibrary {
    /// The spectra.
    pub spectra: Endmembers,
    /// Their names, or numbers where the file has none.
    pub names: Vec<String>,
}

/// A library of spectra from a file for a scene of the bands of `axis`: by wavelength where both have them, else by their number.
///
/// # Errors
/// A file that cannot be read, has no spectra, or some that do not reach the bands of the scene.
pub fn open_library(path: &Path, axis: &Axis) -> Result<SpectralLibrary> {
    library_for(path, &Bands::all(axis))
}

/// The same for some of the bands of a file.
pub(crate) fn library_for(path: &Path, bands: &Bands) -> Result<SpectralLibrary> {
    let problem = match open(path, bands)? {
        Ok(library) => return Ok(SpectralLibrary { spectra: library.spectra, names: library.names }),
        Err(Misfit::Problem(problem)) => problem,
        Err(Misfit::None) => {
            let names = TRUE_ENDMEMBERS.join(", ");
            format!("no matrix of spectra of {} bands (alone, or as one of {names})", bands.kept.len())
        }
    };
    Err(Error::Library { path: path.to_path_buf(), problem })
}

/// A matrix with its axes exchanged.
fn transposed<T: cupel_data::Element>(cube: &Cube<T>) -> Result<Cube<T>> {
    let mut kinds = cube.axes().kinds();
    kinds.reverse();
    Ok(cube.permuted(&kinds)?)
}

/// `endmember 1`, `endmember 2`, ...
pub(crate) fn numbered(count: usize) -> Vec<String> {
    (1..=count).map(|k| format!("endmember {k}")).collect()
}

fn no_scene(dataset: &Dataset, hint: &str) -> Error {
    let found: Vec<String> = dataset.variables().iter().map(|v| v.to_string()).collect();
    Error::NoScene {
        path: dataset.path().to_path_buf(),
        found: format!("it holds {}", found.join(", ")),
        hint: format!("{hint} Spectra are expected as Y or V (bands x pixels, or rows x columns x bands)."),
    }
}
