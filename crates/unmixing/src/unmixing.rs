//! The front door: a scene in, endmembers and abundances out.

use std::time::Instant;

use burn::tensor::Device;
use cupel_data::Cube;
use cupel_train::{Casting, Outcome, Policy, Run};
use serde::{Deserialize, Serialize};

use crate::{
    Abundances, Cnnaeu, Convention, Deeptrans, Endmembers, Error, Evidence, Extracted, Extraction, ExtractionConfig,
    Image, LinearAutoencoder, Method, Misicnet, Pixels, Result, Sunsal,
    abundances::at_scene_brightness,
    metrics::{overall, reconstruction_errors},
    networks::{Found, Trained, train},
};

/// How to unmix.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct UnmixingConfig {
    /// Which method.
    pub method: Method,
    /// How many endmembers; see [`crate::suggest`] where this is not known.
    pub endmembers: usize,
    /// The convention of the abundances that count as the method's own.
    pub abundance: Convention,
    /// Restarts where the method is [`Method::Edaa`].
    pub restarts: u32,
    /// Most updates of a network, rounded up to whole epochs; `None` for the method's own number.
    pub steps: Option<u64>,
    /// Seed of all random draws.
    pub seed: u64,
}

impl UnmixingConfig {
    /// The defaults for this many endmembers.
    pub fn new(endmembers: usize) -> Self {
        Self { method: Method::Auto, endmembers, abundance: Convention::Rescaled, restarts: 50, steps: None, seed: 0 }
    }
}

/// Endmembers and abundances of a scene.
#[derive(Clone, Debug)]
pub struct Unmixed {
    /// The settings.
    pub config: UnmixingConfig,
    /// Spectra in the scale of the scene, at the brightness of their near-pure pixels.
    pub endmembers: Endmembers,
    /// Abundances under every convention, in the order of [`Convention::ALL`], and the method's own where it gives any.
    pub abundances: Vec<(Convention, Abundances)>,
    /// Brightness of each pixel relative to the endmembers: the sum of its non-negative weights.
    pub brightness: Vec<f64>,
    /// Root mean square error of each pixel's non-negative fit over its bands.
    pub errors: Vec<f64>,
    /// Every candidate with its scores, the chosen one first; none where the method makes no candidates.
    pub evidence: Vec<Evidence>,
    /// Candidates or updates made.
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
#[derive(Clone, Debug)]
pub struct Unmixing {
    config: UnmixingConfig,
    computing: Option<(Device, Casting)>,
    library: Option<Endmembers>,
}

impl Unmixing {
    /// Takes the settings; what the scene does not allow is found when it is seen.
    pub fn new(config: UnmixingConfig) -> Self {
        Self { config, computing: None, library: None }
    }

    /// Where and in which precision methods compute that [use a device](Method::uses_device); `device` is without automatic
    /// differentiation.
    #[must_use]
    pub fn on(self, device: &Device, casting: Casting) -> Self {
        Self { computing: Some((device.clone(), casting)), ..self }
    }

    /// The spectra that [`Method::Sunsal`] chooses from; without them it makes a library of the scene.
    #[must_use]
    pub fn with_library(self, library: Endmembers) -> Self {
        Self { library: Some(library), ..self }
    }

    /// Unmixes a cube with a wavelength axis within `run`, which saves the state between steps.
    ///
    /// # Errors
    /// Spectra that are not finite or zero, settings that the scene does not allow, a run folder that cannot be written.
    pub fn fit(&self, scene: &Cube<f32>, run: &mut Run, policy: &Policy) -> Result<Ending> {
        self.fit_image(&Image::of(scene)?, run, policy)
    }

    fn fit_image(&self, image: &Image, run: &mut Run, policy: &Policy) -> Result<Ending> {
        let started = Instant::now();
        self.check(image)?;
        let monitor = run.monitor().clone();
        let found = if Method::EXTRACTORS.contains(&self.config.method) {
            let mut extraction = monitor.phase("preparation", || self.extraction(image.pixels()))?;
            if let Outcome::Stopped { signal } = run.drive(&mut extraction, policy)? {
                return Ok(Ending::Stopped { signal });
            }
            let extracted = monitor.phase("choice", || extraction.choose())?;
            let Extracted { endmembers, evidence } = extracted;
            Found { endmembers, abundances: None, evidence, steps: extraction.made() }
        } else if self.config.method == Method::Sunsal {
            let UnmixingConfig { endmembers, seed, .. } = self.config;
            let library = self.library.as_ref();
            let mut sunsal = monitor.phase("preparation", || Sunsal::new(image.pixels(), endmembers, library, seed))?;
            if let Outcome::Stopped { signal } = run.drive(&mut sunsal, policy)? {
                return Ok(Ending::Stopped { signal });
            }
            let (endmembers, abundances) = sunsal.finish()?;
            Found { endmembers, abundances: Some(abundances), evidence: Vec::new(), steps: sunsal.made() }
        } else {
            match self.train(image, run, policy)? {
                Trained::Stopped { signal } => return Ok(Ending::Stopped { signal }),
                Trained::Found(found) => found,
            }
        };
        let unmixed = monitor.phase("abundances", || self.complete(image.pixels(), found, started))?;
        Ok(Ending::Unmixed(Box::new(unmixed)))
    }

