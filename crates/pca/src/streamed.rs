//! [`StreamedFit`]: a fit that goes over data chunk by chunk, stops, saves its moments and goes on with the same bits.

use cupel_data::Cube;
use cupel_train::{Advance, Computing, Metrics, Position, Progress, SetReader, SetWriter, fingerprint};
use serde::{Deserialize, Serialize};

use crate::{
    Chunk, Chunks, Covariance, Error, GroupedCovariance, Grouping, Modes, Number, Result, Samples, Stored,
    components::hexadecimal,
    moments::{Moments, Weights},
};

/// The moments so far.
#[derive(Clone, Debug)]
enum Gathered {
    Single(Box<Covariance>),
    Grouped(GroupedCovariance),
}

/// What a checkpoint says beside the numbers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    chunks: usize,
    /// For each group the samples, and whether there are weights.
    groups: Vec<(u64, bool)>,
}

/// A fit over chunks, driven by [`Run::drive`](cupel_train::Run::drive).
///
/// # Example
/// ```
/// use cupel_data::{Array, AxisKind, Values, write_npy};
/// use cupel_pca::{Choice, Files, Modes, Stored, StreamedFit};
/// use cupel_train::{Policy, Run};
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("samples.npy");
/// write_npy(&path, &Array::new(vec![3, 2], Values::F32(vec![0.0, 0.0, 1.0, 2.0, 2.0, 4.0]))?)?;
/// let files = Files::open(&[path], AxisKind::Dimension(1), &Choice::default())?;
/// let mut fit = StreamedFit::new(files, false, None)?;
/// Run::in_memory().drive(&mut fit, &Policy::default())?;
/// let Stored::Single(components) = fit.components(Modes::Explained(0.99))? else { unreachable!() };
/// assert_eq!(components.count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "IncrementalPCA")]
#[doc(alias = "precompute_pca")]
#[derive(Debug)]
pub struct StreamedFit<C> {
    chunks: C,
    gathered: Gathered,
    done: usize,
    hash: String,
}

impl<C: Chunks> StreamedFit<C> {
    /// A fit that has not begun: of one basis, or of one for each group; complex data give a `hermitian` basis or a real one for
    /// real and imaginary parts.
    ///
    /// Reads the data once for their hash.
    ///
    /// # Errors
    /// What reading reports; a grouping along the axis of the channels.
    pub fn new(chunks: C, hermitian: bool, grouping: Option<Grouping>) -> Result<Self> {
        let axis = chunks.axis();
        let empty = if hermitian { Covariance::hermitian(axis) } else { Covariance::new(axis) };
        let gathered = match grouping {
            None => Gathered::Single(Box::new(empty)),
            Some(grouping) => Gathered::Grouped(GroupedCovariance::new(grouping, &empty)?),
        };
        let hash = chunks.hash()?;
        Ok(Self { chunks, gathered, done: 0, hash })
    }

    /// Samples seen so far, over all groups.
    pub fn samples(&self) -> u64 {
        self.groups().iter().map(Covariance::samples).sum()
    }

    /// The covariance of what was seen so far; of each group where there are groups.
    pub fn groups(&self) -> &[Covariance] {
        match &self.gathered {
            Gathered::Single(covariance) => std::slice::from_ref(covariance),
            Gathered::Grouped(groups) => groups.groups(),
        }
    }

    /// Hash of the data.
    pub fn data_hash(&self) -> &str {
        &self.hash
    }

    /// The components of what was seen so far, stamped with the hash of the data.
    ///
    /// # Errors
    /// As [`Covariance::components`].
    pub fn components(&self, modes: Modes) -> Result<Stored> {
        let hash = Some(self.hash.clone());
        Ok(match &self.gathered {
            Gathered::Single(covariance) => Stored::Single(covariance.components(modes)?.with_data_hash(hash)),
            Gathered::Grouped(groups) => Stored::Grouped(groups.components(modes)?.with_origin(None, hash)),
        })
    }

    fn add(&mut self, chunk: &Chunk) -> Result<()> {
        let gathered = &mut self.gathered;
        match &chunk.samples {
            Samples::F32(cube) => gathered.add(cube, chunk),
            Samples::F64(cube) => gathered.add(cube, chunk),
            Samples::Complex64(cube) => gathered.add(cube, chunk),
            Samples::Complex128(cube) => gathered.add(cube, chunk),
        }
    }

