//! [`ObservationChunks`]: observations for training as the samples that components are fitted on, one observation after the other.
//!
//! Rows are the real and the imaginary parts alike, so that one real basis serves both, as the original has it. No file of the
//! validation part is ever among them: they are those of [`ObservationParts::train`](crate::ObservationParts).

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
};

use cupel_data::{Axis, AxisKind, Cube, Source, Stream};
use cupel_pca::{Chunk, Chunks, Samples};

use crate::{Error, ObservationFiles, Observations, ObservationsConfig, Result};

/// Bytes at both ends of a file that its hash is made of, beside its name and its length.
const HASHED_BYTES: u64 = 1 << 20;

/// A number of observations, the next signal with a foreground drawn for it each time.
#[derive(Debug)]
pub struct ObservationChunks {
    observations: Observations,
    stream: Stream,
    axis: Axis,
    count: usize,
    hash: String,
}

impl ObservationChunks {
    /// `count` observations; where there are fewer signals they come again, with other foregrounds.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn new(observations: Observations, count: usize, config: &ObservationsConfig) -> Result<Self> {
        let axis = observations.frequencies()?.clone();
        let mut hash = blake3::Hasher::new();
        hash.update(&config.seed.to_le_bytes()).update(&(count as u64).to_le_bytes());
        hash_files(observations.files(), &mut hash)?;
        let stream = Stream::new(config.seed, "observations for components");
        let hash = hash.finalize().to_hex().to_string();
        Ok(Self { observations, stream, axis, count, hash })
    }
}

/// Adds names, lengths and both ends of all files.
pub(crate) fn hash_files(files: &ObservationFiles, hash: &mut blake3::Hasher) -> Result<()> {
    for path in files.cosmologies.iter().chain(&files.foregrounds) {
        ends(path, hash).map_err(|error| Error::Data(cupel_data::Error::io("read", path)(error)))?;
    }
    Ok(())
}

/// Adds name, length and both ends of a file.
fn ends(path: &Path, hash: &mut blake3::Hasher) -> std::io::Result<()> {
    let mut file = File::open(path)?;
    let len = file.metadata()?.len();
    hash.update(path.file_name().unwrap_or_default().as_encoded_bytes()).update(&len.to_le_bytes());
    for start in [0, len.saturating_sub(HASHED_BYTES)] {
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(start))?;
        Read::by_ref(&mut file).take(HASHED_BYTES).read_to_end(&mut bytes)?;
        hash.update(&bytes);
    }
    Ok(())
}

impl Chunks for ObservationChunks {
    fn axis(&self) -> &Axis {
        &self.axis
    }

    fn count(&self) -> usize {
        self.count
    }

    fn chunk(&mut self, number: usize) -> cupel_pca::Result<Chunk> {
        let row = number % self.observations.len();
        let batch = self.observations.load(&[row], self.stream.child(number as u64))?;
        let weights = match batch.weights {
            None => None,
            // both parts of a value have its weight
            Some(weights) => {
                let chunks = batch.x.axes().shape()[0];
                let each = weights.len() / chunks.max(1);
                let twice = weights.values().chunks(each.max(1)).flat_map(|own| own.iter().chain(own)).copied();
                Some(Cube::new(twice.collect(), batch.x.axes().clone())?)
            }
        };
        Ok(Chunk { samples: Samples::F32(batch.x), weights, along: (AxisKind::Sample, number) })
    }

    fn hash(&self) -> cupel_pca::Result<String> {
        Ok(self.hash.clone())
    }
}
