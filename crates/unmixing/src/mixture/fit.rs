//! The mixture model within a run: in closed form, then by variational inference or draws where these are asked for.

use cupel_data::Stream;
use cupel_train::{Casting, Trainer};

use super::{Fitted, Inference, Mixture, Nuts, Posterior, Regime, Start, Variational};
use crate::{
    Abundances, Convention, Image, Pixels, Result, Unmixing, UnmixingConfig,
    driver::Driver,
    metrics::{overall, reconstruction_errors},
    networks::Found,
    vca,
};

/// Of the brief's model: the shares that a pixel begins with at least, and the noise it begins with.
const LEAST: f64 = 0.02;
const NOISE: f64 = 0.03;

impl Unmixing {
    /// Fits the mixture model.
    pub(crate) fn mixture(&self, image: &Image, count: usize, driver: &mut Driver<'_>) -> Result<Found> {
        let pixels = image.pixels();
        let UnmixingConfig { mixture: settings, seed, .. } = self.config;
        if settings.compat.is_some() {
            return self.brief_mixture(pixels, count, driver);
        }
        let (extracted, steps) = self.extract(pixels, count, driver)?;
        let mixture =
            driver.phase("preparation", || Mixture::new(pixels, &extracted, seed))?.under(self.config.abundance);
        let mut mixture = mixture.with_fraction(settings.pixel_fraction);
        if let Ok((device, _)) = self.computing() {
            mixture = mixture.on(device);
        }
        driver.drive(&mut mixture)?;
        let found = |(endmembers, posterior): (_, Posterior), samples| Found {
            abundances: Some(posterior.abundances.clone()),
            posterior: Some(posterior),
            samples,
            evidence: extracted.evidence.clone(),
            ..Found::new(endmembers, steps)
        };
        if settings.inference == Inference::Nuts {
            let draws = {
                let mut sampler = Nuts::new(&mixture, settings.predictive_samples, seed)?;
                driver.drive(&mut sampler)?;
                sampler.draws().to_vec()
            };
            return Ok(found(driver.phase("posterior", || mixture.finish_with(&draws))?, None));
        }
        let (endmembers, posterior) = driver.phase("posterior", || mixture.finish())?;
        if settings.inference == Inference::Laplace {
            return Ok(found((endmembers, posterior), None));
        }

        // the pixels that variational inference sees, and what it begins at
        let chosen: Vec<usize> = {
            let number = ((pixels.count() as f64 * settings.pixel_fraction).ceil() as usize).clamp(1, pixels.count());
            let mut chosen = Stream::new(seed, "variational pixels").sample(pixels.count(), number);
            chosen.sort_unstable();
            chosen
        };
        let seen = pixels.select(&chosen);
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
        let (fitted, samples) = self.variational(&seen, start, driver)?;
        if seen.count() == pixels.count() {
            let posterior = Posterior { regime: mixture.regime(), ..fitted.posterior };
            let posterior = mixture.open(posterior, &fitted.endmembers, None)?;
            return Ok(found((fitted.endmembers, posterior), samples));
        }
        let refined = driver.phase("posterior", || mixture.with_endmembers(&fitted.endmembers)?.finish())?;
        Ok(found(refined, None))
    }

    /// The model of the brief: free endmembers that begin at VCA's, light that is the same everywhere.
    fn brief_mixture(&self, pixels: &Pixels, count: usize, driver: &mut Driver<'_>) -> Result<Found> {
        let UnmixingConfig { mixture, steps, seed, .. } = self.config;
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
        let (fitted, samples) = self.variational(pixels, start, driver)?;
        Ok(Found {
            abundances: Some(fitted.posterior.abundances.clone()),
            posterior: Some(fitted.posterior),
            samples,
            ..Found::new(fitted.endmembers, mixture.variational(steps).steps as usize)
        })
    }

    /// Variational inference from `start`, with draws of the abundances where they are wanted.
    fn variational(
        &self,
        pixels: &Pixels,
        start: Start,
        driver: &mut Driver<'_>,
    ) -> Result<(Fitted, Option<Vec<f32>>)> {
        let (device, _) = self.computing()?;
        let UnmixingConfig { mixture, steps, seed, .. } = self.config;
        let fit = Variational::new(pixels, mixture.variational(steps), start)?;
        let model = fit.model(&device.clone().autodiff());
        let config = fit.training(format!("pmm-svi-seed-{seed}"), seed);
        let mut trainer = Trainer::new(fit, model, config, Casting::f32(), device)?.with_monitor(driver.monitor());
        driver.drive(&mut trainer)?;
        let model = trainer.best();
        let mut fit = trainer.into_fit();
        let fitted = driver.phase("posterior", || fit.finish(&model, device, mixture.predictive_samples, seed))?;
        let draws = mixture.save_samples.then(|| fit.draws(&model, device, mixture.predictive_samples, seed));
        Ok((fitted, draws.transpose()?))
    }
}
