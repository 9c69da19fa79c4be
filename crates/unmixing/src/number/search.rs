//! [`Search`]: the search for a number of endmembers, one more at a time.

use cupel_train::{Advance, Metrics, Position, Progress, SetReader, SetWriter, fingerprint};

use super::{
    Found, HeldOut, Suggestion,
    continuity::{Continuity, lengths_of_strongest},
    replicates::{Judged, Replicates},
};
use crate::{Error, Image, Moments, Noise, Pixels, Result, virtual_dimension::signal_directions};

/// The search under way; an [`Advance`] that tries one endmember more at a time.
pub struct Search {
    pixels: Pixels,
    moments: Moments,
    noise: Noise,
    directions: (usize, f64),
    continuity: Option<Continuity>,
    replicates: Replicates,
    most: usize,
    seed: u64,
    tried: Vec<HeldOut>,
    /// The endmembers of both halves for the number tried last.
    best: Option<[Judged; 2]>,
}

impl Search {
    /// A search in an image, whose pixels have neighbours.
    ///
    /// # Errors
    /// As [`Search::new`].
    pub fn of_image(image: &Image, most: usize, seed: u64) -> Result<Self> {
        let search = Self::new(image.pixels(), most, seed)?;
        Ok(Self { continuity: Continuity::of(image, &search.moments, &search.noise)?, ..search })
    }

    /// A search among the numbers from 1 to `most`, or to what the pixels allow.
    ///
    /// # Errors
    /// `most` of zero; moments or a subspace that cannot be had.
    pub fn new(pixels: &Pixels, most: usize, seed: u64) -> Result<Self> {
        if most == 0 {
            return Err(Error::setting("most", 0, "at least 1"));
        }
        let moments = Moments::of(pixels)?;
        let noise = Noise::from_moments(&moments, pixels.count());
        let directions = signal_directions(&moments, &noise, pixels.count())?;
        let replicates = Replicates::new(pixels, &moments, &noise, directions.0.max(most), seed);
        let most = most.min(replicates.most());
        let (tried, best) = (Vec::new(), None);
        let (pixels, continuity) = (pixels.clone(), None);
        Ok(Self { pixels, moments, noise, directions, continuity, replicates, most, seed, tried, best })
    }

    /// Tries all numbers that are left, without a run to save them in.
    ///
    /// # Errors
    /// As an extractor fails.
    pub fn complete(&mut self) -> Result<()> {
        while self.tried.len() < self.most {
            self.try_next()?;
        }
        Ok(())
    }

    /// The number that the evidence speaks for.
    ///
    /// # Errors
    /// Eigenvalues that cannot be had.
    pub fn finish(self) -> Result<Suggestion> {
        let (directions, fall) = self.directions;
        let stripes = self.continuity.as_ref().map_or(0, |continuity| continuity.stripes);
        let directions = directions.saturating_sub(stripes).max(1);
        let lengths = lengths_of_strongest(&self.pixels, &self.moments, &self.noise, directions.min(self.most))?;
        let found = Found { directions, fall, lengths, continuity: self.continuity, samples: self.pixels.count() };
        found.conclude(&self.moments, &self.noise, self.tried)
    }

    fn try_next(&mut self) -> Result<()> {
        let (held_out, best) = self.replicates.held_out(self.tried.len() + 1, self.best.as_ref())?;
        self.tried.push(held_out);
        self.best = Some(best);
        Ok(())
    }
}

impl Advance for Search {
    fn advance(&mut self, _: Position) -> cupel_train::Result<Progress> {
        self.try_next().map_err(cupel_train::Error::work)?;
        let error = self.tried.last().map_or(f64::NAN, |tried| tried.held_out_rmse);
        let done = (self.tried.len() >= self.most).then_some("all numbers are tried");
        Ok(Progress { metrics: Metrics::from([("held_out_rmse", error)]), done })
    }

    fn save(&self, set: &mut SetWriter) -> cupel_train::Result<()> {
        set.json("tried", &self.tried)?;
        set.json("best", &self.best)
    }

    fn load(&mut self, set: &SetReader) -> cupel_train::Result<()> {
        (self.tried, self.best) = (set.json("tried")?, set.json("best")?);
        Ok(())
    }

    fn fingerprint(&self) -> cupel_train::Result<[u8; 32]> {
        fingerprint(&("number of endmembers", self.pixels.hash(), self.most, self.seed))
    }

    fn name(&self) -> &str {
        "number-of-endmembers"
    }

    fn total(&self) -> Option<u64> {
        Some(self.most as u64)
    }
}
