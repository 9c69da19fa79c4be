//! [`AbundancePass`]: the second pass over a large scene.
//!
//! Every advance solves the pixels of one tile and appends the results to three images. A checkpoint counts the tiles; what
//! a killed process wrote after it is cut off when the run is resumed. The images get their headers, without which they are
//! none, when all tiles are done.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use cupel_data::{ElementType, EnviHeader, write_envi_header};
use cupel_train::{Advance, Metrics, Position, Progress, SetReader, SetWriter, fingerprint};
use serde::{Deserialize, Serialize};

use super::{LargeScene, Surveyed};
use crate::{Convention, Endmembers, Error, Pixels, Result, abundances::Solver, page::Picture, scene::numbered};

/// The longer side of the reduced picture.
const PICTURE_SIDE: usize = 512;

/// What has been done.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Done {
    tiles: usize,
    pub(crate) pixels: usize,
    /// Sum of the squared errors of the pixels, each a mean over its bands.
    pub(crate) squared_error: f64,
    /// Of every so many-th pixel of every so many-th row: abundances, brightness, error and the bands of the preview. As bytes, since it holds NaN.
    #[serde(skip)]
    picture: Vec<f32>,
}

/// An image that grows by tiles.
struct Image {
    path: PathBuf,
    file: File,
    bands: Vec<String>,
    description: &'static str,
}

impl Image {
    fn open(dir: &Path, name: &str, bands: Vec<String>, description: &'static str) -> Result<Self> {
        let path = dir.join(format!("{name}.img"));
        cupel_data::announce_write(&path);
        let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path);
        let file = file.map_err(cupel_data::Error::io("write", &path))?;
        Ok(Self { path, file, bands, description })
    }

    /// Goes behind so many pixels and cuts off what follows; the image is then none until it is whole.
    fn rewind(&mut self, pixels: usize) -> Result<()> {
        let header = self.path.with_extension("hdr");
        match fs::remove_file(&header) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(cupel_data::Error::io("remove", &header)(error).into());
            }
            _ => {}
        }
        let io = |error| cupel_data::Error::io("write", &self.path)(error);
        let end = (pixels * self.bands.len() * size_of::<f32>()) as u64;
        let len = self.file.metadata().map_err(io)?.len();
        if len < end {
            return Err(Error::LostResults { path: self.path.clone(), expected: end, got: len });
        }
        self.file.set_len(end).map_err(io)?;
        self.file.seek(SeekFrom::Start(end)).map_err(io)?;
        Ok(())
    }

    /// Appends pixels whose bands are at `range` of each of the `width` numbers of a result.
    fn append(&mut self, results: &[f32], width: usize, first: usize) -> Result<()> {
        let bands = first..first + self.bands.len();
        let mut bytes: Vec<[u8; 4]> = Vec::with_capacity(results.len() / width * bands.len());
        for result in results.chunks_exact(width) {
            bytes.extend(result[bands.clone()].iter().map(|value| value.to_le_bytes()));
        }
        Ok(self.file.write_all(bytes.as_flattened()).map_err(cupel_data::Error::io("write", &self.path))?)
    }
}

/// The pass that solves every pixel.
pub struct AbundancePass<'a> {
    scene: &'a LargeScene,
    surveyed: &'a Surveyed,
    endmembers: &'a Endmembers,
    solver: Solver,
    images: [Image; 3],
    pub(crate) done: Done,
    /// Distance of the pixels of the reduced picture.
    step: usize,
    /// The bands that show the scene in colours.
    preview: [usize; 3],
}

impl<'a> AbundancePass<'a> {
    /// A pass that writes images into the folder `dir`; the sample decides the brightness of endmembers where a convention needs one.
    ///
    /// # Errors
    /// Files that cannot be written, bands that differ.
    pub fn new(
        scene: &'a LargeScene,
        surveyed: &'a Surveyed,
        endmembers: &'a Endmembers,
        convention: Convention,
        dir: &Path,
    ) -> Result<Self> {
        let solver = Solver::new(&surveyed.pixels, endmembers, convention)?;
        let images = [
            Image::open(dir, "abundances", numbered(endmembers.count()), "abundance of each endmember")?,
            Image::open(dir, "brightness", vec!["brightness".into()], "factor of the mixture")?,
            Image::open(dir, "reconstruction_error", vec!["error".into()], "root mean square over bands")?,
        ];
        let step = scene.rows.max(scene.columns).div_ceil(PICTURE_SIDE).max(1);
        let (done, preview) = (Done::default(), scene.preview().bands);
        Ok(Self { scene, surveyed, endmembers, solver, images, done, step, preview })
    }

    /// The endmembers as the convention has them, which multiply the abundances that are written.
    pub fn endmembers(&self) -> &Endmembers {
        self.solver.endmembers()
    }

    /// Gives the images their headers. All tiles must be done.
    ///
    /// # Errors
    /// Files that cannot be written.
    pub fn write_headers(&self) -> Result<()> {
        for image in &self.images {
            let header = EnviHeader {
                element: ElementType::F32,
                band_names: image.bands.clone(),
                description: image.description.into(),
                others: self.scene.place(),
                ignore_value: Some(f64::NAN),
                ..EnviHeader::new(self.scene.rows, self.scene.columns, image.bands.len())
            };
            write_envi_header(&image.path, &header)?;
        }
        Ok(())
    }

