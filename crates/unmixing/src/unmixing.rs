//! The front door: a scene in, endmembers and abundances out.

use burn::tensor::Device;
use cupel_data::Cube;
use cupel_settings::Settings;
use cupel_train::{Casting, Policy, Run};

use crate::{
    Abundances, Cnnaeu, Convention, Deeptrans, EndmemberCount, Endmembers, Error, Evidence, Extracted, Extraction,
    ExtractionConfig, Image, LinearAutoencoder, Method, Misicnet, Pixels, Posterior, Result, Search, Smoothed, Spatial,
    SpectralLibrary, Suggestion, Sunsal, UnmixingConfig,
    abundances::Solver,
    config::MOST_SEARCHED,
    driver::Driver,
    metrics::overall,
    networks::{Found, train},
    spatial::Smoothing,
};

/// Endmembers and abundances of a scene.
#[derive(Clone, Debug)]
pub struct Unmixed {
    /// The settings.
    pub config: UnmixingConfig,
    /// How the number of endmembers was found, where none was given.
    pub suggestion: Option<Suggestion>,
    /// Spectra in the scale of the scene, as the convention that was asked for has them: as they were found (`fcls`, `nnls`, `own`), at the
    /// brightness of their near-pure pixels (`rescaled`) or of unit maximum (`unit-max`).
    pub endmembers: Endmembers,
    /// Abundances under every convention, in the order of [`Convention::OF_ENDMEMBERS`], and the method's own where it gives any.
    pub abundances: Vec<(Convention, Abundances)>,
    /// Brightness of each pixel: what multiplies the mixture of [`endmembers`](Self::endmembers) in the
    /// [abundances asked for](Self::own_abundances) to give the model of its spectrum. One under `fcls` and `nnls`, else the factor of least
    /// squares, not below nought.
    pub brightness: Vec<f64>,
    /// Root mean square error of each pixel's model, `brightness sum_k a_k e_k`, over its bands.
    pub errors: Vec<f64>,
    /// What is known of abundances and endmembers beside their values; only the mixture model tells.
    pub posterior: Option<Posterior>,
    /// How the abundances asked for were made alike, where that was asked for; those of other conventions are of pixels alone.
    pub smoothed: Option<Smoothed>,
    /// Draws of the abundances (`draws x pixels x endmembers`), where they were asked for.
    pub samples: Option<Vec<f32>>,
    /// Every candidate with its scores, the chosen one first; none where the method makes no candidates.
    pub evidence: Vec<Evidence>,
    /// Candidates or updates made.
    pub steps: usize,
    /// Time taken, over all processes that had a part in it.
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
    pub(crate) config: UnmixingConfig,
    pub(crate) computing: Option<(Device, Casting)>,
    pub(crate) library: Option<Endmembers>,
    pub(crate) named: Option<SpectralLibrary>,
}

impl Unmixing {
    /// Takes the settings; what the scene does not allow is found when it is seen.
    pub fn new(config: UnmixingConfig) -> Self {
        Self { config, computing: None, library: None, named: None }
    }

    /// Where [networks](Method::is_network) compute and in which precision, and the mixture model, in f32; `device` is without
    /// automatic differentiation.
    #[must_use]
    pub fn on(self, device: &Device, casting: Casting) -> Self {
        Self { computing: Some((device.clone(), casting)), ..self }
    }

    /// The spectra that [`Method::Sunsal`] chooses from; without them it makes a library of the scene.
    #[must_use]
    pub fn with_library(self, library: Endmembers) -> Self {
        Self { library: Some(library), ..self }
    }

    /// Named spectra that the endmembers that are found are matched to.
    #[must_use]
    pub fn matched_to(self, library: SpectralLibrary) -> Self {
        Self { named: Some(library), ..self }
    }

    /// The same with other settings.
    pub(crate) fn with_config(&self, config: UnmixingConfig) -> Self {
        Self { config, ..self.clone() }
    }