    fn groups_mut(&mut self) -> &mut [Covariance] {
        match &mut self.gathered {
            Gathered::Single(covariance) => std::slice::from_mut(covariance),
            Gathered::Grouped(groups) => groups.groups_mut(),
        }
    }
}

impl Gathered {
    fn add<T: Number>(&mut self, cube: &Cube<T>, chunk: &Chunk) -> Result<()> {
        match (self, &chunk.weights) {
            (Self::Single(covariance), None) => covariance.update(cube),
            (Self::Single(covariance), Some(weights)) => covariance.update_weighted(cube, weights),
            (Self::Grouped(groups), weights) => {
                let (along, first) = chunk.along;
                let first = if groups.grouping().kind() == along { first } else { 0 };
                match weights {
                    None => groups.update(cube, first),
                    Some(weights) => groups.update_weighted(cube, weights, first),
                }
            }
        }
    }
}

impl<C: Chunks> Advance for StreamedFit<C> {
    fn advance(&mut self, _: Position) -> cupel_train::Result<Progress> {
        let total = self.chunks.count();
        if self.done < total {
            let chunk = self.chunks.chunk(self.done).map_err(cupel_train::Error::work)?;
            self.add(&chunk).map_err(cupel_train::Error::work)?;
            self.done += 1;
        }
        let done = (self.done >= total).then_some("all samples seen");
        Ok(Progress { metrics: Metrics::from([("samples", self.samples() as f64)]), done })
    }

    fn save(&self, set: &mut SetWriter) -> cupel_train::Result<()> {
        let mut numbers: Vec<u8> = Vec::new();
        let mut groups = Vec::new();
        for moments in self.groups().iter().map(Covariance::moments) {
            let weights = moments.weights.iter().flat_map(|weights| [&weights.channel, &weights.pair, &weights.first]);
            for array in [&moments.mean, &moments.scatter].into_iter().chain(weights) {
                numbers.extend(array.iter().flat_map(|value| value.to_le_bytes()));
            }
            groups.push((moments.samples, moments.weights.is_some()));
        }
        set.bytes("moments", &numbers)?;
        set.json("fit", &Saved { chunks: self.done, groups })
    }

    fn load(&mut self, set: &SetReader) -> cupel_train::Result<()> {
        let saved: Saved = set.json("fit")?;
        let bytes = set.bytes("moments")?;
        let mut numbers = bytes.as_chunks().0.iter().map(|&bytes| f64::from_le_bytes(bytes));
        let width = self.groups()[0].moments().mean.len();
        let numbers_of =
            |weighted: bool| (width + width * width) + if weighted { width + 2 * width * width } else { 0 };
        let expected: usize = saved.groups.iter().map(|(_, weighted)| 8 * numbers_of(*weighted)).sum();
        if saved.groups.len() != self.groups().len() || bytes.len() != expected || saved.chunks > self.chunks.count() {
            return Err(cupel_train::Error::work(Error::Input {
                path: set.dir().into(),
                problem: format!(
                    "moments of {} groups in {} bytes, expected {expected}",
                    saved.groups.len(),
                    bytes.len()
                ),
            }));
        }
        for (covariance, (samples, weighted)) in self.groups_mut().iter_mut().zip(saved.groups) {
            let mut take = |count: usize| numbers.by_ref().take(count).collect::<Vec<f64>>();
            let (mean, scatter) = (take(width), take(width * width));
            let weights = weighted.then(|| Weights {
                channel: take(width),
                pair: take(width * width),
                first: take(width * width),
            });
            let moments = Moments { samples, mean, scatter, weights };
            *covariance = Covariance::from_moments(covariance.axis().clone(), covariance.is_hermitian(), moments);
        }
        self.done = saved.chunks;
        Ok(())
    }

    fn fingerprint(&self) -> cupel_train::Result<[u8; 32]> {
        let assignment = match &self.gathered {
            Gathered::Single(_) => None,
            Gathered::Grouped(groups) => Some((groups.grouping().kind().to_string(), groups.grouping().assignment())),
        };
        let axis = hexadecimal(&self.chunks.axis().fingerprint());
        fingerprint(&("pca fit", axis, self.groups()[0].is_hermitian(), assignment, &self.hash, self.chunks.count()))
    }

    fn name(&self) -> &str {
        "fit"
    }

    fn total(&self) -> Option<u64> {
        Some(self.chunks.count() as u64)
    }

    fn computing(&self) -> Option<Computing> {
        Some(Computing::on_host("f64", 0))
    }
}
