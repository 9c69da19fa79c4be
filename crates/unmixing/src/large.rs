//! Scenes larger than memory: one pass for a sample and the extreme pixels, extraction from these, and one pass of row
//! tiles for the abundances.
//!
//! Endmembers lie at the corners of the cloud of pixels, so that a few pixels carry all that extraction needs: those
//! furthest along random directions (the idea of the pixel purity index: Boardman, Kruse & Green, JPL 95-1, 23, 1995), of
//! the spectra as they are and at unit norm, and an even sample of all for what lies between the corners. What extraction
//! needs of the moments of all pixels, noise and subspace, it estimates from the sample: 2^20 values determine the moments of
//! some hundred bands to a few percent. Both passes and
//! the extraction are [`Advance`](cupel_train::Advance)s, which stop, save and resume. Memory does not depend on the
//! number of rows: one tile, the sample and a reduced picture are held.

mod abundance_pass;
mod survey;
mod unmix;

pub use abundance_pass::AbundancePass;
pub use survey::Survey;

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use cupel_data::{Axis, AxisKind, Dataset, Format, Tiles};

use crate::{Error, Result, Truth};

/// Scenes of fewer values are read whole: 128 MiB as f32.
const VALUES_IN_MEMORY: usize = 1 << 25;
/// Values of a tile: 8 MiB as f32.
const TILE_VALUES: usize = 1 << 21;
/// Tiles by which a scene is known again.
const HASHED_TILES: usize = 16;

/// An ENVI image that is read in tiles of rows.
#[derive(Debug)]
pub struct LargeScene {
    dataset: Dataset,
    path: PathBuf,
    rows: usize,
    columns: usize,
    /// The bands that are not marked as bad.
    good: Vec<usize>,
    band_axis: Axis,
    tile_rows: usize,
    truth: Option<Truth>,
}

/// The spectra of a tile that can be unmixed.
pub(crate) struct TilePixels {
    /// Usable spectra, one after the other.
    pub(crate) values: Vec<f32>,
    /// The places of the usable spectra in the tile.
    pub(crate) places: Vec<usize>,
    /// All pixels of the tile.
    pub(crate) pixels: usize,
}

impl LargeScene {
    /// Opens an image that should not be read whole; nothing for files that can be, or that cannot be read in tiles.
    ///
    /// # Errors
    /// What the reader reports.
    pub fn open(path: &Path) -> Result<Option<Self>> {
        // Other formats are read whole, and opening a compressed one takes time that their readers would need again.
        if may_be_large(path) { Self::open_from(path, VALUES_IN_MEMORY) } else { Ok(None) }
    }

    /// The same for images of at least so many values.
    ///
    /// # Errors
    /// As [`LargeScene::open`].
    pub fn open_from(path: &Path, values: usize) -> Result<Option<Self>> {
        let dataset = cupel_data::open(path)?;
        let Some(header) = dataset.envi_header().filter(|_| dataset.format() == Format::Envi) else { return Ok(None) };
        let (rows, columns, bands) = (header.rows, header.columns, header.bands);
        if header.spectra_names.is_some() || rows.saturating_mul(columns).saturating_mul(bands) < values {
            return Ok(None);
        }
        let is_good = |band: usize| header.good_bands.get(band).copied().unwrap_or(true);
        let good: Vec<usize> = (0..bands).filter(|&band| is_good(band)).collect();
        if good.is_empty() {
            return Err(Error::NoPixels { values: 0, bands: 0 });
        }
        let band_axis = dataset.axes(None)?.axis(AxisKind::Wavelength)?.select(&good)?;
        let tile_rows = (TILE_VALUES / (columns * bands)).clamp(1, rows);
        Ok(Some(Self { path: path.to_path_buf(), rows, columns, good, band_axis, tile_rows, dataset, truth: None }))
    }

    /// The same scene, read so many rows at a time; at least one.
    #[must_use]
    pub fn with_tile_rows(self, rows: usize) -> Self {
        Self { tile_rows: rows.clamp(1, self.rows), ..self }
    }

