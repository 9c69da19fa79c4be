//! [`Progressive`]: the training of a decoder on exposures.

use burn::tensor::{Device, Tensor, TensorData};
use cupel_train::{
    Context, EarlyStopping, Fit, History, Loss, Metrics, Next, Optimizer, Position, Schedule, SetReader, SetWriter,
    StageConfig, fingerprint,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

use super::{
    DecoderConfig, HELD_OUT_R, Rule,
    view::{Union, View},
};
use crate::{Decoder, Exposures, Frames, LossAgg, LossType, Plane, Result, loss_agg::Target};

/// Share of the steps in which exposures come one by one.
const COMING: f64 = 0.5;
/// The learning rate falls to this share of itself.
const LAST_RATE: f64 = 0.02;
/// Of exposures that the original rule goes on with: factors of learning rate and of steps.
const AGGRESSIVE: (f64, f64) = (2.0, 0.5);
const RESCUE: (f64, f64) = (0.1, 1.0);
const STATE: &str = "progressive.json";

/// What has been tried of an exposure under the original rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Tier {
    /// The usual steps; an exposure that is met before their end was a fast one.
    #[default]
    Normal,
    Aggressive,
    Rescue,
}

/// What the fit changes as it goes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct State {
    /// Place in the order of the exposure at hand, under the original rule; none in the beginning.
    exposure: Option<usize>,
    tier: Tier,
    failed: Vec<usize>,
    /// The last output, within the support, under the original rule.
    last: Option<Vec<f32>>,
    /// That at the beginning of the exposure.
    past: Option<Vec<f32>>,
    /// Images of it.
    images: usize,
}

/// A decoder's training on exposures.
pub struct Progressive {
    view: View,
    loss: LossAgg,
    frames: Arc<dyn Frames>,
    config: DecoderConfig,
    /// Exposures that are trained on, in the order in which they come.
    order: Vec<usize>,
    held_out: Vec<usize>,
    first: Vec<f32>,
    steps_per_epoch: u64,
    state: State,
    /// The exposures of the last batch, and they themselves on the device that trains.
    ready: Option<(Vec<usize>, Target)>,
    /// What holds the image to the windows before under the original rule, on the device that trains.
    past: Option<(Union, Target)>,
    /// Hash of what the frames cannot be told by.
    is: [u8; 32],
}

/// What a step compares.
pub enum Batch {
    /// The image itself with this one, `[row, column]`.
    Image(Box<Tensor<2>>),
    /// Exposures.
    Exposures(Box<Seen>),
}

/// Exposures, and with the original rule what the union of earlier windows gave.
pub struct Seen {
    chosen: Vec<usize>,
    measured: Target,
    /// The union of the windows before, and what the last output was through it.
    past: Option<(Union, Target)>,
}

impl Progressive {
    pub(super) fn new(
        exposures: &Exposures,
        config: &DecoderConfig,
        loss: LossAgg,
        view: View,
        seed: u64,
    ) -> Result<Self> {
        let count = exposures.centres.len();
        let mut order: Vec<usize> = (0..count).collect();
        let radius = |index: &usize| {
            let [y, x] = exposures.centres[*index];
            y * y + x * x
        };
        let first = crate::start::nearest_to_the_middle(exposures, 0..count).unwrap_or(0);
        let mut held_out = Vec::new();
        if config.rule != Rule::Original {
            if exposures.optics.geometry == crate::Geometry::Spectrum {
                order.sort_by(|a, b| radius(a).total_cmp(&radius(b)));
            }
            held_out = crate::held_out::held_out(exposures, config.held_out, seed);
            order.retain(|index| !held_out.contains(index));
        }
        let first = if config.rule == Rule::Original { order[0] } else { first };
        let first = view.first_image(&view.amplitudes(exposures.frames.frame(first)?));
        let steps_per_epoch = match config.rule {
            // the beginning and each exposure are whole epochs
            Rule::Original => divisor(config.init_steps, config.steps),
            _ => order.len() as u64,
        };
        let is = fingerprint(&(
            config,
            &exposures.centres,
            exposures.optics.size,
            exposures.optics.detector,
            exposures.optics.pupils.iter().map(Plane::amplitude).collect::<Vec<_>>(),
        ))?;
        let frames = exposures.frames.clone();
        Ok(Self {
            view,
            loss,
            frames,
            config: config.clone(),
            order,
            held_out,
            first,
            steps_per_epoch,
            state: State::default(),
            ready: None,
            past: None,
            is,
        })
    }

