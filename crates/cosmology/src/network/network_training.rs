//! [`NetworkTraining`]: from skies of which the signal is known to a [`NetworkEstimator`], in a run that stops, saves and resumes.

use std::fmt;

use burn::tensor::Device;
use cupel_settings::Problem;
use cupel_train::{
    Casting, Goal, Policy, Run, Trainer, TrainerConfig, Watch, export_safetensors_bytes, import_safetensors_bytes,
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    agreement::Agreement,
    grid::frequency_last,
    looked::{Looked, NAME, Normalisation, pixel_deg},
    network_estimator::{Made, NetworkEstimator, combined, held},
    prepared_sky::PreparedSky,
    residual::Residual,
    sky_fit::{Predicted, SkyFit, SkyFitConfig},
    train_config::NetworkTrainConfig,
};
use crate::{
    Error, Result,
    estimators::{LinearEstimator, Margin, Pair, SignalEstimator, centred},
};

/// What decides which weights are kept.
const WATCHED: &str = "residual_ratio";
/// Training skies that values are normalised by.
const NORMALISED_BY: usize = 10;
/// Skies that are prepared at once.
const BATCH: usize = 8;
/// Updates of a range test.
const RANGE_UPDATES: u64 = 100;

/// Gives a sky with its signal by its number.
pub type Pairs<'a> = &'a (dyn Fn(usize) -> Result<Pair> + Sync);

/// How many skies there are for what. Their numbers go on: training, validation, calibration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SkyCounts {
    /// Skies that networks are trained on.
    pub training: usize,
    /// Skies on which weights are chosen.
    pub validation: usize,
    /// Skies on which intervals are calibrated; with 0 those of the validation.
    pub calibration: usize,
}

/// What is to be trained on what.
pub struct NetworkTraining<'a> {
    config: NetworkTrainConfig,
    base: LinearEstimator,
    folds: Vec<LinearEstimator>,
    pair: Pairs<'a>,
    counts: SkyCounts,
    seed: u64,
    device: Device,
    casting: Casting,
    others: Vec<Device>,
}

/// How near estimates are to the truth, over skies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Score {
    /// Correlation of all values with the truth, channel means removed: its mean over skies.
    pub r: f64,
    /// Mean square of what is left over that of the truth: its mean over skies.
    pub residual_ratio: f64,
}

/// A trained estimator, and what it is worth on the validation skies.
#[derive(Clone, Debug, Serialize)]
pub struct TrainedNetwork {
    /// What the networks began with.
    pub start: Score,
    /// Each network.
    pub members: Vec<Score>,
    /// Which of them are kept: those that are better than what they began with.
    pub kept: Vec<usize>,
    /// The estimator.
    pub estimate: Score,
    /// Updates of all networks together.
    pub updates: u64,
    /// Parameters of one network.
    pub parameters: usize,
    /// The estimator itself.
    #[serde(skip)]
    pub estimator: NetworkEstimator,
}

/// What a trial before a training found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NetworkRehearsal {
    /// The loss of each update.
    pub losses: Vec<f64>,
    /// The learning rate of each, where rates were tried.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rates: Vec<f64>,
    /// The rate at which the loss falls fastest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<f64>,
}

impl<'a> NetworkTraining<'a> {
    /// Networks beside `base`, trained on the skies that `pair` gives by their number. It is asked for some of them more than once, and must
    /// give the same.
    ///
    /// The base may have been learned from the training skies; where these are few, give its folds too, see [`with_folds`](Self::with_folds).
    ///
    /// # Errors
    /// [`Error::Settings`](crate::Error::Settings) for settings that are wrong or do not fit the skies, no training or validation skies; what the
    /// first sky has that the base does not take.
    pub fn new(
        config: NetworkTrainConfig,
        base: LinearEstimator,
        counts: SkyCounts,
        pair: Pairs<'a>,
        seed: u64,
        device: &Device,
    ) -> Result<Self> {
        config.check_for(base.frequencies_mhz().len())?;
        for (name, count) in [("training skies", counts.training), ("validation skies", counts.validation)] {
            if count == 0 {
                return Err(Problem::value(name, 0, "one at least").into());
            }
        }
        let (folds, device, casting, others) = (Vec::new(), device.clone(), Casting::f32(), Vec::new());
        let training = Self { config, base, folds, pair, counts, seed, device, casting, others };
        // what does not fit is told before anything is made
        training.look(0)?;
        Ok(training)
    }

