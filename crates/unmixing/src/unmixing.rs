//! The front door: a scene in, endmembers and abundances out.

use std::time::Instant;

use cupel_data::Cube;
use cupel_train::{Outcome, Policy, Run};
use serde::{Deserialize, Serialize};

use crate::{
    Abundances, Convention, Endmembers, Evidence, Extraction, ExtractionConfig, Method, Pixels, Result,
    abundances::at_scene_brightness,
    metrics::{overall, reconstruction_errors},
};

/// How to unmix.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct UnmixingConfig {
    /// How endmembers are extracted.
    pub method: Method,
    /// How many endmembers; see [`crate::suggest`] where this is not known.
    pub endmembers: usize,
    /// The convention of the abundances that count as the method's own.
    pub abundance: Convention,
    /// Restarts where the method is [`Method::Edaa`].
    pub restarts: u32,
    /// Seed of all random draws.
    pub seed: u64,
}

impl UnmixingConfig {
    /// The defaults for this many endmembers.
    pub fn new(endmembers: usize) -> Self {
        Self { method: Method::Auto, endmembers, abundance: Convention::Rescaled, restarts: 50, seed: 0 }
    }
}

/// Endmembers and abundances of a scene.
#[derive(Clone, Debug)]
pub struct Unmixed {
    /// The settings.
    pub config: UnmixingConfig,
    /// Spectra in the scale of the scene, at the brightness of their near-pure pixels.
    pub endmembers: Endmembers,
    /// Abundances under every convention, in the order of [`Convention::ALL`].
    pub abundances: Vec<(Convention, Abundances)>,
    /// Brightness of each pixel relative to the endmembers: the sum of its non-negative weights.
    pub brightness: Vec<f64>,
    /// Root mean square error of each pixel's non-negative fit over its bands.
    pub errors: Vec<f64>,
    /// Every candidate with its scores, the chosen one first.
    pub evidence: Vec<Evidence>,
    /// Candidates made.
    pub steps: usize,
    /// Time taken.
    pub seconds: f64,
}

/// How unmixing ended.
#[derive(Debug)]
pub enum Ending {
    /// With a result.
    Unmixed(Box<Unmixed>),
    /// By a signal, after the state was saved.
    Stopped {
        /// Its number.
        signal: i32,
    },
}

/// Unmixing with checked settings.
///
/// # Example
/// ```
/// use cupel_data::Stream;
/// use cupel_train::Run;
/// use cupel_unmixing::{Agreement, Pixels, Unmixing, UnmixingConfig, mix, patches, smooth_endmembers};
///
/// let stream = Stream::new(7, "example");
/// let truth = smooth_endmembers(3, 50, stream.child(0))?;
/// let abundances = patches(20, 20, 3, 0.05, stream.child(1))?;
/// let pixels = mix(&truth, &abundances, 40.0, stream.child(2))?;
///
/// let unmixed = Unmixing::new(UnmixingConfig::new(3)).fit_pixels(&pixels)?;
/// assert!(Agreement::of(&unmixed.endmembers, &truth)?.mean_sad_rad < 0.1);
/// # Ok::<(), cupel_unmixing::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Unmixing {
    config: UnmixingConfig,
}

impl Unmixing {
    /// Takes the settings; what the scene does not allow is found when it is seen.
    pub fn new(config: UnmixingConfig) -> Self {
        Self { config }
    }

    /// Unmixes a cube with a wavelength axis within `run`, which saves the state between steps.
    ///
    /// # Errors
    /// Spectra that are not finite or zero, settings that the scene does not allow, a run folder that cannot be written.
    pub fn fit(&self, scene: &Cube<f32>, run: &mut Run, policy: &Policy) -> Result<Ending> {
        let started = Instant::now();
        let monitor = run.monitor().clone();
        let pixels = Pixels::of(scene)?;
        let mut extraction = monitor.phase("preparation", || self.extraction(&pixels))?;
        if let Outcome::Stopped { signal } = run.drive(&mut extraction, policy)? {
            return Ok(Ending::Stopped { signal });
        }
        let unmixed = monitor.phase("choice and abundances", || self.complete(&pixels, &extraction, started))?;
        Ok(Ending::Unmixed(Box::new(unmixed)))
    }

    /// Unmixes pixels in memory.
    ///
    /// # Errors
    /// As [`Unmixing::fit`].
    pub fn fit_pixels(&self, pixels: &Pixels) -> Result<Unmixed> {
        let started = Instant::now();
        let mut extraction = self.extraction(pixels)?;
        extraction.complete()?;
        self.complete(pixels, &extraction, started)
    }

    fn extraction(&self, pixels: &Pixels) -> Result<Extraction> {
        let UnmixingConfig { method, endmembers, restarts, seed, .. } = self.config;
        Extraction::new(pixels, ExtractionConfig { method, endmembers, restarts, seed })
    }

    fn complete(&self, pixels: &Pixels, extraction: &Extraction, started: Instant) -> Result<Unmixed> {
        let extracted = extraction.choose()?;
        // the same materials in the same order whatever draw found them: the most abundant first
        let shares = Abundances::solve(pixels, &extracted.endmembers, Convention::UnitMax)?;
        let mut order: Vec<usize> = (0..extracted.endmembers.count()).collect();
        let total = |k: usize| shares.rows().map(|row| row[k]).sum::<f64>();
        order.sort_by(|&a, &b| total(b).total_cmp(&total(a)));
        let endmembers = extracted.endmembers.reordered(&order);
        let abundances = Convention::ALL
            .into_iter()
            .map(|convention| Ok((convention, Abundances::solve(pixels, &endmembers, convention)?)))
            .collect::<Result<Vec<_>>>()?;
        let bright = at_scene_brightness(pixels, &endmembers)?;
        let weights = Abundances::solve(pixels, &bright, Convention::Nnls)?;
        Ok(Unmixed {
            config: self.config,
            errors: reconstruction_errors(pixels, &bright, &weights)?,
            brightness: weights.rows().map(|row| row.iter().sum()).collect(),
            endmembers,
            abundances,
            evidence: extracted.evidence,
            steps: extraction.made(),
            seconds: started.elapsed().as_secs_f64(),
        })
    }
}

impl Unmixed {
    /// The abundances under one convention.
    pub fn abundances(&self, convention: Convention) -> &Abundances {
        let found = self.abundances.iter().find(|(c, _)| *c == convention);
        found.map_or(&self.abundances[0].1, |(_, abundances)| abundances)
    }

    /// The abundances under the convention that was asked for.
    pub fn own_abundances(&self) -> &Abundances {
        self.abundances(self.config.abundance)
    }

    /// Root mean square error of the non-negative fit over all pixels and bands.
    pub fn reconstruction_rmse(&self) -> f64 {
        overall(&self.errors)
    }

    /// The same with the endmembers in another order; `order[k]` is the old place of the new `k`-th.
    pub fn reordered(self, order: &[usize]) -> Self {
        let abundances = self.abundances.iter().map(|(c, a)| (*c, a.reordered(order))).collect();
        Self { endmembers: self.endmembers.reordered(order), abundances, ..self }
    }
}
