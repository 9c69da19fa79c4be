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

use cupel_data::{Axis, AxisKind, Dataset, EnviHeader, Format, Tiles};

use crate::{
    Error, Result, SceneFiles, Truth, Usable,
    scene::{Bands, LeftOut, named_bands, wanted_bands},
};

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
    left_out: LeftOut,
    /// Whether numbers are taken as they are stored.
    raw: bool,
    notes: Vec<String>,
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
    /// What the reader reports, a mask or a truth that does not fit.
    pub fn open(files: &SceneFiles) -> Result<Option<Self>> {
        // Other formats are read whole, and opening a compressed one takes time that their readers would need again.
        if may_be_large(&files.file) { Self::open_from(files, VALUES_IN_MEMORY) } else { Ok(None) }
    }

    /// The same for images of at least so many values.
    ///
    /// # Errors
    /// As [`LargeScene::open`].
    pub fn open_from(files: &SceneFiles, values: usize) -> Result<Option<Self>> {
        let dataset = cupel_data::open(&files.file)?.with_missing(&files.ignore_values);
        let Some(header) = dataset.envi_header().filter(|_| dataset.format() == Format::Envi) else { return Ok(None) };
        let (rows, columns, bands) = (header.rows, header.columns, header.bands);
        if header.spectra_names.is_some() || rows.saturating_mul(columns).saturating_mul(bands) < values {
            return Ok(None);
        }
        let bad: Vec<bool> = header.good_bands.iter().map(|good| !good).collect();
        let all = dataset.axes(None)?.axis(AxisKind::Wavelength)?.clone();
        let mut notes = vec![format!("read as {rows} rows, {columns} columns, {bands} bands (by its header)")];
        let mut good = wanted_bands(&all, &bad, &files.drop_bands, &mut notes)?;
        let left_out = LeftOut::new(files, rows, columns)?;
        let tile_rows = (TILE_VALUES / (columns * bands)).clamp(1, rows);
        let empty = empty_bands(&dataset, rows, &good)?;
        if !empty.is_empty() {
            notes.push(format!("left out {}, which have no data", named_bands(&all, &empty)));
            good.retain(|band| !empty.contains(band));
        }
        if good.is_empty() {
            return Err(Error::NoData { path: files.file.clone(), pixels: rows * columns });
        }
        let band_axis = all.select(&good)?;
        let truth = match files.truth.as_slice() {
            [] => None,
            paths => {
                let bands = Bands { axis: band_axis.clone(), kept: good.clone(), all: bands };
                Some(Truth::of_bands(paths, Usable::all(rows, columns), bands)?)
            }
        };
        // True abundances are as large as the scene.
        let truth = truth.map(|truth| Truth { abundances: None, ..truth });
        let path = files.file.clone();
        Ok(Some(Self {
            path,
            rows,
            columns,
            good,
            band_axis,
            tile_rows,
            dataset,
            truth,
            left_out,
            raw: files.raw,
            notes,
        }))
    }

    /// The same scene, read so many rows at a time; at least one.
    #[must_use]
    pub fn with_tile_rows(self, rows: usize) -> Self {
        Self { tile_rows: rows.clamp(1, self.rows), ..self }
    }

    /// What is really there, where that is known.
    pub fn truth(&self) -> Option<&Truth> {
        self.truth.as_ref()
    }

    /// The keys of its header that say where it lies.
    pub(crate) fn place(&self) -> Vec<(String, String)> {
        self.dataset.envi_header().map(EnviHeader::place).unwrap_or_default()
    }

    /// How it was read and what was left out, a line each.
    pub fn notes(&self) -> &[String] {
        &self.notes
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

    /// Which bands of its file it has.
    pub(crate) fn bands_of_file(&self) -> Bands {
        let all = self.dataset.envi_header().map_or(self.good.len(), |header| header.bands);
        Bands { axis: self.band_axis.clone(), kept: self.good.clone(), all }
    }

    /// The number of bands that are used.
    pub(crate) fn bands(&self) -> usize {
        self.good.len()
    }

    pub(crate) fn tile_rows(&self) -> usize {
        self.tile_rows
    }

    fn reader(&self) -> Result<Tiles<f32>> {
        let (dataset, rows) = (&self.dataset, self.tile_rows);
        Ok(if self.raw {
            dataset.stored_tiles(None, AxisKind::Row, rows)?
        } else {
            dataset.tiles(None, AxisKind::Row, rows)?
        })
    }

    /// The usable spectra of one tile: those that are finite and not zero in every band.
    pub(crate) fn tile(&self, number: usize) -> Result<TilePixels> {
        let mut tiles = self.reader()?;
        tiles.seek(number);
        let first = number * self.tile_rows * self.columns;
        let Some(tile) = tiles.next() else {
            return Err(Error::NoPixels { values: 0, bands: self.bands() });
        };
        let values = tile?.into_values();
        let bands = tiles.axes().axis(AxisKind::Wavelength)?.len();
        let all = self.good.len() == bands;
        let wants_all = self.left_out.is_nothing();
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
            let has_data = chosen.iter().all(|v| v.is_finite()) && chosen.iter().any(|&v| v != 0.0);
            if has_data && (wants_all || self.left_out.wants(first + place)) {
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

/// Rows in which it is looked for bands without data.
const ROWS_LOOKED_AT: usize = 64;

/// Bands that most pixels with any data lack, by some rows from the first to the last.
fn empty_bands(dataset: &Dataset, rows: usize, good: &[usize]) -> Result<Vec<usize>> {
    let mut tiles = dataset.tiles::<f32>(None, AxisKind::Row, 1)?;
    let bands = tiles.axes().axis(AxisKind::Wavelength)?.len();
    let (mut lacking, mut with_data) = (vec![0_usize; bands], 0);
    let looked_at = ROWS_LOOKED_AT.min(rows);
    for part in 0..looked_at {
        tiles.seek(part * (rows - 1) / (looked_at - 1).max(1));
        let Some(row) = tiles.next() else { break };
        for spectrum in row?.values().chunks_exact(bands) {
            let lacks = |band: usize| !spectrum[band].is_finite();
            if good.iter().any(|&band| !lacks(band)) {
                with_data += 1;
                good.iter().filter(|&&band| lacks(band)).for_each(|&band| lacking[band] += 1);
            }
        }
    }
    Ok(good.iter().copied().filter(|&band| 2 * lacking[band] > with_data).collect())
}

/// Whether a file is a header of ENVI, or has a byte for each value of a large scene.
fn may_be_large(path: &Path) -> bool {
    let Ok(mut file) = path.metadata().and_then(|metadata| match metadata.is_file() {
        true => File::open(path),
        false => Err(std::io::ErrorKind::InvalidInput.into()),
    }) else {
        return false;
    };
    let mut start = [0; 7];
    // Behind a byte order mark, too.
    let is_header = file.read_exact(&mut start).is_ok() && (start.starts_with(b"ENVI") || start.ends_with(b"ENVI"));
    is_header || file.metadata().is_ok_and(|metadata| metadata.len() >= VALUES_IN_MEMORY as u64)
}
