//! The front door: a scene in, endmembers and abundances out.

use std::time::Instant;

use burn::tensor::Device;
use cupel_data::{Cube, Stream};
use cupel_train::{Casting, Policy, Run, Trainer};
use serde::{Deserialize, Serialize};

use crate::{
    Abundances, Cnnaeu, Convention, Deeptrans, Endmembers, Error, Evidence, Extracted, Extraction, ExtractionConfig,
    Fitted, Image, Inference, LinearAutoencoder, Method, Misicnet, Mixture, MixtureConfig, Nuts, Pixels, Posterior,
    Regime, Result, Start, Sunsal, Variational,
    abundances::at_scene_brightness,
    metrics::{overall, reconstruction_errors},
    networks::{Found, train},
    vca,
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
    /// Settings of [`Method::Pmm`].
    pub mixture: MixtureConfig,
    /// Updates of a network, rounded up to whole epochs; `None` for the method's own number.
    pub steps: Option<u64>,
    /// Seed of all random draws.
    pub seed: u64,
}

impl UnmixingConfig {
    /// The defaults for this many endmembers.
    pub fn new(endmembers: usize) -> Self {
        Self {
            method: Method::Auto,
            endmembers,
            abundance: Convention::Rescaled,
            restarts: 50,
            mixture: MixtureConfig::default(),
            steps: None,
            seed: 0,
        }
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
    /// What is known of abundances and endmembers beside their values; only the mixture model tells.
    pub posterior: Option<Posterior>,
    /// Draws of the abundances (`draws x pixels x endmembers`), where they were asked for.
    pub samples: Option<Vec<f32>>,
    /// Every candidate with its scores, the chosen one first; none where the method makes no candidates.
    pub evidence: Vec<Evidence>,
    /// Candidates or updates made.
    pub steps: usize,
    /// Time taken.
    pub seconds: f64,
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
    pub fn fit(&self, scene: &Cube<f32>, run: &mut Run, policy: &Policy) -> Result<Unmixed> {
        self.fit_image(&Image::of(scene)?, run, policy)
    }

    fn fit_image(&self, image: &Image, run: &mut Run, policy: &Policy) -> Result<Unmixed> {
        let started = Instant::now();
        self.check(image)?;
        let monitor = run.monitor().clone();
        let found = if Method::EXTRACTORS.contains(&self.config.method) {
            let mut extraction = monitor.phase("preparation", || self.extraction(image.pixels()))?;
            run.drive(&mut extraction, policy)?;
            let extracted = monitor.phase("choice", || extraction.choose())?;
            let Extracted { endmembers, evidence, .. } = extracted;
            Found { endmembers, abundances: None, posterior: None, samples: None, evidence, steps: extraction.made() }
        } else if self.config.method == Method::Pmm {
            self.mixture(image, run, policy)?
        } else if self.config.method == Method::Sunsal {
            let UnmixingConfig { endmembers, seed, .. } = self.config;
            let library = self.library.as_ref();
            let mut sunsal = monitor.phase("preparation", || Sunsal::new(image.pixels(), endmembers, library, seed))?;
            run.drive(&mut sunsal, policy)?;
            let (endmembers, abundances) = sunsal.finish()?;
            Found {
                endmembers,
                abundances: Some(abundances),
                posterior: None,
                samples: None,
                evidence: Vec::new(),
                steps: sunsal.made(),
            }
        } else {
            self.train(image, run, policy)?
        };
        monitor.phase("abundances", || self.complete(image.pixels(), found, started))
    }

    /// Fits the mixture model.
    fn mixture(&self, image: &Image, run: &mut Run, policy: &Policy) -> Result<Found> {
        let pixels = image.pixels();
        let UnmixingConfig { mixture: settings, seed, .. } = self.config;
        settings.check()?;
        if settings.brief {
            return self.brief_mixture(pixels, run, policy);
        }
        let monitor = run.monitor().clone();
        let mut extraction = monitor.phase("preparation", || self.extraction(pixels))?;
        run.drive(&mut extraction, policy)?;
        let extracted = monitor.phase("choice", || extraction.choose())?;
        let mut mixture = monitor.phase("preparation", || Mixture::new(pixels, &extracted, seed))?;
        mixture = mixture.with_fraction(settings.pixel_fraction);
        run.drive(&mut mixture, policy)?;
        let drawn = if settings.inference == Inference::Nuts {
            let mut sampler = Nuts::new(&mixture, settings.predictive_samples, seed)?;
            run.drive(&mut sampler, policy)?;
            Some(sampler.draws().to_vec())
        } else {
            None
        };
        if let Some(draws) = &drawn {
            let (endmembers, posterior) = monitor.phase("posterior", || mixture.finish_with(draws))?;
            return Ok(Found {
                endmembers,
                abundances: Some(posterior.abundances.clone()),
                posterior: Some(posterior),
                samples: None,
                evidence: extracted.evidence,
                steps: extraction.made(),
            });
        }
        let (endmembers, posterior) = monitor.phase("posterior", || mixture.finish())?;
        let steps = extraction.made();
        let closed_form = |endmembers, posterior: Posterior, samples| Found {
            endmembers,
            abundances: Some(posterior.abundances.clone()),
            posterior: Some(posterior),
            samples,
            evidence: extracted.evidence.clone(),
            steps,
        };
        if settings.inference == Inference::Laplace {
            return Ok(closed_form(endmembers, posterior, None));
        }

        // the pixels that variational inference sees, and what it begins at
        let chosen: Vec<usize> = {
            let number = ((pixels.count() as f64 * settings.pixel_fraction).ceil() as usize).clamp(1, pixels.count());
            let mut chosen = Stream::new(seed, "variational pixels").sample(pixels.count(), number);
            chosen.sort_unstable();
            chosen
        };
        let (seen, count) = (pixels.select(&chosen), endmembers.count());
        let weights = Abundances::solve(&seen, &endmembers, Convention::Nnls)?;
        let rows = |values: &[f64]| -> Vec<f64> {
            chosen.iter().flat_map(|&n| &values[n * count..(n + 1) * count]).copied().collect()
        };
        let start = Start {
            errors: Some(posterior.endmember_errors.clone()),
            wavelengths: image.wavelengths().map(<[f64]>::to_vec),
            abundances: Abundances::new(rows(posterior.abundances.values()), count)?,
            deviations: rows(&posterior.deviations),
            brightness: (posterior.regime != Regime::Even)
                .then(|| weights.rows().map(|row| row.iter().sum()).collect()),
            noise: overall(&reconstruction_errors(&seen, &endmembers, &weights)?),
            endmembers,
        };
        let (fitted, samples) = self.variational(&seen, start, run, policy)?;
        if seen.count() == pixels.count() {
            let posterior = Posterior { regime: mixture.regime(), ..fitted.posterior };
            return Ok(closed_form(fitted.endmembers, posterior, samples));
        }
        let (endmembers, posterior) =
            monitor.phase("posterior", || mixture.with_endmembers(&fitted.endmembers)?.finish())?;
        Ok(closed_form(endmembers, posterior, None))
    }

    /// The model of the brief: free endmembers that begin at VCA's, light that is the same everywhere.
    fn brief_mixture(&self, pixels: &Pixels, run: &mut Run, policy: &Policy) -> Result<Found> {
        /// The shares that a pixel begins with at least, and the noise it begins with.
        const LEAST: f64 = 0.02;
        const NOISE: f64 = 0.03;
        let UnmixingConfig { endmembers: count, seed, .. } = self.config;
        let endmembers = vca(pixels, count, Stream::new(seed, "brief"))?;
        let shares = Abundances::solve(pixels, &endmembers, Convention::Fcls)?;
        let shares = Abundances::new(shares.values().iter().map(|w| w.max(LEAST)).collect(), count)?.closed();
        let deviations = shares.values().iter().map(|w| 0.1 * w).collect();
        let start = Start {
            endmembers,
            errors: None,
            wavelengths: None,
            abundances: shares,
            deviations,
            brightness: None,
            noise: NOISE,
        };
        let (fitted, samples) = self.variational(pixels, start, run, policy)?;
        Ok(Found {
            endmembers: fitted.endmembers,
            abundances: Some(fitted.posterior.abundances.clone()),
            posterior: Some(fitted.posterior),
            samples,
            evidence: Vec::new(),
            steps: self.config.mixture.variational(self.config.steps).steps as usize,
        })
    }

    /// Variational inference from `start`, with draws of the abundances where they are wanted.
    fn variational(
        &self,
        pixels: &Pixels,
        start: Start,
        run: &mut Run,
        policy: &Policy,
    ) -> Result<(Fitted, Option<Vec<f32>>)> {
        let (device, _) = self.computing()?;
        let UnmixingConfig { mixture, steps, seed, .. } = self.config;
        let fit = Variational::new(pixels, mixture.variational(steps), start)?;
        let model = fit.model(&device.clone().autodiff());
        let config = fit.training(format!("pmm-svi-seed-{seed}"), seed);
        let monitor = run.monitor().clone();
        let mut trainer = Trainer::new(fit, model, config, Casting::f32(), device)?.with_monitor(monitor.clone());
        run.drive(&mut trainer, policy)?;
        let model = trainer.best();
        let mut fit = trainer.into_fit();
        let fitted = monitor.phase("posterior", || fit.finish(&model, device, mixture.predictive_samples, seed))?;
        let samples = if mixture.save_samples {
            Some(fit.draws(&model, device, mixture.predictive_samples, seed)?)
        } else {
            None
        };
        Ok((fitted, samples))
    }

    /// Where to compute, for methods that do so on a device.
    fn computing(&self) -> Result<(&Device, &Casting)> {
        match &self.computing {
            Some((device, casting)) => Ok((device, casting)),
            None => Err(Error::Setting {
                name: "device",
                got: "none".into(),
                expected: "a device for this method: say Unmixing::on",
            }),
        }
    }

    /// Trains the network that the method stands for.
    fn train(&self, image: &Image, run: &mut Run, policy: &Policy) -> Result<Found> {
        let (device, casting) = self.computing()?;
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
        self.fit_image(&Image::row(pixels), &mut Run::in_memory(), &Policy::default())
    }

    fn extraction(&self, pixels: &Pixels) -> Result<Extraction> {
        let UnmixingConfig { method, endmembers, restarts, seed, .. } = self.config;
        let method = if method == Method::Pmm { Method::Auto } else { method };
        Extraction::new(pixels, ExtractionConfig { method, endmembers, restarts, seed })
    }

    fn complete(&self, pixels: &Pixels, found: Found, started: Instant) -> Result<Unmixed> {
        // the same materials in the same order whatever draw found them: the most abundant first
        let shares = Abundances::solve(pixels, &found.endmembers, Convention::UnitMax)?;
        let mut order: Vec<usize> = (0..found.endmembers.count()).collect();
        let total = |k: usize| shares.rows().map(|row| row[k]).sum::<f64>();
        order.sort_by(|&a, &b| total(b).total_cmp(&total(a)));
        let endmembers = found.endmembers.reordered(&order);
        let posterior = found.posterior.map(|posterior| posterior.reordered(&order));
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
            posterior,
            samples: found.samples.map(|samples| columns(&samples, &order)),
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
        let posterior = self.posterior.as_ref().map(|posterior| posterior.reordered(order));
        let samples = self.samples.as_deref().map(|samples| columns(samples, order));
        Self { endmembers: self.endmembers.reordered(order), abundances, posterior, samples, ..self }
    }
}

/// Rows of as many values as endmembers, in another order.
fn columns(rows: &[f32], order: &[usize]) -> Vec<f32> {
    rows.chunks_exact(order.len()).flat_map(|row| order.iter().map(move |&k| row[k])).collect()
}
