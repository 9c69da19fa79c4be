//! [`ObservationTraining`]: from files with signals and files with foregrounds to a [`VisibilityModel`], beside the components alone, which it has
//! to beat.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use burn::{module::Module, tensor::Device};
use cupel_pca::{Components, Stored, StreamedFit};
use cupel_report::{MapPanel, Report};
use cupel_settings::{Problem, Settings, settings};
use cupel_train::{
    Casting, Goal, Policy, Run, Trainer, TrainerConfig, Watch, export_safetensors_bytes, import_safetensors_bytes, stop,
};
use serde::{Deserialize, Serialize};

use super::{
    ComponentSource, Place, Rehearsal, Scores,
    visibility_model::{PowerLeft, VisibilityAbout, VisibilityModel, layer, log_power},
};
use crate::{
    NetworkLayout, ObservationChunks, ObservationFiles, ObservationParts, Observations, ObservationsConfig, Preprocess,
    PreprocessConfig, Result,
    network::{
        LookedObservation, Network, NetworkConfig, NetworkRehearsal, NetworkTrainConfig, ObservationFit,
        ObservationLossConfig, PARTS, PadMode, Score, predict,
    },
    observation_chunks::hash_files,
};

/// Observations that components are fitted on at most: the number of the original.
const FITTED_ON: usize = 100;
/// Validation files from which on a part of them calibrates.
const TO_CALIBRATE: usize = 6;
/// The share of errors that a calibrated standard deviation holds, and `|z|` at the ends of that interval of a normal distribution.
const HELD: f64 = 0.68;
const NORMAL_68: f64 = 0.994_457_883_209_753_1;
/// Weight of the loss of delays where none is given: that of the original.
const LAMBDA_DELAY: f64 = 0.1;
/// Updates of a range test.
const RANGE_UPDATES: u64 = 100;

settings! {
    /// What a training on visibilities has beside the network and the observations.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub struct VisibilityTrainConfig in "visibilities" {
        /// Find components in every batch anew, as it was done before they were precomputed
        pub pca_on_the_fly: bool = false;
        /// Add the loss of delay powers, in the unit of the files; its weight is lambda-delay, 0.1 unless given
        pub use_delay_loss: bool = false;
        /// Compute activations again on the way back in place of keeping them: less memory, more time
        pub use_grad_checkpoint: bool = false;
    }
    parts {
        /// What happens to a batch before the network.
        pub preprocess: PreprocessConfig;
    }
}

/// The training of a [`VisibilityModel`].
pub struct ObservationTraining {
    config: ObservationsConfig,
    visibility: VisibilityTrainConfig,
    network: NetworkTrainConfig,
    shape: NetworkConfig,
    parts: ObservationParts,
    source: ComponentSource,
    notes: Vec<String>,
    /// Baselines, channels, and bins in right ascension of a chunk.
    chunk: [usize; 3],
}

/// What came of a training.
#[derive(Debug)]
pub struct TrainedVisibilities {
    /// The model.
    pub model: VisibilityModel,
    /// What training chose, in words.
    pub chosen: Vec<String>,
    /// Seconds that it took.
    pub seconds: f64,
    /// The first baseline of the first validation file: truth, components alone and model, `[right ascension, frequency]` of its first chunk.
    example: [Vec<f32>; 3],
    extents: [usize; 2],
}

impl ObservationTraining {
    /// Finds files and components, and checks that all of it fits together; the first file of each kind is read.
    ///
    /// # Errors
    /// Settings that are wrong or do not fit the files, folders without files, too few of them for training and validation, and components of
    /// other channels.
    pub fn new(
        config: ObservationsConfig,
        visibility: VisibilityTrainConfig,
        network: NetworkTrainConfig,
    ) -> Result<Self> {
        config.check()?;
        visibility.check()?;
        // the original's files say everything, even where it has no effect
        network.check_values()?;
        if config.validation_fraction == 0.0 {
            return Err(Problem::value("validation-fraction", 0, "above 0: the weights are chosen on it").into());
        }
        if network.network.film_conditioning {
            let expected = "false: networks on visibilities take no features of baselines yet";
            return Err(Problem::value("film-conditioning", true, expected).into());
        }
        let (cosmopath, galpath) = config.paths()?;
        let parts = ObservationFiles::find(cosmopath, galpath)?.split(&config)?;
        let observations = Observations::training(parts.train.clone(), &config)?;
        let chunk = observations.chunk_shape();
        let mut notes = Vec::new();
        let (shape, extents) = shape(&network, visibility.preprocess.layout, chunk);
        shape.check_extents(extents)?;
        let axis = observations.frequencies()?;
        let source = ComponentSource::find(&config, visibility.pca_on_the_fly, axis, &mut notes)?;
        Ok(Self { config, visibility, network, shape, parts, source, notes, chunk })
    }