    /// Unmixes a cube with a wavelength axis within `run`, which saves the state between steps. A number of endmembers that is
    /// not given is searched for.
    ///
    /// # Errors
    /// Spectra that are not finite or zero, settings that the scene does not allow, a run folder that cannot be written.
    pub fn fit(&self, scene: &Cube<f32>, run: &mut Run, policy: &Policy) -> Result<Unmixed> {
        self.fit_image(Image::of(scene)?, run, policy)
    }

    fn fit_image(&self, image: Image, run: &mut Run, policy: &Policy) -> Result<Unmixed> {
        let (image, _) = image.treated(self.config.negative)?;
        let mut driver = Driver::new(run, policy);
        let (count, suggestion) = self.count((image.pixels(), Some(&image)), None, &mut driver)?;
        Ok(Unmixed { suggestion, ..self.fit_within(&image, count, driver)? })
    }

    /// How many endmembers to look for: as many as asked for, else as `known`, else as a search suggests, in the image of the pixels where
    /// there is one.
    pub(crate) fn count(
        &self,
        (pixels, image): (&Pixels, Option<&Image>),
        known: Option<usize>,
        driver: &mut Driver<'_>,
    ) -> Result<(usize, Option<Suggestion>)> {
        if let Some(EndmemberCount::Fixed(count)) = self.config.endmembers.or(known.map(EndmemberCount::Fixed)) {
            return Ok((count, None));
        }
        let seed = self.config.seed;
        let mut search = driver.phase("preparation", || match image {
            Some(image) => Search::of_image(image, MOST_SEARCHED, seed),
            None => Search::new(pixels, MOST_SEARCHED, seed),
        })?;
        driver.drive(&mut search)?;
        let suggestion = search.finish()?;
        Ok((suggestion.endmembers, Some(suggestion)))
    }

    /// One fit of `count` endmembers.
    pub(crate) fn fit_within(&self, image: &Image, count: usize, mut driver: Driver<'_>) -> Result<Unmixed> {
        let pixels = image.pixels();
        crate::vca::check_count(pixels, count)?;
        self.config.check_values()?;
        self.check_method(image.rows(), image.columns())?;
        let found = match self.config.method {
            Method::Pmm => self.mixture(image, count, &mut driver)?,
            Method::Sunsal => {
                let (library, seed) = (self.library.as_ref(), self.config.seed);
                let mut sunsal = driver.phase("preparation", || Sunsal::new(pixels, count, library, seed))?;
                driver.drive(&mut sunsal)?;
                let (endmembers, abundances) = sunsal.finish()?;
                Found { abundances: Some(abundances), ..Found::new(endmembers, sunsal.made()) }
            }
            method if method.is_network() => {
                let found = self.train(image, count, &mut driver)?;
                let of_pixels = |all: Abundances| -> Result<Abundances> {
                    if all.count() == pixels.count() {
                        return Ok(all);
                    }
                    Abundances::new(image.usable().gathered(all.values(), count), count)
                };
                Found { abundances: found.abundances.map(of_pixels).transpose()?, ..found }
            }
            _ => {
                let (Extracted { endmembers, evidence, .. }, made) = self.extract(pixels, count, &mut driver)?;
                Found { evidence, ..Found::new(endmembers, made) }
            }
        };
        let unmixed = driver.phase("abundances", || self.complete(pixels, found))?;
        let unmixed = match self.config.spatial {
            Spatial::None => unmixed,
            Spatial::Tv => self.smooth(image, unmixed, &mut driver)?,
        };
        Ok(Unmixed { seconds: driver.seconds(), ..unmixed })
    }