    /// Numbers of a pixel: its abundances, its brightness, its error, and its values in the bands of the preview.
    fn width(&self) -> usize {
        self.endmembers.count() + 2 + self.preview.len()
    }

    /// The reduced picture.
    pub(crate) fn picture(&self) -> Picture {
        let count = self.endmembers.count();
        let map = |k: usize| -> Vec<f32> { self.done.picture.chunks_exact(self.width()).map(|p| p[k]).collect() };
        Picture {
            rows: self.scene.rows.div_ceil(self.step),
            columns: self.scene.columns.div_ceil(self.step),
            step: self.step,
            abundances: (0..count).map(map).collect(),
            brightness: map(count),
            errors: map(count + 1),
            colors: [map(count + 2), map(count + 3), map(count + 4)],
        }
    }

    fn solve(&mut self) -> Result<()> {
        let number = self.done.tiles;
        let tile = self.scene.tile(number, &self.surveyed.markers, None)?;
        let (count, width, columns) = (self.endmembers.count(), self.width(), self.scene.columns);
        let mut results = vec![f32::NAN; tile.pixels * width];
        if !tile.places.is_empty() {
            let (mut values, scale) = (tile.values, self.surveyed.scale);
            values.iter_mut().for_each(|v| *v = (f64::from(*v) / scale) as f32);
            self.surveyed.negative.clip(&mut values);
            let pixels = Pixels::of_checked(values, self.scene.bands());
            let own = self.solver.solve(&pixels)?;
            let (brightness, errors) = self.solver.light(&pixels, &own)?;
            let rows = own.rows().zip(&brightness).zip(&errors).zip(pixels.spectra());
            for (&place, (((own, brightness), error), spectrum)) in tile.places.iter().zip(rows) {
                let result = &mut results[place * width..(place + 1) * width];
                result.iter_mut().zip(own).for_each(|(to, a)| *to = *a as f32);
                result[count] = *brightness as f32;
                result[count + 1] = *error as f32;
                result[count + 2..].iter_mut().zip(self.preview).for_each(|(to, band)| *to = spectrum[band]);
            }
            self.done.pixels += tile.places.len();
            // One by one: where tiles begin changes no bit.
            self.done.squared_error = errors.iter().fold(self.done.squared_error, |sum, e| sum + e * e);
        }
        let first_row = number * self.scene.tile_rows();
        for (row, line) in results.chunks_exact(columns * width).enumerate() {
            if (first_row + row).is_multiple_of(self.step) {
                self.done.picture.extend(line.chunks_exact(width).step_by(self.step).flatten());
            }
        }
        let mut first = 0;
        for image in &mut self.images {
            image.append(&results, width, first)?;
            first += image.bands.len();
        }
        self.done.tiles += 1;
        Ok(())
    }

    /// Goes to the end of the tiles that are done.
    fn rewind(&mut self) -> Result<()> {
        let rows = (self.done.tiles * self.scene.tile_rows()).min(self.scene.rows);
        self.images.iter_mut().try_for_each(|image| image.rewind(rows * self.scene.columns))
    }
}

impl Advance for AbundancePass<'_> {
    fn advance(&mut self, _: Position) -> cupel_train::Result<Progress> {
        if self.done.tiles == 0 {
            self.rewind().map_err(cupel_train::Error::work)?;
        }
        self.solve().map_err(cupel_train::Error::work)?;
        let done = (self.done.tiles >= self.scene.tiles()).then_some("all tiles solved");
        let rmse = (self.done.squared_error / self.done.pixels.max(1) as f64).sqrt();
        Ok(Progress { metrics: Metrics::from([("reconstruction_rmse", rmse)]), done })
    }

    fn save(&self, set: &mut SetWriter) -> cupel_train::Result<()> {
        // On the disk before the state that counts them.
        for Image { path, file, .. } in &self.images {
            file.sync_data().map_err(cupel_data::Error::io("write", path)).map_err(cupel_train::Error::work)?;
        }
        let picture: Vec<u8> = self.done.picture.iter().flat_map(|value| value.to_le_bytes()).collect();
        set.bytes("picture", &picture)?;
        set.json("abundances", &self.done)
    }

    fn load(&mut self, set: &SetReader) -> cupel_train::Result<()> {
        self.done = set.json("abundances")?;
        self.done.picture =
            set.bytes("picture")?.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
        self.rewind().map_err(cupel_train::Error::work)
    }

    fn fingerprint(&self) -> cupel_train::Result<[u8; 32]> {
        let hash = self.scene.hash().map_err(cupel_train::Error::work)?;
        fingerprint(&(
            "abundances and brightness of a large scene",
            hash,
            self.endmembers.values(),
            self.solver.convention(),
            self.surveyed.negative,
        ))
    }

    fn name(&self) -> &str {
        "abundances"
    }

    fn total(&self) -> Option<u64> {
        Some(self.scene.tiles() as u64)
    }
}
