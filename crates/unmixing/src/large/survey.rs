//! [`Survey`]: the first pass over a large scene.
//!
//! How many pixels can be unmixed is known only at its end. The sample is therefore drawn as it goes: every usable pixel gets a random number by
//! its place among the usable ones, and those with the lowest are kept (bottom-k sampling: Cohen & Kaplan, PODC 2007). They are as
//! likely as any others, and what lies between the usable pixels does not matter.

use std::collections::BinaryHeap;

use cupel_data::Stream;
use cupel_train::{Advance, Metrics, Position, Progress, SetReader, SetWriter, fingerprint};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    LargeScene,
    directions::{Directions, Further},
};
use crate::{Error, Negative, Pixels, Result, negative::BelowZero, scene::Suspects};

/// Values of the even sample; extraction holds several copies of it in several spaces.
const SAMPLE_VALUES: usize = 1 << 20;
/// Pixels compared by one task; fixed, so that nothing depends on the number of threads.
const BLOCK_PIXELS: usize = 256;

/// A pixel that lies furthest in one way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Extreme {
    score: f32,
    /// Its number among the usable pixels.
    pixel: usize,
    spectrum: Vec<f32>,
}

/// What the pass has found so far.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Found {
    /// Tiles done.
    tiles: usize,
    usable: usize,
    maximum: f32,
    /// The draws of the sampled pixels with their numbers among the usable ones, and, one after the other, their spectra.
    sampled: Vec<(u64, usize)>,
    #[serde(skip)]
    spectra: Vec<f32>,
    /// For each direction both ends, of the spectra as they are and of those at unit norm.
    extremes: Vec<Option<Extreme>>,
    /// Numbers that are taken for missing ones, and what says so.
    markers: Vec<f32>,
    suspects: Suspects,
    /// Values below zero of usable pixels, and the first pixel that has no others, where these are set to zero.
    below: BelowZero,
    dark: Option<usize>,
    /// Whether it began again, since other numbers than these turned out to stand for missing ones.
    again: bool,
}

/// What the first pass found.
#[derive(Clone, Debug)]
pub struct Surveyed {
    /// The sampled and the extreme pixels, divided by the scale, in the order of the scene and each once.
    pub pixels: Pixels,
    /// The largest value of the usable spectra, by which spectra are divided; 1 where none is positive.
    pub scale: f64,
    /// Pixels that can be unmixed.
    pub usable: usize,
    /// What was left out, and what was done with values below zero, a line each.
    pub notes: Vec<String>,
    /// Values below zero of these pixels.
    pub values_below_zero: usize,
    /// What is done with values below zero.
    pub(crate) negative: Negative,
    /// Numbers that stand for missing values although nothing says so.
    pub(crate) markers: Vec<f32>,
}

/// The pass that finds the scale, a sample and the extreme pixels of a scene.
pub struct Survey<'a> {
    scene: &'a LargeScene,
    seed: u64,
    negative: Negative,
    directions: Directions,
    /// Draws of the usable pixels.
    draws: Stream,
    found: Found,
    /// The sampled pixels, that with the highest draw first: draw and place in the sample.
    highest: BinaryHeap<(u64, usize)>,
}

impl<'a> Survey<'a> {
    /// A pass that has not begun.
    ///
    /// # Errors
    /// A scene that cannot be read.
    pub fn new(scene: &'a LargeScene, seed: u64) -> Result<Self> {
        let stream = Stream::new(seed, "survey of a large scene");
        let found = Found {
            tiles: 0,
            usable: 0,
            maximum: 0.0,
            sampled: Vec::new(),
            spectra: Vec::new(),
            extremes: vec![None; Directions::ways()],
            markers: scene.markers().to_vec(),
            suspects: Suspects::new(&scene.meaning()?),
            below: BelowZero::default(),
            dark: None,
            again: false,
        };
        Ok(Self {
            scene,
            seed,
            negative: Negative::Allow,
            directions: Directions::new(stream.child(0), scene.bands()),
            draws: stream.child(1),
            found,
            highest: BinaryHeap::new(),
        })
    }

    /// The same that does this with values below zero, which stay otherwise.
    #[must_use]
    pub fn with_negative(self, negative: Negative) -> Self {
        Self { negative, ..self }
    }

