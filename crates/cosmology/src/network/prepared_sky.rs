//! [`PreparedSky`]: one sky as a network is trained on it.

use crate::{Error, Result};

/// Values that are hashed together.
const HASHED: usize = 1 << 14;

/// One sky with everything that a training needs of it, row-major as `[channel, x, y, frequency]`.
#[derive(Clone, Debug, PartialEq)]
pub struct PreparedSky {
    extents: [usize; 3],
    inputs: Vec<f32>,
    estimate: Vec<f32>,
    target: Vec<f32>,
    truth: Option<Vec<f32>>,
}

impl PreparedSky {
    /// A sky of `extents` `[x, y, frequency]`: the channels that the network reads (the sky itself, cleaned to several depths, differences
    /// of frequencies, each normalised), the `estimate` that it corrects, and the `target` that both should be.
    ///
    /// # Errors
    /// [`Error::Prepared`] for arrays that are no whole number of such volumes, an estimate unlike the target, and numbers that are not
    /// finite.
    pub fn new(extents: [usize; 3], inputs: Vec<f32>, estimate: Vec<f32>, target: Vec<f32>) -> Result<Self> {
        let volume = extents.iter().product::<usize>();
        for (what, values) in [("inputs", &inputs), ("estimate", &estimate), ("target", &target)] {
            check(what, values, volume)?;
        }
        if estimate.len() != target.len() {
            let problem = format!("{} values for an estimate of {}", target.len(), estimate.len());
            return Err(Error::Prepared { what: "target", problem, fix: "give one target for each value" });
        }
        Ok(Self { extents, inputs, estimate, target, truth: None })
    }

    /// With the truth that [`evaluate`](cupel_train::Fit::evaluate) compares with, where it is not the target.
    ///
    /// # Errors
    /// [`Error::Prepared`] as [`new`](Self::new).
    pub fn with_truth(mut self, truth: Vec<f32>) -> Result<Self> {
        check("truth", &truth, self.extents.iter().product())?;
        if truth.len() != self.target.len() {
            let problem = format!("{} values for a target of {}", truth.len(), self.target.len());
            return Err(Error::Prepared { what: "truth", problem, fix: "give one truth for each value" });
        }
        self.truth = Some(truth);
        Ok(self)
    }

    /// Values along x, y and the frequency.
    pub fn extents(&self) -> [usize; 3] {
        self.extents
    }

    /// Channels that the network reads, and channels of the estimate.
    pub fn channels(&self) -> [usize; 2] {
        let volume = self.extents.iter().product::<usize>();
        [self.inputs.len() / volume, self.target.len() / volume]
    }

    /// What the network reads.
    pub fn inputs(&self) -> &[f32] {
        &self.inputs
    }

    /// What it corrects.
    pub fn estimate(&self) -> &[f32] {
        &self.estimate
    }

    /// What it should give.
    pub fn target(&self) -> &[f32] {
        &self.target
    }

    /// What its result is compared with.
    pub fn truth(&self) -> &[f32] {
        self.truth.as_ref().unwrap_or(&self.target)
    }

    /// A hash of all numbers.
    pub(super) fn hash(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        for extent in self.extents {
            hasher.update(&(extent as u64).to_le_bytes());
        }
        for values in [&self.inputs, &self.estimate, &self.target].into_iter().chain(&self.truth) {
            hasher.update(&(values.len() as u64).to_le_bytes());
            for block in values.chunks(HASHED) {
                let bytes: Vec<u8> = block.iter().flat_map(|value| value.to_le_bytes()).collect();
                hasher.update(&bytes);
            }
        }
        *hasher.finalize().as_bytes()
    }
}

fn check(what: &'static str, values: &[f32], volume: usize) -> Result<()> {
    if volume == 0 || values.is_empty() || !values.len().is_multiple_of(volume) {
        let problem = format!("{} values are no whole number of volumes of {volume}", values.len());
        return Err(Error::Prepared { what, problem, fix: "give all values of each channel" });
    }
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(at) => {
            let problem = format!("value {at} is {}", values[at]);
            Err(Error::Prepared { what, problem, fix: "leave the channel out or fill what is flagged" })
        }
    }
}
