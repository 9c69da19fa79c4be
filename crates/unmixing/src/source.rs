//! [`Source`]: the scene to unmix, in memory or larger than that.

use std::path::Path;

use cupel_data::{Axis, AxisKind};

use crate::{
    Error, LargeScene, Result, Scene, SceneFiles, SpectralLibrary, Truth, Usable,
    preview::Preview,
    scene::{library_for, stem},
};

/// Copies of a scene that extraction holds at once, in all its spaces.
const COPIES_HELD: u64 = 8;

/// A scene to unmix, with the truth where it is known.
#[derive(Debug)]
pub enum Source {
    /// One that is in memory.
    Whole(Box<Scene>),
    /// One that is read in tiles.
    Tiled(Box<LargeScene>),
}

impl Source {
    /// Opens a scene; with `tiles`, one larger than memory is left in its file. The caller says whether its method can do with tiles.
    ///
    /// # Errors
    /// Files without a scene or with a truth that does not fit, scenes that memory cannot hold.
    pub fn open(files: &SceneFiles, tiles: bool) -> Result<Self> {
        if let Some(large) = if tiles { LargeScene::open(files)? } else { None } {
            return Ok(Self::Tiled(Box::new(large)));
        }
        check_memory(&files.file)?;
        Ok(Self::Whole(Box::new(Scene::open(files)?)))
    }

    /// What to call the scene.
    pub fn name(&self) -> String {
        match self {
            Self::Whole(scene) => scene.name.clone(),
            Self::Tiled(scene) => stem(scene.path()),
        }
    }

    /// Rows and columns of the image.
    pub fn image_size(&self) -> (usize, usize) {
        match self {
            Self::Whole(scene) => scene.image_size(),
            Self::Tiled(scene) => scene.image_size(),
        }
    }

    /// The bands that are used.
    ///
    /// # Errors
    /// A cube without such an axis.
    pub fn band_axis(&self) -> Result<&Axis> {
        match self {
            Self::Whole(scene) => Ok(scene.cube.axis(AxisKind::Wavelength)?),
            Self::Tiled(scene) => Ok(scene.band_axis()),
        }
    }

    /// Spectra from a file for this scene: by wavelength where both have them, else by the number of the band, in the scene or in its file.
    ///
    /// # Errors
    /// A file that cannot be read, has no spectra, or some that do not reach the bands of the scene.
    pub fn library(&self, path: &Path) -> Result<SpectralLibrary> {
        match self {
            Self::Whole(scene) => library_for(path, scene.bands()),
            Self::Tiled(scene) => library_for(path, &scene.bands_of_file()),
        }
    }

    /// Values of the scene, over pixels and bands.
    ///
    /// # Errors
    /// As [`Source::band_axis`].
    pub fn values(&self) -> Result<usize> {
        let (rows, columns) = self.image_size();
        Ok(rows * columns * self.band_axis()?.len())
    }

    /// What is really there, where that is known.
    pub fn truth(&self) -> Option<&Truth> {
        match self {
            Self::Whole(scene) => scene.truth.as_ref(),
            Self::Tiled(scene) => scene.truth(),
        }
    }

    /// How it was read and what was left out, a line each.
    pub fn notes(&self) -> &[String] {
        match self {
            Self::Whole(scene) => &scene.notes,
            Self::Tiled(scene) => scene.notes(),
        }
    }

    /// The pixels that have data, of a scene in memory.
    pub(crate) fn usable(&self) -> Option<&Usable> {
        match self {
            Self::Whole(scene) => Some(&scene.usable),
            Self::Tiled(_) => None,
        }
    }

    /// The bands that show it in colours.
    pub(crate) fn preview(&self) -> Preview {
        match self {
            Self::Whole(scene) => Preview::of(&scene.bands().axis, &scene.bands().kept),
            Self::Tiled(scene) => scene.preview(),
        }
    }

    /// Whether the centres of the bands are nominal ones of a published scene.
    pub(crate) fn nominal_wavelengths(&self) -> bool {
        matches!(self, Self::Whole(scene) if scene.nominal_wavelengths)
    }
}

impl From<Scene> for Source {
    fn from(scene: Scene) -> Self {
        Self::Whole(Box::new(scene))
    }
}

impl From<LargeScene> for Source {
    fn from(scene: LargeScene) -> Self {
        Self::Tiled(Box::new(scene))
    }
}

/// Refuses a file that would not fit into memory as f32 in all the spaces of extraction.
fn check_memory(path: &Path) -> Result<()> {
    let Ok(dataset) = cupel_data::open(path) else { return Ok(()) }; // the reader gives the better error
    let values = dataset.variables().iter().map(|v| v.shape().iter().product::<usize>() as u64).max().unwrap_or(0);
    check_available(&path.display().to_string(), values, 4 * COPIES_HELD)
}

/// Refuses what would not fit into memory: so many values of so many bytes each.
///
/// # Errors
/// [`Error::Memory`] where the operating system says that less is free.
pub fn check_available(what: &str, values: u64, bytes_each: u64) -> Result<()> {
    let needed = values.saturating_mul(bytes_each);
    match cupel_data::available_memory() {
        Some(free) if needed > free => Err(Error::Memory { what: what.to_owned(), values, needed, free }),
        _ => Ok(()),
    }
}