    /// The same with true endmembers and names; true abundances are as large as the scene, and left out.
    ///
    /// # Errors
    /// Files that hold no truth, or one of another size than the scene.
    pub fn with_truth(self, paths: &[PathBuf]) -> Result<Self> {
        let truth = Truth::open(paths, self.rows, self.columns, self.bands())?;
        Ok(Self { truth: Some(Truth { abundances: None, ..truth }), ..self })
    }

    /// What is really there, where that is known.
    pub fn truth(&self) -> Option<&Truth> {
        self.truth.as_ref()
    }

    /// The file that was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Image rows and columns.
    pub fn image_size(&self) -> (usize, usize) {
        (self.rows, self.columns)
    }

    /// The bands that are used.
    pub fn band_axis(&self) -> &Axis {
        &self.band_axis
    }

    /// The number of tiles.
    pub fn tiles(&self) -> usize {
        self.rows.div_ceil(self.tile_rows)
    }

    /// The number of bands that are used.
    pub(crate) fn bands(&self) -> usize {
        self.good.len()
    }

    pub(crate) fn tile_rows(&self) -> usize {
        self.tile_rows
    }

    fn reader(&self) -> Result<Tiles<f32>> {
        Ok(self.dataset.tiles(None, AxisKind::Row, self.tile_rows)?)
    }

    /// The usable spectra of one tile: those that are finite and not zero in every band.
    pub(crate) fn tile(&self, number: usize) -> Result<TilePixels> {
        let mut tiles = self.reader()?;
        tiles.seek(number);
        let Some(tile) = tiles.next() else {
            return Err(Error::NoPixels { values: 0, bands: self.bands() });
        };
        let values = tile?.into_values();
        let bands = tiles.axes().axis(AxisKind::Wavelength)?.len();
        let all = self.good.len() == bands;
        let mut usable = TilePixels { values: Vec::new(), places: Vec::new(), pixels: values.len() / bands };
        let mut spectrum = vec![0.0f32; self.good.len()];
        let mut kept = Vec::with_capacity(values.len() / bands * self.good.len());
        for (place, given) in values.chunks_exact(bands).enumerate() {
            let chosen = if all {
                given
            } else {
                spectrum.iter_mut().zip(&self.good).for_each(|(to, &band)| *to = given[band]);
                &spectrum
            };
            if chosen.iter().all(|v| v.is_finite()) && chosen.iter().any(|&v| v != 0.0) {
                kept.extend_from_slice(chosen);
                usable.places.push(place);
            }
        }
        usable.values = kept;
        Ok(usable)
    }

    /// A hash of what a saved state is bound to: the size, and some tiles from the first to the last.
    pub(crate) fn hash(&self) -> Result<[u8; 32]> {
        let mut hasher = blake3::Hasher::new();
        let hashed = HASHED_TILES.min(self.tiles());
        for part in 0..hashed {
            let tile = self.tile(part * (self.tiles() - 1) / (hashed - 1).max(1))?;
            for place in &tile.places {
                hasher.update(&(*place as u64).to_le_bytes());
            }
            for value in &tile.values {
                hasher.update(&value.to_le_bytes());
            }
        }
        for size in [self.rows, self.columns, self.bands(), self.tile_rows] {
            hasher.update(&(size as u64).to_le_bytes());
        }
        Ok(*hasher.finalize().as_bytes())
    }
}

/// Whether a file is a header of ENVI, or has a byte for each value of a large scene.
fn may_be_large(path: &Path) -> bool {
    let Ok(mut file) = path.metadata().and_then(|metadata| match metadata.is_file() {
        true => File::open(path),
        false => Err(std::io::ErrorKind::InvalidInput.into()),
    }) else {
        return false;
    };
    let mut start = [0; 4];
    let is_header = file.read_exact(&mut start).is_ok() && &start == b"ENVI";
    is_header || file.metadata().is_ok_and(|metadata| metadata.len() >= VALUES_IN_MEMORY as u64)
}