    /// Signals for training and for validation.
    pub fn counts(&self) -> [usize; 2] {
        [self.parts.train.cosmologies.len(), self.parts.validation.cosmologies.len()]
    }

    /// What the user should know: where the components come from.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Where the components come from.
    pub fn source(&self) -> &ComponentSource {
        &self.source
    }

    /// Values of the largest tensor of a step.
    pub fn elements(&self) -> usize {
        self.network.network.filters * self.config.batch_size * self.config.split * self.chunk.iter().product::<usize>()
    }

    /// Trains. It can be stopped, and goes on in the same run.
    ///
    /// The components alone are a candidate like any of the weights: where no network leaves less of the first validation files, and follows the
    /// signal no worse, the model is the components alone.
    ///
    /// # Errors
    /// What reading reports; a stop by a signal.
    pub fn run(&self, run: &mut Run, place: &Place) -> Result<TrainedVisibilities> {
        let start = Instant::now();
        let components = self.components(run)?;
        let watched = self.watched();
        let mut trainer = self.trainer(components.as_ref(), place)?;
        let driven = run.drive(&mut trainer, &Policy::default())?;
        let best = self.plain(&trainer.best(), &place.device)?;
        let fit = trainer.into_fit();
        let seen = Seen::of(&fit, &best, self.counts()[1], &place.device)?;
        let (first, pca_first) = (mean(&seen.network[..watched]), mean(&seen.pca[..watched]));
        let network_kept = first.beats(&pca_first);
        let (pca, unet) = (mean(&seen.pca), mean(&seen.network));
        let unet = if network_kept { unet } else { pca };
        let validation: Scores = [("pca".to_owned(), pca), ("unet".to_owned(), unet)].into();
        let calibration = if watched < self.counts()[1] { watched..self.counts()[1] } else { 0..watched };
        let sigma = seen.sigma(&fit, network_kept.then_some(&best), calibration, &place.device)?;
        let chosen = vec![
            self.notes.last().cloned().unwrap_or_default(),
            match network_kept {
                true => format!("the network after the best of {} updates", driven.updates),
                false => "the components alone: no network was better on the validation files".to_owned(),
            },
        ];
        let observations = Observations::validation(self.parts.validation.clone(), &self.config)?;
        let about = VisibilityAbout {
            version: 1,
            network: self.shape.clone(),
            preprocess: self.visibility.preprocess.clone(),
            shape: self.chunk,
            frequencies_mhz: observations.frequencies()?.coordinates().map(<[f64]>::to_vec),
            unit: observations.unit().map(|unit| unit.to_string()),
            modes: components.as_ref().map_or(self.config.n_fg, Components::count),
            pca_on_the_fly: components.is_none(),
            network_kept,
            files: self.counts(),
            sigma,
            left: PowerLeft::of(&seen.left),
            validation,
            hashes: BTreeMap::new(),
        };
        let example = seen.example(&fit, network_kept.then_some(&best), &place.device)?;
        let layer = layer(components.as_ref(), about.modes, &place.device)?;
        let preprocess = Preprocess::new(layer, None, about.preprocess.clone())?;
        let network = network_kept.then_some(best);
        let model = VisibilityModel { about, components, network, preprocess, device: place.device.clone() };
        let seconds = start.elapsed().as_secs_f64();
        Ok(TrainedVisibilities { model, chosen, seconds, example, extents: [self.chunk[2], self.chunk[1]] })
    }