    /// With one base for each fold, number n of which has not seen the training skies of the numbers n, n + folds, ...: networks then learn to correct
    /// what a base does to skies that it does not know.
    #[must_use]
    pub fn with_folds(self, folds: Vec<LinearEstimator>) -> Self {
        Self { folds, ..self }
    }

    /// The numbers that networks compute with in training; what is kept is f32.
    #[must_use]
    pub fn with_casting(self, casting: Casting) -> Self {
        Self { casting, ..self }
    }

    /// Further devices that share the batches of each update: set `grad_accum_steps` to a multiple of their number.
    #[must_use]
    pub fn with_devices(self, others: Vec<Device>) -> Self {
        Self { others, ..self }
    }

    /// Trains the networks, keeps those that are better than what they began with, and calibrates their errors.
    ///
    /// What they began with is a candidate like any of the weights, so that on the validation skies the estimator has neither more residual nor
    /// less correlation.
    ///
    /// # Errors
    /// What `pair` reports; a stop by a signal after the state was saved.
    pub fn run(&self, run: &mut Run) -> Result<TrainedNetwork> {
        let (fit, made) = self.fit()?;
        let (mut candidates, mut updates) = (Vec::new(), 0);
        for member in 0..self.config.members {
            let mut trainer = self.trainer(fit.clone(), member)?;
            updates += run.drive(&mut trainer, &Policy::default())?.updates;
            candidates.push(self.plain(&trainer.into_best())?);
        }
        drop(fit);
        let parameters = candidates.first().map_or(0, burn::module::Module::num_params);
        let all: Vec<usize> = (0..candidates.len()).collect();
        let seen = self.seen(&candidates, &made.normalisation)?;
        let score = |members: &[usize]| seen.iter().map(|seen| seen.score(members, &made.normalisation)).collect();
        let start = mean(score(&[]));
        let members: Vec<Score> = all.iter().map(|member| mean(score(&[*member]))).collect();
        let mut kept: Vec<usize> = all.into_iter().filter(|member| members[*member].beats(&start)).collect();
        let mut estimate = mean(score(&kept));
        if kept.len() > 1 && !estimate.beats(&start) {
            kept.sort_by(|a, b| members[*a].residual_ratio.total_cmp(&members[*b].residual_ratio));
            kept.truncate(1);
            estimate = mean(score(&kept));
        }
        let chosen = vec![
            format!("{} of {} networks kept", kept.len(), members.len()),
            format!(
                "on validation skies r {:.4} from {:.4}, residual over truth {:.4} from {:.4}",
                estimate.r, start.r, estimate.residual_ratio, start.residual_ratio
            ),
        ];
        let mut estimator = NetworkEstimator {
            base: self.base.clone(),
            made: Made { chosen, ..made },
            members: kept.iter().map(|member| candidates[*member].clone()).collect(),
            device: self.device.clone(),
        };
        let held_of = |number: usize| -> Result<_> {
            let Pair { observed, signal } = (self.pair)(number)?;
            held(&estimator.find(&observed)?.0, &signal)
        };
        let skies = self.calibration().map(held_of).collect::<Result<Vec<_>>>()?;
        estimator.made.margins = Margin::of_skies(&skies);
        Ok(TrainedNetwork { start, members, kept, estimate, updates, parameters, estimator })
    }

    /// Sends one batch through a network and evaluates it, and gives the numbers: loss, and those of the validation skies before training.
    ///
    /// # Errors
    /// What `pair` reports.
    pub fn dry_run(&self) -> Result<cupel_train::Metrics> {
        let (fit, _) = self.fit()?;
        Ok(self.trainer(fit, 0)?.dry_run()?)
    }

