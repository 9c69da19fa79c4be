//! [`Source`]: the scene to unmix, in memory or larger than that.

use std::path::{Path, PathBuf};

use cupel_data::{Axis, AxisKind};

use crate::{Error, LargeScene, Result, Scene, Truth};

/// Copies of a scene that extraction holds at once, in all its spaces.
const COPIES_HELD: u64 = 8;

/// Files of a scene.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SceneFiles {
    /// The scene itself.
    pub file: PathBuf,
    /// The truth, where it is not in the scene's file: one file, or one with endmembers and one with abundances.
    pub truth: Vec<PathBuf>,
    /// The variable that holds the spectra, where the layout is not a known one.
    pub variable: Option<String>,
    /// Number of image rows, where the file does not tell and the image is not square.
    pub rows: Option<usize>,
}

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
        let large = if tiles { LargeScene::open(&files.file)? } else { None };
        if let Some(large) = large {
            return Ok(Self::Tiled(Box::new(if files.truth.is_empty() {
                large
            } else {
                large.with_truth(&files.truth)?
            })));
        }
        check_memory(&files.file)?;
        let scene = Scene::open(&files.file, files.variable.as_deref(), files.rows)?;
        Ok(Self::Whole(Box::new(if files.truth.is_empty() { scene } else { scene.with_truth(&files.truth)? })))
    }

    /// What to call the scene.
    pub fn name(&self) -> String {
        match self {
            Self::Whole(scene) => scene.name.clone(),
            Self::Tiled(scene) => {
                scene.path().file_stem().map_or("scene".into(), |stem| stem.to_string_lossy().into_owned())
            }
        }
    }

    /// Rows and columns of the image.
    ///
    /// # Errors
    /// A cube without these axes.
    pub fn image_size(&self) -> Result<(usize, usize)> {
        match self {
            Self::Whole(scene) => scene.image_size(),
            Self::Tiled(scene) => Ok(scene.image_size()),
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

    /// Values of the scene, over pixels and bands.
    ///
    /// # Errors
    /// As [`Source::image_size`] and [`Source::band_axis`].
    pub fn values(&self) -> Result<usize> {
        let (rows, columns) = self.image_size()?;
        Ok(rows * columns * self.band_axis()?.len())
    }

    /// What is really there, where that is known.
    pub fn truth(&self) -> Option<&Truth> {
        match self {
            Self::Whole(scene) => scene.truth.as_ref(),
            Self::Tiled(scene) => scene.truth(),
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
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let free = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:")?.trim().strip_suffix("kB")?.trim().parse().ok());
    match free.map(|kibibytes: u64| kibibytes.saturating_mul(1024)) {
        Some(free) if needed > free => Err(Error::Memory { what: what.to_owned(), values, needed, free }),
        _ => Ok(()),
    }
}
