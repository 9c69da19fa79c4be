//! [`Survey`]: the first pass over a large scene.

use cupel_data::Stream;
use cupel_train::{Advance, Metrics, Position, Progress, SetReader, SetWriter, fingerprint};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::LargeScene;
use crate::{Pixels, Result};

/// Values of the even sample; extraction holds several copies of it in several spaces.
const SAMPLE_VALUES: usize = 1 << 20;
/// Random directions.
const DIRECTIONS: usize = 48;
/// Pixels compared by one task; fixed, so that nothing depends on the number of threads.
const BLOCK_PIXELS: usize = 256;

/// A pixel that lies furthest in one way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Extreme {
    score: f32,
    pixel: usize,
    spectrum: Vec<f32>,
}

/// What the pass has found so far.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Found {
    /// Tiles done.
    tiles: usize,
    usable: usize,
    maximum: f32,
    /// Numbers of the sampled pixels and, one after the other, their spectra.
    sampled: Vec<usize>,
    #[serde(skip)]
    spectra: Vec<f32>,
    /// For each direction both ends, of the spectra as they are and of those at unit norm.
    extremes: Vec<Option<Extreme>>,
}

/// The pass that finds the scale, a sample and the extreme pixels of a scene.
pub struct Survey<'a> {
    scene: &'a LargeScene,
    seed: u64,
    directions: Vec<f32>,
    chosen: Vec<usize>,
    found: Found,
}

impl<'a> Survey<'a> {
    /// A pass that has not begun.
    pub fn new(scene: &'a LargeScene, seed: u64) -> Self {
        let stream = Stream::new(seed, "survey of a large scene");
        let bands = scene.bands();
        let mut directions = vec![0.0; DIRECTIONS * bands];
        stream.child(0).fill_normal(&mut directions);
        let pixels = scene.rows * scene.columns;
        let mut chosen = stream.child(1).sample(pixels, (SAMPLE_VALUES / bands).clamp(1, pixels));
        chosen.sort_unstable();
        let found = Found { extremes: vec![None; 4 * DIRECTIONS], ..Found::default() };
        Self { scene, seed, directions, chosen, found }
    }

    /// The largest value of the usable spectra, by which spectra are divided; 1 where none is positive.
    pub fn scale(&self) -> f64 {
        if self.found.maximum > 0.0 { f64::from(self.found.maximum) } else { 1.0 }
    }

    /// Pixels that can be unmixed.
    pub fn usable(&self) -> usize {
        self.found.usable
    }

    /// The sampled and the extreme pixels, divided by the scale, in the order of the scene and each once.
    ///
    /// # Errors
    /// A scene without a usable pixel.
    pub fn pixels(&self) -> Result<Pixels> {
        let bands = self.scene.bands();
        let mut all: Vec<(usize, &[f32])> =
            self.found.sampled.iter().copied().zip(self.found.spectra.chunks_exact(bands)).collect();
        all.extend(self.found.extremes.iter().flatten().map(|extreme| (extreme.pixel, extreme.spectrum.as_slice())));
        all.sort_by_key(|(pixel, _)| *pixel);
        all.dedup_by_key(|(pixel, _)| *pixel);
        let scale = self.scale();
        let scaled = |v: &f32| (f64::from(*v) / scale) as f32;
        Pixels::new(all.into_iter().flat_map(|(_, spectrum)| spectrum.iter().map(scaled)).collect(), bands)
    }

    fn take(&mut self, number: usize) -> Result<()> {
        let tile = self.scene.tile(number)?;
        let bands = self.scene.bands();
        let first = number * self.scene.tile_rows() * self.scene.columns;
        let from = self.chosen.partition_point(|&pixel| pixel < first);
        let to = self.chosen.partition_point(|&pixel| pixel < first + tile.pixels);
        for &pixel in &self.chosen[from..to] {
            if let Ok(place) = tile.places.binary_search(&(pixel - first)) {
                self.found.sampled.push(pixel);
                self.found.spectra.extend_from_slice(&tile.values[place * bands..(place + 1) * bands]);
            }
        }
        self.found.usable += tile.places.len();
        self.found.maximum = tile.values.iter().copied().fold(self.found.maximum, f32::max);
        // In each block the best of every direction, then the blocks in their order: ties go to the first pixel.
        let blocks: Vec<Vec<(f32, usize)>> =
            tile.values.par_chunks(BLOCK_PIXELS * bands).map(|block| self.best_of(block)).collect();
        for (block, best) in blocks.into_iter().enumerate() {
            for (extreme, (score, place)) in self.found.extremes.iter_mut().zip(best) {
                if extreme.as_ref().is_none_or(|extreme| score > extreme.score) {
                    let place = block * BLOCK_PIXELS + place;
                    let spectrum = tile.values[place * bands..(place + 1) * bands].to_vec();
                    *extreme = Some(Extreme { score, pixel: first + tile.places[place], spectrum });
                }
            }
        }
        self.found.tiles += 1;
        Ok(())
    }

    /// For each direction and way the largest score with its place in the block.
    fn best_of(&self, block: &[f32]) -> Vec<(f32, usize)> {
        let bands = self.scene.bands();
        let mut best = vec![(f32::NEG_INFINITY, 0); 4 * DIRECTIONS];
        for (place, spectrum) in block.chunks_exact(bands).enumerate() {
            let norm = dot(spectrum, spectrum).sqrt();
            for (direction, best) in self.directions.chunks_exact(bands).zip(best.chunks_exact_mut(4)) {
                let along = dot(spectrum, direction);
                let unit = if norm > 0.0 { along / norm } else { 0.0 };
                for (best, score) in best.iter_mut().zip([along, -along, unit, -unit]) {
                    if score > best.0 {
                        *best = (score, place);
                    }
                }
            }
        }
        best
    }
}

/// In lanes that the compiler keeps in registers; the order of the sum is fixed.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut partial = [0.0f32; LANES];
    let (left, right) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = left.remainder().iter().zip(right.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in left.zip(right) {
        for lane in 0..LANES {
            partial[lane] += a[lane] * b[lane];
        }
    }
    partial.iter().sum::<f32>() + rest
}

impl Advance for Survey<'_> {
    fn advance(&mut self, _: Position) -> cupel_train::Result<Progress> {
        self.take(self.found.tiles).map_err(cupel_train::Error::work)?;
        let done = (self.found.tiles >= self.scene.tiles()).then_some("all tiles surveyed");
        Ok(Progress { metrics: Metrics::from([("pixels", self.found.usable as f64)]), done })
    }

    fn save(&self, set: &mut SetWriter) -> cupel_train::Result<()> {
        let spectra: Vec<u8> = self.found.spectra.iter().flat_map(|value| value.to_le_bytes()).collect();
        set.bytes("spectra", &spectra)?;
        set.json("survey", &self.found)
    }

    fn load(&mut self, set: &SetReader) -> cupel_train::Result<()> {
        self.found = set.json("survey")?;
        self.found.spectra =
            set.bytes("spectra")?.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
        Ok(())
    }

    fn fingerprint(&self) -> cupel_train::Result<[u8; 32]> {
        let hash = self.scene.hash().map_err(cupel_train::Error::work)?;
        fingerprint(&("survey", self.seed, hash))
    }

    fn name(&self) -> &str {
        "survey"
    }

    fn total(&self) -> Option<u64> {
        Some(self.scene.tiles() as u64)
    }
}