    /// Extraction by the method, or by all extractors where it is none; with the number of candidates.
    pub(crate) fn extract(
        &self,
        pixels: &Pixels,
        endmembers: usize,
        driver: &mut Driver<'_>,
    ) -> Result<(Extracted, usize)> {
        let UnmixingConfig { method, restarts, seed, .. } = self.config;
        let method = if method == Method::Pmm { Method::Auto } else { method };
        let config = ExtractionConfig { method, endmembers, restarts, seed };
        let mut extraction = driver.phase("preparation", || Extraction::new(pixels, config))?;
        driver.drive(&mut extraction)?;
        Ok((driver.phase("choice", || extraction.choose())?, extraction.made()))
    }

    /// Where to compute, for methods that do so on a device.
    pub(crate) fn computing(&self) -> Result<(&Device, &Casting)> {
        let on = self.computing.as_ref().map(|(device, casting)| (device, casting));
        on.ok_or_else(|| Error::setting("device", "none", "a device for this method: say Unmixing::on"))
    }

    /// Trains the network that the method stands for.
    fn train(&self, image: &Image, count: usize, driver: &mut Driver<'_>) -> Result<Found> {
        let on = self.computing()?;
        let UnmixingConfig { method, steps, seed, .. } = self.config;
        match method {
            Method::LinearAe => train(LinearAutoencoder::new(image, count, seed)?, steps, seed, on, driver),
            Method::Cnnaeu => train(Cnnaeu::new(image, count, seed)?, steps, seed, on, driver),
            Method::Misicnet => train(Misicnet::new(image, count, seed)?, steps, seed, on, driver),
            Method::Deeptrans => train(Deeptrans::new(image, count, seed)?, steps, seed, on, driver),
            other => unreachable!("{other} is no network"),
        }
    }

    /// What the method asks of the other settings and of the image.
    pub(crate) fn check_method(&self, rows: usize, columns: usize) -> Result<()> {
        let UnmixingConfig { method, abundance, .. } = self.config;
        if abundance == Convention::Own && !method.has_own_abundances() {
            let expected = "fcls, nnls, unit-max or rescaled: this method finds endmembers alone";
            return Err(Error::setting("abundance", format!("own with the method {method}"), expected));
        }
        if method.looks_at_neighbours() && rows.min(columns) < 2 {
            let expected = "an image of at least 2 x 2 pixels, or a method that does not look at neighbours";
            return Err(Error::setting("method", format!("{method} with {rows} x {columns} pixels"), expected));
        }
        self.check_spatial(rows, columns)
    }

    /// What a spatial prior asks of the other settings and of the image.
    fn check_spatial(&self, rows: usize, columns: usize) -> Result<()> {
        let UnmixingConfig { method, abundance, spatial, .. } = self.config;
        let wrong = |with: String, expected| Err(Error::setting("spatial", format!("{spatial} with {with}"), expected));
        if spatial == Spatial::None {
            return Ok(());
        }
        if method == Method::Pmm {
            return wrong("the method pmm".into(), "none: its intervals are those of pixels alone");
        }
        if abundance == Convention::Own {
            return wrong("own abundances".into(), "none, or the abundances fcls, nnls, unit-max or rescaled");
        }
        if rows.min(columns) < 2 {
            return wrong(format!("{rows} x {columns} pixels"), "none, or an image of at least 2 x 2 pixels");
        }
        Ok(())
    }

    /// Unmixes pixels in memory, which are no image; methods that look at neighbours refuse them.
    ///
    /// # Errors
    /// As [`Unmixing::fit`].
    pub fn fit_pixels(&self, pixels: &Pixels) -> Result<Unmixed> {
        self.fit_image(Image::row(pixels), &mut Run::in_memory(), &Policy::default())
    }