    /// Tries the network before a training: on one batch, or over a range of learning rates.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn rehearse(&self, rehearsal: Rehearsal, place: &Place) -> Result<NetworkRehearsal> {
        let mut run = Run::in_memory();
        run.set_quiet(true);
        let components = self.components(&mut run)?;
        let mut trainer = self.trainer(components.as_ref(), place)?;
        Ok(match rehearsal {
            Rehearsal::OneBatch(updates) => {
                let losses = trainer.overfit_one_batch(updates)?;
                NetworkRehearsal { losses, rates: Vec::new(), suggestion: None }
            }
            Rehearsal::LearningRates([low, high]) => {
                let range = trainer.learning_rate_range(low, high, RANGE_UPDATES)?;
                let (rates, losses) = range.points.iter().map(|point| (point.learning_rate, point.loss)).unzip();
                NetworkRehearsal { losses, rates, suggestion: Some(range.suggestion) }
            }
        })
    }

    /// Validation files, from the first, on which weights are chosen; the others calibrate the errors.
    fn watched(&self) -> usize {
        let all = self.counts()[1];
        if all >= TO_CALIBRATE { all - all / 2 } else { all }
    }

    /// The components, fitted where nobody has them yet; none where each batch has its own.
    fn components(&self, run: &mut Run) -> Result<Option<Components>> {
        let modes = match &self.source {
            ComponentSource::File(_, components) => return Ok(Some((**components).clone())),
            ComponentSource::OnTheFly(_) => return Ok(None),
            ComponentSource::Fitted(modes) => *modes,
        };
        let files = &self.parts.train;
        let pairs = files.cosmologies.len() * files.foregrounds.len();
        let observations = Observations::training(files.clone(), &self.config)?;
        let chunks = ObservationChunks::new(observations, pairs.min(FITTED_ON), &self.config)?;
        let mut fit = StreamedFit::new(chunks, false, None)?;
        run.drive(&mut fit, &Policy::default())?;
        match fit.components(modes)? {
            Stored::Single(components) => Ok(Some(components)),
            _ => unreachable!("a fit without groups has one basis"),
        }
    }

    fn trainer(&self, components: Option<&Components>, place: &Place) -> Result<Trainer<ObservationFit>> {
        let (config, visibility, network) = (&self.config, &self.visibility, &self.network);
        let layer = layer(components, config.n_fg, &place.device)?;
        let noise = config.add_noise.then_some(config.noiseamp);
        let preprocess = Preprocess::new(layer, noise, visibility.preprocess.clone())?;
        let lambda = if network.fit.lambda_delay > 0.0 { network.fit.lambda_delay } else { LAMBDA_DELAY };
        let losses = ObservationLossConfig {
            loss: network.fit.loss,
            lambda_delay: if visibility.use_delay_loss { lambda } else { 0.0 },
            delay_noise: network.fit.delay_noise.or(noise).filter(|noise| *noise > 0.0),
        };
        let mut hash = blake3::Hasher::new();
        for files in [&self.parts.train, &self.parts.validation] {
            hash_files(files, &mut hash)?;
        }
        if let Some(components) = components {
            let basis = components.vectors().into_iter().flatten().flatten();
            components.mean().iter().chain(basis).for_each(|value| {
                hash.update(&value.to_le_bytes());
            });
        }
        // what decides what a batch holds
        for number in [config.batch_size, config.split, config.ra_bins, usize::from(config.ra_shift_aug)] {
            hash.update(&(number as u64).to_le_bytes());
        }
        hash.update(&noise.unwrap_or(0.0).to_le_bytes());
        let fit = ObservationFit::new(
            Observations::training(self.parts.train.clone(), config)?,
            Arc::new(Observations::validation(self.parts.validation.clone(), config)?),
            self.watched(),
            preprocess,
            losses,
            config,
            hash.finalize().to_hex().to_string(),
        )?;
        let trained_on = place.device.clone().autodiff();
        let (fit, trained_on) = match visibility.use_grad_checkpoint {
            true => (fit.with_checkpointing(), trained_on.gradient_checkpointing()),
            false => (fit, trained_on),
        };
        let model = self.shape.init(PARTS, &trained_on)?;
        // then its first prediction is what the components leave
        let model = if visibility.preprocess.predict_residual { model.with_zero_head(&trained_on) } else { model };
        let config = TrainerConfig {
            name: "network-0".to_owned(),
            seed: config.seed,
            stage: network.stage_of_visibilities(),
            watch: Watch { metric: "residual_ratio".into(), goal: Goal::Lowest },
            ..TrainerConfig::default()
        };
        let trainer = Trainer::new(fit, model, config, place.casting.clone(), &place.device)?;
        Ok(if place.others.is_empty() { trainer } else { trainer.with_devices(&place.others) })
    }

    /// The same weights in f32 without automatic differentiation, whatever they were trained in.
    fn plain(&self, model: &Network, device: &Device) -> Result<Network> {
        let bytes = export_safetensors_bytes(model)?;
        Ok(import_safetensors_bytes(&bytes, self.shape.init(PARTS, device)?, "the trained weights")?)
    }
}

/// The network, and the extents of what goes through it.
fn shape(network: &NetworkTrainConfig, layout: NetworkLayout, chunk: [usize; 3]) -> (NetworkConfig, [usize; 3]) {
    use PadMode::{Circular, Reflect, Replicate};
    let [baselines, channels, bins] = chunk;
    let (pads, frequency, extents) = match layout {
        NetworkLayout::RaFrequencyBaseline => ([Circular, Reflect, Replicate], 1, [bins, channels, baselines]),
        NetworkLayout::BaselineRaFrequency => ([Replicate, Circular, Reflect], 2, [baselines, bins, channels]),
    };
    (network.of_visibilities(pads, frequency), extents)
}

