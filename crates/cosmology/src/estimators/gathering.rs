//! [`Gathering`]: the statistics of skies, gathered one batch after the other; it can be stopped and gone on with.

use faer::Mat;
use rayon::prelude::*;

use cupel_train::{Advance, Position, Progress, SetReader, SetWriter, fingerprint};

use super::{
    Multipoles, Pair, Training, check_channels,
    learn::{FOLDS, refused},
    matrix::row_major,
    plane_modes::{Plane, Shell, centred},
    sums::{self, RingSums},
};
use crate::{Geometry, Result, Sky};

/// Skies that are held at once.
const BATCH: usize = 8;
/// Half of the spacing of f32 relative to its value; rounding is even within it.
const ROUNDING: f64 = 6e-8;

/// A [`Training`] that grows by a few skies at a time: [`Run::drive`](cupel_train::Run::drive) advances it.
pub struct Gathering<'a> {
    pair: &'a (dyn Fn(usize) -> Result<Pair> + Sync),
    /// Skies in all, and those that were read.
    skies: usize,
    read: usize,
    shape: Vec<usize>,
    geometry: Geometry,
    plane: Plane,
    shells: Vec<Shell>,
    /// The ring of each shell.
    rings: Vec<usize>,
    training: Training,
}

impl<'a> Gathering<'a> {
    /// Prepares it for `skies` skies that `pair` gives by their number, of which the first is read for its shape.
    ///
    /// # Errors
    /// As [`Training::gather`].
    pub fn new(skies: usize, pair: &'a (dyn Fn(usize) -> Result<Pair> + Sync)) -> Result<Self> {
        if skies < FOLDS {
            return Err(refused(format!("{skies} skies are too few to learn from"), "give 5 at least, better 100"));
        }
        let first = pair(0)?.observed;
        let (frequencies_mhz, unit, plane) = (first.frequencies_mhz()?.to_vec(), first.unit(), Plane::of(&first)?);
        let (shape, geometry) = (first.cube().shape(), first.geometry()?);
        let shells = plane.shells();
        let multipoles = with_modes(&Multipoles::of_patch([shape[1], shape[2]], geometry.side_deg)?, &shells)?;
        let rings = rings_of(&multipoles, &shells)?;
        let channels = frequencies_mhz.len();
        let folds = vec![vec![RingSums::empty(channels); multipoles.len()]; FOLDS];
        let floor = vec![0.0; channels];
        let training = Training { frequencies_mhz, unit, multipoles, skies, folds, floor };
        Ok(Self { pair, skies, read: 0, shape, geometry, plane, shells, rings, training })
    }

    /// The training, once all skies were read.
    pub fn training(self) -> Training {
        self.training
    }

    /// How many skies were read.
    pub(super) fn read(&self) -> usize {
        self.read
    }

    /// Reads the next skies.
    pub(super) fn more(&mut self) -> Result<()> {
        let numbers = self.read..self.skies.min(self.read + BATCH);
        let batch = numbers.clone().into_par_iter().map(|number| self.of_sky(number)).collect::<Result<Vec<_>>>()?;
        // a variance per pixel is this much angular power, were it white
        let white = self.plane.area_sr() / self.plane.pixels() as f64;
        let scale = ROUNDING * ROUNDING / 3.0 * white / (self.skies * self.plane.pixels()) as f64;
        // in the order of the skies, whichever was ready first
        for (number, (sums, squares)) in numbers.zip(batch) {
            self.training.folds[number % FOLDS].iter_mut().zip(&sums).for_each(|(all, one)| all.add(one));
            self.training.floor.iter_mut().zip(squares).for_each(|(floor, square)| *floor += scale * square);
            self.read += 1;
        }
        Ok(())
    }