    /// Exposures that are not trained on.
    pub fn held_out(&self) -> &[usize] {
        &self.held_out
    }

    /// Exposures that the original rule did not meet to within its threshold.
    pub fn failed(&self) -> &[usize] {
        &self.state.failed
    }

    /// The object of a decoder, in its field.
    ///
    /// # Errors
    /// A device that cannot be read.
    pub fn object(&self, model: &Decoder) -> Result<Plane> {
        self.view.plane(model.image())
    }

    /// Amplitudes that these exposures of `object`, a field, would have by the model that is fitted: frame by frame as the frames lie,
    /// nought where pixels do not count. Of another object than the support holds only that part is seen.
    ///
    /// # Errors
    /// An object smaller than the support, a device that cannot be read.
    pub fn amplitudes_of(&self, object: &Plane, exposures: &[usize], device: &Device) -> Result<Vec<f32>> {
        self.view.amplitudes_of(object, exposures, device)
    }

    pub(super) fn first_stage(&self) -> StageConfig {
        if self.config.init_steps == 0 {
            self.exposures_stage(Tier::Normal)
        } else {
            self.stage(1.0, self.config.init_steps, Schedule::Constant)
        }
    }

    fn stage(&self, rate: f64, steps: u64, schedule: Schedule) -> StageConfig {
        StageConfig {
            // Adam: without weight decay ours is the same, in one pass
            optimizer: Optimizer::AdamW { betas: [0.9, 0.999], epsilon: 1e-8, weight_decay: 0.0 },
            learning_rate: rate * self.config.rate(),
            schedule,
            epochs: steps.div_ceil(self.steps_per_epoch).max(1),
            ..StageConfig::default()
        }
    }

    fn exposures_stage(&self, tier: Tier) -> StageConfig {
        let (rate, steps) = match tier {
            Tier::Normal => (1.0, 1.0),
            Tier::Aggressive => AGGRESSIVE,
            Tier::Rescue => RESCUE,
        };
        if self.config.rule == Rule::Original {
            let schedule = if tier == Tier::Aggressive { Schedule::Cosine { end: 0.0 } } else { Schedule::Constant };
            return self.stage(rate, (steps * self.config.steps as f64).ceil() as u64, schedule);
        }
        StageConfig {
            weight_average: self.config.weight_average.filter(|_| !self.held_out.is_empty()),
            early_stopping: self
                .config
                .patience
                .filter(|_| !self.held_out.is_empty())
                .map(|patience| EarlyStopping { patience, minimum_delta: 0.0 }),
            ..self.stage(1.0, self.config.steps * self.order.len() as u64, Schedule::Cosine { end: LAST_RATE })
        }
    }

    fn begins_with_image(&self, stage: u32) -> bool {
        stage == 0 && self.config.init_steps > 0
    }

    /// Whether an exposure of the original rule may end with this epoch.
    fn may_end(&self, at: Position) -> bool {
        let stage =
            if self.begins_with_image(at.stage) { self.first_stage() } else { self.exposures_stage(self.state.tier) };
        self.config.loss_threshold.is_some() || at.epoch + 1 >= stage.epochs
    }

    /// Places in the order of the exposures of a step.
    fn chosen(&self, ctx: &Context<'_>) -> Vec<usize> {
        let count = self.order.len();
        if self.config.rule == Rule::Original {
            return vec![self.state.exposure.unwrap_or(0)];
        }
        let batch = self.config.batch.min(count);
        let step = ctx.at.epoch * self.steps_per_epoch + ctx.at.step;
        let coming = COMING * (self.config.steps * self.steps_per_epoch) as f64;
        let stream = ctx.stream.child(1);
        if self.config.rule == Rule::Joint || step as f64 >= coming {
            return stream.sample(count, batch);
        }
        let newest = (step as f64 / coming * count as f64) as usize;
        let mut chosen = stream.sample(newest, (batch - 1).min(newest));
        chosen.insert(0, newest);
        chosen
    }