    /// Gives the abundances asked for the prior that neighbours are alike.
    fn smooth(&self, image: &Image, mut unmixed: Unmixed, driver: &mut Driver<'_>) -> Result<Unmixed> {
        let UnmixingConfig { method, abundance, spatial_weight, seed, .. } = self.config;
        let name = format!("spatial-{method}-seed-{seed}");
        let solver = Solver::of_written(unmixed.endmembers.clone(), abundance);
        let mut smoothing = driver.phase("preparation", || Smoothing::new(image, &solver, spatial_weight, name))?;
        driver.drive(&mut smoothing)?;
        let (weights, smoothed) = smoothing.finish()?;
        let abundances = solver.of_weights(weights);
        (unmixed.brightness, unmixed.errors) = solver.light(image.pixels(), &abundances)?;
        for (convention, of_pixels_alone) in &mut unmixed.abundances {
            if *convention == abundance {
                of_pixels_alone.clone_from(&abundances);
            }
        }
        Ok(Unmixed { smoothed: Some(smoothed), ..unmixed })
    }

    fn complete(&self, pixels: &Pixels, found: Found) -> Result<Unmixed> {
        let order = most_abundant_first(pixels, &found.endmembers)?;
        let endmembers = found.endmembers.reordered(&order);
        let asked = Solver::new(pixels, &endmembers, self.config.abundance)?;
        let solve = |convention| {
            let other = || Abundances::solve(pixels, &endmembers, convention);
            Ok((convention, if convention == asked.convention() { asked.solve(pixels)? } else { other()? }))
        };
        let own = found.abundances.map(|own| Ok((Convention::Own, own.reordered(&order))));
        let abundances = Convention::OF_ENDMEMBERS.into_iter().map(solve).chain(own).collect::<Result<Vec<_>>>()?;
        let (brightness, errors) = asked.light(pixels, named(&abundances, asked.convention()))?;
        let posterior = found.posterior.map(|posterior| {
            let mut posterior = posterior.reordered(&order);
            let errors = posterior.endmember_errors.chunks_exact_mut(endmembers.bands());
            for ((errors, before), after) in errors.zip(endmembers.norms()).zip(asked.endmembers().norms()) {
                let factor = if before > 0.0 { after / before } else { 1.0 };
                errors.iter_mut().for_each(|error| *error *= factor);
            }
            posterior
        });
        Ok(Unmixed {
            config: UnmixingConfig { endmembers: Some(EndmemberCount::Fixed(endmembers.count())), ..self.config },
            suggestion: None,
            endmembers: asked.endmembers().clone(),
            abundances,
            brightness,
            errors,
            posterior,
            smoothed: None,
            samples: found.samples.map(|samples| columns(&samples, &order)),
            evidence: found.evidence,
            steps: found.steps,
            seconds: 0.0,
        })
    }
}

/// The same materials in the same order whatever draw found them.
pub(crate) fn most_abundant_first(pixels: &Pixels, endmembers: &Endmembers) -> Result<Vec<usize>> {
    let shares = Abundances::solve(pixels, endmembers, Convention::UnitMax)?;
    let mut order: Vec<usize> = (0..endmembers.count()).collect();
    let total = |k: usize| shares.rows().map(|row| row[k]).sum::<f64>();
    order.sort_by(|&a, &b| total(b).total_cmp(&total(a)));
    Ok(order)
}

impl Unmixed {
    /// The abundances under one convention.
    pub fn abundances(&self, convention: Convention) -> &Abundances {
        named(&self.abundances, convention)
    }

    /// The abundances under the convention that was asked for.
    pub fn own_abundances(&self) -> &Abundances {
        self.abundances(self.config.abundance)
    }

    /// Root mean square error over all pixels and bands of the model that brightness, endmembers and the abundances asked for make.
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

/// Those of one convention; the first where there are none.
fn named(all: &[(Convention, Abundances)], convention: Convention) -> &Abundances {
    all.iter().find(|(own, _)| *own == convention).map_or(&all[0].1, |(_, abundances)| abundances)
}

/// Rows of as many values as endmembers, in another order.
fn columns(rows: &[f32], order: &[usize]) -> Vec<f32> {
    rows.chunks_exact(order.len()).flat_map(|row| order.iter().map(move |&k| row[k])).collect()
}