    /// The sums of a sky, and the sum of squares of each channel.
    fn of_sky(&self, number: usize) -> Result<(Vec<RingSums>, Vec<f64>)> {
        let Pair { observed, signal } = (self.pair)(number)?;
        check_channels("training", &self.training.frequencies_mhz, self.training.unit, &observed)?;
        let same = observed.cube().shape() == self.shape && observed.geometry()?.side_deg == self.geometry.side_deg;
        if !same || signal.axes() != observed.cube().axes() {
            let problem = format!("sky {number} or its signal has another size than the first sky");
            return Err(refused(problem, "give skies and signals of one size"));
        }
        if has_gaps(&observed) {
            let problem = format!("sky {number} has values without weight");
            return Err(refused(problem, "learn from skies without gaps"));
        }
        let (x, s) = (centred(observed.cube()), centred(&signal));
        let rest: Vec<f64> = x.iter().zip(&s).map(|(x, s)| x - s).collect();
        let squares = |values: &[f32]| values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>();
        let squares = observed.cube().values().chunks_exact(self.plane.pixels()).map(squares).collect();
        let (signal, rest) = (self.plane.forward(&s), self.plane.forward(&rest));
        let count = self.training.multipoles.len();
        Ok((sums::of_sky(&self.plane, &self.shells, &self.rings, count, &signal, &rest), squares))
    }
}

impl Advance for Gathering<'_> {
    fn advance(&mut self, _: Position) -> cupel_train::Result<Progress> {
        self.more().map_err(cupel_train::Error::work)?;
        Ok(Progress { done: (self.read == self.skies).then_some("all skies were read"), ..Progress::default() })
    }

    fn save(&self, set: &mut SetWriter) -> cupel_train::Result<()> {
        set.json("read", &self.read)?;
        let of_ring = |sums: &RingSums| {
            let matrices = [&sums.signal, &sums.rest, &sums.common].into_iter().flat_map(row_major);
            std::iter::once(sums.modes).chain(matrices).collect::<Vec<_>>()
        };
        let sums = self.training.folds.iter().flatten().flat_map(of_ring);
        let bytes: Vec<u8> = sums.chain(self.training.floor.iter().copied()).flat_map(f64::to_le_bytes).collect();
        set.bytes("sums", &bytes)
    }

    fn load(&mut self, set: &SetReader) -> cupel_train::Result<()> {
        self.read = set.json("read")?;
        let bytes = set.bytes("sums")?;
        let mut values = bytes.as_chunks::<8>().0.iter().map(|bytes| f64::from_le_bytes(*bytes));
        let channels = self.training.frequencies_mhz.len();
        let expected = FOLDS * self.training.multipoles.len() * (1 + 3 * channels * channels) + channels;
        if bytes.len() != 8 * expected {
            let problem = format!("the sums of the skies have {} bytes, expected {}", bytes.len(), 8 * expected);
            return Err(cupel_train::Error::work(refused(problem, "start anew, with --force")));
        }
        // there are as many as are taken, which was checked
        let mut next = || values.next().unwrap_or(f64::NAN);
        for sums in self.training.folds.iter_mut().flatten() {
            sums.modes = next();
            for matrix in [&mut sums.signal, &mut sums.rest, &mut sums.common] {
                let line: Vec<f64> = (0..channels * channels).map(|_| next()).collect();
                *matrix = Mat::from_fn(channels, channels, |i, j| line[i * channels + j]);
            }
        }
        self.training.floor.iter_mut().for_each(|floor| *floor = next());
        Ok(())
    }

    /// The content of the skies is known to the run.
    fn fingerprint(&self) -> cupel_train::Result<[u8; 32]> {
        fingerprint(&("gathering", self.skies, &self.shape, &self.training.frequencies_mhz))
    }

    fn name(&self) -> &str {
        "skies"
    }

    fn total(&self) -> Option<u64> {
        Some(self.skies.div_ceil(BATCH) as u64)
    }
}

fn has_gaps(sky: &Sky) -> bool {
    sky.weights().is_some_and(|weights| weights.values().contains(&0.0))
}

/// The same rings without those that have no modes, which go to the next.
fn with_modes(all: &Multipoles, shells: &[Shell]) -> Result<Multipoles> {
    let edges = all.edges();
    let mut kept = vec![edges[0]];
    for edge in &edges[1..] {
        let lower = kept[kept.len() - 1];
        if shells.iter().any(|shell| shell.multipole >= lower && shell.multipole < *edge) {
            kept.push(*edge);
        }
    }
    Multipoles::new(kept)
}

fn rings_of(multipoles: &Multipoles, shells: &[Shell]) -> Result<Vec<usize>> {
    let ring = |shell: &Shell| {
        multipoles.ring(shell.multipole).ok_or_else(|| {
            refused(format!("a mode at the multipole {} is in no ring", shell.multipole), "give square pixels")
        })
    };
    shells.iter().map(ring).collect()
}