    fn measured(&self, exposures: &[usize], device: &Device) -> Result<Tensor<3>> {
        let d = self.view.detector();
        let mut values = Vec::with_capacity(exposures.len() * d * d);
        for index in exposures {
            values.extend(self.view.amplitudes(self.frames.frame(*index)?));
        }
        Ok(Tensor::from_data(TensorData::new(values, [exposures.len(), d, d]), device))
    }

    /// The union of the windows before this one, and the last output through it, on `device`.
    fn past(&self, device: &Device) -> Option<(Union, Target)> {
        let (exposure, last) = (self.state.exposure.filter(|index| *index > 0)?, self.state.past.as_ref()?);
        let union = self.view.union(&self.order[..exposure], device);
        let [rows, columns] = self.view.support();
        let image = TensorData::new(last.clone(), [1, self.state.images, rows, columns]);
        let spectrum = self.view.spectrum(self.view.object(Tensor::from_data(image, device)));
        let target = Target::new(self.view.through(&spectrum, &union));
        Some((union, target))
    }

    /// `sum |sqrt n - sqrt I| / sum sqrt n` of the exposures held out.
    fn held_out_r(&self, model: &Decoder, device: &Device) -> Result<f64> {
        let spectrum = self.view.spectrum(self.view.object(model.image()));
        let (mut difference, mut sum) = (0.0, 0.0);
        for chosen in self.held_out.chunks(self.config.batch) {
            let measured = self.measured(chosen, device)?;
            let predicted = self.view.predict(&spectrum, chosen);
            let numbers = Tensor::cat(vec![(predicted - measured.clone()).abs().sum(), measured.sum()], 0);
            let numbers = numbers.try_into_data().map_err(|error| {
                cupel_train::Error::work(format!("reading the held-out exposures from the device: {error:?}"))
            })?;
            let numbers: Vec<f64> = numbers.iter::<f64>().collect();
            difference += numbers[0];
            sum += numbers[1];
        }
        Ok(if sum > 0.0 { difference / sum } else { 0.0 })
    }

    /// What follows an exposure of the original rule; whether it was met to within the threshold is known.
    fn after_exposure(&mut self, met: bool) -> Next {
        let wanted = self.config.loss_threshold.is_some();
        if wanted && !met {
            match self.state.tier {
                Tier::Normal => self.state.tier = Tier::Aggressive,
                Tier::Aggressive => self.state.tier = Tier::Rescue,
                Tier::Rescue => {
                    let exposure = self.order[self.state.exposure.unwrap_or(0)];
                    self.state.failed.push(exposure);
                    return self.next_exposure();
                }
            }
            return Next::Stage(self.exposures_stage(self.state.tier));
        }
        self.next_exposure()
    }

    fn next_exposure(&mut self) -> Next {
        let next = self.state.exposure.map_or(0, |index| index + 1);
        if next >= self.order.len() {
            return Next::Stop("all exposures were seen");
        }
        self.state.exposure = Some(next);
        self.state.tier = Tier::Normal;
        self.state.past = self.state.last.take();
        self.past = None;
        Next::Stage(self.exposures_stage(Tier::Normal))
    }
}