    /// Trains the network that the method stands for.
    fn train(&self, image: &Image, run: &mut Run, policy: &Policy) -> Result<Trained> {
        let Some((device, casting)) = &self.computing else {
            return Err(Error::Setting {
                name: "device",
                got: "none".into(),
                expected: "a device for this method: say Unmixing::on",
            });
        };
        let UnmixingConfig { method, endmembers: count, steps, seed, .. } = self.config;
        let on = (device, casting);
        match method {
            Method::LinearAe => train(LinearAutoencoder::new(image, count, seed)?, steps, seed, on, run, policy),
            Method::Cnnaeu => train(Cnnaeu::new(image, count, seed)?, steps, seed, on, run, policy),
            Method::Misicnet => train(Misicnet::new(image, count, seed)?, steps, seed, on, run, policy),
            Method::Deeptrans => train(Deeptrans::new(image, count, seed)?, steps, seed, on, run, policy),
            other => unreachable!("{} is no network", other.name()),
        }
    }

    fn check(&self, image: &Image) -> Result<()> {
        let UnmixingConfig { method, abundance, steps, .. } = self.config;
        if abundance == Convention::Own && !method.has_own_abundances() {
            return Err(Error::Setting {
                name: "abundance",
                got: format!("own with the method {}", method.name()),
                expected: "fcls, nnls, unit-max or rescaled: this method finds endmembers alone",
            });
        }
        if method.looks_at_neighbours() && image.rows().min(image.columns()) < 2 {
            return Err(Error::Setting {
                name: "method",
                got: format!("{} with {} x {} pixels", method.name(), image.rows(), image.columns()),
                expected: "an image of at least 2 x 2 pixels, or a method that does not look at neighbours",
            });
        }
        if steps == Some(0) {
            return Err(Error::Setting { name: "steps", got: "0".into(), expected: "a number of at least 1" });
        }
        Ok(())
    }

    /// Unmixes pixels in memory, which are no image; methods that look at neighbours refuse them.
    ///
    /// # Errors
    /// As [`Unmixing::fit`].
    pub fn fit_pixels(&self, pixels: &Pixels) -> Result<Unmixed> {
        match self.fit_image(&Image::row(pixels), &mut Run::in_memory(), &Policy::default())? {
            Ending::Unmixed(unmixed) => Ok(*unmixed),
            Ending::Stopped { .. } => unreachable!("a run in memory leaves signals alone"),
        }
    }

    fn extraction(&self, pixels: &Pixels) -> Result<Extraction> {
        let UnmixingConfig { method, endmembers, restarts, seed, .. } = self.config;
        Extraction::new(pixels, ExtractionConfig { method, endmembers, restarts, seed })
    }

    fn complete(&self, pixels: &Pixels, found: Found, started: Instant) -> Result<Unmixed> {
        // the same materials in the same order whatever draw found them: the most abundant first
        let shares = Abundances::solve(pixels, &found.endmembers, Convention::UnitMax)?;
        let mut order: Vec<usize> = (0..found.endmembers.count()).collect();
        let total = |k: usize| shares.rows().map(|row| row[k]).sum::<f64>();
        order.sort_by(|&a, &b| total(b).total_cmp(&total(a)));
        let endmembers = found.endmembers.reordered(&order);
        let own = found.abundances.map(|own| Ok((Convention::Own, own.reordered(&order))));
        let abundances = Convention::ALL
            .into_iter()
            .map(|convention| Ok((convention, Abundances::solve(pixels, &endmembers, convention)?)))
            .chain(own)
            .collect::<Result<Vec<_>>>()?;
        let bright = at_scene_brightness(pixels, &endmembers)?;
        let weights = Abundances::solve(pixels, &bright, Convention::Nnls)?;
        Ok(Unmixed {
            config: self.config,
            errors: reconstruction_errors(pixels, &bright, &weights)?,
            brightness: weights.rows().map(|row| row.iter().sum()).collect(),
            endmembers,
            abundances,
            evidence: found.evidence,
            steps: found.steps,
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