    /// Trains a network for so many updates on one batch alone, whose loss should then fall.
    ///
    /// # Errors
    /// What the training reports.
    pub fn overfit_one_batch(&self, updates: u64) -> Result<NetworkRehearsal> {
        let losses = self.trainer(self.fit()?.0, 0)?.overfit_one_batch(updates)?;
        Ok(NetworkRehearsal { losses, rates: Vec::new(), suggestion: None })
    }

    /// Tries learning rates from `low` to `high`, and names a good one.
    ///
    /// # Errors
    /// Rates that are none; what the training reports.
    pub fn learning_rate_range(&self, low: f64, high: f64) -> Result<NetworkRehearsal> {
        let range = self.trainer(self.fit()?.0, 0)?.learning_rate_range(low, high, RANGE_UPDATES)?;
        let (rates, losses) = range.points.iter().map(|point| (point.learning_rate, point.loss)).unzip();
        Ok(NetworkRehearsal { losses, rates, suggestion: Some(range.suggestion) })
    }

    /// The numbers of the skies that intervals are calibrated on.
    fn calibration(&self) -> std::ops::Range<usize> {
        let SkyCounts { training, validation, calibration } = self.counts;
        let of_validation = training..training + validation;
        if calibration == 0 { of_validation } else { of_validation.end..of_validation.end + calibration }
    }

    /// A sky, by the base that has not seen it where there is one.
    fn look(&self, number: usize) -> Result<(Looked, Pair)> {
        let pair = (self.pair)(number)?;
        if pair.signal.axes() != pair.observed.cube().axes() {
            let problem = format!("the signal of sky {number} has other axes than what is observed");
            return Err(Error::Estimator {
                name: NAME.into(),
                problem,
                fix: "give signals of the size of their skies",
            });
        }
        let fold = (!self.folds.is_empty() && number < self.counts.training).then(|| number % self.folds.len());
        let base = fold.map_or(&self.base, |fold| &self.folds[fold]);
        Ok((Looked::new(&self.config, base, &pair.observed, None)?, pair))
    }

    /// The data of the training, and what is known of the estimator before it.
    fn fit(&self) -> Result<(SkyFit, Made)> {
        let SkyCounts { training, validation, .. } = self.counts;
        let first = (0..training.min(NORMALISED_BY)).into_par_iter().map(|number| self.look(number));
        let first = first.collect::<Result<Vec<_>>>()?;
        let pixel_deg = pixel_deg(&first[0].1.observed)?;
        let first: Vec<_> = first.into_iter().map(|(looked, pair)| (looked, pair.signal)).collect();
        let normalisation = Normalisation::of(&first)?;
        drop(first);
        let prepare = |number: usize| -> Result<PreparedSky> {
            let (looked, pair) = self.look(number)?;
            looked.prepared(&normalisation, Some(&pair.signal))
        };
        let mut skies = Vec::with_capacity(training + validation);
        for from in (0..training + validation).step_by(BATCH) {
            let batch = from..(from + BATCH).min(training + validation);
            skies.extend(batch.into_par_iter().map(prepare).collect::<Result<Vec<_>>>()?);
        }
        let of_validation = skies.split_off(training);
        // the noise is given in the unit of the skies
        let delay_noise = self.config.fit.delay_noise.map(|noise| noise / normalisation.scale);
        let config = SkyFitConfig { delay_noise, ..self.config.fit.clone() };
        let fit = SkyFit::new(skies, of_validation, &self.config.model(), config, self.seed)?;
        let (config, margins, chosen) = (self.config.clone(), Vec::new(), Vec::new());
        Ok((fit, Made { config, normalisation, pixel_deg, margins, chosen }))
    }

