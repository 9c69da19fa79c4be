//! [`Search`]: the search for a number of endmembers, one more at a time.

use cupel_train::{Advance, Metrics, Position, Progress, SetReader, SetWriter, fingerprint};

use super::{
    HeldOut, Suggestion, conclude,
    replicates::{Judged, Replicates},
};
use crate::{Endmembers, Error, Moments, Noise, Pixels, Result, virtual_dimension::signal_directions};

/// Numbers of a [`HeldOut`], and of a [`Judged`] beside its endmembers.
const OF_HELD_OUT: usize = 6;
const OF_JUDGED: usize = 4;

/// The search under way; an [`Advance`] that tries one endmember more at a time.
pub struct Search {
    pixels: Pixels,
    moments: Moments,
    noise: Noise,
    directions: usize,
    replicates: Replicates,
    most: usize,
    seed: u64,
    tried: Vec<HeldOut>,
    /// The endmembers of both halves for the number tried last.
    best: Option<[Judged; 2]>,
}

impl Search {
    /// A search among the numbers from 1 to `most`, or to what the pixels allow.
    ///
    /// # Errors
    /// `most` of zero; moments or a subspace that cannot be had.
    pub fn new(pixels: &Pixels, most: usize, seed: u64) -> Result<Self> {
        if most == 0 {
            return Err(Error::Setting { name: "most", got: most.to_string(), expected: "at least 1" });
        }
        let moments = Moments::of(pixels)?;
        let noise = Noise::from_moments(&moments, pixels.count());
        let directions = signal_directions(&moments, &noise, pixels.count())?;
        let replicates = Replicates::new(pixels, &moments, &noise, directions.max(most), seed);
        let most = most.min(replicates.most());
        let (tried, best) = (Vec::new(), None);
        Ok(Self { pixels: pixels.clone(), moments, noise, directions, replicates, most, seed, tried, best })
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
        conclude(&self.moments, &self.noise, self.directions, self.pixels.count(), self.tried)
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
        set.json("tried", &self.tried.len())?;
        // bits, because decimal text need not give back the same number
        let tried = self
            .tried
            .iter()
            .flat_map(|t| [t.endmembers as f64, t.held_out_rmse, t.instability_rad, t.entropy, t.near_pure, t.score]);
        let best = self.best.iter().flatten().flat_map(|judged| {
            let numbers = [judged.mean_square, judged.entropy, judged.near_pure, judged.score];
            numbers.into_iter().chain(judged.endmembers.values().iter().copied())
        });
        set.bytes("numbers", &tried.chain(best).flat_map(f64::to_le_bytes).collect::<Vec<u8>>())
    }

    fn load(&mut self, set: &SetReader) -> cupel_train::Result<()> {
        let (tried, bytes): (usize, _) = (set.json("tried")?, set.bytes("numbers")?);
        let numbers: Vec<f64> = bytes.as_chunks().0.iter().map(|chunk| f64::from_le_bytes(*chunk)).collect();
        let rank = self.replicates.rank();
        let each = OF_JUDGED + tried * rank;
        if !(1..=self.most).contains(&tried) || numbers.len() != OF_HELD_OUT * tried + 2 * each {
            return Err(cupel_train::Error::work(Error::Shape {
                what: "saved search for the number of endmembers",
                expected: format!("at most {} numbers tried in {rank} directions", self.most),
                got: format!("{tried} numbers tried in {} bytes", bytes.len()),
            }));
        }
        let (held_out, best) = numbers.split_at(OF_HELD_OUT * tried);
        let tried = held_out.as_chunks::<OF_HELD_OUT>().0.iter();
        self.tried = tried
            .map(|&[endmembers, held_out_rmse, instability_rad, entropy, near_pure, score]| HeldOut {
                endmembers: endmembers as usize,
                held_out_rmse,
                instability_rad,
                entropy,
                near_pure,
                score,
            })
            .collect();
        let judged = |numbers: &[f64]| {
            let endmembers = Endmembers::new(numbers[OF_JUDGED..].to_vec(), rank)?;
            let [mean_square, entropy, near_pure, score] = std::array::from_fn(|i| numbers[i]);
            Ok::<_, Error>(Judged { endmembers, mean_square, entropy, near_pure, score })
        };
        let pair = judged(&best[..each]).and_then(|first| Ok([first, judged(&best[each..])?]));
        self.best = Some(pair.map_err(cupel_train::Error::work)?);
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