/// What components and network make of each validation file.
struct Seen {
    pca: Vec<Score>,
    network: Vec<Score>,
    /// The logarithm of the power that the components leave.
    left: Vec<f64>,
}

impl Seen {
    fn of(fit: &ObservationFit, network: &Network, rows: usize, device: &Device) -> Result<Self> {
        let mut seen = Self { pca: Vec::new(), network: Vec::new(), left: Vec::new() };
        for row in 0..rows {
            stop::check()?;
            let looked = fit.look(row, device)?;
            let cleaned = looked.cleaned(fit.preprocess())?;
            seen.left.push(log_power(&cleaned));
            seen.pca.push(looked.score(&cleaned));
            seen.network.push(looked.score(&estimate(&looked, Some(network), fit)?));
        }
        Ok(seen)
    }

    /// Standard deviations that held 68 % of the errors in each channel: the mean over these files of what each of them needs, because values of one
    /// file are not independent.
    fn sigma(
        &self,
        fit: &ObservationFit,
        network: Option<&Network>,
        rows: std::ops::Range<usize>,
        device: &Device,
    ) -> Result<Vec<f64>> {
        let mut sums: Vec<f64> = Vec::new();
        let count = rows.len().max(1) as f64;
        for row in rows {
            stop::check()?;
            let looked = fit.look(row, device)?;
            let found = estimate(&looked, network, fit)?;
            let channels = looked.channels();
            sums.resize(channels, 0.0);
            let means = |values: &[f32]| -> Vec<f64> {
                let mut means = vec![0.0; channels];
                values.iter().enumerate().for_each(|(i, value)| means[i % channels] += f64::from(*value));
                means.iter().map(|sum| sum * channels as f64 / values.len().max(1) as f64).collect()
            };
            // the mean of a channel is not known behind components, and is no error
            let (own, true_means) = (means(&found), means(&looked.truth));
            for (channel, sum) in sums.iter_mut().enumerate() {
                let off = own[channel] - true_means[channel];
                let pairs = found.iter().zip(&looked.truth).skip(channel).step_by(channels);
                let mut errors: Vec<f64> =
                    pairs.map(|(found, truth)| (f64::from(*found) - f64::from(*truth) - off).abs()).collect();
                let last = errors.len().saturating_sub(1);
                // one more than there are, as for a value to come
                let place = ((HELD * (errors.len() + 1) as f64).ceil() as usize).saturating_sub(1).min(last);
                *sum += *errors.select_nth_unstable_by(place, f64::total_cmp).1 / NORMAL_68 / count;
            }
        }
        Ok(sums)
    }

    fn example(&self, fit: &ObservationFit, network: Option<&Network>, device: &Device) -> Result<[Vec<f32>; 3]> {
        let looked = fit.look(0, device)?;
        let (bins, baselines, channels) = (looked.bins(), looked.baselines(), looked.channels());
        let plane = |values: &[f32]| {
            let spectrum = |bin: usize| values[bin * baselines * channels..][..channels].to_vec();
            (0..bins).flat_map(spectrum).collect::<Vec<f32>>()
        };
        let (pca, found) = (looked.cleaned(fit.preprocess())?, estimate(&looked, network, fit)?);
        Ok([plane(&looked.truth), plane(&pca), plane(&found)])
    }
}

/// What the network makes of a file, or without one the components.
fn estimate(looked: &LookedObservation, network: Option<&Network>, fit: &ObservationFit) -> Result<Vec<f32>> {
    Ok(match network {
        None => looked.cleaned(fit.preprocess())?,
        Some(network) => {
            let prediction = predict(network, &looked.prepared.x, &Casting::f32());
            looked.restored(prediction, fit.preprocess())?
        }
    })
}

fn mean(scores: &[Score]) -> Score {
    let of = |part: fn(&Score) -> f64| scores.iter().map(part).sum::<f64>() / scores.len().max(1) as f64;
    Score { r: of(|score| score.r), residual_ratio: of(|score| score.residual_ratio) }
}

impl TrainedVisibilities {
    /// Parameters of the network; 0 where the components alone are kept.
    pub fn parameters(&self) -> usize {
        self.model.network.as_ref().map_or(0, Module::num_params)
    }

    /// Adds the first validation file to a report.
    pub fn show<'a>(&'a self, report: &mut Report<'a>) {
        let [bins, channels] = self.extents;
        let unit = self.model.about.unit.clone().unwrap_or_default();
        let text = "Real part of the first baseline of the first validation file; rows are right ascension, columns frequency.";
        report.figure("example", text, move || {
            let [truth, pca, found] = &self.example;
            MapPanel::new("", bins, channels)
                .map("truth", truth)
                .map("components alone", pca)
                .map("model", found)
                .label(unit.clone())
                .figure()
        });
    }
}