    fn trainer(&self, fit: SkyFit, member: u32) -> Result<Trainer<SkyFit>> {
        let seed = self.seed.wrapping_add(u64::from(member));
        let config = TrainerConfig {
            name: format!("network-{member}"),
            seed,
            stage: self.config.stage(),
            watch: Watch { metric: WATCHED.into(), goal: Goal::Lowest },
            ..TrainerConfig::default()
        };
        let model = self.config.model().init(&self.device.clone().autodiff())?;
        let trainer = Trainer::new(fit.with_seed(seed), model, config, self.casting.clone(), &self.device)?;
        Ok(if self.others.is_empty() { trainer } else { trainer.with_devices(&self.others) })
    }

    /// The same weights in f32, whatever they were trained in.
    fn plain(&self, model: &Residual) -> Result<Residual> {
        let bytes = export_safetensors_bytes(model)?;
        Ok(import_safetensors_bytes(&bytes, self.config.model().init(&self.device)?, "the trained weights")?)
    }

    /// What each network says of each validation sky.
    fn seen(&self, members: &[Residual], by: &Normalisation) -> Result<Vec<Seen>> {
        let SkyCounts { training, validation, .. } = self.counts;
        let of_sky = |number: usize| -> Result<Seen> {
            let (looked, pair) = self.look(number)?;
            let prepared = looked.prepared(by, None)?;
            let predict = |member| SkyFit::predict(member, &prepared, &Casting::f32(), &self.device);
            let predicted = members.iter().map(predict).collect::<Result<Vec<_>>>()?;
            Ok(Seen { looked, estimate: prepared.estimate().to_vec(), truth: centred(&pair.signal), predicted })
        };
        (training..training + validation).map(of_sky).collect()
    }
}

/// A validation sky with what networks say of it.
struct Seen {
    looked: Looked,
    estimate: Vec<f32>,
    truth: Vec<f64>,
    predicted: Vec<Predicted>,
}

impl Seen {
    /// Of the mean of these networks, on all pixels of the sky.
    fn score(&self, members: &[usize], by: &Normalisation) -> Score {
        let members: Vec<&Predicted> = members.iter().map(|member| &self.predicted[*member]).collect();
        let mean = combined(&self.looked, &self.estimate, &members, by.scale).mean;
        let [rows, columns] = self.looked.grid.fine();
        let [mean, truth] = [&mean, &self.truth].map(|planes| frequency_last(planes, rows * columns, |_| 1.0));
        let agreement = Agreement::of(&mean, &truth, mean.len() / (rows * columns));
        Score { r: agreement.correlation(), residual_ratio: agreement.residual_ratio() }
    }
}

fn mean(scores: Vec<Score>) -> Score {
    let of = |part: fn(&Score) -> f64| scores.iter().map(part).sum::<f64>() / scores.len() as f64;
    Score { r: of(|score| score.r), residual_ratio: of(|score| score.residual_ratio) }
}

impl Score {
    /// Whether it leaves less and follows the truth no worse.
    pub(crate) fn beats(&self, other: &Self) -> bool {
        self.residual_ratio < other.residual_ratio && self.r >= other.r
    }
}

impl fmt::Display for TrainedNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { start, estimate, members, kept, .. } = self;
        writeln!(f, "on validation skies r {:.4} (before: {:.4})", estimate.r, start.r)?;
        writeln!(f, "residual over truth {:.4} (before: {:.4})", estimate.residual_ratio, start.residual_ratio)?;
        for (number, score) in members.iter().enumerate() {
            let fate = if kept.contains(&number) { "kept" } else { "left out: no better than what it began with" };
            writeln!(f, "network {number}: r {:.4}, residual {:.4}, {fate}", score.r, score.residual_ratio)?;
        }
        Ok(())
    }
}

impl fmt::Display for NetworkRehearsal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = (self.losses.first().copied(), self.losses.last().copied());
        match self.suggestion {
            Some(rate) => writeln!(f, "the loss falls fastest at a learning rate of {rate:.2e}"),
            None => writeln!(
                f,
                "on one batch the loss went from {:.4} to {:.4} in {} updates",
                first.unwrap_or(f64::NAN),
                last.unwrap_or(f64::NAN),
                self.losses.len()
            ),
        }
    }
}
