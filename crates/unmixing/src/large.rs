//! Scenes larger than memory: one pass for a sample and the extreme pixels, extraction from these, and one pass of row
//! tiles for the abundances.
//!
//! Endmembers lie at the corners of the cloud of pixels, so that a few pixels carry all that extraction needs: those
//! furthest along random directions (the idea of the pixel purity index: Boardman, Kruse & Green, JPL 95-1, 23, 1995), of
//! the spectra as they are and at unit norm, and an even sample of all for what lies between the corners. What extraction
//! needs of the moments of all pixels, noise and subspace, it estimates from the sample: 2^20 values determine the moments of
//! some hundred bands to a few percent. Pixels are drawn by their number among those that can be unmixed, and sums run in their
//! order, so that pixels without data change no bit wherever they lie. Both passes and
//! the extraction are [`Advance`](cupel_train::Advance)s, which stop, save and resume. Memory does not depend on the
//! number of rows: one tile, the sample and a reduced picture are held.

mod abundance_pass;
mod directions;
mod survey;
mod unmix;

pub use abundance_pass::AbundancePass;
pub use survey::{Survey, Surveyed};

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use cupel_data::{Axis, AxisKind, Dataset, EnviHeader, Format, Meaning, Tiles};

use crate::{
    Error, Result, SceneFiles, Truth, Usable,
    preview::Preview,
    scene::{Bands, Extent, Lacks, LeftOut, Suspects, wanted_bands},
};

/// Scenes of fewer values are read whole: 128 MiB as f32.
const VALUES_IN_MEMORY: usize = 1 << 25;
/// Values of a tile: 8 MiB as f32.
const TILE_VALUES: usize = 1 << 21;
/// Rows, from the first to the last, that tell whether a scene has pixels that lack some bands.
const ROWS_LOOKED_AT: usize = 64;
/// Tiles by which a scene is known again.
const HASHED_TILES: usize = 16;
/// Values of them that are hashed at a time.
const HASHED_VALUES: usize = 1 << 14;

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
    /// Numbers that stand for missing values although nothing says so, by the rows that were looked at.
    markers: Vec<f32>,
    notes: Vec<String>,
    /// Its hash, once it has been asked for.
    hash: OnceLock<[u8; 32]>,
}