/// The largest number of steps up to this many that divides both.
fn divisor(a: u64, b: u64) -> u64 {
    let (mut a, mut b) = (a, b);
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

fn work(error: crate::Error) -> cupel_train::Error {
    match error {
        crate::Error::Train(error) => error,
        other => cupel_train::Error::work(other),
    }
}

impl Fit for Progressive {
    type Model = Decoder;
    type Batch = Batch;

    fn batch(&mut self, ctx: &Context<'_>) -> cupel_train::Result<Batch> {
        if self.begins_with_image(ctx.at.stage) {
            let image = TensorData::new(self.first.clone(), self.view.support());
            return Ok(Batch::Image(Box::new(Tensor::from_data(image, ctx.device))));
        }
        let chosen: Vec<usize> = self.chosen(ctx).into_iter().map(|place| self.order[place]).collect();
        let measured = match self.ready.as_ref().filter(|(there, _)| *there == chosen) {
            Some((_, measured)) => measured.clone(),
            None => Target::new(self.measured(&chosen, ctx.device).map_err(work)?),
        };
        self.ready = Some((chosen.clone(), measured.clone()));
        if self.config.rule == Rule::Original && self.past.is_none() {
            self.past = self.past(ctx.device);
        }
        Ok(Batch::Exposures(Box::new(Seen { chosen, measured, past: self.past.clone() })))
    }

    fn loss(&self, model: &Decoder, batch: Batch, _: &Context<'_>) -> Loss {
        let image = model.image();
        let (mean, terms) = match batch {
            Batch::Image(first) => {
                let [rows, columns] = self.view.support();
                let said: Tensor<2> =
                    crate::decoder::middle(image, self.view.support()).narrow(1, 0, 1).reshape([rows, columns]);
                let relative = LossAgg::new(LossType::L1);
                (relative.mean(said.unsqueeze(), &Target::new(first.unsqueeze())), Vec::new())
            }
            Batch::Exposures(seen) => {
                let Seen { chosen, measured, past } = *seen;
                let spectrum = self.view.spectrum(self.view.object(image));
                let new = self.loss.mean(self.view.predict(&spectrum, &chosen), &measured);
                match past {
                    None => (new, Vec::new()),
                    Some((union, target)) => {
                        let old = self.loss.mean(self.view.through(&spectrum, &union), &target);
                        let terms = vec![("loss_new", new.clone().inner()), ("loss_old", old.clone().inner())];
                        (new + old, terms)
                    }
                }
            }
        };
        Loss { mean, weight: 1.0, terms }
    }

    fn next(&mut self, seen: &History) -> cupel_train::Result<Next> {
        let stage = seen.last().map_or(0, |epoch| epoch.stage);
        let beginning = self.begins_with_image(stage);
        if self.config.rule != Rule::Original {
            return Ok(match seen.stage_over() {
                Some(_) if beginning => Next::Stage(self.exposures_stage(Tier::Normal)),
                Some(reason) => Next::Stop(reason),
                None => Next::Continue,
            });
        }
        let met = self.config.loss_threshold.is_some_and(|threshold| {
            let number = |name: &str| seen.last().and_then(|epoch| epoch.metrics.get(name));
            let each = [number("loss_new"), number("loss_old")];
            match each {
                [Some(new), Some(old)] => new < threshold && old < threshold,
                _ => number("loss").is_some_and(|loss| loss < threshold),
            }
        });
        Ok(match (seen.stage_over(), beginning) {
            (Some(_), true) => self.next_exposure(),
            (over, false) if over.is_some() || met => self.after_exposure(met),
            _ => Next::Continue,
        })
    }

    fn steps_per_epoch(&self) -> u64 {
        self.steps_per_epoch
    }

    fn evaluate(&mut self, model: &Decoder, ctx: &Context<'_>) -> cupel_train::Result<Metrics> {
        if self.config.rule == Rule::Original {
            if !self.may_end(ctx.at) {
                return Ok(Metrics::new());
            }
            // the end of an exposure may be here: its output holds the image from now on
            let image = crate::decoder::middle(model.image(), self.view.support());
            self.state.images = image.dims()[1];
            let data = image
                .try_into_data()
                .map_err(|error| cupel_train::Error::work(format!("reading the image from the device: {error:?}")))?;
            self.state.last = Some(data.iter::<f32>().collect());
            return Ok(Metrics::new());
        }
        if self.held_out.is_empty() {
            return Ok(Metrics::new());
        }
        let r = self.held_out_r(model, ctx.device).map_err(work)?;
        Ok(Metrics::from([(HELD_OUT_R, r)]))
    }

    fn fingerprint(&self) -> cupel_train::Result<[u8; 32]> {
        Ok(self.is)
    }

    fn save(&self, set: &mut SetWriter) -> cupel_train::Result<()> {
        set.json(STATE, &self.state)
    }

    fn load(&mut self, set: &SetReader) -> cupel_train::Result<()> {
        self.state = set.json(STATE)?;
        (self.ready, self.past) = (None, None);
        Ok(())
    }
}