    /// What it found, once all tiles are done.
    ///
    /// # Errors
    /// A scene without a usable pixel, or with values below zero that are refused or leave a pixel with nothing.
    pub fn finish(self) -> Result<Surveyed> {
        let (bands, negative) = (self.scene.bands(), self.negative);
        let Found { sampled, spectra, extremes, maximum, usable, markers, suspects, below, dark, .. } = self.found;
        negative.check(&below)?;
        if let Some(first) = dark {
            return Err(Error::ZeroPixels { first, columns: Some(self.scene.columns), count: 1 });
        }
        let mut all: Vec<(usize, &[f32])> =
            sampled.iter().map(|&(_, pixel)| pixel).zip(spectra.chunks_exact(bands)).collect();
        all.extend(extremes.iter().flatten().map(|extreme| (extreme.pixel, extreme.spectrum.as_slice())));
        all.sort_by_key(|(pixel, _)| *pixel);
        all.dedup_by_key(|(pixel, _)| *pixel);
        let scale = if maximum > 0.0 { f64::from(maximum) } else { 1.0 };
        let scaled = |v: &f32| (f64::from(*v) / scale) as f32;
        let values: Vec<f32> = all.into_iter().flat_map(|(_, spectrum)| spectrum.iter().map(scaled)).collect();
        let pixels = Pixels::new(values.into(), bands)?;
        let notes = suspects.told().chain(below.told(negative, scale)).collect();
        Ok(Surveyed { pixels, scale, usable, notes, values_below_zero: below.count, negative, markers })
    }

    fn take(&mut self, number: usize) -> Result<()> {
        let Found { markers, suspects, .. } = &mut self.found;
        let mut tile = self.scene.tile(number, markers, Some(suspects))?;
        let bands = self.scene.bands();
        let first = self.found.usable;
        self.found.below.see(&tile.values);
        self.negative.clip(&mut tile.values);
        if self.negative == Negative::Clip && self.found.dark.is_none() {
            let mut spectra = tile.places.iter().zip(tile.values.chunks_exact(bands));
            let dark = spectra.find(|(_, spectrum)| spectrum.iter().all(|v| *v == 0.0));
            self.found.dark = dark.map(|(place, _)| number * self.scene.tile_rows() * self.scene.columns + place);
        }
        for (place, spectrum) in tile.values.chunks_exact(bands).enumerate() {
            self.draw(first + place, spectrum);
        }
        self.found.usable += tile.places.len();
        self.found.maximum = self.found.maximum.max(tile.highest);
        let score = |extreme: &Option<Extreme>| extreme.as_ref().map_or(f32::NEG_INFINITY, |extreme| extreme.score);
        let known: Vec<f32> = self.found.extremes.iter().map(score).collect();
        let blocks: Vec<Vec<Further>> =
            tile.values.par_chunks(BLOCK_PIXELS * bands).map(|block| self.directions.further(block, &known)).collect();
        // Block after block: ties go to the first pixel.
        for (block, further) in blocks.into_iter().enumerate() {
            for Further { way, score, place } in further {
                let extreme = &mut self.found.extremes[way];
                if extreme.as_ref().is_none_or(|extreme| score > extreme.score) {
                    let place = block * BLOCK_PIXELS + place;
                    let spectrum = tile.values[place * bands..(place + 1) * bands].to_vec();
                    *extreme = Some(Extreme { score, pixel: first + place, spectrum });
                }
            }
        }
        self.found.tiles += 1;
        if self.found.tiles == self.scene.tiles() && self.found.suspects.values() != self.found.markers {
            // Some rows did not tell what all of them do.
            let markers = self.found.suspects.values();
            *self = Self::new(self.scene, self.seed)?.with_negative(self.negative);
            (self.found.markers, self.found.again) = (markers, true);
        }
        Ok(())
    }

    /// Takes a pixel into the sample if its draw is among the lowest so far.
    fn draw(&mut self, pixel: usize, spectrum: &[f32]) {
        let (bands, draw) = (spectrum.len(), self.draws.u64(pixel as u64));
        let Found { sampled, spectra, .. } = &mut self.found;
        if sampled.len() < (SAMPLE_VALUES / bands).max(1) {
            self.highest.push((draw, sampled.len()));
            sampled.push((draw, pixel));
            spectra.extend_from_slice(spectrum);
        } else if let Some(mut highest) = self.highest.peek_mut()
            && draw < highest.0
        {
            let place = highest.1;
            *highest = (draw, place);
            sampled[place] = (draw, pixel);
            spectra[place * bands..(place + 1) * bands].copy_from_slice(spectrum);
        }
    }
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
        self.highest = self.found.sampled.iter().enumerate().map(|(place, &(draw, _))| (draw, place)).collect();
        Ok(())
    }

    fn fingerprint(&self) -> cupel_train::Result<[u8; 32]> {
        let hash = self.scene.hash().map_err(cupel_train::Error::work)?;
        fingerprint(&("survey of values of both signs", self.seed, self.negative, hash))
    }

    fn name(&self) -> &str {
        "survey"
    }

    fn total(&self) -> Option<u64> {
        Some(self.scene.tiles() as u64 * if self.found.again { 2 } else { 1 })
    }
}