/// The spectra of a tile that can be unmixed.
pub(crate) struct TilePixels {
    /// Usable spectra, one after the other.
    pub(crate) values: Vec<f32>,
    /// The places of the usable spectra in the tile.
    pub(crate) places: Vec<usize>,
    /// All pixels of the tile.
    pub(crate) pixels: usize,
    /// The highest value of the usable spectra.
    pub(crate) highest: f32,
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
        let notes = vec![format!("read as {rows} rows, {columns} columns, {bands} bands (by its header)")];
        let mut scene = Self {
            path: files.file.clone(),
            rows,
            columns,
            good: (0..bands).collect(),
            band_axis: all.clone(),
            tile_rows: (TILE_VALUES / (columns * bands)).clamp(1, rows),
            truth: None,
            left_out: LeftOut::new(files, rows, columns)?,
            raw: files.raw,
            markers: Vec::new(),
            notes,
            hash: OnceLock::new(),
            dataset,
        };
        scene.good = wanted_bands(&all, &bad, &files.drop_bands, &mut scene.notes)?;
        scene.leave_out_bands(&all)?;
        scene.band_axis = all.select(&scene.good)?;
        let bands = scene.bands_of_file();
        // True abundances are as large as the scene.
        if !files.truth.is_empty() {
            let (truth, told) = Truth::of_bands(&files.truth, Usable::all(rows, columns), bands)?;
            scene.truth = Some(Truth { abundances: None, ..truth });
            scene.notes.extend(told);
        }
        Ok(Some(scene))
    }

    /// The same scene, read so many rows at a time; at least one.
    #[must_use]
    pub fn with_tile_rows(self, rows: usize) -> Self {
        Self { tile_rows: rows.clamp(1, self.rows), hash: OnceLock::new(), ..self }
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
        let header = self.dataset.envi_header();
        let widths = header.map(|header| &header.widths_nm).filter(|widths| !widths.is_empty());
        Bands {
            axis: self.band_axis.clone(),
            widths_nm: widths.map(|widths| self.good.iter().map(|&band| widths[band]).collect()),
            kept: self.good.clone(),
            all: header.map_or(self.good.len(), |header| header.bands),
        }
    }

    /// The bands that show it in colours.
    pub(crate) fn preview(&self) -> Preview {
        Preview::of(&self.band_axis, &self.good)
    }

    /// The number of bands that are used.
    pub(crate) fn bands(&self) -> usize {
        self.good.len()
    }

    pub(crate) fn tile_rows(&self) -> usize {
        self.tile_rows
    }

    /// What its stored numbers stand for.
    pub(crate) fn meaning(&self) -> Result<Meaning> {
        Ok(if self.raw { Meaning::default() } else { self.dataset.meaning(None)? })
    }

    /// Numbers that are taken for missing ones by the rows that were looked at.
    pub(crate) fn markers(&self) -> &[f32] {
        &self.markers
    }

    fn reader(&self, rows: usize) -> Result<Tiles<f32>> {
        let dataset = &self.dataset;
        Ok(if self.raw {
            dataset.stored_tiles(None, AxisKind::Row, rows)?
        } else {
            dataset.tiles(None, AxisKind::Row, rows)?
        })
    }

    /// Leaves out bands that most pixels with any data lack, and finds what stands for missing values.
    ///
    /// Some rows tell whether there are pixels that have some bands and lack others; only then, or where these rows have no data, all are counted.
    fn leave_out_bands(&mut self, all: &Axis) -> Result<()> {
        let looked_at = ROWS_LOOKED_AT.min(self.rows);
        let some: Vec<usize> = (0..looked_at).map(|part| part * (self.rows - 1) / (looked_at - 1).max(1)).collect();
        let (mut suspects, mut lacks) = (Suspects::new(&self.meaning()?), Lacks::of(self.good.len()));
        self.see_tiles(1, some.iter().copied(), |spectrum| {
            suspects.see(spectrum, Extent::of(spectrum));
            lacks.see(spectrum, |v| !v.is_finite());
        })?;
        self.markers = suspects.values();
        let is_missing = |v: f32| !v.is_finite() || self.markers.contains(&v);
        if !self.markers.is_empty() {
            lacks = Lacks::of(self.good.len());
            self.see_tiles(1, some.into_iter(), |spectrum| lacks.see(spectrum, is_missing))?;
        }
        if lacks.any() || lacks.with_data == 0 {
            lacks = Lacks::of(self.good.len());
            self.see_tiles(self.tile_rows, 0..self.tiles(), |spectrum| lacks.see(spectrum, is_missing))?;
        }
        let kept = lacks.kept();
        if lacks.with_data == 0 || kept.is_empty() {
            return Err(Error::NoData { path: self.path.clone(), pixels: self.rows * self.columns });
        }
        let told = lacks.told(&all.select(&self.good)?);
        self.notes.extend(told);
        self.good = kept.into_iter().map(|band| self.good[band]).collect();
        Ok(())
    }

    /// Shows the spectra of the wanted pixels of these tiles of so many rows.
    fn see_tiles(&self, rows: usize, numbers: impl Iterator<Item = usize>, mut see: impl FnMut(&[f32])) -> Result<()> {
        let mut tiles = self.reader(rows)?;
        for number in numbers {
            let (values, first) = (self.spectra(&mut tiles, number)?, number * rows * self.columns);
            for (place, spectrum) in values.chunks_exact(self.bands()).enumerate() {
                if self.left_out.wants(first + place) {
                    see(spectrum);
                }
            }
        }
        Ok(())
    }

    /// The spectra of all pixels of a tile, in the bands that are used.
    fn spectra(&self, tiles: &mut Tiles<f32>, number: usize) -> Result<Vec<f32>> {
        let bands = tiles.axes().axis(AxisKind::Wavelength)?.len();
        tiles.seek(number);
        let Some(tile) = tiles.next() else {
            return Err(Error::NoPixels { values: 0, bands });
        };
        let mut values = tile?.into_values();
        if self.bands() < bands {
            // Bands go up, so that no value is written over before it has been moved.
            let mut to = 0;
            for from in (0..values.len()).step_by(bands) {
                for &band in &self.good {
                    values[to] = values[from + band];
                    to += 1;
                }
            }
            values.truncate(to);
        }
        Ok(values)
    }

    /// The usable spectra of one tile: those that are finite, hold none of the `markers` and are not zero in every band. All wanted spectra
    /// are shown to `suspects`.
    pub(crate) fn tile(
        &self,
        number: usize,
        markers: &[f32],
        mut suspects: Option<&mut Suspects>,
    ) -> Result<TilePixels> {
        let mut values = self.spectra(&mut self.reader(self.tile_rows)?, number)?;
        let (bands, wants_all) = (self.bands(), self.left_out.is_nothing());
        let (pixels, first) = (values.len() / bands, number * self.tile_rows * self.columns);
        let mut places = Vec::with_capacity(pixels);
        let mut highest = f32::NEG_INFINITY;
        for place in 0..pixels {
            if !(wants_all || self.left_out.wants(first + place)) {
                continue;
            }
            let range = place * bands..(place + 1) * bands;
            let spectrum = &values[range.clone()];
            let extent = Extent::of(spectrum);
            if let Some(suspects) = &mut suspects {
                suspects.see(spectrum, extent);
            }
            let is_marked = || !markers.is_empty() && spectrum.iter().any(|v| markers.contains(v));
            if extent.has_data() && !is_marked() {
                // What is usable moves together, in the memory that it was read into.
                if places.len() < place {
                    values.copy_within(range, places.len() * bands);
                }
                places.push(place);
                highest = highest.max(extent.highest);
            }
        }
        values.truncate(places.len() * bands);
        Ok(TilePixels { values, places, pixels, highest })
    }

    /// A hash of what a saved state is bound to: the size, and some tiles from the first to the last. Both passes ask for it.
    pub(crate) fn hash(&self) -> Result<[u8; 32]> {
        if let Some(known) = self.hash.get() {
            return Ok(*known);
        }
        let mut hasher = blake3::Hasher::new();
        let hashed = HASHED_TILES.min(self.tiles());
        for part in 0..hashed {
            let number = part * (self.tiles() - 1) / (hashed - 1).max(1);
            let tile = self.tile(number, &self.markers, None)?;
            let places: Vec<[u8; 8]> = tile.places.iter().map(|place| (*place as u64).to_le_bytes()).collect();
            hasher.update(places.as_flattened());
            let mut bytes: Vec<[u8; 4]> = Vec::new();
            for values in tile.values.chunks(HASHED_VALUES) {
                bytes.clear();
                bytes.extend(values.iter().map(|value| value.to_le_bytes()));
                hasher.update(bytes.as_flattened());
            }
        }
        for size in [self.rows, self.columns, self.bands(), self.tile_rows] {
            hasher.update(&(size as u64).to_le_bytes());
        }
        Ok(*self.hash.get_or_init(|| *hasher.finalize().as_bytes()))
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
    let mut start = [0; 7];
    // Behind a byte order mark, too.
    let is_header = file.read_exact(&mut start).is_ok() && (start.starts_with(b"ENVI") || start.ends_with(b"ENVI"));
    is_header || file.metadata().is_ok_and(|metadata| metadata.len() >= VALUES_IN_MEMORY as u64)
}
